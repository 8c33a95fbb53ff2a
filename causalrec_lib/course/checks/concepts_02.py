"""Checks of the exercises of concepts/02_behaviour_data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib.course.check import Answer, call, exercise, expect_close

ZERO = pd.Timestamp("2025-03-03")
PAIR = ["user_id", "item_id"]


def _events() -> pd.DataFrame:
    """A small log: a retry across time zero, one across the end, one within, an edge on either side."""
    rows = [
        ("e1", -3.0, "a", "x", "view"), ("e2", -2.0, "a", "x", "consume"), ("e3", 0.5, "a", "x", "shelf"),
        ("e4", 1.0, "a", "x", "consume"), ("e4", 1.001, "a", "x", "consume"), ("e5", -0.001, "b", "x", "consume"),
        ("e5", 0.001, "b", "x", "consume"), ("e6", 6.999, "b", "y", "consume"), ("e6", 7.001, "b", "y", "consume"),
        ("e7", 0.0, "c", "x", "consume"), ("e8", 7.0, "c", "y", "consume"), ("e9", 2.0, "a", "y", "view"),
        ("f1", -1.0, "b", "x", "view"), ("f1", -0.999, "b", "x", "view"), ("f2", 0.0, "a", "x", "view"),
        ("f3", 3.0, "a", "x", "view"), ("f4", -5.0, "a", "x", "view"), ("f5", 4.0, "c", "y", "view"),
    ]  # fmt: skip
    df = pd.DataFrame(rows, columns=["event_id", "days", *PAIR, "event"])
    df["timestamp"] = ZERO + pd.to_timedelta(df["days"], unit="D")
    return df.drop(columns="days").sample(frac=1, random_state=2, ignore_index=True)


@exercise("concepts/02.1", task="Count the distinct purchases in the seven days after zero.")
def check_purchases_once(answer: Answer) -> None:
    """Accept the number of purchase ids whose first time stamp lies in the window."""
    buys = _events().query("event == 'consume'")
    inside = (buys["timestamp"] >= ZERO) & (buys["timestamp"] < ZERO + pd.Timedelta(days=7))
    first = buys.groupby("event_id")["timestamp"].min()
    want = ((first >= ZERO) & (first < ZERO + pd.Timedelta(days=7))).sum()
    expect_close(
        call(answer, _events(), ZERO),
        want,
        hint="Keep the earliest row of each event_id among the purchases, then count those from zero up to, but not "
        "including, zero plus seven days.",
        wrong={
            "That counts rows in the window. A retry has another time stamp, so it is no copy of the whole row: "
            "compare event_id.": inside.sum(),
            "That looks at the window first and at the ids after: a purchase made before zero and resent after it "
            "then counts as one of the week.": buys.loc[inside, "event_id"].nunique(),
            "That counts the purchases of all time; the window starts at zero.": len(first),
        },
    )


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


@exercise("concepts/02.4", task="Mend the interest column: count the views that were known at the decision.")
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
            "These views reach into the outcome's window: shelf and purchase cause them. Stop at zero.": count(
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
