"""The tools that turn raw events into a causal table: against slow twins, by hand, and under bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from causalrec_lib import behaviour
from causalrec_lib.data.week import Dirt, raw_week
from causalrec_lib.data.world import make_world

ZERO = pd.Timestamp("2025-03-03")
MINUTE = pd.Timedelta(minutes=1)


def events(rows):
    """Events from (id, minutes after the decision, user, item, kind)."""
    df = pd.DataFrame(rows, columns=["event_id", "minutes", "user_id", "item_id", "event"])
    return df.assign(timestamp=ZERO + pd.to_timedelta(df["minutes"], unit="min")).drop(columns="minutes")


PAIRS = pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "age": [30, 30, 40]})
RAW = events(
    [
        ("e1", -60, "a", "x", "view"), ("e2", -50, "a", "x", "consume"), ("e3", 0, "a", "x", "display"),
        ("e4", 30, "a", "x", "consume"), ("e4", 31, "a", "x", "consume"), ("e5", 40, "a", "x", "consume"),
        ("e6", -1, "a", "y", "display"), ("e7", 7 * 1440, "a", "y", "consume"), ("e8", 9, "b", "z", "display"),
    ]
)  # fmt: skip


# Table ------------------------------------------------------------------------------------------------------------


def test_the_table_keeps_pairs_without_events_and_looks_at_the_right_side_of_time_zero():
    got = behaviour.causal_table(PAIRS, RAW, ZERO)
    assert list(got["views_before"]) == [1, 0, 0]
    assert list(got["consumed_before"]) == [1, 0, 0]
    assert list(got["exposed"]) == [1, 0, 0]  # a display at time zero counts, one before it does not
    assert list(got["consumed"]) == [1, 0, 0]  # the end of the window is open
    assert list(got["age"]) == [30, 30, 40]


def test_the_length_of_the_window_counts():
    got = behaviour.causal_table(PAIRS, RAW, ZERO, days=8)
    assert list(got["consumed"]) == [1, 1, 0]


def test_an_event_sent_twice_happens_when_it_was_first_sent():
    raw = events([("e1", 5, "b", "x", "consume"), ("e1", -5, "b", "x", "consume")])
    got = behaviour.causal_table(PAIRS, raw, ZERO)
    assert got["consumed_before"].iloc[2] == 1
    assert got["consumed"].iloc[2] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_order_nor_retries_of_events_change_the_table(seed):
    rng = np.random.default_rng(seed)
    again = RAW.sample(3, random_state=seed)
    again = again.assign(timestamp=again["timestamp"] + pd.Timedelta(seconds=20))
    mixed = pd.concat([RAW, again]).iloc[rng.permutation(len(RAW) + 3)]
    pd.testing.assert_frame_equal(
        behaviour.causal_table(PAIRS, mixed, ZERO), behaviour.causal_table(PAIRS, RAW, ZERO)
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20_000), st.sampled_from(["display", "view", "consume"]))
def test_what_happens_after_the_decision_never_reaches_a_covariate(minutes, kind):
    late = pd.concat([RAW, events([("new", minutes, "b", "x", kind)])])
    before = ["age", "views_before", "consumed_before"]
    pd.testing.assert_frame_equal(
        behaviour.causal_table(PAIRS, late, ZERO)[before], behaviour.causal_table(PAIRS, RAW, ZERO)[before]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": PAIRS.drop(columns="item_id")}, "candidates"),
        ({"candidates": pd.concat([PAIRS, PAIRS.head(1)])}, "candidates lists a pair twice in row 3"),
        ({"candidates": PAIRS.head(0)}, "candidates"),
        ({"events": RAW.drop(columns="event_id")}, "event_id"),
        ({"events": RAW.assign(timestamp=RAW["timestamp"].where(RAW.index != 2))}, "no timestamp in row 2"),
        ({"events": RAW.assign(timestamp=np.arange(len(RAW)))}, "to_datetime"),
        ({"decision": ZERO.tz_localize("UTC")}, "time zone"),
        ({"decision": "2025-03-03"}, "Timestamp"),
        ({"days": 0}, "days"),
        ({"days": 1.5}, "days"),
    ],
)
def test_the_table_refuses_bad_input(change, message):
    good = {"candidates": PAIRS, "events": RAW, "decision": ZERO, "days": 7}
    with pytest.raises(ValueError, match=message):
        behaviour.causal_table(**(good | change))


# Sessions and bots --------------------------------------------------------------------------------------------------


def slow_sessions(df, gap):
    """Walk through each user's events one by one."""
    out, number = {}, -1
    for _, mine in df.groupby("user_id", sort=False):
        last = None
        for k, row in mine.sort_values("timestamp").iterrows():
            number += last is None or row["timestamp"] - last > gap
            out[k], last = number, row["timestamp"]
    return pd.Series(out).reindex(df.index)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), min_size=1, max_size=40),
    st.integers(1, 90),
)
def test_sessions_are_those_of_a_walk_through_the_events(rows, minutes):
    df = pd.DataFrame(rows, columns=["user_id", "m"])
    df["timestamp"] = ZERO + pd.to_timedelta(df["m"], unit="min")
    gap = minutes * MINUTE
    got, want = behaviour.sessionise(df, gap), slow_sessions(df, gap)
    assert (pd.crosstab(got, want) > 0).sum().eq(1).all()
    assert got.nunique() == want.nunique()
    coarse = behaviour.sessionise(df, 2 * gap)
    assert coarse.groupby(got).nunique().eq(1).all()  # a longer gap only joins sessions


