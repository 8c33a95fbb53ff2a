"""A Bayesian network of columns with few values: fitted, asked, and intervened on, exactly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib._separation import dag, nodes
from causalrec_lib._validate import FloatArray

MOST_CELLS = 5_000_000


class BayesianNetwork:
    """A graph with one table for each node: its chances, given each combination of its parents' values.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic.
    tables : mapping of node to array-like
        For each node an array with one axis for each parent, in alphabetical order of their names, and a last axis
        for the node's own values; sums to one along the last axis.
    states : mapping of node to list
        The values of each node, in the order of the axes.

    Raises
    ------
    ValueError
        If the graph has a cycle, or a table is missing, of another shape, negative, or doesn't sum to one.

    Notes
    -----
    Questions are answered from the joint distribution, all of it: exact, and fit for small networks only.
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl1988probabilistic, pearl2009causality
    """

    def __init__(
        self, graph: nx.DiGraph, tables: Mapping[Hashable, object], states: Mapping[Hashable, list[Hashable]]
    ) -> None:
        self.graph = dag(graph)
        _validate.mapping(tables, "tables")
        _validate.mapping(states, "states")
        for what, given in (("tables", tables), ("states", states)):
            nodes(graph, list(given), what)
            lacking = sorted(str(v) for v in graph if v not in given)
            if lacking:
                raise ValueError(f"{what} says nothing about {', '.join(lacking)}; give one entry a node.")
        self.states = {v: list(states[v]) for v in graph}
        self.order = list(nx.lexicographical_topological_sort(graph, key=str))
        cells = np.prod([float(len(self.states[v])) for v in graph])
        if cells > MOST_CELLS:
            raise ValueError(f"graph has {cells:,.0f} combinations of values; merge values, or take fewer nodes.")
        self.tables = {v: self._table(v, tables[v]) for v in graph}

    def _table(self, v: Hashable, given: object) -> FloatArray:
        shape = tuple(len(self.states[u]) for u in (*self.parents(v), v))
        table = np.asarray(given, dtype=float)
        if table.shape != shape:
            raise ValueError(
                f"tables[{v!r}] has shape {table.shape}, but by states it must have {shape}: one axis for "
                "each parent, by name, and a last one for the node."
            )
        cells = (int(np.prod(shape[:-1])), shape[-1])
        rows = _validate.distributions(table.reshape(cells), f"tables[{v!r}]", cells)
        return rows.reshape(shape)

    def parents(self, v: Hashable) -> list[Hashable]:
        """Return the parents of a node in the order of its table's axes.

        Parameters
        ----------
        v : node
            A node of the graph.

        Returns
        -------
        list of nodes
            Its parents, by name.

        Raises
        ------
        ValueError
            If `v` is no node of the graph.
        """
        nodes(self.graph, v, "v")
        return sorted(self.graph.pred[v], key=str)

    @classmethod
    def fit(cls, graph: nx.DiGraph, data: pd.DataFrame, *, smoothing: float = 0.0) -> BayesianNetwork:
        """Fit a network to data: in each table, the shares of the rows.

        Parameters
        ----------
        graph : networkx.DiGraph
            Acyclic; its nodes are columns of `data`.
        data : pandas.DataFrame of shape (n, k)
            Columns with few values each.
        smoothing : float
            Rows added to each cell; with 0, the maximum likelihood estimate.

        Returns
        -------
        BayesianNetwork
            The fitted network.

        Raises
        ------
        ValueError
            If a column is missing or has missing values, or if some combination of parents has no row and `smoothing`
            is 0.
        """
        columns = _validate.frame(data, "data").columns
        lacking = sorted(str(v) for v in dag(graph) if v not in columns)
        if lacking:
            raise ValueError(
                f"data has no column {', '.join(lacking)}, which graph names; it has {', '.join(map(str, columns))}."
            )
        extra = _validate.number(smoothing, "smoothing", low=0.0)
        coded: dict[Hashable, NDArray[np.int64]] = {}
        states: dict[Hashable, list[Hashable]] = {}
        for v in graph:
            missing = data[v].isna().to_numpy()
            if missing.any():
                raise ValueError(f"{v} of data has no value in {_validate.rows(missing)}; drop these rows.")
            codes, values = pd.factorize(data[v], sort=True)
            coded[v], states[v] = codes.astype(np.int64), list(values)
        tables = {}
        for v in graph:
            axes = (*sorted(graph.pred[v], key=str), v)
            counts = np.full([len(states[u]) for u in axes], extra)
            np.add.at(counts, tuple(coded[u] for u in axes), 1.0)
            total = counts.sum(axis=-1, keepdims=True)
            if (total == 0).any():
                raise ValueError(
                    f"data has no row for some values of the parents of {v}; merge values, or set smoothing."
                )
            tables[v] = counts / total
        return cls(graph, tables, states)

    def joint(self) -> FloatArray:
        """Return the chance of every combination of values.

        Returns
        -------
        ndarray
            One axis a node, in the order of `order`; sums to one.
        """
        found = np.ones([1] * len(self.order))
        for v in self.order:
            axes = [self.order.index(u) for u in (*self.parents(v), v)]
            table = np.moveaxis(self.tables[v], range(len(axes)), np.argsort(np.argsort(axes)))
            shape = [table.shape[sorted(axes).index(k)] if k in axes else 1 for k in range(len(self.order))]
            found = found * table.reshape(shape)
        return found

    def query(self, target: Hashable, given: Mapping[Hashable, Hashable] | None = None) -> pd.Series:
        """Return the distribution of one node among the rows in which others have given values.

        Parameters
        ----------
        target : node
            What is asked about.
        given : mapping of node to value, optional
            What was seen.

        Returns
        -------
        pandas.Series
            Chance of each value of `target`.

        Raises
        ------
        ValueError
            If a node or value is unknown, `target` is among `given`, or what was seen has no chance at all.
        """
        seen = {} if given is None else dict(_validate.mapping(given, "given"))
        nodes(self.graph, target, "target")
        if target in seen:
            raise ValueError(f"target {target!r} is among given; nothing is left to ask.")
        where = tuple(self._position(v, seen[v], "given") if v in seen else slice(None) for v in self.order)
        nodes(self.graph, list(seen), "given")
        rest = [v for v in self.order if v not in seen]
        part = self.joint()[where].sum(axis=tuple(k for k, v in enumerate(rest) if v != target))
        if part.sum() == 0:
            raise ValueError(f"given has no chance in this network: {seen}.")
        return pd.Series(part / part.sum(), index=pd.Index(self.states[target], name=str(target)), name="chance")

    def _position(self, v: Hashable, value: Hashable, name: str) -> int:
        if value not in self.states[v]:
            raise ValueError(f"{name} sets {v} to {value!r}; its values are {', '.join(map(repr, self.states[v]))}.")
        return self.states[v].index(value)

    def do(self, setting: Mapping[Hashable, Hashable]) -> BayesianNetwork:
        """Return the network in which some nodes are set from outside: their arrows from parents are cut.

        Parameters
        ----------
        setting : mapping of node to value
            The intervention.

        Returns
        -------
        BayesianNetwork
            The network after it.

        Raises
        ------
        ValueError
            If a node or value is unknown.

        Notes
        -----
        Chapter: dags/01_graphs_and_identification
        """
        nodes(self.graph, list(_validate.mapping(setting, "setting")), "setting")
        cut, tables = self.graph.copy(), dict(self.tables)
        for v, value in setting.items():
            cut.remove_edges_from(list(cut.in_edges(v)))
            tables[v] = np.eye(len(self.states[v]))[self._position(v, value, "setting")]
        return BayesianNetwork(cut, tables, self.states)

    def sample(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw rows, causes first.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        pandas.DataFrame of shape (n, number of nodes)
            One column a node.

        Raises
        ------
        ValueError
            If `n` is no whole number above 0 or `rng` no generator.
        """
        rows, draws = _validate.integer(n, "n", low=1), _validate.generator(rng, "rng")
        coded: dict[Hashable, NDArray[np.int64]] = {}
        for v in self.order:
            chances = self.tables[v][tuple(coded[u] for u in self.parents(v))]
            below = np.cumsum(np.broadcast_to(chances, (rows, len(self.states[v]))), axis=1)[:, :-1]
            coded[v] = (draws.random(rows)[:, None] >= below).sum(axis=1)
        return pd.DataFrame(
            {v: np.asarray(self.states[v], dtype=object)[coded[v]] for v in self.order}
        ).infer_objects()
