"""Time of sensitivity analyses on a million rows: `python benchmarks/bench_sensitivity.py [rows]`.

Bar: what every estimate is asked (`estimate.sensitivity()` and an interval) takes at most one second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from causalrec_lib import sensitivity, weighting

BAR_SECONDS = 1.0


def main(n: int) -> int:
    """Print a row a case; return 1 if the bar is missed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    e = expit(0.5 * X[:, 0])
    t = (rng.random(n) < e).astype(float)
    y = X.sum(axis=1) + t + rng.normal(size=n)
    estimate = weighting.ipw(y, t, e, X=X)
    cases: dict[str, Callable[[], object]] = {
        "estimate.sensitivity() and an interval": lambda: estimate.sensitivity().interval(0.1, 0.1),
        "benchmarks, five columns": lambda: sensitivity.benchmarks(estimate, y, t, X),
        "ols, two benchmarks": lambda: sensitivity.ols(y, t, X, benchmark=["x0", "x1"]),
        "rosenbaum_bounds": lambda: sensitivity.rosenbaum_bounds(y, [1.0, 2.0]),
        "marginal_bounds, five gammas": lambda: sensitivity.marginal_bounds(y, t, e, [1, 1.5, 2, 3, 5]),
    }
    seconds = {}
    for case, call in cases.items():
        start = time.perf_counter()
        call()
        seconds[case] = time.perf_counter() - start
        print(json.dumps({"case": case, "rows": n, "seconds": round(seconds[case], 3)}))
    return int(seconds["estimate.sensitivity() and an interval"] > BAR_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
