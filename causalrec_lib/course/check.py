"""Exercise checks that work on a laptop, in Colab and in CI, with no server."""

from __future__ import annotations

import html
import importlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Answer = Callable[..., Any]
_ID = re.compile(r"(?P<part>[a-z]+)/(?P<chapter>\d\d)\.(?P<number>\d+)")
_CHECKS: dict[str, tuple[str, Callable[[Answer], None]]] = {}


class Wrong(AssertionError):
    """An answer that a check refuses; the message is the hint."""


class Unanswered(Wrong):
    """The exercise has not been answered yet; the message says what to do."""


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


def call(answer: Answer, *args: Any, **kwargs: Any) -> Any:
    """Call an answer; turn a stub into `Unanswered` and a crash into `Wrong`.

    Parameters
    ----------
    answer : callable
        The reader's function.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    Unanswered
        If it raises NotImplementedError or returns None or Ellipsis.
    Wrong
        If it raises anything else.
    """
    try:
        got = answer(*args, **kwargs)
    except NotImplementedError as err:
        raise Unanswered(str(err)) from err
    except Exception as err:  # the reader's code may raise anything; the hint names it
        raise Wrong(f"Your function raised {type(err).__name__}: {err}") from err
    if got is None or got is Ellipsis:
        raise Unanswered("Your function returns nothing yet; end it with a return statement.")
    return got


def expect_close(
    got: Any,
    want: ArrayLike,
    *,
    hint: str,
    rtol: float = 1e-6,
    atol: float = 0.0,
    wrong: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Accept numbers close to `want`; explain a known wrong answer, else give the general hint.

    Parameters
    ----------
    got : object
        The answer.
    want : array_like
        What it should be.
    hint : str
        What to think about if it is anything else.
    rtol, atol : float
        Relative and absolute tolerance.
    wrong : mapping of str to array_like, optional
        Explanations of plausible mistakes, and the numbers that they give.

    Raises
    ------
    Wrong
        With a hint.
    """
    wanted = np.asarray(want, dtype=float)
    try:
        if np.asarray(got).dtype.kind in "USc":  # text such as "2" would pass as a number
            raise TypeError
        given = np.asarray(got, dtype=float)
    except (TypeError, ValueError) as err:
        raise Wrong(f"Return {_shape(wanted)}, not {type(got).__name__}. {hint}") from err
    if given.shape != wanted.shape:
        raise Wrong(f"Return {_shape(wanted)}, not an array of shape {given.shape}. {hint}")
    if np.allclose(given, wanted, rtol=rtol, atol=atol):
        return
    for explanation, value in (wrong or {}).items():
        mistake = np.asarray(value, dtype=float)
        if mistake.shape == given.shape and np.allclose(given, mistake, rtol=max(rtol, 1e-6), atol=atol):
            raise Wrong(explanation)
    raise Wrong(hint)


def _shape(a: np.ndarray) -> str:
    return "one number" if a.ndim == 0 else f"an array of shape {a.shape}"


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


def check(exercise_id: str, answer: Answer) -> Result:
    """Check an answer and say what is right or what to think about.

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
    try:
        function(answer)
        result = Result(exercise_id, "passed", "well done.")
    except Unanswered as err:
        result = Result(exercise_id, "unanswered", f"{task} ({err})")
    except Wrong as err:
        result = Result(exercise_id, "wrong", str(err))
    if os.environ.get("CAUSALREC_STRICT") == "1" and not result.passed:
        raise CheckFailed(repr(result))
    return result
