"""Off-policy evaluation: what another policy would have earned, from the log of the one that ran."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._refusal import EstimateRefused, Miscalibrated, NoOverlap, judge, of_clusters
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, OnRefusal, Rules

__all__ = ["at_actions", "bernstein", "off_policy_value", "slate_value", "thresholds", "uncovered"]

Estimator = Literal["DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos"]
SlateEstimator = Literal["IPS", "IIPS", "RIPS"]
ESTIMANDS["policy value"] = "mean reward a round if the target policy had run"
NEEDS_MODEL = ("DM", "DR", "SNDR", "SWITCH-DR", "DRos")
NEEDS_THRESHOLD = ("clipped IPS", "SWITCH-DR", "DRos")
_ASSUMES = (
    "the logged propensities are the chances that were at work",
    "a reward depends on its own round's action alone",
    "the coming rounds are like the logged ones",
)
_CERTAIN = 1 - 1e-12


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
    table = _validate.matrix(probabilities, "probabilities")
    table = _validate.distributions(table, "probabilities", table.shape)
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
    table = _validate.matrix(logging, "logging")
    table = _validate.distributions(table, "logging", table.shape)
    wanted = _validate.matrix(target, "target", len(table), "logging")
    if wanted.shape != table.shape:
        raise ValueError(f"target has {wanted.shape[1]} actions and logging {table.shape[1]}; give both all actions.")
    wanted = _validate.distributions(wanted, "target", table.shape)
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
    bib: dudik2011doubly, schnabel2016recommendations, wang2017optimal, su2020doubly
    """
    reward = _validate.vector(y, "y")
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    w = _weights(target, e, len(reward))
    cut = _threshold(estimator, threshold)
    predicted, expected = _model(q, v, len(reward), estimator)
    used = _shrunk(w, estimator, cut)
    value, influence = _value(reward, used, predicted, expected, estimator)
    codes = cluster_codes(clusters, len(reward))
    estimate = Estimate(
        value, standard_error(influence, codes), "policy value", estimator, len(reward), level=level, unit=unit,
        assumptions=_ASSUMES if estimator != "DM" else ("the model predicts every action's reward", *_ASSUMES[1:]),
        notes=("the error takes the model as given",) if estimator == "DM" else (),
        n_clusters=n_groups(codes), influence=influence, clusters=codes,
    )  # fmt: skip
    if estimator == "DM":
        return judge(estimate, {}, rules, refuse, of_clusters(estimate.n_clusters, rules))
    sides = {"rounds": used} if used.any() else {}
    return judge(estimate, sides, rules, refuse, _objections(w, _validate.vector(e, "e"), rules), ["mean weight"])


def _weights(target: ArrayLike, e: ArrayLike, n: int) -> FloatArray:
    chance = _validate.vector(e, "e", n, "y")
    if ((chance <= 0) | (chance > 1)).any():
        bad = (chance <= 0) | (chance > 1)
        raise ValueError(
            f"e must lie above 0 and up to 1, but does not in {_validate.rows(bad)}; an action that was taken had a "
            "chance: look for rounding, or for percentages."
        )
    wanted = _validate.vector(target, "target", n, "y")
    if ((wanted < 0) | (wanted > 1)).any():
        bad = (wanted < 0) | (wanted > 1)
        raise ValueError(
            f"target must lie between 0 and 1, but does not in {_validate.rows(bad)}; pass probabilities."
        )
    return np.asarray(wanted / chance)


def _threshold(estimator: str, threshold: float | None) -> float:
    _validate.one_of(estimator, "estimator", (*NEEDS_MODEL, "IPS", "SNIPS", "clipped IPS"))
    if estimator not in NEEDS_THRESHOLD:
        if threshold is not None:
            raise ValueError(f"threshold is for {', '.join(NEEDS_THRESHOLD)}; leave it out for {estimator}.")
        return np.inf
    if threshold is None:
        raise ValueError(f"threshold is missing, and {estimator} needs one; see policy.thresholds for a choice.")
    return _validate.number(threshold, "threshold", above=0.0)


def _model(q: ArrayLike | None, v: ArrayLike | None, n: int, estimator: str) -> tuple[FloatArray, FloatArray]:
    if estimator not in NEEDS_MODEL:
        return np.zeros(n), np.zeros(n)
    if q is None or v is None:
        missing = "q" if q is None else "v"
        raise ValueError(f"{missing} is missing, and {estimator} needs predicted rewards; pass both q and v.")
    return _validate.vector(q, "q", n, "y"), _validate.vector(v, "v", n, "y")


