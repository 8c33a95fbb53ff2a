"""Experiments: behaviour."""

import numpy as np
import pandas as pd
import pytest

from causalrec_lib import experiments
from causalrec_lib.experiments import SampleRatioMismatch
from tests.truth.experiments_world import draw


def test_power_counts_both_signs_and_rises():
    assert experiments.power(0.0, 1.0, 100) == pytest.approx(0.05)
    assert experiments.power(-0.3, 1.0, 400) == pytest.approx(experiments.power(0.3, 1.0, 400))
    assert experiments.power(0.3, 1.0, 800) > experiments.power(0.3, 1.0, 400)


def test_a_sample_of_the_returned_size_has_the_power():
    n = experiments.sample_size(0.1, 1.3, power=0.9)
    assert experiments.power(0.1, 1.3, n) >= 0.9 > experiments.power(0.1, 1.3, n - 2)


def test_clusters_with_rows_in_both_arms_are_refused():
    with pytest.raises(ValueError, match="clusters has 1 labels with rows in both arms"):
        experiments.ratio_metric([1.0, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1], clusters=[0, 0, 1, 2])


def test_an_arm_without_denominator_is_refused():
    with pytest.raises(ValueError, match="denominator is 0 in all rows of arm 1"):
        experiments.ratio_metric([1.0, 2, 3, 4], [1, 1, 0, 0], [0, 0, 1, 1])


def test_a_broken_split_is_flagged_and_named():
    d = draw(5)
    found = experiments.ratio_metric(d.y, d.n, d.t, planned=0.6, refuse="flag")
    assert found.broken_rules == ("sample ratio",)
    with pytest.raises(SampleRatioMismatch, match="160 of 400 units are in arm 1"):
        experiments.ratio_metric(d.y, d.n, d.t, planned=0.6)
    sessions = np.ones(len(d.session_y))
    with pytest.raises(SampleRatioMismatch, match="are in arm 1"):
        experiments.ratio_metric(d.session_y, sessions, d.t[d.session_user], clusters=d.session_user, planned=0.6)


def test_few_units_are_refused():
    y = np.arange(20.0)
    with pytest.raises(ValueError, match="20 groups"):
        experiments.ratio_metric(y, np.ones(20), np.arange(20) % 2)


def test_cuped_names_its_method_and_keeps_its_inputs():
    d = draw(6)
    x = pd.DataFrame({"past": d.x})
    kept = x.copy()
    found = experiments.cuped(d.y, d.t, x)
    assert "CUPED" in found.method and x.equals(kept) and found.n == 400
    assert found.se == pytest.approx(np.sqrt(found.influence @ found.influence * 400 / 399) / 400)


def test_always_valid_widens_and_keeps_the_value():
    d = draw(7)
    found = experiments.ratio_metric(d.y, d.n, d.t)
    wide = experiments.always_valid(found, tightest=found.se)
    assert wide.value == found.value and wide.low < found.low and wide.high > found.high
    row = experiments.confidence_sequence([found.value], [found.se], level=found.level).iloc[0]
    assert (wide.low, wide.high) == (row["low"], row["high"])


def test_a_hundred_looks_cost_more_than_fifty_and_less_than_independent_ones():
    fifty, hundred = (experiments.chance_of_an_alarm(k) for k in (50, 100))
    assert 0.3 < fifty < hundred < 1 - 0.95**10
    assert experiments.chance_of_an_alarm(5, level=0.99) < experiments.chance_of_an_alarm(5)


def test_team_draft_is_settled_by_its_generator_and_refuses_repeats():
    a, b = np.array([[0, 1, 2]]), np.array([[2, 3, 0]])
    first, again = (experiments.team_draft(a, b, rng=np.random.default_rng(3)) for _ in range(2))
    assert all((x == y).all() for x, y in zip(first, again, strict=True))
    with pytest.raises(ValueError, match="b ranks an item twice in row 0"):
        experiments.team_draft(a, [[1, 1, 2]], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="b must have shape"):
        experiments.team_draft(a, [[1, 2]], rng=np.random.default_rng(0))


def test_credit_is_turned_with_the_teams():
    rng = np.random.default_rng(4)
    clicks, teams = rng.integers(0, 2, (2, 50, 4))
    one, other = (experiments.interleaving_credit(clicks, side) for side in (teams, 1 - teams))
    assert one.value == pytest.approx(-other.value) and one.se == pytest.approx(other.se)
