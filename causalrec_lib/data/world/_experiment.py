"""Experiments: user, cluster and switchback assignment, non-compliance, interference and a pre-period covariate."""

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
NEVER_SHARE = 2 / 3


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
    """

    unit: str = "user"
    n: int = 10_000
    compliance: float = 1.0
    periods: int = 28
    carryover: float = 0.0


def compliance_types(core: Core, compliance: float) -> Array:
    """Return each user's type: complier, never-taker (always sees a), always-taker (always sees b)."""
    _validate.number(compliance, "compliance", 0, 1)
    u = stream(core.seed, "compliance").uniform(size=core.shape[0])
    out = m.non_complier_probability(core.parameters, compliance, core.L)
    return np.where(u >= out, "complier", np.where(u < NEVER_SHARE * out, "never-taker", "always-taker"))


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
    rng = stream(core.seed, "trial", d.unit, draw_number(seed))
    users = rng.integers(0, core.shape[0], _validate.integer(d.n, "n", 2))
    period = rng.integers(0, d.periods, d.n)
    assigned, coin = _assign(core, d, users, period, rng)
    kind = compliance_types(core, d.compliance)[users]
    received = np.where(kind == "complier", assigned, (kind == "always-taker").astype(int))
    item_a, _ = a.draw(users, rng.uniform(size=d.n))
    item_b, _ = b.draw(users, rng.uniform(size=d.n))
    shown, shadow = np.where(received == 1, (item_b, item_a), (item_a, item_b))
    F = _influence(core, d, (a, b), coin, users, period, np.stack([shown, shadow]))
    one, other = core.pairs(users, shown), core.pairs(users, shadow)
    g = core.interference
    clicked = rng.uniform(size=d.n) < m.tell_a_friend(one.p1, g, F[0])
    extra = (rng.uniform(size=d.n) < m.tell_a_friend(other.p0, g, F[1])) & (shown != shadow)
    log = describe(core, users, shown).assign(
        shadow_item=shadow,
        period=period,
        pre_clicks=_pre_period(core, a, rng)[users],
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
    core.network_fits()
    pi = [p.probabilities() for p in arms]
    if d.unit == "switchback":
        by_arm = np.stack([core.friend_share @ p for p in pi])
        now, before = coin[period], coin[np.maximum(period - 1, 0)]
        share = (1 - d.carryover) * by_arm[now, users, items] + d.carryover * by_arm[before, users, items]
    else:
        share = (core.friend_share @ np.where(coin[:, None] == 1, pi[1], pi[0]))[users, items]
    return share.astype(np.float32)


def _pre_period(core: Core, a: Policy, rng: np.random.Generator) -> Array:
    """Return each user's clicks in earlier sessions, all under policy a."""
    rate = np.concatenate([np.sum(a.probabilities(x.users[:, 0]) * x.p1, axis=1) for x in core.blocks()])
    return rng.binomial(PRE_SESSIONS, np.clip(rate, 0, 1))


def ab_effect(core: Core, a: Policy, b: Policy, outcome: str, only: Array | None) -> float:
    """Return the exact effect of giving everybody b instead of a on a session's outcome.

    Parameters
    ----------
    core : Core
        The world.
    a, b : Policy
        The two arms.
    outcome : {"consumed", "clicked"}
        "clicked": the shown item. "consumed": the shown item and the one that the other arm would have shown.
    only : array of bool or None
        Average over these users only.

    Returns
    -------
    float
        Mean difference a session.
    """
    _validate.one_of(outcome, "outcome", ("consumed", "clicked"))
    g = core.interference
    F = []
    if g:
        core.network_fits()
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
    effect = np.concatenate(rows)
    return float(effect.mean() if only is None else effect[only].mean())
