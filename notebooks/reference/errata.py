# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: page
#     reading_minutes: 25
#     exercise_minutes: 0
#     data: []
#     max_seconds: 60
# ---

# %% [markdown]
# # Errata, run
#
# This course grew from an outline: a text that names the methods of causal inference, gives one training script,
# and makes large claims. Ten of its claims are taken here one by one. Each heading states one, in our words; we
# run it, and say what holds instead. Every number below was computed when this page was built, and each
# demonstration knows the truth it is held against.
#
# Read it as a list of traps. Each of them stands in print somewhere else too, and each is easy to walk into.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import datetime as dt
import importlib.metadata
import platform

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
import torch
import transformers
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pybtex.database import parse_file
from pybtex.richtext import Text
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from causalrec_lib import course, plots
from causalrec_lib.course.records import repo_root

pd.set_option("display.max_colwidth", None)
run = course.start(PROFILE, SEED, chapter="reference/errata")

# %% [markdown]
# ## 1. A causal tree is a chain of variables, rooted at the most influential one
#
# *Claim.* A causal tree orders variables $X_1 \to X_2 \to \dots \to X_n$ by causal influence.
#
# *What it is.* A causal tree cuts the covariate space into leaves between which the treatment **effect** differs
# {cite:p}`athey2016recursive`. Its splits are questions about who reacts, not arrows between variables.
#
# *Run.* A randomised study with three independent covariates. Two of them change the effect, equally strongly.
# The third moves the outcome three times as much and the effect not at all. We look at which one becomes the
# root, study after study.

# %%
STUDIES = run.size(ci=400, full=4000)


def gap_at_median(x, y, t):
    """Difference in effect between the upper and the lower half of x: what a causal tree's split looks for."""
    effects = [
        y[side & (t == 1)].mean() - y[side & (t == 0)].mean() for side in (x > np.median(x), x <= np.median(x))
    ]
    return effects[0] - effects[1]


def study(rng, n=2_000):
    """One randomised study: the root by effect, and the root by influence on the outcome."""
    x = rng.normal(size=(n, 3))
    t = rng.integers(0, 2, n)
    effect = 1.0 * (x[:, 0] > 0) + 1.0 * (x[:, 1] > 0)
    y = 3.0 * x[:, 2] + effect * t + rng.normal(size=n)
    by_effect = np.argmax([gap_at_median(x[:, j], y, t) ** 2 for j in range(3)])
    by_influence = np.argmax([np.corrcoef(x[:, j], y)[0, 1] ** 2 for j in range(3)])
    return by_effect, by_influence


roots = np.array([study(run.rng) for _ in range(STUDIES)])
share = pd.DataFrame(
    {
        "root of the causal tree": np.bincount(roots[:, 0], minlength=3) / STUDIES,
        "most influential variable": np.bincount(roots[:, 1], minlength=3) / STUDIES,
    },
    index=["X1 (changes the effect)", "X2 (changes the effect)", "X3 (moves the outcome)"],
)
first = share.iloc[0, 0]
run.record("root_is_x1", first, truth=0.5, naive=1.0, kind="stochastic", mc_se=np.sqrt(0.25 / STUDIES))
run.record("root_is_most_influential", share.iloc[2, 0], naive=1.0, kind="stochastic", mc_se=np.sqrt(0.25 / STUDIES))
share.map("{:.0%}".format)

# %% [markdown]
# Both effect modifiers take the root about equally often ({glue:text}`root_is_x1:.0%` for the first): the order
# flips from sample to sample, because it never meant anything. The most influential variable is the root in
# {glue:text}`root_is_most_influential:.0%` of the studies. And there is no arrow to find: the three covariates
# were drawn independently.
#
# *Instead.* Read the leaves, not the path to them. Choose splits on one half of the data and estimate the leaf
# effects on the other. Causal order among variables is a question for a graph.

