"""Checks of the exercises of weighting/01_propensity_weighting."""

from __future__ import annotations

import re

import numpy as np

from causalrec_lib.course.check import Answer, Wrong, call, exercise, expect_close, expect_refusal

# Twelve pairs, five of them shown. Shown pairs have larger propensities, and the effect shrinks with them, as in the
# chapter; two propensities are extreme, so that clipping shows.
E = np.array([0.97, 0.8, 0.7, 0.6, 0.2, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1, 0.02])
T = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
Y = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])


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
        hint="For how many pairs does a shown pair with e = 0.1 stand, and one that was not shown?",
        recipe="Weight the shown by 1/e and the others by 1/(1-e), and take a weighted mean of each.",
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
            hint="Each group has its own effective sample size; which of the two limits the comparison?",
            recipe="For each group: the square of the sum of its weights over the sum of their squares. Return the "
            "smaller.",
            wrong={
                "That is the larger of the two groups; the comparison is as good as the worse one.": max(sizes),
                "Both groups together hide the thin one: compute each group's size apart.": float(
                    w.sum() ** 2 / (w**2).sum()
                ),
                "That counts rows. Rows of unequal weight count for less.": float(min(t.sum(), (1 - t).sum())),
                "Turn the fraction over: the square of the sum goes on top.": 1 / min(sizes),
                "That is the sum of both sizes; the thinner group decides.": sum(sizes),
            },
        )
    for which, t, e in CASES:
        sizes = sorted(_sizes(t, e))
        said = expect_refusal(
            answer,
            t,
            e,
            sizes[0] * 1.02,
            hint=f"The pairs that were {which} have fewer effective rows than `least`, and your function answered. A "
            "stop rule must stop, for either group, as soon as one is too thin.",
        )
        if _named(said) != which:
            raise Wrong(
                f"It stops, but the message does not say which group is too thin: here it is the pairs that were "
                f"{which}. Name that group, and only that group, as 'shown' or 'not shown'."
            )
        expect_close(
            call(answer, t, e, sizes[0] * 0.98),
            sizes[0],
            hint="Stop only below `least`; here both groups have enough effective rows.",
        )


def _named(message: str) -> str:
    """Return the one group that a message names; empty if it names none or both."""
    words = re.sub(
        r"\bt ?={1,2} ?0\b|\b(not|un|non)[- ]?shown\b|\b(control|untreated|other)s?\b", " NOT ", message.lower()
    )
    words = re.sub(r"\bt ?={1,2} ?1\b|\bshown\b|\btreated\b", " YES ", words)
    found = {"not shown": "NOT" in words, "shown": "YES" in words}
    return "" if sum(found.values()) != 1 else next(name for name, there in found.items() if there)


@exercise("weighting/01.3", task="Return the average effect on the pairs that were not shown.")
def check_effect_on_the_rest(answer: Answer) -> None:
    """Accept the ATC by weighting, with means or with sums over the number of others."""
    got = call(answer, Y, T, E)
    sums = float(np.sum(T * Y * (1 - E) / E - (1 - T) * Y) / np.sum(1 - T))
    if isinstance(got, int | float) and np.isclose(got, sums, rtol=1e-6):  # Horvitz-Thompson: also weighted
        return
    expect_close(
        got,
        ATC,
        hint="Leave the others as they are. For each shown pair, how many like it were not shown?",
        recipe="Weight 1 for the others; for each shown pair there are (1-e)/e pairs like it that were not shown.",
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
        hint="Keep the estimate. What is the variance of a weighted mean if its weights are fixed numbers?",
        recipe="The variance of sum(w y) / sum(w) with fixed w is sum(w^2 (y - mean)^2) / sum(w)^2; add both groups, "
        "take the root, and return two numbers.",
        wrong={
            "That is still the planted error: it takes a weight of ten for ten rows.": [value, errors["counts"]],
            "Close: dividing by the effective sample size assumes that noise and weights have nothing to do with "
            "each other. Here they do; square the weights beside the residuals.": [value, errors["kish"]],
            "That is the error of the naive difference; the weights are missing.": [value, errors["plain"]],
            "That is the variance; take its square root.": [value, errors["right"] ** 2],
        },
    )
    expect_close(
        found[0], value, rtol=1e-9, hint="The error is right, but the estimate moved; keep the two weighted means."
    )
