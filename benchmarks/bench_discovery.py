"""Time of graph scores and controls: `python benchmarks/bench_discovery.py [nodes]`.

Bar: with thirty nodes a class, a distance and a hundred thousand rows' varsortability take at most one second each,
and proposals with two thousand shuffles at most one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import discovery

BARS = {"cpdag": 1.0, "shd": 1.0, "varsortability": 1.0, "score_proposals": 1.0}


def main(d: int) -> int:
    """Print a row a case; return 1 if a bar is missed."""
    rng = np.random.default_rng(0)
    g = nx.DiGraph([(i, j) for i in range(d) for j in range(i + 1, d) if rng.random() < 3 / d])
    g.add_nodes_from(range(d))
    x = pd.DataFrame(rng.normal(size=(100_000, d)))
    other = discovery.cpdag(g)
    cases: dict[str, Callable[[], object]] = {
        "cpdag": lambda: discovery.cpdag(g),
        "shd": lambda: discovery.shd(g, other),
        "varsortability": lambda: discovery.varsortability(x, g),
        "sort_by_variance": lambda: discovery.sort_by_variance(x),
        "score_proposals": lambda: discovery.score_proposals(list(g.edges), g, seed=1),
    }
    missed = 0
    for case, call in cases.items():
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        missed += seconds > BARS.get(case, np.inf)
        print(json.dumps({"case": case, "nodes": d, "seconds": round(seconds, 3)}))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
