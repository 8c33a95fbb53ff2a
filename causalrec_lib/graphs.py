"""Causal graphs: d-separation, which columns to adjust for, and what a graph says about data."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import combinations

import networkx as nx

from causalrec_lib._bayesian_network import BayesianNetwork
from causalrec_lib._front_door import front_door
from causalrec_lib._independence import check_independences, independence_test
from causalrec_lib._separation import (
    Independence,
    Nodes,
    d_separated,
    dag,
    implied_independences,
    node,
    nodes,
    observed_nodes,
    paths,
    reached,
)

__all__ = [
    "BayesianNetwork",
    "Independence",
    "adjustment_sets",
    "check_independences",
    "d_separated",
    "front_door",
    "implied_independences",
    "independence_test",
    "is_adjustment_set",
    "is_front_door",
    "paths",
]

MOST_CANDIDATES = 16


def _pair(graph: nx.DiGraph, treatment: object, outcome: object) -> tuple[Hashable, Hashable]:
    """Return treatment and outcome, two nodes."""
    dag(graph)
    t, y = node(graph, treatment, "treatment"), node(graph, outcome, "outcome")
    if t == y:
        raise ValueError(f"treatment and outcome are both {t!r}; name two nodes.")
    return t, y


def _forbidden(graph: nx.DiGraph, t: Hashable, y: Hashable) -> tuple[Nodes, Nodes]:
    """Return the nodes after t on causal paths to y, and these with all their descendants."""
    between = frozenset((nx.descendants(graph, t) & nx.ancestors(graph, y)) | {y})
    if y not in nx.descendants(graph, t):
        return frozenset(), frozenset()
    return between, between.union(*(nx.descendants(graph, v) for v in between))


def is_adjustment_set(graph: nx.DiGraph, treatment: object, outcome: object, columns: object) -> bool:
    """Say whether adjusting for some columns identifies the total effect.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic; all common causes must be in it, hidden ones too.
    treatment, outcome : node
        The effect in question.
    columns : node or collection of nodes
        What is adjusted for.

    Returns
    -------
    bool
        True if no column lies on a causal path or after one, and the columns block every path that is not causal.

    Raises
    ------
    ValueError
        If the graph has a cycle, a node is unknown, or `columns` holds treatment or outcome.

    Notes
    -----
    This is the adjustment criterion, which is complete: what it refuses, some model with this graph gets wrong. The
    back-door criterion is the case where no column is a descendant of the treatment.
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: shpitser2010validity, pearl1995causal
    """
    t, y = _pair(graph, treatment, outcome)
    fixed = nodes(graph, columns, "columns")
    if fixed & {t, y}:
        raise ValueError("columns holds treatment or outcome; leave both out.")
    return _adjusts(graph, t, y, fixed)


def _adjusts(graph: nx.DiGraph, t: Hashable, y: Hashable, fixed: Nodes) -> bool:
    between, forbidden = _forbidden(graph, t, y)
    if fixed & forbidden:
        return False
    backdoor = graph.copy()
    backdoor.remove_edges_from([(t, v) for v in between if graph.has_edge(t, v)])
    return y not in reached(backdoor, [t], fixed)


def adjustment_sets(
    graph: nx.DiGraph, treatment: object, outcome: object, observed: object = None
) -> tuple[frozenset[Hashable], ...]:
    """Return every smallest set of columns that identifies the total effect by adjustment.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic.
    treatment, outcome : node
        The effect in question.
    observed : collection of nodes, optional
        What may be adjusted for; by default the nodes that don't carry `observed=False`.

    Returns
    -------
    tuple of frozenset
        Sets of which no part would do, smallest first; one empty set if nothing needs adjusting; no set at all if
        adjustment can't identify the effect.

    Raises
    ------
    ValueError
        If the graph has a cycle, a node is unknown, or more than 16 columns could matter.

    Notes
    -----
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: shpitser2010validity
    """
    t, y = _pair(graph, treatment, outcome)
    _, forbidden = _forbidden(graph, t, y)
    matter = nx.ancestors(graph, t) | nx.ancestors(graph, y)
    candidates = sorted((observed_nodes(graph, observed) & matter) - forbidden - {t, y}, key=str)
    if len(candidates) > MOST_CANDIDATES:
        raise ValueError(
            f"{len(candidates)} columns could matter, {MOST_CANDIDATES} are possible; name fewer in observed."
        )
    found: list[frozenset[Hashable]] = []
    for size in range(len(candidates) + 1):
        for columns in map(frozenset, combinations(candidates, size)):
            if not any(small <= columns for small in found) and _adjusts(graph, t, y, columns):
                found.append(columns)
    return tuple(found)


def is_front_door(graph: nx.DiGraph, treatment: object, outcome: object, mediators: object) -> bool:
    """Say whether mediators identify the effect by the front door.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic.
    treatment, outcome : node
        The effect in question.
    mediators : node or collection of nodes
        What the whole effect goes through.

    Returns
    -------
    bool
        True if the mediators cut all causal paths, nothing confounds treatment and mediators, and the treatment
        blocks what confounds mediators and outcome.

    Raises
    ------
    ValueError
        If the graph has a cycle, a node is unknown, or `mediators` is empty or holds treatment or outcome.

    Notes
    -----
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl1995causal
    """
    t, y = _pair(graph, treatment, outcome)
    middle = nodes(graph, mediators, "mediators")
    if not middle or middle & {t, y}:
        raise ValueError("mediators must hold at least one node, and neither treatment nor outcome.")
    rest = graph.subgraph(set(graph) - middle)
    if y in nx.descendants(rest, t):
        return False
    no_effect = graph.copy()
    no_effect.remove_edges_from(list(graph.out_edges(t)))
    if reached(no_effect, [t], frozenset()) & middle:
        return False
    no_way = graph.copy()
    no_way.remove_edges_from(list(graph.out_edges(middle)))
    return y not in reached(no_way, middle, frozenset({t}))
