# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 50
#     exercise_minutes: 40
#     data: [womens_reviews, nhefs, nsw, cps]
#     max_seconds: 60
# ---

# %% [markdown]
# # Propensity weighting
#
# Lea works for Mara and rents out the strip at the top of the shop's page. Every place in it has a price: a display
# must make at least *seven sales per hundred*, or the space is better sold to a supplier. The report says that
# displays go with {glue:text}`naive_100:.1f` more sales per hundred than no display. Lea wants to double the strip.
#
# The ranker fills the strip with what people are likely to buy *anyway*. It shows {glue:text}`shown_top:.0%` of
# the tenth that it believes in most and {glue:text}`shown_bottom:.0%` of the tenth that it believes in least. So
# the report compares different pairs. But the ranker throws a coin for every pair, and it **wrote down how the
# coin was loaded**. That column is worth more than all the others: with it, Lea can undo the loading.
#
# What she finds is not one number but several. The displays that are made now are *not* worth their place
# ({glue:text}`found_att_100:.1f` sales per hundred). The displays that a strip of twice the size would *add* are
# ({glue:text}`found_added_100:.1f`). Both together are not. All of it comes from the same log, with other weights.
#
# **You will be able to**
#
# - write the {term}`Horvitz-Thompson` and the {term}`Hajek <Hajek estimator>` estimator in three lines each, and say
#   why the second is the default;
# - pick weights by the question: {term}`ATE`, {term}`ATT`, {term}`ATC`, {term}`ATO`, or the displays that a new rule
#   would add;
# - put an honest {term}`standard error` on a weighted estimate, and recognise one that is not;
# - read {term}`overlap`, {term}`effective sample size` and {term}`balance`, and *stop* when they say so;
# - find out why two runs of "the same" propensity model print different effects.
#
# **Before you start:** you know potential outcomes and the four assumptions from
# {doc}`the first chapter </chapters/concepts/01_why_causal>`.
#
# **Time:** about 50 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop on customer reviews; a health survey of smokers (NHEFS); a job-training experiment
# (NSW) with a survey sample (CPS) in place of its controls.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import binom
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from causalrec_lib import course, data, plots, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.course.ledger import published
from causalrec_lib.data.world import make_world
from causalrec_lib.data.world.parameters import Parameters
from causalrec_lib.estimate import Estimate, EstimateRefused, difference_in_means

run = course.start(PROFILE, SEED, chapter="weighting/01_propensity_weighting")
world = make_world()
truth = world.truth
X = ["score", "log_popularity", "log_activity"]

# %% [markdown]
# ## The naive answer, and how far off it is
#
# A row of the log is a pair of a user and an item: was it shown ($T$, `exposed`), did the user buy within the week
# ($Y$, `consumed`), what did the platform know ($X$), and with which chance did the ranker show it (`propensity`)?


