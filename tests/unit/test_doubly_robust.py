"""AIPW, cross-fitting, remainders and partitions: by hand, and under bad input."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from causalrec_lib import doubly_robust
from causalrec_lib.doubly_robust import Nuisances
from causalrec_lib.estimate import EstimateRefused, Rules


def sample(n=400, seed=1, effect=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    e = 1 / (1 + np.exp(-x[:, 0]))
    t = (rng.random(n) < e).astype(float)
    return x.sum(axis=1) + effect * t + rng.normal(size=n), t, x, e


@pytest.mark.parametrize("folds", [2, 5])
def test_no_row_is_predicted_by_a_model_that_saw_it(folds):
    y, t, x, _ = sample()
    found = doubly_robust.cross_fit(y, t, x, folds=folds, seed=3)
    assert set(found.fold) == set(range(folds))
    for k in range(folds):
        moved = y.copy()
        moved[found.fold == k] += 100.0  # outcomes of a fold can't move its own predictions
        again = doubly_robust.cross_fit(moved, t, x, folds=folds, seed=3)
        inside = found.fold == k
        assert again.mu0[inside] == pytest.approx(found.mu0[inside]) and again.mu1[inside] == pytest.approx(
            found.mu1[inside]
        )
        assert not np.allclose(again.mu0[~inside], found.mu0[~inside])


def test_folds_have_both_groups_and_keep_clusters_together():
    y, t, x, _ = sample(n=60)
    fold = doubly_robust.cross_fit(y, t, x, folds=5, seed=1).fold
    assert pd.crosstab(fold, t).to_numpy().min() >= 2
    user = np.arange(60) // 3
    together = doubly_robust.cross_fit(y, t, x, folds=4, seed=1, clusters=user).fold
    assert pd.Series(together).groupby(user).nunique().max() == 1


def test_one_fold_predicts_the_rows_that_it_trained_on():
    y, t, x, _ = sample()
    own = doubly_robust.cross_fit(y, t, x, outcome=DecisionTreeRegressor(random_state=0), folds=1)
    assert np.where(t == 1, own.mu1, own.mu0) == pytest.approx(y) and own.fold.max() == 0


def test_aipw_by_hand():
    y, t, x, e = sample()
    models = Nuisances(x.sum(axis=1), x.sum(axis=1) + 1, e, np.arange(len(y)) % 2)
    psi = 1 + t * (y - x.sum(axis=1) - 1) / e - (1 - t) * (y - x.sum(axis=1)) / (1 - e)
    est = doubly_robust.aipw(y, t, models)
    assert est.value == pytest.approx(psi.mean()) and est.se == pytest.approx(psi.std() / np.sqrt(len(y)))
    assert est.arms["treated"] - est.arms["control"] == pytest.approx(est.value)
    assert np.mean(est.design.weights * est.design.residual) == pytest.approx(est.value - 1)
    on_treated = (t * (y - models.mu0) - (1 - t) * e / (1 - e) * (y - models.mu0)).sum() / t.sum()
    att = doubly_robust.aipw(y, t, models, estimand="ATT")
    assert att.value == pytest.approx(on_treated) and att.estimand == "ATT"


def test_without_folds_and_with_lines_remainders_are_least_squares():
    y, t, x, _ = sample()
    est = doubly_robust.partially_linear(y, t, x, folds=1)
    ols = sm.OLS(y, sm.add_constant(np.column_stack([t, x]))).fit(cov_type="HC0")
    assert est.value == pytest.approx(ols.params[1]) and est.se == pytest.approx(ols.bse[1])
    user = np.arange(len(y)) // 2
    assert doubly_robust.partially_linear(y, t, x, folds=1, clusters=user).n_clusters == 200


def test_a_dose_is_a_treatment_of_remainders():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2_000, 1))
    dose = x[:, 0] + rng.normal(size=2_000)
    est = doubly_robust.partially_linear(2 * dose + x[:, 0] + rng.normal(size=2_000), dose, x, seed=1)
    assert est.covers(2.0) and est.se < 0.05


def test_the_median_over_partitions_carries_their_spread():
    y, t, x, _ = sample(n=200)
    many = [doubly_robust.aipw(y, t, doubly_robust.cross_fit(y, t, x, seed=s), refuse="flag") for s in range(9)]
    est = doubly_robust.over_partitions(many)
    values, errors = np.array([(m.value, m.se) for m in many]).T
    assert est.value == pytest.approx(np.median(values))
    assert est.se == pytest.approx(np.sqrt(np.median(errors**2 + (values - est.value) ** 2)))
    assert est.low == pytest.approx(est.value - 1.959964 * est.se, abs=1e-6)


def test_seeds_decide_the_folds():
    y, t, x, _ = sample()
    a, b, c = (doubly_robust.cross_fit(y, t, x, seed=s).fold for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_huge_weights_are_refused_or_flagged():
    y, t, _, e = sample()
    e = e.copy()
    e[np.flatnonzero(t == 1)[0]] = 1e-5
    models = Nuisances(0 * y, 0 * y, e, np.zeros(len(y), int))
    with pytest.raises(EstimateRefused):
        doubly_robust.aipw(y, t, models)
    assert doubly_robust.aipw(y, t, models, refuse="flag").flags
    open_rules = Rules(min_ess=1, max_row_share=1.0, max_smd=9, min_ess_share=0.0)
    assert not doubly_robust.aipw(y, t, models, rules=open_rules).flags


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y, t, x, e: doubly_robust.cross_fit(y, t, x, outcome="forest"), "outcome must be a scikit-learn"),
        (lambda y, t, x, e: doubly_robust.cross_fit(y, t, x, folds=0), "folds"),
        (lambda y, t, x, e: doubly_robust.cross_fit(y, np.r_[1.0, np.zeros(399)], x), "folds"),
        (lambda y, t, x, e: doubly_robust.aipw(y, t, (y, y, e)), "nuisances"),
        (lambda y, t, x, e: doubly_robust.aipw(y, t, Nuisances(y, y, e * 0, t)), "nuisances.e"),
        (lambda y, t, x, e: doubly_robust.partially_linear(y, x[:, 0], x), "explained by X"),
        (lambda y, t, x, e: doubly_robust.over_partitions([]), "estimates"),
    ],
)
def test_bad_input_names_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call(*sample())


def test_a_classifier_may_model_a_yes_or_no():
    y, t, x, _ = sample()
    bought = (y > 0).astype(float)
    found = doubly_robust.cross_fit(bought, t, x, outcome=LogisticRegression(), propensity=LogisticRegression())
    assert found.mu0.min() > 0 and found.mu1.max() < 1
