"""A randomised experiment with groups of unequal size and noise, and the checks of the difference in means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .weighting_world import Runs, Tools, honest

EFFECT = 2.0


@dataclass(frozen=True)
class Design:
    """Units, how many are treated, the noise of either group, and what units of one user share."""

    users: int
    treated: int
    sd_treated: float
    sd_others: float
    each: int = 1
    shared: float = 0.0


DESIGNS = {
    "few and noisy treated": Design(300, 60, 3.0, 1.0),
    "few and noisy controls": Design(300, 240, 1.0, 3.0),
    "users with eight rows each": Design(60, 20, 1.0, 1.0, each=8, shared=1.0),
}


def draw(design: Design, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return outcome, treatment and, where users have several rows, the user of each row."""
    rng = np.random.default_rng([88, seed])
    t = (rng.permutation(design.users) < design.treated).astype(float)
    user, t, common = (np.repeat(a, design.each) for a in (np.arange(design.users), t, rng.normal(size=design.users)))
    noise = np.where(t == 1, design.sd_treated, design.sd_others) * rng.normal(size=len(t))
    return 5 + EFFECT * t + design.shared * common + noise, t, user if design.each > 1 else None


def difference_battery(tools: Tools, runs: int):
    """Check the naive comparison where it is right: under randomisation."""
    y, t, _ = draw(DESIGNS["few and noisy treated"], 0)
    base = tools.difference_in_means(y, t)
    yield "the difference of two means", np.isclose(base.value, y[t == 1].mean() - y[t == 0].mean())
    yield "swapping the groups swaps the sign", np.isclose(tools.difference_in_means(y, 1 - t).value, -base.value)
    moved = tools.difference_in_means(3 * y + 100, t)
    yield "a stretch of the outcome stretches the error", np.isclose(moved.se, 3 * base.se, rtol=1e-9)
    yield "it says that it adjusts for nothing", "random" in " ".join(base.assumptions)
    for name, design in DESIGNS.items():
        found = [tools.difference_in_means(*draw(design, seed)) for seed in range(runs)]
        got = Runs(np.array([f.value for f in found]), np.array([f.se for f in found]), EFFECT)
        yield from honest(f"difference in means, {name}", got)
