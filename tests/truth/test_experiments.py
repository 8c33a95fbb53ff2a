"""Experiments against known truth."""

import numpy as np
import pytest

from causalrec_lib import experiments
from causalrec_lib.data.world import make_world

from . import experiments_world as world

BATTERIES = {
    "ratio": world.ratio_battery,
    "CUPED": world.cuped_battery,
    "split": world.split_battery,
    "sequence": world.sequence_battery,
    "interleaving": world.interleaving_battery,
}


@pytest.mark.parametrize("name", BATTERIES)
def test_experiments_pass_their_battery(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=60) if not good] == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", BATTERIES)
def test_experiments_pass_their_battery_in_400_runs(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=400) if not good] == []


def test_the_ladder_of_peeking_in_three_digits():
    ladder = [0.05, 0.083, 0.142, 0.193, 0.248, 0.320, 0.374]
    assert np.allclose([experiments.chance_of_an_alarm(k) for k in (1, 2, 5, 10, 20, 50, 100)], ladder, atol=0.0005)


@pytest.mark.parametrize("planned_at", [100, 20])
def test_the_sequence_holds_its_level_in_ten_thousand_tests_of_a_hundred_looks(planned_at):
    rng = np.random.default_rng(47)
    looks = np.arange(1, 101)
    walks = rng.standard_normal((10_000, 100)).cumsum(axis=1) / looks
    made = experiments.confidence_sequence(np.zeros(100), 1 / np.sqrt(looks), tightest=1 / np.sqrt(planned_at))
    assert (np.abs(walks) > made["high"].to_numpy()).any(axis=1).mean() < 0.05


@pytest.mark.nightly
def test_the_interval_covers_in_200_trials_of_the_shop():
    shop = make_world()
    truth = shop.truth.ab_effect("popular", "score", arrivals="activity")
    held = {"plain": 0, "CUPED": 0}
    for seed in range(5_000, 5_200):
        log = shop.ab_test("popular", "score", n=12_000, seed=seed, arrivals="activity")
        u = log.groupby("user").agg(
            y=("consumed", "sum"),
            n=("session", "size"),
            t=("assigned", "first"),
            a=("pre_sessions", "first"),
            b=("pre_clicks", "first"),
            c=("pre_found", "first"),
        )
        held["plain"] += experiments.ratio_metric(u.y, u.n, u.t, planned=0.5, refuse="flag").covers(truth)
        held["CUPED"] += experiments.ratio_metric(u.y, u.n, u.t, u[["a", "b", "c"]]).covers(truth)
    assert all(0.92 <= count / 200 <= 0.98 for count in held.values()), held
