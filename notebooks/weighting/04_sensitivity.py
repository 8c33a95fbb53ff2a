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
#     data: [womens_reviews, nhefs, darfur]
#     max_seconds: 60
# ---

# %% [markdown]
# # Is it certain? What a hidden cause could do
#
# "Displays add {glue:text}`adjusted_100:.1f` sales per hundred," says Nora, "adjusted for everything that the log
# holds." Mara runs the shop. The strip at the top of her page pays if displays add *seven* or more. "Is it certain?"
# she asks.
#
# Nora has a small standard error and balanced groups. Neither is an answer. In this chapter's shop the ranker also
# reads something that it doesn't write down, and the true effect is {glue:text}`ate_100:.1f`. No balance table and no
# stop rule could have told her. What she *can* say is how strong a hidden cause would have to be to turn the
# decision, and how strong the causes are that she does see. That is one picture, and Mara can read it.
#
# **You will be able to**
#
# - answer "is it certain?" with a number and a picture, from any estimate: `estimate.sensitivity()`;
# - compute a {term}`bias bound`, a {term}`robustness value`, an {term}`E-value` and {term}`Rosenbaum's Gamma`, and
#   say which question each one answers;
# - compare an unknown cause with known ones ({term}`benchmarking`), and say why that may mislead;
# - use a {term}`negative control` to sound an alarm, and know when its silence means nothing.
#
# **Before you start:** you know weights, overlap and effective rows from
# {doc}`the chapter on propensity weighting </chapters/weighting/01_propensity_weighting>` and pairs from
# {doc}`the chapter on matching </chapters/weighting/02_matching>`.
#
# **Time:** about 45 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop on customer reviews; a health survey of smokers (NHEFS); a survey of refugees from
# Darfur.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from scipy.stats import binom
from sklearn.ensemble import HistGradientBoostingRegressor

from causalrec_lib import course, data, matching, plots, sensitivity, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import Estimate, difference_in_means

run = course.start(PROFILE, SEED, chapter="weighting/04_sensitivity")
world = make_world(confounding="hidden")  # the shop of the course, with a ranker that reads more than it logs
truth = world.truth
X = ["score", "log_popularity", "log_activity"]
PRICE = 0.07  # sales per display at which the strip pays

# %% [markdown]
# ## The careful answer, and how far off it is
#
# A row of the log is a pair of a user and an item. Nora adjusts for all that moves displays and is in the log: the
# platform's score, popularity and the user's activity.


