"""`exposure` against other libraries on the same numbers."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from statsmodels.stats.weightstats import DescrStatsW

from causalrec_lib import exposure, weighting


@pytest.fixture
def rated():
    rng = np.random.default_rng(2)
    stars = np.clip(np.round(3 + rng.normal(size=(50, 2)) @ rng.normal(size=(2, 30))), 1, 5)
    chance = rng.uniform(0.1, 0.6, stars.shape)
    seen = rng.random(stars.shape) < chance
    return stars, chance, seen


def test_snips_is_the_weighted_mean_of_statsmodels(rated):
    stars, chance, seen = rated
    found = exposure.mean_over_pairs(stars[seen], chance[seen])
    assert found.value == pytest.approx(DescrStatsW(stars[seen], 1 / chance[seen]).mean)


def test_snips_is_the_treated_arm_of_ipw(rated):
    """All pairs as rows, rated as the treatment: the treated arm of Hajek's estimator is SNIPS."""
    stars, chance, seen = rated
    found = exposure.mean_over_pairs(stars[seen], chance[seen])
    y = np.where(seen, stars, 0.0).ravel()  # what was not rated counts for nothing in the treated arm
    arms = weighting.ipw(y, seen.ravel().astype(float), chance.ravel(), refuse="flag").arms
    assert found.value == pytest.approx(arms["treated"])


def test_each_users_factors_are_a_ridge_regression_of_scikit_learn(rated):
    stars, chance, seen = rated
    users, items = np.nonzero(seen)
    model = exposure.factorise(
        users, items, stars[seen], stars.shape, p=chance[seen], rank=2, penalty=3.0, rounds=400, seed=1
    )
    w = 1 / chance[seen]
    w /= w.mean()
    for user in (0, 7, 31):
        here = users == user
        F = np.column_stack([model.items[items[here], :-1], np.ones(here.sum())])
        rest = stars[seen][here] - model.mean - model.items[items[here], -1]
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(F, rest, sample_weight=w[here])
        np.testing.assert_allclose(model.users[user], ridge.coef_, atol=1e-3)


def test_each_users_preferences_are_a_ridge_regression_on_the_displays_that_expomf_infers(rated):
    """Scikit-learn's ridge, with the inferred exposures as weights, gives the factors of an EM that has settled."""
    bought = rated[2].astype(float)
    found = exposure.expomf(*np.nonzero(bought), bought.shape, precision=2.0, rank=2, penalty=6.0, rounds=1_000)
    Q = found.factors.items[:, :-1]
    for user in (0, 7, 31):
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(Q, bought[user], sample_weight=found.posterior[user])
        np.testing.assert_allclose(found.factors.users[user, :-1], ridge.coef_, atol=1e-3)
        np.testing.assert_allclose(found.factors.users[user, -1], 0)
