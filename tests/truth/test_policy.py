"""Values of policies against their truth."""

import numpy as np
import pytest

from causalrec_lib import policy
from tests.truth.policy_world import TRUE, battery


def test_values_are_right_and_their_intervals_cover():
    assert [check for check, good in battery(TRUE, 100).items() if not good] == []


@pytest.mark.nightly
def test_values_are_right_many_times():
    assert [check for check, good in battery(TRUE, 1_000).items() if not good] == []


def slates(rng, n=2_000):
    """Two slots, two items each: a click on the second depends on the first; truth of a policy that likes item 1."""
    first, second = rng.integers(0, 2, (2, n))
    clicks = np.stack([rng.random(n) < 0.2 + 0.4 * first, rng.random(n) < 0.1 + 0.5 * first * second], axis=1)
    ratio = np.stack([np.where(first, 0.8, 0.2) / 0.5, np.where(second, 0.7, 0.3) / 0.5], axis=1)
    return clicks.astype(float).ravel(), ratio.ravel(), np.repeat(np.arange(n), 2), np.tile([1, 2], n)


def test_slates_are_right_where_the_assumption_holds_and_wrong_where_not():
    truth = 0.2 + 0.4 * 0.8 + 0.1 + 0.5 * 0.8 * 0.7
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
