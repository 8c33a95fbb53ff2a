"""Against scipy, statsmodels, and what PySensemakr 0.0.8 computes for the Darfur example."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import wilcoxon

from causalrec_lib import data, sensitivity


def test_rosenbaum_at_gamma_one_is_the_signed_rank_test():
    d = np.random.default_rng(5).normal(0.3, 1, 60).round(1)
    d = d[d != 0]
    peer = wilcoxon(d, alternative="greater", correction=False, method="asymptotic").pvalue
    got = sensitivity.rosenbaum_bounds(d, [1.0])
    assert got["p_low"][0] == got["p_high"][0] == pytest.approx(peer, rel=1e-9)


def test_the_regression_is_that_of_statsmodels():
    rng = np.random.default_rng(6)
    X, t = rng.normal(size=(120, 3)), rng.normal(size=120)
    y = X.sum(axis=1) + t + rng.normal(size=120)
    peer = sm.OLS(y, sm.add_constant(np.c_[t, X])).fit()
    got = sensitivity.ols(y, t, X)
    assert (got.value, got.se, got.df) == pytest.approx((peer.params[1], peer.bse[1], peer.df_resid))


def test_darfur_as_pysensemakr_computes_it():
    """The numbers are those of sensemakr.Sensemakr(...).bounds and .sensitivity_stats, release 0.0.8."""
    d = data.load("darfur")
    homes = pd.get_dummies(d["village"], drop_first=True, dtype=float)
    columns = ["age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female"]
    X = d[columns].astype(float).join(homes)
    got = sensitivity.ols(d["peacefactor"], d["directlyharmed"], X, benchmark=["female"], multiples=[1, 2, 3])
    assert (got.value, got.se, got.t) == pytest.approx((0.09731581928, 0.02325653781, 4.18444998481), rel=1e-8)
    assert got.partial_r2 == pytest.approx(0.02187309334, rel=1e-8)
    assert got.robustness_value() == pytest.approx(0.13877635389, rel=1e-8)
    assert got.robustness_value(alpha=0.05) == pytest.approx(0.07625796554, rel=1e-8)
    bounds = [[0.009164, 0.124641, 0.075220, 0.021873], [0.018329, 0.249324, 0.052915, 0.020350],
              [0.027493, 0.374050, 0.030396, 0.018670]]  # fmt: skip
    assert got.benchmarks.to_numpy() == pytest.approx(np.array(bounds), abs=6e-7)
