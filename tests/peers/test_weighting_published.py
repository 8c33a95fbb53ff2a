"""Published numbers on real data, recomputed from the files: the ledger's rows of the weighting chapters."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from causalrec_lib import data, matching, weighting
from causalrec_lib.estimate import EffectiveSampleTooSmall

pytestmark = pytest.mark.mirror  # the first run fetches the files
COVARIATES = ["age", "education", "black", "hispanic", "married", "nodegree", "re74", "re75"]


def nhefs_design(df):
    """Return the covariates of What If, chapter 12: quadratics of the continuous, dummies of the rest."""
    X = df[["sex", "race", "age"]].astype(float)
    X = X.join(pd.get_dummies(df[["education", "exercise", "active"]], drop_first=True, dtype=float))
    for column in ("age", "smokeintensity", "smokeyrs", "wt71"):
        X[column] = df[column].astype(float)
        X[f"{column}_squared"] = X[column] ** 2
    return X


def training_design(df):
    """Return the covariates of the Mixtape's logit: cubic age, squared schooling, unemployment, one interaction."""
    X = df[COVARIATES].astype(float)
    X["age_squared"], X["age_cubed"], X["education_squared"] = X["age"] ** 2, X["age"] ** 3, X["education"] ** 2
    X["u74"], X["u75"] = (X["re74"] == 0).astype(float), (X["re75"] == 0).astype(float)
    X["education_re74"] = X["education"] * X["re74"]
    return X


@pytest.fixture(scope="module")
def nhefs():
    df = data.load("nhefs")
    return df["wt82_71"].to_numpy(float), df["qsmk"].to_numpy(float), nhefs_design(df)


@pytest.fixture(scope="module")
def nsw_cps():
    nsw = data.load("nsw")
    df = pd.concat([nsw[nsw["treat"] == 1], data.load("cps")], ignore_index=True)
    return df["re78"].to_numpy(float), df["treat"].to_numpy(float), df


def gap(y, t):
    return y[t == 1].mean() - y[t == 0].mean()


def test_nhefs_crude_weighted_and_standardised(nhefs):
    y, t, X = nhefs
    assert len(y) == 1566 and t.sum() == 403
    assert gap(y, t) == pytest.approx(2.54, abs=0.005)
    robust = weighting.ipw(y, t, X=X, se="weights_fixed")
    assert robust.value == pytest.approx(3.4405, abs=5e-5) and robust.se == pytest.approx(0.5255, abs=5e-5)
    assert weighting.ipw(y, t, X=X, estimator="ht").value == pytest.approx(3.424, abs=5e-4)
    assert weighting.standardisation(y, t, X, interact=["smokeintensity"]).value == pytest.approx(3.517, abs=5e-4)
    assert weighting.standardisation(y, t, X).value == pytest.approx(3.463, abs=5e-4)


def test_the_robust_error_is_wider_than_the_stacked_one(nhefs):
    y, t, X = nhefs
    e = weighting.propensity(X, t).e
    gee = sm.GEE(y, sm.add_constant(t), groups=np.arange(len(y)), weights=weighting.weights(t, e)).fit()
    assert gee.bse[1] == pytest.approx(weighting.ipw(y, t, X=X, se="weights_fixed").se, rel=1e-6)
    assert weighting.ipw(y, t, X=X).se == pytest.approx(0.4871, abs=5e-5)


def test_nhefs_weights(nhefs):
    _, t, X = nhefs
    e = weighting.propensity(X, t).e
    raw, stabilised = weighting.weights(t, e), weighting.weights(t, e, stabilised=True)
    assert [raw.mean(), raw.min(), raw.max()] == pytest.approx([1.996, 1.054, 16.70], rel=4e-4)
    assert [stabilised.mean(), stabilised.min(), stabilised.max()] == pytest.approx([0.9988, 0.331, 4.298], rel=1e-3)


@pytest.mark.parametrize(("penalty", "published"), [(1.0, 3.474), (100.0, 3.26)])
def test_a_penalty_moves_the_effect(nhefs, penalty, published):
    y, t, X = nhefs
    value = weighting.ipw(y, t, weighting.propensity(X, t, penalty=penalty)).value
    assert value == pytest.approx(published, abs=5e-4 if penalty == 1 else 5e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_solver_that_stops_early_moves_the_effect(nhefs):
    """The 3.5175 of a notebook: lbfgs on unscaled columns ran out of steps; where it stops depends on their order."""
    y, t, X = nhefs
    found = []
    for columns in (X.columns, X.columns[::-1]):
        for steps in (100, 500):
            stopped = LogisticRegression(C=np.inf, max_iter=steps).fit(X[columns], t)
            assert stopped.n_iter_[0] == steps
            found.append(weighting.ipw(y, t, stopped.predict_proba(X[columns])[:, 1]).value)
    assert max(found) - min(found) > 0.1
    assert max(abs(f - 3.4405) for f in found) > 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        scaled = StandardScaler().fit_transform(X)
        arrived = LogisticRegression(C=np.inf, max_iter=500, tol=1e-8).fit(scaled, t)
    assert weighting.ipw(y, t, arrived.predict_proba(scaled)[:, 1]).value == pytest.approx(3.44054, abs=1e-4)


def test_nsw_experiment_and_its_comparison_groups(nsw_cps):
    nsw, psid = data.load("nsw"), data.load("psid")
    y, t, df = nsw_cps
    assert gap(nsw["re78"], nsw["treat"]) == pytest.approx(1794.34, abs=0.005)
    adjusted = weighting.standardisation(nsw["re78"], nsw["treat"], nsw[COVARIATES])
    assert adjusted.value == pytest.approx(1676.34, abs=0.005)
    assert len(y) == 16_177 and gap(y, t) == pytest.approx(-8497.52, abs=0.005)
    assert weighting.standardisation(y, t, df[COVARIATES]).value == pytest.approx(699.13, abs=0.005)
    assert gap(psid["re78"], psid["treat"]) == pytest.approx(-15_204.8, abs=0.05)


def test_nsw_with_cps_has_no_average_effect_for_everyone(nsw_cps):
    y, t, df = nsw_cps
    fit = weighting.propensity(training_design(df), t)
    with pytest.raises(EffectiveSampleTooSmall, match=r"185 treated count for only 13\.1 effective rows"):
        weighting.ipw(y, t, fit)
    flagged = weighting.ipw(y, t, fit, estimator="ht", refuse="flag")
    assert flagged.value < -10_000 and flagged.flags


def test_nsw_with_cps_supports_the_effect_on_the_treated(nsw_cps):
    y, t, df = nsw_cps
    X = training_design(df)
    weighted = weighting.ipw(y, t, X=X, estimand="ATT")
    pairs = matching.match(X, t)
    matched = matching.matching_estimate(y, pairs, bias_correction=True, refuse="flag")
    nearest = matching.matching_estimate(y, matching.match(df[COVARIATES], t, metric="mahalanobis"))
    for estimate in (weighted, matched, nearest):
        assert estimate.covers(1794.34)
        assert abs(estimate.value - 1794.34) < 0.1 * abs(-8497.52 - 1794.34)
    assert not weighted.flags and not nearest.flags
    assert len(matched.flags) == 1 and "nodegree (0.25)" in matched.flags[0], "twins in the score differ in schooling"
    assert weighted.balance["after"].abs().max() < 0.1 < weighted.balance["before"].abs().max()
    assert len(pairs.focal) > 185, "people with equal covariates tie"
