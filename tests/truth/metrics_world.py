"""Logs of pairs whose lists' values are known, and what must hold of their estimates."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from causalrec_lib import metrics
from causalrec_lib.estimate import Estimate

from .intervals import centred, covers, scattered

Value = Callable[..., Estimate]
_rng = np.random.default_rng(4)
USERS, ITEMS = 80, 40
P0 = _rng.uniform(0.05, 0.6, (USERS, ITEMS))
P1 = np.clip(P0 + _rng.uniform(-0.1, 0.4, (USERS, ITEMS)), 0, 1)
E = 0.05 + 1.4 * P0
LISTED = np.where(_rng.random((USERS, ITEMS)) < P0, np.where(P0 > 0.35, 1.0, 0.4), 0.0)
MEANS = {
    "as logged": float(np.average(E * P1 + (1 - E) * P0, weights=LISTED)),
    "if shown": float(np.average(P1, weights=LISTED)),
    "effect": float(np.average(P1 - P0, weights=LISTED)),
}


class Log(NamedTuple):
    """One log of all pairs."""

    y: np.ndarray
    t: np.ndarray
    e: np.ndarray
    d: np.ndarray
    user: np.ndarray


def draw(seed: int, shared: float = 0.0) -> Log:
    """A log; with `shared`, that share of users' pairs are shown or not all together, and have one luck."""
    rng = np.random.default_rng([6, seed])
    luck = rng.random((USERS, ITEMS))
    together = rng.random((USERS, ITEMS)) < shared
    luck = np.where(together, rng.random((USERS, 1)), luck)
    t = (rng.random((USERS, ITEMS)) < E).astype(float)
    y = (luck < np.where(t == 1, P1, P0)).astype(float)
    user = np.repeat(np.arange(USERS), ITEMS)
    return Log(y.ravel(), t.ravel(), E.ravel(), LISTED.ravel(), user)


def users(seed: int, n: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and scores of users drawn anew; some have nothing relevant."""
    rng = np.random.default_rng([8, seed])
    taste = rng.normal(size=(n, 30))
    scores = taste + rng.normal(size=(n, 30))
    return (taste > 2.0).astype(float), scores


USER_TRUTH = {m: float(metrics.ranking_metric(*users(10**6, 200_000), metric=m, k=5).value) for m in ("F1", "NDCG")}


def battery(value: Value, ranking: Value, runs: int) -> dict[str, bool]:
    """Each check and whether it holds."""
    out = {}
    logs = [draw(seed) for seed in range(runs)]
    for outcome, truth in MEANS.items():
        found = [value(*log[:4], outcome=outcome, refuse="flag") for log in logs]
        out[f"{outcome} unbiased"] = centred(found, truth, 3.5)
        out[f"{outcome} covers"] = covers(found, truth)
        out[f"{outcome} error"] = scattered(found, 0.1)
    shared = [draw(seed, 0.9) for seed in range(1_000, 1_000 + runs)]
    found = [value(*log[:4], outcome="if shown", clusters=log.user, refuse="flag") for log in shared]
    out["clusters are counted"] = scattered(found, 0.1) and covers(found, MEANS["if shown"])
    for name, truth in USER_TRUTH.items():
        means = [ranking(*users(seed), metric=name, k=5) for seed in range(runs)]
        out[f"{name} unbiased"] = centred(means, truth, 3.5)
        out[f"{name} covers"] = covers(means, truth)
        out[f"{name} error"] = scattered(means)
    return out


TRUE: Value = metrics.list_value
RANKING: Value = metrics.ranking_metric
