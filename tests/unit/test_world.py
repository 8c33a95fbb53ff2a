"""The world's form: one seed one world, no hidden column in a log, bad input refused, exact bookkeeping."""

import hashlib
import importlib
import itertools
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causalrec_lib.data.world import Parameters, World, _core, _slates, make_world
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
    "trial": lambda w: w.ab_test("popular", "score", n=200, compliance=0.8, arrivals="activity"),
    "placebo": lambda w: w.exposure_log(100, with_placebo=True),
    "candidates": lambda w: w.slate_candidates(20),
    "weeks": lambda w: w.weeks(3, 100),
    "events": lambda w: w.events(100),
    "loop": lambda w: w.feedback_loop(3),
}


@pytest.fixture(scope="module")
def world():
    return make_world(60, 50, seed=3, text="templates")


@pytest.fixture(scope="module")
def larger():
    return make_world(800, 400, seed=3, text="templates")


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


def grouped_r2(column, hidden):
    """Adjusted share of the variance of a hidden variable that groups of a column explain; one row an entity."""
    x = column
    if pd.api.types.is_numeric_dtype(x) and x.nunique() > 20:
        x = pd.qcut(x, 20, labels=False, duplicates="drop")
    n, k = len(x), pd.Series(x).nunique()
    left = (hidden - hidden.groupby(np.asarray(x)).transform("mean")).var() / hidden.var()
    return 1 - left * (n - 1) / (n - k)


LARGE = {
    **{n: LOGS[n] for n in ("items", "ratings", "survey")},
    "exposure": lambda w: w.exposure_log(20_000, with_placebo=True),
    "bandit": lambda w: w.bandit_log(10_000),
    "slate": lambda w: w.slate_log(4_000),
    "candidates": lambda w: w.slate_candidates(4_000),
    "blurbs": lambda w: w.text_treatment_log(8_000, "confounded"),
    "reactions": lambda w: w.reactions(8_000, text=False),
    "trial": lambda w: w.ab_test("random", "logging", n=10_000, compliance=0.8, arrivals="activity"),
    "weeks": lambda w: w.weeks(3, 4_000),
}


@pytest.mark.parametrize("name", LARGE)
def test_no_group_of_a_column_gives_a_hidden_cause_away(larger, name):
    log = LARGE[name](larger)
    users, items = larger.truth.hidden()
    taste = larger.core.hidden_taste[0]
    hidden = {("user", f"taste {k}"): taste[:, k] for k in range(taste.shape[1])}
    hidden |= {("user", "annoyed"): users["annoyed"]}
    hidden |= {("item", c): items[c] for c in ("quality", "mean_stars", "tone")}
    known = {"session", "user", "item", "shadow_item", "text", "blurb", "reaction", "round", "community"}
    for (key, what), values in hidden.items():
        if key not in log:
            continue
        rows = log.drop_duplicates(key).reset_index(drop=True)
        assert len(rows) > 250
        wanted = pd.Series(np.asarray(values, dtype=float)[rows[key]])
        for column in rows.columns.difference(known):
            assert not grouped_r2(rows[column], wanted) > 0.4, f"{column} gives {what} away"


def test_communities_are_a_proxy_of_hidden_taste_and_stay_out_of_other_logs(larger):
    taste = pd.Series(larger.core.hidden_taste[0][:, 0])
    assert grouped_r2(larger.users["community"], taste) > 0.5
    assert [n for n in LOGS if "community" in LOGS[n](larger)] == ["users", "trial"]


def test_arguments_that_are_bad_together_are_refused(world):
    with pytest.raises(ValueError, match="slate_size must be at most 8"):
        world.slate_log(10, 9, randomised_share=1.0, with_slate_propensity=True)
    tiny = make_world(10, 10, seed=2, text="templates")
    assert not (tiny.truth.compliance_types(0.0) == "complier").any()
    with pytest.raises(ValueError, match="compliance is 0 and nobody complies"):
        tiny.truth.ab_effect("score", "best", compliance=0.0)


def test_a_segment_of_nobody_spoils_no_loop():
    tiny = make_world(10, 10, seed=0, text="templates")
    assert tiny.users["segment"].nunique() < len(tiny.users["segment"].cat.categories)
    assert np.isfinite(tiny.feedback_loop(2, "weighted", impressions=100).to_numpy()).all()


def test_a_slot_is_worth_what_friends_make_of_it_with_a_log_and_without():
    friendly = make_world(60, 50, text="templates", interference=0.5)
    every_pair = friendly.exposure_log()
    assert friendly.truth.position_effect(3) == pytest.approx(friendly.truth.position_effect(3, every_pair), rel=1e-5)
    alone = make_world(60, 50, text="templates").truth.position_effect(3)
    assert abs(friendly.truth.position_effect(3) - alone) > 0.01


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


