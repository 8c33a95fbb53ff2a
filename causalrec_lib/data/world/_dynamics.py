"""Time: a feedback loop that retrains on its own log, and weeks in which hidden taste drifts and items arrive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import describe, draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]

RETRAINING = ("clicks", "weighted", "random")
NEW_ITEMS = 0.2


def gini(x: Array) -> float:
    """Return the Gini coefficient of non-negative counts: 0 all equal, 1 all on one."""
    x = np.sort(np.asarray(x, dtype=np.float64))
    n = len(x)
    return float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum()))


def _segment_means(core: Core) -> tuple[Array, Array]:
    """Return mean P(Y(1)) and mean effect by segment and item, exact."""
    segment = core.users["segment"].cat.codes.to_numpy()
    k = len(core.users["segment"].cat.categories)
    p1, lift = np.zeros((2, k, core.shape[1]))
    for x in core.blocks():
        one = np.eye(k)[segment[x.users[:, 0]]].T
        p1 += one @ x.p1
        lift += one @ (x.p1 - x.p0)
    count = np.maximum(np.bincount(segment, minlength=k), 1)[:, None]
    return p1 / count, lift / count


def _retrain(how: str, strength: float, clicks: Array, shown: Array) -> Array:
    """Return next week's shares of exposure, shape (segments, items), from the log so far."""
    if how == "random":
        return np.full(clicks.shape, 1 / clicks.shape[1])
    if how == "clicks":
        return softmax(strength * np.log(clicks + 1.0), axis=1)
    prior = clicks.sum(axis=1, keepdims=True) / shown.sum(axis=1, keepdims=True)
    rate = (clicks + 50 * prior) / (shown + 50)
    return 0.9 * softmax(strength * 4 * np.log(rate), axis=1) + 0.1 / clicks.shape[1]


def feedback_loop(
    core: Core, n_rounds: int, retrain: str, impressions: int, strength: float, seed: int | None
) -> pd.DataFrame:
    """Run a recommender that retrains on its own log each week and report what becomes of attention.

    Each week every segment's `impressions` are spread over the items by the current policy; a shown item is consumed
    with the segment's exact probability. "clicks" trains on counts of clicks: what was shown more is clicked more,
    and is shown more again. "weighted" divides clicks by exposures (and keeps one impression in ten for exploring).
    "random" never learns.

    Parameters
    ----------
    core : Core
        The world.
    n_rounds : int
        Weeks after the first, which follows last year's popularity.
    retrain : {"clicks", "weighted", "random"}
        What the policy learns from.
    impressions : int
        Impressions a week, all segments together.
    strength : float
        How sharply the policy follows its model.
    seed : int, optional
        Another run of the same world.

    Returns
    -------
    DataFrame
        One row a week: `round`, `gini` and `top_1pct_share` of exposures, `effective_items` (exponential of their
        entropy), `popularity_correlation` (with log popularity at the start), `clicks`, and the exact means under the
        week's policy `reward` and `lift`.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    _validate.one_of(retrain, "retrain", RETRAINING)
    _validate.number(strength, "strength", 0)
    rng = stream(core.seed, "feedback", draw_number(seed))
    p1, lift = _segment_means(core)
    size = core.users["segment"].value_counts(normalize=True, sort=False).to_numpy()
    budget = np.rint(size * _validate.integer(impressions, "impressions", 100)).astype(int)
    share = np.tile(softmax(0.5 * core.P.astype(np.float64)), (len(size), 1))
    clicks, shown = np.zeros((2, *p1.shape))
    rows = []
    for week in range(_validate.integer(n_rounds, "n_rounds", 1) + 1):
        drawn = rng.multinomial(budget, share)
        got = rng.binomial(drawn, p1)
        shown += drawn
        clicks += got
        total = drawn.sum(axis=0)
        attention = np.sort(size @ share)[::-1]
        rows.append(
            {
                "round": week,
                "gini": gini(attention),
                "top_1pct_share": attention[: max(1, core.shape[1] // 100)].sum(),
                "effective_items": np.exp(-np.sum(attention * np.log(np.maximum(attention, 1e-300)))),
                "popularity_correlation": np.corrcoef(np.log(total + 1.0), core.P)[0, 1],
                "clicks": int(got.sum()),
                "reward": float(size @ (share * p1).sum(axis=1)),
                "lift": float(size @ (share * lift).sum(axis=1)),
            }
        )
        share = _retrain(retrain, strength, clicks, shown)
    return pd.DataFrame(rows)


def launch_weeks(core: Core, n_weeks: int) -> Array:
    """Return the week in which each item is launched: most at the start, a share later."""
    rng = stream(core.seed, "launches", n_weeks)
    late = rng.uniform(size=core.shape[1]) < NEW_ITEMS
    return np.where(late, rng.integers(0, n_weeks, core.shape[1]), 0)


def weeks(core: Core, n_weeks: int, pairs_per_week: int, seed: int | None, with_propensity: bool) -> pd.DataFrame:
    """Return the exposure logs of successive weeks: hidden taste turns by `drift` radians a week, items arrive.

    Parameters
    ----------
    core : Core
        The world.
    n_weeks : int
        Number of weeks.
    pairs_per_week : int
        Rows a week, a random sample of pairs whose item is out.
    seed : int, optional
        Another run of the same world.
    with_propensity : bool
        Add the exact propensity.

    Returns
    -------
    DataFrame
        Columns of the exposure log and `week`, `item_age` (weeks since launch).

    Notes
    -----
    Chapter: frontier (streams)
    """
    n_weeks = _validate.integer(n_weeks, "n_weeks", 1)
    _validate.integer(pairs_per_week, "pairs_per_week", 1)
    launch, draw = launch_weeks(core, n_weeks), draw_number(seed)
    parts = []
    for week in range(n_weeks):
        rng = stream(core.seed, "weeks", draw, week)
        out = np.flatnonzero(launch <= week)
        users = rng.integers(0, core.shape[0], pairs_per_week)
        items = rng.choice(out, pairs_per_week)
        x = core.pairs(users, items, week)
        u = rng.uniform(size=(2, pairs_per_week))
        shown = u[0] < x.e
        part = describe(core, users, items).assign(
            score=x.S.astype(np.float64),
            exposed=shown.astype(int),
            consumed=(u[1] < np.where(shown, x.p1, x.p0)).astype(int),
        )
        part.insert(0, "week", week)
        part.insert(3, "item_age", week - launch[items])
        if with_propensity:
            part["propensity"] = x.e.astype(np.float64)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def weekly_ate(core: Core, n_weeks: int) -> pd.Series:
    """Return the exact average effect over all launched pairs of each week."""
    launch = launch_weeks(core, _validate.integer(n_weeks, "n_weeks", 1))
    effect = []
    for week in range(n_weeks):
        out = launch <= week
        total = sum(float(np.sum((x.p1 - x.p0)[:, out], dtype=np.float64)) for x in core.blocks(week))
        effect.append(total / (core.shape[0] * out.sum()))
    return pd.Series(effect, index=pd.RangeIndex(n_weeks, name="week"), name="ate")
