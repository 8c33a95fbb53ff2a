"""Two-stage least squares equals linearmodels on the same arrays."""

import numpy as np
import pytest
import statsmodels.api as sm
from linearmodels.iv import IV2SLS

from causalrec_lib import instruments
from tests.truth.instruments_world import draw

SAME = {"rtol": 1e-8}


def two_tools(n=600):
    rng = np.random.default_rng(4)
    hidden, Z, X = rng.normal(size=n), rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
    t = Z @ [0.5, 0.3] + X[:, 0] + hidden + rng.normal(size=n)
    return t + X.sum(axis=1) - hidden + rng.normal(size=n) * (1 + X[:, 0] ** 2), t, Z, X


@pytest.mark.parametrize("tools", [1, 2])
@pytest.mark.parametrize("how", ["robust", "clustered", "unadjusted"])
def test_estimate_and_error_are_linearmodels(tools, how):
    y, t, Z, X = two_tools()
    Z, users = Z[:, :tools], np.arange(len(y)) // 5
    more = {"clusters": users} if how == "clustered" else {}
    theirs = IV2SLS(y, sm.add_constant(X), t, Z).fit(cov_type=how, **more)
    ours = instruments.two_stage_least_squares(
        y,
        t,
        Z,
        X,
        clusters=users if how == "clustered" else None,
        se="classical" if how == "unadjusted" else "robust",
    )
    groups = users.max() + 1  # ours divides by n minus columns, and has the factor G / (G - 1)
    squared = {"unadjusted": len(y) / (len(y) - 5), "clustered": groups / (groups - 1), "robust": 1.0}[how]
    np.testing.assert_allclose(
        [ours.value, ours.se], [theirs.params["endog"], np.sqrt(squared) * theirs.std_errors["endog"]], **SAME
    )


def test_the_first_stage_f_of_one_instrument_is_linearmodels():
    y, t, Z, X = two_tools()
    theirs = (
        IV2SLS(y, sm.add_constant(X), t, Z[:, 0]).fit(cov_type="robust").first_stage.diagnostics["f.stat"].iloc[0]
    )
    np.testing.assert_allclose(instruments.first_stage(t, Z[:, 0], X).f, theirs, **SAME)


@pytest.mark.parametrize("b", [-1.0, 0.5, 1.0, 2.0])
def test_the_classical_set_keeps_what_statsmodels_f_test_keeps(b):
    y, t, Z, X = two_tools(60)
    full = sm.OLS(y - b * t, np.column_stack([sm.add_constant(X), Z])).fit()
    kept = full.compare_f_test(sm.OLS(y - b * t, sm.add_constant(X)).fit())[1] >= 0.05
    assert instruments.anderson_rubin(y, t, Z, X, se="classical").covers(b) == kept


@pytest.mark.parametrize("b", [2.0, 2.6, 3.0, 3.4, 4.0])
def test_the_robust_set_keeps_what_statsmodels_robust_test_keeps(b):
    d = draw(5, moved=True)
    fit = sm.OLS(d.y - b * d.t, np.column_stack([d.z, sm.add_constant(d.X)])).fit(cov_type="HC0")
    assert instruments.anderson_rubin(d.y, d.t, d.z, d.X).covers(b) == (fit.pvalues[0] >= 0.05)
