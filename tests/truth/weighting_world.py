"""A linear-logistic world whose average effects are known, and the checks that an estimator must pass in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from causalrec_lib import behaviour, matching, weighting
from causalrec_lib.estimate import EstimateRefused, Rules, difference_in_means, effective_sample_size

PULL = np.array([0.7, -0.5, 0.4])  # of the covariates on the log-odds of treatment
INTERCEPT = -0.3
LEVEL = np.array([2.0, 1.0, 1.5])  # of the covariates on the outcome without treatment
EFFECT, SLOPE = 2.0, 1.0  # tau(x) = EFFECT + SLOPE * x_0
OPEN = Rules(min_ess=2, max_row_share=1.0, max_smd=np.inf, min_ess_share=0.0, min_clusters=2, max_z=np.inf)


@dataclass(frozen=True)
class Draw:
    """One data set: outcome, treatment, covariates, true propensity."""

    y: np.ndarray
    t: np.ndarray
    X: np.ndarray
    e: np.ndarray


def draw(seed: int, n: int = 700, pull: float = 1.0) -> Draw:
    rng = np.random.default_rng([77, seed])
    X = rng.normal(size=(n, 3))
    e = expit(INTERCEPT + pull * X @ PULL)
    t = (rng.random(n) < e).astype(float)
    return Draw(X @ LEVEL + t * (EFFECT + SLOPE * X[:, 0]) + rng.normal(size=n), t, X, e)


def truth(estimand: str, low: float = 0.0, pull: float = 1.0) -> float:
    """Return the average effect among low <= e <= 1 - low: an integral over the index, in which E[x_0] is linear."""
    size = np.linalg.norm(pull * PULL)
    z = np.linspace(-8, 8, 400_001)
    e = expit(INTERCEPT + size * z)
    tilt = {"ATE": np.ones_like(e), "ATT": e, "ATC": 1 - e, "ATO": e * (1 - e)}[estimand]
    mass = tilt * np.exp(-(z**2) / 2) * ((e >= low) & (e <= 1 - low))
    return float(EFFECT + SLOPE * np.sum(mass * z * pull * PULL[0] / size) / np.sum(mass))


@dataclass(frozen=True)
class Tools:
    """The estimators under test; a broken twin replaces one of them."""

    ipw: object = weighting.ipw
    propensity: object = weighting.propensity
    weights: object = weighting.weights
    standardisation: object = weighting.standardisation
    balance: object = weighting.balance
    crump_threshold: object = weighting.crump_threshold
    overlap_summary: object = weighting.overlap_summary
    match: object = matching.match
    matching_estimate: object = matching.matching_estimate
    effective_sample_size: object = effective_sample_size
    difference_in_means: object = difference_in_means
    sessionise: object = behaviour.sessionise
    fast_users: object = behaviour.fast_users
    causal_table: object = behaviour.causal_table
    history: object = behaviour.history
    aa_p_values: object = behaviour.aa_p_values


@dataclass(frozen=True)
class Runs:
    """Estimates over many data sets."""

    values: np.ndarray
    ses: np.ndarray
    truth: float

    @classmethod
    def of(cls, found, truth: float) -> Runs:
        """Collect estimates of one truth."""
        return cls(np.array([f.value for f in found]), np.array([f.se for f in found]), truth)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def bias_in_mc_se(self) -> float:
        return float((self.values.mean() - self.truth) / (self.values.std(ddof=1) / np.sqrt(self.n)))

    @property
    def covered(self) -> float:
        return float((np.abs(self.values - self.truth) <= 1.959964 * self.ses).mean())

    @property
    def se_over_sd(self) -> float:
        return float(np.sqrt((self.ses**2).mean()) / self.values.std(ddof=1))


def simulate(estimate, wanted: float, runs: int, **how) -> Runs:
    """Run `estimate(draw)` on `runs` data sets."""
    found = [estimate(draw(seed, **how)) for seed in range(runs)]
    return Runs(np.array([f.value for f in found]), np.array([f.se for f in found]), wanted)


def honest(name: str, got: Runs, biased: float = 0.0):
    """Yield the checks of an estimator over many data sets: centre, coverage, and size of the standard error.

    `biased` is the bias that theory leaves, in units of the estimate's own spread.
    """
    n = got.n
    room = 3.0 + biased * np.sqrt(n)
    yield f"{name}: centre", abs(got.bias_in_mc_se) < room
    low, high = (0.92, 0.98) if n >= 200 else (binom.ppf(0.001, n, 0.95) / n, 1.0)
    yield f"{name}: coverage", low <= got.covered <= high
    slack = 3.3 / np.sqrt(2 * n)  # relative error of a standard deviation from n draws
    yield f"{name}: size of the standard error", (1 - slack) * 0.97 < got.se_over_sd < 1.03 / (1 - slack)


def ipw_battery(tools: Tools, runs: int):
    """Check weighting: every estimand and estimator against the truth, then identities."""
    d = draw(3)
    yield from ipw_identities(tools, d)
    for estimand in ("ATE", "ATT", "ATC", "ATO"):
        got = simulate(
            lambda d, g=estimand: tools.ipw(d.y, d.t, X=d.X, estimand=g, rules=OPEN), truth(estimand), runs
        )
        yield from honest(f"Hajek {estimand}, fitted propensity", got)
    got = simulate(lambda d: tools.ipw(d.y, d.t, d.e, rules=OPEN), truth("ATE"), runs)
    yield from honest("Hajek ATE, known propensity", got)
    for how in ({"X": True}, {"X": False}):
        got = simulate(
            lambda d, h=how: tools.ipw(
                d.y, d.t, None if h["X"] else d.e, X=d.X if h["X"] else None, estimator="ht", rules=OPEN
            ),
            truth("ATE"),
            runs,
        )
        yield from honest(f"Horvitz-Thompson ATE, {'fitted' if how['X'] else 'known'} propensity", got)
    got = simulate(lambda d: tools.ipw(d.y, d.t, d.e, trim=0.2, rules=OPEN), truth("ATE", 0.2), runs)
    yield from honest("trimmed ATE", got)


def ipw_identities(tools: Tools, d: Draw):
    """Check what must hold in every single data set."""
    base = tools.ipw(d.y, d.t, X=d.X, rules=OPEN)
    moved = tools.ipw(3 * d.y + 100, d.t, X=d.X, rules=OPEN)
    yield "a shift of the outcome does nothing", np.isclose(moved.value, 3 * base.value, rtol=1e-7)
    yield "a stretch of the outcome stretches the error", np.isclose(moved.se, 3 * base.se, rtol=1e-7)
    swapped = tools.ipw(d.y, 1 - d.t, X=d.X, rules=OPEN)
    yield "swapping the groups swaps the sign", np.isclose(swapped.value, -base.value, rtol=1e-7)
    same = tools.ipw(d.y, d.t, X=d.X, estimator="stabilised", rules=OPEN)
    yield "stabilised weights give the same point", np.isclose(same.value, base.value, rtol=1e-9)
    sums = np.mean(d.t * d.y / d.e - (1 - d.t) * d.y / (1 - d.e))
    yield (
        "Horvitz-Thompson is the mean of weighted outcomes",
        np.isclose(tools.ipw(d.y, d.t, d.e, estimator="ht", rules=OPEN).value, sums, rtol=1e-9),
    )
    fixed = tools.ipw(d.y, d.t, X=d.X, se="weights_fixed", rules=OPEN)
    yield "knowing that the propensity was fitted narrows the error here", base.se < 0.8 * fixed.se
    trimmed = tools.ipw(d.y, d.t, d.e, trim=0.2, rules=OPEN)
    inside = int(((d.e >= 0.2) & (d.e <= 0.8)).sum())
    yield (
        "trimming drops rows and says for whom the effect holds",
        trimmed.n == inside and "0.2" in trimmed.population,
    )
    yield "a fit that stopped early is not hidden", base.converged is True
    far = draw(5, n=300, pull=6.0)
    yield "no overlap is refused", refused(lambda: tools.ipw(far.y, far.t, far.e))
    yield from refusals(tools)


def refusals(tools: Tools):
    """Check that each rule alone stops what it is for, in either group, and lets a small experiment pass."""
    for side, e in (("treated", np.r_[np.full(390, 0.9), np.full(10, 0.01)]), ("controls", None)):
        t = np.r_[np.tile([1.0, 1.0, 1.0, 1.0, 0.0], 80)] if side == "treated" else np.tile([0.0, 0, 0, 0, 1], 80)
        e = np.r_[np.full(380, 0.9), np.full(20, 0.01)]
        chance = e if side == "treated" else 1 - e
        rules = Rules(max_row_share=1.0, min_ess_share=0.0, max_z=np.inf)
        yield (
            f"thin {side} are refused",
            refused(lambda t=t, c=chance, r=rules: tools.ipw(t, t, c, rules=r), "effective"),
        )
        few = Rules(min_ess=1, max_row_share=1.0, min_ess_share=0.5, max_z=np.inf)
        yield f"{side} that lost most are refused", refused(lambda t=t, e=e, r=few: tools.ipw(t, t, e, rules=r))
    d = draw(6, n=20_000)
    y, t, fit = d.y, d.t, tools.propensity(d.X, d.t)
    flat = np.full(len(t), t.mean())
    yield "a constant chance leaves the groups apart", refused(lambda: tools.ipw(y, t, flat, X=d.X), "still differ")
    yield "clipped chances are heard", refused(lambda: tools.ipw(y, t, d.e.clip(0.4, 0.6)), "not the chance")
    noise = np.random.default_rng(0).uniform(0.2, 0.7, len(t))
    yield "random chances are heard", refused(lambda: tools.ipw(y, t, noise), "not the chance")
    shrunk = tools.propensity(d.X, t, penalty=3_000.0)
    yield "a shrunken model leaves the groups apart", refused(lambda: tools.ipw(y, t, shrunk), "still differ")
    calm = tools.ipw(y, t, d.e, X=d.X)
    yield "recorded chances pass, and say what was checked", len(calm.checks) == 3 and not calm.flags
    yield "a good fit passes", tools.ipw(y, t, fit).checks == ("effective rows", "balance")
    toss = np.tile([0.0, 1.0], 25)
    small = tools.ipw(d.y[:50], toss, np.full(50, 0.5), X=d.X[:50])
    yield "a small experiment passes with a note", small.ess == 25 and "25 treated" in small.notes[0]


def refused(call, because: str = "") -> bool:
    try:
        call()
    except EstimateRefused as error:
        return because in str(error)
    return False


def propensity_battery(tools: Tools, runs: int):
    """Check the logistic model by its likelihood equations, on badly scaled columns."""
    d = draw(1)
    scale = np.array([1.0, 1e4, 1e-3])
    fit = tools.propensity(d.X * scale, d.t)
    residual = d.t - fit.e
    yield "fitted and observed shares agree", abs(residual.sum()) < 1e-6
    yield "every covariate is balanced to first order", np.abs(d.X.T @ residual).max() < 1e-6
    yield (
        "coefficients come back on the scale of X",
        np.allclose(fit.predict(d.X * scale), fit.e, rtol=1e-9) and np.allclose(fit.coef * scale, PULL, atol=0.4),
    )
    line = np.linspace(-1, 1, 40)
    yield "separation is refused", refused(lambda: tools.propensity(line, line > 0))
    yield "stopping early is refused", refused(lambda: tools.propensity(d.X, d.t, max_iter=1))


def standardisation_battery(tools: Tools, runs: int):
    """Check the outcome-model estimator with the effect's slope in the model."""
    for estimand in ("ATE", "ATT", "ATC"):
        got = simulate(
            lambda d, g=estimand: tools.standardisation(d.y, d.t, d.X, interact=[0], estimand=g),
            truth(estimand),
            runs,
        )
        yield from honest(f"standardisation {estimand}", got)


