"""Checks of the exercises of concepts/02_behaviour_data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib.course.check import Answer, Wrong, call, exercise, expect_close

ZERO = pd.Timestamp("2025-03-03")
PAIR = ["user_id", "item_id"]


def _events() -> pd.DataFrame:
    """A small log: a retry across time zero, one across the end, one within, an edge on either side."""
    rows = [
        ("e1", -3.0, "a", "x", "view"), ("e2", -2.0, "a", "x", "consume"), ("e3", 0.5, "a", "x", "display"),
        ("e4", 1.0, "a", "x", "consume"), ("e4", 1.001, "a", "x", "consume"), ("e5", -0.001, "b", "x", "consume"),
        ("e5", 0.001, "b", "x", "consume"), ("e6", 6.999, "b", "y", "consume"), ("e6", 7.001, "b", "y", "consume"),
        ("e7", 0.0, "c", "x", "consume"), ("e8", 7.0, "c", "y", "consume"), ("e9", 2.0, "a", "y", "view"),
        ("f1", -1.0, "b", "x", "view"), ("f1", -0.999, "b", "x", "view"), ("f2", 0.0, "a", "x", "view"),
        ("f3", 3.0, "a", "x", "view"), ("f4", -5.0, "a", "x", "view"), ("f5", 4.0, "c", "y", "view"),
    ]  # fmt: skip
    df = pd.DataFrame(rows, columns=["event_id", "days", *PAIR, "event"])
    df["timestamp"] = ZERO + pd.to_timedelta(df["days"], unit="D")
    return df.drop(columns="days").sample(frac=1, random_state=2, ignore_index=True)


COLUMNS = ["views_before", "exposed", "consumed"]


def _log() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten candidates with clocks of their own, and a log with retries across both ends of a window."""
    pairs = [(u, i) for u in "abcde" for i in "xy"]
    decided = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    candidates = pd.DataFrame(pairs, columns=PAIR).assign(decided=ZERO + pd.to_timedelta(decided, unit="D"))
    rows = [
        ("e01", -2.0, "a", "x", "view"), ("e02", -1.0, "a", "x", "view"), ("e02", -0.999, "a", "x", "view"),
        ("e03", 0.0, "a", "x", "display"), ("e04", 0.5, "a", "x", "view"), ("e05", 1.0, "a", "x", "consume"),
        ("e05", 1.001, "a", "x", "consume"), ("e06", 0.999, "a", "y", "consume"), ("e06", 1.001, "a", "y", "consume"),
        ("e07", 1.5, "a", "y", "display"), ("e08", 0.2, "b", "x", "view"), ("e09", 1.9, "b", "x", "display"),
        ("e10", 3.0, "b", "x", "consume"), ("e11", 9.999, "b", "y", "consume"), ("e12", 3.5, "b", "y", "display"),
        ("e13", 11.0, "c", "x", "consume"), ("e14", 4.0, "c", "x", "display"), ("e15", 10.5, "c", "y", "consume"),
        ("e16", 5.0, "c", "y", "view"), ("e17", 4.9, "c", "y", "view"), ("e18", 12.0, "d", "y", "display"),
        ("e19", 12.5, "d", "y", "view"), ("e20", 12.6, "d", "y", "consume"), ("e21", 12.7, "d", "y", "consume"),
        ("e22", 7.9, "e", "x", "view"), ("e23", 8.5, "z", "x", "display"), ("e24", 8.6, "z", "x", "consume"),
        ("e25", 14.0, "d", "x", "consume"),
    ]  # fmt: skip
    events = pd.DataFrame(rows, columns=["event_id", "days", *PAIR, "event"])
    events["timestamp"] = ZERO + pd.to_timedelta(events["days"], unit="D")
    order = np.random.default_rng(6).permutation(10)
    shuffled = events.drop(columns="days").sample(frac=1, random_state=2, ignore_index=True)
    return candidates.iloc[order].reset_index(drop=True), shuffled


