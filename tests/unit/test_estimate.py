"""The Estimate: what it shows, what it refuses, and how effective rows are counted."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from causalrec_lib import weighting
from causalrec_lib.estimate import (
    ESTIMANDS,
    EffectiveSampleTooSmall,
    Estimate,
    EstimateRefused,
    NoOverlap,
    NotConverged,
    Rules,
    TooFewClusters,
    Unbalanced,
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
    assert card["models converged"] == "NO" and card["assumes"] == "one; two"
    assert card["verdict"] == "unchecked: no rule was applied; untested: one, two"


def test_a_verdict_says_what_was_tested_and_what_was_not():
    assert made(ess=50.0).verdict == "unchecked: no rule was applied", "a diagnostic that no rule looked at"
    judged = judge(made(assumptions=("no interference",)), FINE, Rules(), "raise")
    assert judged.verdict == "no alarm among the checks made: effective rows; untested: no interference"
    assert made(ess=50.0).flagged("no").verdict == "FLAGGED: no"
    assert "cr-unchecked" in made()._repr_html_() and "cr-unchecked" not in judged._repr_html_()


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
    clustered = difference_in_means(y, t, user)
    assert clustered.se == pytest.approx(robust.bse[1] * np.sqrt(40 / 39), rel=1e-10)
    assert clustered.n_clusters == 40 and clustered.flags == ()
    assert (clustered.high - clustered.value) / clustered.se == pytest.approx(student.ppf(0.975, 39))
    assert difference_in_means(y, t, user % 9).flags[0].startswith("clusters has 9 groups")
    assert found.arms["treated"] - found.arms["control"] == pytest.approx(found.value)
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
FEW = {"treated": np.r_[np.ones(5), np.zeros(45)], "controls": np.ones(80)}
FEW_CONTROLS = dict(zip(FEW, reversed(FEW.values()), strict=True))
LOST = {"treated": np.ones(50_000), "controls": np.r_[np.ones(2_000), np.full(48_000, 1e-6)]}
HEAVY = {"treated": np.r_[np.ones(400), 60.0], "controls": np.ones(80)}


def test_a_fine_estimate_passes_with_the_thinner_group_on_record():
    assert judge(made(), FINE, Rules(), "raise").ess == 50
    assert judge(made(), {}, Rules(), "raise").ess is None


TABLE = pd.DataFrame({"before": [0.4, -0.8], "after": [0.01, -0.20]}, index=["a", "b"])


def test_a_small_experiment_is_not_refused_for_being_small():
    small = judge(made(balance=TABLE), {"treated": np.ones(25), "controls": np.ones(25)}, Rules(), "raise")
    assert small.ess == 25 and "25 treated and 25 controls" in small.notes[0] and "chance" in small.notes[1]
    assert judge(made(), {"treated": np.ones(6), "controls": np.ones(6)}, Rules(), "raise").flags == ()
    lost = {"treated": np.r_[np.ones(15), np.full(15, 0.1)], "controls": np.ones(30)}
    with pytest.raises(EffectiveSampleTooSmall, match="30 treated count for only 18"):
        judge(made(), lost, Rules(), "raise")


def test_a_refusal_carries_the_card_with_all_its_reasons():
    with pytest.raises(EffectiveSampleTooSmall) as caught:
        judge(made(balance=10 * TABLE), FEW, Rules(), "raise")
    card = caught.value.estimate
    assert card.value == 2.0 and card.ess == 5 and len(card.flags) == 3 and str(caught.value) == card.flags[0]
    assert EstimateRefused("no").estimate is None


def test_a_confidence_set_may_have_holes_or_no_end():
    rays = made(segments=((-np.inf, -1.0), (3.0, np.inf)))
    assert rays.covers(-5) and rays.covers(3.0) and not rays.covers(0) and not made(segments=()).covers(0)
    assert (rays.low, rays.high) == (-np.inf, np.inf) and rays.report()["95% interval"] == "-inf to -1 or 3 to inf"
    two = made(segments=((0.0, 1.0), (2.0, 2.5)))
    assert (two.low, two.high) == (0.0, 2.5) and not two.covers(1.5) and np.isnan(made(segments=()).low)
    assert made(segments=()).report()["95% interval"] == "empty"
    for bad in ({"segments": ((2.0, 1.0),)}, {"segments": ((0.0, 1.0),), "interval": (0.0, 1.0)}):
        with pytest.raises(ValueError, match="segments"):
            made(**bad)


def test_a_module_can_name_an_estimand_of_its_own(monkeypatch):
    with pytest.raises(ValueError, match="estimand"):
        made(estimand="dose slope")
    monkeypatch.setitem(ESTIMANDS, "dose slope", "change of the mean per unit of dose")
    assert made(estimand="dose slope").report()["estimand"] == "dose slope"


@pytest.mark.parametrize(
    ("estimate", "weights", "error", "says"),
    [
        (made(converged=False), FINE, NotConverged, "before its optimum"),
        (made(), FEW, EffectiveSampleTooSmall, "50 treated count for only 5.0"),
        (made(), FEW_CONTROLS, EffectiveSampleTooSmall, "50 controls count for only 5.0"),
        (made(), LOST, EffectiveSampleTooSmall, "50,000 controls count for 2[0-9.]+ effective rows, 4"),
        (
            made(balance=TABLE),
            FINE | {"controls": np.r_[np.ones(40), np.full(40, 9.0)]},
            Unbalanced,
            r"differ by 0.20",
        ),
        (made(balance=10 * TABLE), FINE, Unbalanced, r"b \(2.00\), a \(0.10\)"),
        (made(n_clusters=29), FINE, TooFewClusters, "29 groups"),
        (made(), HEAVY, NoOverlap, "13% of the weight of the treated"),
    ],
)
def test_refusals_raise_or_flag(estimate, weights, error, says):
    with pytest.raises(error, match=says) as caught:
        judge(estimate, weights, Rules(), "raise")
    assert isinstance(caught.value, EstimateRefused) and isinstance(caught.value, ValueError)
    flagged = judge(estimate, weights, Rules(), "flag")
    assert any(re.search(says, flag) for flag in flagged.flags) and "FLAGGED" in flagged.report()["verdict"]


def test_rules_can_be_set_and_options_are_checked():
    assert judge(made(), FEW, Rules(min_ess=2, max_row_share=0.5, min_ess_share=0), "raise").flags == ()
    with pytest.raises(ValueError, match="refuse"):
        judge(made(), FINE, Rules(), "ignore")
    with pytest.raises(ValueError, match="weights of the treated"):
        judge(made(), {"treated": [np.nan]}, Rules(), "raise")


def test_a_flag_names_its_rule_and_survives_a_copy():
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    t = (x + 0.2 * rng.normal(size=400) > 0).astype(int)
    found = weighting.ipw(rng.normal(size=400), t, X=x[:, None], refuse="flag")
    assert found.broken_rules == ("balance",) and "balance" in found.checks
    again = copy.deepcopy(found)
    assert again.flags == found.flags and again.broken_rules == found.broken_rules
    assert found.flagged("for another reason").broken_rules == found.broken_rules
