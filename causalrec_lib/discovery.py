"""Graphs learnt from data: what can be learnt at all, how far off an answer is, and controls that unmask luck."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations, islice
from typing import NamedTuple

import networkx as nx
import numpy as np

from causalrec_lib import _pdag, _validate
from causalrec_lib._discovery_checks import ProposalScore, bootstrap_edges, from_causallearn, score_proposals
from causalrec_lib._graph_figure import draw_graph
from causalrec_lib._variance_order import class_effects, sort_by_variance, varsortability

__all__ = [
    "GraphScores",
    "ProposalScore",
    "bootstrap_edges",
    "class_effects",
    "cpdag",
    "draw_graph",
    "equivalence_class",
    "from_causallearn",
    "order_in_time",
    "score_graph",
    "score_proposals",
    "shd",
    "sort_by_variance",
    "varsortability",
]

MOST_GRAPHS = 5_000


class GraphScores(NamedTuple):
    """How a graph that was found compares with the true one.

    Parameters
    ----------
    shd : int
        Pairs of nodes between which the two graphs differ.
    skeleton_precision, skeleton_recall : float
        Share of the found edges that exist, and of the existing edges that were found; directions don't count.
    arrow_precision, arrow_recall : float
        Share of the found arrows that are right, and of the true arrows that were found; NaN if there are none.
    missing, extra, reversed : int
        Edges not found, edges that don't exist, arrows found the wrong way round.

    Notes
    -----
    Chapter: discovery/01_learning_graphs
    """

    shd: int
    skeleton_precision: float
    skeleton_recall: float
    arrow_precision: float
    arrow_recall: float
    missing: int
    extra: int
    reversed: int


def cpdag(graph: nx.DiGraph) -> nx.DiGraph:
    """Return the graph of all that a graph shares with its Markov equivalents.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic.

    Returns
    -------
    networkx.DiGraph
        Arrows on which all equivalent graphs agree; every other edge in both directions, which reads "undirected".

    Raises
    ------
    ValueError
        If the graph is empty, has a cycle or an edge without direction.

    Notes
    -----
    Keeps the v-structures and what follows from them by Meek's rules.
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: meek1995causal
    """
    g = _pdag.pdag(graph, "graph")
    if _pdag.undirected(g):
        raise ValueError("graph has an edge in both directions; give each edge one, or take it as it is.")
    kept = {(p, c) for pair, c in _pdag.v_structures(g) for p in pair}
    loose = nx.DiGraph()
    loose.add_nodes_from(g)
    loose.add_edges_from(g.edges)
    loose.add_edges_from((b, a) for a, b in g.edges if (a, b) not in kept)
    return _pdag.close(loose)


def equivalence_class(graph: nx.DiGraph) -> tuple[nx.DiGraph, ...]:
    """Return every acyclic graph that a partly directed graph stands for.

    Parameters
    ----------
    graph : networkx.DiGraph
        An edge in both directions has no direction yet.

    Returns
    -------
    tuple of networkx.DiGraph
        The acyclic graphs with these edges, these arrows and no other v-structure.

    Raises
    ------
    ValueError
        If no acyclic graph fits, as may happen to what an algorithm returns, or more than 5,000 do.

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: meek1995causal
    """
    g = _pdag.pdag(graph, "graph")
    found = tuple(islice(_pdag.members(_pdag.close(g), _pdag.v_structures(g)), MOST_GRAPHS + 1))
    if not found:
        raise ValueError("graph stands for no acyclic graph: its undirected edges can't be directed; learn it anew.")
    if len(found) > MOST_GRAPHS:
        raise ValueError(f"graph stands for more than {MOST_GRAPHS:,} acyclic graphs; direct some edges first.")
    return found


def order_in_time(graph: nx.DiGraph, tiers: Sequence[Sequence[Hashable]]) -> nx.DiGraph:
    """Direct edges by what came first, and then every edge that follows.

    Parameters
    ----------
    graph : networkx.DiGraph
        Partly directed, as `cpdag` returns it.
    tiers : sequence of sequences of nodes
        Earliest first; each node in exactly one.

    Returns
    -------
    networkx.DiGraph
        Edges between tiers point ahead in time, turned round if need be; the rest is closed under Meek's rules.

    Raises
    ------
    ValueError
        If a node is in no tier, or in two, or a tier names no node.

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: meek1995causal
    """
    g = _pdag.pdag(graph, "graph", cycles=True)
    tier_of: dict[Hashable, int] = {}
    for k, tier in enumerate(_validate.iterable(tiers, "tiers")):
        for v in [tier] if isinstance(tier, str) else _validate.iterable(tier, "each of tiers"):
            if not isinstance(v, Hashable) or v not in g or v in tier_of:
                raise ValueError(f"tiers names {_validate.shown(v)} twice, or it is no node; name each node once.")
            tier_of[v] = k
    lacking = sorted(str(v) for v in g if v not in tier_of)
    if lacking:
        raise ValueError(f"tiers doesn't name {', '.join(lacking)}; put each node in one.")
    turned = nx.DiGraph()
    turned.add_nodes_from(g)
    turned.add_edges_from((a, b) if tier_of[a] <= tier_of[b] else (b, a) for a, b in g.edges)
    return _pdag.close(turned)


def _same(found: nx.DiGraph, truth: nx.DiGraph) -> tuple[nx.DiGraph, nx.DiGraph]:
    f, t = _pdag.pdag(found, "found", cycles=True), _pdag.pdag(truth, "truth")
    _pdag.same_nodes(f, t, ("found", "truth"))
    return f, t


def shd(found: nx.DiGraph, truth: nx.DiGraph) -> int:
    """Return the structural Hamming distance: the pairs of nodes between which two graphs differ.

    Parameters
    ----------
    found, truth : networkx.DiGraph
        On the same nodes; an edge in both directions has no direction.

    Returns
    -------
    int
        Missing, extra, reversed, and wrongly (un)directed edges count one each.

    Raises
    ------
    ValueError
        If the nodes differ, or the arrows of `truth` make a cycle; those of `found` may, as algorithms return such.

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: tsamardinos2006max
    """
    f, t = _same(found, truth)
    return sum(
        (f.has_edge(a, b), f.has_edge(b, a)) != (t.has_edge(a, b), t.has_edge(b, a)) for a, b in combinations(f, 2)
    )


def score_graph(found: nx.DiGraph, truth: nx.DiGraph) -> GraphScores:
    """Compare a graph that was found with the true one, edge by edge.

    Parameters
    ----------
    found, truth : networkx.DiGraph
        On the same nodes; an edge in both directions has no direction. Compare like with like: `cpdag` of both.

    Returns
    -------
    GraphScores
        Structural Hamming distance, and precision and recall of edges and of arrows.

    Raises
    ------
    ValueError
        If the nodes differ, or the arrows of `truth` make a cycle; those of `found` may, as algorithms return such.

    Notes
    -----
    Chapter: discovery/01_learning_graphs
    """
    f, t = _same(found, truth)
    lines = {frozenset(e) for e in f.edges}, {frozenset(e) for e in t.edges}
    arrows = set(_pdag.directed(f)), set(_pdag.directed(t))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else np.nan

    both, right = len(lines[0] & lines[1]), len(arrows[0] & arrows[1])
    return GraphScores(
        shd=shd(f, t),
        skeleton_precision=share(both, len(lines[0])),
        skeleton_recall=share(both, len(lines[1])),
        arrow_precision=share(right, len(arrows[0])),
        arrow_recall=share(right, len(arrows[1])),
        missing=len(lines[1] - lines[0]),
        extra=len(lines[0] - lines[1]),
        reversed=sum((b, a) in arrows[1] for a, b in arrows[0]),
    )
