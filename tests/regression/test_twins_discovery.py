"""Broken twins of discovery: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import statsmodels.api as sm

from causalrec_lib import _pdag, discovery
from tests.regression.twins import first_failure
from tests.truth import discovery_world as world
from tests.truth.discovery_world import Tools

RUNS = 60
TRUE = Tools()


def skeleton_only(g):
    return nx.DiGraph([*g.edges, *((b, a) for a, b in g.edges)])


def nothing_follows(g):
    """Keep v-structures, and forget what follows from them."""
    kept = {(p, c) for pair, c in _pdag.v_structures(g) for p in pair}
    return nx.DiGraph([*g.edges, *((b, a) for a, b in g.edges if (a, b) not in kept)])


def married_parents(g):
    """Take every two parents for a v-structure, adjacent or not."""
    kept = {(p, c) for c in g if len(g.pred[c]) > 1 for p in g.pred[c]}
    return _pdag.close(nx.DiGraph([*g.edges, *((b, a) for a, b in g.edges if (a, b) not in kept)]))


def entries(f, t):
    return len(set(f.edges) ^ set(t.edges))


def undirected(f, t):
    return len({frozenset(e) for e in f.edges} ^ {frozenset(e) for e in t.edges})


def edges_only(x, g):
    variance = x.var()
    return float(np.mean([variance[b] > variance[a] for a, b in g.edges]))


def ties_win(x, g):
    found = TRUE.varsortability(x, g)
    return 1.0 if found == 0.5 else found


def changed(change):
    def broken(x, graphs, t, y):
        return change(TRUE.class_effects(x, graphs, t, y), x, t, y)

    return broken


def no_parents(table, x, t, y):
    fit = sm.OLS(x[y], sm.add_constant(x[[t]])).fit(cov_type="HC1")
    table[["effect", "se", "low", "high"]] = [fit.params[t], fit.bse[t], *fit.conf_int().loc[t]]
    return table


def equal_variances(table, x, t, y):
    fit = sm.OLS(x[y], sm.add_constant(x[[t, "a"]])).fit()
    row = table["parents"] == "a"
    table.loc[row, ["low", "high"]] = fit.conf_int().loc[t].to_numpy()
    return table


def same_rows(learn, x, *, seed, n_draws):
    return TRUE.bootstrap_edges(lambda z: learn(x), x, seed=seed, n_draws=n_draws)


def half_the_rows(learn, x, *, seed, n_draws):
    rng = np.random.default_rng(seed)
    table = TRUE.bootstrap_edges(learn, x, seed=seed, n_draws=n_draws)
    table[["a -> b", "a <- b"]] = table[["a <- b", "a -> b"]] * rng.random()
    return table


def free_arrows(edges, truth, *, seed, n_draws):
    """Compare with independent random pairs in place of the same shape."""
    found = TRUE.score_proposals(edges, truth, seed=seed, n_draws=n_draws)
    rng = np.random.default_rng(seed)
    chance = rng.binomial(found.n, found.base_rate, n_draws)
    return found._replace(p=(1 + (chance >= found.hits).sum()) / (1 + n_draws))


def either_way(edges, truth, *, seed, n_draws):
    both = nx.DiGraph([*truth.edges, *((b, a) for a, b in truth.edges)])
    found = TRUE.score_proposals(edges, truth, seed=seed, n_draws=n_draws)
    hits = sum(both.has_edge(*e) for e in edges)
    return found._replace(hits=hits, precision=hits / found.n)


def not_closed(g, tiers):
    tier = {v: k for k, vs in enumerate(tiers) for v in vs}
    turned = nx.DiGraph([(a, b) if tier[a] <= tier[b] else (b, a) for a, b in g.edges])
    turned.add_nodes_from(g)
    return turned


TWINS = {
    "class: no arrow at all": ("graphs", {"cpdag": skeleton_only}),
    "class: the graph itself": ("graphs", {"cpdag": lambda g: g}),
    "class: nothing follows": ("graphs", {"cpdag": nothing_follows}),
    "class: adjacent parents": ("graphs", {"cpdag": married_parents}),
    "distance: entries": ("graphs", {"shd": entries}),
    "distance: directions ignored": ("graphs", {"shd": undirected}),
    "time: not closed": ("graphs", {"order_in_time": not_closed}),
    "time: backwards": ("graphs", {"order_in_time": lambda g, t: discovery.order_in_time(g, t[::-1])}),
    "variances: edges only": ("controls", {"varsortability": edges_only}),
    "variances: ties win": ("controls", {"varsortability": ties_win}),
    "variances: turned": ("controls", {"varsortability": lambda x, g: 1 - TRUE.varsortability(x, g)}),
    "resampling: the same rows": ("controls", {"bootstrap_edges": same_rows}),
    "resampling: columns swapped and scaled": ("controls", {"bootstrap_edges": half_the_rows}),
    "proposals: free arrows": ("controls", {"score_proposals": free_arrows}),
    "proposals: either direction": ("controls", {"score_proposals": either_way}),
    "effects: parents ignored": ("effects", {"class_effects": changed(no_parents)}),
    "effects: errors for equal variances": ("effects", {"class_effects": changed(equal_variances)}),
    "effects: errors halved": (
        "effects",
        {
            "class_effects": changed(
                lambda t, *_: t.assign(low=t["effect"] - 0.98 * t["se"], high=t["effect"] + 0.98 * t["se"])
            )
        },
    ),
}
BATTERY = {"graphs": world.graph_battery, "controls": world.control_battery, "effects": world.effect_battery}


@pytest.mark.parametrize("battery", BATTERY)
def test_the_true_functions_pass(battery):
    assert first_failure(BATTERY[battery](TRUE, RUNS)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    battery, broken = TWINS[name]
    failed = first_failure(BATTERY[battery](replace(TRUE, **broken), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"