# %% [markdown]
# ## 2. Inverse probability weighting is a matching algorithm
#
# *Claim.* Weighting and matching are two instances of one thing that removes selection bias.
#
# *What they are.* Two designs which, as usually run, answer **different questions**. Plain weighting targets
# everybody (the {term}`ATE`), matching treated rows to controls targets the treated (the {term}`ATT`).
#
# *Run.* Shown with probability $e(x)$, effect $1 + x$: those who get the item shown are those who profit. The
# targets are known by integration. Both methods use the same data and the same estimated
# {term}`propensity score`.

# %%
RUNS = run.size(ci=150, full=2000)
grid = np.linspace(-8, 8, 20_001)
mass = norm.pdf(grid) * expit(grid - 0.5)
ATE = 1.0
ATT = 1.0 + (grid * mass).sum() / mass.sum()


def both_designs(rng, n=2_000):
    """Hajek weighting for the ATE and the ATT, and one-to-one matching with replacement, on one sample."""
    x = rng.normal(size=n)
    t = rng.binomial(1, expit(x - 0.5))
    y = x + (1.0 + x) * t + rng.normal(size=n)
    e = sm.Logit(t, sm.add_constant(x)).fit(disp=0).predict()
    treated, control = t == 1, t == 0
    ate = np.average(y[treated], weights=1 / e[treated]) - np.average(y[control], weights=1 / (1 - e[control]))
    att = y[treated].mean() - np.average(y[control], weights=(e / (1 - e))[control])
    order = np.argsort(e[control])
    pool, outcome = e[control][order], y[control][order]
    right = np.searchsorted(pool, e[treated]).clip(1, len(pool) - 1)
    nearest = np.where(e[treated] - pool[right - 1] < pool[right] - e[treated], right - 1, right)
    return ate, att, (y[treated] - outcome[nearest]).mean(), len(np.unique(nearest)) / control.sum()


draws = np.array([both_designs(run.rng) for _ in range(RUNS)])
centre, spread = draws.mean(axis=0), draws.std(axis=0, ddof=1)
names = ["weighting, plain", "weighting, for the treated", "matching, treated to controls"]
for name, target, j in [("weighting_ate", ATE, 0), ("weighting_att", ATT, 1), ("matching_att", ATT, 2)]:
    other = ATT if target == ATE else ATE
    run.record(name, centre[j], truth=target, naive=other, kind="stochastic", mc_se=spread[j] / np.sqrt(RUNS))
run.record("att_truth", ATT)
run.record("controls_used", centre[3], naive=1.0, kind="stochastic", mc_se=spread[3] / np.sqrt(RUNS))

# %%
fig, ax = plt.subplots(figsize=(6.6, 2.6))
for j in range(3):
    color = plots.COLORS["accent" if j == 2 else "estimate"]
    low, high = np.quantile(draws[:, j], [0.025, 0.975])
    ax.plot([low, high], [-j, -j], color=color, linewidth=2.6)
    ax.plot(centre[j], -j, "o", color=color, markersize=7)
for value, label, style in [(ATE, "true ATE", (0, (5, 3))), (ATT, "true ATT", (0, (1, 2)))]:
    ax.axvline(value, color=plots.COLORS["truth"], linestyle=style, linewidth=1.4, label=label)
ax.set(yticks=[0, -1, -2], yticklabels=names, xlabel="estimated effect (middle 95 % of samples)", ylim=(-2.6, 0.6))
ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2)
plots.show(
    fig,
    alt="Three horizontal intervals. Plain weighting sits on the dashed line of the true ATE; weighting for the "
    "treated and matching both sit on the dotted line of the true ATT, to the right.",
    caption="Plain weighting finds the effect on everybody; matching finds the effect on the treated. Weights built "
    "for the treated join matching. The gap between the lines is a different question, not an error.",
)

