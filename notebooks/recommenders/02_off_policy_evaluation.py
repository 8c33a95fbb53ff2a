# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 40
#     exercise_minutes: 40
#     data: [womens_reviews, open_bandit_small]
#     max_seconds: 60
# ---

# %% [markdown]
# # What would the other ranker have earned?
#
# Mara wants to sharpen the ranker: show the item with the best score more often. Before an A/B test she looks into
# the log. In the rounds in which the sharp ranker would have shown the same item, {glue:text}`naive_hundred:.0f` of a
# hundred displays ended in a purchase. The log's average is {glue:text}`logging_hundred:.0f`. She promises to double
# sales.
#
# Had she switched, {glue:text}`truth_hundred:.0f` of a hundred would have bought. The rounds in which two rankers
# agree are not *her* rounds: they are those in which today's ranker was sure of itself. And even the right number
# answers another question than she thinks, as we will see at the end.
#
# **You will be able to**
#
# - estimate the value of a policy from the log of another ({term}`off-policy evaluation`), six ways, by hand;
# - check the weights before you look at a reward, and refuse when there is nothing to see;
# - say what each estimator's error is made of, and choose one without knowing the truth;
# - put an interval around forty clicks;
# - evaluate rankings, not only single items.
#
# **Before you start:** {doc}`weighting </chapters/weighting/01_propensity_weighting>` and
# {doc}`doubly robust estimation </chapters/weighting/03_doubly_robust>`.
#
# **Time:** about 40 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop's bandit log; the small Open Bandit logs of a fashion shop; digits that come with
# scikit-learn.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binom
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from causalrec_lib import course, data, plots, simulation
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import EstimateRefused, effective_sample_size
from causalrec_lib.policy import at_actions, bernstein, off_policy_value, slate_value, thresholds, uncovered

run = course.start(PROFILE, SEED, chapter="recommenders/02_off_policy_evaluation")
shop = make_world()
truth = shop.truth  # no real log has this

# %% [markdown]
# ## The naive answer
#
# Each round of the log: a user $x$, an item $a$ drawn with a known chance $e(a \mid x)$, a purchase $y$ or none. A
# policy $\pi$ gives each item a chance. The sharp ranker is a softmax of the score, at a fifth of today's
# temperature.

# %%
POLICIES = {
    "soft": shop.policy("score", temperature=0.5, epsilon=0.1).probabilities(),
    "sharp": shop.policy("score", temperature=0.2, epsilon=0.1).probabilities(),
    "top item": shop.policy("score").probabilities(),
}
log = shop.bandit_log(n_rounds=10_000, seed=run.seed)
user, item = log["user"].to_numpy(), log["item"].to_numpy()
y, e = log["reward"].to_numpy(float), log["propensity"].to_numpy()
target = POLICIES["sharp"][user, item]
replay = target @ y / target.sum()  # rounds count as far as the sharp ranker agrees
value = {name: truth.policy_value(pi) for name, pi in POLICIES.items()}
pd.Series({"agreeing rounds": replay, "log": y.mean(), "truth": value["sharp"]}).round(3)

# %% tags=["hide-input"]
run.record("naive_hundred", 100 * replay, truth=100 * value["sharp"])
run.record("logging_hundred", 100 * y.mean(), truth=100 * truth.logging_value())
run.record("truth_hundred", 100 * value["sharp"], naive=100 * replay)
run.claim("the naive answer doubles sales", replay > 1.8 * y.mean(), naive=replay)
gains = value["sharp"] - truth.logging_value(), replay - y.mean()
run.claim("the truth is less than half of that gain", gains[0] < 0.5 * gains[1], gains=gains)

# %% [markdown]
# Agreement selects: a round counts if *today's* ranker happened to show what the sharp one likes, and it does so for
# users to whom it gives good items with confidence. Counting agreeing rounds is right where the log was uniform, and
# in general it is not {cite:p}`li2011unbiased`.
#
# ## Six estimators, by hand
#
# What must hold: the logged propensities are the chances that were at work; every item that $\pi$ shows could have
# been shown; a reward depends on its own round alone. Then with the {term}`importance weight` $w = \pi(a \mid x) /
# e(a \mid x)$
#
# $$V(\pi) = E[w\,Y] = E\Big[\textstyle\sum_a \pi(a \mid x)\, q(x, a)\Big], \qquad q(x, a) = E[Y \mid x, a].$$
#
# The first is weighting (IPS), the second a model of rewards (the *direct method*, DM). DR puts them together
# {cite:p}`dudik2011doubly`. Dividing by the weights' sum is SNIPS (and SNDR for DR's
# correction) {cite:p}`swaminathan2015normalized`; leaving out
# corrections with too large a weight is SWITCH {cite:p}`wang2017optimal`; shrinking them smoothly is DRos
# {cite:p}`su2020doubly`.


# %%
def reward_model(log, columns):
    """Predicted reward of every user and item: a logistic regression on some columns of the log."""
    full = {"score": shop.scores, "log_popularity": shop.items["log_popularity"].to_numpy()[None, :],
            "log_activity": shop.users["log_activity"].to_numpy()[:, None]}  # fmt: skip
    fitted = LogisticRegression(C=np.inf, tol=1e-6).fit(log[columns], log["reward"])
    slopes = zip(fitted.coef_[0], columns, strict=True)
    return expit(np.zeros(shop.shape) + fitted.intercept_[0] + sum(b * full[c] for b, c in slopes))


def by_hand(y, w, q, v, cut=30.0, shrink=1_000.0):
    """Values of six estimators: weights w, predictions q for the logged item and v for the target policy."""
    return {
        "DM": v.mean(),
        "IPS": (w * y).mean(),
        "SNIPS": (w * y).sum() / w.sum(),
        "DR": (v + w * (y - q)).mean(),
        "SWITCH-DR": (v + np.where(w <= cut, w, 0) * (y - q)).mean(),
        "DRos": (v + shrink * w / (w**2 + shrink) * (y - q)).mean(),
    }


