"""The language model that comes as GGUF is converted silently: a first run prints what a second one does."""

import pytest

from causalrec_lib import data
from causalrec_lib.data import cache, models


@pytest.mark.skipif(not data.present("smollm2"), reason="the model is not in the cache")
def test_a_conversion_prints_nothing(tmp_path, monkeypatch, capfd):
    pytest.importorskip("transformers")
    fetched = cache.cache_dir() / "smollm2"
    monkeypatch.setenv("CAUSALREC_CACHE", str(tmp_path))
    (tmp_path / "smollm2").symlink_to(fetched, target_is_directory=True)
    folder = models.model_path("smollm2")
    assert folder == tmp_path / "smollm2-safetensors" and (folder / "model.safetensors").is_file()
    assert capfd.readouterr().err == ""
