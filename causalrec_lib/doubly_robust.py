"""Doubly robust estimation: a model of outcomes and a model of treatment, each covering for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression

from causalrec_lib import _validate
from causalrec_lib._balance import balance as balance_table
from causalrec_lib._balance import overlap_of
from causalrec_lib._design import Design
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._nuisances import Nuisances, cross_fit, folds_of, learner, predicted
from causalrec_lib._propensity import column_names
from causalrec_lib._refusal import judge, of_propensities
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, OnRefusal, Rules

__all__ = ["Nuisances", "aipw", "cross_fit", "over_partitions", "partially_linear"]

_ASSUMES = ("no unmeasured confounding given X", "overlap", "one of both models right", "no interference")


def aipw(
    y: ArrayLike,
    t: ArrayLike,
    nuisances: Nuisances,
    *,
    estimand: str = "ATE",
    X: ArrayLike | pd.DataFrame | None = None,
    clusters: ArrayLike | None = None,
    e_source: str | None = None,
    level: float = 0.95,
    unit: str = "",
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
) -> Estimate:
    """Estimate an effect by augmented inverse probability weighting.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    nuisances : Nuisances
        What `cross_fit` returned, or predictions of your own.
    estimand : {"ATE", "ATT"}
        Whose effect.
    X : array-like of shape (n, p), optional
        Covariates whose balance under the weights is looked at.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    e_source : {"known", "fitted", "cross-fitted"}, optional
        Where the propensities come from; known ones are held against the shares that were treated.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.
    rules : Rules, optional
        Thresholds under which the estimate refuses.
    refuse : {"raise", "flag"}
        Raise a named error, or return a flagged estimate.

    Returns
    -------
    Estimate
        Value, standard error from the influence function, overlap, balance, and the design for sensitivity.

    Raises
    ------
    EstimateRefused
        If weights or balance break a rule and `refuse` is "raise".
    ValueError
        If inputs are no finite numbers, of other length, or propensities are not strictly between 0 and 1.

    Notes
    -----
    Consistent if one of both models is. The error is right if both are, learnt in folds kept apart.
    Chapter: weighting/03_doubly_robust

    References
    ----------
    bib: robins1994estimation, chernozhukov2018double
    """
    a = _validate.vector(y, "y")
    n = len(a)
    group = _validate.binary(t, "t", n, "y")
    _validate.instance(
        nuisances, "nuisances", Nuisances, "pass what cross_fit returns, or Nuisances(mu0, mu1, e, fold)"
    )
    mu0, mu1 = (
        _validate.vector(m, f"nuisances.{k}", n, "y") for k, m in (("mu0", nuisances.mu0), ("mu1", nuisances.mu1))
    )
    e = _validate.propensity(nuisances.e, "nuisances.e", n, "y")
    _validate.vector(nuisances.fold, "nuisances.fold", n, "y")
    source = _validate.one_of(
        _fitted(nuisances) if e_source is None else e_source, "e_source", ("known", "fitted", "cross-fitted")
    )
    _validate.one_of(estimand, "estimand", ("ATE", "ATT"))
    chosen = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    codes = cluster_codes(clusters, n)
    target = np.ones(n) if estimand == "ATE" else group
    share = target.mean()
    w1, w0 = (group / e, (1 - group) / (1 - e)) if estimand == "ATE" else (group, (1 - group) * e / (1 - e))
    signed, residual = (w1 - w0) / share, a - np.where(group == 1, mu1, mu0)
    score = target * (mu1 - mu0) / share + signed * residual
    value = float(score.mean())
    influence = score - target / share * value
    ones = float((target * mu1 + w1 * residual).mean() / share)
    found = Estimate(
        value, standard_error(influence, codes), estimand, f"AIPW, {_fitted(nuisances)}", n, level=level, unit=unit,
        overlap=overlap_of(e, group), balance=None if X is None else _balance(X, group, w1 + w0),
        assumptions=_ASSUMES, notes=_clipped(nuisances), e_source=source, n_clusters=n_groups(codes),
        arms={"control": ones - value, "treated": ones}, influence=influence, clusters=codes,
        design=Design(signed, residual),
    )  # fmt: skip
    sides = {"treated": w1[group == 1], "controls": w0[group == 0]}
    if source != "known":
        return judge(found, sides, chosen, refuse)
    said = of_propensities(f"{estimand} by {found.method}", group, e, chosen)
    return judge(found, sides, chosen, refuse, said, ["calibration of e"])


def _clipped(nuisances: Nuisances) -> tuple[str, ...]:
    return (f"propensities of {nuisances.clipped:.1%} of rows were moved to a bound",) if nuisances.clipped else ()


def _fitted(nuisances: Nuisances) -> str:
    return "cross-fitted" if np.max(nuisances.fold) > 0 else "fitted"


def _balance(X: ArrayLike | pd.DataFrame, t: FloatArray, w: FloatArray) -> pd.DataFrame:
    x = _validate.matrix(X, "X", len(t), "y")
    return balance_table(x, t, w, names=column_names(X, x.shape[1]))


def partially_linear(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike | pd.DataFrame,
    *,
    outcome: object = None,
    treatment: object = None,
    folds: int = 5,
    seed: int = 0,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Regress what X leaves of the outcome on what it leaves of the treatment: double machine learning.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment: 0 or 1, or a dose.
    X : array-like of shape (n, p)
        Covariates.
    outcome, treatment : scikit-learn estimator, optional
        Models of y and of t given X; by default linear regressions.
    folds : int
        Number of folds; with 1 nothing is kept apart.
    seed : int
        Deals rows to folds.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise; they share a fold.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        The slope; where effects differ, their mean weighted by the variance of treatment given X.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, a model is none, or X explains the treatment wholly.

    Notes
    -----
    Chapter: weighting/03_doubly_robust

    References
    ----------
    bib: chernozhukov2018double
    """
    a = _validate.vector(y, "y")
    d = _validate.vector(t, "t", len(a), "y")
    x = _validate.matrix(X, "X", len(a), "y")
    parts = _validate.integer(folds, "folds", low=1, high=len(a))
    fold = folds_of(len(a), parts, _validate.integer(seed, "seed"), _groups(d), clusters)
    left = np.empty((2, len(a)))
    for k in range(parts):
        inside = fold == k
        train = ~inside if parts > 1 else inside
        for row, values, name, given in ((0, a, "outcome", outcome), (1, d, "treatment", treatment)):
            fitted = learner(given, name, LinearRegression()).fit(x[train], values[train])
            left[row, inside] = values[inside] - predicted(fitted, x[inside])
    u, v = left
    power = float(v @ v) / len(a)
    binary = bool(np.isin(d, (0.0, 1.0)).all())
    if power <= 1e-12 * float(d.var() + 1e-300):
        raise ValueError("t is explained by X wholly: nothing is left to compare; drop columns that decide it.")
    slope = float(u @ v / (v @ v))
    influence = v * (u - slope * v) / power
    codes = cluster_codes(clusters, len(a))
    return Estimate(
        slope, standard_error(influence, codes), "ATO" if binary else "ATE",
        "partially linear, cross-fitted" if parts > 1 else "partially linear, fitted", len(a),
        level=level, unit=unit, population="" if binary else "weighted by the variance of the dose given X",
        assumptions=("no unmeasured confounding given X", "overlap", "no interference"),
        n_clusters=n_groups(codes), influence=influence, clusters=codes, design=Design(v / power, u - slope * v),
    )  # fmt: skip


