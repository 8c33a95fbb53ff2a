"""The graph is the simulator's: intervene on one node, see what moves, and compare with the arrows."""

import copy

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causalrec_lib.data.world import Parameters, World, _listings, _population, make_world
from causalrec_lib.data.world import _experiment as experiment
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world import _ratings as ratings

SWITCHES = ("none", "observed", "text", "hidden")
USERS = ("segment", "age", "activity")
SETTING = {"n_users": 150, "n_items": 60, "seed": 5, "text": "templates"}


def readings(core):
    """What the simulator says about each node that can be read off: arrays over all pairs."""
    x = next(core.blocks())
    r = ratings.stars(x)
    F = core.friends_shown(0) if core.interference else np.zeros(1)
    return {
        "score": x.S, "hidden": x.H, "popularity": core.P, "activity": core.L, "price": core.C, "quality": core.q,
        "annoyed": core.v, "community": core.users["community"].to_numpy(), "exposed": x.e, "stars": r,
        "consumed": np.stack(x.with_friends(F)), "rated": ratings.rating_propensity(x, r), "friends": F,
    }  # fmt: skip


def moved(before, after):
    return {n for n in before if not np.array_equal(before[n], after[n])}


def edited(make, table, change):
    """The function that makes a table, with one change to what it makes."""

    def made(*args):
        out = list(make(*args))
        out[table] = change(out[table])
        return tuple(out)

    return made


def departments(dealt):
    return dealt.assign(department=dealt["department"].map({"Tops": "Dresses", "Dresses": "Tops"}).fillna("Jackets"))


def segments(users):
    other = pd.Categorical.from_codes(3 - users["segment"].cat.codes, users["segment"].cat.categories)
    return users.assign(segment=other)


def activities(users):
    return users.assign(log_activity=np.random.default_rng(0).permutation(users["log_activity"].to_numpy()))


def interventions():
    """For each node: where it is drawn, and the same function with another result."""
    p, chance = _population, _population.annoyed_probability
    quality, factors, tone = _listings.shrunk_quality, p.text_factors, p.tone
    return {
        "quality": [(_listings, "shrunk_quality", lambda d: quality(d).iloc[::-1].set_axis(quality(d).index))],
        "text": [
            (p, "text_factors", lambda texts, d: factors(texts, d)[::-1]),
            (p, "tone", lambda texts: tone(texts)[::-1]),
        ],
        "department": [(_listings, "deal", lambda *a, deal=_listings.deal: departments(deal(*a)))],
        "segment": [
            (p, "make_users", edited(p.make_users, 0, segments)),
            (p, "annoyed_probability", lambda age, segment: chance(age, 3 - np.asarray(segment))),
        ],
        "activity": [(p, "make_users", edited(p.make_users, 0, activities))],
        "taste": [(p, "make_users", lambda *a, make=p.make_users: retasted(make(*a)))],
    }


def stage_world(monkeypatch, node, **switches):
    """Build the world again with one node set by hand at the place where it is drawn."""
    if node == "ad_spend":  # popularity without the push
        switches["parameters"] = Parameters(pop_m=0.0)
    with monkeypatch.context() as patch:
        for module, name, other in interventions().get(node, []):
            patch.setattr(module, name, other)
        return make_world(**SETTING, **switches)


def retasted(made):
    """Another hidden taste, and the communities that come of it."""
    users, seen, unseen = made
    return users.assign(community=users["community"].to_numpy()[::-1]), seen, unseen[::-1]


