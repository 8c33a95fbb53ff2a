"""What was tried in this kernel: different answers to each exercise, and the last verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType
from typing import Any

RECIPE_FROM = 3


@dataclass
class Tries:
    """The tries at one exercise.

    Parameters
    ----------
    answers : set
        Marks of the different answers; an open stub is none.
    verdict : str
        The last one.
    """

    answers: set[Any] = field(default_factory=set)
    verdict: str = "unanswered"


LOG: dict[str, Tries] = {}


def note(exercise: str, answer: Any, verdict: str) -> int:
    """Note a verdict; return how many different answers were tried so far.

    Parameters
    ----------
    exercise : str
        "part/NN.k".
    answer : callable
        What was checked.
    verdict : {"passed", "wrong", "unanswered"}
        What the check said.

    Returns
    -------
    int
        Running a cell again, or with other comments, is no new try; nor is an open stub.
    """
    tries = LOG.setdefault(exercise, Tries())
    tries.verdict = verdict
    if verdict != "unanswered":
        code = getattr(answer, "__code__", None)
        tries.answers.add(_mark(code) if code is not None else repr(answer))
    return len(tries.answers)


def _mark(code: CodeType) -> tuple[Any, ...]:
    """Return what makes two functions the same answer, wherever they stand; docstrings count, comments don't."""
    constants = tuple(_mark(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, constants
