"""The front door and the tests of independence against known truth."""

import networkx as nx
import numpy as np
import pytest
from scipy.stats import binom

from causalrec_lib import graphs
from causalrec_lib.data.world import make_world

STORY = nx.DiGraph([("u", "x"), ("u", "y"), ("x", "m"), ("m", "y")])
TABLES = {
    "u": [0.5, 0.3, 0.2],
    "x": [[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]],
    "m": [[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]],
    "y": np.stack([1 - (p := np.add.outer([0.05, 0.2, 0.45], [0.0, 0.2, 0.4])), p], axis=-1),
}
NET = graphs.BayesianNetwork(STORY, TABLES, {"u": [0, 1, 2], "x": [0, 1], "m": [0, 1, 2], "y": [0, 1]})


@pytest.mark.parametrize("runs", [60, pytest.param(400, marks=pytest.mark.nightly)])
def test_the_front_door_is_unbiased_and_covers(runs):
    truth = NET.do({"x": 1}).query("y")[1] - NET.do({"x": 0}).query("y")[1]
    naive = NET.query("y", {"x": 1})[1] - NET.query("y", {"x": 0})[1]
    found = []
    for seed in range(runs):
        rows = NET.sample(3_000, np.random.default_rng(seed))
        found.append(graphs.front_door(rows["y"], rows["x"], rows["m"]))
    values = np.array([e.value for e in found])
    mc = values.std(ddof=1) / np.sqrt(runs)
    assert abs(values.mean() - truth) < 2.6 * mc < abs(naive - truth) / 3
    low, high = binom.ppf([0.002, 0.998], runs, 0.95)
    assert low <= sum(e.covers(truth) for e in found) <= high


@pytest.mark.parametrize("weeks", [20, pytest.param(200, marks=pytest.mark.nightly)])
def test_the_graph_of_the_world_passes_at_its_rate_and_a_wrong_one_fails(weeks):
    columns = ["popularity", "price", "marketing", "score", "exposed", "consumed", "activity", "segment"]
    claims = graphs.implied_independences(make_world().dag(), columns)

    def p_values(shop):
        for seed in range(weeks):
            log = shop.exposure_log(n_pairs=4_000, seed=50_000 + seed)
            log = log.assign(popularity=log["log_popularity"], activity=log["log_activity"])
            yield graphs.check_independences(claims, log[columns], clusters=log["user"])["p"].to_numpy()

    right = np.array(list(p_values(make_world())))
    by_week = (right < 0.05).mean(axis=1)
    assert by_week.mean() < 0.05 + 3 * by_week.std(ddof=1) / np.sqrt(weeks) + 0.015
    wrong = np.array(list(p_values(make_world(confounding="hidden"))))
    telling = [str(c) for c in claims].index("price ⊥ exposed | popularity, score")
    assert (wrong[:, telling] < 0.01).mean() > 0.9
