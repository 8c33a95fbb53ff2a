# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 50
#     exercise_minutes: 45
#     data: [womens_reviews, insurance_network, pension_401k]
#     optional_data: [hillstrom]
#     max_seconds: 60
# ---

# %% [markdown]
# # From effects to who gets what
#
# Noor has slots for a fifth of next week's pairs of user and item. Her team fills them by predicted purchase: of a
# thousand pairs, the fifth with the best chance is shown. The report says that these pairs are good
# for {glue:text}`naive_gain:.0f` purchases per thousand pairs, and asks for more slots.
#
# Because of the slots, {glue:text}`click_gain.truth:.0f` purchases per thousand came about. The others would have
# bought anyway. Ranked by what a display *changes*, the same slots would have made
# {glue:text}`effect_gain.truth:.0f`. And whether more slots pay depends on a number that is in no model: what a slot
# costs.
#
# **You will be able to**
#
# - turn predicted effects into a rule, and draw what it gains: the {term}`uplift curve`, with intervals;
# - stop where a slot costs more than it brings, and spend a budget where it brings most;
# - bound the share of users whom the treatment harms, and say why no log can do more;
# - read AUUC and {term}`Qini coefficient`, and see why two libraries give other numbers for one ranking;
# - learn a policy from a log by gradient, and see why its own estimate of itself is worth nothing.
#
# **Before you start:** {doc}`doubly robust estimation </chapters/weighting/03_doubly_robust>`, {doc}`causal forests
# </chapters/trees/02_causal_forests>` and {doc}`off-policy evaluation
# </chapters/recommenders/02_off_policy_evaluation>`.
#
# **Time:** about 50 minutes to read, 45 for the exercises.
#
# **Data:** the simulated shop; farmers who were offered insurance and families who were offered a pension plan; an
# e-mail experiment (Hillstrom) where it can be fetched.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from econml.policy import PolicyTree
from econml.validate.utils import calc_uplift
from scipy.stats import binom
from scipy.stats import t as t_law
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from causalrec_lib import course, data, effects, plots, simulation
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.doubly_robust import Nuisances, aipw, over_partitions
from causalrec_lib.estimate import Estimate, difference_in_means
from causalrec_lib.heterogeneity import rate
from causalrec_lib.learning import softmax_policy
from causalrec_lib.policy import at_actions, off_policy_value
from causalrec_lib.targeting import (
    area,
    by_convention,
    harm_bounds,
    policy_gain,
    share_gain,
    uplift_curve,
    within_budget,
)

run = course.start(PROFILE, SEED, chapter="recommenders/03_policies_from_effects")
shop = make_world()
COLUMNS = ["log_popularity", "score", "log_activity", "price", "age"]
SHARE = 0.2

# %% [markdown]
# ## The naive answer
#
# Two weeks of the shop's exposure log. On the first we learn, on the second we judge: nothing that ranks the second
# week has seen it. The treatment is the display, the outcome a purchase within the week, and the chance $e(x)$ of a
# display is in the log.


# %%
def week(seed, world=shop, n=20_000):
    """One week: columns X, shown t, bought y, chance of a display e, and the rows themselves."""
    log = world.exposure_log(n_pairs=n, seed=seed, with_propensity=True)
    X, t, y, e = (log[c].to_numpy(float) for c in (COLUMNS, "exposed", "consumed", "propensity"))
    return X, t, y, e, log


def buyers(X, t, y):
    """Models of a purchase without and with a display."""
    how = {"max_iter": 80, "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 50, "random_state": 0}
    return [HistGradientBoostingClassifier(**how).fit(X[t == g], y[t == g]) for g in (0, 1)]


first_seed, second_seed = run.seeds(2, "two weeks")
X, t, y, e, _ = week(first_seed)
models = buyers(X, t, y)
X2, t2, y2, e2, log2 = week(second_seed)
p0, p1 = (m.predict_proba(X2)[:, 1] for m in models)
tau = shop.truth.pairs(log2)["tau"].to_numpy()  # no real log has this
top = p1 >= np.quantile(p1, 1 - SHARE)
reported = 1000 * np.mean(top * p1)
caused = 1000 * np.mean(top * tau)
pd.Series({"reported purchases": reported, "caused by the display": caused}).round(1)

# %% [markdown]
# ## From a score of each row to a curve
#
# What must hold: given the columns nothing else moves both display and purchase (here the chances are known); every
# pair could have gone either way; a display moves its own pair only. Let $\mu_1(x)$ and $\mu_0(x)$ be predicted
# chances of a purchase with and without a display. Then each row has two *doubly robust scores*,
#
# $$\psi_1 = \mu_1(x) + \frac{t\,(y - \mu_1(x))}{e(x)}, \qquad
# \psi_0 = \mu_0(x) + \frac{(1 - t)\,(y - \mu_0(x))}{1 - e(x)}.$$
#
# Each is a prediction, mended by what it missed where the outcome was seen. One row's score is wild; but over any
# group that was chosen by $x$, the mean of $\psi = \psi_1 - \psi_0$ is the group's effect, up to noise. So a rule
# $\pi(x)$, 1 for "show", gains $E[\pi(x)\,\psi]$ a row over showing nobody {cite:p}`athey2021policy`. A ranking is a
# rule for each share $s$: show the first $s$. Its gain as a function of $s$ is the **uplift curve** $G(s)$. The
# straight line from nobody to all is what a random order gains.
#
# The effect ranking is a regression of $\psi$ on the columns, in the first week, with models from the other half of
# that week (a *DR-learner*, one of the {term}`meta-learners <meta-learner>`). A rival needs no scores: the difference
# of the two purchase models (a *T-learner*).


# %%
def arm_scores(y, t, e, mu0, mu1):
    """Doubly robust scores of the outcome without and with treatment."""
    return mu0 + (1 - t) / (1 - e) * (y - mu0), mu1 + t / e * (y - mu1)


def cross_fitted(X, t, y, e):
    """Scores of each half of the rows, with models from the other half."""
    psi0, psi1 = np.empty((2, len(y)))
    half = np.arange(len(y)) % 2
    for k in (0, 1):
        a, b = half != k, half == k
        mu0, mu1 = (m.predict_proba(X[b])[:, 1] for m in buyers(X[a], t[a], y[a]))
        psi0[b], psi1[b] = arm_scores(y[b], t[b], e[b], mu0, mu1)
    return psi0, psi1


def effect_learner(X, psi):
    """A regression of scores on X."""
    how = {"max_iter": 60, "learning_rate": 0.05, "max_leaf_nodes": 6, "min_samples_leaf": 200, "random_state": 0}
    return HistGradientBoostingRegressor(**how).fit(X, psi)


def gain_by_hand(psi, priority, share):
    """Gain of showing the first rows: mean score, others counting as zero."""
    n_first = int(share * len(psi))
    return psi[np.argsort(-priority, kind="stable")[:n_first]].sum() / len(psi)


own0, own1 = cross_fitted(X, t, y, e)  # of the first week
learner = effect_learner(X, own1 - own0)
psi0, psi1 = arm_scores(y2, t2, e2, p0, p1)  # of the second
psi = psi1 - psi0
RANKINGS = {"effect": learner.predict(X2), "purchase": p1, "T-learner": p1 - p0}
RANKINGS = {n: rank + 1e-9 * run.rng.random(len(rank)) for n, rank in RANKINGS.items()}  # ties in random order
card = aipw(y2, t2, Nuisances(p0, p1, e2, np.zeros(len(y2), int)), e_source="known", refuse="flag")
assert np.allclose(card.influence + card.value, psi)
found = {name: share_gain(psi, rank, SHARE) for name, rank in RANKINGS.items()}
assert all(np.isclose(found[name].value, gain_by_hand(psi, rank, SHARE)) for name, rank in RANKINGS.items())
pd.DataFrame({n: (1000 * g.value, 1000 * g.low, 1000 * g.high) for n, g in found.items()},
             index=["gain per 1000", "low", "high"]).T.round(1)  # fmt: skip

# %% tags=["hide-input"]
big = shop.exposure_log(n_pairs=run.size(ci=100_000, full=1_000_000), seed=run.seeds(1, "population")[0])
XB, pairs = big[COLUMNS].to_numpy(float), shop.truth.pairs(big)
tauB, p1B = pairs["tau"].to_numpy(), pairs["p1"].to_numpy()
q0B, q1B = (m.predict_proba(XB)[:, 1] for m in models)
BIG = {"effect": learner.predict(XB), "purchase": q1B, "T-learner": q1B - q0B}
GRID = np.linspace(0.01, 1, 100)


def true_curve(rank, gain):
    """Gain of the first shares in the population, at each share of GRID."""
    total = np.cumsum(gain[np.argsort(-rank, kind="stable")]) / len(gain)
    return total[(GRID * len(gain)).astype(int) - 1]


true = {name: true_curve(rank, tauB) for name, rank in BIG.items()}
at = {name: curve[19] for name, curve in true.items()}
run.record("naive_gain", reported)
run.record("click_gain", 1000 * found["purchase"].value, truth=1000 * at["purchase"], naive=reported)
run.record("effect_gain", 1000 * found["effect"].value, truth=1000 * at["effect"], naive=reported)
run.record("effect_low", 1000 * found["effect"].low)
run.record("effect_high", 1000 * found["effect"].high)
run.record("t_learner_true", 1000 * at["T-learner"])
run.claim("the report counts twice what the slots caused", reported > 1.8 * 1000 * at["purchase"], reported=reported)
run.claim("the effect ranking causes more", at["effect"] > 1.15 * at["purchase"], **at)
run.claim("the purchase ranking is above chance", at["purchase"] > 1.1 * SHARE * tauB.mean(), **at)

# %% [markdown]
# The effect ranking gains {glue:text}`effect_gain:.1f` purchases per thousand pairs with a fifth shown
# ({glue:text}`effect_low:.1f` to {glue:text}`effect_high:.1f`; in truth {glue:text}`effect_gain.truth:.1f`), the
# purchase ranking in truth {glue:text}`click_gain.truth:.1f`, and the T-learner {glue:text}`t_learner_true:.1f`. "In
# truth" means: over a hundred thousand other pairs, with both chances of each from the shop's equations. This is one
# first week; whether the next one would say so, too, comes below.
#
# ## The picture to keep

# %%
COST = 0.06  # of the margin of a purchase, for each display
SHARES = tuple(np.round(np.arange(0.05, 1.001, 0.05), 2))
curves = {name: uplift_curve(psi, RANKINGS[name], SHARES) for name in ("effect", "purchase")}
net = {name: curve - COST * GRID for name, curve in true.items()}
stop = {name: GRID[curve.argmax()] for name, curve in net.items()}
curves["effect"].loc[[0.1, 0.2, 0.5, 1.0]].mul(1000).round(1)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.2, 4.6))
for name, key, style in (("effect", "estimate", "-"), ("purchase", "naive", "--")):
    c = 1000 * curves[name]
    ax.fill_between(c.index, c["low"], c["high"], color=plots.COLORS[key], alpha=0.2, linewidth=0)
    ax.plot(c.index, c["gain"], style, color=plots.COLORS[key], label=f"by predicted {name}")
