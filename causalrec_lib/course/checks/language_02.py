"""Checks of the exercises of language/02_text_as_confounder."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("language/02.1", task="Mend a doubly robust effect with three errors.")
def check_effect(answer: Answer) -> None:
    """Accept AIPW on the predictions of three heads."""

    def make(rng: np.random.Generator) -> Draw:
        n = 40
        e = rng.uniform(0.2, 0.8, n)
        t = rng.permutation((np.arange(n) < rng.integers(14, 26)).astype(float))
        q0, q1 = rng.normal(size=n), 1 + rng.normal(size=n)
        y = np.where(t == 1, q1, q0) + 0.5 + rng.normal(size=n)
        good = t * (y - q1) / e - (1 - t) * (y - q0) / (1 - e)
        crossed = t * (y - q0) / e - (1 - t) * (y - q1) / (1 - e)
        return (y, t, q0, q1, e), np.mean(q1 - q0 + good), {
            "That is the code as printed: the sign is wrong, and nothing corrects it.": np.mean(q0 - q1),
            "That is the plug-in: the correction is still multiplied by nothing.": np.mean(q1 - q0),
            "The sign of the difference is turned: with treatment minus without.": np.mean(q0 - q1 + good),
            "The heads are crossed: the residual of a treated row is from q1.": np.mean(q1 - q0 + crossed),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Which head predicts a treated row, and what is left of the correction in the code?",
        recipe="The mean of q1 - q0, plus t (y - q1) / e, minus (1 - t) (y - q0) / (1 - e).",
    )


def _mean_by_group(train_x: np.ndarray, train_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predict the mean outcome of the training rows with the same x, and of all of them where there is none."""
    known = {g: train_y[train_x == g].mean() for g in np.unique(train_x)}
    return np.array([known.get(g, train_y.mean()) for g in x])


@exercise("language/02.2", task="Predict each row by a fit on the other folds.")
def check_out_of_fold(answer: Answer) -> None:
    """Accept predictions for each fold by a fit on the rest."""

    def make(rng: np.random.Generator) -> Draw:
        n = 36
        x, fold = rng.integers(0, 3, n), rng.permutation(np.arange(n) % 3)
        y = x + rng.normal(size=n)
        want, turned, own = np.empty((3, n))
        for k in range(3):
            here = fold == k
            want[here] = _mean_by_group(x[~here], y[~here], x[here])
            own[here] = _mean_by_group(x[here], y[here], x[here])
            turned[~here] = _mean_by_group(x[here], y[here], x[~here])
        return (_mean_by_group, x, y, fold), want, {
            "Each row was predicted by a fit that was trained on it: all rows were.": _mean_by_group(x, y, x),
            "Each fold was predicted by a fit on itself: train on the others.": own,
            "The roles are turned: train on the other folds, predict this one.": turned,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="For one fold: which rows may train, and which rows are predicted?",
        recipe="For each fold: fit_predict of the rows outside, at the x of the rows inside; put the answers inside.",
    )


@exercise("language/02.3", task="Find the words that nearly only treated texts have.")
def check_leaking(answer: Answer) -> None:
    """Accept the columns of frequent words whose texts are nearly all treated."""

    def make(rng: np.random.Generator) -> Draw:
        n, least = 80, 10
        t = rng.permutation(np.arange(n) % 2).astype(float)
        has = rng.random((n, 12)) < 0.4
        rare, leak, common = rng.permutation(12)[:6].reshape(3, 2)
        has[:, leak] = (t == 1)[:, None] & (rng.random((n, 2)) < 0.6)
        has[:, rare] = False
        has[np.flatnonzero(t == 1)[:4], rare[0]] = True
        has[:, common] = rng.random((n, 2)) < 0.97
        has[:, common] |= (t == 1)[:, None]
        count, treated = has.sum(axis=0), has[t == 1].sum(axis=0)
        want = np.flatnonzero((count >= least) & (treated >= 0.95 * count))
        return (has, t, least), want, {
            "A word of a few texts may be all treated by luck: ask for at least `least` texts.": np.flatnonzero(
                (treated >= 0.95 * count) & (count > 0)
            ),
            "These are words that nearly all treated texts have: ask it the other way round.": np.flatnonzero(
                (count >= least) & (treated >= 0.95 * (t == 1).sum())
            ),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Of the texts that have a word, how many were treated, and how many texts are these?",
        recipe="Count the texts that have the word, and those of them with t equal to 1; keep columns with a "
        "count of `least` or more and at least 0.95 of it treated.",
    )
