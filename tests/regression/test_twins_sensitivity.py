"""Broken twins of the sensitivity analyses: each must fail the battery that the true functions pass."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from causalrec_lib import _evalue, _marginal, _partial, _rosenbaum, _sensitivity
from tests.truth.sensitivity_world import SensitivityTools, sensitivity_battery

RUNS = 60


def first_failure(tools: SensitivityTools) -> str | None:
    return next((check for check, good in sensitivity_battery(tools, RUNS) if not good), None)


def _sorted_wrong(true):
    return lambda y, odds, times, gamma: true(y, np.full_like(odds, odds.mean()), times, gamma)


def _only_the_treated(arms, times, gamma):
    (low1, high1), (low0, _) = (
        _marginal._extremes(y, odds, n, g) for (y, odds), n, g in zip(arms, times, (gamma, 1.0), strict=True)
    )
    return low1 - low0, high1 - low0


PATCHED = {
    "E-value: a protective ratio is not inverted": (
        _evalue, "_strength", lambda true: lambda r: float(r + np.sqrt(abs(r * (r - 1))))),
    "E-value: the root lacks the ratio": (
        _evalue, "_strength", lambda true: lambda r: r + np.sqrt(max(r, 1 / r) - 1)),
    "bias: r in place of r / (1 - r)": (_sensitivity, "strength", lambda true: lambda y, d: float(np.sqrt(y * d))),
    "bias: no root": (_sensitivity, "strength", lambda true: lambda y, d: y * d / (1 - d)),
    "bias: the shares are exchanged": (_sensitivity, "strength", lambda true: lambda y, d: true(d, y)),
    "robustness value: without the square root": (
        _sensitivity, "robustness", lambda true: lambda f: (f**4 + 4 * f**2 - f**2) / 2),
    "robustness value: f for its square": (_sensitivity, "robustness", lambda true: lambda f: true(np.sqrt(f))),
    "ols: robustness value without the square root": (
        _partial, "robustness", lambda true: lambda f: (f**4 + 4 * f**2 - f**2) / 2),
    "ols: R2 in place of partial R2": (
        _partial, "_partial", lambda true: lambda short, dose, y, lt, rest: (
            float(1 - lt @ lt / ((dose - dose.mean()) @ (dose - dose.mean()))), true(short, dose, y, lt, rest)[1])),
    "ols: a benchmark's share is not turned into odds": (
        _partial, "_bound", lambda true: lambda t, y, m: (m * t, true(t, y, m)[1])),
    "Rosenbaum: Gamma turned": (
        _rosenbaum, "checked_gammas", lambda true: lambda g: 1 / true(g)),
    "Rosenbaum: zeros and signs by differences, not ranks": (
        _rosenbaum, "_signed_ranks", lambda true: lambda d: (np.ones(len(d)), float((np.asarray(d) > 0).sum()))),
    "marginal: only the treated change": (_marginal, "_range", lambda true: _only_the_treated),
    "marginal: every row has the mean odds": (_marginal, "_extremes", _sorted_wrong),
    "marginal: the weight's one is left out": (
        _marginal, "_extremes", lambda true: lambda y, odds, n, g: true(y, odds - 1 / g, n, g)),
}  # fmt: skip


def _of_all_rows(estimate, null=0.0):
    """Count trimmed rows among the residuals."""
    found = estimate.__class__.sensitivity(estimate, null)
    S = np.sqrt(np.mean(estimate.design.residual**2) * np.mean(estimate.design.weights**2))
    return replace(found, scale=float(S))


def _no_sampling_error(estimate, null=0.0):
    return replace(estimate.__class__.sensitivity(estimate, null), z=0.0)


SWAPPED = {
    "bias: trimmed rows are counted": {"of_estimate": _of_all_rows},
    "bias: the interval forgets the sampling error": {"of_estimate": _no_sampling_error},
    "bias: the null is forgotten": {"of_estimate": lambda e, null=0.0: e.sensitivity()},
}


def test_the_true_functions_pass():
    assert first_failure(SensitivityTools()) is None


@pytest.mark.parametrize("name", [*PATCHED, *SWAPPED])
def test_a_broken_twin_fails(name):
    if name in SWAPPED:
        assert first_failure(replace(SensitivityTools(), **SWAPPED[name])) is not None
        return
    module, attribute, build = PATCHED[name]
    with patch.object(module, attribute, build(getattr(module, attribute))):
        assert first_failure(SensitivityTools()) is not None
