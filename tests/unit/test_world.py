"""The world's form: one seed one world, no hidden column in a log, bad input refused, exact bookkeeping."""

import hashlib
import importlib
import os
import pickle
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causalrec_lib.data.world import Parameters, World, _core, make_world
from causalrec_lib.data.world._logs import HIDDEN_COLUMNS
from causalrec_lib.data.world._slates import _plackett_luce
from causalrec_lib.data.world._streams import pair_uniform

LOGS = {
    "users": lambda w: w.users,
    "items": lambda w: w.items,
    "reviews": lambda w: w.reviews,
    "exposure": lambda w: w.exposure_log(300, text=True),
    "bandit": lambda w: w.bandit_log(200),
    "slate": lambda w: w.slate_log(60),
    "ratings": lambda w: w.ratings_log(),
    "survey": lambda w: w.survey(3),
    "blurbs": lambda w: w.text_treatment_log(200, "confounded"),
    "reactions": lambda w: w.reactions(200),
    "trial": lambda w: w.ab_test("popular", "score", n=200, compliance=0.8),
    "weeks": lambda w: w.weeks(3, 100),
    "events": lambda w: w.events(100),
    "loop": lambda w: w.feedback_loop(3),
}


@pytest.fixture(scope="module")
def world():
    return make_world(60, 50, seed=3, text="templates")


def fingerprint(df):
    return hashlib.sha256(pd.util.hash_pandas_object(df.astype(str), index=False).to_numpy().tobytes()).hexdigest()


def all_prints(names=tuple(LOGS)):
    w = make_world(60, 50, seed=3, text="templates")
    return {n: fingerprint(LOGS[n](w)) for n in names}


def test_same_seed_same_world_in_another_process(tmp_path):
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import test_world as t; print(t.all_prints())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == str(all_prints())


def test_asking_for_one_log_does_not_change_another():
    forward, backward = all_prints(), all_prints(tuple(reversed(LOGS)))
    assert forward == backward


def test_another_seed_is_another_world_and_another_draw(world):
    assert fingerprint(world.users) != fingerprint(make_world(60, 50, seed=4, text="templates").users)
    for name in ("exposure_log", "ratings_log", "slate_log", "bandit_log", "reactions"):
        draws = [fingerprint(getattr(world, name)(seed=s)) for s in (None, 0, 1)]
        assert len(set(draws)) == 3, name


@pytest.mark.parametrize("name", LOGS)
def test_no_hidden_column_leaks(world, name):
    log = LOGS[name](world)
    forbidden = {*HIDDEN_COLUMNS, "p0", "p1", "tau", "e"}
    if name not in ("bandit", "slate"):
        forbidden.add("propensity")
    assert not forbidden & set(log.columns)
    users, items = world.truth.hidden()
    for key, hidden in (("user", users["annoyed"]), ("item", items["quality"]), ("item", items["mean_stars"])):
        if key not in log or name == "reviews":
            continue
        wanted = hidden.to_numpy(dtype=float)[log[key]]
        for column in log.select_dtypes("number"):
            both = np.corrcoef(log[column], wanted)[0, 1] if log[column].std() > 0 else 0.0
            assert abs(both) < 0.9, f"{column} gives {hidden.name} away"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_users": 9}, "n_users must be between"),
        ({"n_items": 10.5}, "n_items must be a whole number"),
        ({"n_items": 5001}, "n_items must be between"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"confounding": "some"}, "confounding must be one of"),
        ({"overlap": None}, "overlap must be one of"),
        ({"interference": 1.5}, "interference must be a finite number"),
        ({"interference": np.nan}, "interference must be a finite number"),
        ({"drift": -0.1}, "drift must be a finite number"),
        ({"text": "novels"}, "text must be one of"),
        ({"text": "reviews", "reviews": pd.DataFrame({"a": [1]})}, "reviews lacks the columns"),
    ],
)
def test_make_world_refuses(change, match):
    with pytest.raises(ValueError, match=match):
        make_world(**{"n_users": 20, "n_items": 20, "text": "templates", **change})


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.exposure_log(0),
        lambda w: w.exposure_log(60 * 50 + 1),
        lambda w: w.exposure_log(10, seed=-1),
        lambda w: w.bandit_log(0),
        lambda w: w.bandit_log(10, policy="clever"),
        lambda w: w.bandit_log(10, policy=np.ones((60, 50))),
        lambda w: w.bandit_log(10, policy=np.ones((2, 50)) / 50),
        lambda w: w.policy("score", temperature=-1),
        lambda w: w.policy("score", epsilon=2),
        lambda w: w.slate_log(10, slate_size=51),
        lambda w: w.slate_log(10, randomised_share=np.nan),
        lambda w: w.survey(51),
        lambda w: w.text_treatment_log(10, "guess"),
        lambda w: w.ab_test("score", "popular", unit="item"),
        lambda w: w.ab_test("score", "popular", compliance=1.2),
        lambda w: w.ab_test("score", "popular", n=1),
        lambda w: w.weeks(0),
        lambda w: w.events(0),
        lambda w: w.feedback_loop(3, retrain="hope"),
        lambda w: w.truth.cate("quantity"),
        lambda w: w.truth.policy_value("score", outcome="joy"),
        lambda w: w.truth.ndcg(np.ones((3, 50))),
        lambda w: w.truth.ranking(60),
        lambda w: w.truth.position_effect(0),
        lambda w: w.truth.attribute_effect("colour"),
        lambda w: w.truth.adjustment_set("life"),
        lambda w: w.truth.pairs(pd.DataFrame({"user": [1]})),
    ],
)
def test_bad_requests_are_refused(world, call):
    with pytest.raises(ValueError, match=r"must|lacks|expected"):
        call(world)


