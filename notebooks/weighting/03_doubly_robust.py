# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 35
#     exercise_minutes: 40
#     data: [womens_reviews, pension_401k, nhefs, nsw, cps, psid]
#     max_seconds: 60
# ---

# %% [markdown]
# # Two models, and neither is trusted
#
# Ravi maintains two models of the shop. One predicts what is *bought*, the other what is *shown*. Mara asks him what
# a display adds, and he could use either: average the predictions of the first, or weight by the second. He has once
# left popularity out of a model and noticed it a month later. Either answer is as good as its model, and he trusts
# neither.
#
# There is a third way, which uses both, and it is right if *one* of them is. This chapter builds it, takes each model
# away in turn, and finds out what the promise is worth: a lot when one model is right, and nothing, or less than
# nothing, when both are a little wrong.
#
# **You will be able to**
#
# - write the {term}`doubly robust` estimator (AIPW) and say what each part is for;
# - keep flexible models honest by {term}`cross-fitting`;
# - run {term}`double machine learning` on a partially linear model, and say whose effect it estimates;
# - measure how far the answer moves with the random split alone;
# - say what double robustness does not protect from.
#
# **Before you start:** {doc}`Propensity weighting </chapters/weighting/01_propensity_weighting>`, for weights, crowds
# and standard errors.
#
# **Time:** about 35 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop on customer reviews; a second simulator from the literature; pension plans (401(k));
# the job-training data (NSW with CPS and PSID).

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.special import expit
from scipy.stats import binom
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from causalrec_lib import course, data, doubly_robust, plots, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import EstimateRefused, difference_in_means

run = course.start(PROFILE, SEED, chapter="weighting/03_doubly_robust")
world = make_world()
truth = world.truth.ate()  # no real log has this
COLUMNS = ["score", "log_popularity", "log_activity"]
FORGOT = ["score", "log_activity"]  # popularity left out

# %% [markdown]
# ## The naive answer, and two better ones


