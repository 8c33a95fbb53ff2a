"""Logs of single recommendations: the exposure log (observational) and the bandit log (randomised by a policy)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world._core import CACHE_PAIRS, Core
from causalrec_lib.data.world._streams import stream
from causalrec_lib.data.world.policies import Policy

Array = NDArray[Any]

USER_COLUMNS = ("age", "segment", "activity", "log_activity")
ITEM_COLUMNS = ("department", "category", "price", "log_popularity", "n_reviews")
HIDDEN_COLUMNS = ("quality", "mean_stars", "tone", "annoyed")


def draw_number(seed: int | None) -> int:
    """Return the number of the draw: 0 is the world's own week, seed k is another week of the same world."""
    return 0 if seed is None else 1 + _validate.integer(seed, "seed")


def describe(core: Core, users: Array, items: Array) -> pd.DataFrame:
    """Return what the platform knows about each row's user and item, hidden columns left out."""
    left = core.users[list(USER_COLUMNS)].iloc[users].reset_index(drop=True)
    right = core.items[list(ITEM_COLUMNS)].iloc[items].reset_index(drop=True)
    ids = pd.DataFrame({"user": users, "item": items})
    return pd.concat([ids, left, right], axis=1)


def pick_pairs(core: Core, n_pairs: int | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return all pairs, or a simple random sample of distinct pairs."""
    n, k = core.shape
    if n_pairs is None:
        if n * k > CACHE_PAIRS:
            raise ValueError(
                f"n_pairs is None, but all {n * k} pairs do not fit in one frame; ask for a sample, n_pairs=200_000."
            )
        flat = np.arange(n * k)
    else:
        flat = rng.choice(n * k, _validate.integer(n_pairs, "n_pairs", 1, n * k), replace=False)
    return flat // k, flat % k


def friends_column(core: Core, draw: int, users: Array, items: Array) -> dict[str, Array]:
    """Return the column `friends_shown` of a log under interference, no column otherwise."""
    if not core.interference:
        return {}
    return {"friends_shown": core.friends_shown(draw)[users, items].astype(np.float64)}


def exposure_log(
    core: Core, n_pairs: int | None, seed: int | None, with_propensity: bool, text: bool, with_placebo: bool
) -> pd.DataFrame:
    """Return the observational log: which pair was exposed, which consumed."""
    for name, on in {"with_propensity": with_propensity, "text": text, "with_placebo": with_placebo}.items():
        _validate.flag(on, name)
    draw = draw_number(seed)
    users, items = pick_pairs(core, n_pairs, stream(core.seed, "exposure pairs", draw))
    x = core.pairs(users, items)
    shown = x.exposed(draw)
    friends = friends_column(core, draw, users, items)
    y0, y1 = x.potential(draw, F=friends.get("friends_shown", 0.0))
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64),
        **friends,
        marketing=x.marketing(draw).astype(int),
        exposed=shown.astype(int),
        consumed=np.where(shown, y1, y0).astype(int),
    )
    if with_placebo:
        log.insert(
            list(log.columns).index("exposed"), "consumed_before", (x.uniform("before", draw) < x.p0).astype(int)
        )
    if text:
        log["text"] = core.items["text"].to_numpy()[items]
    if with_propensity:
        log["propensity"] = x.e.astype(np.float64)
    return log


def bandit_log(core: Core, n_rounds: int, policy: Policy, seed: int | None) -> pd.DataFrame:
    """Return the log of a policy that shows one item a round; the reward is the consumption of that item."""
    draw = draw_number(seed)
    rng = stream(core.seed, "bandit", draw)
    users = rng.integers(0, core.shape[0], _validate.integer(n_rounds, "n_rounds", 1))
    items, propensity = policy.draw(users, rng.uniform(size=n_rounds))
    x = core.pairs(users, items)
    friends = friends_column(core, draw, users, items)
    reward = rng.uniform(size=n_rounds) < x.with_friends(friends.get("friends_shown", 0.0))[1]
    log = describe(core, users, items).assign(
        score=x.S.astype(np.float64), **friends, propensity=propensity, reward=reward.astype(int)
    )
    log.insert(0, "round", np.arange(n_rounds))
    return log
