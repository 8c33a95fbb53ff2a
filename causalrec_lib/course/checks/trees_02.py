"""Checks of the exercises of trees/02_causal_forests."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("trees/02.1", task="Return the mean R-loss of predicted effects.")
def check_r_loss(answer: Answer) -> None:
    """Accept the mean squared remainder of the outcome less the effect's share of it."""

    def make(rng: np.random.Generator) -> Draw:
        n = 60
        e, m, tau = rng.uniform(0.2, 0.8, n), rng.normal(size=n), rng.normal(1, 1, n)
        t = (rng.random(n) < e).astype(float)
        y = m + (t - e) * tau + rng.normal(size=n)
        predicted = tau + 0.5 * rng.normal(size=n)
        u, v = y - m, t - e
        known = {
            "The treatment must be centred, too: what is left of it is t - e.": np.mean((u - t * predicted) ** 2),
            "The outcome must be centred, too: what is left of it is y - m.": np.mean((y - v * predicted) ** 2),
            "That is a sum: return the mean over rows.": np.sum((u - v * predicted) ** 2),
            "The difference is squared row by row, before the mean.": np.mean(u - v * predicted) ** 2,
        }
        return (y, t, predicted, m, e), np.mean((u - v * predicted) ** 2), known

    expect_on_draws(
        answer,
        make,
        hint="Which part of the outcome do covariates explain, and which part of the treatment?",
        recipe="Take m off y and e off t. Subtract the second times predicted from the first; square; average.",
    )


@exercise("trees/02.2", task="Return the weighted slope of one remainder on the other.")
def check_local(answer: Answer) -> None:
    """Accept the weighted covariance over the weighted variance."""

    def make(rng: np.random.Generator) -> Draw:
        n = 50
        v, w = rng.normal(0.4, 1, n), rng.exponential(size=n) * (rng.random(n) < 0.6)
        w = w / w.sum()
        u = 1 + rng.uniform(1, 2) * v + rng.normal(size=n)
        a, b = u - w @ u, v - w @ v
        known = {
            "There is no constant: take the weighted means off first.": (w * u) @ v / ((w * v) @ v),
            "All rows count alike here: where are the weights?": np.polyfit(v, u, 1)[0],
            "Those are plain means: take the weighted ones off.": (w * (u - u.mean()))
            @ (v - v.mean())
            / ((w * (v - v.mean())) @ (v - v.mean())),
            "That is the slope of v on u.": (w * a) @ b / ((w * a) @ a),
        }
        return (w, u, v), (w * a) @ b / ((w * b) @ b), known

    expect_on_draws(
        answer,
        make,
        hint="What are the means of u and v when row i counts w[i]?",
        recipe="Subtract w @ u from u and w @ v from v. Weighted sum of products over weighted sum of squares of v.",
    )


@exercise("trees/02.3", task="Return the area under the targeting curve.")
def check_autoc(answer: Answer) -> None:
    """Accept the mean gain of the first rows over all."""

    def make(rng: np.random.Generator) -> Draw:
        n = 40
        priority = rng.permutation(n) + rng.uniform(0, 0.5, n)
        scores = 0.1 * priority + rng.normal(1, 1, n)

        def area(values: np.ndarray, minus: bool = True) -> float:
            return float(np.mean(np.cumsum(values) / np.arange(1, n + 1)) - minus * scores.mean())

        ordered = scores[np.argsort(-priority)]
        share = np.arange(1, n + 1) / n
        known = {
            "The smallest priority comes first here.": area(ordered[::-1]),
            "Nothing is sorted here.": area(scores),
            "A gain over all rows: take the mean of all scores off.": area(ordered, minus=False),
            "That is the Qini weighting: here all shares count alike.": float(
                np.mean(share * (np.cumsum(ordered) / np.arange(1, n + 1) - scores.mean()))
            ),
        }
        return (scores, priority), area(ordered), known

    expect_on_draws(
        answer,
        make,
        hint="Whose scores are averaged for j = 1, and whose for j = n?",
        recipe="Sort scores by falling priority; cumulated sums over 1 ... n; their mean, less that of all scores.",
    )


@exercise("trees/02.4", task="Mend the last step of the X-learner.")
def check_mixed(answer: Answer) -> None:
    """Accept the estimate of the others weighted by the propensity."""

    def make(rng: np.random.Generator) -> Draw:
        n = 30
        tau0, tau1, e = rng.normal(size=n), rng.normal(size=n), rng.uniform(0.05, 0.4, n)
        known = {
            "That is still the colleague's error: the weights are exchanged.": e * tau1 + (1 - e) * tau0,
            "Not one half each: where few are treated, one of the two is better.": (tau0 + tau1) / 2,
        }
        return (tau0, tau1, e), e * tau0 + (1 - e) * tau1, known

    expect_on_draws(
        answer,
        make,
        hint="Where e is small the model of the others is good. Which of tau0 and tau1 subtracts that model?",
        recipe="tau1 subtracts the others' model, so it counts by 1 - e; tau0 counts by e.",
    )
