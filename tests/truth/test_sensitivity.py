"""Coverage of the bounds over many data sets."""

import numpy as np
import pytest

from causalrec_lib import sensitivity

from .sensitivity_world import SensitivityTools, adjusted, hidden, sensitivity_battery


@pytest.mark.nightly
def test_the_battery_with_many_runs():
    assert [check for check, good in sensitivity_battery(SensitivityTools(), 1000) if not good] == []


def test_bounds_cover_at_the_true_strength_and_the_plain_interval_never():
    draws = [(adjusted(d), d) for d in (hidden(seed) for seed in range(40))]
    assert not any(found.covers(d.truth) for found, d in draws)
    ends = [found.sensitivity().interval(d.r2_outcome, d.r2_treatment) for found, d in draws]
    assert np.mean([low <= 1 <= high for low, high in ends]) >= 36 / 40
    half = [found.sensitivity().interval(d.r2_outcome / 2, d.r2_treatment / 2) for found, d in draws]
    assert np.mean([low <= 1 <= high for low, high in half]) < 0.1


def test_marginal_bounds_hold_the_truth_at_the_true_gamma():
    for seed in range(40):
        d = hidden(seed, strength=0.5)
        odds = np.exp(1.0)  # e(x, u) is at most this factor of odds from e(x)
        table = sensitivity.marginal_bounds(d.y, d.t, d.e, [1.0, odds])
        assert table["low"][1] < 1 < table["high"][1]
