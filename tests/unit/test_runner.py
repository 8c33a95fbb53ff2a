"""A chapter runs whole or not at all, and a failure says where it happened."""

import json
import subprocess
import sys

import pytest

from causalrec_lib.course import records, regression, runner
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.freshness import incomparable

HEAD = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   course: {kind: chapter, data: [], max_seconds: 60}
# ---

# %% [markdown]
# # A title

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
from causalrec_lib import course

run = course.start(PROFILE, SEED, chapter="weighting/07_test")
run.record("draw", float(run.rng.normal()))
print(PROFILE, SEED)
"""
ID = "weighting/07_test"


def source(folder):
    return folder / "notebooks" / f"{ID}.py"


@pytest.fixture
def execute(tmp_path):
    def go(code="", seed=5):
        source(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        source(tmp_path).write_text(HEAD + code)
        return runner.run(Chapter(source(tmp_path)), "ci", seed, tmp_path / "build")

    return go


def test_a_run_leaves_notebook_records_log_and_facts(execute, tmp_path):
    executed = json.loads(execute().read_text())
    printed = "".join("".join(o.get("text", "")) for c in executed["cells"] for o in c.get("outputs", []))
    assert "ci 5" in printed
    build = tmp_path / "build"
    assert list(records.read(records.record_path(ID, "ci", build))) == ["draw"]
    facts = json.loads((build / "runs" / "ci" / f"{ID}.json").read_text())
    assert facts["chapter"] == ID and 0 < facts["seconds"] < 60 and facts["peak_mb"] > 10
    assert (build / "logs" / "ci" / f"{ID}.log").stat().st_size > 0


def test_the_seed_decides_the_records(execute, tmp_path):
    def draw(seed):
        execute(seed=seed)
        return records.read(records.record_path(ID, "ci", tmp_path / "build"))["draw"].value

    assert draw(5) == draw(5) != draw(6)


def test_a_failure_names_chapter_cell_error_and_log_and_leaves_no_stale_output(execute, tmp_path):
    executed = execute()
    with pytest.raises(runner.ChapterFailed) as failure:
        execute('\n# %%\nraise ValueError("the propensity is outside (0, 1)")\n')
    message = str(failure.value)
    log = tmp_path / "build" / "logs" / "ci" / f"{ID}.log"
    assert f"chapter {ID} failed in cell" in message and f"log: {log}" in message
    assert "ValueError: the propensity is outside (0, 1)" in message
    assert "the propensity is outside" in log.read_text()
    line = next(
        k for k, text in enumerate(source(tmp_path).read_text().splitlines(), 1) if "raise ValueError" in text
    )
    assert f"notebooks/{ID}.py:{line}:" in message and "\x1b" not in message
    assert len(message.splitlines()) < 8
    assert not executed.exists()
    assert not records.record_path(ID, "ci", tmp_path / "build").exists(), (
        "half a run's records could become a baseline"
    )


def test_a_run_that_is_broken_off_leaves_no_records(execute, tmp_path, monkeypatch):
    def broken(*_args, **_more):
        records.write(records.record_path(ID, "ci", tmp_path / "build"), {}, {"half": records.Record(1.0)})
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.papermill, "execute_notebook", broken)
    with pytest.raises(KeyboardInterrupt):
        execute()
    assert not records.record_path(ID, "ci", tmp_path / "build").exists()


def test_records_are_used_only_if_they_are_of_this_source_and_seed(execute, tmp_path):
    build = tmp_path / "build"
    file = records.record_path(ID, "ci", build)

    def why():
        return incomparable(ID, "ci", tmp_path, build)

    execute(seed=records.COURSE_SEED)
    assert why() == ""
    whole = file.read_text()
    meta = json.loads(whole)
    assert (meta["seed"], meta["source"]) == (records.COURSE_SEED, records.digest(source(tmp_path)))
    for change, words in (
        ({"seed": 5}, "seed 5"),
        ({"source": None}, "not written by a whole run"),
        ({"source": "0"}, "another version"),
    ):
        file.write_text(json.dumps({**meta, **change}))
        assert words in why() and f"causalrec run {ID}" in why()
    file.write_text(whole)
    source(tmp_path).write_text(HEAD + "\n# %%\n1 + 1\n")
    assert "was edited" in why()
    source(tmp_path).write_text(HEAD)
    records.write(regression.baseline_path(ID, "ci", tmp_path), {}, {"draw": records.Record(1.0)})
    file.unlink()
    assert "a baseline but no records" in why()


def test_the_command_exits_with_the_explanation_and_status_1():
    done = subprocess.run(
        [sys.executable, "-m", "causalrec_lib.course.runner", "weighting/99_none"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "weighting/99_none" in done.stderr