# %%
def arrays(frame):
    """Outcome and treatment of a log."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


log = world.exposure_log(n_pairs=100_000, seed=run.seed, with_propensity=True)
y, t = arrays(log)
e = log["propensity"].to_numpy()
naive = difference_in_means(y, t)
log[[*X, "propensity", "exposed", "consumed"]].head(4).round(2)

# %% tags=["hide-input"]
run.record("naive", naive, truth=truth.ate())
run.record("naive_100", 100 * naive.value, truth=100 * truth.ate())
for goal in ("ate", "att", "atc", "ato"):
    run.record(goal, getattr(truth, goal)(), naive=naive)
run.record("naive_in_se", abs(naive.value - truth.ate()) / naive.se)
run.claim("the naive answer lies far above the truth", naive.value - truth.ate() > 10 * naive.se)
decile = pd.qcut(e, 10, labels=False)
run.record("shown_top", t[decile == 9].mean())
run.record("shown_bottom", t[decile == 0].mean())
run.record("pairs", len(log))

# %% [markdown]
# The naive difference is {glue:text}`naive:.3f` (standard error {glue:text}`naive.se:.4f`). The truth, averaged over
# all pairs, is {glue:text}`ate:.3f`: the naive answer lies {glue:text}`naive_in_se:.0f` standard errors away.
#
# ## What must hold
#
# A solid box is a column of the log, a dashed box is not. Orange arrows lead into the display.

# %% tags=["hide-input"]
parts = "score popularity activity marketing hidden price exposed consumed"
place = {
    **{"score": (0, 3), "popularity": (0, 2), "activity": (0, 1), "marketing": (0, 0)},
    **{"exposed": (1.7, 1.0), "consumed": (3.3, 1.6), "hidden": (3.3, 3.0), "price": (3.3, 0.1)},
}
graph = world.dag().subgraph(parts.split()).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Score, popularity and activity point to both exposed and consumed. A marketing coin points to "
    "exposed only. Hidden affinity and price point to consumed only. Exposed points to consumed.",
    caption="Score, popularity and activity move the display and the purchase: weighting must undo their arrows into "
    "the display. Hidden taste and price move purchases only, the marketing coin moves displays only.",
    figsize=(6.0, 4.2),
)

# %% [markdown]
# In words, and in symbols with $e(x) = P(T = 1 \mid X = x)$, the {term}`propensity score`
# {cite:p}`rosenbaum1983central`:
#
# - **{term}`Exchangeability`.** Among pairs with the same $X$ the display is as good as tossed,
#   $(Y(0), Y(1)) \perp T \mid X$. When the ranker itself records $e$, this holds by construction: $e$ knows
#   everything that the ranker looked at. When *we* estimate $e$ from columns, it is a claim that no column is
#   missing.
# - **{term}`Overlap`.** Every pair could have gone either way: $0 < e(x) < 1$. This one the log can refute.
# - **{term}`Consistency`** and no **{term}`interference`**, as in every chapter.
#
# ## Weights from the recorded coin
#
# A shown pair with $e = 0.1$ is one of ten like it; the other nine were not shown. Let it speak for all ten:
# weight $1/e$. A pair that was not shown gets $1/(1-e)$. {cite:t}`horvitz1952generalization` add up the weighted
# outcomes and divide by the number of rows:
#
# $$\widehat\tau_{\mathrm{HT}} = \frac1n \sum_i \frac{T_i Y_i}{e_i} - \frac1n \sum_i \frac{(1-T_i) Y_i}{1-e_i}.$$
#
# The weights of the shown *should* add up to $n$. In one log they don't quite. Hájek divides by what they do add
# up to:
#
# $$\widehat\tau_{\mathrm{H}} = \frac{\sum_i T_i Y_i / e_i}{\sum_i T_i / e_i} -
# \frac{\sum_i (1-T_i) Y_i / (1-e_i)}{\sum_i (1-T_i) / (1-e_i)}.$$


# %%
def horvitz_thompson(y, t, e):
    """Weighted sums over n."""
    return np.mean(t * y / e) - np.mean((1 - t) * y / (1 - e))


def hajek(y, t, e):
    """Weighted means."""
    w1, w0 = t / e, (1 - t) / (1 - e)
    return (w1 @ y) / w1.sum() - (w0 @ y) / w0.sum()


ht_known = weighting.ipw(y, t, e, estimator="ht", X=log[X])
hajek_known = weighting.ipw(y, t, e, X=log[X], unit="purchases per display")
assert np.isclose(horvitz_thompson(y, t, e), ht_known.value)
assert np.isclose(hajek(y, t, e), hajek_known.value)
run.record("ht_known", ht_known, truth=truth.ate(), naive=naive)
run.record("hajek_known", hajek_known, truth=truth.ate(), naive=naive)
run.claim("Hajek's interval holds the truth", hajek_known.covers(truth.ate()))
hajek_known

# %% [markdown]
# By hand and from the library, the same numbers: Horvitz-Thompson {glue:text}`ht_known:.4f`, Hájek
# {glue:text}`hajek_known:.4f`, interval {glue:text}`hajek_known.low:.3f` to {glue:text}`hajek_known.high:.3f`. The
# truth, {glue:text}`ate:.4f`, is inside. What did the weights do?

# %% tags=["hide-input"]
fig = plots.overlap(
    e,
    t,
    weights=np.where(t == 1, 1 / e, 1 / (1 - e)),
    labels=("shown", "not shown"),
    xlabel="recorded chance of being shown, $e$",
)
plots.show(
    fig,
    alt="Two histograms of the recorded propensity, shown pairs upwards, not shown pairs downwards. The filled bars "
    "have different shapes. The outlines of the weighted rows mirror each other along dotted lines, all pairs.",
    caption="Filled: who was shown and who was not; two different crowds. Outlined: after weighting, both look like "
    "everybody (dotted). That is all that weighting does.",
)

# %% [markdown]
# Now both groups stand for the same pairs, a {term}`pseudo-population` in which the coin was fair. A comparison of
# their means is a comparison of like with like.
#
# ## Why Hájek
#
# Count *non*-purchases instead of purchases. Every effect must change its sign and nothing else. Or add one to every
# outcome; an effect must not move at all.

# %%
recoded = {"purchases, y": y, "non-purchases, 1 - y": 1 - y, "y + 1": y + 1}
pd.DataFrame(
    {
        "Horvitz-Thompson": {k: horvitz_thompson(v, t, e) for k, v in recoded.items()},
        "Hájek": {k: hajek(v, t, e) for k, v in recoded.items()},
    }
).round(4)

# %% tags=["hide-input"]
run.record("ht_plus_one", horvitz_thompson(y + 1, t, e), truth=truth.ate(), naive=naive)
run.record("ht_flipped", horvitz_thompson(1 - y, t, e), truth=-truth.ate(), naive=-naive.value)
run.record("weight_sum_shown", np.mean(t / e), truth=1)
run.record("weight_sum_others", np.mean((1 - t) / (1 - e)), truth=1)
assert np.isclose(hajek(y + 1, t, e), hajek(y, t, e)) and np.isclose(hajek(1 - y, t, e), -hajek(y, t, e))
stabilised = weighting.ipw(y, t, e, estimator="stabilised")
assert np.isclose(stabilised.value, hajek_known.value) and np.isclose(stabilised.se, hajek_known.se)
run.record("stabilised", stabilised, truth=truth.ate(), naive=naive)

# %% [markdown]
# Horvitz-Thompson says that a display changes purchases by {glue:text}`ht_known:.4f` and non-purchases by
# {glue:text}`ht_flipped:.4f`; with one more purchase for everybody it says {glue:text}`ht_plus_one:.4f`. The
# weights of the shown add up to {glue:text}`weight_sum_shown:.4f` of $n$, those of the others to
# {glue:text}`weight_sum_others:.4f`, and every constant in $y$ is multiplied by that difference. Horvitz-Thompson
# is exactly unbiased when $e$ is known; Hájek gives that up for a tiny bias that vanishes with $n$, and doesn't
# depend on where zero is. With a fitted propensity model that has a constant, the two come closer, because the
# fit makes the weights add up more nearly to $n$ (the weeks below show it).
#
# :::{note}
# **Stabilised weights** multiply each group's weights by the group's share, $P(T=1)/e$ for the shown, so that
# weights average about one. For *one* treatment with two values, a constant factor within a group cancels in
# Hájek's ratio: the estimate, its standard error and its effective sample size are the same (the folded cell checks
# it). Here stabilising changes how weights look and nothing else. It starts to matter for treatments over time and
# for models that don't have a parameter for every group {cite:p}`robins2000marginal`.
# :::
#
# ## When nobody wrote the coin down
#
# Most logs have no propensity column. Then one fits a model of it. In this shop $\operatorname{logit} e(x)$ is linear
# in the three columns, so a logistic regression is right; in yours it is an assumption.
#
# A fitted $\hat e$ moves with the sample, so a row pulls on the estimate in two ways: with $\hat e$ held fixed, and
# through the coefficients $b$ of the propensity model. The pull of row $i$ is called its *influence*, and the
# squares of all pulls sum up to the variance. With $r_1, r_0$ the distances of $y_i$ from the weighted means and
# $w_1, w_0$ the weights, scaled to mean one:
#
# $$\begin{aligned}
# \phi_i &= \underbrace{w_{1i} r_{1i} - w_{0i} r_{0i}}_{\text{fixed}}
# + \underbrace{z_i (T_i - e_i)}_{\text{to\_b}} \cdot C^{-1} \, \overline{z \, \text{slope}}, \\
# C &= \overline{e (1 - e) \, z z^\top}, \qquad
# \text{slope}_i = -w_{1i} r_{1i} (1 - e_i) - w_{0i} r_{0i} e_i .
# \end{aligned}$$
#
# A bar is a mean over rows. This is {term}`M-estimation`
# {cite:p}`stefanski2002calculus,lunceford2004stratification`; the code uses the same letters:


# %%
def weighted_difference(y, t, columns):
    """Hajek with a fitted propensity; its standard error with the weights held fixed, and the honest one."""
    Z = sm.add_constant((columns - columns.mean()) / columns.std()).to_numpy()
    e = sm.Logit(t, Z).fit(disp=0, tol=1e-10).predict()
    w1, w0 = t / e, (1 - t) / (1 - e)
    w1, w0 = w1 / w1.mean(), w0 / w0.mean()
    r1, r0 = y - np.mean(w1 * y), y - np.mean(w0 * y)

    fixed = w1 * r1 - w0 * r0  # pull of each row, e held fixed
    slope = -w1 * r1 * (1 - e) - w0 * r0 * e  # ... and how it moves with the log-odds of e
    curvature = (Z.T * (e * (1 - e))) @ Z / len(y)
    to_b = Z * (t - e)[:, None]  # pull of each row on the coefficients, up to the curvature
    stacked = fixed + to_b @ np.linalg.solve(curvature, Z.T @ slope / len(y))

    value = np.mean(w1 * y) - np.mean(w0 * y)
    return value, np.sqrt(np.sum(fixed**2)) / len(y), np.sqrt(np.sum(stacked**2)) / len(y)


value, se_fixed, se_stacked = weighted_difference(y, t, log[X])
fit = weighting.propensity(log[X], t)
by_library = weighting.ipw(y, t, fit, X=log[X], unit="purchases per display")
assert np.isclose(value, by_library.value, rtol=1e-6)
assert np.isclose(se_stacked, by_library.se, rtol=1e-5)
assert np.isclose(se_fixed, weighting.ipw(y, t, fit, se="weights_fixed").se, rtol=1e-5)
run.record("ipw", by_library, truth=truth.ate(), naive=naive)
run.record("ipw_se_fixed", se_fixed)
known_wider, fixed_wider = hajek_known.se / by_library.se, se_fixed / by_library.se
run.claim("the known coin has the larger error, by little", 1 < known_wider < 1.1, ratio=known_wider)
run.claim("so it is with weights held fixed", 1 < fixed_wider < 1.1, ratio=fixed_wider)
by_library

# %% [markdown]
# The fitted propensity gives {glue:text}`ipw:.4f` with standard error {glue:text}`ipw.se:.5f`; treating the
# weights as given would say {glue:text}`ipw_se_fixed:.5f`. The recorded propensity gave
# {glue:text}`hajek_known.se:.5f`. The difference is small, and it goes the wrong way: the *known* coin has the larger
# error. We come back to this.
#
# :::{note}
# **Rows or users?** In this shop, given its users and items, pairs are drawn and displayed independently, so rows are
# the right unit for the truth that we aim at, the effect over *these* users and items. Counting users instead
# (`clusters=log["user"]`) gives {glue:text}`se_users:.5f`. If your log holds several events of one user or session,
# or if the claim is to hold for new users, that is the number to report.
# :::
#
# ## Whose effect? Choose the weights
#
# Each question has its own crowd, and the weights make both groups look like it. With $h(e)$ the share of the crowd
# among pairs of propensity $e$, the weights are $h/e$ for the shown and $h/(1-e)$ for the others:
#
# | question | crowd | $h(e)$ | shown | others |
# |---|---|---|---|---|
# | Show all pairs, or none? | all pairs: {term}`ATE` | $1$ | $1/e$ | $1/(1-e)$ |
# | Keep the displays that we make? | the shown: {term}`ATT` | $e$ | $1$ | $e/(1-e)$ |
# | Show the rest, too? | the others: {term}`ATC` | $1-e$ | $(1-e)/e$ | $1$ |
# | Pairs that could go either way? | {term}`overlap <overlap weights>`: {term}`ATO` | $e(1-e)$ | $1-e$ | $e$ |
# | What would twice the strip add? | the added displays | $e_2-e$ | $(e_2-e)/e$ | $(e_2-e)/(1-e)$ |
#
# Overlap weights {cite:p}`li2018balancing` give the smallest variance when noise is equal everywhere, have no weight
# above one, and answer for those about whom the ranker was undecided.
#
# The last row is Lea's own question, and none of the four names fits it. Say that the ranker keeps its order and
# lifts all log-odds by one constant, until twice as many pairs are shown. Each pair's chance rises from $e$ to
# $e_2$, and the displays that come on top fall on pairs in proportion to $e_2-e$. That is a crowd like any other.
# (Another way of doubling is another crowd: filling places strictly by rank would add other displays.)

# %%
goals = {}
for goal in ("ATE", "ATT", "ATC", "ATO"):
    est = weighting.ipw(y, t, fit, estimand=goal)
    goals[goal] = est


def raised(e):
    """The chances when all log-odds rise by one constant, until twice as many pairs are shown."""
    return expit(logit(e) + brentq(lambda c: expit(logit(e) + c).mean() - 2 * e.mean(), 0, 5))


h = raised(e) - e
w1, w0 = t * h / e, (1 - t) * h / (1 - e)
m1, m0 = np.average(y, weights=w1), np.average(y, weights=w0)
pull = w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
ess_added = min(w.sum() ** 2 / (w**2).sum() for w in (w1, w0))
goals["added"] = Estimate(
    m1 - m0, np.sqrt(np.sum(pull**2)) / len(y), "ATE", "weighting by the recorded coin", len(y),
    population="of the displays that doubling adds", ess=ess_added,
)  # fmt: skip
e_pairs = truth.propensity
more = raised(e_pairs.ravel()).reshape(e_pairs.shape) - e_pairs
true_of = {g: getattr(truth, g.lower())() for g in ("ATE", "ATT", "ATC", "ATO")}
true_of["added"] = float((more * truth.tau).sum() / more.sum())
pd.DataFrame(
    {
        "estimate": {g: est.value for g, est in goals.items()},
        "low": {g: est.low for g, est in goals.items()},
        "high": {g: est.high for g, est in goals.items()},
        "truth": true_of,
        "effective rows": {g: round(est.ess) for g, est in goals.items()},
    }
).round(4)

# %% tags=["hide-input"]
run.record("se_users", weighting.ipw(y, t, fit, clusters=log["user"]).se)
for goal, est in goals.items():
    run.record(f"fit_{goal.lower()}", est, truth=true_of[goal], naive=naive)
    run.record(f"found_{goal.lower()}_100", 100 * est.value, truth=100 * true_of[goal], naive=100 * naive.value)
doubled = Estimate((goals["ATT"].value + goals["added"].value) / 2, np.nan, "ATE", "mean of both halves", len(y))
true_doubled = (true_of["ATT"] + true_of["added"]) / 2
run.record("doubled_100", 100 * doubled.value, truth=100 * true_doubled, naive=100 * naive.value)
run.claim("every crowd's interval holds its own truth", all(est.covers(true_of[g]) for g, est in goals.items()))
run.claim("the shown lie under the price", goals["ATT"].high < 0.07 and true_of["ATT"] < 0.07)
run.claim("the others lie over it", goals["ATC"].low > 0.07 and true_of["ATC"] > 0.07)
run.claim("the added displays lie over it", goals["added"].low > 0.07 and true_of["added"] > 0.07)
run.claim("both halves together lie under it", doubled.value < 0.07 and true_doubled < 0.07)
grid = np.linspace(0.02, 0.98, 200)
lift = np.log(raised(e) / (1 - raised(e)) * (1 - e) / e).mean()
gain = expit(logit(grid) + lift) - grid
crowd = {"ATE": np.ones_like(grid), "ATT": grid, "ATC": 1 - grid, "ATO": 4 * grid * (1 - grid),
         "added": gain / gain.max()}  # fmt: skip
look = {"ATE": ("estimate", "-"), "ATT": ("treated", "--"), "ATC": ("control", "-."), "ATO": ("accent", ":"),
        "added": ("warn", (0, (6, 1, 1, 1)))}  # fmt: skip
fig, (left, right) = plt.subplots(1, 2, figsize=(6.0, 3.4), width_ratios=(1, 1.25))
for goal, (color, line) in look.items():
    left.plot(grid, crowd[goal], linestyle=line, color=plots.COLORS[color], linewidth=2.2, label=goal)
left.set(title="who counts", xlabel="propensity $e$", ylabel="$h(e)$, up to a factor", ylim=(0, 1.08))
left.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
for row, (goal, est) in enumerate(goals.items()):
    at = 4 - row
    right.plot([100 * est.low, 100 * est.high], [at, at], color=plots.COLORS[look[goal][0]], linewidth=2.6)
    right.plot(100 * est.value, at, "o", color=plots.COLORS[look[goal][0]], label="estimate" if row == 0 else None)
    right.plot(
        100 * true_of[goal],
        at,
        "D",
        markerfacecolor="none",
        color=plots.COLORS["truth"],
        markersize=9,
        label="its own truth" if row == 0 else None,
    )
right.axvline(7, color=plots.COLORS["ink"], linestyle="--", linewidth=1.5, label="price of a place")
right.set_yticks(range(5)[::-1], list(goals))
right.set(title="what they gain", xlabel="sales per hundred displays", ylim=(-0.6, 4.6))
right.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
plots.show(
    fig,
    alt="Left: five curves that say how much pairs of each propensity count for the five effects. Right: five "
    "estimates with intervals, each containing a diamond for its own truth. The effect on the shown lies left of the "
    "dashed price, the effects on the others and of added displays right of it.",
    caption="One log, five crowds, five effects. Each interval holds its own truth (diamond). The displays of today "
    "are not worth their price (ATT left of the dashed line); those that doubling adds would be (right of it).",
)

# %% [markdown]
# The effect on the shown is {glue:text}`fit_att:.3f` (interval {glue:text}`fit_att.low:.3f` to
# {glue:text}`fit_att.high:.3f`, truth {glue:text}`fit_att.truth:.3f`): less than the seven sales per hundred that a
# place costs. The displays that doubling adds make {glue:text}`fit_added:.3f` ({glue:text}`fit_added.low:.3f` to
# {glue:text}`fit_added.high:.3f`, truth {glue:text}`fit_added.truth:.3f`): more than the price. So is doubling
# right? Every place that comes on top pays, the places of today don't, and the two halves together make
# {glue:text}`doubled_100:.1f` per hundred, still under seven. With this ranker Lea loses least by renting out the
# whole strip, and a larger strip loses less than the one she has. The answer is neither "yes" nor "no" but "another
# ranker": one that shows what people would not find by themselves. "The effect" in her report would have been worth
# nothing without the name of its crowd.
#
# ## Held against the truth
#
# One good interval may be luck. Draw many weeks of three thousand pairs, run all estimators on each, and compare with
# the truth: is the mean error zero, and do 95% intervals cover in about nineteen weeks of twenty?


# %% tags=["hide-input"]
def bootstrap(y, t, fit, B, rng):
    """Standard error from B resampled logs; the propensity model is refitted in each (all B at once)."""
    n, Z = len(y), fit.design
    count = rng.multinomial(n, np.full(n, 1 / n), size=B).astype(float)  # how often each row was drawn
    squares = (Z[:, :, None] * Z[:, None, :]).reshape(n, -1)
    b = np.tile(np.linalg.lstsq(Z, fit.logit, rcond=None)[0], (B, 1))  # start at the fit
    for _ in range(5):  # Newton steps
        e = expit(b @ Z.T)
        curvature = ((count * e * (1 - e)) @ squares).reshape(B, Z.shape[1], Z.shape[1])
        step = np.linalg.solve(curvature, ((count * (t - e)) @ Z)[:, :, None])[:, :, 0]
        b = b + step
    assert np.abs(step).max() < 1e-6, "the refitted models did not arrive"
    e = expit(b @ Z.T)
    w1, w0 = count * t / e, count * (1 - t) / (1 - e)
    return ((w1 @ y) / w1.sum(axis=1) - (w0 @ y) / w0.sum(axis=1)).std(ddof=1)


def counts_as_rows(y, t, e):
    """What software says that takes a weight of ten for ten rows."""
    var = 0.0
    for w in (t / e, (1 - t) / (1 - e)):
        var += np.average((y - np.average(y, weights=w)) ** 2, weights=w) / w.sum()
    return np.sqrt(var)


# %% tags=["hide-input"]
n_weeks = run.size(ci=200, full=1_000)
rows = []
for k in run.progress(range(n_weeks), "weeks"):
    week = world.exposure_log(n_pairs=3_000, seed=run.seed + 1 + k, with_propensity=True)
    yk, tk = arrays(week)
    ek, fk = week["propensity"].to_numpy(), weighting.propensity(week[X], tk)
    found = {"naive difference": difference_in_means(yk, tk)}
    for how in ("ht", "hajek", "stabilised"):
        found[f"{how}, recorded"] = weighting.ipw(yk, tk, ek, estimator=how, refuse="flag")
        found[f"{how}, fitted"] = weighting.ipw(yk, tk, fk, estimator=how, refuse="flag")
    errors = {
        "weights fixed": weighting.ipw(yk, tk, fk, se="weights_fixed", refuse="flag").se,
        "bootstrap": bootstrap(yk, tk, fk, 40, run.rng),
        "weights as counts": counts_as_rows(yk, tk, fk.e),
    }
    for how, chance in (("recorded", ek), ("fitted", fk.e)):  # no display moves a score
        found[f"score, {how}"] = Estimate(hajek(week["score"], tk, chance), np.nan, "ATE", how, len(yk))
    rows += [(k, name, est.value, est.se) for name, est in found.items()]
    rows += [(k, name, found["hajek, fitted"].value, se) for name, se in errors.items()]
weeks = pd.DataFrame(rows, columns=["week", "how", "value", "se"])
weeks["covers"] = (weeks["value"] - truth.ate()).abs() <= 1.959964 * weeks["se"]

# %% tags=["hide-input"]
by = weeks.groupby("how", sort=False)
held = pd.DataFrame(
    {
        "bias": by["value"].mean() - truth.ate(),
        "Monte-Carlo SE": by["value"].std() / np.sqrt(n_weeks),
        "SD of estimates": by["value"].std(),
        "mean SE": by["se"].mean(),
        "coverage": by["covers"].mean(),
    }
)
held.insert(2, "bias in MC SE", held["bias"] / held["Monte-Carlo SE"])
band = binom.ppf([0.005, 0.995], n_weeks, 0.95) / n_weeks
shown_rows = ["naive difference", "ht, recorded", "ht, fitted", "hajek, recorded", "hajek, fitted"]
table = held.loc[shown_rows].rename(index=lambda s: s.replace("ht,", "HT,").replace("hajek", "Hájek"))
table = table.drop(columns="Monte-Carlo SE").round({"bias in MC SE": 1, "coverage": 3}).round(4)
table.columns = ["bias", "in MC SE", "SD", "mean SE", "covers"]
table

# %% tags=["hide-input"]
run.record("weeks", n_weeks)
run.record("band_low", band[0])
run.record("band_high", band[1])
wrong_bias, wrong_cover = held.loc["naive difference", ["bias", "coverage"]]
short = {"ht, recorded": "ht_r", "ht, fitted": "ht_f", "hajek, recorded": "hajek_r", "hajek, fitted": "hajek_f",
         "stabilised, recorded": "stab_r", "stabilised, fitted": "stab_f"}  # fmt: skip
mc_cover = np.sqrt(0.95 * 0.05 / n_weeks)
for name, key in short.items():
    row = held.loc[name]
    noise = row["Monte-Carlo SE"]
    run.record(f"bias_{key}", row["bias"], truth=0, naive=wrong_bias, kind="stochastic", mc_se=noise)
    run.record(f"coverage_{key}", row["coverage"], truth=0.95, naive=wrong_cover, kind="stochastic", mc_se=mc_cover)
    run.record(f"sd_{key}", row["SD of estimates"], kind="stochastic", mc_se=noise / np.sqrt(2))
    run.claim(f"{name} is unbiased within 2.5 Monte-Carlo errors", abs(row["bias in MC SE"]) < 2.5)
    assert band[0] <= row["coverage"] <= band[1], f"{name} covers in {row['coverage']:.3f}"
run.record("bias_naive", wrong_bias, kind="stochastic", mc_se=held.loc["naive difference", "Monte-Carlo SE"])
run.record("coverage_naive", wrong_cover, kind="stochastic", mc_se=mc_cover)
for how in ("recorded", "fitted"):
    spread = held.loc[f"score, {how}", "SD of estimates"]
    run.record(f"sd_score_{how}", spread, kind="stochastic", mc_se=spread / np.sqrt(2 * n_weeks))
bare = held["SD of estimates"]
run.claim("a fitted coin scatters less on the score", bare["score, fitted"] < 0.8 * bare["score, recorded"])
no_effect = by["value"].mean() / (by["value"].std() / np.sqrt(n_weeks))
run.claim("on the score both scatter around zero", no_effect.filter(like="score").abs().max() < 3.5)
alike = bare["hajek, fitted"] / bare["hajek, recorded"]
run.claim("on purchases the two scatter nearly alike", 0.9 < alike < 1.05, ratio=alike)
wide = weeks.set_index(["week", "how"])["value"]
apart = {c: (wide[:, f"ht, {c}"] - wide[:, f"hajek, {c}"]).abs().mean() for c in ("recorded", "fitted")}
run.claim("a fit brings HT and Hajek closer", apart["fitted"] < 0.6 * apart["recorded"], **apart)
run.claim("the naive interval covers far too seldom", wrong_cover < 0.2)
run.record("sd_uncertain", 1 / np.sqrt(2 * n_weeks))
run.record("largest_bias_in_mc_se", held.loc[list(short), "bias in MC SE"].abs().max())
run.record("lowest_coverage", held.loc[list(short), "coverage"].min(), kind="stochastic", mc_se=mc_cover)
run.record("highest_coverage", held.loc[list(short), "coverage"].max(), kind="stochastic", mc_se=mc_cover)

# %% [markdown]
# Over {glue:text}`weeks:,d` weeks, the mean errors of all weighted estimators (stabilised repeats Hájek) lie within
# {glue:text}`largest_bias_in_mc_se:.1f` {term}`Monte-Carlo standard errors <Monte-Carlo standard error>` of zero.
# Their intervals cover in {glue:text}`lowest_coverage:.1%` to {glue:text}`highest_coverage:.1%` of the weeks; if
# the true rate is the claimed one, chance alone leaves the band from {glue:text}`band_low:.1%` to
# {glue:text}`band_high:.1%` once in a hundred. The naive interval covers in {glue:text}`coverage_naive:.1%`.
#
# **The paradox, bare.** Let the outcome be the *score itself*, on which a display has no effect. With the recorded
# coin the estimate scatters by {glue:text}`sd_score_recorded:.4f` around zero, with the fitted one by
# {glue:text}`sd_score_fitted:.4f`. The recorded coin balances the groups on average over weeks; the fitted one also
# undoes the imbalance that *this* week happened to get, as a regression would {cite:p}`hirano2003efficient`.
# Purchases depend on the columns only a little, so for them the two scatter nearly alike
# ({glue:text}`sd_hajek_r:.4f` and {glue:text}`sd_hajek_f:.4f`); the smokers below gain more. For the ATE and in
# large samples a model of the right form never loses by this; one of the wrong form can. Use the recorded coin to
# be safe from missing columns, and a fitted one to save variance if you trust its columns.
#
# ### Which standard error?

# %% tags=["hide-input"]
kinds = {
    "hajek, fitted": "stacked ($e$ was fitted)",
    "weights fixed": "weights held fixed",
    "bootstrap": "bootstrap, refitted",
    "weights as counts": "weights as counts",
}
fig, ax = plt.subplots(figsize=(5.8, 2.9))
ax.axvspan(100 * band[0], 100 * band[1], color=plots.COLORS["naive"], alpha=0.25, linewidth=0)
ax.axvline(95, color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
for row, name in enumerate(kinds):
    wrong = name == "weights as counts"
    ax.plot(100 * held.loc[name, "coverage"], 3 - row, "X" if wrong else "o", markersize=9,
            color=plots.COLORS["warn" if wrong else "estimate"])  # fmt: skip
    ratio = held.loc[name, "mean SE"] / held.loc[name, "SD of estimates"]
    ax.text(100 * held.loc[name, "coverage"] if wrong else 100 * band[0] - 0.8, 3 - row + (0.28 if wrong else 0),
            f"SE / SD = {ratio:.2f}", ha="center" if wrong else "right", va="center", fontsize=9)  # fmt: skip
    key = {"hajek, fitted": "stacked", "weights fixed": "fixed", "bootstrap": "boot"}.get(name, "counts")
    run.record(f"se_ratio_{key}", ratio, truth=1, kind="stochastic", mc_se=ratio / np.sqrt(2 * n_weeks))
    cover = held.loc[name, "coverage"]
    if key == "counts":
        run.claim("weights taken as counts cover far too seldom", cover < band[0] - 0.1)
    else:
        run.claim(f"{name} is an honest error", abs(ratio - 1) < 0.15 and cover > band[0] - 0.015, ratio=ratio)
    if key != "stacked":
        run.record(f"coverage_{key}", cover, truth=0.95, kind="stochastic", mc_se=mc_cover)
run.claim("fixed weights ask for more", held.loc["weights fixed", "mean SE"] > held.loc["hajek, fitted", "mean SE"])
ax.set_yticks(range(4)[::-1], list(kinds.values()))
ax.set(xlabel="weeks in which the 95% interval covers, per cent", xlim=(55, 101), ylim=(-0.6, 3.6))
plots.show(
    fig,
    alt="Dot plot of coverage for four standard errors of the same estimate. Stacked, weights fixed and bootstrap "
    "lie in or near a grey band around ninety-five per cent; the error that takes weights for counts lies far below.",
    caption="Four standard errors of the same estimates (number: reported over real scatter; grey band: what chance "
    "allows). Three are honest. The fourth takes a row of weight ten for ten rows.",
)

# %% [markdown]
# The stacked error is {glue:text}`se_ratio_stacked:.2f` of the real scatter, the bootstrap
# {glue:text}`se_ratio_boot:.2f`, with weights held fixed {glue:text}`se_ratio_fixed:.2f`. (A scatter from
# {glue:text}`weeks:d` weeks is itself uncertain by about {glue:text}`sd_uncertain:.0%`.) Holding weights fixed asks
# for more than the stacked error. For the ATE with the right propensity model it errs on that side in large
# samples; for other crowds it can err to either.
# The one to fear is the last: hand the weights to software that takes them for *counts* (`freq_weights`, a plain
# weighted t-test), and the error shrinks to {glue:text}`se_ratio_counts:.2f` of the scatter, and the interval
# covers in {glue:text}`coverage_counts:.0%`. Exercise 4 plants it.
#
# ## What to look at in practice
#
# Without the truth, you have three instruments. **Overlap** was the first picture. **{term}`Effective sample size`**
# {cite:p}`kish1965survey` says how many equally weighted rows would be as noisy as the weighted ones:
#
# $$\mathrm{ESS} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}.$$
#
# **Balance** says whether the weights did their work, column by column: the difference of means in standard
# deviations (SMD), and the ratio of variances. Our *balance rule* stops at an SMD above a tenth. Look also at
# columns and powers that were *not* in the model.


# %%
def effective_rows(w):
    """Kish's effective sample size."""
    return w.sum() ** 2 / (w**2).sum()


