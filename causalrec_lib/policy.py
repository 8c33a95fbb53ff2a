"""Off-policy evaluation: what another policy would have earned, from the log of the one that ran."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._off_policy import (
    NEEDS_THRESHOLD,
    importance_weights,
    model_of,
    objections,
    shrunk,
    slate_rows,
    threshold_of,
    value_of,
)
from causalrec_lib._refusal import NoOverlap, judge
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, OnRefusal, Rules

__all__ = ["at_actions", "bernstein", "off_policy_value", "slate_value", "thresholds", "uncovered"]

Estimator = Literal["DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos"]
SlateEstimator = Literal["IPS", "IIPS", "RIPS", "cascade DR"]
ESTIMANDS["policy value"] = "mean reward a round if the target policy had run"
_ASSUMES = (
    "the logged propensities are the chances that were at work",
    "a reward depends on its own round's action alone",
    "the coming rounds are like the logged ones",
)


def at_actions(probabilities: ArrayLike, actions: ArrayLike) -> FloatArray:
    """Return each round's probability of the action that was taken.

    Parameters
    ----------
    probabilities : array-like of shape (n, k)
        A policy: probability of each of k actions in each of n rounds.
    actions : array-like of int, shape (n,)
        Actions that were taken, 0 to k - 1.

    Returns
    -------
    ndarray of shape (n,)
        One probability a round.

    Raises
    ------
    ValueError
        If a round's probabilities are negative or don't sum to 1, or an action is none of the columns.

    Notes
    -----
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: dudik2011doubly
    """
    table = _validate.distributions(probabilities, "probabilities")
    taken = _validate.positions(actions, "actions", table.shape[1], len(table), "probabilities")
    return np.asarray(table[np.arange(len(table)), taken])


def uncovered(target: ArrayLike, logging: ArrayLike) -> FloatArray:
    """Return, round by round, how much of the target policy the logging policy could never show.

    Parameters
    ----------
    target : array-like of shape (n, k)
        Probability of each action under the policy to be judged.
    logging : array-like of shape (n, k)
        The same under the policy that wrote the log.

    Returns
    -------
    ndarray of shape (n,)
        Probability, 0 to 1, on actions that the logger takes with probability zero; no weight mends it.

    Raises
    ------
    ValueError
        If a round's probabilities are negative or don't sum to 1, or shapes differ.

    Notes
    -----
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: dudik2011doubly
    """
    table, wanted = _validate.distributions(logging, "logging"), _validate.distributions(target, "target")
    if wanted.shape != table.shape:
        raise ValueError(
            f"target has shape {wanted.shape} and logging {table.shape}; give both all rounds and actions."
        )
    return np.asarray(np.where(table == 0, wanted, 0.0).sum(axis=1))


def off_policy_value(
    y: ArrayLike,
    target: ArrayLike,
    e: ArrayLike,
    q: ArrayLike | None = None,
    v: ArrayLike | None = None,
    *,
    estimator: Estimator = "SNIPS",
    threshold: float | None = None,
    clusters: ArrayLike | None = None,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate the value of a policy from the log of another.

    Parameters
    ----------
    y : array-like of shape (n,)
        Reward of each round.
    target : array-like of shape (n,)
        Probability with which the policy to be judged takes the logged action, 0 to 1.
    e : array-like of shape (n,)
        Propensity: probability with which the logging policy took it, above 0 and up to 1.
    q : array-like of shape (n,), optional
        Predicted reward of the logged action.
    v : array-like of shape (n,), optional
        Predicted reward under the target policy: its mean over all actions.
    estimator : {"DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos"}
        The model alone; weighting, with weights as they are, normalised, or cut at the threshold; doubly robust,
        its correction as it is, normalised, without weights above the threshold, or optimistically shrunk
        (threshold w / (w^2 + threshold)).
    threshold : float, optional
        Above zero; for the three estimators that have one.
    clusters : array-like of shape (n,), optional
        Labels of rounds that share their noise, for example users.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the reward, for display.

    Returns
    -------
    Estimate
        Mean reward a round, with influence values; `q` and `v` are taken as given.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, out of range or of other length, or the estimator lacks its model or
        threshold.
    EstimateRefused
        If effective rounds, the largest weight or the mean weight (which should be 1) break a rule, or the logging
        policy was deterministic, and `refuse` is "raise".

    Notes
    -----
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: dudik2011doubly, swaminathan2015normalized, wang2017optimal, su2020doubly
    """
    reward = _validate.vector(y, "y")
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    chance, w = importance_weights(target, e, len(reward))
    cut = threshold_of(estimator, threshold)
    predicted, expected = model_of(q, v, len(reward), estimator)
    used = shrunk(w, estimator, cut)
    value, influence = value_of(reward, used, predicted, expected, estimator)
    codes = cluster_codes(clusters, len(reward))
    estimate = Estimate(
        value, standard_error(influence, codes), "policy value", estimator, len(reward), level=level, unit=unit,
        assumptions=_ASSUMES if estimator != "DM" else ("the model predicts every action's reward", *_ASSUMES[1:]),
        notes=("the error takes the model as given",) if estimator == "DM" else (),
        n_clusters=n_groups(codes), influence=influence, clusters=codes,
    )  # fmt: skip
    if estimator == "DM":
        return judge(estimate, {}, rules, refuse)
    sides = {"rounds": used} if used.any() else {}
    return judge(estimate, sides, rules, refuse, objections(w, chance, rules), ["mean weight"])


