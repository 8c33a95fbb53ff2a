"""Values of policies against their truth."""

import numpy as np
import pytest

from causalrec_lib import policy
from tests.truth.policy_world import SLATE_TRUTH, TRUE, TRUE_SLATES, battery, slate_battery, slates


def test_values_are_right_and_their_intervals_cover():
    assert [check for check, good in battery(TRUE, 100).items() if not good] == []


@pytest.mark.nightly
def test_values_are_right_many_times():
    assert [check for check, good in battery(TRUE, 1_000).items() if not good] == []


def test_cascade_dr_is_right_with_any_model_and_quieter_with_a_better_one():
    assert [check for check, good in slate_battery(TRUE_SLATES, 100).items() if not good] == []


def test_slates_are_right_where_the_assumption_holds_and_wrong_where_not():
    truth = SLATE_TRUTH
    for name in ("IPS", "RIPS", "IIPS"):
        found = [policy.slate_value(*slates(np.random.default_rng(s)), estimator=name) for s in range(80)]
        values = np.array([x.value for x in found])
        off = abs(values.mean() - truth) / (values.std(ddof=1) / 80**0.5)
        assert (off < 3.5) == (name != "IIPS"), (name, off)
        if name != "IIPS":
            assert 70 <= sum(x.covers(truth) for x in found) <= 80


def test_the_bernstein_bound_holds_where_the_normal_interval_does_not():
    rng, truth, hits, normal = np.random.default_rng(0), 0.01, 0, 0
    for _ in range(400):
        x = (rng.random(100) < truth).astype(float)
        low, high = policy.bernstein(x, 0.0, 1.0)
        half = 1.96 * x.std() / 10
        hits += low <= truth <= high
        normal += x.mean() - half <= truth <= x.mean() + half
    assert hits >= 395 and normal < 320
