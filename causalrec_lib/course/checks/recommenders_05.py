"""Checks of the exercises of recommenders/05_evaluation."""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _hits(rng: np.random.Generator, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits of 60 users in lists of six, and how many items each bought in all."""
    hits = (rng.random((60, 6)) < np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.1])).astype(float)
    hits[:9] = 0.0
    bought = hits.sum(axis=1) + rng.integers(0, 4, 60)
    bought[:5] = 0.0
    return hits, np.maximum(bought, least)


@exercise("recommenders/05.1", task="Return the mean F1 over users with a purchase.")
def check_mean_f1(answer: Answer) -> None:
    """Accept the mean of the users' F1."""

    def make(rng: np.random.Generator) -> Draw:
        hits, bought = _hits(rng, 0)
        some = bought > 0
        f1 = 2 * hits.sum(axis=1) / (6 + bought)
        precision, recall = hits[some].mean(), (hits[some].sum(axis=1) / bought[some]).mean()
        known = {
            "Users without a purchase are in it, as zeros: leave them out.": f1.mean(),
            "That is F1 of the mean precision and the mean recall.": 2 * precision * recall / (precision + recall),
            "That is precision. Where is the number bought?": precision,
        }
        return (hits, bought), f1[some].mean(), known

    expect_on_draws(
        answer,
        make,
        hint="Which users have an F1, and what is averaged: the users' F1 or its parts?",
        recipe="For users with bought > 0: twice the hits over k plus bought; then the mean.",
    )


@exercise("recommenders/05.2", task="Return the effect of showing the listed pairs, weighted by place.")
def check_effect_of_list(answer: Answer) -> None:
    """Accept the difference of two normalised means."""

    def make(rng: np.random.Generator) -> Draw:
        n = 500
        e, rank = rng.uniform(0.1, 0.9, n), np.where(rng.random(n) < 0.5, rng.integers(1, 11, n), 0)
        t = (rng.random(n) < e).astype(float)
        y = (rng.random(n) < 0.2 + 0.4 * e + 0.3 * t * (rank < 4)).astype(float)
        w1, w0 = t / e, (1 - t) / (1 - e)

        def difference(d: np.ndarray) -> float:
            return float((d * w1) @ y / (d * w1).sum() - (d * w0) @ y / (d * w0).sum())

        listed = rank > 0
        d = np.where(listed, 1 / np.log2(np.maximum(rank, 1) + 1), 0.0)
        shown, left = d * w1, d * w0
        known = {
            "That is the mean if shown. Subtract the mean if not shown.": shown @ y / shown.sum(),
            "All places weigh alike in it; upper ones should weigh more.": difference(listed.astype(float)),
            "Pairs outside of the list count in it, as if at the first place.": difference(
                1 / np.log2(np.maximum(rank, 1) + 1)
            ),
            "Lower places weigh more in it: divide by the logarithm.": difference(np.log2(rank + 1)),
            "The weights of shown and others are missing: divide by e and by 1 - e.": (
                np.average(y, weights=d * t) - np.average(y, weights=d * (1 - t))
            ),
            "Divide by the sums of the weights on each side, not by the sum over the list.": (
                (shown @ y - left @ y) / d.sum()
            ),
        }
        return (y, t, e, rank), difference(d), known

    expect_on_draws(
        answer,
        make,
        hint="How much does a pair at place 3 count, and for how many such pairs does it stand if it was shown?",
        recipe="d = 1 / log2(rank + 1) where rank > 0, else 0; weights d t / e and d (1 - t) / (1 - e); two means.",
    )


@exercise("recommenders/05.3", task="Return the expected recall at k among m drawn items.")
def check_sampled_recall(answer: Answer) -> None:
    """Accept the hypergeometric chance of fewer than k better ones."""

    def make(rng: np.random.Generator) -> Draw:
        n, m, k = int(rng.integers(80, 200)), int(rng.integers(15, 30)), int(rng.integers(3, 6))
        r = int(rng.integers(n // 5, n // 4))
        known = {
            "Fewer than k may come before it, not k: that is one too many.": hypergeom.cdf(k, n - 1, r - 1, m),
            "The item itself is among the better ones: it has r - 1 before it.": hypergeom.cdf(k - 1, n - 1, r, m),
            "That is the full metric: the item's own rank among all.": float(r <= k),
        }
        return (r, n, m, k), hypergeom.cdf(k - 1, n - 1, r - 1, m), known

    expect_on_draws(
        answer,
        make,
        hint="How many of the other n - 1 items are better, and how many of these may be drawn?",
        recipe="hypergeom.cdf(k - 1, n - 1, r - 1, m).",
    )


@exercise("recommenders/05.4", task="Mend the NDCG of users who bought little.")
def check_ndcg(answer: Answer) -> None:
    """Accept an ideal list with as many hits as were bought, k at most."""

    def make(rng: np.random.Generator) -> Draw:
        hits, bought = _hits(rng, 1)
        discount = 1 / np.log2(np.arange(2, 8))
        best = np.cumsum(discount)[np.minimum(bought, 6).astype(int) - 1]
        found = np.maximum(hits.sum(axis=1), 1).astype(int)
        known = {
            "The ideal list is still full of hits: a user who bought two has two.": (
                hits @ discount / discount.sum()
            ).mean(),
            "The ideal list has only the hits found; it should have all that was bought.": (
                hits @ discount / np.cumsum(discount)[found - 1]
            ).mean(),
            "That is DCG. Divide by the best possible.": (hits @ discount).mean(),
        }
        return (hits, bought), (hits @ discount / best).mean(), known

    expect_on_draws(
        answer,
        make,
        hint="How many hits can the best possible list of a user have who bought two items?",
        recipe="Divide each user's sum by the sum of the first min(bought, k) discounts.",
    )
