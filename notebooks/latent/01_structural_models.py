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
#     data: [womens_reviews]
#     max_seconds: 60
# ---

# %% [markdown]
# # Which way does an effect go? Structural models
#
# Nora lets a language model write the blurbs of the shop. A coin decides which blurbs *promise*: "you will love
# this". Everybody in the study gets the item, whatever the blurb says. With a promise they end up less
# satisfied, by {glue:text}`total_size:.2f` points. The team wants to know
# *why* before it changes the prompt. Does the promise itself annoy? Or does it raise expectations that no dress can
# meet?
#
# Nora asks after the expectation and adds it to a regression. The answer: a promise *costs*
# {glue:text}`naive_direct_size:.2f` points by itself, and raised expectations even help a little
# ({glue:text}`naive_indirect:.2f`). So: no promises. This world knows the truth, and it is the other way round. The
# promise itself adds {glue:text}`true_direct:.2f` (buyers like the warm tone), and the expectation costs
# {glue:text}`true_indirect_size:.2f`. The right prompt keeps the tone and promises less, if one can be had without
# the other. Her treatment was a coin, her regression had no bug; the second arrow was confounded.
#
# **You will be able to**
#
# - write a {term}`structural equation model`, and read the covariance that it implies off its paths;
# - split an effect into direct and indirect parts, and say what must hold for that ({term}`mediation`);
# - fit a model with a {term}`latent variable` by maximum likelihood, by hand and with a library, with errors and fit;
# - say why $Y = a_1 X_1 + a_2 X_2 + \varepsilon$ has no latent variable in it;
# - show a wrong model that fits well.
#
# **Before you start:** {doc}`Which columns belong in the analysis? </chapters/dags/01_graphs_and_identification>`.
#
# **Time:** about 40 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop; a simulator of our own for tastes; the nine tests of Holzinger and Swineford, which
# come with the library `semopy`.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import semopy
from scipy.optimize import minimize
from scipy.stats import binom, chi2
from semopy.examples import holzinger39

from causalrec_lib import course, plots, simulation, structural
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import Parameters, make_world

run = course.start(PROFILE, SEED, chapter="latent/01_structural_models")
shop = make_world()
truth = shop.truth.mediation()  # no real log has this

# %% [markdown]
# ## The naive answer
#
# Regress satisfaction on the promise; then on the promise and the expectation. What is left of the promise's
# coefficient is called direct, the rest indirect.

# %%
buyers = shop.reactions(n=10_000, seed=run.seed, text=False)
y, promise, hope = (buyers[c].to_numpy(float) for c in ("satisfaction", "promise", "expectation"))
naive = structural.mediation(y, promise, hope, interact=False)
adjusted = structural.mediation(y, promise, hope, buyers[["score"]], interact=False)
rows = {
    "truth": [truth[k] for k in ("total", "direct", "indirect")],
    "without the score": [naive[k].value for k in ("total", "direct", "indirect")],
    "with the score": [adjusted[k].value for k in ("total", "direct", "indirect")],
}
pd.DataFrame(rows, index=["total", "direct", "indirect"]).T.round(3)

# %% tags=["hide-input"]
for key in ("total", "direct", "indirect"):
    run.record(f"naive_{key}", naive[key], truth=truth[key])
    run.record(key, adjusted[key], truth=truth[key], naive=naive[key])
    run.record(f"true_{key}", truth[key], naive=naive[key])
run.record("total_size", abs(truth["total"]))
run.record("naive_direct_size", abs(naive["direct"].value), truth=truth["direct"])
run.record("true_indirect_size", abs(truth["indirect"]))
run.claim("without the score the direct effect has the wrong sign", naive["direct"].high < 0 < truth["direct"])
run.claim("and the indirect effect has, too", naive["indirect"].low > 0 > truth["indirect"])
run.claim(
    "the total is right either way",
    all(abs(e["total"].value - truth["total"]) < 3.5 * e["total"].se for e in (naive, adjusted)),
)
run.claim("with the score both parts are near the truth",
          all(abs(adjusted[k].value - truth[k]) < 3.5 * adjusted[k].se for k in truth if k in adjusted))  # fmt: skip

# %% [markdown]
# ## Equations, paths, covariances
#
# The score is how well an item fits the buyer's taste. A good fit raises expectations *and* satisfaction. Written as
# equations, each with a noise of its own:
#
# $$M = a\,T + c\,S + \varepsilon_M, \qquad Y = b\,M + d\,T + g\,S + \varepsilon_Y .$$
#
# This is a {term}`structural equation model`: not a summary of data, but a claim about what happens if somebody sets
# $T$ or $M$. Its coefficients are effects, one for each arrow
# (all but $g$: the score stands in for liking, which moves both).

# %% tags=["hide-input"]
graph = nx.DiGraph([("promise", "expectation"), ("expectation", "satisfaction"), ("promise", "satisfaction"),
                    ("score", "expectation"), ("score", "satisfaction")])  # fmt: skip
nx.set_node_attributes(graph, {"promise": (0.0, 1.0), "expectation": (1.5, 0.3), "satisfaction": (3.0, 1.0),
                               "score": (2.6, -0.6)}, "pos")  # fmt: skip
for edge in (("score", "expectation"), ("score", "satisfaction")):
    graph.edges[edge]["kind"] = "bias"
plots.draw_dag(
    graph,
    alt="Promise points to expectation and to satisfaction, expectation to satisfaction; score points, "
    "in colour, to expectation and satisfaction.",
    caption="Nobody sends arrows into the promise, for it was a coin. The score opens a way around the arrow from "
    "expectation to satisfaction.",
)

