"""Targeting against exact gains: bias, coverage, and errors that are scatters."""

import numpy as np
import pytest

from causalrec_lib import learning
from causalrec_lib.policy import at_actions, off_policy_value
from tests.regression.twins import first_failure
from tests.truth import targeting_world as world


def test_gains_are_centred_and_covered():
    assert first_failure(world.battery(world.Tools(), 80)) is None


@pytest.mark.nightly
def test_gains_are_centred_and_covered_in_many_runs():
    assert first_failure(world.battery(world.Tools(), 400)) is None


def test_a_learned_policy_is_judged_rightly_on_other_rounds_and_wrongly_on_its_own():
    own, fresh = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, a, y = rng.integers(0, 5, (2, 400)), rng.integers(0, 10, (2, 400)), (rng.random((2, 400)) < 0.2) * 1.0
        policy = learning.softmax_policy(x[0], a[0], y[0], np.full(400, 0.1), 10, objective="IPS", steps=60)
        for k, into in enumerate((own, fresh)):
            pi = at_actions(policy[x[k]], a[k])
            into.append(off_policy_value(y[k], pi, np.full(400, 0.1), estimator="IPS", refuse="flag").value - 0.2)
    assert np.mean(own) > 10 * np.std(own) / np.sqrt(40)
    assert abs(np.mean(fresh)) < 3.5 * np.std(fresh) / np.sqrt(40)
