"""Logs of single recommendations: the exposure log (observational) and the bandit log (randomised by a policy)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world._core import CACHE_PAIRS, Core
from causalrec_lib.data.world._streams import stream
from causalrec_lib.data.world.policies import SCORERS, Policy

Array = NDArray[Any]

USER_COLUMNS = ("age", "segment", "activity", "log_activity", "community")
ITEM_COLUMNS = ("department", "category", "price", "log_popularity", "n_reviews")
HIDDEN_COLUMNS = ("quality", "mean_stars", "annoyed")


def draw_number(seed: int | None) -> int:
    """Return the number of the draw: 0 is the world's own week, seed k is another week of the same world."""
    return 0 if seed is None else 1 + _validate.integer(seed, "seed")


def describe(core: Core, users: Array, items: Array) -> pd.DataFrame:
    """Return what the platform knows about each row's user and item, hidden columns left out."""
    left = core.users[list(USER_COLUMNS)].iloc[users].reset_index(drop=True)
    right = core.items[list(ITEM_COLUMNS)].iloc[items].reset_index(drop=True)
    ids = pd.DataFrame({"user": users, "item": items})
    return pd.concat([ids, left, right], axis=1)


def pick_pairs(core: Core, n_pairs: int | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return all pairs, or a simple random sample of distinct pairs."""
    n, k = core.shape
    if n_pairs is None:
        if n * k > CACHE_PAIRS:
            raise ValueError(
                f"n_pairs is None, but all {n * k} pairs do not fit in one frame; ask for a sample, n_pairs=200_000."
            )
        flat = np.arange(n * k)
    else:
        flat = rng.choice(n * k, _validate.integer(n_pairs, "n_pairs", 1, n * k), replace=False)
    return flat // k, flat % k


def exposure_log(
    core: Core, n_pairs: int | None, seed: int | None, with_propensity: bool, text: bool
) -> pd.DataFrame:
    """Return the observational log: which pair was exposed, which consumed."""
    draw = draw_number(seed)
    users, items = pick_pairs(core, n_pairs, stream(core.seed, "exposure pairs", draw))
    x = core.pairs(users, items)
    shown = x.exposed(draw)
    F = core.friends_shown(draw)[users, items] if core.interference else 0.0
    y0, y1 = x.potential(draw, F)
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64),
        marketing=x.marketing(draw).astype(int),
        exposed=shown.astype(int),
        consumed=np.where(shown, y1, y0).astype(int),
    )
    if text:
        log["text"] = core.items["text"].to_numpy()[items]
    if with_propensity:
        log["propensity"] = x.e.astype(np.float64)
    return log


def bandit_log(core: Core, n_rounds: int, policy: Policy, seed: int | None) -> pd.DataFrame:
    """Return the log of a policy that shows one item a round; the reward is the consumption of that item."""
    rng = stream(core.seed, "bandit", draw_number(seed))
    users = rng.integers(0, core.shape[0], _validate.integer(n_rounds, "n_rounds", 1))
    items, propensity = policy.draw(users, rng.uniform(size=n_rounds))
    x = core.pairs(users, items)
    reward = rng.uniform(size=n_rounds) < x.p1
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64), propensity=propensity, reward=reward.astype(int)
    )
    log.insert(0, "round", np.arange(n_rounds))
    return log


def _plackett_luce(logits: Array, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw slates without replacement by Gumbel keys; return items and each slot's conditional probability."""
    keys = logits + rng.gumbel(size=logits.shape)
    rows = np.arange(len(logits))[:, None]
    top = np.argsort(-keys, axis=1, kind="stable")[:, :size]
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    chosen = weight[rows, top]
    left = weight.sum(axis=1, keepdims=True) - np.cumsum(chosen, axis=1) + chosen
    return top, chosen / left


def _retrieve(core: Core, n_sessions: int, slate_size: int, rng: np.random.Generator) -> Array:
    """Draw each session's candidates uniformly without replacement (Floyd's algorithm), in ascending order."""
    n_items = core.shape[1]
    k = min(max(core.parameters.candidates, slate_size), n_items)
    got = np.full((n_sessions, k), -1)
    for j in range(k):
        last = n_items - k + j
        new = rng.integers(0, last + 1, n_sessions)
        got[:, j] = np.where((got == new[:, None]).any(axis=1), last, new)
    return np.sort(got, axis=1)


def slate_log(
    core: Core, n_sessions: int, slate_size: int, randomised_share: float, seed: int | None
) -> pd.DataFrame:
    """Return slates in long form: one row a slot."""
    _validate.integer(n_sessions, "n_sessions", 1)
    _validate.integer(slate_size, "slate_size", 1, core.shape[1])
    _validate.number(randomised_share, "randomised_share", 0, 1)
    rng = stream(core.seed, "slates", draw_number(seed), slate_size)
    users = rng.integers(0, core.shape[0], n_sessions)
    randomised = rng.uniform(size=n_sessions) < randomised_share
    retrieved = _retrieve(core, n_sessions, slate_size, rng)
    candidate = core.pairs(np.broadcast_to(users[:, None], retrieved.shape), retrieved)
    slots, propensity = _plackett_luce(np.asarray(SCORERS["logging"](candidate), dtype=np.float64), slate_size, rng)
    items = np.take_along_axis(retrieved, slots, 1)
    shuffled = rng.permuted(items, axis=1)
    items = np.where(randomised[:, None], shuffled, items).astype(np.int64)
    propensity = np.where(randomised[:, None], 1 / (slate_size - np.arange(slate_size)), propensity)
    position = np.tile(np.arange(1, slate_size + 1), n_sessions)
    user = np.repeat(users, slate_size)
    x = core.pairs(user, items.ravel())
    clicked = rng.uniform(size=len(user)) < m.examination(core.parameters, position) * x.p1
    log = describe(core, user, items.ravel()).assign(
        sponsored=core.items["sponsored"].to_numpy()[items.ravel()],
        score=x.S.astype(np.float64),
        position=position,
        randomised=np.repeat(randomised.astype(int), slate_size),
        propensity=propensity.ravel(),
        clicked=clicked.astype(int),
    )
    log.insert(0, "session", np.repeat(np.arange(n_sessions), slate_size))
    return log