w = weighting.weights(t, fit.e)
ess_shown, ess_others = effective_rows(w[t == 1]), effective_rows(w[t == 0])
assert np.isclose(min(ess_shown, ess_others), by_library.ess)
wide = log[[*X, "price", "age"]].assign(
    score_squared=log["score"] ** 2, popularity_squared=log["log_popularity"] ** 2
)
love = weighting.balance(wide, t, w)
love.round(3)

# %% tags=["hide-input"]
run.record("rows_shown", t.sum())
run.record("ess_shown", ess_shown)
run.record("worst_smd", love["after"].abs().max(), naive=love["before"].abs().max())
run.claim("after weighting all seven columns nearly agree", love["after"].abs().max() < 0.03)
run.claim("before, some were far apart", love["before"].abs().max() > 0.5)
run.claim("the shown count for fewer rows", ess_shown < 0.7 * t.sum())
plots.show(
    plots.love(love),
    alt="Love plot of seven columns. Before weighting score, popularity and activity differ by up to most of a "
    "standard deviation; after weighting all differences are near zero.",
    caption="A love plot: grey crosses are the groups as logged, blue dots after weighting; left of the dotted rule "
    "of thumb is what one hopes for. The last rows are not in the model and are balanced all the same.",
)

# %% [markdown]
# The {glue:text}`rows_shown:,d` shown pairs count like {glue:text}`ess_shown:,.0f`; the largest difference after
# weighting is {glue:text}`worst_smd:.3f`, it was {glue:text}`worst_smd.naive:.3f`. `weighting.ipw` makes a stop
# rule of both: where weights leave a group fewer than thirty effective rows, or a twentieth of its rows, or put a
# tenth of its weight on one row, or where a column stays more than a tenth of a standard deviation apart, it returns
# no number but a reason. The thresholds are conventions of this course (`estimate.Rules`), and we'll see what they
# miss.
#
# ## Trimming changes the question
#
# Now let the ranker be surer of itself (the world's setting `overlap="poor"`): propensities crowd at zero and
# one, and a few rows get huge weights. The usual cure is {term}`trimming`: drop rows with $e$ outside of
# $[a, 1-a]$. {cite:t}`crump2009dealing` give the $a$ with the smallest variance bound
# if noise is equal everywhere. Its cousin is clipping:
# keep all rows, but set $e$ to $a$ where it is smaller.

