"""Partly directed graphs, distances, controls and scored proposals: behaviour on small cases that one can check."""

from itertools import combinations, product

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causalrec_lib import discovery
from causalrec_lib.graphs import implied_independences


def graph(*edges, nodes="abc"):
    """Make a graph from "ab" (an arrow) and "a-b" (a line)."""
    g = nx.DiGraph()
    g.add_nodes_from(nodes)
    for e in edges:
        g.add_edges_from([(e[0], e[2]), (e[2], e[0])] if "-" in e else [tuple(e)])
    return g


def every_dag(nodes):
    pairs = list(combinations(nodes, 2))
    for way in product((0, 1, -1), repeat=len(pairs)):
        g = graph(nodes=nodes)
        g.add_edges_from(p[::w] for p, w in zip(pairs, way, strict=True) if w)
        if nx.is_directed_acyclic_graph(g):
            yield g


def test_a_chain_has_no_direction_and_a_collider_has_both():
    assert set(discovery.cpdag(graph("ab", "bc")).edges) == set(graph("a-b", "b-c").edges)
    assert set(discovery.cpdag(graph("ab", "cb")).edges) == {("a", "b"), ("c", "b")}


def test_a_direction_that_follows_from_a_collider_is_there():
    assert discovery.cpdag(graph("ab", "cb", "bd", nodes="abcd")).edges == graph("ab", "cb", "bd", nodes="abcd").edges


@pytest.mark.parametrize(("n", "dags", "classes"), [(2, 3, 2), (3, 25, 11), (4, 543, 185)])
def test_classes_are_as_many_as_in_print(n, dags, classes):
    found: dict = {}
    for g in every_dag("abcd"[:n]):
        found.setdefault(frozenset(discovery.cpdag(g).edges), []).append(g)
    assert (sum(map(len, found.values())), len(found)) == (dags, classes)
    for edges, members in found.items():
        g = graph(nodes="abcd"[:n])
        g.add_edges_from(edges)
        again = {frozenset(m.edges) for m in discovery.equivalence_class(g)}
        assert again == {frozenset(m.edges) for m in members}


def test_members_of_a_class_imply_the_same_independences():
    some = graph("ab", "bc", "ad", "dc", "ce", nodes="abcde")
    members = discovery.equivalence_class(discovery.cpdag(some))
    assert len(members) > 1
    for m in members:
        for claim in implied_independences(some):
            assert nx.is_d_separator(m, {claim.a}, {claim.b}, set(claim.given))


def test_a_graph_that_stands_for_none_is_refused():
    with pytest.raises(ValueError, match="stands for no acyclic graph"):
        discovery.equivalence_class(graph("a-b", "b-c", "c-d", "d-a", nodes="abcd"))


def test_time_turns_an_arrow_and_what_follows():
    found = discovery.order_in_time(graph("ba", "b-c", "c-d", nodes="abcd"), [["a"], ["b"], ["c", "d"]])
    assert set(found.edges) == {("a", "b"), ("b", "c"), ("c", "d")}


def test_time_keeps_lines_within_a_tier_open():
    found = discovery.order_in_time(graph("a-b", "b-c"), [["a", "b"], ["c"]])
    assert found.has_edge("b", "a") and found.has_edge("a", "b") and not found.has_edge("c", "b")


def test_time_can_use_meeks_fourth_rule():
    kite = graph("a-b", "a-c", "a-d", "b-c", "c-d", nodes="abcd")
    found = discovery.order_in_time(kite, [["d"], ["c"], ["a", "b"]])
    assert found.has_edge("d", "c") and found.has_edge("c", "b") and found.has_edge("a", "b")
    assert not found.has_edge("b", "a")


def test_each_difference_of_a_pair_counts_once():
    true = graph("ab", "bc", "ad", nodes="abcd")
    assert discovery.shd(true, true) == 0
    assert discovery.shd(graph("ba", "bc", "ad", nodes="abcd"), true) == 1
    assert discovery.shd(graph("a-b", "bc", "ad", nodes="abcd"), true) == 1
    assert discovery.shd(graph("ab", "cd", nodes="abcd"), true) == 3


def test_a_found_graph_may_have_a_cycle():
    assert discovery.shd(graph("ab", "bc", "ca"), graph("ab", "bc", "ac")) == 1


def test_scores_count_edges_and_arrows():
    s = discovery.score_graph(graph("ba", "bc", "cd", nodes="abcd"), graph("ab", "bc", "ad", nodes="abcd"))
    assert (s.shd, s.missing, s.extra, s.reversed) == (3, 1, 1, 1)
    assert (s.skeleton_precision, s.skeleton_recall) == pytest.approx((2 / 3, 2 / 3))
    assert (s.arrow_precision, s.arrow_recall) == pytest.approx((1 / 3, 1 / 3))


