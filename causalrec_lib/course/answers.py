"""Calls of a reader's function: on copies of the data, with crashes, refusals and changed inputs told apart."""

from __future__ import annotations

import copy
import dis
import inspect
import linecache
import re
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

Answer = Callable[..., Any]
_RAISE = dis.opmap["RAISE_VARARGS"]
_PACKAGES = tuple(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib"))


class Wrong(AssertionError):
    """An answer that a check refuses; the message is the hint.

    Parameters
    ----------
    hint : str
        What to think about.
    recipe : str
        How to do it, step by step; shown after the third different attempt only.
    """

    def __init__(self, hint: str, recipe: str = "") -> None:
        super().__init__(hint)
        self.recipe = recipe


class Unanswered(Wrong):
    """The exercise has not been answered yet; the message says what to do.

    Parameters
    ----------
    hint : str
        What to do.
    recipe : str
        Not shown.
    """


def call(answer: Answer, *args: Any, **kwargs: Any) -> Any:
    """Call an answer on copies of its arguments; turn a stub into `Unanswered` and a crash into `Wrong`.

    Parameters
    ----------
    answer : callable
        The reader's function.
    *args, **kwargs
        Its arguments; they stay as they are, whatever the answer does.

    Returns
    -------
    object
        What it returns; an array without dimensions as a number.

    Raises
    ------
    Unanswered
        If it raises NotImplementedError or returns None or Ellipsis.
    Wrong
        If it raises anything else (a ValueError that it raises on purpose is the cause of this error), or if it
        changes its arguments.
    """
    given, named = copy.deepcopy((args, kwargs))
    try:
        got = answer(*given, **named)
    except NotImplementedError as err:
        raise Unanswered(str(err)) from err
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a reader's code may raise anything; the hint names it
        cause = err if deliberate(err) or not isinstance(err, ValueError) else None
        raise Wrong(f"Your function raised {crash(err, answer)}") from cause
    if got is None or got is Ellipsis:
        raise Unanswered("Your function returns nothing yet; end it with a return statement.")
    if changed := _changed(answer, (args, kwargs), (given, named)):
        raise Wrong(
            f"Your function changes {changed}, its input: what comes after it would compute with other data. Work on "
            "a copy, for example `x = x.copy()`, or make a new array."
        )
    return got[()] if isinstance(got, np.ndarray) and got.ndim == 0 else got


def expect_refusal(
    answer: Answer, *args: Any, hint: str, match: str = "", unclear: str = "", recipe: str = ""
) -> str:
    """Accept an answer that refuses these arguments: that raises a ValueError of its own.

    A ValueError that numpy or pandas raises inside of the answer is an accident, and does not count.

    Parameters
    ----------
    answer : callable
        The reader's function.
    *args
        Its arguments.
    hint : str
        What to think about if it answers instead.
    match : str
        Regular expression that the message must hold; case does not count.
    unclear : str
        What to say if it doesn't.
    recipe : str
        How to do it; shown after the third different attempt only.

    Returns
    -------
    str
        The message of the refusal.

    Raises
    ------
    Unanswered
        If the exercise is open.
    Wrong
        If it answers, raises anything else, or its message does not match.
    """
    given = copy.deepcopy(args)
    try:
        answer(*given)
    except NotImplementedError as err:
        raise Unanswered(str(err)) from err
    except (Exception, SystemExit) as err:  # noqa: BLE001 - as in call
        if not isinstance(err, ValueError) or not deliberate(err):
            raise Wrong(
                f"These data call for a refusal, and your function raised {crash(err, answer)} Look for the case "
                "before you compute, and raise ValueError with a message of your own.",
                recipe,
            ) from None
        if not re.search(match, str(err), re.IGNORECASE):
            told = unclear or "Say in it what is wrong with the data."
            raise Wrong(f"It refuses, but its message is {str(err)!r}. {told}", recipe) from None
        return str(err)
    raise Wrong(hint, recipe)


def deliberate(err: BaseException) -> bool:
    """Return whether an error comes from a `raise` statement outside of installed packages.

    Parameters
    ----------
    err : Exception
        A caught error.

    Returns
    -------
    bool
        False for what numpy, pandas or Python itself raised.
    """
    last = err.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    of_course = str(last.tb_frame.f_globals.get("__name__", "")).startswith("causalrec_lib.")
    outside = of_course or not code.co_filename.startswith(_PACKAGES)
    return outside and code.co_code[last.tb_lasti] == _RAISE


def crash(err: BaseException, answer: Answer) -> str:
    """Return an error in words, with the line of the answer in which it came up.

    Parameters
    ----------
    err : Exception
        What was raised.
    answer : callable
        The reader's function.

    Returns
    -------
    str
        For example "KeyError: 'price', in line 3: `return df['price']`."
    """
    said = f"{type(err).__name__}: {err}".rstrip(" :.")
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    number, line = _place(err.__traceback__, file)
    return f"{said}, in line {number}: `{line}`." if line else f"{said}."


def _place(trace: TracebackType | None, file: str | None) -> tuple[int, str]:
    """Return number and text of the innermost line of a traceback that stands in a file."""
    here = [f for f in traceback.extract_tb(trace) if f.filename == file and f.lineno]
    if not here or file is None:
        return 0, ""
    number = here[-1].lineno or 0
    return number, linecache.getline(file, number).strip()


def _changed(answer: Answer, before: tuple[Any, Any], after: tuple[Any, Any]) -> str:
    """Return the name of the first argument that a call changed, or an empty string."""
    (args, kwargs), (args_after, kwargs_after) = before, after
    try:
        names = list(inspect.signature(answer).parameters)
    except (TypeError, ValueError):
        names = []
    for k, (old, new) in enumerate(zip(args, args_after, strict=True)):
        if not same(old, new):
            return f"`{names[k]}`" if k < len(names) else f"argument {k + 1}"
    return next((f"`{name}`" for name in kwargs if not same(kwargs[name], kwargs_after[name])), "")


def same(a: Any, b: Any) -> bool:
    """Return whether two values hold the same data; what can't be compared counts as the same.

    Parameters
    ----------
    a, b : object
        Arrays, tables, containers of them, or anything else.

    Returns
    -------
    bool
        NaN equals NaN.
    """
    if type(a) is not type(b):
        return False
    if isinstance(a, pd.DataFrame | pd.Series | pd.Index):
        indexed = isinstance(a, pd.Index) or (a.index.equals(b.index) and _labels(a) == _labels(b))
        return bool(a.equals(b)) and indexed
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return a.tolist() == b.tolist() if a.dtype.kind not in "fc" else np.array_equal(a, b, equal_nan=True)
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, str | bytes | bool | int | set | frozenset):
        return bool(a == b)
    return True


def _labels(table: pd.DataFrame | pd.Series) -> list[Any]:
    return list(table.columns) if isinstance(table, pd.DataFrame) else [table.name]