ax.plot(GRID, 1000 * true["effect"], ":", color=plots.COLORS["truth"], linewidth=2.2, label="truth, by effect")
ax.plot(GRID, 1000 * true["purchase"], ":", color=plots.COLORS["truth"], linewidth=1.2, label="truth, by purchase")
ax.plot([0, 1], [0, 1000 * tauB.mean()], color=plots.COLORS["ink"], linewidth=0.8, label="at random (truth)")
ax.plot([0, 1], [0, 1000 * COST], "-.", color=plots.COLORS["accent"], label="what the slots cost")
best = stop["effect"]
ax.plot([best, best], [1000 * COST * best, 1000 * np.interp(best, GRID, true["effect"])],
        color=plots.COLORS["accent"], linewidth=3)  # fmt: skip
ax.set(xlabel="share of pairs that are shown", ylabel="purchases gained per 1000 pairs", xlim=(0, 1))
ax.set_ylim(bottom=0)
ax.legend(fontsize=8, loc="upper left")
plots.show(
    fig,
    alt="Gain against share shown. The curve by predicted effect rises steeply and flattens; the curve by predicted "
    "purchase lies below it; a straight line for a random order lies below both. Dotted true curves run near the "
    "estimated ones. A cost line rises from zero; a thick bar marks where the true curve is furthest above it.",
    caption="The picture to keep. What a ranking gains is the height of its curve; what it earns is the height above "
    "the cost line. The bar marks the share at which that is largest: there the next slot brings what it costs. "
    "Bands hold at each share by itself.",
)
run.record("stop_effect", stop["effect"])
run.record("net_effect", 1000 * net["effect"].max(), naive=1000 * net["effect"][-1])
run.record("net_all", 1000 * net["effect"][-1])
run.record("net_purchase", 1000 * net["purchase"].max())
run.claim("showing all earns less than half of the best share", net["effect"][-1] < 0.5 * net["effect"].max())
run.claim("the purchase ranking earns less at its own best share", net["purchase"].max() < 0.9 * net["effect"].max())

# %% [markdown]
# A slot costs a few per cent of a purchase. In truth the effect ranking earns most with a share of
# {glue:text}`stop_effect:.2f`: {glue:text}`net_effect:.1f` purchases' worth per thousand pairs after cost. Showing
# all earns {glue:text}`net_all:.1f`, the purchase ranking at its own best share {glue:text}`net_purchase:.1f`. We
# read this off the true curve; a reader of a log has the bands.
#
# ## Held against the truth
#
# The ranking of the first week stays fixed. Many other weeks judge it: the gain at a fifth, the profit of the rule
# "show where the predicted effect is above the cost", the area under the curve, and the difference of both rankings
# on the same rows.


# %%
def judged(seed):
    """What one fresh week says of the rankings of the first week."""
    X, t, y, e, _ = week(seed, n=10_000)
    mu0, mu1 = (m.predict_proba(X)[:, 1] for m in models)
    psi, effect = -np.subtract(*arm_scores(y, t, e, mu0, mu1)), learner.predict(X)
    gains = [share_gain(psi, rank, SHARE) for rank in (effect, mu1)]
    return {
        "gain at a fifth": gains[0],
        "profit of the rule": policy_gain(psi, effect > COST, costs=np.full(len(psi), COST)),
        "AUUC": area(psi, effect),
        "Qini": rate(psi, effect, weighting="qini"),
        "effect less purchase": effects.contrast(gains[0], gains[1]),
    }


auuc = np.cumsum(tauB[np.argsort(-BIG["effect"])]).mean() / len(tauB)
truths = {
    "gain at a fifth": at["effect"],
    "profit of the rule": np.mean((BIG["effect"] > COST) * (tauB - COST)),
    "AUUC": auuc,
    "Qini": auuc - tauB.mean() / 2,
    "effect less purchase": at["effect"] - at["purchase"],
}
n_weeks = run.size(ci=60, full=500)
weeks = simulation.repeat(judged, run.progress(run.seeds(n_weeks, "weeks"), "weeks"), truths)
held = simulation.summary(weeks)
held[["coverage", "bias", "bias_mc_se", "sd", "mean_se"]].round(4)

# %% tags=["hide-input"]
run.record("weeks", n_weeks)
band = binom.ppf([0.0005, 0.9995], n_weeks, 0.95) / n_weeks
run.record("band_low", band[0])
run.record("band_high", band[1])
for name, key in (("gain at a fifth", "share"), ("profit of the rule", "rule"), ("AUUC", "auuc"),
                  ("effect less purchase", "difference")):  # fmt: skip
    row = held.loc[name]
    run.record(f"coverage_{key}", row["coverage"], kind="stochastic", mc_se=max(row["coverage_mc_se"], 0.5 / n_weeks))
    run.claim(f"{name} is covered", band[0] <= row["coverage"] <= band[1], coverage=row["coverage"])
    run.claim(f"{name} has no bias to speak of", abs(row["bias"]) < 3.5 * row["bias_mc_se"] + 0.0003)
one = weeks[weeks["name"] == "effect less purchase"]
run.record("decided", np.mean(one["low"] > 0), kind="stochastic", mc_se=0.05)
run.claim("one week does not always decide between the rankings", np.mean(one["low"] > 0) < 0.95)

# %% [markdown]
# Over {glue:text}`weeks:d` weeks of half the size the intervals hold the truth in {glue:text}`coverage_share:.0%`
# (gain at a fifth), {glue:text}`coverage_rule:.0%` (the rule's profit), {glue:text}`coverage_auuc:.0%` (AUUC) and
# {glue:text}`coverage_difference:.0%` (the difference). An interval that keeps its word would land between
# {glue:text}`band_low:.0%` and {glue:text}`band_high:.0%` in nearly all such tests, so small faults stay unseen. But
# only {glue:text}`decided:.0%` of the weeks show, by themselves, that ranking by effect beats ranking by purchase.
# Compare rankings on the same rows, as here, and ask beforehand how many rows it takes.
#
# ## Large effects that don't pay
#
# Now the display carries a coupon: a third of the margin, on *every* purchase that a shown pair makes. Who would have
# bought anyway takes it, too. This cost is not known beforehand, for it depends on what people do. So it belongs in
# the outcome: $z = y - \frac13\,t\,y$ is the margin that stays. Its scores are $\psi_0$ and $\frac23\,\psi_1$, and
# the rest goes on as before.

# %%
COUPON = 1 / 3
psi_z = (1 - COUPON) * psi1 - psi0
netB = tauB - COUPON * p1B  # truth: margin with a coupon less margin without a display
coupons = {name: share_gain(psi_z, RANKINGS[name], SHARE) for name in ("purchase", "effect")}
kept = {name: np.interp(SHARE, GRID, true_curve(BIG[name], netB)) for name in coupons}
pd.DataFrame({n: (1000 * g.value, 1000 * g.low, 1000 * g.high, 1000 * kept[n]) for n, g in coupons.items()},
             index=["kept per 1000", "low", "high", "truth"]).T.round(1)  # fmt: skip

# %% tags=["hide-input"]
for name, key in (("purchase", "coupon_purchase"), ("effect", "coupon_effect")):
    run.record(key, 1000 * coupons[name].value, truth=1000 * kept[name], naive=1000 * found[name].value)
