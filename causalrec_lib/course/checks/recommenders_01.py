"""Checks of the exercises of recommenders/01_missing_not_at_random."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _rated(rng: np.random.Generator, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances of some rated pairs, and errors that are larger where the chance is small."""
    p = rng.uniform(0.05, 0.7, n)
    return p, 0.3 + (1 - p) * rng.gamma(2.0, size=n)


@exercise("recommenders/01.1", task="Return the naive Bayes chance of each star.")
def check_bayes(answer: Answer) -> None:
    """Accept P(r | rated) P(rated) / P(r) for the stars one to five."""

    def make(rng: np.random.Generator) -> Draw:
        stars = np.arange(1, 6)
        r = np.concatenate([stars, rng.choice(stars, 200, p=[0.05, 0.1, 0.2, 0.25, 0.4])])
        s = np.concatenate([np.repeat(stars, 8), rng.choice(stars, 60, p=[0.3, 0.3, 0.2, 0.1, 0.1])])
        n_pairs = int(rng.integers(4_000, 9_000))
        log = np.array([(r == k).sum() for k in stars])
        survey = np.array([(s == k).mean() for k in stars])
        known = {
            "That is P(stars | rated) over P(stars): the share of pairs that are rated is missing.": log
            / len(r)
            / survey,
            "That is the share of all pairs that are rated with these stars: divide by P(stars).": log / n_pairs,
            "The survey's counts must be shares: it has fewer rows than there are pairs.": log
            / (survey * len(s))
            / n_pairs,
        }
        return (r, s, n_pairs), log / (n_pairs * survey), known

    expect_on_draws(
        answer,
        make,
        hint="Of all pairs that have two stars, how many would there be by the survey, and how many are in the log?",
        recipe="For each star: count it in the log; divide by n_pairs times its share in the survey.",
    )


@exercise("recommenders/01.2", task="Return the paired difference and its standard error.")
def check_compare(answer: Answer) -> None:
    """Accept the SNIPS mean of a - b with its design-based error."""

    def make(rng: np.random.Generator) -> Draw:
        p, a = _rated(rng)
        b = 0.8 * a + rng.normal(scale=0.2, size=len(a))
        w = 1 / p

        def with_error(delta: np.ndarray) -> np.ndarray:
            value = np.average(delta, weights=w)
            return np.array([value, np.sqrt(np.sum((1 - p) * (w * (delta - value)) ** 2)) / w.sum()])

        value, right = with_error(a - b)
        apart = np.hypot(with_error(a)[1], with_error(b)[1])
        without = np.sqrt(np.sum((w * (a - b - value)) ** 2)) / w.sum()
        known = {
            "Both models erred on the same pairs: take the difference first.": np.array([value, apart]),
            "The factor 1 - p is missing: a pair that is rated for sure adds no error.": np.array([value, without]),
            "The sign is turned: a minus b.": np.array([-value, right]),
        }
        return (a, b, p), np.array([value, right]), known

    expect_on_draws(
        answer,
        make,
        hint="Which single number of a rated pair is the question about?",
        recipe="delta = a - b; its weighted mean v; then the root of the sum of (1-p) (w (delta-v))^2, over sum w.",
    )


@exercise("recommenders/01.3", task="Mend the doubly robust estimate of an error.")
def check_doubly_robust(answer: Answer) -> None:
    """Accept the mean of the imputed errors plus the weighted residuals over all pairs."""

    def make(rng: np.random.Generator) -> Draw:
        chance = rng.uniform(0.2, 0.8, (12, 10))
        truth = 0.3 + (1 - chance) * rng.gamma(2.0, size=chance.shape)
        seen = rng.random(chance.shape) < chance
        imputed = 0.6 * truth + rng.uniform(size=chance.shape)
        e, p = truth[seen], chance[seen]
        rest = (e - imputed[seen]) / p
        base = imputed.mean()
        known = {
            "That is the colleague's: the weighted residuals stand for all pairs, so divide by all.": base
            + rest.mean(),
            "The residuals must be weighted by one over the chance.": base + (e - imputed[seen]).sum() / imputed.size,
            "The imputed errors of the rated pairs are left in: weigh e minus imputed.": base
            + np.sum(e / p) / imputed.size,
        }
        return (imputed, seen, e, p), base + rest.sum() / imputed.size, known

    expect_on_draws(
        answer,
        make,
        hint="Set the imputation to zero. The sum of e / p over the rated pairs estimates a sum over which pairs?",
        recipe="Add to the mean of imputed the sum of (e - imputed[seen]) / p, divided by the number of all pairs.",
    )
