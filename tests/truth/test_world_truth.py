"""The world says what it promises: naive answers are wrong, the right adjustment is right, the marginals are real."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import binom, norm
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from causalrec_lib import data
from causalrec_lib.data.world import Parameters, make_world
from causalrec_lib.data.world import _dynamics as dynamics
from causalrec_lib.data.world import _mechanisms as m

N = 20_000


@pytest.fixture(scope="module")
def world():
    return make_world()


def fit_logit(X, t):
    b = np.zeros(X.shape[1])
    for _ in range(12):
        e = expit(X @ b)
        b += np.linalg.solve((X * (e * (1 - e))[:, None]).T @ X, X.T @ (t - e))
    return expit(X @ b)


def design(log, columns):
    x = log[list(columns)].to_numpy(dtype=float)
    return np.column_stack([np.ones(len(log)), (x - x.mean(axis=0)) / x.std(axis=0)])


def weighted(log, X, estimand="ate"):
    """Return the Hajek estimate with a fitted logistic propensity, its standard error, and the two relative ESS."""
    y, t = log["consumed"].to_numpy(dtype=float), log["exposed"].to_numpy(dtype=float)
    e = fit_logit(X, t)
    w1, w0 = {
        "ate": (t / e, (1 - t) / (1 - e)),
        "att": (t, (1 - t) * e / (1 - e)),
        "ato": (t * (1 - e), (1 - t) * e),
    }[estimand]
    m1, m0 = np.average(y, weights=w1), np.average(y, weights=w0)
    psi = w1 * (y - m1) / w1.mean() - w0 * (y - m0) / w0.mean()
    score = X * (t - e)[:, None]
    psi = psi - score @ np.linalg.lstsq(score, psi, rcond=None)[0]
    ess = [w.sum() ** 2 / (w**2).sum() / (w > 0).sum() for w in (w1, w0)]
    return m1 - m0, psi.std() / np.sqrt(len(y)), ess


def naive(log, t="exposed", y="consumed"):
    g = log.groupby(t)[y].agg(["mean", "var", "size"])
    return g.loc[1, "mean"] - g.loc[0, "mean"], np.sqrt((g["var"] / g["size"]).sum())


def replications(world, estimand, runs):
    columns = world.truth.adjustment_set("exposure")
    logs = (world.exposure_log(N, seed=s) for s in range(runs))
    out = np.array([weighted(log, design(log, columns), estimand)[:2] for log in logs])
    truth = getattr(world.truth, estimand)()
    covered = np.abs(out[:, 0] - truth) < 1.96 * out[:, 1]
    return out[:, 0].mean() - truth, out[:, 0].std() / np.sqrt(runs), int(covered.sum())


@pytest.mark.parametrize("seed", range(4))
def test_the_naive_difference_is_more_than_five_standard_errors_off(world, seed):
    value, se = naive(world.exposure_log(N, seed=seed))
    assert abs(value - world.truth.ate()) > 5 * se
    assert value == pytest.approx(world.truth.consumption()["difference"], abs=4 * se)


@pytest.mark.parametrize("estimand", ["ate", "att", "ato"])
def test_the_documented_adjustment_set_covers_the_truth(world, estimand):
    runs = 40
    bias, mc_se, covered = replications(world, estimand, runs)
    assert abs(bias) < 4 * mc_se
    assert 4 * mc_se < abs(world.truth.consumption()["difference"] - world.truth.ate()) / 4
    assert covered >= binom.ppf(0.001, runs, 0.95)


@pytest.mark.nightly
@pytest.mark.parametrize("estimand", ["ate", "att", "ato"])
def test_coverage_over_two_hundred_weeks(world, estimand):
    bias, mc_se, covered = replications(world, estimand, 200)
    assert abs(bias) < 3 * mc_se
    assert 0.92 <= covered / 200 <= 0.98


def test_overlap_is_a_switch(world):
    X = world.truth.adjustment_set("exposure")
    good, poor = world.exposure_log(N), make_world(overlap="poor").exposure_log(N)
    assert min(weighted(good, design(good, X))[2]) > 0.3
    assert min(weighted(poor, design(poor, X))[2]) < 0.2
    e = make_world(overlap="none").truth.propensity
    assert (e == 0).mean() > 0.1
    assert (e == 1).mean() > 0.02


def test_effects_differ_by_estimand_and_a_known_share_is_harmed(world):
    t = world.truth
    assert t.att() < t.ato() - 0.005 < t.ate() - 0.005
    assert 0.05 < (t.tau < 0).mean() < 0.15
    by_popularity = t.cate("log_popularity")
    assert by_popularity.iloc[1:].is_monotonic_decreasing
    assert by_popularity.iloc[0] > 4 * abs(by_popularity.iloc[-1])


def test_the_truth_is_what_the_potential_outcomes_average_to(world):
    y0, y1 = (y.astype(float) for y in world.truth.potential_outcomes())
    d = y1 - y0
    assert d.mean() == pytest.approx(world.truth.ate(), abs=4 * d.std() / np.sqrt(d.size))
    e = world.truth.propensity.astype(float)
    tau = world.truth.tau.astype(float)
    assert world.truth.ate() == pytest.approx(tau.mean(), rel=1e-6)
    assert world.truth.att() == pytest.approx((e * tau).sum() / e.sum(), rel=1e-6)
    assert world.truth.ato() == pytest.approx((e * (1 - e) * tau).sum() / (e * (1 - e)).sum(), rel=1e-6)
    groups = world.truth.cate(["segment", "department"])
    size = pd.Series(1, world.users["segment"]).groupby(level=0, observed=True).sum()
    items = world.items["department"].value_counts()
    weight = [size[s] * items[d] for s, d in groups.index]
    assert np.average(groups, weights=weight) == pytest.approx(world.truth.ate(), rel=1e-6)


def test_without_confounding_the_naive_answer_is_right():
    w = make_world(confounding="none")
    z = [(v - w.truth.ate()) / se for v, se in (naive(w.exposure_log(N, seed=s)) for s in range(20))]
    assert abs(np.mean(z)) < 4 / np.sqrt(20)
    assert w.truth.att() == pytest.approx(w.truth.ate(), rel=1e-6)


def test_hidden_confounding_defeats_adjustment_and_the_text_recovers_a_part():
    w = make_world(confounding="hidden")
    assert w.truth.adjustment_set("exposure") is None
    log = w.exposure_log(60_000)
    X = design(log, ("log_popularity", "score", "log_activity"))
    value, se, _ = weighted(log, X)
    assert value - w.truth.ate() > 5 * se
    text = w.reviews.groupby("item")["text"].agg(" ".join)
    tfidf = TfidfVectorizer(min_df=5, stop_words="english", sublinear_tf=True).fit_transform(text)
    z = TruncatedSVD(40, random_state=0).fit_transform(tfidf)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    with_text, se_text, _ = weighted(log, np.column_stack([X, z[log["item"]]]))
    assert value - with_text > 2 * se
    assert with_text - w.truth.ate() > 5 * se_text


def test_the_effect_of_the_coins_compliers_is_enumerated_and_is_not_the_ate():
    w = make_world(500, 400, text="templates", confounding="hidden")
    x = next(w.core.blocks())
    e1, e0 = (m.exposure_given_marketing(x.p, x.e, np.float32(z)).astype(float) for z in (1, 0))
    tau = x.p1.astype(float) - x.p0
    wald = ((e1 - e0) * tau).mean() / (e1 - e0).mean()  # the reduced form over the first stage, pair by pair
    assert w.truth.late() == pytest.approx(wald, rel=1e-4)
    assert abs(w.truth.late() - w.truth.ate()) > 0.002


def test_the_marketing_coin_is_an_instrument_under_hidden_confounding():
    w = make_world(confounding="hidden", parameters=Parameters(kappa=2.0))
    log = w.exposure_log()
    itt, se = naive(log, "marketing")
    first, _ = naive(log, "marketing", "exposed")
    assert itt / first == pytest.approx(w.truth.late(), abs=4 * se / first)
    assert 4 * se / first < abs(w.truth.late() - w.truth.ate())
    small = w.exposure_log(100_000)
    value, _, _ = weighted(small, design(small, ("log_popularity", "score", "log_activity")))
    itt, se = naive(small, "marketing")
    assert se / first < w.truth.late() / 10
    assert abs(value - w.truth.ate()) > 4 * se / first  # usable: it tells the instrument from adjustment


def test_a_recommender_by_consumption_is_worse_than_one_by_effect(world):
    t = world.truth
    assert t.policy_value("best") > t.policy_value("consumption") > t.policy_value("random")
    assert t.policy_value("uplift", "lift") > t.policy_value("best", "lift") > t.policy_value("random", "lift")
    assert t.policy_value("popular", "lift") < t.policy_value("random", "lift") / 2
    assert t.policy_value("consumption", "lift") < t.policy_value("uplift", "lift") / 4


def test_bandit_rewards_are_the_value_of_the_policy_on_and_off(world):
    log = world.bandit_log(40_000)
    se = log["reward"].std() / np.sqrt(len(log))
    assert log["reward"].mean() == pytest.approx(world.truth.logging_value(), abs=4 * se)
    target = world.policy("score", temperature=1.0)
    w = target.probabilities()[log["user"], log["item"]] / log["propensity"]
    ips = w * log["reward"]
    value = world.truth.policy_value(target)
    assert ips.mean() == pytest.approx(value, abs=4 * ips.std() / np.sqrt(len(log)))
    assert w.mean() == pytest.approx(1, abs=4 * w.std() / np.sqrt(len(log)))
    assert abs(value - world.truth.logging_value()) > 4 * ips.std() / np.sqrt(len(log))


def test_simpsons_paradox_by_position(world):
    log = world.slate_log(20_000)
    ordered, shuffled = log[log["randomised"] == 0], log[log["randomised"] == 1]
    overall = ordered.groupby("sponsored")["clicked"].mean()
    by_slot = ordered.pivot_table(index="position", columns="sponsored", values="clicked")
    assert overall[1] > overall[0]
    assert (by_slot[1] < by_slot[0]).all()
    fair = shuffled.groupby("sponsored")["clicked"].mean()
    assert fair[1] < fair[0]


def test_shuffled_sessions_reveal_the_effect_of_position(world):
    log = world.slate_log(30_000, randomised_share=1.0)
    click = log.groupby("position")["clicked"].mean()
    se = np.sqrt(click[1] * (1 - click[1]) / 30_000)
    for k in (2, 5):
        want = world.truth.position_effect(k, log)
        assert click[k] - click[1] == pytest.approx(want, abs=5 * se)
        assert world.truth.position_effect(k, relative=True) == pytest.approx(1 / k)
    ordered = world.slate_log(30_000, randomised_share=0.0)
    raw = ordered.groupby("position")["clicked"].mean()
    assert raw[5] / raw[1] < 1 / 5 - 0.005


def test_a_slate_policy_is_worth_its_clicks_on_and_off(world):
    sizes = (50_000, 2)
    log = world.slate_log(*sizes, randomised_share=0.0, with_slate_propensity=True)
    session = log.groupby("session").agg(clicks=("clicked", "sum"), e=("slate_propensity", "first"))
    want = world.truth.slate_policy_value("logging", *sizes)
    se = session["clicks"].std() / np.sqrt(len(session))
    assert session["clicks"].mean() == pytest.approx(want, abs=4 * se)
    flat = world.slate_candidates(*sizes).assign(w=lambda c: np.exp(c["logging_logit"] / 2))  # another temperature
    chosen = log[["session", "item", "position"]].merge(flat, on=["session", "item"])
    first, second = (chosen[chosen["position"] == k].set_index("session")["w"].sort_index() for k in (1, 2))
    total = flat.groupby("session")["w"].sum()
    ips = session["clicks"] * (first / total) * (second / (total - first)) / session["e"]
    other = world.truth.slate_policy_value("logging", *sizes, temperature=2.0)
    assert ips.mean() == pytest.approx(other, abs=4 * ips.std() / np.sqrt(len(ips)))
    assert want - other > 5 * max(se, ips.std() / np.sqrt(len(ips)))


def test_a_slate_is_worth_its_clicks(world):
    slates = np.tile(np.arange(5), (world.shape[0], 1))
    p1 = np.concatenate([x.p1[:, :5] for x in world.core.blocks()])
    assert world.truth.slate_value(slates) == pytest.approx(
        float((p1 / np.arange(1, 6)).sum(axis=1).mean()), rel=1e-6
    )


def test_ratings_are_missing_not_at_random_and_weighting_mends_it(world):
    log = world.ratings_log(with_propensity=True)
    w = 1 / log["propensity"]
    snips = np.average(log["stars"], weights=w)
    se = np.sqrt(np.sum((w * (log["stars"] - snips)) ** 2)) / w.sum()
    truth = world.truth.mean_stars()
    assert log["stars"].mean() - truth > 0.25
    assert snips == pytest.approx(truth, abs=4 * se)
    assert 4 * se < 0.25
    survey = world.survey(10)["stars"]
    assert survey.mean() == pytest.approx(truth, abs=4 * survey.std() / np.sqrt(len(survey)))
    assert w.sum() == pytest.approx(np.prod(world.shape), rel=0.02)


def test_marginals_are_those_of_real_logs(world):
    seen = world.marginals()["world"]
    reviews = data.load("womens_reviews")["stars"]
    for k, share in (reviews.value_counts(normalize=True)).items():
        assert seen[f"share of {k} stars"] == pytest.approx(share, abs=0.015)
    assert seen["mean stars"] == pytest.approx(reviews.mean(), abs=0.05)
    coat = (0.054, 0.085, 0.091, 0.106, 0.153)
    got = [seen[f"rated, given {k} stars"] for k in range(1, 6)]
    assert got == sorted(got)
    np.testing.assert_allclose(got, coat, rtol=0.1)
    assert 0.13 < seen["top 1 % of items, share of past events"] < 0.17
    assert 0.11 < seen["top 1 % of items, share of raw events"] < 0.23
    assert 0.02 < seen["consumed, share of other pairs"] < 0.1
    assert seen["correlation of log popularity and mean stars"] > 0.1


def test_promises_sell(world):
    t = world.truth
    fair = world.text_treatment_log(60_000)
    log = world.text_treatment_log(60_000, "confounded", with_propensity=True)
    value, se = naive(log, "promise", "clicked")
    assert abs(value - t.attribute_effect("promise")) > 5 * se
    e, a = log["propensity"], log["promise"]
    w = np.where(a == 1, 1 / e, 1 / (1 - e))
    mean = [np.average(log["clicked"][a == k], weights=w[a == k]) for k in (0, 1)]
    assert mean[1] - mean[0] == pytest.approx(t.attribute_effect("promise"), abs=5 * se)
    assert (fair["blurb"].str.contains("promise|guaranteed") == (fair["promise"] == 1)).all()
    assert (fair["blurb"].str.contains(r"\d") == (fair["number"] == 1)).all()


def test_the_effect_of_an_attribute_counts_the_other_one(world):
    p = world.core.parameters
    x = world.core.pairs(np.arange(2000)[:, None], np.arange(1000)[None, :])
    shown = (x.base + x.tau).astype(float)
    for name, own, other in (("promise", p.g_promise, p.g_number), ("number", p.g_number, p.g_promise)):
        alone = (expit(shown + own) - expit(shown)).mean()
        beside = (expit(shown + own + other + p.g_both) - expit(shown + other)).mean()
        assert world.truth.attribute_effect(name) == pytest.approx((alone + beside) / 2, rel=1e-4)
        assert abs(alone - beside) > 0.005
    log = world.text_treatment_log(60_000)
    y = world.core.pairs(log["user"].to_numpy(), log["item"].to_numpy())
    a, b = log["promise"].to_numpy(), log["number"].to_numpy()
    z = {}
    for both in (p.g_both, 0.0):
        chance = expit((y.base + y.tau).astype(float) + p.g_promise * a + p.g_number * b + both * a * b)
        z[both] = ((log["clicked"] - chance) * a * b).sum() / np.sqrt((chance * (1 - chance) * a * b).sum())
    assert abs(z[p.g_both]) < 4 < abs(z[0.0])


def test_reactions_and_the_path_through_expectation(world):
    t = world.truth
    log = world.reactions(60_000, text=False)
    value, se = naive(log, "promise", "satisfaction")
    assert value == pytest.approx(t.mediation()["total"], abs=4 * se)
    X = np.column_stack([np.ones(len(log)), log[["promise", "expectation", "score"]]])
    beta = np.linalg.lstsq(X, log["satisfaction"], rcond=None)[0]
    assert beta[1] == pytest.approx(t.mediation()["direct"], abs=4 * se)
    assert 4 * se < abs(t.mediation()["direct"] - t.mediation()["total"]) / 4
    crude = np.linalg.lstsq(X[:, :3], log["satisfaction"], rcond=None)[0]
    assert abs(crude[1] - t.mediation()["direct"]) > 5 * se
    for outcome, want in (("sentiment", t.reaction_effect()["sentiment"]), ("stars", t.mediation("stars")["total"])):
        value, se = naive(log, "promise", outcome)
        assert value == pytest.approx(want, abs=4 * se)
        assert abs(want) > 8 * se
    texts = world.reactions(400)
    stars = data.load("womens_reviews").drop_duplicates("text").set_index("text")["stars"]
    assert (np.sign(stars[texts["reaction"]].to_numpy() - 3) == texts["sentiment"]).all()
    assert (np.sign(texts["stars"] - 3) == texts["sentiment"]).all()


def test_natural_controlled_and_total_effects_differ_and_are_integrals():
    p = Parameters(s_both=-0.3)
    w = make_world(300, 200, text="templates", parameters=p)
    x = next(w.core.blocks())
    S, A = x.S.astype(float), x.A.astype(float)
    z, weight = np.polynomial.hermite_e.hermegauss(20)
    weight = weight / weight.sum()

    def mean(outcome, promise, told=None, held=None):
        total = 0.0
        for zk, wk in zip(z, weight, strict=True):  # over the noise of the expectation
            M = held if told is None else p.m_a * S + p.m_promise * told + p.m_sd * zk
            V = p.s_0 + p.s_a * A + (p.s_expect + p.s_both * promise) * M + p.s_promise * promise
            reach = 1 + sum(norm.cdf((V - g) / p.s_sd) for g in p.grades)
            total += wk * np.mean(V if outcome == "satisfaction" else reach)
        return total

    for outcome in ("satisfaction", "stars"):
        want = {
            "total": mean(outcome, 1, 1) - mean(outcome, 0, 0),
            "direct": mean(outcome, 1, 0) - mean(outcome, 0, 0),
            "indirect": mean(outcome, 1, 1) - mean(outcome, 1, 0),
            "pure indirect": mean(outcome, 0, 1) - mean(outcome, 0, 0),
            "controlled direct": mean(outcome, 1, held=1.0) - mean(outcome, 0, held=1.0),
        }
        got = w.truth.mediation(outcome, expectation=1.0)
        assert got == pytest.approx(want, abs=1e-5)
        values = sorted(got[k] for k in ("direct", "controlled direct"))
        assert values[1] - values[0] > 0.05
        assert abs(got["indirect"] - got["pure indirect"]) > 0.05


def trial_effects(world, a, b, unit, runs, outcomes=("consumed",), **how):
    logs = (world.ab_test(a, b, unit, n=N, seed=s, **how) for s in range(runs))
    got = [log.groupby("assigned")[list(outcomes)].mean() for log in logs]
    d = pd.DataFrame([g.loc[1] - g.loc[0] for g in got])
    return {y: (d[y].mean(), d[y].std(ddof=1) / np.sqrt(runs)) for y in outcomes}


def test_trials_find_the_effect_without_interference(world):
    a, b = world.policy("popular", 0.3), world.policy("uplift", 0.3)
    lift = [world.truth.policy_value(p, "lift") for p in (a, b)]
    assert world.truth.ab_effect(a, b) == pytest.approx(lift[1] - lift[0], rel=1e-5)
    for unit in ("user", "cluster", "switchback"):
        for y, (value, se) in trial_effects(world, a, b, unit, 6, ("consumed", "clicked")).items():
            assert value == pytest.approx(world.truth.ab_effect(a, b, y), abs=5 * se), (unit, y)


def test_interference_biases_users_more_than_clusters_and_switchbacks_least():
    w = make_world(interference=0.5)
    a, b = w.policy("popular", 0.0), w.policy("uplift", 0.0)
    truth = w.truth.ab_effect(a, b)
    error = {u: trial_effects(w, a, b, u, 6)["consumed"] for u in ("user", "cluster", "switchback")}
    off = {u: abs(v - truth) for u, (v, _) in error.items()}
    assert off["user"] > 5 * error["user"][1]
    assert off["cluster"] < off["user"] / 2
    assert off["switchback"] < 5 * error["switchback"][1]
    y0, y1 = (y.astype(float) for y in w.truth.potential_outcomes())
    assert (y1 - y0).mean() == pytest.approx(w.truth.ate(), abs=0.001)


@pytest.mark.parametrize("sides", ["two", "one"])
def test_a_trial_with_non_compliers_finds_the_compliers_effect(world, sides):
    arms, how = ("popular", "uplift"), {"compliance": 0.6, "sides": sides, "arrivals": "activity"}
    logs = [world.ab_test(*arms, n=N, seed=s, **how) for s in range(8)]
    means = [log.groupby("assigned")[["consumed", "received"]].mean().diff().iloc[1] for log in logs]
    itt = np.array([d["consumed"] for d in means])
    wald = np.array([d["consumed"] / d["received"] for d in means])
    se = [x.std(ddof=1) / np.sqrt(8) for x in (itt, wald)]
    want = {k: world.truth.ab_effect(*arms, estimand=k, **how) for k in ("itt", "late")}
    assert itt.mean() == pytest.approx(want["itt"], abs=5 * se[0])
    assert wald.mean() == pytest.approx(want["late"], abs=5 * se[1])
    assert abs(want["late"] - want["itt"]) > 5 * (se[0] + se[1])
    received = pd.concat(logs).groupby("assigned")["received"].mean()
    assert (received[0] == 0) == (sides == "one")
    kind = world.truth.compliance_types(0.7, sides).value_counts(normalize=True)
    assert kind["complier"] == pytest.approx(0.7, abs=0.04)
    assert ("always-taker" in kind) == (sides == "two")


def test_the_pre_period_explains_sums_a_user(world):
    log = world.ab_test("popular", "uplift", n=N, arrivals="activity")
    names = ["pre_sessions", "pre_clicks", "pre_found"]
    users = log.groupby("user").agg(y=("consumed", "sum"), **{c: (c, "first") for c in names})
    users = users.reindex(range(world.shape[0])).dropna()
    X = np.column_stack([np.ones(len(users)), users[names]])
    left = users["y"] - X @ np.linalg.lstsq(X, users["y"], rcond=None)[0]
    assert 0.3 < 1 - left.var() / users["y"].var() < 0.8


def test_a_trend_scales_the_effect_and_drives_a_switchback(world):
    arms = ("popular", "uplift")
    full, want = world.truth.ab_effect(*arms), world.truth.ab_effect(*arms, trend=0.8)
    value, se = trial_effects(world, *arms, "user", 8, trend=0.8)["consumed"]
    assert value == pytest.approx(want, abs=5 * se)
    assert abs(full - want) > 10 * se
    log = world.ab_test(*arms, "switchback", n=N, trend=0.8)
    late = log.groupby(log["period"] >= 14)["consumed"].mean()
    assert late[True] > 1.3 * late[False]


def test_the_feedback_loop_collapses_above_an_exponent_of_one(world):
    end = {x: world.feedback_loop(20, "clicks", sharpness=x, seed=1).iloc[-1] for x in (0.5, 1.0, 1.2, 1.5)}
    items = [r["effective_items"] for r in end.values()]
    assert items[0] > 800 > 600 > items[1] > 300 > 100 > items[2] > 10 > items[3]
    assert end[1.0]["lift"] > end[0.5]["lift"] + 0.003
    assert end[1.0]["lift"] > end[1.2]["lift"] + 0.02 > end[1.5]["lift"] + 0.04
    assert end[1.5]["reward"] > end[1.0]["reward"] + 0.05
    other = world.feedback_loop(20, "weighted", sharpness=1.5, seed=1).iloc[-1]
    assert other["effective_items"] > 800  # dividing by displays, with the same exponent and no exploration
    assert other["lift"] > end[1.5]["lift"] + 0.1
    random = world.feedback_loop(5, "random", seed=1).iloc[-1]
    assert random["lift"] == pytest.approx(world.truth.ate(), abs=1e-6)


def test_the_log_of_a_loop_weighs_back_to_the_truth(world):
    report, log = world.feedback_loop(4, "clicks", sharpness=1.0, explore=0.1, seed=2, with_log=True)
    value = (log["clicked"] / log["propensity"] / world.shape[1]).groupby(log["round"]).agg(["mean", "sem"])
    want = world.truth.policy_value("random")
    assert (np.abs(value["mean"] - want) < 4.5 * value["sem"]).all()
    assert report["reward"].iloc[-1] - want > 10 * value["sem"].iloc[-1]


def test_weeks_follow_the_drift():
    w = make_world(400, 300, text="templates", drift=0.12)
    core, p = w.core, w.core.parameters
    unseen, later = core.hidden_taste
    phi, quality = core.hidden_right[:, :-1], core.hidden_right[:, -1]
    now, other = (t @ phi.T for t in (unseen, later))  # what the tastes say about every item
    apart = other - now * (other * now).mean() / (now**2).mean()
    apart *= np.sqrt((now**2).mean() / (apart**2).mean())
    truth = w.truth.weekly_ate(6)
    for week in (0, 3, 5):
        taste = np.cos(0.12 * week) * now + np.sin(0.12 * week) * apart
        H = taste + quality
        H = (H - H.mean()) / H.std()
        x = next(core.blocks(week))
        np.testing.assert_allclose(x.H, H, atol=2e-5)
        assert np.corrcoef(now.ravel(), taste.ravel())[0, 1] == pytest.approx(np.cos(0.12 * week), abs=1e-3)
        A = p.w_s * x.S + p.w_h * H
        K = expit(p.k0 + p.k1 * x.P + p.k2 * x.S)
        base = p.b0 + p.b1 * A + p.b2 * x.P + p.b3 * x.L - p.b4 * core.C[None, :]
        effect = expit(base + p.t1 * (1 - K) * expit(p.t2 * A) - p.t3 * core.v[:, None]) - expit(base)
        out = dynamics.launch_weeks(core, 6) <= week
        assert truth[week] == pytest.approx(effect[:, out].mean(), abs=2e-6)
    assert min(abs(truth[5] - truth[k]) for k in range(5)) > 2e-5
    log = w.weeks(6, 20_000, with_propensity=True)
    x = w.core.pairs(log["user"].to_numpy(), log["item"].to_numpy())
    last = (log["week"] == 5).to_numpy()
    z = {}
    for week in (0, 5):
        y = core.pairs(log["user"].to_numpy()[last], log["item"].to_numpy()[last], week)
        chance = np.where(log["exposed"][last] == 1, y.p1, y.p0).astype(float)
        turned = core.pairs(y.users, y.items, 5).H - x.H[last]
        z[week] = ((log["consumed"][last] - chance) * turned).sum() / np.sqrt(
            (chance * (1 - chance) * turned**2).sum()
        )
    assert abs(z[5]) < 4 < abs(z[0])


def test_time_and_memory_at_the_size_of_the_course(world):
    # VmHWM is the peak of this program alone; ru_maxrss starts at the size of the process that started it
    code = (
        "import re, resource, time\n"
        "from pathlib import Path\n"
        "from causalrec_lib.data.world import make_world\n"
        "t = time.process_time(); w = make_world(2000, 1000); y = w.truth.potential_outcomes()\n"
        "seconds, status = time.process_time() - t, Path('/proc/self/status')\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+) kB', status.read_text())[1]) if status.exists() else (\n"
        "    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "print(seconds, peak / 2**20, len(y[0]))"
    )
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    seconds, gigabytes, rows = map(float, out.split())
    assert rows == 2000
    assert seconds <= 5
    assert gigabytes <= 1.5


@pytest.mark.nightly
def test_the_largest_world_fits():
    w = make_world(20_000, 5_000, text="templates")
    log = w.exposure_log(N)
    value, se, _ = weighted(log, design(log, w.truth.adjustment_set("exposure")))
    assert value == pytest.approx(w.truth.ate(), abs=4 * se)


def test_the_effect_given_what_is_observed_is_the_average_over_hidden_causes(world):
    core, p = world.core, world.core.parameters
    log = world.exposure_log(12, seed=3)
    got = world.truth.cate_given_observed(log)
    rng = np.random.default_rng(0)
    phi, quality = core.hidden_right[:, :-1], core.hidden_right[:, -1]
    scale = 1 / core.hidden_factors[0][0, -1]
    mean = float((core.hidden_taste[0].mean(axis=0) @ phi.mean(axis=0)) + quality.mean())
    users, _ = world.truth.hidden()
    plug_in = []
    for (u, i, score), want in zip(log[["user", "item", "score"]].to_numpy(), got, strict=True):
        u, i = int(u), int(i)
        taste = rng.standard_normal((200_000, phi.shape[1])) / np.sqrt(phi.shape[1])
        H = (taste @ phi[i] + quality[i] - mean) / scale
        old, classic = users["age"][u] >= 55, users["segment"][u] == "classic"
        v = rng.uniform(size=len(H)) < expit(-3.2 + 2.4 * old + 1.0 * classic)
        A, P, L, C = p.w_s * score + p.w_h * H, core.P[i], core.L[u], core.C[i]
        K = expit(p.k0 + p.k1 * P + p.k2 * score)
        base = p.b0 + p.b1 * A + p.b2 * P + p.b3 * L - p.b4 * C
        tau = expit(base + p.t1 * (1 - K) * expit(p.t2 * A) - p.t3 * v) - expit(base)
        assert want == pytest.approx(tau.mean(), abs=5 * tau.std() / np.sqrt(len(tau)))
        plug_in.append(abs(tau[np.abs(H - H.mean()) < 0.05].mean() - want))
    assert max(plug_in) > 0.01  # the effect at the average taste is another number


def test_no_learner_beats_the_effect_given_what_is_observed(world):
    log = world.exposure_log(100_000, seed=3)
    tau, best = world.truth.pairs(log)["tau"], world.truth.cate_given_observed(log)
    slope, intercept = np.polyfit(best, tau, 1)
    assert slope == pytest.approx(1, abs=0.02)
    assert intercept == pytest.approx(0, abs=0.002)
    assert np.sqrt(np.mean((tau - best) ** 2)) == pytest.approx(0.075, abs=0.005)
    X = np.column_stack([np.ones(len(log)), log[["score", "log_popularity", "log_activity", "age", "price"]]])
    left = tau - best
    fitted = X @ np.linalg.lstsq(X, left, rcond=None)[0]
    assert fitted.var() / left.var() < 0.005


@pytest.mark.parametrize("confounding", ["text", "hidden"])
def test_the_observed_propensity_averages_hidden_causes_out(confounding):
    w = make_world(400, 3000, text="templates", confounding=confounding)
    log = w.exposure_log(300_000)
    known = w.truth.pairs(log)
    groups = [pd.qcut(log[c].rank(method="first"), 4, labels=False) for c in ("log_popularity", "score")]
    known["at zero"] = expit(logit(known["propensity"]) - known["hidden"])  # hidden causes set to their mean
    mean = known[["propensity", "propensity_observed", "at zero"]].groupby(groups).mean()
    assert np.abs(mean["propensity"] - mean["propensity_observed"]).max() < 0.015  # qualities of 750 items a group
    assert np.abs(mean["propensity"] - mean["at zero"]).max() > 0.045
    odds = known[["propensity", "propensity_observed"]] / (1 - known[["propensity", "propensity_observed"]])
    gamma = np.log(odds["propensity"] / odds["propensity_observed"])
    assert np.corrcoef(gamma, known["hidden"])[0, 1] > 0.97
    assert gamma.std() == pytest.approx(known["hidden"].std(), rel=0.15)
    plain = make_world(300, 200, text="templates")
    same = plain.truth.pairs(plain.exposure_log(500))
    assert (same["propensity"] == same["propensity_observed"]).all()
    assert (same["hidden"] == 0).all()


def test_text_is_a_confounder_whose_tone_is_enough():
    w = make_world(confounding="text")
    log = w.exposure_log(200_000)
    assert w.truth.adjustment_set("exposure") == ("log_popularity", "score", "log_activity", "text")
    X = design(log, ("log_popularity", "score", "log_activity"))
    value, se, _ = weighted(log, X)
    assert value - w.truth.ate() > 5 * se
    tone = w.truth.hidden()[1]["tone"].to_numpy()[log["item"]]
    value, se, _ = weighted(log, np.column_stack([X, tone]))
    assert value == pytest.approx(w.truth.ate(), abs=4 * se)


def test_few_clicks_are_a_few_in_a_hundred():
    w = make_world(parameters=Parameters.few_clicks())
    assert 0.01 < w.slate_log(5_000)["clicked"].mean() < 0.06
    assert 0.02 < w.bandit_log(5_000)["reward"].mean() < 0.12


def test_friends_bring_ratios_of_direct_and_total_effects():
    w = make_world(500, 300, text="templates", interference=0.4)
    assert w.truth.policy_value("random", "lift") == pytest.approx(w.truth.ate(), rel=1e-5)
    log = w.exposure_log()
    known = w.truth.pairs(log)
    w0 = make_world(500, 300, text="templates").truth.pairs(log)  # the same shop without friends
    for shown, p in ((0, w0["p0"]), (1, w0["p1"])):
        rows = log["exposed"] == shown
        F = log["friends_shown"][rows]
        chance = p[rows] + 0.4 * F * (1 - p[rows])
        z = ((log["consumed"][rows] - chance) * (F - F.mean())).sum()
        assert abs(z) < 4 * np.sqrt((chance * (1 - chance) * (F - F.mean()) ** 2).sum())
    assert known["tau"].mean() < w0["tau"].mean() - 0.004
