"""Matching: find partners, look at balance, estimate effects among the matched with the Abadie-Imbens error."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._abadie_imbens import conditional_variance, score_adjustment
from causalrec_lib._balance import balance, overlap_summary
from causalrec_lib._match import Matches, match
from causalrec_lib._mestimation import cluster_codes, gram, n_groups, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Design, Estimate, OnRefusal, Rules, judge

__all__ = ["Matches", "balance", "match", "matching_estimate", "overlap_summary"]


def matching_estimate(
    y: ArrayLike,
    matches: Matches,
    X: ArrayLike | None = None,
    *,
    bias_correction: bool = True,
    se: Literal["adjusted", "score_known"] = "adjusted",
    neighbours: int = 2,
    clusters: ArrayLike | None = None,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate an average effect among matched rows.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome of all rows that were given to `match`, in `unit`.
    matches : Matches
        Who is compared with whom.
    X : array_like of shape (n, p), optional
        Covariates for the bias correction and the balance table; by default those of `matches`, or its score.
    bias_correction : bool
        Take a linear prediction of the difference that the covariates of a pair leave off its difference in outcomes.
    se : {"adjusted", "score_known"}
        If `matches` holds a fitted propensity model: account for its estimation, or take the score as known.
        Without a model both are the same.
    neighbours : int
        Neighbours in the own group behind each conditional variance; all that tie with the last one count.
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
        Effect with standard error, effective sample size, balance, arms and pairs; no influence values.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, or too few partners carry the bias correction.
    EstimateRefused
        If effective sample size, a single row's weight, balance or the number of clusters break a rule and `refuse`
        is "raise".

    Notes
    -----
    The bootstrap is not valid for nearest-neighbour matching (bib: abadie2008failure), hence the closed form. With
    the bias correction it takes the fitted regression as given, so it is a bit too small where many columns meet few
    rows that stand in. The adjustment for an estimated score is proved for nearest neighbours with replacement and
    without a caliper; elsewhere the card says so. With clusters, products of the residuals of two rows of one cluster
    are added, with the factor G / (G - 1).
    Chapter: weighting/02_matching

    References
    ----------
    bib: abadie2006large, abadie2011bias, abadie2016matching
    """
    t = _validate.instance(matches, "matches", Matches, "pass what match(X, t) returned").t
    outcome = _validate.vector(y, "y", len(t), "matches")
    _validate.flag(bias_correction, "bias_correction")
    _validate.one_of(se, "se", ("adjusted", "score_known"))
    _validate.integer(neighbours, "neighbours", low=1)
    codes = cluster_codes(clusters, len(t))
    covariates = _covariates(X, matches)
    fitted = _predictions(outcome, matches, covariates) if bias_correction else np.zeros((2, len(t)))
    found = _effect(outcome, matches, fitted, neighbours)
    variance, remarks = _adjusted(found, matches, se)
    if codes is not None:
        modelled = fitted if bias_correction else _predictions(outcome, matches, covariates)
        variance = _clustered(variance, outcome, matches, modelled, codes)
    fit = matches.fit
    estimate = Estimate(
        value=found.value,
        se=float(np.sqrt(variance)),
        estimand=matches.estimand,
        method=matches.method + (", bias-corrected" if bias_correction else ""),
        n=int((matches.weights > 0).sum()),
        level=level,
        overlap=None if fit is None else overlap_summary(fit.e, t),
        balance=balance(covariates, t, matches.weights, _names(X, matches, covariates)),
        converged=None if fit is None else fit.converged,
        assumptions=("no unmeasured confounding given what was matched on", "overlap", "no interference"),
        unit=unit,
        population=_population(matches),
        arms={"control": found.zero, "treated": found.zero + found.value},
        notes=remarks,
        e_source="" if fit is None else "fitted",
        n_clusters=n_groups(codes),
        clusters=codes,
        design=_design(matches, found.residual),
    )
    sides = {name: matches.weights[t == side] for name, side in (("treated", 1.0), ("controls", 0.0))}
    return judge(estimate, sides, Rules() if rules is None else rules, refuse)


def _adjusted(found: _Found, matches: Matches, se: str) -> tuple[float, tuple[str, ...]]:
    """Return the variance, adjusted for an estimated score where there is one, and what to remark."""
    if matches.fit is None or se != "adjusted":
        return found.variance, ()
    focal = {"ATT": 1.0, "ATC": 0.0}.get(matches.estimand)
    effect = found.value if focal != 0.0 else -found.value
    more = score_adjustment(found.residual, matches.t, matches.fit, matches.space[:, 0], focal, effect)
    beyond = f"the theorem behind the error does not cover {matches.beyond}" if matches.beyond else ""
    few = "the error is not adjusted for the estimated score (too few rows)" if found.variance + more <= 0 else ""
    return found.variance if few else found.variance + more, tuple(filter(None, (beyond, few)))


