"""Broken twins of the refuters and of negative controls: each must fail the battery that the true ones pass."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from causalrec_lib import refutation
from causalrec_lib.refutation import EmpiricalNull
from tests.truth.refutation_world import RefutationTools, refutation_battery

RUNS = 60


def first_failure(tools: RefutationTools) -> str | None:
    return next((check for check, good in refutation_battery(tools, RUNS) if not good), None)


def _exchanged(name, draw):
    """Replace the draw of one refuter."""

    def build(true):
        def refuters(y, t, x, found, kept, rng):
            asked = true(y, t, x, found, kept, rng)
            return asked | {name: (asked[name][0], lambda: draw(y, t, x, found, rng))}

        return refuters

    return build


def _noise(rng, t):
    return rng.normal(size=len(t))


PATCHED = {
    "placebo: columns move with the treatment": (
        "_refuters", _exchanged("placebo treatment", lambda y, t, x, f, rng: (
            (o := rng.permutation(len(t))) is not None and (y[o], t[o], x[o])))),
    "dummy outcome: the outcome stays": (
        "_refuters", _exchanged("dummy outcome", lambda y, t, x, f, rng: (y, t, x))),
    "simulated outcome: the columns are forgotten": (
        "_refuters", _exchanged("simulated outcome", lambda y, t, x, f, rng: (f * t + _noise(rng, t), t, x))),
    "simulated outcome: no effect": (
        "_refuters", _exchanged("simulated outcome", lambda y, t, x, f, rng: (x[:, 0] + _noise(rng, t), t, x))),
    "bootstrap: without replacement": (
        "_refuters", _exchanged("bootstrap", lambda y, t, x, f, rng: (y, t, x))),
    "verdict: draws that don't move always pass": (
        "_verdict", lambda true: lambda d, e: true(d, e) if d.std() > 0 else (d.mean(), 0.0, 0.0, 1.0)),
    "verdict: draws that don't move give NaN": (
        "_verdict", lambda true: lambda d, e: true(d, e) if d.std() > 0 else (d.mean(), 0.0, np.nan, np.nan)),
    "verdict: against zero, always": ("_verdict", lambda true: lambda d, e: true(d, 0.0)),
    "Holm: Bonferroni's factor for all": ("_holm", lambda true: lambda p: np.minimum(p * len(p), 1.0)),
    "Holm: no correction": ("_holm", lambda true: lambda p: p),
    "controls: clusters are forgotten": ("_by_cluster", lambda true: lambda e: e.influence),
}  # fmt: skip


def _independent(controls):
    true = refutation.negative_controls(controls)
    return true._replace(statistic=float((true.table["z"] ** 2).sum()))


def _half_of_the_power(controls):
    true = refutation.negative_controls(controls)
    return true._replace(table=true.table.assign(detectable=1.96 * true.table["se"]))


def _noise_counted(values, se):
    return refutation.empirical_null(values, se)._replace(sd=float(np.std(values, ddof=1)))


def _noise_taken_out_twice(values, se):
    return refutation.empirical_null(values, se)._replace(sd=0.0)


SWAPPED = {
    "controls: their errors count as independent": {"negative_controls": _independent},
    "controls: half of the power": {"negative_controls": _half_of_the_power},
    "null: sampling noise counts as systematic": {"empirical_null": _noise_counted},
    "null: no spread": {"empirical_null": _noise_taken_out_twice},
    "null: the mean's error is the spread": {
        "empirical_null": lambda v, s: (n := refutation.empirical_null(v, s))._replace(mean_se=n.sd)},
    "calibrate: the mean is added": {"calibrate": lambda e, n: refutation.calibrate(e, n._replace(mean=-n.mean))},
    "calibrate: the mean is taken as known": {
        "calibrate": lambda e, n: refutation.calibrate(e, n._replace(mean_se=0.0))},
    "calibrate: only moved, not widened": {
        "calibrate": lambda e, n: refutation.calibrate(e, EmpiricalNull(n.mean, 0.0, 0.0, n.n))},
}  # fmt: skip


def test_the_true_functions_pass():
    assert first_failure(RefutationTools()) is None


@pytest.mark.parametrize("name", [*PATCHED, *SWAPPED])
def test_a_broken_twin_fails(name):
    if name in SWAPPED:
        assert first_failure(replace(RefutationTools(), **SWAPPED[name])) is not None
        return
    attribute, build = PATCHED[name]
    with patch.object(refutation, attribute, build(getattr(refutation, attribute))):
        assert first_failure(RefutationTools()) is not None
