"""Propensity weighting: weights by estimand, weighted contrasts with honest errors, and standardisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._balance import balance, overlap_summary
from causalrec_lib._mestimation import gram, standard_error, standardised
from causalrec_lib._propensity import PropensityFit, column_names, propensity
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimand, Estimate, NoOverlap, OnRefusal, Rules, judge

__all__ = [
    "PropensityFit",
    "balance",
    "crump_threshold",
    "ipw",
    "overlap_summary",
    "propensity",
    "standardisation",
    "weights",
]

Estimator = Literal["hajek", "ht", "stabilised"]
ESTIMANDS = ("ATE", "ATT", "ATC", "ATO")
_NAMES = {"hajek": "Hajek IPW", "ht": "Horvitz-Thompson IPW", "stabilised": "stabilised IPW"}
_EXCHANGEABLE = "no unmeasured confounding given the propensity"


class _Arms(NamedTuple):
    """Weights of treated and controls as functions of e, and their derivatives in the log-odds of e."""

    one: FloatArray
    zero: FloatArray
    d_one: FloatArray
    d_zero: FloatArray


def _arms(e: FloatArray, estimand: Estimand) -> _Arms:
    """Return w_1 = h(e) / e and w_0 = h(e) / (1 - e), with h = 1 (ATE), e (ATT), 1 - e (ATC), e (1 - e) (ATO)."""
    same, none, odds = np.ones_like(e), np.zeros_like(e), e / (1 - e)
    if estimand == "ATE":
        return _Arms(1 / e, 1 / (1 - e), -1 / odds, odds)
    if estimand == "ATT":
        return _Arms(same, odds, none, odds)
    if estimand == "ATC":
        return _Arms(1 / odds, same, -1 / odds, none)
    return _Arms(1 - e, e, -e * (1 - e), e * (1 - e))


def _target(t: FloatArray, e: FloatArray, estimand: Estimand) -> tuple[FloatArray, FloatArray]:
    """Return what Horvitz-Thompson divides by, row by row, and its derivative in the log-odds of e."""
    none = np.zeros_like(e)
    if estimand == "ATO":
        return e * (1 - e), e * (1 - e) * (1 - 2 * e)
    return {"ATE": np.ones_like(e), "ATT": t, "ATC": 1 - t}[estimand], none


def weights(t: ArrayLike, e: ArrayLike, *, estimand: Estimand = "ATE", stabilised: bool = False) -> FloatArray:
    """Return the balancing weight of every row.

    Parameters
    ----------
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    e : array_like of shape (n,)
        Propensities, strictly between 0 and 1.
    estimand : {"ATE", "ATT", "ATC", "ATO"}
        Whom the weighted groups shall look like: everyone, the treated, the controls, or the overlap population.
    stabilised : bool
        Multiply by the share of the row's own group, so that ATE weights average about one.

    Returns
    -------
    ndarray of shape (n,)
        Positive weights.

    Raises
    ------
    ValueError
        If `e` leaves (0, 1), `t` has one class or other values, or an option is unknown.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: horvitz1952generalization, robins2000marginal, li2018balancing
    """
    p = _validate.propensity(e, "e")
    group = _validate.binary(t, "t", len(p), "e")
    _validate.one_of(estimand, "estimand", ESTIMANDS)
    _validate.flag(stabilised, "stabilised")
    arms = _arms(p, estimand)
    w = np.where(group == 1, arms.one, arms.zero)
    return w * np.where(group == 1, group.mean(), 1 - group.mean()) if stabilised else w


def crump_threshold(e: ArrayLike) -> float:
    """Return the a for which the effect among rows with a <= e <= 1 - a has the smallest variance bound.

    Parameters
    ----------
    e : array_like of shape (n,)
        Propensities, strictly between 0 and 1.

    Returns
    -------
    float
        Threshold in [0, 0.5); 0 if keeping everybody is best.

    Raises
    ------
    ValueError
        If `e` leaves (0, 1).

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: crump2009dealing
    """
    p = _validate.propensity(e, "e")
    cost = np.sort(1 / (p * (1 - p)))
    ceiling = 2 * np.cumsum(cost) / np.arange(1, len(cost) + 1)
    if cost[-1] <= ceiling[-1]:
        return 0.0
    bound = ceiling[np.flatnonzero(cost <= ceiling)[-1]]
    return float(0.5 - np.sqrt(0.25 - 1 / bound))


def ipw(
    y: ArrayLike,
    t: ArrayLike,
    e: ArrayLike | PropensityFit | None = None,
    *,
    X: ArrayLike | None = None,
    estimand: Estimand = "ATE",
    estimator: Estimator = "hajek",
    trim: float | Literal["crump"] | None = None,
    se: Literal["sandwich", "weights_fixed"] = "sandwich",
    clusters: ArrayLike | None = None,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate an average effect by inverse probability weighting.

    Pass known propensities as `e`; or covariates as `X`, and a logistic propensity model is fitted and its estimation
    enters the standard error; or a `PropensityFit` as `e`. With known `e`, `X` only feeds the balance table.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    e : array_like of shape (n,) or PropensityFit, optional
        Propensities strictly between 0 and 1, or a fitted model.
    X : array_like of shape (n, p), optional
        Covariates without a constant.
    estimand : {"ATE", "ATT", "ATC", "ATO"}
        Average effect for everyone, the treated, the controls, or the overlap population.
    estimator : {"hajek", "ht", "stabilised"}
        Weighted means; weighted sums over the known number of rows; or weighted means with stabilised weights,
        which for one binary treatment are the same point as Hajek.
    trim : float or "crump", optional
        Keep rows with trim <= e <= 1 - trim. This changes the estimand, and the estimate says so.
    se : {"sandwich", "weights_fixed"}
        Stacked estimating equations that know the propensity was estimated; or the weights taken as given, as robust
        (GEE) standard errors do. Both are the same when `e` is known.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Effect with standard error, effective sample size, overlap and balance.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, outside (0, 1), or options are unknown.
    EstimateRefused
        If overlap, effective sample size or convergence break a rule and `refuse` is "raise".

    Notes
    -----
    The trimming bounds are taken as fixed when the standard error is computed.
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: horvitz1952generalization, robins2000marginal, lunceford2004stratification, li2018balancing,
    stefanski2002calculus
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    _validate.one_of(estimand, "estimand", ESTIMANDS)
    _validate.one_of(estimator, "estimator", tuple(_NAMES))
    _validate.one_of(se, "se", ("sandwich", "weights_fixed"))
    fit = _fit_of(e, X, group, refuse)
    p = fit.e if fit is not None else _validate.propensity(e, "e", len(group), "t")  # type: ignore[arg-type]
    bound = _trim_bound(trim, p)
    kept = (p >= bound) & (p <= 1 - bound)
    if not (kept & (group == 1)).any() or not (kept & (group == 0)).any():
        raise NoOverlap(f"trimming to {bound:.3g} <= e <= {1 - bound:.3g} leaves an empty group; trim less.")
    value, influence, slope = _contrast(outcome, group, p, kept, estimand, estimator == "ht")
    if fit is not None and se == "sandwich":
        influence = influence + fit.influence(fit.design.T @ slope / len(slope))
    w = np.where(kept, weights(group, p, estimand=estimand, stabilised=estimator == "stabilised"), 0.0)
    estimate = Estimate(
        value=value,
        se=standard_error(influence, clusters),
        estimand=estimand,
        method=_NAMES[estimator] + ("" if fit is None else ", logistic propensity"),
        n=int(kept.sum()),
        level=level,
        overlap=overlap_summary(p[kept], group[kept]) | {"kept": float(kept.mean())},
        balance=_balance_of(X, fit, group, w),
        converged=None if fit is None else fit.converged,
        assumptions=(_EXCHANGEABLE, "overlap", "no interference"),
        unit=unit,
        population="" if trim is None else f"among rows with {bound:.3g} <= e <= {1 - bound:.3g} (trimmed)",
    )
    sides = {"treated": w[kept & (group == 1)], "controls": w[kept & (group == 0)]}
    return judge(estimate, sides, Rules() if rules is None else rules, refuse)


def _fit_of(
    e: ArrayLike | PropensityFit | None, X: ArrayLike | None, t: FloatArray, refuse: OnRefusal
) -> PropensityFit | None:
    """Return the propensity model if there is one: passed as `e`, or fitted to `X` when `e` is missing."""
    if isinstance(e, PropensityFit):
        if not np.array_equal(e.t, t):
            raise ValueError("e is a model fitted to another t; fit it to the rows that you pass here.")
        return e
    if e is None:
        if X is None:
            raise ValueError("e and X are both missing; pass known propensities as e, or covariates as X.")
        return propensity(X, t, refuse=refuse)
    columns = _validate.matrix(e, "e").shape[1]
    if columns > 1:
        raise ValueError(f"e has {columns} columns, but a propensity is one number a row; pass X=.")
    return None


def _balance_of(X: ArrayLike | None, fit: PropensityFit | None, t: FloatArray, w: FloatArray) -> pd.DataFrame | None:
    if X is not None:
        return balance(X, t, w)
    return None if fit is None else balance(fit.design[:, 1:], t, w, fit.names)


def _trim_bound(trim: float | str | None, e: FloatArray) -> float:
    if trim is None:
        return 0.0
    if isinstance(trim, str):
        _validate.one_of(trim, "trim", ("crump",))
        return crump_threshold(e)
    return _validate.number(trim, "trim", low=0.0, below=0.5)


def _contrast(
    y: FloatArray, t: FloatArray, e: FloatArray, kept: NDArray[np.bool_], estimand: Estimand, ht: bool
) -> tuple[float, FloatArray, FloatArray]:
    """Return the estimate, each row's influence with e known, and its derivative in the row's log-odds of e."""
    arms = _arms(e, estimand)
    a_1, a_0 = kept * t * arms.one, kept * (1 - t) * arms.zero
    d_1, d_0 = kept * t * arms.d_one, kept * (1 - t) * arms.d_zero
    if ht:
        q, d_q = (kept * part for part in _target(t, e, estimand))
        value = ((a_1 - a_0) @ y) / q.sum()
        return value, ((a_1 - a_0) * y - value * q) / q.mean(), ((d_1 - d_0) * y - value * d_q) / q.mean()
    r_1, r_0 = y - (a_1 @ y) / a_1.sum(), y - (a_0 @ y) / a_0.sum()
    value = (a_1 @ y) / a_1.sum() - (a_0 @ y) / a_0.sum()
    influence = a_1 * r_1 / a_1.mean() - a_0 * r_0 / a_0.mean()
    return float(value), influence, d_1 * r_1 / a_1.mean() - d_0 * r_0 / a_0.mean()


def standardisation(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike,
    *,
    interact: Sequence[str | int] | bool = False,
    estimand: Estimand = "ATE",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate an average effect by a linear outcome model averaged over the target group (g-formula).

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    X : array_like of shape (n, p)
        Covariates without a constant.
    interact : sequence of str or int, or bool
        Columns of X whose slope may differ by treatment; True for all, False for none.
    estimand : {"ATE", "ATT", "ATC"}
        Whose covariates the predictions are averaged over.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Effect with the stacked sandwich standard error.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or columns are collinear or unknown.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: hernan2020causal, stefanski2002calculus
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    x = _validate.matrix(X, "X", len(outcome), "y")
    _validate.one_of(estimand, "estimand", ("ATE", "ATT", "ATC"))
    names = column_names(X, x.shape[1])
    Z, _, _ = standardised(x, names)
    own = Z[:, [0, *_positions(interact, names)]]  # what the effect may vary with, the constant first
    D = np.hstack([Z, group[:, None] * own])
    inner = gram(D)
    if np.linalg.cond(inner) > 1e14:
        raise ValueError("X times t is collinear: a group lacks variation in an interacted column; interact fewer.")
    beta = np.linalg.solve(inner, D.T @ outcome)
    effect = own @ beta[Z.shape[1] :]
    q, _ = _target(group, np.full_like(group, 0.5), estimand)
    value = float(q @ effect / q.sum())
    gradient = np.r_[np.zeros(Z.shape[1]), q @ own / q.sum()]
    through_beta = len(D) * (D @ np.linalg.solve(inner, gradient)) * (outcome - D @ beta)
    return Estimate(
        value=value,
        se=standard_error(q * (effect - value) / q.mean() + through_beta, clusters),
        estimand=estimand,
        method="standardisation, linear outcome model",
        n=len(outcome),
        level=level,
        assumptions=("no unmeasured confounding given X", "correct outcome model", "no interference"),
        unit=unit,
    )


def _positions(interact: Sequence[str | int] | bool, names: tuple[str, ...]) -> list[int]:
    """Return the 1-based columns to interact."""
    if isinstance(interact, bool):
        return list(range(1, len(names) + 1)) if interact else []
    if isinstance(interact, str) or not isinstance(interact, Sequence | np.ndarray | pd.Index):
        shown = _validate.shown(interact)
        raise ValueError(f"interact must be True, False or a list of columns, but is {shown}; pass ['{names[0]}'].")
    unknown = [c for c in interact if not (c in names if isinstance(c, str) else _is_position(c, len(names)))]
    if unknown:
        raise ValueError(f"interact names columns that X lacks: {unknown}; X has {', '.join(names)}.")
    found = [1 + (names.index(c) if isinstance(c, str) else int(c)) for c in interact]
    _validate.unique(found, "interact")
    return found


def _is_position(c: object, n: int) -> bool:
    return isinstance(c, int | np.integer) and not isinstance(c, bool) and int(c) in range(n)