def _design(matches: Matches, residual: FloatArray) -> Design:
    signed = (2 * matches.t - 1) * matches.weights * len(matches.t) / matches.own.sum()
    return Design(signed, residual, matches.focal, matches.partner)


def _clustered(
    variance: float, y: FloatArray, matches: Matches, fitted: FloatArray, codes: NDArray[np.int64]
) -> float:
    """Add what rows of one cluster share: products of their pulls on the estimate, with the outcome model as mean."""
    sign, own, lent = 2 * matches.t - 1, matches.own, matches.lent
    mine, other = np.where(matches.t == 1, fitted[1], fitted[0]), np.where(matches.t == 1, fitted[0], fitted[1])
    told = own * sign * (y - other)
    pull = (told - own * told.sum() / own.sum() + sign * lent * (y - mine)) / own.sum()
    sums = np.bincount(codes, weights=pull)
    both = variance + float(sums @ sums - pull @ pull)
    return (both if both > 0 else variance) * len(sums) / (len(sums) - 1)


def _covariates(X: ArrayLike | None, matches: Matches) -> FloatArray:
    if X is not None:
        return _validate.matrix(X, "X", len(matches.t), "matches")
    return matches.space if matches.X is None else matches.X


def _names(X: ArrayLike | None, matches: Matches, covariates: FloatArray) -> tuple[str, ...]:
    if X is not None:
        return column_names(X, covariates.shape[1])
    return matches.names if len(matches.names) == covariates.shape[1] else ("score",)


def _population(matches: Matches) -> str:
    if not len(matches.unmatched):
        return ""
    matched = int(matches.own.sum())
    return f"among the {matched:,} of {matched + len(matches.unmatched):,} rows that found a partner"


def _predictions(y: FloatArray, matches: Matches, X: FloatArray) -> FloatArray:
    """Return both groups' linear predictions for every row, shape (2, n), each fitted to the rows that stand in."""
    Z, _, _ = standardised(X, tuple(f"x{j}" for j in range(X.shape[1])))
    out = np.zeros((2, len(y)))
    lent = matches.lent
    for group in (0, 1):
        used = (matches.t == group) & (lent > 0)
        if not used.any():
            continue
        if used.sum() <= Z.shape[1]:
            raise ValueError(
                f"X has {X.shape[1]} columns, but only {used.sum()} rows of group {group} stand in for others: "
                "too few for the bias correction; pass fewer columns or bias_correction=False."
            )
        beta, *_ = np.linalg.lstsq(gram(Z[used], lent[used]), Z[used].T @ (lent[used] * y[used]), rcond=None)
        out[group] = Z @ beta
    return out


class _Found(NamedTuple):
    """The effect, its variance, the mean outcome without treatment, and the outcome left after the prediction."""

    value: float
    variance: float
    zero: float
    residual: FloatArray


def _effect(y: FloatArray, matches: Matches, fitted: FloatArray, neighbours: int) -> _Found:
    """Return the effect, its variance, and the outcome left after the prediction that pairs are corrected with."""
    t, n = matches.t, len(y)
    other = np.where(t == 1, fitted[0], fitted[1])  # what the other group's model predicts for this row
    mine = np.where(t == 1, fitted[1], fitted[0])
    stand_in = np.bincount(matches.focal, weights=matches.share * (y - mine)[matches.partner], minlength=n)
    own = matches.own == 1
    effects = ((2 * t - 1) * (y - other - stand_in))[own]
    value = float(effects.mean())
    zero = float(np.where(t == 0, y, other + stand_in)[own].mean())
    residual = y - mine if matches.estimand == "ATE" else y - (fitted[0] if matches.estimand == "ATT" else fitted[1])
    lent = matches.lent
    squared = np.bincount(matches.partner, weights=matches.share**2, minlength=n)
    again = (own + lent) ** 2 - own - squared  # what reusing rows adds to the spread of the effects
    rows = np.flatnonzero(again > 1e-12)
    spread = conditional_variance(residual, t, matches.space, rows, neighbours)
    variance = (((effects - value) ** 2).sum() + again[rows] @ spread) / len(effects) ** 2
    return _Found(value, float(variance), zero, residual)
