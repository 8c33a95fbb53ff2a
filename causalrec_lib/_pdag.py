"""Graphs in which an edge may lack its direction: an undirected edge a - b is held as both a -> b and b -> a."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations

import networkx as nx

from causalrec_lib import _validate

Edge = tuple[Hashable, Hashable]
VStructure = tuple[frozenset[Hashable], Hashable]


def pdag(graph: object, name: str, *, cycles: bool = False) -> nx.DiGraph:
    """Return `graph` if it is a non-empty DiGraph without loops; unless `cycles`, its arrows must make no cycle."""
    g = _validate.instance(graph, name, nx.DiGraph, "make one, networkx.DiGraph(edges); a - b as (a, b) and (b, a)")
    if len(g) == 0:
        raise ValueError(f"{name} has no node; add the columns as nodes, with or without edges.")
    loops = [str(v) for v in nx.nodes_with_selfloops(g)]
    if loops:
        raise ValueError(f"{name} has an edge from {loops[0]} to itself; remove it.")
    if not cycles and not nx.is_directed_acyclic_graph(nx.DiGraph(directed(g))):
        raise ValueError(f"{name} has a cycle of directed edges; networkx.find_cycle shows it.")
    return g


def same_nodes(a: nx.DiGraph, b: nx.DiGraph, names: tuple[str, str]) -> None:
    """Refuse two graphs on other nodes."""
    if set(a) != set(b):
        other = ", ".join(sorted(map(str, set(a) ^ set(b))))
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same nodes, but differ in {other}; add them to both."
        )


def directed(g: nx.DiGraph) -> list[Edge]:
    """Return the edges that have a direction."""
    return [(a, b) for a, b in g.edges if not g.has_edge(b, a)]


def undirected(g: nx.DiGraph) -> list[Edge]:
    """Return the edges that have none, each once, in the order of the nodes' names."""
    return [(a, b) for a, b in combinations(sorted(g, key=str), 2) if g.has_edge(a, b) and g.has_edge(b, a)]


def adjacent(g: nx.DiGraph, a: Hashable, b: Hashable) -> bool:
    """Say whether there is an edge between two nodes."""
    return bool(g.has_edge(a, b) or g.has_edge(b, a))


def arrow(g: nx.DiGraph, a: Hashable, b: Hashable) -> bool:
    """Say whether there is an edge from a to b that has this direction."""
    return bool(g.has_edge(a, b) and not g.has_edge(b, a))


def v_structures(g: nx.DiGraph) -> set[VStructure]:
    """Return all a -> c <- b whose a and b are not adjacent."""
    return {
        (frozenset((a, b)), c)
        for c in g
        for a, b in combinations([p for p in g.pred[c] if arrow(g, p, c)], 2)
        if not adjacent(g, a, b)
    }


def _forced(g: nx.DiGraph, a: Hashable, b: Hashable) -> bool:
    """Say whether a - b must be a -> b: by one of Meek's four rules."""
    into_b = [c for c in g.pred[b] if arrow(g, c, b) and c != a]
    lines_of_a = [c for c in g.pred[a] if g.has_edge(a, c) and c != b]
    return (
        any(arrow(g, c, a) and not adjacent(g, c, b) for c in g.pred[a])
        or any(arrow(g, a, c) for c in into_b)
        or any(not adjacent(g, c, d) for c, d in combinations([c for c in into_b if c in lines_of_a], 2))
        or any(
            not adjacent(g, d, b) and any(arrow(g, d, c) and adjacent(g, a, c) for c in into_b) for d in lines_of_a
        )
    )


def close(g: nx.DiGraph) -> nx.DiGraph:
    """Return a copy in which every direction that follows from the others is there."""
    found = g.copy()
    moved = True
    while moved:
        moved = False
        for a, b in undirected(found):
            for tail, head in ((a, b), (b, a)):
                if found.has_edge(head, tail) and found.has_edge(tail, head) and _forced(found, tail, head):
                    found.remove_edge(head, tail)
                    moved = True
    return found


def members(g: nx.DiGraph, colliders: set[VStructure]) -> Iterator[nx.DiGraph]:
    """Yield every acyclic graph that directs the undirected edges of `g` and has exactly these v-structures."""
    lines = undirected(g)
    if not lines:
        if nx.is_directed_acyclic_graph(g) and v_structures(g) == colliders:
            yield g
        return
    a, b = lines[0]
    for tail, head in ((a, b), (b, a)):
        tried = g.copy()
        tried.remove_edge(head, tail)
        yield from members(close(tried), colliders)