# %% [markdown]
# Plain weighting gives {glue:text}`weighting_ate:.2f` (truth {glue:text}`weighting_ate.truth:.2f`), matching
# gives {glue:text}`matching_att:.2f` (truth {glue:text}`matching_att.truth:.2f`). Neither is wrong. Somebody who
# calls both "matching" and compares the two numbers will look for a bug that isn't there. They also use the data
# differently: weighting uses every row, matching used {glue:text}`controls_used:.0%` of the controls.
#
# *Instead.* Name the {term}`estimand` first, then pick weights or matches that target it.

# %% [markdown]
# ## 3. The latent-variable model is $Y = \alpha_1 X_1 + \alpha_2 X_2 + \varepsilon$
#
# *Claim.* This equation brings hidden variables into the analysis.
#
# *What it is.* A linear regression. Nothing in it is latent but the error, and the error is a leftover, not a
# variable one can adjust for.
#
# *Run.* First, declare part of the error to be a hidden normal variable $U$ and integrate it out. If that were a
# different model, the data could tell how much of the error is $U$. Then let a hidden taste really act, on $X_1$
# and on $Y$, and see what the equation says.

# %%
n = 2_000
taste = run.rng.normal(size=n)
x1, x2 = taste + run.rng.normal(size=n), run.rng.normal(size=n)
y = 0.5 * x1 - 0.3 * x2 + taste + run.rng.normal(size=n)
ols = sm.OLS(y, sm.add_constant(np.column_stack([x1, x2]))).fit()
residual, variance = ols.resid, (ols.resid**2).mean()
node, weight = np.polynomial.hermite_e.hermegauss(80)


def log_likelihood(share):
    """Log-likelihood when this share of the error is a hidden variable, which is integrated out."""
    hidden, noise = np.sqrt(share * variance), np.sqrt((1 - share) * variance)
    density = norm.pdf(residual[:, None], loc=hidden * node, scale=noise) @ (weight / weight.sum())
    return np.log(density).sum()


shares = [0.0, 0.25, 0.5, 0.75]
likelihoods = np.array([log_likelihood(share) for share in shares])
difference = likelihoods - ols.llf
assert np.abs(difference).max() < 1e-6
run.record("a1_regression", float(ols.params[1]), truth=0.5)
pd.DataFrame(
    {
        "hidden share of the error": [f"{share:.0%}" for share in shares],
        "log-likelihood": [f"{value:.4f}" for value in likelihoods],
        "differs from the regression's by": [f"{abs(value):.6f}" for value in difference],
    }
)

# %% [markdown]
# All splits fit alike: the data can't say whether a quarter, half or none of the error is "latent", so the model
# is the regression under another name. And when a hidden taste acts, the equation doesn't notice: it reports
# $\hat\alpha_1 =$ {glue:text}`a1_regression:.2f` where the truth is {glue:text}`a1_regression.truth:.2f`.
#
# *Instead.* A latent-variable model has a measurement part: several observed variables that carry the hidden
# one's trace. Even then the effect is identified under assumptions only {cite:p}`grimmer2023naive`.

# %% [markdown]
# ## 4. The training script
#
# *Claim.* A script that fine-tunes a BERT classifier on five-star reviews, evaluates it, and calls the result
# causal inference.
#
# *Run.* Its steps on a random BERT of one small layer. We catch the one error that we expect, and show what it
# says.

# %%
config = transformers.BertConfig(
    vocab_size=200,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    num_labels=6,
)
torch.manual_seed(run.seed)
model = transformers.BertForSequenceClassification(config).eval()
batch = torch.randint(0, 200, (4, 12))
with torch.no_grad():
    logits = model(batch).logits
print("shape of the logits (reviews, classes):", tuple(logits.shape))
try:
    logits.argmax(dim=2)
except IndexError as error:
    print("argmax(dim=2):", error)
else:
    raise AssertionError("argmax(dim=2) no longer fails")
print("argmax(dim=-1):", logits.argmax(dim=-1).tolist())

