"""Checks of the exercises of recommenders/03_policies_from_effects."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("recommenders/03.1", task="Return the gain a row of treating the first share of a priority.")
def check_point(answer: Answer) -> None:
    """Accept the sum of the first scores over all rows."""

    def make(rng: np.random.Generator) -> Draw:
        n, s = 200, float(rng.choice([0.1, 0.2, 0.3]))
        priority = rng.normal(size=n)
        psi = 0.5 + 0.5 * priority + rng.normal(size=n)
        order, k = np.argsort(-priority), round(s * n)
        known = {
            "That is the mean among the treated. Rows that are not treated count as zero.": psi[order[:k]].mean(),
            "Those are the last rows: a larger priority comes first.": psi[order[-k:]].sum() / n,
            "That is the gain over the average row; the question compares with treating nobody.": (
                psi[order[:k]].mean() - psi.mean()
            ),
            "That ranks by the scores themselves, which have seen the outcomes.": np.sort(psi)[-k:].sum() / n,
        }
        return (psi, priority, s), psi[order[:k]].sum() / n, known

    expect_on_draws(
        answer,
        make,
        hint="Which rows come first, and over how many rows is the gain averaged?",
        recipe="Sort by priority, largest first. Sum the scores of the first s * n rows and divide by n.",
    )


@exercise("recommenders/03.2", task="Return the profit of a rule when treated buyers redeem a coupon.")
def check_coupon(answer: Answer) -> None:
    """Accept weighting with the cost in the outcome."""

    def make(rng: np.random.Generator) -> Draw:
        n, p, c = 400, float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.2, 0.5))
        t, treat = (rng.random(n) < p).astype(float), (rng.random(n) < 0.4).astype(float)
        y = (rng.random(n) < 0.4 + 0.2 * t).astype(float)
        one, none = y * t / p, y * (1 - t) / (1 - p)
        known = {
            "The coupon is missing: a treated purchase keeps 1 - c of its margin.": np.mean(treat * (one - none)),
            "The cost falls on every purchase of the treated, not only on the caused ones.": (
                (1 - c) * np.mean(treat * (one - none))
            ),
            "That is the profit of treating everybody; where is the rule?": np.mean((1 - c) * one - none),
        }
        return (y, t, treat, p, c), np.mean(treat * ((1 - c) * one - none)), known

    expect_on_draws(
        answer,
        make,
        hint="What is left of a purchase of a treated customer, and of one of the others?",
        recipe="z = y * (1 - c * t). Mean of treat times (z * t / p - z * (1 - t) / (1 - p)).",
    )


@exercise("recommenders/03.3", task="Choose the best rule on half of the rows and judge it on the other half.")
def check_best(answer: Answer) -> None:
    """Accept the odd rows' mean of the column that the even rows choose."""

    def make(rng: np.random.Generator) -> Draw:
        even, odd = rng.normal(size=(60, 8)), rng.normal(size=(60, 8))
        odd -= odd.mean(axis=0) + rng.uniform(0.1, 0.9, 8)
        best = even.mean(axis=0).argmax()
        odd[:, (best + 1) % 8] += 2 + rng.random()
        gains = np.empty((120, 8))
        gains[::2], gains[1::2] = even, odd
        means = gains.mean(axis=0)
        known = {
            "Chosen and judged on the same rows: that is the planted error.": means.max(),
            "Chosen on the even rows and judged on them too.": even.mean(axis=0).max(),
            "That chooses on the odd rows, on which it also judges.": odd.mean(axis=0).max(),
            "The even rows choose well, but all rows judge: half of them chose.": means[best],
        }
        return (gains,), odd[:, best].mean(), known

    expect_on_draws(
        answer,
        make,
        hint="Which rows had a hand in the choice? They may not judge it.",
        recipe="best = gains[::2].mean(axis=0).argmax(). Return gains[1::2, best].mean().",
    )
