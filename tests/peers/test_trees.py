"""Causal trees equal scikit-learn's, scipy's and statsmodels' answers where these answer the same question."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_ind
from sklearn.tree import DecisionTreeRegressor

from causalrec_lib._tree_prune import collapse_levels
from causalrec_lib.trees import causal_tree
from tests.truth.trees_world import draw


def paired(seed, n=500):
    """Return rows in pairs, one treated with outcome z, one not with 0: effects of leaves are means of z."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 12, (n, 3)).astype(float)
    z = np.sin(X[:, 0]) + 0.3 * X[:, 1] + rng.normal(size=n)
    return z, X, (np.r_[z, np.zeros(n)], np.r_[np.ones(n), np.zeros(n)], np.r_[X, X], 0.5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("depth", "leaves"), [(1, 2), (3, 8), (6, 11)])
def test_splits_are_scikit_learns_where_effects_are_means(seed, depth, leaves):
    z, X, data = paired(seed)
    theirs = DecisionTreeRegressor(max_depth=depth, max_leaf_nodes=leaves, min_samples_leaf=20).fit(X, z)
    ours = causal_tree(*data, honest=False, pruned=False, min_leaf=20, max_depth=depth, max_leaves=leaves)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_weakest_links_close_at_scikit_learns_prices(seed):
    z, X, data = paired(seed)
    grown = DecisionTreeRegressor(max_depth=4, max_leaf_nodes=10, min_samples_leaf=20)
    alphas = grown.cost_complexity_pruning_path(X, z).ccp_alphas[1:]
    ours = causal_tree(*data, honest=False, pruned=False, min_leaf=20, max_depth=4, max_leaves=10)
    levels = np.unique(collapse_levels(ours.nodes).round(12))
    np.testing.assert_allclose(levels[np.isfinite(levels)], alphas, rtol=1e-8)


def test_intervals_of_an_experiment_are_welchs():
    d = draw(4)
    tree = causal_tree(d.y, d.t, d.X, pruned=False, max_leaves=4)
    s = tree.sample
    for leaf, found in tree.estimates().items():
        one, zero = (s.y[(s.leaf == leaf) & (s.t == arm)] for arm in (1, 0))
        interval = ttest_ind(one, zero, equal_var=False).confidence_interval(0.95)
        np.testing.assert_allclose([found.low, found.high], interval, rtol=1e-8)


@pytest.mark.parametrize("grouped", [False, True])
def test_effects_of_leaves_are_a_weighted_regression(grouped):
    d = draw(5, n=1200, each=4)
    tree = causal_tree(d.y, d.t, d.X, d.e, clusters=d.group if grouped else None, pruned=False, max_leaves=4)
    s = tree.sample
    for leaf, found in tree.estimates().items():
        rows = s.leaf == leaf
        w = np.where(s.t == 1, 1 / s.e, 1 / (1 - s.e))[rows]
        fit = sm.WLS(s.y[rows], sm.add_constant(s.t[rows]), w)
        how = {"cov_type": "cluster", "cov_kwds": {"groups": s.codes[rows]}} if grouped else {"cov_type": "HC0"}
        theirs = fit.fit(**how)
        np.testing.assert_allclose(found.value, theirs.params[1], rtol=1e-8)
        np.testing.assert_allclose(found.se, theirs.bse[1], rtol=0.03)  # ours has the factor n / (n - 1) of each arm
