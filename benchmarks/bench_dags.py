"""Time of refuters and negative controls: `python benchmarks/bench_dags.py [rows]`.

Bar: with an analysis that takes no time, a battery of twenty draws on a hundred thousand rows takes at most three
seconds; a joint test of two controls at most one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from causalrec_lib import refutation, weighting

BARS = {"battery, twenty draws": 3.0, "negative_controls, two": 1.0}


def main(n: int) -> int:
    """Print a row a case; return 1 if a bar is missed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    t = (rng.random(n) < expit(0.5 * X[:, 0])).astype(float)
    y = X.sum(axis=1) + t + rng.normal(size=n)
    found = {name: weighting.ipw(rng.normal(size=n) + X[:, 0], t, X=X) for name in ("a", "b")}
    values = rng.normal(size=1000)
    cases: dict[str, Callable[[], object]] = {
        "battery, twenty draws": lambda: refutation.battery(
            lambda y, t, x: float(y[:9] @ t[:9]) + float(x[0, 0]), y, t, X, seed=1
        ),
        "negative_controls, two": lambda: refutation.negative_controls(found),
        "empirical_null, a thousand": lambda: refutation.empirical_null(values, np.full(1000, 0.5)),
    }
    missed = 0
    for case, call in cases.items():
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        missed += seconds > BARS.get(case, np.inf)
        print(json.dumps({"case": case, "rows": n, "seconds": round(seconds, 3)}))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
