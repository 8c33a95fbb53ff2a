# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 45
#     exercise_minutes: 40
#     data: [womens_reviews, nsw, cps, psid]
#     max_seconds: 60
# ---

# %% [markdown]
# # Matching: a twin for every display
#
# An advertiser wants to buy the slots in which Mara's shop recommends its own items. He pays as much as eight sales
# per hundred displays would bring. So Mara needs one number: what do these displays earn now?
#
# A sample of the log says {glue:text}`naive_per_hundred:.1f` sales per hundred displays. On that number she
# declines. Nora, who runs finance, doesn't trust it, and she trusts the weights of the data team even less. "A row
# that counts for ten? Take Ana. She was shown the dress and bought it. Find somebody *just like Ana* who was not
# shown it, and look whether she bought it. Do that for everybody."
#
# Nora has invented {term}`matching`. The shop is simulated, so we know what the displays earn:
# {glue:text}`att_per_hundred:.1f` sales per hundred. Mara should take the offer. This chapter builds Nora's answer,
# checks it, and finds out what "just like Ana" can mean.
#
# **You will be able to**
#
# - write nearest-neighbour matching with {term}`bias correction` and its standard error, and say which
#   {term}`estimand` it answers;
# - choose between replacement or none, ratio, {term}`caliper`, exact, optimal and {term}`full matching`, and say
#   what each choice costs;
# - read {term}`balance` before and after in a {term}`love plot`;
# - explain why the {term}`bootstrap` fails here, and why weighting is not matching;
# - test a matched comparison against an experiment and with a {term}`placebo outcome`.
#
# **Before you start:** you know the {term}`ATT`, the {term}`propensity score` and {term}`exchangeability` from the
# chapters before this one.
#
# **Time:** about 45 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop on customer reviews; a job-training experiment (NSW) with two survey samples (CPS and
# PSID) that stand in for its controls.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import time
import tracemalloc
from itertools import product

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from causalrec_lib import course, data, plots, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import Estimate, EstimateRefused, difference_in_means, effective_sample_size
from causalrec_lib.matching import balance, match, matching_estimate

run = course.start(PROFILE, SEED, chapter="weighting/02_matching")
world = make_world()
truth = world.truth
columns = ["score", "log_popularity", "log_activity"]

# %% [markdown]
# ## The naive answer, and how far off it is
#
# The question is about the displays that *were* made: what would be lost without them? That is the {term}`ATT`,
# $E[Y(1) - Y(0) \mid T = 1]$. Each row of the log is a pair of a user and an item, $T$ says whether the pair was
# shown, $Y$ whether the user bought the item within the week.