# %%
def arrays(frame):
    """Outcome and treatment of a log."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


log = world.exposure_log(n_pairs=100_000, seed=run.seed, with_propensity=True, with_placebo=True)
y, t = arrays(log)
naive = difference_in_means(y, t)
fit = weighting.propensity(log[X], t)
adjusted = weighting.ipw(y, t, fit, unit="sales per display")
adjusted

# %% tags=["hide-input"]
run.record("naive", naive, truth=truth.ate())
run.record("adjusted", adjusted, truth=truth.ate(), naive=naive)
run.record("adjusted_100", 100 * adjusted.value, truth=100 * truth.ate(), naive=100 * naive.value)
run.record("ate_100", 100 * truth.ate(), naive=100 * naive.value)
run.record("ate", truth.ate(), naive=naive)
run.record("bias_in_se", (adjusted.value - truth.ate()) / adjusted.se)
run.record("too_large", adjusted.value / truth.ate() - 1)
run.claim("no rule raises an alarm", not adjusted.flags)
run.claim("the adjusted interval misses the truth", not adjusted.covers(truth.ate()))
run.claim(
    "adjusting removed a part of the bias, not all of it",
    naive.value - 5 * naive.se > adjusted.value > truth.ate() + 5 * adjusted.se,
    naive=naive.value, adjusted=adjusted.value, truth=truth.ate(),
)  # fmt: skip

# %% [markdown]
# The plain difference is {glue:text}`naive:.3f`, the adjusted one {glue:text}`adjusted:.3f`
# ({glue:text}`adjusted.low:.3f` to {glue:text}`adjusted.high:.3f`). The truth is {glue:text}`ate:.3f`. The card shows
# no alarm, and the estimate lies {glue:text}`bias_in_se:.0f` standard errors from the truth,
# {glue:text}`too_large:.0%` too high. The interval speaks of chance. The error is not chance, and more rows only make
# the interval more sure of it.

# %% tags=["hide-input"]
parts = "score popularity activity hidden quality exposed consumed"
place = {
    **{"score": (0, 3), "popularity": (0, 2), "activity": (0, 1)},
    **{"exposed": (1.7, 1.0), "consumed": (3.4, 1.6), "hidden": (3.4, 3.0), "quality": (1.7, 3.2)},
}
graph = world.dag().subgraph(parts.split()).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Score, popularity and activity are columns and point to exposed and consumed. Hidden affinity "
    "and hidden quality are no columns, and point to exposed as well. Exposed points to consumed.",
    caption="Dashed boxes are no columns of the log. In this shop they too have an arrow into the display: no set of "
    "logged columns is enough.",
    figsize=(6.0, 4.2),
)

# %% [markdown]
# Until now the course assumed {term}`exchangeability` given the columns. A
# {term}`sensitivity analysis <unmeasured confounding>` drops the assumption and puts a number in its place: *how
# much* of it may fail.
#
# ## How large can the bias be?
#
# Write the estimate as what weighting makes of it: a mean of outcomes times signed weights $\alpha_s$ ($1/e$ for the
# shown, $-1/(1-e)$ for the others). With the hidden cause $U$ in the log, both parts would change: the weights to
# $\alpha$, and the mean outcome given all causes from $g_s$ to $g$. What the estimate lacks is the mean product of
# the two changes:
#
# $$\text{truth} - \text{estimate} = E\big[(g - g_s)(\alpha - \alpha_s)\big] = -\text{bias}.$$
#
# So $U$ does harm only if it moves *both*. A mean product is no larger than the product of the root mean squares
# (Cauchy-Schwarz). Scaled by what the log knows, that is {cite:p}`chernozhukov2022long`
#
# $$|\text{bias}| \le S \sqrt{C_Y^2\, C_D^2}, \qquad
# S^2 = \overline{\text{residual}^2}\;\overline{\alpha_s^2}, \qquad C_D^2 = \frac{r_D}{1 - r_D}.$$
# - $C_Y^2 = r_Y$ is the share of the outcome's squared residuals that $U$ explains, given the display and $X$. The
#   residual is taken around the weighted mean of its arm, not around a model of $X$. So $S$ is larger here, and the
#   same cause's share smaller, than in the paper.
# - $r_D$ is the share of the mean squared weight $\overline{\alpha^2}$ that is due to $U$: how much surer one would
#   be of who gets a display.
# - $S$ comes from the log alone. It grows with the weights: **poor overlap makes an estimate fragile**.
#
# The {term}`robustness value` is the share $r$ that $U$ must have of *both*, $r_Y = r_D = r$, to move the estimate to
# a value that turns the decision. With $f = |\text{estimate} - \text{value}| / S$ it solves $r^2 / (1 - r) = f^2$
# {cite:p}`cinelli2020making`.


# %%
def bias_bound(y, t, e, value, null, r_outcome, r_weights):
    """Largest bias of a hidden cause with these two shares, and the robustness value."""
    w1, w0 = t / e, (1 - t) / (1 - e)
    w1, w0 = w1 / w1.mean(), w0 / w0.mean()
    residual = y - np.where(t == 1, np.mean(w1 * y), np.mean(w0 * y))
    S = np.sqrt(np.mean(residual**2) * np.mean((w1 - w0) ** 2))
    f = abs(value - null) / S
    robustness = (np.sqrt(f**4 + 4 * f**2) - f**2) / 2
    return S * np.sqrt(r_outcome * r_weights / (1 - r_weights)), robustness


to_price, to_zero = adjusted.sensitivity(null=PRICE), adjusted.sensitivity()
by_hand, rv = bias_bound(y, t, fit.e, adjusted.value, PRICE, 0.02, 0.10)
assert np.isclose(by_hand, to_price.bias(0.02, 0.10))
assert np.isclose(rv, to_price.robustness_value)
to_price

# %% tags=["hide-input"]
run.record("rv_zero", to_zero.robustness_value)
run.record("rv_zero_interval", to_zero.robustness_interval)
run.record("rv_price", to_price.robustness_value)
run.record("rv_price_interval", to_price.robustness_interval)

# %% [markdown]
# A cause that explains {glue:text}`rv_price:.1%` of both could bring the estimate down to Mara's price, and one with
# {glue:text}`rv_zero:.1%` of both could bring it down to zero ({glue:text}`rv_zero_interval:.1%` for the end of the
# interval). Is that much? A number alone can't say. It needs neighbours.
#
# ## The picture
#
# Pretend that one logged column was never logged, and ask how strong *it* would be on the same two scales. Each
# column is a point of the plane. And since the shop is simulated, we can do what nobody else can: measure the true
# hidden cause. That takes the exact chances behind each pair, `truth.pairs(log)`.

# %%
known = sensitivity.benchmarks(adjusted, y, t, log[X])


def smooth(columns, target, weight=None):
    """Mean of an exact probability given columns, by boosted trees."""
    trees = HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=15, min_samples_leaf=50, random_state=0)
    return trees.fit(columns, target, sample_weight=weight).predict(columns)


def true_strength(log, residual):
    """Shares of outcome and weights that are due to the hidden cause, from chances that no real log has."""
    exact = truth.pairs(log)
    e, e_s = exact["propensity"], exact["propensity_observed"]
    moved = 0.0  # the mean of (g - g_s)^2
    for p, got in (("p1", e), ("p0", 1 - e)):
        g_s = smooth(log[X], exact[p], got)  # given X among those who got this treatment
        g = smooth(log[X].assign(hidden=exact["hidden"]), exact[p])
        moved += np.mean(got * (g - g_s) ** 2)
    r_weights = 1 - np.mean(1 / (e_s * (1 - e_s))) / np.mean(1 / (e * (1 - e)))
    return moved / np.mean(residual**2), r_weights


r_outcome, r_weights = true_strength(log, adjusted.design.residual)
pd.concat([known, pd.DataFrame({"r2_treatment": r_weights, "r2_outcome": r_outcome}, ["the hidden cause"])]).round(3)

# %% tags=["hide-input"]
run.record("hidden_r_outcome", r_outcome)
run.record("hidden_r_weights", r_weights)
for name, row in known.iterrows():
    run.record(f"known_{name}_weights", row["r2_treatment"])
    run.record(f"known_{name}_outcome", row["r2_outcome"])
fig = plots.bias_plane(
    to_zero,
    lines={0.0: "effect could be zero", PRICE: "effect could be seven per hundred"},
    benchmarks=known.rename(index=lambda c: c.replace("log_", "")),
    hidden=(r_weights, r_outcome),
    limits=(0.6, 0.06),
    labels=("share of the squared weights, $r_D$", "share of the outcome's residuals, $r_Y$"),
)
plots.show(
    fig,
    alt="A plane with two falling curves. The lower one, for seven sales per hundred, passes near the points of the "
    "logged columns. The star of the hidden cause lies to the right of and above every one of them, beyond the lower "
    "curve and close to the upper one, for zero.",
    caption="Read it like a map. Above a curve a hidden cause could bring the effect down to that value. Points: "
    "the logged columns, as if they were hidden. Star: the true hidden cause, which no analyst sees. It is stronger "
    "than any column of the log.",
)
bound = to_zero.bias(r_outcome, r_weights)
strongest = max(to_zero.bias(r, d) for d, r in known.to_numpy())
run.record("bound", bound)
run.record("bound_benchmark", strongest)
run.record("margin", adjusted.value - PRICE)
run.record("bias", adjusted.value - truth.ate(), truth=0.0, naive=naive.value - truth.ate())
low, high = to_zero.bounds(r_outcome, r_weights)
run.record("bounds_low", low)
run.record("bounds_high", high)
run.record("bounds_width", high - low)
run.claim("the bounds hold the truth", low < truth.ate() < high, low=low, high=high)
run.claim("the star lies beyond the price line", bound > adjusted.value - PRICE + 5 * adjusted.se)
run.claim("the star lies near the zero line", abs(bound / adjusted.value - 1) < 0.2, ratio=bound / adjusted.value)
run.claim(
    "the hidden cause is stronger than any column, on both scales",
    (known["r2_treatment"] < r_weights).all() and (known["r2_outcome"] < r_outcome).all(),
    treatment=known["r2_treatment"].max() / r_weights, outcome=known["r2_outcome"].max() / r_outcome,
)  # fmt: skip
run.claim("the bound is more than twice the bias", bound > 2 * (adjusted.value - truth.ate()))
run.claim("the strongest column bounds less than the hidden cause does", strongest < 0.75 * bound)
popular = to_zero.bias(*known.loc["log_popularity", ["r2_outcome", "r2_treatment"]])
run.claim("popularity is the strongest, and as strong a cause about uses up the margin",
          popular == strongest > adjusted.value - PRICE - adjusted.se, strongest=strongest)  # fmt: skip

# %% [markdown]
# The star explains {glue:text}`hidden_r_outcome:.1%` of the outcome's residuals and {glue:text}`hidden_r_weights:.0%`
# of the weights. Three things to see.
#
# - **The decision is open.** The star lies beyond the lower curve: a cause like this could bring the effect down to
#   seven. It takes no star. The margin above the price is {glue:text}`margin:.3f`, and a hidden cause as strong as
#   popularity, a column that we *do* log, could move the estimate by {glue:text}`bound_benchmark:.3f`. The truth is
#   {glue:text}`ate_100:.1f`.
# - **The bound is not the bias.** At its true strength the cause could have moved the estimate by
#   {glue:text}`bound:.3f`; it did move it by {glue:text}`bias:.3f`. The bounds run from {glue:text}`bounds_low:.3f`
#   to {glue:text}`bounds_high:.3f`. They hold the truth, and they are wide, because they allow that the two changes
#   always go together.
# - **Benchmarks mislead.** This cause is stronger than every column of the log. That a platform logs what matters
#   most is a hope, and the plane doesn't test it. And a column's point is informal: drop one, and the others take
#   over part of its work {cite:p}`cinelli2020making`.
#
# So what does Nora tell Mara? *"No, it isn't certain. Displays make seven or more if what the ranker doesn't log
# explains less than {glue:text}`rv_price_interval:.0%` of both, chance included. Popularity explains
# {glue:text}`known_log_popularity_weights:.0%` of the weights and {glue:text}`known_log_popularity_outcome:.1%` of
# the outcome. A second cause of that kind would about use up the margin. Ask the people who built the ranker."* That
# is an answer.
#
# ## Do the bounds keep their word?
#
# One week proves nothing. Many weeks of the same shop, each with its own log; the strength is the true one, measured
# above; the interval adds the sampling error of estimate and $S$ to the bounds.

# %%
n_weeks = run.size(ci=100, full=400)


def week(seed):
    """Estimate a week's effect as Nora does, within bounds, and with the recorded coin; and a placebo."""
    log = world.exposure_log(n_pairs=50_000, seed=seed, with_propensity=True, with_placebo=True)
    y, t = arrays(log)
    fit = weighting.propensity(log[X], t)
    plain = weighting.ipw(y, t, fit, refuse="flag")
    wide = plain.sensitivity().interval(r_outcome, r_weights)
    return {
        "adjusted": plain,
        "bounds, true strength": Estimate(plain.value, plain.se, "ATE", "bounds", len(y), interval=wide),
        "recorded coin": weighting.ipw(y, t, log["propensity"], refuse="flag"),
        "placebo": weighting.ipw(log["consumed_before"].to_numpy(float), t, fit, refuse="flag"),
    }


