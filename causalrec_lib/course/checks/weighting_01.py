"""Checks of the exercises of weighting/01_propensity_weighting."""

from __future__ import annotations

import re

import numpy as np

from causalrec_lib.course.check import Answer, Draw, Wrong, exercise, expect_on_draws, expect_refusal
from causalrec_lib.course.checks import draws


@exercise("weighting/01.1", task="Return the Hajek estimate of the average effect over all pairs.")
def check_hajek(answer: Answer) -> None:
    """Accept the difference of two weighted means."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, e = draws.log(rng)
        y, u = y + rng.integers(1, 9), 1 - t  # what is counted besides purchases is no part of an effect
        want = draws.gap(y, t / e, u / (1 - e))
        known = {
            "That is Horvitz-Thompson: divide by the sum of each group's weights, not by n.": (
                np.mean(t * y / e - u * y / (1 - e))
            ),
            "That is the naive difference: the weights are missing.": draws.gap(y, t, u),
            "The shown need 1/e and the others 1/(1-e); you gave both groups 1/e.": draws.gap(y, t / e, u / e),
            "The weights are upside down: a pair that was *unlikely* to be shown stands for many.": (
                draws.gap(y, t * e, u * (1 - e))
            ),
            "The sign is turned: shown minus not shown.": -want,
        }
        for least in (0.05, 0.1):
            held = np.clip(e, least, 1 - least)
            says = f"You hold propensities between {least} and {1 - least}. They are recorded: use them as they are."
            known[says] = draws.gap(y, t / held, u / (1 - held))
        return (y, t, e), want, known

    expect_on_draws(
        answer,
        make,
        hint="For how many pairs does a shown pair with e = 0.1 stand, and one that was not shown?",
        recipe="Weight the shown by 1/e and the others by 1/(1-e), and take a weighted mean of each.",
    )


def _sizes(t: np.ndarray, e: np.ndarray) -> tuple[float, float]:
    """Effective sample sizes of the shown and of the others."""
    pair = (1 / e[t == 1], 1 / (1 - e[t == 0]))
    shown, others = (float(w.sum() ** 2 / (w**2).sum()) for w in pair)
    return shown, others


def _with_thin(group: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Displays and propensities in which this group, "shown" or "not shown", counts for fewer rows."""
    e = rng.uniform(0.02, 0.5, 40)
    t = np.r_[np.tile([0.0, 1.0], 3), rng.random(34) < e[6:]]
    return (t, e) if group == "shown" else (1 - t, 1 - e)


@exercise("weighting/01.2", task="Return the effective sample size of the thinner group, or raise ValueError.")
def check_thinner_group(answer: Answer) -> None:
    """Accept the smaller of two effective sample sizes, and a ValueError below the threshold, for either group."""
    for which in ("shown", "not shown"):

        def make(rng: np.random.Generator, which: str = which) -> Draw:
            t, e = _with_thin(which, rng)
            sizes, w = _sizes(t, e), np.where(t == 1, 1 / e, 1 / (1 - e))
            known = {
                "That is the larger of the two groups; the comparison is as good as the worse one.": max(sizes),
                "Both groups together hide the thin one: compute each group's size apart.": (
                    w.sum() ** 2 / (w**2).sum()
                ),
                "That counts rows. Rows of unequal weight count for less.": min(t.sum(), (1 - t).sum()),
                "Turn the fraction over: the square of the sum goes on top.": 1 / min(sizes),
                "That is the sum of both sizes; the thinner group decides.": sum(sizes),
            }
            return (t, e, 0.98 * min(sizes)), min(sizes), known

        expect_on_draws(
            answer,
            make,
            hint="Each group has its own effective sample size; which of the two limits the comparison?",
            recipe="For each group: the square of the sum of its weights over the sum of their squares. Return the "
            "smaller.",
            refused="Stop only below `least`; here both groups have enough effective rows.",
        )
    for which in ("shown", "not shown"):
        t, e = _with_thin(which, np.random.default_rng(2026))
        said = expect_refusal(
            answer,
            t,
            e,
            1.02 * min(_sizes(t, e)),
            hint=f"The pairs that were {which} have fewer effective rows than `least`, and your function answered. A "
            "stop rule must stop, for either group, as soon as one is too thin.",
        )
        if _named(said) != which:
            raise Wrong(
                f"It stops, but the message does not say which group is too thin: here it is the pairs that were "
                f"{which}. Name that group, and only that group, as 'shown' or 'not shown'."
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

    def make(rng: np.random.Generator) -> Draw:
        y, t, e = draws.log(rng, in_proportion=True)
        odds, u = e / (1 - e), 1 - t
        known = {
            "That is the effect on the shown (ATT); the question is about the others.": draws.gap(y, t, u * odds),
            "That is the effect over all pairs (ATE).": draws.gap(y, t / e, u / (1 - e)),
            "That is the naive difference: the shown need weights to look like the others.": draws.gap(y, t, u),
            "The shown need (1-e)/e, not 1/e: they shall look like the others alone, not like everybody.": (
                draws.gap(y, t / e, u)
            ),
            "The odds are upside down: weight the shown by (1-e)/e.": draws.gap(y, t * odds, u),
            "The sign is turned: shown minus not shown.": -draws.gap(y, t / odds, u),
        }
        return (y, t, e), draws.gap(y, t / odds, u), known

    expect_on_draws(
        answer,
        make,
        hint="Leave the others as they are. For each shown pair, how many like it were not shown?",
        recipe="Weight 1 for the others; for each shown pair there are (1-e)/e pairs like it that were not shown.",
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


def _noisy(rng: np.random.Generator) -> tuple[tuple[np.ndarray, ...], list[float], dict[str, list[float]]]:
    """Draw a log whose noise grows with the weights; return estimate and standard error, and wrong errors of it."""
    e = rng.uniform(0.05, 0.9, 2_000)
    t = (rng.random(2_000) < e).astype(float)
    y = 2 * e + t * (1 - e) + rng.normal(size=2_000) * (0.3 + np.where(t == 1, 1 - e, e))
    value, errors = draws.gap(y, t / e, (1 - t) / (1 - e)), _errors(y, t, e)
    known = {
        "That is still the planted error: it takes a weight of ten for ten rows.": [value, errors["counts"]],
        "Close: dividing by the effective sample size assumes that noise and weights have nothing to do with each "
        "other. Here they do; square the weights beside the residuals.": [value, errors["kish"]],
        "That is the error of the naive difference; the weights are missing.": [value, errors["plain"]],
        "That is the variance; take its square root.": [value, errors["right"] ** 2],
    }
    return (y, t, e), [value, errors["right"]], known


@exercise("weighting/01.4", task="Mend the standard error of the weighted difference.")
def check_estimate_and_error(answer: Answer) -> None:
    """Accept the sandwich error for known propensities (or one that is equal to it in large samples)."""

    def value_alone(rng: np.random.Generator) -> Draw:
        arguments, (value, _), _ = _noisy(rng)
        return arguments, value

    expect_on_draws(
        answer,
        _noisy,
        rtol=2e-2,
        hint="Keep the estimate. What is the variance of a weighted mean if its weights are fixed numbers?",
        recipe="The variance of sum(w y) / sum(w) with fixed w is sum(w^2 (y - mean)^2) / sum(w)^2; add both groups, "
        "take the root, and return two numbers.",
    )
    expect_on_draws(
        answer,
        value_alone,
        read=lambda got, *_: np.asarray(got)[0],
        hint="The error is right, but the estimate moved; keep the two weighted means.",
    )
