"""The split search of a causal tree: sums of all candidates at once, and the gain in effect variance."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalrec_lib._validate import FloatArray

Integers = NDArray[np.int64]
STATISTICS = 12


def moments(y: FloatArray, t: FloatArray, e: FloatArray) -> FloatArray:
    """Return what must be summed over a group of rows, shape (12, n): six columns an arm.

    The row itself, its weight w, w y, w^2, w^2 y and w^2 y^2, with w = 1 / e for the treated and 1 / (1 - e) for the
    others. Outcomes are centred first: no effect moves, and squares keep their digits.
    """
    out = np.zeros((STATISTICS, len(y)))
    centred = y - y.mean()
    for start, rows, chance in ((0, t == 1, e), (6, t == 0, 1 - e)):
        w, v = 1 / chance[rows], centred[rows]
        out[start : start + 6, rows] = np.stack([np.ones_like(w), w, w * v, w**2, w**2 * v, w**2 * v**2])
    return out


class Groups(NamedTuple):
    """Weighted contrasts of groups of rows; every field has the shape of the groups."""

    rows: FloatArray
    fewest: FloatArray
    effect: FloatArray
    variance: FloatArray


def contrast(sums: FloatArray) -> Groups:
    """Return effect and its squared error of groups from their sums, shape (12, ...).

    Each arm has its weighted mean; the squared error is robust to unequal variances, times n / (n - 1) of the arm.
    """
    means, variance = [], np.zeros(sums.shape[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        for n, w, wy, ww, wwy, wwyy in (sums[:6], sums[6:]):
            mean = wy / w
            means.append(mean)
            variance = variance + n / (n - 1) * np.maximum(wwyy - 2 * mean * wwy + mean**2 * ww, 0) / w**2
    return Groups(sums[0] + sums[6], np.minimum(sums[0], sums[6]), means[0] - means[1], variance)


def score(sums: FloatArray, total: float, penalty: float) -> FloatArray:
    """Return what groups add to the criterion: share of rows times (effect^2 - penalty * squared error)."""
    found = contrast(sums)
    return np.asarray(found.rows / total * (found.effect**2 - penalty * found.variance))


def cut_points(X: FloatArray, grid: int) -> list[FloatArray]:
    """Return candidate cuts of each column: between its values, or at `grid` quantiles if there are more."""
    out = []
    for x in X.T:
        values = np.unique(x)
        if len(values) - 1 > grid:
            values = np.unique(np.quantile(x, np.arange(1, grid + 1) / (grid + 1)))
            out.append(values[values < x.max()])
        else:
            out.append((values[1:] + values[:-1]) / 2)
    return out


class Table(NamedTuple):
    """Rows of one half: bin of each value, shape (n, p), and moments, shape (12, n)."""

    bins: Integers
    moments: FloatArray

    def at(self, rows: Integers, n_bins: int, which: slice = slice(None)) -> FloatArray:
        """Return the sums left of every cut, shape (12, p, n_bins); the last is the sum over all rows."""
        p = self.bins.shape[1]
        flat = (self.bins[rows] + n_bins * np.arange(p)).ravel()
        parts = self.moments[which][:, rows]
        sums = [np.bincount(flat, np.repeat(part, p), n_bins * p) for part in parts]
        return np.stack(sums).reshape(len(parts), p, n_bins).cumsum(axis=2)


def binned(X: FloatArray, cuts: list[FloatArray]) -> Integers:
    """Return the bin of each value, shape (n, p): x <= cuts[j] if and only if its bin is j or less."""
    return np.column_stack([np.searchsorted(c, x, side="left") for c, x in zip(cuts, X.T, strict=True)])


@dataclass(frozen=True, eq=False)
class Nodes:
    """A grown tree: node 0 is the root; a leaf has column -1.

    Parameters
    ----------
    column, cut : ndarray of shape (k,)
        Which column a node asks for, and where: rows with x <= cut go left.
    left, right : ndarray of shape (k,)
        Its children, -1 for a leaf.
    score : ndarray of shape (k,)
        What the node adds to the criterion if it is a leaf, in squared units of the effect.
    """

    column: Integers
    cut: FloatArray
    left: Integers
    right: Integers
    score: FloatArray

    def route(self, X: FloatArray) -> Integers:
        """Return the leaf of each row of X."""
        at = np.zeros(len(X), dtype=np.int64)
        while True:
            rows = np.flatnonzero(self.column[at] >= 0)
            if not len(rows):
                return at
            here = at[rows]
            low = X[rows, self.column[here]] <= self.cut[here]
            at[rows] = np.where(low, self.left[here], self.right[here])

    def below(self, node: int) -> list[int]:
        """Return the leaves under a node, from left to right."""
        if self.column[node] < 0:
            return [node]
        return self.below(int(self.left[node])) + self.below(int(self.right[node]))

    def cut_back(self, closed: NDArray[np.bool_]) -> Nodes:
        """Return the tree with the marked nodes made leaves; what was below stays in the arrays, out of reach."""
        shut = {"column": -1, "left": -1, "right": -1}
        return Nodes(
            **{name: np.where(closed, value, getattr(self, name)) for name, value in shut.items()},
            cut=np.where(closed, np.nan, self.cut),
            score=self.score,
        )


@dataclass(frozen=True)
class Growth:
    """How far a tree grows.

    Parameters
    ----------
    min_leaf : int
        Fewest rows of each arm in a leaf, in each half.
    max_depth, max_leaves : int
        Most questions in a row, and most leaves.
    penalty : float
        What a squared error counts: 0 for an adaptive tree, 1 + n_split / n_estimate for an honest one.
    grid : int
        Most candidate cuts a column.
    """

    min_leaf: int
    max_depth: int
    max_leaves: int
    penalty: float
    grid: int


def grow(X: FloatArray, rows: FloatArray, how: Growth, other: tuple[FloatArray, FloatArray] | None) -> Nodes:
    """Split the leaf with the largest gain, until no leaf may be split or there are enough.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Covariates of the rows that choose the splits.
    rows : ndarray of shape (12, n)
        Their moments.
    how : Growth
        Limits and penalty.
    other : tuple of ndarray, optional
        Covariates and moments of the rows that will estimate the effects. Only how many of them of each arm fall into
        a leaf is looked at, never their outcomes.

    Returns
    -------
    Nodes
        The tree, not yet pruned: splits that lose are made, too, for a later one may win.
    """
    cuts = cut_points(X, how.grid)
    n_bins = max(map(len, cuts)) + 1
    tables = [Table(binned(X, cuts), rows)]
    if other is not None:
        tables.append(Table(binned(other[0], cuts), other[1]))
    total = float(X.shape[0])
    tree: list[list[float]] = []
    queue: list[tuple[float, int, int, tuple[int, int], list[Integers]]] = []

    def add(members: list[Integers], depth: int) -> int:
        node = len(tree)
        own = rows[:, members[0]].sum(axis=1)
        tree.append([-1, np.nan, -1, -1, float(score(own, total, how.penalty))])
        if depth < how.max_depth:
            gain, place = _best(tables, members, n_bins, how, total)
            if np.isfinite(gain):
                heapq.heappush(queue, (-(gain - tree[node][4]), node, depth, place, members))
        return node

    add([np.arange(len(table.bins)) for table in tables], 0)
    leaves = 1
    while queue and leaves < how.max_leaves:
        _, node, depth, (column, place), members = heapq.heappop(queue)
        low = [table.bins[m, column] <= place for table, m in zip(tables, members, strict=True)]
        left = add([m[side] for m, side in zip(members, low, strict=True)], depth + 1)
        right = add([m[~side] for m, side in zip(members, low, strict=True)], depth + 1)
        tree[node][:4] = [column, cuts[column][place], left, right]
        leaves += 1
    return _nodes(tree)


def _nodes(tree: list[list[float]]) -> Nodes:
    column, cut, left, right, value = (np.array(part, dtype=np.float64) for part in zip(*tree, strict=True))
    return Nodes(column.astype(np.int64), cut, left.astype(np.int64), right.astype(np.int64), value)


def _best(
    tables: list[Table], members: list[Integers], n_bins: int, how: Growth, total: float
) -> tuple[float, tuple[int, int]]:
    """Return the largest score of both children, -inf if no cut is allowed, and its column and place."""
    left = tables[0].at(members[0], n_bins)
    right = left[:, :, -1:] - left
    with np.errstate(invalid="ignore"):
        both = score(left, total, how.penalty) + score(right, total, how.penalty)
    enough = _enough(left, right, how.min_leaf)
    for table, rows in zip(tables[1:], members[1:], strict=True):
        counts = table.at(rows, n_bins, slice(0, None, 6))
        enough &= _enough(counts, counts[:, :, -1:] - counts, how.min_leaf)
    both = np.where(enough, both, -np.inf)
    place = np.unravel_index(int(np.argmax(both)), both.shape)
    return float(both[place]), (int(place[0]), int(place[1]))


def _enough(left: FloatArray, right: FloatArray, least: int) -> NDArray[np.bool_]:
    step = 6 if len(left) == STATISTICS else 1
    return np.asarray(np.minimum(np.min(left[::step], axis=0), np.min(right[::step], axis=0)) >= least)