def balance_battery(tools: Tools, runs: int):
    """Check standardised mean differences and effective sample size against their definitions."""
    d = draw(2)
    one, zero = d.t == 1, d.t == 0
    w = np.where(one, 1 / d.e, 1 / (1 - d.e))
    table = tools.balance(d.X, d.t, w)
    ruler = np.sqrt((d.X[one].var(axis=0, ddof=1) + d.X[zero].var(axis=0, ddof=1)) / 2)
    gap = d.X[one].mean(axis=0) - d.X[zero].mean(axis=0)
    after = np.average(d.X[one], axis=0, weights=w[one]) - np.average(d.X[zero], axis=0, weights=w[zero])
    yield "difference before, in standard deviations", np.allclose(table["before"], gap / ruler)
    yield "difference after, in the same standard deviations", np.allclose(table["after"], after / ruler)
    yield (
        "variance ratio",
        np.allclose(table["ratio_before"], d.X[one].var(axis=0, ddof=1) / d.X[zero].var(axis=0, ddof=1)),
    )
    yield "equal weights count in full", np.isclose(tools.effective_sample_size(np.full(9, 0.3)), 9)
    yield "one heavy row counts for one", np.isclose(tools.effective_sample_size([1.0, 0.0, 0.0]), 1)
    yield "Kish's example", np.isclose(tools.effective_sample_size([1, 1, 2]), 16 / 6)
    far = draw(4, pull=3.0).e
    a, g = tools.crump_threshold(far), 1 / (far * (1 - far))
    yield "Crump's rule trims where overlap is poor", 0 < a < 0.5
    yield "Crump's threshold solves its equation", np.isclose(1 / (a * (1 - a)), 2 * g[g <= 1 / (a * (1 - a))].mean())
    apart = draw(4, pull=3.0)
    ends = tools.overlap_summary(apart.e, apart.t)
    mine, others = apart.e[apart.t == 1], apart.e[apart.t == 0]
    yield "the range of the propensity", ends["min"] == far.min() and ends["max"] == far.max()
    yield "the tails of the propensity", np.isclose(ends["below_0.1"], (far < 0.1).mean())
    outside = ((mine < others.min()) | (mine > others.max())).mean()
    yield "treated with nobody opposite", outside > 0 and np.isclose(ends["treated_outside"], outside)
    ato = tools.weights(d.t, d.e, estimand="ATO")
    yield "overlap weights are the other group's chance", np.allclose(ato, np.where(one, 1 - d.e, d.e))
    fit = tools.propensity(d.X, d.t)
    exact = tools.balance(d.X, d.t, tools.weights(d.t, fit.e, estimand="ATO"))["after"]
    yield "overlap weights from maximum likelihood balance exactly", np.abs(exact).max() < 1e-9
    att = tools.weights(d.t, d.e, estimand="ATT", stabilised=True)
    yield "stabilised ATT weights", np.allclose(att, np.where(one, d.t.mean(), (1 - d.t.mean()) * d.e / (1 - d.e)))
