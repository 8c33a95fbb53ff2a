"""Evaluation of recommenders: ranking metrics with intervals over users, list values that are effects, and lists."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._lists import diversity, gini, item_exposure, mean_over_users, miscalibration, novelty
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._rank_metrics import METRICS, SAMPLED, RankMetric, of_sampled_rank, ranked, value_of
from causalrec_lib._refusal import judge, of_propensities
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Design, Estimate, NoOverlap, OnRefusal, Rules

__all__ = [
    "diversity",
    "gini",
    "item_exposure",
    "list_value",
    "miscalibration",
    "novelty",
    "ranking_metric",
    "sampled_metric",
    "user_metric",
]

Outcome = Literal["as logged", "if shown", "effect"]
ESTIMANDS["ranking metric"] = "mean over users of a score of their list against logged relevance"
ESTIMANDS["list value"] = "mean outcome of the listed pairs"
ESTIMANDS["list effect"] = "mean effect of showing the listed pairs"
ESTIMANDS["list property"] = "mean over users of a property of their list"
_OF = {"as logged": "list value", "if shown": "list value", "effect": "list effect"}
_LOGGED = ("the logged propensities are the chances that were at work", "an outcome depends on its own pair alone")


def user_metric(
    relevance: ArrayLike,
    scores: ArrayLike,
    *,
    metric: RankMetric = "NDCG",
    k: int = 10,
    candidates: ArrayLike | None = None,
) -> FloatArray:
    """Score each user's first k items against what was relevant to the user.

    Parameters
    ----------
    relevance : array-like of shape (n_users, n_items)
        Gains of zero or more; an item is relevant if its gain is above zero. Only NDCG uses the size of a gain.
    scores : array-like of shape (n_users, n_items)
        Higher comes first; equal scores in order of the columns.
    metric : {"precision", "recall", "F1", "hit rate", "MRR", "MAP", "NDCG"}
        All at k: MRR is zero where the first relevant item comes after k; MAP divides by the smaller of k and the
        number of relevant items; NDCG has linear gains and the discount 1 / log2(rank + 1).
    k : int
        Length of the list, 1 to n_items.
    candidates : array-like of shape (n_users, n_items), optional
        1 for what may be recommended; for example 0 for items of the training set. At least k a user.

    Returns
    -------
    ndarray of shape (n_users,)
        Values from 0 to 1; NaN for a user without a relevant candidate, to whom no metric applies.

    Raises
    ------
    ValueError
        If shapes differ, numbers are missing or negative, or k is out of range.

    Notes
    -----
    Conventions are those of `sklearn.metrics.ndcg_score(ignore_ties=True)` (linear gains) and of trec_eval for the
    others but MAP, which there divides by all relevant items. Scikit-learn averages over ties by default, and gives
    the mean over users alone; torchmetrics' NDCG has linear gains, too.
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: jarvelin2002cumulated
    """
    _validate.one_of(metric, "metric", METRICS)
    return value_of(ranked(relevance, scores, k, candidates), metric)


def ranking_metric(
    relevance: ArrayLike,
    scores: ArrayLike,
    *,
    metric: RankMetric = "NDCG",
    k: int = 10,
    candidates: ArrayLike | None = None,
    empty: Literal["skip", "zero"] = "skip",
    level: float = 0.95,
) -> Estimate:
    """Return the mean of `user_metric` with its interval over users.

    Parameters
    ----------
    relevance, scores : array-like of shape (n_users, n_items)
        As in `user_metric`.
    metric : {"precision", "recall", "F1", "hit rate", "MRR", "MAP", "NDCG"}
        As in `user_metric`.
    k : int
        Length of the list.
    candidates : array-like of shape (n_users, n_items), optional
        As in `user_metric`.
    empty : {"skip", "zero"}
        Users without a relevant item are left out, or count zero. The card says how many there are.
    level : float
        Coverage that the interval claims, over draws of users.

    Returns
    -------
    Estimate
        Mean over users, 0 to 1, with influence values in order of the users.

    Raises
    ------
    ValueError
        If inputs are unfit as in `user_metric`, or no user has a relevant item.

    Notes
    -----
    The interval takes the scores as given, and users as independent.
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: jarvelin2002cumulated
    """
    _validate.one_of(metric, "metric", METRICS)
    _validate.one_of(empty, "empty", ("skip", "zero"))
    r = ranked(relevance, scores, k, candidates)
    values = value_of(r, metric)
    none = np.isnan(values)
    if none.all():
        raise ValueError("relevance has no relevant candidate for any user; check the split and the candidates.")
    notes = (f"{int(none.sum())} users without a relevant item {'are left out' if empty == 'skip' else 'count 0'}",)
    ties = (f"{int(r.tied.sum())} users have a tie at rank {k}, broken in order of the columns",)
    kept = ~none if empty == "skip" else np.ones(len(values), dtype=bool)
    return mean_over_users(
        np.nan_to_num(values), kept, "ranking metric", f"{metric}@{k}", level,
        (notes if none.any() else ()) + (ties if r.tied.any() else ()),
        ("relevance was logged without regard to the ranking", "users are independent"),
    )  # fmt: skip


def list_value(
    y: ArrayLike,
    t: ArrayLike,
    e: ArrayLike,
    listed: ArrayLike,
    *,
    outcome: Outcome = "effect",
    clusters: ArrayLike | None = None,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate what showing the listed pairs does, from a log of shown and not shown pairs.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome of each user-item pair of the log, shown or not.
    t : array-like of shape (n,)
        1 if the pair was shown, 0 if not.
    e : array-like of shape (n,)
        Propensity: the chance of being shown that was at work, strictly between 0 and 1.
    listed : array-like of shape (n,)
        Weight that the ranking to be judged gives to the pair: 0 outside of its list, above 0 inside; 1 for the mean
        over list entries, 1 / log2(rank + 1) for a discounted one.
    outcome : {"as logged", "if shown", "effect"}
        Mean outcome of the listed pairs as they happened (what precision counts), had they all been shown (weights
        t / e), or the difference that showing them makes (t / e against (1 - t) / (1 - e)).
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise, for example users.
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
        Weighted mean over list entries (Hajek), with influence values in order of the rows.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or range, the list is empty, or an option is unknown.
    EstimateRefused
        If effective rows, the largest weight, the calibration of `e` among listed pairs or the number of clusters
        break a rule, or no listed pair was shown, or (for the effect) none was left out, and `refuse` is "raise".

    Notes
    -----
    Pairs outside of the list have no influence. The log may be a random sample of all pairs.
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: sato2019uplift, schnabel2016recommendations, yang2018unbiased
    """
    _validate.one_of(outcome, "outcome", tuple(_OF))
    reward = _validate.vector(y, "y")
    shown = _validate.binary(t, "t", len(reward), "y", both=outcome != "as logged")
    p = _validate.propensity(e, "e", len(reward), "y")
    d = _validate.nonnegative(listed, "listed", len(reward), "y")
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    if not d.any():
        raise ValueError("listed is zero in every row: no pair of the log is in the list; check the join of both.")
    sides = _sides(outcome, d, shown, p)
    arms, influence, signed = {}, np.zeros(len(reward)), np.zeros(len(reward))
    for (name, w), sign in zip(sides.items(), (1, -1), strict=False):
        if not w.any():
            raise NoOverlap(f"no listed pair was {name}: the log can't say what showing the list does.")
        arms[name] = float(w @ reward / w.sum())
        influence += sign * w * (reward - arms[name]) / w.mean()
        signed += sign * w / w.mean()
    codes = cluster_codes(clusters, len(reward))
    values = list(arms.values())
    estimate = Estimate(
        values[0] - (values[1] if outcome == "effect" else 0.0), standard_error(influence, codes), _OF[outcome],
        f"{outcome}, weighted mean over list entries", int((d > 0).sum()), level=level, unit=unit,
        assumptions=_LOGGED if outcome != "as logged" else ("what happened in the log is what is asked for",),
        arms=arms, n_clusters=n_groups(codes), influence=influence, clusters=codes, design=Design(signed),
    )  # fmt: skip
    inside = d > 0
    found = [] if outcome == "as logged" else of_propensities(_OF[outcome], shown[inside], p[inside], rules)
    checked = [] if outcome == "as logged" else ["calibration of e"]
    return judge(estimate, {name: w[w > 0] for name, w in sides.items()}, rules, refuse, found, checked)


