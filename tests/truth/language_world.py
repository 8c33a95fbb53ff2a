"""Texts of which one word moves treatment and outcome, and what adjusting for the text must give on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from causalrec_lib import data, doubly_robust
from causalrec_lib.estimate import Estimate, difference_in_means
from causalrec_lib.language import causal_text
from causalrec_lib.language.finetune import Recipe
from tests.unit import tiny_bert

SHORT = Recipe(epochs=8, learning_rate=5e-3, batch_size=32, precision="float32")
SENT_BACK = (
    r"\breturn(?:s|ed|ing)?\b|\b(?:send|sent|sending|go|goes|going|went) (?:it |them |this |both |right )?back"
)
EFFECT = 0.3


def week(returned: np.ndarray, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Draw promotion and orders: what came back is promoted more often, and sells less."""
    rng = np.random.default_rng(seed)
    t = (rng.random(len(returned)) < np.where(returned == 1, 0.75, 0.25)).astype(float)
    y = 4 - returned + (0.2 + 0.2 * returned) * t + rng.normal(0, noise, len(returned))
    return y, t


@cache
def tiny() -> tuple[causal_text.States, np.ndarray]:
    """Short texts read by a BERT with random weights; half of them say "returned" somewhere."""
    rng = np.random.default_rng(0)
    other = [w for w in tiny_bert.WORDS if w != "returned"]
    returned = np.arange(600) % 2
    texts = []
    for said in returned:
        words = list(rng.choice(other, rng.integers(3, 8)))
        if said:
            words[rng.integers(len(words))] = "returned"
        texts.append(" ".join(words))
    with tempfile.TemporaryDirectory(prefix="tiny-bert-") as home:
        folder = tiny_bert.save(Path(home) / "bert")
        states = causal_text.read_lower(texts, model=folder, trained_layers=2, max_tokens=12, device="cpu")
    return states, returned.astype(float)


def reviews(n: int) -> tuple[causal_text.States, np.ndarray]:
    """The ends of n real reviews; half of them speak of sending back."""
    frame = data.load("womens_reviews").dropna(subset=["text"]).drop_duplicates("text")
    ends = frame["text"].astype(object).map(lambda text: " ".join(text.split()[-32:]))
    says = ends.str.contains(SENT_BACK, case=False, regex=True).to_numpy()
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.choice(np.flatnonzero(says == side), n // 2, replace=False) for side in (True, False)])
    return causal_text.read_lower(ends.iloc[rows].tolist(), max_tokens=64, device="cpu"), says[rows].astype(float)


def study(
    states: causal_text.States, returned: np.ndarray, weeks: int, recipe: Recipe
) -> tuple[list[Estimate], list[Estimate]]:
    """Adjusted and naive estimates of many weeks."""
    adjusted, naive = [], []
    for seed in range(weeks):
        y, t = week(returned, seed)
        found = causal_text.cross_fit_text(y, t, states, recipe=recipe, seed=seed)
        adjusted.append(doubly_robust.aipw(y, t, found, refuse="flag"))
        naive.append(difference_in_means(y, t))
    return adjusted, naive


def share_left(adjusted: list[Estimate], naive: list[Estimate]) -> float:
    """Bias as a share of the naive bias."""
    return abs(np.mean([e.value for e in adjusted]) - EFFECT) / abs(np.mean([e.value for e in naive]) - EFFECT)


def battery(weeks: int = 4) -> Iterator[tuple[str, bool]]:
    """Yield checks by name; the tools are looked up in their modules, where a twin has replaced them."""
    states, returned = tiny()
    adjusted, naive = study(states, returned, weeks, SHORT)
    yield "the naive sign is wrong", all(e.high < 0 for e in naive)
    yield "bias below a quarter of the naive bias", share_left(adjusted, naive) < 0.25
    yield "the sign is right in every week", all(e.value > 0 for e in adjusted)
    spread = float(np.median([e.se for e in adjusted]))
    yield "the error is that of an efficient estimate", 0.8 < spread / oracle_error(returned, weeks) < 1.6
    y, t = week(returned, 0)
    found = causal_text.cross_fit_text(y, t, states, recipe=SHORT, seed=0)
    mine = causal_text.cross_fit_text(y + 3 * t, t, states, recipe=SHORT, seed=0)
    yield (
        "an effect on everybody moves the treated outcomes alone",
        bool(abs((mine.mu1 - found.mu1).mean() - 3) < 0.6 and abs((mine.mu0 - found.mu0).mean()) < 0.6),
    )
    yield "the propensity is high where the treated are", bool(found.e[t == 1].mean() > found.e[t == 0].mean() + 0.1)
    yield "no row is predicted by an encoder that saw it", learnt_by_heart() < 0.2


def oracle_error(returned: np.ndarray, weeks: int) -> float:
    """Median error of AIPW with the true models, by hand: no tool that a twin could have replaced."""
    found = []
    for seed in range(weeks):
        y, t = week(returned, seed)
        e, mu0, gain = np.where(returned == 1, 0.75, 0.25), 4 - returned, 0.2 + 0.2 * returned
        psi = gain + t * (y - mu0 - gain) / e - (1 - t) * (y - mu0) / (1 - e)
        found.append(psi.std() / len(psi) ** 0.5)
    return float(np.median(found))


def learnt_by_heart() -> float:
    """How well outcomes that are nothing but noise are predicted: with folds kept apart, not at all."""
    states, _ = tiny()
    rng = np.random.default_rng(5)
    n = 48
    y, t = rng.normal(size=n), np.arange(n) % 2.0
    long = Recipe(epochs=60, learning_rate=5e-3, batch_size=16, dropout=0.0, precision="float32")
    found = causal_text.cross_fit_text(y, t, states, rows=np.arange(n), recipe=long)
    return float(np.corrcoef(y, np.where(t == 1, found.mu1, found.mu0))[0, 1])
