"""Broken twins of two proxies and of the factor model: each must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.regression.twins import first_failure
from tests.truth import factors_world as world
from tests.truth.factors_world import Tools

RUNS = 80
BATTERY = {"proximal_two_stage": world.proximal_battery, "poisson_factorisation": world.factor_battery}
TRUE = Tools()


def least_squares(y, t, w, z, X=None, **k):
    found = TRUE.proximal_two_stage(y, t, w, z, X, **k)
    W = np.column_stack([t, w, np.ones(len(y)), *([] if X is None else [X])])
    return replace(found, value=float(np.linalg.lstsq(W, y, rcond=None)[0][0]))


def stages(first_terms, error):
    """Return two stages by hand, with chosen terms in the first and a residual of the prediction or of w."""

    def broken(y, t, w, z, X=None, **k):
        found = TRUE.proximal_two_stage(y, t, w, z, X, **k)
        more = [np.ones(len(y)), *([] if X is None else [X])]
        first = np.column_stack({"z": [z, *more], "t, z": [t, z, *more]}[first_terms])
        predicted = first @ np.linalg.lstsq(first, w, rcond=None)[0]
        second = np.column_stack([t, predicted, *more])
        beta = np.linalg.lstsq(second, y, rcond=None)[0]
        actual = second if error == "prediction" else np.column_stack([t, w, *more])
        influence = len(y) * np.linalg.inv(second.T @ second)[0] @ second.T * (y - actual @ beta)
        return replace(found, value=float(beta[0]), se=float(np.sqrt(np.sum(influence**2)) / len(y)))

    return broken


def factors_with(change):
    """Return a factorisation whose result is changed."""
    return lambda counts, k, **how: change(TRUE.poisson_factorisation(counts, k, **how))


def gaussian(counts, k, **how):
    found = TRUE.poisson_factorisation(counts, k, **how)
    u, s, v = np.linalg.svd(counts, full_matrices=False)
    return found._replace(users=u[:, :k] * s[:k], items=v[:k])


TWINS = {
    "proxy as a column": ("proximal_two_stage", least_squares),
    "first stage without the treatment": ("proximal_two_stage", stages("z", "w")),
    "error from the prediction": ("proximal_two_stage", stages("t, z", "prediction")),
    "proxies swapped": (
        "proximal_two_stage",
        lambda y, t, w, z, *a, **k: TRUE.proximal_two_stage(y, t, z, w, *a, **k),
    ),
    "columns ignored": (
        "proximal_two_stage",
        lambda y, t, w, z, X=None, **k: TRUE.proximal_two_stage(y, t, w, z, **k),
    ),
    "clusters ignored": (
        "proximal_two_stage",
        lambda *a, clusters=None, **k: TRUE.proximal_two_stage(*a, **k),
    ),
    "weak proxies let through": (
        "proximal_two_stage",
        lambda *a, **k: TRUE.proximal_two_stage(*a, **{**k, "min_f": 0.0}),
    ),
    "likelihood without the constant": (
        "poisson_factorisation",
        factors_with(lambda f: f._replace(log_likelihood=f.log_likelihood + 1.0)),
    ),
    "users not scaled": (
        "poisson_factorisation",
        factors_with(lambda f: f._replace(users=2 * f.users, items=f.items / 2)),
    ),
    "always at rest": ("poisson_factorisation", factors_with(lambda f: f._replace(converged=True))),
    "least squares in place of Poisson": ("poisson_factorisation", gaussian),
    "seed ignored": (
        "poisson_factorisation",
        lambda counts, k, **how: TRUE.poisson_factorisation(
            counts, k, **{**how, "seed": int(np.random.default_rng().integers(1 << 30))}
        ),
    ),
}


@pytest.mark.parametrize("battery", BATTERY)
def test_the_true_function_passes(battery):
    assert first_failure(BATTERY[battery](TRUE, RUNS)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    tool, broken = TWINS[name]
    failed = first_failure(BATTERY[tool](replace(TRUE, **{tool: broken}), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"
