"""A world with a hidden cause and two proxies, counts with one factor, and the checks of both functions in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from causalrec_lib import factors
from causalrec_lib.factors import WeakProxy

from .weighting_world import Runs, honest

EFFECT = 1.5


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin replaces one of them."""

    proximal_two_stage: object = factors.proximal_two_stage
    poisson_factorisation: object = factors.poisson_factorisation


@dataclass(frozen=True)
class Draw:
    """Outcome, treatment, both proxies, an observed confounder, groups."""

    y: np.ndarray
    t: np.ndarray
    w: np.ndarray
    z: np.ndarray
    X: np.ndarray
    group: np.ndarray


def draw(seed: int, n: int = 1200, seen: float = 0.0, each: int = 1, strength: float = 1.0) -> Draw:
    """Draw rows; `seen` is what the column X does to all; with `each`, so many rows share taste and noise."""
    rng = np.random.default_rng([77, seed])
    group = np.arange(n) // each
    groups = group[-1] + 1
    X = rng.normal(size=n)
    u = rng.normal(size=groups)[group]
    chance = rng.normal(size=groups)[group] if each > 1 else rng.normal(size=n)
    t = (u + seen * X + chance > 0).astype(float)
    z = strength * u + seen * X + rng.normal(size=n)
    w = 0.8 * u + seen * X + (1 + 0.3 * np.abs(X)) * rng.normal(size=n)
    shared = 5 * rng.normal(size=groups)[group] if each > 1 else 0.0
    y = EFFECT * t + 2 * u + 3 * seen * X + shared + rng.normal(size=n)
    return Draw(y, t, w, z, X, group)


def sandwich(y, t, w, z, X):
    """Return estimate and error by the textbook's matrices."""
    one = np.ones(len(y))
    W, V = np.column_stack([t, w, one, X]), np.column_stack([t, z, one, X])
    bread = np.linalg.inv(V.T @ W)
    beta = bread @ V.T @ y
    scores = V * (y - W @ beta)[:, None]
    return beta[0], np.sqrt((bread @ scores.T @ scores @ bread.T)[0, 0])


def many(estimate, runs, **how):
    """Return estimates and errors over many draws."""
    found = [estimate(draw(seed, **how)) for seed in range(runs)]
    return Runs.of(found, EFFECT)


def proximal_battery(tools: Tools, runs: int):
    """Check two proxies: identities, then centre, coverage and error against the truth."""
    estimator = tools.proximal_two_stage
    d = draw(0, seen=0.7)
    base = estimator(d.y, d.t, d.w, d.z, d.X)
    yield "estimate and error by matrices", np.allclose([base.value, base.se], sandwich(d.y, d.t, d.w, d.z, d.X))
    yield "the error is that of the influence", np.isclose(base.se, np.sqrt(np.mean(base.influence**2) / len(d.y)))
    yield "influence averages zero", abs(base.influence.mean()) < 1e-8
    stretched = estimator(3 * d.y + 7, d.t, d.w, d.z, d.X)
    yield (
        "a stretch of the outcome stretches both",
        np.allclose([stretched.value, stretched.se], [3 * base.value, 3 * base.se]),
    )
    weak = draw(1, strength=0.02)
    flags = estimator(weak.y, weak.t, weak.w, weak.z, refuse="flag").broken_rules
    yield "a weak proxy is flagged", "proxies" in flags
    try:
        estimator(weak.y, weak.t, weak.w, weak.z)
        refused = False
    except WeakProxy as error:
        refused = error.estimate is not None
    yield "and refused", refused
    yield from honest("plain", many(lambda d: estimator(d.y, d.t, d.w, d.z), runs))
    yield from honest("columns", many(lambda d: estimator(d.y, d.t, d.w, d.z, d.X), runs, seen=0.7))
    got = many(lambda d: estimator(d.y, d.t, d.w, d.z, clusters=d.group), runs, each=5)
    yield from honest("clusters", got)


def counts(seed: int, n: int = 300, k: int = 2, m: int = 30):
    """Return counts, and the likelihood of the tables that made them."""
    rng = np.random.default_rng([78, seed])
    theta, lam = rng.gamma(0.5, 2.0, (n, k)), rng.gamma(0.5, 2.0, (k, m)) + 0.1
    A = rng.poisson(theta @ lam).astype(float)
    return A, float(poisson.logpmf(A, theta @ lam).sum())


def factor_battery(tools: Tools, runs: int):
    """Check the factorisation: closed form with one factor, likelihood, margins, and the seed."""
    fit = tools.poisson_factorisation
    A, at_truth = counts(0)
    one = fit(A, 1)
    exact = np.outer(A.sum(axis=1), A.sum(axis=0)) / A.sum()
    yield "one factor is the product of the margins", np.allclose(one.means, exact)
    two = fit(A, 2, seed=3)
    yield "the likelihood is scipy's", np.isclose(two.log_likelihood, poisson.logpmf(A, two.means).sum())
    yield "margins of the fit are those of the counts", np.allclose(two.means.sum(axis=0), A.sum(axis=0))
    yield "users average one", np.allclose(two.users.mean(axis=0), 1)
    yield "two factors beat one, and the truth", two.log_likelihood > max(at_truth, one.log_likelihood)
    yield "it says that it came to rest", two.converged and not fit(A, 2, sweeps=2, tol=0.0).converged
    yield "the same seed, the same tables", np.array_equal(two.users, fit(A, 2, seed=3).users)
    path = [fit(A, 2, sweeps=s, tol=0.0).log_likelihood for s in (1, 2, 5, 20, 60)]
    yield "each sweep raises the likelihood", bool(np.all(np.diff(path) > 0))
    tables = [counts(seed) for seed in range(min(runs, 20))]
    yield (
        "above the truth's likelihood in nearly all tables",
        np.mean([fit(A, 2).log_likelihood > at for A, at in tables]) > 0.9,
    )
