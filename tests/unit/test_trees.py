"""Behaviour of causal trees: limits, words, tables, refusals, and the figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from causalrec_lib import plots
from causalrec_lib.effects import contrast
from causalrec_lib.trees import causal_tree
from tests.truth.trees_world import draw

D = draw(7, n=1600, size=3.0)
FRAME = pd.DataFrame(D.X, columns=["taste", "age", "price", "visits"])
TREE = causal_tree(D.y, D.t, FRAME, D.e, pruned=False, max_leaves=4, unit="sales")


def test_a_seed_gives_one_tree_and_another_seed_other_halves():
    again = causal_tree(D.y, D.t, FRAME, D.e, pruned=False, max_leaves=4, unit="sales")
    pd.testing.assert_frame_equal(again.leaves(), TREE.leaves())
    assert (causal_tree(D.y, D.t, FRAME, D.e, seed=1).splitting != TREE.splitting).any()


def test_outcomes_of_the_estimating_half_have_no_part_in_the_splits():
    y = np.where(TREE.estimating, np.random.default_rng(0).permutation(D.y), D.y)
    other = causal_tree(y, D.t, FRAME, D.e, max_leaves=4)
    mine = causal_tree(D.y, D.t, FRAME, D.e, max_leaves=4)
    np.testing.assert_array_equal(other.apply(FRAME), mine.apply(FRAME))
    assert not np.allclose(other.leaves()["effect"], mine.leaves()["effect"])


@pytest.mark.parametrize(("shift", "factor"), [(1e6, 1.0), (0.0, 1e-3), (-5.0, 40.0)])
def test_the_unit_of_the_outcome_moves_nothing_but_the_unit(shift, factor):
    other = causal_tree(shift + factor * D.y, D.t, FRAME, D.e, pruned=False, max_leaves=4)
    np.testing.assert_array_equal(other.apply(FRAME), TREE.apply(FRAME))
    np.testing.assert_allclose(other.predict(FRAME), factor * TREE.predict(FRAME), rtol=1e-6)


def test_limits_are_kept():
    deep = causal_tree(D.y, D.t, FRAME, D.e, pruned=False, max_depth=2, min_leaf=60)
    assert max(len(deep.path_to(leaf)) for leaf in deep.leaf_numbers) <= 2
    assert deep.leaves()["treated"].min() >= 60
    assert len(causal_tree(D.y, D.t, FRAME, D.e, max_leaves=1).leaf_numbers) == 1


def test_the_table_adds_up():
    table = TREE.leaves()
    assert table["rows"].sum() == TREE.estimating.sum() and np.isclose(table["share"].sum(), 1)
    assert list(table.index) == TREE.leaf_numbers
    found = dict(zip(table.index, table["effect"], strict=True))
    np.testing.assert_allclose(TREE.predict(FRAME), [found[leaf] for leaf in TREE.apply(FRAME)])


def test_a_rule_in_words_selects_the_rows_of_its_leaf():
    for leaf, rule in TREE.leaves()["rule"].items():
        held = np.ones(len(FRAME), bool)
        for name, above, cut in TREE.path_to(leaf):
            held &= (FRAME[name] > cut) == above
            assert name in rule
        np.testing.assert_array_equal(held, TREE.apply(FRAME) == leaf)
    said = TREE.rules({"taste": "liking"})
    assert any("liking" in line for line in said) and all("taste" not in line and "sales" in line for line in said)


def test_a_tree_of_one_leaf_holds_everything_and_tests_nothing():
    tree = causal_tree(D.y, D.t, FRAME, D.e, max_leaves=1)
    assert list(tree.leaves()["rule"]) == ["anything"] and np.isnan(tree.test_of_equal_effects())
    assert tree.path.empty and np.isnan(tree.price)


def test_the_test_sees_effects_that_differ():
    assert TREE.test_of_equal_effects() < 1e-6


def test_the_difference_of_two_leaves_has_their_joint_error():
    first, last = TREE.leaf_numbers[0], TREE.leaf_numbers[-1]
    found = contrast(TREE.estimates()[last], TREE.estimates()[first])
    table = TREE.leaves()
    assert np.isclose(found.value, table.loc[last, "effect"] - table.loc[first, "effect"])
    assert np.isclose(found.se, np.hypot(table.loc[last, "se"], table.loc[first, "se"]), rtol=0.02)


def test_an_adaptive_tree_is_flagged_and_an_honest_one_is_not():
    adaptive = causal_tree(D.y, D.t, FRAME, D.e, honest=False)
    assert not adaptive.honest and TREE.honest
    for tree, flagged in ((adaptive, True), (TREE, False)):
        flags = [" ".join(map(str, e.flags)) for e in tree.estimates().values()]
        assert all(("chose the splits" in text) == flagged for text in flags)


def test_propensities_that_do_not_fit_are_objected_to():
    assert not TREE.objections
    assert causal_tree(D.y, D.t, FRAME, 1 - D.e).objections


def test_groups_stay_together_and_are_counted():
    d = draw(8, each=4)
    tree = causal_tree(d.y, d.t, d.X, d.e, clusters=d.group)
    assert not set(d.group[tree.splitting]) & set(d.group[tree.estimating])
    assert next(iter(tree.estimates().values())).n_clusters == 100


def test_pruning_keeps_the_price_that_held_out_rows_like_best():
    tree = causal_tree(D.y, D.t, FRAME, D.e)
    best = tree.path.loc[tree.path["held_out"].idxmax()]
    assert np.isclose(tree.price, best["price"]) and len(tree.leaf_numbers) == best["leaves"]
    assert tree.path["leaves"].is_monotonic_decreasing and tree.path["price"].is_monotonic_increasing


def test_too_few_rows_of_an_arm_are_refused():
    t = np.zeros(40)
    t[:2] = 1
    with pytest.raises(ValueError, match="fewer than two rows of an arm"):
        causal_tree(np.arange(40.0), t, np.arange(40.0)[:, None])


def test_columns_of_another_order_are_refused():
    with pytest.raises(ValueError, match="taste, age, price, visits"):
        TREE.apply(FRAME[["age", "taste", "price", "visits"]])
    with pytest.raises(ValueError, match="pass the 4"):
        TREE.predict(D.X[:, :2])


def test_the_figure_says_each_leaf_in_words():
    words = {"taste": ("liked less", "liked more")}
    truth = {TREE.leaf_numbers[0]: 0.5}
    fig = plots.effect_tree(TREE, words=words, truth=truth, line=1.0, scale=100, unit="sales", rows="pairs")
    said = [text.get_text() for text in fig.axes[0].texts]
    assert sum("% of pairs" in text for text in said) == len(TREE.leaf_numbers)
    assert any(text.startswith("liked more") for text in said) and not any("taste" in text for text in said)
    assert fig.get_size_inches()[0] < 5
    plt.close(fig)
    one = plots.effect_tree(causal_tree(D.y, D.t, FRAME, D.e, max_leaves=1))
    assert any(text.get_text() == "everything" for text in one.axes[0].texts)
    plt.close(one)