run.claim("coupons for likely buyers keep less than half", kept["purchase"] < 0.5 * kept["effect"], **kept)
run.claim(
    "the coupon takes more than half of what the purchase ranking gains", kept["purchase"] < 0.5 * at["purchase"]
)

# %% [markdown]
# With a fifth of the pairs, in truth: coupons by predicted effect keep {glue:text}`coupon_effect.truth:.1f`
# purchases' worth of margin per thousand pairs, by predicted purchase {glue:text}`coupon_purchase.truth:.1f`. Without
# the coupon the purchase ranking gained {glue:text}`click_gain.truth:.1f`. Its buyers have effects, too. But they
# bring many purchases that were not caused, and each of these takes a coupon. Should one then learn the *net* effect,
# with $\frac23\,\psi_1 - \psi_0$ in place of $\psi$? We do, in a moment.
#
# ## A budget
#
# Slots cost different amounts: say a letter for users above the median age costs three times a push message. With
# money for a part only, take rows by **profit per unit of cost** until it is spent. That is the answer of a
# *knapsack* whose last item may be cut.


# %%
def by_effect_alone(effect, price):
    """The largest effects first, until the money is spent."""
    order, plan = np.argsort(-effect), np.zeros(len(effect))
    plan[order[np.cumsum(price[order]) <= BUDGET * len(order)]] = 1
    return plan


age = XB[:, COLUMNS.index("age")]
price = np.where(age > np.median(age), 0.09, 0.03)
BUDGET = 0.006  # a pair, over all pairs
plans = {
    "by effect": by_effect_alone(BIG["effect"], price),
    "by profit per cost": within_budget(BIG["effect"], price, BUDGET),
}
spent = pd.DataFrame({
    name: {"shown": plan.mean(), "spent": np.mean(plan * price), "true gain": 1000 * np.mean(plan * tauB)}
    for name, plan in plans.items()
}).T  # fmt: skip
spent.round(4)

# %% tags=["hide-input"]
run.record("budget_naive", spent.loc["by effect", "true gain"])
run.record("budget_best", spent.loc["by profit per cost", "true gain"], naive=spent.loc["by effect", "true gain"])
run.claim("neither plan overspends", (spent["spent"] <= BUDGET * (1 + 1e-6)).all())
run.claim("profit per cost gains more from the same money",
          spent.loc["by profit per cost", "true gain"] > 1.2 * spent.loc["by effect", "true gain"])  # fmt: skip

# %% [markdown]
# The same money causes {glue:text}`budget_naive:.1f` purchases per thousand pairs when the largest effects come
# first, and {glue:text}`budget_best:.1f` when profit per cost does.
#
# ## A rule that fits on a card
#
# A {term}`policy tree` of depth two asks each pair two questions and then says "show" or "don't". Of all such rules
# $\pi$ it should be the one with the largest mean of $\pi(x)\,(\psi - c)$ {cite:p}`athey2021policy`. econml grows one
# **greedily**: it takes the best first question as if there were no second, on one half of the rows; the other half
# fills in the leaves ({term}`honest <honest estimation>`, its default). With cuts at deciles only, all trees of two
# questions can be tried: for each pair of questions
# four leaf sums, and all of them come from one matrix product. The R package policytree searches all cuts
# {cite:p}`sverdrup2020policytree`.


