"""Matching: find partners, look at balance, estimate effects among the matched with the Abadie-Imbens error."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._abadie_imbens import conditional_variance, score_adjustment
from causalrec_lib._balance import balance, overlap_summary
from causalrec_lib._match import Matches, match
from causalrec_lib._mestimation import gram, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, OnRefusal, Rules, judge

__all__ = ["Matches", "balance", "match", "matching_estimate", "overlap_summary"]


def matching_estimate(
    y: ArrayLike,
    matches: Matches,
    X: ArrayLike | None = None,
    *,
    bias_correction: bool = True,
    se: Literal["adjusted", "score_known"] = "adjusted",
    neighbours: int = 2,
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
        Neighbours in the own group behind each conditional variance.
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
        Effect with standard error, effective sample size and balance.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, or too few partners carry the bias correction.
    EstimateRefused
        If effective sample size or a single row's weight break a rule and `refuse` is "raise".

    Notes
    -----
    The bootstrap is not valid for nearest-neighbour matching (bib: abadie2008failure), hence the closed form.
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
    covariates = _covariates(X, matches)
    fitted = _predictions(outcome, matches, covariates) if bias_correction else np.zeros((2, len(t)))
    value, variance, residual = _effect(outcome, matches, fitted, neighbours)
    method, fit = matches.method + (", bias-corrected" if bias_correction else ""), matches.fit
    if fit is not None and se == "adjusted":
        focal = {"ATT": 1.0, "ATC": 0.0}.get(matches.estimand)
        effect = value if focal != 0.0 else -value
        adjusted = variance + score_adjustment(residual, t, fit, matches.space[:, 0], focal, effect)
        method += "" if adjusted > 0 else ", error not adjusted for the estimated score (too few rows)"
        variance = adjusted if adjusted > 0 else variance
    estimate = Estimate(
        value=value,
        se=float(np.sqrt(variance)),
        estimand=matches.estimand,
        method=method,
        n=int((matches.weights > 0).sum()),
        level=level,
        overlap=None if fit is None else overlap_summary(fit.e, t),
        balance=balance(covariates, t, matches.weights, _names(X, matches, covariates)),
        converged=None if fit is None else fit.converged,
        assumptions=("no unmeasured confounding given what was matched on", "overlap", "no interference"),
        unit=unit,
        population=_population(matches),
    )
    w = matches.weights
    sides = {name: w[(t == side) & (w > 0)] for name, side in (("treated", 1.0), ("controls", 0.0))}
    return judge(estimate, sides, Rules() if rules is None else rules, refuse)


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


def _effect(y: FloatArray, matches: Matches, fitted: FloatArray, neighbours: int) -> tuple[float, float, FloatArray]:
    """Return the effect, its variance, and the outcome left after the prediction that pairs are corrected with."""
    t, n = matches.t, len(y)
    other = np.where(t == 1, fitted[0], fitted[1])  # what the other group's model predicts for this row
    mine = np.where(t == 1, fitted[1], fitted[0])
    stand_in = np.bincount(matches.focal, weights=matches.share * (y - mine)[matches.partner], minlength=n)
    own = matches.own == 1
    effects = ((2 * t - 1) * (y - other - stand_in))[own]
    value = float(effects.mean())
    residual = y - mine if matches.estimand == "ATE" else y - (fitted[0] if matches.estimand == "ATT" else fitted[1])
    lent = matches.lent
    squared = np.bincount(matches.partner, weights=matches.share**2, minlength=n)
    again = (own + lent) ** 2 - own - squared  # what reusing rows adds to the spread of the effects
    rows = np.flatnonzero(again > 1e-12)
    spread = conditional_variance(residual, t, matches.space, rows, neighbours)
    variance = (((effects - value) ** 2).sum() + again[rows] @ spread) / len(effects) ** 2
    return value, float(variance), residual