@pytest.mark.parametrize("confounding", SWITCHES)
@pytest.mark.parametrize("interference", [0.0, 0.3])
@pytest.mark.parametrize("node", ["quality", "text", "department", "ad_spend", "segment", "activity", "taste"])
def test_what_moves_is_what_the_arrows_reach(monkeypatch, node, confounding, interference):
    switches = {"confounding": confounding, "interference": interference}
    world = make_world(**SETTING, **switches)
    before = readings(world.core)
    after = readings(stage_world(monkeypatch, node, **switches).core)
    g = world.dag()
    g.remove_edges_from([e for e in graph.DEALT if node in e])  # dealt together: setting one leaves the others
    reached = (nx.descendants(g, node) | {node}) & set(before)
    # an intervention on all users is one on a user's friends too, which is not the user's own arrow
    others = {"friends"} if node in ("segment", "activity", "taste") else set()
    assert (moved(before, after) & set(g)) - others == reached - others


@pytest.mark.parametrize("confounding", SWITCHES)
def test_each_arrow_into_exposure_purchase_and_stars_is_an_argument_that_matters(confounding):
    world = make_world(**SETTING, confounding=confounding, interference=0.3)
    children = ("exposed", "consumed", "stars")
    for node in ("score", "hidden", "popularity", "activity", "price", "annoyed", "quality", "text"):
        core = copy.copy(world.core)
        for field, name in (("P", "popularity"), ("L", "activity"), ("C", "price"), ("q", "quality"), ("X", "text")):
            setattr(core, field, getattr(core, field) + np.float32(0.5 * (name == node)))
        core.v = 1 - core.v if node == "annoyed" else core.v
        x = core.pairs(np.arange(150)[:, None], np.arange(60)[None, :])
        x.__dict__["S"] = world.core._matrices["score"] + np.float32(0.5 * (node == "score"))
        x.__dict__["H"] = world.core._matrices["hidden"] + np.float32(0.5 * (node == "hidden"))
        plain = next(world.core.blocks())
        direct = {
            "exposed": not np.array_equal(x.e, plain.e),
            "consumed": not (np.array_equal(x.p0, plain.p0) and np.array_equal(x.p1, plain.p1)),
            "stars": not np.array_equal(ratings.stars(x), ratings.stars(plain)),
        }
        g = world.dag()
        assert direct == {child: g.has_edge(node, child) for child in children}, node


def test_what_is_dealt_together_goes_together():
    world = make_world(500, 1000)
    users, items = world.truth.hidden()
    assert np.corrcoef(items["tone"], items["quality"])[0, 1] > 0.3
    department = pd.get_dummies(items["department"]).to_numpy(float)
    phi = world.core.hidden_right[:, :-1]
    left = phi - department @ np.linalg.lstsq(department, phi, rcond=None)[0]
    assert 1 - left.var() / phi.var() > 0.1
    hidden = world.core.hidden_taste[0][:, 0]
    of_group = pd.Series(hidden).groupby(users["community"]).transform("mean")
    assert np.corrcoef(of_group, hidden)[0, 1] ** 2 > 0.5  # a proxy of hidden taste


def test_exposure_knows_only_its_parents():
    """Given popularity, score and activity, exposure is independent of price, text, age and hidden affinity."""
    for confounding, depends in (("observed", False), ("hidden", True)):
        world = make_world(1000, 400, text="templates", confounding=confounding)
        log = world.exposure_log(200_000)
        e = world.truth.pairs(log)["propensity_observed"]
        left = (log["exposed"] - e) / np.sqrt(e * (1 - e))
        x = world.core.pairs(log["user"].to_numpy(), log["item"].to_numpy())
        z = np.corrcoef(left, x.H)[0, 1] * np.sqrt(len(log))
        assert (abs(z) > 20) == depends
        for column in ("price", "age"):
            z = np.corrcoef(left, log[column])[0, 1] * np.sqrt(len(log))
            assert abs(z) < 4 or depends


@pytest.mark.parametrize("confounding", SWITCHES)
@pytest.mark.parametrize("question", graph.QUESTIONS)
def test_every_question_has_a_graph_and_an_answer(question, confounding):
    world = World.toy(confounding=confounding)
    g = world.dag(question)
    assert nx.is_directed_acyclic_graph(g)
    assert all({"label", "observed", "role", "pos"} <= set(d) for _, d in g.nodes(data=True))
    assert len({d["pos"] for _, d in g.nodes(data=True)}) == len(g)
    answer = world.truth.adjustment_set(question)
    assert answer is None or answer == graph.BY_PROPENSITY or isinstance(answer, tuple)


