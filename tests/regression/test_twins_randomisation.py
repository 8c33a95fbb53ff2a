"""Broken twins of the randomisation test: each must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib.experiments import RandomisationTest
from tests.regression.twins import first_failure
from tests.truth.randomisation_world import Tools, battery

RUNS = 200
TRUE = Tools().randomisation_test


def across_prompts(y, t, blocks=None, **k):
    plain = TRUE(y, t, blocks, **k)
    return replace(TRUE(y, t, None, **k), observed=plain.observed)


def of_draws(change):
    """Return a test whose p-value is made of the draws in another way."""

    def broken(y, t, blocks=None, **k):
        found = TRUE(y, t, blocks, **k)
        return replace(found, p_value=change(found.observed, found.draws))

    return broken


def coins_not_kept(y, t, blocks=None, *, rng, effect=0.0, n_draws=1_999):
    """Toss a coin for each row, where the experiment treated a fixed number in each block."""
    y, t = np.asarray(y, float) - effect * np.asarray(t), np.asarray(t, float)
    y = y - y.mean()
    observed = y[t == 1].mean() - y[t == 0].mean()
    coins = rng.random((n_draws, len(y))) < t.mean()
    draws = np.array([y[c].mean() - y[~c].mean() if 0 < c.sum() < len(c) else 0.0 for c in coins])
    return RandomisationTest(observed, (1 + (abs(draws) >= abs(observed)).sum()) / (1 + n_draws), draws)


def plain_difference(y, t, blocks=None, *, rng, effect=0.0, n_draws=1_999):
    """Forget that prompts differ in level: shares of treated that go with it look like an effect."""
    y, t = np.asarray(y, float) - effect * np.asarray(t), np.asarray(t, float)
    true = TRUE(y, t, blocks, rng=rng, n_draws=n_draws)
    observed = y[t == 1].mean() - y[t == 0].mean()
    return replace(true, observed=observed, p_value=(1 + (abs(true.draws) >= abs(observed)).sum()) / (1 + n_draws))


TWINS = {
    "shuffled across prompts": across_prompts,
    "no +1": of_draws(lambda o, d: float((np.abs(d) >= abs(o)).mean())),
    "one-sided": of_draws(lambda o, d: float((1 + (d >= o).sum()) / (1 + len(d)))),
    "lower tail": of_draws(lambda o, d: float((1 + (np.abs(d) <= abs(o)).sum()) / (1 + len(d)))),
    "a normal's tail, twice": of_draws(lambda o, d: float(max(0.001, 2 * (np.abs(d) >= abs(o)).mean()))),
    "a coin for each row": coins_not_kept,
    "levels of prompts forgotten": plain_difference,
    "effect under test ignored": lambda y, t, blocks=None, effect=0.0, **k: TRUE(y, t, blocks, **k),
    "effect with the wrong sign": lambda y, t, blocks=None, effect=0.0, **k: TRUE(y, t, blocks, effect=-effect, **k),
}


def test_the_true_one_passes():
    assert first_failure(battery(Tools(), RUNS)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_is_caught(name):
    assert first_failure(battery(Tools(TWINS[name]), RUNS)) is not None
