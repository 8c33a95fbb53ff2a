"""Discovery against causal-learn and networkx."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from causallearn.graph.Dag import Dag
from causallearn.graph.GraphNode import GraphNode
from causallearn.graph.SHD import SHD
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import d_separation
from causallearn.utils.DAG2CPDAG import dag2cpdag

from causalrec_lib import discovery


def random_graph(seed, d=7, share=0.35):
    rng = np.random.default_rng(seed)
    order = rng.permutation(d)
    g = nx.DiGraph([(int(order[i]), int(order[j])) for i in range(d) for j in range(i) if rng.random() < share])
    g.add_nodes_from(range(d))
    return g


def as_theirs(g):
    nodes = [GraphNode(f"X{k}") for k in range(len(g))]
    dag = Dag(nodes)
    for a, b in g.edges:
        dag.add_directed_edge(nodes[a], nodes[b])
    return dag


@pytest.mark.parametrize("seed", range(30))
def test_the_class_is_that_of_causal_learn(seed):
    g = random_graph(seed)
    theirs = discovery.from_causallearn(dag2cpdag(as_theirs(g)), list(range(7)))
    assert set(theirs.edges) == set(discovery.cpdag(g).edges)


@pytest.mark.parametrize("seed", range(10))
def test_pc_with_an_oracle_returns_the_class(seed):
    g = random_graph(seed, d=6)
    blank = np.random.default_rng(0).normal(size=(30, 6))
    found = pc(blank, 0.05, d_separation, show_progress=False, true_dag=g)
    assert set(discovery.from_causallearn(found.G, list(range(6))).edges) == set(discovery.cpdag(g).edges)


@pytest.mark.parametrize("seed", range(10))
def test_the_distance_is_that_of_causal_learn(seed):
    one, other = discovery.cpdag(random_graph(seed)), discovery.cpdag(random_graph(seed + 50))
    theirs = SHD(*(dag2cpdag(as_theirs(random_graph(s))) for s in (seed, seed + 50))).get_shd()
    assert discovery.shd(one, other) == theirs


def test_effects_are_those_of_numpys_least_squares():
    rng = np.random.default_rng(2)
    x = pd.DataFrame(rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)), columns=list("abc"))
    members = discovery.equivalence_class(discovery.cpdag(nx.DiGraph([("a", "b"), ("b", "c")])))
    table = discovery.class_effects(x, members, "b", "c").set_index("parents")
    Z = np.column_stack([x["b"], x["a"], np.ones(300)])
    assert table.loc["a", "effect"] == pytest.approx(np.linalg.lstsq(Z, x["c"], rcond=None)[0][0])
