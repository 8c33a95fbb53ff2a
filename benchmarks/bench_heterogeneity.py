"""Time of the judges of predicted effects: `python benchmarks/bench_heterogeneity.py [rows]`.

Bar: the RATE of 1,000,000 rows with its error in at most five seconds. Beside it, one argsort of the same rows.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from causalrec_lib import heterogeneity

BAR_SECONDS = 5.0


def main(n: int) -> int:
    """Print a row a case; return 1 if the bar is missed."""
    rng = np.random.default_rng(0)
    priority = rng.normal(size=n)
    scores = priority + rng.normal(size=n)
    cases = {
        "RATE": lambda: heterogeneity.rate(scores, priority),
        "argsort": lambda: np.argsort(-priority, kind="stable"),
    }
    seconds = {}
    for name, case in cases.items():
        start = time.perf_counter()
        case()
        seconds[name] = time.perf_counter() - start
    ratio = seconds["RATE"] / seconds["argsort"]
    print(
        json.dumps({"rows": n, **{k: round(v, 3) for k, v in seconds.items()}, "ratio to argsort": round(ratio, 2)})
    )
    return int(seconds["RATE"] > BAR_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
