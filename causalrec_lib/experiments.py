"""Experiments: how large, were they split as planned, what they found, and how often one may look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._experiment_plan import SampleRatio, minimum_detectable_effect, power, sample_ratio, sample_size
from causalrec_lib._interleaving import interleaving_credit, team_draft
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._randomisation import RandomisationTest, randomisation_test
from causalrec_lib._sequences import always_valid, chance_of_an_alarm, confidence_sequence
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Design, Estimate, EstimateRefused, OnRefusal, Rules, judge

__all__ = [
    "RandomisationTest",
    "SampleRatio",
    "SampleRatioMismatch",
    "always_valid",
    "chance_of_an_alarm",
    "confidence_sequence",
    "cuped",
    "interleaving_credit",
    "minimum_detectable_effect",
    "power",
    "randomisation_test",
    "ratio_metric",
    "sample_ratio",
    "sample_size",
    "team_draft",
]

_COIN = "the arm was drawn by a coin for each row (or cluster)"


class SampleRatioMismatch(EstimateRefused):
    """The arms have sizes that the planned split makes implausible: rows were lost or moved after the coin."""

    rule = "sample ratio"


# What it found --------------------------------------------------------------------------------------------------


def ratio_metric(
    numerator: ArrayLike,
    denominator: ArrayLike,
    t: ArrayLike,
    X: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    planned: float | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Compare two arms on a ratio of sums, such as clicks a session, by the delta method.

    Parameters
    ----------
    numerator : array_like of shape (n,)
        Sum of the outcome of each randomised unit (or row of it).
    denominator : array_like of shape (n,)
        Count of each unit, for example its sessions; 0 or more, and not all 0 in an arm.
    t : array_like of shape (n,)
        Arm, 0 or 1.
    X : array_like of shape (n, p), optional
        Columns from before the coin, for CUPED: their chance imbalance is taken out.
    clusters : array_like of shape (n,), optional
        Labels of the randomised units, if a unit has several rows. By default each row is a unit of its own.
    planned : float, optional
        Planned share of units in arm 1. If the arms' sizes deny it, the estimate is refused.
    refuse : {"raise", "flag"}
        What to do then, or with fewer than 30 clusters.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the ratio, for display.

    Returns
    -------
    Estimate
        Ratio in arm 1 minus ratio in arm 0, with standard error, influence values and arms.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one arm only, a denominator is negative, or a cluster has
        rows in both arms.
    SampleRatioMismatch
        If the sizes of the arms deny `planned` at a p-value of .001 and `refuse` is "raise".
    TooFewClusters
        If there are fewer than 30 randomised units and `refuse` is "raise".

    Notes
    -----
    With R = sum Y / sum N in its arm, a unit's influence is (Y - R N) / mean N: the same number as clustered least
    squares on the sessions. With X, least squares of these on X within arms gives theta, and the estimate is less
    theta times the difference of the means of X. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: deng2018applying, deng2013improving
    """
    y, arm, codes, count = _rows(numerator, t, clusters, denominator)
    one, zero = arm == 1, arm == 0
    ratio = {side: float(y[rows].sum() / count[rows].sum()) for side, rows in (("control", zero), ("treated", one))}
    per_unit = np.where(one, count[one].mean(), count[zero].mean())
    residual = (y - np.where(one, ratio["treated"], ratio["control"]) * count) / per_unit
    value = ratio["treated"] - ratio["control"]
    theta, centred, gap = _adjustment(X, residual, arm)
    signed = np.where(one, 1 / one.mean(), -1 / zero.mean())
    name = "difference of ratios, delta method" + ("" if X is None else ", CUPED")
    value = float(value - theta @ gap)
    return _judged(value, signed, residual - centred @ theta, codes, ratio, planned, name, refuse, level, unit)


