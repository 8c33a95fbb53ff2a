"""Experiments against statsmodels and scipy."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import chisquare, multivariate_normal, norm, permutation_test
from statsmodels.stats.power import tt_ind_solve_power, zt_ind_solve_power

from causalrec_lib import experiments
from tests.truth.experiments_world import draw


def test_ratio_metric_equals_clustered_least_squares_on_sessions():
    d = draw(3)
    t = d.t[d.session_user]
    ours = experiments.ratio_metric(d.session_y, np.ones(len(t)), t, clusters=d.session_user)
    fit = sm.OLS(d.session_y, sm.add_constant(t)).fit(
        cov_type="cluster", cov_kwds={"groups": d.session_user, "use_correction": False}
    )
    groups = len(np.unique(d.session_user))
    assert np.isclose(ours.value, fit.params[1])
    assert np.isclose(ours.se, fit.bse[1] * np.sqrt(groups / (groups - 1)))


def test_cuped_equals_the_regression_on_arm_and_past():
    d = draw(4)
    came = d.n > 0
    y, t, x = d.y[came] / d.n[came], d.t[came], d.x[came]
    ours = experiments.cuped(y, t, x)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([t, x]))).fit(cov_type="HC0")
    assert np.isclose(ours.value, fit.params[1])
    assert np.isclose(ours.se, fit.bse[1], rtol=0.02)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_plans_equal_the_formula_and_statsmodels(share):
    n, sd = 1_000, 2.0
    mde = experiments.minimum_detectable_effect(sd, n, share=share)
    formula = (norm.ppf(0.975) + norm.ppf(0.8)) * sd * np.sqrt(1 / (share * n) + 1 / ((1 - share) * n))
    assert np.isclose(mde, formula, rtol=1e-4)
    assert np.isclose(experiments.power(mde, sd, n, share=share), 0.8, atol=1e-6)
    assert abs(experiments.sample_size(mde, sd, share=share) - n) <= 1
    theirs = zt_ind_solve_power(nobs1=share * n, alpha=0.05, power=0.8, ratio=(1 - share) / share)
    assert np.isclose(mde, sd * theirs, rtol=1e-6)
    student = tt_ind_solve_power(nobs1=share * n, alpha=0.05, power=0.8, ratio=(1 - share) / share)
    assert np.isclose(mde, sd * student, rtol=0.005)


def test_sample_ratio_equals_scipy():
    counts, shares = [510, 470, 220], [0.4, 0.4, 0.2]
    theirs = chisquare(counts, 1_200 * np.array(shares))
    ours = experiments.sample_ratio(counts, shares)
    assert np.allclose([ours.statistic, ours.p_value], theirs)


@pytest.mark.parametrize("looks", [2, 5])
def test_chance_of_an_alarm_equals_a_multivariate_normal(looks):
    k = np.arange(1, looks + 1)
    cov = np.sqrt(np.minimum.outer(k, k) / np.maximum.outer(k, k))
    z = np.full(looks, norm.ppf(0.975))
    inside = multivariate_normal(np.zeros(looks), cov, seed=1).cdf(z, lower_limit=-z)
    assert np.isclose(experiments.chance_of_an_alarm(looks), 1 - inside, atol=1e-4)


def test_the_randomisation_test_equals_scipy_where_all_assignments_are_counted():
    rng = np.random.default_rng(8)
    gap = rng.normal(0.6, 1, 12)
    y, t = np.column_stack([np.zeros(12), gap]).ravel(), np.tile([0, 1], 12)
    pairs = permutation_test((gap,), np.mean, permutation_type="samples", n_resamples=np.inf)
    ours = experiments.randomisation_test(y, t, np.repeat(np.arange(12), 2), rng=rng, n_draws=20_000)
    assert np.isclose(ours.observed, gap.mean())
    assert abs(ours.p_value - pairs.pvalue) < 4 * np.sqrt(pairs.pvalue * (1 - pairs.pvalue) / 20_000)
    a, b = rng.normal(1, 1, 7), rng.normal(size=6)
    exact = permutation_test((a, b), lambda x, z: abs(x.mean() - z.mean()), n_resamples=np.inf, alternative="greater")
    ours = experiments.randomisation_test(np.r_[a, b], np.repeat([1, 0], [7, 6]), rng=rng, n_draws=20_000)
    assert abs(ours.p_value - exact.pvalue) < 4 * np.sqrt(exact.pvalue * (1 - exact.pvalue) / 20_000)