# %% [markdown]
# **Path tracing.** The covariance of two variables is a sum over the paths between them: go back along arrows, turn
# once at a variance, go forward, and multiply. With all effects in a matrix $B$ (row: what is moved) and the noise's
# covariance $\Psi$, the whole table at once is
#
# $$\Sigma = (I - B)^{-1}\, \Psi\, (I - B)^{-\top}, \qquad (I - B)^{-1} = I + B + B^2 + \dots,$$
#
# for equations without loops: $B^k$ holds the paths of $k$ arrows. Let us estimate each equation by least squares and
# see whether the paths give back the covariances of the log.


# %%
def least_squares(values, *columns):
    """Coefficients of a regression with a constant, without the constant, and what it leaves over."""
    design = np.column_stack([np.ones(len(values)), *columns])
    beta = np.linalg.lstsq(design, values, rcond=None)[0]
    return beta[1:], values - design @ beta


score = buyers["score"].to_numpy(float)
(a, c), left_m = least_squares(hope, promise, score)
(b, d, g), left_y = least_squares(y, hope, promise, score)
names = ["promise", "score", "expectation", "satisfaction"]
B = np.zeros((4, 4))
B[2, :2], B[3, :3] = (a, c), (d, g, b)
noise = np.diag([promise.var(), score.var(), left_m.var(), left_y.var()])
noise[0, 1] = noise[1, 0] = np.cov(promise, score, bias=True)[0, 1]
observed = np.cov([promise, score, hope, y], bias=True)
implied = structural.implied_covariance(B, noise)
assert np.allclose(implied, observed)
by_paths = {
    "d Var(T)": d * promise.var(), "a b Var(T)": a * b * promise.var(),
    "by the score": (g + c * b) * noise[0, 1],
}  # fmt: skip
assert np.isclose(sum(by_paths.values()), observed[0, 3])
pd.Series(by_paths | {"covariance of promise and satisfaction": observed[0, 3]}).round(4)

# %% [markdown]
# They do, to the last digit. That is no success of the model: with an arrow or a covariance for every pair it
# has as many numbers as the table, so it *must* fit (the model is {term}`saturated <saturated model>`). Keep this in
# mind when somebody shows you a fit.
#
# ## Direct and indirect
#
# Set the promise and leave everything else to the equations: the effect of $T$ on $Y$ is $d + a b$. The part $a b$
# goes through the expectation. In words that hold without linearity: the {term}`natural direct effect` is that of a
# promise while expectations stay what they would be without one, the *natural indirect effect* is the rest. For
# linear equations the indirect part has errors from two regressions at once; the library takes them from their
# {term}`influence values <M-estimation>`.

# %%
assert np.isclose(adjusted["indirect"].value, a * b) and np.isclose(adjusted["direct"].value, d)
n_weeks = run.size(ci=200, full=1_000)


def week(seed, world=shop, **options):
    """Both ways to split the effect on one week."""
    log = world.reactions(n=2_000, seed=seed, text=False)
    columns = (log["satisfaction"], log["promise"], log["expectation"])
    found = structural.mediation(*columns, log[["score"]], **options)
    blind = structural.mediation(*columns, **options)
    return {
        f"{part}, {how}": e[part]
        for how, e in (("with score", found), ("without", blind))
        for part in truth
        if part in e
    }


targets = {
    f"{part}, {how}": truth[part]
    for how in ("with score", "without")
    for part in ("total", "direct", "indirect", "pure indirect")
}
weeks = simulation.repeat(
    lambda seed: week(seed, interact=False), run.progress(run.seeds(n_weeks, "weeks"), "weeks"), targets
)
held = simulation.summary(weeks, answers_only=False)
held.loc[[k for k in targets if "pure" not in k], ["bias", "bias_mc_se", "sd", "mean_se", "coverage"]].round(3)

# %% tags=["hide-input"]
fig, axes = plt.subplots(3, 1, figsize=(5.4, 4.8), sharex=True)
for ax, part in zip(axes, ("total", "direct", "indirect"), strict=True):
    for row, (how, color) in enumerate((("without", "naive"), ("with score", "estimate"))):
        values = weeks.loc[weeks["name"] == f"{part}, {how}", "value"]
        low, high = values.quantile([0.025, 0.975])
        ax.plot([low, high], [-row, -row], color=plots.COLORS[color], linewidth=3)
        ax.plot(values.mean(), -row, "o", color=plots.COLORS[color], markersize=8,
                label={"without": "score left out", "with score": "score adjusted for"}[how])  # fmt: skip
    plots.truth_line(ax, truth[part])
    ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.6)
    ax.set(yticks=[], ylim=(-1.7, 0.7), title=f"{part} effect of a promise")
axes[2].set(xlabel="points of satisfaction: mean and range of 95% of weeks")
handles, labels = axes[0].get_legend_handles_labels()
fig.legend(handles, labels, loc="outside upper center", ncols=2)
plots.show(
    fig,
    alt="Three panels with two ranges each and the dashed truth. Total effect: both ranges lie around the truth. "
    "Direct effect: with the score around the truth, right of zero; without it far to the left, below zero. "
    "Indirect effect: with the score around the truth, far left of zero; without it a little right of zero.",
    caption="The picture to keep. A coin gets the total right, with or without the score. It doesn't get the split "
    "right: the coin was tossed for the promise and not for the expectation.",
)
run.record("weeks", n_weeks)
band = binom.ppf([0.005, 0.995], n_weeks, 0.95) / n_weeks
for part in ("total", "direct", "indirect"):
    for key, how in (("", "with score"), ("blind_", "without")):
        line = held.loc[f"{part}, {how}"]
        noise_of = max(line["coverage_mc_se"], 0.5 / n_weeks)
        run.record(f"{key}{part}_coverage", line["coverage"], kind="stochastic", mc_se=noise_of)
        run.record(f"{key}{part}_mean", truth[part] + line["bias"], kind="stochastic", mc_se=line["bias_mc_se"])
    line = held.loc[f"{part}, with score"]
    run.claim(f"{part}: covers as it claims", band[0] <= line["coverage"] <= band[1], coverage=line["coverage"])
    run.claim(f"{part}: no bias", abs(line["bias"]) < 3.5 * line["bias_mc_se"])
