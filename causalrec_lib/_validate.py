"""Input checks that every public function shares: each error names the argument, the rows and the mend."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
T = TypeVar("T")

_SHOWN_ROWS = 5
_SHOWN_LETTERS = 60
_NUMBERS = ("floating", "integer", "mixed-integer-float", "boolean", "decimal", "empty")


def rows(mask: NDArray[np.bool_]) -> str:
    """Say which rows a mask marks, the first few by number."""
    where = np.flatnonzero(mask)
    more = "" if len(where) <= _SHOWN_ROWS else f" and {len(where) - _SHOWN_ROWS} more"
    return f"row{'s' if len(where) != 1 else ''} {', '.join(map(str, where[:_SHOWN_ROWS]))}{more}"


def shown(x: object) -> str:
    """Return `x` for a message: itself where that is short, otherwise its type."""
    text = " ".join(repr(x).split())
    return text if len(text) <= _SHOWN_LETTERS else f"of type {type(x).__name__}"


def _array(x: ArrayLike, name: str) -> NDArray[Any]:
    """Return `x` as an array, with missing values of every kind as NaN."""
    if isinstance(x, pd.Series | pd.DataFrame | pd.Index):
        x = x.to_numpy()
    try:
        raw = np.asarray(x)
    except ValueError as err:
        raise ValueError(f"{name} has rows of unequal length; pass one table in which all rows are alike.") from err
    return np.where(pd.isna(raw), np.nan, raw) if raw.dtype == object and raw.ndim else raw


def _as_float(x: ArrayLike, name: str) -> FloatArray:
    raw = _array(x, name)
    if raw.dtype.kind == "c":
        raise ValueError(f"{name} is complex; pass real numbers, for example {name}.real.")
    if raw.dtype.kind not in "biuf" and pd.api.types.infer_dtype(raw.ravel()) not in _NUMBERS:
        raise ValueError(
            f"{name} must hold numbers, but has dtype {raw.dtype}; "
            f"encode labels first, for example with pandas.get_dummies({name})."
        )
    return np.asarray(raw, dtype=np.float64)


def _refuse_non_finite(a: FloatArray, name: str) -> None:
    bad = ~np.isfinite(a)
    if bad.any():
        by_row = bad if a.ndim == 1 else bad.any(axis=tuple(range(1, a.ndim)))
        kind = "NaN" if np.isnan(a).any() else "infinite"
        raise ValueError(
            f"{name} has {kind} values in {rows(by_row)}; drop these rows or impute them before estimating."
        )


def _refuse_other_length(found: int, name: str, n: int | None, like: str) -> None:
    if n is not None and found != n:
        wanted = f"but {like} has {n}" if like else f"expected {n}"
        raise ValueError(f"{name} has {found} rows, {wanted}; pass arrays of the same rows.")


def vector(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a finite float vector of shape (n,), the length of the argument `like`, or raise ValueError."""
    a = _as_float(x, name)
    if a.ndim == 2 and a.shape[1] == 1:
        a = a[:, 0]
    if a.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but has shape {a.shape}; pass one value per row.")
    if a.size == 0:
        raise ValueError(f"{name} is empty; check the filter that made it.")
    _refuse_other_length(len(a), name, n, like)
    _refuse_non_finite(a, name)
    return a