def test_shares_of_nothing_are_missing():
    s = discovery.score_graph(graph("a-b"), graph(nodes="abc"))
    assert s.skeleton_precision == 0 and np.isnan(s.skeleton_recall) and np.isnan(s.arrow_precision)


def frame(*sds, n=400):
    z = np.random.default_rng(0).normal(size=(n, len(sds)))
    return pd.DataFrame((z - z.mean(0)) / z.std(0) * np.array(sds), columns=list("abcd")[: len(sds)])


def test_varsortability_reads_paths():
    assert discovery.varsortability(frame(1, 2, 3), graph("ab", "bc")) == 1
    assert discovery.varsortability(frame(3, 2, 1), graph("ab", "bc")) == 0
    assert discovery.varsortability(frame(1, 1, 1), graph("ab", "bc")) == 0.5
    assert discovery.varsortability(frame(2, 1, 3), graph("ab", "bc")) == pytest.approx(2 / 3)


def test_varsortability_reads_its_columns_by_name():
    x = frame(1, 2, 3)
    assert discovery.varsortability(x[["c", "a", "b"]], graph("ab", "bc")) == 1


def test_sorting_by_variance_finds_the_order_in_raw_units_and_loses_it():
    rng = np.random.default_rng(3)
    a = rng.normal(size=3_000)
    b = 2 * a + rng.normal(size=3_000)
    x = pd.DataFrame({"b": b, "a": a})
    assert set(discovery.sort_by_variance(x).edges) == {("a", "b")}
    assert set(discovery.sort_by_variance(x.assign(b=b / 10)).edges) == {("b", "a")}


def test_effects_of_a_class_are_those_of_its_members():
    rng = np.random.default_rng(4)
    a = rng.normal(size=4_000)
    b = a + rng.normal(size=4_000)
    x = pd.DataFrame({"a": a, "b": b, "c": 0.5 * b + rng.normal(size=4_000)})
    members = discovery.equivalence_class(discovery.cpdag(graph("ab", "bc")))
    table = discovery.class_effects(x, members, "b", "c").set_index("parents")
    assert table.loc["c", ["effect", "se"]].tolist() == [0, 0]
    assert abs(table.loc["a", "effect"] - 0.5) < 4 * table.loc["a", "se"]
    assert table["graphs"].sum() == 3


def test_resampling_counts_each_kind_of_edge():
    x, calls = frame(1, 1, 1), iter([graph("ab"), graph("ba"), graph("a-b"), graph("bc")])
    table = discovery.bootstrap_edges(lambda z: next(calls), x, seed=1, n_draws=4).set_index(["a", "b"])
    assert table.loc[("a", "b")].tolist() == [0.25, 0.25, 0.25, 0.75]
    assert table.loc[("b", "c")].tolist() == [0.25, 0, 0, 0.25]


def test_resampling_is_the_same_twice_and_draws_other_rows():
    x, seen = frame(1, 2, 3), []

    def learn(z):
        seen.append(z["a"].mean())
        return graph("ab")

    discovery.bootstrap_edges(learn, x, seed=1, n_draws=3)
    discovery.bootstrap_edges(learn, x, seed=1, n_draws=3)
    assert seen[:3] == seen[3:] and len(set(seen)) == 3


def test_marks_of_causal_learn_are_read():
    marks = np.array([[0, -1, 0], [1, 0, -1], [0, -1, 0]])
    assert discovery.from_causallearn(marks, ["a", "b", "c"]).edges == graph("ab", "b-c").edges


def test_marks_that_no_such_graph_has_are_refused():
    with pytest.raises(ValueError, match="two arrowheads"):
        discovery.from_causallearn(np.array([[0, 1], [1, 0]]), ["a", "b"])


def test_proposals_are_held_against_the_base_rate():
    true = graph("ab", "bc", "cd", "de", "ef", "ag", nodes="abcdefgh")
    all_right = discovery.score_proposals(list(true.edges), true, seed=1)
    assert (all_right.precision, all_right.hits) == (1, 6)
    assert all_right.base_rate == pytest.approx(6 / 56) and all_right.p < 0.01
    assert discovery.score_proposals([("b", "a"), ("c", "b")], true, seed=1).p > 0.5


def test_a_drawing_colours_by_what_is_right():
    fig, ax = plt.subplots()
    place = {"a": (0, 0), "b": (1, 0), "c": (2, 1)}
    discovery.draw_graph(ax, graph("ab", "bc"), graph("ab", "cb"), place, "learnt")
    colors = [p.get_edgecolor()[:3] for p in ax.patches if p.get_visible()]
    plt.close(fig)
    assert len(colors) == 2 and colors[0] != colors[1]
