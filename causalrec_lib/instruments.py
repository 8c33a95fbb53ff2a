"""Instruments: two-stage least squares, the Anderson-Rubin set, the first stage, and who the compliers are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._two_stage import (
    FirstStage,
    InstrumentEstimate,
    below_zero,
    classical_error,
    first_of,
    parts_of,
    quadratic,
    second_of,
)
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import EstimateRefused, OnRefusal, Rules, judge

__all__ = [
    "FirstStage",
    "WeakInstrument",
    "anderson_rubin",
    "complier_means",
    "first_stage",
    "two_stage_least_squares",
]

SE = Literal["robust", "classical"]
_ASSUMED = ("instrument as good as random", "exclusion: it acts through the treatment alone", "monotonicity")
_LIMIT = 1e-10


class WeakInstrument(EstimateRefused):
    """The instrument hardly moves the treatment, so that the usual interval means nothing."""

    rule = "first stage"


def two_stage_least_squares(
    y: ArrayLike,
    t: ArrayLike,
    z: ArrayLike,
    X: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    se: SE = "robust",
    min_f: float = 10.0,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> InstrumentEstimate:
    """Estimate an effect with instruments: regress on what the instruments predict of the treatment.

    With one binary instrument and no covariates this is the Wald ratio.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment: 0 or 1, or a dose.
    z : array_like of shape (n,) or (n, k)
        Instruments; with k of two or more their predictions are pooled.
    X : array_like of shape (n, p), optional
        Covariates without a constant; they enter both stages.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.
    se : {"robust", "classical"}
        Error robust to unequal variances (HC0), or the textbook one with one variance, which takes no clusters.
    min_f : float
        Effective first-stage F below which the estimate refuses; 0 asks for nothing.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`. Only `min_clusters` applies.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    InstrumentEstimate
        Effect on those whom the instruments move (a weighted one for a dose), with `first_stage`.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or constant, columns repeat each other, an option is
        unknown, or clusters meet classical errors.
    WeakInstrument
        If the effective F is below `min_f` and `refuse` is "raise".
    TooFewClusters
        If there are fewer clusters than `rules.min_clusters` and `refuse` is "raise".

    Notes
    -----
    Chapter: latent/02_instruments

    References
    ----------
    bib: imbens1994identification, angrist1996identification, staiger1997instrumental, montielolea2013robust
    """
    parts, rules = parts_of(y, t, z, X, clusters, se), Rules() if rules is None else rules
    _validate.instance(rules, "rules", Rules, "pass Rules(min_clusters=...)")
    _validate.number(min_f, "min_f", low=0)
    first = first_of(parts)
    influence, value = second_of(parts, first)
    n = len(parts.y)
    robust = standard_error(influence, parts.codes)
    estimate = InstrumentEstimate(
        value=value,
        se=robust if se == "robust" else classical_error(parts, first, value),
        estimand="LATE",
        method="two-stage least squares" + ("" if se == "robust" else ", classical error"),
        n=n,
        level=level,
        assumptions=_ASSUMED,
        unit=unit,
        population="among those whom the instrument moves",
        notes=(f"first-stage F {first.f:,.1f}",),
        n_clusters=n_groups(parts.codes),
        influence=influence,
        clusters=parts.codes,
        first_stage=first,
    )
    weak = [] if first.f >= min_f else [_weak(first.f, min_f)]
    return judge(estimate, {}, rules, refuse, weak, ["first stage"] if min_f > 0 else [])  # type: ignore[return-value]


def first_stage(
    t: ArrayLike, z: ArrayLike, X: ArrayLike | None = None, *, clusters: ArrayLike | None = None
) -> FirstStage:
    """Return what the instruments do to the treatment.

    Parameters
    ----------
    t : array_like of shape (n,)
        Treatment: 0 or 1, or a dose.
    z : array_like of shape (n,) or (n, k)
        Instruments.
    X : array_like of shape (n, p), optional
        Covariates without a constant.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.

    Returns
    -------
    FirstStage
        Slopes and robust errors, shape (k,), and the effective F: with one instrument its squared t-ratio.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or constant, or columns repeat each other.

    Notes
    -----
    Chapter: latent/02_instruments

    References
    ----------
    bib: montielolea2013robust
    """
    dose = _validate.vector(t, "t")
    return first_of(parts_of(dose, dose, z, X, clusters, "robust", like="t"))


def anderson_rubin(
    y: ArrayLike,
    t: ArrayLike,
    z: ArrayLike,
    X: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    se: SE = "robust",
    level: float = 0.95,
    unit: str = "",
) -> InstrumentEstimate:
    """Return the effects that the instruments don't reject: a set that is right however weak they are.

    An effect b stays if the instruments don't predict y - b t once the covariates are taken out. The set may be an
    interval, two half lines, the whole line or, with several instruments, empty: see `.shape` and `.pieces`.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment: 0 or 1, or a dose.
    z : array_like of shape (n,) or (n, k)
        Instruments; more than one only with classical errors.
    X : array_like of shape (n, p), optional
        Covariates without a constant.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.
    se : {"robust", "classical"}
        A test robust to unequal variances, for one instrument; or the F test with one variance, without clusters.
    level : float
        Coverage that the set claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    InstrumentEstimate
        `value` is the two-stage estimate, `se` is NaN, `segments` is the set.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or constant, columns repeat each other, an option is
        unknown, clusters meet classical errors, or several instruments meet robust ones.

    Notes
    -----
    Chapter: latent/02_instruments

    References
    ----------
    bib: anderson1949estimation, andrews2019weak
    """
    parts = parts_of(y, t, z, X, clusters, se)
    _validate.number(level, "level", above=0, below=1)
    if se == "robust" and parts.z.shape[1] > 1:
        raise ValueError(
            f"z has {parts.z.shape[1]} columns, but the robust set is for one instrument; pass se='classical', or "
            "one column."
        )
    first = first_of(parts)
    influence, value = second_of(parts, first)
    made = InstrumentEstimate(
        value=value,
        se=float("nan"),
        estimand="LATE",
        method="Anderson-Rubin set",
        n=len(parts.y),
        level=level,
        segments=below_zero(*quadratic(parts, se, level)),
        assumptions=_ASSUMED,
        unit=unit,
        population="among those whom the instrument moves",
        n_clusters=n_groups(parts.codes),
        influence=influence,
        clusters=parts.codes,
        first_stage=first,
        notes=(f"first-stage F {first.f:,.1f}",),
    )
    return judge(made, {}, Rules(), "flag")  # type: ignore[return-value]


def complier_means(x: ArrayLike, t: ArrayLike, z: ArrayLike, *, clusters: ArrayLike | None = None) -> pd.DataFrame:
    """Return who the compliers are: the means of columns among those whom a binary instrument moves.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, p)
        Columns that were there before the instrument, each in its own unit; a frame's names are kept.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    z : array_like of shape (n,)
        Instrument, 0 or 1, drawn without regard to anything.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.

    Returns
    -------
    pandas.DataFrame
        One row a column of `x`, after a first row "share": `all`, `compliers` with `se`, `always_takers` (treated
        with z = 0) and `never_takers` (untreated with z = 1); NaN where a group is empty.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, `t` or `z` are not binary, or z doesn't raise the share of
        treated rows.

    Notes
    -----
    Abadie's kappa 1 - t (1 - z) / (1 - p) - (1 - t) z / p, with p the share of z = 1, takes the other two types out.
    Chapter: latent/02_instruments

    References
    ----------
    bib: abadie2003semiparametric
    """
    columns = _validate.matrix(x, "x")
    a, b = _validate.binary(t, "t", len(columns), "x"), _validate.binary(z, "z", len(columns), "x")
    codes = cluster_codes(clusters, len(columns))
    names = list(x.columns) if isinstance(x, pd.DataFrame) else [f"x{j}" for j in range(columns.shape[1])]
    p = b.mean()
    always, never = a * (1 - b) / (1 - p), (1 - a) * b / p
    share, sides = 1 - always.mean() - never.mean(), (always.mean(), never.mean())
    if share <= _LIMIT:
        raise ValueError(f"z doesn't raise the treated share (by {share:.3g}); recode it, or look for another one.")
    kappa = 1 - always - never
    mean = kappa @ columns / len(columns) / share
    off = columns - mean  # the score of a row, with the shares of z estimated
    zero, one = off.T @ always / len(columns), off.T @ never / len(columns)
    gap = kappa[:, None] * off + np.outer((1 - b) / (1 - p) - 1, zero) + np.outer(b / p - 1, one)
    error = [standard_error(score / share, codes) for score in gap.T]
    whole = standard_error(kappa + ((1 - b) / (1 - p) - 1) * sides[0] + (b / p - 1) * sides[1] - share, codes)
    group = {"always_takers": always, "never_takers": never}
    table = {
        "all": [1.0, *columns.mean(axis=0)],
        "compliers": [share, *mean],
        "se": [whole, *error],
        **{name: [w.mean(), *_mean_of(columns, w)] for name, w in group.items()},
    }
    return pd.DataFrame(table, index=["share", *names])


def _mean_of(columns: FloatArray, w: FloatArray) -> FloatArray:
    return w @ columns / w.sum() if w.any() else np.full(columns.shape[1], np.nan)


def _weak(f: float, least: float) -> WeakInstrument:
    return WeakInstrument(
        f"LATE by two-stage least squares: the first-stage F is {f:.1f} (rule: {least:g}); the interval can be far "
        "too short or to one side. Report anderson_rubin(y, t, z), whatever its shape, or find a stronger instrument."
    )
