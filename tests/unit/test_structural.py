"""What linear equations imply, and effects in parts."""

import numpy as np
import pytest

from causalrec_lib import structural
from causalrec_lib.effects import contrast
from tests.truth.structural_world import draw

D = draw(1)
CHAIN = np.array([[0, 0, 0], [2.0, 0, 0], [0.5, 3.0, 0]])


def test_a_chain_implies_products_of_effects():
    implied = structural.implied_covariance(CHAIN, np.diag([1.0, 1.0, 1.0]))
    assert implied[1, 0] == pytest.approx(2.0) and implied[2, 0] == pytest.approx(0.5 + 2 * 3)
    assert np.allclose(implied, implied.T) and implied[1, 1] == pytest.approx(5.0)


def test_implied_covariance_is_that_of_simulated_rows():
    noise = np.array([[1.0, 0.3, 0], [0.3, 1.0, 0], [0, 0, 0.5]])
    rows = np.random.default_rng(0).multivariate_normal(np.zeros(3), noise, 200_000)
    solved = rows @ np.linalg.inv(np.eye(3) - CHAIN).T
    assert np.allclose(np.cov(solved.T), structural.implied_covariance(CHAIN, noise), rtol=0.02)


def test_feedback_that_settles_is_allowed_and_one_without_end_is_not():
    loop = np.array([[0, 0.5], [0.5, 0]])
    assert np.isfinite(structural.implied_covariance(loop, np.eye(2))).all()
    with pytest.raises(ValueError, match="without end"):
        structural.implied_covariance(np.array([[0, 1.0], [1.0, 0]]), np.eye(2))


@pytest.mark.parametrize("noise", [np.array([[1.0, 0.5], [0.0, 1.0]]), np.ones((2, 3))])
def test_noise_must_be_symmetric_and_square(noise):
    with pytest.raises(ValueError, match="noise"):
        structural.implied_covariance(np.zeros(noise.shape), noise)


def test_without_a_product_the_parts_are_products_of_coefficients():
    found = structural.mediation(D["y"], D["t"], D["m"], D["x"], interact=False)
    ones = np.ones(len(D["y"]))
    a = np.linalg.lstsq(np.column_stack([ones, D["t"], D["x"]]), D["m"], rcond=None)[0][1]
    total = np.linalg.lstsq(np.column_stack([ones, D["t"], D["x"]]), D["y"], rcond=None)[0][1]
    d, b = np.linalg.lstsq(np.column_stack([ones, D["t"], D["m"], D["x"]]), D["y"], rcond=None)[0][1:3]
    assert found["indirect"].value == pytest.approx(a * b) == pytest.approx(found["pure indirect"].value)
    assert found["direct"].value == pytest.approx(d) and found["total"].value == pytest.approx(total)


def test_error_is_near_the_bootstrap():
    found = structural.mediation(D["y"], D["t"], D["m"], D["x"])
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        k = rng.integers(0, len(D["y"]), len(D["y"]))
        again = structural.mediation(D["y"][k], D["t"][k], D["m"][k], D["x"][k])
        drawn.append([again[part].value for part in found])
    assert [e.se for e in found.values()] == pytest.approx(np.std(drawn, axis=0), rel=0.15)


def test_parts_can_be_contrasted():
    found = structural.mediation(D["y"], D["t"], D["m"], D["x"])
    gap = contrast(found["total"], found["direct"])
    assert gap.value == pytest.approx(found["indirect"].value) and gap.se == pytest.approx(found["indirect"].se)


def test_at_the_own_correlation_the_curve_gives_the_split_back():
    none = structural.mediation_sensitivity(D["y"], D["t"], D["m"], D["x"], (-0.5, 0.0, 0.5))
    found = structural.mediation(D["y"], D["t"], D["m"], D["x"], interact=False)
    assert none.loc[0.0, "indirect"] == pytest.approx(found["indirect"].value)
    assert none.loc[0.0, "direct"] == pytest.approx(found["direct"].value)
    assert np.allclose(none.sum(axis=1), found["total"].value)


def test_the_curve_finds_what_a_left_out_cause_does():
    blind = structural.mediation(D["y"], D["t"], D["m"], interact=False)
    seen = structural.mediation(D["y"], D["t"], D["m"], D["x"], interact=False)
    design = np.column_stack([np.ones(len(D["y"])), D["t"]])
    b = seen["indirect"].value / (D["m"][D["t"] == 1].mean() - D["m"][D["t"] == 0].mean())
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (D["m"], D["y"] - b * D["m"])]
    rho = float(np.corrcoef(left)[0, 1])
    curve = structural.mediation_sensitivity(D["y"], D["t"], D["m"], None, (0.0, rho))
    assert curve.loc[0.0, "indirect"] == pytest.approx(blind["indirect"].value)
    assert curve.loc[rho, "indirect"] == pytest.approx(seen["indirect"].value, rel=1e-6)


@pytest.mark.parametrize("correlations", [(-1.0, 0.0), (0.0, 1.0), (0.3, 0.1), ()])
def test_correlations_outside_are_refused(correlations):
    with pytest.raises(ValueError, match="correlations"):
        structural.mediation_sensitivity(D["y"], D["t"], D["m"], D["x"], correlations)


def test_a_mediator_that_is_the_treatment_is_refused():
    with pytest.raises(ValueError, match="the same thing twice"):
        structural.mediation(D["y"], D["t"], D["t"], D["x"])
