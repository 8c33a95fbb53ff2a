"""Experiments: user, cluster and switchback assignment, non-compliance, interference and pre-period covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import describe, draw_number
from causalrec_lib.data.world._streams import stream
from causalrec_lib.data.world.policies import Policy

Array = NDArray[Any]

UNITS = ("user", "cluster", "switchback")
PRE_SESSIONS = 20
PRE_FOUND = 100
NEVER_SHARE = {"two": 2 / 3, "one": 1.0}
ARRIVALS = ("uniform", "activity")


@dataclass(frozen=True)
class Design:
    """How an A/B test is run.

    Attributes
    ----------
    unit : {"user", "cluster", "switchback"}
        What is assigned: users, communities of friends, or periods.
    n : int
        Sessions.
    compliance : float
        Share of users who see what they were assigned, about.
    periods : int
        Periods of the trial.
    carryover : float
        In a switchback, the share of friends' influence that still comes from the period before.
    sides : {"two", "one"}
        Who does not comply: never-takers and always-takers, or never-takers alone.
    trend : float
        Share by which demand is lower in the first period than in the last; it grows in a straight line.
    arrivals : {"uniform", "activity"}
        How often a user comes: all alike, or in proportion to activity.
    """

    unit: str = "user"
    n: int = 10_000
    compliance: float = 1.0
    periods: int = 28
    carryover: float = 0.0
    sides: str = "two"
    trend: float = 0.0
    arrivals: str = "uniform"


def compliance_types(core: Core, compliance: float, sides: str = "two") -> Array:
    """Return each user's type: complier, never-taker (always sees a), always-taker (always sees b)."""
    _validate.number(compliance, "compliance", 0, 1)
    never = NEVER_SHARE[_validate.one_of(sides, "sides", tuple(NEVER_SHARE))]
    if compliance < 1:
        core.without_interference("a trial with compliance below 1 (friends then pass on what others received)")
    u = stream(core.seed, "compliance").uniform(size=core.shape[0])
    out = m.non_complier_probability(core.parameters, compliance, core.L)
    return np.where(u >= out, "complier", np.where(u < never * out, "never-taker", "always-taker"))


def arrival_weights(core: Core, arrivals: str) -> Array:
    """Return how often each user comes, with mean 1."""
    _validate.one_of(arrivals, "arrivals", ARRIVALS)
    weight = core.users["activity"].to_numpy(dtype=np.float64) if arrivals == "activity" else np.ones(core.shape[0])
    return weight / weight.mean()


def demand(trend: float, period: Array, periods: int) -> Array:
    """Return the factor of all chances in a period: 1 - trend in the first, 1 in the last."""
    return 1 - trend * (1 - np.asarray(period) / (periods - 1))


