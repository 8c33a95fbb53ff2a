"""Mediation and implied covariances against semopy and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import semopy
import statsmodels.api as sm
from statsmodels.stats.mediation import Mediation

from causalrec_lib import structural
from tests.truth.structural_world import draw

D = draw(5, n=1_500)
FRAME = pd.DataFrame({"y": D["y"], "t": D["t"], "m": D["m"], "x": D["x"][:, 0]})


def test_parts_are_those_of_semopy():
    model = semopy.Model("m ~ t + x\ny ~ m + t + x")
    model.fit(FRAME, options={"ftol": 1e-13})  # the default stops at the third digit
    of = model.inspect().set_index(["lval", "op", "rval"])["Estimate"].astype(float)
    ours = structural.mediation(FRAME.y, FRAME.t, FRAME.m, FRAME[["x"]], interact=False)
    assert ours["direct"].value == pytest.approx(of[("y", "~", "t")], abs=1e-5)
    assert ours["indirect"].value == pytest.approx(of[("m", "~", "t")] * of[("y", "~", "m")], abs=1e-5)


def test_implied_covariance_is_that_of_semopy():
    model = semopy.Model("m ~ t + x\ny ~ m + t + x")
    model.fit(FRAME, options={"ftol": 1e-13})  # the default stops at the third digit
    of = model.inspect().set_index(["lval", "op", "rval"])["Estimate"].astype(float)
    names = ["t", "x", "m", "y"]
    effects, noise = np.zeros((4, 4)), np.zeros((4, 4))
    noise[:2, :2] = np.cov(FRAME[["t", "x"]].T, bias=True)
    for i, name in ((2, "m"), (3, "y")):
        noise[i, i] = of[(name, "~~", name)]
        for j, cause in enumerate(names[:i]):
            effects[i, j] = of.get((name, "~", cause), 0.0)
    theirs = pd.DataFrame(model.calc_sigma()[0], model.vars["observed"], model.vars["observed"]).loc[names, names]
    assert np.allclose(structural.implied_covariance(effects, noise), theirs, atol=1e-5)


def test_parts_with_a_product_are_near_those_of_statsmodels():
    outcome = sm.OLS.from_formula("y ~ t * m + x", FRAME)
    first = sm.OLS.from_formula("m ~ t + x", FRAME)
    np.random.seed(0)  # noqa: NPY002 - it draws from the global state
    theirs = Mediation(outcome, first, "t", "m").fit(n_rep=400).summary()["Estimate"]
    ours = structural.mediation(FRAME.y, FRAME.t, FRAME.m, FRAME[["x"]])
    assert ours["indirect"].value == pytest.approx(theirs["ACME (treated)"], abs=0.02)
    assert ours["pure indirect"].value == pytest.approx(theirs["ACME (control)"], abs=0.02)
    assert ours["direct"].value == pytest.approx(theirs["ADE (control)"], abs=0.02)
