"""Stars: every pair has them, the log shows those that were consumed and written down (missing not at random)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world._core import Core, Pairs
from causalrec_lib.data.world._logs import describe, draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]


def stars(x: Pairs) -> Array:
    """Return the stars of each pair, 1 to 5: a property of the pair, written down or not."""
    latent = x.p.r1 * x.A + x.p.r_sd * ndtri(x.uniform("stars"))
    return 1 + np.searchsorted(np.asarray(x.p.cuts), latent, side="left")


def rating_propensity(x: Pairs, given: Array, weeks: int | None = None) -> Array:
    """Return P(rated | stars): consumed at least once in the weeks, and bothered to write."""
    weekly = x.p0 + x.e * (x.p1 - x.p0)
    return m.ever(weekly.astype(np.float64), weeks or x.p.history) * np.asarray(x.p.bother)[given - 1]


def writes(x: Pairs, given: Array, draw: int) -> Array:
    """Return whether the user would write down these stars after consuming."""
    return x.uniform("rated", draw) < np.asarray(x.p.bother)[given - 1]


def weeks_ago(x: Pairs, draw: int, weeks: int) -> Array:
    """Return how many weeks ago each pair was last consumed (0: the week of the exposure log), or -1."""
    when = np.full(x.S.shape, -1)
    for back in reversed(range(weeks)):
        name = (draw, back) if back else (draw,)
        y0, y1 = x.potential(*name)
        when[np.where(x.exposed(*name), y1, y0)] = back
    return when


def ratings_log(core: Core, seed: int | None, with_propensity: bool, weeks: int | None) -> pd.DataFrame:
    """Return the ratings that were written down after consuming in the week of the exposure log or just before."""
    _validate.flag(with_propensity, "with_propensity")
    core.without_interference("ratings_log")
    n_weeks = core.parameters.history if weeks is None else _validate.integer(weeks, "weeks", 1, 52)
    draw = draw_number(seed)
    parts = []
    for x in core.blocks():
        r, when = stars(x), weeks_ago(x, draw, n_weeks)
        row, item = np.nonzero((when >= 0) & writes(x, r, draw))
        propensity = rating_propensity(x, r, n_weeks)[row, item]
        parts.append((x.users[row, 0], item, when[row, item], r[row, item], propensity))
    users, items, when, given, propensity = (np.concatenate(p) for p in zip(*parts, strict=True))
    score = core.pairs(users, items).S.astype(np.float64)
    log = describe(core, users, items).assign(score=score, weeks_ago=when, stars=given)
    return log.assign(propensity=propensity) if with_propensity else log


def survey(core: Core, per_user: int, seed: int | None) -> pd.DataFrame:
    """Return ratings of items drawn at random for each user: everybody answers, nothing is missing."""
    per_user = _validate.integer(per_user, "per_user", 1, core.shape[1])
    rng = stream(core.seed, "survey", draw_number(seed))
    n, k = core.shape
    users = np.repeat(np.arange(n), per_user)
    items = np.concatenate([rng.choice(k, per_user, replace=False) for _ in range(n)])
    x = core.pairs(users, items)
    return describe(core, users, items).assign(score=x.S.astype(np.float64), stars=stars(x))
