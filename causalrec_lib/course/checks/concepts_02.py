"""Checks of the exercises of concepts/02_behaviour_data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib.course.check import Answer, Draw, Wrong, exercise, expect_on_draws
from causalrec_lib.course.checks import draws

ZERO = pd.Timestamp("2025-03-03")
PAIR = ["user_id", "item_id"]
COLUMNS = ["views_before", "exposed", "consumed"]
DAY = pd.Timedelta(days=1)
SECOND = 1 / 86_400

# What happens to one pair, in days since its decision: (event, when, when it was sent again if it was).
STORIES = (
    (("display", 0.0, None), ("consume", 2.5, 2.6), ("view", 1.0, None)),
    (("consume", 0.0, None), ("view", 3.0, None)),  # a purchase at the decision itself
    (("display", 5.0, None), ("consume", 7.0, None), ("view", 4.0, None)),  # one at the end
    (("consume", -SECOND, SECOND), ("display", 1.5, None)),  # one that a retry moves in
    (("consume", 7 - SECOND, 7 + SECOND),),  # one that a retry moves out
    (("display", 8.0, None), ("view", 7.5, None), ("consume", 9.0, None)),  # all of it too late
    (("view", -3.0, -2.9), ("view", -SECOND, SECOND), ("display", 0.5, None)),
    (("view", 0.0, None), ("view", -1.0, None), ("view", -1.5, None)),
    (("consume", -4.0, None), ("display", -6.0, None), ("view", -4.1, None)),  # all of it too early
    (),
)


def _log(rng: np.random.Generator, one_clock: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten candidates, to each of whom one of the stories happens, with more views and a pair that is no candidate."""
    pairs = pd.DataFrame([(u, i) for u in "abcde" for i in "xy"], columns=PAIR)
    decided = np.zeros(10) if one_clock else rng.permutation(np.arange(10) + rng.integers(0, 9, 10) / 10)
    rows = [("z", "x", "display", 0.5), ("z", "x", "consume", 0.6), ("z", "x", "view", -0.5)]
    starts = list(range(len(rows)))  # where an event is no retry of the row above it
    for which, story in zip(rng.permutation(10), STORIES, strict=True):
        views = [("view", day, None) for day in rng.uniform(-9, 9, rng.integers(1, 5))] if story else []
        for event, *days in (*story, *views):
            starts.append(len(rows))
            rows += [(*pairs.loc[which], event, decided[which] + day) for day in days if day is not None]
    events = pd.DataFrame(rows, columns=[*PAIR, "event", "days"])
    number = np.searchsorted(starts, np.arange(len(rows)), side="right")
    events.insert(0, "event_id", [f"e{k:02d}" for k in rng.permutation(len(starts) + 1)[number]])
    events["timestamp"] = ZERO + pd.to_timedelta(events.pop("days"), unit="D")
    candidates = pairs.assign(decided=ZERO + pd.to_timedelta(decided, unit="D"))
    return (
        candidates.iloc[rng.permutation(10)].reset_index(drop=True),
        events.iloc[rng.permutation(len(events))].reset_index(drop=True),
    )


def _first(events: pd.DataFrame, last: bool = False) -> pd.DataFrame:
    """Each event once, at its earliest time stamp, or at its last."""
    return events.sort_values("timestamp", ascending=not last).drop_duplicates("event_id")