run.claim("the total covers without the score, too", band[0] <= held.loc["total, without", "coverage"] <= band[1])
for part in ("direct", "indirect"):
    run.claim(f"{part} never covers without it", held.loc[f"{part}, without", "coverage"] < 0.02)

# %% [markdown]
# Over {glue:text}`weeks:d` weeks the intervals of total, direct and indirect effect hold the truth in
# {glue:text}`total_coverage:.0%`, {glue:text}`direct_coverage:.0%` and {glue:text}`indirect_coverage:.0%`. Without
# the score: {glue:text}`blind_total_coverage:.0%`, {glue:text}`blind_direct_coverage:.0%` and
# {glue:text}`blind_indirect_coverage:.0%`.
#
# ### What must hold
#
# 1. Nothing moves both promise and satisfaction, or both promise and expectation. *The coin sees to that.*
# 2. Nothing left out moves both *expectation* and satisfaction. **No coin sees to that**, and no A/B test of the
#    promise.
# 3. None of the causes in 2 is itself moved by the promise. (If promises make buyers look longer, and looking moves
#    both, natural effects need a model of the equations even if looking is measured.)
# 4. The equations have the right form; here: linear.
#
# Condition 2 is the one that fails. Suppose that what the two equations leave out has a correlation $\rho$; for each
# $\rho$ the split can be computed {cite:p}`imai2010general`:

# %%
grid = np.linspace(-0.5, 0.7, 25)
split = structural.mediation_sensitivity(y, promise, hope, correlations=tuple(grid))
turns = float(np.interp(0, split["direct"], grid))
resid_y, resid_m = (least_squares(v, promise)[1] for v in (y, hope))
left_out = float(np.corrcoef(resid_m, resid_y - b * resid_m)[0, 1])
split.iloc[::4].round(3)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.4, 3.4))
for part, color in (("direct", "estimate"), ("indirect", "warn")):
    ax.plot(grid, split[part], color=plots.COLORS[color], label=part)
    ax.plot(left_out, truth[part], "o", color=plots.COLORS["truth"], markersize=6)
ax.axhline(0, color=plots.COLORS["ink"], linewidth=0.6)
ax.axvline(0, color=plots.COLORS["naive"], linewidth=1, linestyle=":")
ax.set(xlabel="correlation of what both equations leave out", ylabel="points of satisfaction")
ax.legend()
plots.show(
    fig,
    alt="Two curves over the correlation. The direct effect rises through zero, the indirect effect falls. Two black "
    "points, the truth, lie on the curves to the right of zero.",
    caption="Each correlation is a story about what was left out, and gives another split of the same total. Dotted: "
    "nothing left out. Black: the truth, at the correlation that leaving out the score brings about.",
)
run.record("turning", turns)
run.record("left_out", left_out)
at_truth = [float(np.interp(left_out, grid, split[part])) for part in ("direct", "indirect")]
run.claim(
    "the curve passes near the truth",
    abs(at_truth[0] - truth["direct"]) < 0.2 and abs(at_truth[1] - truth["indirect"]) < 0.2,
)
run.claim("the sign turns before that", 0 < turns < left_out, turns=turns, left_out=left_out)

# %% [markdown]
# The sign of the direct effect turns at a correlation of {glue:text}`turning:.2f`. Leaving out the score brings about
# {glue:text}`left_out:.2f`. So report the curve with the split, and ask which stories lie beyond the turning point.
#
# ### If a promise changes what expectations do
#
# In another shop disappointed buyers take revenge: after a promise, each point of expectation costs more. Then there
# is no one indirect effect, and a regression without the product gives neither.

# %%
bitter = make_world(parameters=Parameters(s_both=-0.3))
bitter_truth = bitter.truth.mediation()
pieces = {}
for how, interact in (("no product", False), ("product", True)):
    drawn = [week(seed, bitter, interact=interact) for seed in run.seeds(run.size(ci=40, full=400), "bitter")]
    pieces[how] = {
        part: np.mean([w[f"{part}, with score"].value for w in drawn])
        for part in ("total", "direct", "indirect", "pure indirect")
    }
    spread = {
        part: np.std([w[f"{part}, with score"].value for w in drawn]) / len(drawn) ** 0.5 for part in pieces[how]
    }
    for part, value in pieces[how].items():
        key = f"bitter_{how.split()[0]}_{part.split()[0]}"
        run.record(key, value, truth=bitter_truth[part], kind="stochastic", mc_se=spread[part])
    off = {part: (pieces[how][part] - bitter_truth[part]) / spread[part] for part in spread}
    if interact:
        run.claim("with the product all parts are right", max(map(abs, off.values())) < 3.5, **off)
    else:
        run.claim("without it all parts are off", min(abs(off[k]) for k in off if k != "total") > 3.5, **off)
run.claim("the one answer lies between both indirect effects",
          bitter_truth["indirect"] < pieces["no product"]["indirect"] < bitter_truth["pure indirect"])  # fmt: skip
