"""Exercise checks that work on a laptop, in Colab and in CI, with no server."""

from __future__ import annotations

import html
import importlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from causalrec_lib.course import attempts
from causalrec_lib.course.answers import Answer, Unanswered, Wrong, call, expect_refusal
from causalrec_lib.course.compare import Draw, expect_close, expect_on_draws

__all__ = [
    "Answer",
    "CheckFailed",
    "Draw",
    "Result",
    "Unanswered",
    "Wrong",
    "call",
    "check",
    "exercise",
    "expect_close",
    "expect_on_draws",
    "expect_refusal",
    "load",
]
_ID = re.compile(r"(?P<part>[a-z]+)/(?P<chapter>\d\d)\.(?P<number>\d+)")
_CHECKS: dict[str, tuple[str, Callable[[Answer], None]]] = {}


class CheckFailed(AssertionError):
    """Raised under CAUSALREC_STRICT=1 (builds and tests), where a refused answer must stop the run."""


@dataclass(frozen=True)
class Result:
    """What a check says.

    Parameters
    ----------
    exercise : str
        Its id.
    verdict : {"passed", "wrong", "unanswered"}
        The outcome.
    message : str
        Praise, hint, or what to do.
    """

    exercise: str
    verdict: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether the answer is accepted."""
        return self.verdict == "passed"

    def __repr__(self) -> str:
        """Return one line of text."""
        return f"{_MARK[self.verdict]} {self.exercise}: {self.message}"

    def _repr_html_(self) -> str:
        return (
            f'<div class="cr-check cr-{self.verdict}" role="status"><strong>{_MARK[self.verdict]} '
            f"Exercise {html.escape(self.exercise)}</strong> {html.escape(self.message)}</div>"
        )


_MARK = {"passed": "\u2713 passed:", "wrong": "\u2717 not yet:", "unanswered": "\u2026 open:"}


def exercise(exercise_id: str, task: str) -> Callable[[Callable[[Answer], None]], Callable[[Answer], None]]:
    """Register the check of an exercise.

    Parameters
    ----------
    exercise_id : str
        "part/NN.k", for example "weighting/01.1".
    task : str
        What to do, one sentence; shown while the exercise is open.

    Returns
    -------
    callable
        A decorator for a function that takes the answer and raises `Wrong` with a hint, or returns.

    Raises
    ------
    ValueError
        If the id is malformed or taken.
    """
    if not _ID.fullmatch(exercise_id):
        raise ValueError(f"exercise_id must look like 'weighting/01.1', but is {exercise_id!r}.")

    def register(function: Callable[[Answer], None]) -> Callable[[Answer], None]:
        known = _CHECKS.get(exercise_id)
        if known is not None and known[1].__qualname__ != function.__qualname__:
            raise ValueError(f"exercise_id {exercise_id!r} has a check already.")
        _CHECKS[exercise_id] = (task, function)
        return function

    return register


def load(exercise_id: str) -> tuple[str, Callable[[Answer], None]]:
    """Return task and check of an exercise, importing its chapter's checks.

    Parameters
    ----------
    exercise_id : str
        "part/NN.k".

    Returns
    -------
    tuple of str and callable
        The task sentence and the check.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    m = _ID.fullmatch(exercise_id) if isinstance(exercise_id, str) else None
    if m is None:
        raise ValueError(f"exercise_id must look like 'weighting/01.1', but is {exercise_id!r}.")
    name = f"causalrec_lib.course.checks.{m['part']}_{m['chapter']}"
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as err:
        if err.name != name:
            raise
        chapter = f"{m['part']}/{m['chapter']}"
        raise ValueError(f"exercise_id: no checks exist for chapter {chapter} (looked for {name}).") from err
    if exercise_id not in _CHECKS:
        have = sorted(k for k in _CHECKS if k.startswith(f"{m['part']}/{m['chapter']}."))
        raise ValueError(f"exercise_id: no exercise {exercise_id!r}; this chapter has {', '.join(have)}.")
    return _CHECKS[exercise_id]


def exercises(chapters: Iterable[str]) -> list[str]:
    """Return the exercises that have checks, of chapters whose checks were loaded.

    Parameters
    ----------
    chapters : iterable of str
        For example "weighting/01".

    Returns
    -------
    list of str
        Ids, in the order of their numbers.
    """
    heads = set(chapters)
    found = (_ID.fullmatch(e) for e in _CHECKS if e.rpartition(".")[0] in heads)
    return [m[0] for m in sorted((m for m in found if m), key=lambda m: (m["part"], m["chapter"], int(m["number"])))]


def check(exercise_id: str, answer: Answer) -> Result:
    """Check an answer and say what is right or what to think about; after three different answers, how to do it.

    Parameters
    ----------
    exercise_id : str
        "part/NN.k", for example "weighting/01.1".
    answer : callable
        The function that the exercise asks for.

    Returns
    -------
    Result
        Passed, wrong with a hint, or unanswered with the task.

    Raises
    ------
    ValueError
        If there is no such exercise or the answer is not a function.
    CheckFailed
        Under CAUSALREC_STRICT=1, if the answer is not accepted.
    """
    task, function = load(exercise_id)
    if not callable(answer):
        raise ValueError(f"answer must be the function that exercise {exercise_id} asks for, but is {answer!r}.")
    recipe = ""
    try:
        function(answer)
        result = Result(exercise_id, "passed", "well done.")
    except Unanswered as err:
        result = Result(exercise_id, "unanswered", f"{task} ({err})")
    except Wrong as err:
        result, recipe = Result(exercise_id, "wrong", str(err)), err.recipe
    tried = attempts.note(exercise_id, answer, result.verdict)
    if recipe and tried >= attempts.RECIPE_FROM:
        result = replace(result, message=f"{result.message} Step by step: {recipe}")
    if os.environ.get("CAUSALREC_STRICT") == "1" and not result.passed:
        raise CheckFailed(repr(result))
    return result
