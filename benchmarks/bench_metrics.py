"""NDCG@10 with its interval for 5,000 users and 2,000 items, against scikit-learn's mean: no slower than it."""

import time

import numpy as np
from sklearn.metrics import ndcg_score

from causalrec_lib.metrics import list_value, ranking_metric

USERS, ITEMS, PAIRS = 5_000, 2_000, 1_000_000


def main() -> None:
    """Print seconds of both, and of an effect of a list on a million pairs."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(USERS, ITEMS))
    relevance = (rng.random((USERS, ITEMS)) < 0.01).astype(float)
    started = time.perf_counter()
    ours = ranking_metric(relevance, scores, metric="NDCG", k=10)
    mine = time.perf_counter() - started
    started = time.perf_counter()
    theirs = ndcg_score(relevance, scores, k=10, ignore_ties=True)
    other = time.perf_counter() - started
    print(f"NDCG@10: {mine:.2f} s, scikit-learn {other:.2f} s; difference {abs(ours.value - theirs):.1e}")
    e, user = rng.uniform(0.1, 0.9, PAIRS), np.arange(PAIRS) // 200
    t, d = (rng.random(PAIRS) < e).astype(float), (rng.random(PAIRS) < 0.05).astype(float)
    y = (rng.random(PAIRS) < 0.1 + 0.2 * t).astype(float)
    started = time.perf_counter()
    list_value(y, t, e, d, clusters=user)
    print(f"effect of a list, {PAIRS:,} pairs, clustered: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