pd.DataFrame({"truth": bitter_truth} | pieces).loc[["total", "direct", "indirect", "pure indirect"]].round(3)

# %% [markdown]
# With the product: direct {glue:text}`bitter_product_direct:.2f` (truth
# {glue:text}`bitter_product_direct.truth:.2f`), indirect {glue:text}`bitter_product_indirect:.2f`
# ({glue:text}`bitter_product_indirect.truth:.2f`). Without it: {glue:text}`bitter_no_direct:.2f` and
# {glue:text}`bitter_no_indirect:.2f`. There are now *two* indirect effects. The one above moves the expectation of
# somebody who got the promise. The *pure* one moves it without a promise: {glue:text}`bitter_product_pure:.2f`
# ({glue:text}`bitter_product_pure.truth:.2f`). The answer without the product lies between them and is neither. Say
# which one a report means.
#
# ## What can't be seen: a latent variable
#
# Sometimes it is the confounder that nobody measured, only its echoes. Taste is seen in dwell time, in ratings, in
# saved items, each with noise. The simulator below is ours: taste $\eta$ moves what is displayed *and* what is
# bought; a display adds {glue:text}`gain:.1f`.


# %%
def tastes(rng, n=2_000, gain=0.3, hidden=0.0, reads=0.0):
    """Three signals of a taste, displays, purchases; a hidden second cause of both, a ranker that reads dwell."""
    eta = rng.normal(size=n)
    signals = {
        name: strength * eta + noise * rng.normal(size=n)
        for name, strength, noise in (("dwell", 1.0, 0.8), ("rating", 0.8, 0.8), ("saves", 0.6, 0.8))
    }
    second = hidden * rng.normal(size=n) if hidden else 0.0
    shown = 0.7 * eta + 0.8 * rng.normal(size=n) + second + reads * signals["dwell"]
    bought = gain * shown + 0.5 * eta + second + 0.7 * rng.normal(size=n)
    return pd.DataFrame(signals | {"shown": shown, "bought": bought})


GAIN = 0.3
sample = tastes(np.random.default_rng(run.seeds(1, "tastes")[0]), gain=GAIN)
signals = ["dwell", "rating", "saves"]
nothing = least_squares(sample["bought"].to_numpy(), sample["shown"])[0][0]
one = least_squares(sample["bought"].to_numpy(), sample["shown"], sample["dwell"])[0][0]
three = least_squares(sample["bought"].to_numpy(), sample["shown"], *(sample[s] for s in signals))[0][0]
pd.Series({"truth": GAIN, "no signal": nothing, "one signal": one, "three signals": three}).round(3)

# %% tags=["hide-input"]
run.record("gain", GAIN)
run.record("taste_none", nothing, truth=GAIN)
run.record("taste_one", one, truth=GAIN, naive=nothing)
run.record("taste_three", three, truth=GAIN, naive=nothing)
run.claim("signals help, and don't suffice", nothing > one > three > GAIN + 0.03, three=three)

# %% [markdown]
# Without signals a display "adds" {glue:text}`taste_none:.2f`, with one signal as a covariate
# {glue:text}`taste_one:.2f`, with all three {glue:text}`taste_three:.2f`. A noisy echo takes only a part of the
# confounding out.
#
# **The model.** Say what each signal is: a loading times the taste plus noise of its own. The taste has no unit, so
# the first loading is one. Five columns have fifteen variances and covariances; the model has eleven numbers, so it
# can be wrong, and tested. It is fitted by making its implied covariance $\Sigma(\theta)$ close to the sample's $S$:
# maximum likelihood for normal data minimises
#
# $$F(\theta) = \log|\Sigma(\theta)| + \mathrm{tr}\big(S\,\Sigma(\theta)^{-1}\big) - \log|S| - p .$$


# %%
def taste_model(theta):
    """Implied covariance of dwell, rating, saves, shown and bought; a twelfth number lets dwell move shown."""
    effects = np.zeros((6, 6))  # the last variable is the taste, which nobody sees
    effects[:3, 5] = 1, theta[0], theta[1]
    effects[3, 5], effects[4, 5], effects[4, 3] = theta[2:5]
    effects[3, 0] = theta[11] if len(theta) > 11 else 0.0
    noise = np.diag(theta[5:11])
    return structural.implied_covariance(effects, noise)[:5, :5]


def discrepancy(theta, S, model):
    """Maximum-likelihood distance of a model's covariance from the sample's."""
    sigma = model(theta)
    sign, size = np.linalg.slogdet(sigma)
    if sign <= 0:
        return np.inf
    return size + np.trace(np.linalg.solve(sigma, S)) - np.linalg.slogdet(S)[1] - len(S)


def fit(S, n, model, start, polish=True):
    """Estimates and standard errors (expected information), and F at the minimum."""
    found = minimize(discrepancy, start, (S, model), method="BFGS", options={"gtol": 1e-8})
    if polish:
        found = minimize(discrepancy, found.x, (S, model), method="Nelder-Mead",
                         options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000})  # fmt: skip
    theta, step = found.x, 1e-5
    slopes = [(model(theta + step * unit) - model(theta - step * unit)) / (2 * step) for unit in np.eye(len(theta))]
    inverse = np.linalg.inv(model(theta))
    information = n / 2 * np.array([[np.trace(inverse @ p @ inverse @ q) for q in slopes] for p in slopes])
    return theta, np.sqrt(np.diag(np.linalg.inv(information))), found.fun


