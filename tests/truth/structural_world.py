"""Samples in which a mediator carries a known part of an effect, and what must hold on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalrec_lib import structural
from causalrec_lib.estimate import Estimate

from .intervals import centred, covers, scattered

Mediation = Callable[..., dict[str, Estimate]]
A, B, D, EXTRA, REST = 0.8, -0.5, 0.4, -0.3, 0.7
"""Promise to mediator, mediator to outcome, direct, product, and the mean of the mediator without treatment."""
TRUTH = {
    "total": D + EXTRA * REST + A * (B + EXTRA),
    "direct": D + EXTRA * REST,
    "indirect": A * (B + EXTRA),
    "pure indirect": A * B,
}


def draw(seed: int, n: int = 600, groups: int = 0) -> dict[str, np.ndarray]:
    """Outcome, treatment, mediator and the common cause x of both; groups share noise and treatment."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, groups, n) if groups else np.arange(n)
    x, shared = rng.normal(size=n), rng.normal(size=(2, groups or 1))
    t = rng.integers(0, 2, groups or n)[code].astype(float)
    noise = rng.normal(size=(2, n)) * (1 + 0.5 * t) + (shared[:, code] if groups else 0)
    m = REST + A * t + 0.6 * x + noise[0]
    y = D * t + B * m + EXTRA * t * m + 0.9 * x + noise[1]
    return {"y": y, "t": t, "m": m, "x": x[:, None], "code": code}


def _good(found: list[Estimate], truth: float) -> bool:
    return covers(found, truth) and centred(found, truth, 3.5) and scattered(found)


def battery(mediation: Mediation, runs: int) -> dict[str, bool]:
    """Each check and whether it holds."""
    days = [draw(seed) for seed in range(runs)]
    found = [mediation(d["y"], d["t"], d["m"], d["x"]) for d in days]
    out = {f"{part} covers": _good([f[part] for f in found], value) for part, value in TRUTH.items()}
    out["parts add up"] = all(np.isclose(f["total"].value, f["direct"].value + f["indirect"].value) for f in found)
    grouped = [draw(1_000 + seed, groups=30) for seed in range(runs)]
    clustered = [mediation(d["y"], d["t"], d["m"], d["x"], clusters=d["code"]) for d in grouped]
    out["clusters are counted"] = scattered([f["direct"] for f in clustered], 0.15)
    return out


TRUE: Mediation = structural.mediation
