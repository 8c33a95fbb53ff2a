"""All graphs on four columns, and linear models on some of them: the checks of what learns and scores graphs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations, product

import networkx as nx
import numpy as np
import pandas as pd
from scipy.stats import binom

from causalrec_lib import discovery

NODES = "abcd"
TIERS = [["a"], ["b", "c"], ["d"]]


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin replaces one of them."""

    cpdag: object = discovery.cpdag
    shd: object = discovery.shd
    varsortability: object = discovery.varsortability
    class_effects: object = discovery.class_effects
    bootstrap_edges: object = discovery.bootstrap_edges
    score_proposals: object = discovery.score_proposals
    order_in_time: object = discovery.order_in_time


def independences(g: nx.DiGraph) -> frozenset:
    """Return every d-separation of a graph, by networkx."""
    found = []
    for a, b in combinations(NODES, 2):
        rest = [v for v in NODES if v not in (a, b)]
        for given in chain(*(combinations(rest, k) for k in range(3))):
            if nx.is_d_separator(g, {a}, {b}, set(given)):
                found.append((a, b, given))
    return frozenset(found)


@cache
def classes() -> tuple[tuple[nx.DiGraph, ...], ...]:
    """Return all acyclic graphs on four nodes, in classes of equal independences."""
    by: dict[frozenset, list[nx.DiGraph]] = {}
    pairs = list(combinations(NODES, 2))
    for way in product((0, 1, -1), repeat=len(pairs)):
        g = nx.DiGraph()
        g.add_nodes_from(NODES)
        g.add_edges_from(p[::w] for p, w in zip(pairs, way, strict=True) if w)
        if nx.is_directed_acyclic_graph(g):
            by.setdefault(independences(g), []).append(g)
    return tuple(tuple(members) for members in by.values())


def union(members: tuple[nx.DiGraph, ...]) -> set:
    """Return the edges of all members: an edge in both directions is one on which they disagree."""
    return set().union(*(set(m.edges) for m in members))


def graph_battery(tools: Tools, runs: int) -> Iterator[tuple[str, bool]]:
    """Check classes, distances and time order against an enumeration of all graphs."""
    yield (
        "classes",
        len(classes()) == 185 and all(set(tools.cpdag(m).edges) == union(c) for c in classes() for m in c),
    )
    rng = np.random.default_rng(5)
    for _ in range(runs):
        one, other = (classes()[k][0] for k in rng.integers(185, size=2))
        pairs = [(a, b) for a, b in combinations(NODES, 2)]
        want = sum(
            {e for e in one.edges if set(e) == set(p)} != {e for e in other.edges if set(e) == set(p)} for p in pairs
        )
        yield "distance", tools.shd(one, other) == want
    tier = {v: k for k, vs in enumerate(TIERS) for v in vs}
    for members in classes():
        fits = [m for m in members if all(tier[a] <= tier[b] for a, b in m.edges)]
        if fits:
            half = nx.DiGraph(list(union(members)))
            half.add_nodes_from(NODES)
            yield "order in time", set(tools.order_in_time(half, TIERS).edges) == union(tuple(fits))


def model(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Draw a -> b -> d <- c, with noise that grows with b, and an effect 0.5 of b on d."""
    a, c = rng.normal(size=(2, n))
    b = 0.8 * a + rng.normal(size=n)
    d = 0.5 * b + c + 0.7 * a + rng.normal(size=n) * (0.3 + b**2)
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": d})


GRAPH = nx.DiGraph([("a", "b"), ("b", "d"), ("c", "d"), ("a", "d")])


def effect_battery(tools: Tools, runs: int) -> Iterator[tuple[str, bool]]:
    """Check effects of a class: bias and coverage of the true member, and its number of graphs."""
    members = discovery.equivalence_class(discovery.cpdag(GRAPH))
    errors, covers = [], []
    for seed in range(runs):
        table = tools.class_effects(model(np.random.default_rng(seed), 1_500), members, "b", "d").set_index("parents")
        if "a" not in table.index:
            yield "the true member is there", False
            return
        row = table.loc["a"]
        errors.append(row["effect"] - 0.5)
        covers.append(row["low"] <= 0.5 <= row["high"])
    yield "no bias", abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(runs)
    low, high = binom.ppf([0.0005, 0.9995], runs, 0.95)
    yield "coverage", low <= np.sum(covers) <= high
    yield "all members count", int(table["graphs"].sum()) == len(members)


def control_battery(tools: Tools, runs: int) -> Iterator[tuple[str, bool]]:
    """Check the controls: variances, resampling, shuffled names."""
    rng = np.random.default_rng(8)
    x = pd.DataFrame(rng.normal(size=(2_000, 4)) * [1, 2, 3, 4], columns=list(NODES))
    line = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "d")])
    yield "variances that rise", tools.varsortability(x, line) == 1
    yield "variances that fall", tools.varsortability(x, line.reverse()) == 0
    yield "no information", tools.varsortability(x / x.std(ddof=0), line) == 0.5
    mixed = x.assign(b=x["b"] * 10)  # b above c and d: of six paths ab ac ad cd rise, bc and bd fall
    yield "paths of all lengths", abs(tools.varsortability(mixed, line) - 4 / 6) < 1e-12

    def learn(z: pd.DataFrame) -> nx.DiGraph:
        g = nx.DiGraph([("a", "b") if z["a"].mean() > 0 else ("b", "a")])
        g.add_nodes_from(NODES)
        return g

    centred = x - x.mean()
    row = tools.bootstrap_edges(learn, centred, seed=2, n_draws=400).set_index(["a", "b"]).loc[("a", "b")]
    yield "a coin falls either way", abs(row["a -> b"] - 0.5) < 0.1 and row["any"] == 1
    true = nx.gnp_random_graph(8, 0.25, seed=3, directed=True)
    true = nx.DiGraph([(a, b) for a, b in true.edges if a < b])
    true.add_nodes_from(range(8))
    shares, small = [], 0
    for k in range(runs):
        named = np.random.default_rng(k).permutation(8)
        proposals = [(int(named[a]), int(named[b])) for a, b in ((0, 1), (0, 2), (0, 3), (4, 0), (5, 0))]
        scored = tools.score_proposals(proposals, true, seed=k, n_draws=400)
        shares.append(scored.precision)
        small += scored.p <= 0.05
    error = np.std(shares) / np.sqrt(runs)
    yield "blind proposals reach the base rate", abs(np.mean(shares) - scored.base_rate) < 3.5 * error
    yield "blind proposals are seldom certified", small <= binom.ppf(0.9995, runs, 0.055)
    star = nx.DiGraph([(0, k) for k in range(1, 8)])
    lucky = tools.score_proposals([(0, k) for k in range(1, 6)], star, seed=1, n_draws=4_000)
    yield "a star is one hit in eight, not five", 0.08 < lucky.p < 0.18
