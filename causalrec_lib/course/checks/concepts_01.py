"""Checks of the exercises of concepts/01_why_causal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalrec_lib.course.check import Answer, Wrong, call, exercise, expect_close

Week = tuple[np.ndarray, np.ndarray, np.ndarray]

# Ten pairs: both outcomes, display and propensity.
Y0 = np.array([1, 0, 1, 1, 0, 0, 0, 0, 1, 0])
Y1 = np.array([1, 1, 1, 0, 1, 0, 1, 0, 1, 1])
T = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 1])
Y = np.where(T == 1, Y1, Y0).astype(float)
E = np.array([0.8, 0.6, 0.7, 0.8, 0.3, 0.2, 0.4, 0.2, 0.6, 0.5])

# Nine pairs in two cells, so that weighting by all, by shown, by other pairs and equally gives four answers.
CELL = np.array([0, 1, 0, 1, 1, 0, 1, 0, 1])
CELL_T = np.array([1, 0, 1, 1, 0, 0, 0, 1, 0])
CELL_Y = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0])


@exercise("concepts/01.1", task="Return the ATE, the ATT and the average effect among the pairs that were not shown.")
def check_three_effects(answer: Answer) -> None:
    """Accept the three averages of y1 - y0."""
    effect = Y1 - Y0
    ate, att, atc = effect.mean(), effect[T == 1].mean(), effect[T == 0].mean()
    naive = Y[T == 1].mean() - Y[T == 0].mean()
    expect_close(
        call(answer, Y0, Y1, T),
        [ate, att, atc],
        hint="Take y1 - y0 for every pair, then average it over all pairs, over the shown, and over the others.",
        wrong={
            "The last two are swapped: the ATT averages over the pairs that were shown.": [ate, atc, att],
            "That is the log's difference of the shown and the others; you have both outcomes of every pair.": [naive]
            * 3,
            "The sign is turned: the effect is y1 - y0.": [-ate, -att, -atc],
            "Average over the group alone: you divided its sum by the number of all pairs.": [
                ate,
                att * T.mean(),
                atc * (1 - T.mean()),
            ],
            "Zeros and ones pick rows 0 and 1 when used as an index; write shown == 1.": [
                ate,
                effect[T].mean(),
                effect[1 - T].mean(),
            ],
        },
    )


@exercise(
    "concepts/01.2",
    task="Average the differences within cells, weighted by shown pairs; refuse shown pairs that have no one to "
    "compare with.",
)
def check_effect_on_the_shown(answer: Answer) -> None:
    """Accept the ATT standardised over cells, and a ValueError where the shown of a cell have no counterpart."""
    y, t = CELL_Y, CELL_T
    cells = np.unique(CELL)
    within = np.array([y[(c == CELL) & (t == 1)].mean() - y[(c == CELL) & (t == 0)].mean() for c in cells])
    shown, others = (np.array([np.sum(w[c == CELL]) for c in cells]) for w in (t, 1 - t))
    att = np.average(within, weights=shown)
    expect_close(
        call(answer, y.copy(), t.copy(), CELL.copy()),
        att,
        hint="Take the difference within each cell; weight it by how many *shown* pairs the cell has.",
        wrong={
            "That weights cells by all their pairs, which is the ATE; weight by the shown pairs.": np.average(
                within, weights=shown + others
            ),
            "That weights cells by their *other* pairs; weight by the shown ones.": np.average(
                within, weights=others
            ),
            "That weights cells equally; weight by their shown pairs.": within.mean(),
            "That is the naive difference: compare within cells first.": y[t == 1].mean() - y[t == 0].mean(),
        },
    )
    if not _refuses(answer, add=1):
        raise Wrong(
            "A cell had shown pairs and no others, and your function answered. There is no one to compare them "
            "with: raise ValueError."
        )
    harmless = (
        "A cell without shown pairs was added. It has weight zero for this effect: leave it out, whatever it is."
    )
    if _refuses(answer, add=0):
        raise Wrong(harmless)
    expect_close(call(answer, *_with_cell(0)), att, hint=harmless)


def _with_cell(t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs and two more in a cell of their own, both with display t."""
    return np.append(CELL_Y, [1.0, 1.0]), np.append(CELL_T, [t, t]), np.append(CELL, [2, 2])


def _refuses(answer: Answer, add: int) -> bool:
    """Whether the answer raises ValueError when a cell with only this display is added."""
    try:
        call(answer, *_with_cell(add))
    except Wrong as err:
        if isinstance(err.__cause__, ValueError):
            return True
        raise
    return False


def _weeks(count: int = 120, n: int = 150) -> tuple[list[Week], float]:
    """Return weeks of (y, t, e) in which displays follow what sells anyway, and the true effect."""
    rng = np.random.default_rng(3)
    weeks: list[Week] = []
    for _ in range(count):
        x = rng.normal(size=n)
        e = np.clip(0.4 + 0.25 * x, 0.08, 0.85)
        t = (rng.uniform(size=n) < e).astype(float)
        y = (rng.uniform(size=n) < np.clip(0.25 + 0.15 * x, 0.02, 0.7) + 0.15 * t).astype(float)
        weeks.append((y, t, e))
    return weeks, 0.15


