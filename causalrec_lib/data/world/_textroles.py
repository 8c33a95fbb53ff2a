"""Text in its other roles: treatment (attributes of a blurb), outcome (a reaction), and what lies between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import describe, draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]

ATTRIBUTES = ("promise", "number")
_OPENINGS = ("Meet the", "New in:", "Just arrived:", "For this week:")
_PROMISES = (
    "We promise it will become your favourite.",
    "You will love it, guaranteed.",
    "It will not disappoint you, that is a promise.",
)
_PLAIN = ("Have a look.", "See it on its page.", "Available now.")
_NUMBERS = ("{} customers looked at it this month.", "One of {} pieces in this department.", "{} photos on its page.")
_CLASSES = {-1: (1, 2), 0: (3,), 1: (4, 5)}


def blurbs(core: Core, items: Array, promise: Array, number: Array, rng: np.random.Generator) -> list[str]:
    """Write the blurb that is shown: our own words, the attributes are in the text."""
    category = core.items["category"].to_numpy()[items]
    start = np.array(_OPENINGS)[rng.integers(0, len(_OPENINGS), len(items))]
    yes = np.array(_PROMISES)[rng.integers(0, len(_PROMISES), len(items))]
    no = np.array(_PLAIN)[rng.integers(0, len(_PLAIN), len(items))]
    how = np.array(_NUMBERS)[rng.integers(0, len(_NUMBERS), len(items))]
    count = rng.integers(12, 900, len(items))
    return [
        f"{s} {str(c).lower()}. {y if a else n}{' ' + h.format(k) if b else ''}"
        for s, c, y, n, h, k, a, b in zip(start, category, yes, no, how, count, promise, number, strict=True)
    ]


def text_treatment_log(core: Core, n: int, assignment: str, seed: int | None, with_propensity: bool) -> pd.DataFrame:
    """Return shown blurbs and clicks; who promises is a coin, or sellers' choice (weak items promise more)."""
    _validate.one_of(assignment, "assignment", ("random", "confounded"))
    _validate.flag(with_propensity, "with_propensity")
    rng = stream(core.seed, "blurbs", assignment, draw_number(seed))
    users = rng.integers(0, core.shape[0], _validate.integer(n, "n", 1))
    items = rng.integers(0, core.shape[1], n)
    q = core.items["quality"].to_numpy()[items]
    e = np.full(n, 0.5) if assignment == "random" else m.promise_probability(core.parameters, q, core.C[items])
    promise = rng.uniform(size=n) < e
    number = rng.uniform(size=n) < 0.5
    x = core.pairs(users, items)
    clicked = rng.uniform(size=n) < m.blurb_click(core.parameters, x.base, x.tau, promise, number)
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64),
        text=core.items["text"].to_numpy()[items],
        blurb=blurbs(core, items, promise, number, rng),
        promise=promise.astype(int),
        number=number.astype(int),
        clicked=clicked.astype(int),
    )
    return log.assign(propensity=e) if with_propensity else log


def _reaction_texts(core: Core, items: Array, sentiment: Array, rng: np.random.Generator) -> Array:
    """Draw for each row a text of its department that was written with stars of that sentiment."""
    pool_department = core.items["department"].astype(str).to_numpy()[core.reviews["item"]]
    pool_stars, pool = core.reviews["stars"].to_numpy(), core.reviews["text"].to_numpy()
    department = core.items["department"].astype(str).to_numpy()[items]
    out = np.empty(len(items), dtype=object)
    for code, levels in _CLASSES.items():
        any_department = np.flatnonzero(np.isin(pool_stars, levels))
        if not len(any_department):
            any_department = np.arange(len(pool))
        for name in np.unique(department):
            rows = np.flatnonzero((sentiment == code) & (department == name))
            own = any_department[pool_department[any_department] == name]
            out[rows] = pool[rng.choice(own if len(own) else any_department, len(rows))]
    return out


def reactions(core: Core, n: int, seed: int | None, text: bool) -> pd.DataFrame:
    """Return what customers felt: a promise (coin), the expectation it raised, satisfaction, and the reaction."""
    _validate.flag(text, "text")
    p = core.parameters
    rng = stream(core.seed, "reactions", draw_number(seed))
    users = rng.integers(0, core.shape[0], _validate.integer(n, "n", 1))
    items = rng.integers(0, core.shape[1], n)
    x = core.pairs(users, items)
    promise = (rng.uniform(size=n) < 0.5).astype(int)
    noise = rng.standard_normal((2, n))
    expectation = m.expectation(p, x.S, promise) + p.m_sd * noise[0]
    satisfaction = m.satisfaction(p, x.A, expectation, promise) + p.s_sd * noise[1]
    stars = 1 + np.searchsorted(np.asarray(p.grades), satisfaction, side="right")
    sentiment = np.sign(stars - 3)
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64),
        promise=promise,
        expectation=expectation,
        satisfaction=satisfaction,
        stars=stars,
        sentiment=sentiment,
    )
    if text:
        log["reaction"] = _reaction_texts(core, items, sentiment, rng)
    return log
