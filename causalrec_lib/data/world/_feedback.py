"""A feedback loop: a recommender that retrains every week on the log that it wrote itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]
Learner = Callable[[pd.DataFrame], Any]

RETRAINING = ("clicks", "weighted", "random")
FIRST_WEEK = 0.5
PRIOR_CLICKS = 1.0
PRIOR_IMPRESSIONS = 50.0


def gini(x: Array) -> float:
    """Return the Gini coefficient of non-negative counts: 0 all equal, 1 all on one."""
    x = np.sort(np.asarray(x, dtype=np.float64))
    n = len(x)
    return float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum()))


def learned(how: str, clicks: Array, shown: Array) -> Array:
    """Return what the recommender believes of each item: counts of clicks, or clicks a display (shrunk)."""
    if how == "random":
        return np.ones(clicks.shape)
    if how == "clicks":
        return clicks + PRIOR_CLICKS
    rate = clicks.sum(axis=1, keepdims=True) / np.maximum(shown.sum(axis=1, keepdims=True), 1)  # a segment of nobody
    return (clicks + PRIOR_IMPRESSIONS * rate) / (shown + PRIOR_IMPRESSIONS)


def spread(belief: Array, sharpness: float, explore: float) -> Array:
    """Return next week's shares of displays: belief to the power of `sharpness`, and a share at random."""
    log_belief = np.log(np.maximum(belief, 1e-300))
    return (1 - explore) * softmax(sharpness * log_belief, axis=1) + explore / belief.shape[1]


def _week(
    core: Core, share: Array, budget: Array, groups: list[Array], rng: np.random.Generator
) -> tuple[Array, ...]:
    """Draw a week of displays: segments, users, items and clicks, one row a display."""
    drawn = rng.multinomial(budget, share)
    segment = np.repeat(np.arange(len(budget)), budget)
    item = np.repeat(np.tile(np.arange(share.shape[1]), len(budget)), drawn.ravel())
    size = np.array([len(g) for g in groups])
    place = np.floor(rng.uniform(size=len(segment)) * size[segment]).astype(np.int64)
    user = np.concatenate(groups)[place + (np.cumsum(size) - size)[segment]]
    clicked = rng.uniform(size=len(user)) < core.shown_chance(user, item)
    return segment, user, item, clicked


def _report(core: Core, week: int, size: Array, share: Array, shown: Array, clicks: int) -> dict[str, float]:
    p1, lift = core.segment_means
    attention = np.sort(size @ share)[::-1]
    return {
        "round": week,
        "gini": gini(attention),
        "top_1pct_share": float(attention[: max(1, core.shape[1] // 100)].sum()),
        "effective_items": float(np.exp(-np.sum(attention * np.log(np.maximum(attention, 1e-300))))),
        "popularity_correlation": float(np.corrcoef(np.log(shown + 1.0), core.P)[0, 1]),
        "clicks": clicks,
        "reward": float(size @ (share * p1).sum(axis=1)),
        "lift": float(size @ (share * lift).sum(axis=1)),
    }


def _own_belief(learner: Learner, log: list[pd.DataFrame], shape: tuple[int, ...]) -> Array:
    """Return what a learner of the reader's own makes of the log so far."""
    belief = _validate.matrix(learner(pd.concat(log, ignore_index=True)), "retrain(log)", shape[0])
    if belief.shape != shape or (belief < 0).any() or (belief.sum(axis=1) == 0).any():
        raise ValueError(
            f"retrain(log) must return numbers of at least 0, not all 0 in a row, of shape {shape} (segments in "
            f"alphabetical order x items), but returned shape {belief.shape}."
        )
    return belief


def feedback_loop(
    core: Core,
    rounds: int,
    retrain: str | Learner,
    sharpness: float,
    explore: float,
    impressions: int,
    seed: int | None,
    with_log: bool,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Run the loop; see `World.feedback_loop`. The second part is the log of all displays, or None."""
    _validate.flag(with_log, "with_log")
    if not callable(retrain):
        _validate.one_of(retrain, "retrain", RETRAINING)
    _validate.number(sharpness, "sharpness", 0)
    _validate.number(explore, "explore", 0, 1)
    core.without_interference("feedback_loop")
    rng = stream(core.seed, "feedback", draw_number(seed))
    code = core.users["segment"].cat.codes.to_numpy()
    groups = [np.flatnonzero(code == k) for k in range(len(core.users["segment"].cat.categories))]
    size = np.array([len(g) for g in groups]) / core.shape[0]
    budget = np.rint(size * _validate.integer(impressions, "impressions", 100)).astype(int)
    share = np.tile(softmax(FIRST_WEEK * core.P.astype(np.float64)), (len(size), 1))
    clicks, shown = np.zeros((2, *share.shape))
    rows, logs = [], []
    for week in range(_validate.integer(rounds, "rounds", 1) + 1):
        segment, user, item, clicked = _week(core, share, budget, groups, rng)
        cell = segment * share.shape[1] + item
        drawn = np.bincount(cell, minlength=share.size).reshape(share.shape)
        shown += drawn
        clicks += np.bincount(cell, clicked, minlength=share.size).reshape(share.shape)
        rows.append(_report(core, week, size, share, drawn.sum(axis=0), int(clicked.sum())))
        if with_log or callable(retrain):
            logs.append(_log(core, week, segment, user, item, share[segment, item], clicked))
        belief = _own_belief(retrain, logs, share.shape) if callable(retrain) else learned(retrain, clicks, shown)
        share = spread(belief, sharpness, explore)
    return pd.DataFrame(rows), pd.concat(logs, ignore_index=True) if with_log else None


def _log(core: Core, week: int, segment: Array, user: Array, item: Array, e: Array, clicked: Array) -> pd.DataFrame:
    names = core.users["segment"].cat.categories
    return pd.DataFrame(
        {"round": week, "user": user, "item": item, "segment": pd.Categorical.from_codes(segment.tolist(), names),
         "propensity": e, "clicked": clicked.astype(int)}
    )  # fmt: skip
