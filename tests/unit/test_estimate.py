"""The Estimate: what it shows, what it refuses, and how effective rows are counted."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from causalrec_lib.estimate import (
    EffectiveSampleTooSmall,
    Estimate,
    EstimateRefused,
    NoOverlap,
    NotConverged,
    Rules,
    difference_in_means,
    effective_sample_size,
    judge,
)

positive = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50)


def made(**how):
    return Estimate(**({"value": 2.0, "se": 0.5, "estimand": "ATE", "method": "a method", "n": 100} | how))


def test_the_interval_is_symmetric_unless_given():
    e = made()
    assert (e.low, e.high) == pytest.approx((2 - 0.979982, 2 + 0.979982), abs=1e-5)
    assert made(level=0.9).high < e.high
    given_interval = made(interval=(-1.0, 2.1))
    assert given_interval.low == -1 and given_interval.covers(-1) and not given_interval.covers(2.2)


def test_an_unknown_error_covers_nothing():
    assert not made(se=float("nan")).covers(2.0)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"value": float("nan")}, "value"),
        ({"value": float("inf")}, "value"),
        ({"value": "2"}, "value"),
        ({"se": -0.1}, "se"),
        ({"n": 0}, "n must be"),
        ({"n": 1.5}, "n must be"),
        ({"level": 95}, "level"),
    ],
)
def test_values_that_are_no_numbers_are_refused(how, says):
    with pytest.raises(ValueError, match=says):
        made(**how)


def test_the_report_card_shows_every_diagnostic():
    table = pd.DataFrame({"before": [0.4, -0.8], "after": [0.01, -0.02]}, index=["a", "b"])
    card = made(
        ess=31.7,
        overlap={"min": 0.02, "max": 0.9},
        balance=table,
        converged=False,
        assumptions=("one", "two"),
        unit="kg",
        population="among the few",
    ).report()
    assert card["estimand"] == "ATE among the few" and card["estimate"] == "2 kg"
    assert card["effective sample size"] == "31.7" and card["propensity"] == "0.02 to 0.9"
    assert card["largest imbalance (SMD)"] == "0.800 before, 0.020 after"
    assert card["models converged"] == "NO" and card["assumes"] == "one; two" and card["verdict"] == "usable"


def test_a_card_without_any_diagnostic_does_not_call_itself_usable():
    assert made().verdict.startswith("unchecked")
    assert made(ess=50.0).verdict == "usable"
    assert made(ess=50.0).flagged("no").verdict == "FLAGGED: no"


def test_an_unknown_estimand_is_refused():
    with pytest.raises(ValueError, match=r"estimand must be one of 'ATE', .* but is 'ate'"):
        made(estimand="ate")


def test_difference_in_means_is_regression_on_the_treatment():
    rng = np.random.default_rng(0)
    t = np.repeat([0, 1], [300, 100])
    y = t + rng.normal(size=400) * (1 + t)
    user = rng.integers(0, 40, 400)
    found, fit = difference_in_means(y, t), sm.OLS(y, sm.add_constant(t))
    assert found.value == pytest.approx(fit.fit().params[1], rel=1e-10)
    assert found.se == pytest.approx(fit.fit(cov_type="HC0").bse[1], rel=1e-10)
    robust = fit.fit(cov_type="cluster", cov_kwds={"groups": user, "use_correction": False})
    assert difference_in_means(y, t, user).se == pytest.approx(robust.bse[1], rel=1e-10)
    assert found.verdict.startswith("unchecked") and "assigned at random" in repr(found)


@pytest.mark.parametrize(
    ("y", "t", "name"),
    [
        ([1, np.nan], [0, 1], "y"),
        ([1, 2], [0, 0], "t"),
        ([1, 2], [0, 2], "t"),
        ([], [], "y"),
        ([1, 2, 3], [0, 1], "t"),
    ],
)
def test_difference_in_means_names_what_is_wrong(y, t, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        difference_in_means(y, t)


def test_flags_show_in_text_and_page_and_are_escaped():
    e = made().flagged("no <overlap>")
    assert made().flags == () and e.flags == ("no <overlap>",)
    assert "FLAGGED: no <overlap>" in repr(e)
    page = e._repr_html_()
    assert "cr-flagged" in page and "no &lt;overlap&gt;" in page and "<overlap>" not in page
    assert "cr-flagged" not in made()._repr_html_()


@pytest.mark.parametrize("bad", [[], [np.nan], [np.inf], [-1.0, 2.0], [0.0, 0.0], [[1.0, 2.0]], ["a"]])
def test_effective_rows_of_bad_weights_are_refused(bad):
    with pytest.raises(ValueError, match="weights"):
        effective_sample_size(bad)


@given(positive, st.floats(1e-200, 1e200))
def test_effective_rows_lie_between_one_and_all_and_have_no_unit(w, scale):
    ess = effective_sample_size(w)
    assert 1 - 1e-9 <= ess <= len(w) + 1e-9
    assert effective_sample_size(np.array(w) * scale) == pytest.approx(ess, rel=1e-6)


@given(st.integers(1, 100), st.floats(1e-3, 1e3))
def test_equal_weights_count_every_row(n, w):
    assert effective_sample_size(np.full(n, w)) == pytest.approx(n)


FINE = {"treated": np.ones(50), "controls": np.ones(80)}
FEW = {"treated": np.ones(5), "controls": np.ones(80)}
HEAVY = {"treated": np.r_[np.ones(400), 60.0], "controls": np.ones(80)}


def test_a_fine_estimate_passes_with_the_thinner_group_on_record():
    assert judge(made(), FINE, Rules(), "raise").ess == 50
    assert judge(made(), {}, Rules(), "raise").ess is None


@pytest.mark.parametrize(
    ("estimate", "weights", "error", "says"),
    [
        (made(converged=False), FINE, NotConverged, "before its optimum"),
        (made(), FEW, EffectiveSampleTooSmall, "5 treated count for only 5.0"),
        (made(), HEAVY, NoOverlap, "13% of the weight of the treated"),
    ],
)
def test_refusals_raise_or_flag(estimate, weights, error, says):
    with pytest.raises(error, match=says) as caught:
        judge(estimate, weights, Rules(), "raise")
    assert isinstance(caught.value, EstimateRefused) and isinstance(caught.value, ValueError)
    flagged = judge(estimate, weights, Rules(), "flag")
    assert any(says in flag for flag in flagged.flags) and "FLAGGED" in flagged.report()["verdict"]


def test_rules_can_be_set_and_options_are_checked():
    assert judge(made(), FEW, Rules(min_ess=2, max_row_share=0.5), "raise").flags == ()
    with pytest.raises(ValueError, match="refuse"):
        judge(made(), FINE, Rules(), "ignore")
    with pytest.raises(ValueError, match="weights of the treated"):
        judge(made(), {"treated": [np.nan]}, Rules(), "raise")
