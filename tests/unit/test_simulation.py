"""Monte-Carlo summaries say what their definitions say."""

import numpy as np
import pytest

from causalrec_lib import simulation
from causalrec_lib.estimate import Estimate, NoOverlap


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


def wary(x):
    """The mean of a sample, refused if it is far from one."""
    made = Estimate(float(x.mean()), 2 / np.sqrt(len(x)), "mean", "mean", len(x))
    if abs(x.mean() - 1) > 0.3:
        refusal = NoOverlap("too far")
        refusal.estimate = made
        raise refusal
    return made


def sample(seed):
    return np.random.default_rng(seed).normal(1.0, 2.0, 50)


def bold(x):
    return Estimate(float(x.mean()), 2 / np.sqrt(len(x)), "mean", "mean", len(x))


def test_a_refusal_is_a_row_and_stops_nobody_else():
    runs = simulation.repeat(sample, range(300), {"bold": 1.0, "wary": 1.0}, {"wary": wary, "bold": bold})
    assert len(runs) == 600 and list(runs["name"].unique()) == ["wary", "bold"]
    quiet = runs[runs["refused"]]
    assert set(quiet["name"]) == {"wary"} and quiet["value"].isna().all() and set(quiet["reason"]) == {"NoOverlap"}
    assert (quiet["unreleased"] - 1).abs().min() > 0.3 and not quiet["covers"].any()
    s = simulation.summary(runs)
    assert s.loc["wary", "refused"] == len(quiet) / 300 and s.loc["bold", "refused"] == 0
    assert s.loc["wary", "coverage"] == 1 and s.loc["wary", "sd"] < s.loc["bold", "sd"]
    assert s.loc["wary", "runs"] == 300


def test_flagged_estimates_are_refusals_that_show_their_number():
    runs = simulation.repeat(lambda k: bold(sample(k)).flagged("no"), range(20), 1.0)
    assert runs["refused"].all() and runs["value"].notna().all() and set(runs["reason"]) == {"no"}
    assert np.isnan(simulation.summary(runs).loc["estimate", "bias"])
    assert simulation.summary(runs, answers_only=False).loc["estimate", "coverage"] > 0.5


def test_an_answer_that_refuses_as_a_whole_counts_for_every_name():
    runs = simulation.repeat(lambda k: {"a": wary(sample(k)), "b": bold(sample(k))}, range(40), {"a": 1.0, "b": 1.0})
    assert 0 < runs["refused"].mean() < 1 and (runs.groupby("seed")["refused"].nunique() == 1).all()
    runs = simulation.repeat(lambda k: wary(sample(k)), range(40), 1.0)
    assert set(runs["name"]) == {"estimate"}


def test_the_truth_may_depend_on_the_sample():
    runs = simulation.repeat(sample, range(5), lambda x: float(x.mean()), {"bold": bold})
    np.testing.assert_allclose(runs["value"], runs["truth"])


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="seeds is empty"):
        simulation.repeat(mean_of, [], 1.0)
    with pytest.raises(ValueError, match="truth must be one of 'a', but is 'b'"):
        simulation.repeat(lambda k: {"b": mean_of(k)}, range(2), {"a": 1.0})
    with pytest.raises(ValueError, match="single sample of estimate"):
        simulation.summary(simulation.repeat(mean_of, [1], 1.0))
    with pytest.raises(ValueError, match="runs"):
        simulation.summary(simulation.repeat(mean_of, range(2), 1.0).drop(columns="covers"))