true_values = {"placebo": 0.0} | dict.fromkeys(("adjusted", "bounds, true strength", "recorded coin"), truth.ate())
runs = simulation.repeat(week, run.seeds(n_weeks, "weeks"), true_values)
simulation.summary(runs).round(3)


# %% tags=["hide-input"]
def mean_of(name, column, **known):
    """Record the mean of a column over weeks, with its error."""
    spread = max(column.std(), 0.2 if column.dtype == bool else 0)
    run.record(name, column.mean(), kind="stochastic", mc_se=spread / np.sqrt(len(column)), **known)


by = {name: part for name, part in runs.groupby("name")}
bounds, coin = by["bounds, true strength"], by["recorded coin"]
share = {name: part["covers"].mean() for name, part in by.items()}
run.record("weeks", n_weeks)
for key, part in (("adjusted", by["adjusted"]), ("bounds", bounds), ("coin", coin)):
    mean_of(f"covers_{key}", part["covers"].astype(bool))
mean_of("mean_width", bounds["high"] - bounds["low"])
mean_of("above_zero", bounds["low"] > 0)
run.record("most_missed", 1 - 0.05 ** (1 / n_weeks))
tenth = (coin["high"] - coin["low"]).mean() / (bounds["high"] - bounds["low"]).mean()
run.claim("the coin's interval has about a tenth of the width", tenth < 0.12, share=tenth)
run.claim("the adjusted interval covers in no week", share["adjusted"] == 0)
run.claim("the bounds cover in every week", share["bounds, true strength"] == 1)
least = binom.ppf(1e-3, n_weeks, 0.95) / n_weeks
run.claim("the coin covers about as often as it says", share["recorded coin"] >= least)
run.claim("in most weeks the bounds' interval holds zero or the price", (bounds["low"] < PRICE).mean() > 0.9)
two = runs[runs["name"].isin(["adjusted", "bounds, true strength"])]
fig = plots.coverage(two, naive="adjusted", xlabel="sales per display", what="weeks")
plots.show(
    fig,
    alt="Two panels of intervals against the dashed truth. Those of the adjusted estimate all lie to the right. The "
    "bounds are many times as wide and all hold it.",
    caption="Adjusted: precise, and wrong in each week. Bounds at the true strength hold the truth, and say little.",
)