# %% [markdown]
# A classifier of whole reviews has two axes; a third exists only if every token gets a label. The next line of
# the script has the same confusion: it cuts each prediction to the length of its label, as if the label were a
# sequence.

# %%
predictions, labels = logits.argmax(dim=-1).tolist(), [5, 4, 1, 5]
try:
    [p[: len(one)] for p, one in zip(predictions, labels, strict=True)]
except TypeError as error:
    print("len(label):", error)
else:
    raise AssertionError("a label of a review has a length")

# %%
try:
    from transformers import AdamW
except ImportError as error:
    print("from transformers import AdamW:", str(error).split(" (")[0])
else:
    raise AssertionError(f"transformers has its own optimiser again: {AdamW}")
print("the one to use:", torch.optim.AdamW.__module__ + "." + torch.optim.AdamW.__name__)

# %% [markdown]
# The label map has six classes, 0 to 5, for data with five: nobody gives zero stars. The sixth output learns
# nothing but to be unlikely. And without a seed the new classification head differs in each session, so no number
# of the script can be checked.

# %%
stars = run.rng.choice([1, 2, 3, 4, 5], p=[0.04, 0.07, 0.12, 0.22, 0.55], size=5_000)
print("reviews with label 0, 1, ..., 5:", np.bincount(stars, minlength=6).tolist())
run.record("label_zero_reviews", int((stars == 0).sum()), naive=int((stars == 5).sum()), kind="exact")
run.record("loss_six_labels", float(np.log(6)), naive=float(np.log(5)))


def fresh_head(seed=None):
    """Logits of a newly made classifier, with or without a seed."""
    if seed is None:
        torch.seed()
    else:
        torch.manual_seed(seed)
    with torch.no_grad():
        return transformers.BertForSequenceClassification(config).eval()(batch).logits


assert not torch.equal(fresh_head(), fresh_head()), "two heads without a seed should differ"
assert torch.equal(fresh_head(SEED), fresh_head(SEED)), "two heads with one seed must be equal"
print("two runs without a seed agree: no; with a seed: yes")

# %% [markdown]
# An untrained head over six labels starts at a loss of about {glue:text}`loss_six_labels:.3f` where five would
# start at {glue:text}`loss_six_labels.naive:.3f`.
#
# *Above all*, nothing here is causal. The script estimates $E[\text{stars} \mid \text{text}]$. There is no
# treatment, no {term}`estimand`, and no action whose effect anybody asks for. A repaired script is a good
# predictor of stars, and still that.

# %% [markdown]
# ## 5. Accuracy, recall and F1 show that the causal inference works
#
# *Claim.* A recommender built on effects is evaluated by how well it predicts.
#
# *Run.* We may show an item to a fifth of the users. The *predictor* knows the exact probability of buying when
# shown; the *effect* ranking knows the exact change. Both are as good as they can be. We score both by
# prediction, and by the sales they cause.

# %%
users = 50_000
activity = run.rng.normal(size=users)
p0 = expit(-1.5 + 1.5 * activity)
p1 = p0 + 0.25 * (1 - p0) * expit(-1.5 * activity)
bought = run.rng.random(users) < p1
scores = {"predictor: P(buy | shown)": p1, "effect: P(buy | shown) - P(buy | not shown)": p1 - p0}


def judged(score):
    """Prediction scores of the top fifth, and the sales that showing the item to it causes."""
    chosen = score >= np.quantile(score, 0.8)
    return {
        "precision": precision_score(bought, chosen),
        "recall": recall_score(bought, chosen),
        "F1": f1_score(bought, chosen),
        "AUC": roc_auc_score(bought, score),
        "extra sales per 100 shown": 100 * (p1 - p0)[chosen].mean(),
    }