def _groups(d: FloatArray) -> FloatArray:
    """Return the treatment if it is 0 or 1, and the upper half of a dose."""
    return d if np.isin(d, (0.0, 1.0)).all() else (d > np.median(d)).astype(float)


def over_partitions(estimates: Sequence[Estimate]) -> Estimate:
    """Combine estimates that differ only in how rows were dealt to folds.

    Parameters
    ----------
    estimates : sequence of Estimate
        One a partition, of the same rows.

    Returns
    -------
    Estimate
        Their median; its variance is the median of squared error plus squared distance from the median.

    Raises
    ------
    ValueError
        If there are fewer than two, or they are of other estimands or numbers of rows.

    Notes
    -----
    Chapter: weighting/03_doubly_robust

    References
    ----------
    bib: chernozhukov2018double
    """
    many = list(_validate.iterable(estimates, "estimates"))
    for est in many:
        _validate.instance(est, "each of estimates", Estimate, "pass what aipw or partially_linear returned")
    if len(many) < 2 or len({(e.estimand, e.n) for e in many}) != 1:
        raise ValueError("estimates must be two or more, of one estimand and of the same rows.")
    values, errors = np.array([(e.value, e.se) for e in many]).T
    value = float(np.median(values))
    se = float(np.sqrt(np.median(errors**2 + (values - value) ** 2)))
    middle = many[int(np.abs(values - value).argmin())]
    note = f"the median over {len(many)} partitions"
    flags = tuple(dict.fromkeys(flag for e in many for flag in e.flags))
    return replace(middle, value=value, se=se, interval=None, notes=(*middle.notes, note), flags=flags, arms=None,
                   influence=None, design=None)  # fmt: skip
