"""Numbers of a reader's answer held against the right ones, with words for what is different."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib.course.answers import Answer, Unanswered, Wrong, call

Draw = tuple[Sequence[Any], ArrayLike] | tuple[Sequence[Any], ArrayLike, Mapping[str, ArrayLike]]
_WORDS = ("no numbers", "one number", "two numbers", "three numbers", "four numbers", "five numbers", "six numbers")
_ROUNDED_TO = range(1, 9)


def expect_close(
    got: Any,
    want: ArrayLike,
    *,
    hint: str,
    recipe: str = "",
    rtol: float = 1e-6,
    atol: float = 0.0,
    wrong: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Accept numbers close to `want`; explain a known wrong answer, else give the general hint.

    Parameters
    ----------
    got : object
        The answer: a number, or a list, tuple, array or column of numbers.
    want : array_like
        What it should be; NaN asks for NaN.
    hint : str
        What to think about if it is anything else: a question, not the formula.
    recipe : str
        The formula, in words; shown after the third different attempt only.
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
    given = _numbers(got, wanted, hint, recipe)
    holes = bool(np.isnan(wanted).any())
    if np.allclose(given, wanted, rtol=rtol, atol=atol, equal_nan=holes):
        return
    for explanation, value in (wrong or {}).items():
        mistake = np.asarray(value, dtype=float)
        if mistake.shape == given.shape and np.allclose(
            given, mistake, rtol=max(rtol, 1e-6), atol=atol, equal_nan=holes
        ):
            raise Wrong(explanation, recipe)
    if np.any(np.isnan(given) & ~np.isnan(wanted)):
        raise Wrong(
            f"Your answer {'is' if given.ndim == 0 else 'contains'} NaN, not a number: 0 / 0, the mean of an empty "
            f"selection, or a missing value in between. {hint}",
            recipe,
        )
    if np.any(np.isinf(given) & ~np.isinf(wanted)):
        is_or_has = "is" if given.ndim == 0 else "contains a number that is"
        raise Wrong(f"Your answer {is_or_has} infinite: something is divided by zero. {hint}", recipe)
    if _rounded(given, wanted):
        raise Wrong("Right up to rounding: don't round, return the number as it comes out.")
    raise Wrong(hint, recipe)


def _numbers(got: Any, wanted: np.ndarray, hint: str, recipe: str) -> np.ndarray:
    """Return the answer as an array of the right shape, or say what else it is."""
    try:
        if np.asarray(got).dtype.kind in "USc":  # text such as "2" would pass as a number
            raise TypeError
        given = np.asarray(got, dtype=float)
    except (TypeError, ValueError) as err:
        raise Wrong(f"Return {_asked(wanted.shape)}; you returned {_kind(got)}. {hint}", recipe) from err
    if given.shape != wanted.shape:
        raise Wrong(f"Return {_asked(wanted.shape)}; you returned {_said(given.shape)}. {hint}", recipe)
    return given


def _kind(got: Any) -> str:
    name = type(got).__name__
    if isinstance(got, str):
        return "text"
    if isinstance(got, list | tuple | np.ndarray):
        return f"a {name} that does not hold numbers of one shape"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _said(shape: tuple[int, ...]) -> str:
    if shape == ():
        return "one number"
    if len(shape) == 1:
        few = shape[0] < len(_WORDS)
        return ("an array of " if shape[0] == 1 else "") + (_WORDS[shape[0]] if few else f"{shape[0]} numbers")
    if len(shape) == 2:
        return f"a table of {shape[0]} rows and {shape[1]} columns"
    return f"an array of shape {shape}"


def _asked(shape: tuple[int, ...]) -> str:
    if len(shape) == 1 and 2 <= shape[0] < len(_WORDS):
        return f"{_WORDS[shape[0]]}, for example `return {', '.join('abcdef'[: shape[0]])}`"
    return f"an array of {shape[0]} numbers" if len(shape) == 1 and shape[0] != 1 else _said(shape)


def _rounded(given: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether the answer is the right one to two digits or more, and no further."""
    for places in _ROUNDED_TO:
        known = (np.abs(wanted) >= 10.0 ** (1 - places)) | np.isnan(wanted)
        if np.all(known) and np.allclose(given, np.round(wanted, places), rtol=1e-12, atol=1e-12, equal_nan=True):
            return True
    return False


def expect_on_draws(
    answer: Answer,
    make: Callable[[np.random.Generator], Draw],
    *,
    hint: str,
    recipe: str = "",
    read: Callable[..., Any] | None = None,
    refused: str = "",
    rtol: float = 1e-6,
    atol: float = 0.0,
    draws: int = 3,
) -> None:
    """Accept an answer that is right on several data sets, so that no constant passes.

    Parameters
    ----------
    answer : callable
        The reader's function.
    make : callable
        Takes a numpy Generator; returns the arguments of the answer, what it should return and, if there are any,
        the explanations of mistakes with the numbers that these give.
    hint, recipe : str
        As in `expect_close`.
    read : callable, optional
        Takes what the answer returned and its arguments; returns the numbers to judge, or raises `Wrong`.
    refused : str
        What to say if the answer refuses these data with a ValueError of its own.
    rtol, atol : float
        Relative and absolute tolerance.
    draws : int
        Number of data sets.

    Raises
    ------
    Wrong
        With a hint; on a data set after the first it says that another one was right.
    """
    for k in range(draws):
        arguments, want, *known = make(np.random.default_rng([2026, k]))
        try:
            got = call(answer, *arguments)
            got = got if read is None else read(got, *arguments)
            expect_close(got, want, hint=hint, recipe=recipe, rtol=rtol, atol=atol, wrong=known[0] if known else None)
        except Unanswered:
            raise
        except Wrong as err:
            said = refused if refused and isinstance(err.__cause__, ValueError) else str(err)
            if k > 0:
                said = f"Right on one data set and wrong on another: is there a fixed number in it? {said}"
            raise Wrong(said, err.recipe) from err.__cause__
