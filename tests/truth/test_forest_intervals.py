"""Where the intervals of a ready-made causal forest fail, with the package's default settings."""

import numpy as np
import pytest
from econml.dml import CausalForestDML
from scipy.special import expit
from scipy.stats import beta

RUNS = 8


def design(rng, confounded, n=800):
    """Outcome, treatment, ten covariates and effects from one to four with two smooth steps."""
    x = rng.random((n, 10))
    tau = np.prod(1 + expit(20 * (x[:, :2] - 1 / 3)), axis=1)
    e = (1 + beta(2, 4).pdf(x[:, 2])) / 4 if confounded else np.full(n, 0.5)
    t = (rng.random(n) < e).astype(float)
    return (2 * x[:, 2] - 1) * confounded + (t - 0.5) * tau + rng.normal(size=n), t, x, tau


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("confounded", [False, True])
def test_default_intervals_hold_far_fewer_effects_than_they_claim(confounded):
    _, _, points, truth = design(np.random.default_rng(1), confounded=False, n=400)
    held = []
    for seed in range(RUNS):
        y, t, x, _ = design(np.random.default_rng(100 + seed), confounded)
        forest = CausalForestDML(discrete_treatment=True, random_state=seed, n_jobs=1).fit(y, t, X=x)
        low, high = forest.effect_interval(points, alpha=0.05)
        held.append(np.mean((low <= truth) & (truth <= high)))
    assert 0.70 < np.mean(held) < 0.82, held
