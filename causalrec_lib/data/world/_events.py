"""The raw event stream: what the data chapter has to clean before there is a causal table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._streams import stream

Array = NDArray[Any]

START = pd.Timestamp("2025-03-03")
PURCHASE_GIVEN_CLICK = 0.2
BOT_SHARE, DUPLICATE_SHARE, MISSING_SHARE, OUTLIER_SHARE = 0.01, 0.02, 0.03, 0.002
DEVICES = ("phone", "laptop", "tablet")
_LABELS = ("is_bot", "is_duplicate", "is_outlier")


def _sessions(core: Core, n: int, days: int, rng: np.random.Generator) -> pd.DataFrame:
    weight = core.users["activity"].to_numpy(dtype=float)
    user = rng.choice(core.shape[0], n, p=weight / weight.sum())
    hour = np.clip(rng.normal(17, 4.5, n), 0, 23.99)
    start = START + pd.to_timedelta(rng.integers(0, days, n) * 86400 + np.rint(hour * 3600), unit="s")
    device = rng.choice(DEVICES, n, p=(0.6, 0.3, 0.1))
    length = 1 + rng.poisson(5, n)
    return pd.DataFrame({"user": user, "start": start, "device": device, "length": length, "bot": False})


def _bots(n: int, core: Core, days: int, rng: np.random.Generator) -> pd.DataFrame:
    start = START + pd.to_timedelta(rng.integers(0, days * 86400, n), unit="s")
    user = core.shape[0] + rng.integers(0, max(1, n // 4), n)
    return pd.DataFrame({"user": user, "start": start, "device": "laptop", "length": 120, "bot": True})


def _impressions(core: Core, s: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    pop = softmax(core.items["log_popularity"].to_numpy(dtype=np.float64))
    rows = np.repeat(np.arange(len(s)), s["length"])
    item = rng.choice(core.shape[1], len(rows), p=pop)
    bot = s["bot"].to_numpy()[rows]
    user = s["user"].to_numpy()[rows]
    real = np.minimum(user, core.shape[0] - 1)
    clicked = rng.uniform(size=len(rows)) < np.where(bot, 0.7, core.pairs(real, item).p1)
    gap = np.where(bot, 1.0, np.maximum(1, np.rint(rng.lognormal(2.8, 0.9, len(rows)))))
    clock = pd.Series(gap).groupby(rows).cumsum().to_numpy()
    return pd.DataFrame(
        {"session": rows, "user": user, "item": item, "device": s["device"].to_numpy()[rows], "is_bot": bot,
         "timestamp": s["start"].to_numpy()[rows] + pd.to_timedelta(clock, unit="s").to_numpy(), "clicked": clicked,
         "bought": clicked & ~bot & (rng.uniform(size=len(rows)) < PURCHASE_GIVEN_CLICK)}
    )  # fmt: skip


def _unroll(core: Core, shown: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Turn impressions into events: impression, click some seconds later, purchase some minutes later."""
    click = shown[shown["clicked"]].copy()
    click["timestamp"] += pd.to_timedelta(1 + rng.integers(0, 8, len(click)), unit="s")
    buy = click[click["bought"]].copy()
    buy["timestamp"] += pd.to_timedelta(30 + rng.integers(0, 600, len(buy)), unit="s")
    kinds = ("impression", "click", "purchase")
    df = pd.concat([part.assign(event=kind) for part, kind in zip((shown, click, buy), kinds, strict=True)])
    df = df.drop(columns=["clicked", "bought"])
    dwell = np.round(rng.lognormal(3.0, 1.0, len(df)), 1)
    df["dwell_seconds"] = np.where(df["event"] == "click", np.where(df["is_bot"], 0.1, dwell), np.nan)
    df["price"] = core.items["price"].to_numpy()[df["item"]]
    return df


def _soil(df: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add what real streams have: events sent twice, missing fields, tablets left open, wrong order."""
    twice = df[rng.uniform(size=len(df)) < DUPLICATE_SHARE].assign(is_duplicate=True)
    df = pd.concat([df.assign(is_duplicate=False), twice], ignore_index=True)
    click = (df["event"] == "click").to_numpy()
    outlier = click & ~df["is_bot"].to_numpy() & (rng.uniform(size=len(df)) < 10 * OUTLIER_SHARE)
    df["is_outlier"] = outlier
    df["dwell_seconds"] = np.where(outlier, np.round(rng.uniform(20_000, 80_000, len(df))), df["dwell_seconds"])
    df.loc[rng.uniform(size=len(df)) < MISSING_SHARE, "device"] = None
    df["price"] = np.where(rng.uniform(size=len(df)) < MISSING_SHARE, np.nan, df["price"])
    return df.iloc[rng.permutation(len(df))]


def event_stream(core: Core, n_sessions: int, days: int, seed: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the raw stream, and apart from it the labels that no raw stream has.

    Parameters
    ----------
    core : Core
        The world.
    n_sessions : int
        Sessions of people; one in a hundred more is a bot's.
    days : int
        Days that the stream covers.
    seed : int, optional
        Another draw of the stream.

    Returns
    -------
    events : DataFrame
        `event_id`, `timestamp`, `session_id`, `user_id`, `item_id` (labels, not numbers), `event` (impression, click,
        purchase), `device`, `price`, `dwell_seconds`; unsorted. An event sent twice keeps its `event_id`.
    labels : DataFrame
        `is_bot`, `is_duplicate`, `is_outlier` on the same rows.

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """
    n = _validate.integer(n_sessions, "n_sessions", 1)
    days = _validate.integer(days, "days", 1)
    rng = stream(core.seed, "events", draw_number(seed))
    bots = _bots(max(1, round(BOT_SHARE * n)), core, days, rng)
    sessions = pd.concat([_sessions(core, n, days, rng), bots], ignore_index=True)
    df = _unroll(core, _impressions(core, sessions, rng), rng).reset_index(drop=True)
    name = rng.permutation(int(df["user"].max()) + 1)
    df.insert(0, "event_id", [f"e{j:08d}" for j in rng.permutation(len(df))])
    df = _soil(df, rng).reset_index(drop=True)
    df["session_id"] = df["session"].map("s{:07d}".format)
    df["user_id"] = pd.Series(name[df["user"]]).map("u{:06d}".format)
    df["item_id"] = df["item"].map("i{:05d}".format)
    columns = [
        "event_id",
        "timestamp",
        "session_id",
        "user_id",
        "item_id",
        "event",
        "device",
        "price",
        "dwell_seconds",
    ]
    return df[columns], df[list(_LABELS)]
