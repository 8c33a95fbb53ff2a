"""Chapters keep to their time and memory, and two runs with one seed leave the same records."""

import json
from pathlib import Path

import pytest

from causalrec_lib.course import chapters, records
from tests.course.form import LONGEST

ROOT = Path(__file__).resolve().parents[2]
MAX_MB = 4096


def run_facts(chapter):
    path = ROOT / "build" / "runs" / "ci" / f"{chapter}.json"
    assert path.is_file(), f"{chapter} has not run: make chapters"
    return json.loads(path.read_text())


@pytest.mark.parametrize("chapter", chapters.find(), ids=lambda c: c.id)
def test_time_and_memory(chapter):
    facts = run_facts(chapter.id)
    limit = chapter.meta["max_seconds"]
    assert limit <= LONGEST.get(chapter.part, 60)
    # processor time: on cores that other work shares, the clock says how busy they are
    assert facts["cpu_seconds"] <= limit, f"{chapter.id} took {facts['cpu_seconds']} s, declared {limit}"
    assert facts["peak_mb"] <= MAX_MB


@pytest.mark.parametrize("chapter", [c for c in chapters.find() if not c.after_chapters], ids=lambda c: c.id)
def test_two_runs_leave_the_same_records(chapter):
    """The second run is nbval's, over the executed notebooks, with its own build folder."""
    first = records.record_path(chapter.id, "ci", ROOT / "build")
    second = records.record_path(chapter.id, "ci", ROOT / "build" / "second")
    if not first.is_file():
        assert not second.is_file()
        return
    assert second.is_file(), "the second run is missing: make second-run"
    a, b = records.read(first), records.read(second)
    assert set(a) == set(b)
    moved = {k: (a[k], b[k]) for k in a if a[k].kind != "measured" and a[k] != b[k]}
    assert not moved, moved
