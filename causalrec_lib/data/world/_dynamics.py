"""Time: weeks in which hidden taste drifts and items arrive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import describe, draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]

NEW_ITEMS = 0.2


def launch_weeks(core: Core, n_weeks: int) -> Array:
    """Return the week in which each item is launched: most at the start, a share later."""
    rng = stream(core.seed, "launches", n_weeks)
    late = rng.uniform(size=core.shape[1]) < NEW_ITEMS
    return np.where(late, rng.integers(0, n_weeks, core.shape[1]), 0)


def weeks(core: Core, n_weeks: int, pairs_per_week: int, seed: int | None, with_propensity: bool) -> pd.DataFrame:
    """Return the exposure logs of successive weeks: hidden taste turns, items arrive.

    Parameters
    ----------
    core : Core
        The world.
    n_weeks : int
        Number of weeks.
    pairs_per_week : int
        Rows a week, a random sample of pairs whose item is out.
    seed : int, optional
        Another run of the same world.
    with_propensity : bool
        Add the exact propensity.

    Returns
    -------
    DataFrame
        Columns of the exposure log and `week`, `item_age` (weeks since launch).

    Notes
    -----
    Chapter: frontier
    """
    _validate.flag(with_propensity, "with_propensity")
    core.without_interference("weeks")
    n_weeks = _validate.integer(n_weeks, "n_weeks", 1)
    _validate.integer(pairs_per_week, "pairs_per_week", 1)
    launch, draw = launch_weeks(core, n_weeks), draw_number(seed)
    parts = []
    for week in range(n_weeks):
        rng = stream(core.seed, "weeks", draw, week)
        out = np.flatnonzero(launch <= week)
        users = rng.integers(0, core.shape[0], pairs_per_week)
        items = rng.choice(out, pairs_per_week)
        x = core.pairs(users, items, week)
        u = rng.uniform(size=(2, pairs_per_week))
        shown = u[0] < x.e
        part = describe(core, users, items).assign(
            score=x.S.astype(np.float64),
            exposed=shown.astype(int),
            consumed=(u[1] < np.where(shown, x.p1, x.p0)).astype(int),
        )
        part.insert(0, "week", week)
        part.insert(3, "item_age", week - launch[items])
        if with_propensity:
            part["propensity"] = x.e.astype(np.float64)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def weekly_ate(core: Core, n_weeks: int) -> pd.Series:
    """Return the exact average effect over all launched pairs of each week."""
    core.without_interference("weekly_ate")
    launch = launch_weeks(core, _validate.integer(n_weeks, "n_weeks", 1))
    effect = []
    for week in range(n_weeks):
        out = launch <= week
        total = sum(float(np.sum((x.p1 - x.p0)[:, out], dtype=np.float64)) for x in core.blocks(week))
        effect.append(total / (core.shape[0] * out.sum()))
    return pd.Series(effect, index=pd.RangeIndex(n_weeks, name="week"), name="ate")