judgement = pd.DataFrame({name: judged(score) for name, score in scores.items()}).T
judgement.loc["nobody in particular: at random", "extra sales per 100 shown"] = 100 * (p1 - p0).mean()
lift = judgement["extra sales per 100 shown"]
run.record("f1_predictor", judgement["F1"].iloc[0], naive=judgement["F1"].iloc[1])
run.record("lift_predictor", lift.iloc[0], truth=lift.iloc[1], naive=lift.iloc[2])
run.record("lift_effect", lift.iloc[1], naive=lift.iloc[0])
judgement.map(lambda value: "" if np.isnan(value) else f"{value:.2f}")

# %% [markdown]
# The predictor wins every score of prediction and causes {glue:text}`lift_predictor:.1f` extra sales per 100
# users shown: fewer than showing the item at random ({glue:text}`lift_predictor.naive:.1f`). The effect ranking
# causes {glue:text}`lift_effect:.1f`. The predictor found those who buy anyway.
#
# *Instead.* Evaluate a policy by its {term}`policy value`: in an experiment, or off-policy with logged propensities.
# {doc}`Evaluation </chapters/recommenders/05_evaluation>` puts six rankers, a dozen verdicts and the truth side by
# side.

# %% [markdown]
# ## 6. Causal inference makes recommendations more precise
#
# *Claim.* Adjusted estimates are more accurate.
#
# *What happens.* Under confounding, weighting trades bias for variance: it removes a bias, and the price is a
# wider interval. (In a randomised experiment, adjusting for what predicts the outcome does buy precision; there
# was no bias to remove.)
#
# *Run.* A log with recorded propensities: users who like the item get it shown more often. The true effect on the
# probability of a sale is known. We repeat the study at four sample sizes.

# %%
EFFECT = 0.05
SIZES = [100, 400, 1_600, 6_400]
REPEATS = run.size(ci=600, full=2_000)


def logged_studies(rng, n, repeats):
    """Naive and weighted estimates with standard errors, one row a repeated study of n rows."""
    x = rng.normal(size=(repeats, n))
    e = expit(1.8 * x - 1.0)
    t = rng.random((repeats, n)) < e
    y = rng.random((repeats, n)) < expit(-2 + 0.3 * x) * (1 - EFFECT) + EFFECT * t
    result = {}
    for name, w1, w0 in [("naive", t * 1.0, (~t) * 1.0), ("weighted", t / e, (~t) / (1 - e))]:
        m1, m0 = (w1 * y).sum(1) / w1.sum(1), (w0 * y).sum(1) / w0.sum(1)
        v1 = ((w1 * (y - m1[:, None])) ** 2).sum(1) / w1.sum(1) ** 2
        v0 = ((w0 * (y - m0[:, None])) ** 2).sum(1) / w0.sum(1) ** 2
        result[name] = (m1 - m0, np.sqrt(v1 + v0))
    return result


rows = []
for size in SIZES:
    for name, (estimate, se) in logged_studies(run.rng, size, REPEATS).items():
        rows.append(
            {
                "n": size,
                "estimator": name,
                "bias": estimate.mean() - EFFECT,
                "spread": estimate.std(ddof=1),
                "rmse": np.sqrt(((estimate - EFFECT) ** 2).mean()),
                "half_width": 1.96 * np.median(se),
                "coverage": (np.abs(estimate - EFFECT) <= 1.96 * se).mean(),
            }
        )
trials = pd.DataFrame(rows)
wide = trials.pivot_table(index="n", columns="estimator")
wide.map("{:.3f}".format)

# %%
fig, ax = plt.subplots(figsize=(6.6, 3.4))
for name, color in [("naive", "naive"), ("weighted", "estimate")]:
    ax.plot(SIZES, wide["rmse"][name], "o-", color=plots.COLORS[color], label=f"{name}: root mean squared error")