# %%
def arrays(frame):
    """Outcome and treatment of a log."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


log = world.exposure_log(n_pairs=20_000, seed=run.seed)
y, t = arrays(log)
naive = difference_in_means(y, t)
answers = {"naive": naive}
for name, columns in (("all columns", COLUMNS), ("popularity forgotten", FORGOT)):
    answers[f"outcome model, {name}"] = weighting.standardisation(y, t, log[columns], interact=True)
    answers[f"weighting, {name}"] = weighting.ipw(y, t, X=log[columns])
pd.DataFrame({n: (a.value, a.low, a.high) for n, a in answers.items()}, index=["effect", "low", "high"]).T.round(3)

# %% tags=["hide-input"]
run.record("naive", naive, truth=truth)
run.record("ate", truth, naive=naive)
for key, name in (("model", "outcome model"), ("weight", "weighting")):
    run.record(f"{key}_right", answers[f"{name}, all columns"], truth=truth, naive=naive)
    run.record(f"{key}_wrong", answers[f"{name}, popularity forgotten"], truth=truth, naive=naive)
    gap = answers[f"{name}, popularity forgotten"].value - answers[f"{name}, all columns"].value
    run.claim(f"{name}: forgetting popularity moves the answer up", gap > 0.005, gap=gap)
run.claim("the naive interval misses the truth", naive.low > truth)

# %% [markdown]
# The naive difference is {glue:text}`naive:.3f`; the truth is {glue:text}`ate:.3f`. With all columns the outcome
# model says {glue:text}`model_right:.3f` and weighting {glue:text}`weight_right:.3f`. Without popularity they say
# {glue:text}`model_wrong:.3f` and {glue:text}`weight_wrong:.3f`. Nothing in a log says which model is complete.
#
# ## One model covers for the other
#
# Let $\mu_t(x) = E[Y \mid T = t, X = x]$ be the outcome model and $e(x) = P(T = 1 \mid X = x)$ the propensity. Start
# with the outcome model's answer, and add what its own errors say, weighted so that they stand for everybody
# {cite:p}`robins1994estimation`:
#
# $$\psi_i = \mu_1(x_i) - \mu_0(x_i) + \frac{T_i\,(Y_i - \mu_1(x_i))}{e(x_i)}
# - \frac{(1 - T_i)\,(Y_i - \mu_0(x_i))}{1 - e(x_i)}, \qquad \widehat\tau = \overline{\psi}.$$
#
# - *Outcome model right:* its errors average zero at every $x$, whatever the weights. The correction vanishes.
# - *Propensity right:* the weighted errors are an unbiased estimate of what the outcome model got wrong.
#
# It must hold, as ever, that the columns hold all common causes ({term}`exchangeability`), and that each kind of pair
# could have gone either way ({term}`overlap`). "Right" means right given *these* columns.
#
# The estimate is a mean of $\psi_i$, so its {term}`standard error` is theirs, as if the models were known: errors of
# the two models enter as a *product*, and a product of two small things is very small
# {cite:p}`chernozhukov2018double`. That needs predictions for rows that the models never saw. So deal the rows to
# five folds, and let each fold be predicted by models of the other four.


# %%
def cross_fitted_aipw(y, t, X, outcome, propensity, fold):
    """AIPW: each fold is predicted by models that were trained on the others."""
    mu0, mu1, e = np.empty((3, len(y)))
    for k in np.unique(fold):
        here, there = fold == k, fold != k
        for arm, mu in ((0, mu0), (1, mu1)):
            rows = there & (t == arm)
            mu[here] = outcome().fit(X[rows], y[rows]).predict(X[here])
        e[here] = propensity().fit(X[there], t[there]).predict_proba(X[here])[:, 1]
    psi = mu1 - mu0 + t * (y - mu1) / e - (1 - t) * (y - mu0) / (1 - e)
    return psi.mean(), psi.std() / np.sqrt(len(y))


def logistic():
    """Logistic regression without a penalty."""
    return LogisticRegression(C=np.inf, max_iter=1_000, tol=1e-8)


scaled = ((log[COLUMNS] - log[COLUMNS].mean()) / log[COLUMNS].std()).to_numpy()
models = doubly_robust.cross_fit(y, t, scaled, propensity=logistic(), seed=run.seed)
effect = doubly_robust.aipw(y, t, models, X=log[COLUMNS], unit="purchases per display")
value, error = cross_fitted_aipw(y, t, scaled, LinearRegression, logistic, models.fold)
assert np.isclose(value, effect.value, atol=1e-9) and np.isclose(error, effect.se, rtol=1e-9)
effect

# %% tags=["hide-input"]
run.record("aipw", effect, truth=truth, naive=naive)
run.claim("the interval is near the truth", abs(effect.value - truth) < 3 * effect.se)

# %% [markdown]
# By hand and from the library: {glue:text}`aipw:.3f` ({glue:text}`aipw.low:.3f` to {glue:text}`aipw.high:.3f`).
#
# ## Held against the truth: take each model away
#
# Now forget popularity in one model, in the other, in both. Many weeks, three estimators, four panels.

# %%
CASES = {
    "both complete": (COLUMNS, COLUMNS),
    "outcome model forgot": (FORGOT, COLUMNS),
    "propensity forgot": (COLUMNS, FORGOT),
    "both forgot": (FORGOT, FORGOT),
}


def week(seed):
    """All cases and estimators on one week; predictions of outcomes from some columns, propensities from others."""
    frame = world.exposure_log(n_pairs=5_000, seed=seed)
    y, t = arrays(frame)
    made = {len(X): doubly_robust.cross_fit(y, t, frame[X], seed=seed) for X in (COLUMNS, FORGOT)}
    found = {}
    for case, (a, b) in CASES.items():
        both = made[len(a)]._replace(e=made[len(b)].e)
        found[f"{case}: outcome model"] = weighting.standardisation(y, t, frame[a], interact=True)
        found[f"{case}: weighting"] = weighting.ipw(y, t, X=frame[b], refuse="flag")
        found[f"{case}: AIPW"] = doubly_robust.aipw(y, t, both, refuse="flag")
    return found


n_weeks = run.size(ci=100, full=1_000)
weeks = simulation.repeat(week, run.progress(run.seeds(n_weeks, "weeks"), "weeks"), truth)
held = simulation.summary(weeks, answers_only=False)
held[["bias", "bias_mc_se", "sd", "coverage"]].round(3)

# %% tags=["hide-input"]
run.record("weeks", n_weeks)
METHODS = {"outcome model": ("naive", "s"), "weighting": ("accent", "^"), "AIPW": ("estimate", "o")}
fig, axes = plt.subplots(2, 2, figsize=(6.2, 4.8), sharex=True)
for ax, case in zip(axes.flat, CASES, strict=True):
    for row, (method, (color, mark)) in enumerate(METHODS.items()):
        values = weeks.loc[weeks["name"] == f"{case}: {method}", "value"]
        low, middle, high = values.quantile([0.025, 0.5, 0.975])
        ax.plot([low, high], [-row, -row], color=plots.COLORS[color], linewidth=2.6)
        ax.plot(values.mean(), -row, mark, color=plots.COLORS[color], markersize=8, label=method)
    plots.truth_line(ax, truth)
    ax.set(title=case, yticks=[], ylim=(-2.6, 0.6))
fig.supxlabel("estimated effect of a display: mean and range of 95% of weeks", fontsize=10)
handles, labels = axes.flat[0].get_legend_handles_labels()
fig.legend(handles, labels, loc="outside upper center", ncols=4)
plots.show(
    fig,
    alt="Four panels with three ranges each and the dashed truth. Both complete: all three on the truth. Outcome "
    "model forgot: its range lies to the right, weighting and AIPW on the truth. Propensity forgot: weighting lies "
    "to the right, outcome model and AIPW on the truth. Both forgot: all three to the right.",
    caption="The picture to keep. AIPW (blue dots) stays on the truth in three panels of four; each of the others in "
    "two. In the fourth there is nothing left to be robust with.",
)
z = held["bias"] / held["bias_mc_se"]
misled = {"both complete": (), "outcome model forgot": ("outcome model",), "propensity forgot": ("weighting",),
          "both forgot": tuple(METHODS)}  # fmt: skip
for case, wrong in misled.items():
    for method in METHODS:
        off = z[f"{case}: {method}"]
        run.claim(f"{case}: {method}", off > 4 if method in wrong else abs(off) < 3, monte_carlo_errors=off)
for key, case in (
    ("right", "both complete"),
    ("no_mu", "outcome model forgot"),
    ("no_e", "propensity forgot"),
    ("none", "both forgot"),
):
    part = held.loc[f"{case}: AIPW"]
    wrong = {"naive": held.loc["both forgot: AIPW", "bias"]} if key != "none" else {}
    run.record(f"bias_{key}", part["bias"], truth=0.0, kind="stochastic", mc_se=part["bias_mc_se"], **wrong)
    noise = max(part["coverage_mc_se"], 0.5 / n_weeks)
    run.record(f"coverage_{key}", part["coverage"], kind="stochastic", mc_se=noise)
band = binom.ppf([0.005, 0.995], n_weeks, 0.95) / n_weeks
run.claim(
    "with both complete the interval covers as it says",
    band[0] <= held.loc["both complete: AIPW", "coverage"] <= band[1],
)
run.claim("with both forgotten too seldom", held.loc["both forgot: AIPW", "coverage"] < band[0])

# %% [markdown]
# Over {glue:text}`weeks:d` weeks the mean error of AIPW is {glue:text}`bias_right:.4f` with both models complete,
# {glue:text}`bias_no_mu:.4f` without popularity in the outcome model, {glue:text}`bias_no_e:.4f` without it in the
# propensity, and {glue:text}`bias_none:.4f` without it in both. Its intervals hold the truth in
# {glue:text}`coverage_right:.0%`, {glue:text}`coverage_no_mu:.0%`, {glue:text}`coverage_no_e:.0%` and
# {glue:text}`coverage_none:.0%` of the weeks. (With one model right the mean error goes to
# zero as rows grow; the standard error need not be right, it takes the wrong model for the right one.)
#
# ## Flexible models need cross-fitting
#
# Ravi's colleagues say that a linear model of purchases is a relic: grow a tree, it finds interactions by itself.
# Grow one until its leaves hold five rows or a few more, once with and once without folds.


# %%
def tree_week(seed):
    """A deep tree for both models, trained on the rows that it predicts, or on others."""
    frame = world.exposure_log(n_pairs=5_000, seed=seed)
    y, t = arrays(frame)
    found = {}
    for name, folds in (("same rows", 1), ("five folds", 5)):
        grown = doubly_robust.cross_fit(
            y, t, frame[COLUMNS], outcome=DecisionTreeRegressor(min_samples_leaf=5, random_state=0),
            propensity=DecisionTreeClassifier(min_samples_leaf=5, random_state=0), folds=folds, seed=seed, clip=0.02,
        )  # fmt: skip
        found[name] = doubly_robust.aipw(y, t, grown, refuse="flag")
    return found


trees = simulation.repeat(tree_week, run.progress(run.seeds(n_weeks, "trees"), "trees"), truth)
grown = simulation.summary(trees, answers_only=False)
grown[["bias", "bias_mc_se", "sd", "mean_se", "coverage"]].round(3)

# %% tags=["hide-input"]
fig = plots.coverage(trees, naive="same rows", xlabel="effect of a display", what="weeks")
plots.show(
    fig,
    alt="Two panels of intervals over weeks. Same rows: short intervals, many of which miss the dashed truth. Five "
    "folds: long intervals that nearly all hold it.",
    caption="One tree, one formula. Predicting the rows that trained it, the tree has few errors left to correct "
    "with, and the interval is sure and wrong. With folds it admits how little it knows.",
)
for key, name in (("same", "same rows"), ("folds", "five folds")):
    part = grown.loc[name]
    run.record(
        f"tree_{key}_coverage", part["coverage"], kind="stochastic", mc_se=max(part["coverage_mc_se"], 0.5 / n_weeks)
    )
    run.record(f"tree_{key}_se", part["mean_se"], kind="stochastic", mc_se=part["sd"] / np.sqrt(n_weeks))
    run.record(f"tree_{key}_sd", part["sd"], kind="stochastic", mc_se=part["sd"] / np.sqrt(2 * n_weeks))
run.claim("same rows: covers far too seldom", grown.loc["same rows", "coverage"] < 0.8)
run.claim(
    "same rows: the error is too small", grown.loc["same rows", "mean_se"] < 0.75 * grown.loc["same rows", "sd"]
)
run.claim("five folds: covers", grown.loc["five folds", "coverage"] >= band[0])
run.claim("five folds: pays with width", grown.loc["five folds", "sd"] > 3 * grown.loc["same rows", "sd"])
run.claim(
    "the linear models do better than the tree",
    held.loc["both complete: AIPW", "sd"] < 0.5 * grown.loc["five folds", "sd"],
)

# %% [markdown]
# On its own rows the tree reports an error of {glue:text}`tree_same_se:.4f` where the estimates scatter by
# {glue:text}`tree_same_sd:.4f`, and covers in {glue:text}`tree_same_coverage:.0%`. With folds it covers in
# {glue:text}`tree_folds_coverage:.0%`, at a reported error of
# {glue:text}`tree_folds_se:.3f` where estimates scatter by {glue:text}`tree_folds_sd:.3f` (leaves that say zero or
# one are moved a little inside): on the safe side, and useless next to the
# two plain models above. Cross-fitting makes a bad learner honest, it doesn't make it good.
#
# ## Double machine learning
#
# If one effect $\theta$ fits everybody, $Y = \theta T + g(X) + \varepsilon$, there is a shorter way. Take out of $Y$
# and of $T$ what $X$ predicts, and regress one remainder on the other {cite:p}`chernozhukov2018double`. With linear
# models and no folds that is ordinary least squares:

# %%
plain = doubly_robust.partially_linear(y, t, log[COLUMNS], folds=1)
ols = sm.OLS(y, sm.add_constant(log[COLUMNS].assign(shown=t))).fit(cov_type="HC0")
assert np.isclose(plain.value, ols.params["shown"]) and np.isclose(plain.se, ols.bse["shown"])
boosted = doubly_robust.partially_linear(
    y, t, log[COLUMNS], outcome=HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0),
    treatment=HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0), seed=run.seed,
)  # fmt: skip
pd.DataFrame({n: (a.value, a.se) for n, a in {"linear": plain, "boosted": boosted, "AIPW": effect}.items()},
             index=["effect", "standard error"]).T.round(4)  # fmt: skip

# %% tags=["hide-input"]
ato = world.truth.ato()
run.record("ato", ato, naive=naive)
run.record("dml_linear", plain, truth=ato, naive=naive)
run.record("dml_boosted", boosted, truth=ato, naive=naive)
run.claim("both are near the overlap effect", max(abs(a.value - ato) / a.se for a in (plain, boosted)) < 3.5)

# %% [markdown]
# Linear {glue:text}`dml_linear:.3f`, boosted trees {glue:text}`dml_boosted:.3f`. Whose effect is that? One effect for
# all was assumed. Where effects differ, as here, a regression of remainders weights each pair by how undecided its
# display was: if its model of the display is right, it estimates the {term}`ATO`, {glue:text}`ato:.3f` in this shop,
# and not the ATE, {glue:text}`ate:.3f`. Here the two are close; that is luck of the shop, not of the method, and
# with an error of {glue:text}`dml_boosted.se:.3f` this log can't tell one from the other.
#
# ## Real data: who is allowed to save
#
# Some employers offer a pension plan with a tax advantage (401(k)). Do people who are eligible save more, or would
# they have anyway? The files hold {glue:text}`pension_n:,d` households; net financial assets are in thousand dollars.

# %%
pension = data.load("pension_401k")
assets, eligible = pension["net_assets"].to_numpy(float), pension["eligible"].to_numpy(float)
who = pension[["income", "age", "family_size", "married", "male"]].astype(float)
boosters = {
    "outcome": HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=8, min_samples_leaf=40, random_state=0),
    "propensity": HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, min_samples_leaf=40, random_state=0),
}
crude = difference_in_means(assets, eligible, unit="thousand dollars")
n_splits = run.size(ci=20, full=100)
splits = []
for seed in run.progress(run.seeds(n_splits, "partitions"), "partitions"):
    fitted = doubly_robust.cross_fit(assets, eligible, who, **boosters, seed=seed, folds=3)
    splits.append(doubly_robust.aipw(assets, eligible, fitted, X=who, unit="thousand dollars"))
combined = doubly_robust.over_partitions(splits)
bent = who.assign(income_squared=who["income"] ** 2, age_squared=who["age"] ** 2)
forms = {name: doubly_robust.cross_fit(assets, eligible, x, seed=run.seed)
         for name, x in (("lines", who), ("squares", bent))}  # fmt: skip
pairs = {
    (a, b): doubly_robust.aipw(assets, eligible, forms[a]._replace(e=forms[b].e), X=bent, refuse="flag")
    for a in forms
    for b in forms
}
alone = {name: weighting.standardisation(assets, eligible, x, interact=True, unit="thousand dollars")
         for name, x in (("lines", who), ("squares", bent))}  # fmt: skip
shown = {"crude": crude, "boosted": combined} | {f"outcome model alone, {a}": est for a, est in alone.items()}
shown |= {f"AIPW: outcome {a}, propensity {b}": est for (a, b), est in pairs.items()}
pd.DataFrame({n: (a.value, a.se, ", ".join(a.broken_rules) or "-") for n, a in shown.items()},
             index=["thousand dollars", "standard error", "stopped by"]).T.infer_objects().round(3)  # fmt: skip

# %% tags=["hide-input"]
values = np.array([a.value for a in splits])
run.record("pension_n", len(assets))
run.record("pension_naive", crude)
run.record("pension", combined, naive=crude)
lines, curves = pairs["lines", "lines"], pairs["squares", "squares"]
half_e, half_mu = pairs["lines", "squares"], pairs["squares", "lines"]
run.record("pension_lines", lines, naive=crude)
run.record("pension_curves", curves, naive=crude)
run.record("pension_line_alone", alone["lines"], naive=crude)
run.record("pension_curve_alone", alone["squares"], naive=crude)
run.record("pension_bent_e", half_e, naive=crude)
run.record("pension_bent_mu", half_mu, naive=crude)
run.record("pension_smd", lines.balance["after"].abs().max())
run.record("n_splits", n_splits)
run.record("split_low", values.min(), kind="stochastic", mc_se=values.std())
run.record("split_high", values.max(), kind="stochastic", mc_se=values.std())
run.record("split_sd", values.std(ddof=1), kind="stochastic", mc_se=values.std() / np.sqrt(2 * n_splits))
run.claim("adjusting takes more than half of the difference away", combined.high < 0.7 * crude.value)
run.claim("the split alone moves it by less than the error", values.std(ddof=1) < 0.5 * combined.se)
run.claim(
    "the combined error is no smaller than the median one", combined.se >= 0.999 * np.median([a.se for a in splits])
)
run.claim("lines are stopped by balance, squares by nothing", lines.broken_rules == ("balance",) and not curves.flags)
run.claim("the correction by two wrong models is farther off than none", lines.value < alone["lines"].value)
run.claim("squares say what the trees say", abs(curves.value - combined.value) < combined.se)
run.claim("lines are far from it, with a large error", lines.value < combined.low and lines.se > 2 * curves.se)
run.claim("the line alone is too low by more than two errors of the trees",
          combined.value - alone["lines"].value > 2 * combined.se, line=alone["lines"].value)  # fmt: skip
run.claim(
    "squares in the propensity alone are as good as squares in both",
    abs(half_e.value - curves.value) < 0.25 * curves.se and abs(half_e.value - combined.value) < combined.se,
)
run.claim("and no rule stops them", not half_e.flags)
run.claim("squares in the outcome model alone keep the error and the flag",
          half_mu.se > 2 * curves.se and half_mu.broken_rules == ("balance",), se=half_mu.se)  # fmt: skip
run.claim("and stay below the trees", combined.value - half_mu.value > 0.5, value=half_mu.value)

# %% [markdown]
# The eligible own {glue:text}`pension_naive:.1f` thousand dollars more. Adjusted by boosted trees it is
# {glue:text}`pension:.1f` ({glue:text}`pension.low:.1f` to {glue:text}`pension.high:.1f`). No truth is known here,
# but two ways of taking income and age, as lines and with their squares, show the lesson in real numbers. An outcome
# model of lines says {glue:text}`pension_line_alone:.1f` by itself. AIPW with lines in both says
# {glue:text}`pension_lines:.1f`, with an error of {glue:text}`pension_lines.se:.1f`: both models are wrong, and the
# correction made it *worse*. Eligibility bends with income; the weights leave a column {glue:text}`pension_smd:.2f`
# standard deviations apart, and the balance rule stops it. Squares in the propensity alone, with the same lines for
# assets: {glue:text}`pension_bent_e:.1f`, error {glue:text}`pension_bent_e.se:.1f`, no flag. One model covers for the
# other. Squares in both: {glue:text}`pension_curves:.1f`. It doesn't work the other way round. Squares in the outcome
# model alone give {glue:text}`pension_curve_alone:.1f` by themselves, and {glue:text}`pension_bent_mu:.1f` (error
# {glue:text}`pension_bent_mu.se:.1f`) with weights from the wrong propensity: no outcome model is quite right, and
# such weights make much of what is left.
#
# Now the question that few reports answer: same data, same code, another random split. {glue:text}`n_splits:d` splits
# say {glue:text}`split_low:.2f` to {glue:text}`split_high:.2f`, a standard deviation of {glue:text}`split_sd:.2f`
# beside a standard error of {glue:text}`pension.se:.2f`. Take the median over splits, and add their spread to the
# error. Never look for the split that you like.
#
# ### Smokers once more
#
# The smokers of {doc}`weighting </chapters/weighting/01_propensity_weighting>` {cite:p}`hernan2020causal`, now by
# AIPW: with one line for everybody and a product of quitting and cigarettes a day, with a line for each arm, and with
# folds. And one estimator that needs no outcome model: leave $Y$ whole, and take only the remainder of the treatment.
# That is {term}`g-estimation`, $\widehat\psi = \sum_i w_i (T_i - e_i)\,Y_i \,/ \sum_i w_i (T_i - e_i)\,T_i$. People
# whose weight in 1982 is missing are stood for by others like them: $w_i$ is one over the chance of being weighed.

# %%
people = data.load("nhefs", table="full")
weighed = people["wt82_71"].notna()
continuous = ["age", "smokeintensity", "smokeyrs", "wt71"]
groups = people[["active", "education", "exercise"]].astype(int).astype("category")
L = people[["sex", "race", *continuous]].astype(float).join(people[continuous].astype(float) ** 2, rsuffix="_squared")
L = L.join(pd.get_dummies(groups, drop_first=True, dtype=float))
smokers = L[weighed]
kg, gave_up = (people.loc[weighed, column].to_numpy(float) for column in ("wt82_71", "qsmk"))


def with_product(quit_):
    """Design of one line for both arms."""
    both = smokers.assign(quit=quit_, product=quit_ * smokers["smokeintensity"])
    return sm.add_constant(both, has_constant="add")


line = sm.OLS(kg, with_product(gave_up)).fit()
mu0, mu1 = (line.predict(with_product(np.full(len(kg), arm))).to_numpy() for arm in (0.0, 1.0))
e = weighting.propensity(smokers, gave_up).e
in_sample = doubly_robust.Nuisances(mu0, mu1, e, np.zeros(len(kg), dtype=int))
one_line = doubly_robust.aipw(kg, gave_up, in_sample, X=smokers, unit="kg")
by_arm = doubly_robust.aipw(kg, gave_up, doubly_robust.cross_fit(kg, gave_up, smokers, folds=1), X=smokers, unit="kg")
folded = [
    doubly_robust.aipw(kg, gave_up, doubly_robust.cross_fit(kg, gave_up, smokers, seed=seed), unit="kg")
    for seed in run.seeds(20, "smokers")
]
over = doubly_robust.over_partitions(folded)


# %%
def g_estimate(w):
    """Slope of the whole outcome on the remainder of the treatment, with weights."""
    known = sm.GLM(gave_up, sm.add_constant(smokers), family=sm.families.Binomial(), freq_weights=w).fit()
    remainder = w * (gave_up - known.fittedvalues)
    return (remainder @ kg) / (remainder @ gave_up)


chance = weighting.propensity(L.assign(quit=people["qsmk"]), weighed.astype(float)).e[weighed]
psi, psi_complete = g_estimate(1 / chance), g_estimate(np.ones(len(kg)))
doubly = {"one line, a product": one_line, "a line for each arm": by_arm, "five folds, median of 20": over}
smoker_table = pd.DataFrame({n: (a.value, a.se) for n, a in doubly.items()}, index=["kg", "standard error"]).T
smoker_table.round(3)

# %% tags=["hide-input"]
spread = np.array([est.value for est in folded])
crude_kg = difference_in_means(kg, gave_up)
run.record("nhefs_n", len(kg))
run.record("nhefs_lost", (~weighed).sum())
run.record("nhefs_aipw", one_line, naive=crude_kg)
run.record("nhefs_by_arm", by_arm, naive=crude_kg)
run.record("nhefs_folds", over, naive=crude_kg)
run.record("nhefs_fold_low", spread.min(), kind="stochastic", mc_se=spread.std())
run.record("nhefs_fold_high", spread.max(), kind="stochastic", mc_se=spread.std())
run.record("nhefs_g", psi, naive=crude_kg)
run.record("nhefs_g_complete", psi_complete, naive=crude_kg)
run.claim("all are above the crude difference", min(one_line.value, by_arm.value, spread.min(), psi) > crude_kg.value)
pair = np.abs(spread[:, None] - spread)[np.triu_indices(len(spread), 1)].mean()
run.record("nhefs_pair", pair, kind="stochastic", mc_se=pair / 2)
run.record("nhefs_models", abs(one_line.value - by_arm.value))
run.claim("weights for the unweighed hardly matter", abs(psi - psi_complete) < 0.1 * one_line.se)
hypothetical = sm.add_constant(smokers.assign(without=kg - psi * gave_up))
probe = sm.GLM(gave_up, hypothetical, family=sm.families.Binomial(), freq_weights=1 / chance).fit()
assert abs(probe.params["without"]) < 1e-6

# %% [markdown]
# One line with a product says {glue:text}`nhefs_aipw:.3f` kg with an error of {glue:text}`nhefs_aipw.se:.3f`, a line
# for each arm {glue:text}`nhefs_by_arm:.3f`. Twenty partitions say {glue:text}`nhefs_fold_low:.2f` to
# {glue:text}`nhefs_fold_high:.2f`; two ways to deal {glue:text}`nhefs_n:,d` people into folds differ by
# {glue:text}`nhefs_pair:.2f` on average, the two outcome models by {glue:text}`nhefs_models:.2f`. Each of these is a
# doubly robust estimate, so "we used a doubly robust method" does not say what was done.
#
# G-estimation says {glue:text}`nhefs_g:.3f`, as in print; without the weights for the {glue:text}`nhefs_lost:d`
# people who were not weighed, {glue:text}`nhefs_g_complete:.3f`. It asks at which $\psi$ the weight *without*
# quitting, $Y - \psi T$, stops helping to predict who quits; the folded cell asks a logistic regression, and it
# agrees.
#
# ## When it breaks
#
# ### A comparison group that doesn't compare
#
# {cite:t}`lalonde1986evaluating` put people from surveys in the place of an experiment's controls. Does doubly robust
# estimation find the experiment's answer?

# %%
nsw, psid = data.load("nsw"), data.load("psid")
experiment = difference_in_means(nsw["re78"], nsw["treat"], unit="dollars")
surveys = {"CPS": pd.concat([nsw[nsw["treat"] == 1], data.load("cps")], ignore_index=True), "PSID": psid}
background = ["age", "education", "black", "hispanic", "married", "nodegree", "re74", "re75"]
jobs = {}
for survey, frame in surveys.items():
    pay, trained, x = frame["re78"].to_numpy(float), frame["treat"].to_numpy(float), frame[background].astype(float)
    fitted = doubly_robust.cross_fit(pay, trained, x, seed=run.seed)
    jobs[f"{survey}: naive"] = difference_in_means(pay, trained)
    jobs[f"{survey}: AIPW, ATE"] = doubly_robust.aipw(pay, trained, fitted, X=x, refuse="flag")
    jobs[f"{survey}: AIPW, ATT"] = doubly_robust.aipw(pay, trained, fitted, X=x, estimand="ATT", refuse="flag")
    jobs[f"{survey}: double ML"] = doubly_robust.partially_linear(pay, trained, x, seed=run.seed)
jobs_table = pd.DataFrame({n: (a.value, a.se, ", ".join(a.broken_rules) or ("-" if a.checks else "no rule asked"))
                           for n, a in jobs.items()},
                          index=["dollars", "standard error", "stopped by"]).T  # fmt: skip
jobs_table.infer_objects().round(1)

# %% tags=["hide-input"]
run.record("experiment", experiment)
for name, est in jobs.items():
    survey, _, method = name.partition(": ")
    key = f"{survey.lower()}_{method.lower().replace('aipw, ', '').replace(' ml', '').replace(' ', '_')}"
    run.record(key, est, truth=experiment.value, naive=None if method == "naive" else jobs[f"{survey}: naive"])
of_trained = [jobs[f"{survey}: AIPW, ATT"] for survey in surveys]
run.claim("on the trained both are within two errors of the experiment",
          all(abs(a.value - experiment.value) < 2 * np.hypot(a.se, experiment.se) for a in of_trained))  # fmt: skip
run.claim("each interval is wider than the effect", all(a.high - a.low > experiment.value for a in of_trained))
run.claim("the rules stop the answer against CPS", bool(jobs["CPS: AIPW, ATT"].flags))
run.claim("the effect for all is stopped in both surveys", all(jobs[f"{s}: AIPW, ATE"].flags for s in surveys))

# %% [markdown]
# The experiment says {glue:text}`experiment:,.0f` dollars (error {glue:text}`experiment.se:,.0f`), and speaks
# of the trained. For them AIPW says {glue:text}`cps_att:,.0f` (error {glue:text}`cps_att.se:,.0f`) against CPS, which
# the balance rule stops, and {glue:text}`psid_att:,.0f` ({glue:text}`psid_att.se:,.0f`) against PSID. Both lie within
# two errors of the experiment, and each interval is wider than the effect itself. Double machine learning, whose
# target is again another one, says {glue:text}`cps_double:,.0f` and {glue:text}`psid_double:,.0f`. The average over
# everybody is stopped in both surveys. Two models don't make a comparison group out of people who are not comparable;
# these data can show neither that they work nor that they fail.
#
# ### Both models a little wrong
#
# {cite:t}`kang2007demystifying` wrote the simulator that this promise fears. Four causes drive outcome and treatment,
# the analyst sees smooth functions of them, and each model looks fine. (We give the treatment no effect, and ask for
# it.)


# %%
def kang_schafer(rng, n=1_000):
    """Outcome, treatment (no effect), the four causes, and what the analyst sees instead."""
    z = rng.normal(size=(n, 4))
    y = 210 + z @ [27.4, 13.7, 13.7, 13.7] + rng.normal(size=n)
    t = (rng.random(n) < expit(z @ [-1.0, 0.5, -0.25, -0.1])).astype(float)
    seen = np.column_stack([np.exp(z[:, 0] / 2), z[:, 1] / (1 + np.exp(z[:, 0])) + 10,
                            (z[:, 0] * z[:, 2] / 25 + 0.6) ** 3, (z[:, 1] + z[:, 3] + 20) ** 2])  # fmt: skip
    return y, t, z, seen


def normalised_aipw(y, t, made):
    """AIPW with weights that add up to one in each arm: the estimate, and whether its interval holds zero."""
    scores = []
    for arm, mu, chance in ((1, made.mu1, made.e), (0, made.mu0, 1 - made.e)):
        w = (t == arm) / chance
        w = w / w.mean()
        left = (w * (y - mu)).mean()
        scores.append(mu + left + w * (y - mu - left))
    psi = scores[0] - scores[1]
    return psi.mean(), abs(psi.mean()) < 1.96 * psi.std() / np.sqrt(len(y))


# %%
DESIGNS = [("both right", "z", "z"), ("outcome model wrong", "seen", "z"), ("propensity wrong", "z", "seen"),
           ("both a little wrong", "seen", "seen")]  # fmt: skip
rows = []
for seed in run.progress(run.seeds(n_weeks, "kang schafer"), "second simulator"):
    y_k, t_k, z_k, seen_k = kang_schafer(np.random.default_rng(seed))
    made = {
        "z": doubly_robust.cross_fit(y_k, t_k, z_k, seed=seed),
        "seen": doubly_robust.cross_fit(y_k, t_k, seen_k, seed=seed),
    }
    for case, a, b in DESIGNS:
        both = made[a]._replace(e=made[b].e)
        found = {
            "outcome model": weighting.standardisation(y_k, t_k, {"z": z_k, "seen": seen_k}[a], interact=True),
            "weighting": weighting.ipw(y_k, t_k, both.e, e_source="cross-fitted", refuse="flag"),
            "AIPW": doubly_robust.aipw(y_k, t_k, both, refuse="flag"),
        }
        rows += [(case, how, est.value, est.covers(0.0), bool(est.flags)) for how, est in found.items()]
        rows.append((case, "AIPW, normalised", *normalised_aipw(y_k, t_k, both), bool(found["AIPW"].flags)))
second = pd.DataFrame(rows, columns=["case", "how", "value", "covers", "flagged"])
by = second.groupby(["case", "how"], sort=False)
lab = pd.DataFrame({"bias": by["value"].mean(), "RMSE": by["value"].agg(lambda v: np.sqrt((v**2).mean())),
                    "median error": by["value"].agg(lambda v: v.abs().median()), "coverage": by["covers"].mean(),
                    "flagged": by["flagged"].mean()})  # fmt: skip
lab.round(2)

# %% tags=["hide-input"]
last, one = lab.loc["both a little wrong"], lab.loc["propensity wrong"]
for key, how in (
    ("model", "outcome model"),
    ("weight", "weighting"),
    ("aipw", "AIPW"),
    ("hajek", "AIPW, normalised"),
):
    part = second[(second["case"] == "both a little wrong") & (second["how"] == how)]["value"]
    run.record(f"ks_{key}_rmse", last.loc[how, "RMSE"], truth=0.0, kind="stochastic",
               mc_se=(part**2).std() / np.sqrt(n_weeks) / (2 * last.loc[how, "RMSE"]))  # fmt: skip
wrong_values = {
    how: part["value"].abs() for how, part in second[second["case"] == "both a little wrong"].groupby("how")
}
for key, how in (("model", "outcome model"), ("aipw", "AIPW")):
    noise = 1.25 * wrong_values[how].clip(upper=wrong_values[how].quantile(0.9)).std() / np.sqrt(n_weeks)
    run.record(f"ks_median_{key}", last.loc[how, "median error"], kind="stochastic", mc_se=noise)
flagged = last.loc["AIPW", "flagged"]
run.record("ks_flagged", flagged, kind="stochastic", mc_se=np.sqrt(flagged * (1 - flagged) / n_weeks))
no_mu = lab.loc["outcome model wrong"].loc["AIPW", "RMSE"]
run.record("ks_no_mu_rmse", no_mu, kind="stochastic", mc_se=0.3 * no_mu)
run.record("ks_one_rmse", one.loc["AIPW", "RMSE"], kind="stochastic", mc_se=max(0.05, 0.2 * one.loc["AIPW", "RMSE"]))
run.claim(
    "with one model right AIPW is fine", lab.loc[("both right", "AIPW"), "RMSE"] < 0.3 and one.loc["AIPW", "RMSE"] < 1
)
run.claim(
    "with both a little wrong it is the worst of all",
    last["RMSE"].idxmax() == "AIPW",
    **last["RMSE"].rename(lambda n: n.replace(" ", "_")),
)
wrong_pairs = second[second["case"] == "both a little wrong"].pivot_table(
    index=second.groupby(["case", "how"]).cumcount(), columns="how", values="value"
)
tamed = wrong_pairs["AIPW, normalised"].abs()
run.claim(
    "normalised weights take a part of it away",
    last.loc["AIPW, normalised", "RMSE"] < 0.85 * last.loc["AIPW", "RMSE"],
)
run.claim("which is still no better than the outcome model",
          (tamed - wrong_pairs["outcome model"].abs()).mean() > 0,
          hajek=last.loc["AIPW, normalised", "RMSE"], model=last.loc["outcome model", "RMSE"])  # fmt: skip
kept = lab.xs("AIPW, normalised", level="how")["RMSE"]
run.claim("with a right outcome model it is as good as AIPW",
          max(kept["both right"], kept["propensity wrong"]) < 0.3, wrong_e=kept["propensity wrong"])  # fmt: skip
run.claim("by more than half", last.loc["AIPW", "RMSE"] > 1.5 * last.loc["outcome model", "RMSE"])
worst_case = second[(second["case"] == "both a little wrong") & (second["how"] == "AIPW")]
let_through = worst_case.loc[~worst_case["flagged"], "value"]
rest_rmse = np.sqrt((let_through**2).mean())
run.record("ks_unflagged_rmse", rest_rmse, kind="stochastic",
           mc_se=(let_through**2).std() / np.sqrt(len(let_through)) / (2 * rest_rmse))  # fmt: skip
of_model = second[(second["case"] == "both a little wrong") & (second["how"] == "outcome model")]["value"].to_numpy()
model_rest = np.sqrt((of_model[~worst_case["flagged"].to_numpy()] ** 2).mean())
run.record("ks_model_rest", model_rest, kind="stochastic", mc_se=0.1 * model_rest)
run.claim(
    "without them it is worse than the outcome model on the same samples",
    rest_rmse > model_rest,
    here=rest_rmse,
    model=model_rest,
)
tame = last.loc["AIPW", "median error"] / last.loc["AIPW", "RMSE"]
run.claim("medians are tamer: single samples explode", tame < 0.67, ratio=tame)
run.claim("the rules flag a part", 0.02 < last.loc["AIPW", "flagged"] < 0.6, share=last.loc["AIPW", "flagged"])
run.claim(
    "without the flagged ones it is much smaller", np.sqrt((let_through**2).mean()) < 0.6 * last.loc["AIPW", "RMSE"]
)

# %% [markdown]
# With the outcome model right AIPW has a root mean squared error of {glue:text}`ks_one_rmse:.2f`, with only the
# propensity right of {glue:text}`ks_no_mu_rmse:.1f`. With both a little wrong it has {glue:text}`ks_aipw_rmse:.0f`,
# weighting {glue:text}`ks_weight_rmse:.0f`, and the plain outcome model {glue:text}`ks_model_rmse:.1f`. A wrong
# propensity gives single rows huge weights, and the wrong outcome model is most wrong exactly there. Medians are
# tamer ({glue:text}`ks_median_aipw:.1f` and {glue:text}`ks_median_model:.1f`), for it is single samples that explode.
# The rules flag {glue:text}`ks_flagged:.0%` of the samples, the worst ones: without them the error is
# {glue:text}`ks_unflagged_rmse:.1f`; the outcome model has {glue:text}`ks_model_rest:.1f` on the same samples.
#
# The weighting row normalises its weights; the correction of AIPW doesn't. With weights that add up to one in each
# arm (row *AIPW, normalised*) its error falls to {glue:text}`ks_hajek_rmse:.0f`: a part of the explosion is a sum of
# weights that is off, the rest is single rows. It is a cheap habit and no cure: it is still farther off than the
# outcome model alone. *Instead:* refuse, trim, or ask for the overlap effect.
#
# ### A hidden cause
#
# Double robustness is about the *form* of two models. It says nothing about a column that neither has:

# %%
secret = make_world(confounding="hidden")
blind = secret.exposure_log(n_pairs=20_000, seed=run.seed)
yb, tb = arrays(blind)
fooled = doubly_robust.aipw(yb, tb, doubly_robust.cross_fit(yb, tb, blind[COLUMNS], seed=run.seed), X=blind[COLUMNS])
poor = make_world(overlap="poor").exposure_log(n_pairs=20_000, seed=run.seed)
yp, tp = arrays(poor)
try:
    doubly_robust.aipw(yp, tp, doubly_robust.cross_fit(yp, tp, poor[COLUMNS], seed=run.seed), X=poor[COLUMNS])
    said = "The shop with poor overlap: no rule objects in this week."
except EstimateRefused as refusal:
    said = f"The shop with poor overlap: **{type(refusal).__name__}.** {refusal}"
course.say(f"> {said}")
fooled

# %% tags=["hide-input"]
run.record("fooled", fooled, truth=secret.truth.ate(), naive=difference_in_means(yb, tb))
run.claim("no alarm, and wrong", not fooled.flags and fooled.low > secret.truth.ate())

# %% [markdown]
# It says {glue:text}`fooled:.3f` ({glue:text}`fooled.low:.3f` to {glue:text}`fooled.high:.3f`), without an alarm; the
# truth is {glue:text}`fooled.truth:.3f`. What a hidden cause could do has a chapter of its own,
# {doc}`on sensitivity </chapters/weighting/04_sensitivity>`.
#
# ## What this means for a language-model recommender
#
# - **You own one of the two models.** A sampled recommendation has a propensity: log it. Then $e$ is right by
#   construction, AIPW is unbiased whatever the outcome model is, and a good outcome model buys a smaller error.
#   Off-policy evaluation calls the same formula *doubly robust* {cite:p}`dudik2011doubly`.
# - **Text models are flexible models.** An encoder fine-tuned on the rows that it then predicts is the tree of this
#   chapter with more parameters. Folds must be kept apart through *all* of its training, by user if users repeat.
# - **Two encoders are not two chances** if both read the same text and miss the same cause.
#
# ## Exercises
#
# ### Exercise 1: the score
#
# Return the AIPW estimate of the ATE and its standard error from `y`, `t`, `mu0`, `mu1`, `e`, as an array of two
# numbers.
#
# <details><summary>Hint</summary>
#
# One number a row. Its mean is the estimate; what is the error of a mean?
#
# </details>


# %% tags=["exercise"]
def aipw_and_error(y, t, mu0, mu1, e):
    """Return estimate and standard error, an array of shape (2,)."""
    # BEGIN SOLUTION
    psi = mu1 - mu0 + t * (y - mu1) / e - (1 - t) * (y - mu0) / (1 - e)
    return np.array([psi.mean(), psi.std() / np.sqrt(len(psi))])
    # END SOLUTION


# %% tags=["check"]
check("weighting/03.1", aipw_and_error)

# %% [markdown]
# ### Exercise 2: remainders
#
# Return the effect in a partially linear model from `y`, `t` and the predictions `y_hat` and `t_hat` of both given
# $X$.
#
# <details><summary>Hint</summary>
#
# Regress one remainder on the other, without a constant.
#
# </details>


# %% tags=["exercise"]
def by_remainders(y, t, y_hat, t_hat):
    """Return the slope of remainder on remainder."""
    # BEGIN SOLUTION
    u, v = y - y_hat, t - t_hat
    return u @ v / (v @ v)
    # END SOLUTION


# %% tags=["check"]
check("weighting/03.2", by_remainders)

# %% [markdown]
# ### Exercise 3: a targeted outcome model
#
# Targeted maximum likelihood mends the outcome model itself. Let $H_i = T_i / e_i - (1 - T_i) / (1 - e_i)$. Regress
# the residuals $Y_i - \mu_{T_i}$ on $H_i$ without a constant; call the slope $\epsilon$. Then move both predictions,
# $\mu_1 + \epsilon / e$ and $\mu_0 - \epsilon / (1 - e)$, and average their difference. Return that.
#
# <details><summary>Hint</summary>
#
# After the step the residuals no longer correlate with $H$. What is then left of the correction in AIPW?
#
# </details>


# %% tags=["exercise"]
def targeted(y, t, mu0, mu1, e):
    """Return the effect by the moved outcome model."""
    # BEGIN SOLUTION
    H = t / e - (1 - t) / (1 - e)
    residual = y - np.where(t == 1, mu1, mu0)
    epsilon = (H @ residual) / (H @ H)
    return np.mean(mu1 + epsilon / e - (mu0 - epsilon / (1 - e)))
    # END SOLUTION


# %% tags=["check"]
check("weighting/03.3", targeted)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague estimates the effect on the *treated*. Her outcome model of the controls comes from another market and
# is too high for everybody; the propensities are known. A doubly robust estimate should shrug that off. Hers doesn't:
#
# ```python
# def effect_on_treated(y, t, mu0, e):
#     correction = (1 - t) * (y - mu0) / (1 - e)
#     return (np.sum(t * (y - mu0)) - np.sum(correction)) / t.sum()
# ```
#
# Find the error and mend it.
#
# <details><summary>Hint</summary>
#
# For whom must the controls stand, and how many treated rows are there for each control with the same $e$?
#
# </details>


# %% tags=["exercise"]
def effect_on_treated(y, t, mu0, e):
    """Return the doubly robust effect on the treated."""
    # BEGIN SOLUTION
    correction = (1 - t) * (y - mu0) * e / (1 - e)
    return (np.sum(t * (y - mu0)) - np.sum(correction)) / t.sum()
    # END SOLUTION


# %% tags=["check"]
check("weighting/03.4", effect_on_treated)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "Propensities were logged by the recommender itself. What does a bad outcome model do to AIPW?",
    {
        "It biases the estimate": (False, "The weighted residuals repair whatever it gets wrong, on average."),
        "It makes the estimate noisier, not biased": (
            True,
            "With known propensities the correction is unbiased; a good outcome model leaves it less to do.",
        ),
        "Nothing at all": (False, "The residuals are larger, and so is the standard error."),
    },
)

# %% tags=["quiz"]
quiz(
    "Why must a flexible learner not predict the rows that it was trained on?",
    {
        "Because its predictions are then biased towards zero": (
            False,
            "They are too close to the outcomes, not to zero.",
        ),
        "Because its residuals there are too small, and both correction and error are made of residuals": (
            True,
            "It has seen the noise. The estimate inherits it, and the interval doesn't show it.",
        ),
        "Because training takes longer": (False, "Folds take longer."),
    },
)

# %% tags=["quiz"]
quiz(
    "Two analysts use the same data and code, and differ by a third of a standard error. What is likely?",
    {
        "One of them made a mistake": (False, "The split into folds is random, and the answer moves with it."),
        "They used other seeds for the folds": (
            True,
            "Report the median over many partitions, with their spread in the error.",
        ),
        "The effect differs between their halves of the data": (False, "Both use all rows."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - AIPW starts from the outcome model and adds its weighted errors: right if one of both models is.
# - Flexible models predict rows that they never saw, or the interval lies.
# - A regression of remainders answers for the undecided, not for everybody.
# - Report how far the answer moves with the split alone.
# - Two slightly wrong models can be worse than one; no number of models sees a hidden cause.
#
# ## Further reading
#
# - {cite:t}`robins1994estimation`: where the formula comes from.
# - {cite:t}`chernozhukov2018double`: cross-fitting, and when the product of two errors is small.
# - {cite:t}`kang2007demystifying`: the warning, and the discussion that followed.
# - {cite:t}`dudik2011doubly`: the same idea for logged recommendations.
