"""The checks that sensitivity analyses must pass: closed forms, brute force, and bounds that hold a known truth."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import expit

from causalrec_lib import sensitivity, weighting
from causalrec_lib.estimate import Estimate


@dataclass(frozen=True)
class SensitivityTools:
    """The functions under test; a broken twin replaces one of them."""

    e_value: object = sensitivity.e_value
    ols: object = sensitivity.ols
    rosenbaum_bounds: object = sensitivity.rosenbaum_bounds
    rosenbaum_gamma: object = sensitivity.rosenbaum_gamma
    marginal_bounds: object = sensitivity.marginal_bounds
    benchmarks: object = sensitivity.benchmarks
    of_estimate: object = Estimate.sensitivity


@dataclass(frozen=True)
class Hidden:
    """Rows with an observed and a hidden cause, and how strong the hidden one truly is."""

    y: np.ndarray
    t: np.ndarray
    x: np.ndarray
    e: np.ndarray
    r2_outcome: float
    r2_treatment: float
    truth: float = 1.0


def hidden(seed: int, n: int = 2000, strength: float = 1.0) -> Hidden:
    """Draw from discrete causes, so that all given x alone is exact; the effect is one, the bias nearly the worst."""
    rng = np.random.default_rng([4, seed])
    x, u = rng.integers(0, 2, n), rng.integers(0, 2, n)
    grid = np.array([[expit(0.8 * a - 0.1 + strength * (2 * b - 1)) for b in (0, 1)] for a in (0, 1)])
    e_long, e = grid[x, u], grid.mean(axis=1)[x]
    t = (rng.random(n) < e_long).astype(float)
    y = x + t + (2 * u - 1) + rng.normal(size=n)
    # given x and t the hidden cause has chance p: its share of the outcome's variance is 4 p (1 - p) over that plus 1
    p1, p0 = grid[:, 1] / grid.sum(axis=1), (1 - grid[:, 1]) / (1 - grid).sum(axis=1)
    got = np.array([grid.mean(axis=1), 1 - grid.mean(axis=1)])
    explained = float(np.mean((got * np.array([4 * p1 * (1 - p1), 4 * p0 * (1 - p0)])).sum(axis=0)))
    short, long = np.mean(1 / (grid.mean(axis=1) * (1 - grid.mean(axis=1)))), np.mean(1 / (grid * (1 - grid)))
    return Hidden(y, t, x.astype(float), e, explained / (explained + 1), float(1 - short / long))


def adjusted(d: Hidden) -> Estimate:
    """Adjust for x by its exact cells: a saturated linear model."""
    return weighting.standardisation(d.y, d.t, d.x[:, None])


def sensitivity_battery(tools: SensitivityTools, runs: int):
    """Yield every check."""
    yield from _e_values(tools)
    yield from _bias(tools, runs)
    yield from _regression(tools)
    yield from _pairs(tools)
    yield from _marginal(tools)


def _e_values(tools: SensitivityTools):
    found = tools.e_value(10.73, 8.02, 14.36)
    yield "E-values as printed", np.allclose(found, [20.94777, 15.52336], atol=1e-5)
    turned = tools.e_value(1 / 10.73, 1 / 14.36, 1 / 8.02)
    yield "a protective ratio has the E-value of its inverse", np.allclose(found, turned)
    yield "an interval across one has the E-value one", tools.e_value(1.2, 0.9, 1.6).interval == 1.0
    e = found.estimate  # at R = E both ways the bounding factor R^2 / (2R - 1) is the ratio
    yield "the bounding factor at the E-value is the ratio", np.isclose(e**2 / (2 * e - 1), 10.73)


def _bias(tools: SensitivityTools, runs: int):
    d = hidden(0)
    plain = adjusted(d)
    found = tools.of_estimate(plain)
    S = np.sqrt(np.mean(plain.design.residual**2) * np.mean(plain.design.weights**2))
    yield "the bound is S sqrt(C_Y C_D)", np.isclose(found.bias(0.3, 0.2), S * np.sqrt(0.3 * 0.25))
    rv = found.robustness_value
    yield "the robustness value is a share", 0 < rv < 1
    yield "at the robustness value the bias reaches the null", np.isclose(found.bias(rv, rv), abs(plain.value))
    other = tools.of_estimate(plain, null=1.0)
    at = other.robustness_value
    yield "and another null", np.isclose(other.bias(at, at), abs(plain.value - 1.0))
    edge = found.robustness_interval
    yield "the interval's value moves its end to the null", abs(found.interval(edge, edge)[0]) < 1e-6
    yield "it is the smaller one", edge < rv
    trimmed = weighting.ipw(d.y, d.t, d.e, trim=0.4, refuse="flag")
    keep = trimmed.design.weights != 0
    within = weighting.ipw(d.y[keep], d.t[keep], d.e[keep], refuse="flag")
    yield (
        "rows that were trimmed don't count",
        np.isclose(tools.of_estimate(trimmed).scale, tools.of_estimate(within).scale),
    )
    draws = [hidden(seed) for seed in range(runs)]
    ends = np.array([tools.of_estimate(adjusted(k)).interval(k.r2_outcome, k.r2_treatment) for k in draws])
    yield "bounds at the true strength hold the truth", np.mean((ends[:, 0] <= 1) & (ends[:, 1] >= 1)) >= 0.93
    middle = np.mean([tools.of_estimate(adjusted(k)).bounds(k.r2_outcome, k.r2_treatment) for k in draws], axis=0)
    yield "and not by much more: this cause is nearly the worst", 0.85 < middle[0] < 1.02


def _regression(tools: SensitivityTools):
    rng = np.random.default_rng(41)
    X = rng.normal(size=(300, 3))
    u = rng.normal(size=300)
    t = X[:, 0] + u + rng.normal(size=300)
    y = t + X.sum(axis=1) + u + rng.normal(size=300)
    found = tools.ols(y, t, X, benchmark=["x0"])
    full = tools.ols(y, t, np.column_stack([X, u]), benchmark=["x3"])

    def left(a, *columns):
        Z = np.column_stack([np.ones(300), X, *columns])
        return a - Z @ np.linalg.lstsq(Z, a, rcond=None)[0]

    r_t = np.corrcoef(left(t), left(u))[0, 1] ** 2
    r_y = np.corrcoef(left(y, t), left(u, t))[0, 1] ** 2
    yield "the bias of an omitted variable is exact", np.isclose(found.value - full.value, found.bias(r_y, r_t))
    value, se = found.adjusted(r_y, r_t)
    yield "so are the adjusted estimate and its error", np.allclose([value, se], [full.value, full.se])
    yield "the partial R2 of the treatment", np.isclose(found.partial_r2, np.corrcoef(left(y), left(t))[0, 1] ** 2)
    rv = found.robustness_value()
    yield "the robustness value of a regression is a share", 0 < rv < 1
    yield "the robustness value takes all away", abs(found.adjusted(rv, rv)[0]) < 1e-9
    part = found.robustness_value(q=0.5)
    yield "a half takes half away", np.isclose(found.adjusted(part, part)[0], found.value / 2)
    bench = found.benchmarks.iloc[0]
    rest = np.column_stack([np.ones(300), X[:, 1:]])
    fitted = [a - rest @ np.linalg.lstsq(rest, a, rcond=None)[0] for a in (t, X[:, 0])]
    share = np.corrcoef(*fitted)[0, 1] ** 2
    yield "a benchmark is a partial R2 turned into odds", np.isclose(bench["r2_treatment"], share / (1 - share))


def _exact(d: np.ndarray, gamma: float) -> tuple[float, float]:
    """Smallest and largest p-value by enumeration of all signs."""
    ranks = np.abs(d).argsort().argsort() + 1.0
    statistic = ranks[d > 0].sum()
    found = []
    for p in (1 / (1 + gamma), gamma / (1 + gamma)):
        signs = np.array(list(itertools.product([0, 1], repeat=len(d))))
        chance = np.prod(np.where(signs == 1, p, 1 - p), axis=1)
        found.append(float(chance[signs @ ranks >= statistic - 1e-9].sum()))
    return found[0], found[1]


def _pairs(tools: SensitivityTools):
    d = np.random.default_rng(42).normal(0.9, 1, 14)
    for gamma in (1.0, 1.5, 3.0):
        got = tools.rosenbaum_bounds(d, [gamma]).iloc[0]
        want = _exact(d, gamma)
        yield (
            f"p-values by enumeration, Gamma {gamma:g}",
            np.allclose([got["p_low"], got["p_high"]], want, atol=0.03),
        )
    many = np.random.default_rng(43).normal(0.5, 1, 200)
    gamma = tools.rosenbaum_gamma(many, alpha=0.05)
    yield (
        "at the largest Gamma the p-value is alpha",
        np.isclose(tools.rosenbaum_bounds(many, [gamma])["p_high"].iloc[0], 0.05),
    )
    yield "no rejection, no Gamma", tools.rosenbaum_gamma(-many) == 1.0


def _linprog(y: np.ndarray, odds: np.ndarray, gamma: float, sign: int) -> float:
    """Extreme of a weighted mean by the Charnes-Cooper linear programme: weights w * s with s free, sum one."""
    n = len(y)
    low, high = 1 + odds / gamma, 1 + odds * gamma
    A = np.block([[np.eye(n), -high[:, None]], [-np.eye(n), low[:, None]]])
    found = linprog(np.r_[-sign * y, 0], A, np.zeros(2 * n), np.r_[np.ones(n), 0][None], [1.0], bounds=(0, None))
    return -sign * float(found.fun)


def _marginal(tools: SensitivityTools):
    rng = np.random.default_rng(44)
    e, t = rng.uniform(0.1, 0.8, 40), np.tile([0.0, 1.0], 20)
    y = rng.normal(size=40).round(1) + t
    one, zero = t == 1, t == 0
    for gamma in (1.0, 1.7, 4.0):
        got = tools.marginal_bounds(y, t, e, [gamma]).iloc[0]
        odds = (1 - e) / e
        ends = [_linprog(y[one], odds[one], gamma, s) - _linprog(y[zero], 1 / odds[zero], gamma, -s) for s in (-1, 1)]
        yield f"the linear programme, Gamma {gamma:g}", np.allclose([got["low"], got["high"]], ends, atol=1e-7)
    hajek = weighting.ipw(y, t, e, refuse="flag")
    same = tools.marginal_bounds(y, t, e, [1.0], n_boot=400, seed=1).iloc[0]
    yield "Gamma one is the Hajek estimate", np.isclose(same["low"], hajek.value)
    width = (same["ci_high"] - same["ci_low"]) / (2 * 1.96 * hajek.se)
    yield "its bootstrap interval is as wide as the sandwich's", 0.8 < width < 1.3
    y2, e2, t2 = rng.normal(size=2000), np.full(2000, 0.5), rng.integers(0, 2, 2000).astype(float)
    wide = tools.marginal_bounds(y2, t2, e2, [2.0], n_boot=100, seed=2).iloc[0]
    yield "the interval lies outside of the range", wide["ci_low"] < wide["low"] < wide["high"] < wide["ci_high"]