ax.plot(
    SIZES,
    wide["half_width"]["weighted"],
    ":",
    color=plots.COLORS["estimate"],
    label="weighted: half-width of the interval",
)
plots.truth_line(ax, EFFECT, "the effect itself", axis="y")
ax.set(xscale="log", yscale="log", xlabel="rows in the log", ylabel="probability of a sale")
ax.legend(fontsize=9)
plots.show(
    fig,
    alt="Error against sample size on logarithmic axes. The naive error flattens at the bias; the weighted error "
    "starts higher, falls steadily and crosses below it. The weighted interval's half-width stays above the effect "
    "until the largest log.",
    caption="On small logs the weighted estimate is the less accurate one: its variance costs more than the bias it "
    "removes. The naive error stops falling at its bias, however large the log; the weighted error keeps falling.",
)

# %%
ratio = wide["spread"]["weighted"] / wide["spread"]["naive"]
run.record("spread_ratio", ratio[1_600], naive=1.0, kind="stochastic", mc_se=ratio[1_600] / np.sqrt(REPEATS))
naive_bias = wide["bias"]["naive"][6_400]
weighted_bias = wide["bias"]["weighted"][6_400]
run.record(
    "bias_weighted",
    weighted_bias,
    truth=0.0,
    naive=naive_bias,
    kind="stochastic",
    mc_se=wide["spread"]["weighted"][6_400] / np.sqrt(REPEATS),
)
naive_better = [size for size in SIZES if wide["rmse"]["naive"][size] < wide["rmse"]["weighted"][size]]
course.say(
    f"At **{max(naive_better, default=0):,} rows** the naive estimate still has the smaller error; from "
    f"**{min(set(SIZES) - set(naive_better)):,} rows** on the weighted one has."
)

# %% [markdown]
# At 1600 rows the weighted estimate scatters {glue:text}`spread_ratio:.2f` times as much as the naive one. That
# is what the removal of a bias of {glue:text}`bias_weighted.naive:.3f` costs. *Instead* of "more precise": less
# biased, under named assumptions, at a price in variance.

# %% [markdown]
# ## 7. Especially good for small data
#
# *Claim.* The approach suits recommenders with little data best.
#
# *Run.* The same studies, read for the width of the interval: at which size could one tell the effect from
# nothing?

# %%
half = wide["half_width"]["weighted"]
enough = min(size for size in SIZES if half[size] < EFFECT)
run.record("half_width_small", half[100], naive=EFFECT, kind="stochastic", mc_se=0.05 * half[100])
run.record("rows_needed", enough, naive=SIZES[0], kind="exact")
smallest = trials.query("n == 100 and estimator == 'weighted'").iloc[0]
coverage_error = np.sqrt(0.95 * 0.05 / REPEATS)
run.record("coverage_small", smallest["coverage"], truth=0.95, kind="stochastic", mc_se=2 * coverage_error)
large = trials.query("n == 6400 and estimator == 'weighted'").iloc[0]
run.record("coverage_large", large["coverage"], truth=0.95, kind="stochastic", mc_se=coverage_error)

# %% [markdown]
# With 100 rows the interval reaches {glue:text}`half_width_small:.2f` to either side of the estimate; the effect
# is {glue:text}`half_width_small.naive:.2f`. Only from {glue:text}`rows_needed:,.0f` rows on (of the sizes tried)
# is the half-width below the effect. And the short log's interval promises too much: it claims 95 in 100 and
# covers the truth in {glue:text}`coverage_small:.0%` of the studies, against {glue:text}`coverage_large:.0%` in
# the largest logs, because a few heavy weights decide it.
#
# *Instead.* Small data need an experiment, a stronger design, or the admission that the answer is not in them.

# %% [markdown]
# ## 8. User id and item id as numeric features
#
# *Claim.* Features are numbers: time stamp, user id, item id.
#
# *What they are.* Labels. An id says *who*, not *how much*; which user got number 17 is an accident of the
# database.
#
# *Run.* Users with a hidden taste that moves both what they are shown and what they buy. We adjust for the user
# in two ways, then renumber the users at random and estimate again. Nothing about the world has changed.

