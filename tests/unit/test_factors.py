"""What factor models and two proxies take, refuse and return."""

import numpy as np
import pytest

from causalrec_lib import factors
from causalrec_lib.estimate import TooFewClusters
from tests.truth.factors_world import counts, draw


def test_an_item_without_counts_is_named():
    A, _ = counts(0)
    A[:, 4] = 0
    with pytest.raises(ValueError, match=r"counts has items without any count \(row 4 "):
        factors.poisson_factorisation(A, 2)


def test_negative_counts_are_named():
    A, _ = counts(0)
    A[7, 2] = -1
    with pytest.raises(ValueError, match="counts are negative in row 7"):
        factors.poisson_factorisation(A, 1)


@pytest.mark.parametrize("k", [0, 31, 1.5])
def test_the_number_of_factors_is_checked(k):
    with pytest.raises(ValueError, match="k must be"):
        factors.poisson_factorisation(counts(0)[0], k)


def test_a_user_without_displays_has_no_taste():
    A, _ = counts(0)
    A[3] = 0
    assert (factors.poisson_factorisation(A, 2).users[3] == 0).all()


def test_a_constant_treatment_is_refused():
    d = draw(0)
    with pytest.raises(ValueError, match="t is constant"):
        factors.proximal_two_stage(d.y, np.ones(len(d.y)), d.w, d.z)


def test_a_treatment_among_the_columns_is_refused():
    d = draw(0)
    with pytest.raises(ValueError, match=r"linear combinations of others: (t|x0)"):
        factors.proximal_two_stage(d.y, d.t, d.w, d.z, 2 * d.t + 1)


@pytest.mark.parametrize("name", ["w", "z"])
def test_a_proxy_that_repeats_the_treatment_is_named(name):
    d = draw(0)
    proxies = {"w": d.w, "z": d.z, name: 2 * d.t}
    with pytest.raises(ValueError, match=f"^{name} is constant, or a combination"):
        factors.proximal_two_stage(d.y, d.t, proxies["w"], proxies["z"])


def test_few_clusters_are_refused():
    d = draw(0)
    with pytest.raises(TooFewClusters):
        factors.proximal_two_stage(d.y, d.t, d.w, d.z, clusters=np.arange(len(d.y)) % 10)


def test_the_card_says_what_is_assumed():
    d = draw(0)
    card = factors.proximal_two_stage(d.y, d.t, d.w, d.z, unit="sales")
    assert "bridge" in card.verdict
    assert card.estimand == "treatment slope"
    assert card.first_stage.f > 100


def test_a_dose_is_welcome():
    d = draw(0)
    dose = d.t + 0.3 * np.random.default_rng(0).normal(size=len(d.t))
    assert np.isfinite(factors.proximal_two_stage(d.y, dose, d.w, d.z).value)
