"""A world in which one column changes the effect, and the checks that a causal tree must pass in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from causalrec_lib import trees

from .weighting_world import Runs, honest

SIZE = 1.0  # tau(x) = SIZE where x_0 > 0, else 0


@dataclass(frozen=True)
class Tools:
    """The function under test; a broken twin replaces it."""

    causal_tree: object = trees.causal_tree


@dataclass(frozen=True)
class Draw:
    """Outcome, treatment, covariates, propensity, groups of rows that share noise and coin."""

    y: np.ndarray
    t: np.ndarray
    X: np.ndarray
    e: np.ndarray
    group: np.ndarray


def effect(X: np.ndarray, size: float = SIZE) -> np.ndarray:
    return size * (X[:, 0] > 0)


def draw(seed: int, n: int = 800, size: float = SIZE, each: int = 1) -> Draw:
    """Draw rows; with `each`, so many share columns, coin and half of the noise.

    x_1 moves coin and outcome, by little: a weighted mean of few rows is biased by the order of one in n.
    """
    rng = np.random.default_rng([55, seed])
    group = np.arange(n) // each
    X = rng.normal(size=(group[-1] + 1, 4))[group]
    e = expit(0.6 * X[:, 1])
    t = (rng.random(group[-1] + 1)[group] < e).astype(float)
    shared = rng.normal(size=group[-1] + 1)[group] if each > 1 else 0.0
    y = X[:, 1] + X[:, 2] + t * effect(X, size) + shared + rng.normal(size=n)
    return Draw(y, t, X, e, group)


def by_hand(d: Draw, rows: np.ndarray) -> float:
    """Return the weighted difference of means among some rows."""
    w1, w0 = d.t[rows] / d.e[rows], (1 - d.t[rows]) / (1 - d.e[rows])
    return float(w1 @ d.y[rows] / w1.sum() - w0 @ d.y[rows] / w0.sum())


def criterion(d: Draw, rows: np.ndarray) -> float:
    """Return what a group of splitting rows is worth: rows times (effect^2 - 2 squared errors), arm by arm."""
    variance = 0.0
    for arm, chance in ((d.t == 1, d.e), (d.t == 0, 1 - d.e)):
        w, y = 1 / chance[rows & arm], d.y[rows & arm]
        rest = w * (y - np.average(y, weights=w))
        variance += len(w) / (len(w) - 1) * (rest @ rest) / w.sum() ** 2
    return rows.sum() * (by_hand(d, rows) ** 2 - 2 * variance)


def best_cut(d: Draw, split: np.ndarray, least: int) -> tuple[int, float]:
    """Return column and cut of the largest criterion, one cut after the other."""
    best = (-np.inf, -1, 0.0)
    for column in range(d.X.shape[1]):
        values = np.unique(d.X[split, column])
        for cut in (values[1:] + values[:-1]) / 2:
            low = d.X[:, column] <= cut
            sides = [low & split, ~low & split]
            cells = [s & h & (d.t == arm) for s in (low, ~low) for h in (split, ~split) for arm in (0, 1)]
            if min(cell.sum() for cell in cells) >= least:
                best = max(best, (sum(criterion(d, side) for side in sides), column, float(cut)))
    return best[1], best[2]


def chosen_leaf(tree, d: Draw) -> int:
    """Return the leaf that looks best to the rows that chose the splits."""
    leaf = tree.apply(d.X)
    return max(tree.leaf_numbers, key=lambda k: by_hand(d, tree.splitting & (leaf == k)))


def of_the_chosen(grow, runs: int, n: int = 800, **how) -> Runs:
    """Return error and standard error of the chosen leaf's effect over many draws."""
    many = np.random.default_rng(5).normal(size=(20_000, 4))
    off, se = [], []
    for seed in range(runs):
        d = draw(seed, n, **how)
        tree = grow(d)
        leaf = chosen_leaf(tree, d)
        found = tree.estimates()[leaf]
        off.append(found.value - effect(many[tree.apply(many) == leaf], how.get("size", SIZE)).mean())
        se.append(found.se)
    return Runs(np.array(off), np.array(se), 0.0)