def thresholds(
    y: ArrayLike,
    target: ArrayLike,
    e: ArrayLike,
    q: ArrayLike | None = None,
    v: ArrayLike | None = None,
    *,
    estimator: Estimator = "SWITCH-DR",
    candidates: ArrayLike = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
) -> pd.DataFrame:
    """Judge thresholds without a truth: estimated variance plus squared estimated bias.

    Parameters
    ----------
    y, target, e, q, v : array-like of shape (n,)
        As in `off_policy_value`.
    estimator : {"clipped IPS", "SWITCH-DR", "DRos"}
        Whose threshold it is.
    candidates : array-like of shape (m,)
        Thresholds to try, above zero, ascending.

    Returns
    -------
    DataFrame
        Indexed by threshold: value, se, bias (the mean of what shrinking took from the corrections), and mse. Take
        the threshold with the smallest mse.

    Raises
    ------
    ValueError
        If inputs are unfit as in `off_policy_value`, or candidates are not ascending.

    Notes
    -----
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: su2020doubly
    """
    _validate.one_of(estimator, "estimator", NEEDS_THRESHOLD)
    grid = _validate.positive(candidates, "candidates", "try powers of ten")
    if (np.diff(grid) <= 0).any():
        raise ValueError("candidates must be ascending; sort them and drop the doubles.")
    reward = _validate.vector(y, "y")
    _, w = importance_weights(target, e, len(reward))
    predicted, expected = model_of(q, v, len(reward), estimator)
    rows = {}
    for cut in grid:
        used = shrunk(w, estimator, float(cut))
        value, influence = value_of(reward, used, predicted, expected, estimator)
        se, bias = standard_error(influence), float(np.mean((used - w) * (reward - predicted)))
        rows[float(cut)] = {"value": value, "se": se, "bias": bias, "mse": se**2 + bias**2}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("threshold")


