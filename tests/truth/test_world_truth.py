"""The world says what it promises: naive answers are wrong, the right adjustment is right, the marginals are real."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from causalrec_lib import data
from causalrec_lib.data.world import make_world

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
    assert t.late() == t.ato()
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


def test_the_marketing_coin_is_an_instrument_under_hidden_confounding():
    w = make_world(confounding="hidden")
    log = w.exposure_log(400_000)
    itt, se = naive(log, "marketing")
    first, _ = naive(log, "marketing", "exposed")
    assert first > 0.1
    assert itt / first == pytest.approx(w.truth.late(), abs=4 * se / first)
    value, _, _ = weighted(log, design(log, ("log_popularity", "score", "log_activity")))
    assert abs(value - w.truth.ate()) > 4 * se / first


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
    m = world.marginals()["world"]
    reviews = data.load("womens_reviews")["stars"]
    for k, share in (reviews.value_counts(normalize=True)).items():
        assert m[f"share of {k} stars"] == pytest.approx(share, abs=0.015)
    assert m["mean stars"] == pytest.approx(reviews.mean(), abs=0.05)
    coat = (0.054, 0.085, 0.091, 0.106, 0.153)
    got = [m[f"rated, given {k} stars"] for k in range(1, 6)]
    assert got == sorted(got)
    np.testing.assert_allclose(got, coat, rtol=0.1)
    assert 0.13 < m["top 1 % of items, share of past events"] < 0.17
    assert 0.11 < m["top 1 % of items, share of raw events"] < 0.23
    assert 0.02 < m["consumed, share of other pairs"] < 0.1
    assert m["correlation of log popularity and mean stars"] > 0.1


def test_promises_sell_and_disappoint(world):
    t = world.truth
    fair = world.text_treatment_log(60_000)
    for name in ("promise", "number"):
        value, se = naive(fair, name, "clicked")
        assert value == pytest.approx(t.attribute_effect(name), abs=4 * se)
    log = world.text_treatment_log(60_000, "confounded", with_propensity=True)
    value, se = naive(log, "promise", "clicked")
    assert abs(value - t.attribute_effect("promise")) > 5 * se
    e, a = log["propensity"], log["promise"]
    w = np.where(a == 1, 1 / e, 1 / (1 - e))
    mean = [np.average(log["clicked"][a == k], weights=w[a == k]) for k in (0, 1)]
    assert mean[1] - mean[0] == pytest.approx(t.attribute_effect("promise"), abs=5 * se)
    assert (fair["blurb"].str.contains("promise|guaranteed") == (fair["promise"] == 1)).all()
    assert (fair["blurb"].str.contains(r"\d") == (fair["number"] == 1)).all()


def test_reactions_and_the_path_through_expectation(world):
    t = world.truth
    log = world.reactions(60_000, text=False)
    value, se = naive(log, "promise", "satisfaction")
    assert value == pytest.approx(t.mediation()["total"], abs=4 * se)
    X = np.column_stack([np.ones(len(log)), log[["promise", "expectation", "score"]]])
    beta = np.linalg.lstsq(X, log["satisfaction"], rcond=None)[0]
    assert beta[1] == pytest.approx(t.mediation()["direct"], abs=5 * se)
    crude = np.linalg.lstsq(X[:, :3], log["satisfaction"], rcond=None)[0]
    assert abs(crude[1] - t.mediation()["direct"]) > 5 * se
    value, se = naive(log, "promise", "sentiment")
    assert value == pytest.approx(t.reaction_effect()["sentiment"], abs=4 * se)
    texts = world.reactions(400)
    stars = data.load("womens_reviews").drop_duplicates("text").set_index("text")["stars"]
    assert (np.sign(stars[texts["reaction"]].to_numpy() - 3) == texts["sentiment"]).all()


def trial_effect(world, a, b, unit, y, runs, **how):
    logs = (world.ab_test(a, b, unit, n=N, seed=s, **how) for s in range(runs))
    got = [log.groupby("assigned")[y].mean() for log in logs]
    d = np.array([g[1] - g[0] for g in got])
    return d.mean(), d.std(ddof=1) / np.sqrt(runs)


def test_trials_find_the_effect_without_interference(world):
    a, b = world.policy("popular", 0.3), world.policy("uplift", 0.3)
    lift = [world.truth.policy_value(p, "lift") for p in (a, b)]
    assert world.truth.ab_effect(a, b) == pytest.approx(lift[1] - lift[0], rel=1e-5)
    for unit in ("user", "cluster", "switchback"):
        for y in ("consumed", "clicked"):
            value, se = trial_effect(world, a, b, unit, y, 6)
            assert value == pytest.approx(world.truth.ab_effect(a, b, y), abs=5 * se), (unit, y)


def test_interference_biases_users_more_than_clusters_and_switchbacks_least():
    w = make_world(interference=0.5)
    a, b = w.policy("popular", 0.0), w.policy("uplift", 0.0)
    truth = w.truth.ab_effect(a, b)
    error = {u: trial_effect(w, a, b, u, "consumed", 6) for u in ("user", "cluster", "switchback")}
    off = {u: abs(v - truth) for u, (v, _) in error.items()}
    assert off["user"] > 5 * error["user"][1]
    assert off["cluster"] < off["user"] / 2
    assert off["switchback"] < 5 * error["switchback"][1]
    y0, y1 = (y.astype(float) for y in w.truth.potential_outcomes())
    assert (y1 - y0).mean() == pytest.approx(w.truth.ate(), abs=0.001)


def test_a_trial_with_non_compliers_finds_the_compliers_effect(world):
    a, b = world.policy("popular", 0.3), world.policy("uplift", 0.3)
    logs = [world.ab_test(a, b, n=N, compliance=0.7, seed=s) for s in range(8)]
    arms = [log.groupby("assigned")[["consumed", "received"]].mean().diff().iloc[1] for log in logs]
    ratio = np.array([d["consumed"] / d["received"] for d in arms])
    se = ratio.std(ddof=1) / np.sqrt(8)
    assert ratio.mean() == pytest.approx(world.truth.ab_effect(a, b, compliance=0.7), abs=5 * se)
    itt = np.mean([d["consumed"] for d in arms])
    assert itt == pytest.approx(ratio.mean() * np.mean([d["received"] for d in arms]), rel=0.02)
    assert itt < 0.85 * ratio.mean()
    kind = world.truth.compliance_types(0.7).value_counts(normalize=True)
    assert kind["complier"] == pytest.approx(0.7, abs=0.04)
    users = logs[0].groupby("user")[["consumed", "pre_clicks"]].mean()
    assert users.corr().iloc[0, 1] > 0.2


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_feedback_loop_concentrates_attention_and_loses_the_effect(world, seed):
    end = {how: world.feedback_loop(20, how, seed=seed).iloc[-1] for how in ("clicks", "weighted", "random")}
    assert end["clicks"]["gini"] > end["weighted"]["gini"] + 0.2 > end["random"]["gini"] + 0.2
    assert end["clicks"]["effective_items"] < end["weighted"]["effective_items"] / 4
    assert end["clicks"]["reward"] > end["weighted"]["reward"] + 0.05
    assert end["clicks"]["lift"] < end["weighted"]["lift"] - 0.02


def test_weeks_follow_the_drift():
    w = make_world(1000, 500, drift=0.12)
    log = w.weeks(6, 20_000, with_propensity=True)
    y, t, e = log["consumed"], log["exposed"], log["propensity"]
    ipw = (y * t / e - y * (1 - t) / (1 - e)).groupby(log["week"]).agg(["mean", "sem"])
    truth = w.truth.weekly_ate(6)
    assert (np.abs(ipw["mean"] - truth) < 4.5 * ipw["sem"]).all()
    first, last = (next(w.core.blocks(k)).H.ravel() for k in (0, 5))
    assert np.corrcoef(first, last)[0, 1] == pytest.approx(np.cos(0.6), abs=0.15)


def test_time_and_memory_at_the_size_of_the_course(world):
    code = (
        "import time, resource\n"
        "from causalrec_lib.data.world import make_world\n"
        "t = time.perf_counter(); w = make_world(2000, 1000); y = w.truth.potential_outcomes()\n"
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, len(y[0]))"
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