def _assign(core: Core, d: Design, users: Array, period: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the arm of each session and the coins of the units."""
    unit = {
        "user": np.arange(core.shape[0]),
        "cluster": core.users["community"].to_numpy(),
        "switchback": np.arange(d.periods),
    }[d.unit]
    count = unit.max() + 1
    coin = rng.permutation(np.arange(count) % 2)
    return coin[unit[period if d.unit == "switchback" else users]], coin[unit]


def ab_test(core: Core, a: Policy, b: Policy, d: Design, seed: int | None) -> pd.DataFrame:
    """Run the trial; see `World.ab_test`."""
    _validate.one_of(d.unit, "unit", UNITS)
    _validate.integer(d.periods, "periods", 2)
    _validate.number(d.carryover, "carryover", 0, 1)
    _validate.number(d.trend, "trend", 0, 1)
    often = arrival_weights(core, d.arrivals)
    rng = stream(core.seed, "trial", d.unit, draw_number(seed))
    users = rng.choice(core.shape[0], _validate.integer(d.n, "n", 2), p=often / often.sum())
    period = rng.integers(0, d.periods, d.n)
    assigned, coin = _assign(core, d, users, period, rng)
    kind = compliance_types(core, d.compliance, d.sides)[users]
    received = np.where(kind == "complier", assigned, (kind == "always-taker").astype(int))
    item_a, _ = a.draw(users, rng.uniform(size=d.n))
    item_b, _ = b.draw(users, rng.uniform(size=d.n))
    shown, shadow = np.where(received == 1, (item_b, item_a), (item_a, item_b))
    F = _influence(core, d, (a, b), coin, users, period, np.stack([shown, shadow]))
    one, other = core.pairs(users, shown), core.pairs(users, shadow)
    g = core.interference
    scale = demand(d.trend, period, d.periods)
    clicked = rng.uniform(size=d.n) < scale * m.tell_a_friend(one.p1, g, F[0])
    extra = (rng.uniform(size=d.n) < scale * m.tell_a_friend(other.p0, g, F[1])) & (shown != shadow)
    log = describe(core, users, shown).assign(
        community=core.users["community"].to_numpy()[users],
        shadow_item=shadow,
        period=period,
        **{name: before[users] for name, before in _pre_period(core, a, often, rng).items()},
        assigned=assigned,
        received=received,
        clicked=clicked.astype(int),
        consumed=clicked.astype(int) + extra.astype(int),
    )
    log.insert(0, "session", np.arange(d.n))
    return log


def _influence(
    core: Core, d: Design, arms: tuple[Policy, Policy], coin: Array, users: Array, period: Array, items: Array
) -> Array:
    """Return the share of friends shown each of `items`, shape (2, n), from the arms' probabilities."""
    if core.interference == 0:
        return np.zeros(items.shape, dtype=np.float32)
    core.matrix_fits()
    pi = [p.probabilities() for p in arms]
    if d.unit == "switchback":
        by_arm = np.stack([core.friend_share @ p for p in pi])
        now, before = coin[period], coin[np.maximum(period - 1, 0)]
        share = (1 - d.carryover) * by_arm[now, users, items] + d.carryover * by_arm[before, users, items]
    else:
        share = (core.friend_share @ np.where(coin[:, None] == 1, pi[1], pi[0]))[users, items]
    return share.astype(np.float32)


def _pre_period(core: Core, a: Policy, often: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Return each user's earlier sessions, clicks in them (all under policy a), and what was found without them."""
    blocks = core.blocks()
    rate = [np.sum(a.probabilities(x.users[:, 0]) * core.shown_chance(x.users, x.items), axis=1) for x in blocks]
    sessions = rng.poisson(PRE_SESSIONS * often)
    return {
        "pre_sessions": sessions,
        "pre_clicks": rng.binomial(sessions, np.clip(np.concatenate(rate), 0, 1)),
        "pre_found": rng.binomial(PRE_FOUND, core.found_alone),
    }


def ab_effect(core: Core, a: Policy, b: Policy, outcome: str) -> Array:
    """Return for each user the exact effect of giving everybody b instead of a on a session's outcome.

    Parameters
    ----------
    core : Core
        The world.
    a, b : Policy
        The two arms.
    outcome : {"consumed", "clicked"}
        "clicked": the shown item. "consumed": the shown item and the one that the other arm would have shown.

    Returns
    -------
    array
        Difference a session, without trend, shape (n_users,).
    """
    _validate.one_of(outcome, "outcome", ("consumed", "clicked"))
    g = core.interference
    F = []
    if g:
        core.matrix_fits()
        F = [(core.friend_share @ p.probabilities()).astype(np.float32) for p in (a, b)]
    rows = []
    for x in core.blocks():
        users = x.users[:, 0]
        pi = a.probabilities(users), b.probabilities(users)
        value = []
        for arm in (0, 1):
            f = F[arm][users] if g else 0.0
            v = pi[arm] * m.tell_a_friend(x.p1, g, f)
            if outcome == "consumed":
                v = v + (1 - pi[arm]) * pi[1 - arm] * m.tell_a_friend(x.p0, g, f)
            value.append(v.sum(axis=1, dtype=np.float64))
        rows.append(value[1] - value[0])
    return np.concatenate(rows)
