"""AIPW and remainders against statsmodels, causallib and econml, on the same rows, folds and models."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from econml.dml import LinearDML
from econml.dr import LinearDRLearner
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.treatment.treatment_effects import TreatmentEffect

from causalrec_lib import data, doubly_robust
from causalrec_lib._nuisances import folds_of
from causalrec_lib.course.ledger import published
from causalrec_lib.doubly_robust import Nuisances
from tests.peers.test_weighting_published import nhefs_design


def sample(n=3_000, seed=1, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    t = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0] + 0.5 * x[:, 1] - shift))).astype(float)
    return x @ [1.0, 2.0, -1.0] + t * (1 + x[:, 0]) + rng.normal(size=n), t, x


def logistic():
    return LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-12)


def as_splits(fold):
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]


class ByArm(RegressorMixin, BaseEstimator):
    """A line for each treatment group; the treatment is the last column."""

    def fit(self, X, y):
        self.models_ = [LinearRegression().fit(X[X[:, -1] == g][:, :-1], y[X[:, -1] == g]) for g in (0, 1)]
        return self

    def predict(self, X):
        return np.where(X[:, -1] == 1, self.models_[1].predict(X[:, :-1]), self.models_[0].predict(X[:, :-1]))


def test_aipw_agrees_with_statsmodels_on_its_own_models():
    y, t, x = sample()
    design = sm.add_constant(x)
    logit = sm.Logit(t, design).fit(disp=0, tol=1e-12)
    theirs = TreatmentEffect(sm.OLS(y, design), t, results_select=logit)
    mu0, mu1 = (sm.OLS(y[t == g], design[t == g]).fit().predict(design) for g in (0, 1))
    ours = doubly_robust.aipw(y, t, Nuisances(mu0, mu1, logit.predict(), np.zeros(len(y), int)))
    assert ours.value == pytest.approx(theirs.aipw(return_results=False)[0], abs=1e-6)


def test_aipw_agrees_with_causallib_on_the_same_models():
    estimation = pytest.importorskip("causallib.estimation")
    y, t, x = sample()
    frame, a, outcome = pd.DataFrame(x), pd.Series(t).astype(int), pd.Series(y)
    model = estimation.AIPW(estimation.StratifiedStandardization(LinearRegression()), estimation.IPW(logistic()))
    model.fit(frame, a, outcome)
    means = model.estimate_population_outcome(frame, a, outcome)
    ours = doubly_robust.aipw(y, t, doubly_robust.cross_fit(y, t, x, propensity=logistic(), folds=1))
    assert ours.value == pytest.approx(means[1] - means[0], abs=1e-6)


def test_aipw_agrees_with_econml_on_the_same_folds():
    y, t, x = sample()
    found = doubly_robust.cross_fit(y, t, x, propensity=logistic(), folds=3, seed=2)
    theirs = LinearDRLearner(model_propensity=logistic(), model_regression=ByArm(), cv=as_splits(found.fold),
                             min_propensity=1e-9, random_state=0).fit(y, t, X=None, W=x)  # fmt: skip
    ours = doubly_robust.aipw(y, t, found)
    assert ours.value == pytest.approx(theirs.intercept_(1), abs=1e-6)
    assert ours.se == pytest.approx(theirs.intercept__inference(1).stderr, rel=1e-3)  # they divide by n - 1


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_remainders_agree_with_econml_on_the_same_folds(shift):
    y, t, x = sample(shift=shift)
    splits = as_splits(folds_of(len(t), 3, 5, t, None))
    theirs = LinearDML(model_y=LinearRegression(), model_t=LinearRegression(), cv=splits).fit(y, t, X=None, W=x)
    assert doubly_robust.partially_linear(y, t, x, folds=3, seed=5).value == pytest.approx(
        theirs.intercept_, abs=1e-6
    )


class WithProduct(RegressorMixin, BaseEstimator):
    """One line with a product of treatment and cigarettes a day; the treatment comes in a column named a."""

    def design(self, X):
        return X.assign(product=X["a"] * X["smokeintensity"])

    def fit(self, X, y):
        self.line_ = LinearRegression().fit(self.design(X), y)
        return self

    def predict(self, X):
        return self.line_.predict(self.design(X))


@pytest.mark.mirror
def test_the_ledger_of_smokers_agrees_with_causallib():
    estimation = pytest.importorskip("causallib.estimation")
    people = data.load("nhefs")
    x = nhefs_design(people)
    a = people["qsmk"].astype(int).rename("a")
    scaled = make_pipeline(StandardScaler(), logistic())
    model = estimation.AIPW(estimation.Standardization(WithProduct()), estimation.IPW(scaled))
    model.fit(x, a, people["wt82_71"])
    means = model.estimate_population_outcome(x, a, people["wt82_71"])
    assert round(means[1] - means[0], 3) == published("nhefs_aipw", "published")
    scores = model._estimate_corrected_individual_outcome(x, a, people["wt82_71"], [0, 1])
    assert round((scores[1] - scores[0]).std(ddof=0) / len(a) ** 0.5, 3) == published("nhefs_aipw_se", "published")


@pytest.mark.mirror
def test_the_ledger_of_pensions_agrees_with_statsmodels():
    families = data.load("pension_401k")
    slope = sm.OLS(families["net_assets"], sm.add_constant(families["eligible"])).fit().params["eligible"]
    assert round(slope, 3) == published("pension_naive", "published")