def nonnegative(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of weights, zero or more."""
    a = vector(x, name, n, like)
    if (a < 0).any():
        raise ValueError(f"{name} are negative in {rows(a < 0)}; weights must be zero or more.")
    return a


def positive(x: ArrayLike, name: str, mend: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of numbers above zero."""
    a = vector(x, name, n, like)
    return inside(a, a <= 0, name, "above 0", mend)


def errors(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of standard errors: zero or more, or NaN where unknown."""
    a = _as_float(x, name)
    known = vector(np.where(np.isnan(a), 0.0, a), name, n, like)
    if (known < 0).any():
        raise ValueError(f"{name} is negative in {rows(known < 0)}; pass errors of zero or more, or NaN.")
    return a.reshape(known.shape)


def inside(a: FloatArray, bad: NDArray[np.bool_], name: str, where: str, mend: str) -> FloatArray:
    """Return `a` if none of its entries is marked as bad."""
    if bad.any():
        raise ValueError(f"{name} must lie {where}, but does not in {rows(bad)} (first: {a[bad][0]:g}); {mend}.")
    return a


def uniforms(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of numbers from 0 up to, but not including, 1."""
    a = vector(x, name, n, like)
    return inside(a, (a < 0) | (a >= 1), name, "in [0, 1)", "draw it with Generator.uniform")


def positions(
    x: ArrayLike, name: str, high: float = np.inf, n: int | None = None, like: str = "", low: int = 0
) -> NDArray[np.int64]:
    """Return `x` as a vector of whole numbers from `low` up to, but not including, `high`."""
    return _whole(vector(x, name, n, like), name, low, high)


def distinct_positions(x: ArrayLike, name: str, high: int, n: int | None = None, like: str = "") -> NDArray[np.int64]:
    """Return `x` as a matrix of whole numbers from 0 up to `high`, left out, none of them twice in a row."""
    a = _whole(matrix(x, name, n, like), name, 0, high)
    twice = (np.diff(np.sort(a, axis=1), axis=1) == 0).any(axis=1)
    if twice.any():
        raise ValueError(f"{name} has the same number twice in {rows(twice)}; drop one of both.")
    return a


def _whole(a: FloatArray, name: str, low: int, high: float) -> NDArray[np.int64]:
    bad = (a < low) | (a >= high) | (a != np.floor(a))
    if bad.any():
        by_row = bad if a.ndim == 1 else bad.any(axis=1)
        raise ValueError(
            f"{name} must be whole numbers from {low}{'' if np.isinf(high) else f' to {high - 1:g}'}, but is not in "
            f"{rows(by_row)} (first: {a[bad][0]:g}); pass positions of rows or groups."
        )
    return a.astype(np.int64)


def distributions(x: ArrayLike, name: str, shape: tuple[int, int] | None = None) -> FloatArray:
    """Return `x` as a matrix, of that shape if one is given, whose rows are probabilities that sum to 1."""
    a = matrix(x, name) if shape is None else table(x, name, shape)
    bad = (a < 0).any(axis=1) | (np.abs(a.sum(axis=1) - 1) > 1e-6)
    if bad.any():
        raise ValueError(
            f"{name} must hold probabilities that sum to 1, but does not in {rows(bad)}; divide each row by its sum."
        )
    return a


def matrix(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a finite float matrix of shape (n, p); a vector becomes one column."""
    if isinstance(x, pd.DataFrame):
        text = [str(c) for c, t in x.dtypes.items() if not pd.api.types.is_numeric_dtype(t)]
        if text:
            raise ValueError(
                f"{name} has columns that are not numbers: {', '.join(text)}; "
                f"encode them first, for example with pandas.get_dummies({name}, dtype=float)."
            )
    a = _as_float(x, name)
    if a.ndim == 1:
        a = a[:, None]
    if a.ndim != 2:
        raise ValueError(f"{name} must be a table of shape (n, p), but has shape {a.shape}.")
    if a.shape[0] == 0 or a.shape[1] == 0:
        raise ValueError(f"{name} is empty, shape {a.shape}; check the filter that made it.")
    _refuse_other_length(len(a), name, n, like)
    _refuse_non_finite(a, name)
    return a


def table(x: ArrayLike, name: str, shape: tuple[int, int]) -> FloatArray:
    """Return `x` as a finite float matrix of that shape."""
    a = matrix(x, name)
    if a.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, but has {a.shape}; give each row and column its own entry."
        )
    return a


def binary(x: ArrayLike, name: str, n: int | None = None, like: str = "", *, both: bool = True) -> FloatArray:
    """Return `x` as a vector of zeros and ones; with `both`, refuse a vector of one class only."""
    a = vector(x, name, n, like)
    bad = (a != 0) & (a != 1)
    if bad.any():
        raise ValueError(
            f"{name} must be 0 or 1, but has other values in {rows(bad)} (first: {a[bad][0]:g}); "
            f"recode it, for example {name} = ({name} == treated_level).astype(int)."
        )
    if both and (a.min() == a.max()):
        raise ValueError(
            f"{name} is {a[0]:g} in every row: there is nobody to compare with; include rows of the other group."
        )
    return a


def propensity(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of probabilities strictly between 0 and 1."""
    a = vector(x, name, n, like)
    mend = "rows that could only ever get one treatment carry no comparison: trim them, or change the estimand"
    return inside(a, (a <= 0) | (a >= 1), name, "strictly between 0 and 1", mend)


def happened(x: ArrayLike, name: str, n: int | None = None, like: str = "") -> FloatArray:
    """Return `x` as a vector of chances of what did happen: above 0 and up to 1."""
    a = vector(x, name, n, like)
    mend = "what happened had a chance: look for rounding, for percentages, or for another version of the log"
    return inside(a, (a <= 0) | (a > 1), name, "above 0 and up to 1", mend)


def frame(df: object, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return `df` if it is a non-empty DataFrame with the named columns."""
    if not isinstance(df, pd.DataFrame):
        raise ValueError(f"{name} must be a pandas DataFrame, but is {type(df).__name__}.")
    missing = [c for c in columns if c not in df.columns]
    if missing:
        raise ValueError(f"{name} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, df.columns))}.")
    if df.empty:
        raise ValueError(f"{name} is empty, shape {df.shape}; check the filter that made it.")
    return df


def column(x: object, name: str, df: pd.DataFrame, of: str) -> Any:
    """Return `x` if it names a column of the frame `df`, which is the argument `of`."""
    if not isinstance(x, Hashable) or x not in tuple(df.columns):
        raise ValueError(
            f"{name} must be a column of {of}, but is {shown(x)}; there are {', '.join(map(str, df.columns))}."
        )
    return x


def unique(ids: ArrayLike, name: str) -> NDArray[Any]:
    """Return `ids` as an array if no value occurs twice."""
    a = np.asarray(ids)
    dup = pd.Series(a).duplicated().to_numpy()
    if dup.any():
        raise ValueError(
            f"{name} has duplicate ids in {rows(dup)} (first: {a[dup][0]!r}); "
            "aggregate or drop the repeated rows first."
        )
    return a


def labels(x: ArrayLike, name: str, n: int, like: str = "", *, several: bool = False) -> NDArray[np.int64]:
    """Return labels of n rows as whole numbers from 0; with `several`, rows of a table are labels too."""
    try:
        table = x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x))
        codes = table.groupby(list(table.columns), sort=False, dropna=False).ngroup().to_numpy()
    except (TypeError, ValueError) as err:
        raise ValueError(f"{name} must hold labels, but is {shown(x)}; pass one text or number a row.") from err
    _refuse_other_length(len(table), name, n, like)
    if not several and table.shape[1] != 1:
        raise ValueError(f"{name} must be one-dimensional, but has shape {table.shape}; pass one label per row.")
    missing = table.isna().to_numpy().any(axis=1)
    if missing.any():
        raise ValueError(f"{name} has no label in {rows(missing)}; give them one of their own, or drop those rows.")
    return codes


def integer(x: object, name: str, low: int = 0, high: int | None = None) -> int:
    """Return `x` as an int within [low, high]."""
    if isinstance(x, bool) or not isinstance(x, int | np.integer):
        raise ValueError(f"{name} must be a whole number, but is {shown(x)}; pass an int, for example {max(low, 1)}.")
    if x < low or (high is not None and x > high):
        span = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be {span}, but is {x}.")
    return int(x)


def number(
    x: object,
    name: str,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    above: float = -np.inf,
    below: float = np.inf,
    missing: bool = False,
    endless: bool = False,
) -> float:
    """Return `x` as a float in [low, high] and (above, below), finite but for `missing` (NaN) and `endless` (inf)."""
    if isinstance(x, bool) or not isinstance(x, int | float | np.integer | np.floating):
        raise ValueError(f"{name} must be a number, but is {shown(x)}; pass a single float.")
    if (missing and np.isnan(x)) or (
        endless and np.isinf(x) and low <= x <= high and (above < x or x == above == -np.inf)
    ):
        return float(x)
    if not (np.isfinite(x) and low <= x <= high and above < x < below):
        raise ValueError(f"{name} must be a finite number{_span(low, high, above, below)}, but is {x:g}.")
    return float(x)


def _span(low: float, high: float, above: float, below: float) -> str:
    said = {"of at least": low, "of at most": high, "above": above, "below": below}
    return " and".join(f" {words} {bound:g}" for words, bound in said.items() if np.isfinite(bound))


def pair(x: object, name: str, above: float = -np.inf) -> tuple[float, float]:
    """Return `x` as two finite numbers."""
    if not isinstance(x, tuple | list | np.ndarray) or len(x) != 2:
        raise ValueError(f"{name} must be two numbers, but is {shown(x)}; pass a pair such as (1.0, 2.0).")
    first, second = (number(entry, f"each part of {name}", above=above) for entry in x)
    return first, second


def interval(x: object, name: str) -> tuple[float, float]:
    """Return `x` as two finite numbers in order."""
    low, high = pair(x, name)
    if low > high:
        raise ValueError(f"{name} must be (low, high), but {low:g} is above {high:g}; turn both around.")
    return low, high


def numbers(x: object, name: str, n: int = 0, low: float = -np.inf, high: float = np.inf) -> tuple[float, ...]:
    """Return `x` if it is a tuple of n finite numbers in [low, high]; with n of 0, of one or more."""
    if not isinstance(x, tuple) or len(x) != (n or max(len(x), 1)):
        raise ValueError(f"{name} must be a tuple of {n or 'some'} numbers, but is {shown(x)}; use round brackets.")
    return tuple(number(entry, f"each part of {name}", low, high) for entry in x)


def ascending(x: object, name: str, n: int = 0) -> tuple[float, ...]:
    """Return `x` if it is a tuple as in `numbers`, each above the one before."""
    a = numbers(x, name, n)
    if any(first >= second for first, second in itertools.pairwise(a)):
        raise ValueError(f"{name} must rise from each number to the next, but is {shown(x)}; sort it.")
    return a


def flag(x: object, name: str) -> bool:
    """Return `x` as a bool if it is one."""
    if not isinstance(x, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, but is {shown(x)}; pass one of both.")
    return bool(x)


def text(x: object, name: str, least: int = 0) -> str:
    """Return `x` if it is a text of `least` or more letters."""
    if not isinstance(x, str):
        raise ValueError(f"{name} must be a text, but is {shown(x)}; pass a str.")
    if len(x.strip()) < least:
        raise ValueError(f"{name} must have {least} letters or more, but is {x!r}.")
    return x


def texts(x: object, name: str) -> tuple[str, ...]:
    """Return `x` as a tuple of texts; a single text is refused, for it would be read letter by letter."""
    if isinstance(x, str) or not isinstance(x, Sequence | np.ndarray | pd.Index):
        raise ValueError(f"{name} must be a sequence of texts, but is {shown(x)}; pass a tuple, for example ('a',).")
    return tuple(text(entry, f"each entry of {name}") for entry in x)


def instance(x: object, name: str, kind: type[T], mend: str) -> T:
    """Return `x` if it is a `kind`."""
    if not isinstance(x, kind):
        raise ValueError(f"{name} must be of type {kind.__name__}, but is {shown(x)}; {mend}.")
    return x


def function(x: object, name: str) -> Callable[..., Any]:
    """Return `x` if it can be called."""
    if not callable(x):
        raise ValueError(f"{name} must be a function, but is {shown(x)}; pass its name without brackets.")
    return x


def iterable(x: object, name: str) -> Iterable[Any]:
    """Return `x` if it can be gone through."""
    if not isinstance(x, Iterable):
        raise ValueError(f"{name} must be something to go through, but is {shown(x)}; pass a list or a range.")
    return x


def mapping(x: object, name: str) -> Mapping[Any, Any]:
    """Return `x` if it maps names to values."""
    if not isinstance(x, Mapping):
        raise ValueError(f"{name} must be a mapping, but is {shown(x)}; pass a dict.")
    return x


def generator(x: object, name: str) -> np.random.Generator:
    """Return `x` if it is a generator of random numbers."""
    return instance(x, name, np.random.Generator, "pass one, for example np.random.default_rng(0)")


def one_of(x: object, name: str, options: Sequence[Hashable]) -> Any:
    """Return `x` if it is one of `options`."""
    if not isinstance(x, Hashable) or x not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, but is {shown(x)}.")
    return x