# %% [markdown]
# In {glue:text}`weeks:d` weeks the adjusted interval covers the truth in {glue:text}`covers_adjusted:.0%`, the bounds
# in {glue:text}`covers_bounds:.0%` (so a miss in more than {glue:text}`most_missed:.0%` of all weeks is ruled out at
# ninety-five per cent confidence). They are made for the worst cause of a given strength, and this one is not the
# worst, so they cover *more* often than they claim. Their mean width is {glue:text}`mean_width:.2f`; in
# {glue:text}`above_zero:.0%` of weeks they stay above zero. With the recorded chance of each display the interval
# covers in {glue:text}`covers_coin:.0%`, at a tenth of that width. Sensitivity analysis is what remains when nobody
# wrote the coin down.
#
# ## A ratio that would explain it: the E-value
#
# Epidemiology asks in risk ratios. How strongly must $U$ be tied to the display *and* to the purchase, each as a risk
# ratio, to explain the observed ratio away? If both are $R$, the bias factor is at most $R^2 / (2R - 1)$
# {cite:p}`ding2016sensitivity`. Set it to the observed ratio and solve {cite:p}`vanderweele2017sensitivity`:
#
# $$E = \mathit{RR} + \sqrt{\mathit{RR}\,(\mathit{RR} - 1)},$$
#
# after turning a ratio below one upside down. The same for the end of the interval that is nearer to one.


# %%
def e_value(ratio):
    """E-value of a risk ratio."""
    ratio = max(ratio, 1 / ratio)
    return ratio + np.sqrt(ratio * (ratio - 1))


ratio = adjusted.arms["treated"] / adjusted.arms["control"]
assert np.isclose(e_value(ratio), to_zero.e_value.estimate)
smoking = sensitivity.e_value(10.73, 8.02, 14.36)  # lung cancer in smokers
assert np.allclose(smoking, [20.94777, 15.52336], atol=1e-5)  # as the R package EValue prints them
rows = {"displays, this shop": [ratio, *to_zero.e_value], "smoking and lung cancer": [10.73, *smoking]}
pays = 1 + PRICE / adjusted.arms["control"]  # the ratio at which the strip just pays
print(f"to bring the ratio down to {pays:.2f}, where the strip just pays: {e_value(ratio / pays):.2f}")
pd.DataFrame(rows, index=["risk ratio", "E-value", "E-value of the interval"]).round(2)

# %% tags=["hide-input"]
true_ratio = truth.pairs(log)[["p1", "p0"]].mean()
run.record("ratio", ratio, truth=true_ratio["p1"] / true_ratio["p0"], naive=y[t == 1].mean() / y[t == 0].mean())
run.record("e_value", to_zero.e_value.estimate)
run.record("e_value_interval", to_zero.e_value.interval)
run.record("e_smoking", smoking.estimate, naive=10.73)
run.record("e_smoking_interval", smoking.interval, naive=8.02)
run.record("ratio_pays", pays)
run.record("e_pays", e_value(ratio / pays), naive=to_zero.e_value.estimate)
run.claim("the E-value looks large", to_zero.e_value.interval > 3)
run.claim("that of the price is less than half of it", e_value(ratio / pays) < 0.5 * to_zero.e_value.estimate)

# %% [markdown]
# Smoking has the E-value {glue:text}`e_smoking:.2f` (the R package *EValue* prints the same): a gene that explains it
# away would have to go with smoking and with cancer by a risk ratio of that size each. Our displays get
# {glue:text}`e_value:.1f` against *no effect*, which sounds safe, and zero *is* safe here: the effect exists. Its
# size is another matter. The true ratio is {glue:text}`ratio.truth:.1f` and not {glue:text}`ratio:.1f`. Mara asked
# about seven. Any other ratio has its E-value, too: divide by it first {cite:p}`vanderweele2017sensitivity`. On the
# estimated sales without a display the strip just pays at {glue:text}`ratio_pays:.2f`, and against that the E-value
# is {glue:text}`e_pays:.1f`.
#
# ## Odds that were off: two kinds of Gamma
#
# **Pairs.** Match a shown pair with one that was not shown and has nearly the same chance. Under exchangeability each
# of the two was then nearly as likely to be the shown one. {term}`Rosenbaum's Gamma` lets the odds be as bad as
# $\Gamma : 1$ and asks for the largest p-value of the signed-rank test {cite:p}`rosenbaum2002observational`. The rank
# of a difference counts for the treated with chance at most $\Gamma / (1 + \Gamma)$. With purchases of zero or one
# all ranks tie: this is the sign test of exercise 3.

# %%
part = run.rng.choice(len(log), 40_000, replace=False)
pairs = matching.match(weighting.propensity(log[X].iloc[part], t[part]), t[part], replace=False, caliper=0.05)
matched = matching.matching_estimate(y[part], pairs, bias_correction=False, refuse="flag")
differences = y[part][pairs.focal] - y[part][pairs.partner]
gamma = matched.sensitivity().gamma
assert np.isclose(gamma, sensitivity.rosenbaum_gamma(differences, alpha=0.025))
sensitivity.rosenbaum_bounds(differences, [1, 1.5, 2, 2.5, 3]).round(4)

# %% tags=["hide-input"]
run.record("gamma_pairs", gamma)
exact = truth.pairs(log)
odds = np.log(exact["propensity"] / (1 - exact["propensity"]))
odds -= np.log(exact["propensity_observed"] / (1 - exact["propensity_observed"]))
true_gamma = np.exp(odds.abs())
for name, q in (("median", 0.5), ("p95", 0.95), ("max", 1.0)):
    run.record(f"true_gamma_{name}", true_gamma.quantile(q))
run.claim("Gamma of the pairs is below the factor of one pair in twenty", gamma < 0.8 * true_gamma.quantile(0.95))

# %% [markdown]
# The finding "displays sell" stands up to $\Gamma$ = {glue:text}`gamma_pairs:.1f`. Now the truth: the hidden cause
# changes the odds of a display by a factor of {glue:text}`true_gamma_median:.1f` in the median pair, by
# {glue:text}`true_gamma_p95:.1f` or more in one pair of twenty, and by up to {glue:text}`true_gamma_max:.0f`. Read
# strictly, $\Gamma$ is the *largest* of these (and in a pair two of them may multiply), so no honest $\Gamma$ would
# have let the finding stand. And the finding is true. Gamma is a worst case over pairs, and it can be far too
# careful.
#
# **Weights.** The same idea for a weighted mean: each row's odds may be off by a factor up to $\Gamma$, in any
# direction. What is the range of the Hájek estimate {cite:p}`zhao2019sensitivity`? A weight is then $1 + z\,(1-e)/e$
# with $1/\Gamma \le z \le \Gamma$. To make a weighted mean large, give buyers the large weights and the others the
# small ones. The best cut is found by sorting the outcomes, for the shown and for the others.


