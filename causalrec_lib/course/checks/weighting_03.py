"""Checks of the exercises of weighting/03_doubly_robust."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


class Rows(NamedTuple):
    """Rows with predictions of both models, none of them perfect."""

    y: np.ndarray
    t: np.ndarray
    mu0: np.ndarray
    mu1: np.ndarray
    e: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        """Outcome minus the prediction for the treatment that happened."""
        return self.y - np.where(self.t == 1, self.mu1, self.mu0)

    @property
    def score(self) -> np.ndarray:
        """The AIPW score of the ATE."""
        weight = self.t / self.e - (1 - self.t) / (1 - self.e)
        return self.mu1 - self.mu0 + weight * self.residual


def _rows(rng: np.random.Generator, n: int = 40) -> Rows:
    """Draw rows; both groups are there."""
    x = rng.normal(size=n)
    e = 1 / (1 + np.exp(-x)) * 0.8 + 0.1
    t = rng.permutation((np.arange(n) < rng.integers(12, 28)).astype(int))
    mu0, mu1 = x + rng.normal(0, 0.3, n), 1 + 2 * x + rng.normal(0, 0.3, n)
    return Rows(np.where(t == 1, mu1, mu0) + 0.5 + rng.normal(size=n), t, mu0, mu1, e)


@exercise("weighting/03.1", task="Write AIPW with its standard error.")
def check_aipw(answer: Answer) -> None:
    """Accept mean and standard error of the score."""

    def make(rng: np.random.Generator) -> Draw:
        d = _rows(rng)
        psi, n = d.score, len(d.y)
        turned = d.mu1 - d.mu0 - (psi - (d.mu1 - d.mu0))
        both = d.mu1 - d.mu0 + d.t * (d.y - d.mu1) / d.e + (1 - d.t) * (d.y - d.mu0) / (1 - d.e)
        return tuple(d), np.array([psi.mean(), psi.std() / np.sqrt(n)]), {
            "The error of a mean is the spread divided by the root of n.": np.array([psi.mean(), psi.std()]),
            "The correction has the wrong sign: add what the model missed.": np.array(
                [turned.mean(), turned.std() / np.sqrt(n)]
            ),
            "The two corrections have opposite signs: the controls' is taken off.": np.array(
                [both.mean(), both.std() / np.sqrt(n)]
            ),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What did the outcome model miss in each group? Which weights make a group stand for everybody?",
        recipe="Difference of predictions, plus t (y - mu1) / e, minus (1 - t) (y - mu0) / (1 - e): its mean, and "
        "its standard deviation over the root of n.",
    )


@exercise("weighting/03.2", task="Estimate a partially linear effect from predictions.")
def check_remainders(answer: Answer) -> None:
    """Accept remainder on remainder."""

    def make(rng: np.random.Generator) -> Draw:
        d = _rows(rng)
        y_hat = d.e * d.mu1 + (1 - d.e) * d.mu0
        u, v = d.y - y_hat, d.t - d.e
        return (d.y, d.t, y_hat, d.e), u @ v / (v @ v), {
            "The outcome's remainder is missing: take out of y what X predicts.": d.y @ v / (v @ v),
            "The treatment's remainder is missing: take out of t what X predicts.": u @ d.t / (d.t @ d.t),
            "Upside down: the outcome is regressed on the treatment.": u @ v / (u @ u),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What is left of y, and what is left of t, once the predictions are taken off?",
        recipe="With u and v the two remainders: the sum of u v over the sum of v squared.",
    )


@exercise("weighting/03.3", task="Target the outcome model, and average its difference.")
def check_targeted(answer: Answer) -> None:
    """Accept the linear fluctuation."""

    def make(rng: np.random.Generator) -> Draw:
        d = _rows(rng)
        H = d.t / d.e - (1 - d.t) / (1 - d.e)
        epsilon = (H @ d.residual) / (H @ H)
        moved = np.mean(d.mu1 + epsilon / d.e - (d.mu0 - epsilon / (1 - d.e)))
        same_way = np.mean(d.mu1 + epsilon / d.e - (d.mu0 + epsilon / (1 - d.e)))
        return tuple(d), moved, {
            "That is the outcome model before the step.": np.mean(d.mu1 - d.mu0),
            "That is AIPW; here the step moves the predictions themselves.": d.score.mean(),
            "For the controls H is negative: their prediction moves the other way.": same_way,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What is H for a row if it is treated, and what if it is not?",
        recipe="epsilon is the sum of H times residual over the sum of H squared; mu1 moves by epsilon / e, mu0 by "
        "minus epsilon / (1 - e).",
    )


@exercise("weighting/03.4", task="Mend the weights of an effect on the treated.")
def check_on_treated(answer: Answer) -> None:
    """Accept odds as weights of the controls."""

    def make(rng: np.random.Generator) -> Draw:
        d = _rows(rng)
        gain, rest = np.sum(d.t * (d.y - d.mu0)), (1 - d.t) * (d.y - d.mu0)
        want = (gain - np.sum(rest * d.e / (1 - d.e))) / d.t.sum()
        return (d.y, d.t, d.mu0, d.e), want, {
            "That is the code as printed: its weights make the controls stand for everybody.": (
                gain - np.sum(rest / (1 - d.e))
            ) / d.t.sum(),
            "Without weights the controls stand for themselves.": (gain - np.sum(rest)) / d.t.sum(),
            "The correction is gone: then only the outcome model is left.": gain / d.t.sum(),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Among rows with the same e, how many are treated for each one that is not?",
        recipe="Weight each control's error by the odds e / (1 - e).",
    )