# %%
people, visits, true_effect = 40, 100, 1.0
user = np.repeat(np.arange(people), visits)
liking = run.rng.normal(size=people)[user]
shown = run.rng.random(user.size) < expit(liking)
outcome = true_effect * shown + 2.0 * liking + run.rng.normal(size=user.size)


def adjusted_for_number(number):
    """Effect from a regression that takes the id as a number."""
    design = np.column_stack([np.ones(user.size), shown, number])
    return np.linalg.lstsq(design, outcome, rcond=None)[0][1]


def adjusted_for_label(label):
    """Effect from a regression with one intercept per user (both sides centred within the user)."""
    size = np.bincount(label)
    y_in = outcome - (np.bincount(label, outcome) / size)[label]
    t_in = shown - (np.bincount(label, shown) / size)[label]
    return (t_in @ y_in) / (t_in @ t_in)


renumbered = [run.rng.permutation(people)[user] for _ in range(200)]
as_number = np.array([adjusted_for_number(ids) for ids in renumbered])
as_label = np.array([adjusted_for_label(ids) for ids in renumbered])
assert np.ptp(as_label) < 1e-10
run.record("id_number_low", as_number.min(), truth=true_effect)
run.record("id_number_high", as_number.max(), truth=true_effect)
run.record("id_label", as_label[0], truth=true_effect, naive=as_number.mean())
unadjusted = outcome[shown].mean() - outcome[~shown].mean()
spread = sm.OLS(outcome, np.column_stack([shown, np.eye(people)[user]]).astype(float)).fit().bse[0]
run.claim("as labels: the truth", abs(as_label[0] - true_effect) < 4 * spread, answer=as_label[0], se=spread)
kept = (as_number - true_effect) / (unadjusted - true_effect)
run.claim("as numbers: nearly all confounding stays", np.median(kept) > 0.9 and kept.min() > 0.5, least=kept.min())

# %%
fig, ax = plt.subplots(figsize=(6.6, 2.6))
ax.hist(as_number, bins=30, color=plots.COLORS["naive"], label="id as a number, 200 renumberings")
ax.axvline(as_label[0], color=plots.COLORS["estimate"], linewidth=3, label="id as a label, every renumbering")
plots.truth_line(ax, true_effect, "true effect")
ax.set(xlabel="estimated effect", ylabel="renumberings")
ax.legend(loc="upper center", fontsize=9)
plots.show(
    fig,
    alt="A grey histogram of estimates to the right of the dashed truth at one, and a blue line close to the truth.",
    caption="Renumbering the users changes the answer if ids are numbers (grey) and never if they are labels (blue). "
    "The numbers hardly adjust for anything either: most grey estimates keep almost all of the confounding.",
)

# %% [markdown]
# As numbers, the ids give anything from {glue:text}`id_number_low:.3f` to {glue:text}`id_number_high:.3f`, all
# far from the truth of {glue:text}`id_label.truth:.1f`. As labels they give {glue:text}`id_label:.3f`, whatever
# the numbering.
#
# *Instead.* An id becomes an intercept, an embedding, or a set of aggregates from **before** the treatment. A
# time stamp becomes an order, an age, an hour of the day.

# %% [markdown]
# ## 9. The ten references
#
# *Claim.* Ten entries, called seminal papers.
#
# *Run.* Each printed entry against this book's bibliography, field by field. {doc}`/reading` says for each what
# was looked for and what was found.