def _shrunk(w: FloatArray, estimator: str, threshold: float) -> FloatArray:
    """Return the weights that an estimator uses."""
    if estimator == "clipped IPS":
        return np.minimum(w, threshold)
    if estimator == "SWITCH-DR":
        return np.where(w <= threshold, w, 0.0)
    if estimator == "DRos":
        return np.asarray(threshold * w / (w**2 + threshold))
    return w


def _value(y: FloatArray, w: FloatArray, q: FloatArray, v: FloatArray, estimator: str) -> tuple[float, FloatArray]:
    """Return value and centred influence."""
    if estimator == "DM":
        return float(v.mean()), v - v.mean()
    if estimator not in ("SNIPS", "SNDR") or not w.any():
        rows = v + w * (y - q)
        return float(rows.mean()), rows - rows.mean()
    correction = float(w @ (y - q) / w.sum())
    influence = v - v.mean() + w * (y - q - correction) / w.mean()
    return float(v.mean()) + correction, influence


def _objections(w: FloatArray, e: FloatArray, rules: Rules) -> list[EstimateRefused]:
    """Return what is wrong with the weights before any reward is looked at."""
    if not w.any():
        return [NoOverlap("no round is left: target takes none of the logged actions; log with more exploration.")]
    if (e >= _CERTAIN).all():
        return [
            NoOverlap(
                "e is 1 in every round: the logging policy was deterministic, and never showed what else it could "
                "have. Log with some exploration; no weighting helps here."
            )
        ]
    gap, spread = float(w.mean()) - 1, float(w.std()) / len(w) ** 0.5
    if not abs(gap) > rules.max_z * spread:
        return []
    return [
        Miscalibrated(
            f"weights average {w.mean():.3f} instead of 1 (rule: {rules.max_z:g} standard errors). Either e is not "
            "the chance that was at work, or target likes actions that were never logged."
        )
    ]


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
    grid = _validate.vector(candidates, "candidates")
    if (np.diff(grid) <= 0).any() or grid[0] <= 0:
        raise ValueError("candidates must be above zero and ascending; sort them and drop the doubles.")
    reward = _validate.vector(y, "y")
    w = _weights(target, e, len(reward))
    predicted, expected = _model(q, v, len(reward), estimator)
    rows = {}
    for cut in grid:
        used = _shrunk(w, estimator, float(cut))
        value, influence = _value(reward, used, predicted, expected, estimator)
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
        Target over logging probability of the slot's item: given the slots above for "IPS" and "RIPS", and whatever
        the other slots hold for "IIPS".
    session : array-like of shape (n,)
        Labels of the slates.
    position : array-like of int, shape (n,)
        Place in the slate, 1 is the top.
    estimator : {"IPS", "IIPS", "RIPS"}
        Weigh a slot by the whole slate, by itself, or by itself and the slots above it.
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
        If inputs are no finite numbers or of other length, a ratio is negative, or a slate holds a place twice.
    EstimateRefused
        If effective slates or the largest weight break a rule at some position and `refuse` is "raise".

    Notes
    -----
    "IIPS" assumes that a click depends on its own slot, "RIPS" that it depends on the slots above too.
    Chapter: recommenders/02_off_policy_evaluation

    References
    ----------
    bib: mcinerney2020counterfactual
    """
    reward = _validate.vector(y, "y")
    step = _validate.nonnegative(ratio, "ratio", len(reward), "y")
    codes = _validate.labels(session, "session", len(reward), "y")
    place = _validate.positions(position, "position", low=1, n=len(reward), like="y")
    _validate.one_of(estimator, "estimator", ("IPS", "IIPS", "RIPS"))
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    table = pd.DataFrame({"session": codes, "place": place, "ratio": step, "y": reward})
    if table.duplicated(["session", "place"]).any():
        raise ValueError("position holds a place twice in one session; number the slots of each slate.")
    table = table.sort_values(["session", "place"], kind="stable")
    by = table.groupby("session")["ratio"]
    w = table["ratio"] if estimator == "IIPS" else by.cumprod() if estimator == "RIPS" else by.transform("prod")
    slates = (w * table["y"]).groupby(table["session"]).sum().to_numpy(float)
    influence = slates - slates.mean()
    estimate = Estimate(
        float(slates.mean()), standard_error(influence), "policy value", f"slates, {estimator}", len(slates),
        level=level, unit=unit, assumptions=_ASSUMES, influence=influence,
    )  # fmt: skip
    groups = {f"slates at position {k}": rows.to_numpy(float) for k, rows in w.groupby(table["place"])}
    if not all(rows.any() for rows in groups.values()):
        return judge(estimate, {}, rules, refuse, [NoOverlap("ratio is zero in every slate at some position.")])
    return judge(estimate, groups, rules, refuse)
