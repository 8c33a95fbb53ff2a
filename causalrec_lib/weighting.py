"""Propensity weighting: weights by estimand, weighted contrasts with honest errors, and standardisation."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._balance import balance, overlap_of, overlap_summary
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._propensity import PropensityFit, propensity
from causalrec_lib._refusal import of_propensities
from causalrec_lib._standardisation import standardisation
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Design, Estimand, Estimate, NoOverlap, OnRefusal, Rules, judge

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
Source = Literal["known", "fitted", "cross-fitted"]
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
    same, none = np.ones_like(e), np.zeros_like(e)
    if estimand == "ATE":
        return _Arms(1 / e, 1 / (1 - e), -(1 - e) / e, e / (1 - e))
    if estimand == "ATT":
        return _Arms(same, e / (1 - e), none, e / (1 - e))
    if estimand == "ATC":
        return _Arms((1 - e) / e, same, -(1 - e) / e, none)
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
        Propensities, strictly between 0 and 1; 0 is allowed for the ATT, 1 for the ATC, and both for the ATO.
    estimand : {"ATE", "ATT", "ATC", "ATO"}
        Whom the weighted groups shall look like: everyone, the treated, the controls, or the overlap population.
    stabilised : bool
        Multiply by the share of the row's own group, so that ATE weights average about one.

    Returns
    -------
    ndarray of shape (n,)
        Weights of zero or more.

    Raises
    ------
    ValueError
        If `e` leaves what the estimand allows or denies a treatment that happened, `t` has one class or other values,
        or an option is unknown.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: horvitz1952generalization, robins2000marginal, li2018balancing
    """
    _validate.one_of(estimand, "estimand", ESTIMANDS)
    _validate.flag(stabilised, "stabilised")
    group = _validate.binary(t, "t", len(_validate.vector(e, "e")), "e")
    p = _scores(e, group, estimand)
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
    e_source: Source = "known",
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
        Propensities strictly between 0 and 1 (0 is allowed for the ATT, 1 for the ATC, both for the ATO), or a fitted
        model.
    X : array_like of shape (n, p), optional
        Covariates without a constant.
    estimand : {"ATE", "ATT", "ATC", "ATO"}
        Average effect for everyone, the treated, the controls, or the overlap population.
    estimator : {"hajek", "ht", "stabilised"}
        Weighted means; weighted sums over the known number of rows; or weighted means with stabilised weights,
        which for one binary treatment are the same point as Hajek.
    trim : float or "crump", optional
        Keep rows with trim <= e <= 1 - trim. This changes the estimand, and the estimate says so. Crump's rule is for
        the ATE only.
    se : {"sandwich", "weights_fixed"}
        Stacked estimating equations that know the propensity was estimated; or the weights taken as given, as robust
        (GEE) standard errors do. Both are the same when `e` is known.
    e_source : {"known", "fitted", "cross-fitted"}
        Where an array `e` comes from. If it was fitted, the report card says that the error ignores the fit.
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
        Effect with standard error, effective sample size, overlap, balance, arms, influence values and design.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, `e` is outside of what the estimand allows, or
        options are unknown.
    EstimateRefused
        If overlap, effective sample size, balance, calibration of an array `e`, number of clusters or convergence
        break a rule and `refuse` is "raise".

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
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    _check_options(estimand, estimator, se, e_source, trim)
    codes = cluster_codes(clusters, len(outcome))
    fit = _fit_of(e, X, group, refuse, e_source)
    p = fit.e if fit is not None else _scores(e, group, estimand)  # type: ignore[arg-type]
    kept, population = _trimmed(trim, p, group)
    of_rows = _contrast(outcome, group, p, kept, estimand, estimator == "ht")
    influence = of_rows.influence
    if fit is not None and se == "sandwich":
        influence = influence + fit.influence(fit.design.T @ of_rows.slope / len(outcome))
    w = np.where(kept, weights(group, p, estimand=estimand, stabilised=estimator == "stabilised"), 0.0)
    estimate = Estimate(
        value=of_rows.one - of_rows.zero,
        se=standard_error(influence, codes),
        estimand=estimand,
        method=_NAMES[estimator] + ("" if fit is None else ", logistic propensity"),
        n=int(kept.sum()),
        level=level,
        overlap=overlap_of(p[kept], group[kept]) | {"kept": float(kept.mean())},
        balance=_balance_of(X, fit, group, w),
        converged=None if fit is None else fit.converged,
        assumptions=(_EXCHANGEABLE, "overlap", "no interference"),
        unit=unit,
        population=population,
        arms={"control": of_rows.zero, "treated": of_rows.one},
        notes=_remarks(e_source, fit, se),
        e_source=e_source if fit is None else "fitted",
        n_clusters=n_groups(codes),
        influence=influence,
        clusters=codes,
        design=Design(of_rows.signed, of_rows.residual),
    )
    sides = {"treated": w[group == 1], "controls": w[group == 0]}
    if fit is not None:
        return judge(estimate, sides, rules, refuse)
    said = of_propensities(f"{estimand} by {estimate.method}", group, p, rules)
    return judge(estimate, sides, rules, refuse, said, ["calibration of e"])


