"""Prompts whose candidates were shuffled, with a known effect of the slot, and the checks of a randomisation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from causalrec_lib import experiments

EFFECT = 0.4


@dataclass(frozen=True)
class Tools:
    """The function under test; a broken twin replaces it."""

    randomisation_test: object = experiments.randomisation_test


def draw(seed: int, prompts: int = 25, effect: float = 0.0):
    """Draw outcomes, who stood in the first slot, and the prompt of each row; prompts differ by more than rows."""
    rng = np.random.default_rng([59, seed])
    blocks = np.repeat(np.arange(prompts), 4)
    t = (rng.permuted(np.tile(np.arange(4), (prompts, 1)), axis=1) == 0).astype(float).ravel()
    y = rng.normal(0, 5, prompts)[blocks] + rng.exponential(size=4 * prompts) + effect * t
    return y, t, blocks


def uneven(seed: int, prompts: int = 30):
    """Draw prompts in which the number of treated rows goes with the level of the outcome; no effect."""
    rng = np.random.default_rng([61, seed])
    blocks = np.repeat(np.arange(prompts), 4)
    treated = np.where(np.arange(prompts) % 2 == 0, 3, 1)
    t = (rng.permuted(np.tile(np.arange(4), (prompts, 1)), axis=1) < treated[:, None]).astype(float).ravel()
    y = 3.0 * (treated[blocks] == 3) + rng.normal(size=4 * prompts)
    return y, t, blocks


def near(share: float, runs: int, rate: float) -> bool:
    """Say whether a share of runs is what chance makes of a rate."""
    low, high = binom.ppf([0.0005, 0.9995], runs, rate) / runs
    return bool(low <= share <= high)


def battery(tools: Tools, runs: int):
    """Check value, level, exactness with few draws, power, the test of an effect, and that blocks are kept."""
    rng = np.random.default_rng(67)

    def p_values(make, n_draws=199, **k):
        return np.array(
            [tools.randomisation_test(*make(seed), rng=rng, n_draws=n_draws, **k).p_value for seed in range(runs)]
        )

    y, t, blocks = draw(0, effect=EFFECT)
    found = tools.randomisation_test(y, t, blocks, rng=rng, n_draws=999)
    yield "the difference in means", np.isclose(found.observed, y[t == 1].mean() - y[t == 0].mean())
    yield "as many draws as asked for", len(found.draws) == 999
    yield "never zero", 1 / 1_000 <= found.p_value <= 1
    extreme = tools.randomisation_test(100 * t + blocks, t, blocks, rng=rng, n_draws=999)
    yield "the smallest p-value there is", np.isclose(extreme.p_value, 1 / 1_000)
    turned = tools.randomisation_test(-100 * t + blocks, t, blocks, rng=rng, n_draws=999)
    yield "both sides count", np.isclose(turned.p_value, 1 / 1_000)
    null = p_values(draw)
    yield "level .05 under the sharp null", near((null <= 0.05).mean(), runs, 0.05)
    yield "level .5 under the sharp null", near((null <= 0.5).mean(), runs, 0.5)
    yield "level .05 with 19 draws", near((p_values(draw, 19) <= 0.05).mean(), runs, 0.05)
    yield "level .5 where shares differ", near((p_values(uneven) <= 0.5).mean(), runs, 0.5)
    strong = p_values(lambda seed: draw(seed, 100, EFFECT))
    yield "an effect is found", (strong <= 0.05).mean() > 0.7
    true = p_values(lambda seed: draw(seed, 100, EFFECT), effect=EFFECT)
    yield "the true effect is not rejected", near((true <= 0.05).mean(), runs, 0.05)
