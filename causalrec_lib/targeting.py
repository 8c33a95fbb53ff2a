"""Who gets what: gains of treating some rows, held against their cost, from scores of rows not used to choose."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._harm import harm_bounds
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate
from causalrec_lib.heterogeneity import rate

__all__ = ["area", "by_convention", "harm_bounds", "policy_gain", "share_gain", "uplift_curve", "within_budget"]

ESTIMANDS["targeting gain"] = "gain a row over treating nobody, rows that are not treated counting as zero"
ESTIMANDS["AUUC"] = "gain a row over treating nobody, averaged over shares treated"
_ASSUMES = (
    "no unmeasured confounding given X",
    "overlap",
    "no interference",
    "the rule was made without these rows",
)


def policy_gain(
    scores: ArrayLike,
    treat: ArrayLike,
    *,
    costs: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate what a rule gains over treating nobody, less its cost.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Doubly robust score of each row, whose mean is the average effect: `influence + value` of
        `doubly_robust.aipw`.
    treat : array-like of shape (n,)
        Chance, 0 to 1, with which the rule treats each row; made without these rows' outcomes.
    costs : array-like of shape (n,), optional
        Cost of treating each row, in the unit of the outcome; by default nothing.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Mean over all rows of chance times score less cost. The rule and known costs are taken as given.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or a chance lies outside of 0 to 1.

    Notes
    -----
    A cost that depends on what the treated do (a coupon that is redeemed) belongs into the outcome of the scores.
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: athey2021policy
    """
    psi = _net(scores, costs)
    chance = _validate.vector(treat, "treat", len(psi), "scores")
    _validate.inside(chance, (chance < 0) | (chance > 1), "treat", "between 0 and 1", "pass chances")
    gained = chance * psi
    return _estimate(float(gained.mean()), gained - gained.mean(), "targeting gain", "a rule", clusters, level, unit)


