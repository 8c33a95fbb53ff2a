"""Off-policy evaluation: identities, refusals, and clear errors."""

import numpy as np
import pytest

from causalrec_lib import policy
from causalrec_lib.estimate import EffectiveSampleTooSmall, Miscalibrated, NoOverlap
from tests.truth.policy_world import draw

LOG = draw(1)
ARGS = LOG[:5]
EVERY = ("DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos")


def test_estimators_meet_at_their_limits():
    def value(how, threshold=None):
        return policy.off_policy_value(*ARGS, estimator=how, threshold=threshold, refuse="flag").value

    assert value("SWITCH-DR", 1e9) == pytest.approx(value("DR"))
    assert value("DRos", 1e12) == pytest.approx(value("DR"))
    assert value("SWITCH-DR", 1e-9) == pytest.approx(value("DM"))
    assert value("clipped IPS", 1e9) == pytest.approx(value("IPS"))


@pytest.mark.parametrize("how", ["IPS", "SNIPS", "DR", "SNDR"])
def test_the_logging_policy_itself_gets_the_mean_reward(how):
    q = np.zeros(len(LOG.y))
    found = policy.off_policy_value(LOG.y, LOG.e, LOG.e, q, q, estimator=how)
    assert found.value == pytest.approx(LOG.y.mean()) and found.ess == pytest.approx(len(LOG.y))


def test_influence_is_centred_and_gives_the_error():
    for how in EVERY:
        cut = 2.0 if how in policy.NEEDS_THRESHOLD else None
        found = policy.off_policy_value(*ARGS, estimator=how, threshold=cut, refuse="flag")
        assert found.influence.mean() == pytest.approx(0, abs=1e-12)
        assert found.se == pytest.approx(found.influence.std() / len(LOG.y) ** 0.5)


def test_a_deterministic_logger_is_refused():
    with pytest.raises(NoOverlap, match="deterministic"):
        policy.off_policy_value(LOG.y, np.ones(len(LOG.y)), np.ones(len(LOG.y)), estimator="IPS")


def test_a_policy_that_was_never_logged_is_refused():
    with pytest.raises(NoOverlap, match="no round is left"):
        policy.off_policy_value(LOG.y, np.zeros(len(LOG.y)), LOG.e, estimator="SNIPS")


def test_few_effective_rounds_are_refused():
    e = np.full(500, 0.5)
    e[0] = 1e-5
    with pytest.raises(EffectiveSampleTooSmall, match="rounds"):
        policy.off_policy_value(np.ones(500), np.full(500, 0.5), e, estimator="IPS")


def test_propensities_that_were_not_at_work_are_refused():
    with pytest.raises(Miscalibrated, match="average"):
        policy.off_policy_value(LOG.y, LOG.target, np.minimum(1.0, 1.3 * LOG.e), estimator="SNIPS")


def test_the_model_alone_needs_no_overlap():
    found = policy.off_policy_value(*ARGS, estimator="DM")
    assert found.value == pytest.approx(LOG.v.mean()) and not found.flags and "model" in found.notes[0]


def test_what_an_estimator_needs_is_asked_for():
    with pytest.raises(ValueError, match="threshold is missing"):
        policy.off_policy_value(*ARGS, estimator="DRos")
    with pytest.raises(ValueError, match="threshold is for"):
        policy.off_policy_value(*ARGS, estimator="DR", threshold=2.0)
    with pytest.raises(ValueError, match="v is missing"):
        policy.off_policy_value(LOG.y, LOG.target, LOG.e, LOG.q, estimator="DR")


def test_probabilities_must_sum_to_one():
    with pytest.raises(ValueError, match="sum to 1"):
        policy.at_actions(np.full((3, 2), 0.4), np.zeros(3))


def test_uncovered_counts_what_the_logger_never_shows():
    logging, target = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[0.3, 0.7], [1.0, 0.0]])
    assert policy.uncovered(target, logging).tolist() == [0.3, 0.0]


def test_thresholds_trade_variance_for_bias():
    table = policy.thresholds(*ARGS, estimator="SWITCH-DR", candidates=(0.5, 1.0, 2.0, 1e6))
    assert table["se"].is_monotonic_increasing and table["bias"].iloc[-1] == 0
    assert table.loc[1e6, "value"] == pytest.approx(
        policy.off_policy_value(*ARGS, estimator="DR", refuse="flag").value
    )


def test_a_slate_of_one_slot_is_weighting():
    w = LOG.target / LOG.e
    for how in ("IPS", "RIPS", "IIPS"):
        found = policy.slate_value(LOG.y, w, np.arange(len(w)), np.ones(len(w)), estimator=how)
        assert found.value == pytest.approx((w * LOG.y).mean())


def test_cascade_dr_of_one_slot_is_dr_and_without_a_model_rips():
    rounds, one = np.arange(len(LOG.y)), np.ones(len(LOG.y))
    w = LOG.target / LOG.e
    found = policy.slate_value(LOG.y, w, rounds, one, LOG.q, LOG.v, estimator="cascade DR")
    double = policy.off_policy_value(*ARGS, estimator="DR")
    assert found.value == pytest.approx(double.value) and found.se == pytest.approx(double.se)
    session, place, none = rounds // 3, rounds % 3 + 1, 0 * one
    empty = policy.slate_value(LOG.y, w, session, place, none, none, estimator="cascade DR")
    assert empty.value == pytest.approx(policy.slate_value(LOG.y, w, session, place, estimator="RIPS").value)
    with pytest.raises(ValueError, match="v is missing, and cascade DR"):
        policy.slate_value(LOG.y, w, session, place, LOG.q, estimator="cascade DR")


def test_cascade_dr_by_hand():
    y, ratio, q, v = np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.5, 3.0]), np.array([0.9, 0.4, 0.3]), np.full(3, 0.5)
    found = policy.slate_value(
        np.tile(y, 2), np.tile(ratio, 2), np.repeat([0, 1], 3), np.tile([1, 2, 3], 2), np.tile(q, 2), np.tile(v, 2),
        estimator="cascade DR", refuse="flag",
    )  # fmt: skip
    assert found.value == pytest.approx((2 * 0.1 + 0.5) + (1 * -0.4 + 2 * 0.5) + (3 * 0.7 + 1 * 0.5))


def test_slates_in_any_order_of_rows():
    rng = np.random.default_rng(0)
    session, place = np.repeat(np.arange(100), 3), np.tile([1, 2, 3], 100)
    y, ratio, turn = rng.random(300), rng.uniform(0.5, 1.5, 300), rng.permutation(300)
    q, v = rng.random((2, 300))
    for how in ("IPS", "RIPS", "IIPS", "cascade DR"):
        one = policy.slate_value(y, ratio, session, place, q, v, estimator=how)
        other = policy.slate_value(*(x[turn] for x in (y, ratio, session, place, q, v)), estimator=how)
        assert one.value == pytest.approx(other.value) and one.se == pytest.approx(other.se)


def test_the_bound_knows_its_range():
    with pytest.raises(ValueError, match="rows"):
        policy.bernstein([0.0, 2.0], 0.0, 1.0)
    low, high = policy.bernstein(np.full(10_000, 0.5), 0.0, 1.0)
    assert 0.49 < low < 0.5 < high < 0.51