CUTS = {"SWITCH-DR": 30.0, "DRos": 1_000.0}
Q = reward_model(log, ["log_popularity", "log_activity"])
q, v = Q[user, item], (POLICIES["sharp"] * Q).sum(axis=1)[user]
assert np.allclose(target, at_actions(POLICIES["sharp"][user], item))
hand = by_hand(y, target / e, q, v)
library = {
    name: off_policy_value(y, target, e, q, v, estimator=name, threshold=CUTS.get(name), refuse="flag")
    for name in hand
}
assert all(np.isclose(hand[name], library[name].value) for name in hand)
pd.DataFrame({n: (x.value, x.low, x.high) for n, x in library.items()}, index=["value", "low", "high"]).T.round(3)

# %% tags=["hide-input"]
for name, key in (("DM", "dm"), ("IPS", "ips"), ("DR", "dr")):
    run.record(key, library[name], truth=value["sharp"], naive=replay)
furthest = max(abs(x.value - value["sharp"]) for x in library.values())
run.claim("all are nearer to the truth than the agreeing rounds", furthest < 0.8 * abs(replay - value["sharp"]))

# %% [markdown]
# The truth is {glue:text}`dr.truth:.3f`. IPS says {glue:text}`ips:.3f` ({glue:text}`ips.low:.3f` to
# {glue:text}`ips.high:.3f`), DR {glue:text}`dr:.3f`. DM says {glue:text}`dm:.3f` with a very short interval, for it
# takes its model as given. This one knows how popular an item is and how active a
# user, and not the score.
#
# ## Look at the weights first
#
# Before any reward: under the logging policy a weight is one on average, $E[w] = 1$. And the
# {term}`effective sample size` says how many rounds of the target policy the log is worth.

# %%
card = {}
for name, pi in POLICIES.items():
    w = pi[user, item] / e
    card[name] = {"mean weight": w.mean(), "largest": w.max(), "effective rounds": w.sum() ** 2 / (w**2).sum()}
    assert np.isclose(card[name]["effective rounds"], effective_sample_size(w))
try:
    off_policy_value(y, POLICIES["top item"][user, item], e, estimator="IPS")
    refused = ""
except EstimateRefused as refusal:
    refused = f"{type(refusal).__name__}: {refusal}"
print("top item:", refused)
pd.DataFrame(card).T.round(2)

# %% tags=["hide-input"]
for name, key in (("soft", "soft"), ("sharp", "sharp"), ("top item", "top")):
    run.record(f"ess_{key}", card[name]["effective rounds"], naive=len(log))
run.record("largest_top", card["top item"]["largest"])
left = [card[name]["effective rounds"] for name in POLICIES]
run.claim("each sharper policy leaves fewer rounds", left[0] > left[1] > left[2], left=left)
run.claim("the top item is refused", refused != "")

# %% [markdown]
# Of ten thousand rounds the soft ranker has {glue:text}`ess_soft:.0f` effective ones, the sharp one
# {glue:text}`ess_sharp:.0f`, the one that always shows its favourite {glue:text}`ess_top:.0f`. For the last the
# library refuses. It has not looked at a single purchase to do so.
#
# ## Held against the truth
#
# Many weeks, two policies, seven estimators. And two reward models: a *short* one, without the score, and below one
# that has it.


# %%
NAMES = ("DM", "IPS", "SNIPS", "DR", "SNDR", "SWITCH-DR", "DRos")


def week(seed, models=(("short", ["log_popularity", "log_activity"]),), policies=("soft", "sharp")):
    """All estimators on one week's log."""
    log = shop.bandit_log(n_rounds=10_000, seed=seed)
    user, item = log["user"].to_numpy(), log["item"].to_numpy()
    found = {}
    for model, columns in models:
        Q = reward_model(log, columns)
        for name in policies:
            pi, v = POLICIES[name][user, item], np.einsum("ij,ij->i", POLICIES[name], Q)[user]
            for how in NAMES:
                found[f"{name}, {model}: {how}"] = off_policy_value(
                    log["reward"], pi, log["propensity"], Q[user, item], v, estimator=how, threshold=CUTS.get(how),
                    refuse="flag",
                )  # fmt: skip
    return found


n_weeks = run.size(ci=200, full=1_000)
both = {f"{p}, {m}: {how}": value[p] for p in value for m in ("short", "all columns") for how in NAMES}
weeks = simulation.repeat(week, run.progress(run.seeds(n_weeks, "weeks"), "weeks"), both)
held = simulation.summary(weeks, answers_only=False)
held[["coverage", "coverage_mc_se", "bias", "bias_mc_se", "rmse", "rmse_mc_se", "sd", "mean_se"]].round(4)

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.6), sharey=True)
for ax, policy in zip(axes, ("soft", "sharp"), strict=True):
    for row, how in enumerate(NAMES):
        values = weeks.loc[weeks["name"] == f"{policy}, short: {how}", "value"]
        color = plots.COLORS["naive" if how == "DM" else "estimate"]
        ax.plot(values.quantile([0.025, 0.975]), [row, row], color=color, linewidth=3)
        ax.plot(values.mean(), row, "o", color=color, markersize=8)
    plots.truth_line(ax, value[policy])
    ax.set(title=f"the {policy} ranker", xlabel="purchases a display")
axes[0].set(yticks=range(len(NAMES)), yticklabels=NAMES)
axes[0].invert_yaxis()
plots.show(
    fig,
    alt="Two panels, seven estimators each, with the truth as a dashed line. On the left all ranges but that of the "
    "model alone hold the truth and are short. On the right the weighted estimators' ranges are long and lie around "
    "the truth; the model's is short and beside it; SWITCH and DRos lie in between.",
    caption="The picture to keep. Near the log all that weigh do well. Far from it, weights buy an unbiased "
    "answer with noise, the model (grey) a quiet one with bias, and the shrunk estimators trade one for the other.",
)
run.record("weeks", n_weeks)
line = held.T
for policy in ("soft", "sharp"):
    for how, key in (("DM", "dm"), ("IPS", "ips"), ("SNIPS", "snips"), ("DR", "dr"), ("SWITCH-DR", "switch")):
        part = line[f"{policy}, short: {how}"]
        run.record(f"{policy}_{key}_rmse", part["rmse"], kind="stochastic", mc_se=part["rmse_mc_se"])
        run.record(f"{policy}_{key}_bias", part["bias"], kind="stochastic", mc_se=part["bias_mc_se"])
        run.record(f"{policy}_{key}_coverage", part["coverage"], kind="stochastic",
                   mc_se=max(part["coverage_mc_se"], 0.5 / n_weeks))  # fmt: skip
