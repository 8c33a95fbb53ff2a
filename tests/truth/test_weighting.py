"""Weighting and matching against known truth: a world with closed forms, and the recommender world."""

import numpy as np
import pytest

from causalrec_lib import matching, weighting
from causalrec_lib.data.world import make_world

from . import errors, matching_world, randomised_world, weighting_world
from .weighting_world import OPEN, Runs, Tools, honest

BATTERIES = {
    "difference": randomised_world.difference_battery,
    "propensity": weighting_world.propensity_battery,
    "ipw": weighting_world.ipw_battery,
    "standardisation": weighting_world.standardisation_battery,
    "balance": weighting_world.balance_battery,
    "match": matching_world.match_battery,
    "matching": matching_world.matching_battery,
    "errors": errors.battery,
}


@pytest.mark.parametrize("name", BATTERIES)
def test_estimators_pass_their_battery(name):
    failed = [check for check, good in BATTERIES[name](Tools(), runs=60) if not good]
    assert failed == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", BATTERIES)
def test_estimators_pass_their_battery_in_400_runs(name):
    failed = [check for check, good in BATTERIES[name](Tools(), runs=400) if not good]
    assert failed == []


SHOWN = ["score", "log_popularity", "log_activity"]  # what drives exposure in the recommender world
PRICED = [*SHOWN, "price"]


@pytest.fixture(scope="module")
def world():
    return make_world(300, 200, seed=7, text="templates")


def naive(log):
    shown = log["exposed"] == 1
    y = log["consumed"]
    gap = y[shown].mean() - y[~shown].mean()
    return gap, np.sqrt(y[shown].var() / shown.sum() + y[~shown].var() / (~shown).sum())


def weeks(world, runs, estimate, wanted, n_pairs):
    found = [estimate(world.exposure_log(n_pairs, seed=week + 1, with_propensity=True)) for week in range(runs)]
    return Runs(np.array([f.value for f in found]), np.array([f.se for f in found]), wanted)


def outcome_of(log):
    """Outcome and treatment."""
    return log["consumed"], log["exposed"]


WORLD = {
    "Hajek ATE": ("ate", lambda log: weighting.ipw(*outcome_of(log), X=log[SHOWN], rules=OPEN)),
    "Hajek ATT": (
        "att",
        lambda log: weighting.ipw(*outcome_of(log), X=log[SHOWN], estimand="ATT", rules=OPEN),
    ),
    "Hajek ATO": (
        "ato",
        lambda log: weighting.ipw(*outcome_of(log), X=log[SHOWN], estimand="ATO", rules=OPEN),
    ),
    "stabilised ATE": (
        "ate",
        lambda log: weighting.ipw(*outcome_of(log), X=log[SHOWN], estimator="stabilised", rules=OPEN),
    ),
    "Horvitz-Thompson ATE": (
        "ate",
        lambda log: weighting.ipw(*outcome_of(log), log["propensity"], estimator="ht", rules=OPEN),
    ),
    "matching ATT": (
        "att",
        lambda log: matching.matching_estimate(
            log["consumed"], matching.match(log[SHOWN], log["exposed"]), rules=OPEN
        ),
    ),
    "matching ATE": (
        "ate",
        lambda log: matching.matching_estimate(
            log["consumed"],
            matching.match(log[SHOWN], log["exposed"], estimand="ATE", ratio=2),
            log[PRICED],
            rules=OPEN,
        ),
    ),
}


def held_in_the_world(world, name, runs, n_pairs=6_000):
    wanted, estimate = WORLD[name]
    got = weeks(world, runs, estimate, getattr(world.truth, wanted)(), n_pairs)
    print(f"{name}: bias {got.bias_in_mc_se:+.2f} MC SE, coverage {got.covered:.3f}, se/sd {got.se_over_sd:.3f}")
    assert [check for check, good in honest(name, got) if not good] == []


@pytest.mark.parametrize("name", WORLD)
def test_the_world_is_estimated_without_bias_and_covered(world, name):
    held_in_the_world(world, name, runs=40)


@pytest.fixture(scope="module")
def shop():
    return make_world()


@pytest.mark.nightly
@pytest.mark.parametrize("name", WORLD)
def test_the_shop_is_estimated_without_bias_and_covered_in_200_weeks(shop, name):
    wanted, estimate = WORLD[name]
    got = weeks(shop, 200, estimate, getattr(shop.truth, wanted)(), n_pairs=5_000)
    print(f"{name}: bias {got.bias_in_mc_se:+.2f} MC SE, coverage {got.covered:.3f}, se/sd {got.se_over_sd:.3f}")
    assert abs(got.bias_in_mc_se) < 2
    assert 0.92 <= got.covered <= 0.98
    assert 0.9 < got.se_over_sd < 1.1


def test_the_naive_answer_in_the_world_is_far_off(world):
    gap, se = naive(world.exposure_log(20_000, seed=1))
    assert abs(gap - world.truth.ate()) > 5 * se
