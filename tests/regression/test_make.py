"""Make runs what changed and nothing else. Asked with `make --what-if`, so that nothing is run here."""

import re
import subprocess
from pathlib import Path

import pytest

from causalrec_lib.course import chapters

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = {c.id for c in chapters.find() if not c.after_chapters}


def would_run(*changed: str) -> set[str]:
    """Return the chapters that make would run if these files changed."""
    what_if = [f"--what-if={c}" for c in changed]
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old=build/data/.stamp",
         "--assume-old=build/environment.state", "--assume-old=build/files.list", "STAGE=2", "PROFILE=ci", *what_if,
         "run-chapters"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(re.findall(r"course\.runner --profile ci (\S+)", done.stdout)) & CHAPTERS


@pytest.fixture(scope="module", autouse=True)
def _all_have_run():
    missing = [c for c in CHAPTERS if not (ROOT / "build" / "executed" / "ci" / f"{c}.ipynb").is_file()]
    assert not missing, f"not run: {missing}; make chapters"


def test_nothing_changed_nothing_runs():
    assert would_run() == set()


def test_a_changed_chapter_runs_alone():
    assert would_run("notebooks/weighting/02_matching.py") == {"weighting/02_matching"}


def test_a_changed_module_runs_the_chapters_that_import_it():
    assert would_run("causalrec_lib/matching.py") >= {"weighting/02_matching"}
    assert "concepts/02_behaviour_data" not in would_run("causalrec_lib/matching.py")
    assert "concepts/01_why_causal" in would_run("causalrec_lib/data/world/__init__.py")


def test_the_checks_of_a_chapter_run_that_chapter_only():
    assert would_run("causalrec_lib/course/checks/weighting_01.py") == {"weighting/01_propensity_weighting"}


def test_what_every_chapter_uses_runs_them_all():
    assert would_run("causalrec_lib/course/run.py") == CHAPTERS


def test_builders_run_no_chapter():
    assert would_run("causalrec_lib/course/site.py", "causalrec_lib/course/labs.py", "book/index.md") == set()


def test_a_changed_data_set_runs_the_chapters_that_read_it():
    changed = would_run("build/data/nhefs.state")
    assert changed == {c.id for c in chapters.find() if "nhefs" in (*c.data(), *c.data("optional_data"))}
