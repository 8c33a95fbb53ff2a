"""Time of experiments: `python benchmarks/bench_recommenders.py [rows]`.

Bars: on a million rows a ratio metric with three columns of the past takes at most five seconds; ten thousand tests
of a hundred looks against their sequence at most two; a hundred thousand interleaved pages of ten places at most two.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from causalrec_lib import experiments

BARS = {"ratio_metric, CUPED": 5.0, "ten thousand tests of a hundred looks": 2.0, "team_draft and credit": 2.0}


def sequences(rng: np.random.Generator) -> float:
    """Return the share of tests of nothing that leave the sequence."""
    looks = np.arange(1, 101)
    walks = rng.standard_normal((10_000, 100)).cumsum(axis=1) / looks
    made = experiments.confidence_sequence(np.zeros(100), 1 / np.sqrt(looks))
    return float((np.abs(walks) > made["high"].to_numpy()).any(axis=1).mean())


def pages(rng: np.random.Generator, n: int) -> experiments.Estimate:
    """Return the credit of two random rankings on n pages."""
    a, b = (rng.permuted(np.tile(np.arange(10), (n, 1)), axis=1) for _ in range(2))
    lists, teams = experiments.team_draft(a, b, rng=rng)
    return experiments.interleaving_credit(rng.integers(0, 2, lists.shape), teams)


def main(n: int) -> int:
    """Print a row a case; return 1 if a bar is missed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    count = rng.poisson(3, n).astype(float)
    y, t = count + X[:, 0] + rng.normal(size=n), (np.arange(n) % 2).astype(float)
    cases: dict[str, Callable[[], object]] = {
        "ratio_metric, CUPED": lambda: experiments.ratio_metric(y, count, t, X, planned=0.5),
        "ten thousand tests of a hundred looks": lambda: sequences(rng),
        "team_draft and credit": lambda: pages(rng, n // 10),
    }
    missed = 0
    for case, call in cases.items():
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        missed += seconds > BARS[case]
        print(json.dumps({"case": case, "rows": n, "seconds": round(seconds, 3)}))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
