"""Time of an honest causal tree on 100,000 rows and 20 columns: `python benchmarks/bench_trees.py [rows]`.

Bar: grown, pruned by five folds and estimated in at most ten seconds. Beside it, one regression tree of scikit-learn
on the transformed outcome, which neither prunes nor estimates nor looks at two arms.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from causalrec_lib import trees

BAR_SECONDS = 10.0


def main(n: int) -> int:
    """Print a row a case; return 1 if the bar is missed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    t = rng.integers(0, 2, n).astype(float)
    y = X[:, :4].sum(axis=1) + t * np.maximum(X[:, 0], 0) + rng.normal(size=n)
    transformed = y * (t - 0.5) / 0.25
    cases: dict[str, Callable[[], object]] = {
        "honest causal tree, pruned by five folds": lambda: trees.causal_tree(y, t, X).leaves(),
        "honest causal tree, not pruned": lambda: trees.causal_tree(y, t, X, pruned=False).leaves(),
        "scikit-learn's tree on the transformed outcome": lambda: DecisionTreeRegressor(
            max_leaf_nodes=16, max_depth=4, min_samples_leaf=50
        ).fit(X, transformed),
    }
    seconds = {}
    for case, call in cases.items():
        start = time.perf_counter()
        call()
        seconds[case] = time.perf_counter() - start
        print(json.dumps({"case": case, "rows": n, "seconds": round(seconds[case], 3)}))
    pruned, plain, peer = seconds.values()
    print(f"pruned: {pruned / peer:.2f} times scikit-learn's one tree; not pruned: {plain / peer:.2f} times")
    return int(pruned > BAR_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
