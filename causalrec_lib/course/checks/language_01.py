"""Checks of the exercises of language/01_bert_finetuning."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import f1_score

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("language/01.1", task="Write macro-F1 over all classes.")
def check_macro_f1(answer: Answer) -> None:
    """Accept the mean of F1 over all classes, those that don't occur included."""

    def make(rng: np.random.Generator) -> Draw:
        k, n = 5, 40
        y = rng.choice(4, n, p=[0.1, 0.2, 0.2, 0.5])
        said = np.where(rng.random(n) < 0.6, y, rng.integers(0, 4, n))
        said[:4] = [0, 1, 2, 3]
        y[:4] = [1, 2, 3, 0]
        return (y, said, k), f1_score(y, said, average="macro", labels=range(k), zero_division=0), {
            "That is accuracy: the common class counts most.": (y == said).mean(),
            "Classes are weighted by their share: macro-F1 counts each alike.": f1_score(y, said, average="weighted"),
            "A class that never occurs counts, too: with zero.": f1_score(y, said, average="macro"),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="For one class: how many rows are of it, how many are said to be, and how many are both?",
        recipe="2 * hits / (rows of the class + rows said to be of it), or zero without any; the mean over range(k).",
    )


@exercise("language/01.2", task="Mend a learning-rate schedule with two errors.")
def check_schedule(answer: Answer) -> None:
    """Accept a rise to the highest rate and a straight fall towards zero."""

    def make(rng: np.random.Generator) -> Draw:
        S, eta = int(rng.integers(20, 60)), float(rng.uniform(0.1, 1.0))
        warmup = float(rng.choice([0.1, 0.2, 0.35]))
        s, W = np.arange(S), int(np.ceil(warmup * S))
        rise, fall = (s + 1) / W, (S - s) / (S - W)
        return (S, eta, warmup), eta * np.where(s < W, rise, fall), {
            "The first step has rate zero: it does nothing.": eta * np.where(s < W, s / W, fall),
            "Rates after the warm-up are negative: training walks uphill.": eta
            * np.where(s < W, rise, (W - s) / (S - W)),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What is the rate of the first step, of the last step of the warm-up, and of the last step of all?",
        recipe="(s + 1) / W while s < W, afterwards (S - s) / (S - W); both times eta.",
    )


@exercise("language/01.3", task="Mark test rows so that no item and no text leaks.")
def check_held_out(answer: Answer) -> None:
    """Accept rows of the chosen items whose text stands at no other item."""

    def make(rng: np.random.Generator) -> Draw:
        n = 60
        item, word = rng.integers(0, 12, n), rng.integers(0, 40, n)
        chosen = np.array([1, 4, 7, 9])
        item[:4], word[:4] = [1, 4, 0, 1], [50, 51, 50, 52]
        text = np.array([f"text {w}" for w in word])
        inside = np.isin(item, chosen)
        twice = np.array([(text == t).sum() > 1 for t in text])
        return (item, text, chosen), inside & ~np.isin(text, text[~inside]), {
            "A text of these rows stands at another item, too: it leaks.": inside,
            "A text that stands twice at chosen items is no leak: keep it.": inside & ~twice,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Which rows are of chosen items, and whose text stands at a row of an item that is not chosen?",
        recipe="np.isin(item, chosen), and not np.isin(text, the texts of the rows outside).",
    )
