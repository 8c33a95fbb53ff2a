"""From raw events to a causal table: sessions, bots, features as they were known at the time, an A/A test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from causalrec_lib import _validate

KEY = ["user_id", "item_id"]
EVENTS = ("event_id", "timestamp", "user_id", "item_id", "event")
KINDS = ("display", "view", "consume")


def _events(events: pd.DataFrame, columns: Sequence[str] = EVENTS, name: str = "events") -> pd.DataFrame:
    _validate.frame(events, name, columns)
    if not pd.api.types.is_datetime64_any_dtype(events["timestamp"]):
        raise ValueError(f"{name} has timestamps of type {events['timestamp'].dtype}; use pandas.to_datetime first.")
    late = events["timestamp"].isna().to_numpy()
    if late.any():
        raise ValueError(f"{name} has no timestamp in {_validate.rows(late)}; an event without a time has no place.")
    return events


def _present(df: pd.DataFrame, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Refuse missing labels: pandas would drop such rows, or take them for one and the same."""
    for column in columns:
        missing = df[column].isna().to_numpy()
        if missing.any():
            raise ValueError(
                f"{name} has no {column} in {_validate.rows(missing)}; drop these rows, or give them a label."
            )
    return df


def _places(candidates: pd.DataFrame, events: pd.DataFrame) -> NDArray[np.int64]:
    """Return the row of each event's pair among the candidates, -1 where it is none of them."""
    n, code = len(candidates), np.zeros(len(candidates) + len(events), dtype=np.int64)
    for key in KEY:
        both = np.concatenate([df[key].to_numpy(dtype=object) for df in (candidates, events)])
        label = _validate.labels(both, f"{key} of candidates and events", len(both))
        code = code * (label.max() + 1) + label
    twice = pd.Series(code[:n]).duplicated().to_numpy()
    if twice.any():
        raise ValueError(f"candidates lists a pair twice in {_validate.rows(twice)}; one row a pair.")
    return pd.Index(code[:n]).get_indexer(code[n:]).astype(np.int64)


def sessionise(events: pd.DataFrame, gap: pd.Timedelta) -> pd.Series:
    """Cut each user's events into sessions where nothing happened for longer than a gap.

    Parameters
    ----------
    events : pandas.DataFrame of shape (n, k)
        Columns `user_id` and `timestamp`, in any order.
    gap : pandas.Timedelta
        A pause longer than this starts a new session.

    Returns
    -------
    pandas.Series of shape (n,)
        Session number, on the index of `events`; numbers run over all users.

    Raises
    ------
    ValueError
        If a column is missing, a timestamp is absent or `gap` is not positive.

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """
    _events(events, ("user_id", "timestamp"))
    if not isinstance(gap, pd.Timedelta) or not gap > pd.Timedelta(0):
        raise ValueError(f"gap must be a positive Timedelta, but is {gap!r}; for example pd.Timedelta(minutes=30).")
    user = _validate.labels(events["user_id"], "user_id of events", len(events))
    time = events["timestamp"].to_numpy()
    place = np.lexsort((time, user))
    pause = events["timestamp"].iloc[place].diff().to_numpy() > gap.to_timedelta64()
    new = pause | np.r_[True, np.diff(user[place]) != 0]
    number = np.empty(len(events), dtype=np.int64)
    number[place] = np.cumsum(new) - 1
    return pd.Series(number, index=events.index, name="session")


def fast_users(events: pd.DataFrame, per_minute: int) -> pd.Index:
    """Return the users who ever sent more events in one clock minute than a person can.

    Parameters
    ----------
    events : pandas.DataFrame of shape (n, k)
        Columns `user_id` and `timestamp`.
    per_minute : int
        Largest believable number of events in one minute.

    Returns
    -------
    pandas.Index
        User ids, sorted.

    Raises
    ------
    ValueError
        If a column is missing, a timestamp or a user is absent or `per_minute` is no positive whole number.

    Notes
    -----
    The rule looks at pace, not at how much somebody consumed: a rule on the amount would select on the outcome.
    Chapter: concepts/02_behaviour_data
    """
    _present(_events(events, ("user_id", "timestamp")), "events", ("user_id",))
    limit = _validate.integer(per_minute, "per_minute", 1)
    pace = events.groupby(["user_id", events["timestamp"].dt.floor("min")], observed=True).size()
    return pd.Index(sorted(pace[pace > limit].index.get_level_values("user_id").unique()), name="user_id")


