"""Slates: Plackett-Luce rankings of a session's candidates, with the chance of every slot and of the whole slate."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import describe, draw_number, friends_column
from causalrec_lib.data.world._streams import stream
from causalrec_lib.data.world.policies import SCORERS

Array = NDArray[Any]

MAX_SHUFFLED = 8
_STEP = 0.35


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


def sessions(core: Core, n_sessions: int, slate_size: int, seed: int | None) -> tuple[Array, Array]:
    """Return each session's user and candidates (in ascending order): a pure function of the arguments."""
    _validate.integer(n_sessions, "n_sessions", 1)
    _validate.integer(slate_size, "slate_size", 1, core.shape[1])
    rng = stream(core.seed, "slate sessions", draw_number(seed), slate_size)
    return rng.integers(0, core.shape[0], n_sessions), _retrieve(core, n_sessions, slate_size, rng)


def candidate_logits(core: Core, users: Array, candidates: Array, name: str = "logging") -> Array:
    """Return the logits of a named policy for each session's candidates, shape (n_sessions, n_candidates)."""
    x = core.pairs(np.broadcast_to(users[:, None], candidates.shape), candidates)
    return np.asarray(SCORERS[name](x), dtype=np.float64)


def candidates_frame(core: Core, n_sessions: int, slate_size: int, seed: int | None) -> pd.DataFrame:
    """Return the candidates of a slate log in long form."""
    users, candidates = sessions(core, n_sessions, slate_size, seed)
    user, item = np.repeat(users, candidates.shape[1]), candidates.ravel()
    frame = describe(core, user, item).assign(
        sponsored=core.items["sponsored"].to_numpy()[item],
        score=core.pairs(user, item).S.astype(np.float64),
        logging_logit=candidate_logits(core, users, candidates).ravel(),
    )
    frame.insert(0, "session", np.repeat(np.arange(n_sessions), candidates.shape[1]))
    return frame


def set_probability(logits: Array, slots: Array) -> Array:
    """Return P(a Plackett-Luce slate holds exactly these candidates, in any order): a sum over all orders."""
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    w = np.take_along_axis(weight, slots, 1)
    size, total = slots.shape[1], weight.sum(axis=1)
    reached = {0: np.ones(len(w))}
    for chosen in range(1, 2**size):
        inside = [j for j in range(size) if chosen >> j & 1]
        taken = w[:, inside].sum(axis=1)
        reached[chosen] = sum(reached[chosen & ~(1 << j)] * w[:, j] / (total - taken + w[:, j]) for j in inside)
    return reached[2**size - 1]


def slot_probabilities(logits: Array, size: int) -> Array:
    """Return P(candidate c stands in slot k) of a Plackett-Luce policy, shape (n_sessions, size, n_candidates).

    Candidates race: c arrives after an exponential time of rate w_c, and the order of arrival is Plackett-Luce. So
    the chance is the integral over t of w_c exp(-w_c t) P(exactly k - 1 of the others have arrived by t). The
    trapezoid rule in log t is exact to about 1e-9.
    """
    w = np.exp(logits - logits.max(axis=1, keepdims=True)).T
    c, n = w.shape
    out = np.zeros((size, c, n))
    slowest = np.sort(w, axis=0)[: c - size + 1].sum(axis=0).min()
    for log_t in np.arange(-24.0, np.log(30 / slowest) + _STEP, _STEP):
        late = np.exp(-w * np.exp(log_t))
        left, right = _arrived(late, size), _arrived(late[::-1], size)[:, ::-1]
        density = _STEP * np.exp(log_t) * w * late
        for k in range(size):
            for j in range(k + 1):
                out[k] += density * left[j, :-1] * right[k - j, 1:]
    return out.transpose(2, 0, 1)


def _arrived(late: Array, size: int) -> Array:
    """Return P(j of the first c candidates have arrived), c = 0..n_candidates, shape (size, n_candidates + 1, n)."""
    c, n = late.shape
    out = np.zeros((size, c + 1, n))
    out[0, 0] = 1.0
    for i in range(c):
        out[:, i + 1] = out[:, i] * late[i]
        out[1:, i + 1] += out[:-1, i] * (1 - late[i])
    return out


def _rank(
    core: Core, users: Array, candidates: Array, size: int, shuffle: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Return items, each slot's propensity, logits and the chosen places among the candidates."""
    logits = candidate_logits(core, users, candidates)
    slots, propensity = _plackett_luce(logits, size, rng)
    items = np.take_along_axis(candidates, slots, 1)
    items = np.where(shuffle[:, None], rng.permuted(items, axis=1), items).astype(np.int64)
    return items, np.where(shuffle[:, None], 1 / (size - np.arange(size)), propensity), logits, slots


def slate_log(
    core: Core,
    n_sessions: int,
    slate_size: int,
    randomised_share: float,
    seed: int | None,
    with_slate_propensity: bool,
) -> pd.DataFrame:
    """Return slates in long form: one row a slot."""
    _validate.number(randomised_share, "randomised_share", 0, 1)
    _validate.flag(with_slate_propensity, "with_slate_propensity")
    users, candidates = sessions(core, n_sessions, slate_size, seed)
    rng = stream(core.seed, "slates", draw_number(seed), slate_size)
    shuffle = rng.uniform(size=n_sessions) < randomised_share
    items, propensity, logits, slots = _rank(core, users, candidates, slate_size, shuffle, rng)
    position = np.tile(np.arange(1, slate_size + 1), n_sessions)
    user = np.repeat(users, slate_size)
    x = core.pairs(user, items.ravel())
    friends = friends_column(core, draw_number(seed), user, items.ravel())
    relevance = x.with_friends(friends.get("friends_shown", 0.0))[1]
    clicked = rng.uniform(size=len(user)) < m.examination(core.parameters, position) * relevance
    log = describe(core, user, items.ravel()).assign(
        sponsored=core.items["sponsored"].to_numpy()[items.ravel()],
        score=x.S.astype(np.float64),
        **friends,
        position=position,
        randomised=np.repeat(shuffle.astype(int), slate_size),
        propensity=propensity.ravel(),
        clicked=clicked.astype(int),
    )
    if with_slate_propensity:
        log["slate_propensity"] = np.repeat(_slate_propensity(propensity, shuffle, logits, slots), slate_size)
    log.insert(0, "session", np.repeat(np.arange(n_sessions), slate_size))
    return log


def _slate_propensity(propensity: Array, shuffle: Array, logits: Array, slots: Array) -> Array:
    """Return P(this slate in this order | candidates, shuffled or not)."""
    size = slots.shape[1]
    whole = propensity.prod(axis=1)
    if shuffle.any():
        if size > MAX_SHUFFLED:
            raise ValueError(
                f"with_slate_propensity adds up all orders of a shuffled slate: slate_size must be at most "
                f"{MAX_SHUFFLED}, but is {size}; ask for shorter slates or randomised_share=0."
            )
        whole[shuffle] = set_probability(logits[shuffle], slots[shuffle]) / factorial(size)
    return whole