# %%
S = np.cov(sample.T, bias=True)
start = np.array([0.8, 0.8, 0.5, 0.5, 0.2, *np.diag(S) / 2, S[0, 0] / 2])
theta, errors, smallest = fit(S, len(sample), taste_model, start)
model = semopy.Model("taste =~ dwell + rating + saves\nshown ~ taste\nbought ~ taste + shown")
model.fit(sample, options={"ftol": 1e-13})  # its default stops at the third digit
theirs = model.inspect().set_index(["lval", "op", "rval"])
line = theirs.loc[("bought", "~", "shown")]
assert np.isclose(theta[4], line["Estimate"], atol=1e-5) and np.isclose(errors[4], line["Std. Err"], rtol=1e-4)
pd.DataFrame(
    {"by hand": [theta[4], errors[4]], "semopy": [line["Estimate"], line["Std. Err"]]}, index=["effect", "error"]
).astype(float).round(4)

# %% tags=["hide-input"]
run.record("sem_effect", theta[4], truth=GAIN, naive=one)
run.record("sem_error", errors[4])
chi_taste = len(sample) * smallest
run.record("taste_chi2", chi_taste)
run.record("taste_p", chi2.sf(chi_taste, 4))
run.claim("the model's effect is near the truth", abs(theta[4] - GAIN) < 3.5 * errors[4])

# %% [markdown]
# By hand and by library {glue:text}`sem_effect:.2f` (error {glue:text}`sem_error:.3f`; truth {glue:text}`gain:.1f`).
# That is one sample. Here are more:


# %%
def refitted(label, arrow=False, **world):
    """Effect, error and p-value of the model on many samples; with `arrow` dwell may move the display."""
    rows = []
    for seed in run.seeds(n_samples, label):
        frame = tastes(np.random.default_rng(seed), gain=GAIN, **world)
        echoes = least_squares(frame["bought"].to_numpy(), frame["shown"], *(frame[s] for s in signals))[0][0]
        S, begin = np.cov(frame.T, bias=True), np.append(theta, 0.0) if arrow else theta
        found, error, least = fit(S, len(frame), taste_model, begin, polish=False)
        p = chi2.sf(len(frame) * least, 3 if arrow else 4)
        rows.append({"effect": found[4], "error": error[4], "p": p, "three signals": echoes})
    return pd.DataFrame(rows)


n_samples = run.size(ci=40, full=400)
as_assumed = refitted("as assumed")
as_assumed.agg(["mean", "std"]).round(4)

# %% tags=["hide-input"]
run.record("samples", n_samples)


def mean_and_error(values):
    """Mean of samples and its Monte-Carlo error."""
    return values.mean(), values.std(ddof=1) / len(values) ** 0.5


for key, column in (("sem_mean", "effect"), ("three_mean", "three signals")):
    middle, mc = mean_and_error(as_assumed[column])
    run.record(key, middle, truth=GAIN, kind="stochastic", mc_se=mc)
    run.record(f"{key}_mc", mc, kind="stochastic", mc_se=mc / (2 * n_samples) ** 0.5)
middle, mc = mean_and_error(as_assumed["effect"])
run.claim("over samples the model's mean is the truth", abs(middle - GAIN) < 3.5 * mc, mean=middle, mc=mc)
run.claim("and that of three covariates is not", as_assumed["three signals"].mean() > GAIN + 0.05)
scatter, reported = as_assumed["effect"].std(ddof=1), as_assumed["error"].mean()
run.record("sem_scatter", scatter, kind="stochastic", mc_se=scatter / (2 * n_samples) ** 0.5)
run.record("sem_reported", reported, kind="stochastic", mc_se=max(as_assumed["error"].std() / n_samples**0.5, 1e-4))
run.claim("errors are about the scatter", 0.65 < scatter / reported < 1.45, ratio=scatter / reported)

# %% [markdown]
# Over {glue:text}`samples:d` samples the mean is {glue:text}`sem_mean:.3f` (Monte-Carlo error
# {glue:text}`sem_mean_mc:.3f`), and estimates scatter by {glue:text}`sem_scatter:.3f` where the error says
# {glue:text}`sem_reported:.3f`. With all three signals as covariates the mean is {glue:text}`three_mean:.3f`.
# The three echoes *together* say how noisy each is, and the model takes the noise out. It rests on three assumptions:
# the noises of the signals have nothing in common; no signal moves a display or a purchase but through taste; and
# taste is the *only* common cause of display and purchase. The fit can fail for the first two; for the third it can't
# (both are run under *When it breaks*).
#
# **Why $Y = a_1 X_1 + a_2 X_2 + \varepsilon$ is not a latent-variable model.** One finds that equation under this
# name. Everything on its right side but the error is observed. A latent variable is one that *several* observed
# columns share. With enough columns it ties their covariances to each other, and that can be tested (three signals
# alone are just enough to fit, and too few to test). This equation shares nothing and ties nothing: three columns
# have six variances and covariances, and two coefficients, three (co)variances of $X$ and one of $\varepsilon$ are
# six numbers. It fits whatever comes ({doc}`the errata </chapters/reference/errata>` have the claim and the run).
#
# ## Does it fit?
#
# Under the right model $n$ times $F$ at the minimum has a $\chi^2$ distribution; its degrees of freedom are the
# numbers in $S$ less those in $\theta$. Two indices soften the test: {term}`RMSEA <fit index>` is misfit per degree
# of freedom, CFI compares with a model in which nothing goes together. The classic data are nine tests of
# {glue:text}`children:d` children, with three abilities behind them.


