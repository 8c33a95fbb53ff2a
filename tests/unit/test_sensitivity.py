"""What an estimate says about hidden causes, and what it says it can't give."""

import numpy as np
import pandas as pd
import pytest

from causalrec_lib import matching, sensitivity, weighting
from causalrec_lib.effects import contrast
from causalrec_lib.estimate import Estimate, difference_in_means

rng = np.random.default_rng(12)
N = 800
X = rng.normal(size=(N, 2))
T = (rng.random(N) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
BOUGHT = (rng.random(N) < 0.15 + 0.1 * T + 0.1 * (X[:, 0] > 0)).astype(float)
KG = X[:, 0] + T + rng.normal(size=N)


def test_the_card_shows_every_measure_that_the_parts_allow():
    card = weighting.ipw(BOUGHT, T, X=X, unit="sales").sensitivity().report()
    assert {"robustness value", "robustness value of the interval", "E-value", "E-value of the interval"} <= set(
        card.index
    )
    assert card["not given"] == "Gamma (no matched pairs)" and "FLAGGED" not in card
    found = weighting.ipw(BOUGHT, T, X=X).sensitivity()
    assert "robustness value" in repr(found) and "<th scope" in found._repr_html_()


def test_what_is_missing_is_named_with_its_reason():
    bare = Estimate(1.0, 0.1, "ATE", "by hand", 10).sensitivity()
    assert [m.split(" (")[0] for m in bare.missing] == ["bias bound", "E-value", "Gamma"]
    assert np.isnan(bare.robustness_value) and np.isnan(bare.robustness_interval)
    with pytest.raises(ValueError, match=r"there is no bias bound: bias bound [(]the estimate keeps no weights"):
        bare.bias(0.1, 0.1)
    kg = weighting.ipw(KG, T, X=X)
    assert any("no risks" in m for m in kg.sensitivity().missing)
    assert any("about no effect at all" in m for m in weighting.ipw(BOUGHT, T, X=X).sensitivity(0.02).missing)
    assert contrast(kg, difference_in_means(KG, T)).sensitivity().scale is None


def test_flags_stay_in_sight():
    flagged = weighting.ipw(KG, T, X=X).flagged("Too few.").sensitivity()
    assert flagged.report()["FLAGGED"] == "Too few. No sensitivity analysis repairs that."
    assert "cr-flagged" in flagged._repr_html_()


def test_an_interval_that_holds_the_null_has_no_robustness():
    wide = Estimate(0.1, 1.0, "ATE", "by hand", N, design=difference_in_means(KG, T).design)
    assert wide.sensitivity().robustness_interval == 0 < wide.sensitivity().robustness_value
    no_error = Estimate(0.1, np.nan, "ATE", "by hand", N, design=difference_in_means(KG, T).design).sensitivity()
    assert np.isnan(no_error.robustness_interval) and "robustness value of the interval" not in no_error.report()


def test_clusters_reach_the_interval():
    users = np.repeat(np.arange(N // 2), 2)
    plain, by_user = (weighting.ipw(KG, T, X=X, clusters=c) for c in (None, users))
    for estimate in (plain, by_user):
        assert estimate.sensitivity().interval(0.0, 0.0) == pytest.approx((estimate.low, estimate.high))
    repeated = [np.tile(a, (2, 1)) if a.ndim == 2 else np.tile(a, 2) for a in (KG, T, X)]
    twice = weighting.ipw(repeated[0], repeated[1], X=repeated[2], clusters=np.tile(np.arange(N), 2)).sensitivity()
    once = plain.sensitivity()
    assert twice.interval(0.1, 0.1) == pytest.approx(once.interval(0.1, 0.1), rel=2e-3)


def test_gamma_is_that_of_the_pairs_on_the_side_of_the_effect():
    few = matching.match(X[:, 0], (T * (X[:, 1] > 0.3)), replace=False)
    for sign in (1, -1):
        estimate = matching.matching_estimate(sign * KG, few, bias_correction=False, refuse="flag")
        gap = KG[few.focal] - KG[few.partner]
        assert estimate.sensitivity().gamma == pytest.approx(sensitivity.rosenbaum_gamma(gap, alpha=0.025))
    reused = matching.matching_estimate(KG, matching.match(X[:, 0], T), refuse="flag").sensitivity()
    assert reused.gamma is None and any("share rows" in m for m in reused.missing)


def test_the_ratio_has_the_interval_of_its_logarithm():
    found = difference_in_means(BOUGHT, T).sensitivity()
    p1, p0, n1, n0 = BOUGHT[T == 1].mean(), BOUGHT[T == 0].mean(), T.sum(), (1 - T).sum()
    half = 1.959964 * np.sqrt((1 - p1) / (p1 * n1) + (1 - p0) / (p0 * n0))
    assert found.ratio == pytest.approx((p1 / p0, p1 / p0 * np.exp(-half), p1 / p0 * np.exp(half)))


def test_benchmarks_know_which_column_moves_what():
    y = KG + 2 * X[:, 1]
    table = sensitivity.benchmarks(weighting.ipw(y, T, X=X), y, T, pd.DataFrame(X, columns=["both", "outcome"]))
    assert table.loc["both", "r2_treatment"] > 0.1 > 0.02 > table.loc["outcome", "r2_treatment"]
    assert (table["r2_outcome"] > 0.05).all() and (table <= 1).all().all()
    with pytest.raises(ValueError, match="must be an ATE"):
        sensitivity.benchmarks(weighting.ipw(y, T, X=X, estimand="ATT", refuse="flag"), y, T, X)


def test_a_benchmark_that_explains_more_than_everything_has_no_number():
    strong = X[:, 0] * 3 + 0.2 * X[:, 1]
    found = sensitivity.ols(KG, strong + rng.normal(size=N), np.c_[X[:, 0], X[:, 1]], benchmark={"first": ["x0"]})
    assert found.benchmarks.isna().to_numpy().all() == (found.benchmarks["r2_treatment"].isna().item())
    assert found.benchmarks[["value", "se"]].isna().all().all()
    assert "coefficient" in repr(found) and "<th scope" in found._repr_html_()


def test_a_regression_has_the_scale_of_its_design():
    found, model = sensitivity.ols(KG, T, X), weighting.standardisation(KG, T, X, interact=False)
    assert found.value == pytest.approx(model.value) and found.scale == pytest.approx(model.sensitivity().scale)
    assert found.robustness_value() == pytest.approx(model.sensitivity().robustness_value)
    assert sensitivity.ols(KG, T, X).robustness_value(alpha=1e-300) == 0.0


def test_marginal_bounds_widen_with_gamma_and_repeat_with_their_seed():
    e = weighting.propensity(X, T).e
    table = sensitivity.marginal_bounds(KG, T, e, [1, 1.5, 3], n_boot=20, seed=3)
    assert table["low"].is_monotonic_decreasing and table["high"].is_monotonic_increasing
    assert table.equals(sensitivity.marginal_bounds(KG, T, e, [1, 1.5, 3], n_boot=20, seed=3))
    assert sensitivity.marginal_bounds(KG, T, e, [2])["ci_low"].isna().all()
