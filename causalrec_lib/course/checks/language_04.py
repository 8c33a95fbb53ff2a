"""Checks of the exercises of language/04_llm_as_recommender."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _prompts(rng: np.random.Generator, n: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Advantages by slot and the candidate in each slot; the first slot is favoured, the candidates differ."""
    order = rng.permuted(np.tile(np.arange(4), (n, 1)), axis=1)
    appeal = rng.normal(size=4)
    y = np.array([1.0, -0.2, -0.3, -0.5]) + appeal[order] + 0.2 * rng.normal(size=(n, 4))
    return y - y.mean(axis=1, keepdims=True), order


@exercise("language/04.1", task="Return each candidate's mean advantage.")
def check_by_candidate(answer: Answer) -> None:
    """Accept the mean over prompts of what each candidate had where it stood."""

    def make(rng: np.random.Generator) -> Draw:
        advantage, order = _prompts(rng)
        want = np.array([advantage[order == c].mean() for c in range(4)])
        wrong = {
            "These are means of slots: the shuffle is still in.": advantage.mean(axis=0),
            "The order says who stood in a slot; you need where each candidate stood.": np.take_along_axis(
                advantage, order, axis=1
            ).mean(axis=0),
            "That is the sum over the prompts: the mean was asked for.": want * len(order),
        }
        return (advantage, order), want, wrong

    expect_on_draws(
        answer,
        make,
        hint="In which slot of prompt p did candidate 0 stand, and what was the advantage of that slot?",
        recipe="np.argsort(order, axis=1) has the slot of each candidate; take the advantages there, mean over rows.",
    )


@exercise("language/04.2", task="Return the p-value of a randomisation test.")
def check_p_of_shuffles(answer: Answer) -> None:
    """Accept the two-sided share, with the real shuffle in numerator and denominator."""

    def make(rng: np.random.Generator) -> Draw:
        draws = rng.normal(0.3, 1, size=int(rng.integers(59, 99)))
        observed = -float(rng.uniform(0.6, 0.9))
        extreme = np.sum(np.abs(draws) >= abs(observed))
        n = len(draws)
        wrong = {
            "The real shuffle is one of the possible ones: count it above and below the line.": extreme / n,
            "The real shuffle counts in the number of shuffles, too.": (1 + extreme) / n,
            "That is one side: a difference as far on the other side is as surprising.": (
                1 + np.sum(draws <= observed)
            )
            / (1 + n),
            "That is the other side, and one side only.": (1 + np.sum(draws >= observed)) / (1 + n),
            "That is the share of smaller differences.": (1 + np.sum(np.abs(draws) <= abs(observed))) / (1 + n),
        }
        return (observed, draws), (1 + extreme) / (1 + n), wrong

    expect_on_draws(
        answer,
        make,
        hint="How many of all shuffles, the real one among them, have a difference at least as far from zero?",
        recipe="Count the draws with |draw| >= |observed|, add one, and divide by the number of draws plus one.",
    )


@exercise("language/04.3", task="Mend the effect of a slot.")
def check_slot_effect(answer: Answer) -> None:
    """Accept the mean of slot k minus the mean of the other slots."""

    def make(rng: np.random.Generator) -> Draw:
        y = rng.normal([1.0, -0.2, 0.3, 0.5], 0.3, size=(12, 4)) + rng.normal(size=(12, 1))
        k = int(rng.integers(4))
        others = np.delete(y, k, axis=1).mean()
        wrong = {
            "Slot k is still in the second mean: compare with the others only.": y[:, k].mean() - y.mean(),
            "The sign is turned: slot k minus the others.": others - y[:, k].mean(),
            "That is the mean of the slot; the others are to be subtracted.": y[:, k].mean(),
        }
        return (y, k), y[:, k].mean() - others, wrong

    expect_on_draws(
        answer,
        make,
        hint="Which slots are in the mean that is subtracted, and is slot k one of them?",
        recipe="Delete column k before you take the second mean.",
    )


@exercise("language/04.4", task="Return the standard error of a hit rate, clustered by shopper.")
def check_error_of_hit_rate(answer: Answer) -> None:
    """Accept the scatter of the shoppers' own rates over the root of their number."""

    def make(rng: np.random.Generator) -> Draw:
        n, each = 12, 6
        taste = rng.beta(0.6, 1.2, n)
        shopper = rng.permutation(np.repeat(np.arange(n), each))
        hit = (rng.random(n * each) < taste[shopper]).astype(float)
        rates = np.bincount(shopper, hit) / each
        wrong = {
            "That takes prompts as independent; the prompts of a shopper are not.": hit.std(ddof=1)
            / np.sqrt(len(hit)),
            "That is the formula for independent prompts.": np.sqrt(hit.mean() * (1 - hit.mean()) / len(hit)),
            "That is the scatter of shoppers; the mean of G of them is known better.": rates.std(ddof=1),
            "Divide by the root of the number of shoppers, not of prompts.": rates.std(ddof=1) / np.sqrt(len(hit)),
            "The mean of G numbers was fitted to them: use G - 1.": rates.std() / np.sqrt(n),
        }
        return (hit, shopper), rates.std(ddof=1) / np.sqrt(n), wrong

    expect_on_draws(
        answer,
        make,
        hint="What is independent here, and what is the rate of one of those?",
        recipe="Mean of hit for each shopper; their standard deviation (ddof=1) over the root of their number.",
    )