# %%
def exact_tree(X, reward, smallest=300):
    """Best of all trees of two questions with cuts at deciles: its rule and its mean reward on these rows."""
    cuts = np.quantile(X, np.arange(1, 10) / 10, axis=0)

    def answers(X):
        return np.concatenate([X[:, [j]] > cuts[:, j] for j in range(X.shape[1])], axis=1)

    sides = [answers(X) == side for side in (False, True)]
    best, second = [], []
    for first in sides:  # rows that answer the first question with no, then with yes
        leaves = [(first * reward[:, None]).T @ other for other in sides]  # [first question, second question]
        rows = [first.T.astype(float) @ other for other in sides]
        worth = np.maximum(leaves, 0).sum(axis=0)  # a leaf is shown where its sum is above zero
        worth[np.min(rows, axis=0) < smallest] = -np.inf
        best.append(worth.max(axis=1))
        second.append(worth.argmax(axis=1))
    root = int(np.sum(best, axis=0).argmax())
    then = np.array([second[0][root], second[1][root]])
    show = np.array([[reward[a[:, root] & b[:, q]].sum() > 0 for b in sides]
                     for a, q in zip(sides, then, strict=True)])  # fmt: skip

    def rule(X):
        yes = answers(X)
        side = yes[:, root].astype(int)
        return show[side, yes[np.arange(len(X)), then[side]].astype(int)].astype(float)

    return rule, np.sum(best, axis=0).max() / len(reward), [COLUMNS[q // 9] for q in (root, *then)]


def greedy_tree(X, reward):
    """The tree of two questions that econml grows."""
    tree = PolicyTree(max_depth=2, min_samples_leaf=300, random_state=0)
    return tree.fit(X, np.column_stack([np.zeros(len(X)), reward]))


# %%
reward = own1 - own0 - COST
greedy = greedy_tree(X, reward)
exact, own_exact, asked = exact_tree(X, reward)
assert np.isclose(own_exact, np.mean(exact(X) * reward))
print("the greedy tree asks about", ", ".join(COLUMNS[f] for f in greedy.tree_.feature if f >= 0))
print("the exact tree asks about", ", ".join(asked))
costs = np.full(len(psi), COST)
RULES = {
    "two questions, greedy": greedy.predict,
    "two questions, exact": exact,
    "predicted effect above cost": lambda X: learner.predict(X) > COST,
    "show all": lambda X: np.ones(len(X)),
}
cards = {name: policy_gain(psi, rule(X2), costs=costs) for name, rule in RULES.items()}
truth_of = {name: np.mean(rule(XB) * (tauB - COST)) for name, rule in RULES.items()}
pd.DataFrame({n: (1000 * g.value, 1000 * g.low, 1000 * g.high, 1000 * truth_of[n]) for n, g in cards.items()},
             index=["profit per 1000", "low", "high", "truth"]).T.round(1)  # fmt: skip

# %% tags=["hide-input"]
first_rules = [truth_of[name] for name in list(RULES)[:3]]
run.claim("each of them earns more than showing all", min(first_rules) > truth_of["show all"])

# %% [markdown]
# In truth each of the three earns more than showing all. Their own intervals say little about which of two rules is
# better: that takes the interval of their difference on the same rows, as above. And even that would speak of this
# first week only; another one makes other rules.
#
# ## Not one lucky week
#
# So learn from many first weeks. Each makes rankings and rules of its own, and the shop's equations judge all of them
# on the same twenty thousand pairs. The coupon has a ranking by the net effect, too.

# %%
XF, tauF, netF, priceF = (part[:20_000] for part in (XB, tauB, netB, price))


def learned(seed):
    """True worth, per thousand pairs, of what one first week teaches."""
    X, t, y, e, _ = week(seed)
    own0, own1 = cross_fitted(X, t, y, e)
    reward = own1 - own0 - COST
    greedy, (exact, own_exact, _) = greedy_tree(X, reward), exact_tree(X, reward)
    effect = effect_learner(X, own1 - own0).predict(XF)
    net = effect_learner(X, (1 - COUPON) * own1 - own0).predict(XF)
    q0, q1 = (m.predict_proba(XF)[:, 1] for m in buyers(X, t, y))
    ranks = {"effect": effect, "purchase": q1, "T-learner": q1 - q0, "net effect": net}
    plans = {"effect": by_effect_alone(effect, priceF), "profit per cost": within_budget(effect, priceF, BUDGET)}
    rules = {"greedy tree": greedy.predict(XF), "exact tree": exact(XF), "effect above cost": effect > COST,
             "T-learner above cost": q1 - q0 > COST, "show all": np.ones(len(XF))}  # fmt: skip
    worth = {f"a fifth by {name}": gain_by_hand(tauF, rank, SHARE) for name, rank in ranks.items()}
    worth |= {f"coupons by {name}": gain_by_hand(netF, rank, SHARE) for name, rank in ranks.items()}
    worth |= {f"budget by {name}": np.mean(plan * tauF) for name, plan in plans.items()}
    worth |= {name: np.mean(rule * (tauF - COST)) for name, rule in rules.items()}
    worth |= {"greedy, own rows": np.mean(greedy.predict(X) * reward), "exact, own rows": own_exact}
    return 1000 * pd.Series(worth)


def paired(table, a, b):
    """Mean difference of two columns, with a t interval over rows: one independent draw each."""
    gap = table[a] - table[b]
    reach = t_law.ppf(0.975, len(gap) - 1) * gap.sem()
    ends = (gap.mean() - reach, gap.mean() + reach)
    return Estimate(gap.mean(), gap.sem(), "difference", f"{a} less {b}", len(gap), interval=ends)


# %%
n_first = run.size(ci=12, full=100)
taught = pd.DataFrame([learned(s) for s in run.progress(run.seeds(n_first, "first weeks"), "first weeks")])
PAIRS = {
    "effect": ("a fifth by effect", "a fifth by purchase"),
    "t_rank": ("a fifth by effect", "a fifth by T-learner"),
    "coupon": ("coupons by effect", "coupons by purchase"),
    "net": ("coupons by net effect", "coupons by effect"),
    "budget": ("budget by profit per cost", "budget by effect"),
    "own_greed": ("exact, own rows", "greedy, own rows"),
    "greed": ("exact tree", "greedy tree"),
    "card": ("effect above cost", "exact tree"),
    "t_rule": ("effect above cost", "T-learner above cost"),
    "all": ("exact tree", "show all"),
}
more = {key: paired(taught, a, b) for key, (a, b) in PAIRS.items()}
pd.DataFrame({gap.method: (gap.value, gap.low, gap.high) for gap in more.values()},
             index=["more per 1000", "low", "high"]).T.round(2)  # fmt: skip

# %% tags=["hide-input"]
run.record("first_weeks", n_first)
for key, gap in more.items():
    run.record(f"more_{key}", gap, kind="stochastic", mc_se=gap.se)
for name, key in (("greedy tree", "greedy"), ("exact tree", "exact"), ("effect above cost", "rule"),
                  ("show all", "all")):  # fmt: skip
    run.record(f"{key}_mean", taught[name].mean(), kind="stochastic", mc_se=max(taught[name].sem(), 0.01))
for key in ("effect", "coupon", "budget", "t_rule", "all"):
    run.claim(f"{PAIRS[key][0]} beats {PAIRS[key][1]}, beyond chance", more[key].low > 0, low=more[key].low)
for key in ("t_rank", "net"):
    run.claim(f"{PAIRS[key][0]} and {PAIRS[key][1]} are within two per thousand",
              max(-more[key].low, more[key].high) < 2, low=more[key].low, high=more[key].high)  # fmt: skip
run.claim("the exact tree's gain in truth is not shown", more["greed"].low < 0.5, low=more["greed"].low)
run.claim("the card costs a tenth at most", more["card"].value < 0.1 * taught["effect above cost"].mean())

# %% [markdown]
# Over {glue:text}`first_weeks:d` first weeks, with paired intervals, and per thousand pairs:
#
# - A fifth by effect gains {glue:text}`more_effect:.1f` purchases more than by purchase
#   ({glue:text}`more_effect.low:.1f` to {glue:text}`more_effect.high:.1f`). With coupons the difference is
#   {glue:text}`more_coupon:.1f` ({glue:text}`more_coupon.low:.1f` to {glue:text}`more_coupon.high:.1f`), and within
#   the budget profit per cost gains {glue:text}`more_budget:.1f` more than effect alone
#   ({glue:text}`more_budget.low:.1f` to {glue:text}`more_budget.high:.1f`).
# - As a *ranking* the T-learner is close: the DR-learner gains {glue:text}`more_t_rank:.1f` more
#   ({glue:text}`more_t_rank.low:.1f` to {glue:text}`more_t_rank.high:.1f`). As a *rule*, "show where the prediction
#   is above the cost", it loses {glue:text}`more_t_rule:.1f` ({glue:text}`more_t_rule.low:.1f` to
#   {glue:text}`more_t_rule.high:.1f`): a threshold needs the right size of the effect, a ranking only its order.
# - Learning the net effect for the coupon, in place of the effect, brings {glue:text}`more_net:.1f`
#   ({glue:text}`more_net.low:.1f` to {glue:text}`more_net.high:.1f`): little here.
# - The learner's rule earns {glue:text}`rule_mean:.1f`, the exact tree {glue:text}`exact_mean:.1f`, the greedy one
#   {glue:text}`greedy_mean:.1f`, showing all {glue:text}`all_mean:.1f`. On the rows that made them, the exact tree
#   earns {glue:text}`more_own_greed:.1f` more than the greedy one ({glue:text}`more_own_greed.low:.1f` to
#   {glue:text}`more_own_greed.high:.1f`), in truth {glue:text}`more_greed:.1f` ({glue:text}`more_greed.low:.1f` to
#   {glue:text}`more_greed.high:.1f`). The two differ in more than greed (econml's chooses its questions on half of
#   the
#   rows, and may cut anywhere), and still no difference in truth is shown. An exact search finds the best card *for
#   these rows* and on its grid; it searches their noise, too.
#
# ## Who is harmed?
#
# Some would have bought, and don't because of the display. No log shows a single one of them, for nobody is seen both
# ways. From the two chances $p_0 = P(Y(0) = 1)$ and $p_1 = P(Y(1) = 1)$ follows only a range
# {cite:p}`fan2010sharp`:
#
# $$\max(0,\ p_0 - p_1) \;\le\; P(Y(0) = 1,\ Y(1) = 0) \;\le\; \min(p_0,\ 1 - p_1).$$
#
# It is *sharp*: each value in it belongs to some joint law with these two chances. Columns narrow it: take the range
# for each $x$, and average {cite:p}`kallus2022harm`. That is {term}`partial identification`. Predictions choose the
# branch of each row (is $p_0$ above $p_1$?), and scores of other rows fill it in; so a bad model makes the range
# wide, not wrong.


# %%
def harm_by_hand(psi0, psi1, q0, q1):
    """Least and largest share of the harmed, with the branch chosen by predictions q0 and q1."""
    least = np.where(q0 > q1, psi0 - psi1, 0)
    most = np.where(q0 < 1 - q1, psi0, 1 - psi1)
    return least.mean(), most.mean()


constant = [np.full(len(psi), own.mean()) for own in (own0, own1)]  # the first week's two means
harm = {"two means": harm_bounds(psi0, psi1, *constant), "columns": harm_bounds(psi0, psi1, p0, p1)}
assert np.allclose(harm_by_hand(psi0, psi1, p0, p1), [harm["columns"].low.value, harm["columns"].high.value])
p0B = pairs["p0"].to_numpy()
y0, y1 = shop.truth.potential_outcomes(second_seed)  # both outcomes of each pair: no real log has this
spots = log2["user"].to_numpy(), log2["item"].to_numpy()
HARMED = {
    "this shop, its second week": np.mean((y0 * (1 - y1))[spots]),
    "this shop, on average": np.mean(np.maximum(0, p0B - p1B)),
    "a twin that draws the two outcomes apart": np.mean(p0B * (1 - p1B)),
}
for name, found_harm in harm.items():
    print(f"by {name}: {found_harm.low.value:.2%} to {found_harm.high.value:.2%}, "
          f"interval {found_harm.interval[0]:.2%} to {found_harm.interval[1]:.2%}")  # fmt: skip
pd.Series(HARMED).mul(100).round(2).to_frame("harmed, per cent")

# %% tags=["hide-input"]
run.record("harm_low", harm["columns"].low)
run.record("harm_high", harm["columns"].high, truth=HARMED["this shop, on average"],
           naive=HARMED["a twin that draws the two outcomes apart"])  # fmt: skip
run.record("harm_from", harm["columns"].interval[0])
run.record("harm_to", harm["columns"].interval[1])
run.record("harm_means_high", harm["two means"].high.value)
run.record("harm_shop", HARMED["this shop, on average"])
run.record("harm_week", HARMED["this shop, its second week"])
run.record("harm_twin", HARMED["a twin that draws the two outcomes apart"])
for name, share in HARMED.items():
    run.claim(f"the interval holds {name}", harm["columns"].interval[0] <= share <= harm["columns"].interval[1])
run.claim("the twin harms many times more", HARMED["a twin that draws the two outcomes apart"] > 5 * HARMED[
    "this shop, on average"])  # fmt: skip
run.claim("the means alone can't rule out that nobody is harmed", harm["two means"].low.value == 0)
run.claim("the average effect is positive", card.low > 0)

# %% [markdown]
# The display raises purchases on average, and the two means allow any share of harmed pairs from none to
# {glue:text}`harm_means_high:.1%`. The columns say {glue:text}`harm_low:.2%` to {glue:text}`harm_high:.1%` (interval
# {glue:text}`harm_from:.2%` to {glue:text}`harm_to:.1%`; less than none reads as none). In this shop
# {glue:text}`harm_shop:.2%` are harmed on average, and {glue:text}`harm_week:.2%` were in the second week. But a twin
# shop with the same chances for every pair, which draws the two outcomes apart, harms {glue:text}`harm_twin:.1%`, and
# writes logs that nobody can tell from ours. Which of the two you run is an assumption, about what lets the same
# person buy with and without a display. The range is what the log itself says.
#
# What a log *can* judge is the mean effect in a group that was named beforehand, say the tenth of the pairs with the
# lowest predicted effect.

# %%
edge = np.quantile(learner.predict(X), 0.1)  # named in the first week
group, groupB = learner.predict(X2) <= edge, learner.predict(XB) <= edge
named = policy_gain(psi, group, costs=costs)
TENTH = {"in all": np.mean(tauB < 0), "in the group": np.mean(tauB[groupB] < 0), "held": np.mean(groupB[tauB < 0])}
run.record("tenth", 1000 * named.value, truth=1000 * np.mean(groupB * (tauB - COST)), naive=100 * tauB.mean())
run.record("tenth_low", 1000 * named.low)
run.record("tenth_high", 1000 * named.high)
for name, share in TENTH.items():
    run.record("tenth_" + name.replace(" ", "_"), share)
run.claim("the group doesn't pay in truth", np.mean(groupB * (tauB - COST)) < 0)
run.claim("the display lowers the chance more often there", TENTH["in the group"] > 1.1 * TENTH["in all"], **{
    name.replace(" ", "_"): share for name, share in TENTH.items()})  # fmt: skip
run.claim("most such pairs are outside", TENTH["held"] < 0.5)
pd.Series(TENTH, name="pairs whose chance a display lowers").round(3)

# %% [markdown]
# After the slots' cost, showing this tenth changes profit by {glue:text}`tenth:.1f` per thousand pairs
# ({glue:text}`tenth_low:.1f` to {glue:text}`tenth_high:.1f`; in truth {glue:text}`tenth.truth:.1f`): leave it out.
# But it is not "the harmed". A display lowers the chance of {glue:text}`tenth_in_all:.0%` of all pairs and of
# {glue:text}`tenth_in_the_group:.0%` in the group, which holds {glue:text}`tenth_held:.0%` of such pairs. If harm
# weighs more than a lost sale, give it its own cost in the rule, and say which share of the range you charge.
#
# ## Two real offers
#
# **Insurance.** {cite:t}`cai2015social` invited rice farmers to a session about weather insurance, by lot a short one
# or one that explains it in full. A full session costs more. There is money for three farmers in ten: who should get
# it, and is choosing worth it? **Pensions.** Some employers offer a pension plan with a tax advantage (401(k)); the
# outcome is net assets in thousand dollars. That is no experiment: we take eligibility for as good as random given
# income, age and family. Three families in ten get the offer.
#
# Models never see the rows that they rank; farmers of a village stay together, and the errors are by village. How
# rows fall into folds is chance, so we deal many times and take the median {cite:p}`chernozhukov2018double`.


# %%
def held_out(X, t, y, folds, model, chance=None):
    """Scores, predicted effect and predicted outcome if treated, of rows by models from other folds."""
    psi, effect, level = np.empty((3, len(y)))
    for k in np.unique(folds):
        a, b = folds != k, folds == k
        mu0, mu1 = (clone(model).fit(X[a & (t == g)], y[a & (t == g)]).predict(X[b]) for g in (0, 1))
        e = t[a].mean() if chance is None else clone(chance).fit(X[a], t[a]).predict_proba(X[b])[:, 1]
        psi[b] = -np.subtract(*arm_scores(y[b], t[b], e, mu0, mu1))
        effect[b], level[b] = mu1 - mu0, mu1
    return psi, effect, level


def by_rank(psi, ranks, clusters=None, share=0.3):
    """Gain of each ranking at a share, and what it gains more than the same number of offers by lot."""
    lot = policy_gain(psi, np.full(len(psi), share), clusters=clusters)
    gains = {name: share_gain(psi, rank, share, clusters=clusters) for name, rank in ranks.items()}
    return {"by lot": lot} | gains | {f"{n} less lot": effects.contrast(g, lot) for n, g in gains.items()}


farmers = data.load("insurance_network")
ABOUT = ["age", "male", "literate", "household_size", "rice_area", "disaster_probability", "risk_aversion",
         "default_buy", "earlier_takeup"]  # fmt: skip
F = farmers[ABOUT].fillna(farmers[ABOUT].median())
F = F.assign(rice_area=np.log1p(F["rice_area"])).to_numpy(float)
full, bought = farmers["intensive"].to_numpy(float), farmers["takeup"].to_numpy(float)
village = pd.factorize(farmers["village"])[0]
deals = []
for seed in run.seeds(run.size(ci=40, full=200), "villages to folds"):
    folds = (np.random.default_rng(seed).permutation(village.max() + 1) % 5)[village]
    score, effect, level = held_out(F, full, bought, folds, LinearRegression())
    deals.append(by_rank(score, {"effect": effect, "purchase": level}, village))
session = {name: over_partitions([deal[name] for deal in deals]) for name in deals[0]}
lot = difference_in_means(bought, full, clusters=village)
pd.DataFrame({n: (g.value, g.low, g.high) for n, g in session.items()},
             index=["policies a farmer", "low", "high"]).T.round(4)  # fmt: skip

# %%
families = data.load("pension_401k")
P = families[["income", "age", "family_size", "married", "male"]].to_numpy(float)
offer, assets = families["eligible"].to_numpy(float), families["net_assets"].to_numpy(float)
how = {"max_iter": 40, "learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 50, "random_state": 0}
plans = []
for seed in run.seeds(run.size(ci=6, full=40), "families to folds"):
    folds = np.random.default_rng(seed).permutation(len(P)) % 2
    learners = HistGradientBoostingRegressor(**how), HistGradientBoostingClassifier(**how)
    score, effect, level = held_out(P, offer, assets, folds, *learners)
    plan = by_rank(score, {"effect": effect, "assets": level, "income": P[:, 0]})
    plans.append(plan | {"income less effect": effects.contrast(plan["income"], plan["effect"])})
pension = {name: over_partitions([plan[name] for plan in plans]) for name in plans[0]}
pd.DataFrame({n: (g.value, g.low, g.high) for n, g in pension.items()},
             index=["thousand dollars a family", "low", "high"]).T.round(2)  # fmt: skip

# %% tags=["hide-input"]
run.record("session_mean", lot, naive=bought[full == 1].mean())
complete = farmers.dropna()
run.record("session_complete", difference_in_means(complete["takeup"], complete["intensive"]).value)
run.record("session", session["effect"])
run.record("session_more", session["effect less lot"])
run.record("session_price", 0.3 / session["effect"].high)
singles = np.array([deal["effect less lot"].value for deal in deals])
run.record("session_worst", singles.min(), kind="stochastic", mc_se=singles.std())
run.record("session_best", singles.max(), kind="stochastic", mc_se=singles.std())
run.claim("the full session has no effect that a trial of this size can see", lot.covers(0), low=lot.low)
run.claim("nor do the farmers that the ranking puts first", session["effect"].covers(0), low=session["effect"].low)
run.claim("choosing is not shown to beat lots", session["effect less lot"].covers(0) and session[
    "purchase less lot"].covers(0), **{k: v.low for k, v in session.items() if "less" in k})  # fmt: skip
for name, key in (("effect", "plan"), ("income", "plan_income"), ("by lot", "plan_lot"),
                  ("income less lot", "plan_more"), ("income less effect", "plan_less")):  # fmt: skip
    run.record(key, pension[name], naive=assets[offer == 1].mean() * 0.3)
run.claim("income beats lots", pension["income less lot"].low > 0, low=pension["income less lot"].low)
run.claim(
    "income is not worse than the learned effect by more than a little", pension["income less effect"].low > -0.5
)

# %% [markdown]
# **Insurance: choosing is not shown to pay.** In the whole trial a full session changes take-up by
# {glue:text}`session_mean:.3f` ({glue:text}`session_mean.low:.3f` to {glue:text}`session_mean.high:.3f`). Given to
# the three in ten with the largest predicted effects it gains {glue:text}`session:.3f` policies a farmer of the
# village ({glue:text}`session.low:.3f` to {glue:text}`session.high:.3f`), {glue:text}`session_more:.3f` more than by
# lot ({glue:text}`session_more.low:.3f` to {glue:text}`session_more.high:.3f`). Single deals of villages to folds say
# anything from {glue:text}`session_worst:.3f` to {glue:text}`session_best:.3f`: who reports one of them can choose.
# Even at the upper end it takes {glue:text}`session_price:.1f` full sessions in place of short ones for one more
# policy: choosing pays only where a policy is worth more than the extra cost of that many. And farmers talk: a
# short session may look
# better because neighbours sat in a full one, so the trial can't promise what *all* short, or all full, would bring.
#
# **Pensions: income beats lots, and the learner is not shown to.** Offers by lot gain {glue:text}`plan_lot:.1f`
# thousand
# dollars a family, by predicted effect {glue:text}`plan:.1f` (its difference to lots, in the table, is at the edge of
# what chance does), and by income alone {glue:text}`plan_income:.1f`. Income gains
# {glue:text}`plan_more:.1f` more than lots ({glue:text}`plan_more.low:.1f` to {glue:text}`plan_more.high:.1f`) and
# {glue:text}`plan_less:.1f` more than the predicted effect ({glue:text}`plan_less.low:.1f` to
# {glue:text}`plan_less.high:.1f`). It does no worse. Nor, in the table, does the predicted *outcome*: here those
# who have
# most also seem to gain most. All of this takes eligibility for random given the columns. If what is hidden grows
# with
# income, so does its bias, and a ranking by income ranks by it. And a rule that gives the rich more is a choice
# that no curve makes for you: the outcome counts
# dollars, not who needs them.
#
# ## One definition, and what libraries call by the same names
#
# We use one. $G(s)$ is a gain a row of all rows. **AUUC** is its area, **Qini** the area above the random line, which
# is {term}`RATE` with Qini weights {cite:p}`yadlowsky2025evaluating`. Both are in purchases a pair, with an interval,
# and are divided by nothing. Here are the numbers that libraries give for one ranking of one randomised week.

# %%
fair = make_world(confounding="none").exposure_log(n_pairs=20_000, seed=run.seeds(1, "coin")[0])
yf, tf, rank = fair["consumed"], fair["exposed"], learner.predict(fair[COLUMNS].to_numpy(float))
rank = rank + 1e-9 * run.rng.random(len(rank))  # ties would be broken in different ways
share = tf.mean()
plain = (yf * tf / share - yf * (1 - tf) / (1 - share)).to_numpy()  # scores without a model
ours = {"AUUC": area(plain, rank), "Qini": rate(plain, rank, weighting="qini")}
rosetta = by_convention(yf, tf, rank)
rosetta["ours, AUUC"], rosetta["ours, Qini"] = ours["AUUC"].value, ours["Qini"].value
rosetta["econml, Qini"] = calc_uplift(rank, rank, plain, np.linspace(5, 95, 50), "qini", 2)[0]
rosetta.sort_index().round(5).to_frame()

# %% tags=["hide-input"]
run.record("qini_ours", ours["Qini"].value)
run.record("qini_se", ours["Qini"].se)
run.record("qini_scikit", rosetta["scikit-uplift, Qini AUC"], naive=ours["Qini"].value)
run.record("qini_causalml", rosetta["causalml, Qini"], naive=ours["Qini"].value)
run.record("qini_econml", rosetta["econml, Qini"])
qinis = rosetta[[name for name in rosetta.index if "Qini" in name]]
run.claim("numbers called Qini differ more than a thousandfold", qinis.max() > 1000 * qinis.min())
run.claim("econml's is near ours", abs(rosetta["econml, Qini"] - ours["Qini"].value) < ours["Qini"].se)

# %% [markdown]
# | number | gain is | divided by | random order is at |
# |---|---|---|---|
# | ours, AUUC | mean score of the first rows, a row of all | nothing | half the mean effect |
# | ours, Qini | the same, less the random line | nothing | zero |
# | grf (R), RATE with QINI | the same, by default on ten shares | nothing | zero |
# | pylift, Q | the same, in a trial | nothing | zero |
# | econml, Qini | the same, on a grid of shares | nothing | zero |
# | scikit-uplift, uplift AUC | difference of means, times rows, less the line | a "perfect" order | zero |
# | scikit-uplift, Qini AUC | treated buyers less rescaled others, less the line | a "perfect" order | zero |
# | causalml, AUUC | difference of means, times rows | nothing, or the last point | half the last point |
# | causalml, Qini | treated buyers less rescaled others, less the line | nothing, or the last point | zero |
#
# One ranking, one week: {glue:text}`qini_ours:.4f` (ours, standard error {glue:text}`qini_se:.4f`),
# {glue:text}`qini_econml:.4f` (econml), {glue:text}`qini_scikit:.4f` (scikit-uplift), {glue:text}`qini_causalml:.1f`
# (causalml). The scores of scikit-uplift and causalml are computed here by their conventions; tests hold them, and
# our Qini to pylift's, to what these libraries printed. grf was not run. The "perfect" order puts treated buyers
# first: it has seen outcomes that no ranking can know, so a score of one is out of reach. Compare rankings under one
# convention, on the same rows.

# %%
mails = data.load_optional("hillstrom")
if mails is not None:
    women = mails[mails["segment"] != "Mens E-Mail"].reset_index(drop=True)
    mailed = (women["segment"] == "Womens E-Mail").to_numpy(float)
    W = women[["recency", "history", "mens", "womens", "newbie"]].to_numpy(float)
    visit = women["visit"].to_numpy(float)
    uplift = visit[mailed == 1].mean() - visit[mailed == 0].mean()
    uplift_se = np.sqrt(sum(visit[mailed == g].var() / (mailed == g).sum() for g in (0, 1)))
    order = run.rng.permutation(len(women))
    a, b = order[::2], order[1::2]
    m0, m1 = (m.predict_proba(W[b])[:, 1] for m in buyers(W[a], mailed[a], visit[a]))
    score = -np.subtract(*arm_scores(visit[b], mailed[b], mailed.mean(), m0, m1))
    mail_qini = {"effect": rate(score, m1 - m0, weighting="qini"), "visit": rate(score, m1, weighting="qini")}
    run.record("mail_uplift", uplift, naive=visit[mailed == 1].mean(), optional=True)
    run.record("mail_uplift_se", uplift_se, optional=True)
    run.record("mail_qini", mail_qini["effect"], optional=True)
    course.say(
        f"**Hillstrom** (women's e-mail or none, by lot, {len(women):,} customers). The mail raises visits by "
        f"{uplift:.4f} (standard error {uplift_se:.4f}). Learned on one half and judged on the other, the Qini "
        f"coefficient of the predicted effect is {mail_qini['effect'].value:.4f} ({mail_qini['effect'].low:.4f} to "
        f"{mail_qini['effect'].high:.4f}), that of the predicted visit {mail_qini['visit'].value:.4f} "
        f"({mail_qini['visit'].low:.4f} to {mail_qini['visit'].high:.4f})."
    )

# %% [markdown]
# ## Learning a policy by gradient
#
# With many actions there are no two models to subtract. {term}`Off-policy learning` goes straight for the value: make
# the policy a softmax with parameters, and climb the estimate that a log gives of it. Here twelve groups of users
# (segment and activity) choose among thirty items, from four thousand rounds of a log that leans to high scores.
#
# Climbing IPS, $\frac1n \sum w_i y_i$ with $w = \pi(a \mid x) / e$, looks for rounds with a purchase and a small
# $e$. So one caps the weights, or climbs a **pessimistic** value: IPS less $\lambda$ of its own standard errors
# {cite:p}`swaminathan2015counterfactual`.

# %%
SHELF = np.arange(0, 1000, 34)
activity = pd.qcut(shop.users["activity"].rank(method="first"), 3, labels=False).to_numpy()
GROUP = 3 * shop.users["segment"].cat.codes.to_numpy() + activity
PLACE = np.full(1000, -1)
PLACE[SHELF] = np.arange(len(SHELF))
lean = np.exp(shop.scores[:, SHELF] / 0.7)
LOGGER = np.zeros(shop.shape)
LOGGER[:, SHELF] = 0.9 * lean / lean.sum(axis=1, keepdims=True) + 0.1 / len(SHELF)


def rounds(seed, logger=LOGGER, n=4_000):
    """Group, item, purchase and propensity of each round."""
    log = shop.bandit_log(n, policy=logger, seed=seed)
    return GROUP[log["user"]], PLACE[log["item"]], log["reward"].to_numpy(float), log["propensity"].to_numpy()


every = pd.DataFrame({"user": np.repeat(np.arange(shop.shape[0]), len(SHELF)), "item": np.tile(SHELF, shop.shape[0])})
chance = shop.truth.pairs(every)["p1"].to_numpy().reshape(-1, len(SHELF))
WORTH = np.eye(12)[GROUP].T @ chance / len(GROUP)  # of giving an item to a group, purchases a display


def true_value(policy):
    """Exact value of a policy by group and item."""
    return np.sum(policy * WORTH)


# %%
def by_gradient(x, a, y, e, caution=0.0, steps=150, rate=0.15):
    """Climb IPS less `caution` standard errors of it, from the uniform policy on."""
    x, a, y, e = (torch.as_tensor(part) for part in (x, a, y, e))
    logits = torch.zeros((12, len(SHELF)), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=rate)
    for _ in range(steps):
        rows = torch.softmax(logits, dim=1)[x, a] / e * y
        loss = -rows.mean() + caution * rows.std() / len(rows) ** 0.5
        adam.zero_grad()
        loss.backward()
        adam.step()
    return torch.softmax(logits, dim=1).detach().numpy()


one = rounds(run.seeds(1, "one log")[0])
hand = by_gradient(*one, caution=4.0)
assert np.allclose(hand, softmax_policy(*one, len(SHELF), objective="pessimistic", caution=4.0, steps=150, rate=0.15))


# %%
def mean_reward(x, a, y, e):
    """Weighted mean reward of each item in each group, pulled towards the item's mean over all groups."""
    k = len(SHELF)
    overall = np.bincount(a, y / e, k) / np.maximum(np.bincount(a, 1 / e, k), 1)
    num, den = (np.zeros((12, k)) for _ in range(2))
    np.add.at(num, (x, a), y / e)
    np.add.at(den, (x, a), 1 / e)
    return (num + 300 * overall) / (den + 300), overall


CLIMB = {
    "IPS": {"objective": "IPS"},
    "clipped IPS": {"objective": "clipped IPS", "threshold": 10.0},
    "pessimistic": {"objective": "pessimistic", "caution": 4.0},
}
n_logs, rows = run.size(ci=32, full=200), []
both = run.seeds(2 * n_logs, "logs to learn from and to judge on")
for learn, judge in run.progress(list(zip(both[::2], both[1::2], strict=True)), "logs"):
    seen, fresh = rounds(learn), rounds(judge)
    q, overall = mean_reward(*seen)
    made = {name: softmax_policy(*seen, len(SHELF), steps=150, rate=0.15, **how) for name, how in CLIMB.items()}
    made["DR"] = softmax_policy(*seen, len(SHELF), objective="DR", q=q, steps=150, rate=0.15)
    made["best mean item"] = np.tile(np.eye(len(SHELF))[overall.argmax()], (12, 1))
    for name, policy in made.items():
        own, other = (
            off_policy_value(y, at_actions(policy[x], a), e, estimator="IPS", refuse="flag")
            for x, a, y, e in (seen, fresh)
        )
        true_one = true_value(policy)
        rows.append({"policy": name, "own rounds": own.value, "fresh rounds": other.value, "truth": true_one,
                     "own covers": own.covers(true_one), "fresh covers": other.covers(true_one)})  # fmt: skip
climbed = pd.DataFrame(rows)
full = np.zeros(shop.shape)
full[:, SHELF] = policy[GROUP]
assert np.isclose(true_one, shop.truth.policy_value(full))
wide = climbed.pivot_table("truth", climbed.groupby("policy").cumcount(), "policy")
summary = climbed.groupby("policy").mean().sort_values("truth")
logged = shop.truth.policy_value(LOGGER)
summary["less IPS"] = [wide[name].mean() - wide["IPS"].mean() for name in summary.index]
summary.round(3)

# %% tags=["hide-input"]
SHOWN = {"own rounds": ("naive", "s"), "fresh rounds": ("estimate", "o"), "truth": ("truth", "d")}
fig, ax = plt.subplots(figsize=(6.2, 3.4))
for row, name in enumerate(summary.index):
    part = climbed[climbed["policy"] == name]
    for column, (key, marker) in SHOWN.items():
        ax.plot(part[column].quantile([0.1, 0.9]), [row, row], color=plots.COLORS[key], linewidth=2, alpha=0.6)
        ax.plot(part[column].mean(), row, marker, color=plots.COLORS[key], label=column if row == 0 else None)
ax.axvline(logged, color=plots.COLORS["ink"], linewidth=0.8, linestyle=":")
ax.set(yticks=range(len(summary)), yticklabels=summary.index, xlabel="purchases a display (dotted: the log's policy)")
ax.legend(fontsize=8)
plots.show(
    fig,
    alt="Five learned policies with three values each: on their own rounds, on fresh rounds, and in truth. "
    "For the policies that climb, the first lies far to the right; fresh rounds and truth lie together.",
    caption="A policy that was climbed promises far more than it keeps (squares). Fresh rounds (circles) tell the "
    "truth on average, with wide noise.",
)
ips = climbed[climbed["policy"] == "IPS"]
run.record("logs", n_logs)
run.record("logged", logged)
for column, key in (("own rounds", "own"), ("fresh rounds", "fresh"), ("truth", "true")):
    run.record(f"ips_{key}", ips[column].mean(), kind="stochastic", mc_se=max(ips[column].sem(), 0.003))
for name, key in (("pessimistic", "pess"), ("best mean item", "item")):
    run.record(f"{key}_true", wide[name].mean(), kind="stochastic", mc_se=max(wide[name].sem(), 0.003))
run.claim("no gradient comes near the best mean item",
          min(paired(wide, "best mean item", name).low for name in (*CLIMB, "DR")) > 0)  # fmt: skip
run.claim("IPS promises twice what it keeps", ips["own rounds"].mean() > 2 * ips["truth"].mean())
run.claim("its own interval hardly ever holds the truth", ips["own covers"].mean() < 0.1)
off = (climbed["fresh rounds"] - climbed["truth"]).groupby(climbed.groupby("policy").cumcount()).mean()  # by log
run.claim("fresh rounds are right on average", abs(off.mean()) < 3.5 * off.sem(), off=off.mean())
for a, b, key in (("pessimistic", "IPS", "pess"), ("clipped IPS", "IPS", "clip"), ("DR", "IPS", "dr"),
                  ("best mean item", "pessimistic", "item")):  # fmt: skip
    gap = paired(wide, a, b)
    run.record(f"{key}_more", gap, kind="stochastic", mc_se=gap.se)
    if key != "dr":  # whose interval speaks for itself
        run.claim(f"{a} beats {b}", gap.low > 0, low=gap.low)

# %% [markdown]
# Over {glue:text}`logs:d` logs, climbed IPS says of itself {glue:text}`ips_own:.2f` purchases a display. Fresh rounds
# say {glue:text}`ips_fresh:.2f`, the truth is {glue:text}`ips_true:.2f`; the log's own policy has
# {glue:text}`logged:.2f`. Pessimism makes {glue:text}`pess_true:.3f`, that is {glue:text}`pess_more:.3f` more than
# plain IPS on the same logs ({glue:text}`pess_more.low:.3f` to {glue:text}`pess_more.high:.3f`). Clipping
# instead makes {glue:text}`clip_more:.3f` more than plain IPS ({glue:text}`clip_more.low:.3f` to
# {glue:text}`clip_more.high:.3f`), DR with a model of
# group and item (made from the same rounds that it mends, so its residuals are too small; other rounds would be the
# clean way) {glue:text}`dr_more:.3f` ({glue:text}`dr_more.low:.3f` to {glue:text}`dr_more.high:.3f`). Caution and
# threshold are ours, set by hand and not tuned here. But a rule without any gradient, "everybody gets the item with
# the best weighted mean", makes {glue:text}`item_true:.3f`, {glue:text}`item_more:.3f` more than pessimism
# ({glue:text}`item_more.low:.3f` to {glue:text}`item_more.high:.3f`). None of these objectives, as set here, reaches
# that one choice for everybody. It has fewer things to learn, and it divides by the sum of the weights; which of both
# helps was not tried apart.
#
# As in the chapter before, this value is no effect: it counts what would have been bought anyway. The log of a bandit
# holds no rounds without a display, so it can't be ranked by lift.
#
# ## When it breaks
#
# **Uplift in sample.** Judge a learner on the rows that it learned from. Here a learner without restraint: trees with
# small leaves, on a twentieth of a week.


# %%
def in_sample(learn, judge, n=1_000):
    """Gain at a fifth of a learner without restraint: on its own rows, on fresh rows, and in truth."""
    greedy, row = HistGradientBoostingRegressor(max_iter=100, min_samples_leaf=5, random_state=0), {}
    for name, seed in (("own", learn), ("fresh", judge)):
        X, t, y, e, _ = week(seed, n=n)
        plain = y * t / e - y * (1 - t) / (1 - e)
        if name == "own":
            greedy.fit(X, plain)
            row["truth"] = gain_by_hand(tauF, greedy.predict(XF), SHARE)
        gain = share_gain(plain, greedy.predict(X), SHARE)
        row |= {f"{name} rows": gain.value, f"{name} covers": gain.covers(row["truth"])}
    return row


n_small = run.size(ci=16, full=100)
small = run.seeds(2 * n_small, "small weeks to learn from and to judge on")
sampled = pd.DataFrame([in_sample(*both) for both in zip(small[::2], small[1::2], strict=True)])
sampled.mean().round(4)

# %% tags=["hide-input"]
run.record("own_rows", 1000 * sampled["own rows"].mean(), truth=1000 * sampled["truth"].mean(), kind="stochastic",
           mc_se=1000 * sampled["own rows"].sem())  # fmt: skip
run.record("fresh_rows", 1000 * sampled["fresh rows"].mean(), kind="stochastic",
           mc_se=1000 * sampled["fresh rows"].sem())  # fmt: skip
run.claim("own rows promise several times the truth", sampled["own rows"].mean() > 3 * sampled["truth"].mean())
run.claim("and their intervals miss it", sampled["own covers"].mean() < 0.2)
run.claim("fresh rows cover, up to chance", sampled["fresh covers"].sum() >= binom.ppf(0.001, n_small, 0.95))
off = sampled["fresh rows"] - sampled["truth"]
run.claim("fresh rows are right on average", abs(off.mean()) < 3.5 * off.sem(), off=off.mean())
run.record("small_weeks", n_small)

# %% [markdown]
# Over {glue:text}`small_weeks:d` such logs, own rows promise {glue:text}`own_rows:.0f` purchases per thousand; fresh
# rows say {glue:text}`fresh_rows:.0f`, and the truth is {glue:text}`own_rows.truth:.0f`. The interval is computed
# correctly, and answers another question: it takes the ranking as given, and this one was made from the noise that it
# is judged on.
#
# **A confounded log.** In a shop in which hidden taste moves display and purchase, fit $e$ on the columns and go on.
# The same steps in a shop without hidden taste are the control.

# %%
veiled, rows = {"open": make_world(1000, 500), "hidden": make_world(1000, 500, confounding="hidden")}, []
for seed in run.progress(run.seeds(run.size(ci=8, full=40), "hidden weeks"), "hidden weeks"):
    for name, world in veiled.items():
        X, t, y, _, log = week(seed, world)
        scaled = X / X.std(axis=0)
        chance = LogisticRegression(C=np.inf, max_iter=500).fit(scaled, t).predict_proba(scaled)[:, 1]
        half = np.arange(len(y)) % 2 == 0
        mu0, mu1 = (m.predict_proba(X[~half])[:, 1] for m in buyers(X[half], t[half], y[half]))
        scored = -np.subtract(*arm_scores(y[~half], t[~half], chance[~half], mu0, mu1))
        real = world.truth.pairs(log)["tau"].to_numpy()[~half]
        rows.append({"shop": name, "estimate": share_gain(scored, mu1 - mu0, SHARE).value,
                     "truth": gain_by_hand(real, mu1 - mu0, SHARE)})  # fmt: skip
hidden = pd.DataFrame(rows)
hidden["excess"] = hidden["estimate"] - hidden["truth"]
hidden.groupby("shop").mean().mul(1000).round(1)

# %% tags=["hide-input"]
for name, part in hidden.groupby("shop"):
    run.record(f"{name}_estimate", 1000 * part["estimate"].mean(), truth=1000 * part["truth"].mean(),
               mc_se=1000 * part["estimate"].sem())  # fmt: skip
    run.record(f"{name}_excess", 1000 * part["excess"].mean(), mc_se=1000 * part["excess"].sem())
both = hidden.pivot_table("excess", hidden.groupby("shop").cumcount(), "shop")
run.claim("hidden taste alone makes the curve too high", paired(both, "hidden", "open").low > 0)
run.claim("it is too high by far", both["hidden"].mean() > 4 * both["hidden"].sem())

# %% [markdown]
# With hidden taste the gain at a fifth reads {glue:text}`hidden_estimate:.1f` where
# {glue:text}`hidden_estimate.truth:.1f` is true; without it, {glue:text}`open_estimate:.1f` where
# {glue:text}`open_estimate.truth:.1f` is. No property of the curve shows it; a
# {doc}`sensitivity analysis </chapters/weighting/04_sensitivity>` says how much it could be.
#
# **Pessimism without support.** Suppose the logger never shows ten of the thirty items: those that sell best, which
# someone took out. What a log can't see, no caution can choose.

# %%
sells = np.array([true_value(np.tile(row, (12, 1))) for row in np.eye(len(SHELF))])
gone = np.argsort(-sells)[:10]
NARROW = LOGGER.copy()
NARROW[:, SHELF[gone]] = 0
NARROW /= NARROW.sum(axis=1, keepdims=True)
rows = []
for seed in run.seeds(run.size(ci=12, full=40), "narrow logs"):
    seen = rounds(seed, NARROW)
    q, overall = mean_reward(*seen)
    q[:, gone] = seen[2].mean() * 3  # a model that has a high opinion of what it never saw
    safe = softmax_policy(*seen, len(SHELF), objective="pessimistic", caution=4.0, steps=150, rate=0.15)
    bold = softmax_policy(*seen, len(SHELF), objective="DR", q=q, steps=150, rate=0.15)
    rows.append({"pessimistic, on unseen items": safe[:, gone].sum(axis=1).mean(), "its truth": true_value(safe),
                 "DR, on unseen items": bold[:, gone].sum(axis=1).mean()})  # fmt: skip
narrow = pd.DataFrame(rows)
narrow.mean().round(3)

# %% tags=["hide-input"]
run.record("unseen_safe", narrow["pessimistic, on unseen items"].mean(), kind="stochastic",
           mc_se=max(narrow["pessimistic, on unseen items"].sem(), 0.002))  # fmt: skip
run.record("unseen_bold", narrow["DR, on unseen items"].mean(), kind="stochastic",
           mc_se=max(narrow["DR, on unseen items"].sem(), 0.005))  # fmt: skip
run.record("narrow_true", narrow["its truth"].mean(), kind="stochastic", mc_se=max(narrow["its truth"].sem(), 0.002))
run.record("missed", sells.max())
run.claim("the cautious policy leaves unseen items alone", narrow["pessimistic, on unseen items"].mean() < 0.1)
run.claim("a hopeful model goes there", narrow["DR, on unseen items"].mean() > 0.3)
run.claim("the best unseen item is worth more", sells.max() > 1.3 * narrow["its truth"].mean())

# %% [markdown]
# The pessimistic policy puts {glue:text}`unseen_safe:.0%` of its displays on items that were never shown, and earns
# {glue:text}`narrow_true:.2f`; showing everybody the best of these items would earn {glue:text}`missed:.2f`. DR with
# a hopeful model puts {glue:text}`unseen_bold:.0%` there, on the model's word alone. Neither is mended by an
# objective: only by a logger that explores.
#
# ## What this means for a language-model recommender
#
# - **A model that writes "you will love this" predicts purchase.** Ask what the display changes, and judge the
#   ranking on a week with known chances of a display.
# - **Tokens are a cost.** A long personal message costs more than a banner. Put its cost beside its effect, for each
#   user, before deciding who gets it.
# - **Fine-tuning on clicks is off-policy learning.** Reward-weighted fine-tuning on logged answers climbs a lower
#   bound of IPS (it has the logarithm of each weight in place of the weight), with very many parameters. Keep
#   log-probabilities, cap the weights, and judge on rounds that were kept out.
#
# ## Exercises
#
# ### Exercise 1: a point of the uplift curve
#
# Scores `psi`, a priority, a share `s`; the share times the rows is a whole number. Return the gain a row of all
# rows.
#
# <details><summary>Hint</summary>
#
# Rows that are not treated count as zero, not as absent.
#
# </details>


# %% tags=["exercise"]
def uplift_point(psi, priority, s):
    """Return the gain of treating the first share."""
    # BEGIN SOLUTION
    first = np.argsort(-priority)[: round(s * len(psi))]
    return psi[first].sum() / len(psi)
    # END SOLUTION


# %% tags=["check"]
check("recommenders/03.1", uplift_point)

# %% [markdown]
# ### Exercise 2: profit with a coupon
#
# A randomised trial with treated share `p`: outcomes `y` (0 or 1), treatment `t`, a rule `treat` (0 or 1) made
# elsewhere. A treated purchase leaves only `1 - c` of its margin. Return the rule's profit a row over treating
# nobody.
#
# <details><summary>Hint</summary>
#
# Put the cost into the outcome of the treated, then weight by the chances.
#
# </details>


# %% tags=["exercise"]
def coupon_profit(y, t, treat, p, c):
    """Return the profit of a rule with coupons."""
    # BEGIN SOLUTION
    kept = y * (1 - c * t)
    return np.mean(treat * (kept * t / p - kept * (1 - t) / (1 - p)))
    # END SOLUTION


# %% tags=["check"]
check("recommenders/03.2", coupon_profit)

# %% [markdown]
# ### Exercise 3: a planted error
#
# A colleague picks the best of several rules and reports its value. He is always disappointed afterwards. `gains` has
# one row a customer and one column a rule: the score where the rule treats, zero elsewhere.
#
# ```python
# def value_of_best(gains):
#     means = gains.mean(axis=0)
#     return means[means.argmax()]
# ```
#
# Choose on the even rows (0, 2, ...), judge on the odd ones.
#
# <details><summary>Hint</summary>
#
# The largest of several noisy means is too large. Which rows know nothing of the choice?
#
# </details>


# %% tags=["exercise"]
def value_of_best(gains):
    """Return the value of the best rule, judged on rows that did not choose it."""
    # BEGIN SOLUTION
    best = gains[::2].mean(axis=0).argmax()
    return gains[1::2, best].mean()
    # END SOLUTION


# %% tags=["check"]
check("recommenders/03.3", value_of_best)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "A ranking by predicted purchase has an AUC of 0.9 for purchases. Is it a good ranking for coupons?",
    {
        "Yes, it knows who buys": (False, "It puts people first who buy anyway, and they take the coupon too."),
        "That number can't tell": (True, "Ask for the uplift curve of the ranking, net of the coupon."),
        "No, such a ranking is always worse than chance": (
            False,
            "Always is too much: without the coupon it was above chance here, below the ranking by effect.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "Two reports give a Qini of 0.02 and of 4.3 for the same ranking on the same rows. Which is wrong?",
    {
        "The second: Qini is at most one": (False, "Only where it is divided by something."),
        "The first: it is too small": (False, "A gain a row of all rows is a small number."),
        "Maybe neither": (True, "Unit, line and denominator differ; compare under one convention."),
    },
)

# %% tags=["quiz"]
quiz(
    "A learned policy has an estimated value of 0.61 on the log that it learned from. What is its value?",
    {
        "About 0.61, IPS is unbiased": (
            False,
            "For a policy that was fixed before; this one was made from the noise.",
        ),
        "Unknown until it is judged on other rounds": (
            True,
            "The maximum of an estimate is no estimate of the maximum.",
        ),
        "At least the lower end of the interval": (False, "That interval takes the policy as given."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Rank by what the display changes, and draw the gain with its interval against the cost.
# - Stop where the next slot brings what it costs; spend a budget by profit per cost.
# - A cost that people trigger belongs in the outcome; the share of the harmed has bounds, and no estimate.
# - AUUC and Qini are names of many numbers: one definition, one unit, an interval.
# - A rule is judged on rows that did not make it.
#
# ## Further reading
#
# - {cite:t}`athey2021policy`: learning rules from doubly robust scores.
# - {cite:t}`yadlowsky2025evaluating`: curves of priorities, with errors.
# - {cite:t}`kallus2022harm`: bounds of the share of the harmed, and how to estimate them.
# - {cite:t}`swaminathan2015counterfactual`: learning from logs, with a penalty on the estimate's variance.
# - {cite:t}`jeunen2021pessimistic`: pessimistic models of rewards in recommendation.
