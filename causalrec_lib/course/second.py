"""The second run of a chapter: its lab, first with open exercises and then solved, held by nbval to the first run."""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from causalrec_lib.course import chapters, labs, notebook
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_markdown import Context
from causalrec_lib.course.notebook import Cell, Notebook
from causalrec_lib.course.records import build_dir, repo_root
from causalrec_lib.course.repository import repository
from causalrec_lib.course.runner import paths

INJECTED = "injected-parameters"
ANSWERED = ("exercise", "check")
STRICT = 'import os\n\nos.environ["CAUSALREC_STRICT"] = "1"'
OPEN = """from causalrec_lib.course.attempts import LOG

said = [tries.verdict for tries in LOG.values()]
assert said == ["unanswered"] * {n}, f"with open exercises the checks say {{said}}"
"""
_NBVAL = (
    "-o",
    "addopts=",
    "-p",
    "nbval",
    "-p",
    "causalrec_lib.course.kernels",
    "--nbval",
    "--nbval-cell-timeout=600",
)


class RunsDiffer(RuntimeError):
    """The second run failed, or shows other outputs than the first; the message names chapter and log."""


def notebook_of(chapter: Chapter, first: Notebook, root: Path) -> Notebook:
    """Return what the second run executes, with the outputs of the first run where they must agree.

    A page runs as it is. Of a chapter, the cells of the student's lab run in their order, and between them those that
    only feed the book's numbers; then the solved exercises with their checks.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    first : dict
        Its executed notebook.
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    dict
        A notebook of code cells; a cell without an execution count is run and not compared.

    Raises
    ------
    ValueError
        If `first` is not a run of this source.
    """
    if chapter.is_page:
        return first
    injected = [c for c in first["cells"] if INJECTED in notebook.tags(c)]
    ran = [c for c in first["cells"] if INJECTED not in notebook.tags(c)]
    if [notebook.text(c) for c in ran] != [notebook.text(c) for c in chapter.notebook["cells"]]:
        raise ValueError(f"first is no run of {chapter.id} as it is now: make chapters.")
    lab, student, solved = _lab(chapter, root)
    cells = [_cell(lab[0])]
    for k, was in enumerate(ran):
        if was["cell_type"] == "code":
            cells.append(_cell(student.get(k, was), None if _answered(was) else was))
            cells += [_cell(c) for c in injected if "parameters" in notebook.tags(was)]
    checks = sum("check" in notebook.tags(c) for c in ran)
    cells += [_cell(lab[-1]), _cell({"source": OPEN.format(n=checks)}), _cell({"source": STRICT})]
    cells += [_cell(solved[k], was) for k, was in enumerate(ran) if _answered(was)]
    return {**first, "cells": [{**c, "id": f"second-{k}"} for k, c in enumerate(cells)]}


def _lab(chapter: Chapter, root: Path) -> tuple[list[Cell], dict[int, Cell], dict[int, Cell]]:
    """Return the student's lab, and the cells of both labs by their place in the chapter."""

    def context() -> Context:
        return labs.context_of(chapter, root, lambda key: "(number)")

    lab = labs.lab(chapter, "student", context(), repository(root))["cells"]
    student, solved = (labs.cells_of(chapter.notebook, role, context()) for role in labs.ROLES)
    return lab, student, solved


def _answered(cell: Cell) -> bool:
    return bool(set(ANSWERED) & set(notebook.tags(cell)))


def _cell(cell: dict[str, Any], was: Cell | None = None) -> Cell:
    """Return a code cell that is compared with what it `was`, or not at all."""
    told: dict[str, Any] = {"metadata": {}, "outputs": [], "execution_count": None}
    if was is not None:  # its tags too: they say where outputs may differ
        told = {key: copy.deepcopy(was[key]) for key in told}
    return {"cell_type": "code", "source": cell["source"], **told}


def run(chapter: Chapter, profile: str = "ci", build: Path | None = None, root: Path | None = None) -> Path:
    """Run a chapter a second time, in a build folder of its own and with the same seed.

    Parameters
    ----------
    chapter : Chapter
        The chapter; it has run once.
    profile : {"ci", "full"}
        Profile of the first run.
    build : pathlib.Path, optional
        The build folder; the second run writes below `second/` there.
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    pathlib.Path
        An empty file that says that both runs agree.

    Raises
    ------
    RunsDiffer
        If a cell fails, an output differs, or a check doesn't say what it should.
    """
    build = (build or build_dir()).resolve()
    first = notebook.load(paths(chapter, profile, build)["executed"])
    at = build / "second" / profile / f"{chapter.id}.ipynb"
    done, log = at.with_suffix(".ok"), at.with_suffix(".log")
    at.parent.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    book = notebook_of(chapter, first, root or repo_root() or Path.cwd())
    at.write_text(json.dumps(book, indent=1, sort_keys=True), encoding="utf-8")
    env = {
        **os.environ,
        "CAUSALREC_BUILD": str(build / "second"),
        "CAUSALREC_QUIET": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    env["CAUSALREC_STRICT"] = "1" if chapter.is_page else "0"
    with log.open("w", encoding="utf-8") as said:
        command = [sys.executable, "-m", "pytest", *_NBVAL, str(at)]
        code = subprocess.run(command, env=env, stdout=said, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        raise RunsDiffer(f"{log.read_text(encoding='utf-8')}\n{chapter.id}: the second run differs; log: {log}")
    done.touch()
    return done


def main() -> None:
    """Run one chapter a second time from the command line; exit 1 with nbval's words if the runs differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapter")
    parser.add_argument("--profile", default="ci", choices=["ci", "full"])
    asked = parser.parse_args()
    try:
        run(chapters.get(asked.chapter), asked.profile)
    except RunsDiffer as err:
        sys.exit(f"\n{err}\n")


if __name__ == "__main__":
    main()
