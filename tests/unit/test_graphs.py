"""Graphs by hand: shapes, paths, adjustment, front door, tests of independence, Bayesian networks."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalrec_lib import graphs
from causalrec_lib.graphs import BayesianNetwork, Independence

CHAIN = nx.DiGraph([("a", "m"), ("m", "b")])
FORK = nx.DiGraph([("m", "a"), ("m", "b")])
COLLIDER = nx.DiGraph([("a", "m"), ("b", "m"), ("m", "late")])
M_SHAPE = nx.DiGraph([("u", "z"), ("v", "z"), ("u", "t"), ("v", "y"), ("t", "y")])
DOOR = nx.DiGraph([("u", "x"), ("u", "y"), ("x", "m"), ("m", "y"), ("m", "z")])


@pytest.mark.parametrize("graph", [CHAIN, FORK])
def test_chain_and_fork_pass_until_the_middle_is_given(graph):
    assert not graphs.d_separated(graph, "a", "b")
    assert graphs.d_separated(graph, "a", "b", "m")


def test_a_collider_passes_once_it_or_a_descendant_is_given():
    assert graphs.d_separated(COLLIDER, "a", "b")
    assert not graphs.d_separated(COLLIDER, "a", "b", "m")
    assert not graphs.d_separated(COLLIDER, "a", "b", ["late"])


def test_paths_say_what_blocks_them():
    found = graphs.paths(COLLIDER, "a", "b")
    assert list(found["path"]) == ["a → m ← b"] and list(found["blocked by"]) == ["m: a collider, not given"]
    assert graphs.paths(COLLIDER, "a", "b", "late")["open"].all()
    assert list(graphs.paths(CHAIN, "a", "b", "m")["blocked by"]) == ["m: a chain, given"]
    assert list(graphs.paths(FORK, "a", "b", "m")["blocked by"]) == ["m: a fork, given"]


def test_kinds_of_paths():
    found = graphs.paths(M_SHAPE, "t", "y").set_index("path")["kind"]
    assert found["t → y"] == "causal" and found["t ← u → z ← v → y"] == "back door"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_separated_means_that_no_listed_path_is_open(seed):
    rng = np.random.default_rng(seed)
    names = list("abcdef")
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((a, b) for k, a in enumerate(names) for b in names[k + 1 :] if rng.random() < 0.4)
    x, y, *rest = rng.permutation(names)
    fixed = [v for v in rest if rng.random() < 0.4]
    assert graphs.d_separated(graph, x, y, fixed) == (not graphs.paths(graph, x, y, fixed)["open"].any())


def test_adjusting_for_the_middle_of_an_m_is_wrong_alone_and_right_with_an_arm():
    assert graphs.is_adjustment_set(M_SHAPE, "t", "y", [])
    assert not graphs.is_adjustment_set(M_SHAPE, "t", "y", ["z"])
    assert graphs.is_adjustment_set(M_SHAPE, "t", "y", ["z", "u"])
    assert graphs.adjustment_sets(M_SHAPE, "t", "y") == (frozenset(),)


def test_what_lies_on_or_after_a_causal_path_is_refused_and_an_idle_child_is_not():
    graph = nx.DiGraph([("t", "m"), ("m", "y"), ("m", "after"), ("t", "idle"), ("y", "late"), ("c", "t"), ("c", "y")])
    assert graphs.is_adjustment_set(graph, "t", "y", ["c", "idle"])
    for column in ("m", "after", "late"):
        assert not graphs.is_adjustment_set(graph, "t", "y", ["c", column])


def test_hidden_nodes_are_no_columns():
    graph = nx.DiGraph([("c", "t"), ("c", "y"), ("t", "y")])
    assert graphs.adjustment_sets(graph, "t", "y") == (frozenset("c"),)
    graph.nodes["c"]["observed"] = False
    assert graphs.adjustment_sets(graph, "t", "y") == ()


def test_without_an_effect_everything_that_separates_will_do():
    graph = nx.DiGraph([("c", "t"), ("c", "y")])
    assert graphs.is_adjustment_set(graph, "t", "y", "c") and not graphs.is_adjustment_set(graph, "t", "y", [])


def test_the_front_door_has_three_conditions():
    assert graphs.is_front_door(DOOR, "x", "y", "m")
    for extra in (("x", "y"), ("u", "m")):  # a direct arrow; a confounded mediator, both ways
        assert not graphs.is_front_door(nx.DiGraph([*DOOR.edges, extra]), "x", "y", "m")
    confounded = nx.DiGraph([*DOOR.edges, ("w", "m"), ("w", "y")])
    assert not graphs.is_front_door(confounded, "x", "y", "m")


def test_implied_independences_are_true_and_one_a_pair():
    claims = graphs.implied_independences(M_SHAPE)
    apart = {frozenset(pair) for pair in ("uv", "vt", "tz", "uy", "zy")}
    assert {frozenset((c.a, c.b)) for c in claims} == apart
    for claim in claims:
        assert graphs.d_separated(M_SHAPE, claim.a, claim.b, claim.given)
    assert not any({c.a, c.b} == {"t", "y"} for c in claims)
    assert graphs.implied_independences(CHAIN, observed=["a", "b"]) == ()


def test_a_claim_reads_as_in_print():
    assert str(Independence("a", "b", ())) == "a ⊥ b"
    assert str(Independence("a", "b", ("c", "d"))) == "a ⊥ b | c, d"


def nonlinear(rng, n, shared):
    """Two columns that a third moves along a curve; `shared` moves both beside that."""
    z, u = rng.normal(size=n), rng.normal(size=n)
    return pd.DataFrame(
        {"z": z, "a": z**2 + shared * u + rng.normal(size=n), "b": z**2 - z + shared * u + rng.normal(size=n)}
    )


def test_curves_are_taken_out_and_a_shared_cause_is_found():
    rng = np.random.default_rng(3)
    p = [graphs.independence_test(nonlinear(rng, 600, 0.0), "a", "b", ["z"]).p for _ in range(200)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.11
    assert graphs.independence_test(nonlinear(rng, 600, 0.0), "a", "b").p < 1e-6
    assert graphs.independence_test(nonlinear(rng, 600, 0.6), "a", "b", ["z"]).p < 1e-6
    straight = [graphs.independence_test(nonlinear(rng, 600, 0.0), "a", "b", ["z"], degree=1).p for _ in range(20)]
    assert np.median(straight) < 1e-3  # a line can't take a curve out


def test_rows_of_one_user_count_once():
    rng = np.random.default_rng(4)

    def p_value(clustered):
        user = np.repeat(np.arange(60), 40)
        data = pd.DataFrame(
            rng.normal(size=(60, 2))[user] + 0.3 * rng.normal(size=(len(user), 2)), columns=["a", "b"]
        )
        return graphs.independence_test(data, "a", "b", clusters=user if clustered else None).p

    assert np.mean([p_value(True) < 0.05 for _ in range(200)]) < 0.11
    assert np.mean([p_value(False) < 0.05 for _ in range(50)]) > 0.5


def test_labels_and_numbers_mix():
    rng = np.random.default_rng(5)
    kind = rng.choice(list("xyz"), 800)
    data = pd.DataFrame(
        {"kind": kind, "a": (kind == "x") + rng.normal(size=800), "b": (kind == "x") + rng.normal(size=800)}
    )
    assert graphs.independence_test(data, "kind", "a").df == 2
    assert graphs.independence_test(data, "a", "b").p < 0.01 < graphs.independence_test(data, "a", "b", ["kind"]).p


def test_p_values_are_corrected_by_holm():
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc")).assign(
        d=lambda f: f["a"] + rng.normal(size=300)
    )
    claims = [Independence("a", "b", ()), Independence("a", "c", ()), Independence("a", "d", ())]
    found = graphs.check_independences(claims, data)
    smallest = np.sort(found["p"])
    by_hand = np.maximum.accumulate(smallest * [3, 2, 1]).clip(max=1)
    assert np.sort(found["p_holm"]) == pytest.approx(by_hand)
    assert list(found["refuted"]) == [False, False, True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": "nobody"}, "nobody"),
        ({"given": ["a"]}, "twice"),
        ({"given": "z"}, "list"),
        ({"data": pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, 1, 1], "z": [0.0, 1, 2]})}, "one value only"),
        ({"data": pd.DataFrame({"a": [1.0, np.nan], "b": [1.0, 2.0], "z": [0.0, 1.0]})}, "no value in row 1"),
        ({"degree": 0}, "degree"),
    ],
)
def test_bad_columns_are_refused(change, words):
    call = {"data": nonlinear(np.random.default_rng(1), 50, 0.0), "a": "a", "b": "b", "given": ["z"]} | change
    with pytest.raises(ValueError, match=words):
        graphs.independence_test(**call)


def test_rare_labels_are_refused():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"a": rng.integers(0, 30, 100).astype(str), "b": rng.integers(0, 30, 100).astype(str)})
    data["c"] = rng.normal(size=100)
    for columns in (("a", "b"), ("a", "b", ["c"])):
        with pytest.raises(ValueError, match="merge"):
            graphs.independence_test(data, *columns)


# Bayesian networks ------------------------------------------------------------------------------------------------


def shop(graph=None):
    """A confounded effect: P(y = 1 | t, u) = .1 + .2 t + .4 u; u is a coin, and t listens to it."""
    graph = graph or nx.DiGraph([("u", "t"), ("u", "y"), ("t", "y")])
    tables = {
        "u": [0.5, 0.5],
        "t": [[0.8, 0.2], [0.3, 0.7]],
        "y": [[[0.9, 0.1], [0.5, 0.5]], [[0.7, 0.3], [0.3, 0.7]]],
    }
    return BayesianNetwork(graph, tables, {v: [0, 1] for v in "uty"})


def test_seeing_and_doing_by_hand():
    net = shop()
    assert net.parents("y") == ["t", "u"] and net.joint().sum() == pytest.approx(1)
    assert net.query("u", {"t": 1})[1] == pytest.approx(0.35 / 0.45)
    assert net.query("y", {"t": 1})[1] == pytest.approx(0.3 + 0.4 * 0.35 / 0.45)
    assert net.do({"t": 1}).query("y")[1] == pytest.approx(0.5)
    assert net.do({"t": 1}).query("u")[1] == pytest.approx(0.5)
    assert net.query("y", {"t": 1})[1] > net.query("y", {"t": 1, "u": 0})[1]


def test_the_order_of_nodes_does_not_matter():
    graph = nx.DiGraph()
    graph.add_nodes_from("yut")
    graph.add_edges_from([("t", "y"), ("u", "y"), ("u", "t")])
    assert shop(graph).query("y", {"t": 0})[1] == pytest.approx(shop().query("y", {"t": 0})[1])


def test_a_fit_finds_the_tables_and_sampling_follows_them():
    net = shop()
    rows = net.sample(200_000, np.random.default_rng(7))
    back = BayesianNetwork.fit(net.graph, rows)
    for v in "uty":
        assert back.tables[v] == pytest.approx(net.tables[v], abs=0.01)
    assert rows["y"].mean() == pytest.approx(net.query("y")[1], abs=0.005)


def test_a_fit_needs_a_row_for_each_question():
    rows = pd.DataFrame({"u": [0, 0, 1], "t": [0, 1, 1], "y": [0, 1, 1]})
    with pytest.raises(ValueError, match="no row for some values of the parents of y"):
        BayesianNetwork.fit(shop().graph, rows)
    assert BayesianNetwork.fit(shop().graph, rows, smoothing=1.0).joint().min() > 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda net: net.query("nobody"), "nobody"),
        (lambda net: net.query("y", {"t": 7}), "its values are 0, 1"),
        (lambda net: net.query("y", {"y": 1}), "nothing is left to ask"),
        (lambda net: net.do({"t": "yes"}), "its values are 0, 1"),
        (lambda net: net.do({"t": 1}).query("y", {"t": 0}), "no chance"),
        (lambda net: net.parents("nobody"), "nobody"),
        (lambda net: BayesianNetwork(net.graph, {"u": [1.0]}, net.states), "nothing about t, y"),
        (lambda net: BayesianNetwork(net.graph, net.tables | {"u": [0.7, 0.7]}, net.states), "sum to 1"),
    ],
)
def test_bad_questions_are_refused(ask, words):
    with pytest.raises(ValueError, match=words):
        ask(shop())


# Front door -------------------------------------------------------------------------------------------------------


def test_the_influence_function_is_the_jackknife():
    rng = np.random.default_rng(8)
    t = rng.integers(0, 2, 300)
    m = (rng.random(300) < 0.2 + 0.5 * t).astype(int) + rng.integers(0, 2, 300)
    y = m + 0.5 * t + rng.normal(size=300)
    est = graphs.front_door(y, t, m)
    left_out = np.array([graphs.front_door(*(np.delete(a, k) for a in (y, t, m))).value for k in range(300)])
    assert est.se == pytest.approx(np.sqrt(299 / 300 * ((left_out - left_out.mean()) ** 2).sum()), rel=0.03)
    assert graphs.front_door(y, t, m, clusters=np.arange(300)).se == pytest.approx(est.se, rel=0.01)


def test_a_mediator_that_occurs_with_one_treatment_is_refused():
    with pytest.raises(ValueError, match="merge its rare values"):
        graphs.front_door([1.0, 0, 1, 0], [0, 0, 1, 1], ["a", "b", "a", "a"])
