"""Checks of the exercises of weighting/01_propensity_weighting."""

from __future__ import annotations

import re

import numpy as np

from causalrec_lib.course.check import Answer, Wrong, call, exercise, expect_close

# Twelve pairs. Shown pairs have larger propensities, and the effect shrinks with them, as in the chapter.
E = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.2, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1])
T = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
Y = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def _gap(y: np.ndarray, shown: np.ndarray, others: np.ndarray) -> float:
    """Weighted means of both groups, subtracted."""
    return float(np.average(y, weights=T * shown) - np.average(y, weights=(1 - T) * others))


ATE, ATT = _gap(Y, 1 / E, 1 / (1 - E)), _gap(Y, np.ones(12), E / (1 - E))
ATC, NAIVE = _gap(Y, (1 - E) / E, np.ones(12)), _gap(Y, np.ones(12), np.ones(12))
HT = float(np.mean(T * Y / E - (1 - T) * Y / (1 - E)))


CASES = (("shown", T, E), ("not shown", 1 - T, 1 - E))  # in each, the group named is the thin one


@exercise("weighting/01.1", task="Return the Hajek estimate of the average effect over all pairs.")
def check_hajek(answer: Answer) -> None:
    """Accept the difference of two weighted means."""
    expect_close(
        call(answer, Y, T, E),
        ATE,
        hint="Weight the shown by 1/e and the others by 1/(1-e), and take a weighted mean of each.",
        wrong={
            "That is Horvitz-Thompson: divide by the sum of each group's weights, not by n.": HT,
            "That is the naive difference: the weights are missing.": NAIVE,
            "The shown need 1/e and the others 1/(1-e); you gave both groups 1/e.": _gap(Y, 1 / E, 1 / E),
            "The weights are upside down: a pair that was *unlikely* to be shown stands for many.": _gap(Y, E, 1 - E),
            "The sign is turned: shown minus not shown.": -ATE,
        },
    )
    expect_close(
        call(answer, Y + 5, T, E),
        ATE,
        rtol=1e-9,
        hint="Adding five to every outcome moved your effect; divide by the sums of the weights.",
    )


def _sizes(t: np.ndarray, e: np.ndarray) -> tuple[float, float]:
    """Effective sample sizes of the shown and of the others."""
    pair = (1 / e[t == 1], 1 / (1 - e[t == 0]))
    shown, others = (float(w.sum() ** 2 / (w**2).sum()) for w in pair)
    return shown, others


@exercise("weighting/01.2", task="Return the effective sample size of the thinner group, or raise ValueError.")
def check_thinner_group(answer: Answer) -> None:
    """Accept the smaller of two effective sample sizes, and a ValueError below the threshold, for either group."""
    for _, t, e in CASES:
        sizes, w = _sizes(t, e), np.where(t == 1, 1 / e, 1 / (1 - e))
        expect_close(
            call(answer, t, e, 2.0),
            min(sizes),
            hint="For each group: the square of the sum of its weights over the sum of their squares. Return the "
            "smaller.",
            wrong={
                "That is the larger of the two groups; the comparison is as good as the worse one.": max(sizes),
                "Both groups together hide the thin one: compute each group's size apart.": float(
                    w.sum() ** 2 / (w**2).sum()
                ),
                "That counts rows. Rows of unequal weight count for less.": 6.0,
                "Turn the fraction over: the square of the sum goes on top.": 1 / min(sizes),
                "That is the sum of both sizes; the thinner group decides.": sum(sizes),
            },
        )
    said = {which: _refusal(answer, t, e, least=sum(_sizes(t, e)) / 2) for which, t, e in CASES}
    ignored = [which for which, words in said.items() if words is None]
    if len(ignored) == len(CASES):
        raise Wrong(
            "A group had fewer effective rows than `least`, and your function answered. A stop rule must stop: raise "
            "ValueError."
        )
    if ignored:
        raise Wrong(
            f"Your rule stops for one group only. The pairs that were {ignored[0]} can be the thin ones, too."
        )
    if len(set(said.values())) == 1:
        raise Wrong("It stops, but its message is the same for both groups. Name the group that is too thin.")


def _refusal(answer: Answer, t: np.ndarray, e: np.ndarray, least: float) -> str | None:
    """Words of the ValueError that the answer raises, without figures; None if it returns something."""
    try:
        call(answer, t, e, least)
    except Wrong as err:
        if isinstance(err.__cause__, ValueError):
            return re.sub(r"[\d.]+", "", str(err.__cause__))
        raise
    return None


@exercise("weighting/01.3", task="Return the average effect on the pairs that were not shown.")
def check_effect_on_the_rest(answer: Answer) -> None:
    """Accept the ATC by weighting."""
    expect_close(
        call(answer, Y, T, E),
        ATC,
        hint="Weight 1 for the others; for each shown pair there are (1-e)/e pairs like it that were not shown.",
        wrong={
            "That is the effect on the shown (ATT); the question is about the others.": ATT,
            "That is the effect over all pairs (ATE).": ATE,
            "That is the naive difference: the shown need weights to look like the others.": NAIVE,
            "The shown need (1-e)/e, not 1/e: they shall look like the others alone, not like everybody.": _gap(
                Y, 1 / E, np.ones(12)
            ),
            "The odds are upside down: weight the shown by (1-e)/e.": _gap(Y, E / (1 - E), np.ones(12)),
        },
    )


def _errors(y: np.ndarray, t: np.ndarray, e: np.ndarray) -> dict[str, float]:
    """The right standard error and three that are not."""
    parts: dict[str, float] = {"right": 0.0, "counts": 0.0, "kish": 0.0, "plain": 0.0}
    for w in (t / e, (1 - t) / (1 - e)):
        gap = y - np.average(y, weights=w)
        spread = float(np.average(gap**2, weights=w))
        parts["right"] += float(np.sum(w**2 * gap**2) / w.sum() ** 2)
        parts["counts"] += spread / float(w.sum())
        parts["kish"] += spread * float((w**2).sum() / w.sum() ** 2)
        parts["plain"] += float(y[w > 0].var()) / int((w > 0).sum())
    return {name: float(np.sqrt(v)) for name, v in parts.items()}


@exercise("weighting/01.4", task="Mend the standard error of the weighted difference.")
def check_estimate_and_error(answer: Answer) -> None:
    """Accept the sandwich error for known propensities (or one that is equal to it in large samples)."""
    rng = np.random.default_rng(1)
    e = rng.uniform(0.05, 0.9, 2_000)
    t = (rng.random(2_000) < e).astype(float)
    y = 2 * e + t * (1 - e) + rng.normal(size=2_000) * (0.3 + e)
    value = np.average(y, weights=t / e) - np.average(y, weights=(1 - t) / (1 - e))
    errors = _errors(y, t, e)
    found = call(answer, y, t, e)
    expect_close(
        found,
        [value, errors["right"]],
        rtol=2e-2,
        hint="Keep the estimate. The variance of sum(w y) / sum(w) with fixed w is sum(w^2 (y - mean)^2) / sum(w)^2; "
        "add both groups, take the root, and return two numbers.",
        wrong={
            "That is still the planted error: it takes a weight of ten for ten rows.": [value, errors["counts"]],
            "Close: dividing by the effective sample size assumes that noise and weights have nothing to do with "
            "each other. Here they do; square the weights beside the residuals.": [value, errors["kish"]],
            "That is the error of the naive difference; the weights are missing.": [value, errors["plain"]],
            "That is the variance; take its square root.": [value, errors["right"] ** 2],
        },
    )
    expect_close(found[0], value, hint="The error is right, but the estimate moved; keep the two weighted means.")
