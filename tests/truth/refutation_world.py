"""The checks that refuters, tests on negative controls and calibrated intervals must pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from causalrec_lib import refutation, weighting
from causalrec_lib.estimate import Estimate, difference_in_means


@dataclass(frozen=True)
class RefutationTools:
    """The functions under test; a broken twin replaces one of them."""

    battery: object = refutation.battery
    negative_controls: object = refutation.negative_controls
    empirical_null: object = refutation.empirical_null
    calibrate: object = refutation.calibrate


@dataclass(frozen=True)
class Study:
    """Rows with an observed cause x and a hidden one u; the effect on y is one, on both controls zero."""

    y: np.ndarray
    t: np.ndarray
    x: np.ndarray
    before: np.ndarray
    other: np.ndarray


def study(seed: int, n: int = 600, hidden: float = 0.0) -> Study:
    """Draw a study; with `hidden` above zero u moves treatment, outcome and both controls."""
    rng = np.random.default_rng([5, seed])
    x, u, shared = rng.normal(size=(3, n))
    t = (rng.random(n) < expit(0.6 * x + hidden * u)).astype(float)
    y = t + x + u + rng.normal(size=n)
    before = x + hidden * u + shared + rng.normal(size=n)
    other = -x + hidden * u + shared + 0.5 * rng.normal(size=n)
    return Study(y, t, x[:, None], before, other)


def hajek(y: np.ndarray, t: np.ndarray, x: np.ndarray) -> float:
    """Weight by a fitted propensity."""
    return weighting.ipw(y, t, X=x, refuse="flag").value


def controls(d: Study) -> dict[str, Estimate]:
    """Estimate the effect on both controls."""
    return {k: weighting.ipw(getattr(d, k), d.t, X=d.x, refuse="flag") for k in ("before", "other")}


def systematic(seed: int, k: int = 30, mean: float = 0.5, sd: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Draw estimates of controls with systematic error N(mean, sd^2) and standard errors of their own."""
    rng = np.random.default_rng([6, seed])
    se = rng.uniform(0.2, 0.8, k)
    return rng.normal(mean, sd, k) + rng.normal(size=k) * se, se


def between(hits: int, runs: int, chance: float) -> bool:
    """Say whether a count is what chance allows."""
    low, high = binom.interval(1 - 1e-4, runs, chance)
    return bool(low <= hits <= high)


def refutation_battery(tools: RefutationTools, runs: int):
    """Yield every check."""
    yield from _refuters(tools)
    yield from _controls(tools, runs)
    yield from _calibration(tools, runs)


def _refuters(tools: RefutationTools):
    d = study(1)
    found = hajek(d.y, d.t, d.x)

    def asked(effect, x=d.x):
        return tools.battery(effect, d.y, d.t, x, seed=3, n_draws=20)

    right = asked(hajek)
    expected = [found, 0.0, found, found, 0.0, found]
    yield "what each refuter expects", np.allclose(right["expected"], expected)
    yield "a right analysis raises no alarm", not right["alarm"].any()
    yield "every refuter draws", (right["sd"] > 0).all()
    noise = right.loc["random common cause", "sd"]
    yield "a column of noise moves it least", noise == right["sd"].min()
    se = weighting.ipw(d.y, d.t, X=d.x).se
    yield "the bootstrap is as wide as the standard error", 0.6 < right.loc["bootstrap", "sd"] / se < 1.6
    yield "a subset without replacement is narrower", right.loc["data subset", "sd"] < right.loc["bootstrap", "sd"]
    plain = asked(lambda y, t, x: difference_in_means(y, t).value)
    yield (
        "a missing adjustment is caught by the simulated outcome alone",
        plain.index[plain["alarm"]].tolist() == ["simulated outcome"],
    )
    e = weighting.propensity(d.x, d.t).e
    stale = asked(lambda y, t, x: weighting.ipw(y, t, x[:, 1], refuse="flag").value, np.column_stack([d.x, e]))
    yield "stale weights are caught by the placebo treatment", bool(stale.loc["placebo treatment", "alarm"])
    yield "exchanged arms are caught", bool(
        asked(lambda y, t, x: hajek(y, 1 - t, x)).loc["simulated outcome", "alarm"])  # fmt: skip
    constant = asked(lambda y, t, x: 0.5)
    yield (
        "a constant passes where it is expected, and fails where it isn't",
        constant["alarm"].tolist() == [False, True, False, False, True, False],
    )
    yield "and says so without NaN", not constant.isna().any().any()