# %%
printed = pd.DataFrame(
    [
        ("pearl2009causality", "Causality", 2000, "MIT Press"),
        ("rubin2005causal", "Causal inference using potential outcomes", 2005, "John Wiley & Sons"),
        ("imbens2015causal", "Causal Inference in Statistics, Social, and ...", 2015, "Cambridge University Press"),
        (None, "Causal Inference: The Planetary Approach for Health", 2019, "Springer"),
        ("hernan2020causal", "Causal Inference: What If Models Can Answer ...", 2020, "CRC Press"),
        ("pearl2018book", "The Book of Why", 2018, "Penguin Books"),
        ("spirtes1993causation", "Causation, Prediction, and Search", 1993, "Springer"),
        ("pearl1988probabilistic", "Probabilistic Reasoning in Intelligent Systems", 1998, "Morgan Kaufmann"),
        (None, "Causal Discovery and Causal Inference on DAGs", 2001, "UC Berkeley, technical report"),
        ("bishop2006pattern", "Pattern Recognition and Machine Learning", 2007, "Springer"),
    ],
    columns=["key", "printed title", "printed year", "printed publisher"],
)
library = parse_file(str(repo_root() / "book" / "references.bib")).entries


def found(key):
    """Authors, title, year and house of the entry that was meant; empty where none could be found."""
    if key is None:
        return {"found": "no such work found", "year": "", "house": ""}
    entry = library[key]
    names = ", ".join("".join(map(str, person.rich_last_names)) for person in entry.persons["author"])
    title = Text.from_latex(entry.fields["title"])
    house = Text.from_latex(entry.fields.get("publisher") or entry.fields["journal"])
    return {"found": f"{names}: {title}", "year": entry.fields["year"], "house": str(house)}


table = printed.join(pd.DataFrame([found(key) for key in printed["key"]])).drop(columns="key")
table.index = range(1, 11)
missing = printed["key"].isna().sum()
run.record("references_missing", int(missing), naive=0, kind="exact")
table

# %% [markdown]
# {glue:text}`references_missing:.0f` of the ten could not be found at all. Of the other eight, one is right as
# printed (number 7). Number 1 has the wrong publisher (first edition by the same house as the second), number 2
# is a journal article and no book, number 3 has a word wrong in its title, number 5 a subtitle that the book does
# not have, number 6 lacks its second author, number 8 has another author and a year ten years late, number 10 is
# a year late.
#
# *Instead.* Every entry of this book's bibliography carries a DOI, an arXiv id, an ISBN or a library address, was
# looked up, and is checked for form by a test.

# %% [markdown]
# ## 10. `python=3.8` and `cudatoolkit=11.1`
#
# *Claim.* Create an environment with `python=3.8` and `cudatoolkit=11.1` from the `pytorch` channel.
#
# *Run.* What the packages of this course ask for, and the day on which that Python got its last security fix.

# %%
LAST_FIX = dt.date(2024, 10, 7)  # status table of the Python developer's guide
needs = pd.DataFrame(
    [
        (name, importlib.metadata.version(name), importlib.metadata.metadata(name)["Requires-Python"])
        for name in ("numpy", "pandas", "scikit-learn", "torch", "transformers")
    ],
    columns=["package", "version here", "asks for Python"],
)
needs["installs on 3.8"] = ["3.8" in SpecifierSet(spec) for spec in needs["asks for Python"]]
assert not needs["installs on 3.8"].any()
torch_floor = next(
    str(r.specifier) for r in map(Requirement, importlib.metadata.requires("transformers") or ()) if r.name == "torch"
)
print(f"Python here: {platform.python_version()}; 3.8 got its last fix on {LAST_FIX:%d %B %Y}")
print(f"transformers asks for torch {torch_floor}; CUDA of this torch: {torch.version.cuda or 'none, CPU build'}")
needs

# %% [markdown]
# None of the packages installs there. PyTorch's own builds for `CUDA 11.1` ended with the `1.10` series, which
# transformers no longer accepts, and the `pytorch` conda channel gets no releases after `2.5`.
#
# *Instead.* {doc}`/tools` lists what this course runs on. A version that the build doesn't test is a version that
# the text shouldn't name.

# %% [markdown]
# ## Takeaways
# - A method's name says little; its {term}`estimand` and its assumptions say what it answers.
# - Prediction scores judge predictors. Effects need a design, a contrast and an interval.
# - Weighting a bias away costs variance, and small data feel it most.
# - An id is a label. A version has an end of life. A reference can be looked up.
