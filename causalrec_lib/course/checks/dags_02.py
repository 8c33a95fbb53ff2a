"""Checks of the exercises of dags/02_estimate_and_refute."""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy.stats import norm

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _effect(y: np.ndarray, t: np.ndarray, x: np.ndarray) -> float:
    """Difference of the arms after a linear adjustment for x."""
    Z = np.column_stack([np.ones(len(t)), t, x])
    return float(np.linalg.lstsq(Z, y, rcond=None)[0][1])


def _summary(found: list[float]) -> np.ndarray:
    return np.array([np.mean(found), np.std(found, ddof=1)])


@exercise("dags/02.1", task="Deal the treatment at random and estimate again.")
def check_placebo_treatment(answer: Answer) -> None:
    """Accept the treatment permuted alone."""

    def make(rng: np.random.Generator) -> Draw:
        n = 60
        x = rng.normal(size=(n, 2))
        t = (rng.random(n) < 1 / (1 + np.exp(-1.5 * x[:, 0]))).astype(float)
        y = 2 * x[:, 0] + x[:, 1] + t + rng.normal(size=n)
        orders = np.array([rng.permutation(n) for _ in range(7)])
        want = _summary([_effect(y, t[o], x) for o in orders])
        return (_effect, y, t, x, orders), want, {
            "That is a dummy outcome: here the treatment is dealt anew, and the outcome stays.": _summary(
                [_effect(y[o], t, x) for o in orders]),
            "There the columns moved with the treatment, so its confounders came along. Permute t alone.": _summary(
                [_effect(y, t[o], x[o]) for o in orders]),
            "Divide by k - 1 for the deviation of a few draws.": np.array([want[0], want[1] * np.sqrt(6 / 7)]),
            "That is the standard error of the mean; the spread of the draws was asked for.": np.array(
                [want[0], want[1] / np.sqrt(7)]),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What is random in a placebo, and what keeps its place in the row?",
        recipe="For each order call effect(y, t[order], x); then the mean and the standard deviation with ddof=1.",
    )


@exercise("dags/02.2", task="Choose negative-control outcomes from a graph.")
def check_controls_for(answer: Answer) -> None:
    """Accept both conditions: it hears the hidden cause, and the treatment can't reach it."""

    def make(rng: np.random.Generator) -> Draw:
        arrows = [("c", "t"), ("c", "y"), ("u", "t"), ("u", "y"), ("t", "y"), ("t", "m")]
        kinds = rng.permutation(["good"] * 3 + ["deaf"] * 2 + ["reached", "reached", "later"])
        names = [f"w{k}" for k in range(len(kinds))]
        for name, kind in zip(names, kinds, strict=True):
            arrows.append(("c", name))
            if kind in ("good", "reached", "later"):
                arrows.append(("u", name))
            if kind in ("reached", "later"):
                arrows.append(("t" if kind == "reached" else "m", name))
        graph = nx.DiGraph(arrows)
        good, deaf = (kinds == "good") * 1.0, (kinds == "deaf") * 1.0
        return (graph, "t", ["c"], "u", names), good, {
            "A deaf control got in: the hidden cause has to move it, or its silence means nothing.": good + deaf,
            "An outcome that the treatment reaches got in: it rings on a right analysis.": 1 - deaf,
            "The two conditions are exchanged: open without the hidden cause, closed with it.": 1 - good,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Would it ring if the cause were left out, and be silent if the cause were in?",
        recipe="Not separated given the columns, and separated given the columns and the hidden cause.",
    )


@exercise("dags/02.3", task="Say how many times as many rows find a bias.")
def check_more_rows(answer: Answer) -> None:
    """Accept ((z_0.975 + z_0.8) se / b)^2."""

    def make(rng: np.random.Generator) -> Draw:
        se, b = float(rng.uniform(0.02, 0.05)), float(rng.uniform(0.005, 0.015))
        half, both = float(norm.ppf(0.975)), float(norm.ppf(0.975) + norm.ppf(0.8))
        return (se, b), (both * se / b) ** 2, {
            "With 1.96 alone half of the logs find it: the power needs its own 0.84.": (half * se / b) ** 2,
            "A standard error shrinks with the root of the rows: square the ratio.": both * se / b,
            "Turned upside down: a smaller bias needs more rows.": (b / (both * se)) ** 2,
            "That is the ratio of error and bias, squared: a test asks for 2.8 errors, not for one.": (se / b) ** 2,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="How many standard errors must the bias be, so that eighty of a hundred land beyond 1.96?",
        recipe="The new standard error is b / 2.8; rows grow with the square of old over new.",
    )


@exercise("dags/02.4", task="Mend a calibration that counts noise twice.")
def check_calibrated(answer: Answer) -> None:
    """Accept the spread of the controls less their sampling variance."""

    def make(rng: np.random.Generator) -> Draw:
        s = rng.uniform(0.5, 1.5, 12)
        c = 0.5 + rng.normal(0, 2.0, 12) + rng.normal(size=12) * s
        while np.var(c, ddof=1) < 2.5:
            c = c * 1.5
        value, se = float(rng.normal(3, 1)), float(rng.uniform(0.3, 0.8))
        raw, noise, mean = float(np.var(c, ddof=1)), float(np.mean(s**2)), float(np.mean(s))

        def both(variance: float) -> np.ndarray:
            return np.array([value - np.mean(c), np.sqrt(se**2 + variance)])

        return (value, se, c, s), both(raw - noise), {
            "The spread of estimates holds their sampling noise, too: take its variance out.": both(raw),
            "Take away the mean of the squared errors, not the square of their mean.": both(raw - mean**2),
            "That is the noise of the controls; what is left of their variance without it was asked.": both(noise),
            "The value must move by the mean of the controls.": np.array([value, np.sqrt(se**2 + raw - noise)]),
            "The mean is subtracted: the controls' error is part of the value.": np.array(
                [value + np.mean(c), np.sqrt(se**2 + raw - noise)]),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="The variance of c is a sum of two variances. Which one belongs in the interval?",
        recipe="Variance of c with k - 1, less the mean of s squared, zero at least; add it to the square of se.",
    )