# %%
def largest_mean(y, odds_against, gamma):
    """Largest weighted mean when each weight 1 + z * odds_against has 1/gamma <= z <= gamma."""
    order = np.argsort(-y)
    y, large, small = y[order], 1 + gamma * odds_against[order], 1 + odds_against[order] / gamma
    top = np.cumsum(large * y) + (small @ y - np.cumsum(small * y))
    weight = np.cumsum(large) + (small.sum() - np.cumsum(small))
    return (top / weight).max()  # one cut for each row: above it large weights, below it small ones


shown, odds_against = t == 1, (1 - fit.e) / fit.e
one = largest_mean(y[shown], odds_against[shown], 1.5)
zero = -largest_mean(-y[~shown], 1 / odds_against[~shown], 1.5)
grid = np.round(np.geomspace(1, 6, 15), 3)
marginal = sensitivity.marginal_bounds(y, t, fit.e, grid)
at = sensitivity.marginal_bounds(y, t, fit.e, [1.5], n_boot=run.size(ci=100, full=1000), seed=run.seed)
assert np.isclose(one - zero, at["high"][0])
at.round(3)

# %% tags=["hide-input"]
run.record("marginal_low", at["low"][0], kind="stochastic", mc_se=adjusted.se)
run.record("marginal_high", at["high"][0], kind="stochastic", mc_se=adjusted.se)
reach = float(np.interp(0, -marginal["low"], grid))
run.record("marginal_zero", reach)
width = np.interp(true_gamma.median(), grid, marginal["high"] - marginal["low"])
run.record("marginal_width", width)
run.claim("at the median factor the range is wider than the plane's bounds", width > 1.1 * (high - low), width=width)
run.claim(
    "the range reaches zero before the true Gamma of one pair in twenty", reach < 0.5 * true_gamma.quantile(0.95)
)
run.claim("the range holds the truth from a small Gamma on", at["low"][0] < truth.ate() < at["high"][0])
fig, ax = plt.subplots(figsize=(5.6, 3.8))
ax.fill_between(grid, marginal["low"], marginal["high"], color=plots.COLORS["estimate"], alpha=0.25)
ax.plot(grid, marginal["low"], color=plots.COLORS["estimate"])
ax.plot(grid, marginal["high"], color=plots.COLORS["estimate"])
plots.truth_line(ax, truth.ate(), axis="y")
ax.axhline(0, color=plots.COLORS["ink"], linewidth=0.8)
for q, words in ((0.5, "half of\nthe pairs"), (0.9, "nine tenths\nof the pairs")):
    ax.axvline(true_gamma.quantile(q), color=plots.COLORS["warn"], linestyle=":")
    ax.annotate(words, (true_gamma.quantile(q), -0.27), (4, 0), textcoords="offset points", fontsize=9)
ax.set(xlabel="$\\Gamma$: factor by which odds of a display may be off", ylabel="effect", xscale="log",
       xticks=[1, 2, 3, 4, 6], xticklabels=["1", "2", "3", "4", "6"], ylim=(-0.3, 0.72))  # fmt: skip
ax.minorticks_off()
plots.show(
    fig,
    alt="A band that opens to the right from the adjusted estimate. It holds the dashed truth from a small Gamma on, "
    "and passes zero before Gamma two and a half. Dotted lines mark what holds for half and for nine tenths "
    "of the pairs.",
    caption="The range of answers if odds may be off by Gamma. It holds the truth early, and soon it holds "
    "everything. Dotted: true factors.",
)

# %% [markdown]
# At $\Gamma = 1.5$ the range is already {glue:text}`marginal_low:.3f` to {glue:text}`marginal_high:.3f`, and from
# {glue:text}`marginal_zero:.2f` on it holds zero. The plane measures a cause by its *mean* strength, Gamma by its
# largest. Already at the factor of the median pair the range is {glue:text}`marginal_width:.2f` wide; the plane's
# bounds, at the whole true strength, {glue:text}`bounds_width:.2f`.
#
# ## Regression, and two published data sets
#
# For a linear regression the bound is no bound but an identity: with partial $R^2$ in place of both shares and
# $S = \mathrm{se}\sqrt{\mathrm{df}}$, it *is* the bias {cite:p}`cinelli2020making`. Their example asks whether people
# who were hurt in Darfur want peace more or less.

# %%
refugees = data.load("darfur")
homes = pd.get_dummies(refugees["village"], drop_first=True, dtype=float)
about = ["age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female"]
darfur = sensitivity.ols(
    refugees["peacefactor"],
    refugees["directlyharmed"],
    refugees[about].astype(float).join(homes),
    benchmark=["female"],
    multiples=[1, 2, 3],
)
darfur

# %% tags=["hide-input"]
run.record("darfur", darfur.value)
run.record("darfur_r2", darfur.partial_r2, naive=darfur.robustness_value())
run.record("darfur_rv", darfur.robustness_value(), naive=darfur.partial_r2)
run.record("darfur_rv_alpha", darfur.robustness_value(alpha=0.05), naive=darfur.robustness_value())
run.record("darfur_three", darfur.benchmarks["value"].iloc[2])
run.claim(
    "even three times the cause that gender is leaves a positive effect", darfur.benchmarks["value"].iloc[2] > 0
)

# %% [markdown]
# To take the estimate away, a hidden cause must explain {glue:text}`darfur_rv:.1%` of what is left of both (printed:
# {glue:text}`ledger::darfur_rv.published:.1%`), to make it insignificant {glue:text}`darfur_rv_alpha:.1%`. The
# authors argue that gender was among the strongest reasons for being hurt or spared; a cause three times as strong
# would leave {glue:text}`darfur_three:.3f` of {glue:text}`darfur:.3f`. What convinces is that somebody knew the war.
#
# Now the smokers. Does quitting add weight? The same plane, and no star.

