"""Monte-Carlo summaries say what their definitions say."""

import numpy as np
import pytest

from causalrec_lib import simulation
from causalrec_lib.estimate import Estimate


def mean_of(seed, n=50, shift=0.0):
    x = np.random.default_rng(seed).normal(1.0, 2.0, n)
    return Estimate(float(x.mean() + shift), float(x.std(ddof=1) / np.sqrt(n)), "mean", "mean", n)


def test_a_sound_estimator_is_unbiased_and_covers():
    s = simulation.summary(simulation.repeat(mean_of, range(2000), 1.0)).loc["estimate"]
    assert abs(s["bias"]) < 4 * s["bias_mc_se"]
    assert s["bias_mc_se"] == pytest.approx(2 / np.sqrt(50 * 2000), rel=0.1)
    assert s["sd"] == pytest.approx(s["mean_se"], rel=0.05)
    assert abs(s["coverage"] - 0.95) < 4 * s["coverage_mc_se"]
    assert s["runs"] == 2000 and s["rmse"] == pytest.approx(np.hypot(s["bias"], s["sd"]), rel=1e-3)


def test_a_biased_one_is_caught_beside_it():
    both = simulation.repeat(lambda k: {"sound": mean_of(k), "off": mean_of(k, shift=1.0)}, range(200), 1.0)
    s = simulation.summary(both)
    assert list(s.index) == ["sound", "off"]
    assert s.loc["off", "bias"] - s.loc["sound", "bias"] == pytest.approx(1.0)
    assert s.loc["off", "coverage"] < 0.2 < s.loc["sound", "coverage"]


def test_each_estimator_has_its_own_truth():
    runs = simulation.repeat(lambda k: {"a": mean_of(k), "b": mean_of(k, shift=3.0)}, range(5), {"a": 1.0, "b": 4.0})
    assert set(runs.loc[runs["name"] == "b", "truth"]) == {4.0}


def test_the_error_of_full_coverage_is_not_zero():
    runs = simulation.repeat(lambda k: Estimate(1.0, 1.0, "mean", "mean", 9), range(50), 1.0)
    s = simulation.summary(runs).loc["estimate"]
    assert s["coverage"] == 1 and s["coverage_mc_se"] == pytest.approx(np.sqrt(0.02 * 0.98 / 50))


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="seeds is empty"):
        simulation.repeat(mean_of, [], 1.0)
    with pytest.raises(ValueError, match="truth must be one of 'a', but is 'b'"):
        simulation.repeat(lambda k: {"b": mean_of(k)}, range(2), {"a": 1.0})
    with pytest.raises(ValueError, match="single sample of estimate"):
        simulation.summary(simulation.repeat(mean_of, [1], 1.0))
    with pytest.raises(ValueError, match="runs"):
        simulation.summary(simulation.repeat(mean_of, range(2), 1.0).drop(columns="covers"))