def test_a_pause_of_exactly_the_gap_ends_no_session_and_labels_of_any_kind_do():
    df = pd.DataFrame({"user_id": ["a", "a", "a"], "timestamp": ZERO + MINUTE * np.array([0, 30, 61])})
    want = [0, 0, 1]
    for kind in (object, "string", "category"):
        assert list(behaviour.sessionise(df.astype({"user_id": kind}), 30 * MINUTE)) == want


@pytest.mark.parametrize("gap", [pd.Timedelta(0), -MINUTE, 30, None, pd.NaT])
def test_a_gap_is_a_positive_time(gap):
    with pytest.raises(ValueError, match="gap"):
        behaviour.sessionise(RAW, gap)


def test_sessions_refuse_an_event_of_nobody():
    with pytest.raises(ValueError, match="user_id of events has no label in row 1"):
        behaviour.sessionise(RAW.assign(user_id=RAW["user_id"].where(RAW.index != 1)), MINUTE)


def test_fast_users_are_those_above_the_pace():
    df = pd.DataFrame(
        {"user_id": ["a"] * 5 + ["b"] * 5, "timestamp": [ZERO] * 5 + [ZERO + MINUTE * k for k in range(5)]}
    )
    assert list(behaviour.fast_users(df, 4)) == ["a"]
    assert list(behaviour.fast_users(df, 5)) == []


@pytest.mark.parametrize("limit", [0, -1, 2.0, True, "10"])
def test_the_pace_is_a_positive_whole_number(limit):
    with pytest.raises(ValueError, match="per_minute"):
        behaviour.fast_users(RAW, limit)


# History ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=40))
def test_history_is_that_of_a_double_loop(rows):
    df = pd.DataFrame(rows, columns=["item_id", "m", "stars"], index=range(5, 5 + len(rows)))
    df["timestamp"] = ZERO + pd.to_timedelta(df["m"], unit="min")
    got = behaviour.history(df, "item_id", "stars")
    for k, row in df.iterrows():
        earlier = df.loc[(df["item_id"] == row["item_id"]) & (df["m"] < row["m"]), "stars"]
        assert got.loc[k, "count"] == len(earlier)
        assert np.isclose(got.loc[k, "mean"], earlier.mean(), equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 19), st.floats(-100, 100))
def test_history_never_reads_the_row_itself_or_a_later_one(row, value):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"item_id": rng.choice(list("xy"), 20), "stars": rng.normal(size=20)})
    df["timestamp"] = ZERO + MINUTE * np.arange(20)
    changed = df.assign(stars=df["stars"].where(df.index != row, value))
    a, b = (behaviour.history(d, "item_id", "stars").iloc[: row + 1] for d in (df, changed))
    pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize(
    ("stars", "message"), [([1, np.nan, 3], "stars of rows has NaN values in row 1"), (["a", "b", "c"], "stars")]
)
def test_history_refuses_values_that_are_none(stars, message):
    df = pd.DataFrame({"item_id": list("xxy"), "stars": stars, "timestamp": ZERO})
    with pytest.raises(ValueError, match=message):
        behaviour.history(df, "item_id", "stars")


# A/A tests ----------------------------------------------------------------------------------------------------------


def clustered(n_units=200, seed=0):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), rng.integers(1, 40, n_units))
    return rng.normal(size=n_units)[unit] + rng.normal(size=len(unit)), unit


