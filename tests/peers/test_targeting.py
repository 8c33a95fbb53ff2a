"""Scores of rankings against scikit-uplift 0.5.1, causalml 0.18.0 and pylift 0.1.5, and policies by gradient."""

import numpy as np
import pytest
import statsmodels.api as sm
from econml.validate.utils import calc_uplift

from causalrec_lib import data, heterogeneity, targeting
from causalrec_lib.estimate import difference_in_means

from .uplift_answers import trial

THEIRS = {
    "scikit-uplift, uplift AUC": 0.01861028729295413,
    "scikit-uplift, Qini AUC": 0.020744126214964992,
    "causalml, AUUC": 26.88854322091923,
    "causalml, AUUC normalised": 0.8099333378326259,
    "causalml, Qini": 4.308483901538361,
    "causalml, Qini normalised": 0.3204434901769154,
}
"""Printed by these libraries; see uplift_answers.py."""
PYLIFT_QINI = 0.007923218176158653
"""`Q_qini` of pylift.eval.get_scores, with the treated share as the chance of treatment."""


def test_scores_are_those_of_the_libraries():
    a = trial()
    ours = targeting.by_convention(a["y"], a["t"], a["priority"])
    assert list(ours.index) == list(THEIRS)
    for name, value in THEIRS.items():
        assert ours[name] == pytest.approx(value, rel=1e-10)


def test_our_qini_is_that_of_pylift_and_near_that_of_econml():
    a = trial()
    share = a["t"].mean()
    psi = a["y"] * a["t"] / share - a["y"] * (1 - a["t"]) / (1 - share)
    ours = heterogeneity.rate(psi, a["priority"], weighting="qini")
    assert ours.value == pytest.approx(PYLIFT_QINI, abs=5e-6)
    assert targeting.area(psi, a["priority"]).value == pytest.approx(ours.value + psi.mean() / 2, abs=1e-12)
    theirs = calc_uplift(a["priority"], a["priority"], psi, np.linspace(2, 98, 97), "qini", 2)[0]
    assert theirs == pytest.approx(ours.value, abs=0.15 * ours.se)


@pytest.mark.mirror
def test_the_visit_uplift_of_an_email_is_that_of_least_squares():
    mails = data.load_optional("hillstrom")
    if mails is None:
        pytest.skip("Hillstrom can't be fetched")
    women = mails[mails["segment"] != "Mens E-Mail"]
    mailed = (women["segment"] == "Womens E-Mail").astype(float)
    theirs = sm.OLS(women["visit"].astype(float), sm.add_constant(mailed)).fit(cov_type="HC0")
    ours = difference_in_means(women["visit"], mailed)
    assert ours.value == pytest.approx(theirs.params.iloc[1], abs=1e-12)
    assert ours.se == pytest.approx(theirs.bse.iloc[1], rel=1e-4)
    assert (round(ours.value, 6), round(ours.se, 6)) == (0.045233, 0.003234)
