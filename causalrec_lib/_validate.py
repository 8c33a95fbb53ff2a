"""Input checks that every public function shares: each error names the argument, the rows and the mend."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_SHOWN_ROWS = 5


def rows(mask: NDArray[np.bool_]) -> str:
    """Say which rows a mask marks, the first few by number."""
    where = np.flatnonzero(mask)
    more = "" if len(where) <= _SHOWN_ROWS else f" and {len(where) - _SHOWN_ROWS} more"
    return f"row{'s' if len(where) != 1 else ''} {', '.join(map(str, where[:_SHOWN_ROWS]))}{more}"


def _as_float(x: ArrayLike, name: str) -> FloatArray:
    if isinstance(x, pd.Series | pd.DataFrame | pd.Index):
        x = x.to_numpy()
    raw = np.asarray(x)
    if raw.dtype.kind == "c":
        raise ValueError(f"{name} is complex; pass real numbers, for example {name}.real.")
    try:
        return np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise ValueError(
            f"{name} must hold numbers, but has dtype {raw.dtype}; "
            f"encode labels first, for example with pandas.get_dummies({name})."
        ) from err


def _refuse_non_finite(a: FloatArray, name: str) -> None:
    bad = ~np.isfinite(a)
    if bad.any():
        by_row = bad if a.ndim == 1 else bad.any(axis=tuple(range(1, a.ndim)))
        kind = "NaN" if np.isnan(a).any() else "infinite"
        raise ValueError(
            f"{name} has {kind} values in {rows(by_row)}; drop these rows or impute them before estimating."
        )


def vector(x: ArrayLike, name: str, n: int | None = None) -> FloatArray:
    """Return `x` as a finite float vector of shape (n,), or raise ValueError."""
    a = _as_float(x, name)
    if a.ndim == 2 and a.shape[1] == 1:
        a = a[:, 0]
    if a.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but has shape {a.shape}; pass one value per row.")
    if a.size == 0:
        raise ValueError(f"{name} is empty; check the filter that made it.")
    if n is not None and len(a) != n:
        raise ValueError(f"{name} has {len(a)} rows, expected {n}; pass arrays of the same rows.")
    _refuse_non_finite(a, name)
    return a


def matrix(x: ArrayLike, name: str, n: int | None = None) -> FloatArray:
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
    if n is not None and a.shape[0] != n:
        raise ValueError(f"{name} has {a.shape[0]} rows, expected {n}; pass arrays of the same rows.")
    _refuse_non_finite(a, name)
    return a


def binary(x: ArrayLike, name: str, n: int | None = None, *, both: bool = True) -> FloatArray:
    """Return `x` as a vector of zeros and ones; with `both`, refuse a vector of one class only."""
    a = vector(x, name, n)
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


def propensity(x: ArrayLike, name: str, n: int | None = None) -> FloatArray:
    """Return `x` as a vector of probabilities strictly between 0 and 1."""
    a = vector(x, name, n)
    bad = (a <= 0) | (a >= 1)
    if bad.any():
        raise ValueError(
            f"{name} must lie strictly between 0 and 1, but does not in {rows(bad)} (first: {a[bad][0]:g}); "
            "rows that could only ever get one treatment carry no comparison: trim them, or change the estimand."
        )
    return a


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


def integer(x: object, name: str, low: int = 0, high: int | None = None) -> int:
    """Return `x` as an int within [low, high]."""
    if isinstance(x, bool) or not isinstance(x, int | np.integer):
        raise ValueError(f"{name} must be a whole number, but is {x!r}.")
    if x < low or (high is not None and x > high):
        span = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be {span}, but is {x}.")
    return int(x)


def number(x: object, name: str, low: float = -np.inf, high: float = np.inf) -> float:
    """Return `x` as a finite float within [low, high]."""
    if isinstance(x, bool) or not isinstance(x, int | float | np.integer | np.floating):
        raise ValueError(f"{name} must be a number, but is {x!r}.")
    if not np.isfinite(x) or x < low or x > high:
        raise ValueError(f"{name} must be a finite number between {low:g} and {high:g}, but is {x:g}.")
    return float(x)


def one_of(x: object, name: str, options: Sequence[Hashable]) -> Any:
    """Return `x` if it is one of `options`."""
    if not isinstance(x, Hashable) or x not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, but is {x!r}.")
    return x
