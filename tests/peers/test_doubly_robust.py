"""AIPW and remainders against statsmodels, causallib and econml, on the same rows and models."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from econml.dml import LinearDML
from sklearn.linear_model import LinearRegression, LogisticRegression
from statsmodels.treatment.treatment_effects import TreatmentEffect

from causalrec_lib import doubly_robust
from causalrec_lib.doubly_robust import Nuisances


def sample(n=3_000, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    t = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0] + 0.5 * x[:, 1]))).astype(float)
    return x @ [1.0, 2.0, -1.0] + t * (1 + x[:, 0]) + rng.normal(size=n), t, x


def test_aipw_agrees_with_statsmodels_on_its_own_models():
    y, t, x = sample()
    design = sm.add_constant(x)
    logit = sm.Logit(t, design).fit(disp=0, tol=1e-12)
    theirs = TreatmentEffect(sm.OLS(y, design), t, results_select=logit)
    mu0, mu1 = (sm.OLS(y[t == g], design[t == g]).fit().predict(design) for g in (0, 1))
    ours = doubly_robust.aipw(y, t, Nuisances(mu0, mu1, logit.predict(), np.zeros(len(y), int)))
    assert ours.value == pytest.approx(theirs.aipw(return_results=False)[0], abs=1e-6)


def test_aipw_agrees_with_causallib_on_the_same_models():
    causallib = pytest.importorskip("causallib.estimation")
    y, t, x = sample()
    X, a, outcome = pd.DataFrame(x), pd.Series(t).astype(int), pd.Series(y)
    logistic = LogisticRegression(C=np.inf, max_iter=5_000, tol=1e-10)
    model = causallib.AIPW(causallib.StratifiedStandardization(LinearRegression()), causallib.IPW(logistic))
    model.fit(X, a, outcome)
    means = model.estimate_population_outcome(X, a, outcome)
    ours = doubly_robust.aipw(y, t, doubly_robust.cross_fit(y, t, x, folds=1))
    assert ours.value == pytest.approx(means[1] - means[0], abs=1e-4)


def test_remainders_agree_with_econml_on_the_same_folds():
    y, t, x = sample()
    found = doubly_robust.cross_fit(y, t, x, folds=3, seed=2)
    splits = [(np.flatnonzero(found.fold != k), np.flatnonzero(found.fold == k)) for k in range(3)]
    theirs = LinearDML(model_y=LinearRegression(), model_t=LinearRegression(), cv=splits, fit_cate_intercept=True)
    theirs.fit(y, t, X=None, W=x)
    left = np.empty((2, len(y)))
    for train, test in splits:
        for row, values in enumerate((y, t)):
            left[row, test] = values[test] - LinearRegression().fit(x[train], values[train]).predict(x[test])
    by_hand = left[0] @ left[1] / (left[1] @ left[1])
    assert theirs.intercept_ == pytest.approx(by_hand, abs=1e-6)
    ours = doubly_robust.partially_linear(y, t, x, folds=3, seed=5)
    assert ours.value == pytest.approx(by_hand, abs=3 * ours.se / 10)
