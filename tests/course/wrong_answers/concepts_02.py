"""Plausible wrong answers to the exercises of concepts/02_behaviour_data, each refused with a hint of its own."""

import numpy as np
import pandas as pd

WEEK = pd.Timedelta(days=7)
PAIR = ["user_id", "item_id"]


def _columns(candidates, both):
    before = both["timestamp"] < both["decided"]
    inside = ~before & (both["timestamp"] < both["decided"] + WEEK)
    kinds = {"views_before": (before, "view"), "exposed": (inside, "display"), "consumed": (inside, "consume")}
    pairs = pd.MultiIndex.from_frame(candidates[PAIR])
    count = {
        name: both[rows & (both["event"] == kind)].groupby(PAIR).size().reindex(pairs, fill_value=0).to_numpy()
        for name, (rows, kind) in kinds.items()
    }
    return candidates.assign(**{c: n if c == "views_before" else n.clip(max=1) for c, n in count.items()})


def _first_rows(events):
    return events.sort_values("timestamp").drop_duplicates("event_id")


def _only_pairs_of_the_log(candidates, events):
    once = _first_rows(events)
    seen = candidates.merge(once[PAIR].drop_duplicates(), on=PAIR)
    return _columns(seen, seen.merge(once, on=PAIR))


def _one_time_zero(candidates, events):
    first = candidates.assign(decided=candidates["decided"].min())
    return _columns(first, first.merge(_first_rows(events), on=PAIR))


def _whole_rows(candidates, events):
    return _columns(candidates, candidates.merge(events.drop_duplicates(), on=PAIR))


def _window_first(candidates, events):
    both = candidates.merge(events, on=PAIR).sort_values("timestamp")
    both["side"] = both["timestamp"] < both["decided"]
    return _columns(candidates, both.drop_duplicates(["event_id", "side"]))


def _no_end(candidates, events):
    both = candidates.merge(_first_rows(events), on=PAIR)
    both["timestamp"] = both["timestamp"].clip(upper=both["decided"])
    return _columns(candidates, both)


def _whole_mean(ratings):
    return ratings.groupby("item_id")["stars"].transform("mean").to_numpy()


def _leave_one_out(ratings):
    by = ratings.groupby("item_id")["stars"]
    return ((by.transform("sum") - ratings["stars"]) / (by.transform("size") - 1)).to_numpy()


def _includes_itself(ratings):
    at = ratings.groupby(["item_id", "timestamp"])["stars"].agg(["sum", "size"]).groupby("item_id").cumsum()
    mean = (at["sum"] / at["size"]).rename("mean").reset_index()
    return ratings[["item_id", "timestamp"]].merge(mean, how="left")["mean"].to_numpy()


def _ties_are_earlier(ratings):
    ordered = ratings.sort_values("timestamp", kind="stable")
    mean = ordered.groupby("item_id")["stars"].transform(lambda s: s.expanding().mean().shift())
    return mean.reindex(ratings.index).to_numpy()


def _parts(y0, y1, t, keep):
    y, gain = np.where(t == 1, y1, y0), y1 - y0
    return y[keep & (t == 1)].mean() - y[keep & (t == 0)].mean(), gain[keep].mean(), gain.mean()


def _against_all(y0, y1, t, keep):
    est, own, every = _parts(y0, y1, t, keep)
    return est - every, own - every


def _turned(y0, y1, t, keep):
    est, own, every = _parts(y0, y1, t, keep)
    return own - est, every - own


def _no_differences(y0, y1, t, keep):
    return _parts(y0, y1, t, keep)[:2]


def _by_stratum(table, outcome, weights):
    shown, other = (table[table["exposed"] == t].groupby("stratum")[outcome] for t in (1, 0))
    w = weights / weights.sum()
    error = (w**2 * (shown.var() / shown.size() + other.var() / other.size())).sum() ** 0.5
    return (w * (shown.mean() - other.mean())).sum(), error


def _the_outcome_itself(table):
    value, error = _by_stratum(table, "consumed", table["stratum"].value_counts())
    return value, 2.8 * error


def _no_strata(table):
    value, error = _by_stratum(table.assign(stratum=0), "consumed_before", pd.Series([1.0], index=[0]))
    return value, 2.8 * error


def _weights_of_the_shown(table):
    value, error = _by_stratum(table, "consumed_before", table.groupby("stratum")["exposed"].sum())
    return value, 2.8 * error


def _half_width(table):
    value, error = _by_stratum(table, "consumed_before", table["stratum"].value_counts())
    return value, 1.96 * error


def _views(candidates, events):
    views = events[events["event"] == "view"].groupby(PAIR).size()
    return views.reindex(pd.MultiIndex.from_frame(candidates[PAIR]), fill_value=0).to_numpy()


def _as_printed(candidates, events, zero):
    return _views(candidates, events[events["timestamp"] < zero + WEEK].drop_duplicates("event_id"))


def _up_to_zero(candidates, events, zero):
    return _views(candidates, events[events["timestamp"] <= zero].drop_duplicates("event_id"))


def _retries_count(candidates, events, zero):
    return _views(candidates, events[events["timestamp"] < zero])


WRONG = {
    "concepts/02.1": [_only_pairs_of_the_log, _one_time_zero, _whole_rows, _window_first, _no_end],
    "concepts/02.2": [_whole_mean, _leave_one_out, _includes_itself, _ties_are_earlier],
    "concepts/02.3": [_against_all, _turned, _no_differences],
    "concepts/02.4": [_the_outcome_itself, _no_strata, _weights_of_the_shown, _half_width],
    "concepts/02.5": [_as_printed, _up_to_zero, _retries_count],
}
