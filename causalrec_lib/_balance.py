"""Balance and overlap: what to look at before believing a weighted or matched comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._propensity import column_names
from causalrec_lib._validate import FloatArray


def balance(
    X: ArrayLike, t: ArrayLike, weights: ArrayLike | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare covariates of treated and controls, before and after weighting.

    The standardised mean difference is (mean_1 - mean_0) / sqrt((s_1^2 + s_0^2) / 2), with s_t the standard deviation
    in the *unweighted* group (n - 1), before and after alike: the ruler must not change with what it measures.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Covariates.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    weights : array_like of shape (n,), optional
        Weights or matching weights, zero for rows that were dropped; without them only `before` is given.
    names : sequence of str, optional
        Row labels; by default the columns of a frame or x0, x1, ...

    Returns
    -------
    pandas.DataFrame
        One row a covariate: `before`, `after` (standardised mean differences), `ratio_before`, `ratio_after`
        (variance of the treated over that of the controls).

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or weights are negative or zero for a group.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: austin2011introduction, stuart2010matching
    """
    x = _validate.matrix(X, "X")
    group = _validate.binary(t, "t", len(x), "X") == 1
    labels = column_names(X, x.shape[1]) if names is None else _validate.texts(names, "names")
    _validate.unique(labels, "names")
    if len(labels) != x.shape[1]:
        raise ValueError(f"names has {len(labels)} labels, expected {x.shape[1]}: one for each column of X.")
    if min(group.sum(), (~group).sum()) < 2:
        raise ValueError("t has a group of a single row; a standard deviation needs at least two.")
    raw_1, raw_0 = x[group].var(axis=0, ddof=1), x[~group].var(axis=0, ddof=1)
    ruler = np.sqrt((raw_1 + raw_0) / 2)
    shift = x[group].mean(axis=0) - x[~group].mean(axis=0)
    out = pd.DataFrame({"before": _divide(shift, ruler), "ratio_before": _divide(raw_1, raw_0)}, index=list(labels))
    if weights is not None:
        w = group_weights(weights, group)
        (m_1, v_1), (m_0, v_0) = (_moments(x[g], w[g]) for g in (group, ~group))
        out.insert(1, "after", _divide(m_1 - m_0, ruler))
        out["ratio_after"] = _divide(v_1, v_0)
    return out


def overlap_summary(e: ArrayLike, t: ArrayLike) -> dict[str, float]:
    """Return the range of the propensity, its tails and how much of either group has nobody opposite.

    Parameters
    ----------
    e : array_like of shape (n,)
        Propensities, strictly between 0 and 1.
    t : array_like of shape (n,)
        Treatment, 0 or 1.

    Returns
    -------
    dict of str to float
        `min`, `max`; `below_0.1`, `above_0.9`: shares of rows; `treated_min`, `treated_max`, `control_min`,
        `control_max`; `treated_outside`, `control_outside`: share of the group outside the other group's range.

    Raises
    ------
    ValueError
        If `e` leaves (0, 1), or inputs are no finite numbers, of other length or of one class.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: crump2009dealing
    """
    p = _validate.propensity(e, "e")
    return overlap_of(p, _validate.binary(t, "t", len(p), "e"))


def overlap_of(p: FloatArray, t: FloatArray) -> dict[str, float]:
    """Return the summary for arrays that were checked before."""
    one, zero = p[t == 1], p[t == 0]
    return {
        "min": float(p.min()),
        "max": float(p.max()),
        "below_0.1": float((p < 0.1).mean()),
        "above_0.9": float((p > 0.9).mean()),
        "treated_min": float(one.min()),
        "treated_max": float(one.max()),
        "control_min": float(zero.min()),
        "control_max": float(zero.max()),
        "treated_outside": float(((one < zero.min()) | (one > zero.max())).mean()),
        "control_outside": float(((zero < one.min()) | (zero > one.max())).mean()),
    }


def group_weights(weights: ArrayLike, group: NDArray[np.bool_]) -> FloatArray:
    """Return weights of zero or more that leave a row in either group."""
    w = _validate.nonnegative(weights, "weights", len(group), "t")
    for side, name in ((group, "treated"), (~group, "controls")):
        if w[side].max() == 0:
            raise ValueError(f"weights are zero for all {name}; check the trimming or matching rule.")
    return w


def _moments(x: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return weighted mean and variance, the latter corrected so that equal weights give the divisor n - 1."""
    w = w / w.sum()
    mean = w @ x
    left = 1 - w @ w
    spread = w @ (x - mean) ** 2
    return mean, spread / left if left > 0 else np.zeros_like(spread)


def _divide(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return a / b, with 0 / 0 = 0: a constant that is equal in both groups is balanced."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((a == 0) & (b == 0), 0.0, a / b)
