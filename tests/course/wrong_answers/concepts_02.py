"""Plausible wrong answers to the exercises of concepts/02_behaviour_data, each refused with a hint of its own."""

import numpy as np
import pandas as pd

WEEK = pd.Timedelta(days=7)
PAIR = ["user_id", "item_id"]


def _whole_rows(events, zero):
    buys = events[events["event"] == "consume"].drop_duplicates()
    return int(((buys["timestamp"] >= zero) & (buys["timestamp"] < zero + WEEK)).sum())


def _window_first(events, zero):
    inside = events[(events["timestamp"] >= zero) & (events["timestamp"] < zero + WEEK)]
    return inside[inside["event"] == "consume"]["event_id"].nunique()


def _all_time(events, zero):
    return events[events["event"] == "consume"]["event_id"].nunique()


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
    "concepts/02.1": [_whole_rows, _window_first, _all_time],
    "concepts/02.2": [_whole_mean, _leave_one_out, _includes_itself, _ties_are_earlier],
    "concepts/02.3": [_against_all, _turned, _no_differences],
    "concepts/02.4": [_as_printed, _up_to_zero, _retries_count],
}