def _table(
    candidates: pd.DataFrame, events: pd.DataFrame, *, days: float = 7.0, ends: tuple[bool, bool] = (False, False)
) -> np.ndarray:
    """Three columns by each row's own clock; `ends`: is time zero before, is the end inside."""
    both = candidates[[*PAIR, "decided"]].merge(events, on=PAIR)
    at, zero, end = both["timestamp"], both["decided"], both["decided"] + pd.Timedelta(days=days)
    before = (at < zero) | (ends[0] & (at == zero))
    inside = ~before & ((at < end) | (ends[1] & (at == end)))
    pair, kind = pd.MultiIndex.from_frame(candidates[PAIR]), both["event"]
    of = (before & (kind == "view"), inside & (kind == "display"), inside & (kind == "consume"))
    count = np.column_stack([both[rows].groupby(PAIR).size().reindex(pair, fill_value=0) for rows in of])
    return np.column_stack([count[:, 0], count[:, 1:].clip(max=1)])


@exercise("concepts/02.1", task="Build a causal table for ten pairs, each by its own time zero.")
def check_ten_rows(answer: Answer) -> None:
    """Accept looks before, displays and purchases after each row's own decision, one row a candidate."""
    candidates, events = _log()
    got = call(answer, candidates.copy(), events.copy())
    if not isinstance(got, pd.DataFrame) or not set(COLUMNS) <= set(got.columns):
        raise Wrong(f"Return a data frame: the candidates with the columns {', '.join(COLUMNS)}.")
    if len(got) < len(candidates):
        raise Wrong(
            f"{len(candidates) - len(got)} of the ten candidates are gone. A pair without events has a row, too: "
            "start from the candidates, and fill what the log doesn't mention with 0."
        )
    if len(got) > len(candidates):
        raise Wrong("There are more rows than candidates: one row a pair, events are counted and not listed.")
    once = events.sort_values("timestamp").drop_duplicates("event_id")
    late = events.sort_values("timestamp", ascending=False).drop_duplicates("event_id")
    one_clock = candidates.assign(decided=candidates["decided"].min())
    expect_close(
        got[COLUMNS].to_numpy(dtype=float),
        _table(candidates, once),
        hint="For each candidate: looks before its own `decided`, a display and a purchase from `decided` on for "
        "seven days; each event_id once, at its earliest time stamp; rows in the order of the candidates.",
        wrong={
            "These columns have one time zero for all pairs. Compare each event with the `decided` of its pair.":
            _table(one_clock, once),
            "An event that was sent twice counts twice, or on both sides of time zero: keep one row of each event_id "
            "before you look at a clock.": _table(candidates, events),
            "A retry moved an event: keep the earliest row of each event_id, so sort by time first.": _table(
                candidates, late
            ),
            "An event at `decided` itself is not known before it: strictly before.": _table(
                candidates, once, ends=(True, False)
            ),
            "The end of the window is not included: earlier than `decided` plus seven days.": _table(
                candidates, once, ends=(False, True)
            ),
            "The window has no end: treatment and outcome need the same seven days for every row.": _table(
                candidates, once, days=999.0
            ),
        },
    )  # fmt: skip


def _ratings() -> pd.DataFrame:
    """Two items, ties in time, rows out of order."""
    return pd.DataFrame(
        {
            "item_id": ["x", "y", "x", "x", "y", "x", "x", "y"],
            "timestamp": ZERO + pd.to_timedelta([3, 1, 1, 2, 5, 2, 7, 2], unit="min"),
            "stars": [5.0, 2.0, 1.0, 4.0, 3.0, 2.0, 3.0, 5.0],
        }
    )


