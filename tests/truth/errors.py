"""Standard errors held against arithmetic instead of luck: the infinitesimal jackknife, and integrals."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import expit

from causalrec_lib import _abadie_imbens, weighting

from .weighting_world import OPEN, Tools, draw

STEP = 1e-4


def fitted(X: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return propensities of a logistic regression in which row i counts w_i times."""
    Z = np.c_[np.ones(len(t)), X]
    b = np.zeros(Z.shape[1])
    for _ in range(30):
        e = expit(Z @ b)
        b = b + np.linalg.solve((Z.T * (w * e * (1 - e))) @ Z, Z.T @ (w * (t - e)))
    return expit(Z @ b)


def weighted(y, t, e, w, estimand: str, ht: bool) -> float:
    """Return the estimate in which row i counts w_i times, from the definitions."""
    h = {"ATE": np.ones_like(e), "ATT": e, "ATC": 1 - e, "ATO": e * (1 - e)}[estimand]
    one, zero = w * t * h / e, w * (1 - t) * h / (1 - e)
    if ht:
        size = w @ {"ATE": np.ones_like(e), "ATT": t, "ATC": 1 - t, "ATO": h}[estimand]
        return float((one @ y - zero @ y) / size)
    return float(one @ y / one.sum() - zero @ y / zero.sum())


def jackknife(statistic, n: int) -> np.ndarray:
    """Return n times the derivative of statistic(w) in each row's weight: its influence."""
    out = np.empty(n)
    for i in range(n):
        up, down = np.ones(n), np.ones(n)
        up[i], down[i] = 1 + STEP, 1 - STEP
        out[i] = n * (statistic(up) - statistic(down)) / (2 * STEP)
    return out


def ipw_errors(tools: Tools, n: int = 80):
    """Check the influence of every row and the error against the infinitesimal jackknife, for every variant."""
    d = draw(17, n=n, pull=0.8)
    for estimand, how, known in product(("ATE", "ATT", "ATC", "ATO"), ("hajek", "ht"), (True, False)):
        got = tools.ipw(
            d.y, d.t, d.e if known else None, X=None if known else d.X, estimand=estimand, estimator=how, rules=OPEN
        )
        want = jackknife(
            lambda w, g=estimand, h=how, k=known: weighted(
                d.y, d.t, d.e if k else fitted(d.X, d.t, w), w, g, h == "ht"
            ),
            n,
        )
        name = f"{how} {estimand}, {'known' if known else 'fitted'} e"
        yield f"{name}: influence of every row", np.allclose(got.influence, want, rtol=1e-4, atol=1e-5)
        yield f"{name}: error is the jackknife's", np.isclose(got.se, np.linalg.norm(want) / n, rtol=1e-5)


def standardisation_errors(tools: Tools, n: int = 80):
    """Check the error of standardisation against the infinitesimal jackknife."""
    d = draw(18, n=n)
    for estimand in ("ATE", "ATT", "ATC"):

        def statistic(w, g=estimand):
            D = np.c_[np.ones(n), d.X, d.t, d.t * d.X[:, 0]]
            b = np.linalg.solve((D.T * w) @ D, D.T @ (w * d.y))
            q = w * {"ATE": np.ones(n), "ATT": d.t, "ATC": 1 - d.t}[g]
            return float(q @ (b[4] + b[5] * d.X[:, 0]) / q.sum())

        got = tools.standardisation(d.y, d.t, d.X, interact=[0], estimand=estimand)
        want = jackknife(statistic, n)
        yield f"standardisation {estimand}: influence", np.allclose(got.influence, want, rtol=1e-4, atol=1e-5)
        yield f"standardisation {estimand}: error", np.isclose(got.se, np.linalg.norm(want) / n, rtol=1e-5)


# A world for the adjustment of Abadie and Imbens: x_0 drives the score, x_1 only the outcome, by group.
SCORE, SHIFT, PULL_0, PULL_1, EFFECT = 1.2, -0.4, 2.0, -1.0, 1.0


def adjustment_truth(focal: float | None) -> float:
    """Return n times what the estimated score adds to the variance, by integration over x_0."""
    x = np.linspace(-9, 9, 200_001)
    mass = np.exp(-(x**2) / 2)
    mass /= mass.sum()
    p = expit(SHIFT + SCORE * x)
    f, zz = p * (1 - p), np.stack([np.ones_like(x), x, np.zeros_like(x)])
    information = (zz * (mass * f)) @ zz.T
    information[2, 2] = mass @ f
    along = np.array([0.0, 0.0, 1.0])  # Cov(X, Y | p, t) lies along x_1, with the slope of the group
    if focal is None:
        c, d = along * (mass @ ((1 - p) * PULL_1 + p * PULL_0)), np.zeros(3)
    else:
        own = p if focal == 1 else 1 - p  # chance of being in the focal group
        share = mass @ own
        tau = EFFECT * (mass * own @ x) / share  # tau(x) = EFFECT * x_0 + (PULL_1 - PULL_0) * x_1
        sign = 1 if focal == 1 else -1
        lean = np.array([mass @ (f * (EFFECT * x - tau)), mass @ (f * x * (EFFECT * x - tau)), 0.0])
        lean[2] = mass @ f * (PULL_1 - PULL_0)
        d = sign * lean / share
        other = PULL_0 if focal == 1 else PULL_1
        c = d + along * (mass @ own * other) / share
    return float(d @ np.linalg.solve(information, d) - c @ np.linalg.solve(information, c))


def adjustment_checks(runs: int = 6, n: int = 60_000):
    """Check the adjustment for the estimated score against its integral, for the ATE, the ATT and the ATC."""
    found: dict[float | None, list[float]] = {None: [], 1.0: [], 0.0: []}
    for seed in range(runs):
        rng = np.random.default_rng([5, seed])
        X = rng.normal(size=(n, 2))
        t = (rng.random(n) < expit(SHIFT + SCORE * X[:, 0])).astype(float)
        y = np.where(t == 1, EFFECT * X[:, 0] + PULL_1 * X[:, 1], PULL_0 * X[:, 1])
        fit = weighting.propensity(X, t)
        for focal, values in found.items():
            tau = EFFECT * X[t == focal, 0].mean() if focal is not None else 0.0
            effect = tau if focal != 0.0 else -tau
            values.append(n * _abadie_imbens.score_adjustment(y, t, fit, fit.e, focal, effect))
    for focal, values in found.items():
        want, spread = adjustment_truth(focal), np.std(values, ddof=1) / np.sqrt(runs)
        name = {None: "ATE", 1.0: "ATT", 0.0: "ATC"}[focal]
        print(f"{name}: {np.mean(values):.3f} +/- {spread:.3f}, integral {want:.3f}")
        yield (
            f"adjustment for the estimated score, {name}",
            abs(np.mean(values) - want) < 4 * spread + 0.01 * abs(want),
        )


def battery(tools: Tools, runs: int):
    """Check errors by arithmetic; `runs` is not used, nothing here is left to chance but the size of two samples."""
    yield from ipw_errors(tools)
    yield from standardisation_errors(tools)
    yield from adjustment_checks()
