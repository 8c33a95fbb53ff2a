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
