"""What an author runs on a chapter before it counts as finished, step by step."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.records import repo_root


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Parameters
    ----------
    what : str
        Shown to the author.
    command : tuple of str
        Run in the course's folder.
    needed : bool
        True if nothing after it makes sense when it fails.
    """

    what: str
    command: tuple[str, ...]
    needed: bool = False

    def go(self) -> tuple[bool, str]:
        """Run the command.

        Returns
        -------
        tuple of bool and str
            Whether it succeeded, and what it printed.
        """
        root = repo_root() or repo_root(Path(__file__)) or Path.cwd()
        env = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        done = subprocess.run(self.command, cwd=root, env=env, capture_output=True, text=True, check=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()


def steps(chapter: Chapter) -> list[Step]:
    """Return what a chapter must pass, in order.

    Parameters
    ----------
    chapter : Chapter
        The chapter or page.

    Returns
    -------
    list of Step
        Lint, form, run, labs, second run, checks, time, baseline.
    """
    root = repo_root() or Path.cwd()
    name = f"{chapter.part}_{chapter.source.stem[:2]}.py"
    files = (
        f"notebooks/{chapter.id}.py",
        f"causalrec_lib/course/checks/{name}",
        f"tests/course/wrong_answers/{name}",
    )
    here = tuple(f for f in files if (root / f).is_file())
    python = (sys.executable, "-m")
    short = (
        chapter.id if chapter.is_page else f"{chapter.part}/{chapter.source.stem[:2]}"
    )  # tests of exercises end here
    quiet = ("-q", "--tb=line", "--no-header", "-k", short)
    other = ("--ignore", "tests/course/test_form.py", *quiet)
    todo = [
        Step("ruff check", (*python, "ruff", "check", *here)),
        Step("ruff format", (*python, "ruff", "format", "--check", *here)),
        Step("form", (*python, "pytest", "tests/course/test_form.py", *quiet), needed=True),
        Step("run", (*python, "causalrec_lib.course.runner", chapter.id), needed=True),
        Step("labs", (*python, "causalrec_lib.course.cli", "labs", chapter.id)),
        Step("checks and labs' tests", (*python, "pytest", "tests/course", *other)),
        Step(
            "time and memory",
            (*python, "pytest", "tests/regression/test_runs.py", *quiet[:-1], f"memory and {short}"),
        ),
        Step("baseline", (*python, "pytest", "tests/regression/test_baselines.py", *quiet)),
    ]
    if not chapter.after_chapters:  # before the tests, which ask whether today's lab has run
        second = f"build/second/ci/{chapter.id}.ok"
        make = ("make", "--no-print-directory", "STAGE=2", "PROFILE=ci", f"PY={sys.executable}", second)
        todo.insert(5, Step("second run", make))
    return todo