def test_p_values_by_unit_are_uniform_and_by_row_are_not():
    y, unit = clustered()
    right = behaviour.aa_p_values(y, unit, 600, np.random.default_rng(1))
    wrong = behaviour.aa_p_values(y, unit, 600, np.random.default_rng(1), by_unit=False)
    assert kstest(right, "uniform").pvalue > 0.01
    assert kstest(wrong, "uniform").pvalue < 1e-6
    assert 0.02 < (right < 0.05).mean() < 0.085 < 0.4 < (wrong < 0.05).mean()


def test_one_row_a_unit_gives_the_test_of_rows():
    y = np.random.default_rng(3).normal(size=400)
    a = behaviour.aa_p_values(y, np.arange(400), 50, np.random.default_rng(1))
    b = behaviour.aa_p_values(y, np.arange(400), 50, np.random.default_rng(1), by_unit=False)
    assert np.allclose(a, b)


def test_names_of_units_do_not_matter_and_a_constant_is_no_difference():
    y, unit = clustered(40)
    names = np.array([f"u{k}" for k in unit], dtype=object)
    a, b = (behaviour.aa_p_values(y, u, 20, np.random.default_rng(1)) for u in (unit, names))
    assert np.array_equal(a, b)
    assert (behaviour.aa_p_values(np.ones(len(unit)), unit, 5, np.random.default_rng(1)) == 1).all()


@pytest.mark.parametrize(
    ("y", "unit", "n", "message"),
    [
        ([1.0, np.nan, 2, 3], [1, 2, 3, 4], 5, "outcome has NaN"),
        ([1.0, 2, 2, 3], [1, 2, 3], 5, "unit has 3 rows"),
        ([1.0, 2, 2, 3], [1, 1, 2, 3], 5, "at least four units"),
        ([1.0, 2, 2, 3], ["a", "b", None, "d"], 5, "unit has no label in row 2"),
        ([1.0, 2, 2, 3], [1, 2, 3, 4], 0, "n_splits"),
        ([], [], 5, "outcome is empty"),
    ],
)
def test_aa_refuses_bad_input(y, unit, n, message):
    with pytest.raises(ValueError, match=message):
        behaviour.aa_p_values(y, unit, n, np.random.default_rng(0))


# The raw week -------------------------------------------------------------------------------------------------------

WORLD = make_world(n_users=120, n_items=80, seed=3, text="templates")


@pytest.fixture(scope="module")
def week():
    return raw_week(WORLD, 6_000, seed=7)


def on_server_clock(week):
    return week.events.assign(timestamp=week.events["received"])


def test_cleaning_gives_back_the_table_that_the_world_wrote(week):
    table = behaviour.causal_table(week.candidates, on_server_clock(week), week.decision)
    table = table[~table["user_id"].isin(behaviour.fast_users(on_server_clock(week), 20))]
    both = table.merge(week.pairs, on=behaviour.KEY, suffixes=("", "_true"))
    assert len(both) == len(table) == len(week.pairs)
    assert (both["exposed"] == both["exposed_true"]).all()
    assert (both["consumed"] == both["consumed_true"]).all()


def test_the_pace_finds_all_crawlers_and_nobody_else(week):
    assert set(behaviour.fast_users(on_server_clock(week), 20)) == set(week.bots)
    assert len(week.bots) == 12


def test_the_week_has_the_dirt_that_it_says(week):
    ev = week.events
    assert ev["received"].is_monotonic_increasing
    twice = ev[ev.duplicated("event_id")]
    assert set(twice["event"]) == {"consume"}
    assert not ev.duplicated().any()  # a retry is no copy of the row: its time differs
    behind = ev["received"] - ev["timestamp"]
    assert (behind[ev["event"] == "display"] == pd.Timedelta(0)).all()
    assert pd.Timedelta(0) < behind.max() <= pd.Timedelta(days=2)
    slow = behind.gt(pd.Timedelta(0)).groupby(ev["user_id"]).any()
    assert 0.05 < slow.mean() < 0.3


def test_a_clean_week_is_clean():
    clean = raw_week(WORLD, 2_000, seed=7, dirt=Dirt(bots=0, retry=0.0, slow_clock=0.0))
    assert clean.bots == frozenset()
    assert not clean.events.duplicated("event_id").any()
    assert (clean.events["timestamp"] == clean.events["received"]).all()


def test_one_seed_one_week(week):
    again = raw_week(WORLD, 6_000, seed=7)
    pd.testing.assert_frame_equal(again.events, week.events)
    pd.testing.assert_frame_equal(again.candidates, week.candidates)
    assert not raw_week(WORLD, 6_000, seed=8).events.equals(week.events)