def test_every_parameter_and_every_constant_stands_in_an_equation_whose_code_exists(world):
    table = world.equations()
    named = set(re.findall(r"(?:^|, )(\w+) = ", "; ".join(table["parameters"]).replace("; ", ", ")))
    package = importlib.import_module("causalrec_lib.data.world").__path__
    constants = set()
    for info in pkgutil.iter_modules(package, "causalrec_lib.data.world."):
        module = importlib.import_module(info.name)
        values = {n for n, v in vars(module).items() if n.isupper() and not n.startswith("_")}
        text = Path(module.__file__).read_text()
        constants |= {n for n in values if re.search(rf"^(?:\w+, )*{n}\b[^=(]*=[^=]", text, re.MULTILINE)}
    # sizes of memory and tables, numerics, names of columns and of questions: nothing is drawn from these
    plumbing = {
        "CACHE_PAIRS", "BLOCK_PAIRS", "MAX_NETWORK_PAIRS", "MAX_USERS", "MAX_ITEMS", "MAX_SHUFFLED", "NODES", "ROWS",
        "USER_COLUMNS", "ITEM_COLUMNS", "HIDDEN_COLUMNS", "RETRAINING", "SCORERS", "STARS", "DEALT", "QUESTIONS",
        "BY_PROPENSITY", "ADJUSTMENT",
    }  # fmt: skip
    assert constants - plumbing == named - {f.name for f in fields(Parameters)}
    assert {f.name for f in fields(Parameters)} <= named
    for path in table["code"]:
        module, name = path.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(f"causalrec_lib.data.{module}"), name))


def test_the_equations_say_what_is_standardised(world):
    c = world.core
    for x in (c.P, c.L, c.C, c.q, next(c.blocks()).S, next(c.blocks()).H):
        assert abs(float(x.mean(dtype=float))) < 1e-4
        assert float(x.std(dtype=float)) == pytest.approx(1, abs=1e-4)
    assert float(next(c.blocks()).A.std(dtype=float)) < 0.999 * 1.1  # the affinity is not: its weights decide
    text = world.equations().set_index("name")["equation"]
    assert all(text[n].startswith(r"\operatorname{std}") for n in ("popularity", "activity", "price", "score"))
    assert "not standardised" in text["affinity"]


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


def test_scores_are_those_of_the_logs(world):
    log, pool = world.bandit_log(200, seed=1), world.slate_candidates(20, seed=2)
    assert world.scores.shape == world.shape
    for rows in (log, pool):
        assert np.allclose(world.scores[rows["user"], rows["item"]], rows["score"], atol=1e-5)


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


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.weeks(3),
        lambda w: w.truth.weekly_ate(3),
        lambda w: w.ratings_log(),
        lambda w: w.truth.rated_share(),
        lambda w: w.truth.rating_propensity,
        lambda w: w.feedback_loop(2),
        lambda w: w.ab_test("score", "popular", compliance=0.8),
        lambda w: w.truth.ab_effect("score", "popular", compliance=0.8),
    ],
)
def test_what_has_no_answer_under_interference_is_refused_by_name(call):
    with pytest.raises(_core.InterferenceRefused, match="without interference"):
        call(World.toy(interference=0.3))


def test_a_policy_has_one_meaning_in_every_call(world):
    for name in ("random", "popular", "score", "logging", "consumption", "best", "uplift"):
        pi = world.policy(name).probabilities()
        p1 = np.concatenate([x.p1 for x in world.core.blocks()])
        assert world.truth.policy_value(name) == pytest.approx(float((pi * p1).sum(axis=1).mean()), rel=1e-6)
        log = world.bandit_log(400, name)
        np.testing.assert_allclose(log["propensity"], pi[log["user"], log["item"]])
        trial = world.ab_test(name, name, n=400)
        assert (pi[trial["user"], trial["item"]] > 0).all()
        deterministic = name not in ("random", "logging")
        assert ((pi == 1).any(axis=1)).all() == deterministic
        if deterministic:
            assert trial["item"].equals(trial["shadow_item"].rename("item"))
        lift = [world.truth.policy_value(n, "lift") for n in ("random", name)]
        assert world.truth.ab_effect("random", name) == pytest.approx(lift[1] - lift[0], abs=1e-6)
    assert world.bandit_log(50)["propensity"].min() >= 0.1 / 50
    assert world.truth.policy_value("logging") == world.truth.logging_value()


def test_ratings_are_consumptions_of_the_week_that_the_exposure_log_shows(world):
    for seed in (None, 4):
        log = world.exposure_log(seed=seed).set_index(["user", "item"])
        rated = world.ratings_log(seed=seed).set_index(["user", "item"])
        latest = rated[rated["weeks_ago"] == 0]
        assert (log.loc[latest.index, "consumed"] == 1).all()
        week = world.ratings_log(seed=seed, weeks=1).set_index(["user", "item"])
        assert latest.index.equals(week.index)
        known = world.truth.ratings(log.reset_index(), seed)
        who = log.index[(log["consumed"].to_numpy() == 1) & (known["writes"].to_numpy() == 1)]
        assert set(who) == set(week.index)
        stars = known.set_axis(log.index)["stars"]
        assert (stars[week.index] == week["stars"]).all()


