"""Checks of the exercises of recommenders/04_ab_tests."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2, norm

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("recommenders/04.1", task="Return how many users both arms need together.")
def check_users_needed(answer: Answer) -> None:
    """Accept the size of a balanced test of two means."""

    def make(rng: np.random.Generator) -> Draw:
        effect, sd, power = rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.6), rng.uniform(0.7, 0.95)
        want = 4 * ((norm.ppf(0.975) + norm.ppf(power)) * sd / effect) ** 2
        wrong = {
            "That is one arm: the question is about both together.": want / 2,
            "That is a test of one mean against a known number; here both arms are noisy.": want / 4,
            "That is a one-sided test: half of the five per cent lies on each side.": 4
            * ((norm.ppf(0.95) + norm.ppf(power)) * sd / effect) ** 2,
            "This test finds the effect half of the time: the power has to enter.": 4
            * (norm.ppf(0.975) * sd / effect) ** 2,
        }
        return (effect, sd, power), want, wrong

    expect_on_draws(
        answer,
        make,
        hint="Which effect does a test with n users in both arms detect? What is n if the effect is given?",
        recipe="Add the quantiles for .975 and for the power, times sd, over the effect; square it, and times four.",
    )


@exercise("recommenders/04.2", task="Return the p-value of the sample ratio.")
def check_split_p_value(answer: Answer) -> None:
    """Accept Pearson's chi-square test against the planned shares."""

    def make(rng: np.random.Generator) -> Draw:
        shares = rng.dirichlet([20, 15, 10])
        counts = rng.multinomial(5_000, rng.dirichlet(2_000 * shares))
        expected = counts.sum() * shares
        statistic = ((counts - expected) ** 2 / expected).sum()
        even = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        wrong = {
            "Three arms leave two degrees of freedom: the counts must add up.": chi2.sf(statistic, 3),
            "With two arms there would be one degree of freedom; here there are three arms.": chi2.sf(statistic, 1),
            "That is a plan of equal shares: use the shares that were planned.": chi2.sf(even, 2),
            "That is the chance of a better fit: take the upper tail.": chi2.cdf(statistic, 2),
        }
        return (counts, shares), chi2.sf(statistic, 2), wrong

    expect_on_draws(
        answer,
        make,
        hint="How many users does the plan expect in each arm? Which distribution has the sum of squared misses?",
        recipe="Sum (count - expected)^2 / expected over the arms; take the upper tail of chi-square, arms less one.",
    )


@exercise("recommenders/04.3", task="Mend the slope of CUPED.")
def check_adjusted_difference(answer: Answer) -> None:
    """Accept the difference less theta times the difference in x, theta = Cov(y, x) / Var(x) over all users."""

    def make(rng: np.random.Generator) -> Draw:
        t = rng.permutation(np.arange(60) % 2)
        x = rng.poisson(8, 60) + 0.5 * t  # by chance or not, the arms differ before
        y = 0.6 * x + 0.4 * t + rng.normal(size=60)
        gap_y, gap_x = (c[t == 1].mean() - c[t == 0].mean() for c in (y, x))
        cov = np.cov(y, x, ddof=0)[0, 1]
        wrong = {
            "Still upside down: theta is a slope of y on x, so the variance of x is below.": gap_y
            - np.var(x) / cov * gap_x,
            "The chance lead in x is to be subtracted, not added.": gap_y + cov / np.var(x) * gap_x,
            "That is the plain difference: nothing is taken out.": gap_y,
            "Below stands the variance of y; the slope of y on x needs that of x.": gap_y - cov / np.var(y) * gap_x,
        }
        return (y, x, t), gap_y - cov / np.var(x) * gap_x, wrong

    expect_on_draws(
        answer,
        make,
        hint="Theta times x is subtracted from y. Which unit must theta have, and which one does it have here?",
        recipe="theta is the covariance of y and x over the variance of x, with the same divisor in both.",
    )


@exercise("recommenders/04.4", task="Return the first morning on which the sequence leaves out zero, or 0.")
def check_first_morning(answer: Answer) -> None:
    """Accept the first crossing of the normal-mixture bound."""

    def bound(ses: np.ndarray, rho: float) -> np.ndarray:
        total = 1 / ses**2 + rho
        return np.sqrt(total * np.log(total / (rho * 0.05**2))) * ses**2

    def first(out: np.ndarray) -> int:
        return int(out.argmax()) + 1 if out.any() else 0

    def make(rng: np.random.Generator) -> Draw:
        morning = np.arange(1, 41)
        ses = rng.uniform(0.8, 1.2) / np.sqrt(morning)
        rho = rng.uniform(2, 6)
        limit, hit = bound(ses, rho), int(rng.integers(18, 30))
        values = 0.5 * limit * rng.uniform(-1, 1, 40)
        values[hit - 1 :] = -1.1 * limit[hit - 1 :]
        early = hit - int(rng.integers(3, 7))
        values[early - 1] = 2.2 * ses[early - 1]  # beyond 1.96 errors, inside the sequence
        wrong = {
            "That is the first morning beyond 1.96 errors, which is the mistake to avoid.": first(
                np.abs(values) > 1.96 * ses
            ),
            "Python counts from 0; the first morning is 1.": hit - 1,
            "It left downwards, too: take the absolute value.": first(values > limit),
        }
        return (values, ses, rho), hit, wrong

    expect_on_draws(
        answer,
        make,
        hint="What is the information of each morning, and how wide is the sequence on it?",
        recipe="I = 1 / se^2, radius = sqrt((I + rho) log((I + rho) / (rho 0.05^2))) / I; the first |value| above.",
    )