# %%
def fit_indices(S, n, smallest, df):
    """Chi-square, its p-value, RMSEA and CFI."""
    chi, nothing = n * smallest, n * (np.log(np.diag(S)).sum() - np.linalg.slogdet(S)[1])
    excess, worst = max(chi - df, 0), max(nothing - len(S) * (len(S) - 1) / 2, 0)
    return {
        "chi2": chi,
        "df": df,
        "p": chi2.sf(chi, df),
        "RMSEA": np.sqrt(excess / (df * (n - 1))),
        "CFI": 1 - excess / worst,
    }


def three_abilities(theta):
    """Implied covariance of nine tests, three to each of three abilities that go together."""
    loadings = np.zeros((9, 3))
    for k in range(3):
        loadings[3 * k : 3 * k + 3, k] = 1, theta[2 * k], theta[2 * k + 1]
    between = np.zeros((3, 3))
    between[np.tril_indices(3)] = theta[15:21]
    between = between + np.tril(between, -1).T
    return loadings @ between @ loadings.T + np.diag(theta[6:15])


pupils = holzinger39.get_data()[[f"x{k}" for k in range(1, 10)]]
S9 = np.cov(pupils.T, bias=True)
start = np.array([0.8, 0.8, 1, 1, 1, 1, *np.diag(S9) / 2, 0.6, 0.2, 0.6, 0.2, 0.2, 0.4])
loads, load_errors, smallest9 = fit(S9, len(pupils), three_abilities, start)
by_hand = fit_indices(S9, len(pupils), smallest9, df=24)
tests = semopy.Model("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9")
tests.fit(pupils, options={"ftol": 1e-13})
stats = semopy.calc_stats(tests).iloc[0]
assert all(
    np.isclose(by_hand[k], stats[v], rtol=1e-6) for k, v in (("chi2", "chi2"), ("RMSEA", "RMSEA"), ("CFI", "CFI"))
)
pd.Series(by_hand).round(4)

# %% tags=["hide-input"]
run.record("children", len(pupils))
for key in ("chi2", "RMSEA", "CFI"):
    run.record(f"pupils_{key.lower()}", by_hand[key])
run.record("pupils_loading", loads[0])
run.claim("the test says that the model is wrong", by_hand["p"] < 0.001)
run.claim("the indices are middling", 0.9 < by_hand["CFI"] < 0.95 and by_hand["RMSEA"] > 0.08)

# %% [markdown]
# $\chi^2$ is {glue:text}`pupils_chi2:.3f`, RMSEA {glue:text}`pupils_rmsea:.3f`, CFI {glue:text}`pupils_cfi:.3f`: the
# test says that the model is wrong, the indices are middling by the marks that people use. Neither says what is
# *caused* by what.
#
# ## When it breaks
#
# ### A wrong model that fits
#
# Take the shop once more, promise, expectation and satisfaction alone. Three models: Nora's (wrong: the score is left
# out), one with the arrow between expectation and satisfaction *reversed*, and one where they merely share a cause.

# %%
stories = {
    "expectation -> satisfaction": "expectation ~ promise\nsatisfaction ~ promise + expectation",
    "satisfaction -> expectation": "satisfaction ~ promise\nexpectation ~ promise + satisfaction",
    "a shared cause": "expectation ~ promise\nsatisfaction ~ promise\nexpectation ~~ satisfaction",
}
fits = {}
for name, story in stories.items():
    told = semopy.Model(story)
    told.fit(buyers[["promise", "expectation", "satisfaction"]].astype(float), options={"ftol": 1e-13})
    effects = told.inspect().set_index(["lval", "op", "rval"])["Estimate"].astype(float)
    fits[name] = {
        "F": semopy.calc_stats(told).iloc[0]["chi2"] / len(buyers),
        "direct effect on satisfaction": effects[("satisfaction", "~", "promise")],
    }
fits = pd.DataFrame(fits).T
fits.round(4)

# %% tags=["hide-input"]
run.claim("all three fit perfectly", (fits["F"].abs() < 1e-6).all())
run.claim("two have the total for a direct effect", np.allclose(fits.iloc[1:, 1], naive["total"].value, atol=1e-4))
reversed_direct = fits.iloc[1, 1]
run.record("reversed_direct", reversed_direct, truth=truth["direct"])
run.claim("and none has the direct effect", (fits.iloc[:, 1] < 0).all())

# %% [markdown]
# All three fit perfectly. The first gives the promise a direct effect of {glue:text}`naive_direct:.2f`; in the other
# two nothing runs through the expectation, and the direct effect is the whole total,
# {glue:text}`reversed_direct:.2f`. The truth is {glue:text}`true_direct:.2f`. They are *equivalent*: no covariance of
# these three columns tells them apart; an experiment that sets the expectation would. A fit index compares a model
# with the covariances, never with its equivalents.
#
# The model of taste can fail in the same way. Give display and purchase a hidden *second* cause. And let the ranker
# read dwell itself, so that a signal moves the display past the taste; then let the model have that arrow, too.

# %%
broken = {
    "as assumed": as_assumed,
    "hidden second cause": refitted("hidden", hidden=0.5),
    "ranker reads dwell": refitted("reads", reads=0.4),
    "ranker reads dwell, arrow drawn": refitted("reads", arrow=True, reads=0.4),
}
failing = pd.DataFrame({
    name: {"mean effect": mean_and_error(f["effect"])[0], "its error": mean_and_error(f["effect"])[1],
           "rejected": (f["p"] < 0.05).mean()} for name, f in broken.items()
}).T  # fmt: skip
failing.round(3)