# %%
nhefs = data.load("nhefs")
kg, quit_ = nhefs["wt82_71"].to_numpy(float), nhefs["qsmk"].to_numpy(float)
continuous = ["age", "smokeintensity", "smokeyrs", "wt71"]
Z = nhefs[["sex", "race", *continuous]].astype(float)
Z = Z.join(nhefs[continuous].astype(float).pow(2).add_suffix("_squared"))
groups = nhefs[["active", "education", "exercise"]].astype(int).astype("category")
Z = Z.join(pd.get_dummies(groups, drop_first=True, dtype=float))
words = {"age": "age", "smokeintensity": "cigarettes a day", "smokeyrs": "years of smoking", "wt71": "weight in 1971"}
columns = {words[c]: [c, f"{c}_squared"] for c in continuous} | {"sex": ["sex"], "race": ["race"]}
smokers = sensitivity.ols(kg, quit_, Z, benchmark=columns, unit="kg")
model = weighting.standardisation(kg, quit_, Z, interact=False, unit="kg")
assert np.isclose(model.value, smokers.value)
assert np.isclose(model.sensitivity().scale, smokers.scale)  # the same S, from the weights of the regression
model.sensitivity()

# %% tags=["hide-input"]
run.record("nhefs", smokers.value, naive=difference_in_means(kg, quit_))
run.record("nhefs_rv", smokers.robustness_value(), naive=smokers.partial_r2)
run.record("nhefs_rv_alpha", smokers.robustness_value(alpha=0.05), naive=smokers.robustness_value())
run.record("nhefs_age", smokers.benchmarks.loc[("age", 1.0), "value"])
run.record("nhefs_worst", smokers.benchmarks["value"].min())
worst = smokers.benchmarks[["r2_treatment", "r2_outcome"]].max()
run.record("nhefs_worst_treatment", worst["r2_treatment"])
run.record("nhefs_worst_outcome", worst["r2_outcome"])
run.claim("about half of the estimate in the shop", 0.4 < strongest / adjusted.value < 0.55)
run.claim("about a ninth for the smokers", 0.1 < 1 - smokers.benchmarks["value"].min() / smokers.value < 0.12)
run.claim("every observed covariate is far from the line", worst.max() < smokers.robustness_value(alpha=0.05) / 2)
fig = plots.bias_plane(
    smokers,
    lines={0.0: "effect is zero", 1.0: "effect is one kilogram"},
    benchmarks=smokers.benchmarks.droplevel("multiple"),
    limits=(0.4, 0.4),
    labels=("partial $R^2$ with quitting", "partial $R^2$ with the gain of weight"),
)
plots.show(
    fig,
    alt="A plane with two falling curves, for zero and for one kilogram. Six points of observed covariates crowd in "
    "the lower left corner, far below both. There is no star.",
    caption="NHEFS. Every covariate that was asked for lies in the corner, far from the curves. Whether there is a "
    "star beyond them, nobody knows.",
)

# %% [markdown]
# Quitting adds {glue:text}`nhefs:.2f` kg. A hidden cause would need {glue:text}`nhefs_rv:.1%` of both to explain it
# away; no covariate has more than {glue:text}`nhefs_worst_treatment:.1%` of quitting or
# {glue:text}`nhefs_worst_outcome:.1%` of weight, and one as strong as age would leave {glue:text}`nhefs_age:.2f`. In
# the shop the strongest column could do half of the estimate; here, a ninth. That is no certainty: in the shop the
# star lay outside of the crowd.
#
# ## An alarm: negative controls
#
# All of this asked *what if*. A {term}`negative control` looks for a sign. Take an outcome that the display can't
# have moved, but that the suspected cause does move: what the user bought in the week *before*, `consumed_before`
# {cite:p}`lipsitch2010negative`. Its true effect is zero.

# %%
shop = make_world()  # the shop of the other chapters: the ranker reads what it logs


def placebo(seed):
    """Adjust last week's purchases in the shop that logs all that its ranker reads."""
    log = shop.exposure_log(n_pairs=50_000, seed=seed, with_placebo=True)
    before, (_, t) = log["consumed_before"].to_numpy(float), arrays(log)
    return weighting.ipw(before, t, X=log[X], refuse="flag")


honest = simulation.repeat(placebo, run.seeds(n_weeks, "weeks"), 0.0)
controls = {"hidden cause": by["placebo"], "all logged": honest}
pd.Series({k: 1 - v["covers"].mean() for k, v in controls.items()}, name="share of weeks with an alarm").round(2)

# %% tags=["hide-input"]
rang, quiet = 1 - by["placebo"]["covers"].mean(), 1 - honest["covers"].mean()
mean_of("alarm_hidden", ~by["placebo"]["covers"].astype(bool))
mean_of("alarm_logged", ~honest["covers"].astype(bool))
run.record("alarm_error", np.sqrt(0.05 * 0.95 / n_weeks))
mean_of("placebo_hidden", by["placebo"]["value"], truth=0.0)
mean_of("placebo_logged", honest["value"], truth=0.0, naive=by["placebo"]["value"].mean())
mean_of("mean_bias", by["adjusted"]["value"] - truth.ate(), truth=0.0)
run.claim("the control rings in most weeks where a cause is hidden", rang > 0.75, share=rang)
run.claim("and seldom where none is", binom.sf(round(quiet * n_weeks) - 1, n_weeks, 0.05) > 1e-3, share=quiet)
run.claim("the placebo effect is smaller than the bias",
          by["placebo"]["value"].mean() < 0.7 * (by["adjusted"]["value"].mean() - truth.ate()))  # fmt: skip

# %% [markdown]
# Where a cause is hidden the control rings in {glue:text}`alarm_hidden:.0%` of weeks. Where all is logged it rings in
# {glue:text}`alarm_logged:.0%` of {glue:text}`weeks:d`, where chance wants five in a hundred (Monte-Carlo error of
# that rate: {glue:text}`alarm_error:.1%`). The robustness value doesn't tell the two shops apart, it is even *higher*
# in the biased one ({glue:text}`rv_zero:.1%` against {glue:text}`rv_good:.1%`, from the section on overlap below):
# bias makes an effect look large. The control doesn't tell *how far off* the estimate is: the placebo effect averages
# {glue:text}`placebo_hidden:.3f`, the bias {glue:text}`mean_bias:.3f`, for the cause moves the two outcomes
# unequally.
#
# ## When it breaks
#
# **A tiny effect, well estimated.** Precision is not robustness. A ratio just above one has a small E-value, however
# many rows stand behind it. Two studies with the same number of standard errors:

# %%
studies = {"large effect, few rows": (2.0, 0.15), "tiny effect, many rows": (1.04, 0.0085)}
small = pd.DataFrame(
    {k: [r, np.log(r) / se, *sensitivity.e_value(r, r * np.exp(-1.96 * se), r * np.exp(1.96 * se))]
     for k, (r, se) in studies.items()},
    index=["ratio", "z", "E-value", "of the interval"],
)  # fmt: skip
small.round(2)

# %% [markdown]
# **A weak benchmark.** "Ten times as strong as our covariate" sounds like much, until one asks which covariate. Nora
# could have asked a few users how often they visit. Their answers follow activity, with much noise:

# %%
said = log["log_activity"] + 2 * run.rng.normal(size=len(log))
vain = sensitivity.benchmarks(adjusted, y, t, log[X[:2]].assign(said=said)).loc["said"]
vain_bias = to_zero.bias(10 * vain["r2_outcome"], 10 * vain["r2_treatment"])
pd.Series({"bias bound, ten times the answers": vain_bias, "the bias": adjusted.value - truth.ate()}).round(4)

# %% tags=["hide-input"]
run.record("vain_bias", vain_bias, kind="stochastic", mc_se=0.005)
run.record("e_tiny", small["tiny effect, many rows"]["E-value"])
run.record("e_large", small["large effect, few rows"]["E-value"])
tiny, large = small["tiny effect, many rows"], small["large effect, few rows"]
run.claim("the tiny effect has as many standard errors", abs(tiny["z"] - large["z"]) < 0.05)
run.claim("and a smaller E-value", tiny["E-value"] < 0.5 * large["E-value"])
run.claim("ten times the answers is less than the bias", 0 < vain_bias < adjusted.value - truth.ate(), b=vain_bias)

# %% [markdown]
# The tiny effect has the E-value {glue:text}`e_tiny:.2f`, the large one {glue:text}`e_large:.2f`. And the bound of a
# cause "ten times as strong as what users say" is {glue:text}`vain_bias:.3f`, less than the bias that is really there
# ({glue:text}`bias:.3f`).
#
# **A control that isn't comparable.** A negative control sees only causes that move *it*. Suppose that Nora had taken
# newsletters opened, which depend on activity and on nothing hidden. It keeps silent in a shop that is biased:

# %%
opened = (run.rng.random(len(log)) < 0.1 + 0.05 * (log["log_activity"] > log["log_activity"].median())).astype(float)
silent = weighting.ipw(opened, t, fit)
rings = weighting.ipw(log["consumed_before"].to_numpy(float), t, fit)
controls = {"newsletters opened": silent, "bought last week": rings}
pd.DataFrame({k: {"effect": c.value, "standard errors": c.value / c.se} for k, c in controls.items()}).T.round(3)

# %% [markdown]
# **Everything else.** The bounds speak of hidden common causes and of nothing else. Where friends influence each
# other, or where "bought" is recorded wrongly, the plane looks as calm as before. Overlap is half an exception:
# *poor* overlap makes weights large, and with them $S$. *Missing* overlap leaves no rows that could have large
# weights:

# %%
overlaps = {}
for overlap in ("good", "poor", "none"):
    rows = make_world(overlap=overlap).exposure_log(n_pairs=100_000, seed=run.seed)
    found = weighting.ipw(*arrays(rows), X=rows[X], refuse="flag").sensitivity()
    overlaps[overlap] = {"estimate": found.value, "scale S": found.scale, "robustness value": found.robustness_value,
                         "flagged": bool(found.flags)}  # fmt: skip
pd.DataFrame(overlaps).T

# %% tags=["hide-input"]
for overlap, row in overlaps.items():
    run.record(f"scale_{overlap}", row["scale S"])
    run.record(f"rv_{overlap}", row["robustness value"])
run.record("none_estimate", overlaps["none"]["estimate"], truth=truth.ate())
run.record("silent_z", silent.value / silent.se, kind="stochastic", mc_se=1.0)
run.record("ringing_z", rings.value / rings.se)
good, weak, none = (overlaps[k] for k in ("good", "poor", "none"))
run.claim("the biased shop looks more robust", to_zero.robustness_value > 1.2 * good["robustness value"])
run.claim("poor overlap makes S much larger", weak["scale S"] > 1.7 * good["scale S"])
run.claim("and the robustness value much smaller", weak["robustness value"] < 0.7 * good["robustness value"])
run.claim("missing overlap doesn't lower the robustness value", none["robustness value"] > good["robustness value"])
run.claim(
    "but is flagged, and misses the truth", none["flagged"] and abs(none["estimate"] - truth.ate()) > 3 * found.se
)
run.claim("the control that isn't comparable is silent", abs(silent.value / silent.se) < 4 < rings.value / rings.se)

# %% [markdown]
# With poor overlap $S$ is {glue:text}`scale_poor:.1f` instead of {glue:text}`scale_good:.1f`, and the robustness
# value {glue:text}`rv_poor:.1%` instead of {glue:text}`rv_good:.1%`. With none it is {glue:text}`rv_none:.1%`, higher
# than in the ordinary shop, and the estimate is {glue:text}`none_estimate:.3f` where the truth is
# {glue:text}`none_estimate.truth:.3f`. The stop rules of weighting see that, and the card repeats their flag: **first
# overlap and balance, then sensitivity**.
#
# ## What this means for a language-model recommender
#
# A language model that ranks reads everything: reviews, blurbs, the user's last messages. None of it becomes a
# column. So don't expect the star among the benchmarks: the model was trained to find what the columns miss.
#
# - **Log the coin.** With the recorded chances the interval covered in {glue:text}`covers_coin:.0%` of weeks, from
#   the same logs. No bound on this page is as good.
# - **Benchmark by what the model reads.** Remove the text encoding from the adjustment and see where it lies on the
#   plane. It is the best neighbour of what is still missing.
# - **Keep a negative control in every log.** Last week's purchases cost nothing to join.
#
# ## Exercises
#
# ### Exercise 1: an E-value with its interval
#
# Return two numbers from a risk ratio and its interval `low`, `high`: the E-value of the ratio, and that of the end
# that is nearer to one (1 if the interval holds one). The ratio may be below one.
#
# <details><summary>Hint</summary>
#
# Turn everything upside down if the ratio is below one. Which end is nearer to one then?
#
# </details>