PAIR_BLOCK = {"user": {"segment", "seen", "activity", "annoyed", "taste", "score", "hidden"},
              "item": {"department", "text", "quality", "popularity", "price", "sponsored", "ad_spend"}}  # fmt: skip
NODES = {"log_popularity": {"popularity"}, "log_activity": {"activity"}, **PAIR_BLOCK}


@pytest.mark.parametrize(
    ("question", "treatment", "outcome"),
    [
        ("exposure", "exposed", "consumed"), ("exposure_by_coin", "exposed", "consumed"),
        ("weeks", "exposed", "consumed"), ("instrument", "marketing", "consumed"),
        ("position", "position", "clicked"),
        ("ab_test", "assigned", "consumed"), ("text_treatment", "promise", "clicked"),
        ("mediation", "expectation", "stars"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("confounding", SWITCHES)
@pytest.mark.parametrize("interference", [0.0, 0.3])
def test_adjustment_sets_close_the_back_doors_and_no_column_is_idle(
    question, treatment, outcome, confounding, interference
):
    world = World.toy(confounding=confounding, interference=interference)
    g, columns = world.dag(question), world.truth.adjustment_set(question)
    g.remove_edges_from(list(g.out_edges(treatment)))
    observed = {n for n, d in g.nodes(data=True) if d["observed"]} - {treatment, outcome, "rated", "stars"}
    if columns is None:
        assert not nx.is_d_separator(g, {treatment}, {outcome}, observed)
        return
    nodes = [NODES.get(c, {c}) & set(g) for c in columns]
    assert nx.is_d_separator(g, {treatment}, {outcome}, set().union(*nodes))
    for one in nodes if question != "exposure_by_coin" else []:
        assert not nx.is_d_separator(g, {treatment}, {outcome}, set().union(*nodes) - one)


def test_a_plain_difference_in_the_bandit_log_is_confounded_by_the_score():
    g = World.toy().dag("bandit")
    g.remove_edges_from(list(g.out_edges("shown")))
    assert not nx.is_d_separator(g, {"shown"}, {"reward"}, set())
    assert World.toy().truth.adjustment_set("bandit") == "weight by the logged propensity"


def test_observed_nodes_are_columns_and_hidden_ones_are_not():
    world = make_world(**SETTING, interference=0.2)
    columns = {
        "exposure": {*world.exposure_log(10, text=True), *world.users, *world.items},
        "weeks": {*make_world(**SETTING).weeks(2, 10), *world.users, *world.items},
        "ab_test": {*world.ab_test("score", "popular", n=10), *world.items},
        "mediation": {*world.reactions(10), *world.items, *world.users},
        "bandit": {*world.bandit_log(10), *world.items, *world.users},
        "position": {*world.slate_log(10), *world.items, *world.users},
        "text_treatment": {*world.text_treatment_log(10), *world.items, *world.users},
    }
    also = {"friends": "friends_shown", "before": "pre_clicks", "shuffled": "randomised", "shown": "item"}
    also |= {"hidden": "H", "type": "compliance type"}
    for question, names in columns.items():
        for node, d in world.dag(question).nodes(data=True):
            if node != "rated":
                assert (also.get(node, node) in names) == d["observed"], (question, node)
    ratings_graph = world.dag("ratings")
    assert ratings_graph.nodes["stars"]["observed"]
    assert "stars" in make_world(**SETTING).ratings_log()


def test_unknown_questions_are_refused():
    with pytest.raises(ValueError, match="question must be one of"):
        World.toy().dag("life")
    assert experiment.UNITS == ("user", "cluster", "switchback")