def causal_table(
    candidates: pd.DataFrame, events: pd.DataFrame, decision: pd.Timestamp, days: int = 7
) -> pd.DataFrame:
    """Build the table of a causal question: covariates before the decision, treatment at it, outcome after it.

    Parameters
    ----------
    candidates : pandas.DataFrame of shape (n, k)
        One row a user-item pair that could have been shown; `user_id`, `item_id` and what was known at the decision.
    events : pandas.DataFrame of shape (m, l)
        Raw events; `event_id` repeats where an event was sent twice. Kinds: display, view, consume;
        others are left out.
    decision : pandas.Timestamp
        Time zero, the same for every pair.
    days : int
        Length of the outcome window (days from the decision).

    Returns
    -------
    pandas.DataFrame of shape (n, k + 4)
        The candidates with `views_before`, `consumed_before` (0/1), `exposed` (0/1) and `consumed` (0/1).

    Raises
    ------
    ValueError
        If a column or an id is missing, a pair is listed twice, no event has a known kind or belongs to a candidate,
        the decision is no time like the events' or the window is no positive whole number of days.

    Notes
    -----
    Chapter: concepts/02_behaviour_data

    References
    ----------
    bib: hernan2020causal
    """
    _present(_validate.frame(candidates, "candidates", KEY), "candidates", KEY)
    _present(_events(events), "events", ("event_id", *KEY, "event"))
    ev = events.sort_values("timestamp", kind="stable").drop_duplicates("event_id")
    if not isinstance(decision, pd.Timestamp) or (decision.tz is None) != (ev["timestamp"].dt.tz is None):
        raise ValueError(
            f"decision must be a Timestamp with a time zone if the events have one, but is {decision!r}."
        )
    end = decision + pd.Timedelta(days=_validate.integer(days, "days", 1))
    before, week = ev["timestamp"] < decision, (ev["timestamp"] >= decision) & (ev["timestamp"] < end)
    place = _places(candidates, ev)
    if (place < 0).all():
        raise ValueError("events has no row of any candidate; give user_id and item_id the same type in both.")
    if not ev["event"].isin(KINDS).any():
        raise ValueError(f"events has none of the kinds {', '.join(KINDS)}; rename its kinds.")

    def count(when: pd.Series, kind: str) -> NDArray[np.int64]:
        rows = when.to_numpy() & (ev["event"] == kind).to_numpy() & (place >= 0)
        return np.bincount(place[rows], minlength=len(candidates))

    return candidates.assign(
        views_before=count(before, "view"),
        consumed_before=np.minimum(count(before, "consume"), 1),
        exposed=np.minimum(count(week, "display"), 1),
        consumed=np.minimum(count(week, "consume"), 1),
    )


def history(rows: pd.DataFrame, label: str, value: str) -> pd.DataFrame:
    """Count and average, for each row, the earlier rows of the same label: a feature as it was known at the time.

    Parameters
    ----------
    rows : pandas.DataFrame of shape (n, k)
        Columns `timestamp`, `label` and `value`, in any order.
    label : str
        Column whose rows belong together, for example the item.
    value : str
        Column to average, any unit.

    Returns
    -------
    pandas.DataFrame of shape (n, 2)
        `count` and `mean` of the rows of that label with a strictly earlier timestamp, on the index of `rows`.
        Rows of the same time do not count; `mean` is NaN where nothing is earlier.

    Raises
    ------
    ValueError
        If a column is missing or holds missing values.

    Notes
    -----
    Chapter: concepts/02_behaviour_data

    References
    ----------
    bib: kaufman2012leakage
    """
    _events(rows, ("timestamp",), "rows")
    _validate.column(label, "label", rows, "rows")
    _validate.column(value, "value", rows, "rows")
    v = _validate.vector(rows[value], f"{value} of rows")
    code = _validate.labels(rows[label], f"{label} of rows", len(rows))
    time = rows["timestamp"].to_numpy()
    place = np.lexsort((time, code))
    new_label = np.r_[True, np.diff(code[place]) != 0]
    new_time = new_label | np.r_[True, time[place][1:] != time[place][:-1]]
    start_of = np.maximum.accumulate(np.where(new_label, np.arange(len(v)), 0))
    tie_of = np.maximum.accumulate(np.where(new_time, np.arange(len(v)), 0))
    total = np.r_[0.0, np.cumsum(v[place])]
    count = tie_of - start_of
    earlier = total[tie_of] - total[start_of]
    out = np.empty((len(v), 2))
    out[place] = np.column_stack([count, np.where(count > 0, earlier / np.maximum(count, 1), np.nan)])
    return pd.DataFrame({"count": out[:, 0].astype(np.int64), "mean": out[:, 1]}, index=rows.index)


def aa_p_values(
    outcome: ArrayLike, unit: ArrayLike, n_splits: int, rng: np.random.Generator, *, by_unit: bool = True
) -> NDArray[np.float64]:
    """Return the p-values of A/A tests: units split at random, nothing done to either half.

    Parameters
    ----------
    outcome : array_like of shape (n,)
        Y of each row.
    unit : array_like of shape (n,)
        The unit that is randomised, for example the user of each row.
    n_splits : int
        Number of splits.
    rng : numpy.random.Generator
        Draws the splits.
    by_unit : bool
        Standard errors by unit (right), or as if rows were independent (the usual mistake).

    Returns
    -------
    ndarray of shape (n_splits,)
        Two-sided p-values of the difference in means over rows.

    Raises
    ------
    ValueError
        If shapes differ, the outcome is missing somewhere, there are fewer than four units or `rng` is no generator.

    Notes
    -----
    The difference is a ratio of sums, so its error by unit is that of the linearised sums (the delta method).
    Chapter: concepts/02_behaviour_data

    References
    ----------
    bib: kohavi2020trustworthy
    """
    y = _validate.vector(outcome, "outcome")
    code = _validate.labels(unit, "unit", len(y), "outcome")
    _validate.generator(rng, "rng")
    _validate.flag(by_unit, "by_unit")
    units = int(code.max()) + 1
    if units < 4:
        raise ValueError(f"unit has {units} values; an A/A test needs at least four units to split.")
    rows, total, square = (np.bincount(code, w) for w in (np.ones_like(y), y, y * y))
    p = np.empty(_validate.integer(n_splits, "n_splits", 1))
    half = np.arange(units) % 2 == 0
    for s in range(len(p)):
        arm = rng.permutation(half)
        mean, var = np.empty(2), np.empty(2)
        for j, mine in enumerate((arm, ~arm)):
            n, k = rows[mine].sum(), int(mine.sum())
            mean[j] = total[mine].sum() / n
            residual = total[mine] - mean[j] * rows[mine]
            by_rows = square[mine].sum() / n - mean[j] ** 2
            var[j] = (residual**2).sum() / n**2 * k / (k - 1) if by_unit else by_rows / (n - 1)
        p[s] = 2 * norm.sf(abs(mean[0] - mean[1]) / np.sqrt(var.sum())) if var.sum() > 0 else 1.0
    return p
