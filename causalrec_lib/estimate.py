"""The object that every estimator returns: a number with its error, its diagnostics, and the right to refuse."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from causalrec_lib import _validate
from causalrec_lib._mestimation import standard_error

Estimand = Literal["ATE", "ATT", "ATC", "ATO", "LATE", "CATE", "policy value", "mean"]
OnRefusal = Literal["raise", "flag"]


class EstimateRefused(ValueError):
    """The data can't carry this estimate; the message says why and what to do instead."""


class NoOverlap(EstimateRefused):
    """Some rows could only ever get one treatment, or a single row carries the answer."""


class EffectiveSampleTooSmall(EstimateRefused):
    """The weights leave too few effective rows for an interval to mean anything."""


class NotConverged(EstimateRefused):
    """A model inside the estimator stopped before it reached its optimum."""


@dataclass(frozen=True)
class Rules:
    """Thresholds under which an estimate refuses.

    Parameters
    ----------
    min_ess : float
        Smallest effective sample size (rows) allowed in either group.
    max_row_share : float
        Largest share of a group's total weight that one row may carry, in (0, 1].

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """

    min_ess: float = 30.0
    max_row_share: float = 0.10

    def __post_init__(self) -> None:
        """Refuse thresholds that no data could keep, or that are no numbers."""
        _validate.number(self.min_ess, "min_ess", low=0)
        _validate.number(self.max_row_share, "max_row_share", above=0, high=1)


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
        What is estimated: ATE, ATT, ATC, ATO, LATE, CATE, policy value or mean.
    method : str
        Name of the estimator in the field's words.
    n : int
        Number of rows used.
    level : float
        Coverage that the interval claims.
    interval : tuple of float, optional
        (low, high); by default value -/+ z * se.
    ess : float, optional
        Effective sample size (rows) of the thinner group (bib: kish1965survey).
    overlap : dict of str to float, optional
        Smallest and largest propensity and the share of rows in the tails.
    balance : pandas.DataFrame, optional
        Standardised mean differences `before` and `after`, one row a covariate.
    converged : bool, optional
        Whether the models inside reached their optimum.
    assumptions : tuple of str
        What must hold for the number to be an effect.
    flags : tuple of str
        Reasons for which the estimate should not be used; empty if none.
    unit : str
        Unit of the outcome, for display.
    population : str
        For whom the estimand holds if not for all rows, for example "among rows with 0.1 <= e <= 0.9".

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

    def __post_init__(self) -> None:
        """Refuse what is no number, no interval, no table or no text."""
        _validate.number(self.value, "value")
        _validate.number(self.se, "se", low=0, missing=True)
        _validate.one_of(self.estimand, "estimand", get_args(Estimand))
        _validate.text(self.method, "method", least=1)
        _validate.integer(self.n, "n", low=1)
        _validate.number(self.level, "level", above=0, below=1)
        if self.interval is not None:
            _validate.interval(self.interval, "interval")
        if self.ess is not None:
            _validate.number(self.ess, "ess", low=0)
        for end in () if self.overlap is None else ("min", "max"):
            _validate.number(_validate.mapping(self.overlap, "overlap").get(end), f"overlap[{end!r}]", 0, 1)
        if self.balance is not None:
            _validate.frame(self.balance, "balance", ("before", "after"))
        if self.converged is not None:
            _validate.flag(self.converged, "converged")
        for name in ("assumptions", "flags"):
            _validate.texts(getattr(self, name), name)
        for name in ("unit", "population"):
            _validate.text(getattr(self, name), name)

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.value - self._z * self.se if self.interval is None else self.interval[0]

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.value + self._z * self.se if self.interval is None else self.interval[1]

    @property
    def _z(self) -> float:
        return float(norm.ppf(0.5 + self.level / 2))

    @property
    def verdict(self) -> str:
        """Flagged with its reasons; usable; or unchecked, if no diagnostic was there to speak against it."""
        if self.flags:
            return "FLAGGED: " + " ".join(self.flags)
        looked_at = (self.ess, self.overlap, self.balance, self.converged)
        if all(found is None for found in looked_at):
            return "unchecked: no overlap, balance or effective sample size was looked at"
        return "usable"

    def covers(self, truth: float) -> bool:
        """Say whether the interval contains `truth`.

        Parameters
        ----------
        truth : float
            The value to look for, in the outcome's unit.

        Returns
        -------
        bool
            True if low <= truth <= high.
        """
        return bool(self.low <= _validate.number(truth, "truth") <= self.high)

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

    def report(self) -> pd.Series:
        """Return the report card as a Series, one row a diagnostic.

        Returns
        -------
        pandas.Series
            Printable values by diagnostic name.
        """
        unit = f" {self.unit}" if self.unit else ""
        card = {
            "estimand": f"{self.estimand} {self.population}".rstrip(),
            "method": self.method,
            "estimate": f"{self.value:.4g}{unit}",
            f"{self.level:.0%} interval": f"{self.low:.4g} to {self.high:.4g}",
            "standard error": f"{self.se:.3g}",
            "rows": f"{self.n:,}",
        }
        if self.ess is not None:
            card["effective sample size"] = f"{self.ess:,.1f}"
        if self.overlap is not None:
            card["propensity"] = f"{self.overlap['min']:.3g} to {self.overlap['max']:.3g}"
        if self.balance is not None:
            worst = self.balance.abs().max()
            card["largest imbalance (SMD)"] = f"{worst['before']:.3f} before, {worst['after']:.3f} after"
        if self.converged is not None:
            card["models converged"] = "yes" if self.converged else "NO"
        if self.assumptions:
            card["assumes"] = "; ".join(self.assumptions)
        card["verdict"] = self.verdict
        return pd.Series(card, name="report")

    def __repr__(self) -> str:
        """Return the report card as text."""
        width = max(map(len, self.report().index))
        return "\n".join(f"{k:<{width}}  {v}" for k, v in self.report().items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>'
            for k, v in self.report().items()
        )
        kind = "cr-card cr-flagged" if self.flags else "cr-card"
        return f'<table class="{kind}"><tbody>{rows}</tbody></table>'