def test_the_log_shows_the_potential_outcome_of_what_happened(world):
    for seed in (None, 5):
        log, (y0, y1) = world.exposure_log(seed=seed), world.truth.potential_outcomes(seed)
        want = np.where(log["exposed"] == 1, y1[log["user"], log["item"]], y0[log["user"], log["item"]])
        assert (want == log["consumed"]).all()


def test_individual_effects_have_the_sign_of_their_probability(world):
    y0, y1 = (y.astype(int) for y in world.truth.potential_outcomes())
    tau = world.truth.tau
    assert ((y1 - y0)[tau > 0] >= 0).all()
    assert ((y1 - y0)[tau < 0] <= 0).all()
    assert (tau < 0).any()


def test_a_sample_a_block_and_an_uncached_world_agree(world, monkeypatch):
    users, items = np.array([0, 7, 59]), np.array([3, 49, 11])
    cached = world.core.pairs(users, items)
    want = {k: getattr(cached, k) for k in ("S", "H", "e", "p0", "p1")}
    monkeypatch.setattr(_core, "CACHE_PAIRS", 0)
    monkeypatch.setattr(_core, "BLOCK_PAIRS", 170)
    for k, v in want.items():
        assert (getattr(world.core.pairs(users, items), k) == v).all()
        blocks = np.concatenate([getattr(x, k) for x in world.core.blocks()])
        assert (blocks[users, items] == v).all()
    assert world.truth.ate() == pytest.approx(float(world.truth.tau.astype(float).mean()), rel=1e-6)


def test_pair_uniforms_are_uniform_and_do_not_know_the_size_of_the_world():
    u = pair_uniform(1, ("outcome", 0), np.arange(400)[:, None], np.arange(500)[None, :])
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * u.size)
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 0.01
    assert (pair_uniform(1, ("outcome", 0), np.array([7]), np.array([9])) == u[7, 9]).all()
    other = pair_uniform(1, ("exposure", 0), np.arange(400)[:, None], np.arange(500)[None, :])
    assert abs(np.corrcoef(u.ravel(), other.ravel())[0, 1]) < 0.01


def test_the_marketing_coin_leaves_the_propensity_alone(world):
    x = next(world.core.blocks())
    given = [_core.m.exposure_given_marketing(x.p, x.e, np.float32(z)) for z in (0, 1)]
    np.testing.assert_allclose((given[0] + given[1]) / 2, x.e, rtol=1e-5)
    assert (given[1] > given[0]).all()
    assert (given[0] >= 0).all()
    assert (given[1] <= 1).all()


@pytest.mark.parametrize("name", ["random", "popular", "score", "logging", "consumption", "best", "uplift"])
def test_policies_are_distributions(world, name):
    for temperature in (0.0, 0.5, 1.0):
        pi = world.policy(name, temperature, epsilon=0.1).probabilities()
        assert pi.shape == world.shape
        np.testing.assert_allclose(pi.sum(axis=1), 1)
        assert pi.min() >= 0.1 / 50 - 1e-12


def test_a_policy_draws_what_it_says(world):
    policy = world.policy("score", temperature=0.7)
    users = np.full(200_000, 5)
    items, prob = policy.draw(users, np.random.default_rng(0).uniform(size=len(users)))
    pi = policy.probabilities(np.array([5]))[0]
    np.testing.assert_allclose(prob, pi[items])
    np.testing.assert_allclose(np.bincount(items, minlength=50) / len(users), pi, atol=5 * np.sqrt(0.25 / len(users)))