# %% tags=["hide-input"]
for key, name in zip(("assumed", "hidden", "reads", "arrow"), broken, strict=True):
    middle, mc, share = failing.loc[name]
    run.record(f"{key}_effect", middle, truth=GAIN, kind="stochastic", mc_se=mc)
    noise_of = max((share * (1 - share) / n_samples) ** 0.5, 0.5 / n_samples)
    run.record(f"{key}_rejected", share, kind="stochastic", mc_se=noise_of)
usual = binom.ppf(0.999, n_samples, 0.05) / n_samples
off = (failing["mean effect"] - GAIN).abs()
run.claim("a hidden second cause goes into the effect", off["hidden second cause"] > 0.1)
rejected = failing["rejected"]
run.claim("and is rejected no more often than a right model may be", rejected["hidden second cause"] <= usual)
run.claim("a ranker that reads a signal spoils it", off["ranker reads dwell"] > 5 * failing["its error"].iloc[2])
run.claim("and is rejected nearly always", rejected["ranker reads dwell"] > 0.9)
arrow = failing.loc["ranker reads dwell, arrow drawn"]
run.claim("with the arrow the effect is right", abs(arrow["mean effect"] - GAIN) < 3.5 * arrow["its error"])
run.claim("and the test is content", arrow["rejected"] <= usual, rejected=arrow["rejected"])

# %% [markdown]
# With the hidden cause the mean effect is {glue:text}`hidden_effect:.2f` instead of {glue:text}`gain:.1f`, and the
# test rejects {glue:text}`hidden_rejected:.0%` of the samples ({glue:text}`assumed_rejected:.0%` where all is as
# assumed): another number in the same place of the same equation, and as good a fit. If the ranker reads dwell, the
# effect is {glue:text}`reads_effect:.2f`, and the test rejects {glue:text}`reads_rejected:.0%`. With the arrow drawn
# the effect is {glue:text}`arrow_effect:.2f`, rejected in {glue:text}`arrow_rejected:.0%`. A test can find an arrow
# between columns. It can't find a cause that goes where an arrow is drawn already.
#
# ### A nearly right model that is rejected
#
# Let the noises of two signals of taste have a tiny correlation. With enough rows the test finds it, while the index
# and the effect hardly move.


# %%
def nearly(rng, n):
    """Tastes whose rating and saves share a little noise."""
    frame, echo = tastes(rng, n, GAIN), rng.normal(size=n)
    return frame.assign(rating=frame["rating"] + 0.12 * echo, saves=frame["saves"] + 0.12 * echo)


sizes = {}
for n, seed in zip((1_000, 30_000, 1_000_000), run.seeds(3, "sizes"), strict=True):
    frame = nearly(np.random.default_rng(seed), n)
    S_n = np.cov(frame.T, bias=True)
    theta_n, errors_n, least = fit(S_n, n, taste_model, theta)
    sizes[n] = fit_indices(S_n, n, least, df=4) | {"effect": theta_n[4]}
sizes = pd.DataFrame(sizes).T.rename_axis("rows")
sizes[["chi2", "p", "RMSEA", "CFI", "effect"]].round(4)

# %% tags=["hide-input"]
run.record("large_chi2", sizes["chi2"].iloc[-1])
run.record("large_rmsea", sizes["RMSEA"].iloc[-1])
run.record("large_effect", sizes["effect"].iloc[-1], truth=GAIN, naive=one)
run.claim("at most rows the test rejects", sizes["p"].iloc[-1] < 1e-6)
run.claim("while the index calls it close", sizes["RMSEA"].iloc[-1] < 0.03)
run.claim(
    "and the effect is nearly right", abs(sizes["effect"].iloc[-1] - GAIN) < 0.03, effect=sizes["effect"].iloc[-1]
)

# %% [markdown]
# In the longest log $\chi^2$ is {glue:text}`large_chi2:.0f`, RMSEA {glue:text}`large_rmsea:.3f`, and the effect
# {glue:text}`large_effect:.3f`. The test asks whether a model is *exactly* right, which none is.
#
# ### Two columns of one taste are too few
#
# With dwell and rating alone (displays and purchases beside them would help), one taste has four numbers (a loading,
# three variances) for three (co)variances. The likelihood has a ridge and no peak. A check needs no data: how many
# *directions* of $\theta$ move $\Sigma$?


# %%
def two_signals(theta):
    """Implied covariance of two signals of one taste."""
    loadings = np.array([1.0, theta[0]])
    return theta[1] * np.outer(loadings, loadings) + np.diag(theta[2:4])


def directions(model, theta, step=1e-5):
    """Rank of the slopes of the implied covariance, and the number of parameters."""
    slopes = [(model(theta + step * u) - model(theta - step * u)).ravel() / (2 * step) for u in np.eye(len(theta))]
    return np.linalg.matrix_rank(np.array(slopes), tol=1e-6), len(theta)


ranks = {"two signals": directions(two_signals, np.array([0.8, 1.0, 0.6, 0.6])),
         "three signals, displays, purchases": directions(taste_model, theta),
         "nine tests": directions(three_abilities, loads)}  # fmt: skip
run.claim("two signals can't be told apart", ranks["two signals"][0] < ranks["two signals"][1])
run.claim("the others are identified", all(r == k for name, (r, k) in ranks.items() if name != "two signals"))
pd.DataFrame(ranks, index=["directions that show", "parameters"]).T

