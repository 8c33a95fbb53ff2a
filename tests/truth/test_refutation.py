"""Refuters, tests on negative controls and calibrated intervals against a known truth."""

import numpy as np
import pytest

from causalrec_lib import refutation, weighting

from .refutation_world import RefutationTools, between, controls, hajek, refutation_battery, study


@pytest.mark.nightly
def test_the_battery_with_many_runs():
    assert [check for check, good in refutation_battery(RefutationTools(), 1000) if not good] == []


@pytest.mark.nightly
def test_level_of_the_joint_test_over_two_thousand_studies():
    rings = sum(refutation.negative_controls(controls(study(s))).p < 0.05 for s in range(2000))
    assert between(rings, 2000, 0.053)


def test_refuters_pass_on_a_confounded_estimate_and_controls_ring():
    """The hidden cause shifts every estimate; not one refuter of twenty studies sees it."""
    runs = 20
    draws = [study(seed, n=1500, hidden=0.8) for seed in range(runs)]
    found = [weighting.ipw(d.y, d.t, X=d.x, refuse="flag") for d in draws]
    assert not any(estimate.covers(1.0) for estimate in found)
    alarms = [refutation.battery(hajek, d.y, d.t, d.x, seed=55, n_draws=6)["alarm"].sum() for d in draws]
    assert np.sum(alarms) <= 4  # of 120
    assert all(refutation.negative_controls(controls(d)).p < 1e-3 for d in draws)
