"""Which nodes of a graph tell something about which: d-separation, path by path or all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

import networkx as nx
import pandas as pd

from causalrec_lib import _validate

MOST_PATHS = 20_000
Nodes = frozenset[Hashable]


class Independence(NamedTuple):
    """A claim of a graph: `a` tells nothing about `b` once the columns in `given` are known.

    Parameters
    ----------
    a, b : node
        The two columns.
    given : tuple of nodes
        What is held fixed.
    """

    a: Hashable
    b: Hashable
    given: tuple[Hashable, ...]

    def __str__(self) -> str:
        """Return the claim in the notation of the field."""
        return f"{self.a} ⊥ {self.b}" + (f" | {', '.join(map(str, self.given))}" if self.given else "")


def dag(graph: nx.DiGraph) -> nx.DiGraph:
    _validate.instance(graph, "graph", nx.DiGraph, "make an acyclic DiGraph, networkx.DiGraph(edges)")
    if len(graph) == 0 or not nx.is_directed_acyclic_graph(graph):
        raise ValueError("graph must be a non-empty acyclic DiGraph; networkx.find_cycle(graph) shows a cycle.")
    return graph


def nodes(graph: nx.DiGraph, named: object, name: str) -> Nodes:
    """Return one node or several as a set; refuse what is no node."""
    single = isinstance(named, Hashable) and named in graph
    several = [named] if single or isinstance(named, str) else _validate.iterable(named, name)
    found: Nodes = frozenset(several)
    unknown = sorted(str(v) for v in found if v not in graph)
    if unknown:
        known = ", ".join(sorted(map(str, graph)))
        raise ValueError(f"{name} names {', '.join(unknown)}, which is no node of graph; its nodes are {known}.")
    return found


def node(graph: nx.DiGraph, named: object, name: str) -> Hashable:
    found = nodes(graph, named, name)
    if len(found) != 1:
        raise ValueError(f"{name} must be one node of graph, but has {len(found)}.")
    return next(iter(found))


def reached(graph: nx.DiGraph, start: Collection[Hashable], given: Nodes) -> set[Hashable]:
    """Nodes outside `given` that an open path from `start` leads to."""
    heard = given.union(*(nx.ancestors(graph, v) for v in given))  # colliders here are open
    queue = deque((v, "up") for v in start)  # "up": the walk left a child of v, or starts there
    seen: set[tuple[Hashable, str]] = set()
    while queue:
        v, way = queue.popleft()
        if (v, way) in seen:
            continue
        seen.add((v, way))
        if v not in given:
            queue.extend((child, "down") for child in graph.succ[v])
        if (v not in given) if way == "up" else (v in heard):
            queue.extend((parent, "up") for parent in graph.pred[v])
    return {v for v, _ in seen} - given


def d_separated(graph: nx.DiGraph, x: object, y: object, given: object = ()) -> bool:
    """Say whether every path between two sets of nodes is blocked.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic.
    x, y : node or collection of nodes
        The two sides; they share no node with each other or with `given`.
    given : node or collection of nodes
        What is held fixed.

    Returns
    -------
    bool
        True if each path has a chain or fork in `given`, or a collider with neither itself nor a descendant there.

    Raises
    ------
    ValueError
        If the graph has a cycle, a node is unknown, or the sets are empty or overlap.

    Notes
    -----
    Walks along open paths only, from `x`; the time is linear in the number of arrows.
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl1988probabilistic, pearl2009causality
    """
    dag(graph)
    left, right, fixed = nodes(graph, x, "x"), nodes(graph, y, "y"), nodes(graph, given, "given")
    if not left or not right:
        raise ValueError(f"{'x' if not left else 'y'} is empty; name at least one node.")
    shared = (left & right) | (left & fixed) | (right & fixed)
    if shared:
        raise ValueError(f"x, y and given share {', '.join(sorted(map(str, shared)))}; they must be disjoint.")
    return not reached(graph, left, fixed) & right


def paths(graph: nx.DiGraph, x: object, y: object, given: object = ()) -> pd.DataFrame:
    """List the paths between two nodes, and what blocks each.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic; small enough to be read.
    x, y : node
        The two ends.
    given : node or collection of nodes
        What is held fixed.

    Returns
    -------
    pandas.DataFrame
        One row a path, shortest first: `path` (with arrows), `kind` ("causal" if all arrows lead from x to y,
        "back door" if the path enters x, else "other"), `open` (bool), and `blocked by` (empty if open).

    Raises
    ------
    ValueError
        If the graph has a cycle, a node is unknown, an end is given, or there are more than 20,000 paths.

    Notes
    -----
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl2009causality
    """
    dag(graph)
    a, b, fixed = node(graph, x, "x"), node(graph, y, "y"), nodes(graph, given, "given")
    if a == b or a in fixed or b in fixed:
        raise ValueError("x and y must be two nodes, neither of them in given.")
    heard = fixed.union(*(nx.ancestors(graph, v) for v in fixed))
    rows: list[tuple[str, str, bool, str, int]] = []
    for walk in nx.all_simple_paths(graph.to_undirected(as_view=True), a, b):
        if len(rows) == MOST_PATHS:
            raise ValueError(f"graph has more than {MOST_PATHS:,} paths between x and y; ask d_separated instead.")
        forward = [graph.has_edge(u, v) for u, v in pairwise(walk)]
        text = str(walk[0]) + "".join(f" {'→' if f else '←'} {v}" for f, v in zip(forward, walk[1:], strict=True))
        kind = "causal" if all(forward) else "other" if forward[0] else "back door"
        blocks = "; ".join(_blocks(walk, forward, fixed, heard))
        rows.append((text, kind, not blocks, blocks, len(walk)))
    table = pd.DataFrame(rows, columns=["path", "kind", "open", "blocked by", "length"])
    return table.sort_values(["length", "path"], ignore_index=True).drop(columns="length")


def _blocks(walk: list[Hashable], forward: list[bool], given: Nodes, heard: Nodes) -> Iterator[str]:
    """Say where a path is blocked, and why."""
    for v, (enters, leaves) in zip(walk[1:-1], pairwise(forward), strict=True):
        if enters and not leaves:
            if v not in heard:
                yield f"{v}: a collider, not given"
        elif v in given:
            yield f"{v}: a {'fork' if leaves and not enters else 'chain'}, given"


def observed_nodes(graph: nx.DiGraph, observed: object) -> Nodes:
    if observed is None:
        return frozenset(v for v, marks in graph.nodes(data=True) if marks.get("observed", True))
    return nodes(graph, observed, "observed")


def implied_independences(graph: nx.DiGraph, observed: object = None) -> tuple[Independence, ...]:
    """Return what a graph says about its observed columns: one independence for each pair that has one.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic; hidden causes included.
    observed : collection of nodes, optional
        The columns at hand; by default the nodes that don't carry `observed=False`.

    Returns
    -------
    tuple of Independence
        For each pair of columns that some other columns separate, the pair and a minimal such set.

    Raises
    ------
    ValueError
        If the graph has a cycle or a node is unknown.

    Notes
    -----
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl1988probabilistic
    """
    columns = observed_nodes(dag(graph), observed)
    order = [v for v in nx.lexicographical_topological_sort(graph, key=str) if v in columns]
    claims = []
    for a, b in combinations(order, 2):
        if graph.has_edge(a, b) or graph.has_edge(b, a):
            continue
        separator = nx.find_minimal_d_separator(graph, a, b, restricted=set(columns) - {a, b})
        if separator is not None:
            claims.append(Independence(a, b, tuple(sorted(separator, key=order.index))))
    return tuple(claims)
