"""Several estimates at once: joint errors, and effects by unit."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from causalrec_lib import weighting
from causalrec_lib.effects import Effects, combine, contrast
from causalrec_lib.estimate import Estimate, difference_in_means

RNG = np.random.default_rng(4)
N = 400
T = (RNG.random(N) < 0.5).astype(float)
TASTE = RNG.normal(size=N)
CLICKS, SALES = TASTE + T + RNG.normal(size=N), TASTE + 0.5 * T + RNG.normal(size=N)
USER = np.arange(N) // 5


def test_a_contrast_has_the_joint_error():
    a, b = difference_in_means(CLICKS, T), difference_in_means(SALES, T)
    gap, want = contrast(a, b), difference_in_means(CLICKS - SALES, T)
    assert gap.value == pytest.approx(want.value) and gap.se == pytest.approx(want.se, rel=1e-10)
    assert gap.se < 0.9 * np.hypot(a.se, b.se), "what both outcomes share cancels"
    assert contrast(a, a).se == 0 and gap.estimand == "difference" and gap.assumptions == a.assumptions


def test_a_contrast_keeps_the_clusters():
    gap = contrast(difference_in_means(CLICKS, T, USER), difference_in_means(SALES, T, USER))
    want = sm.OLS(CLICKS - SALES, sm.add_constant(T)).fit(
        cov_type="cluster", cov_kwds={"groups": USER, "use_correction": False}
    )
    assert gap.se == pytest.approx(want.bse[1] * np.sqrt(80 / 79), rel=1e-10) and gap.n_clusters == 80
    with pytest.raises(ValueError, match="clusters"):
        contrast(difference_in_means(CLICKS, T, USER), difference_in_means(SALES, T))


def test_a_weighted_and_an_unweighted_answer_can_be_compared():
    x = TASTE[:, None]
    a, b = weighting.ipw(CLICKS, T, X=x), difference_in_means(CLICKS, T)
    assert contrast(a, b).se < min(a.se, b.se)
    assert contrast(a.flagged("no overlap"), b).flags == ("no overlap",)


def test_independent_samples_are_pooled_by_their_precision():
    a, b = difference_in_means(CLICKS[:100], T[:100]), difference_in_means(CLICKS[100:], T[100:])
    pooled = combine((a, b), same_rows=False)
    assert pooled.se == pytest.approx((a.se**-2 + b.se**-2) ** -0.5) and pooled.estimand == "ATE" and pooled.n == N
    assert min(a.value, b.value) < pooled.value < max(a.value, b.value)
    with pytest.raises(ValueError, match="different rows"):
        contrast(a, b)
    with pytest.raises(ValueError, match="influence"):
        contrast(a, Estimate(1.0, 0.1, "ATE", "by hand", 9))
    with pytest.raises(ValueError, match="at least two"):
        combine((a,))
    with pytest.raises(ValueError, match="weights"):
        combine((a, b), [1.0], same_rows=False)


def test_effects_by_unit():
    e = Effects([1.0, 2.0, 3.0], [0.1, np.nan, 0.2], ["a", "b", "c"], n=50, method="a forest", unit="kg")
    np.testing.assert_array_equal(e.covers([1.1, 2.0, 9.0]), [True, False, False])
    np.testing.assert_array_equal(e.covers(1.0), [True, False, False])
    pd.testing.assert_index_equal(e.frame().index, pd.Index(["a", "b", "c"]))
    assert e.frame().loc["a", "high"] == pytest.approx(1.195996, abs=1e-5) and len(e) == 3
    assert "cr-unchecked" in e._repr_html_() and "2 kg in the middle" in repr(e)
    for bad, says in (
        ({"se": [0.1]}, "se"),
        ({"se": [0.1, -1, 0]}, "se"),
        ({"index": ["a"]}, "index"),
        ({"n": 0}, "n must be"),
        ({"values": [1.0, np.nan, 2.0]}, "values"),
        ({"estimand": "magic"}, "estimand"),
    ):
        with pytest.raises(ValueError, match=says):
            Effects(**({"values": [1.0, 2, 3], "se": [0.1] * 3, "index": list("abc"), "n": 5} | bad))
