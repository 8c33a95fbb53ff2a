"""Logs of a bandit whose policies' values are known, and what must hold of their estimates."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from causalrec_lib import policy
from causalrec_lib.estimate import Estimate

from .intervals import centred, covers, scattered

Value = Callable[..., Estimate]
K = 4
_rng = np.random.default_rng(2)
MEANS = _rng.uniform(0.1, 0.9, (5, K))  # reward by type of user and action
LOGGING = 0.9 * softmax(_rng.normal(size=(5, K)), axis=1) + 0.1 / K
TARGET = 0.8 * softmax(3 * MEANS, axis=1) + 0.2 / K
TRUTH = float((TARGET * MEANS).sum(axis=1).mean())
WRONG = np.full((5, K), 0.5)  # a model that knows nothing


class Log(NamedTuple):
    """One log: rewards, chances of the logged actions, predictions for them and for the target policy."""

    y: np.ndarray
    target: np.ndarray
    e: np.ndarray
    q: np.ndarray
    v: np.ndarray
    user: np.ndarray


def draw(seed: int, n: int = 1_500, model: np.ndarray = WRONG, shared: float = 0.0) -> Log:
    """A log; with `shared`, rounds of a user (ten each) come in one type and share a share of their luck."""
    rng = np.random.default_rng([3, seed])
    user = np.arange(n) // 10 if shared else np.arange(n)
    kind = rng.integers(0, 5, user.max() + 1)[user]
    a = (LOGGING[kind].cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    luck = np.where(rng.random(n) < shared, rng.random(user.max() + 1)[user], rng.random(n))
    y = (luck < MEANS[kind, a]).astype(float)
    v = (TARGET * model).sum(axis=1)[kind]
    return Log(y, TARGET[kind, a], LOGGING[kind, a], model[kind, a], v, user)


def battery(value: Value, runs: int) -> dict[str, bool]:
    """Each check and whether it holds."""
    out = {}
    for how in ("IPS", "SNIPS", "DR", "SNDR"):
        found = [value(*draw(seed)[:5], estimator=how, refuse="flag") for seed in range(runs)]
        out[f"{how} unbiased"] = centred(found, TRUTH, 3.5)
        out[f"{how} covers"] = covers(found, TRUTH)
        out[f"{how} error"] = scattered(found)
    right = [draw(seed, model=MEANS) for seed in range(runs)]
    for how, cut in (("DM", None), ("SWITCH-DR", 1.5), ("DRos", 1.0)):
        found = [value(*d[:5], estimator=how, threshold=cut, refuse="flag") for d in right]
        out[f"{how} right with a right model"] = centred(found, TRUTH, 3.5)
    found = [value(*draw(seed)[:5], estimator="clipped IPS", threshold=1.0, refuse="flag") for seed in range(runs)]
    out["clipping takes what it should"] = centred(
        found, float((np.minimum(TARGET, LOGGING) * MEANS).sum(axis=1).mean()), 3.5
    )
    shared = [draw(seed, shared=0.95) for seed in range(1_000, 1_000 + runs)]
    found = [value(*d[:5], estimator="SNIPS", clusters=d.user, refuse="flag") for d in shared]
    out["clusters are counted"] = scattered(found)
    return out


TRUE: Value = policy.off_policy_value


SLATE_TRUTH = 0.2 + 0.4 * 0.8 + 0.1 + 0.5 * 0.8 * 0.7
Slates = Callable[..., Estimate]


def slates(rng: np.random.Generator, n: int = 2_000, model: float = 1.0) -> tuple[np.ndarray, ...]:
    """Two slots, two items each: a click on the second depends on the first; a policy that likes item 1.

    Last come q and v of a model: `model` of 1 is the right one, another number is that share of it.
    """
    first, second = rng.integers(0, 2, (2, n))
    clicks = np.stack([rng.random(n) < 0.2 + 0.4 * first, rng.random(n) < 0.1 + 0.5 * first * second], axis=1)
    ratio = np.stack([np.where(first, 0.8, 0.2) / 0.5, np.where(second, 0.7, 0.3) / 0.5], axis=1)
    below = 0.1 + 0.5 * first * 0.7
    q = model * np.stack([0.2 + 0.4 * first + below, 0.1 + 0.5 * first * second], axis=1)
    v = model * np.stack([np.full(n, SLATE_TRUTH), below], axis=1)
    return (clicks.astype(float).ravel(), ratio.ravel(), np.repeat(np.arange(n), 2), np.tile([1, 2], n),
            q.ravel(), v.ravel())  # fmt: skip


def slate_battery(value: Slates, runs: int) -> dict[str, bool]:
    """Each check of cascade DR and whether it holds."""
    out, sd = {}, {}
    for name, model in (("right", 1.0), ("half", 0.5), ("no", 0.0)):
        rngs = [np.random.default_rng([7, seed]) for seed in range(runs)]
        found = [value(*slates(rng, model=model), estimator="cascade DR", refuse="flag") for rng in rngs]
        out[f"{name} model: unbiased"] = centred(found, SLATE_TRUTH, 3.5)
        out[f"{name} model: covers"] = covers(found, SLATE_TRUTH)
        out[f"{name} model: error"] = scattered(found)
        sd[name] = np.std([x.value for x in found])
    out["a good model, less noise"] = bool(sd["right"] < 0.9 * sd["no"])
    return out


TRUE_SLATES: Slates = policy.slate_value
