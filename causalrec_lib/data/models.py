"""Pretrained models that come inside packages: where they lie, and SmolLM2 made ready for transformers once."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

from causalrec_lib import _validate
from causalrec_lib.data import cache, registry
from causalrec_lib.data.fetch import fetch

_READY = "converted_from.json"


def _gguf(entry: registry.Entry) -> registry.SourceFile | None:
    return next((f for f in entry.files if f.path.endswith(".gguf")), None)


def _converted(folder: Path, source: registry.SourceFile) -> bool:
    """Say whether `folder` holds a whole conversion of this very file."""
    note = folder / _READY
    if not note.is_file() or not (folder / "config.json").is_file():
        return False
    said = json.loads(note.read_text(encoding="utf-8"))
    sizes = {f.name: f.stat().st_size for f in folder.glob("*.safetensors")}
    return bool(sizes) and said == {"sha256": source.sha256, "weights": sizes}


def _write_safetensors(gguf: Path, folder: Path) -> None:
    """Read a GGUF file with transformers and save weights, configuration and tokenizer.

    Its progress bars are held back: a page that converts must print what one prints that finds the conversion done.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def gguf_to_safetensors(name: str = "smollm2") -> Path:
    """Convert a GGUF model of the registry once, and return the folder of the conversion.

    The weights are kept in float32, so they are the very numbers that the GGUF file stands for. The folder appears
    whole or not at all, and two processes may ask at once.

    Parameters
    ----------
    name : str
        A model of the registry that is a GGUF file.

    Returns
    -------
    Path
        A folder for `AutoModelForCausalLM.from_pretrained(folder)`, which then needs no network.

    Raises
    ------
    ValueError
        If the model has no GGUF file.
    ImportError
        If torch, transformers or gguf is not installed: `pip install 'causalrec-lib[language]'`.
    DataUnavailable, DataCorrupt
        As `data.fetch`.
    """
    entry = registry.entry(name)
    source = _gguf(entry)
    if source is None:
        raise ValueError(f"name: '{name}' has no GGUF file to convert; use data.fetch('{name}').")
    root = cache.cache_dir()
    folder = root / f"{name}-safetensors"
    if _converted(folder, source):
        return folder
    gguf = fetch(name) / source.path
    with cache.disk_errors(name, root, 6 * source.bytes), cache.lock(root, folder.name, name):
        if not _converted(folder, source):
            with cache.staging(root, folder.name) as stage:
                _write_safetensors(gguf, stage / "model")
                _finish(stage, folder, source)
    return folder


def _finish(stage: Path, folder: Path, source: registry.SourceFile) -> None:
    """Write down what was converted, and move the conversion into place."""
    fresh = stage / "model"
    sizes = {f.name: f.stat().st_size for f in fresh.glob("*.safetensors")}
    (fresh / _READY).write_text(json.dumps({"sha256": source.sha256, "weights": sizes}), encoding="utf-8")
    for path in fresh.iterdir():
        with path.open("rb+") as f:
            cache.sync(f)
    if folder.exists():
        os.rename(folder, stage / "old")
    os.rename(fresh, folder)


def model_path(name: str) -> Path:
    """Return the folder of a model, ready for `from_pretrained`; fetched, and converted, when it is first asked for.

    Parameters
    ----------
    name : str
        `minilm` (sentence encoder) or `smollm2` (instruction-tuned language model).

    Returns
    -------
    Path
        A folder with configuration, tokenizer and safetensors weights.

    Raises
    ------
    ValueError
        If there is no such model.
    ImportError
        If a conversion is needed and torch, transformers or gguf is not installed.
    DataUnavailable, DataCorrupt
        As `data.fetch`.
    """
    _validate.one_of(name, "name", registry.names(group="model"))
    return fetch(name) if _gguf(registry.entry(name)) is None else gguf_to_safetensors(name)