soft, sharp = ({how: line[f"{p}, short: {how}"] for how in NAMES} for p in ("soft", "sharp"))
band = binom.ppf([0.0005, 0.9995], n_weeks, 0.95) / n_weeks
weighed = [soft[how] for how in ("IPS", "DR", "SNDR")]
run.claim("near the log IPS and DR show no bias", all(abs(x["bias"]) < 3.5 * x["bias_mc_se"] for x in weighed))
covered = [soft[how]["coverage"] for how in ("IPS", "SNIPS", "DR", "SNDR")]
run.claim("near the log their intervals cover", band[0] <= min(covered) <= max(covered) <= band[1], covered=covered)
least = min(soft["DM"]["rmse"], soft["IPS"]["rmse"])
run.claim("DR is no worse than the better of model and weights", soft["DR"]["rmse"] < 1.1 * least, least=least)
run.claim("far from the log the model's bias is many errors", abs(sharp["DM"]["bias"]) > 3 * sharp["DM"]["sd"])
cut, dr = sharp["SWITCH-DR"], sharp["DR"]
run.claim("SWITCH trades noise for bias", cut["sd"] < dr["sd"] and abs(cut["bias"]) > abs(dr["bias"]))
run.claim("with this model the trade is a bad one", cut["rmse"] > dr["rmse"])
run.claim("the model's interval hardly ever covers", soft["DM"]["coverage"] < 0.2)

# %% [markdown]
# Over {glue:text}`weeks:d` weeks, near the log, the root mean squared error of DR is {glue:text}`soft_dr_rmse:.4f`,
# of IPS {glue:text}`soft_ips_rmse:.4f`, of DM {glue:text}`soft_dm_rmse:.4f`; DR's intervals hold the truth in
# {glue:text}`soft_dr_coverage:.0%` of the weeks, DM's in {glue:text}`soft_dm_coverage:.0%`. Far from the log DR has
# {glue:text}`sharp_dr_rmse:.3f`, with {glue:text}`sharp_dr_coverage:.0%`; SWITCH, which leans on the model where
# weights are large, has {glue:text}`sharp_switch_rmse:.3f`: with this model and this threshold a bad trade.
#
# **A better model changes the order.**

# %%
full = simulation.repeat(
    lambda seed: week(seed, (("all columns", ["score", "log_popularity", "log_activity"]),)),
    run.progress(run.seeds(run.size(ci=40, full=300), "full model"), "full model"), both,
)  # fmt: skip
better = simulation.summary(full, answers_only=False)
better.filter(like="sharp", axis=0)[["bias", "bias_mc_se", "sd", "rmse", "rmse_mc_se", "coverage"]].round(4)

# %% tags=["hide-input"]
best, robust = better.loc["sharp, all columns: DM"], better.loc["sharp, all columns: DR"]
run.record("full_dm_rmse", best["rmse"], kind="stochastic", mc_se=best["rmse_mc_se"])
run.record("full_dr_rmse", robust["rmse"], kind="stochastic", mc_se=robust["rmse_mc_se"])
run.claim("with all columns the model alone wins", best["rmse"] < 0.6 * robust["rmse"])
run.claim("DR's intervals hold the truth with this model too", robust["coverage"] > 0.82, share=robust["coverage"])
run.claim("DM's still don't", best["coverage"] < 0.6, share=best["coverage"])

# %% [markdown]
# With all columns DM's error is {glue:text}`full_dm_rmse:.4f`, DR's {glue:text}`full_dr_rmse:.4f`: here DR *loses*. A
# nearly right model needs no correction, and the correction's noise is not free. The mean correction, DR less DM,
# shows a large error of a model; one below its noise it can't show. So the log can reject a model, and can't prove
# one nearly right. DR's interval is honest in both cases, DM's in neither.
#
# ## Choosing a threshold without the truth
#
# SWITCH's bias can be estimated: it is the mean of the corrections that were left out, $(w' - w)(y - q)$. Its square
# plus the variance estimates the squared error, for each threshold {cite:p}`su2020doubly`.

# %%
choice = thresholds(y, target, e, q, v, estimator="SWITCH-DR")
picked = float(choice["mse"].idxmin())
choice.round(5)

# %% tags=["hide-input"]
left, grid = [], choice.index
for seed in run.progress(run.seeds(run.size(ci=40, full=300), "thresholds"), "thresholds"):
    other = shop.bandit_log(n_rounds=10_000, seed=seed)
    u, a = other["user"].to_numpy(), other["item"].to_numpy()
    Qs = reward_model(other, ["log_popularity", "log_activity"])
    of = thresholds(other["reward"], POLICIES["sharp"][u, a], other["propensity"], Qs[u, a],
                    np.einsum("ij,ij->i", POLICIES["sharp"], Qs)[u])  # fmt: skip
    squared = (of["value"] - value["sharp"]) ** 2
    left.append({"picked": squared[of["mse"].idxmin()]} | squared.to_dict())
left = np.sqrt(pd.DataFrame(left).mean())
run.record("picked", picked)
run.record("picked_rmse", left["picked"])
run.record("none_rmse", left[grid[-1]])
run.record("oracle_rmse", left[list(grid)].min())
run.record("worst_rmse", left[list(grid)].max())
run.claim("picking is better than the worst threshold", left["picked"] < 0.8 * left[list(grid)].max())
run.claim("and no better than the best one", left["picked"] >= left[list(grid)].min())

# %% [markdown]
# Over many weeks the picked threshold has an error of {glue:text}`picked_rmse:.4f`; no threshold, which is DR,
# {glue:text}`none_rmse:.4f`; the best fixed one {glue:text}`oracle_rmse:.4f`, and the worst, nearly the model alone,
# {glue:text}`worst_rmse:.4f`. The choice protects from the worst, and gains nothing over plain DR. It does not find
# the best, for the estimated bias is as noisy as the weights that were cut.
#
# ## A fashion shop, and forty clicks
#
# Open Bandit {cite:p}`saito2021open` logged two policies side by side: uniform at random, and Thompson sampling
# (bts). So an estimate of bts from the random log can be held against what bts really got. Its chances at the start
# of the week come by simulation from its beta distributions: draw click rates, show the three items with the highest.