# %%
poor = make_world(overlap="poor")
tau, e_all = poor.truth.tau, poor.truth.propensity
sharp_log = poor.exposure_log(n_pairs=100_000, seed=run.seed, with_propensity=True)
ys, ts = arrays(sharp_log)
es = sharp_log["propensity"].to_numpy()
crump = weighting.crump_threshold(es)
trimmed = weighting.ipw(ys, ts, es, trim="crump")
trimmed

# %% [markdown]
# The report card says for whom the number holds. Its interval takes $a$ as given: it is about the pairs inside
# *these* bounds, and does not count that another log would have chosen others. To see what trimming and clipping do
# apart from the luck of one log, average over many weeks, at several thresholds:

# %%
cuts = [0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3]
n_sharp = run.size(ci=12, full=60)
dozen = []
for k in run.progress(range(n_sharp), "weeks of a sharp ranker"):
    week = poor.exposure_log(n_pairs=100_000, seed=run.seed + k, with_propensity=True)
    yk, tk = arrays(week)
    ek = week["propensity"].to_numpy()
    for a in cuts:
        est = weighting.ipw(yk, tk, ek, trim=a or None, refuse="flag")
        dozen.append((a, est.value, hajek(yk, tk, np.clip(ek, a, 1 - a))))
dozen = pd.DataFrame(dozen, columns=["cut", "trimmed", "clipped"]).groupby("cut").agg(["mean", "std"])
kept_truth = {a: tau[(e_all >= a) & (e_all <= 1 - a)].mean() for a in cuts}

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 4.0))
for way, color, mark, label, side in (
    ("trimmed", "estimate", "o", "trimmed: rows dropped", -0.0015),
    ("clipped", "warn", "X", "clipped: rows kept", 0.0015),
):
    middle, spread = dozen[way]["mean"], dozen[way]["std"]
    ax.vlines(
        dozen.index + side, middle - 1.96 * spread, middle + 1.96 * spread, color=plots.COLORS[color], linewidth=2
    )
    ax.plot(dozen.index + side, middle, mark, color=plots.COLORS[color], label=label)
ax.plot(cuts, list(kept_truth.values()), "D-", markerfacecolor="none", color=plots.COLORS["truth"], linewidth=1,
        label="truth among rows kept")  # fmt: skip
plots.truth_line(ax, poor.truth.ate(), "truth for all pairs", axis="y")
ax.set(xlabel="threshold $a$", ylabel="effect of a display")
fig.legend(loc="outside lower center", fontsize=9, ncols=2)
plots.show(
    fig,
    alt="Mean estimates against the trimming threshold. Trimmed estimates get narrower bars and follow a line "
    "of diamonds, the truth of the rows kept, which rises above the dashed truth for all pairs. Clipped estimates "
    "rise steeply away from both.",
    caption="Bars hold most single weeks. Trimming (blue) narrows them by answering for fewer pairs: it follows the "
    "diamonds and leaves the dashed line. Clipping (orange) follows neither; it is bias by another name.",
)
means, scatter = (pd.DataFrame({way: dozen[way][what] for way in ("trimmed", "clipped")}) for what in ("mean", "std"))
kept_line, far = pd.Series(kept_truth).astype(float), [a for a in cuts if a >= 0.05]
off = (means["trimmed"] - kept_line).abs() / (scatter["trimmed"] / np.sqrt(n_sharp))
run.claim("trimming follows the truth of the rows kept", off.max() < 4, worst=off.max())
run.claim("that truth rises above the truth for all", kept_line[far].min() > poor.truth.ate() + 0.005)
run.claim("trimming narrows", scatter.loc[0.1, "trimmed"] < 0.75 * scatter.loc[0.0, "trimmed"])
above = means["clipped"][far] - kept_line[far]
run.claim("clipping leaves both, the more it clips", above.is_monotonic_increasing and above.min() > 0.01)
naive_poor = difference_in_means(ys, ts)
run.record("crump", crump)
untrimmed = weighting.ipw(ys, ts, es, refuse="flag")
among_kept = tau[(e_all >= crump) & (e_all <= 1 - crump)].mean()
run.record("untrimmed", untrimmed, truth=poor.truth.ate(), naive=naive_poor)
run.claim("trimming divides the standard error", untrimmed.se > 1.3 * trimmed.se)
run.claim("the trimmed interval holds the truth of its own crowd", trimmed.covers(among_kept))
run.record("trimmed", trimmed, truth=among_kept, naive=naive_poor)
run.record("trimmed_se_gain", untrimmed.se / trimmed.se)
run.record("kept", trimmed.n / len(ys))
run.record("poor_ate", poor.truth.ate(), naive=naive_poor)
run.record("clipped_tenth", dozen.loc[0.1, ("clipped", "mean")], truth=poor.truth.ate(), naive=naive_poor,
           kind="stochastic", mc_se=dozen.loc[0.1, ("clipped", "std")] / np.sqrt(n_sharp))  # fmt: skip

# %% [markdown]
# Crump's rule keeps {glue:text}`kept:.0%` of the rows ($a$ = {glue:text}`crump:.3f`) and divides the standard
# error by {glue:text}`trimmed_se_gain:.1f`. The estimate is {glue:text}`trimmed:.3f`
# ({glue:text}`trimmed.low:.3f` to {glue:text}`trimmed.high:.3f`); the truth *among the pairs that were kept* is
# {glue:text}`trimmed.truth:.3f`. The truth for everybody is {glue:text}`poor_ate:.3f`, and trimming no longer
# answers for it. Untrimmed, the interval is {glue:text}`untrimmed.low:.3f` to {glue:text}`untrimmed.high:.3f`.
# Trim if the smaller question will do, say for whom the answer holds, and don't trim until the answer looks nice.
# Clipping at a tenth says {glue:text}`clipped_tenth:.3f` on average: the rows that were clipped no longer stand
# for the pairs that they should stand for.
#
# ## Against published numbers: do quitters gain weight?
#
# A world that we wrote may flatter us. The NHEFS asked smokers in 1971 and again in 1982. How much weight does
# quitting add? {cite:t}`hernan2020causal` teach weighting on these {glue:text}`nhefs_n:,d` people, so our code
# can be held against print, digit by digit. Another {glue:text}`nhefs_dropped:d` have no weight in 1982 and are left
# out, as in print; that adds an assumption, that they are not special.

# %%
nhefs = data.load("nhefs")
kg, quit_ = nhefs["wt82_71"].to_numpy(float), nhefs["qsmk"].to_numpy(float)
continuous = ["age", "smokeintensity", "smokeyrs", "wt71"]
groups = ["active", "education", "exercise"]
Z = nhefs[["sex", "race", *continuous]].astype(float)
Z = Z.join(nhefs[continuous].astype(float).pow(2).add_suffix("_squared"))
Z = Z.join(pd.get_dummies(nhefs[groups].astype(int).astype("category"), drop_first=True, dtype=float))

crude = difference_in_means(kg, quit_)
smokers = weighting.propensity(Z, quit_)
robust = weighting.ipw(kg, quit_, smokers, se="weights_fixed", unit="kg")
stacked = weighting.ipw(kg, quit_, smokers, unit="kg")
ht_kg = weighting.ipw(kg, quit_, smokers, estimator="ht", unit="kg")
model = weighting.standardisation(kg, quit_, Z, interact=["smokeintensity"], unit="kg")
plain, scaled = weighting.weights(quit_, smokers.e), weighting.weights(quit_, smokers.e, stabilised=True)
gee = sm.GEE(kg, sm.add_constant(quit_), groups=np.arange(len(kg)), weights=plain).fit()
assert np.isclose(gee.params[1], robust.value) and np.isclose(gee.bse[1], robust.se)
pd.DataFrame({"weights": plain, "stabilised": scaled}).describe().loc[["mean", "min", "max"]].round(4)

# %% tags=["hide-input"]
run.record("nhefs_n", len(kg))
run.record("nhefs_dropped", len(data.load("nhefs", table="full")) - len(kg))
run.record("nhefs_crude", crude)
run.record("nhefs_ipw", robust, naive=crude)
run.record("nhefs_ipw_stacked", stacked, naive=crude)
run.record("nhefs_ht", ht_kg, naive=crude)
run.record("nhefs_standardisation", model, naive=crude)
adjusted = [est.value for est in (robust, stacked, ht_kg, model)]
run.claim("four adjusted answers agree", np.ptp(adjusted) < 0.15 and min(adjusted) > crude.value + 0.7)
older = nhefs.groupby("qsmk")["age"].mean().diff().iloc[-1]
run.claim("quitters are older, and older people gain less", older > 2 and np.corrcoef(nhefs["age"], kg)[0, 1] < -0.1)
gains = {"smokers": stacked.se / robust.se, "shop": by_library.se / se_fixed}
run.claim("the fit gains for smokers, and more than for the shop", gains["smokers"] < gains["shop"] < 1, **gains)
for name, part in (("weight", plain), ("sw", scaled)):
    run.record(f"nhefs_{name}_mean", part.mean())
    run.record(f"nhefs_{name}_min", part.min())
    run.record(f"nhefs_{name}_max", part.max())
