"""Time and peak memory of weighting and matching on a million rows: `python benchmarks/bench_weighting.py [rows]`.

Bar: matching one million rows on the propensity in at most 10 seconds and 2 GB on two cores.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from causalrec_lib import matching, weighting

COLUMNS = 20
BAR_SECONDS, BAR_GB = 10.0, 2.0


def data(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return outcome, treatment and 20 covariates, four of which confound; the effect is one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, COLUMNS))
    t = (rng.random(n) < expit(X[:, :4] @ [0.5, -0.4, 0.3, 0.2] - 0.3)).astype(float)
    return X[:, :4].sum(axis=1) + t + rng.normal(size=n), t, X


def matched(**how: object) -> Callable:
    return lambda y, t, X, fit: matching.matching_estimate(y, matching.match(fit, t, **how), X)


CASES: dict[str, Callable] = {
    "IPW, Hajek ATE with fitted propensity": lambda y, t, X, fit: weighting.ipw(y, t, X=X),
    "matching 1:1 with replacement, ATT": matched(),
    "matching 1:1 with replacement, ATE": matched(estimand="ATE"),
    "matching 5:1 with replacement, ATT": matched(ratio=5),
    "matching 1:1 without replacement, caliper": matched(replace=False, caliper=0.01),
}


def measure(case: str, n: int, out: multiprocessing.Queue) -> None:
    """Run one case in a process of its own; the propensity fit is on the clock."""
    y, t, X = data(n)
    start = time.perf_counter()
    fit = None if case.startswith("IPW") else weighting.propensity(X, t)
    estimate = CASES[case](y, t, X, fit)
    seconds = time.perf_counter() - start
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    out.put(
        {
            "case": case,
            "rows": n,
            "seconds": seconds,
            "peak_gb": gigabytes,
            "estimate": estimate.value,
            "se": estimate.se,
        }
    )


def main() -> int:
    """Run all cases and say whether the bar is met."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    context = multiprocessing.get_context("spawn")
    met = True
    for case in CASES:
        out = context.Queue()
        process = context.Process(target=measure, args=(case, n, out))
        process.start()
        row = out.get(timeout=600)
        process.join()
        met &= row["seconds"] <= BAR_SECONDS and row["peak_gb"] <= BAR_GB
        print(
            f"{case:45s} {row['seconds']:6.2f} s  {row['peak_gb']:5.2f} GB  {row['estimate']:.4f} ({row['se']:.4f})"
        )
        print(json.dumps(row), file=sys.stderr)
    print(f"bar of {BAR_SECONDS:g} s and {BAR_GB:g} GB: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
