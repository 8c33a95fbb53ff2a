"""Checks of graphs that were learnt or proposed: other rows, and shuffled names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import _pdag, _validate


class ProposalScore(NamedTuple):
    """Proposed arrows against a true graph and against chance.

    Parameters
    ----------
    n, hits : int
        Proposed arrows, and those that are in the graph.
    precision, base_rate : float
        Share of the proposals that are right; share of all ordered pairs of nodes that are arrows.
    chance_low, chance_high : float
        Middle 95 per cent of the precision of proposals of the same shape with shuffled names.
    p : float
        One-sided p-value of the hits under shuffled names.

    Notes
    -----
    Chapter: discovery/01_learning_graphs
    """

    n: int
    hits: int
    precision: float
    base_rate: float
    chance_low: float
    chance_high: float
    p: float


def bootstrap_edges(
    learn: Callable[[pd.DataFrame], nx.DiGraph], data: pd.DataFrame, *, seed: int, n_draws: int = 50
) -> pd.DataFrame:
    """Learn a graph again on resampled rows, and count how often each edge comes back.

    Parameters
    ----------
    learn : callable
        A function of a frame with the columns of `data` that returns a graph on these columns.
    data : pandas.DataFrame of shape (n, d)
        Rows that are drawn with replacement; they must be independent of each other.
    seed : int
        Seed of the draws.
    n_draws : int
        Number of draws, 2 or more.

    Returns
    -------
    pandas.DataFrame
        One row a pair of columns: `a`, `b`, and the shares of draws with `a -> b`, `a <- b`, `undirected` and `any`
        edge.

    Raises
    ------
    ValueError
        If `data` is empty, `learn` can't be called or returns another thing than a graph on these columns.

    Notes
    -----
    A frequency says how stable an edge is, not how true: an algorithm that is wrong in the same way on every draw has
    frequencies of one.
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: friedman1999data
    """
    _validate.frame(data, "data")
    _validate.function(learn, "learn")
    rng = np.random.default_rng(_validate.integer(seed, "seed"))
    pairs = list(combinations(data.columns, 2))
    counts = np.zeros((len(pairs), 3))
    for _ in range(_validate.integer(n_draws, "n_draws", 2)):
        rows = rng.integers(0, len(data), len(data))
        found = _pdag.pdag(learn(data.iloc[rows].reset_index(drop=True)), "what learn returns", cycles=True)
        if set(found) != set(data.columns):
            raise ValueError(
                "what learn returns must have the columns of data as its nodes; add those without edges."
            )
        for row, (a, b) in enumerate(pairs):
            there, back = found.has_edge(a, b), found.has_edge(b, a)
            counts[row] += (there and not back, back and not there, there and back)
    table = pd.DataFrame(pairs, columns=["a", "b"])
    table[["a -> b", "a <- b", "undirected"]] = counts / n_draws
    return table.assign(any=counts.sum(axis=1) / n_draws)


def from_causallearn(graph: Any, names: Sequence[Hashable]) -> nx.DiGraph:
    """Return a graph of causal-learn as a DiGraph; an edge without direction becomes one in both.

    Parameters
    ----------
    graph : causal-learn graph, or array of shape (d, d)
        `pc(...).G` or `ges(...)["G"]`, or its matrix: -1 is a tail and 1 an arrowhead at the row's end of the edge.
    names : sequence of d labels
        Names of the columns.

    Returns
    -------
    networkx.DiGraph
        With one node a name.

    Raises
    ------
    ValueError
        If the matrix isn't square, names don't fit or occur twice, or there are marks that a graph without hidden
        causes can't have (circles, two arrowheads).

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: zheng2024causal
    """
    marks = _validate.matrix(graph.graph if hasattr(graph, "graph") else graph, "graph")
    labels = list(_validate.iterable(names, "names")) if not isinstance(names, str) else [names]
    _validate.unique(np.array([str(v) for v in labels]), "names")
    if marks.shape != (len(labels), len(labels)):
        raise ValueError(f"graph has shape {marks.shape} for {len(labels)} names; name each column once.")
    found = nx.DiGraph()
    found.add_nodes_from(labels)
    for i, j in combinations(range(len(labels)), 2):
        at = (marks[i, j], marks[j, i])
        if at not in {(0, 0), (-1, 1), (1, -1), (-1, -1)}:
            raise ValueError(
                f"graph has the marks {at[0]:g} and {at[1]:g} between {labels[i]} and {labels[j]}; a graph with "
                "circles or two arrowheads is read edge by edge, and is no partly directed graph."
            )
        if at[0] == -1:
            found.add_edge(labels[i], labels[j])
        if at[1] == -1:
            found.add_edge(labels[j], labels[i])
    return found


def score_proposals(
    edges: Sequence[tuple[Hashable, Hashable]], truth: nx.DiGraph, *, seed: int, n_draws: int = 2_000
) -> ProposalScore:
    """Hold proposed arrows against a true graph, and against the same proposals with shuffled names.

    Parameters
    ----------
    edges : sequence of pairs of nodes
        Proposed arrows (cause, effect), each once: an expert's, or a language model's.
    truth : networkx.DiGraph
        The true graph, acyclic.
    seed : int
        Seed of the shuffles.
    n_draws : int
        Number of shuffles, 100 or more.

    Returns
    -------
    ProposalScore
        Precision, the base rate that a blind guess has, and what shuffled names reach by chance.

    Raises
    ------
    ValueError
        If there is no proposal, one occurs twice or names no node, or the graph has a cycle or undirected edges.

    Notes
    -----
    Shuffling the names keeps the shape of the proposals: a proposer that draws many arrows into one node is compared
    with others that do. Proposals may contradict each other; nothing here asks for an acyclic set.
    Chapter: discovery/01_learning_graphs
    """
    g = _pdag.pdag(truth, "truth")
    if _pdag.undirected(g):
        raise ValueError("truth has an edge in both directions; give each edge one.")
    places = {v: k for k, v in enumerate(g)}
    proposed = [tuple(e) if isinstance(e, tuple | list) else (e,) for e in _validate.iterable(edges, "edges")]
    for e in proposed:
        if len(e) != 2 or any(not isinstance(v, Hashable) or v not in places for v in e) or e[0] == e[1]:
            raise ValueError(
                f"edges holds {_validate.shown(e)}, no pair of two nodes of truth; write (cause, effect)."
            )
    if not proposed or len(set(proposed)) < len(proposed):
        raise ValueError("edges is empty or holds an arrow twice; propose each arrow once.")
    rng = np.random.default_rng(_validate.integer(seed, "seed"))
    n_draws = _validate.integer(n_draws, "n_draws", 100)
    true = nx.to_numpy_array(g, weight=None) != 0
    at = np.array([[places[a], places[b]] for a, b in proposed])
    hits = int(true[at[:, 0], at[:, 1]].sum())
    shuffled = rng.permuted(np.tile(np.arange(len(g)), (n_draws, 1)), axis=1)
    chance = true[shuffled[:, at[:, 0]], shuffled[:, at[:, 1]]].sum(axis=1)
    low, high = np.quantile(chance / len(at), [0.025, 0.975])
    rate = true.sum() / (len(g) * (len(g) - 1))
    p = (1 + (chance >= hits).sum()) / (1 + n_draws)
    return ProposalScore(len(at), hits, hits / len(at), float(rate), float(low), float(high), float(p))
