"""d-separation and adjustment against networkx and dowhy on random graphs, and the tests against scipy."""

from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from dowhy.causal_identifier import BackdoorAdjustment, EstimandType, identify_effect_auto
from dowhy.graph import check_dseparation
from scipy.stats import chi2_contingency

from causalrec_lib import graphs
from causalrec_lib.data.world import make_world


def random_dag(rng, n, share):
    """A graph on n nodes whose names say nothing about their order."""
    names = [f"v{k}" for k in rng.permutation(n)]
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(pair for pair in combinations(names, 2) if rng.random() < share)
    return graph


def smallest(sets):
    """The sets of which no part is among them."""
    return {s for s in sets if not any(other < s for other in sets)}


def test_d_separation_agrees_on_five_hundred_graphs():
    rng, verdicts = np.random.default_rng(11), []
    for _ in range(500):
        graph = random_dag(rng, int(rng.integers(3, 9)), rng.uniform(0.15, 0.6))
        x, y, *rest = rng.permutation(graph.nodes)
        given = [v for v in rest if rng.random() < 0.4]
        ours = graphs.d_separated(graph, x, y, given)
        assert ours == nx.is_d_separator(graph, {x}, {y}, set(given)) == check_dseparation(graph, [x], [y], given)
        verdicts.append(ours)
    assert 0.2 < np.mean(verdicts) < 0.8


def test_sets_of_nodes_agree():
    rng = np.random.default_rng(12)
    for _ in range(200):
        graph = random_dag(rng, 8, 0.3)
        cut = np.split(rng.permutation(graph.nodes), [2, 4, int(rng.integers(4, 8))])[:3]
        assert graphs.d_separated(graph, *cut) == nx.is_d_separator(graph, *map(set, cut))


def test_adjustment_sets_agree_on_five_hundred_graphs():
    rng, how_many = np.random.default_rng(13), []
    while len(how_many) < 500:
        graph = random_dag(rng, 6, rng.uniform(0.3, 0.7))
        t, y = rng.permutation(graph.nodes)[:2]
        if not nx.has_path(graph, t, y):
            continue
        hidden = set(rng.permutation([v for v in graph if v not in (t, y)])[: rng.integers(0, 3)])
        seen = [v for v in graph if v not in hidden]
        theirs = identify_effect_auto(graph, [t], [y], seen, EstimandType.NONPARAMETRIC_ATE,
                                      backdoor_adjustment=BackdoorAdjustment.BACKDOOR_EXHAUSTIVE)  # fmt: skip
        found = {frozenset(s) for s in (theirs.backdoor_variables or {}).values()}
        assert set(graphs.adjustment_sets(graph, t, y, observed=seen)) == smallest(found)
        for columns in found:
            assert graphs.is_adjustment_set(graph, t, y, columns)
        how_many.append(len(smallest(found)))
    assert min(how_many) == 0 and max(how_many) > 1


@pytest.mark.parametrize("confounding", ["observed", "hidden", "text", "none"])
def test_the_graph_of_the_world_has_the_columns_that_the_world_says(confounding):
    world = make_world(confounding=confounding)
    found = graphs.adjustment_sets(world.dag(), "exposed", "consumed")
    wanted = world.truth.adjustment_set("exposure")
    names = {"log_popularity": "popularity", "log_activity": "activity"}
    assert bool(found) == (wanted is not None)
    if wanted is not None:
        columns = [names.get(c, c) for c in wanted]
        assert graphs.is_adjustment_set(world.dag(), "exposed", "consumed", columns)


def test_labels_are_tested_as_scipy_does():
    rng = np.random.default_rng(14)
    data = pd.DataFrame({"a": rng.choice(list("xyz"), 900), "b": rng.choice(["u", "v"], 900)})
    ours = graphs.independence_test(data, "a", "b")
    theirs = chi2_contingency(pd.crosstab(data["a"], data["b"]), correction=False)
    assert ours == pytest.approx((theirs.statistic, theirs.dof, theirs.pvalue))
