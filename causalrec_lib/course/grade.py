"""Runs the checks on notebooks that were handed in: the answers alone, in processes of their own, with a limit."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import linecache
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from causalrec_lib.course import chapters, submission
from causalrec_lib.course.check import check
from causalrec_lib.course.submission import Submission

LIMIT = 10.0
_WORD = {"passed": "passed", "wrong": "wrong", "unanswered": "open"}
_PRELOAD = (
    "causalrec_lib.course.check",
    "matplotlib.pyplot",
    "scipy.stats",
    "statsmodels.api",
    "sklearn.linear_model",
)


@dataclass(frozen=True)
class Grade:
    """What the checks say of one notebook.

    Parameters
    ----------
    file : str
        Its path below the folder.
    name : str
        From the report cell.
    verdicts : dict of str to (str, str)
        Exercise -> "passed", "wrong", "open", "timeout" or "crash", and the message.
    problem : str
        Why it could not be graded; empty if it could.
    """

    file: str
    name: str
    verdicts: dict[str, tuple[str, str]]
    problem: str = ""

    @property
    def passed(self) -> int:
        """Number of exercises that passed."""
        return sum(v == "passed" for v, _ in self.verdicts.values())


def wanted(root: Path | None) -> dict[str, dict[str, str]]:
    """Return the exercises of each chapter of a checkout, with the functions that answer them.

    Parameters
    ----------
    root : pathlib.Path or None
        The course's folder; without it nothing is known.

    Returns
    -------
    dict of str to dict of str to str
        For example {"weighting/01": {"weighting/01.1": "hajek_ate"}}.
    """
    found = chapters.find(root) if root else []
    return {c.id[: c.id.index("/") + 3]: submission.checked(c.notebook) for c in found if not c.is_page}


def grade(
    folder: Path, known: dict[str, dict[str, str]], limit: float = LIMIT, tell: Callable[[Grade], None] | None = None
) -> list[Grade]:
    """Grade all notebooks below a folder.

    Parameters
    ----------
    folder : pathlib.Path
        What students handed in.
    known : dict of str to dict of str to str
        What `wanted` returns.
    limit : float
        Seconds for one exercise.
    tell : callable, optional
        Called with each grade as it comes.

    Returns
    -------
    list of Grade
        By file name.

    Raises
    ------
    ValueError
        If there is no notebook below the folder.
    """
    files = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not files:
        raise ValueError(f"no notebook lies below {folder}; give the folder with what was handed in.")
    found = []
    for path in files:
        found.append(_graded(submission.read(path, folder, known), limit))
        if tell:
            tell(found[-1])
    return found


def _graded(work: Submission, limit: float) -> Grade:
    if work.problem or not work.answers:
        return Grade(work.file, work.name, {}, work.problem)
    verdicts: dict[str, tuple[str, str]] = {}
    open_ones = list(work.answers)
    while open_ones:
        for exercise, verdict, message in _process(work, open_ones, limit):
            verdicts[exercise] = (verdict, message)
        open_ones = [e for e in open_ones if e not in verdicts]
    return Grade(work.file, work.name, {e: verdicts[e] for e in work.answers})


def _process(work: Submission, todo: list[str], limit: float) -> Iterable[tuple[str, str, str]]:
    """Yield verdicts until all are known, or until an answer hangs or takes its process along."""
    fork = "forkserver" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if fork else "spawn")
    if fork:
        context.set_forkserver_preload(list(_PRELOAD))
    ours, theirs = context.Pipe()
    child = context.Process(target=_work, args=(theirs, work, todo), daemon=True)
    child.start()
    theirs.close()
    try:
        exercise = todo[0]
        if ours.poll(60 + limit):  # the process is up
            ours.recv()
        for exercise in todo:
            if not ours.poll(limit):
                yield exercise, "timeout", f"no answer within {limit:g} seconds: is there a loop without an end?"
                return
            yield (exercise, *ours.recv())
    except EOFError:
        yield exercise, "crash", "the answer ended its own process"
    finally:
        child.kill()
        child.join()
        ours.close()


def _work(pipe: Connection, work: Submission, todo: list[str]) -> None:
    """Define the answers and check them, one after another; what they print goes nowhere."""
    os.environ.pop("CAUSALREC_STRICT", None)
    os.environ.setdefault("MPLBACKEND", "agg")
    with tempfile.TemporaryDirectory() as empty, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(empty)
        sys.stderr = io.StringIO()
        pipe.send("ready")
        room = _room(work)
        for exercise in todo:
            answer = room.get((work.answers or {})[exercise])
            if not callable(answer):
                pipe.send(("wrong", f"no function {(work.answers or {})[exercise]!r} is in the notebook"))
                continue
            try:
                result = check(exercise, answer)
                pipe.send((_WORD[result.verdict], "" if result.passed else result.message))
            except Exception as err:  # noqa: BLE001 - an answer may fool a check in any way; that is no pass
                pipe.send(("wrong", f"the check stopped: {type(err).__name__}: {err}"))
        os.chdir(os.path.sep)


def _room(work: Submission) -> dict[str, Any]:
    """Run the statements that the answers need; one that fails leaves its names undefined, as in the notebook."""
    room: dict[str, Any] = {"__name__": "submission"}
    for cell, source in (work.sources or {}).items():
        lines = source.splitlines(keepends=True)
        linecache.cache[f"<cell {cell}>"] = (len(source), None, lines, f"<cell {cell}>")
    for s in work.statements:
        with contextlib.suppress(Exception):
            code = compile(ast.Module([s.node], []), f"<cell {s.cell}>", "exec")
            exec(code, room)  # noqa: S102 - this is what grading is; it runs in a process of its own
    return room


def write_csv(grades: Iterable[Grade], path: Path) -> None:
    """Write one row a submission.

    Parameters
    ----------
    grades : iterable of Grade
        What `grade` returned.
    path : pathlib.Path
        The file.
    """
    rows = list(grades)
    columns = list(dict.fromkeys(e for g in rows for e in g.verdicts))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "name", "passed", "of", *columns, "notes"])
        for g in rows:
            notes = [g.problem] + [f"{e}: {m}" for e, (v, m) in g.verdicts.items() if v != "passed"]
            verdicts = [g.verdicts.get(e, ("", ""))[0] for e in columns]
            cells = [g.file, g.name, g.passed, len(g.verdicts), *verdicts, " | ".join(filter(None, notes))]
            table.writerow([f"'{c}" if str(c)[:1] in ("=", "+", "-", "@") else c for c in cells])