def cuped(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    planned: float | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Compare two arms on a mean, less what columns from before the experiment predict (CUPED).

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome of each randomised unit, in `unit`.
    t : array_like of shape (n,)
        Arm, 0 or 1.
    X : array_like of shape (n, p)
        Columns from before the coin. A column that the treatment can move takes part of the effect away.
    clusters : array_like of shape (n,), optional
        Labels of the randomised units, if a unit has several rows.
    planned : float, optional
        Planned share of units in arm 1. If the arms' sizes deny it, the estimate is refused.
    refuse : {"raise", "flag"}
        What to do then, or with fewer than 30 units.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Difference of means less theta times the difference of the means of X.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one arm only, or X has columns that add nothing.
    SampleRatioMismatch
        If the sizes of the arms deny `planned` at a p-value of .001 and `refuse` is "raise".
    TooFewClusters
        If there are fewer than 30 randomised units and `refuse` is "raise".

    Notes
    -----
    theta is the slope of least squares of y on X and the arm, so the value equals that of the regression; with one
    column the variance falls by the factor 1 - rho^2. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: deng2013improving
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    _validate.matrix(X, "X", len(outcome), "y")
    found = ratio_metric(
        outcome, np.ones(len(outcome)), group, X, clusters=clusters, planned=planned, refuse=refuse, level=level,
        unit=unit,
    )  # fmt: skip
    return replace(found, method="difference in means, CUPED")


def _rows(
    y: ArrayLike, t: ArrayLike, clusters: ArrayLike | None, n: ArrayLike
) -> tuple[FloatArray, FloatArray, np.ndarray, FloatArray]:
    """Return outcome, arm, unit and count of each row, checked."""
    outcome = _validate.vector(y, "numerator")
    count = _validate.nonnegative(_validate.vector(n, "denominator", len(outcome), "numerator"), "denominator")
    arm = _validate.binary(t, "t", len(outcome), "numerator")
    for side in (0, 1):
        if count[arm == side].sum() == 0:
            raise ValueError(f"denominator is 0 in all rows of arm {side}: there is no ratio; check the join.")
    given = cluster_codes(clusters, len(outcome))
    codes = np.arange(len(outcome)) if given is None else given
    sizes = np.bincount(codes)
    mixed = np.bincount(codes, weights=arm) % sizes != 0
    if mixed.any():
        raise ValueError(
            f"clusters has {int(mixed.sum())} labels with rows in both arms; pass the units that the coin was thrown "
            "for (periods in a switchback), and look for users who changed arms."
        )
    return outcome, arm, codes, count


def _adjustment(
    X: ArrayLike | None, residual: FloatArray, arm: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return theta, X less its mean in the arm, and the difference of these means."""
    if X is None:
        return np.zeros(1), np.zeros((len(residual), 1)), np.zeros(1)
    table = _validate.matrix(X, "X", len(residual), "numerator")
    standardised(table, column_names(X, table.shape[1]))  # refuses columns that add nothing
    one = table[arm == 1].mean(axis=0)
    zero = table[arm == 0].mean(axis=0)
    centred = table - np.where(arm[:, None] == 1, one, zero)
    theta = np.linalg.lstsq(centred, residual, rcond=None)[0]
    return theta, centred, one - zero


def _judged(
    value: float, signed: FloatArray, residual: FloatArray, codes: np.ndarray, arms: dict[str, float],
    planned: float | None, method: str, refuse: OnRefusal, level: float, unit: str,
) -> Estimate:  # fmt: skip
    """Return the estimate, refused if the split is not the planned one."""
    units = n_groups(codes)
    estimate = Estimate(
        value=value, se=standard_error(signed * residual, codes), estimand="ATE", method=method,
        n=len(signed), level=_validate.number(level, "level", above=0, below=1),
        assumptions=(_COIN, "no interference between units"),
        unit=unit, arms=arms, n_clusters=units, influence=signed * residual, clusters=codes,
        design=Design(signed, residual),
    )  # fmt: skip
    found = []
    if planned is not None:
        share = _validate.number(planned, "planned", above=0, below=1)
        treated = int(np.bincount(codes, weights=signed > 0).astype(bool).sum())
        test = sample_ratio([len(np.unique(codes)) - treated, treated], (1 - share, share))
        if test.mismatch:
            found.append(
                SampleRatioMismatch(
                    f"{method}: {treated:,} of {units:,} units are in arm 1, where the plan says {share:.1%} "
                    f"(p = {test.p_value:.1g}). Units were lost or moved after the coin; find out how, and count no "
                    "result until then."
                )
            )
    return judge(estimate, {}, Rules(), refuse, found, [] if planned is None else ["sample ratio"])