# %% tags=["exercise"]
def e_values(ratio, low, high):
    """Return the E-values of a risk ratio and of its interval."""
    # BEGIN SOLUTION
    if ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    near = max(low, 1.0)
    return ratio + np.sqrt(ratio * (ratio - 1)), near + np.sqrt(near * (near - 1))
    # END SOLUTION


# %% tags=["check"]
check("weighting/04.1", e_values)

# %% [markdown]
# ### Exercise 2: a robustness value from a printed table
#
# A paper prints a coefficient's `t` statistic and the degrees of freedom `df` of its regression. Return the
# robustness value for taking the share `q` of the estimate away.
#
# <details><summary>Hint</summary>
#
# $S = \mathrm{se}\sqrt{\mathrm{df}}$, so what is $f$ in terms of $t$?
#
# </details>


# %% tags=["exercise"]
def robustness_from_table(t, df, q):
    """Return the robustness value RV_q."""
    # BEGIN SOLUTION
    f = q * abs(t) / np.sqrt(df)
    return (np.sqrt(f**4 + 4 * f**2) - f**2) / 2
    # END SOLUTION


# %% tags=["check"]
check("weighting/04.2", robustness_from_table)

# %% [markdown]
# ### Exercise 3: Rosenbaum's bound for the sign test
#
# In `n` matched pairs exactly one of the two bought; in `k` of them it was the shown one. Return the largest
# one-sided p-value of "displays do nothing" if within a pair the odds of being the shown one may be as bad as `gamma`
# to one.
#
# <details><summary>Hint</summary>
#
# Without hidden bias $k$ is a count of heads of a fair coin. What is the least fair coin that is allowed?
# `binom.sf(k - 1, n, p)` is the chance of $k$ or more.
#
# </details>


# %% tags=["exercise"]
def sign_bound(n, k, gamma):
    """Return the largest p-value of the sign test under hidden bias of at most gamma."""
    # BEGIN SOLUTION
    return binom.sf(k - 1, n, gamma / (1 + gamma))
    # END SOLUTION


# %% tags=["check"]
check("weighting/04.3", sign_bound)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague reports E-values from a logistic regression of a *common* outcome. `shown` and `others` hold zeros and
# ones: who bought, in two groups that are comparable but for hidden causes. His E-values are far too high:
#
# ```python
# def e_value_of_groups(shown, others):
#     p1, p0 = shown.mean(), others.mean()
#     ratio = p1 / (1 - p1) / (p0 / (1 - p0))
#     ratio = max(ratio, 1 / ratio)
#     return ratio + np.sqrt(ratio * (ratio - 1))
# ```
#
# Find the error and return the right E-value.
#
# <details><summary>Hint</summary>
#
# What does the formula want, and what does a logistic regression give? When are the two nearly the same?
#
# </details>


# %% tags=["exercise"]
def e_value_of_groups(shown, others):
    """Return the E-value of the comparison of two groups of zeros and ones."""
    # BEGIN SOLUTION
    ratio = shown.mean() / others.mean()
    ratio = max(ratio, 1 / ratio)
    return ratio + np.sqrt(ratio * (ratio - 1))
    # END SOLUTION


# %% tags=["check"]
check("weighting/04.4", e_value_of_groups)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "The robustness value is twelve in a hundred. What does it say?",
    {
        "There are twelve chances in a hundred that a hidden cause exists": (
            False,
            "It says how strong such a cause would have to be, not how likely it is.",
        ),
        "A cause that explains less than that of both can't move the estimate to the value in question": (
            True,
            "Weaker on both means below the line. Strong on one, weak on the other: look it up in the plane.",
        ),
        "Twelve in a hundred of the effect is bias": (
            False,
            "The bias is unknown; this is a strength that would do.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A negative control shows no effect. What follows?",
    {
        "There is no hidden cause": (False, "Perhaps it doesn't move this outcome, or the control is noisy."),
        "No alarm from causes that move the control as they move the outcome": (
            True,
            "Silence counts as much as the control is comparable.",
        ),
        "The bias is zero": (False, "Even a control that rings doesn't tell the size of the bias."),
    },
)

# %% tags=["quiz"]
quiz(
    "With ten times the rows the estimate stays and its standard error shrinks. And the robustness value?",
    {
        "It rises: the estimate is surer": (
            False,
            "That of the interval rises a little; that of the estimate depends on effect and scale.",
        ),
        "That of the estimate stays about the same": (
            True,
            "Effect and scale are properties of the shop. More rows don't make a hidden cause weaker.",
        ),
        "It falls to zero": (False, "Nothing about the strength of causes depends on the number of rows."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - "Certain" is never the answer. A strength that would turn the decision, and its neighbours, is one.
# - Put the line where the decision turns, not at zero. An E-value against no effect asks the wrong question here.
# - The bound is a worst case: it holds at the true strength, and it is wide. Gamma is wider.
# - Benchmarks are neighbours, not limits. Negative controls are alarms, not measures.
# - A logged coin beats all of it.
#
# ## Further reading
#
# - {cite:t}`cinelli2020making`: the plane for linear regression, and formal benchmarks.
# - {cite:t}`chernozhukov2022long`: the same for any mean of weighted outcomes, with machine learning.
# - {cite:t}`vanderweele2017sensitivity` and {cite:t}`ding2016sensitivity`: the E-value and the bound behind it.
# - {cite:t}`rosenbaum2002observational`: hidden bias in pairs; {cite:t}`zhao2019sensitivity`: in weighted means.
# - {cite:t}`lipsitch2010negative`: what makes a negative control a good one.