# %%
def arrays(frame):
    """Outcome and treatment of a log."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


log = world.exposure_log(n_pairs=5_000, seed=run.seed)
y, t = arrays(log)
X = log[columns]
naive = difference_in_means(y, t)
run.record("naive", naive, truth=truth.att())
run.record("att", truth.att(), naive=naive)
run.record("naive_per_hundred", 100 * naive.value, truth=100 * truth.att())
run.record("ate_truth", truth.ate())
run.record("att_per_hundred", 100 * truth.att(), naive=100 * naive.value)
naive

# %% [markdown]
# The naive difference is {glue:text}`naive:.3f` (interval {glue:text}`naive.low:.3f` to
# {glue:text}`naive.high:.3f`), the true ATT is {glue:text}`att:.3f`. The recommender shows things to people who
# were about to buy them; the first chapter takes that apart.
#
# ## What must hold
#
# A twin answers for Ana only if nothing else that moves purchases differs between them *on average*. In symbols,
# with $X$ the columns that we match on:
#
# $$\begin{aligned}
# E[Y(0) \mid X, T = 1] &= E[Y(0) \mid X, T = 0], \\
# P(T = 1 \mid X) &< 1.
# \end{aligned}$$
#
# In words: among pairs with the same $X$, those not shown buy at the rate at which the shown would have bought
# without the display; and for every shown pair there is one like it that was *not* shown. We ask less than for the
# {term}`ATE`: nothing about $Y(1)$ of the others, and no kind of pair needs to have been shown. Consistency and no
# {term}`interference` must hold as ever.

# %% tags=["hide-input"]
parts = "activity score popularity hidden exposed consumed"
place = {
    **{"score": (0, 2.2), "popularity": (0, 1.1), "activity": (0, 0), "hidden": (3.4, 2.8)},
    **{"exposed": (1.8, -0.4), "consumed": (3.4, 1.5)},
}
graph = world.dag().subgraph(parts.split()).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Score, popularity and activity point to both exposed and consumed; exposed points to "
    "consumed; hidden affinity points to consumed only.",
    caption="Score, popularity and activity move the display and the purchase, so twins must agree on them. Hidden "
    "affinity moves the purchase alone: twins differ in it, and that is noise, not bias.",
    figsize=(6.4, 4.0),
)

# %% [markdown]
# ## One twin
#
# "Just like" needs a ruler. Three columns with three units become one distance if we measure each against how it
# varies with the others, the Mahalanobis distance $d(x, x') = \sqrt{(x - x')^\top \Sigma^{-1} (x - x')}$. Dividing
# by the square root of $\Sigma$ first turns it into the plain distance between points.


# %%
def whiten(X):
    """Coordinates in which the plain distance is the Mahalanobis distance of X."""
    X = np.asarray(X, dtype=float)
    root = np.linalg.cholesky(np.cov(X.T))
    return np.linalg.solve(root, (X - X.mean(axis=0)).T).T


Z = whiten(X)
shown, others = np.flatnonzero(t == 1), np.flatnonzero(t == 0)
distance, at = cKDTree(Z[others]).query(Z[shown])
twin = others[at]  # the nearest pair that was not shown, for each that was

ana = int(np.flatnonzero(y[shown] == 1)[0])  # the first display of the log that ended in a purchase
look = [*columns, "age", "segment", "department", "price", "exposed", "consumed"]
both = log.loc[[shown[ana], twin[ana]], look].T
both.set_axis(["Ana and her item", "the twin"], axis=1)

# %% [markdown]
# Look at the table twice. In the first three rows the two are nearly equal, because those we asked for. In the
# other rows they need not be: another age, another department, another price. **A twin is a twin in the columns
# that you name.** It is not even a person, but a person with an item. For Nora's question that is enough, *if* the
# graph above is right: nothing else in it points at both the display and the purchase.
#
# One pair says nothing about Ana either: it is the difference of two coin tosses. Only the average over all
# displays carries information. Here they all are, for a smaller log and the two columns that fit on paper.

# %% tags=["hide-input"]
few = log.head(360)
flat = (few[["score", "log_popularity"]] - few[["score", "log_popularity"]].mean()) / few[
    ["score", "log_popularity"]
].std()
is_shown = few["exposed"].to_numpy() == 1
points = flat.to_numpy()
_, nearest = cKDTree(points[~is_shown]).query(points[is_shown])
a, b = points[is_shown], points[~is_shown][nearest]
times_used = np.bincount(nearest, minlength=int((~is_shown).sum()))
busiest = np.argsort(times_used)[-3:]
fig, ax = plt.subplots(figsize=(5.2, 5.2))
unused = points[~is_shown][times_used == 0]
ax.plot(*unused.T, ".", color=plots.COLORS["naive"], markersize=4, alpha=0.6, label="not shown, nobody's twin")
for p, q, k in zip(a, b, nearest, strict=True):
    hot = k in busiest
    color = plots.COLORS["warn" if hot else "estimate"]
    ax.plot(*zip(p, q, strict=True), color=color, linewidth=2.2 if hot else 1.0, alpha=1 if hot else 0.7, zorder=2)
ax.plot(*a.T, "s", color=plots.COLORS["treated"], markersize=4, label="shown")
used = times_used > 0
ax.scatter(
    *points[~is_shown][used].T,
    s=22 * times_used[used],
    color=plots.COLORS["control"],
    label="the twin: larger if it serves more often",
    zorder=3,
)
highest = points[~is_shown][max(busiest, key=lambda k: points[~is_shown][k, 1])]
far = int(np.argmax(np.linalg.norm(a - b, axis=1)))
for spot, words, shift in (
    (a[far], "its twin is far", (-4, -22)),
    (highest, "one for many", (10, 24)),
):
    ax.annotate(words, spot, xytext=shift, textcoords="offset points", ha="right" if shift[0] < 0 else "left",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "none", "edgecolor": "none"})  # fmt: skip
ax.set(xlabel="score (standard deviations)", ylabel="popularity (standard deviations)")
fig.legend(loc="outside lower center", ncols=1)
plots.show(
    fig,
    alt="Scatter of score and popularity. Lines join each shown pair to its nearest pair that was not shown. In "
    "the middle the lines are so short that the two points touch. At the edges they get long, and in a few places "
    "several lines, drawn in orange, meet in one large point. Many small grey points serve nobody.",
    caption="Every display (square) and its twin (circle). In the crowd a twin is next door. At the edges it is "
    "far away, or one serves many (orange: the three busiest). Grey points are data that matching throws away.",
)
K = np.bincount(twin, minlength=len(y))
run.record("n_shown", len(shown))
run.record("n_others", len(others))
run.record("n_twins", int((K > 0).sum()))
run.record("busiest", int(K.max()))
run.record("ess_twins", effective_sample_size(K[others]))
lower = X["score"].to_numpy()[twin] < X["score"].to_numpy()[shown]
run.claim("the twin's score is more often too low than too high", lower.mean() > 0.52, share=lower.mean())
run.claim("twins serve unequally", effective_sample_size(K[others]) < 0.9 * (K > 0).sum())
run.claim("the naive interval misses the truth", naive.low > truth.att())

# %% [markdown]
# In the whole log {glue:text}`n_shown:,d` displays share {glue:text}`n_twins:,d` twins; the busiest serves
# {glue:text}`busiest:d` of them. As twins serve unequally, they are worth {glue:text}`ess_twins:,.0f` rows that
# serve once ({term}`effective sample size`). The other rows of the {glue:text}`n_others:,d` not shown are not used
# at all.
#
# ## The estimator, by hand
#
# Write $n_1$ for the number of displays, $j(i)$ for the twin of display $i$, and average:
#
# $$\widehat{\text{ATT}} = \frac{1}{n_1} \sum_{i:\, T_i = 1} \Big( Y_i - Y_{j(i)} -
# \big[\hat\mu_0(X_i) - \hat\mu_0(X_{j(i)})\big] \Big).$$
#
# The bracket is the {term}`bias correction` {cite:p}`abadie2011bias`. Twins are near, not equal; and since shown
# pairs have higher scores, the twin's score is more often a bit too low than too high. A regression $\hat\mu_0$
# among the twins says what that gap is worth, and the estimate takes it off.
#
# The error has two parts {cite:p}`abadie2006large`: the spread of the terms of that sum, $\hat\tau_i$, and what comes
# on top because a row that serves $K_j$ displays brings its own luck into all of them. With $\hat\sigma_j^2$, the
# variance of the outcome at $j$'s columns, from $j$ and the two rows nearest to it in its *own* group:
#
# $$\widehat{V} = \frac{1}{n_1^2} \Big( \sum_{i:\, T_i = 1} (\hat\tau_i - \widehat{\text{ATT}})^2 +
# \sum_{j:\, T_j = 0} K_j (K_j - 1)\, \hat\sigma_j^2 \Big).$$


# %%
def matched_att(y, t, X):
    """One nearest neighbour, with replacement, bias-corrected, with the Abadie-Imbens error."""
    Z = whiten(X)
    i, j = np.flatnonzero(t == 1), np.flatnonzero(t == 0)
    tree = cKDTree(Z[j])
    twin = j[tree.query(Z[i])[1]]
    K = np.bincount(twin, minlength=len(y))  # how many displays each row stands in for
    # what a gap in X is worth: a regression among the twins, each as often as it serves
    design, root = np.column_stack([np.ones(len(y)), Z]), np.sqrt(K[j])
    mu0 = design @ np.linalg.lstsq(design[j] * root[:, None], y[j] * root, rcond=None)[0]
    rest = y - mu0
    tau = rest[i] - rest[twin]
    # spread of a twin's outcome: compare it with its two nearest among those not shown
    near = j[tree.query(Z[j], k=3)[1][:, 1:]]
    sigma2 = 2 / 3 * (rest[j] - rest[near].mean(axis=1)) ** 2
    variance = ((tau - tau.mean()) ** 2).sum() + (K[j] * (K[j] - 1)) @ sigma2
    se = float(np.sqrt(variance)) / len(i)
    return Estimate(tau.mean(), se, "ATT", "matching, by hand", len(i) + int((K > 0).sum()))


by_hand = matched_att(y, t, X)
pairs = match(X, t, metric="mahalanobis")
plain = matching_estimate(y, pairs, bias_correction=False, unit="purchases per display")
by_library = matching_estimate(y, pairs, unit="purchases per display")
assert np.array_equal(pairs.partner, twin)
assert np.isclose(plain.value, (y[shown] - y[twin]).mean(), rtol=1e-9)
assert np.isclose(by_hand.value, by_library.value, rtol=1e-8)
assert np.isclose(by_hand.se, by_library.se, rtol=1e-8)
run.record("plain", plain, truth=truth.att(), naive=naive)
run.record("matched", by_library, truth=truth.att(), naive=naive)
run.record("matched_per_hundred", 100 * by_library.value, truth=100 * truth.att(), naive=100 * naive.value)
half, gap = (by_library.high - by_library.low) / 2, 0.08 - truth.att()
run.record("matched_half_width", half)
run.record("offer_gap", gap)
run.claim("the interval holds the truth", by_library.covers(truth.att()))
run.claim("its half width is more than the distance from truth to offer", half > 1.15 * gap, half=half, gap=gap)
by_library

# %% [markdown]
# Hand and library agree on pairs, value and error. Nora's answer is {glue:text}`matched:.3f` (interval
# {glue:text}`matched.low:.3f` to {glue:text}`matched.high:.3f`); the truth, {glue:text}`matched.truth:.3f`, is
# inside. But the interval reaches {glue:text}`matched_half_width:.3f` to either side, and truth and offer are only
# {glue:text}`offer_gap:.3f` apart: five thousand pairs are too few to decide on. We come back with a million.
#
# ## Held against the truth
#
# One interval may be lucky. So draw many weeks of the same shop, find twins in each, and count.


# %%
def one_week(seed):
    """A fresh week of the shop: outcome, treatment, columns and twins."""
    sample = world.exposure_log(n_pairs=5_000, seed=seed)
    twins = match(sample[columns], arrays(sample)[1], metric="mahalanobis")
    return *arrays(sample), sample[columns], twins


estimators = {
    "naive difference": lambda week: difference_in_means(*week[:2]),
    "twins": lambda week: matching_estimate(week[0], week[3], bias_correction=False, refuse="flag"),
    "twins, bias-corrected": lambda week: matching_estimate(week[0], week[3], refuse="flag"),
    "weighting (ATT)": lambda week: weighting.ipw(*week[:2], X=week[2], estimand="ATT", refuse="flag"),
}
times = run.size(ci=200, full=2_000)
seeds = run.progress(range(run.seed + 1, run.seed + 1 + times), "weeks")
found = simulation.repeat(one_week, seeds, truth.att(), estimators)
held = simulation.summary(found, answers_only=False)[["refused", "bias", "bias_mc_se", "sd", "mean_se", "coverage"]]
held.round(4)

# %% tags=["hide-input"]
run.record("weeks", times)
noise = np.sqrt(0.95 * 0.05 / times)
for short, name in (("plain", "twins"), ("matched", "twins, bias-corrected"), ("ipw", "weighting (ATT)")):
    row = held.loc[name]
    wrong = held.loc["naive difference"]
    run.record(
        f"bias_{short}", row["bias"], truth=0.0, naive=wrong["bias"], kind="stochastic", mc_se=row["bias_mc_se"]
    )
    run.record(f"bias_{short}_mc", row["bias_mc_se"])
    run.claim(f"the interval of {name} covers as it says", short == "plain" or 0.90 < row["coverage"] < 0.985)
    run.claim(f"{name} is nearer than the naive difference", abs(row["bias"]) < 0.2 * wrong["bias"])
    run.record(f"spread_{short}", row["sd"], kind="stochastic", mc_se=row["sd"] / np.sqrt(2 * times))
    run.record(f"error_{short}", row["mean_se"], kind="stochastic", mc_se=row["sd"] / np.sqrt(2 * times))
    run.record(
        f"covers_{short}", row["coverage"], truth=0.95, naive=wrong["coverage"], kind="stochastic", mc_se=noise
    )
run.record("covers_mc", noise)
accepts = (found["value"] < 0.08).groupby(found["name"]).mean()
run.claim("every naive analyst declines", accepts["naive difference"] == 0)
run.claim("most of the others accept", accepts[["twins, bias-corrected", "weighting (ATT)"]].min() > 0.75)
run.claim("twins scatter a little more than weights", 1.02 < held["sd"].iloc[2] / held["sd"].iloc[3] < 1.25)
weeks_of = dict(tuple(found.set_index("seed").groupby("name")["value"]))
saved = weeks_of["twins, bias-corrected"] - weeks_of["twins"]
run.claim("the correction moves twins towards the truth", saved.mean() < -3 * saved.sem(), gain=saved.mean())
run.record("accepts_matched", accepts["twins, bias-corrected"], naive=accepts["naive difference"], kind="stochastic",
           mc_se=0.5 / np.sqrt(times))  # fmt: skip

fig, ax = plt.subplots(figsize=(5.8, 3.5))
bins = np.linspace(found["value"].min(), found["value"].max(), 46)
looks = {
    "naive difference": ("naive", ":"),
    "twins, bias-corrected": ("estimate", "-"),
    "weighting (ATT)": ("accent", "--"),
}
for name, (color, line) in looks.items():
    values = found.loc[found["name"] == name, "value"]
    label = f"{name}: {held.loc[name, 'coverage']:.0%} cover"
    ax.hist(values, bins=bins, histtype="step", color=plots.COLORS[color], linestyle=line, linewidth=2, label=label)
plots.truth_line(ax, truth.att())
ax.axvline(0.08, color=plots.COLORS["warn"], linewidth=1.4, linestyle="-.", label="the advertiser's offer")
ax.set(xlabel="sales made per display (ATT)", ylabel="weeks")
fig.legend(loc="outside lower center", ncols=1)
plots.show(
    fig,
    alt="Histograms of three estimators over many weeks. The naive difference lies entirely to the right of the "
    "advertiser's offer. Matching and weighting are centred on the dashed truth, left of the offer, matching a "
    "little wider.",
    caption="What three analysts would say, week after week. Every naive analyst declines the offer. Twins (blue) "
    "and weights (green) centre on the truth, and most of them accept it.",
)

# %% [markdown]
# Over {glue:text}`weeks:,d` weeks, bias-corrected matching misses the truth by
# {glue:text}`bias_matched:.4f` on average (Monte-Carlo error {glue:text}`bias_matched_mc:.4f`; naive:
# {glue:text}`bias_matched.naive:.4f`), and its interval covers in {glue:text}`covers_matched:.1%` of weeks
# (Monte-Carlo error {glue:text}`covers_mc:.1%`). Its error formula takes the correcting regression as given, so
# with many columns the interval gets a little short. Without the correction the mean error is
# {glue:text}`bias_plain:.4f`. On {glue:text}`accepts_matched:.0%` of weeks Mara would take the offer, rightly; with
# the naive number on {glue:text}`accepts_matched.naive:.0%`.
#
# The estimates scatter by {glue:text}`spread_matched:.4f`, those of weighting by {glue:text}`spread_ipw:.4f`. That
# is the price of a twin: it uses one row where weighting uses all. Weighting pays with an assumption that matching
# on covariates doesn't make, a model for the propensity. In this shop the model is right, so here weighting gets
# its precision for free; you won't know whether yours is.
#
# ## Balance, before and after
#
# In practice nobody hands you the truth. You can look whether the twins are like the shown: the standardised
# difference of means ({term}`SMD`) of each column, before and after. Look also at columns that were *not* matched
# on. And look at spread, not means only: a ratio of variances far from one means tails without twins.

# %%
designs = {
    "with replacement": pairs,
    "without replacement": match(X, t, metric="mahalanobis", replace=False),
    "on the propensity": match(X, t),
}
wide = log[[*columns, "price", "age"]]
tables = {name: balance(wide, t, m.weights) for name, m in designs.items()}
pd.concat(
    {"before": tables["with replacement"][["before", "ratio_before"]].set_axis(["SMD", "variance ratio"], axis=1)}
    | {name: b[["after", "ratio_after"]].set_axis(["SMD", "variance ratio"], axis=1) for name, b in tables.items()},
    axis=1,
).round(2).T

# %% tags=["hide-input"]
words = {"price": "price (not matched on)", "age": "age (not matched on)"}
plots.show(
    plots.love(tables, labels=words),
    alt="Love plot of five columns. Before matching, score and popularity differ widely. With replacement and on the "
    "propensity most of the differences goes. Without replacement about a fifth of the difference stays in score "
    "and popularity.",
    caption="Love plot. Dotted: the usual rule of thumb. Each twin used once (orange squares) leaves the shown "
    "ahead in score and popularity, because the good twins run out.",
)
run.record("smd_before", tables["with replacement"]["before"].abs().max())
for short, name in (("with", "with replacement"), ("without", "without replacement"), ("score", "on the propensity")):
    run.record(
        f"smd_{short}", tables[name]["after"].abs().max(), naive=tables[name]["before"].abs().max()
    )  # over all five columns
ahead = {name: (b["after"] / b["before"])[["score", "log_popularity"]] for name, b in tables.items()}
once = ahead.pop("without replacement")
run.claim(
    "before, score and popularity differ widely",
    tables["with replacement"]["before"][["score", "log_popularity"]].min() > 0.3,
)
run.claim("with twins used once about a fifth stays", once.min() > 0.1 and once.max() < 0.35, low=once.min())
run.claim("else most of the differences goes", max(part.abs().max() for part in ahead.values()) < 0.3)
run.claim("over all five, once is worst", tables["without replacement"]["after"].abs().max() > 0.1)

# %% [markdown]
# Over all five columns, the largest difference falls from {glue:text}`smd_before:.2f` to {glue:text}`smd_with:.2f`
# with replacement, and only to {glue:text}`smd_without:.2f` without. Keep that in mind for the next section.
# Balance is a test that a design can fail. Passing it says nothing on columns that are not in the table.
#
# ## What each choice costs
#
# Software asks a dozen questions before it matches. Here are the answers in use, each on the same many small weeks:
#
# - **with or without replacement**: may a twin serve twice?
# - **ratio**: one twin, or the mean of five?
# - **greedy or optimal**: without replacement somebody must come first; optimal matching minimises the total
#   distance;
# - **caliper**: no twin beyond a distance, and who finds none is *dropped*;
# - **exact**: the department must agree;
# - **full**: everybody is used, in groups around one shown or one not shown pair {cite:p}`hansen2004full`;
# - **on the propensity** instead of the columns {cite:p}`rosenbaum1983central`.

# %%
space = {"metric": "mahalanobis"}
choices = {  # name: options of match, bias correction
    "1 twin, with replacement": (space, False),
    "... bias-corrected": (space, True),
    "5 twins, bias-corrected": (space | {"ratio": 5}, True),
    "without replacement, greedy": (space | {"replace": False}, False),
    "without replacement, optimal": (space | {"method": "optimal"}, False),
    "... greedy, bias-corrected": (space | {"replace": False}, True),
    "caliper 0.2, bias-corrected": (space | {"caliper": 0.2}, True),
    "exact department, corrected": (space | {"exact": "department"}, True),
    "full, on the propensity": ({"method": "full"}, False),
    "1 twin, on the propensity": ({}, False),
}


# %% tags=["hide-input"]
def try_all(sample):
    """One row for each choice: estimate, error, share kept, twins used, and the truth of those who stay."""
    (y, t), tau, rows, matches = arrays(sample), truth.pairs(sample)["tau"].to_numpy(), [], {}
    for name, (how, corrected) in choices.items():
        labels = {"exact": sample["department"]} if "exact" in how else {}
        m = matches.get(str(how)) or match(sample[columns], t, **(how | labels))
        matches[str(how)] = m  # the same twins serve with and without the correction
        est = matching_estimate(y, m, sample[columns], bias_correction=corrected, refuse="flag")
        stay = m.own == 1
        gone = m.unmatched if len(m.unmatched) else m.focal
        popularity = (
            sample["log_popularity"].to_numpy()[gone].mean() - sample["log_popularity"].to_numpy()[stay].mean()
        )
        kept = stay.sum() / t.sum()
        rows.append((name, est.value, est.se, kept, len(np.unique(m.partner)), tau[stay].mean(), popularity))
    return rows


trials = run.size(ci=45, full=500)
tried = pd.DataFrame(
    [r for k in run.progress(range(trials), "trials")
     for r in try_all(world.exposure_log(n_pairs=2_000, seed=run.seed + 5_000 + k))],
    columns=["choice", "value", "se", "kept", "twins", "own truth", "gone"],
)  # fmt: skip

# %% tags=["hide-input"]
by = tried.groupby("choice", sort=False)
costs = (
    by[["value", "se", "kept", "twins", "own truth", "gone"]].mean().rename(columns={"value": "mean", "se": "error"})
)
moved = costs["kept"] < 0.99  # a caliper changes whose effect it is
costs["own truth"] = costs["own truth"].where(moved, truth.att())
costs["spread"] = by["value"].std()
costs["bias"] = costs["mean"] - costs["own truth"]
mc = costs["spread"] / np.sqrt(trials)
keys = ["plain", "fixed", "five", "greedy", "optimal", "greedy_fixed", "caliper", "exact", "full", "score"]
wide = tried.assign(trial=np.arange(len(tried)) // len(choices)).pivot_table(
    index="trial", columns="choice", values=["value", "se"]
)
estimates, errors = (wide[what][list(choices)].set_axis(keys, axis=1) for what in ("value", "se"))
for key, (name, row) in zip(keys, costs.iterrows(), strict=True):
    run.record(f"choice_{key}_bias", row["bias"], kind="stochastic", mc_se=mc[name], naive=held["bias"].iloc[0])
    run.record(f"choice_{key}_error", row["error"], kind="stochastic", mc_se=errors[key].sem())


def differs(table, a, b):
    """Mean of column a minus column b over the trials, in Monte-Carlo standard errors: the draws are the same."""
    gap = table[a] - table[b]
    return gap.mean() / gap.sem()


z = {
    "twins that serve once are further off": differs(estimates, "greedy", "plain"),
    "with replacement the error is larger": differs(errors, "plain", "greedy"),
    "the correction takes part of the bias off": differs(estimates, "greedy", "greedy_fixed"),
    "a part is left": estimates["greedy_fixed"].sub(truth.att()).mean() / estimates["greedy_fixed"].sem(),
    "five twins have a smaller error than one": differs(errors, "fixed", "five"),
    "the error on the propensity is larger": differs(errors, "score", "fixed"),
}
for words, size in z.items():
    run.claim(words, size > 3, monte_carlo_errors=size)
everybody = errors.drop(columns="caliper").mean()
run.claim("it is the largest of those that keep everybody", everybody.idxmax() == "score", largest=everybody.max())
off = costs["bias"].set_axis(keys).abs()
for key in ("full", "score"):
    run.claim(f"{key} shows no bias", off[key] < 2.6 * estimates[key].sem(), bias=off[key])
run.claim("an optimal order hardly helps", off["optimal"] > 0.75 * off["greedy"], left=off["optimal"] / off["greedy"])
run.record("trials", trials)
run.record("choice_mc", mc.max())
run.record("caliper_gone", np.exp(costs.loc[moved, "gone"].iloc[0]))
run.record(
    "caliper_kept", costs.loc[moved, "kept"].iloc[0], kind="stochastic", mc_se=by["kept"].std().max() / trials**0.5
)
run.record("caliper_truth", costs.loc[moved, "own truth"].iloc[0], naive=truth.att(), kind="stochastic",
           mc_se=by["own truth"].std().max() / trials**0.5)  # fmt: skip

fig, ax = plt.subplots(figsize=(5.8, 4.6))
height = np.arange(len(costs))[::-1]
ax.hlines(height, costs["mean"] - 1.96 * costs["spread"], costs["mean"] + 1.96 * costs["spread"],
          color=plots.COLORS["soft"], linewidth=3)  # fmt: skip
ax.plot(costs["mean"], height, "o", color=plots.COLORS["estimate"], markersize=8, label="mean over the trials")
ax.plot(costs.loc[moved, "own truth"], height[moved], "D", color=plots.COLORS["warn"], markersize=8,
        label="truth of those who stay")  # fmt: skip
plots.truth_line(ax, truth.att(), "truth for all displays")
ax.axvline(held["bias"].iloc[0] + truth.att(), color=plots.COLORS["naive"], linestyle=":", label="naive, on average")
ax.set_yticks(height, costs.index)
ax.set(xlabel="ATT, with the range of 95% of the estimates")
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Ten designs with the mean and range of their estimates. Designs with replacement centre near the dashed "
    "truth with wide ranges. Designs without replacement have shorter ranges and lie to the right of it. The "
    "caliper lies to the right too, near a diamond that marks the truth of those who stay.",
    caption="The same shop, ten ways to choose twins. Without replacement: precise, and off. Caliper: close to the "
    "truth of those who stay (diamond), which is another truth. No row wins on both centre and width.",
)
table = costs[["mean", "own truth", "bias", "spread", "error", "kept"]].round(3).round({"kept": 2})
table.assign(twins=costs["twins"].round().astype(int)).rename(columns={"own truth": "truth"})

# %% [markdown]
# Over {glue:text}`trials:,d` trials of two thousand pairs (Monte-Carlo error of a bias at most
# {glue:text}`choice_mc:.4f`; differences between rows are surer, because all rows saw the same trials):
#
# - **Replacement.** With replacement the bias is {glue:text}`choice_plain_bias:.4f`; without, it is
#   {glue:text}`choice_greedy_bias:.4f`. In return the error of the second is smaller, on average
#   {glue:text}`choice_greedy_error:.4f` against {glue:text}`choice_plain_error:.4f`: every twin is a fresh row. The
#   bias correction leaves {glue:text}`choice_greedy_fixed_bias:.4f`: it mends gaps, and these are wide.
# - **Greedy or optimal** hardly matters ({glue:text}`choice_optimal_bias:.4f`). If the good twins have run out, no
#   clever order brings them back.
# - **Five twins** have a smaller error than one ({glue:text}`choice_five_error:.4f` against
#   {glue:text}`choice_fixed_error:.4f`). The fifth is further away, so they lean more on the correction.
# - **Caliper.** It keeps {glue:text}`caliper_kept:.0%` of the displays, and *those* have another effect:
#   {glue:text}`caliper_truth:.3f` instead of {glue:text}`att:.3f`, for it drops the outskirts: the items dropped
#   are {glue:text}`caliper_gone:.1f` times as popular as those that stay (geometric means), and for popular items a
#   display does least. Against its own truth the bias is {glue:text}`choice_caliper_bias:.4f`. It answers another
#   question. Nora asked about *all* displays. Say who was dropped, or don't drop.
# - **Exact** on a column that doesn't confound costs little here ({glue:text}`choice_exact_bias:.4f`) and would
#   cost more with more labels.
# - **Full matching** and **one twin on the propensity** show no bias in these trials
#   ({glue:text}`choice_full_bias:.4f` and {glue:text}`choice_score_bias:.4f`). One twin on the propensity has the
#   largest error of all that keep everybody ({glue:text}`choice_score_error:.4f`).
#
# The correction is linear and the truth is not, so it need not take all of the bias off. Nothing on this list is
# free, and the order of the list changes with the data.

# %% [markdown]
# ## The more columns, the fewer twins
#
# "Match on everything you have" sounds careful. Let us try it where everything is known: the effect is zero, $k$
# columns confound with equal strength, and $n$ rows are drawn. Only $k$ and $n$ change.


# %%
def crowd(k, n, rng):
    """Effect zero; k normal columns, whose sum drives both treatment and outcome, the outcome not quite linearly."""
    X = rng.normal(size=(n, k))
    index = X.sum(axis=1) / np.sqrt(k)
    t = (rng.random(n) < 1 / (1 + np.exp(1 - index))).astype(float)
    return index + 0.5 * index**2 + rng.normal(size=n), t, X


repeats = run.size(ci=3, full=60)
cells = []
for k, n in run.progress(list(product((2, 4, 8, 16), (500, 2_000, 8_000))), "columns and rows"):
    for _ in range(repeats * {500: 4, 2_000: 2, 8_000: 1}[n]):
        y_k, t_k, X_k = crowd(k, n, run.rng)
        m = match(X_k, t_k, metric="euclidean")
        raw = (y_k[m.focal] - y_k[m.partner]).mean()
        corrected = matching_estimate(y_k, m, refuse="flag").value
        cells.append((k, n, difference_in_means(y_k, t_k).value, raw, corrected, m.distance.mean()))
crowds = pd.DataFrame(cells, columns=["k", "n", "naive", "twins", "corrected", "distance"])
crowds.groupby(["k", "n"])[["distance", "twins"]].mean().round(2).pipe(
    lambda found: found.reset_index().pivot_table(index="k", columns="n")
)

# %% tags=["hide-input"]
mean, wobble = crowds.groupby(["k", "n"]).mean(), crowds.groupby(["k", "n"]).sem()
fig, axes = plt.subplots(1, 2, figsize=(5.8, 3.5), sharey=True)
for ax, what, title in zip(axes, ("twins", "corrected"), ("twins", "twins, bias-corrected"), strict=True):
    for n, color, mark in ((500, "warn", "^"), (2_000, "treated", "s"), (8_000, "estimate", "o")):
        part, bar = mean[what].xs(n, level="n"), 1.96 * wobble[what].xs(n, level="n")
        ax.errorbar(part.index, part, yerr=bar, color=plots.COLORS[color], marker=mark, label=f"{n:,} rows")
    ax.axhline(mean["naive"].mean(), color=plots.COLORS["naive"], linestyle=":", label="naive difference")
    plots.truth_line(ax, 0.0, axis="y")
    ax.set(xscale="log", xlabel="columns to match on", title=title)
    ax.set_xticks((2, 4, 8, 16), ("2", "4", "8", "16"))
    ax.minorticks_off()
axes[0].set_ylabel("estimate of an effect of zero")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plots.show(
    fig,
    alt="Two panels of the estimate against the number of columns, for three sizes of data. On the left the error "
    "grows with the columns towards the naive difference, and more rows help less and less. On the right the same "
    "with the bias correction: much smaller errors, still growing.",
    caption="Left: with sixteen columns, sixteen times the rows hardly help. Right: the correction removes most of "
    "it, by trusting a line where there is no twin.",
)
for k, n in ((2, 500), (2, 8_000), (16, 500), (16, 8_000)):
    for what in ("twins", "corrected"):
        at_naive = mean.loc[(k, n), "naive"]
        run.record(f"crowd_{what}_{k}_{n}", mean.loc[(k, n), what], truth=0.0, naive=at_naive, kind="stochastic",
                   mc_se=wobble.loc[(k, n), what])  # fmt: skip
run.record("crowd_naive", mean["naive"].mean())
few_columns, many_columns = (mean.loc[(k, 8_000), "twins"] / mean.loc[(k, 500), "twins"] for k in (2, 16))
run.claim("rows help with two columns, hardly with sixteen", few_columns < 0.4 < 0.7 < many_columns,
          two=few_columns, sixteen=many_columns)  # fmt: skip
grows = mean["twins"].groupby("n").diff().dropna()
run.claim("the error grows with each doubling of the columns", (grows > 0).all())
still = mean.loc[(16, 8_000), "corrected"] - mean.loc[(2, 8_000), "corrected"]
run.claim("corrected, it still grows", still > 3 * wobble.loc[(16, 8_000), "corrected"], growth=still)
gone = 1 - mean.loc[(16, 8_000), "corrected"] / mean.loc[(16, 8_000), "twins"]
run.claim("the correction removes most of it", gone > 0.6, removed=gone)

# %% [markdown]
# With two columns the bias is {glue:text}`crowd_twins_2_500:.2f` at five hundred rows and
# {glue:text}`crowd_twins_2_8000:.2f` at eight thousand; with sixteen it goes from
# {glue:text}`crowd_twins_16_500:.2f` to {glue:text}`crowd_twins_16_8000:.2f`, out of {glue:text}`crowd_naive:.2f`
# without any matching. In $k$ dimensions the nearest of $n$ points lies at a distance of order $n^{-1/k}$, and the
# bias may shrink as slowly as that {cite:p}`abadie2006large`, while the standard error shrinks as $n^{-1/2}$. So
# with more than two columns the interval can close around a wrong number. The correction leaves
# {glue:text}`crowd_corrected_16_8000:.2f`. That is
# regression at work, not matching: at sixteen columns there are no twins.
#
# The propensity score turns $k$ columns into one. That is its charm, and it has a price of its own.
#
# ### Twins in the score only
#
# Two pairs with the same propensity need not have anything else in common: one may be a bargain hunter and a
# bestseller, the other a fan and a rarity. Over many pairs the differences cancel, so there is no bias. But single
# pairs are no twins. {cite:t}`king2019propensity` show what follows if one then drops the *worst* pairs to be on
# the safe side. We match small logs without replacement, drop the most distant pairs step by step, and measure how
# far apart the means of shown and twins are.


# %% tags=["hide-input"]
def pruned(shop, metric, draws, keep):
    """Mean distance between the group means, and within pairs, among the closest share of the pairs."""
    rows = []
    for k in range(draws):
        sample = shop.exposure_log(n_pairs=1_000, seed=run.seed + 8_000 + k)
        Z, m = whiten(sample[columns]), match(sample[columns], arrays(sample)[1], metric=metric, replace=False)
        closest = np.argsort(m.distance, kind="stable")
        for share in keep:
            some = closest[: int(share * len(closest))]
            gaps = Z[m.focal[some]] - Z[m.partner[some]]
            between = gaps.mean(axis=0)
            rows.append((share, np.linalg.norm(between), np.linalg.norm(gaps, axis=1).mean(), *between))
    found_at = pd.DataFrame(rows, columns=["kept", "between means", "within pairs", "g1", "g2", "g3"]).groupby("kept")
    return found_at.mean().assign(shared=lambda d: np.linalg.norm(d[["g1", "g2", "g3"]], axis=1))


keep = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
prune = {metric: pruned(world, metric, run.size(ci=40, full=200), keep) for metric in ("propensity", "mahalanobis")}

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.0, 3.2))
for ax, what in zip(axes, ("between means", "within pairs"), strict=True):
    for (metric, found_at), (color, mark) in zip(prune.items(), (("warn", "s"), ("estimate", "o")), strict=True):
        label = "matched on the propensity" if metric == "propensity" else "matched on the columns"
        ax.plot(100 * (1 - found_at.index), found_at[what], marker=mark, color=plots.COLORS[color], label=label)
    ax.set(xlabel="worst pairs dropped, per cent", title=f"distance {what}", ylim=(0, None))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Two panels over the share of pairs dropped. Matched on columns, the distance between group means falls to "
    "near zero and pairs get closer. Matched on the propensity, the distance between means falls a little, then "
    "rises above where it started, and pairs never get closer.",
    caption="Dropping the worst pairs. By columns (blue) the rest gets ever more alike. By the propensity (orange) "
    "the pairs are strangers throughout, and past a point dropping them makes balance worse.",
)
by_score, by_columns = prune["propensity"], prune["mahalanobis"]
at_all, at_half, at_tenth = (by_score.loc[share, "between means"] for share in (1.0, 0.5, 0.1))
run.claim("by the score: down a little, then up past the start", at_half < 0.85 * at_all and at_tenth > 1.2 * at_all)
run.claim(
    "by the columns: near zero", by_columns.loc[0.1, "between means"] < 0.25 * by_columns.loc[1.0, "between means"]
)
near = {name: d.loc[0.1, "within pairs"] / d.loc[1.0, "within pairs"] for name, d in prune.items()}
run.claim("pairs get closer by columns only", near["mahalanobis"] < 0.5 and near["propensity"] > 0.9, **near)
run.claim(
    "the rise is chance in each log",
    by_score.loc[0.1, "shared"] < 0.4 * at_tenth,
    on_average=by_score.loc[0.1, "shared"],
)
run.record("prune_score_shared", by_score.loc[0.1, "shared"], naive=at_tenth)
for short, share in (("all", 1.0), ("half", 0.5), ("tenth", 0.1)):
    run.record(f"prune_score_{short}", by_score.loc[share, "between means"])
    run.record(f"prune_columns_{short}", prune["mahalanobis"].loc[share, "between means"])

# %% [markdown]
# By columns, the distance between the means falls from {glue:text}`prune_columns_all:.2f` to
# {glue:text}`prune_columns_tenth:.2f` as nine pairs in ten are dropped. By the propensity it goes from
# {glue:text}`prune_score_all:.2f` to {glue:text}`prune_score_half:.2f` at one half and
# {glue:text}`prune_score_tenth:.2f` at the end. Once the scores in a pair agree, which pairs go is as good as
# random, and fewer random pairs balance worse. The rise is imbalance by chance in each log: the mean
# gap over all logs is only {glue:text}`prune_score_shared:.2f` at the end. It is a reason to look at balance after
# *every* step and not to prune a propensity match for tidiness.
#
# ## Why the bootstrap fails
#
# No formula at hand? Resample the rows, match again, take the spread: the {term}`bootstrap`
# {cite:p}`efron1979bootstrap` is most people's error bar of last resort. For nearest-neighbour matching it is
# wrong, and stays wrong with any amount of data {cite:p}`abadie2008failure`. How often a row serves decides the
# variance, and resampling changes just that: with copies of a shown row in the sample, its twin serves twice at
# once; with the twin left out, another one steps in.
#
# A case with one column, no confounding and no effect, so that nothing else can go wrong. The outcome of the shown
# is zero, that of the others standard normal noise; so given who serves how often, the variance of the estimate is
# known exactly, $\sum_j K_j^2 / n_1^2$.


# %%
def nearest_on_line(x, pool):
    """For each x, the position of the nearest number in pool."""
    order = np.argsort(pool)
    line = pool[order]
    right = np.clip(np.searchsorted(line, x), 1, len(line) - 1)
    return order[np.where(x - line[right - 1] <= line[right] - x, right - 1, right)]


# %% tags=["hide-input"]
def one_trial(n1, n0, resamples, rng):
    """Exact, bootstrap (two ways) and Abadie-Imbens variance of one data set; outcomes: 0 if shown, noise if not."""
    x1, x0, noise = rng.random(n1), rng.random(n0), rng.normal(size=n0)
    K = np.bincount(nearest_on_line(x1, x0), minlength=n0)
    exact = (K**2).sum() / n1**2  # of the mean of n1 twins' noise, given who serves how often
    again = []
    for _ in range(resamples):
        i, j = rng.integers(0, n1, n1), rng.integers(0, n0, n0)
        again.append(-noise[j][nearest_on_line(x1[i], x0[j])].mean())
    outcome, group = np.r_[np.zeros(n1), noise], np.r_[np.ones(n1), np.zeros(n0)]
    est = matching_estimate(outcome, match(np.r_[x1, x0], group), bias_correction=False, refuse="flag")
    return exact, np.var(again, ddof=1), est.se**2, np.mean((np.array(again) - est.value) ** 2)


boot, boot_mc = {}, {}
for n1, n0 in run.progress([(40, 800), (200, 200), (800, 40)], "sizes"):
    found_v = np.array([one_trial(n1, n0, 25, run.rng) for _ in range(run.size(ci=150, full=4_000))])
    mean_v, mc_v = found_v.mean(axis=0), found_v.std(axis=0) / np.sqrt(len(found_v))
    boot[f"{n1} shown, {n0} not"] = np.sqrt(mean_v)
    boot_mc[f"{n1} shown, {n0} not"] = mc_v[1:] / (2 * np.sqrt(mean_v[1:] * mean_v[0]))  # of the ratio of errors
boot = pd.DataFrame(boot, index=["actual spread", "bootstrap error", "Abadie-Imbens error", "about the estimate"]).T
boot_mc = pd.DataFrame(boot_mc, index=["bootstrap error", "Abadie-Imbens error", "about the estimate"]).T
boot.set_axis(["actual", "bootstrap", "Abadie-Imbens", "about estimate"], axis=1).round(3)

# %% tags=["hide-input"]
ratio = boot[["bootstrap error", "Abadie-Imbens error", "about the estimate"]].div(boot["actual spread"], axis=0)
for short, (name, row) in zip(("few", "even", "many"), ratio.iterrows(), strict=True):
    for column, how in (("bootstrap error", "boot"), ("Abadie-Imbens error", "ai"), ("about the estimate", "about")):
        run.record(f"{how}_{short}", row[column], truth=1.0, kind="stochastic", mc_se=boot_mc.loc[name, column])
run.record("boot_mc", boot_mc.to_numpy().max())
run.claim("the bootstrap is too wide with few shown, too narrow with many",
          ratio["bootstrap error"].iloc[0] > 1.1 and ratio["bootstrap error"].iloc[2] < 0.95)  # fmt: skip
run.claim("at even sizes the bootstrap looks fine", abs(ratio["bootstrap error"].iloc[1] - 1) < 0.1)
run.claim("the Abadie-Imbens error is right each time", ratio["Abadie-Imbens error"].sub(1).abs().max() < 0.05)
fig, ax = plt.subplots(figsize=(5.6, 2.7))
rows = np.arange(3)[::-1]
half = 1.96 * boot_mc
for column, color, mark, lift in (
    ("bootstrap error", "warn", "s", 0.12),
    ("Abadie-Imbens error", "estimate", "o", -0.12),
):
    ax.errorbar(ratio[column], rows + lift, xerr=half[column], fmt="none", ecolor=plots.COLORS[color], elinewidth=2)
    ax.plot(ratio[column], rows + lift, mark, color=plots.COLORS[color], label=column, markersize=8)
plots.truth_line(ax, 1.0, "right")
ax.set_yticks(rows, ratio.index)
ax.set(xlabel="standard error over actual spread", ylim=(-0.6, 2.6))
fig.legend(loc="outside lower center", ncols=3)
plots.show(
    fig,
    alt="Ratio of two standard errors to the actual spread, for three sizes. The Abadie-Imbens error stays at one. "
    "The bootstrap is above one when there are few shown rows, about one at even sizes, and below one when there "
    "are many.",
    caption="The bootstrap (orange) says too much with few shown rows and too little with many. The Abadie-Imbens "
    "error (blue) is right each time.",
)

# %% [markdown]
# With few shown rows the bootstrap error is {glue:text}`boot_few:.2f` times the actual spread, with many
# {glue:text}`boot_many:.2f` times; the Abadie-Imbens error is {glue:text}`ai_few:.2f` and {glue:text}`ai_many:.2f`
# times (Monte-Carlo error at most {glue:text}`boot_mc:.2f`). We took the spread about the bootstrap's own mean, as
# software does; about the estimate, as in the proof, it is {glue:text}`about_few:.2f` and
# {glue:text}`about_many:.2f` times. That the bootstrap looks fine at even sizes
# ({glue:text}`boot_even:.2f`) makes it worse: one check would have let it pass. The
# proof is about twins that may serve more than once; a matched sample *without* replacement is another matter.
#
# ## Why weighting is not matching
#
# One often reads that {term}`inverse probability weighting` is a matching algorithm. Both make the groups alike,
# and they are different designs. Put both on the same propensity and look at what each row that was not shown
# counts.

# %%
fit = weighting.propensity(X, t)
by_score_pairs = match(fit, t)
served = by_score_pairs.lent[others]  # matching: how many displays each row stands in for
odds = (fit.e / (1 - fit.e))[others]  # weighting to the ATT: the odds of being shown

four = {}
for estimand, wanted in (("ATT", truth.att()), ("ATE", truth.ate())):
    weighted = weighting.ipw(y, t, fit, estimand=estimand)
    matched = matching_estimate(y, match(fit, t, estimand=estimand), refuse="flag")
    w = weighting.weights(t, fit.e, estimand=estimand)
    m = match(fit, t, estimand=estimand).weights
    for name, est, counts in (("weighting", weighted, w), ("matching", matched, m)):
        ess = effective_sample_size(counts[others])
        four[name, estimand] = (est.value, est.se, wanted, int((counts[others] > 0).sum()), ess)
        run.record(f"{name}_{estimand.lower()}", est, truth=wanted, naive=naive)
        run.record(f"{name}_{estimand.lower()}_ess", ess)
four = pd.DataFrame(four, index=["estimate", "error", "truth", "rows used (not shown)", "effective rows"]).T
four.round(3)

# %% tags=["hide-input"]
e0 = fit.e[others]
order = np.argsort(e0)
edges = np.quantile(e0, np.linspace(0, 1, 13))
cell = np.clip(np.searchsorted(edges, e0, side="right") - 1, 0, 11)
fig, ax = plt.subplots(figsize=(5.6, 3.8))
jitter = np.random.default_rng(run.seed).uniform(-0.12, 0.12, len(served))
ax.plot(e0, served + jitter, ".", color=plots.COLORS["control"], markersize=3, alpha=0.4, rasterized=True,
        label="matching: displays it stands in for")  # fmt: skip
ax.plot(e0[order], odds[order], color=plots.COLORS["estimate"], linewidth=2.6, label="weighting: odds of being shown")
ax.plot([e0[cell == c].mean() for c in range(12)], [served[cell == c].mean() for c in range(12)], "o",
        color=plots.COLORS["warn"], markersize=7, label="matching, mean of a twelfth of the rows")  # fmt: skip
ax.set(xlabel="estimated propensity of a row that was not shown", ylabel="counts as", ylim=(-0.4, 8.4))
fig.legend(loc="outside lower center", ncols=1)
plots.show(
    fig,
    alt="Counts of rows that were not shown against their propensity. Weighting follows a smooth curve. Matching "
    "gives whole numbers, zero for most rows and several for some with the same propensity; their local means "
    "follow the curve.",
    caption="What one row counts. Weighting (blue) gives equal rows equal weight. Matching (purple) makes it a "
    "lottery among neighbours: none, one, five. On average (orange) the lottery pays the odds.",
)
run.record("share_unused", float((served == 0).mean()))
local = pd.DataFrame({"served": served, "odds": odds}).groupby(cell).mean()
run.claim("most rows count zero", (served == 0).mean() > 0.5)
run.claim("local means follow the odds", (local["served"] - local["odds"]).abs().max() < 0.25)
for estimand in ("ATT", "ATE"):
    a, b = four.loc[("weighting", estimand)], four.loc[("matching", estimand)]
    agree = abs(a["estimate"] - b["estimate"]) / np.hypot(a["error"], b["error"])
    run.claim(f"asked for the {estimand} they agree within their errors", agree < 1.96, z=agree)
of_att = four.xs("ATT", level=1)
costs_rows = of_att.loc["matching", "effective rows"] < 0.7 * of_att.loc["weighting", "effective rows"]
run.claim("for the ATT, noise costs effective rows", costs_rows)
run.claim("and matching has the larger error", of_att.loc["matching", "error"] > of_att.loc["weighting", "error"])

# %% [markdown]
# | | weighting | matching |
# |---|---|---|
# | the idea | let every row count as often as its kind is needed | find each row a partner, drop the rest |
# | default estimand | ATE | ATT |
# | its estimate here | {glue:text}`weighting_ate:.3f` | {glue:text}`matching_att:.3f` |
# | its truth | {glue:text}`ate_truth:.3f` | {glue:text}`att:.3f` |
# | needs | a model of the propensity | a distance |
# | what a row counts | a smooth function of $e$ | a whole number |
# | rows not shown that count zero | none | {glue:text}`share_unused:.0%` |
# | effective rows, ATT | {glue:text}`weighting_att_ess:,.0f` | {glue:text}`matching_att_ess:,.0f` |
# | standard error, ATT | {glue:text}`weighting_att.se:.4f` | {glue:text}`matching_att.se:.4f` |
# | fails by | huge weights | distant twins |
#
# The default matters most. Run a weighting tool and a matching tool on the same log, and the two numbers differ
# because they answer *different questions*: all pairs, or those that were shown. Ask both the same question, and
# they agree within their errors. Matching on the propensity is, seen from afar, weighting with noisy weights, and
# the noise costs effective rows.
#
# ## Against an experiment: NSW
#
# A shop that we wrote ourselves can't tell how matching does in the wild. One data set can, nearly. The National
# Supported Work demonstration trained people who had a hard time finding jobs, and *drew lots* for who got in.
# {cite:t}`lalonde1986evaluating` took away the controls, put people from surveys in their place, and asked whether
# the methods of the day would find the experiment's answer. They did not. {cite:t}`dehejia1999causal` said that
# propensity scores do, on the men whose earnings of 1974 are known; {cite:t}`smith2005matching` that it depends on
# whom and what you take. We use the men of Dehejia and Wahba. LaLonde's whole sample gives about half their effect,
# so even the benchmark depends on whom one takes. See for yourself.

# %%
nsw, psid = data.load("nsw"), data.load("psid")
people = {
    "experiment": nsw,
    "CPS": pd.concat([nsw[nsw["treat"] == 1], data.load("cps")], ignore_index=True),
    "PSID": psid,
}
background = ["age", "education", "black", "hispanic", "married", "nodegree", "re74", "re75"]


def parts_of(df, outcome="re78"):
    """Earnings in 1978 (dollars) or another outcome, and training."""
    return df[outcome].to_numpy(float), df["treat"].to_numpy(float)


def rich(df):
    """Background with age to the third power, schooling squared, unemployment, and schooling times earnings."""
    out = df[background].astype(float)
    return out.assign(
        age2=out["age"] ** 2,
        age3=out["age"] ** 3,
        education2=out["education"] ** 2,
        u74=(out["re74"] == 0).astype(float),
        u75=(out["re75"] == 0).astype(float),
        education_re74=out["education"] * out["re74"],
    )


pd.concat({name: df.groupby("treat")[background].mean() for name, df in people.items()}).round(2).T

# %% [markdown]
# The trained (the `1` in each column) are young, poor, and mostly out of work before the programme. The people of
# the surveys are older, married, and earn many times as much. Now the estimates: the experiment; the naive
# difference; least squares on the background; weighting; and two versions of matching.

# %%
money = "dollars"
benchmark = difference_in_means(*parts_of(nsw))
estimates = {"experiment": benchmark}
estimates["experiment, adjusted"] = weighting.standardisation(*parts_of(nsw), nsw[background], unit=money)
for name in ("CPS", "PSID"):
    df = people[name]
    (pay, trained), covariates = parts_of(df), df[background].astype(float)
    nearest_pairs = match(covariates, trained, metric="mahalanobis")
    estimates |= {
        f"{name}: naive": difference_in_means(pay, trained),
        f"{name}: least squares": weighting.standardisation(pay, trained, covariates, unit=money),
        f"{name}: weighting (ATT)": weighting.ipw(pay, trained, X=covariates, estimand="ATT", refuse="flag"),
        f"{name}: twins": matching_estimate(pay, nearest_pairs, refuse="flag", unit=money),
        f"{name}: twins in the score": matching_estimate(pay, match(covariates, trained), refuse="flag", unit=money),
    }
table = pd.DataFrame(
    {k: (e.value, e.se, e.low, e.high) for k, e in estimates.items()}, index=["value", "se", "low", "high"]
).T
table.round().astype(int).assign(refused=[", ".join(e.broken_rules) for e in estimates.values()])

# %% tags=["hide-input"]
gold = benchmark.value
run.record("nsw_experiment", benchmark)
run.record("nsw_adjusted", estimates["experiment, adjusted"])
run.record("nsw_cps_gap", gold - estimates["CPS: naive"].value)
run.record("nsw_cps_naive", estimates["CPS: naive"], truth=gold)
run.record("nsw_cps_adjusted", estimates["CPS: least squares"], truth=gold, naive=estimates["CPS: naive"])
run.record("nsw_psid_naive", estimates["PSID: naive"], truth=gold)
wage = nsw.loc[nsw["treat"] == 1, "re78"].mean()
run.claim(
    "naive is off by more than a year's wage",
    max(estimates[f"{s}: naive"].value for s in ("CPS", "PSID")) < gold - wage,
)
adjusted = [e for name, e in estimates.items() if ": " in name and "naive" not in name]
run.claim(
    "every adjusted interval overlaps the band",
    all(e.low < benchmark.high and e.high > benchmark.low for e in adjusted),
)
for df in (people["CPS"], people["PSID"]):
    was = df.groupby("treat")[["age", "married", "re74", "re75"]].mean()
    run.claim("survey people are older, married, earn many times as much",
              (was.loc[0] > was.loc[1] * [1.2, 2, 4, 4]).all() and was.loc[0, "married"] > 0.5)  # fmt: skip
for short, name in (
    ("adjusted", "least squares"),
    ("ipw", "weighting (ATT)"),
    ("twins", "twins"),
    ("score", "twins in the score"),
):
    if short != "adjusted":
        run.record(f"nsw_cps_{short}", estimates[f"CPS: {name}"], truth=gold, naive=estimates["CPS: naive"])
    run.record(f"nsw_psid_{short}", estimates[f"PSID: {name}"], truth=gold, naive=estimates["PSID: naive"])

fig, ax = plt.subplots(figsize=(5.8, 4.8))
ax.axvspan(
    benchmark.low,
    benchmark.high,
    color=plots.COLORS["truth"],
    alpha=0.1,
    linewidth=0,
    label="interval of the experiment",
)
ax.axvline(gold, color=plots.COLORS["truth"], linestyle=(0, (5, 3)), linewidth=1.4, label="experiment")
plots.forest(
    estimates, naive=("CPS: naive", "PSID: naive"), xlabel="effect of training on earnings in 1978, dollars", ax=ax
)
ax.xaxis.set_major_formatter("{x:,.0f}")
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Forest plot of twelve estimates. Both naive differences are far below zero. All adjusted estimates have "
    "intervals that overlap the band of the experiment, some with orange crosses that mark a refused estimate.",
    caption="Twelve answers to one question. Naive comparisons (grey) are off by more than a year's wage of the "
    "trained. Every adjusted one overlaps the experiment's band. Orange: refused, by the rule that the table names.",
)

# %% [markdown]
# | dollars | ours | in print |
# |---|---|---|
# | experiment | {glue:text}`nsw_experiment:,.2f` | {glue:text}`ledger::nsw_experiment.published:,.2f` |
# | experiment, with covariates | {glue:text}`nsw_adjusted:,.2f` | {glue:text}`ledger::nsw_adjusted.published:,.2f` |
# | CPS, naive | {glue:text}`nsw_cps_naive:,.2f` | {glue:text}`ledger::nsw_cps_naive.published:,.2f` |
# | PSID, naive | {glue:text}`nsw_psid_naive:,.1f` | {glue:text}`ledger::nsw_psid_naive.published:,.1f` |
#
# **The benchmark is an estimate, not a truth.** It carries a standard error of {glue:text}`nsw_experiment.se:,.0f`
# dollars itself, and its interval goes from {glue:text}`nsw_experiment.low:,.0f` to
# {glue:text}`nsw_experiment.high:,.0f`.
#
# Against CPS, least squares give {glue:text}`nsw_cps_adjusted:,.0f` and twins {glue:text}`nsw_cps_twins:,.0f`.
# Against PSID, twins say {glue:text}`nsw_psid_twins:,.0f` on the covariates and {glue:text}`nsw_psid_score:,.0f` in
# the score, and the estimator refuses what it can't carry, unless one asks for a flag instead:

# %%
pay, trained = parts_of(psid)
try:
    matching_estimate(pay, match(psid[background].astype(float), trained))
except EstimateRefused as refusal:
    course.say(f"> **{type(refusal).__name__}.** {refusal}")

# %% [markdown]
# ### All the roads
#
# Two matched numbers for each survey are two choices out of many. Nobody knows the right ruler, or the right
# columns, or the right ratio in advance. So cross three rulers, two sets of columns, three ways to share twins, with
# and without correction, and show every one. No calipers: they would change whose effect it is.


# %%
def thin(est):
    """Whether the rule on effective rows objects; balance is shown by itself."""
    return "effective rows" in est.broken_rules


roads = []
sharing = {"one twin": {}, "five twins": {"ratio": 5}, "each twin once": {"replace": False}}
for name, (short, make), metric, (how, options), corrected in product(
    ("CPS", "PSID"),
    (("background", lambda df: df[background].astype(float)), ("rich", rich)),
    ("mahalanobis", "scaled", "propensity"),
    sharing.items(),
    (False, True),
):
    (pay, trained), covariates = parts_of(people[name]), make(people[name])
    m = match(covariates, trained, metric=metric, **options)
    est = matching_estimate(pay, m, bias_correction=corrected, refuse="flag")
    worst = est.balance["after"].abs().max()
    roads.append((name, short, metric, how, corrected, est.value, est.low, est.high, thin(est), worst))
names = ["survey", "columns", "ruler", "sharing", "corrected", "value", "low", "high", "refused", "imbalance"]
roads = pd.DataFrame(roads, columns=names)
roads.drop(columns=["low", "high"]).sample(4, random_state=run.seed).round({"value": 0, "imbalance": 2})

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.0, 4.2), sharey=True)
for ax, (name, part) in zip(axes, roads.groupby("survey"), strict=True):
    part = part.sort_values("value").reset_index(drop=True)
    ax.axhspan(
        benchmark.low,
        benchmark.high,
        color=plots.COLORS["truth"],
        alpha=0.1,
        linewidth=0,
        label="interval of the experiment",
    )
    ax.axhline(gold, color=plots.COLORS["truth"], linestyle=(0, (5, 3)), linewidth=1.3)
    kinds = {
        "balanced": (~part["refused"] & (part["imbalance"] <= 0.1), "estimate", "o"),
        "some imbalance above the rule of thumb": (~part["refused"] & (part["imbalance"] > 0.1), "treated", "s"),
        "refused: too few effective rows": (part["refused"], "warn", "X"),
    }
    for label, (which, color, mark) in kinds.items():
        ax.vlines(
            part.index[which], part.loc[which, "low"], part.loc[which, "high"], color=plots.COLORS[color], alpha=0.35
        )
        ax.plot(
            part.index[which], part.loc[which, "value"], mark, color=plots.COLORS[color], markersize=5, label=label
        )
    ax.set(title=f"trained against {name}", xticks=[], xlabel=f"{len(part)} ways to match, sorted")
    ax.yaxis.set_major_formatter("{x:,.0f}")
axes[0].set_ylabel("effect on earnings, dollars")
handles = {label: h for ax in axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Two panels of sorted estimates with intervals. Against CPS all lie within the band of the experiment. "
    "Against PSID they run from far below zero to well above the experiment's estimate; many are marked as refused "
    "or imbalanced.",
    caption="Every way to match that we tried. CPS: all inside the experiment's band. PSID: take your pick, from "
    "ruin to nearly twice the benchmark. Hardly any of the PSID matches is balanced, and that can be seen without "
    "the experiment.",
)
for name in ("CPS", "PSID"):
    part, short = roads[roads["survey"] == name], name.lower()
    # Many people are equal, and rounding decides who among equals goes first: shaking the covariates by 1e-14 to
    # 1e-12 of their size moved single roads by up to 290 (CPS) and 101 dollars (PSID) and two roads over the rule
    # of thumb. Four times these mc_se cover that.
    tie = {"kind": "stochastic", "mc_se": 75.0 if name == "CPS" else 26.0}
    run.record(f"roads_{short}_low", part["value"].min(), truth=gold, naive=estimates[f"{name}: naive"], **tie)
    run.record(f"roads_{short}_high", part["value"].max(), truth=gold, **tie)
    run.record(f"roads_{short}_inside", int(part["value"].between(benchmark.low, benchmark.high).sum()))
    run.record(f"roads_{short}_refused", int(part["refused"].sum()))
    good = part[~part["refused"] & (part["imbalance"] <= 0.1)]
    run.record(f"roads_{short}_balanced", len(good), kind="stochastic", mc_se=0.5)
    run.record(f"roads_{short}_good_low", good["value"].min(), truth=gold, **tie)
    run.record(f"roads_{short}_good_high", good["value"].max(), truth=gold, **tie)
run.record("roads_each", len(roads) // 2)
inside = roads.loc[roads["survey"] == "CPS", "value"].between(benchmark.low, benchmark.high)
run.claim("against CPS every way lies in the band of the experiment", bool(inside.all()))
balanced = ~roads["refused"] & (roads["imbalance"] <= 0.1)
for name, part in roads.groupby("survey"):
    spread, width = np.ptp(part["value"]), (part["high"] - part["low"]).median()
    run.record(f"roads_{name.lower()}_spread", spread, kind="stochastic", mc_se=150.0 if name == "CPS" else 52.0)
    run.record(f"roads_{name.lower()}_width", width, kind="stochastic", mc_se=75.0)
    wider = spread > 1.5 * width if name == "PSID" else spread < width
    run.claim(f"{name}: spread of the roads against the width of an interval", wider, spread=spread, width=width)
    miss = (part["value"] - gold).abs().groupby(balanced).mean()
    run.claim(f"{name}: balanced ones are closer on average", miss[True] < miss[False], **miss.rename(str))
high = roads.loc[roads["survey"] == "PSID", "value"].max() / gold
run.claim("PSID: up to nearly twice the benchmark", 1.6 < high < 2, times=high)
run.claim("PSID: hardly any is balanced", balanced[roads["survey"] == "PSID"].mean() < 0.1)

# %% [markdown]
# Against CPS the {glue:text}`roads_each:d` ways run from {glue:text}`roads_cps_low:,.0f` to
# {glue:text}`roads_cps_high:,.0f` dollars; against PSID from {glue:text}`roads_psid_low:,.0f` to
# {glue:text}`roads_psid_high:,.0f`. With PSID the roads lie {glue:text}`roads_psid_spread:,.0f` dollars apart, and
# the interval of one of them is {glue:text}`roads_psid_width:,.0f` wide (median): an analyst who reports one with
# its standard error leaves out the larger part of the uncertainty. With CPS it is the other way round
# ({glue:text}`roads_cps_spread:,.0f` and {glue:text}`roads_cps_width:,.0f`). What one could have known without the
# experiment: of the PSID matches {glue:text}`roads_psid_refused:d` are refused for too few effective rows and
# {glue:text}`roads_psid_balanced:d` are balanced, of the CPS matches {glue:text}`roads_cps_balanced:d`. The
# balanced and not refused ones say {glue:text}`roads_psid_good_low:,.0f` to {glue:text}`roads_psid_good_high:,.0f`
# with PSID and {glue:text}`roads_cps_good_low:,.0f` to {glue:text}`roads_cps_good_high:,.0f` with CPS, on average
# closer to the experiment than the rest. That speaks for looking at balance; so few roads in one data set are an
# anecdote, though. Decide on the design by balance and effective rows, before you look at the outcome.
#
# ### Two placebo tests
#
# An effect that must be zero tests the design without any benchmark. **First:** training can't change what people
# earned *before*. Match without `re75` and estimate the "effect" on `re75`, a {term}`placebo outcome`. **Second:**
# nobody trained the controls of the experiment. Compare *them* with their matched survey twins on `re78`: any
# difference is bias {cite:p}`smith2005matching`.

# %%
placebo = {}
earlier = [c for c in background if c != "re75"]
for name in ("experiment", "CPS", "PSID"):
    df = people[name]
    before, trained = parts_of(df, "re75")
    m = match(df[earlier].astype(float), trained, metric="mahalanobis")
    placebo[f"earnings in 1975: {name}"] = matching_estimate(before, m, refuse="flag")
lottery = nsw[nsw["treat"] == 0].assign(treat=1)  # not trained; "treat" now says: from the experiment
for name in ("CPS", "PSID"):
    df = pd.concat([lottery, people[name][people[name]["treat"] == 0]], ignore_index=True)
    pay, from_nsw = parts_of(df)
    for ruler, make in (("twins", lambda df: df[background].astype(float)), ("twins, rich", rich)):
        m = match(make(df), from_nsw, metric="mahalanobis")
        placebo[f"untrained: {name}, {ruler}"] = matching_estimate(pay, m, refuse="flag")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.8, 3.5))
plots.truth_line(ax, 0.0, "nothing can have happened")
plots.forest(placebo, xlabel="'effect', dollars", ax=ax)
ax.xaxis.set_major_formatter("{x:,.0f}")
fig.legend(loc="outside lower center")
plots.show(
    fig,
    alt="Forest plot of seven placebo effects. The experiment's covers zero. The effects on earlier earnings "
    "against CPS and PSID lie well below zero. The untrained differ little from CPS twins and by more than a "
    "thousand dollars from PSID twins with the rich columns.",
    caption="Effects that can't be there. On earlier earnings (top) both surveys fail and the experiment passes. "
    "Untrained people against their twins (bottom): CPS passes, PSID with rich columns does not.",
)
shorts = ["re75_experiment", "re75_cps", "re75_psid"]
shorts += ["untrained_cps", "untrained_cps_rich", "untrained_psid", "untrained_psid_rich"]
for short, name in zip(shorts, placebo, strict=True):
    run.record(f"placebo_{short}", placebo[name], truth=0.0)
fails = [short for short, est in zip(shorts, placebo.values(), strict=True) if not est.covers(0)]
run.claim("both surveys fail before, one of four fails after", fails == ["re75_cps", "re75_psid", shorts[-1]])
failed = placebo["untrained: PSID, twins, rich"]
run.claim("it shows the whole effect of training", 0.8 * gold < failed.value < 1.2 * gold, dollars=failed.value)
run.claim("it would have been refused", "effective rows" in failed.broken_rules)

# %% [markdown]
# On earnings of 1975, against CPS: {glue:text}`placebo_re75_cps:,.0f` dollars (standard error
# {glue:text}`placebo_re75_cps.se:,.0f`), against PSID {glue:text}`placebo_re75_psid:,.0f`
# ({glue:text}`placebo_re75_psid.se:,.0f`); in the experiment {glue:text}`placebo_re75_experiment:,.0f`
# ({glue:text}`placebo_re75_experiment.se:,.0f`). The twins are no twins in a year that we left out. That does not
# condemn a match that *includes* 1975, but it says that one column can hide a bias of that size, and nobody can say
# that `re75` was the last such column.
#
# The second test is the sharper one: the estimates above all share the same trained people, so what separates them
# is whom they are compared with, and this test looks at nothing else. Untrained people differ from their CPS twins
# by {glue:text}`placebo_untrained_cps:,.0f` dollars (standard error {glue:text}`placebo_untrained_cps.se:,.0f`: a
# pass that rules out little),
# and from their PSID twins by {glue:text}`placebo_untrained_psid:,.0f`
# ({glue:text}`placebo_untrained_psid.se:,.0f`). Match on the rich columns, which should make the twins more alike,
# and the PSID gap is {glue:text}`placebo_untrained_psid_rich:,.0f`
# ({glue:text}`placebo_untrained_psid_rich.se:,.0f`): people who were never trained show the whole "effect of
# training". It is one failure in four, and its effective rows ({glue:text}`placebo_untrained_psid_rich.ess:,.0f`)
# would have had that match refused.
#
# The honest conclusion: with CPS, where there are thousands of people to choose from, matching comes back from a
# naive error of {glue:text}`nsw_cps_gap:,.0f` dollars to within the noise of the experiment
# ({glue:text}`roads_cps_inside:d` of {glue:text}`roads_each:d` ways). The noise is so wide that "within it" is no
# great praise, and the design that we would have liked best can't be told from the worst by the benchmark. With
# PSID, the answer is the analyst's.
#
# ## A million rows
#
# Nora wants all displays, not a sample. On one dimension, nearest neighbours need sorting and nothing else, so the
# propensity makes matching fast:

# %% tags=["nbval-ignore-output"]
big = world.exposure_log(n_pairs=1_000_000, seed=run.seed)
big_y, big_t = arrays(big)
tracemalloc.start()
began = time.perf_counter()
big_fit = weighting.propensity(big[columns], big_t)
million = matching_estimate(big_y, match(big_fit, big_t), unit="purchases per display")
seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(
    f"{len(big):,} rows, propensity model, pairs, estimate and error: {seconds:.1f} s, {peak / 2**30:.2f} GiB at "
    f"the peak"
)
del big
million_ipw = weighting.ipw(big_y, big_t, big_fit, estimand="ATT")
run.record("million_ipw", million_ipw, truth=truth.att(), naive=difference_in_means(big_y, big_t))
run.record("million", million, truth=truth.att(), naive=difference_in_means(big_y, big_t))
run.claim("the whole interval of the million lies under the offer", million.high < 0.08)
million

# %% tags=["hide-input"]
others_like_it = []
for k in range(run.size(ci=6, full=40)):
    again = world.exposure_log(n_pairs=100_000, seed=run.seed + 30_000 + k)
    est = matching_estimate(arrays(again)[0], match(again[columns], arrays(again)[1]), refuse="flag")
    others_like_it.append((est.value - truth.att(), est.covers(truth.att())))
errors, hits = np.array(others_like_it, dtype=float).T
error_mc = errors.std(ddof=1) / np.sqrt(len(errors))
run.record("other_logs", len(errors))
run.record("other_covers", hits.sum(), kind="stochastic", mc_se=np.sqrt(len(hits) * 0.95 * 0.05))
run.record("other_error", errors.mean(), truth=0.0, kind="stochastic", mc_se=error_mc)
run.record("other_error_mc", error_mc)
hit = "covers the truth" if million.covers(truth.att()) else "misses the truth, as one in twenty does"
course.say(f"The interval of this million {hit}: a single log can't tell good luck, bad luck and bias apart.")

# %% [markdown]
# The estimate is {glue:text}`million:.4f` (interval {glue:text}`million.low:.4f` to
# {glue:text}`million.high:.4f`), and the whole interval lies under the offer: Mara takes it. The truth is
# {glue:text}`million.truth:.4f`. To look for bias, here is the same estimator on {glue:text}`other_logs:d` other
# logs of a hundred thousand pairs: {glue:text}`other_covers:.0f` intervals cover, and the mean error is
# {glue:text}`other_error:.4f` (Monte-Carlo error {glue:text}`other_error_mc:.4f`). A bias smaller than that could
# hide, and so few logs say little about coverage. The million is precise *because* the propensity model is the
# right one in this shop; where it is wrong, a million rows give a very precise answer to nobody's question.

# %% [markdown]
# ## When it breaks
#
# Four ways to fail, each over many weeks with the very same code:
#
# - **hidden confounding**: the recommender now also reads taste and quality, which the log doesn't keep;
# - **no overlap**: a rule shows everything above one score, so those displays have no twins anywhere;
# - the same with a **caliper**, the usual mend;
# - **matching on a consequence**: somebody adds the seconds that a user spent on the item's page, to make the twins
#   "more alike". A display sends people there, and buyers must pass through it.

# %%
hidden, ruled = make_world(confounding="hidden"), make_world(overlap="none")
breaks = {  # name: shop, extra column?, options
    "as it should be": (world, False, {}),
    "hidden confounding": (hidden, False, {}),
    "no overlap": (ruled, False, {}),
    "no overlap, caliper 0.1": (ruled, False, {"caliper": 0.1}),
    "matched on page time": (world, True, {}),
}


# %% tags=["hide-input"]
def broken(shop, page, options, seed):
    """Estimate, whether it covers the ATT, worst balance, longest pair, share kept, truth of those who stay."""
    sample = shop.exposure_log(n_pairs=5_000, seed=seed)
    (y, t), X = arrays(sample), sample[columns]
    if page:  # half a minute for a display, a minute for a purchase, and chance
        X = X.assign(page=0.5 * t + y + 0.5 * np.random.default_rng(seed).normal(size=len(y)))
    m = match(X, t, metric="mahalanobis", **options)
    est = matching_estimate(y, m, refuse="flag")
    raw = matching_estimate(y, m, bias_correction=False, refuse="flag").value
    stay = m.own == 1
    own = shop.truth.pairs(sample)["tau"].to_numpy()[stay].mean()
    worst = est.balance["after"].abs().max()
    return est.value, est.covers(shop.truth.att()), worst, m.distance.max(), stay.sum() / t.sum(), own, raw


draws = run.size(ci=12, full=300)
damage = {}
for name, (shop, page, options) in run.progress(breaks.items(), "breaks"):
    rows = np.array([broken(shop, page, options, run.seed + 9_000 + k) for k in range(draws)], dtype=float)
    damage[name] = [shop.truth.att(), *rows.mean(axis=0), rows[:, 0].std()]
names = ["truth", "estimate", "covers", "imbalance", "longest pair", "kept", "truth of those kept", "uncorrected",
         "spread"]  # fmt: skip
damage = pd.DataFrame(damage, index=names).T
damage.set_axis(
    ["ATT", "estimate", "covers", "largest SMD", "longest pair", "kept", "truth of kept", "uncorrected", "spread"],
    axis=1,
).T.round(2)

# %% tags=["hide-input"]
run.record("draws", draws)
for short, (_, row) in zip(("fine", "hidden", "ruled", "caliper", "page"), damage.iterrows(), strict=True):
    mc_se = row["spread"] / np.sqrt(draws)
    run.record(f"broken_{short}", row["estimate"], truth=row["truth"], kind="stochastic", mc_se=mc_se)
    run.record(f"broken_{short}_covers", row["covers"], kind="stochastic", mc_se=0.5 / np.sqrt(draws))
    run.record(f"broken_{short}_imbalance", row["imbalance"])
    run.record(f"broken_{short}_longest", row["longest pair"])
    run.record(f"broken_{short}_kept", row["kept"])
    run.record(f"broken_{short}_own", row["truth of those kept"])
run.claim("a consequence turns the sign", damage.loc["matched on page time", "estimate"] < 0)
off = (damage["estimate"] - damage["truth"]) / (damage["spread"] / np.sqrt(draws))
run.claim("the first row agrees", abs(off["as it should be"]) < 2.6, monte_carlo_errors=off["as it should be"])
hole, cut = damage.loc["no overlap"], damage.loc["no overlap, caliper 0.1"]
run.record("broken_ruled_plain", hole["uncorrected"], truth=hole["truth"], kind="stochastic",
           mc_se=hole["spread"] / np.sqrt(draws))  # fmt: skip
by_twins = hole["uncorrected"] - hole["truth"]
run.claim("no overlap: the twins alone are off", by_twins > 1.64 * hole["spread"] / np.sqrt(draws), gap=by_twins)
run.claim("the correction takes part of it off", hole["uncorrected"] > hole["estimate"] + 0.005)
run.claim("the distance and balance tell",
          hole["longest pair"] > 1.2 * damage["longest pair"].iloc[0] and hole["imbalance"] > 0.1)  # fmt: skip
near = abs(cut["estimate"] - cut["truth of those kept"]) / (cut["spread"] / np.sqrt(draws))
run.claim("with a caliper, close to the truth of those who stay", near < 2.6, monte_carlo_errors=near)
run.claim("page time: no interval covers", damage.loc["matched on page time", "covers"] == 0)
run.claim(
    "hidden confounding leaves balance as it was",
    abs(damage["imbalance"].iloc[1] - damage["imbalance"].iloc[0]) < 0.02,
)
run.claim("balance keeps quiet about a consequence", damage.loc["matched on page time", "imbalance"] < 0.1)
unseen = damage.loc["hidden confounding"]
run.claim("hidden confounding biases", unseen["estimate"] - unseen["truth"] > 4 * unseen["spread"] / np.sqrt(draws))
sure = ruled.exposure_log(n_pairs=50_000, seed=run.seed, with_propensity=True)
run.record("no_twin", float((sure.loc[sure["exposed"] == 1, "propensity"] == 1).mean()))

fig, ax = plt.subplots(figsize=(5.8, 3.5))
height = np.arange(len(damage))[::-1]
low, high = (damage["estimate"] + s * 1.96 * damage["spread"] for s in (-1, 1))
ax.hlines(height, damage[["estimate", "truth"]].min(axis=1), damage[["estimate", "truth"]].max(axis=1),
          color=plots.COLORS["warn"], alpha=0.4, linewidth=7)  # fmt: skip
ax.hlines(height, low, high, color=plots.COLORS["estimate"], linewidth=2)
ax.plot(damage["estimate"], height, "o", color=plots.COLORS["estimate"], label="mean and range of the estimates")
ax.plot(damage["truth"], height, "D", color=plots.COLORS["truth"], label="true ATT")
ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
ax.set_yticks(height, damage.index)
ax.set(xlabel="ATT", ylim=(-0.6, len(damage) - 0.4))
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Five rows with the range of estimates and a diamond for the truth. The first row agrees. Hidden "
    "confounding lies to the right of its truth, the two rows without overlap less far or close to theirs; matching "
    "on page time lies far to the left, below zero.",
    caption="The gaps (orange) between what matching says and the true ATT. A consequence among the matched "
    "columns turns the sign: twins who spent as long on the page, one of them without being sent there.",
)

# %% [markdown]
# **Hidden confounding.** The mean estimate is {glue:text}`broken_hidden:.3f`, the truth
# {glue:text}`broken_hidden.truth:.3f`; {glue:text}`broken_hidden_covers:.0%` of the intervals cover. Balance is as
# good as ever ({glue:text}`broken_hidden_imbalance:.2f`, and {glue:text}`broken_fine_imbalance:.2f` in the shop
# where all is well). Nora's "just like Ana" was never just like Ana. *Instead:* log what the ranker reads; randomise
# some displays; a sensitivity analysis.
#
# **No overlap.** For {glue:text}`no_twin:.0%` of the displays the chance of being shown is one: there is no twin,
# and matching returns one without a word. The distance tells ({glue:text}`broken_ruled_longest:.1f` for the longest
# pair, {glue:text}`broken_fine_longest:.1f` in the good shop), and balance does
# ({glue:text}`broken_ruled_imbalance:.2f`). The twins alone say {glue:text}`broken_ruled_plain:.3f`,
# the truth is {glue:text}`broken_ruled.truth:.3f`. The correction says {glue:text}`broken_ruled:.3f`: it draws a line
# across the hole and takes part of the gap off. Whether a line is right where everybody was shown, no row of this
# log can say. With a caliper {glue:text}`broken_caliper_kept:.0%` of the displays stay. The estimate,
# {glue:text}`broken_caliper:.3f`, is close to the truth of *those*, {glue:text}`broken_caliper_own:.3f`, which is
# not the number that was wanted. *Instead:*
# say for whom there is an answer, and ask for exploration where there is none.
#
# **A consequence.** With page time among the columns the estimate is {glue:text}`broken_page:.3f`, coverage
# {glue:text}`broken_page_covers:.0%`: recommending would *prevent* sales. A twin who spent as long on the page
# without a display was keener to begin with. Matching on one more column made the answer absurd, and nothing in the
# balance shouts ({glue:text}`broken_page_imbalance:.2f`, within the rule of thumb). *Instead:* match only on
# columns that were fixed before the display ({term}`pre-treatment variable`).
#
# ## What this means for a language-model recommender
#
# A language model turns reviews into vectors, and the vectors invite a nicer twin: an item *about the same thing*.
# Text is a {term}`confounder` if the ranker reads it; in the shop with hidden confounding, the ranker reads hidden
# quality, and reviews speak of quality. So match on the three columns plus the first dimensions of a text embedding
# (here the leading directions of word counts; a {term}`BERT` vector has hundreds of dimensions instead of a few).

# %%
words = TfidfVectorizer(min_df=3, stop_words="english").fit_transform(world.items["text"])
vectors = TruncatedSVD(20, random_state=run.seed).fit_transform(words)
vectors = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)


def text_twins(shop, d, seed):
    """Error of plain and of corrected matching on columns and d text dimensions; balance of the score."""
    sample = shop.exposure_log(n_pairs=5_000, seed=seed)
    y, t = arrays(sample)
    both = np.column_stack([sample[columns], vectors[sample["item"].to_numpy(), :d]])
    m = match(both, t, metric="mahalanobis")
    raw, corrected = (matching_estimate(y, m, bias_correction=c, refuse="flag") for c in (False, True))
    return raw.value - shop.truth.att(), corrected.value - shop.truth.att(), abs(corrected.balance["after"].iloc[0])


runs = run.size(ci=9, full=100)
texts = [
    (name, d, *text_twins(shop, d, run.seed + 20_000 + k))
    for (name, shop), d in run.progress(list(product((("open", world), ("hidden", hidden)), (0, 5, 20))), "texts")
    for k in range(runs)
]
texts = pd.DataFrame(texts, columns=["shop", "text dimensions", "twins", "corrected", "score imbalance"])
mean_text = texts.groupby(["shop", "text dimensions"]).mean()
error_text = texts.groupby(["shop", "text dimensions"]).std() / np.sqrt(runs)
mean_text.round(3).reset_index().pivot_table(index="text dimensions", columns="shop")

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.0, 3.6))
lines = {
    ("open", "twins"): ("nothing hidden", "estimate", "o", "-"),
    ("open", "corrected"): ("nothing hidden, corrected", "soft", "s", "--"),
    ("hidden", "twins"): ("hidden quality and taste", "warn", "^", "-"),
    ("hidden", "corrected"): ("hidden ..., corrected", "treated", "v", "--"),
}
for (shop, what), (label, color, mark, line) in lines.items():
    part, bar = mean_text.loc[shop, what], error_text.loc[shop, what]
    axes[0].errorbar(part.index, part, yerr=bar, color=plots.COLORS[color], marker=mark, linestyle=line, label=label)
plots.truth_line(axes[0], 0.0, "no error", axis="y")
axes[0].set(xlabel="text dimensions in the match", title="error of the estimate")
axes[1].plot(mean_text.loc["open", "score imbalance"], "o-", color=plots.COLORS["estimate"])
axes[1].axhline(0.1, color=plots.COLORS["ink"], linestyle=":", linewidth=1)
axes[1].set(xlabel="text dimensions in the match", title="imbalance of the score", ylim=(0, None))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Left: the error of plain matching grows with text dimensions; that of corrected matching moves less, and "
    "stays well above zero where quality is hidden. Right: the imbalance of the score rises from near zero to more "
    "than twice the rule of thumb.",
    caption="Twins in meaning. Each text dimension buys agreement in wording and pays with the score, the column "
    "that matters. Where quality is hidden, the text can't bring back all of it.",
)
for shop, d in (("open", 0), ("open", 20), ("hidden", 0), ("hidden", 20)):
    at_d = (shop, d)
    for what in ("twins", "corrected"):
        run.record(f"text_{what}_{shop}_{d}", mean_text.loc[at_d, what], truth=0.0, kind="stochastic",
                   mc_se=error_text.loc[at_d, what])  # fmt: skip
    run.record(f"text_imbalance_{shop}_{d}", mean_text.loc[at_d, "score imbalance"])
run.record("text_mc", error_text["corrected"].max())
paired = texts[texts["shop"] == "hidden"].groupby("text dimensions")["corrected"].apply(np.array)
gain = paired[0] - paired[20]  # the same weeks, without and with text
run.record("text_gain", gain.mean(), kind="stochastic", mc_se=gain.std(ddof=1) / np.sqrt(runs))
run.record("text_gain_mc", gain.std(ddof=1) / np.sqrt(runs))
left, left_mc = (part.loc[("hidden", 20), "corrected"] for part in (mean_text, error_text))
run.claim("a part stays hidden", left > 1.64 * left_mc, left=left, error=left_mc)
open_plain = texts[texts["shop"] == "open"].groupby("text dimensions")["twins"].apply(np.array)
worse = open_plain[20] - open_plain[0]
run.claim("text makes plain twins worse", worse.mean() > 3 * worse.std(ddof=1) / np.sqrt(runs), gap=worse.mean())
score_off = mean_text["score imbalance"]
run.claim("and the score apart", score_off.xs(20, level=1).min() > 0.2 > 0.05 > score_off.xs(0, level=1).max())

# %% [markdown]
# In the shop where nothing is hidden, twenty text dimensions take plain matching from an error of
# {glue:text}`text_twins_open_0:.3f` to {glue:text}`text_twins_open_20:.3f` and the imbalance of the score from
# {glue:text}`text_imbalance_open_0:.2f` to {glue:text}`text_imbalance_open_20:.2f`. In the shop with hidden quality
# the corrected error goes from {glue:text}`text_corrected_hidden_0:.3f` to
# {glue:text}`text_corrected_hidden_20:.3f` (paired difference {glue:text}`text_gain:.3f`, Monte-Carlo error
# {glue:text}`text_gain_mc:.3f`). What the text gives back, these few weeks can't measure
# well; a part stays hidden.
#
# An embedding puts items together that are *written about* alike, not *shown and bought* alike. Better ask the text
# for one thing: predict the display or the purchase from it and match on the prediction; the chapters on text build
# this. And if reviews were written *after* the display, text is a consequence, like page time.
#
# ## Exercises
#
# ### Exercise 1: a twin in one number
#
# Write nearest-neighbour matching on one score, with replacement, and return the ATT: for each treated row find the
# control with the nearest score, subtract its outcome, average. There are no ties.
#
# <details><summary>Hint</summary>
#
# With so few rows a table of all distances will do, one line for each treated row. Mind what the positions that
# `argmin` returns count: rows of the whole data, or rows within the controls?
#
# </details>


# %% tags=["exercise"]
def nearest_att(y, t, score):
    """Return the ATT by one nearest neighbour with replacement."""
    # BEGIN SOLUTION
    table = np.abs(score[t == 1][:, None] - score[t == 0])
    return np.mean(y[t == 1] - y[t == 0][table.argmin(axis=1)])
    # END SOLUTION


# %% tags=["check"]
check("weighting/02.1", nearest_att)

# %% [markdown]
# ### Exercise 2: who was dropped?
#
# Match as before, but drop treated rows whose nearest control is further than `caliper` away. Return three numbers:
# the effect among those who stay, the share of the treated who stay, and the mean score of the treated who were
# *dropped* (the report must say whom the number is not about). At least one row is dropped.
#
# <details><summary>Hint</summary>
#
# `distance = table.min(axis=1)`, and `stay = distance <= caliper` is a mask over the treated.
#
# </details>


# %% tags=["exercise"]
def with_caliper(y, t, score, caliper):
    """Return the effect among those who stay, the share who stay, and the mean score of the dropped."""
    # BEGIN SOLUTION
    table = np.abs(score[t == 1][:, None] - score[t == 0])
    stay = table.min(axis=1) <= caliper
    effects = y[t == 1] - y[t == 0][table.argmin(axis=1)]
    return effects[stay].mean(), stay.mean(), score[t == 1][~stay].mean()
    # END SOLUTION


# %% tags=["check"]
check("weighting/02.2", with_caliper)

# %% [markdown]
# ### Exercise 3: take the gap off
#
# Correct for one covariate. You get outcome `y`, treatment `t`, covariate `x`, and `partner`: for each treated row,
# in their order, the row number of its twin. Fit a line of `y` on `x` among the twins, *each as often as it
# serves*, and take what the gap in `x` is worth off each pair's difference. Return the corrected ATT.
#
# <details><summary>Hint</summary>
#
# `np.polyfit(x[partner], y[partner], 1)[0]` is the slope: `partner` lists a twin as often as it serves. The gap of
# a pair is own minus twin's.
#
# </details>


# %% tags=["exercise"]
def corrected_att(y, t, x, partner):
    """Return the bias-corrected ATT."""
    # BEGIN SOLUTION
    slope = np.polyfit(x[partner], y[partner], 1)[0]
    own = np.flatnonzero(t == 1)
    return np.mean(y[own] - y[partner] - slope * (x[own] - x[partner]))
    # END SOLUTION


# %% tags=["check"]
check("weighting/02.3", corrected_att)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague matches with replacement, then builds a tidy "matched sample" and compares means. Often one reads
# exactly this code. It is biased towards the naive answer:
#
# ```python
# def matched_difference(y, t, partner):
#     matched_controls = np.unique(partner)
#     return y[t == 1].mean() - y[matched_controls].mean()
# ```
#
# Find the error and mend it. Return the ATT and the effective sample size of the twins.
#
# <details><summary>Hint</summary>
#
# A twin that serves five displays must count five times, here and in Kish's $(\sum_j K_j)^2 / \sum_j K_j^2$.
#
# </details>


# %% tags=["exercise"]
def matched_difference(y, t, partner):
    """Return the ATT and the effective sample size of the twins."""
    # BEGIN SOLUTION
    served = np.bincount(partner, minlength=len(y))
    return y[t == 1].mean() - np.average(y, weights=served), served.sum() ** 2 / (served**2).sum()
    # END SOLUTION


# %% tags=["check"]
check("weighting/02.4", matched_difference)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "You match each display to one pair that was not shown, with replacement. Whose effect is it?",
    {
        "Everybody's (ATE)": (False, "Pairs that were not shown serve as twins only; nobody looks for theirs."),
        "That of the pairs that were shown (ATT)": (True, "Each of them speaks once; the twins stand in."),
        "That of the pairs that were used": (False, "Used twins are not averaged over; they fill in Y(0)."),
        "That of a population between treated and controls": (
            False,
            "That is what overlap weights do, and what a caliper does without saying so.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A caliper improves balance and drops a third of the displays. What must the report say?",
    {
        "Nothing: better balance is better": (
            False,
            "Balance is better among others. The dropped ones had another effect in this chapter.",
        ),
        "That the sample is smaller": (False, "That too. But it is also a different one."),
        "Whose effect it is now, and how those dropped differ": (
            True,
            "The estimand moved; a reader must be able to judge whether it is still the question.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "Why is one nearest neighbour on twenty covariates biased even if all confounders are among them?",
    {
        "There are unmeasured confounders": (False, "The question rules them out."),
        "In twenty dimensions the nearest row is far away": (
            True,
            "The distance shrinks like n to the power of minus one over k; the gap in covariates stays in the "
            "difference.",
        ),
        "The variance is too large": (False, "That makes the estimate noisy, not biased."),
        "The standard error ignores reuse": (False, "A wrong error doesn't move the estimate."),
    },
)

# %% tags=["quiz"]
quiz(
    "The matched estimate on survey controls lies close to the experiment's. What does that prove?",
    {
        "That the confounders were measured": (
            False,
            "The benchmark's interval is thousands of dollars wide; a large bias fits in.",
        ),
        "That this way of matching is the right one": (False, "Many ways were close; many others were not."),
        "Little: it was not refuted": (
            True,
            "Show all the roads, the placebo tests, and the benchmark's own error beside it.",
        ),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Matching fills in $Y(0)$ of the treated with a twin. A twin is a twin in the columns that you name, fixed before
#   the treatment.
# - Replacement trades variance for bias; a caliper trades the question for an answer. Say who was dropped.
# - One neighbour in many dimensions is far away. Correct the bias, use the Abadie-Imbens error, not the bootstrap.
# - Weighting is not matching: other defaults, other effective samples. Asked the same question, they should agree.
# - An experimental benchmark is an estimate. Show the spread over designs, and test designs where the effect must
#   be zero.
#
# ## Further reading
#
# - {cite:t}`stuart2010matching`: the review to begin with; {cite:t}`ho2007matching`: matching as a step before a
#   model.
# - {cite:t}`abadie2006large`, {cite:t}`abadie2011bias`, {cite:t}`abadie2016matching`: large-sample theory, bias
#   correction, and matching on an estimated score. {cite:t}`abadie2008failure`: the bootstrap.
# - {cite:t}`rosenbaum1985constructing` and {cite:t}`austin2011optimal`: calipers; {cite:t}`hansen2004full`: full
#   matching.
# - {cite:t}`king2019propensity`: against matching on the propensity.
# - {cite:t}`lalonde1986evaluating`, {cite:t}`dehejia1999causal`, {cite:t}`dehejia2002propensity`,
#   {cite:t}`smith2005matching`: the debate on the training programme, in order. {cite:t}`cunningham2021causal`
#   works through its code.
# - {cite:t}`imbens2015causal`: matching, weighting and regression as one subject.
