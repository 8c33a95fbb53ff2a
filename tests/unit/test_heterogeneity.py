"""How predictions of effects are judged."""

import numpy as np
import pytest
import statsmodels.api as sm

from causalrec_lib import heterogeneity
from tests.truth.heterogeneity_world import draw

D = draw(3, n=400)


def gains(scores, priority):
    """What the first j rows gain over all, for each j, with ties replaced by their mean."""
    values = np.array([scores[priority == p].mean() for p in priority])
    ordered = values[np.argsort(-priority, kind="stable")]
    return np.cumsum(ordered) / np.arange(1, len(ordered) + 1) - scores.mean()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighting", ["autoc", "qini"])
def test_rate_is_the_area_under_the_curve(weighting, ties):
    priority = np.round(D["tau"], 1) if ties else D["tau"]
    curve = gains(D["scores"], priority)
    share = np.arange(1, 401) / 400
    want = curve.mean() if weighting == "autoc" else (share * curve).mean()
    assert heterogeneity.rate(D["scores"], priority, weighting=weighting).value == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_rate_error_is_near_the_jackknife(ties):
    priority = np.round(D["tau"], 1) if ties else D["tau"]
    found = heterogeneity.rate(D["scores"], priority, weighting="qini")
    left_out = [
        heterogeneity.rate(np.delete(D["scores"], i), np.delete(priority, i), weighting="qini").value
        for i in range(400)
    ]
    jackknife = np.sqrt(399 / 400 * np.sum((left_out - np.mean(left_out)) ** 2))
    assert found.se == pytest.approx(jackknife, rel=0.02)


def test_rate_doesnt_depend_on_the_scale_or_order_of_rows():
    base = heterogeneity.rate(D["scores"], D["tau"])
    shuffled = np.random.default_rng(0).permutation(400)
    assert heterogeneity.rate(D["scores"], np.exp(D["tau"])).value == pytest.approx(base.value)
    other = heterogeneity.rate(D["scores"][shuffled], D["tau"][shuffled])
    assert other.value == pytest.approx(base.value) and other.se == pytest.approx(base.se)
    assert np.allclose(other.influence, base.influence[shuffled])


def test_a_constant_priority_is_worth_nothing():
    found = heterogeneity.rate(D["scores"], np.ones(400))
    assert found.value == pytest.approx(0, abs=1e-12) and found.se == pytest.approx(0, abs=1e-12)


def test_copied_rows_in_clusters_add_no_information():
    users = np.tile(np.arange(400), 2)
    once = heterogeneity.rate(D["scores"], D["tau"])
    twice = heterogeneity.rate(np.tile(D["scores"], 2), np.tile(D["tau"], 2), clusters=users)
    assert twice.se == pytest.approx(once.se, rel=0.03)


def test_calibration_is_a_regression_of_remainders():
    u, v = D["y"] - D["m"], D["t"] - D["e"]
    p = D["tau"] + D["other"]
    design = np.column_stack([v * p.mean(), v * (p - p.mean())])
    theirs = sm.OLS(u, design).fit(cov_type="HC0")
    ours = heterogeneity.calibration(D["y"], D["t"], p, D["m"], D["e"])
    assert np.allclose([e.value for e in ours.values()], theirs.params)
    assert np.allclose([e.se for e in ours.values()], theirs.bse)


def test_the_targeting_curve_ends_at_zero_and_is_the_gain():
    curve = heterogeneity.targeting_curve(D["scores"], D["tau"], (0.25, 0.5, 1.0))
    assert np.allclose(curve["gain"], gains(D["scores"], D["tau"])[[99, 199, 399]])
    assert curve.loc[1.0, "se"] == pytest.approx(0, abs=1e-12) and (curve["se"].iloc[:2] > 0).all()
    again = heterogeneity.targeting_curve(D["scores"], D["tau"], (0.25, 0.5, 1.0))
    assert curve.equals(again)


def test_the_r_loss_is_least_near_the_truth():
    at = [heterogeneity.r_losses(D["y"], D["t"], D["tau"] + k, D["m"], D["e"]).mean() for k in (-1.0, 0.0, 1.0)]
    assert at[1] < min(at[0], at[2])


def test_pehe_is_a_root_mean_square():
    assert heterogeneity.pehe([1.0, 2.0], [1.0, 4.0]) == pytest.approx(np.sqrt(2))


def test_predictions_that_are_all_alike_have_no_slope():
    with pytest.raises(ValueError, match=r"predicted is all alike"):
        heterogeneity.calibration(D["y"], D["t"], np.ones(400), D["m"], D["e"])


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.5, 1.2), (0.5, 0.2), ()])
def test_shares_outside_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        heterogeneity.targeting_curve(D["scores"], D["tau"], shares)
