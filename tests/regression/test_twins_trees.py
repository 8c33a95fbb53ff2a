"""Broken twins of the causal tree: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import pytest

from causalrec_lib import trees
from causalrec_lib._tree_effects import Sample
from causalrec_lib._tree_split import Growth
from tests.truth import trees_world as world
from tests.truth.trees_world import Tools

RUNS = 60
TRUE = Tools()


def speaking(which):
    """Return a tree whose effects come from other rows than they should."""

    def broken(y, t, X, e=None, *, clusters=None, **k):
        tree = TRUE.causal_tree(y, t, X, e, clusters=clusters, **k)
        rows = which(tree)
        codes = None if clusters is None else np.unique(np.asarray(clusters)[rows], return_inverse=True)[1]
        return replace(tree, sample=Sample(y[rows], t[rows], e[rows], tree.apply(X)[rows], codes))

    return broken


@dataclass(frozen=True, eq=False)
class OtherErrors(trees.CausalTree):
    """A tree with the standard errors of the planted mistake: each arm's variance over all rows of the leaf."""

    def estimates(self):
        return {leaf: replace(found, se=found.se / np.sqrt(2)) for leaf, found in super().estimates().items()}


def other_errors(*a, **k):
    return OtherErrors(**vars(TRUE.causal_tree(*a, **k)))


def sides_swapped(*a, **k):
    tree = TRUE.causal_tree(*a, **k)
    return replace(tree, nodes=replace(tree.nodes, left=tree.nodes.right, right=tree.nodes.left))


def penalty(value):
    """Return a tree whose splits count squared errors otherwise."""

    def broken(*a, **k):
        with patch.object(
            trees, "Growth", lambda least, depth, leaves, _, grid: Growth(least, depth, leaves, value, grid)
        ):
            return TRUE.causal_tree(*a, **k)

    return broken


def outcomes_apart(*a, **k):
    def total(sums, total, penalty):
        n, y = sums[0] + sums[6], sums[2] + sums[8]
        return y**2 / np.maximum(n, 1) / total

    with patch("causalrec_lib._tree_split.score", total):
        return TRUE.causal_tree(*a, **k)


def one_half_counts(*a, **k):
    with patch.object(trees, "grow", lambda table, rows, how, other: world_grow(table, rows, how, None)):
        return TRUE.causal_tree(*a, **k)


world_grow = trees.grow

TWINS = {
    "the same rows choose and estimate": lambda *a, **k: TRUE.causal_tree(*a, **{**k, "honest": False}),
    "the splitting half estimates": speaking(lambda tree: tree.splitting),
    "all rows estimate": speaking(lambda tree: np.ones(len(tree.splitting), bool)),
    "weights forgotten": lambda y, t, X, e=None, **k: TRUE.causal_tree(y, t, X, **k),
    "weights of the other arm": lambda y, t, X, e, **k: TRUE.causal_tree(y, t, X, 1 - e, **k),
    "weights squared": lambda y, t, X, e, **k: TRUE.causal_tree(y, t, X, e**2, **k),
    "treatment turned around": lambda y, t, X, e, **k: TRUE.causal_tree(y, 1 - t, X, 1 - e, **k),
    "groups ignored": lambda *a, clusters=None, **k: TRUE.causal_tree(*a, **k),
    "errors over all rows of the leaf": other_errors,
    "sides swapped on the way down": sides_swapped,
    "splits that don't count errors": penalty(0.0),
    "splits that count errors once": penalty(1.0),
    "splits that look at outcomes": outcomes_apart,
    "rows counted in one half only": one_half_counts,
    "never pruned": lambda *a, **k: TRUE.causal_tree(*a, **{**k, "pruned": False}),
    "as many leaves as it likes": lambda *a, **k: TRUE.causal_tree(*a, **{**k, "max_leaves": 16}),
}


def first_failure(tools):
    """Return the first check that fails."""
    return next((check for check, good in world.tree_battery(tools, RUNS) if not good), None)


def test_the_true_function_passes():
    assert first_failure(TRUE) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    assert first_failure(replace(TRUE, causal_tree=TWINS[name])) is not None, f"the battery does not see {name!r}"
