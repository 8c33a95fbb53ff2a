"""Weighting and matching equal other libraries on the same arrays."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from causallib.estimation import IPW, Matching
from causallib.preprocessing.transformers import PropensityTransformer
from econml.sklearn_extensions.linear_model import StatsModelsLinearRegression
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from statsmodels.treatment.treatment_effects import TreatmentEffect

from causalrec_lib import matching, weighting
from causalrec_lib._neighbours import full
from tests.truth.weighting_world import draw

SAME = {"rtol": 1e-6}
D = draw(1)
DESIGN = sm.add_constant(D.X)


def unpenalised():
    return LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)


def test_the_propensity_model_is_statsmodels_logit():
    logit = sm.Logit(D.t, DESIGN).fit(disp=0, tol=1e-14)
    fit = weighting.propensity(D.X, D.t)
    np.testing.assert_allclose(fit.table(), logit.params, rtol=1e-8)
    np.testing.assert_allclose(fit.e, logit.predict(), rtol=1e-8)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 100.0])
def test_the_penalised_model_is_scikit_learns_on_standardised_columns(penalty):
    Z = StandardScaler().fit_transform(D.X)
    ridge = LogisticRegression(C=1 / penalty, tol=1e-10, solver="newton-cholesky").fit(Z, D.t)
    np.testing.assert_allclose(
        weighting.propensity(D.X, D.t, penalty=penalty).e, ridge.predict_proba(Z)[:, 1], **SAME
    )


@pytest.mark.parametrize(("estimand", "group"), [("ATE", "all"), ("ATT", 1), ("ATC", 0)])
def test_hajek_and_its_sandwich_are_statsmodels_treatment_effects(estimand, group):
    logit = sm.Logit(D.t, DESIGN).fit(disp=0, tol=1e-14)
    peer = TreatmentEffect(sm.OLS(D.y, DESIGN), D.t.astype(int), results_select=logit)
    theirs = peer.ipw(effect_group=group).summary_frame().iloc[0]
    ours = weighting.ipw(D.y, D.t, X=D.X, estimand=estimand)
    np.testing.assert_allclose([ours.value, ours.se], [theirs["coef"], theirs["std err"]], **SAME)


@pytest.mark.parametrize(("estimand", "group"), [("ATE", "all"), ("ATT", 1), ("ATC", 0)])
def test_standardisation_is_statsmodels_regression_adjustment(estimand, group):
    logit = sm.Logit(D.t, DESIGN).fit(disp=0)
    peer = TreatmentEffect(sm.OLS(D.y, DESIGN), D.t.astype(int), results_select=logit)
    theirs = peer.ra(effect_group=group).summary_frame().iloc[0]
    ours = weighting.standardisation(D.y, D.t, D.X, interact=True, estimand=estimand)
    np.testing.assert_allclose([ours.value, ours.se], [theirs["coef"], theirs["std err"]], **SAME)


def test_hajek_is_causallib():
    X, t, y = pd.DataFrame(D.X), pd.Series(D.t.astype(int)), pd.Series(D.y)
    peer = IPW(unpenalised()).fit(X, t)
    means = peer.estimate_population_outcome(X, t, y)
    np.testing.assert_allclose(weighting.ipw(D.y, D.t, X=D.X).value, means[1] - means[0], **SAME)


def test_the_error_with_fixed_weights_is_robust_weighted_least_squares():
    w = weighting.weights(D.t, weighting.propensity(D.X, D.t).e)
    ours = weighting.ipw(D.y, D.t, X=D.X, se="weights_fixed")
    wls = sm.WLS(D.y, sm.add_constant(D.t), weights=w).fit(cov_type="HC0")
    econ = StatsModelsLinearRegression(cov_type="HC0").fit(D.t[:, None], D.y, sample_weight=w)
    np.testing.assert_allclose([wls.params[1], wls.bse[1]], [ours.value, ours.se], **SAME)
    np.testing.assert_allclose([econ.coef_[0], econ.coef_stderr_[0]], [ours.value, ours.se], **SAME)


def test_clustered_errors_are_statsmodels():
    users = np.repeat(np.arange(70), 10)
    w = weighting.weights(D.t, D.e)
    ours = weighting.ipw(D.y, D.t, D.e, clusters=users)
    wls = sm.WLS(D.y, sm.add_constant(D.t), weights=w).fit(
        cov_type="cluster", cov_kwds={"groups": users, "use_correction": False}
    )
    np.testing.assert_allclose(ours.se, wls.bse[1] * np.sqrt(70 / 69), **SAME)


@pytest.mark.parametrize(("estimand", "rows"), [("ATE", slice(None)), ("ATT", D.t == 1), ("ATC", D.t == 0)])
def test_score_matching_is_causallib(estimand, rows):
    X, t, y = pd.DataFrame(D.X), pd.Series(D.t.astype(int)), pd.Series(D.y)
    score = PropensityTransformer(learner=unpenalised(), include_covariates=False)
    peer = Matching(propensity_transform=score, matching_mode="both").fit(X, t, y)
    outcomes = peer.estimate_individual_outcome(X, t)
    pairs = matching.match(D.X, D.t, estimand=estimand)
    ours = matching.matching_estimate(D.y, pairs, bias_correction=False, refuse="flag")
    np.testing.assert_allclose(ours.value, (outcomes[1] - outcomes[0])[rows].mean(), **SAME)


def test_the_abadie_imbens_error_is_the_published_formula():
    """The formula of the 2006 paper, by loops, for three neighbours."""
    d, k, j = draw(21, n=120), 3, 2
    rows = range(len(d.t))
    near = [sorted(np.flatnonzero(d.t != d.t[i]), key=lambda q, i=i: abs(d.X[q, 0] - d.X[i, 0]))[:k] for i in rows]
    mine = [
        sorted(set(np.flatnonzero(d.t == d.t[i])) - {i}, key=lambda q, i=i: abs(d.X[q, 0] - d.X[i, 0]))[:j]
        for i in rows
    ]
    sigma = np.array([j / (j + 1) * (d.y[i] - d.y[mine[i]].mean()) ** 2 for i in rows])
    used = np.bincount(np.concatenate(near), minlength=len(d.t))
    effect = (2 * d.t - 1) * (d.y - np.array([d.y[q].mean() for q in near]))
    average = (((effect - effect.mean()) ** 2) + ((used / k) ** 2 + (2 - 1 / k) * used / k) * sigma).sum() / len(
        d.t
    ) ** 2
    treated = d.t == 1
    gap = effect[treated] - effect[treated].mean()
    lent = np.bincount(np.concatenate([near[i] for i in np.flatnonzero(treated)]), minlength=len(d.t))
    of_treated = ((gap**2).sum() + (lent * (lent - 1) / k**2 * sigma).sum()) / treated.sum() ** 2
    # (K/M)^2 - K/M^2 = K (K - 1) / M^2 for the controls that stand in
    for estimand, want in (("ATE", average), ("ATT", of_treated)):
        m = matching.match(d.X[:, 0], d.t, estimand=estimand, ratio=k)
        got = matching.matching_estimate(d.y, m, bias_correction=False, refuse="flag")
        np.testing.assert_allclose(got.se**2, want, **SAME)


@pytest.mark.parametrize("seed", range(8))
def test_full_matching_is_the_cheapest_edge_cover(seed):
    """Linear programming gives the same least distance: the relaxation of a bipartite edge cover is exact."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(9, 2)), rng.normal(size=(14, 2)) + 0.5
    cost = np.linalg.norm(a[:, None] - b, axis=2)
    rows = np.kron(np.eye(9), np.ones(14))
    cols = np.kron(np.ones(9), np.eye(14))
    best = linprog(cost.ravel(), A_ub=-np.vstack([rows, cols]), b_ub=-np.ones(23), bounds=(0, 1), method="highs")
    np.testing.assert_allclose(full(a, b, np.inf).distance.sum(), best.fun, rtol=1e-9)