def share_gain(
    scores: ArrayLike,
    priority: ArrayLike,
    share: float,
    *,
    costs: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate what treating the first share of rows gains over treating nobody: a point of the uplift curve.

    Parameters
    ----------
    scores : array-like of shape (n,)
        As in `policy_gain`.
    priority : array-like of shape (n,)
        Rows with larger values are treated first; made without these rows' outcomes. Ties share what is left.
    share : float
        Share of rows that are treated, above 0 up to 1.
    costs, clusters, level, unit : optional
        As in `policy_gain`.

    Returns
    -------
    Estimate
        Per row of all rows. The error counts that the cut is a quantile of these rows.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or the share is out of range.

    Notes
    -----
    Influence: what a row gains, and what the rows at the cut gain times the place that a row takes from them.
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    psi = _net(scores, costs)
    first = _validate.vector(priority, "priority", len(psi), "scores")
    part = _validate.number(share, "share", high=1.0, above=0.0)
    value, influence = _of_share(psi, first, part)
    method = f"the first {part:.0%} of a priority"
    return _estimate(value, influence, "targeting gain", method, clusters, level, unit)


def uplift_curve(
    scores: ArrayLike,
    priority: ArrayLike,
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *,
    costs: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate the gain of treating the first rows, share by share.

    Parameters
    ----------
    scores, priority : array-like of shape (n,)
        As in `share_gain`.
    shares : tuple of float
        Shares of rows that are treated, above 0 up to 1, ascending.
    costs, clusters, level : optional
        As in `policy_gain`.

    Returns
    -------
    DataFrame
        Indexed by share: `gain` per row of all rows, its standard error `se`, and the ends `low` and `high` of an
        interval that holds at each share by itself, not along the whole curve.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or shares are out of range or not ascending.

    Notes
    -----
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    asked = _validate.ascending(shares, "shares")
    if asked[0] <= 0 or asked[-1] > 1:
        raise ValueError(f"shares must lie above 0 and at most at 1; got {shares}.")
    given = {"costs": costs, "clusters": clusters, "level": level}
    points = [share_gain(scores, priority, s, **given) for s in asked]  # type: ignore[arg-type]
    rows = [(x.value, x.se, x.low, x.high) for x in points]
    return pd.DataFrame(rows, columns=["gain", "se", "low", "high"], index=pd.Index(asked, name="share"))


def area(
    scores: ArrayLike,
    priority: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate the area under the uplift curve (AUUC).

    Parameters
    ----------
    scores, priority : array-like of shape (n,)
        As in `share_gain`.
    clusters, level, unit : optional
        As in `policy_gain`.

    Returns
    -------
    Estimate
        Mean over shares, from 0 to 1, of the gain per row of all rows. It is half the average effect plus the Qini
        coefficient, `heterogeneity.rate(weighting="qini")`, which is the area above the straight line of a random
        order.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, or of other length.

    Notes
    -----
    Nothing is divided by a "perfect" curve: individual effects are not known, so there is none.
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    psi = _validate.vector(scores, "scores")
    qini = rate(psi, priority, weighting="qini", clusters=clusters, level=level)
    influence = np.asarray(qini.influence, dtype=float) + (psi - psi.mean()) / 2
    return _estimate(qini.value + float(psi.mean()) / 2, influence, "AUUC", "uplift curve", clusters, level, unit)


def within_budget(predicted: ArrayLike, costs: ArrayLike, budget: float, *, must_pay: bool = True) -> FloatArray:
    """Choose whom to treat with a budget: the most gain for each unit of cost first.

    Parameters
    ----------
    predicted : array-like of shape (n,)
        Predicted gain of treating each row.
    costs : array-like of shape (n,)
        Cost of treating it, above zero; a one in each row makes the budget a capacity.
    budget : float
        What may be spent, per row of all rows; zero or more, same unit as the costs.
    must_pay : bool
        Whether gain and cost have one unit, and rows that gain less than they cost stay out; otherwise those with
        a gain of zero or less do.

    Returns
    -------
    ndarray of shape (n,)
        Chance of treatment: 1 or 0, and in between for the row at which the budget ends.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, a cost is not above zero, or the budget is negative.

    Notes
    -----
    No rule that keeps to the budget has more predicted gain (`must_pay=False`) or predicted profit.
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: athey2021policy
    """
    gain = _validate.vector(predicted, "predicted")
    price = _validate.positive(costs, "costs", "what costs nothing needs no budget", len(gain), "predicted")
    left = _validate.number(budget, "budget", low=0.0) * len(gain)
    pays = gain - price if _validate.flag(must_pay, "must_pay") else gain
    order = np.argsort(-pays / price, kind="stable")
    spent_before = np.concatenate([[0.0], np.cumsum(np.where(pays > 0, price, 0.0)[order])[:-1]])
    chance = np.empty(len(gain))
    chance[order] = np.clip((left - spent_before) / price[order], 0.0, 1.0)
    return np.asarray(np.where(pays > 0, chance, 0.0))


def _net(scores: ArrayLike, costs: ArrayLike | None) -> FloatArray:
    psi = _validate.vector(scores, "scores")
    return psi if costs is None else psi - _validate.vector(costs, "costs", len(psi), "scores")


def _of_share(psi: FloatArray, first: FloatArray, share: float) -> tuple[float, FloatArray]:
    """Return gain and centred influence of treating the first share; ties at the cut are treated in part."""
    n = len(psi)
    cut = np.sort(first)[::-1][min(int(np.ceil(share * n - 1e-9)), n) - 1]
    above, tied = first > cut, first == cut
    part = (share * n - above.sum()) / tied.sum()
    chance = above + part * tied
    value = float(chance @ psi / n)
    if share == 1:
        return value, psi - psi.mean()
    margin = float(psi[tied].mean()) if tied.sum() > 1 else _at_cut(psi, first, share)
    influence = chance * (psi - margin) - float(np.mean(chance * (psi - margin)))
    return value, influence


def _at_cut(psi: FloatArray, first: FloatArray, share: float) -> float:
    """Return the mean score of rows near the cut: those within n ** -0.2 / 4 of it, in ranks."""
    n = len(psi)
    order = np.argsort(-first, kind="stable")
    width = max(int(n**0.8 / 4), 1)
    middle = int(share * n)
    return float(psi[order[max(middle - width, 0) : middle + width]].mean())


def _estimate(
    value: float,
    influence: FloatArray,
    estimand: str,
    method: str,
    clusters: ArrayLike | None,
    level: float,
    unit: str,
) -> Estimate:
    codes = cluster_codes(clusters, len(influence))
    return Estimate(
        value, standard_error(influence, codes), estimand, method, len(influence), level=level, unit=unit,
        assumptions=_ASSUMES, n_clusters=n_groups(codes), influence=influence, clusters=codes,
    )  # fmt: skip


def by_convention(y: ArrayLike, t: ArrayLike, priority: ArrayLike) -> pd.Series:
    """Score a ranking of a randomised trial as scikit-uplift and causalml do, each by its own convention.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome, 0 or 1.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    priority : array-like of shape (n,)
        Rows with larger values come first.

    Returns
    -------
    Series
        One number a library and name. Compare them within a row of the same data, never across names.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or y or t is not 0 or 1 or the same in all rows.

    Notes
    -----
    Gains are differences of group means times rows (AUUC), or treated buyers less rescaled control buyers (Qini).
    scikit-uplift divides by a "perfect" order that has seen the outcomes; causalml's normalised scores divide by the
    last point of the curve. Neither has an error. Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    bought = _validate.binary(y, "y")
    group = _validate.binary(t, "t", len(bought), "y")
    first = _validate.vector(priority, "priority", len(bought), "y")
    order = np.argsort(-first, kind="stable")
    each = _curves(bought[order], group[order], -np.arange(len(bought), dtype=float))
    scikit = _curves(bought, group, first)
    late = bought if (bought * (1 - group)).sum() > ((1 - bought) * group).sum() else group
    perfect = {
        "uplift": _curves(bought, group, 2.0 * (bought == group) + late),
        "qini": _curves(bought, group, bought * group - bought * (1 - group)),
    }
    out = {}
    for kind, name in (("uplift", "uplift AUC"), ("qini", "Qini AUC")):
        best = _above_line(perfect[kind]["rows"], perfect[kind][kind])
        out[f"scikit-uplift, {name}"] = _above_line(scikit["rows"], scikit[kind]) / best
    lift = each["uplift"] / np.maximum(each["rows"], 1.0)
    gain, qini = _bridged(lift, each["both"]) * each["rows"], _bridged(each["qini"], each["others"])
    above = qini.mean() - qini[-1] / 2
    out |= {"causalml, AUUC": gain.mean(), "causalml, AUUC normalised": gain.mean() / abs(gain[-1])}
    out |= {"causalml, Qini": above, "causalml, Qini normalised": above / abs(qini[-1])}
    return pd.Series(out, name="score")


def _curves(y: FloatArray, t: FloatArray, first: FloatArray) -> dict[str, FloatArray]:
    """Return rows, gain and Qini curve at each distinct priority, from nobody on."""
    order = np.argsort(-first, kind="stable")
    last = np.append(np.flatnonzero(np.diff(first[order])), len(y) - 1)
    rows = last + 1.0
    treated, bought = np.cumsum(t[order])[last], np.cumsum((t * y)[order])[last]
    others, bought_too = rows - treated, np.cumsum(((1 - t) * y)[order])[last]
    rate1 = bought / np.maximum(treated, 1)
    rate0 = bought_too / np.maximum(others, 1)
    curves = {"rows": rows, "uplift": (rate1 - rate0) * rows, "qini": bought - rate0 * treated}
    curves |= {"both": np.minimum(treated, others), "others": others}
    return {name: np.concatenate([[0.0], curve]) for name, curve in curves.items()}


def _bridged(curve: FloatArray, seen: FloatArray) -> FloatArray:
    """Return a curve with straight lines where a group has no rows yet, as causalml draws it."""
    known = np.flatnonzero((seen > 0) | (np.arange(len(curve)) == 0))
    return np.asarray(np.interp(np.arange(len(curve)), known, curve[known]))


def _above_line(x: FloatArray, curve: FloatArray) -> float:
    """Return the area between a curve and the straight line from its first point to its last."""
    return float(np.trapezoid(curve - curve[-1] * x / x[-1], x))
