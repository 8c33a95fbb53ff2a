"""Trials with known gains of a fixed ranking, and the battery that a targeting estimator must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causalrec_lib import targeting
from causalrec_lib._harm import HarmBounds
from causalrec_lib.estimate import Estimate
from tests.truth.intervals import centred, covers, scattered

SHARE = 0.3
COST = 0.1


@dataclass(frozen=True)
class Tools:
    """What the battery judges; a twin replaces one."""

    share_gain: Callable[..., Estimate] = targeting.share_gain
    policy_gain: Callable[..., Estimate] = targeting.policy_gain
    area: Callable[..., Estimate] = targeting.area
    harm_bounds: Callable[..., HarmBounds] = targeting.harm_bounds


def draw(seed: int, n: int = 1_500) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a fair trial whose effect given the priority x, standard normal, is 0.2 + 0.5 x."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=n), rng.integers(0, 2, n)
    y = x + t * (0.2 + 0.5 * x) + rng.normal(size=n)
    return 2 * (2 * t - 1) * (y - x - (0.2 + 0.5 * x) / 2), x


def buyers(seed: int, n: int = 1_500) -> tuple[np.ndarray, ...]:
    """Scores of both arms of a fair trial, and the true chances of outcome 1 without and with treatment."""
    rng = np.random.default_rng(seed)
    x, t = rng.random(n), rng.integers(0, 2, n)
    p0, p1 = 0.2 + 0.6 * x, 0.7 - 0.3 * x
    y = rng.random(n) < np.where(t, p1, p0)
    return p0 + 2 * (1 - t) * (y - p0), p1 + 2 * t * (y - p1), p0, p1


def truths() -> dict[str, float]:
    """Exact gains; harm is the integral of max(0, p0 - p1) over x from 0 to 1, and of min(p0, 1 - p1)."""
    cut = norm.ppf(1 - SHARE)
    return {
        "share": 0.2 * SHARE + 0.5 * norm.pdf(cut) - COST * SHARE,
        "rule": 0.2 * norm.cdf(0.4) + 0.5 * norm.pdf(0.4) - COST * norm.cdf(0.4),
        "area": 0.1 + 0.5 / (2 * np.sqrt(np.pi)),
        "least harm": 0.8 / 9,
        "most harm": 1.3 / 3,
    }


def battery(tools: Tools, runs: int) -> Iterator[tuple[str, bool]]:
    """Each check by name, and whether it holds."""
    found: dict[str, list[Estimate]] = {"share": [], "rule": [], "area": [], "least harm": [], "most harm": []}
    for seed in range(runs):
        psi, x = draw(seed)
        costs = np.full(len(psi), COST)
        found["share"].append(tools.share_gain(psi, x, SHARE, costs=costs))
        found["rule"].append(tools.policy_gain(psi, x > -0.4, costs=costs))
        found["area"].append(tools.area(psi, x))
        harm = tools.harm_bounds(*buyers(seed))
        found["least harm"].append(harm.low)
        found["most harm"].append(harm.high)
    for name, truth in truths().items():
        yield f"{name}: centred", centred(found[name], truth)
        yield f"{name}: covers", covers(found[name], truth)
        yield f"{name}: error is scatter", scattered(found[name])
