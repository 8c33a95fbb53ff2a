"""The object that every estimator returns: a number with its error, its diagnostics, and the right to refuse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student

from causalrec_lib import _card, _sensitivity, _validate
from causalrec_lib._design import ESTIMANDS, Design
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._parts import check_estimate, check_rules
from causalrec_lib._refusal import (
    EffectiveSampleTooSmall,
    EstimateRefused,
    Flag,
    Miscalibrated,
    NoOverlap,
    NotConverged,
    TooFewClusters,
    Unbalanced,
    effective_sample_size,
    judge,
    of_clusters,
)
from causalrec_lib._validate import FloatArray

__all__ = [
    "ESTIMANDS",
    "Design",
    "EffectiveSampleTooSmall",
    "Estimand",
    "Estimate",
    "EstimateRefused",
    "Miscalibrated",
    "NoOverlap",
    "NotConverged",
    "OnRefusal",
    "Rules",
    "TooFewClusters",
    "Unbalanced",
    "difference_in_means",
    "effective_sample_size",
    "judge",
]

Estimand = str
OnRefusal = Literal["raise", "flag"]


@dataclass(frozen=True)
class Rules:
    """Thresholds under which an estimate refuses.

    Parameters
    ----------
    min_ess : float
        Smallest effective sample size (rows) allowed in either group, unless it was that small before weighting.
    max_row_share : float
        Largest share of a group's total weight that one row may carry, in (0, 1].
    max_smd : float
        Largest standardised mean difference allowed after weighting or matching, where a balance table exists.
    min_ess_share : float
        Smallest effective sample size allowed, as a share of the group's rows or of the other group's if those are
        fewer (a large reservoir need not be used up).
    min_clusters : float
        Fewest clusters allowed behind a clustered error.
    max_z : float
        Standard errors by which propensities passed as an array may miss the shares that were treated; with four, a
        true coin is accused about once in five thousand logs.

    Notes
    -----
    The thresholds are conventions. Chapter: weighting/01_propensity_weighting
    """

    min_ess: float = 30.0
    max_row_share: float = 0.10
    max_smd: float = 0.10
    min_ess_share: float = 0.05
    min_clusters: float = 30.0
    max_z: float = 4.0

    def __post_init__(self) -> None:
        """Refuse thresholds that no data could keep, or that are no numbers."""
        check_rules(self)


@dataclass(frozen=True)
class Estimate:
    """An effect with its error, its diagnostics and its assumptions.

    Parameters
    ----------
    value : float
        The point estimate, in units of the outcome.
    se : float
        Standard error, same unit; NaN if the method gives none.
    estimand : str
        What is estimated, a name in `ESTIMANDS`; a module may add names there.
    method : str
        Name of the estimator in the field's words.
    n : int
        Number of rows used.
    level : float
        Coverage that the interval claims.
    interval : tuple of float, optional
        (low, high); by default value -/+ quantile * se, the quantile of the normal, or of Student's t with
        n_clusters - 1 degrees of freedom where there are clusters.
    ess : float, optional
        Effective sample size (rows) of the thinner group (bib: kish1965survey).
    overlap : dict of str to float, optional
        Smallest and largest propensity and the share of rows in the tails.
    balance : pandas.DataFrame, optional
        Standardised mean differences `before` and `after`, one row a covariate.
    converged : bool, optional
        Whether the models inside reached their optimum.
    assumptions : tuple of str
        What must hold for the number to be an effect; no check on the card tests it.
    flags : tuple of str
        Reasons for which the estimate should not be used; empty if none.
    unit : str
        Unit of the outcome, for display.
    population : str
        For whom the estimand holds if not for all rows, for example "among rows with 0.1 <= e <= 0.9".
    segments : tuple of tuple of float, optional
        The confidence set where it is no single interval: disjoint or unbounded pieces (low, high), or none at all.
    arms : dict of str to float, optional
        Mean outcome under each treatment, for ratios, E-values and more than two arms.
    checks : tuple of str
        What the rules looked at.
    notes : tuple of str
        Remarks that are no reason to refuse, for display.
    e_source : str
        Where the propensities come from: known, fitted, cross-fitted.
    n_clusters : int, optional
        Number of clusters behind the error.
    influence : ndarray of shape (n,), optional
        Influence of each row that was given, trimmed rows included: estimate - truth is about its mean.
    clusters : ndarray of shape (n,), optional
        Cluster code of each row, 0 ... n_clusters - 1.
    design : Design, optional
        Signed weights, residuals and pairs, for sensitivity analyses.

    Raises
    ------
    ValueError
        If a part is of another type, not finite, or out of its range; only `se` may be NaN.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """

    value: float
    se: float
    estimand: Estimand
    method: str
    n: int
    level: float = 0.95
    interval: tuple[float, float] | None = None
    ess: float | None = None
    overlap: dict[str, float] | None = None
    balance: pd.DataFrame | None = field(default=None, compare=False)
    converged: bool | None = None
    assumptions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    unit: str = ""
    population: str = ""
    segments: tuple[tuple[float, float], ...] | None = None
    arms: dict[str, float] | None = None
    checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    e_source: str = ""
    n_clusters: int | None = None
    influence: FloatArray | None = field(default=None, repr=False, compare=False)
    clusters: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)
    design: Design | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no number, no interval, no table or no text."""
        check_estimate(self)

    @property
    def pieces(self) -> tuple[tuple[float, float], ...]:
        """The confidence set as pairs (low, high): its segments, or one interval."""
        if self.segments is not None:
            return self.segments
        if self.interval is not None:
            return (self.interval,)
        return ((self.value - self._z * self.se, self.value + self._z * self.se),)

    @property
    def low(self) -> float:
        """Lower end of the interval, or of the hull of the segments; NaN if the set is empty."""
        return min((low for low, _ in self.pieces), default=float("nan"))

    @property
    def high(self) -> float:
        """Upper end of the interval, or of the hull of the segments; NaN if the set is empty."""
        return max((high for _, high in self.pieces), default=float("nan"))

    @property
    def _z(self) -> float:
        tail = 0.5 + self.level / 2
        return float(norm.ppf(tail) if self.n_clusters is None else student.ppf(tail, max(self.n_clusters - 1, 1)))

    @property
    def verdict(self) -> str:
        """Flagged with its reasons; no alarm, with what was and what was not tested; or unchecked."""
        if self.flags:
            return "FLAGGED: " + " ".join(self.flags)
        untested = f"; untested: {', '.join(self.assumptions)}" if self.assumptions else ""
        if not self.checks:
            return f"unchecked: no rule was applied{untested}"
        return f"no alarm among the checks made: {', '.join(self.checks)}{untested}"

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The rules that the flags speak of, once each: "effective rows", "balance", and others as in `checks`."""
        return tuple(dict.fromkeys(flag.rule for flag in self.flags if isinstance(flag, Flag)))

    def covers(self, truth: float) -> bool:
        """Say whether the confidence set contains `truth`.

        Parameters
        ----------
        truth : float
            The value to look for, in the outcome's unit: of `population`, if that is named. After trimming or a
            caliper the truth is the average over the rows that stayed, not over all.

        Returns
        -------
        bool
            True if low <= truth <= high for the interval, or for one of the segments.
        """
        _validate.number(truth, "truth")
        return any(bool(low <= truth <= high) for low, high in self.pieces)

    def flagged(self, *reasons: str) -> Estimate:
        """Return a copy that carries more reasons for not using it.

        Parameters
        ----------
        *reasons : str
            Sentences to add to `flags`.

        Returns
        -------
        Estimate
            The flagged copy.
        """
        return replace(self, flags=(*self.flags, *_validate.texts(reasons, "reasons")))

    def sensitivity(self, null: float = 0.0) -> _sensitivity.Sensitivity:
        """Say how strong a hidden cause must be to move the estimate to `null`.

        Parameters
        ----------
        null : float
            The value that would turn the decision, in the outcome's unit.

        Returns
        -------
        Sensitivity
            Bias bounds where the estimate has a design, the E-value where its arms are risks, Gamma where it has
            pairs; what is missing is named with its reason.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: chernozhukov2022long, vanderweele2017sensitivity, rosenbaum2002observational
        """
        return _sensitivity.of_estimate(self, null, self._z)

    def report(self) -> pd.Series:
        """Return the report card as a Series, one row a diagnostic.

        Returns
        -------
        pandas.Series
            Printable values by diagnostic name.
        """
        return pd.Series(_card.rows(self), name="report")

    def __repr__(self) -> str:
        """Return the report card as text."""
        return _card.text(self.report())

    def _repr_html_(self) -> str:
        state = " cr-flagged" if self.flags else "" if self.checks else " cr-unchecked"
        return _card.page(self.report(), "cr-card" + state)


def difference_in_means(
    y: ArrayLike,
    t: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    estimand: Estimand = "ATE",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Compare the treated with the others, adjusting for nothing.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example users.
    estimand : str
        What the difference is taken for; the number is the same.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        The effect if treatment was assigned at random, otherwise the naive answer; its report card says so. The error
        is robust to unequal variances (bib: white1980heteroskedasticity); with clusters it has the factor G / (G - 1)
        and the interval Student's t with G - 1 degrees of freedom, and fewer than 30 clusters are flagged.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or of one class only.

    Notes
    -----
    Chapter: concepts/01_why_causal

    References
    ----------
    bib: white1980heteroskedasticity
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    codes = cluster_codes(clusters, len(outcome))
    mean1, mean0 = outcome[group == 1].mean(), outcome[group == 0].mean()
    signed = np.where(group == 1, 1 / group.mean(), -1 / (1 - group.mean()))
    residual = outcome - np.where(group == 1, mean1, mean0)
    return Estimate(
        value=float(mean1 - mean0),
        se=standard_error(signed * residual, codes),
        estimand=estimand,
        method="difference in means, adjusted for nothing",
        n=len(outcome),
        level=level,
        assumptions=("treatment was assigned at random",),
        flags=tuple(Flag(str(o), o.rule) for o in of_clusters(n_groups(codes), Rules())),
        unit=unit,
        arms={"control": float(mean0), "treated": float(mean1)},
        n_clusters=n_groups(codes),
        influence=signed * residual,
        clusters=codes,
        design=Design(signed, residual),
    )