def test_a_loop_returns_its_log_and_lets_a_learner_of_ones_own_retrain(world):
    report, log = world.feedback_loop(3, "clicks", sharpness=1.2, seed=1, impressions=500, with_log=True)
    assert len(log) == pytest.approx(2000, abs=8)
    assert log.groupby("round")["clicked"].sum().tolist() == report["clicks"].tolist()
    weight = 1 / log["propensity"]  # over all displays the inverse chances average to the number of items
    assert weight.mean() == pytest.approx(50, abs=4 * weight.std() / np.sqrt(len(log)))
    assert 4 * weight.std() / np.sqrt(len(log)) < 10
    users = world.users.set_index("user")["segment"]
    assert (users[log["user"]].astype(str).to_numpy() == log["segment"].astype(str)).all()

    def counts(log):
        table = log.pivot_table("clicked", index="segment", columns="item", aggfunc="sum", observed=False)
        return table.reindex(columns=range(50)).fillna(0).to_numpy() + 1

    own = world.feedback_loop(3, counts, sharpness=1.2, seed=1, impressions=500)
    pd.testing.assert_frame_equal(own, report)
    even = world.feedback_loop(2, "clicks", explore=1.0)
    assert even["effective_items"].iloc[-1] == pytest.approx(50)


def test_slates_are_worth_what_enumeration_says(world):
    logits = np.random.default_rng(1).normal(size=(2, 5))
    w = np.exp(logits)
    want, sets = np.zeros((2, 3, 5)), {}
    for order in itertools.permutations(range(5), 3):
        left, p = w.sum(axis=1), np.ones(2)
        for i in order:
            p, left = p * w[:, i] / left, left - w[:, i]
        for k, i in enumerate(order):
            want[:, k, i] += p
        sets[frozenset(order)] = sets.get(frozenset(order), 0) + p
    np.testing.assert_allclose(_slates.slot_probabilities(logits, 3), want, atol=1e-8)
    for chosen, p in sets.items():
        slots = np.tile(sorted(chosen), (2, 1))
        np.testing.assert_allclose(_slates.set_probability(logits, slots), p, rtol=1e-10)


def test_candidates_and_slates_belong_together(world):
    log = world.slate_log(200, 4, randomised_share=0.5, seed=2, with_slate_propensity=True)
    offered = world.slate_candidates(200, 4, seed=2)
    assert (offered.groupby("session")["item"].nunique() == 20).all()
    both = log.merge(offered[["session", "user", "item", "logging_logit"]], on=["session", "user", "item"])
    assert len(both) == len(log)
    total = np.exp(offered["logging_logit"]).groupby(offered["session"]).sum()
    first = both[(both["position"] == 1) & (both["randomised"] == 0)].set_index("session")
    np.testing.assert_allclose(first["propensity"], np.exp(first["logging_logit"]) / total[first.index], rtol=1e-6)
    ordered = log[log["randomised"] == 0].groupby("session")
    np.testing.assert_allclose(ordered["slate_propensity"].first(), ordered["propensity"].prod(), rtol=1e-9)


def test_the_placebo_is_moved_by_the_causes_and_not_by_the_treatment(larger):
    log = larger.exposure_log(with_placebo=True)
    exact = larger.truth.pairs(log)
    assert list(log.columns).index("consumed_before") < list(log.columns).index("exposed")
    left = (log["consumed_before"] - exact["p0"]) / np.sqrt(exact["p0"] * (1 - exact["p0"]))
    for known in (log["exposed"], exact["tau"], np.ones(len(log))):
        assert abs((left * known).sum()) < 4 * np.sqrt((known**2).sum())
    naive = log.groupby("exposed")["consumed_before"].mean()
    assert naive[1] - naive[0] > 0.02
    assert "consumed_before" not in larger.exposure_log(10)


def test_friends_are_in_every_log_under_interference_and_truths_of_spillover_add_up():
    w = make_world(100, 60, text="templates", interference=0.4)
    for log in (w.exposure_log(200), w.bandit_log(100), w.slate_log(20)):
        assert log["friends_shown"].between(0, 1).all()
    week = w.exposure_log().pivot_table("exposed", index="user", columns="item").to_numpy()
    log = w.exposure_log(300)
    want = (w.friends @ week) / np.asarray(w.friends.sum(axis=1))
    np.testing.assert_allclose(log["friends_shown"], np.asarray(want)[log["user"], log["item"]], rtol=1e-5)
    x = next(w.core.blocks())
    p0, p1 = x.p0.astype(float), x.p1.astype(float)
    s = w.truth.spillover(1.0)
    assert s["total"] == pytest.approx(float((p1 + 0.4 * (1 - p1) - p0).mean()), rel=1e-5)
    assert s["total"] == pytest.approx(s["direct"] + s["indirect"], rel=1e-6)
    assert w.truth.spillover(0.0)["direct"] == pytest.approx(float((p1 - p0).mean()), rel=1e-5)
    assert w.truth.policy_value("random", "lift") == pytest.approx(w.truth.ate(), rel=1e-6)
    assert w.truth.ate() < w.truth.spillover(0.0)["direct"] - 0.003
