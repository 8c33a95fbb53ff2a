"""A week of a world as a shop's collectors write it: raw events in order of arrival, with their dirt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import World

KEY = ["user_id", "item_id"]
DAY = 86_400
DECISION = pd.Timestamp("2025-03-03")
BOT_DISPLAYS = 50
INTEREST, REACH = 0.7, 0.35
_Rows = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Dirt:
    """How dirty the raw log is; every number is a share unless it says otherwise.

    Parameters
    ----------
    bots : int
        Number of crawlers; each loads 50 displays in under two minutes.
    retry : float
        Purchases from a display that are sent twice (same `event_id`, some seconds later).
    slow_clock : float
        Users whose device stamps all but displays up to two days early; the server's clock is right.

    Raises
    ------
    ValueError
        If `bots` is no whole number of 0 or more, or a share lies outside [0, 1].

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """

    bots: int = 12
    retry: float = 0.10
    slow_clock: float = 0.15

    def __post_init__(self) -> None:
        """Refuse numbers outside their range."""
        _validate.integer(self.bots, "bots")
        for name in ("retry", "slow_clock"):
            _validate.number(getattr(self, name), name, 0, 1)


@dataclass(frozen=True)
class RawWeek:
    """What a shop has after a week, and (apart from it) what it does not have.

    Parameters
    ----------
    candidates : pandas.DataFrame
        One row a user-item pair that could be shown: `user_id`, `item_id` and what was known at `decision`.
    events : pandas.DataFrame
        `event_id`, `timestamp` (device), `received` (server), `user_id`, `item_id`, `event` (display, view,
        consume, rate) and `stars` (of rate), in order of arrival.
    decision : pandas.Timestamp
        Time at which the displays were decided.
    bots : frozenset of str
        User ids of the crawlers; no real log has this.
    pairs : pandas.DataFrame
        `user_id`, `item_id`, `user`, `item`, `exposed`, `consumed` of people: the table that cleaning should give.

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """

    candidates: pd.DataFrame
    events: pd.DataFrame
    decision: pd.Timestamp
    bots: frozenset[str]
    pairs: pd.DataFrame


def raw_week(world: World, n_pairs: int, seed: int, dirt: Dirt | None = None) -> RawWeek:
    """Write a week of a world's exposure log as raw events, with three weeks of history before it.

    Parameters
    ----------
    world : World
        Where the week happens.
    n_pairs : int
        Number of user-item pairs that could be shown.
    seed : int
        Decides the week, and all that is drawn on top of it.
    dirt : Dirt, optional
        How dirty the log is; `Dirt()` by default.

    Returns
    -------
    RawWeek
        Candidates, events, and the labels of both.

    Raises
    ------
    ValueError
        If `world` is no World, `dirt` no Dirt, or a number is out of range.

    Notes
    -----
    In the week before the decision nobody was shown anything: a pair is consumed with the probability of its Y(0).
    Purchases are those of `world.exposure_log(seed=seed)`, looks those of `looks`. Stars belong to the pair; a
    display does not change them. Who writes them down depends on the stars.
    Chapter: concepts/02_behaviour_data
    """
    _world(world)
    dirt = Dirt() if dirt is None else _validate.instance(dirt, "dirt", Dirt, "make one, for example Dirt(bots=0)")
    n_pairs, seed = _validate.integer(n_pairs, "n_pairs", 1), _validate.integer(seed, "seed")
    log = world.exposure_log(n_pairs, seed=seed, with_placebo=True)
    rng = np.random.default_rng([seed, 20250303])
    known = log.drop(columns=["user", "item", "exposed", "consumed", "consumed_before", "marketing"])
    known.insert(0, "user_id", log["user"].map("u{:05d}".format))
    known.insert(1, "item_id", log["item"].map("i{:05d}".format))
    people = _people(known, log, looks(world, log, seed), world.truth.ratings(log, seed=seed), rng)
    first_bot = world.shape[0] + 90_000
    crawlers, crawl = _bots(known, first_bot, rng, dirt.bots)
    events = _soil(pd.concat([people, crawl], ignore_index=True), dirt, rng)
    return RawWeek(
        candidates=pd.concat([known, crawlers], ignore_index=True).sample(
            frac=1, random_state=seed, ignore_index=True
        ),
        events=events,
        decision=DECISION,
        bots=frozenset(crawlers["user_id"]),
        pairs=known[KEY].assign(**{c: log[c] for c in ("user", "item", "exposed", "consumed")}),
    )


def _rows(
    n: int, where: NDArray[np.bool_], event: str, seconds: ArrayLike, stars: ArrayLike, display: ArrayLike
) -> _Rows:
    at = np.flatnonzero(where)
    columns = (np.broadcast_to(column, n)[at] for column in (event, seconds, stars, display))
    return at, *columns


def _frame(known: pd.DataFrame, parts: Sequence[_Rows]) -> pd.DataFrame:
    at, event, seconds, stars, display = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pd.DataFrame(
        {
            **{key: known[key].to_numpy(dtype=object)[at] for key in KEY},
            "event": event.astype(object),
            "received": DECISION + pd.to_timedelta(np.rint(seconds).astype(np.int64), unit="s"),
            "stars": stars,
            "display": display,
        }
    )


def looks(world: World, log: pd.DataFrame, seed: int) -> NDArray[np.bool_]:
    """Return which pairs of a week's exposure log were looked at; nobody buys without a look.

    Parameters
    ----------
    world : World
        Where the week happened.
    log : pandas.DataFrame of shape (n, k)
        `world.exposure_log(n, seed=seed)`.
    seed : int
        Seed of the log.

    Returns
    -------
    ndarray of bool of shape (n,)
        Whether the user opened the item's page in the week.

    Raises
    ------
    ValueError
        If `world` is no World, or the log lacks a column, holds pairs that the world does not have, or an `exposed`
        or `consumed` that is not 0 or 1.

    Notes
    -----
    A look causes a purchase: somebody who buys with chance p looks with chance l = p ** 0.7 (a display makes 35 in
    100 of the others look as well) and, having looked, buys with p / l. As the purchases of the log are given, the
    looks are drawn given them (Bayes' rule): the joint law is the same.
    Chapter: concepts/02_behaviour_data
    """
    _world(world)
    _validate.frame(log, "log", ("user", "item", "exposed", "consumed"))
    T, Y = (_validate.binary(log[c], f"{c} of log", both=False) == 1 for c in ("exposed", "consumed"))
    chance = world.truth.pairs(log)
    p = np.where(T, chance["p1"], chance["p0"])
    own = p**INTEREST
    look = own + T * REACH * (1 - own)
    rng = np.random.default_rng([_validate.integer(seed, "seed"), 20250304])
    return Y | (rng.uniform(size=len(log)) * (1 - p) < look - p)


def _world(world: object) -> World:
    return _validate.instance(world, "world", World, "make one with make_world()")


def _people(
    known: pd.DataFrame,
    log: pd.DataFrame,
    looked: NDArray[np.bool_],
    rating: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Events of people: three weeks of looking around, a week of purchases, the decision, a week with displays."""
    n, given = len(known), rating["stars"].to_numpy(dtype=float)
    T, Y, earlier = (log[c].to_numpy(dtype=bool) for c in ("exposed", "consumed", "consumed_before"))
    display = rng.uniform(0, 3 * DAY, n)
    bought = np.where(T, display + rng.uniform(60, DAY, n), rng.uniform(60, 6.5 * DAY, n))
    view = np.where(T, display + rng.uniform(size=n) * (bought - display), bought - rng.uniform(0, 60, n))
    seen = rng.poisson(np.exp(-1.5 + 0.5 * log["score"].to_numpy()))
    writes = Y & rating["writes"].to_numpy(dtype=bool)
    parts = [
        _rows(n, T, "display", display, np.nan, False),
        _rows(n, looked, "view", view, np.nan, False),
        _rows(n, Y, "consume", bought, np.nan, T),
        _rows(n, writes, "rate", bought + rng.uniform(DAY / 24, DAY / 2, n), given, False),
        _rows(n, earlier, "consume", -rng.uniform(0, 7 * DAY, n), np.nan, False),
        *(_rows(n, seen > j, "view", -rng.uniform(0, 21 * DAY, n), np.nan, False) for j in range(seen.max())),
    ]
    return _frame(known, parts)


def _bots(known: pd.DataFrame, first: int, rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Crawlers: candidates of their own, displays two seconds apart, a purchase call after most of them."""
    items = known["item_id"].unique()
    each = min(BOT_DISPLAYS, len(items))
    bots = known.iloc[rng.integers(0, len(known), n * each)].reset_index(drop=True)
    bots["user_id"] = np.repeat([f"u{first + j:05d}" for j in range(n)], each).astype(object)
    chosen = [rng.choice(items, each, replace=False) for _ in range(n)]
    bots["item_id"] = np.concatenate(chosen) if chosen else np.empty(0, dtype=object)
    start = np.repeat(rng.uniform(0, 3 * DAY, n), each) + np.tile(2.0 * np.arange(each), n)
    hit = rng.uniform(size=len(bots)) < 0.7
    every = np.ones(len(bots), dtype=bool)
    parts = [
        _rows(len(bots), every, "display", start, np.nan, False),
        _rows(len(bots), hit, "consume", start + 1, np.nan, False),
    ]
    return bots, _frame(bots, parts)


def _soil(events: pd.DataFrame, dirt: Dirt, rng: np.random.Generator) -> pd.DataFrame:
    """Number the events, send some twice, set some clocks wrong, and put all in order of arrival."""
    events = events.assign(number=rng.permutation(len(events)))
    again = events[events["display"] & (rng.uniform(size=len(events)) < dirt.retry)].copy()
    again["received"] += pd.to_timedelta(rng.integers(1, 30, len(again)), unit="s")
    names = np.sort(events["user_id"].unique())
    slow = pd.Series(np.where(rng.uniform(size=len(names)) < dirt.slow_clock, rng.uniform(0, 2 * DAY, len(names)), 0))
    events = pd.concat([events, again])
    behind = np.where(events["event"] == "display", 0.0, events["user_id"].map(slow.set_axis(names)))
    events["timestamp"] = events["received"] - pd.to_timedelta(np.rint(behind), unit="s")
    events = events.iloc[np.lexsort((events["number"], events["received"]))].reset_index(drop=True)
    events["event_id"] = events["number"].map("e{:07d}".format)
    return events[["event_id", "timestamp", "received", *KEY, "event", "stars"]]
