"""Time of two proxies and of a factor model: `python benchmarks/bench_factors.py [rows]`.

Bars: two proxies with five columns on a million rows take at most three seconds; forty sweeps over two thousand users
and a thousand items with five factors at most ten.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from causalrec_lib import factors

BARS = {"two proxies": 3.0, "forty sweeps": 10.0}


def main(n: int) -> int:
    """Print a row a case; return 1 if a bar is missed."""
    rng = np.random.default_rng(0)
    X, u = rng.normal(size=(n, 5)), rng.normal(size=n)
    t = (u + rng.normal(size=n) > 0).astype(float)
    y, w, z = t + 2 * u + rng.normal(size=n), u + rng.normal(size=n), u + rng.normal(size=n)
    counts = rng.poisson(rng.gamma(1, 0.5, (2000, 5)) @ rng.gamma(1, 0.5, (5, 1000))).astype(float)
    cases = {
        "two proxies": lambda: factors.proximal_two_stage(y, t, w, z, X, clusters=np.arange(n) // 5),
        "forty sweeps": lambda: factors.poisson_factorisation(counts, 5, sweeps=40, tol=0.0),
    }
    missed = False
    for name, call in cases.items():
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        missed |= seconds > BARS[name]
        print(json.dumps({"case": name, "rows": n, "seconds": round(seconds, 3), "bar": BARS[name]}))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
