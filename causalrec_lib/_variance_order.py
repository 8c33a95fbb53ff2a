"""What order the variances give away, and what effects an equivalence class allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import networkx as nx
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.linear_model import LassoLarsIC, LinearRegression

from causalrec_lib import _pdag, _validate
from causalrec_lib._validate import FloatArray


def _columns(data: pd.DataFrame, graph: nx.DiGraph | None = None) -> FloatArray:
    """Return the numbers of a frame, one column a node of the graph; refuse constants."""
    _validate.frame(data, "data")
    if graph is not None:
        lacking = sorted(str(v) for v in graph if v not in data.columns)
        if lacking:
            raise ValueError(f"data has no column {', '.join(lacking)}, which graph names; rename, or drop the node.")
    x = _validate.matrix(data if graph is None else data[list(graph)], "data")
    flat = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if len(flat):
        raise ValueError(f"data has a constant column, number {flat[0]}; it can't listen to anything: drop it.")
    return x


def varsortability(data: pd.DataFrame, graph: nx.DiGraph) -> float:
    """Return how well the variances alone tell causes from effects.

    Parameters
    ----------
    data : pandas.DataFrame of shape (n, d)
        The columns in the units in which an algorithm saw them.
    graph : networkx.DiGraph
        The true graph, acyclic, with at least one edge.

    Returns
    -------
    float
        Share of directed paths, counted once for each length and pair of ends, that end in the larger variance (ties
        count half). One half is no information; with 1 sorting by variance finds the order of causes.

    Raises
    ------
    ValueError
        If the graph has a cycle, undirected edges or no edge, or a column is missing, constant or no number.

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: reisach2021beware
    """
    g = _pdag.pdag(graph, "graph")
    if _pdag.undirected(g) or not g.number_of_edges():
        raise ValueError("graph must be the true one, with at least one edge and each edge in one direction.")
    variance = _columns(data, g).var(axis=0)
    edge = nx.to_numpy_array(g, weight=None) != 0
    gap = variance[None, :] - variance[:, None]
    rises = np.where(np.abs(gap) <= 1e-9 * variance.max(), 0.5, gap > 0)
    ways, hits, total = edge, 0.0, 0
    while ways.any():
        hits, total = hits + rises[ways].sum(), total + int(ways.sum())
        ways = (ways.astype(int) @ edge.astype(int)) > 0
    return float(hits / total)


def sort_by_variance(data: pd.DataFrame) -> nx.DiGraph:
    """Return the graph of a baseline that knows nothing of causes: smaller variance first, then regress.

    Parameters
    ----------
    data : pandas.DataFrame of shape (n, d)
        Columns of numbers, with more rows than columns.

    Returns
    -------
    networkx.DiGraph
        Each column listens to those of smaller variance that an adaptive lasso, tuned by BIC, keeps.

    Raises
    ------
    ValueError
        If a column is constant or no number, or there are too few rows.

    Notes
    -----
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: reisach2021beware
    """
    x = _columns(data)
    if len(x) <= x.shape[1] + 1:
        raise ValueError(f"data has {len(x)} rows for {x.shape[1]} columns; pass more rows than columns.")
    order = np.argsort(x.var(axis=0), kind="stable")
    found = nx.DiGraph()
    found.add_nodes_from(data.columns)
    for k in range(1, len(order)):
        target, earlier = order[k], order[:k]
        weight = np.abs(LinearRegression().fit(x[:, earlier], x[:, target]).coef_)
        kept = LassoLarsIC(criterion="bic").fit(x[:, earlier] * weight, x[:, target]).coef_ * weight
        found.add_edges_from((data.columns[i], data.columns[target]) for i in earlier[np.abs(kept) > 0])
    return found


def class_effects(
    data: pd.DataFrame, graphs: tuple[nx.DiGraph, ...], treatment: Hashable, outcome: Hashable
) -> pd.DataFrame:
    """Return the effect of one column on another under each graph of a class.

    Parameters
    ----------
    data : pandas.DataFrame of shape (n, d)
        Columns of numbers.
    graphs : tuple of networkx.DiGraph
        What `equivalence_class` returned; nodes are columns of `data`.
    treatment, outcome : node
        The effect in question: of one unit of the treatment, in units of the outcome.

    Returns
    -------
    pandas.DataFrame
        One row a set of parents that the treatment has in some graph: `parents`, `effect`, `se`, `low`, `high` and
        `graphs`, how many graphs say so. Where the outcome is a parent, the effect is zero without error.

    Raises
    ------
    ValueError
        If a node is no column, treatment and outcome are the same, a column is constant or no number, or there are
        too few rows.

    Notes
    -----
    A linear regression on the treatment and its parents (IDA), with errors that are robust to unequal variances. The
    intervals don't know that the graph was learnt: take one from other rows.
    Chapter: discovery/01_learning_graphs

    References
    ----------
    bib: maathuis2009estimating
    """
    if not isinstance(graphs, tuple | list) or not graphs:
        raise ValueError(
            f"graphs must be a tuple of graphs, but is {_validate.shown(graphs)}; take equivalence_class."
        )
    first = _pdag.pdag(graphs[0], "each of graphs")
    columns = pd.DataFrame(_columns(data, first), columns=list(first))
    for v, name in ((treatment, "treatment"), (outcome, "outcome")):
        _validate.one_of(v, name, tuple(first))
    if treatment == outcome:
        raise ValueError(f"treatment and outcome are both {treatment!r}; name two columns.")
    if len(columns) <= len(first) + 1:
        raise ValueError(f"data has {len(columns)} rows for {len(first)} columns; pass more rows than columns.")
    rows: Counter[frozenset[Hashable]] = Counter()
    for graph in graphs:
        g = _pdag.pdag(graph, "each of graphs")
        _pdag.same_nodes(g, first, ("each of graphs", "the first"))
        rows[frozenset(g.pred[treatment])] += 1
    table = []
    for parents, count in sorted(rows.items(), key=lambda row: sorted(map(str, row[0]))):
        names = sorted(parents, key=str)
        effect, se = 0.0, 0.0
        if outcome not in parents:
            fit = sm.OLS(columns[outcome], sm.add_constant(columns[[treatment, *names]])).fit(cov_type="HC1")
            effect, se = float(fit.params[treatment]), float(fit.bse[treatment])
        label = ", ".join(map(str, names)) or "(none)"
        table.append((label, effect, se, effect - 1.96 * se, effect + 1.96 * se, count))
    return pd.DataFrame(table, columns=["parents", "effect", "se", "low", "high", "graphs"])
