"""How long d-separation takes, beside networkx; the bar is two seconds for a thousand pairs of a hundred nodes."""

import time
from itertools import combinations

import networkx as nx
import numpy as np

from causalrec_lib import graphs

rng = np.random.default_rng(0)
names = [f"v{k}" for k in range(100)]
graph = nx.DiGraph()
graph.add_nodes_from(names)
graph.add_edges_from(pair for pair in combinations(names, 2) if rng.random() < 0.05)
questions = [(x, y, set(given)) for x, y, *given in (rng.permutation(names)[:12] for _ in range(1_000))]

seconds = {}
for who, ask in (("ours", graphs.d_separated), ("networkx", lambda g, x, y, z: nx.is_d_separator(g, {x}, {y}, z))):
    began = time.perf_counter()
    verdicts = [ask(graph, x, y, given) for x, y, given in questions]
    seconds[who] = time.perf_counter() - began
    print(f"d-separation, 1,000 pairs, 100 nodes, {graph.number_of_edges()} arrows: {who} {seconds[who]:.3f} s")
print(f"ours takes {seconds['ours'] / seconds['networkx']:.2f} times as long as networkx")
assert seconds["ours"] < 2, "the bar is two seconds"
