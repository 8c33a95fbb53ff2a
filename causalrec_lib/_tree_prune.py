"""Pruning of a causal tree: weakest links first, and the level that held-out rows like best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib._tree_split import Growth, Integers, Nodes, grow, score
from causalrec_lib._validate import FloatArray


def collapse_levels(nodes: Nodes) -> FloatArray:
    """Return the price of a leaf at which each node closes, shape (k,); infinity for leaves (bib: breiman1984).

    A subtree is worth its leaves' scores minus its root's, shared among the leaves that it adds. The weakest closes
    first; a price never falls from one closing to the next.
    """
    level = np.full(len(nodes.column), np.inf)
    tree, price = nodes, -np.inf
    while tree.column[0] >= 0:
        worth = {}
        for node in _open(tree):
            leaves = tree.below(node)
            worth[node] = (tree.score[leaves].sum() - tree.score[node]) / (len(leaves) - 1)
        weakest = min(worth, key=lambda node: worth[node])
        price = max(price, worth[weakest])
        for node in _open(tree, weakest):
            level[node] = price
        tree = tree.cut_back(np.arange(len(level)) == weakest)
    return level


def _open(tree: Nodes, node: int = 0) -> list[int]:
    """Return the nodes under `node` that ask a question, itself first."""
    if tree.column[node] < 0:
        return []
    return [node, *_open(tree, int(tree.left[node])), *_open(tree, int(tree.right[node]))]


def prune(nodes: Nodes, level: FloatArray, price: float) -> Nodes:
    """Return the tree in which every node closes that costs `price` a leaf or less is worth."""
    return nodes.cut_back(level <= price)


def held_out_value(
    nodes: Nodes, level: FloatArray, price: float, sums: FloatArray, total: float, penalty: float
) -> float:
    """Return the criterion of a pruned tree on held-out rows, from their sums in each node, shape (12, k).

    Where a leaf has fewer than two held-out rows of an arm, its parent stands in for both children.
    """
    value = score(sums, total, penalty)
    known = np.minimum(sums[0], sums[6]) >= 2

    def of(node: int) -> float:
        left, right = int(nodes.left[node]), int(nodes.right[node])
        if nodes.column[node] < 0 or level[node] <= price or not (known[left] and known[right]):
            return float(value[node])
        return of(left) + of(right)

    return of(0)


def node_sums(nodes: Nodes, X: FloatArray, rows: FloatArray) -> FloatArray:
    """Return the sums of moments in every node, shape (12, k)."""
    out = np.zeros((len(rows), len(nodes.column)))
    leaf = nodes.route(X)
    for k, part in enumerate(rows):
        out[k] = np.bincount(leaf, part, len(nodes.column))
    for node in _open(nodes)[::-1]:
        out[:, node] = out[:, nodes.left[node]] + out[:, nodes.right[node]]
    return out


def choose_price(
    nodes: Nodes, X: FloatArray, rows: FloatArray, fold: Integers, how: Growth, n_estimate: int | None
) -> pd.DataFrame:
    """Return one row a candidate price: leaves of the full tree, and the criterion on held-out folds.

    In each fold the tree is grown without it. The held-out criterion takes off the squared error of its own leaf
    effects, which would count noise as variance of effects, and that of the effects to be estimated.
    """
    ends = np.unique(collapse_levels(nodes)[nodes.column >= 0])
    ends = np.unique(np.maximum(ends, 0.0))
    prices = [0.0, *np.sqrt(ends[:-1] * ends[1:]), *([ends[-1]] if len(ends) else [])]
    prices = sorted(set(map(float, prices)))
    value = np.zeros(len(prices))
    for k in range(int(fold.max()) + 1):
        inside = fold != k
        ratio = 0.0 if n_estimate is None else inside.sum() / n_estimate
        penalty = how.penalty if n_estimate is None else 1 + ratio
        least = max(2, round(how.min_leaf * inside.mean()))
        grown = grow(
            X[inside],
            rows[:, inside],
            Growth(least, how.max_depth, how.max_leaves, penalty, how.grid),
            None,
        )
        sums, level = node_sums(grown, X[~inside], rows[:, ~inside]), collapse_levels(grown)
        total = float((~inside).sum())
        out = 1 + (total / n_estimate if n_estimate is not None else 0.0)
        value += [held_out_value(grown, level, price, sums, total, out) for price in prices]
    full = collapse_levels(nodes)
    leaves = [len(prune(nodes, full, price).below(0)) for price in prices]
    return pd.DataFrame({"price": prices, "leaves": leaves, "held_out": value / (fold.max() + 1)})
