"""Checks of the exercises of weighting/04_sensitivity."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _e(ratio: float) -> float:
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


@exercise("weighting/04.1", task="Return the E-values of a risk ratio and of its interval.")
def check_e_values(answer: Answer) -> None:
    """Accept both E-values, for ratios above and below one, with intervals beyond one and across it."""
    for below, across in ((True, False), (False, False), (True, True)):

        def make(rng: np.random.Generator, below: bool = below, across: bool = across) -> Draw:
            ratio = rng.uniform(1.5, 3.0)
            low, high = (rng.uniform(0.7, 0.95) if across else rng.uniform(1.05, 0.9 * ratio)), ratio * 1.7
            want = np.array([_e(ratio), _e(max(low, 1.0))])
            known = {"You took the end that is farther from one.": np.array([_e(ratio), _e(high)])}
            if across:
                near = "The interval holds one: nothing needs explaining, and its E-value is 1."
                known[near] = np.array([_e(ratio), _e(1 / low)])
            known[
                "The root is missing the ratio itself: it is the root of the product of ratio and ratio minus one."
            ] = np.array([ratio + np.sqrt(ratio - 1), max(low, 1.0) + np.sqrt(max(low, 1.0) - 1)])
            return ((1 / ratio, 1 / high, 1 / low) if below else (ratio, low, high)), want, known

        expect_on_draws(
            answer,
            make,
            hint="Which end of the interval is nearer to one if the ratio is below one, and what if it holds one?",
            recipe="Below one, take 1/ratio, 1/high and 1/low. Then the near end is `low`, or 1 if `low` is below 1.",
        )


@exercise("weighting/04.2", task="Return the robustness value from t, df and q.")
def check_robustness(answer: Answer) -> None:
    """Accept RV_q for statistics of either sign."""

    def make(rng: np.random.Generator) -> Draw:
        t, df, q = float(rng.choice([-1, 1]) * rng.uniform(3, 8)), int(rng.integers(60, 400)), rng.uniform(0.3, 0.9)

        def value(f: float) -> float:
            return float((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)

        f = abs(t) / np.sqrt(df)
        known = {
            "That takes all of the estimate away: only the share q is to go.": value(f),
            "That is the partial R2 of the treatment, t^2 / (t^2 + df).": t**2 / (t**2 + df),
            "The square root is missing: f^2 is a share of variance, the value needs the root of f^4 + 4 f^2.": (
                ((q * f) ** 4 + 4 * (q * f) ** 2 - (q * f) ** 2) / 2
            ),
            "You divided t by df: S is the standard error times the ROOT of df.": value(q * abs(t) / df),
        }
        return (t, df, q), value(q * f), known

    expect_on_draws(
        answer,
        make,
        hint="How many scales S = se * sqrt(df) is the share q of the estimate, in terms of t?",
        recipe="f = q |t| / sqrt(df); the value is half of sqrt(f^4 + 4 f^2) - f^2.",
    )


@exercise("weighting/04.3", task="Return Rosenbaum's bound for the sign test.")
def check_sign_bound(answer: Answer) -> None:
    """Accept the upper tail of a binomial with chance gamma / (1 + gamma)."""

    def make(rng: np.random.Generator) -> Draw:
        n, gamma = int(rng.integers(40, 80)), rng.uniform(1.3, 2.5)
        k = int(np.ceil(n * gamma / (1 + gamma))) + int(rng.integers(1, 4))
        p = gamma / (1 + gamma)
        known = {
            "The sign of Gamma is turned: that is the smallest p-value, with chance 1 / (1 + gamma).": (
                binom.sf(k - 1, n, 1 / (1 + gamma))
            ),
            "k itself counts: the chance of k or MORE is sf(k - 1).": binom.sf(k, n, p),
            "That is the test without hidden bias, a fair coin.": binom.sf(k - 1, n, 0.5),
            "That is the other tail: you need the chance of k or more.": binom.cdf(k, n, p),
        }
        return (n, k, gamma), binom.sf(k - 1, n, p), known

    expect_on_draws(
        answer,
        make,
        hint="With odds of gamma to one, what is the largest chance that the buyer of a pair is the shown one?",
        recipe="The chance is gamma / (1 + gamma); take binom.sf(k - 1, n, chance).",
    )


@exercise("weighting/04.4", task="Mend the E-value of two groups with a common outcome.")
def check_e_value_of_groups(answer: Answer) -> None:
    """Accept the E-value of the risk ratio, whichever group buys more."""
    for more in (True, False):

        def make(rng: np.random.Generator, more: bool = more) -> Draw:
            high, low = rng.permutation(np.arange(50) < rng.integers(28, 40)), np.arange(40) < rng.integers(8, 16)
            shown, others = (high, low) if more else (low, high)
            p1, p0 = high.mean(), low.mean()
            odds = p1 / (1 - p1) / (p0 / (1 - p0))
            ratio = p1 / p0
            known = {
                "The error is still there: that is the E-value of the odds ratio.": _e(odds),
                "That is the ratio; its E-value is asked for.": ratio,
                "That is the root of the odds ratio, an approximation; with both groups at hand no one needs it.": (
                    _e(np.sqrt(odds))
                ),
            }
            return (shown.astype(float), others.astype(float)), _e(ratio), known

        expect_on_draws(
            answer,
            make,
            hint="A risk is a share of buyers. What does p / (1 - p) become where buying is common?",
            recipe="Divide the two means; turn the ratio if it is below one; then the formula.",
        )
