"""Checks of the exercises of recommenders/02_off_policy_evaluation."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _rounds(rng: np.random.Generator, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    e = rng.uniform(0.05, 0.9, n)
    pi = rng.uniform(0, 1, n)
    return (rng.random(n) < 0.2 + 0.6 * pi).astype(float), pi, e


@exercise("recommenders/02.1", task="Return the self-normalised value of a policy.")
def check_snips(answer: Answer) -> None:
    """Accept a weighted mean."""

    def make(rng: np.random.Generator) -> Draw:
        y, pi, e = _rounds(rng)
        w = pi / e
        known = {
            "The weights' mean is in it: divide by their sum, not by the rounds.": (w * y).mean(),
            "That counts agreeing rounds: divide pi by e.": (pi * y).sum() / pi.sum(),
            "The weight is upside down.": (y / w).sum() / (1 / w).sum(),
        }
        return (y, pi, e), (w * y).sum() / w.sum(), known

    expect_on_draws(
        answer,
        make,
        hint="A weighted mean of the rewards, with weights new over old.",
        recipe="w = pi / e. Sum of w times y, divided by the sum of w.",
    )


@exercise("recommenders/02.2", task="Return the doubly robust value of a policy, from tables.")
def check_doubly_robust(answer: Answer) -> None:
    """Accept the model's mean plus the weighted remainder."""

    def make(rng: np.random.Generator) -> Draw:
        n, k = 200, 5
        P, Q = rng.dirichlet(np.ones(k), n), rng.uniform(0, 1, (n, k))
        a, e = rng.integers(0, k, n), rng.uniform(0.05, 0.6, n)
        y = (rng.random(n) < 0.5).astype(float)
        rows = np.arange(n)
        model, w = (P * Q).sum(axis=1), P[rows, a] / e
        known = {
            "That is the model alone. Add the weighted remainder.": model.mean(),
            "That is weighting alone. The model is missing.": (w * y).mean(),
            "The model's mean must be under the new policy, not at the logged action.": (
                Q[rows, a] + w * (y - Q[rows, a])
            ).mean(),
            "The remainder is not weighted.": (model + y - Q[rows, a]).mean(),
        }
        return (P, Q, a, e, y), (model + w * (y - Q[rows, a])).mean(), known

    expect_on_draws(
        answer,
        make,
        hint="For each round: what the model expects of the policy, plus weight times what it got wrong.",
        recipe="Mean over rounds of: sum over actions of P Q, plus P at a over e, times (y minus Q at a).",
    )


@exercise("recommenders/02.3", task="Return the effective share of rounds of a mixture of two policies.")
def check_share(answer: Answer) -> None:
    """Accept Kish's effective sample size over the rounds."""

    def make(rng: np.random.Generator) -> Draw:
        _, pi, e = _rounds(rng)
        s = float(rng.uniform(0.3, 0.8))
        w = s * pi / e + 1 - s
        new = pi / e
        known = {
            "That is a number of rounds; the share was asked for.": w.sum() ** 2 / (w**2).sum(),
            "That is for the new policy alone: mix it with the old one.": (new.sum() ** 2 / (new**2).sum() / len(e)),
            "The shares of the mixture are exchanged.": (
                ((1 - s) * new + s).sum() ** 2 / (((1 - s) * new + s) ** 2).sum() / len(e)
            ),
        }
        return (pi, e, s), w.sum() ** 2 / (w**2).sum() / len(e), known

    expect_on_draws(
        answer,
        make,
        hint="First the mixture's chance of the logged action, then its weight, then (sum w)^2 / sum w^2.",
        recipe="w = (s pi + (1 - s) e) / e. Then the squared sum of w over the sum of squares, over the rounds.",
    )


@exercise("recommenders/02.4", task="Mend the clipped estimate.")
def check_clipped(answer: Answer) -> None:
    """Accept weights cut at M over all rounds."""

    def make(rng: np.random.Generator) -> Draw:
        y, pi, e = _rounds(rng)
        M, w = 2.0, pi / e
        kept = w <= M
        known = {
            "Rounds are dropped, and the mean is over the rest.": (w[kept] * y[kept]).mean(),
            "Large weights are set to zero: cut them down to M.": (np.where(kept, w, 0) * y).mean(),
            "No weight is clipped: compare each with M.": (w * y).mean(),
        }
        return (y, pi, e, M), (np.minimum(w, M) * y).mean(), known

    expect_on_draws(
        answer,
        make,
        hint="The smaller of weight and M, for every round; the mean is over all rounds.",
        recipe="Mean of minimum(pi / e, M) times y.",
    )
