"""Checks of the exercises of language/04_llm_as_recommender."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _rows(rng: np.random.Generator, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, treatment and stratum of a few rows; each stratum has both groups."""
    x, t = np.repeat([0, 1], n // 2), np.tile([0, 1, 1, 0, 1], n // 5)
    return x + t + rng.normal(size=n), t, rng.permutation(x)


@exercise("language/04.1", task="REPLACE: the task in one sentence.")
def check_first(answer: Answer) -> None:
    """Accept the difference in means, treated minus others."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, _ = _rows(rng)
        want = y[t == 1].mean() - y[t == 0].mean()
        return (y, t), want, {"The sign is turned: treated minus the others, not the other way round.": -want}

    expect_on_draws(
        answer,
        make,
        hint="REPLACE: a question that teaches. Which two groups does the question compare?",
        recipe="REPLACE: the way, in words. The mean of y where t is 1, minus the mean where t is 0.",
    )


@exercise("language/04.2", task="REPLACE: the task in one sentence.")
def check_second(answer: Answer) -> None:
    """Accept the treated share of each stratum."""

    def make(rng: np.random.Generator) -> Draw:
        _, t, x = _rows(rng)
        counts = np.array([t[x == 0].sum(), t[x == 1].sum()])
        shares = np.array([t[x == 0].mean(), t[x == 1].mean()])
        return (t, x), shares, {"These are counts: divide by the size of the stratum.": counts}

    expect_on_draws(
        answer,
        make,
        hint="REPLACE: a question that teaches. A share of what?",
        recipe="REPLACE: the way, in words. A share is a mean of zeros and ones within a value of x.",
    )


@exercise("language/04.3", task="REPLACE: the task in one sentence.")
def check_third(answer: Answer) -> None:
    """Accept the average over all rows."""

    def make(rng: np.random.Generator) -> Draw:
        effects, n_rows = rng.normal(size=3), rng.integers(20, 60, 3)
        treated = rng.integers(5, 20, 3)
        on_treated = np.average(effects, weights=treated)
        known = {"That is the effect on the treated: weight by all rows instead.": on_treated}
        return (effects, n_rows, treated), np.average(effects, weights=n_rows), known

    expect_on_draws(
        answer,
        make,
        hint="REPLACE: a question that teaches. Whom is the average about?",
        recipe="REPLACE: the way, in words. Each stratum counts by its share of all rows.",
    )