def test_tables_and_functions_are_policies(world):
    table = world.policy("score", temperature=0.5).probabilities()
    want = world.truth.policy_value(world.policy("score", temperature=0.5))
    assert world.truth.policy_value(table) == pytest.approx(want, rel=1e-12)
    assert world.truth.policy_value(lambda users: table[users]) == pytest.approx(want, rel=1e-12)


def test_the_best_policy_is_best_and_its_ranking_perfect(world):
    t = world.truth
    for outcome in ("reward", "lift"):
        best = np.zeros(world.shape)
        best[np.arange(60), t.best_policy(outcome)] = 1
        assert (
            t.policy_value(best, outcome)
            >= max(t.policy_value(n, outcome) for n in ("best", "uplift", "popular")) - 1e-6
        )
        assert t.ranking(4, outcome)[0] == t.best_policy(outcome)[4]
    everything = np.concatenate([x.p1 for x in world.core.blocks()])
    assert t.ndcg(everything, 10) == pytest.approx(1)
    assert t.ndcg(-everything, 10) < t.ndcg(np.random.default_rng(0).uniform(size=world.shape), 10) < 0.9


def test_plackett_luce_against_enumeration():
    logits = np.array([0.0, 1.0, -0.5, 0.3])
    w = np.exp(logits)
    exact = {(a, b): w[a] / w.sum() * w[b] / (w.sum() - w[a]) for a in range(4) for b in range(4) if a != b}
    n = 100_000
    slates, propensity = _plackett_luce(np.tile(logits, (n, 1)), 2, np.random.default_rng(0))
    for (a, b), p in exact.items():
        hit = (slates[:, 0] == a) & (slates[:, 1] == b)
        assert abs(hit.mean() - p) < 5 * np.sqrt(p * (1 - p) / n)
        np.testing.assert_allclose(propensity[hit].prod(axis=1), p)


def test_slates_hold_distinct_items_and_exact_shuffles(world):
    log = world.slate_log(300, slate_size=4, randomised_share=0.5)
    assert (log.groupby("session")["item"].nunique() == 4).all()
    assert (log.groupby("session")["position"].agg(list).map(tuple) == (1, 2, 3, 4)).all()
    shuffled = log[log["randomised"] == 1]
    np.testing.assert_allclose(shuffled["propensity"], 1 / (5 - shuffled["position"]))
    assert log["propensity"].between(0, 1, inclusive="right").all()


@pytest.mark.parametrize("confounding", ["none", "observed", "hidden"])
@pytest.mark.parametrize("interference", [0.0, 0.3])
def test_the_graph_and_the_adjustment_set_agree(confounding, interference):
    w = World.toy(confounding=confounding, interference=interference)
    g = w.truth.dag()
    assert nx.is_directed_acyclic_graph(g)
    assert all({"label", "observed", "role", "pos"} <= set(d) for _, d in g.nodes(data=True))
    assert ("friends" in g) == (interference > 0)
    g.remove_edge("exposed", "consumed")
    columns = w.truth.adjustment_set("exposure")
    observed = {n for n, d in g.nodes(data=True) if d["observed"] and n not in ("exposed", "consumed", "rated")}
    if columns is None:
        assert confounding == "hidden"
        assert not nx.is_d_separator(g, {"exposed"}, {"consumed"}, observed)
        return
    nodes = {{"log_popularity": "popularity", "log_activity": "activity"}.get(c, c) for c in columns}
    assert nx.is_d_separator(g, {"exposed"}, {"consumed"}, nodes)
    for node in nodes:
        assert not nx.is_d_separator(g, {"exposed"}, {"consumed"}, nodes - {node})
    assert set(columns) <= set(w.exposure_log(10).columns)


def test_questions_that_no_column_answers_say_so(world):
    t = world.truth
    assert t.adjustment_set("ratings") is None
    assert t.adjustment_set("text_treatment_confounded") is None
    assert t.adjustment_set("text_treatment") == ()
    assert set(t.adjustment_set("mediation")) <= set(world.reactions(10).columns)
    assert set(t.adjustment_set("position")) <= set(world.slate_log(10).columns)


def test_every_parameter_stands_in_an_equation_whose_code_exists(world):
    table = world.equations()
    named = {part.split(" = ")[0] for row in table["parameters"] for part in row.split(", ") if " = " in part}
    assert named == {f.name for f in fields(Parameters)}
    for path in table["code"]:
        module, name = path.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(f"causalrec_lib.data.{module}"), name))