def _controls(tools: RefutationTools, runs: int):
    d = study(2, hidden=0.8)
    found = tools.negative_controls(controls(d))
    estimates = controls(d)
    yield "effects and errors are the estimates'", np.allclose(
        found.table[["effect", "se"]], [[e.value, e.se] for e in estimates.values()])  # fmt: skip
    calm = tools.negative_controls(controls(study(7))).table
    p = np.sort(calm["p"])
    yield "Holm's p", np.allclose(np.sort(calm["p_holm"]), [min(2 * p[0], 1), max(min(2 * p[0], 1), p[1])])
    yield "2.8 standard errors are detectable", np.allclose(
        found.table["detectable"] / found.table["se"], 2.8015852, atol=1e-6)  # fmt: skip
    one = tools.negative_controls({"before": estimates["before"]})
    yield "one control: the joint test is its z, squared", np.isclose(one.statistic, one.table["z"].iloc[0] ** 2)
    turned = {"a": estimates["before"], "b": weighting.ipw(d.other + d.before, d.t, X=d.x, refuse="flag")}
    yield "the joint test doesn't mind the basis", np.isclose(
        tools.negative_controls(turned).statistic, found.statistic, rtol=1e-8)  # fmt: skip
    quiet = sum(tools.negative_controls(controls(study(s))).p < 0.05 for s in range(runs))
    yield "it rings in five of a hundred studies without a hidden cause", between(quiet, runs, 0.05)
    loud = sum(tools.negative_controls(controls(study(s, hidden=0.8))).p < 0.05 for s in range(runs // 2))
    yield "and mostly with one", loud > 0.8 * (runs // 2)
    twice = np.repeat(np.arange(300), 2)
    pairs = study(4, n=300)
    copied = {
        k: weighting.ipw(np.repeat(getattr(pairs, k), 2), np.repeat(pairs.t, 2), X=np.repeat(pairs.x, 2, axis=0),
                         clusters=twice, refuse="flag")
        for k in ("before", "other")
    }  # fmt: skip
    once = tools.negative_controls(controls(pairs)).statistic
    yield "rows written twice don't count twice", np.isclose(
        tools.negative_controls(copied).statistic, once, rtol=0.02)  # fmt: skip


def _calibration(tools: RefutationTools, runs: int):
    many = tools.empirical_null(*systematic(0, k=4000))
    yield "mean and spread of the systematic error", abs(many.mean - 0.5) < 0.05 and abs(many.sd - 0.4) < 0.05
    none = tools.empirical_null(*systematic(1, k=4000, mean=0.0, sd=0.0))
    yield "none where there is none", abs(none.mean) < 0.05 and none.sd < 0.1
    yield "the mean's error shrinks with the root of the controls", 0.004 < many.mean_se < 0.02
    rng, covers = np.random.default_rng(7), []
    for seed in range(runs):
        value = 2.0 + rng.normal(0.5, 0.4) + 0.3 * rng.normal()
        study = Estimate(value, 0.3, "ATE", "by hand", 100)
        covers.append(tools.calibrate(study, tools.empirical_null(*systematic(seed))).covers(2.0))
    yield "calibrated intervals cover", between(sum(covers), runs, 0.945)
    few = [
        tools.calibrate(
            Estimate(2.0 + rng.normal(0.5, 0.4) + 0.05 * rng.normal(), 0.05, "ATE", "by hand", 100),
            tools.empirical_null(*systematic(seed, k=8)),
        ).covers(2.0)
        for seed in range(runs)
    ]
    yield "nearly so with eight controls", np.mean(few) > 0.75
    moved = tools.calibrate(Estimate(2.0, 0.3, "ATE", "by hand", 100), refutation.EmpiricalNull(0.5, 0.1, 0.4, 20))
    yield "value and error", np.allclose([moved.value, moved.se], [1.5, np.sqrt(0.09 + 0.01 + 0.16)])
    yield "Student's t with one degree less than controls", np.isclose((moved.high - 1.5) / moved.se, 2.0930241)