@exercise(
    "concepts/02.2", task="Return the mean of the strictly earlier ratings of the same item, NaN if there is none."
)
def check_mean_so_far(answer: Answer) -> None:
    """Accept the point-in-time mean; NaN is compared as a code of its own."""
    df = _ratings()
    same = df["item_id"].to_numpy()[:, None] == df["item_id"].to_numpy()
    at, stars = df["timestamp"].to_numpy(), df["stars"].to_numpy()

    def mean_over(rows: np.ndarray) -> np.ndarray:
        n = rows.sum(axis=1)
        return np.where(n > 0, rows @ stars / np.maximum(n, 1), np.nan)

    def code(x: object) -> np.ndarray:
        return np.where(np.isnan(np.asarray(x, dtype=float)), -1.0, np.asarray(x, dtype=float))

    ordered = df.sort_values("timestamp", kind="stable")
    by_order = ordered.groupby("item_id")["stars"].transform(lambda s: s.expanding().mean().shift())
    everything = mean_over(same)
    others = mean_over(same & ~np.eye(len(df), dtype=bool))
    got = call(answer, df.copy())
    if np.shape(got) == (len(df),) and np.asarray(got).dtype.kind in "fi":
        got = code(got)
    expect_close(
        got,
        code(mean_over(same & (at[None, :] < at[:, None]))),
        hint="For each row average the stars of rows with the same item_id and an earlier timestamp; NaN if there "
        "are none. Return them in the order of the rows.",
        wrong={
            "That is the mean over the whole data set: it holds the future and the row's own stars.": everything,
            "Leaving out the row itself is not enough: the mean still holds the future.": others,
            "Each mean holds the row's own stars, or others of the same second: strictly earlier.": code(
                mean_over(same & (at[None, :] <= at[:, None]))
            ),
            "That is the mean of the rows above in time order. Rows of the same second stand above each other by "
            "accident and are not earlier.": code(by_order.reindex(df.index)),
        },
    )


@exercise("concepts/02.3", task="Return the bias among the kept rows and the change of their average effect.")
def check_bias_and_shift(answer: Answer) -> None:
    """Accept the bias against the kept rows' own effect, and the difference of the two truths."""
    rng = np.random.default_rng(4)
    n = 400
    y0 = (rng.uniform(size=n) < 0.3).astype(float)
    y1 = np.maximum(y0, rng.uniform(size=n) < 0.4).astype(float)
    t = rng.integers(0, 2, n)
    y = np.where(t == 1, y1, y0)
    keep = (y == 1) | (rng.uniform(size=n) < 0.4)
    est = y[keep & (t == 1)].mean() - y[keep & (t == 0)].mean()
    own, every = (y1 - y0)[keep].mean(), (y1 - y0).mean()
    expect_close(
        call(answer, y0, y1, t, keep),
        [est - own, own - every],
        hint="The estimate uses the observed outcome of the kept rows. Subtract the average of y1 - y0 over the kept "
        "rows for the first number; subtract the average over all rows from that for the second.",
        wrong={
            "The first number compares with the effect over all rows: bias and change of population, mixed.": [
                est - every,
                own - every,
            ],
            "The signs are turned: estimate minus truth, kept minus all.": [own - est, every - own],
            "These are the estimate and the truth of the kept rows; the task asks for differences.": [est, own],
        },
    )


def _strata() -> pd.DataFrame:
    """Three strata with different shares of displays, and outcomes that go with the stratum."""
    rng = np.random.default_rng(8)
    stratum = np.repeat([0, 1, 2], [120, 60, 30])
    exposed = (rng.uniform(size=210) < np.array([0.2, 0.5, 0.8])[stratum]).astype(int)
    before = (rng.uniform(size=210) < np.array([0.1, 0.3, 0.6])[stratum]).astype(int)
    after = np.maximum(before, rng.uniform(size=210) < 0.1 + 0.3 * exposed).astype(int)
    df = pd.DataFrame({"exposed": exposed, "consumed": after, "consumed_before": before, "stratum": stratum})
    return df.sample(frac=1, random_state=3, ignore_index=True)


