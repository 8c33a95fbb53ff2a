"""When an estimate refuses: the named errors, and the checks of weights, balance, propensities and clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

if TYPE_CHECKING:
    from causalrec_lib.estimate import Estimate, OnRefusal, Rules

HARDLY_LOST = 0.8  # a group that keeps this share of its rows was not made small by weighting
CHANCE = 3.0  # standard errors that chance alone may leave in the imbalance of near-equal weights


class EstimateRefused(ValueError):
    """The data can't carry this estimate; the message says why and what to do instead.

    The card that was not released is `.estimate`, with all reasons among its flags; None where no number was made.
    """

    estimate: Estimate | None = None
    rule = "other"


class NoOverlap(EstimateRefused):
    """Some rows could only ever get one treatment, or a single row carries the answer."""

    rule = "effective rows"


class EffectiveSampleTooSmall(EstimateRefused):
    """The weights leave too few effective rows for an interval to mean anything."""

    rule = "effective rows"


class Unbalanced(EstimateRefused):
    """The weighted or matched groups are still different crowds."""

    rule = "balance"


class Miscalibrated(EstimateRefused):
    """The propensities are not the chances with which treatment was given."""

    rule = "calibration of e"


class TooFewClusters(EstimateRefused):
    """So few clusters that their number, not the rows', limits the interval."""

    rule = "clusters"


class NotConverged(EstimateRefused):
    """A model inside the estimator stopped before it reached its optimum."""

    rule = "convergence"


class Flag(str):
    """The sentence of an objection that was not raised, and the rule that it was about."""

    rule: str

    def __new__(cls, sentence: str, rule: str = "other") -> Flag:
        """Make a flag."""
        flag = super().__new__(cls, sentence)
        flag.rule = rule
        return flag


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


def of_weights(
    what: str, groups: Mapping[str, FloatArray], rules: Rules
) -> tuple[dict[str, float], list[EstimateRefused], list[str]]:
    """Return each group's effective rows, what the rules object to, and what to remark."""
    sizes = {name: effective_sample_size(w) for name, w in groups.items()}
    found: list[EstimateRefused] = []
    for name, w in groups.items():
        ess, rows, share = sizes[name], len(w), float(w.max() / w.sum())
        others = [int((v > 0).sum()) for other, v in groups.items() if other != name]
        asked = min([rows, *others])  # a large reservoir need not be used up
        if ess < min(rules.min_ess, HARDLY_LOST * rows):
            found.append(
                EffectiveSampleTooSmall(
                    f"{what}: the {rows:,} {name} count for only {ess:.1f} effective rows (rule: {rules.min_ess:g}). "
                    "Choose an estimand that the data support (ATT or ATO), trim to the region of overlap and say "
                    "so, or collect randomised data."
                )
            )
        elif ess < rules.min_ess_share * asked:
            found.append(
                EffectiveSampleTooSmall(
                    f"{what}: the {rows:,} {name} count for {ess:.1f} effective rows, {ess / asked:.1%} of the "
                    f"{asked:,} that were asked for (rule: {rules.min_ess_share:.0%}). The rows that overlap needs "
                    "are missing from this log; choose ATT or ATO, trim and say so, or collect randomised data."
                )
            )
        if share > rules.max_row_share and share * rows > 1 / HARDLY_LOST:
            found.append(
                NoOverlap(
                    f"{what}: one row carries {share:.0%} of the weight of the {name} (rule: "
                    f"{rules.max_row_share:.0%}). Look at that row; the groups hardly overlap there."
                )
            )
    small = [f"{len(groups[k]):,} {k}" for k, ess in sizes.items() if ess < rules.min_ess]
    remark = f"small, though not through weighting: {' and '.join(small)}; an interval of 1.96 errors is optimistic"
    return sizes, found, [remark] if small and not found else []


def of_balance(
    what: str, table: pd.DataFrame, groups: Mapping[str, FloatArray], sizes: Mapping[str, float], rules: Rules
) -> tuple[list[EstimateRefused], list[str]]:
    """Return what the balance rule objects to, and what to remark.

    Where weights are near equal, as in an experiment, the rule leaves room for chance: the standard error counts it.
    """
    size = table["after"].abs()
    worst = float(size.max())
    if not worst > rules.max_smd:
        return [], []
    where = ", ".join(f"{name} ({value:.2f})" for name, value in size.sort_values(ascending=False).head(3).items())
    equal = bool(groups) and all(sizes[k] >= HARDLY_LOST * len(w) for k, w in groups.items())
    by_chance = CHANCE * float(np.sqrt(sum(1 / ess for ess in sizes.values()))) if equal else 0.0
    if worst <= by_chance:
        return [], [f"imbalance as chance leaves it in {sum(map(len, groups.values())):,} rows: {where}"]
    return [
        Unbalanced(
            f"{what}: the groups still differ by {worst:.2f} standard deviations (rule: {rules.max_smd:g}); look at "
            f"{where}. Mend the propensity model or the matching, choose ATO or ATT, or trim and say so."
        )
    ], []