def test_events_are_dirty_in_the_ways_that_their_labels_say(world):
    events, labels = world.events(400), world.truth.event_labels(400)
    assert (events["event_id"].duplicated(keep=False) >= labels["is_duplicate"]).all()
    assert events["event_id"].duplicated().sum() == labels["is_duplicate"].sum() > 0
    assert not events["timestamp"].is_monotonic_increasing
    assert events.loc[labels["is_outlier"], "dwell_seconds"].min() >= 20_000
    people = events[~labels["is_bot"] & ~labels["is_outlier"]]
    assert people["dwell_seconds"].max() < 20_000
    assert set(events.loc[labels["is_bot"], "user_id"]).isdisjoint(events.loc[~labels["is_bot"], "user_id"])
    assert events[["device", "price"]].isna().mean().between(0.01, 0.06).all()
    assert events["event"].value_counts().index.tolist() == ["impression", "click", "purchase"]


def test_friends_are_a_symmetric_graph_of_people_with_like_hidden_taste():
    w = make_world(500, 20, text="templates", interference=0.2)
    g = w.friends
    assert (g != g.T).nnz == 0
    assert g.diagonal().sum() == 0
    assert 5 < g.sum() / 500 < 15
    H = np.concatenate([x.H for x in w.core.blocks()])
    a, b = g.nonzero()
    alike = np.mean([np.corrcoef(H[i], H[j])[0, 1] for i, j in zip(a[:800], b[:800], strict=True)])
    rng = np.random.default_rng(0)
    chance = np.mean([np.corrcoef(H[i], H[j])[0, 1] for i, j in rng.integers(0, 500, (800, 2))])
    assert alike > chance + 0.03


def test_a_toy_prints_on_a_page():
    w = World.toy()
    assert w.shape == (40, 30)
    assert repr(w) == (
        "World(40 users x 30 items, seed=0, confounding='observed', overlap='good', interference=0, drift=0.05)"
    )
    assert len(w.exposure_log()) == 1200
    assert repr(w.truth).startswith("Truth(ate=")


def test_a_world_too_large_for_one_frame_says_so():
    w = make_world(5000, 1000, text="templates")
    with pytest.raises(ValueError, match="ask for a sample"):
        w.exposure_log()
    with pytest.raises(ValueError, match="interference needs"):
        make_world(20_000, 1100, text="templates", interference=0.1).exposure_log(10)
    assert len(w.exposure_log(100)) == 100


PRINTS = """
import pickle, sys
import numpy as np
import test_world as t
w = t.make_world(300, 200, seed=3, text="{text}")
frames = {{n: f(w) for n, f in t.LOGS.items()}}
frames["slate, shuffled"] = w.slate_log(200, slate_size=7, randomised_share=0.5, seed=1)
frames["pairs"] = w.truth.pairs(w.exposure_log(500))
plain = lambda x: x.to_numpy() if x.dtype.kind in "fiub" else x.astype(object).to_numpy()
pickle.dump({{n: [(c, plain(f[c])) for c in f] for n, f in frames.items()}}, sys.stdout.buffer)
"""


def other_processors():
    """Environments in which numpy and OpenBLAS pretend to run on a lesser processor; only features that exist."""
    core = np._core._multiarray_umath
    dispatchable = [f for f in core.__cpu_dispatch__ if core.__cpu_features__.get(f)]
    return {"no SIMD beyond the baseline": {"NPY_DISABLE_CPU_FEATURES": " ".join(dispatchable)},
            "another BLAS kernel": {"OPENBLAS_CORETYPE": "Sandybridge"}}  # fmt: skip


@pytest.mark.parametrize("text", ["reviews", "templates"])
def test_another_processor_draws_the_same_world(text):
    def frames(**env):
        here = str(Path(__file__).parent)
        code = f"import sys; sys.path.insert(0, {here!r})\n{PRINTS.format(text=text)}"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, **env})
        return pickle.loads(run.stdout)  # noqa: S301  (written by ourselves, one line above)

    plain = frames()
    for name, env in other_processors().items():
        other = frames(**env)
        for log, columns in plain.items():
            for (column, want), (_, got) in zip(columns, other[log], strict=True):
                if want.dtype.kind == "f":
                    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9, err_msg=f"{name}: {log}.{column}")
                else:
                    assert (pd.Series(got).astype(str) == pd.Series(want).astype(str)).all(), (
                        f"{name}: {log}.{column}"
                    )