# %%
def thompson(prior, draws, rng):
    """Chance of each item at each of three positions."""
    count = np.zeros((len(prior), 3))
    for rates in (rng.beta(prior["alpha"], prior["beta"], (draws // 10, len(prior))) for _ in range(10)):
        top = rates.argsort(axis=1)[:, ::-1][:, :3]
        count += np.stack([np.bincount(top[:, k], minlength=len(prior)) for k in range(3)], axis=1)
    return count / draws


priors = data.load("open_bandit_small", table="bts_prior")
campaigns, weights_of, chances = {}, {}, {}
for campaign in ("all", "men", "women"):
    random, bts = (data.load("open_bandit_small", table=f"{policy}_{campaign}") for policy in ("random", "bts"))
    prior = priors[priors["campaign"] == campaign]
    rng = np.random.RandomState(12345)
    chances[campaign] = thompson(prior, 100_000, rng)
    shown, place = random["item_id"].astype(int).to_numpy(), random["position"].astype(int).to_numpy() - 1
    pi = chances[campaign][shown, place]
    found = off_policy_value(random["click"], pi, random["propensity"], estimator="IPS", unit="clicks")
    back = 1 / len(prior) / bts["propensity"].to_numpy()  # the other way round: uniform, from the bts log
    campaigns[campaign] = {
        "clicks, random": random["click"].sum(), "rate, random": random["click"].mean(),
        "rate, bts": bts["click"].mean(), "bts from random": found.value, "low": found.low, "high": found.high,
        "relative error": abs(found.value / bts["click"].mean() - 1),
        "uniform from bts": (back * bts["click"]).mean(),
        "effective share": effective_sample_size(back) / len(bts),
    }  # fmt: skip
fashion = pd.DataFrame(campaigns).T
fashion.T.round(4)

# %% tags=["hide-input"]
for campaign in fashion.index:
    for key, column in (("random", "rate, random"), ("bts", "rate, bts"), ("share", "effective share")):
        run.record(f"obd_{campaign}_{key}", fashion.loc[campaign, column])
run.record("obd_ipw", fashion.loc["all", "bts from random"], naive=fashion.loc["all", "rate, random"])
run.record("obd_low", fashion.loc["all", "low"])
run.record("obd_high", fashion.loc["all", "high"])
no_change = abs(fashion.loc["all", "rate, random"] / fashion.loc["all", "rate, bts"] - 1)  # as if bts changed nothing
run.record("obd_relative", fashion.loc["all", "relative error"], naive=no_change)
run.record("obd_clicks", fashion.loc["all", "clicks, random"])
women = data.load("open_bandit_small", table="bts_women")
try:
    off_policy_value(women["click"], np.full(len(women), 1 / 46), women["propensity"], estimator="IPS")
    women_refused = False
except EstimateRefused:
    women_refused = True
run.record("women_effective", fashion.loc["women", "effective share"] * len(women), naive=len(women))
run.record("women_ips", fashion.loc["women", "uniform from bts"], truth=fashion.loc["women", "rate, random"])
run.claim("the women's log is refused", women_refused)
off = fashion.loc["women", "uniform from bts"] / fashion.loc["women", "rate, random"]
run.claim("its estimate is far off", off > 1.5, ratio=off)
wide = fashion.loc["all", "high"] - fashion.loc["all", "low"]
run.claim("the interval is wider than the rate", wide > fashion.loc["all", "bts from random"], wide=wide)
run.claim("its relative error is small, and that of no change hardly larger",
          fashion.loc["all", "relative error"] < no_change < 0.1, no_change=no_change)  # fmt: skip

# %% [markdown]
# For the campaign *all* IPS says {glue:text}`obd_ipw:.6f`, as the package's own example prints
# ({glue:text}`ledger::obd_ipw.published:.6f`), and bts really got {glue:text}`obd_all_bts:.4f`, itself a few dozen
# clicks: a relative error of {glue:text}`obd_relative:.1%`. It looks good, and it is luck. Who guesses that bts
# changes nothing is off by {glue:text}`obd_relative.naive:.1%`; and the interval of IPS goes from
# {glue:text}`obd_low:.4f` to {glue:text}`obd_high:.4f`, for the log has {glue:text}`obd_clicks:d` clicks. The other
# way round, in the women's log, {glue:text}`women_effective:.1f` of ten thousand rounds are left, and the estimate,
# {glue:text}`women_ips:.4f` where uniform display really got {glue:text}`women_ips.truth:.4f`, is *refused*.
#
# ### Which interval, with so few clicks?
#
# Take the random log's design, give each item the mean of its beta distribution as its true rate, and draw clicks.
# Three intervals for IPS: normal, bootstrap, and the {term}`empirical Bernstein bound <concentration bound>`
# {cite:p}`maurer2009empirical`, which holds for any sample size if weights are bounded beforehand.

# %%
prior = priors[priors["campaign"] == "all"]
n_items, pi, rate = len(prior), chances["all"], (prior["alpha"] / (prior["alpha"] + prior["beta"])).to_numpy()
few_truth, w_all = float((pi * rate[:, None]).mean(axis=1).sum()), pi * n_items
bound, few = float(w_all.max()), []
n_few = run.size(ci=200, full=2_000)
for seed in run.progress(run.seeds(n_few, "clicks"), "clicks"):
    rng = np.random.default_rng(seed)
    a, k = rng.integers(0, n_items, 10_000), rng.integers(0, 3, 10_000)
    clicks = (rng.random(10_000) < rate[a]).astype(float)
    normal = off_policy_value(clicks, pi[a, k], np.full(10_000, 1 / n_items), estimator="IPS", refuse="flag")
    rows = w_all[a, k] * clicks
    hit = rows[rows > 0]  # rows without a click add nothing to a resampled sum
    sums = [rng.choice(hit, size=count).sum() for count in rng.binomial(10_000, len(hit) / 10_000, 300)]
    ends = {
        "normal": (normal.low, normal.high),
        "bootstrap": tuple(np.quantile(sums, [0.025, 0.975]) / 10_000),
        "Bernstein": bernstein(rows, 0.0, bound),
    }
    few += [{"interval": name, "covers": low <= few_truth <= high, "width": high - low, "clicks": clicks.sum()}
            for name, (low, high) in ends.items()]  # fmt: skip
few = pd.DataFrame(few).groupby("interval")[["covers", "width", "clicks"]].mean()
few.assign(width_over_truth=few["width"] / few_truth).round(4)

# %% tags=["hide-input"]
for name, key in (("normal", "normal"), ("bootstrap", "bootstrap"), ("Bernstein", "bernstein")):
    noise_of = max(np.sqrt(few.loc[name, "covers"] * (1 - few.loc[name, "covers"]) / n_few), 0.5 / n_few)
    run.record(f"few_{key}", few.loc[name, "covers"], kind="stochastic", mc_se=noise_of)
    run.record(f"few_{key}_width", few.loc[name, "width"] / few_truth)
run.record("few_clicks", few.loc["normal", "clicks"])
run.claim("Bernstein always covers", few.loc["Bernstein", "covers"] > 0.99)
ratio = few.loc["Bernstein", "width"] / few.loc["normal", "width"]
run.claim("and is far wider", ratio > 2, ratio=ratio)
run.claim("normal and bootstrap cover too seldom", max(few.loc[["normal", "bootstrap"], "covers"]) < 0.95)
ratio = few.loc["normal", "width"] / few.loc["bootstrap", "width"]
run.claim("normal and bootstrap are near each other", abs(ratio - 1) < 0.1, ratio=ratio)
run.claim("the normal interval is wide as well", few.loc["normal", "width"] > 0.5 * few_truth)

# %% [markdown]
# Normal and bootstrap cover too seldom, {glue:text}`few_normal:.0%` and {glue:text}`few_bootstrap:.0%`; their width
# is {glue:text}`few_normal_width:.0%` of the rate itself. The Bernstein bound covers {glue:text}`few_bernstein:.0%`
# and is {glue:text}`few_bernstein_width:.1f` times as wide as the rate is high. A drawn log has
# {glue:text}`few_clicks:.0f` clicks on average. So no interval makes so few clicks decide between two rankers that
# differ by a tenth.
#
# ## Rankings
#
# A slate is one action out of very many: the weight of three slots is a product of three. What a click depends on
# saves weights. If only on its own slot, weigh by that slot's marginal chance (IIPS, {cite:t}`li2018offline`); if
# also on the slots above, by the product down to it (RIPS, {cite:t}`mcinerney2020counterfactual`).


# %%
def slot_chances(logits):
    """Chance of each of m candidates to be drawn into slots 1, 2 and 3 without replacement: shape (n, 3, m)."""
    w = np.exp(logits - logits.max(axis=1, keepdims=True))
    w /= w.sum(axis=1, keepdims=True)
    first_two = w[:, :, None] * w[:, None, :] / (1 - w)[:, :, None]  # j first, then k
    first_two *= 1 - np.eye(w.shape[1])
    left = np.maximum(1 - w[:, :, None] - w[:, None, :], 1e-12)
    per_left = first_two / left
    third = w * (per_left.sum(axis=(1, 2))[:, None] - per_left.sum(axis=1) - per_left.sum(axis=2))
    return np.stack([w, first_two.sum(axis=1), third], axis=1)


def given_above(logits, chosen):
    """Chance of each slot's item given the slots above it: shape (n, 3)."""
    w, rows, out = np.exp(logits - logits.max(axis=1, keepdims=True)), np.arange(len(logits)), []
    for k in range(chosen.shape[1]):
        out.append(w[rows, chosen[:, k]] / w.sum(axis=1))
        w[rows, chosen[:, k]] = 0.0
    return np.stack(out, axis=1)


# %%
def slates(seed, n=1_000, temperature=0.5):
    """Three estimates of a sharper slate policy from one log, less its exact value."""
    how = {"n_sessions": n, "slate_size": 3, "seed": seed}
    seen = shop.slate_log(**how, randomised_share=0.0).sort_values(["session", "position"])
    pool = shop.slate_candidates(**how).sort_values("session", kind="stable")
    logged, wanted, items = (pool[c].to_numpy().reshape(n, -1) for c in ("logging_logit", "score", "item"))
    wanted = wanted / temperature
    chosen = (items[:, None, :] == seen["item"].to_numpy().reshape(n, 3)[:, :, None]).argmax(axis=2)
    step = (given_above(wanted, chosen) / given_above(logged, chosen)).ravel()
    assert np.allclose(given_above(logged, chosen).ravel(), seen["propensity"], rtol=1e-3)
    own = np.take_along_axis(slot_chances(wanted) / slot_chances(logged), chosen[:, :, None], axis=2).ravel()
    exact = truth.slate_policy_value("score", temperature=temperature, **how)
    found = {}
    for name, ratio in (("IPS", step), ("RIPS", step), ("IIPS", own)):
        x = slate_value(seen["clicked"], ratio, seen["session"], seen["position"], estimator=name, refuse="flag")
        found[name] = x.value - exact, x.se, abs(x.value - exact) < 1.96 * x.se
    return found


drawn = [slates(seed) for seed in run.progress(run.seeds(run.size(ci=40, full=400), "slates"), "slates")]
ranked = pd.DataFrame({name: np.mean([d[name] for d in drawn], axis=0) for name in ("IPS", "RIPS", "IIPS")},
                      index=["bias", "mean_se", "coverage"]).T  # fmt: skip
ranked["sd"] = [np.std([d[name][0] for d in drawn], ddof=1) for name in ranked.index]
ranked["bias_mc_se"] = ranked["sd"] / np.sqrt(len(drawn))
ranked.round(3)

# %% tags=["hide-input"]
for name in ranked.index:
    run.record(f"slate_{name.lower()}_sd", ranked.loc[name, "sd"])
    bias, noise_of = ranked.loc[name, ["bias", "bias_mc_se"]]
    run.claim(f"{name} has no bias to speak of", abs(bias) < 3.5 * noise_of, bias=bias)
sd = ranked["sd"]
run.claim("the fewer slots in a weight, the less noise", sd["IIPS"] < sd["RIPS"] < sd["IPS"], **sd)

# %% [markdown]
# None of the three shows a bias (in this shop a click depends on its own slot alone). Their scatter is
# {glue:text}`slate_ips_sd:.3f` for whole slates, {glue:text}`slate_rips_sd:.3f` for RIPS and
# {glue:text}`slate_iips_sd:.3f` for IIPS: an assumption on clicks saves noise.
#
# ### Where a click depends on the slots above
#
# It need not hold. Five items; users read from the top, and each item either makes them read on or sends them away.
# A click on a slot then depends on the items above. Besides RIPS there is *cascade DR*
# {cite:p}`kiyohara2022doubly`: a model predicts the clicks from a slot downwards, $\hat q_k$, and weights correct it:
#
# $$\hat V = \frac1n \sum_{\text{slates}} \sum_k \big( w_{1:k}\,(y_k - \hat q_k) + w_{1:k-1}\,\hat v_k \big),$$
#
# where $\hat v_k$ is the mean of $\hat q_k$ over what the new policy puts into slot $k$ below the same items, and
# $w_{1:k}$ the weight of all slots down to $k$. Our model comes from a log of its own, and is wrong on purpose: it
# knows the clicks of an item in a slot, and nothing of the items above.


# %%
LIKED, READ_ON = np.array([0.6, 0.4, 0.3, 0.3, 0.2]), np.array([0.2, 0.9, 0.5, 0.9, 0.6])
A1, A2, A3 = np.indices((5, 5, 5))
ORDERS = [LIKED[A1], READ_ON[A1] * LIKED[A2], READ_ON[A1] * READ_ON[A2] * LIKED[A3]]  # chance of a click a slot


def in_order(w):
    """Chance of each item in slot 1, in slot 2 given slot 1, and in slot 3 given both: shapes (5, 5, 5)."""
    second = np.where(A2 == A1, 0, w[A2] / (w.sum() - w[A1]))
    third = np.where((A2 == A1) | (A3 == A1) | (A3 == A2), 0, w[A3] / np.maximum(w.sum() - w[A1] - w[A2], 1e-9))
    return w[A1] / w.sum(), second, third


OLD, NEW = in_order(np.ones(5)), in_order(np.exp(5 * LIKED))
cascade_truth = float((NEW[0] * NEW[1] * NEW[2] * sum(ORDERS)).sum())


def draw_cascade(rng, n=2_000):
    """The order shown in each slate, a number from 0 to 124, and clicks of shape (n, 3)."""
    order = rng.choice(125, n, p=(OLD[0] * OLD[1] * OLD[2]).ravel())
    return order, (rng.random((n, 3)) < np.stack([c.ravel()[order] for c in ORDERS], axis=1)).astype(float)


def to_go(order, clicks):
    """Model of a log: q of each order and slot, and its mean v over the new policy's choice; shapes (125, 3)."""
    rate = [np.bincount(a.ravel()[order], clicks[:, k], 5) / np.bincount(a.ravel()[order], minlength=5)
            for k, a in enumerate((A1, A2, A3))]  # fmt: skip
    q3 = rate[2][A3]
    v3 = (NEW[2] * q3).sum(axis=2, keepdims=True) + 0 * q3
    q2 = rate[1][A2] + v3
    v2 = (NEW[1] * q2)[:, :, :1].sum(axis=1, keepdims=True) + 0 * q3
    q1 = rate[0][A1] + v2
    v1 = (NEW[0] * q1)[:, 0, 0].sum() + 0 * q3
    return (np.stack([t.ravel() for t in three], axis=1) for three in ((q1, q2, q3), (v1, v2, v3)))


# %%
def marginal(policy):
    """Chance of an item in each slot, whatever the others hold: shape (3, 5)."""
    joint = policy[0] * policy[1] * policy[2]
    return np.stack([joint.sum(axis=tuple({0, 1, 2} - {k})) for k in range(3)])


def cascade(seed):
    """Four estimates of the new policy from one log, by hand."""
    rng = np.random.default_rng(seed)
    q, v = to_go(*draw_cascade(rng))
    order, y = draw_cascade(rng)
    step = np.stack([(new / np.where(old > 0, old, 1)).ravel()[order] for new, old in zip(NEW, OLD, strict=True)], 1)
    own = np.stack([(marginal(NEW) / marginal(OLD))[k, a.ravel()[order]] for k, a in enumerate((A1, A2, A3))], 1)
    w = step.cumprod(axis=1)
    above = np.column_stack([np.ones(len(w)), w[:, :-1]])
    rows = {"IPS": w[:, -1:] * y, "IIPS": own * y, "RIPS": w * y,
            "cascade DR": w * (y - q[order]) + above * v[order]}  # fmt: skip
    slot = (np.repeat(np.arange(len(y)), 3), np.tile([1, 2, 3], len(y)), q[order].ravel(), v[order].ravel())
    found = {}
    for name, by_slot in rows.items():
        ratio = (own if name == "IIPS" else step).ravel()
        found[name] = slate_value(y.ravel(), ratio, *slot, estimator=name, refuse="flag")
        assert np.isclose(found[name].value, by_slot.sum(axis=1).mean())
    return found


n_cascade = run.size(ci=150, full=1_000)
read = simulation.repeat(cascade, run.progress(run.seeds(n_cascade, "cascade"), "cascade"), cascade_truth)
down = simulation.summary(read, answers_only=False)
down[["bias", "bias_mc_se", "sd", "rmse", "coverage"]].round(3)

# %% tags=["hide-input"]
run.record("cascade_truth", cascade_truth)
for name in down.index:
    run.record(f"cascade_{name.split()[-1].lower()}_sd", down.loc[name, "sd"], kind="stochastic",
               mc_se=down.loc[name, "sd"] / np.sqrt(2 * n_cascade))  # fmt: skip
run.record("cascade_iips_bias", down.loc["IIPS", "bias"], kind="stochastic", mc_se=down.loc["IIPS", "bias_mc_se"])
run.record("cascade_iips_coverage", down.loc["IIPS", "coverage"], kind="stochastic",
           mc_se=max(down.loc["IIPS", "coverage_mc_se"], 0.5 / n_cascade))  # fmt: skip
right, sd = down.drop(index="IIPS"), down["sd"]
run.claim("IIPS is biased", abs(down.loc["IIPS", "bias"]) > 10 * down.loc["IIPS", "bias_mc_se"])
run.claim("the others are not", (right["bias"].abs() < 3.5 * right["bias_mc_se"]).all(), **right["bias"])
run.claim("IIPS' interval misses more often than it holds", down.loc["IIPS", "coverage"] < 0.5)
quieter = [sd["cascade DR"] / sd["RIPS"], sd["RIPS"] / sd["IPS"]]
run.claim("RIPS is quieter than IPS, cascade DR than RIPS", max(quieter) < 0.95, ratios=quieter)
run.claim("IIPS has the largest error, though not the most noise",
          down["rmse"].idxmax() == "IIPS" and sd["IIPS"] < sd["IPS"])  # fmt: skip

# %% [markdown]
# The new policy puts what is liked on top, and the item that is liked best sends readers away. IIPS doesn't see that:
# it is off by {glue:text}`cascade_iips_bias:.2f` clicks a slate where the truth is {glue:text}`cascade_truth:.2f`,
# and its interval holds the truth in {glue:text}`cascade_iips_coverage:.0%` of the logs. IPS, RIPS and cascade DR are
# right, with a scatter of {glue:text}`cascade_ips_sd:.3f`, {glue:text}`cascade_rips_sd:.3f` and
# {glue:text}`cascade_dr_sd:.3f`. The model is wrong, and still takes noise off without bringing bias in.
#
# ## Classification as a bandit
#
# A truth without a simulator: let a weak classifier of digits *log* its guesses at random, reward a right one, and
# ask what a policy would get that follows a better classifier in most rounds and guesses at random in the others. Its
# true value is known: the mean chance that it gives to the right label.

# %%
X, label = load_digits(return_X_y=True)
order = run.rng.permutation(len(X))
train, play = order[:600], order[600:]
weak = LogisticRegression(C=0.001, max_iter=300).fit(X[train][:, ::4], label[train])
strong = LogisticRegression(C=0.01, max_iter=300).fit(X[train] / 16, label[train])
logging = 0.7 * weak.predict_proba(X[play][:, ::4]) + 0.03  # ten digits: three in a hundred each, at the least
sure = 0.8 * np.eye(10)[strong.predict(X[play] / 16)] + 0.02
digits_truth = at_actions(sure, label[play]).mean()
assert uncovered(sure, logging).max() == 0
rows = []
for seed in run.seeds(run.size(ci=100, full=1_000), "digits"):
    rng = np.random.default_rng(seed)
    guess = (logging.cumsum(axis=1) > rng.random(len(play))[:, None]).argmax(axis=1)
    hit = (guess == label[play]).astype(float)
    model = LogisticRegression(C=1.0, max_iter=200).fit(np.eye(10)[guess], hit).predict_proba(np.eye(10))[:, 1]
    args = (hit, at_actions(sure, guess), at_actions(logging, guess), model[guess], sure @ model)
    rows.append({how: off_policy_value(*args, estimator=how, refuse="flag").value - digits_truth
                 for how in ("DM", "IPS", "SNIPS", "DR")})  # fmt: skip
digits = pd.DataFrame(rows)
digits = pd.DataFrame({"bias": digits.mean(), "sd": digits.std(), "rmse": np.sqrt((digits**2).mean())})
digits.round(3)

# %% tags=["hide-input"]
run.record("digits_truth", digits_truth)
run.record("digits_dm", digits.loc["DM", "bias"], naive=digits.loc["IPS", "bias"])
run.record("digits_ips_rmse", digits.loc["IPS", "rmse"])
run.record("digits_snips_rmse", digits.loc["SNIPS", "rmse"])
run.claim("a model that knows only the guess is useless", abs(digits.loc["DM", "bias"]) > 0.1)
run.claim("weights are right", all(abs(digits.loc[h, "bias"]) < 0.03 for h in ("IPS", "SNIPS", "DR")))
run.claim("normalising helps", digits.loc["SNIPS", "rmse"] < digits.loc["IPS", "rmse"])

# %% [markdown]
# That policy is worth {glue:text}`digits_truth:.3f`. A reward model that sees only the guess is off by
# {glue:text}`digits_dm:.2f`; IPS has an error of {glue:text}`digits_ips_rmse:.3f`, SNIPS
# {glue:text}`digits_snips_rmse:.3f`.
#
# ## When it breaks
#
# **The propensities are wrong.** Someone logs the chance of an item *given that it passed a filter*, and one in five
# does not: every propensity is too large by a quarter, and IPS too low by a fifth. The mean weight tells, without a
# reward. (SNIPS divides a common factor out. Errors that differ between items stay, and may leave the mean at one.)

# %%
near = POLICIES["soft"][user, item]
try:
    off_policy_value(y, near, np.minimum(1.0, e / 0.8), estimator="IPS")
    said = "nothing"
except EstimateRefused as refusal:
    said = f"{type(refusal).__name__}: {refusal}"
try:
    off_policy_value(y, (target > 0.01).astype(float), np.ones(len(y)), estimator="IPS")
    said_too = "nothing"
except EstimateRefused as refusal:
    said_too = f"{type(refusal).__name__}: {refusal}"
print("wrong propensities:", said)
print("deterministic logger:", said_too)
run.claim("wrong propensities are refused for their mean weight", said.startswith("Miscalibrated"), said=said)
run.claim("a deterministic logger is refused", "deterministic" in said_too, said=said_too)

# %% [markdown]
# **The logger was deterministic.** It never showed what else it could have; the library says so, above.
#
# **The value is not an effect.** Suppose that all estimates are perfect. The world knows two things about each
# policy: the share of displays that end in a purchase (*value*), and that share less the share of the same pairs that
# would have bought without a display (*lift*; below zero where showing puts people off).

# %%
two = pd.DataFrame({
    name: {"value": truth.policy_value(pi), "lift": truth.policy_value(pi, "lift")}
    for name, pi in {"log": "logging", **POLICIES, "most popular item": "popular"}.items()
}).T  # fmt: skip
two.round(3)

# %% tags=["hide-input"]
run.record("log_lift", two.loc["log", "lift"], naive=two.loc["log", "value"])
run.record("sharp_lift", two.loc["sharp", "lift"], naive=two.loc["sharp", "value"])
run.record("popular_value", two.loc["most popular item", "value"])
run.record("popular_lift", two.loc["most popular item", "lift"], naive=two.loc["most popular item", "value"])
run.claim("the sharp ranker sells more displays", two.loc["sharp", "value"] > 1.2 * two.loc["log", "value"])
run.claim("and moves hardly more people", abs(two.loc["sharp", "lift"] - two.loc["log", "lift"]) < 0.005)
popular = two.loc["most popular item"]
run.claim("its value is high", popular["value"] > two.loc["sharp", "value"], value=popular["value"])
run.claim("its lift is below zero", popular["lift"] < 0, lift=popular["lift"])

# %% [markdown]
# The sharp ranker's displays end in purchases far more often, and its lift is {glue:text}`sharp_lift:.3f` where
# today's is {glue:text}`log_lift:.3f`: it shows people what they buy anyway. The most popular item has a value of
# {glue:text}`popular_value:.3f` and a lift of {glue:text}`popular_lift:.3f`: shown, it sells *less*. Off-policy
# evaluation answered Mara's question perfectly. It was the wrong question, and
# a log that keeps only what happened to the shown item can't answer the right one.
#
# ## What this means for a language-model recommender
#
# - **Log the chance.** A ranker that samples at a temperature has propensities: the softmax *after* every rule,
#   filter and tie-break. Store them with the round. Greedy decoding is a deterministic logger.
# - **A new prompt is a new policy.** If it ranks very differently, the effective sample size collapses; check it
#   before anything else, and explore beforehand among the few items that a new prompt could show: a tenth spread over
#   all items leaves propensities near zero, as here.
# - **A model's judgement as reward model** is DM. Put it into DR, and let the log correct it.
#
# ## Exercises
#
# ### Exercise 1: SNIPS
#
# Rewards `y`, chances `pi` under the new policy and `e` under the old one. Return the self-normalised estimate.
#
# <details><summary>Hint</summary>
#
# A weighted mean of the rewards.
#
# </details>


# %% tags=["exercise"]
def snips(y, pi, e):
    """Return the self-normalised value."""
    # BEGIN SOLUTION
    w = pi / e
    return (w * y).sum() / w.sum()
    # END SOLUTION


# %% tags=["check"]
check("recommenders/02.1", snips)

# %% [markdown]
# ### Exercise 2: doubly robust, from tables
#
# `P` has the new policy's chance of each action (one row a round), `Q` the predicted reward of each action, `a` the
# logged actions, `e` their propensities, `y` the rewards. Return the doubly robust value.
#
# <details><summary>Hint</summary>
#
# The model's mean under the policy, plus the weighted remainder at the logged action.
#
# </details>


# %% tags=["exercise"]
def doubly_robust_value(P, Q, a, e, y):
    """Return the doubly robust value."""
    # BEGIN SOLUTION
    rows = np.arange(len(a))
    return ((P * Q).sum(axis=1) + P[rows, a] / e * (y - Q[rows, a])).mean()
    # END SOLUTION


# %% tags=["check"]
check("recommenders/02.2", doubly_robust_value)

# %% [markdown]
# ### Exercise 3: how far can a policy move?
#
# Mix the old policy (chances `e` of the logged actions) with a new one (`pi`): with chance `s` follow the new. Return
# the effective sample size of the mixture as a share of the rounds.
#
# <details><summary>Hint</summary>
#
# The mixture's chance of an action is s pi + (1 - s) e.
#
# </details>


# %% tags=["exercise"]
def effective_share(pi, e, s):
    """Return the effective share of rounds of a mixture."""
    # BEGIN SOLUTION
    w = (s * pi + (1 - s) * e) / e
    return effective_sample_size(w) / len(w)
    # END SOLUTION


# %% tags=["check"]
check("recommenders/02.3", effective_share)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague clips weights at `M` to tame them. His values come out too high whenever large weights go with bad
# rounds:
#
# ```python
# def clipped(y, pi, e, M):
#     w = pi / e
#     kept = w <= M
#     return (w[kept] * y[kept]).mean()
# ```
#
# Clipping *cuts* a weight down to `M`; it drops no round. Mend the function.
#
# <details><summary>Hint</summary>
#
# What is the mean taken over?
#
# </details>


# %% tags=["exercise"]
def clipped(y, pi, e, M):
    """Return the clipped estimate."""
    # BEGIN SOLUTION
    return (np.minimum(pi / e, M) * y).mean()
    # END SOLUTION


# %% tags=["check"]
check("recommenders/02.4", clipped)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "The mean weight of a log is 3, with one weight of 20,000. What do you do?",
    {
        "Normalise: SNIPS mends it": (False, "One round would still decide everything."),
        "Refuse, and look at that round's propensity": (True, "No estimator makes information out of one round."),
        "Clip at 10 and report": (False, "Clipping hides that the policy was never logged."),
    },
)

# %% tags=["quiz"]
quiz(
    "When does the direct method beat the doubly robust estimator?",
    {
        "Never: DR is robust twice": (False, "The correction has noise, and a right model needs none."),
        "When its model is nearly right and the weights are large": (
            True,
            "The log can rule out a bad model, not prove a good one.",
        ),
        "When the log is uniform": (
            False,
            "For a policy that shows one item, weights are then as large as the number of items.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A policy's value is well estimated and twice today's. Will sales double?",
    {
        "Yes, the estimate is unbiased": (False, "Of purchases after a display, which are not caused by it."),
        "Not by what was measured: buyers may have bought anyway": (True, "A value counts them; an effect doesn't."),
        "Only if the interval is short": (False, "Precision does not change the question."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Rounds in which two policies agree are not a sample of either.
# - Weights first, rewards later: mean one, effective rounds, coverage of the new policy's items.
# - Weights are right and noisy, models quiet and biased; DR pays for honesty with noise.
# - Forty clicks decide nothing, whichever interval you draw.
# - A policy's value is no effect of showing.
#
# ## Further reading
#
# - {cite:t}`dudik2011doubly`, {cite:t}`wang2017optimal`, {cite:t}`su2020doubly`: the estimators.
# - {cite:t}`saito2021open`: the data, and a pipeline of estimators.
# - {cite:t}`mcinerney2020counterfactual`, {cite:t}`kiyohara2022doubly`: rankings.