def _check_options(estimand: str, estimator: str, se: str, e_source: str, trim: object) -> None:
    _validate.one_of(estimand, "estimand", ESTIMANDS)
    _validate.one_of(estimator, "estimator", tuple(_NAMES))
    _validate.one_of(se, "se", ("sandwich", "weights_fixed"))
    _validate.one_of(e_source, "e_source", get_args(Source))
    if isinstance(trim, str) and trim == "crump" and estimand != "ATE":
        raise ValueError(
            f"trim='crump' is the rule for the ATE, not the {estimand}; pass a number, for example trim=0.05, or "
            "estimand='ATE'."
        )


def _remarks(e_source: str, fit: PropensityFit | None, se: str) -> tuple[str, ...]:
    if fit is not None:
        return ("the error takes the fitted weights as given",) if se == "weights_fixed" else ()
    return () if e_source == "known" else (f"the propensities are {e_source}; the error ignores the fit",)


def _scores(e: ArrayLike, t: FloatArray, estimand: Estimand) -> FloatArray:
    """Return propensities within what the estimand can weigh: it divides by e (ATE, ATC) and by 1 - e (ATE, ATT)."""
    p = _validate.vector(e, "e", len(t), "t")
    low_open, high_open = estimand in ("ATE", "ATC"), estimand in ("ATE", "ATT")
    bad = (p < 0) | (p > 1) | (low_open & (p == 0)) | (high_open & (p == 1))
    if bad.any():
        span = f"{'above' if low_open else 'from'} 0 {'and below' if high_open else 'up to'} 1"
        span = "strictly between 0 and 1" if low_open and high_open else span
        raise ValueError(
            f"e must lie {span} for the {estimand}, but does not in {_validate.rows(bad)} (first: {p[bad][0]:g}); "
            "rows that could only ever get one treatment carry no comparison: trim them, or change the estimand."
        )
    denied = ((p == 0) & (t == 1)) | ((p == 1) & (t == 0))
    if denied.any():
        raise ValueError(
            f"e denies the treatment that happened in {_validate.rows(denied)} (e of 0 and treated, or 1 and not); "
            "it is not the chance that was at work: look for rounding, or for another version of the log."
        )
    if ((p == 0) | (p == 1)).all():
        raise ValueError("e is 0 or 1 in every row: nobody could have gone either way; no weighting helps here.")
    return p


def _fit_of(
    e: ArrayLike | PropensityFit | None, X: ArrayLike | None, t: FloatArray, refuse: OnRefusal, e_source: str
) -> PropensityFit | None:
    """Return the propensity model if there is one: passed as `e`, or fitted to `X` when `e` is missing."""
    if X is not None:
        _validate.matrix(X, "X", len(t), "t")
    if e_source != "known" and (e is None or isinstance(e, PropensityFit)):
        raise ValueError("e_source describes an array e, but the model is fitted here or passed; leave it out.")
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


def _trimmed(trim: float | Literal["crump"] | None, e: FloatArray, t: FloatArray) -> tuple[NDArray[np.bool_], str]:
    """Return which rows stay, and whom they are in words."""
    bound = _trim_bound(trim, e)
    kept = (e >= bound) & (e <= 1 - bound)
    span = f"{bound:.3g} <= e <= {1 - bound:.3g}"
    if not (kept & (t == 1)).any() or not (kept & (t == 0)).any():
        raise NoOverlap(f"trimming to {span} leaves an empty group; trim less.")
    return kept, "" if trim is None else f"among rows with {span} (trimmed)"


def _trim_bound(trim: float | str | None, e: FloatArray) -> float:
    if trim is None:
        return 0.0
    if isinstance(trim, str):
        _validate.one_of(trim, "trim", ("crump",))
        return crump_threshold(e)
    return _validate.number(trim, "trim", low=0.0, below=0.5)


class _Rows(NamedTuple):
    """A weighted contrast: both arms; by row influence, slope in the log-odds of e, signed weight and residual."""

    one: float
    zero: float
    influence: FloatArray
    slope: FloatArray
    signed: FloatArray
    residual: FloatArray


def _contrast(
    y: FloatArray, t: FloatArray, e: FloatArray, kept: NDArray[np.bool_], estimand: Estimand, ht: bool
) -> _Rows:
    """Return both arms, each row's influence with e known, and its derivative in the row's log-odds of e."""
    arms = _arms(e, estimand)
    a_1, a_0 = (np.where(kept & (t == g), a, 0.0) for g, a in ((1, arms.one), (0, arms.zero)))
    d_1, d_0 = (np.where(kept & (t == g), d, 0.0) for g, d in ((1, arms.d_one), (0, arms.d_zero)))
    r_1, r_0 = y - (a_1 @ y) / a_1.sum(), y - (a_0 @ y) / a_0.sum()
    residual = np.where(t == 1, r_1, r_0)
    if ht:
        q, d_q = (kept * part for part in _target(t, e, estimand))
        one, zero = float(a_1 @ y / q.sum()), float(a_0 @ y / q.sum())
        influence = ((a_1 - a_0) * y - (one - zero) * q) / q.mean()
        slope = ((d_1 - d_0) * y - (one - zero) * d_q) / q.mean()
        return _Rows(one, zero, influence, slope, (a_1 - a_0) / q.mean(), residual)
    one, zero = float(a_1 @ y / a_1.sum()), float(a_0 @ y / a_0.sum())
    signed = a_1 / a_1.mean() - a_0 / a_0.mean()
    influence = a_1 * r_1 / a_1.mean() - a_0 * r_0 / a_0.mean()
    slope = d_1 * r_1 / a_1.mean() - d_0 * r_0 / a_0.mean()
    return _Rows(one, zero, influence, slope, signed, residual)
