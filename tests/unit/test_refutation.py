"""What refuters, controls and calibration return, and what they refuse."""

import numpy as np
import pytest

from causalrec_lib import refutation, weighting
from causalrec_lib.estimate import Estimate, difference_in_means
from tests.truth.refutation_world import controls, hajek, study

D = study(8)


def test_the_battery_is_a_table_with_a_seed():
    first, again, other = (refutation.battery(hajek, D.y, D.t, D.x, seed=s, n_draws=3) for s in (1, 1, 2))
    assert first.equals(again) and not first["mean"].equals(other["mean"])
    assert list(first.columns) == ["expected", "mean", "sd", "z", "p", "alarm"]
    assert len(first) == 6 and first["p"].between(0, 1).all()


def test_the_battery_leaves_its_inputs_alone():
    y, t, x = D.y.copy(), D.t.copy(), D.x.copy()
    refutation.battery(hajek, y, t, x, seed=1, n_draws=2)
    assert (y == D.y).all() and (t == D.t).all() and (x == D.x).all()


def test_an_effect_that_returns_no_number_is_named():
    with pytest.raises(ValueError, match="what effect returns must be a number"):
        refutation.battery(lambda y, t, x: difference_in_means(y, t), D.y, D.t, D.x, seed=1)
    with pytest.raises(ValueError, match="what effect returns must be a finite number"):
        refutation.battery(lambda y, t, x: float("nan"), D.y, D.t, D.x, seed=1)


def test_controls_must_be_about_the_same_rows():
    found = controls(D)
    short = weighting.ipw(D.before[:-5], D.t[:-5], X=D.x[:-5], refuse="flag")
    with pytest.raises(ValueError, match=r"'short'.*other rows or clusters"):
        refutation.negative_controls(found | {"short": short})
    users = np.arange(len(D.t)) // 2
    clustered = weighting.ipw(D.before, D.t, X=D.x, clusters=users, refuse="flag")
    with pytest.raises(ValueError, match="other rows or clusters"):
        refutation.negative_controls(found | {"clustered": clustered})


def test_a_control_twice_or_without_influence_is_refused():
    found = controls(D)
    with pytest.raises(ValueError, match="same control twice"):
        refutation.negative_controls(found | {"again": found["before"]})
    with pytest.raises(ValueError, match="keeps no influence values"):
        refutation.negative_controls({"bare": Estimate(0.1, 0.1, "ATE", "by hand", 10)})
    with pytest.raises(ValueError, match="controls is empty"):
        refutation.negative_controls({})


def test_two_controls_are_too_few_for_a_null():
    with pytest.raises(ValueError, match="three or more"):
        refutation.empirical_null([0.1, 0.2], [0.1, 0.1])


def test_equal_controls_have_no_spread():
    null = refutation.empirical_null([0.2] * 5, [0.1] * 5)
    assert null.mean == pytest.approx(0.2) and null.sd == 0.0
    assert null.mean_se == pytest.approx(0.1 / np.sqrt(5))


def test_a_calibrated_card_says_so_and_keeps_no_influence():
    found = weighting.ipw(D.y, D.t, X=D.x)
    moved = refutation.calibrate(found, refutation.EmpiricalNull(0.1, 0.05, 0.2, 9))
    assert moved.value == pytest.approx(found.value - 0.1) and moved.se > found.se
    assert moved.influence is None and moved.design is None and "calibrated" in moved.method
    assert any("exchangeable" in words for words in moved.assumptions)
    assert "9 negative controls" in repr(moved)
    with pytest.raises(ValueError, match="no standard error"):
        refutation.calibrate(Estimate(1.0, float("nan"), "ATE", "by hand", 9), moved_null())


def moved_null():
    return refutation.EmpiricalNull(0.0, 0.1, 0.1, 5)
