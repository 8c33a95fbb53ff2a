"""Behaviour of instruments: shapes of sets, refusals, messages."""

import numpy as np
import pandas as pd
import pytest

from causalrec_lib import instruments
from causalrec_lib._two_stage import below_zero
from causalrec_lib.instruments import WeakInstrument, anderson_rubin, complier_means, two_stage_least_squares
from tests.truth.instruments_world import draw, faint

D = draw(2)


def test_one_binary_instrument_gives_the_wald_ratio():
    gap = [a[D.z == 1].mean() - a[D.z == 0].mean() for a in (D.y, D.t)]
    assert np.isclose(two_stage_least_squares(D.y, D.t, D.z).value, gap[0] / gap[1])


@pytest.mark.parametrize(
    ("coefficients", "pieces"),
    [
        ((1, 0, -4), ((-2, 2),)),
        ((-1, 0, 4), ((-np.inf, -2), (2, np.inf))),
        ((-1, 0, -4), ((-np.inf, np.inf),)),
        ((1, 0, 4), ()),
        ((0, 2, -4), ((-np.inf, 2),)),
        ((0, -2, 4), ((2, np.inf),)),
        ((0, 0, -1), ((-np.inf, np.inf),)),
        ((0, 0, 1), ()),
    ],
)
def test_the_quadratic_gives_every_shape(coefficients, pieces):
    assert below_zero(*map(float, coefficients)) == pieces


def test_a_set_says_which_shape_it_has():
    shapes = {anderson_rubin(*faint(seed, 0.1)).shape for seed in range(60)}
    assert {"interval", "whole line", "two half lines"} <= shapes
    whole = next(s for s in (anderson_rubin(*faint(i, 0.0)) for i in range(60)) if s.shape == "whole line")
    assert whole.covers(-1e9) and whole.covers(1e9)


def test_a_set_of_two_contradicting_instruments_is_empty():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 2))
    t = Z.sum(axis=1) + rng.normal(size=500)
    found = anderson_rubin(5 * Z[:, 0] - 5 * Z[:, 1] + rng.normal(size=500), t, Z, se="classical")
    assert found.shape == "empty" and not found.covers(0.0)


def test_a_weak_instrument_is_refused_with_the_card_and_the_way_out():
    with pytest.raises(WeakInstrument, match="anderson_rubin") as refusal:
        two_stage_least_squares(*faint(0, 0.0))
    assert refusal.value.estimate.first_stage.f < 10
    flagged = two_stage_least_squares(*faint(0, 0.0), refuse="flag")
    assert flagged.broken_rules == ("first stage",) and "F" in flagged.notes[0]
    assert not two_stage_least_squares(*faint(0, 0.0), min_f=0).flags


def test_the_influence_gives_the_error():
    found = two_stage_least_squares(D.y, D.t, D.z)
    assert np.isclose(found.se, np.sqrt((found.influence**2).sum()) / len(D.y))


def test_names_of_a_frame_stay_and_empty_groups_are_nan():
    frame = pd.DataFrame({"age": D.w, "spend": D.X})
    assert list(complier_means(frame, D.t, D.z).index) == ["share", "age", "spend"]
    one_sided = complier_means(D.w, D.t * D.z, D.z)
    assert np.isnan(one_sided.loc["x0", "always_takers"]) and one_sided.loc["share", "always_takers"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_stage_least_squares(D.y, D.t, np.ones(len(D.y))), "z is constant"),
        (lambda: two_stage_least_squares(D.y, D.t, np.column_stack([D.z, 2 * D.z])), "combinations"),
        (lambda: two_stage_least_squares(D.y, D.t, D.z, D.z), "z is constant, or a combination"),
        (lambda: two_stage_least_squares(D.y, D.t, D.z, clusters=D.group, se="classical"), "clusters need robust"),
        (lambda: anderson_rubin(D.y, D.t, np.column_stack([D.z, D.w])), "one instrument"),
        (lambda: complier_means(D.w, 1 - D.t, D.z), "doesn't raise"),
        (lambda: two_stage_least_squares([1.0, 2.0], [0, 1], [0, 1]), "too few"),
        (lambda: instruments.first_stage(D.t, D.z, clusters=np.zeros(len(D.t))), "single group"),
    ],
)
def test_bad_input_is_told_what_to_mend(call, message):
    with pytest.raises(ValueError, match=message):
        call()
