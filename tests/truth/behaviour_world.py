"""Raw events whose table is known by hand, and the checks of the tools that clean them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from .weighting_world import Tools

ZERO = pd.Timestamp("2025-03-03")
MINUTE = pd.Timedelta(minutes=1)
LAST = 7 * 1440  # minutes from the decision to the end of the window


def log(rows: list[tuple]) -> pd.DataFrame:
    """Return events from (id, minutes after the decision, user, item, kind)."""
    df = pd.DataFrame(rows, columns=["event_id", "minutes", "user_id", "item_id", "event"])
    return df.assign(timestamp=ZERO + pd.to_timedelta(df["minutes"], unit="min")).drop(columns="minutes")


PAIRS = pd.DataFrame([(u, i) for u in "abc" for i in "xy"], columns=["user_id", "item_id"])
EVENTS = log(
    [
        ("e1", -90, "a", "x", "view"), ("e1", -89, "a", "x", "view"), ("e2", -60, "a", "x", "view"),
        ("e3", 0, "a", "x", "display"), ("e4", LAST - 1, "a", "x", "consume"), ("e5", 30, "a", "x", "view"),
        ("e6", -1, "a", "y", "display"), ("e7", LAST, "a", "y", "consume"), ("e8", 5, "b", "x", "consume"),
        ("e9", 9, "b", "x", "consume"), ("f1", 1, "b", "y", "consume"), ("f1", -1, "b", "y", "consume"),
        ("f2", 0, "b", "y", "view"), ("f3", 4, "z", "x", "display"),
    ]
)  # fmt: skip
TABLE = {
    "views_before": [2, 0, 0, 0, 0, 0],
    "consumed_before": [0, 0, 0, 1, 0, 0],
    "exposed": [1, 0, 0, 0, 0, 0],
    "consumed": [1, 0, 1, 0, 0, 0],
}


def table_checks(tools: Tools):
    """Check the causal table against one that was written by hand."""
    got = tools.causal_table(PAIRS, EVENTS, ZERO)
    yield "one row a candidate, with or without events", len(got) == len(PAIRS) and set(got["user_id"]) == set("abc")
    for column, want in TABLE.items():
        yield f"{column} of the table by hand", list(got[column]) == want
    yield "a longer window", list(tools.causal_table(PAIRS, EVENTS, ZERO, days=8)["consumed"]) == [1, 1, 1, 0, 0, 0]


def log_checks(tools: Tools):
    """Check sessions, pace and history on rows that are out of order."""
    minutes = [100, 0, 30, 61, 10, 45]
    df = pd.DataFrame({"user_id": list("aaaabb"), "timestamp": ZERO + MINUTE * np.array(minutes)}, index=range(3, 9))
    got = tools.sessionise(df, 30 * MINUTE)
    yield "sessions on the rows of the events", list(got.index) == list(df.index)
    parts = {frozenset(part) for part in got.groupby(got).groups.values()}
    yield "sessions by hand", parts == {frozenset(p) for p in ([4, 5], [6], [3], [7], [8])}

    hour = [("slow", MINUTE * k) for k in range(60)] + [("even", MINUTE * 3)] * 10 + [("fast", MINUTE * 5)] * 11
    pace = pd.DataFrame(hour, columns=["user_id", "timestamp"]).assign(event="view")
    pace["timestamp"] = ZERO + pace["timestamp"]
    yield "above the pace, not at it, and not by amount", list(tools.fast_users(pace, 10)) == ["fast"]

    rows = pd.DataFrame({"item_id": list("xxxxy"), "stars": [5.0, 1.0, 3.0, 2.0, 4.0]})
    rows["timestamp"] = ZERO + MINUTE * np.array([9, 1, 9, 1, 2])
    past = tools.history(rows, "item_id", "stars")
    yield "counts of strictly earlier rows", list(past["count"]) == [2, 0, 2, 0, 0]
    want = [1.5, np.nan, 1.5, np.nan, np.nan]
    yield "means of strictly earlier rows", np.allclose(past["mean"], want, equal_nan=True)


def clustered(rng: np.random.Generator, n_units: int) -> tuple[np.ndarray, np.ndarray]:
    unit = np.repeat(np.arange(n_units), rng.integers(1, 30, n_units))
    return rng.normal(size=n_units)[unit] + rng.normal(size=len(unit)), unit


def p_by_formula(y: np.ndarray, unit: np.ndarray, arm: np.ndarray) -> float:
    """Return the p-value of one split, unit by unit."""
    value, variance = 0.0, 0.0
    for side in (True, False):
        mine = np.flatnonzero(arm == side)
        rows = np.isin(unit, mine)
        sums = [np.sum(y[unit == k] - y[rows].mean()) for k in mine]
        value += (1 if side else -1) * y[rows].mean()
        variance += np.sum(np.square(sums)) / rows.sum() ** 2 * len(mine) / (len(mine) - 1)
    return float(2 * norm.sf(abs(value) / np.sqrt(variance)))


def aa_checks(tools: Tools, runs: int):
    """Check A/A tests: p-values by formula, and alarms in one of twenty splits."""
    rng = np.random.default_rng(41)
    y, unit = clustered(rng, 12)
    got = tools.aa_p_values(y, unit, 3, np.random.default_rng(2))
    splits = np.random.default_rng(2)
    want = [p_by_formula(y, unit, splits.permutation(np.arange(12) % 2 == 0)) for _ in range(3)]
    yield "p-values by formula", np.allclose(got, want)
    y, unit = clustered(rng, 300)
    p = tools.aa_p_values(y, unit, 10 * runs, np.random.default_rng(3))
    low, high = binom.ppf([0.001, 0.999], len(p), 0.05) / len(p)
    yield "one alarm in twenty splits", low <= (p < 0.05).mean() <= high
    rough = tools.aa_p_values(y, unit, runs, np.random.default_rng(3), by_unit=False)
    yield "many more with rows as units", (rough < 0.05).mean() > 0.4


def behaviour_battery(tools: Tools, runs: int):
    """Check what turns raw events into a causal table, and the alarm on its interval."""
    yield from table_checks(tools)
    yield from log_checks(tools)
    yield from aa_checks(tools, runs)