def identities(grow):
    """Check what holds in any one data set."""
    d = draw(1)
    tree = grow(d.y, d.t, d.X, d.e, pruned=False, max_leaves=3)
    leaf = tree.apply(d.X)
    yield "no row both chooses and estimates", not (tree.splitting & tree.estimating).any()
    yield "halves of one size", abs(int(tree.splitting.sum()) - 400) <= 1 and tree.estimating.sum() >= 399
    wanted = [by_hand(d, tree.estimating & (leaf == k)) for k in tree.leaf_numbers]
    yield "effects by hand", np.allclose([tree.estimates()[k].value for k in tree.leaf_numbers], wanted)
    yield "the estimating rows lie where they are routed", np.array_equal(tree.sample.leaf, leaf[tree.estimating])
    yield "at most three leaves", len(tree.leaf_numbers) == 3
    cells = [(leaf == k) & half & (d.t == arm) for k in tree.leaf_numbers
             for half in (tree.splitting, tree.estimating) for arm in (0, 1)]  # fmt: skip
    yield "rows of both arms of both halves in each leaf", min(cell.sum() for cell in cells) >= 25
    for seed in range(25):
        small = draw(seed, n=200, size=0.0)
        d = Draw(small.y, small.t, np.round(2 * small.X) / 2, small.e, small.group)
        tree = grow(d.y, d.t, d.X, d.e, pruned=False, min_leaf=5, max_leaves=2)
        found = (int(tree.nodes.column[0]), float(tree.nodes.cut[0]))
        yield f"the root is the best of all cuts, draw {seed}", np.allclose(found, best_cut(d, tree.splitting, 5))
    d = draw(3, each=4)
    tree = grow(d.y, d.t, d.X, d.e, clusters=d.group)
    both = set(d.group[tree.splitting]) & set(d.group[tree.estimating])
    yield "no group in both halves", not both


def tree_battery(tools: Tools, runs: int):
    """Check a causal tree: identities, then centre, coverage and error of leaves, level of the test, and pruning."""
    grow = tools.causal_tree
    yield from identities(grow)
    how = {"pruned": False, "max_leaves": 5}
    got = of_the_chosen(lambda d: grow(d.y, d.t, d.X, d.e, min_leaf=60, **how), 2 * runs, 1600)
    yield from honest("the leaf that looks best", got)
    many = {"min_leaf": 160, "max_leaves": 4, "pruned": False}
    got = of_the_chosen(lambda d: grow(d.y, d.t, d.X, d.e, clusters=d.group, **many), 2 * runs, n=4000, each=4)
    yield from honest("the leaf that looks best, groups", got)
    flat = [draw(seed, size=0.0) for seed in range(2 * runs)]
    rejected = sum(grow(d.y, d.t, d.X, d.e, **how).test_of_equal_effects() < 0.05 for d in flat)
    yield "the test of equal effects keeps its level", rejected <= binom.ppf(0.999, 2 * runs, 0.05)
    steep = [grow(d.y, d.t, d.X, d.e, seed=s) for s, d in ((s, draw(s, n=1600, size=3.0)) for s in range(runs // 2))]
    yield "a strong column is the root", np.mean([tree.nodes.column[0] == 0 for tree in steep]) > 0.9
    yield "and the test sees it", np.mean([tree.test_of_equal_effects() < 0.05 for tree in steep]) > 0.9
    whole = [
        grow(d.y, d.t, d.X, d.e, pruned=False, seed=s) for s, d in enumerate(draw(s, 1600, 3.0) for s in range(12))
    ]
    cut = [len(big.leaf_numbers) - len(tree.leaf_numbers) for big, tree in zip(whole, steep, strict=False)]
    yield "pruning takes leaves away", min(cut) >= 0 and np.mean(cut) > 1.5
