"""Causal trees: whom a treatment moves more, found on one half of the rows and estimated on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes
from causalrec_lib._refusal import of_propensities
from causalrec_lib._tree_effects import Reading, Sample, equal_effects, leaf_effect, part, refuse_one_armed
from causalrec_lib._tree_prune import choose_price, collapse_levels, prune
from causalrec_lib._tree_split import Growth, Integers, Nodes, grow, moments
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, Rules

__all__ = ["CausalTree", "causal_tree"]


@dataclass(frozen=True, eq=False)
class CausalTree:
    """A tree whose leaves are groups with different effects; made by `causal_tree`.

    Parameters
    ----------
    nodes : Nodes
        Questions and children; node 0 is the root.
    names : tuple of str
        Columns of X.
    sample : tuple
        The rows that estimate the effects: outcome, treatment, propensity, leaf, cluster.
    splitting : ndarray of bool, shape (n,)
        Which rows chose the splits.
    estimating : ndarray of bool, shape (n,)
        Which rows estimate the effects; the others, if the tree is honest.
    path : DataFrame
        What pruning looked at: price of a leaf, leaves, and the criterion on held-out rows.
    price : float
        The price that pruned the tree; NaN if nothing did.
    level : float
        Coverage that each interval claims, one at a time.
    unit : str
        Unit of the outcome, for display.
    objections : tuple of str
        What speaks against the propensities that were passed.

    Notes
    -----
    Chapter: trees/01_causal_trees
    """

    nodes: Nodes
    names: tuple[str, ...]
    sample: Sample = field(repr=False)
    splitting: NDArray[np.bool_] = field(repr=False)
    estimating: NDArray[np.bool_] = field(repr=False)
    path: pd.DataFrame = field(repr=False)
    price: float
    level: float = 0.95
    unit: str = ""
    objections: tuple[str, ...] = ()

    @property
    def honest(self) -> bool:
        """Whether no row both chose splits and estimates effects."""
        return not bool((self.splitting & self.estimating).any())

    @property
    def leaf_numbers(self) -> list[int]:
        """Numbers of the leaves, from left to right."""
        return self.nodes.below(0)

    def apply(self, X: ArrayLike) -> Integers:
        """Return the number of the leaf into which each row falls.

        Parameters
        ----------
        X : array_like of shape (m, p)
            The columns that the tree was grown on, in the same order.

        Returns
        -------
        ndarray of int, shape (m,)
            Numbers as in `leaf_numbers`.

        Raises
        ------
        ValueError
            If X has other columns, or values that are not finite.
        """
        table = _validate.matrix(X, "X")
        if table.shape[1] != len(self.names):
            raise ValueError(f"X has {table.shape[1]} columns; pass the {len(self.names)} of the tree.")
        if isinstance(X, pd.DataFrame) and tuple(map(str, X.columns)) != self.names:
            raise ValueError(f"X has other columns than the tree was grown on; pass {', '.join(self.names)}.")
        return self.nodes.route(table)

    def predict(self, X: ArrayLike) -> FloatArray:
        """Return the effect of the leaf into which each row falls.

        Parameters
        ----------
        X : array_like of shape (m, p)
            The columns that the tree was grown on, in the same order.

        Returns
        -------
        ndarray of shape (m,)
            Effects, in the unit of the outcome.

        Raises
        ------
        ValueError
            If X has other columns, or values that are not finite.
        """
        value = np.full(len(self.nodes.column), np.nan)
        for leaf, estimate in self.estimates().items():
            value[leaf] = estimate.value
        return value[self.apply(X)]

    def estimates(self) -> dict[int, Estimate]:
        """Return the effect in each leaf, with influence values over all estimating rows.

        Returns
        -------
        dict of int to Estimate
            By number of the leaf, from left to right; flagged where a rule of `estimate.Rules` is broken, or where
            the tree is not honest. `effects.contrast` gives the difference of two leaves. Intervals have the quantile
            of Student's t, with Welch's degrees of freedom, or with the number of clusters minus one.
        """
        how = Reading(self.honest, self.level, self.unit, self.objections)
        return {leaf: leaf_effect(self.sample, leaf, self._rule(leaf), how) for leaf in self.leaf_numbers}

    def leaves(self) -> pd.DataFrame:
        """Return the leaves as a table.

        Returns
        -------
        DataFrame
            Indexed by number of the leaf, from left to right: rule in words, effect, se, low, high, rows and treated
            rows that estimate it, and its share of the estimating rows.
        """
        s, out = self.sample, {}
        for leaf, e in self.estimates().items():
            treated = int(s.t[s.leaf == leaf].sum())
            out[leaf] = (self._rule(leaf), e.value, e.se, e.low, e.high, e.n, treated, e.n / len(s.y))
        columns = ["rule", "effect", "se", "low", "high", "rows", "treated", "share"]
        return pd.DataFrame(out.values(), index=pd.Index(out, name="leaf"), columns=columns)

    def rules(self, words: Mapping[str, str] | None = None) -> list[str]:
        """Return the tree in words, one sentence a leaf.

        Parameters
        ----------
        words : mapping of str to str, optional
            What to call a column.

        Returns
        -------
        list of str
            Such as "if score > 0.62: effect 0.12 (0.09 to 0.15), 34 % of rows".

        Raises
        ------
        ValueError
            If `words` is no mapping, or names a column that the tree was not grown on.
        """
        named = _validate.mapping({} if words is None else words, "words")
        for name, word in named.items():
            _validate.one_of(name, "words", self.names)
            _validate.text(word, f"words[{name!r}]", 1)
        unit = f" {self.unit}" if self.unit else ""
        n = len(self.sample.y)
        return [
            f"if {self._rule(leaf, named)}: effect {e.value:.3g}{unit} ({e.low:.3g} to {e.high:.3g}), "
            f"{100 * (e.n or 0) / n:.0f} % of rows"
            for leaf, e in self.estimates().items()
        ]

    def path_to(self, leaf: int) -> list[tuple[str, bool, float]]:
        """Return the questions that lead to a leaf.

        Parameters
        ----------
        leaf : int
            One of `leaf_numbers`.

        Returns
        -------
        list of (str, bool, float)
            Column, whether the row lies above the cut, and the cut, from the root on.

        Raises
        ------
        ValueError
            If there is no such leaf.
        """
        _validate.one_of(_validate.integer(leaf, "leaf"), "leaf", self.leaf_numbers)
        out, node = [], 0
        while self.nodes.column[node] >= 0:
            above = leaf in self.nodes.below(int(self.nodes.right[node]))
            out.append((self.names[self.nodes.column[node]], above, float(self.nodes.cut[node])))
            node = int((self.nodes.right if above else self.nodes.left)[node])
        return out

    def _rule(self, leaf: int, words: Mapping[str, str] | None = None) -> str:
        """Say which rows a leaf holds; of two cuts on one side of a column, the closer one is enough."""
        ends: dict[str, dict[bool, float]] = {}
        for name, above, cut in self.path_to(leaf):
            ends.setdefault(name, {})[above] = cut  # a later cut is always inside of an earlier one
        said = []
        for name, sides in ends.items():
            low = f"{sides[True]:.3g} < " if len(sides) == 2 else ""
            side = f" <= {sides[False]:.3g}" if False in sides else f" > {sides[True]:.3g}"
            said.append(low + (words or {}).get(name, name) + side)
        return " and ".join(said) or "anything"

    def test_of_equal_effects(self) -> float:
        """Test on the estimating rows whether all leaves have one effect.

        Returns
        -------
        float
            The p-value of a Wald test; NaN for a single leaf. It holds its level for an honest tree only.

        Notes
        -----
        With clusters the errors of leaves go together, which the test counts; it needs many more clusters
        than leaves.
        """
        return equal_effects(list(self.estimates().values()), self.sample)


def causal_tree(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike | pd.DataFrame,
    e: ArrayLike | float | None = None,
    *,
    clusters: ArrayLike | None = None,
    honest: bool = True,
    min_leaf: int = 25,
    max_depth: int = 4,
    max_leaves: int = 16,
    pruned: bool = True,
    folds: int = 5,
    grid: int = 100,
    seed: int = 0,
    level: float = 0.95,
    unit: str = "",
) -> CausalTree:
    """Grow a tree that splits where the effect of a treatment differs, and estimate the effect in each leaf.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    X : array_like or DataFrame of shape (n, p)
        Covariates from before the treatment; any question may be asked about them.
    e : float or array_like of shape (n,), optional
        The known chance of treatment; rows are weighted by 1 / e and 1 / (1 - e). By default one coin for all.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example users. They stay together in halves and folds.
    honest : bool
        Choose splits on one half of the rows, at random, and estimate effects on the other. Otherwise all rows do
        both, and the effects are flagged.
    min_leaf : int
        Fewest rows of each arm in a leaf, in each half; 2 or more.
    max_depth, max_leaves : int
        Most questions in a row, and most leaves.
    pruned : bool
        Cut the tree back to the size that held-out rows like best; the estimating half has no say in it.
    folds : int
        Number of held-out parts, 2 or more.
    grid : int
        Most cuts that are tried a column; with more values than that, quantiles.
    seed : int
        Of the halves and folds.
    level : float
        Coverage that each interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    CausalTree
        Leaves with effects and intervals, rules in words, predictions.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or so few that no half has both arms.

    Notes
    -----
    A split is worth the gain in sum_leaf n_leaf / n (effect^2 - (1 + n_split / n_estimate) se^2): effects that
    differ, less what the leaves' own noise feigns and what it will cost. An adaptive tree leaves the errors out.
    Propensities that don't fit the shares treated are objected to in the notes of each leaf's estimate.
    Weighted means of an arm have a bias of the order of one in its rows: where weights and outcomes go together,
    leaves of a few dozen rows show it, so take a larger `min_leaf` there.
    Chapter: trees/01_causal_trees

    References
    ----------
    bib: athey2016recursive
    """
    outcome, names = _validate.vector(y, "y"), _names_of(X)
    group = _validate.binary(t, "t", len(outcome), "y")
    table = _validate.matrix(X, "X", len(outcome), "y")
    chance = _chances(e, group)
    codes = cluster_codes(clusters, len(outcome))
    for name, flag in (("honest", honest), ("pruned", pruned)):
        _validate.flag(flag, name)
    sizes = {"max_depth": (max_depth, 1), "max_leaves": (max_leaves, 1), "grid": (grid, 1), "folds": (folds, 2)}
    for name, (value, low) in sizes.items():
        _validate.integer(value, name, low)
    said = () if e is None else of_propensities("causal tree", group, chance, Rules())
    rng = np.random.default_rng(_validate.integer(seed, "seed"))
    split = part(len(outcome), codes, 2, rng) == 0 if honest else np.ones(len(outcome), dtype=bool)
    estimate = ~split if honest else split
    refuse_one_armed(group, split, estimate)
    penalty = 1 + split.sum() / estimate.sum() if honest else 0.0
    how = Growth(_validate.integer(min_leaf, "min_leaf", 2), max_depth, max_leaves, float(penalty), grid)
    rows = moments(outcome, group, chance)
    other = (table[estimate], rows[:, estimate]) if honest else None
    nodes = grow(table[split], rows[:, split], how, other)
    path, price = pd.DataFrame(columns=["price", "leaves", "held_out"], dtype=float), np.nan
    if pruned and nodes.column[0] >= 0:
        fold = part(int(split.sum()), None if codes is None else codes[split], folds, rng)
        path = choose_price(nodes, table[split], rows[:, split], fold, how, int(estimate.sum()) if honest else None)
        price = float(path["price"].loc[path["held_out"].iloc[::-1].idxmax()])  # of equals the smallest tree
        nodes = prune(nodes, collapse_levels(nodes), price)
    kept = None if codes is None else np.unique(codes[estimate], return_inverse=True)[1]
    sample = Sample(outcome[estimate], group[estimate], chance[estimate], nodes.route(table[estimate]), kept)
    return CausalTree(
        nodes=nodes,
        names=names or tuple(f"x{k}" for k in range(table.shape[1])),
        sample=sample,
        splitting=split,
        estimating=estimate,
        path=path,
        price=price,
        level=_validate.number(level, "level", above=0, below=1),
        unit=_validate.text(unit, "unit"),
        objections=tuple(map(str, said)),
    )


def _names_of(X: object) -> tuple[str, ...]:
    return tuple(map(str, X.columns)) if isinstance(X, pd.DataFrame) else ()


def _chances(e: ArrayLike | float | None, t: FloatArray) -> FloatArray:
    if e is None:
        return np.full(len(t), t.mean())
    if isinstance(e, (float, int, np.number)):
        return np.full(len(t), _validate.number(e, "e", above=0, below=1))
    return _validate.propensity(e, "e", len(t), "t")