def of_propensities(what: str, t: FloatArray, e: FloatArray, rules: Rules) -> list[EstimateRefused]:
    """Return an objection if T / e or (1 - T) / (1 - e) doesn't average one, or T - e goes with the log-odds of e.

    Each by a z-test with the variance that the coin e has. Rows with e of zero or one say nothing and are left out.
    """
    inside = (e > 0) & (e < 1)
    t, e = t[inside], e[inside]
    if not len(t):
        return []
    odds = np.log(e / (1 - e))
    shares = {
        f"T/e averages {np.mean(t / e):.3f} instead of 1": 1 / e,
        f"(1-T)/(1-e) averages {np.mean((1 - t) / (1 - e)):.3f} instead of 1": 1 / (1 - e),
        "high e are too high and low e too low, or the reverse": odds - odds.mean(),
    }
    said = [words for words, f in shares.items() if abs(_z((t - e) * f, e * (1 - e) * f**2)) > rules.max_z]
    if not said:
        return []
    return [
        Miscalibrated(
            f"{what}: e is not the chance with which these rows were treated: {'; '.join(said)} (rule: "
            f"{rules.max_z:g} standard errors). Look for clipping, another temperature or version, or a model judged "
            "on its own training rows; or fit the propensity with X=."
        )
    ]


def _z(gap: FloatArray, variance: FloatArray) -> float:
    total = float(variance.sum())
    return float(gap.sum()) / total**0.5 if total > 1e-12 else 0.0


def of_clusters(n_clusters: int | None, rules: Rules) -> list[EstimateRefused]:
    """Return an objection to few clusters."""
    if n_clusters is None or n_clusters >= rules.min_clusters:
        return []
    return [
        TooFewClusters(
            f"clusters has {n_clusters} groups (rule: {rules.min_clusters:g}); with so few, a clustered interval "
            "covers too seldom. Use finer clusters if noise is shared there only, or a permutation test."
        )
    ]


def judge(
    estimate: Estimate,
    weights: Mapping[str, ArrayLike],
    rules: Rules,
    refuse: OnRefusal,
    found: Sequence[EstimateRefused] = (),
    checked: Sequence[str] = (),
) -> Estimate:
    """Apply the rules to an estimate and refuse, or flag, one that the data can't carry.

    Parameters
    ----------
    estimate : Estimate
        The estimate to judge, with its balance table, convergence and number of clusters where it has them.
    weights : mapping of str to array_like
        Weights of each group's rows by a printable group name; zero for rows that trimming or matching dropped.
    rules : Rules
        The thresholds.
    refuse : {"raise", "flag"}
        Raise a named error, or return a flagged copy.
    found : sequence of EstimateRefused
        What the caller's own checks object to.
    checked : sequence of str
        Names of the caller's own checks, for the verdict.

    Returns
    -------
    Estimate
        With `ess` of the thinner group, `checks`, `notes`, and `flags` if `refuse` is "flag".

    Raises
    ------
    NotConverged
        If a model inside did not converge.
    EffectiveSampleTooSmall
        If weighting leaves a group fewer effective rows than `rules.min_ess`, or a smaller share of its rows than
        `rules.min_ess_share`. A group that is small and lost little is remarked on, not refused.
    NoOverlap
        If one row carries more than `rules.max_row_share` of its group's weight, and more than it would if all were
        equal.
    Unbalanced
        If a covariate differs by more than `rules.max_smd` after weighting, and by more than chance leaves where
        weights are near equal.
    TooFewClusters
        If there are fewer clusters than `rules.min_clusters`.
    ValueError
        If an argument is of another type, or weights are negative, NaN, infinite or all zero.

    Notes
    -----
    Every error carries the card that it holds back as `.estimate`.
    Chapter: weighting/01_propensity_weighting
    """
    _check_judged(estimate, weights, rules, refuse)
    for objection in _validate.iterable(found, "found"):
        _validate.instance(objection, "each entry of found", EstimateRefused, "pass named errors")
    _validate.texts(checked, "checked")
    what = f"{estimate.estimand} by {estimate.method}"
    groups = {name: _validate.vector(raw, f"weights of the {name}") for name, raw in weights.items()}
    sizes, objections, notes = of_weights(what, groups, rules)
    checks = ["effective rows"] if groups else []
    if estimate.converged is False:
        early = f"{estimate.method}: a model stopped before its optimum; scale the covariates or allow more steps."
        objections.insert(0, NotConverged(early))
    if estimate.balance is not None and "after" in estimate.balance:
        unbalanced, remarks = of_balance(what, estimate.balance, groups, sizes, rules)
        objections, notes, checks = objections + unbalanced, notes + remarks, [*checks, "balance"]
    objections += [*found, *of_clusters(estimate.n_clusters, rules)]
    judged = replace(
        estimate,
        ess=min(sizes.values(), default=estimate.ess),
        checks=(*estimate.checks, *checks, *checked),
        notes=(*estimate.notes, *notes),
        flags=(*estimate.flags, *(Flag(str(o), o.rule) for o in objections)),
    )
    if objections and refuse == "raise":
        objections[0].estimate = judged
        raise objections[0]
    return judged


def _check_judged(estimate: object, weights: object, rules: object, refuse: object) -> None:
    from causalrec_lib.estimate import Estimate, Rules  # it imports this module

    _validate.instance(estimate, "estimate", Estimate, "pass what an estimator returned")
    _validate.mapping(weights, "weights")
    _validate.instance(rules, "rules", Rules, "pass Rules(min_ess=..., max_row_share=...)")
    _validate.one_of(refuse, "refuse", ("raise", "flag"))