def _first_of_each_side(candidates: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Each event at its earliest time stamp before the decision of its pair, and at its earliest after it."""
    both = candidates[[*PAIR, "decided"]].merge(events, on=PAIR).sort_values("timestamp")
    both["side"] = both["timestamp"] < both["decided"]
    return both.drop_duplicates(["event_id", "side"])[events.columns]


def _count(candidates: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Return the number of rows of each candidate."""
    pairs = pd.MultiIndex.from_frame(candidates[PAIR])
    return rows.groupby(PAIR).size().reindex(pairs, fill_value=0).to_numpy()


def _table(
    candidates: pd.DataFrame, events: pd.DataFrame, *, days: float = 7.0, ends: tuple[bool, bool] = (False, False)
) -> np.ndarray:
    """Three columns by each row's own clock; `ends`: is time zero before, is the end inside."""
    both = candidates[[*PAIR, "decided"]].merge(events, on=PAIR)
    at, zero, end = both["timestamp"], both["decided"], both["decided"] + days * DAY
    before = (at < zero) | (ends[0] & (at == zero))
    inside = ~before & ((at < end) | (ends[1] & (at == end)))
    views = _count(candidates, both[before & (both["event"] == "view")])
    happened = (_count(candidates, both[inside & (both["event"] == kind)]) for kind in ("display", "consume"))
    return np.column_stack([views, *(n.clip(max=1) for n in happened)])


def _columns(got: object, candidates: pd.DataFrame, _events: pd.DataFrame) -> np.ndarray:
    """Return the three columns of an answer, if it has one row a candidate."""
    if not isinstance(got, pd.DataFrame) or not set(COLUMNS) <= set(got.columns):
        raise Wrong(f"Return a data frame: the candidates with the columns {', '.join(COLUMNS)}.")
    if len(got) < len(candidates):
        raise Wrong(
            f"Of ten candidates {len(got)} are left. A pair without events has a row, too: start from the "
            "candidates, and fill what the log doesn't mention with 0."
        )
    if len(got) > len(candidates):
        raise Wrong("There are more rows than candidates: one row a pair, events are counted and not listed.")
    if set(PAIR) <= set(got.columns) and (got[PAIR].to_numpy() != candidates[PAIR].to_numpy()).any():
        raise Wrong("The rows are in another order than the candidates: start from the candidates and add columns.")
    if got[COLUMNS].select_dtypes(["number", "bool"]).shape != (len(candidates), len(COLUMNS)):
        raise Wrong("The three new columns hold numbers: a count of looks, and 0 or 1 for display and purchase.")
    return got[COLUMNS].to_numpy()


@exercise("concepts/02.1", task="Build a causal table for ten pairs, each by its own time zero.")
def check_ten_rows(answer: Answer) -> None:
    """Accept looks before, displays and purchases after each row's own decision, one row a candidate."""

    def make(rng: np.random.Generator) -> Draw:
        candidates, events = _log(rng)
        once = _first(events)
        known = {
            "These columns have one time zero for all pairs. Compare each event with the `decided` of its pair.": (
                _table(candidates.assign(decided=candidates["decided"].min()), once)
            ),
            "An event that was sent twice counts twice: keep one row of each event_id, the earliest.": (
                _table(candidates, events)
            ),
            "An event that was sent twice counts on both sides of time zero: keep one row of each event_id before "
            "you look at a clock.": _table(candidates, _first_of_each_side(candidates, events)),
            "A retry moved an event: keep the earliest row of each event_id, so sort by time first.": (
                _table(candidates, _first(events, last=True))
            ),
            "An event at `decided` itself is not known before it: strictly before.": (
                _table(candidates, once, ends=(True, False))
            ),
            "The end of the window is not included: earlier than `decided` plus seven days.": (
                _table(candidates, once, ends=(False, True))
            ),
            "The window has no end: treatment and outcome need the same seven days for every row.": (
                _table(candidates, once, days=999.0)
            ),
        }
        return (candidates, events), _table(candidates, once), known

    expect_on_draws(
        answer,
        make,
        read=_columns,
        hint="Take one pair and put its events on a time line with its own `decided`. Which of them lie before it, "
        "which in the seven days after, and which were sent twice?",
        recipe="For each candidate: looks before its own `decided`, a display and a purchase from `decided` on for "
        "seven days; each event_id once, at its earliest time stamp; rows in the order of the candidates.",
    )


def _ratings(rng: np.random.Generator, n: int = 18) -> pd.DataFrame:
    """Three items, ties in time, rows out of order."""
    return pd.DataFrame(
        {
            "item_id": rng.choice(["x", "y", "z"], n),
            "timestamp": ZERO + pd.to_timedelta(rng.integers(1, 8, n), unit="min"),
            "stars": rng.integers(1, 6, n).astype(float),
        }
    )


@exercise(
    "concepts/02.2", task="Return the mean of the strictly earlier ratings of the same item, NaN if there is none."
)
def check_mean_so_far(answer: Answer) -> None:
    """Accept the point-in-time mean, with NaN for the first ratings of an item."""

    def make(rng: np.random.Generator) -> Draw:
        df = _ratings(rng)
        same = df["item_id"].to_numpy()[:, None] == df["item_id"].to_numpy()
        at, stars = df["timestamp"].to_numpy(), df["stars"].to_numpy()

        def mean_over(rows: np.ndarray) -> np.ndarray:
            n = rows.sum(axis=1)
            return np.where(n > 0, rows @ stars / np.maximum(n, 1), np.nan)

        ordered = df.sort_values("timestamp", kind="stable")
        above = ordered.groupby("item_id")["stars"].transform(lambda s: s.expanding().mean().shift())
        want = mean_over(same & (at < at[:, None]))
        known = {
            "That is the mean over the whole data set: it holds the future and the row's own stars.": mean_over(same),
            "Leaving out the row itself is not enough: the mean still holds the future.": (
                mean_over(same & ~np.eye(len(df), dtype=bool))
            ),
            "Each mean holds the row's own stars, or others of the same second: strictly earlier.": (
                mean_over(same & (at <= at[:, None]))
            ),
            "That is the mean of the rows above in time order. Rows of the same second stand above each other by "
            "accident and are not earlier.": above.reindex(df.index).to_numpy(),
            "The first ratings of an item have no mean yet: NaN, not zero.": np.nan_to_num(want),
        }
        return (df,), want, known

    expect_on_draws(
        answer,
        make,
        hint="Which ratings of the same item had been given when this one was? Look at the clock, not at the order "
        "of the rows.",
        recipe="For each row average the stars of rows with the same item_id and an earlier timestamp; NaN if there "
        "are none. Return them in the order of the rows.",
    )


@exercise("concepts/02.3", task="Return the bias among the kept rows and the change of their average effect.")
def check_bias_and_shift(answer: Answer) -> None:
    """Accept the bias against the kept rows' own effect, and the difference of the two truths."""

    def make(rng: np.random.Generator) -> Draw:
        y0, y1 = draws.both_outcomes(rng, 200)
        t = rng.integers(0, 2, 200)
        y = np.where(t == 1, y1, y0)
        keep = (y == 1) | (rng.random(200) < 0.4)
        estimate = y[keep & (t == 1)].mean() - y[keep & (t == 0)].mean()
        own, every = (y1 - y0)[keep].mean(), (y1 - y0).mean()
        known = {
            "The first number compares with the effect over all rows: bias and change of population, mixed.": (
                [estimate - every, own - every]
            ),
            "The signs are turned: estimate minus truth, kept minus all.": [own - estimate, every - own],
            "These are the estimate and the truth of the kept rows; the task asks for differences.": [estimate, own],
            "The numbers are in the other order: first the bias, then the change.": [own - every, estimate - own],
        }
        return (y0, y1, t, keep), [estimate - own, own - every], known

    expect_on_draws(
        answer,
        make,
        hint="There are three numbers here: an estimate, and two truths. Which two does a bias compare, and which "
        "two a change of population?",
        recipe="The estimate uses the observed outcome of the kept rows. Subtract the average of y1 - y0 over the "
        "kept rows for the first number; subtract the average over all rows from that for the second.",
    )


def _strata(rng: np.random.Generator) -> pd.DataFrame:
    """Three strata with different shares of displays, and outcomes that go with the stratum."""
    stratum = np.repeat([0, 1, 2], rng.integers(30, 120, 3))
    n = len(stratum)
    exposed = (rng.random(n) < np.array([0.2, 0.5, 0.8])[stratum]).astype(int)
    before = (rng.random(n) < np.array([0.1, 0.3, 0.6])[stratum]).astype(int)
    after = np.maximum(before, rng.random(n) < 0.1 + 0.3 * exposed).astype(int)
    df = pd.DataFrame({"exposed": exposed, "consumed": after, "consumed_before": before, "stratum": stratum})
    return df.iloc[rng.permutation(n)].reset_index(drop=True)


def _stratified(df: pd.DataFrame, outcome: str, weight: str = "rows", pooled: bool = False) -> list[float]:
    """Answer of the stratified pipeline and 2.8 standard errors, or what a slip makes of them."""
    y, t = df[outcome].to_numpy(float), df["exposed"].to_numpy(float)
    stratum = df["stratum"].to_numpy() * (not pooled)
    answer = variance = 0.0
    for s in np.unique(stratum):
        here = stratum == s
        shown, other = y[here & (t == 1)], y[here & (t == 0)]
        w = {"rows": here.mean(), "shown": len(shown) / t.sum(), "equal": 1 / 3}[weight]
        answer += float(w * (shown.mean() - other.mean()))
        variance += float(w**2 * (shown.var(ddof=1) / len(shown) + other.var(ddof=1) / len(other)))
    return [answer, 2.8 * variance**0.5]


@exercise(
    "concepts/02.4", task="Return the placebo effect of a stratified pipeline, and the fault that it would find."
)
def check_placebo_alarm(answer: Answer) -> None:
    """Accept the stratified difference of the earlier week and 2.8 of its standard errors."""

    def make(rng: np.random.Generator) -> Draw:
        df = _strata(rng)
        effect, fault = want = _stratified(df, "consumed_before")
        known = {
            "That is the pipeline run on the outcome. A display can have moved `consumed`; a placebo is what it "
            "can't have moved.": _stratified(df, "consumed"),
            "That is the plain difference: it holds the strata's own differences. The alarm must go through the "
            "whole pipeline, adjustment included.": _stratified(df, "consumed_before", pooled=True),
            "These weights are the shown rows' shares of the strata; the pipeline averages over all rows.": (
                _stratified(df, "consumed_before", weight="shown")
            ),
            "All strata count alike here; weight each by its share of the rows.": (
                _stratified(df, "consumed_before", weight="equal")
            ),
            "The half-width of the interval is what is found in one of two data sets. Four of five take 2.8 standard "
            "errors.": [effect, fault * 1.96 / 2.8],
            "The second number is one standard error; how many does it take to be found in four of five?": (
                [effect, fault / 2.8]
            ),
        }
        return (df,), want, known

    expect_on_draws(
        answer,
        make,
        hint="Which column can a display not have moved? Send that one through the whole pipeline: strata, weights "
        "and standard error.",
        recipe="Take the difference in means of consumed_before within each stratum, weight it by the stratum's "
        "share of all rows, and add up w squared times (v1/n1 + v0/n0); the second number is 2.8 times "
        "that sum's root.",
    )


@exercise("concepts/02.5", task="Mend the interest column: count the views that were known at the decision.")
def check_interest(answer: Answer) -> None:
    """Accept distinct views before zero, one count a candidate in the candidates' order."""

    def make(rng: np.random.Generator) -> Draw:
        candidates, events = _log(rng, one_clock=True)
        views = events[events["event"] == "view"]
        once, earlier = _first(views), views[views["timestamp"] < ZERO]
        known = {
            "These views reach into the outcome's window: display and purchase lead to them. Stop at zero.": (
                _count(candidates, once[once["timestamp"] < ZERO + 7 * DAY])
            ),
            "A view at time zero itself is not known before the decision: use < zero.": (
                _count(candidates, once[once["timestamp"] <= ZERO])
            ),
            "These are the views after the decision, the very ones to leave out.": (
                _count(candidates, once[once["timestamp"] >= ZERO])
            ),
            "A view that was sent twice counts twice: keep drop_duplicates('event_id').": _count(candidates, earlier),
            "These are events of all kinds; interest is the number of views.": (
                _count(candidates, _first(events[events["timestamp"] < ZERO]))
            ),
        }
        return (candidates[PAIR], events, ZERO), _count(candidates, once[once["timestamp"] < ZERO]), known

    expect_on_draws(
        answer,
        make,
        hint="A covariate is known before the decision. Which of these views could have been caused by the display?",
        recipe="Keep events with a timestamp before zero, count each view once, and give pairs without a view a 0.",
    )