def bernstein(rows: ArrayLike, low: float, high: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return an interval for a mean that holds at any sample size: the empirical Bernstein bound.

    Parameters
    ----------
    rows : array-like of shape (n,)
        Independent values, for example weight times reward; two or more.
    low, high : float
        Values that no row can leave, known before the data were seen.
    level : float
        Least coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper end, within low and high.

    Raises
    ------
    ValueError
        If a row lies outside of low and high, high is not above low, or level is out of range.

    Notes
    -----
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: maurer2009empirical
    """
    x = _validate.vector(rows, "rows")
    least, most = _validate.number(low, "low"), _validate.number(high, "high")
    chance = _validate.number(level, "level", above=0.0, below=1.0)
    if most <= least:
        raise ValueError(f"high must be above low; got low={low}, high={high}.")
    if len(x) < 2 or x.min() < least or x.max() > most:
        raise ValueError(f"rows must be two or more values between low and high, {least:g} and {most:g}.")
    n, log_term = len(x), np.log(4 / (1 - chance))
    half = np.sqrt(2 * x.var(ddof=1) * log_term / n) + 7 * (most - least) * log_term / (3 * (n - 1))
    return max(least, float(x.mean() - half)), min(most, float(x.mean() + half))


def slate_value(
    y: ArrayLike,
    ratio: ArrayLike,
    session: ArrayLike,
    position: ArrayLike,
    q: ArrayLike | None = None,
    v: ArrayLike | None = None,
    *,
    estimator: SlateEstimator = "RIPS",
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate the value of a policy that fills slates, from the slates of another.

    Parameters
    ----------
    y : array-like of shape (n,)
        Reward of each slot.
    ratio : array-like of shape (n,)
        Target over logging probability of the slot's item: whatever the other slots hold for "IIPS", given the
        slots above for the others.
    session : array-like of shape (n,)
        Labels of the slates.
    position : array-like of int, shape (n,)
        Place in the slate, 1 is the top.
    q : array-like of shape (n,), optional
        For "cascade DR": predicted reward of the slot and of all below it, given the items down to the slot, if the
        target policy fills those below.
    v : array-like of shape (n,), optional
        For "cascade DR": mean of `q` over the target policy's choice for the slot, given the slots above.
    estimator : {"IPS", "IIPS", "RIPS", "cascade DR"}
        Weigh a slot by the whole slate, by itself, or by itself and the slots above it; or weigh, as "RIPS" does,
        what a model leaves, and add the model's mean.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the reward, for display.

    Returns
    -------
    Estimate
        Mean reward a slate; influence values are one a slate, in the order of the sorted labels.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, a ratio is negative, a slate holds a place twice, or
        "cascade DR" lacks `q` or `v`.
    EstimateRefused
        If effective slates or the largest weight break a rule at some position and `refuse` is "raise".

    Notes
    -----
    "IIPS" assumes that a click depends on its own slot, "RIPS" and "cascade DR" that it depends on the slots above
    too. "cascade DR" is right with any model whose `v` is the mean of its `q`.
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: mcinerney2020counterfactual, kiyohara2022doubly
    """
    reward = _validate.vector(y, "y")
    step = _validate.nonnegative(ratio, "ratio", len(reward), "y")
    codes = _validate.labels(session, "session", len(reward), "y")
    place = _validate.positions(position, "position", low=1, n=len(reward), like="y")
    _validate.one_of(estimator, "estimator", ("IPS", "IIPS", "RIPS", "cascade DR"))
    predicted, expected = model_of(q, v, len(reward), estimator)
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    table = pd.DataFrame(
        {"session": codes, "place": place, "ratio": step, "y": reward, "q": predicted, "v": expected}
    )
    if table.duplicated(["session", "place"]).any():
        raise ValueError("position holds a place twice in one session; number the slots of each slate.")
    table = table.sort_values(["session", "place"], kind="stable")
    w, rows = slate_rows(table, estimator)
    slates = rows.groupby(table["session"]).sum().to_numpy(float)
    influence = slates - slates.mean()
    estimate = Estimate(
        float(slates.mean()), standard_error(influence), "policy value", f"slates, {estimator}", len(slates),
        level=level, unit=unit, assumptions=_ASSUMES, influence=influence,
    )  # fmt: skip
    groups = {f"slates at position {k}": at.to_numpy(float) for k, at in w.groupby(table["place"])}
    if not all(at.any() for at in groups.values()):
        return judge(estimate, {}, rules, refuse, [NoOverlap("ratio is zero in every slate at some position.")])
    return judge(estimate, groups, rules, refuse)