def _stratified(df: pd.DataFrame, outcome: str, weight: str = "rows", pooled: bool = False) -> tuple[float, float]:
    """Answer of the stratified pipeline and 2.8 standard errors, or what a slip makes of them."""
    answer, variance = 0.0, 0.0
    for _, rows in df.assign(stratum=0 if pooled else df["stratum"]).groupby("stratum"):
        shown, other = (rows.loc[rows["exposed"] == t, outcome] for t in (1, 0))
        w = {"rows": len(rows) / len(df), "shown": len(shown) / df["exposed"].sum(), "equal": 1 / 3}[weight]
        answer += w * (shown.mean() - other.mean())
        variance += w**2 * (shown.var() / len(shown) + other.var() / len(other))
    return answer, 2.8 * variance**0.5


@exercise(
    "concepts/02.4", task="Return the placebo effect of a stratified pipeline, and the fault that it would find."
)
def check_placebo_alarm(answer: Answer) -> None:
    """Accept the stratified difference of the earlier week and 2.8 of its standard errors."""
    df = _strata()
    want = _stratified(df, "consumed_before")
    expect_close(
        call(answer, df.copy()),
        list(want),
        rtol=1e-6,
        hint="Take the difference in means of consumed_before within each stratum, weight it by the stratum's share "
        "of all rows, and add up w squared times (v1/n1 + v0/n0); the second number is 2.8 times that sum's root.",
        wrong={
            "That is the pipeline run on the outcome. A display can have moved `consumed`; a placebo is what it "
            "can't have moved.": list(_stratified(df, "consumed")),
            "That is the plain difference: it holds the strata's own differences. The alarm must go through the "
            "whole pipeline, adjustment included.": list(_stratified(df, "consumed_before", pooled=True)),
            "These weights are the shown rows' shares of the strata; the pipeline averages over all rows.": list(
                _stratified(df, "consumed_before", weight="shown")
            ),
            "All strata count alike here; weight each by its share of the rows.": list(
                _stratified(df, "consumed_before", weight="equal")
            ),
            "The half-width of the interval is what is found in one of two data sets. Four of five take 2.8 standard "
            "errors.": [want[0], want[1] * 1.96 / 2.8],
            "The second number is one standard error; how many does it take to be found in four of five?": [
                want[0],
                want[1] / 2.8,
            ],
        },
    )


@exercise("concepts/02.5", task="Mend the interest column: count the views that were known at the decision.")
def check_interest(answer: Answer) -> None:
    """Accept distinct views before zero, one count a candidate in the candidates' order."""
    pairs = pd.DataFrame([("c", "y"), ("a", "x"), ("b", "x"), ("a", "y")], columns=PAIR)
    views = _events().query("event == 'view'")

    def count(rows: pd.DataFrame) -> np.ndarray:
        return rows.groupby(PAIR).size().reindex(pd.MultiIndex.from_frame(pairs), fill_value=0).to_numpy()

    once = views.sort_values("timestamp").drop_duplicates("event_id")
    expect_close(
        call(answer, pairs.copy(), _events(), ZERO),
        count(once[once["timestamp"] < ZERO]),
        hint="A covariate is known before the decision: keep events with a timestamp before zero, count each once, "
        "and give pairs without a view a 0.",
        wrong={
            "These views reach into the outcome's window: display and purchase lead to them. Stop at zero.": count(
                once[once["timestamp"] < ZERO + pd.Timedelta(days=7)]
            ),
            "A view at time zero itself is not known before the decision: use < zero.": count(
                once[once["timestamp"] <= ZERO]
            ),
            "These are the views after the decision, the very ones to leave out.": count(
                once[once["timestamp"] >= ZERO]
            ),
            "A view that was sent twice counts twice: keep drop_duplicates('event_id').": count(
                views[views["timestamp"] < ZERO]
            ),
        },
    )