# %% [markdown]
# Fewer directions than parameters: *not identified*, with any number of rows. An optimiser stops somewhere on the
# ridge and reports success. Its standard errors are in the millions, or no numbers, or, where a pseudo-inverse steps
# in, small. Count directions first.
#
# ## What this means for a language-model recommender
#
# - **Explanations that models write are mediators**: they raise expectations, and satisfaction is judged against
#   those. An A/B test of prompts gives the total. For the split, measure the expectation *and* what else moves it.
# - **Judgements of a model are echoes.** Scores of three prompts about one quality share the model's noise; then the
#   noises go together and the measurement model is wrong. Use signals of different origin: text, dwell, returns.
# - **"Latent" in an embedding** means hidden units. It names no cause; nothing says that one coordinate is a taste.
#
# ## Exercises
#
# ### Exercise 1: covariance by paths
#
# Effects in `B` (row: what is moved), variances of the noise in `v`. Return the covariance of the variables `i` and
# `j`.
#
# <details><summary>Hint</summary>
#
# Which matrix turns noises into variables?
#
# </details>


# %% tags=["exercise"]
def covariance_of(B, v, i, j):
    """Return the implied covariance of variables i and j."""
    # BEGIN SOLUTION
    through = np.linalg.inv(np.eye(len(B)) - B)
    return (through @ np.diag(v) @ through.T)[i, j]
    # END SOLUTION


# %% tags=["check"]
check("latent/01.1", covariance_of)

# %% [markdown]
# ### Exercise 2: a mediator that is yes or no
#
# The treatment `t` is a coin, the mediator `m` is 0 or 1, nothing is confounded, and the treatment may change what
# the mediator does. Return the natural indirect effect with the treatment switched on,
# $\sum_m E[Y \mid T{=}1, M{=}m]\,\{P(m \mid T{=}1) - P(m \mid T{=}0)\}$.
#
# <details><summary>Hint</summary>
#
# Two means of the outcome among the treated, and by how much the treatment moves the share with `m` = 1.
#
# </details>


# %% tags=["exercise"]
def indirect_effect(y, t, m):
    """Return the natural indirect effect."""
    # BEGIN SOLUTION
    one, zero = y[(t == 1) & (m == 1)].mean(), y[(t == 1) & (m == 0)].mean()
    return (one - zero) * (m[t == 1].mean() - m[t == 0].mean())
    # END SOLUTION


# %% tags=["check"]
check("latent/01.2", indirect_effect)

# %% [markdown]
# ### Exercise 3: how noisy is a signal?
#
# Three signals of one taste (array `x`, three columns) with noises that share nothing. Return the *reliability* of
# the first: the share of its variance that is taste. Path tracing gives each covariance as a product of two loadings,
# in the unit in which the taste's variance is one.
#
# <details><summary>Hint</summary>
#
# The covariances of 1 with 2, 1 with 3 and 2 with 3 are three products of loadings. Which combination leaves the
# square of the first?
#
# </details>


# %% tags=["exercise"]
def reliability(x):
    """Return the share of the first signal's variance that comes from the taste."""
    # BEGIN SOLUTION
    S = np.cov(x.T)
    return S[0, 1] * S[0, 2] / S[1, 2] / S[0, 0]
    # END SOLUTION


# %% tags=["check"]
check("latent/01.3", reliability)

# %% [markdown]
# ### Exercise 4: a planted error
#
# The treatment is a coin and nothing is confounded. A colleague's indirect effect is off whenever the treatment
# has an effect of its own:
#
# ```python
# def product(y, t, m):
#     a = np.polyfit(t, m, 1)[0]
#     b = np.polyfit(m, y, 1)[0]
#     return a * b
# ```
#
# Find the error and mend it.
#
# <details><summary>Hint</summary>
#
# Between mediator and outcome there is a path that goes back through the treatment.
#
# </details>


# %% tags=["exercise"]
def product(y, t, m):
    """Return the indirect effect as a product of two coefficients."""
    # BEGIN SOLUTION
    a = np.polyfit(t, m, 1)[0]
    design = np.column_stack([np.ones(len(y)), t, m])
    return a * np.linalg.lstsq(design, y, rcond=None)[0][2]
    # END SOLUTION


# %% tags=["check"]
check("latent/01.4", product)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "A blurb's promise was randomised. Which effect may be confounded all the same?",
    {
        "The total effect": (False, "The coin took care of it."),
        "The part through the expectation": (True, "Nobody randomised the expectation."),
        "None: it is an experiment": (False, "It is one for the promise, and for nothing behind it."),
    },
)

# %% tags=["quiz"]
quiz(
    "A structural model fits perfectly: chi-square 0 with 0 degrees of freedom. What does that say about its arrows?",
    {
        "They are right": (False, "Reversed arrows fit as well."),
        "Nothing: it could not have failed": (True, "With as many numbers as covariances every story fits."),
        "The sample is large enough": (False, "It fits with ten rows, too."),
    },
)

# %% tags=["quiz"]
quiz(
    "Three noisy signals of a taste, as covariates, leave confounding. Why does the latent taste of our simulator "
    "leave none?",
    {
        "The model uses more rows": (False, "Both use the same."),
        "Regression takes signals at face value; the model learns their noise from what they share": (
            True,
            "And trusts that their noises share nothing.",
        ),
        "The model measures taste exactly": (False, "It never knows anybody's taste, only how tastes vary together."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - A structural equation is a claim about what happens when somebody sets a variable.
# - Covariances are sums over paths; a saturated model always fits.
# - Randomising the treatment gives the total effect. The split needs the mediator's confounders, or a sensitivity
#   curve.
# - A latent variable is shared by several columns; with enough of them it can be tested.
# - Fit compares with the data, never with equivalent models.
#
# ## Further reading
#
# - {cite:t}`bollen1989structural`: the models, their likelihood and their fit.
# - {cite:t}`imai2010general`: what must hold for a split, and the sensitivity curve.
# - {cite:t}`pearl2009causality`: what the equations mean.
