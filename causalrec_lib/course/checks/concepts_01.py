"""Checks of the exercises of concepts/01_why_causal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws, expect_refusal
from causalrec_lib.course.checks import draws

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


@exercise("concepts/01.1", task="Return the ATE, the ATT and the average effect among the pairs that were not shown.")
def check_three_effects(answer: Answer) -> None:
    """Accept the three averages of y1 - y0."""

    def make(rng: np.random.Generator) -> Draw:
        y0, y1 = draws.both_outcomes(rng, 40)
        t = (rng.random(40) < 0.3 + 0.4 * y0).astype(int)
        y, effect = np.where(t == 1, y1, y0), y1 - y0
        ate, att, atc = effect.mean(), effect[t == 1].mean(), effect[t == 0].mean()
        known = {
            "The last two are swapped: the ATT averages over the pairs that were shown.": [ate, atc, att],
            "That is the log's difference of the shown and the others; you have both outcomes of every pair.": (
                [y[t == 1].mean() - y[t == 0].mean()] * 3
            ),
            "The sign is turned: the effect is y1 - y0.": [-ate, -att, -atc],
            "Average over the group alone: you divided its sum by the number of all pairs.": (
                [ate, att * t.mean(), atc * (1 - t.mean())]
            ),
            "Zeros and ones pick rows 0 and 1 when used as an index; write shown == 1.": (
                [ate, effect[t].mean(), effect[1 - t].mean()]
            ),
        }
        return (y0, y1, t), [ate, att, atc], known

    expect_on_draws(
        answer,
        make,
        hint="What did the display do to one pair? Then: over which pairs is each of the three an average?",
        recipe="Take y1 - y0 for every pair, then average it over all pairs, over the shown, and over the others.",
    )


def _cells(rng: np.random.Generator) -> Arrays:
    """Outcome, display and cell; the larger its number, the more of a cell is shown and the less it helps."""
    cell = np.r_[np.repeat([0, 1, 2], 2), rng.integers(0, 3, 34)]
    t = np.r_[np.tile([0, 1], 3), rng.random(34) < 0.2 + 0.3 * cell[6:]].astype(int)
    y = (rng.random(40) < 0.1 + 0.25 * cell + t * (0.6 - 0.25 * cell)).astype(float)
    order = rng.permutation(40)
    return y[order], t[order], cell[order]


def _lonely(pairs: Arrays, t: int) -> Arrays:
    """Return the pairs and two more in a cell of their own, both with display t."""
    return np.append(pairs[0], [1.0, 1.0]), np.append(pairs[1], [t, t]), np.append(pairs[2], [3, 3])


def _standardised(y: np.ndarray, t: np.ndarray, cell: np.ndarray) -> tuple[float, dict[str, float]]:
    """Return the difference within cells, averaged by shown pairs, and by what it should not be averaged."""
    here = cell == np.unique(cell)[:, None]
    within = np.array([y[c & (t == 1)].mean() - y[c & (t == 0)].mean() for c in here])
    shown, others = here @ t, here @ (1 - t)
    return float(np.average(within, weights=shown)), {
        "That weights cells by all their pairs, which is the ATE; weight by the shown pairs.": float(
            np.average(within, weights=shown + others)
        ),
        "That weights cells by their *other* pairs; weight by the shown ones.": float(
            np.average(within, weights=others)
        ),
        "That weights cells equally; weight by their shown pairs.": float(within.mean()),
        "That is the naive difference: compare within cells first.": float(y[t == 1].mean() - y[t == 0].mean()),
    }


@exercise(
    "concepts/01.2",
    task="Average the differences within cells, weighted by shown pairs; refuse shown pairs that have no one to "
    "compare with.",
)
def check_effect_on_the_shown(answer: Answer) -> None:
    """Accept the ATT standardised over cells, and a ValueError where the shown of a cell have no counterpart."""
    recipe = "Take the difference within each cell that has shown pairs; weight it by how many shown pairs it has."

    def make(rng: np.random.Generator) -> Draw:
        pairs = _cells(rng)
        return pairs, *_standardised(*pairs)

    def with_others_alone(rng: np.random.Generator) -> Draw:
        pairs = _cells(rng)
        return _lonely(pairs, 0), _standardised(*pairs)[0]

    expect_on_draws(
        answer,
        make,
        hint="Whose effect is it? A cell counts by how many of those it holds.",
        recipe=recipe,
        refused="Your function refuses, and every cell here has shown pairs and others: compare them.",
    )
    expect_refusal(
        answer,
        *_lonely(_cells(np.random.default_rng(2026)), 1),
        hint="A cell had shown pairs and no others, and your function answered. There is no one to compare them "
        "with: raise ValueError.",
        recipe="In the loop over cells: if `t[here].min() == 1`, raise ValueError with a message of your own.",
    )
    harmless = (
        "A cell without shown pairs was added. It has weight zero for this effect: leave it out, whatever it is."
    )
    expect_on_draws(answer, with_others_alone, hint=harmless, recipe=recipe, refused=harmless)


ROWS = 150  # pairs in a week of exercise 3
Weights = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _week(rng: np.random.Generator, effect: float, n: int) -> Arrays:
    """Return (y, t, e) of a week in which displays follow what sells anyway."""
    x = rng.normal(size=n)
    e = np.clip(0.4 + 0.3 * x, 0.04, 0.92)
    t = (rng.random(n) < e).astype(float)
    y = (rng.random(n) < np.clip(0.25 + 0.15 * x, 0.02, 0.7) + effect * t).astype(float)
    return y, t, e


def _inverse(t: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return t / e, (1 - t) / (1 - e)


def _estimates(weeks: list[Arrays], weights: Weights, how: str = "means") -> tuple[np.ndarray, np.ndarray]:
    """Return estimate and standard error of each week; `how` is the right way or one of two usual mistakes."""
    values, errors = [], []
    for y, t, e in weeks:
        w1, w0 = weights(t, e)
        value = np.average(y, weights=w1) - np.average(y, weights=w0)
        v1, v0 = (t, 1 - t) if how == "naive error" else (w1, w0)
        d1, d0 = (v / v.mean() * (y - np.average(y, weights=v)) for v in (v1, v0))
        d = d1 - d0
        if how == "sums":
            value = np.mean(w1 * y - w0 * y)
            d = w1 * y - w0 * y - value
        values.append(value)
        errors.append(np.sqrt(np.sum(d**2)) / len(y))
    return np.array(values), np.array(errors)


def _trials(rng: np.random.Generator) -> Draw:
    """Draw weeks and their effect; return mean error and coverage of weighting, and of what goes wrong with it."""
    truth = float(rng.uniform(0.1, 0.2))
    weeks = [_week(rng, truth, ROWS) for _ in range(80)]

    def judged(value: np.ndarray, se: np.ndarray, aim: float = truth) -> list[float]:
        return [float(np.mean(value - truth)), float(np.mean(np.abs(value - aim) <= 1.96 * se))]

    value, se = _estimates(weeks, _inverse)
    bias, coverage = judged(value, se)
    known = {
        "That is the naive difference: weigh each row by one over the chance of what happened to it.": (
            judged(*_estimates(weeks, lambda t, e: (t, 1 - t)))
        ),
        "The weights are upside down: a display that was unlikely stands for many.": (
            judged(*_estimates(weeks, lambda t, e: (t / (1 - e), (1 - t) / e)))
        ),
        "Those weights give the ATT; the task asks for the ATE, over all pairs.": (
            judged(*_estimates(weeks, lambda t, e: (t, (1 - t) * e / (1 - e))))
        ),
        "Divide each weighted sum by the sum of its weights, not by the number of rows.": (
            judged(*_estimates(weeks, _inverse, "sums"))
        ),
        "The error is right, the interval far too wide: the sum of squares is divided by n squared.": (
            judged(value, se * np.sqrt(ROWS))
        ),
        "The interval is one standard error to each side; a 95% interval takes 1.96 of them.": (
            judged(value, se / 1.96)
        ),
        "The estimate is weighted, but its standard error is that of the naive difference.": (
            judged(*_estimates(weeks, _inverse, "naive error"))
        ),
        "The second number counts the misses; ask for the share that contains the truth.": [bias, 1 - coverage],
        "The second number is a percentage; return the share.": [bias, 100 * coverage],
        "The second number asks whether intervals hold zero; ask whether they hold the truth.": judged(value, se, 0),
        "The first number is the mean estimate; take the truth off.": [bias + truth, coverage],
        "The first number has its sign turned: the error is the estimate minus the truth.": [-bias, coverage],
        "The numbers are in the other order: first the mean error, then the coverage.": [coverage, bias],
    }
    return (weeks, truth), [bias, coverage], known


@exercise(
    "concepts/01.3",
    task="Estimate the ATE of each week by weighting; return the mean error and the share of intervals that contain "
    "the truth.",
)
def check_weeks_on_trial(answer: Answer) -> None:
    """Accept the mean error and the coverage of the weighted estimate with known propensities."""
    expect_on_draws(
        answer,
        _trials,
        hint="For how many pairs does a row of one week stand? Get the estimate and its standard error of that week "
        "right first, then ask the same of all weeks.",
        recipe="Weights t / e and (1 - t) / (1 - e), weighted means, the d_i of the text, se = sqrt(sum of their "
        "squares) / n; then the mean of the errors, and how often the error is at most 1.96 se to either side.",
    )


@exercise("concepts/01.4", task="Mend the report, so that it counts the sales that the displays made.")
def check_sales_made(answer: Answer) -> None:
    """Accept the number of displays times the ATT by weighting, with weights divided by their sum or not."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, e = draws.log(rng, in_proportion=True)
        n, odds, u = t.sum(), e / (1 - e), 1 - t
        effect = draws.gap(y, t, u * odds)
        known = {
            "That is still the effect over all pairs (the ATE) times the displays; who was shown?": (
                n * draws.gap(y, t / e, u / (1 - e))
            ),
            "That is the effect alone; the answer is a number of sales.": effect,
            "The others need a weight: they are not like the shown.": n * draws.gap(y, t, u),
            "With 1 / (1 - e) the others stand for *all* pairs; they are to stand for the shown.": (
                n * draws.gap(y, t, u / (1 - e))
            ),
            "The weight of the others is upside down: a pair like the shown has a large e and must count more.": (
                n * draws.gap(y, t, u / odds)
            ),
            "Only displays can make sales: multiply by their number, not by that of all pairs.": len(y) * effect,
            "That is the effect on the pairs that were not shown.": n * draws.gap(y, t / odds, u),
            "Those are all sales to the shown; some of them would have bought without a display.": np.sum(t * y),
        }
        return (y, t, e), n * effect, known

    expect_on_draws(
        answer,
        make,
        hint="Which pairs can have a sale *made* by a display, and whom should the others look like to be compared "
        "with them?",
        recipe="The sales made are the displays times the effect *on the shown*: weight 1 for the shown, e / (1 - e) "
        "for the others.",
    )
