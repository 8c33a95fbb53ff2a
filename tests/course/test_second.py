"""The second run: what it executes, and that it stops where runs differ or a lab doesn't work."""

import json
import os

import pytest

from causalrec_lib.course import notebook, runner, second
from causalrec_lib.course.chapters import Chapter

from . import form
from .kernel import startup


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder; kernels find the sample's checks."""
    monkeypatch.setenv("IPYTHONDIR", str(startup(tmp_path, [form.SAMPLE / "checks"])))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(form.ROOT), os.environ.get("PYTHONPATH", "")]))
    return tmp_path / "build"


def sample(tmp_path, old="", new=""):
    """The sample chapter in a folder of its own, with one change."""
    text = form.sample().source.read_text()
    assert not old or text.count(old) == 1
    source = tmp_path / "notebooks" / "sample" / "01_top_shelf.py"
    source.parent.mkdir(parents=True)
    source.write_text(text.replace(old, new) if old else text)
    return Chapter(source)


def test_both_runs_of_the_sample_agree_and_a_moved_output_is_shown(build, tmp_path):
    chapter = sample(tmp_path)
    executed = runner.run(chapter, build=build)
    done = second.run(chapter, build=build, root=form.ROOT)
    assert done.is_file()
    first = notebook.load(executed)
    cell = next(c for c in first["cells"] if any("text/plain" in o.get("data", {}) for o in c.get("outputs", [])))
    shown = next(o for o in cell["outputs"] if "text/plain" in o.get("data", {}))
    shown["data"]["text/plain"] = ["another output"]
    executed.write_text(json.dumps(first))
    with pytest.raises(
        second.RunsDiffer, match=r"another output(.|\n)*sample/01_top_shelf: the second run differs; log:"
    ):
        second.run(chapter, build=build, root=form.ROOT)
    assert not done.exists()


def test_a_chapter_that_uses_an_answer_stops(build, tmp_path):
    chapter = sample(
        tmp_path, "# ## Takeaways", "# x\n\n# %%\n_ = difference(y, t)\n\n# %% [markdown]\n# ## Takeaways"
    )
    runner.run(chapter, build=build)
    with pytest.raises(second.RunsDiffer, match="NotImplementedError"):
        second.run(chapter, build=build, root=form.ROOT)


def test_a_run_of_another_source_is_refused(build, tmp_path):
    chapter = form.sample()
    first = {"cells": [{"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": 1}]}
    with pytest.raises(ValueError, match=r"no run of sample/01_top_shelf as it is now: make chapters"):
        second.notebook_of(chapter, first, form.ROOT)