def effective_sample_size(weights: ArrayLike) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2.

    Parameters
    ----------
    weights : array_like of shape (n,)
        Non-negative weights, not all zero.

    Returns
    -------
    float
        Between 1 and n rows.

    Raises
    ------
    ValueError
        If a weight is negative, NaN or infinite, or all are zero.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: kish1965survey
    """
    w = _validate.nonnegative(weights, "weights")
    top = w.max()
    if top == 0:
        raise ValueError("weights are all zero: no row is left; check the trimming rule.")
    w = w / top  # scale first, so that squares neither overflow nor vanish
    return float(w.sum() ** 2 / (w**2).sum())


def difference_in_means(
    y: ArrayLike, t: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95, unit: str = ""
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
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        The effect if treatment was assigned at random, otherwise the naive answer; its report card says so. The error
        is robust to unequal variances (bib: white1980heteroskedasticity).

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
    mean1, mean0 = outcome[group == 1].mean(), outcome[group == 0].mean()
    share = group.mean()
    influence = np.where(group == 1, (outcome - mean1) / share, (mean0 - outcome) / (1 - share))
    return Estimate(
        value=float(mean1 - mean0),
        se=standard_error(influence, clusters),
        estimand="ATE",
        method="difference in means, adjusted for nothing",
        n=len(outcome),
        level=level,
        assumptions=("treatment was assigned at random",),
        unit=unit,
    )


def judge(estimate: Estimate, weights: dict[str, ArrayLike], rules: Rules, refuse: OnRefusal) -> Estimate:
    """Attach the effective sample size and refuse, or flag, an estimate that the data can't carry.

    Parameters
    ----------
    estimate : Estimate
        The estimate to judge.
    weights : dict of str to array_like
        Weights of each group's rows, by a printable group name.
    rules : Rules
        The thresholds.
    refuse : {"raise", "flag"}
        Raise a named error, or return a flagged copy.

    Returns
    -------
    Estimate
        With `ess` of the thinner group, and `flags` if `refuse` is "flag".

    Raises
    ------
    NotConverged
        If a model inside did not converge.
    EffectiveSampleTooSmall
        If a group's effective sample size is under `rules.min_ess`.
    NoOverlap
        If one row carries more than `rules.max_row_share` of its group's weight.
    ValueError
        If an argument is of another type, or weights are negative, NaN, infinite or all zero.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """
    _validate.instance(estimate, "estimate", Estimate, "pass what an estimator returned")
    _validate.mapping(weights, "weights")
    _validate.instance(rules, "rules", Rules, "pass Rules(min_ess=..., max_row_share=...)")
    _validate.one_of(refuse, "refuse", ("raise", "flag"))
    found: list[EstimateRefused] = []
    if estimate.converged is False:
        why = "a model stopped before its optimum; scale the covariates or allow more steps."
        found.append(NotConverged(f"{estimate.method}: {why}"))
    sizes = {}
    for group, raw in weights.items():
        w = _validate.vector(raw, f"weights of the {group}")
        sizes[group] = effective_sample_size(w)
        share = float(w.max() / w.sum())
        if sizes[group] < rules.min_ess:
            found.append(
                EffectiveSampleTooSmall(
                    f"{estimate.estimand} by {estimate.method}: the {len(w):,} {group} count for only "
                    f"{sizes[group]:.1f} effective rows (rule: {rules.min_ess:g}). Choose an estimand that the data "
                    "support (ATT or ATO), trim to the region of overlap and say so, or collect randomised data."
                )
            )
        if share > rules.max_row_share:
            found.append(
                NoOverlap(
                    f"{estimate.estimand} by {estimate.method}: one row carries {share:.0%} of the weight of the "
                    f"{group} (rule: {rules.max_row_share:.0%}). Look at that row; the groups hardly overlap there."
                )
            )
    if found and refuse == "raise":
        raise found[0]
    judged = replace(estimate, ess=min(sizes.values())) if sizes else estimate
    return judged.flagged(*map(str, found)) if found else judged