def _trial(
    weeks: list[Week],
    truth: float,
    weight: Callable[..., tuple[np.ndarray, np.ndarray]],
    width: Callable[[int], float] = lambda n: 1.96,
    sums: bool = False,
    plain_se: bool = False,
) -> tuple[float, float]:
    """Return (mean error, coverage) of weighting, right or with one of the usual mistakes."""
    errors, covered = [], []
    for y, t, e in weeks:
        w1, w0 = weight(t, e)
        n = len(y)
        m1, m0 = np.average(y, weights=w1), np.average(y, weights=w0)
        estimate = np.mean(w1 * y) - np.mean(w0 * y) if sums else m1 - m0
        d = w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
        if sums:
            d = w1 * y - w0 * y - estimate
        if plain_se:
            d = t / t.mean() * (y - y[t == 1].mean()) - (1 - t) / (1 - t).mean() * (y - y[t == 0].mean())
        errors.append(estimate - truth)
        covered.append(abs(errors[-1]) <= width(n) * np.sqrt(np.sum(d**2)) / n)
    return float(np.mean(errors)), float(np.mean(covered))


def _inverse(t: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return t / e, (1 - t) / (1 - e)


@exercise(
    "concepts/01.3",
    task="Estimate the ATE of each week by weighting; return the mean error and the share of intervals that contain "
    "the truth.",
)
def check_weeks_on_trial(answer: Answer) -> None:
    """Accept the mean error and the coverage of the weighted estimate with known propensities."""
    weeks, truth = _weeks()
    bias, coverage = _trial(weeks, truth, _inverse)
    got = call(answer, [tuple(a.copy() for a in week) for week in weeks], truth)
    around_zero = _trial(weeks, 0.0, _inverse)[1]
    swapped = _trial(weeks, truth, lambda t, e: (t / (1 - e), (1 - t) / e))
    expect_close(
        got,
        [bias, coverage],
        hint="Weights t / e and (1 - t) / (1 - e), weighted means, the d_i of the text, se = sqrt(sum of their "
        "squares) / n; then the mean of the errors, and how often the error is at most 1.96 se.",
        wrong={
            "That is the naive difference: weigh each row by one over the chance of what happened to it.": _trial(
                weeks, truth, lambda t, e: (t, 1 - t)
            ),
            "The weights are upside down: a display that was unlikely stands for many.": swapped,
            "Those weights give the ATT; the task asks for the ATE, over all pairs.": _trial(
                weeks, truth, lambda t, e: (t, (1 - t) * e / (1 - e))
            ),
            "Divide each weighted sum by the sum of its weights, not by the number of rows.": _trial(
                weeks, truth, _inverse, sums=True
            ),
            "The error is right, the interval far too wide: the sum of squares is divided by n squared.": _trial(
                weeks, truth, _inverse, width=lambda n: 1.96 * np.sqrt(n)
            ),
            "The interval is one standard error to each side; a 95% interval takes 1.96 of them.": _trial(
                weeks, truth, _inverse, width=lambda n: 1.0
            ),
            "The estimate is weighted, but its standard error is that of the naive difference.": _trial(
                weeks, truth, _inverse, plain_se=True
            ),
            "The second number counts the misses; ask for the share that contains the truth.": [bias, 1 - coverage],
            "The second number asks whether intervals hold zero; ask whether they hold the truth.": [
                bias,
                around_zero,
            ],
            "The first number is the mean estimate; take the truth off.": [bias + truth, coverage],
            "The first number has its sign turned: the error is the estimate minus the truth.": [-bias, coverage],
            "The numbers are in the other order: first the mean error, then the coverage.": [coverage, bias],
        },
    )


@exercise("concepts/01.4", task="Mend the report, so that it counts the sales that the displays made.")
def check_sales_made(answer: Answer) -> None:
    """Accept the number of displays times the ATT by weighting, with weights divided by their sum or not."""
    n, odds = T.sum(), E / (1 - E)
    shown, plain = np.average(Y, weights=T), np.average(Y, weights=1 - T)
    like_shown, like_all = np.average(Y, weights=(1 - T) * odds), np.average(Y, weights=(1 - T) / (1 - E))
    ate = np.average(Y, weights=T / E) - like_all
    got = call(answer, Y.copy(), T.copy(), E.copy())
    plain_sums = Y[T == 1].sum() - np.sum((1 - T) * Y * odds)
    if isinstance(got, int | float | np.number) and np.isclose(got, plain_sums):
        return  # Horvitz-Thompson: as good an answer to the question
    expect_close(
        got,
        n * (shown - like_shown),
        hint="The sales made are the displays times the effect *on the shown*: weight 1 for the shown, e / (1 "
        "- e) for the others.",
        wrong={
            "That is still the effect over all pairs (the ATE) times the displays; who was shown?": n * ate,
            "That is the effect alone; the answer is a number of sales.": shown - like_shown,
            "The others need a weight: they are not like the shown.": n * (shown - plain),
            "With 1 / (1 - e) the others stand for *all* pairs; they are to stand for the shown.": n
            * (shown - like_all),
            "The weight of the others is upside down: a pair like the shown has a large e and must count more.": n
            * (shown - np.average(Y, weights=(1 - T) / odds)),
            "Only displays can make sales: multiply by their number, not by that of all pairs.": len(Y)
            * (shown - like_shown),
            "That is the effect on the pairs that were not shown.": n * (np.average(Y, weights=T / odds) - plain),
        },
    )