fig = plots.forest(
    {
        "crude difference": crude,
        "IPW, weights fixed": robust,
        "IPW, stacked": stacked,
        "Horvitz-Thompson": ht_kg,
        "standardisation": model,
    },
    naive=("crude difference",),
    xlabel="kg gained by quitting, 1971 to 1982",
    ax=plt.figure(figsize=(5.6, 3.0)).add_subplot(),
)
plots.show(
    fig,
    alt="Forest plot. The crude difference lies lowest; four adjusted estimates lie about a kilogram higher, with "
    "overlapping intervals. The stacked interval of IPW is narrower than the printed one.",
    caption="Quitters were older, and older people gain less: the crude difference hides a part of the gain. Four "
    "adjusted answers agree; the second and third differ in their error only.",
)

# %% [markdown]
# | quantity | ours | printed |
# |---|---|---|
# | crude difference | {glue:text}`nhefs_crude:.2f` | {glue:text}`ledger::nhefs_crude.published:.2f` |
# | IPW | {glue:text}`nhefs_ipw:.4f` | {glue:text}`ledger::nhefs_ipw.published:.4f` |
# | its robust standard error | {glue:text}`nhefs_ipw.se:.4f` | {glue:text}`ledger::nhefs_ipw_se.published:.3f` |
# | mean weight | {glue:text}`nhefs_weight_mean:.3f` | {glue:text}`ledger::nhefs_weight_mean.published:.3f` |
# | largest weight | {glue:text}`nhefs_weight_max:.2f` | {glue:text}`ledger::nhefs_weight_max.published:.2f` |
# | mean stabilised weight | {glue:text}`nhefs_sw_mean:.4f` | {glue:text}`ledger::nhefs_sw_mean.published:.4f` |
# | g-formula | {glue:text}`nhefs_standardisation:.3f` | {glue:text}`ledger::nhefs_standardisation.published:.3f` |
#
# Quitting adds about {glue:text}`nhefs_ipw:.1f` kg, not the crude {glue:text}`nhefs_crude:.1f`. The printed
# standard error, {glue:text}`nhefs_ipw.se:.3f`, takes the weights as given. The stacked one is
# {glue:text}`nhefs_ipw_stacked.se:.3f`. (The book's code calls the first one GEE: generalised estimating equations,
# which with one row a person is a weighted regression with a robust error.) The stacked one is *smaller* because
# the covariates explain part of the weight gain, and a fitted propensity removes their chance imbalance; the shop
# showed the same, more weakly. All of it assumes that no common cause of quitting and weight is missing from the
# table, which nothing on this page can test.
#
# ### The same model, another number
#
# A notebook of a causal-inference package prints {glue:text}`ledger::nhefs_causallib_failure.published:.5f` for
# the same data and the same model. Its code hands scikit-learn's default solver the columns as they are and
# allows five hundred steps. The likely cause is that the solver stops before it arrives. Where an unfinished solver
# stops depends on the order of the columns and on the last bits of the machine's arithmetic, so we do it again for
# many orders of the same columns:


# %%
def by_scikit_learn(columns, steps, C=np.inf):
    """IPW with scikit-learn's logistic regression; also whether its solver said that it stopped early."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fitted = LogisticRegression(C=C, max_iter=steps).fit(columns, quit_)
    return hajek(kg, quit_, fitted.predict_proba(columns)[:, 1]), any("converge" in str(s.message) for s in said)


allowed = [50, 100, 200, 500, 1_000, 2_000, 5_000]
order = np.random.default_rng(run.seed)
orders = [Z.columns] + [Z.columns[order.permutation(Z.shape[1])] for _ in range(run.size(ci=19, full=200))]
early = np.array([[by_scikit_learn(Z[o], steps)[0] for steps in allowed] for o in orders[:3]])
at_500, stopped = np.array([by_scikit_learn(Z[o], 500) for o in orders]).T
stopped_early, printed = stopped.astype(bool).all(), published("nhefs_causallib_failure", "published")
standard = (Z - Z.mean()) / Z.std(ddof=0)
arrived, still_early = by_scikit_learn(standard, 500)
assert stopped_early and not still_early and np.isclose(arrived, robust.value, atol=2e-3)
penalised = {}
for C in (1.0, 0.01):
    est = penalised[C] = weighting.ipw(kg, quit_, weighting.propensity(Z, quit_, penalty=1 / C), refuse="flag")
    assert np.isclose(by_scikit_learn(standard, 2_000, C)[0], est.value, atol=2e-3)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 3.8))
ax.plot(allowed, early[1:].T, color=plots.COLORS["warn"], linewidth=0.9, alpha=0.5)
ax.plot(np.full(len(at_500), 500), at_500, "x", color=plots.COLORS["warn"], markersize=6, alpha=0.8)
ax.plot(allowed, early[0], "-", color=plots.COLORS["warn"],
        label="solver stopped early (lines and crosses: orders of the columns)")  # fmt: skip
ax.axhline(
    robust.value, color=plots.COLORS["estimate"], linewidth=2, label="solver arrived (Newton, or scaled columns)"
)
ax.axhline(printed, color=plots.COLORS["ink"], linestyle=":", linewidth=1.6, label="the number in print")
ax.set(xscale="log", xlabel="steps allowed (max_iter)", ylabel="kg gained by quitting")
ax.set_xticks(allowed, [f"{s:,}" if s in (50, 100, 500, 2_000) else "" for s in allowed])
ax.minorticks_off()
fig.legend(loc="outside lower center", ncols=1, fontsize=9)
plots.show(
    fig,
    alt="Estimates against the number of solver steps for several orders of the same columns. They scatter around a "
    "blue horizontal line, on which they settle only slowly. At five hundred steps crosses spread over a range that "
    "contains a dotted line, the printed number.",
    caption="One model, one data set; the order of columns and a limit on steps choose the number. At five hundred "
    "steps the crosses lie far apart, and the dotted line, the number in print, is among them.",
)
nearest = at_500[np.abs(at_500 - printed).argmin()]
run.record("nhefs_ipw_unconverged", nearest, naive=robust, kind="measured")
run.record("nhefs_orders", len(orders))
run.claim("the printed number lies among the early stops", at_500.min() - 0.01 < printed < at_500.max() + 0.01)
run.claim("early stops scatter widely", np.ptp(at_500) > 0.05)
miss = np.abs(early - robust.value).max(axis=0)
run.claim("they settle, slowly", miss[-1] < 0.25 * miss[allowed.index(100)] and miss[allowed.index(1_000)] > 0.01)
weak, strong = penalised[1.0].value, penalised[0.01].value
run.claim("strong shrinkage pulls towards the crude answer", crude.value < strong < robust.value - 0.1)
run.claim("weak shrinkage moves it the other way", robust.value + 0.01 < weak < robust.value + 0.1)
run.record("nhefs_ipw_100_steps", early[0][allowed.index(100)], naive=crude, kind="measured")
run.record("nhefs_ipw_5000_steps", early[0][allowed.index(5_000)], naive=crude, kind="measured")
run.record("nhefs_500_steps", at_500[0], naive=crude, kind="measured")
run.record("nhefs_orders_low", at_500.min(), kind="measured")
run.record("nhefs_orders_high", at_500.max(), kind="measured")
run.record("nhefs_default_penalty", penalised[1.0], naive=crude)
run.record("nhefs_strong_penalty", penalised[0.01], naive=crude)

# %% [markdown]
# With a hundred steps the answer is {glue:text}`nhefs_ipw_100_steps:.3f`, with five hundred
# {glue:text}`nhefs_500_steps:.3f`, with five thousand {glue:text}`nhefs_ipw_5000_steps:.3f`. At five hundred,
# {glue:text}`nhefs_orders:d` orders of the columns spread from {glue:text}`nhefs_orders_low:.3f` to
# {glue:text}`nhefs_orders_high:.3f`, and the printed number is one of the crowd; the one that comes closest says
# {glue:text}`nhefs_ipw_unconverged:.4f`. (These digits may differ on your machine. That is the point.) The solver
# warns when its steps run out; no warning stands on the page that printed the number. By coincidence it lies near
# {glue:text}`nhefs_standardisation:.3f`, the right answer of *standardisation* (the g-formula of the table), so it
# even looked confirmed. Scale the columns, and the same solver arrives.
#
# A second trap sits in the same line. scikit-learn shrinks coefficients unless told not to. With its default
# ($C=1$) the answer is {glue:text}`nhefs_default_penalty:.3f`, with $C=0.01$
# {glue:text}`nhefs_strong_penalty:.2f`. Strong shrinkage leaves part of the confounding in and pulls the answer
# towards the crude one; the default moves it too, here a little to the other side. Neither is the model that was
# meant.
# `weighting.propensity` does not shrink, uses Newton's method on scaled columns, and raises `NotConverged` rather
# than return.
#
# ## When it breaks
#
# ### The surer the ranker, the less its log knows
#
# Multiply the ranker's log-odds by a *sharpness*: at zero it throws the same coin for all pairs, at six it is
# nearly a rule. The effect of displays is the same in all of these shops. Draw {glue:text}`draws:d` weeks of five
# thousand pairs from each, and run the same code.

# %%
sharpness = [0, 1, 2, 3, 4, 6]
draws = run.size(ci=50, full=400)
decay = []
for k in run.progress(sharpness, "rankers"):
    shop = make_world(parameters=Parameters(a1=0.9 * k, a2=0.5 * k, a3=0.35 * k))
    assert np.isclose(shop.truth.ate(), truth.ate())
    for draw in range(draws):
        week = shop.exposure_log(n_pairs=5_000, seed=run.seed + 20_000 + draw)
        try:
            est = weighting.ipw(*arrays(week), X=week[X], refuse="flag")
        except EstimateRefused:  # no number at all: the groups can be told apart perfectly
            decay.append((k, np.nan, np.nan, 0.0, True, True))
            continue
        stopped = ("effective rows" in est.broken_rules, "balance" in est.broken_rules)
        decay.append((k, est.value, est.se, est.ess, *stopped))
decay = pd.DataFrame(decay, columns=["sharpness", "value", "se", "ess", "refused", "unbalanced"])
decay["covers"] = (decay["value"] - truth.ate()).abs() <= 1.959964 * decay["se"]
decay["fate"] = np.select(
    [decay["refused"], decay["unbalanced"]], ["ESS stops it", "balance stops it"], "passes both"
)

# %% tags=["hide-input"]
answered = decay[~decay["refused"]]
trusted = answered[~answered["unbalanced"]]
grouped, none = decay.groupby("sharpness"), pd.Series(0.0, index=sharpness)


def cover_count(part):
    """Weeks that cover among those that passed, as a count: a share of four weeks would say little."""
    by_shop = part.groupby("sharpness")["covers"].agg(["sum", "size"]).reindex(sharpness, fill_value=0)
    return by_shop.apply(lambda n: f"{n['sum']} of {n['size']}" if n["size"] else "-", axis=1)


verdicts = pd.DataFrame(
    {
        "median ESS": grouped["ess"].median().round().astype(int).astype(str),
        "ESS lets pass": 1 - grouped["refused"].mean(),
        "of these cover": cover_count(answered),
        "both let pass": none.add(trusted.groupby("sharpness").size() / draws, fill_value=0),
        "of those cover": cover_count(trusted),
    }
)
verdicts.rename_axis("sharpness").map(lambda v: v if isinstance(v, str) else f"{v:.0%}")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 4.4))
low, high = truth.ate() - 0.16, truth.ate() + 0.16
jitter = np.random.default_rng(run.seed).uniform(-0.28, 0.28, len(decay))
spot = np.array([sharpness.index(k) for k in decay["sharpness"]]) + jitter
looks = {
    "passes both": ("estimate", "o", 26),
    "balance stops it": ("treated", "s", 20),
    "ESS stops it": ("warn", "x", 34),
}
for fate, (color, mark, size) in looks.items():
    part = (decay["fate"] == fate) & decay["value"].notna()
    ax.scatter(spot[part], decay.loc[part, "value"].clip(low, high), s=size, marker=mark, alpha=0.75,
               color=plots.COLORS[color], label=fate, linewidths=1.3 if mark == "x" else 0)  # fmt: skip
plots.truth_line(ax, truth.ate(), axis="y")
ax.set_xticks(range(len(sharpness)), ["0\na coin", "1\nour shop", "2", "3", "4", "6\nnearly a rule"])
ax.set(xlabel="sharpness of the ranker", ylabel="estimated effect of a display", ylim=(low - 0.01, high + 0.01))
fig.legend(loc="outside lower center", ncols=2, fontsize=9)
plots.show(
    fig,
    alt="Strip plot of estimates for six rankers of growing sharpness. The cloud of estimates is tight on the dashed "
    "truth for a coin and spreads as the ranker gets sharper. Blue dots give way to yellow squares and orange "
    "crosses.",
    caption="The picture to keep. Same shop, same effect, same code; only the ranker gets surer, and the cloud "
    "widens. Orange: stopped by the ESS. Yellow: the ESS is content, balance is not; at the right, too many of these "
    "intervals miss.",
)
for k in (1, 3, 4, 6):
    part = decay[decay["sharpness"] == k]
    ok = part[~part["refused"]]
    share, cover = part["refused"].mean(), ok["covers"].mean()
    run.record(f"refused_{k}", share, kind="stochastic", mc_se=max(np.sqrt(share * (1 - share) / draws), 1 / draws))
    run.record(f"answered_cover_{k}", cover, truth=0.95, kind="stochastic",
               mc_se=max(np.sqrt(cover * (1 - cover) / len(ok)), 1 / draws))  # fmt: skip
    run.record(
        f"decay_ess_{k}", part["ess"].median(), kind="stochastic", mc_se=1.25 * part["ess"].std() / np.sqrt(draws)
    )
strict = answered[(answered["sharpness"] == 2) & answered["unbalanced"]]
for name, share, n in (
    ("unbalanced_2", len(strict) / draws, draws),
    ("unbalanced_cover_2", strict["covers"].mean(), len(strict)),
):
    run.record(name, share, kind="stochastic", mc_se=max(np.sqrt(share * (1 - share) / n), 1 / draws))
last = decay[decay["sharpness"] == 6]
widths = grouped["value"].std()
run.claim("the cloud widens", widths[4] > 2 * widths[0] and widths[2] > 1.3 * widths[0], first=widths[0])
let_through = last[~last["refused"]]
run.claim("what the ESS lets through at six covers far too seldom", let_through["covers"].mean() < 0.8)
run.claim("its ESS looks healthy", let_through["ess"].median() > 60)
run.claim("beyond two, few weeks pass both", (trusted["sharpness"] > 2).sum() < 0.15 * 3 * draws)
run.record("let_through", len(let_through), kind="stochastic", mc_se=np.sqrt(draws) / 2)
missed = int(((decay["fate"] == "passes both") & (decay["sharpness"] >= 4)).sum())
run.claim("nearly no week of four or six passes both", missed <= 0.03 * 2 * draws, weeks=missed)
run.claim(
    "what the balance rule stops at two mostly covers", strict["covers"].mean() > 0.75, share=len(strict) / draws
)
run.record("draws", draws)
run.record("sharp_trusted", missed, kind="stochastic", mc_se=1)
run.record("poor_balance_ess", answered.loc[answered["sharpness"] == 6, "ess"].median(), kind="stochastic",
           mc_se=1.25 * answered.loc[answered["sharpness"] == 6, "ess"].std() / np.sqrt(draws))  # fmt: skip

# %% [markdown]
# At sharpness four the ESS rule stops {glue:text}`refused_4:.0%` of the weeks, at six
# {glue:text}`refused_6:.0%`. Look at the weeks that it lets through: at six their intervals cover in
# {glue:text}`answered_cover_6:.0%` ({glue:text}`let_through:d` weeks), and the median ESS *of those weeks*,
# {glue:text}`poor_balance_ess:.0f`, looks healthy. **The ESS counts the rows that you have. It can't count the rows
# that were never drawn.** A pair that is shown once in a thousand weeks is missing from most logs; without it no
# weight is large, and the answer is precise for the wrong crowd. Balance notices, because weighted columns then miss
# their marks: of the weeks at sharpness
# four and six together, {glue:text}`sharp_trusted:d` pass both rules. The price: at sharpness two the balance rule
# stops {glue:text}`unbalanced_2:.0%` of the weeks, and {glue:text}`unbalanced_cover_2:.0%` of their intervals would
# have covered. Beyond that, few weeks pass both, so the last column can't show that passing makes an interval
# honest. Both rules read displays and columns, never purchases; decide on them *before* you see the estimate. What
# helps is not in the estimator: a ranker that explores a little, or a smaller question (ATT, ATO, a trimmed crowd).
#
# ### A log with no answer: job training and a survey
#
# {cite:t}`lalonde1986evaluating` took people from a randomised job-training programme (NSW), dropped its
# controls, and put a survey sample in their place. We use the men whose earnings of 1974 are known, the part of his
# sample that {cite:t}`dehejia1999causal` picked; the choice matters, for LaLonde's whole sample gives about half the
# effect {cite:p}`smith2005matching`. The experiment says what the training did to earnings in 1978:
# {glue:text}`nsw_truth:,.0f` dollars (itself uncertain: {glue:text}`nsw_truth.low:,.0f` to
# {glue:text}`nsw_truth.high:,.0f`). Can weighting find it, from {glue:text}`nsw_treated:d` trained people and
# {glue:text}`cps_n:,d` people of the survey, with their covariates and powers of them?

# %%
lottery = data.load("nsw")
benchmark = difference_in_means(*(lottery[c].to_numpy(float) for c in ("re78", "treat")))
df = pd.concat([lottery[lottery["treat"] == 1], data.load("cps")], ignore_index=True)
pay, trained = df["re78"].to_numpy(float), df["treat"].to_numpy(float)
V = df[["age", "education", "black", "hispanic", "married", "nodegree", "re74", "re75"]].astype(float)
V = V.assign(age_squared=V["age"] ** 2, age_cubed=V["age"] ** 3, education_squared=V["education"] ** 2)
V = V.assign(unemployed_74=1.0 * (V["re74"] == 0), unemployed_75=1.0 * (V["re75"] == 0))
V = V.assign(education_re74=V["education"] * V["re74"])
jobs = weighting.propensity(V, trained)
try:
    weighting.ipw(pay, trained, jobs, unit="dollars")
except EstimateRefused as refusal:
    course.say(f"> **{type(refusal).__name__}.** {refusal}")
else:
    raise AssertionError("the average effect for all must be refused here")

# %% [markdown]
# The {term}`ATE` would ask what the training did to *everyone in the survey*: most of them are employed, married
# and older, and hardly anybody like them was trained. There is no answer in these data, and the estimator says
# so. Force numbers out of it, and ask the smaller questions:

# %%
flag = {"refuse": "flag", "unit": "dollars"}
answers = {
    "naive difference": difference_in_means(pay, trained),
    "ATE, Horvitz-Thompson": weighting.ipw(pay, trained, jobs, estimator="ht", **flag),
    "ATE, Hájek": weighting.ipw(pay, trained, jobs, **flag),
    "ATE, trimmed by Crump": weighting.ipw(pay, trained, jobs, trim="crump", **flag),
    "ATO": weighting.ipw(pay, trained, jobs, estimand="ATO", **flag),
    "ATT": weighting.ipw(pay, trained, jobs, estimand="ATT", **flag),
}
pd.DataFrame(
    {
        name: {
            "dollars": round(est.value),
            "standard error": round(est.se),
            "rows": est.n,
            "effective rows": "-" if est.ess is None else round(est.ess),
            "largest SMD": "-" if est.balance is None else f"{est.balance['after'].abs().max():.2f}",
            "stopped by": "-" if est.ess is None else ", ".join(est.broken_rules) or "no rule",
        }
        for name, est in answers.items()
    }
).T

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(2, 1, figsize=(5.6, 5.6), height_ratios=(1, 1.25))
plots.overlap(
    jobs.logit, trained, bins=40, density=True, labels=("trained", "survey"), xlabel="log-odds of $\\hat{e}$", ax=left
)
left.set_title("overlap")
left.legend(loc="upper left")
plots.forest(answers, truth=benchmark.value, naive=("naive difference",), xlabel="dollars a year", ax=right)
right.get_legend().remove()
right.set_title("estimates; the experiment is dashed")
right.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
right.tick_params(axis="y", labelsize=9)
right.xaxis.set_major_locator(plt.MultipleLocator(4_000))
plots.show(
    fig,
    alt="Top: log-odds of the propensity; the survey spreads far to the left of the trained people, with a small "
    "shared region. Bottom: the naive difference and two average effects lie thousands of dollars below the dashed "
    "experiment. The intervals of the trimmed, overlap and treated effects hold it. The three average effects are "
    "marked as refused.",
    caption="Top: hardly anybody in the survey resembles the trained. Bottom: orange crosses are refused numbers; "
    "two of them are sure of themselves and far from the experiment. What no rule stops (blue) holds the line.",
)
naive_jobs = answers["naive difference"]
run.record("nsw_truth", benchmark)
run.record("nsw_treated", trained.sum())
run.record("cps_n", (trained == 0).sum())
run.record("nsw_cps_naive_gap", naive_jobs, truth=benchmark.value)
run.record("nsw_cps_ht", answers["ATE, Horvitz-Thompson"], naive=naive_jobs)
run.record("nsw_cps_hajek", answers["ATE, Hájek"], naive=naive_jobs)
run.record("nsw_trimmed_smd", answers["ATE, trimmed by Crump"].balance["after"].abs().max())
run.record("nsw_cps_trimmed", answers["ATE, trimmed by Crump"], naive=naive_jobs)
run.record("nsw_cps_ato", answers["ATO"], naive=naive_jobs)
run.record("nsw_cps_att", answers["ATT"], truth=benchmark.value, naive=naive_jobs)
run.record(
    "nsw_att_smd", answers["ATT"].balance["after"].abs().max(), naive=answers["ATT"].balance["before"].abs().max()
)
run.record("nsw_far_away", float((jobs.e < 0.01).mean()))
dropped = {c: weighting.ipw(pay, trained, X=V.drop(columns=c), estimand="ATT", refuse="flag").value for c in V}
run.record("nsw_att_low", min(dropped.values()), naive=naive_jobs)
run.record("nsw_att_high", max(dropped.values()), naive=naive_jobs)
assert answers["ATT"].covers(benchmark.value) and not answers["ATT"].flags
for name, est in answers.items():
    if name == "naive difference" or name.startswith("ATE, H"):
        run.claim(f"{name} lies thousands of dollars below", est.value < benchmark.value - 3_000 and est.high < 0)
    else:
        run.claim(f"{name} holds the experiment", est.covers(benchmark.value))
stopped_by = {name for name, est in answers.items() if est.flags}
run.claim("refused are the ATEs, the trimmed one too", stopped_by == {n for n in answers if n.startswith("ATE")})
people = df[df["treat"] == 0]
run.claim(
    "most of the survey worked and are married", min((people["re74"] > 0).mean(), people["married"].mean()) > 0.5
)
run.claim("and they are older", people["age"].mean() > df.loc[df["treat"] == 1, "age"].mean() + 3)

# %% [markdown]
# Forced, Horvitz-Thompson says {glue:text}`nsw_cps_ht:,.0f` dollars and Hájek {glue:text}`nsw_cps_hajek:,.0f`,
# with standard errors that a report would call convincing ({glue:text}`nsw_cps_ht.se:,.0f` and
# {glue:text}`nsw_cps_hajek.se:,.0f`). {glue:text}`nsw_far_away:.0%` of the people have a fitted propensity below
# one in a hundred. The ATT needs survey people only where trained people are: {glue:text}`nsw_cps_att:,.0f`
# dollars, interval {glue:text}`nsw_cps_att.low:,.0f` to {glue:text}`nsw_cps_att.high:,.0f`, around the
# experiment's {glue:text}`nsw_truth:,.0f`. Largest imbalance {glue:text}`nsw_att_smd:.2f`, before weighting
# {glue:text}`nsw_att_smd.naive:.1f`.
#
# Don't cheer yet. The estimate rests on {glue:text}`nsw_cps_att.ess:.0f` effective survey rows, and its interval
# comes close to zero. Drop any one of the columns from the model, and the ATT moves between
# {glue:text}`nsw_att_low:,.0f` and {glue:text}`nsw_att_high:,.0f`. We know that {glue:text}`nsw_cps_att:,.0f` is
# close because the experiment is at hand. The trimmed number is no way out: its groups still differ
# by {glue:text}`nsw_trimmed_smd:.2f` standard deviations in one column, so the balance rule stops it, and it
# answers for people whom a model found hard to tell apart, who are nobody in particular.
#
# ### Wrong propensities, and which alarm rings
#
# In the shop log-odds are linear in *log* popularity. Three analysts put popularity into the model in other ways,
# a fourth leaves it out. The table shows effective rows (ESS), and for the columns of the *right* model the largest
# difference of means (SMD) and the ratio of variances of log popularity; and which rule stopped the estimate. The
# rules look at the columns that each model was given.

# %%
count = np.exp(log["log_popularity"])
others = log[["score", "log_activity"]]
versions = {
    "log of the count (right)": log[X],
    "the raw count": others.assign(popularity=count),
    "root of the count": others.assign(popularity=np.sqrt(count)),
    "popular, yes or no": others.assign(popularity=1.0 * (count > count.median())),
    "left out": others,
}
seen = {}
for name, columns in versions.items():
    est = weighting.ipw(y, t, X=columns, refuse="flag")
    after = weighting.balance(log[X], t, weighting.weights(t, weighting.propensity(columns, t).e))
    seen[name] = {
        "estimate": est.value, "SE": est.se, "ESS": est.ess, "largest SMD": after["after"].abs().max(),
        "variance ratio": after.loc["log_popularity", "ratio_after"],
        "stopped by": ", ".join(est.broken_rules) or "no rule", "own SMD": est.balance["after"].abs().max(),
    }  # fmt: skip
wrong_model = pd.DataFrame(seen).T
wrong_model.drop(columns="own SMD").map(lambda v: v if isinstance(v, str) else f"{v:,.0f}" if v > 10 else f"{v:.3f}")

# %% tags=["hide-input"]
for key, name in (("raw", "the raw count"), ("root", "root of the count"), ("binary", "popular, yes or no")):
    row = wrong_model.loc[name]
    run.record(f"{key}_estimate", row["estimate"], truth=truth.ate(), naive=naive)
    run.record(f"{key}_ess", row["ESS"])
    run.record(f"{key}_smd", row["largest SMD"])
    run.record(f"{key}_ratio", row["variance ratio"])
run.record("root_own_smd", wrong_model.loc["root of the count", "own SMD"])
rule = wrong_model["stopped by"]
run.claim("the raw count has no effective rows", "effective rows" in rule["the raw count"])
run.claim("balance stops the root, by its own column", rule["root of the count"] == "balance")
run.claim("the root's means agree otherwise", wrong_model.loc["root of the count", "largest SMD"] < 0.1)
run.claim("no rule stops two levels, or none", (rule[["popular, yes or no", "left out"]] == "no rule").all())
run.claim("two levels leave the count apart", wrong_model.loc["popular, yes or no", "largest SMD"] > 0.2)
gaps = (wrong_model["estimate"].astype(float) - truth.ate()).abs() / wrong_model["SE"].astype(float)
run.claim("all wrong models miss the truth, the right one does not", gaps.iloc[1:].min() > 2 > gaps.iloc[0])

hidden = make_world(confounding="hidden")
hidden_log = hidden.exposure_log(n_pairs=100_000, seed=run.seed, with_propensity=True)
yh, th = arrays(hidden_log)
hidden_fit = weighting.ipw(yh, th, X=hidden_log[X])
hidden_known = weighting.ipw(yh, th, hidden_log["propensity"], X=hidden_log[X])
run.record("hidden_fit", hidden_fit, truth=hidden.truth.ate(), naive=difference_in_means(yh, th))
run.record("hidden_known", hidden_known, truth=hidden.truth.ate(), naive=difference_in_means(yh, th))
run.record("hidden_smd", hidden_fit.balance["after"].abs().max())
quiet = hidden_fit.balance["after"].abs().max() < 0.03 and hidden_fit.ess > 2_000 and not hidden_fit.flags
run.claim("no alarm rings: balance, thousands of effective rows", quiet)
assert hidden_known.covers(hidden.truth.ate()) and not hidden_fit.covers(hidden.truth.ate())

# %% [markdown]
# The truth is {glue:text}`ate:.3f`; all wrong models miss it. The raw count is refused:
# {glue:text}`raw_ess:.0f` effective rows. Its root gives {glue:text}`root_estimate:.3f` with thousands of them. The
# means of the right columns agree (largest difference {glue:text}`root_smd:.3f`), but those of the root itself don't
# ({glue:text}`root_own_smd:.2f`): weights from a model of the wrong form fail to balance the very column that it was
# given, and the balance rule stops it. No rule stops the two-level version, {glue:text}`binary_estimate:.3f`: its
# own column is balanced, and the count *that it was made from* is {glue:text}`binary_smd:.2f` standard deviations
# apart. Each mistake has another alarm, or none. Check balance on more than what the model was given.
#
# ### A hidden cause: no alarm rings
#
# Let the ranker read hidden taste and quality as well (`confounding="hidden"`). The fitted propensity balances
# all columns of the log (largest difference {glue:text}`hidden_smd:.3f`), has thousands of effective rows, and
# says {glue:text}`hidden_fit:.3f` ({glue:text}`hidden_fit.low:.3f` to {glue:text}`hidden_fit.high:.3f`). The
# truth is {glue:text}`hidden_fit.truth:.3f`. With the propensity that the *ranker recorded* the same three lines
# say {glue:text}`hidden_known:.3f` ({glue:text}`hidden_known.low:.3f` to {glue:text}`hidden_known.high:.3f`). The
# recorded coin knows what the ranker read, even if you never will. That is why the paradox above is no advice to
# throw it away.
#
# ### A good prediction is not a good propensity
#
# Propensity models are often chosen by AUC, by how well they tell shown from not shown. Let the marketing coin be
# strong here, and fit several models on the same twenty thousand pairs:

# %%
pushy = make_world(parameters=Parameters(kappa=2.0))  # the coin nearly decides about undecided pairs
push = pushy.exposure_log(n_pairs=20_000, seed=run.seed)
yp, tp = arrays(push)
forest = RandomForestClassifier(50, min_samples_leaf=5, oob_score=True, random_state=run.seed, n_jobs=1)
forest.fit(push[X], tp)
candidates = {
    "score only": weighting.propensity(push[["score"]], tp),
    "score, popularity, activity": weighting.propensity(push[X], tp),
    "... and price": weighting.propensity(push[[*X, "price"]], tp),
    "... and the coin": weighting.propensity(push[[*X, "marketing"]], tp),
    "forest, on its own training rows": forest.predict_proba(push[X])[:, 1].clip(0.001, 0.999),
}
table = {}
for name, model_ in candidates.items():
    how = {} if hasattr(model_, "e") else {"e_source": "fitted"}
    est = weighting.ipw(yp, tp, model_, refuse="flag", **how)
    table[name] = (roc_auc_score(tp, getattr(model_, "e", model_)), est.value, est.se, est.ess)
auc = pd.DataFrame(table, index=["AUC", "estimate", "SE", "effective rows"]).T
auc["effective rows"] = auc["effective rows"].round().astype(int)
auc.round({"AUC": 3, "estimate": 4, "SE": 4})

# %% tags=["hide-input"]
naive_push = difference_in_means(yp, tp)
for key, name in zip(("score", "right", "price", "coin", "forest"), candidates, strict=True):
    run.record(f"auc_{key}", auc.loc[name, "AUC"])
    run.record(f"auc_{key}_estimate", auc.loc[name, "estimate"], truth=pushy.truth.ate(), naive=naive_push)
worse = make_world(confounding="hidden", parameters=Parameters(kappa=2.0)).exposure_log(
    n_pairs=100_000, seed=run.seed
)
biased = {}
for key, columns in (("hidden_no_coin", X), ("hidden_coin", [*X, "marketing"])):
    pushed = biased[key] = weighting.ipw(*arrays(worse), X=worse[columns], refuse="flag")
    run.record(key, pushed, truth=truth.ate(), naive=difference_in_means(*arrays(worse)))
further = biased["hidden_coin"].value - biased["hidden_no_coin"].value
run.claim(
    "with a hidden cause the coin makes it worse", further > 0.005 and biased["hidden_no_coin"].low > truth.ate()
)
unseen = roc_auc_score(tp, forest.oob_decision_function_[:, 1])
run.record("auc_forest_new", unseen)
run.claim("on rows it did not see, the forest is no better", 0.65 < unseen < auc["AUC"].iloc[1] + 0.01, auc=unseen)
gaps = (auc["estimate"] - pushy.truth.ate()).abs() / auc["SE"]
run.claim("lowest and highest AUC miss, the middle ones cover", gaps.iloc[[0, 4]].min() > 1.96 > gaps.iloc[1:4].max())
run.claim("AUC rises from first to last", auc["AUC"].iloc[[0, 1, 3, 4]].is_monotonic_increasing)
run.claim("the coin has the widest interval", auc["SE"].idxmax() == "... and the coin")
run.record("coin_se_ratio", auc.loc["... and the coin", "SE"] / auc.loc["score, popularity, activity", "SE"])
fig, ax = plt.subplots(figsize=(5.6, 3.6))
places = {"score only": (8, 0, "left"), "score, popularity, activity": (-8, -30, "right"), "... and price": None,
          "... and the coin": (-8, -22, "right"), "forest, on its own training rows": (-8, 0, "right")}  # fmt: skip
for name, row in auc.iterrows():
    good = abs(row["estimate"] - pushy.truth.ate()) <= 1.96 * row["SE"]
    color = plots.COLORS["estimate" if good else "warn"]
    ax.plot([row["AUC"]] * 2, row["estimate"] + np.array([-1.96, 1.96]) * row["SE"], color=color, linewidth=2.2)
    ax.plot(row["AUC"], row["estimate"], "o" if good else "X", color=color, markersize=8)
    if places[name]:
        dx, dy, side = places[name]
        words = name.replace(", on", "\non").replace(", popularity", ",\npopularity")
        ax.annotate(words, (row["AUC"], row["estimate"]), (dx, dy),
                    textcoords="offset points", ha=side, va="center", fontsize=9)  # fmt: skip
plots.truth_line(ax, pushy.truth.ate(), axis="y")
ax.set(xlabel="AUC of the propensity model", ylabel="estimated effect", xlim=(0.57, 0.97))
plots.show(
    fig,
    alt="Estimates with intervals against the AUC of the propensity model. The models with the "
    "lowest and the highest AUC miss the dashed truth; the middle ones cover it, the coin one most widely.",
    caption="Better AUC, better estimate? The highest AUC (forest) misses the truth like the lowest. Adding the coin "
    "improves the AUC and widens the interval.",
)

# %% [markdown]
# Adding the coin lifts the AUC from {glue:text}`auc_right:.2f` to {glue:text}`auc_coin:.2f` and
# multiplies the standard error by {glue:text}`coin_se_ratio:.2f`: a column that moves displays and not purchases
# (an {term}`instrument`) removes no bias, it only pushes propensities to the ends. (It can even add some: the coin
# enters this ranker's chances outside of the log-odds, so the logistic model with the coin is only nearly the right
# form.) Where the ranker reads something hidden, it even makes bias larger: in such a shop it moves the estimate
# from {glue:text}`hidden_no_coin:.3f` to {glue:text}`hidden_coin:.3f`, away from the truth. The forest reaches
# {glue:text}`auc_forest:.2f` by remembering who was shown (for pairs that its trees did not see,
# {glue:text}`auc_forest_new:.2f`), and says {glue:text}`auc_forest_estimate:.3f`; the truth
# is {glue:text}`auc_forest_estimate.truth:.3f`. (One week: another one moves all dots up or down together. The
# forest's interval takes its propensities as given.) A propensity model is there to *balance* what moves both, not
# to predict. Choose its columns from the graph and judge it by balance. Flexible models need cross-fitting, which
# has a chapter of its own.
#
# ## What this means for a language-model recommender
#
# **Log the coin.** A language model that ranks or picks items *has* propensities: it samples from probabilities.
# Stored with the candidates, the prompt's version and the position, they make every later question a weighting
# question, with exchangeability by construction. Three ways in which the stored number is not the coin that was
# thrown:
#
# - the *temperature*, top-p or top-k of the sampler was applied after the logged softmax;
# - a business rule removed or moved items after sampling;
# - the model or prompt changed in between, and the log says "v2" for both.
#
# Mistakes of this kind can be heard in the log. If $e$ is the coin that was thrown, then $T/e$ averages one, and
# among pairs with $e$ near any value that share was shown. Say that the strip was sampled at temperature one
# and a half, and the log stores what it would be at temperature one:

# %%
mistaken = expit(1.5 * logit(e))  # stored: log-odds at temperature one; thrown: at one and a half
wrong_coin = weighting.ipw(y, t, mistaken, refuse="flag")
pd.DataFrame(
    {
        "mean of T/e": {"right coin": np.mean(t / e), "wrong temperature": np.mean(t / mistaken)},
        "mean of (1-T)/(1-e)": {
            "right coin": np.mean((1 - t) / (1 - e)),
            "wrong temperature": np.mean((1 - t) / (1 - mistaken)),
        },
        "estimate": {"right coin": hajek(y, t, e), "wrong temperature": wrong_coin.value},
        "refused": {"right coin": "no", "wrong temperature": "yes" if wrong_coin.flags else "no"},
    }
).round(3)

# %% tags=["hide-input"]
run.record("wrong_coin", wrong_coin.value, truth=truth.ate(), naive=naive)
run.record("wrong_coin_sum", np.mean(t / mistaken), truth=1)
run.claim("only the audit stops the wrong temperature", wrong_coin.broken_rules == ("calibration of e",))
run.claim("and its interval misses the truth", not wrong_coin.covers(truth.ate()))
run.claim("the right coin's weights average one", abs(np.mean(t / e) - 1) < 0.03)
cut = np.linspace(0, 1, 11)
fig, ax = plt.subplots(figsize=(4.8, 3.6))
for stored, color, mark, label in ((e, "estimate", "o", "right coin"), (mistaken, "warn", "X", "wrong temperature")):
    here = np.digitize(stored, cut[1:-1])
    rate = pd.DataFrame({"e": stored, "t": t}).groupby(here).mean()
    ax.plot(rate["e"], rate["t"], marker=mark, color=plots.COLORS[color], label=label)
ax.plot([0, 1], [0, 1], color=plots.COLORS["ink"], linestyle=":", linewidth=1.2)
ax.set(xlabel="stored chance of being shown", ylabel="share that was shown", xlim=(0, 1), ylim=(0, 1))
ax.legend(loc="upper left")
plots.show(
    fig,
    alt="Share shown against the stored chance. The right coin follows the diagonal; the wrong temperature lies "
    "above it on the left and below it on the right.",
    caption="Audit before you weight: a stored coin that was thrown lies on the diagonal. The wrong temperature "
    "claims to be surer than it was.",
)

# %% [markdown]
# The right coin's weights average about one; those of the shown under the wrong one average
# {glue:text}`wrong_coin_sum:.1f`, and the estimate is {glue:text}`wrong_coin:.3f` instead of
# {glue:text}`ate:.3f`. The rules on effective rows see nothing. `weighting.ipw` makes this audit a rule of its own: a
# propensity that it is told is *known* must agree with the shares shown, within four standard errors. Run it on any
# propensity column before you believe it.
#
# **If the coin was not logged, text is in the way.** The model read reviews, blurbs and histories; each phrase
# that moved the ranking and also sells is a {term}`confounder` that no column holds {cite:p}`keith2020text`. You
# may put an encoding of the text into the propensity model. Two warnings from this page then weigh double: an
# encoding with hundreds of columns tells shown from not shown *too* well (the forest), and whatever it misses is
# the hidden cause.
#
# **Sharpness is a choice.** A model at temperature zero writes a log without overlap: it answers none of the four
# questions. A little exploration is the price of being able to learn anything else
# {cite:p}`schnabel2016recommendations`.
#
# ## Exercises
#
# ### Exercise 1: Hájek
#
# Write the Hájek estimator of the ATE from outcomes `y`, displays `t` and recorded propensities `e`. It must not move
# when a constant is added to `y`.
#
# <details><summary>Hint</summary>
#
# Two weighted means, each divided by the sum of its own weights.
#
# </details>


# %% tags=["exercise"]
def hajek_ate(y, t, e):
    """Return the Hajek estimate of the average effect over all pairs."""
    # BEGIN SOLUTION
    return np.average(y, weights=t / e) - np.average(y, weights=(1 - t) / (1 - e))
    # END SOLUTION


# %% tags=["check"]
check("weighting/01.1", hajek_ate)

# %% [markdown]
# ### Exercise 2: a stop rule
#
# Return the effective sample size of the thinner group under ATE weights. If it is below `least`, raise `ValueError`
# with a message that names the thin group: "shown" or "not shown".
#
# <details><summary>Hint</summary>
#
# The groups are weighted apart, so each has its own effective sample size. The comparison is only as good as the
# worse one.
#
# </details>


# %% tags=["exercise"]
def thinner_group(t, e, least):
    """Return the smaller effective sample size of the two groups; raise ValueError if it is below `least`."""
    # BEGIN SOLUTION
    sizes = {}
    for name, w in (("shown", 1 / e[t == 1]), ("not shown", 1 / (1 - e[t == 0]))):
        sizes[name] = w.sum() ** 2 / (w**2).sum()
    worst = min(sizes, key=sizes.get)
    if sizes[worst] < least:
        raise ValueError(f"the pairs that were {worst} count for only {sizes[worst]:.1f} effective rows")
    return sizes[worst]
    # END SOLUTION


# %% tags=["check"]
check("weighting/01.2", thinner_group)

# %% [markdown]
# ### Exercise 3: the pairs that get no display
#
# Lea asks what displays would do for the pairs that are *not* shown now. Return a weighted estimate of that effect
# from outcomes `y`, displays `t` and recorded propensities `e`.
#
# <details><summary>Hint</summary>
#
# The others stay as they are. The shown must come to look like them: how many pairs that were not shown are there for
# each shown one with the same $e$?
#
# </details>


# %% tags=["exercise"]
def effect_on_the_rest(y, t, e):
    """Return the average effect on the pairs that were not shown (ATC)."""
    # BEGIN SOLUTION
    return np.average(y, weights=t * (1 - e) / e) - np.average(y, weights=1 - t)
    # END SOLUTION


# %% tags=["check"]
check("weighting/01.3", effect_on_the_rest)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague reports the estimate with its standard error, from *recorded* propensities. The estimate is right. The
# intervals cover far too seldom:
#
# ```python
# def estimate_and_error(y, t, e):
#     means, variance = [], 0
#     for w in (t / e, (1 - t) / (1 - e)):
#         mean = np.average(y, weights=w)
#         spread = np.average((y - mean) ** 2, weights=w)
#         variance += spread / w.sum()
#         means.append(mean)
#     return means[0] - means[1], np.sqrt(variance)
# ```
#
# Find the error and mend it. Return the estimate and its standard error, in closed form (no bootstrap).
#
# <details><summary>Hint</summary>
#
# `w.sum()` is about the number of *all* pairs, for each of the two groups. The weighted mean is
# $\sum w_i y_i / \sum w_i$; what is its variance if the weights are fixed numbers and rows are independent?
#
# </details>


# %% tags=["exercise"]
def estimate_and_error(y, t, e):
    """Return the Hajek estimate and its standard error for recorded propensities."""
    # BEGIN SOLUTION
    means, variance = [], 0
    for w in (t / e, (1 - t) / (1 - e)):
        mean = np.average(y, weights=w)
        variance += np.sum(w**2 * (y - mean) ** 2) / w.sum() ** 2
        means.append(mean)
    return means[0] - means[1], np.sqrt(variance)
    # END SOLUTION


# %% tags=["check"]
check("weighting/01.4", estimate_and_error)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "The recommender is to be switched off for a month. Which weights answer what would be lost?",
    {
        "1/e for the shown, 1/(1-e) for the others": (
            False,
            "That is the ATE: it also counts what displays would do for pairs that never had one.",
        ),
        "1 for the shown, e/(1-e) for the others": (
            True,
            "The ATT: the others are made to look like the shown, who are the ones that lose something.",
        ),
        "1-e for the shown, e for the others": (
            False,
            "That is the ATO: precise, and about the pairs on which the ranker was undecided.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "The recorded propensity is exact. Why may an estimated one still give smaller errors?",
    {
        "Because the recorded one is biased": (False, "It is exact, and its estimate is unbiased."),
        "Because the fit also removes the imbalance that chance left in this sample": (
            True,
            "The fitted weights balance the columns in this log; the recorded ones only on average over logs.",
        ),
        "Because a model smooths the purchases": (False, "The propensity model never sees a purchase."),
        "They don't; estimating always costs variance": (
            False,
            "That is what intuition says; the score as an outcome, and the smokers, say otherwise.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "Effective sample sizes are in the hundreds, yet the largest difference after weighting is half a standard "
    "deviation. What now?",
    {
        "Report it: the stop rule is content": (
            False,
            "The ESS counts rows that are there. Rows that overlap needs and that were never drawn don't show in it.",
        ),
        "Trim until the ESS rises": (False, "The ESS is not the problem, and each trim changes the question."),
        "Stop: the weighted groups are still different crowds": (
            True,
            "Either the model is wrong or there is no overlap. Both make the interval meaningless.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A new propensity model raises the AUC. Is it better for estimating the effect?",
    {
        "Yes, it knows the displays better": (
            False,
            "It may have found an instrument, or remembered its training rows; both harm.",
        ),
        "Not from this alone; look at which columns it added and at balance": (
            True,
            "Balance on the causes of both display and purchase is the aim, prediction is not.",
        ),
        "No, a higher AUC is always worse": (False, "Adding a missing confounder raises the AUC and removes bias."),
    },
)

# %% tags=["quiz"]
quiz(
    "You clip all propensities to lie between a tenth and nine tenths. What does the estimate now answer for?",
    {
        "For all pairs, with less variance": (
            False,
            "Clipped rows stand for too few pairs, so the crowd is no longer everybody.",
        ),
        "For the pairs with propensities in that range": (False, "That would be trimming: dropping the others."),
        "For no crowd that one could name": (
            True,
            "Neither group is weighted to look like any population; the bias depends on the rows at the ends.",
        ),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Weights make two crowds look like one. *Which* one is your choice, and it can turn the decision.
# - Use Hájek, not Horvitz-Thompson; use a recorded coin where there is one, after an audit.
# - Standard errors: stacked or bootstrap. Never let software take weights for counts.
# - Stop rules before estimates: effective rows *and* balance. Neither sees a hidden cause.
# - Trimming changes the question; clipping, penalties and early stops change the answer.
#
# ## Further reading
#
# - {cite:t}`hernan2020causal`, part two: the smokers, slowly, with code in many languages.
# - {cite:t}`lunceford2004stratification`: why an estimated propensity helps, and the stacked error.
# - {cite:t}`li2018balancing`: all crowds as one family, and overlap weights.
# - {cite:t}`crump2009dealing`: trimming as a choice of the question.
# - {cite:t}`schnabel2016recommendations`: weighting for recommenders that see ratings only where people chose to
#   rate.
# - {cite:t}`kang2007demystifying`: what weights do when both models are slightly wrong.