def _sides(outcome: str, d: FloatArray, t: FloatArray, e: FloatArray) -> dict[str, FloatArray]:
    """Return the weights of each side of the comparison; the second is subtracted."""
    if outcome == "as logged":
        return {"listed": d}
    if outcome == "if shown":
        return {"shown": d * t / e}
    return {"shown": d * t / e, "not shown": d * (1 - t) / (1 - e)}


def sampled_metric(
    rank: ArrayLike,
    n_items: int,
    negatives: int,
    *,
    metric: Literal["recall", "MRR", "NDCG"] = "recall",
    k: int = 10,
) -> FloatArray:
    """Return the expected metric at k when one relevant item is ranked among a few drawn items only.

    Parameters
    ----------
    rank : array-like of int, shape (n,)
        Rank of each relevant item among all items, 1 is best.
    n_items : int
        Items that are ranked, the relevant one included.
    negatives : int
        Other items drawn, without replacement; n_items - 1 gives the full metric.
    metric : {"recall", "MRR", "NDCG"}
        With one relevant item: recall is 1 if it is among the first k, MRR 1 / rank, NDCG 1 / log2(rank + 1).
    k : int
        Length of the list.

    Returns
    -------
    ndarray of shape (n,)
        Expectation over the draw; no draw is made.

    Raises
    ------
    ValueError
        If a rank is no whole number from 1 to n_items, or negatives or k are out of range.

    Notes
    -----
    How many of the drawn items come before the relevant one is hypergeometric.
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: krichene2022sampled
    """
    _validate.one_of(metric, "metric", SAMPLED)
    n = _validate.integer(n_items, "n_items", 2)
    m = _validate.integer(negatives, "negatives", 1, n - 1)
    place = _validate.positions(rank, "rank", n + 1, low=1)
    return of_sampled_rank(place, n, m, _validate.integer(k, "k", 1, n), metric)
