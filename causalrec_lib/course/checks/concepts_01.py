"""Checks of the exercises of concepts/01_why_causal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib.course.check import Answer, Wrong, call, exercise, expect_close

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


def _slots() -> pd.DataFrame:
    """A slate log with known counts: ranked sessions fall off faster than shuffled ones."""
    k = np.arange(1, 11)
    parts = []
    for randomised, clicks in ((0, np.rint(400 / k**1.5)), (1, np.rint(300 / k**0.8))):
        for position, c in zip(k, clicks.astype(int), strict=True):
            parts.append(
                pd.DataFrame({"position": position, "randomised": randomised, "clicked": np.arange(500) < c})
            )
    return pd.concat(parts, ignore_index=True).astype(int).sample(frac=1, random_state=0, ignore_index=True)


@exercise(
    "concepts/01.2", task="Return the click rate at slots 1 to 10 relative to slot 1, from shuffled sessions only."
)
def check_position_ratio(answer: Answer) -> None:
    """Accept the ratios of click rates in the shuffled sessions."""
    slots = _slots()

    def ratio(part: pd.DataFrame) -> np.ndarray:
        rate = part.groupby("position")["clicked"].mean()
        return (rate / rate.loc[1]).to_numpy()

    shuffled = slots[slots["randomised"] == 1]
    rate = shuffled.groupby("position")["clicked"].mean()
    expect_close(
        call(answer, slots.copy()),
        ratio(shuffled),
        hint="Keep the rows with randomised == 1, take the mean of clicked for each position, divide by that "
        "of position 1.",
        wrong={
            "These ratios use all sessions; in ranked ones the better items stand on top.": ratio(slots),
            "These are the ranked sessions; chance decided in the others.": ratio(slots[slots["randomised"] == 0]),
            "These are click rates; divide them by the rate at slot 1.": rate.to_numpy(),
            "These are differences; the task asks for ratios.": (rate - rate.loc[1]).to_numpy(),
        },
    )


@exercise(
    "concepts/01.3",
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
