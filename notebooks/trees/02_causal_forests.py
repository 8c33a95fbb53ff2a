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
#     data: [womens_reviews, pension_401k]
#     optional_data: [ihdp_npci]
#     max_seconds: 60
# ---

# %% [markdown]
# # A number for every pair: forests and meta-learners
#
# Tomas has a card with six leaves. Now the ranker asks for more: *one number for each pair of a user and an item,
# what a display would add*. Ravi knows five recipes that turn any regression into a learner of effects, and a forest.
# He trains one of them, predicts, and sorts. On {glue:text}`pairs:,.0f` pairs its error is
# {glue:text}`naive_error:.3f`; had he said the average to everybody, it would be {glue:text}`constant_error:.3f`.
#
# He has hardly gained anything, and as a real log has no column for the effect of a pair, nothing told him. This
# chapter is about three questions. Which learner is nearest? How sure may one be of a single number? And how does one
# find out without the truth?
#
# **You will be able to**
#
# - write five {term}`meta-learners <meta-learner>` in one screen, and say what each of them borrows;
# - read a {term}`causal forest` as a weighted regression with weights of its own, and compute them by hand;
# - say what its intervals cover, and where they don't;
# - judge a learner with an {term}`R-loss`, a calibration test and a {term}`targeting curve`, on rows that it never
#   saw;
# - read variable importance with care.
#
# **Before you start:** {doc}`Causal trees </chapters/trees/01_causal_trees>` and {doc}`doubly robust estimation
# </chapters/weighting/03_doubly_robust>`.
#
# **Time:** about 40 minutes to read, 40 for the exercises.
#
# **Data:** the simulated shop; families of the 401(k) file with outcomes that we make; where they can be fetched,
# infants with simulated outcomes (IHDP).

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from econml.dml import CausalForestDML
from econml.grf import CausalForest
from econml.metalearners import SLearner, TLearner, XLearner
from scipy.special import expit
from scipy.stats import beta, spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler

from causalrec_lib import course, data, doubly_robust, heterogeneity, plots
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world

run = course.start(PROFILE, SEED, chapter="trees/02_causal_forests")
shop = make_world()
X_COLUMNS = ["score", "log_popularity", "log_activity", "price", "age"]

# %% [markdown]
# ## Five recipes
#
# Any regression learns $E[Y \mid X]$. To learn the {term}`CATE`, $\tau(x) = E[Y(1) - Y(0) \mid X = x]$, feed it
# something whose mean given $x$ is $\tau(x)$. With $\mu_t$ the outcome models, $m(x) = E[Y \mid X = x]$ and $e(x)$
# the propensity:
#
# | | what is regressed on $X$ | what it borrows |
# |---|---|---|
# | S | $Y$ on $(X, T)$, then the difference of two predictions | one model for both arms |
# | T | $Y$ in each arm, then the difference | nothing |
# | X | $Y - \mu_0$ for the treated, $\mu_1 - Y$ for the others, mixed by $e$ | the larger arm's model |
# | R | $(Y - m) / (T - e)$, weighted by $(T - e)^2$ | $m$ and $e$ |
# | DR | the score $\psi$ of AIPW | $\mu_t$ and $e$ |
#
# The letters X, R and DR are from {cite:t}`kunzel2019metalearners`, {cite:t}`nie2021quasi` and
# {cite:t}`kennedy2023towards`.
#
# What must hold is what any comparison needs: {term}`exchangeability` given $X$, {term}`overlap`, no
# {term}`interference`. R and DR need predictions for rows that $m$ and $\mu_t$ never saw.


# %%
def boosting(least=15, steps=50):
    """The regression inside of every recipe; `least` rows in a leaf."""
    return HistGradientBoostingRegressor(max_iter=steps, max_leaf_nodes=6, min_samples_leaf=least, random_state=0)


def five_learners(y, t, X, e, new, e_new, seed):
    """Predicted effects of new rows by five recipes; of old rows what covariates leave of y and t, scores."""

    def fit(x, values, w=None):
        return boosting().fit(x, values, sample_weight=w)

    both = fit(np.column_stack([X, t]), y)
    s = [both.predict(np.column_stack([new, np.full(len(new), arm)])) for arm in (0.0, 1.0)]
    mu0, mu1 = fit(X[t == 0], y[t == 0]), fit(X[t == 1], y[t == 1])
    tau1 = fit(X[t == 1], y[t == 1] - mu0.predict(X[t == 1])).predict(new)
    tau0 = fit(X[t == 0], mu1.predict(X[t == 0]) - y[t == 0]).predict(new)
    out = doubly_robust.cross_fit(y, t, X, outcome=boosting(), folds=3, seed=seed)
    u, v = y - e * out.mu1 - (1 - e) * out.mu0, t - e
    psi = out.mu1 - out.mu0 + t * (y - out.mu1) / e - (1 - t) * (y - out.mu0) / (1 - e)
    found = {
        "S": s[1] - s[0],
        "T": mu1.predict(new) - mu0.predict(new),
        "X": e_new * tau0 + (1 - e_new) * tau1,
        "R": fit(X, u / v, v**2).predict(new),
        "DR": fit(X, psi).predict(new),
        "one number": np.full(len(new), psi.mean()),
    }
    return found, u, v, psi


# %%
def arrays(frame):
    """Outcome, treatment, covariates and recorded propensity of a log."""
    y, t, e = (frame[column].to_numpy(float) for column in ("consumed", "exposed", "propensity"))
    return y, t, frame[X_COLUMNS].to_numpy(float), e


N = 5_000
log, later = (shop.exposure_log(n_pairs=N, seed=seed, with_propensity=True) for seed in run.seeds(2, "first week"))
(y, t, X, e), (_, _, new, e_new) = arrays(log), arrays(later)
effect = shop.truth.cate_given_observed(later).to_numpy()  # no real log has this
found, u, v, _ = five_learners(y, t, X, e, new, e_new, run.seed)
pd.Series({name: heterogeneity.pehe(effect, predicted) for name, predicted in found.items()}, name="error").round(4)

# %% tags=["hide-input"]
first = {name: heterogeneity.pehe(effect, predicted) for name, predicted in found.items()}
run.record("pairs", N)
run.record("naive_error", first["T"], naive=first["one number"])
run.record("constant_error", first["one number"])
run.record("effect_sd", effect.std())
run.claim("Ravi's learner is hardly nearer than the average", first["T"] > 0.95 * first["one number"], **{
    "T": first["T"], "constant": first["one number"]})  # fmt: skip

# %% [markdown]
# Errors are held against the mean effect of a pair *given its columns*: with noise in the target, the truth itself
# would look wrong. Ravi used T. It has two models with errors of their own. They
# don't cancel: their variances add up.
#
# The package `econml` has these recipes, too. S, T and X agree with ours to the last digit:

# %%
logit = {"C": np.inf, "max_iter": 1_000, "tol": 1e-8}
Z, Z_new = (X - X.mean(axis=0)) / X.std(axis=0), (new - X.mean(axis=0)) / X.std(axis=0)
chance = LogisticRegression(**logit).fit(Z, t)
ours, *_ = five_learners(y, t, Z, chance.predict_proba(Z)[:, 1], Z_new, chance.predict_proba(Z_new)[:, 1], run.seed)
theirs = {
    "S": SLearner(overall_model=boosting()),
    "T": TLearner(models=boosting()),
    "X": XLearner(models=boosting(), propensity_model=LogisticRegression(**logit)),
}
for name, their in theirs.items():
    assert np.allclose(their.fit(y, t, X=Z).effect(Z_new).ravel(), ours[name], atol=1e-9), name

# %% [markdown]
# ## A forest is a weighted regression
#
# Trees are grown on random parts of the rows. One half of a part chooses the splits, the other fills the leaves
# ({term}`honesty <honest estimation>`). To predict at $x$, don't average effects, as the first forests of this kind
# did {cite:p}`wager2018estimation`; average *neighbourhoods*. A row that fills a leaf of tree $b$ counts, if $x$
# falls into that leaf, by one over the number of rows that fill it:
#
# $$\alpha_i(x) = \frac{1}{B} \sum_{b=1}^{B} \frac{1\{X_i \in L_b(x)\}}{|L_b(x)|}, \qquad
# \widehat\tau(x) = \text{slope of } Y - m \text{ on } T - e \text{ with weights } \alpha_i(x).$$
#
# So a {term}`causal forest` {cite:p}`athey2019generalized` is the regression of remainders that
# you know, done afresh at each $x$, among rows that the trees call similar.


# %%
def local_weights(forest, X, at):
    """How much each training row counts for a prediction at each row of `at`, shape (len(at), n)."""
    weights = np.zeros((len(at), len(X)))
    for tree, rows in zip(forest.estimators_, forest.get_subsample_inds(), strict=True):
        filling = rows[tree.get_train_test_split_inds()[1]]
        same = tree.apply(at)[:, None] == tree.apply(X[filling])[None, :]
        weights[:, filling] += same / same.sum(axis=1, keepdims=True)
    return weights / len(forest.estimators_)


def local_slope(w, u, v):
    """Slope of u on v with weights that add up to one."""
    u, v = u - w @ u, v - w @ v
    return (w * u @ v) / (w * v @ v)


def grow(X, u, v, least=5, trees=200):
    """A causal forest on remainders; `least` rows in a leaf."""
    return CausalForest(n_estimators=trees, min_samples_leaf=least, random_state=0, n_jobs=1).fit(X, v, u)


forest = grow(X, u, v, least=50, trees=100)
alpha = local_weights(forest, X, new[:5])
by_hand = [local_slope(w, u, v) for w in alpha]
assert np.allclose(by_hand, forest.predict(new[:5]).ravel())
near = {"effect": by_hand, "rows that count": (alpha > 0).sum(axis=1), "effective rows": 1 / (alpha**2).sum(axis=1)}
pd.DataFrame(near, index=pd.Index(range(5), name="pair")).round(3)

# %% [markdown]
# The same numbers as the package's, from its trees alone. The last column is the size of the neighbourhood, an
# {term}`effective sample size`: a single prediction is an estimate from that many rows.
#
# ## Held against the truth
#
# Several weeks, errors on the pairs of another week. The forest comes with small leaves, with large ones, and with
# large ones on $Y$ and $T$ as they come, *not centred* by $m$ and $e$. R and DR come a second time, *tuned*: folds of
# the training rows choose leaf size and number of steps. What they are scored by needs no truth; it is the R-loss,
# explained below.


# %%
def tuned(X, target, weight, u, v, new, seed, folds=2):
    """Boosting on a recipe's target; leaf size and steps have the smallest R-loss on rows that weren't fitted."""
    fold = np.random.default_rng(seed).permutation(len(X)) % folds
    loss = {}
    for least in (15, 240):
        ahead = np.zeros((50, len(X)))
        for k in range(folds):
            there, here = fold != k, fold == k
            fitted = boosting(least).fit(X[there], target[there], sample_weight=weight[there])
            ahead[:, here] = list(fitted.staged_predict(X[here]))
        loss |= {(least, steps): value for steps, value in enumerate(((u - v * ahead) ** 2).mean(axis=1), 1)}
    least, steps = min(loss, key=loss.get)
    return boosting(least, steps).fit(X, target, sample_weight=weight).predict(new), (least, steps)


def both_tuned(X, u, v, psi, new, seed):
    """Tuned R and DR, and the settings that were chosen."""
    r = tuned(X, u / v, v**2, u, v, new, seed)
    dr = tuned(X, psi, np.ones(len(X)), u, v, new, seed)
    return {"R, tuned": r[0], "DR, tuned": dr[0]}, [r[1], dr[1]]


# %%
def week(seed):
    """Predictions for the pairs of another week, their truth, and what R-losses need."""
    one, two = np.random.SeedSequence(seed).generate_state(2)
    a, b = (shop.exposure_log(n_pairs=N, seed=int(s), with_propensity=True) for s in (one, two))
    (y, t, X, e), (y_b, t_b, new, e_b) = arrays(a), arrays(b)
    predicted, u, v, psi = five_learners(y, t, X, e, new, e_b, seed)
    better, chosen = both_tuned(X, u, v, psi, new, seed)
    predicted |= better
    ends = {}
    forests = {"forest, small leaves": (u, v, 5), "forest, large leaves": (u, v, 50),
               "forest, not centred": (y, t, 50)}  # fmt: skip
    for name, (left_y, left_t, least) in forests.items():
        forest = grow(X, left_y, left_t, least, trees=100)
        predicted[name] = forest.predict(new).ravel()
        ends[name] = np.column_stack([end.ravel() for end in forest.predict_interval(new, alpha=0.05)])
    held = doubly_robust.cross_fit(y_b, t_b, new, outcome=boosting(), folds=3, seed=seed)
    m = e_b * held.mu1 + (1 - e_b) * held.mu0
    losses = {k: heterogeneity.r_losses(y_b, t_b, p, m, e_b) for k, p in predicted.items()}
    return predicted, ends, shop.truth.cate_given_observed(b).to_numpy(), chosen, losses


KEYS = {"one number": "constant", "S": "s", "T": "t", "X": "x", "R": "r", "R, tuned": "r_tuned", "DR": "dr",
        "DR, tuned": "dr_tuned", "forest, small leaves": "small", "forest, large leaves": "large",
        "forest, not centred": "raw"}  # fmt: skip
n_weeks = run.size(ci=5, full=100)
weeks = [week(seed) for seed in run.progress(run.seeds(n_weeks, "weeks"), "weeks")]
errors = pd.DataFrame([{k: heterogeneity.pehe(tau, p) for k, p in found.items()} for found, _, tau, *_ in weeks])
covered = pd.DataFrame([
    {k: np.mean((low_high[:, 0] <= tau) & (tau <= low_high[:, 1])) for k, low_high in ends.items()}
    for _, ends, tau, *_ in weeks
])  # fmt: skip
level = pd.DataFrame([{k: p.mean() - tau.mean() for k, p in found.items()} for found, _, tau, *_ in weeks])
pd.DataFrame({"error": errors.mean(), "sd over weeks": errors.std(), "mean too high by": level.mean(),
              "coverage": covered.mean()}).loc[list(KEYS)].round(3)  # fmt: skip


# %% tags=["hide-input"]
def noted(name, values, **more):
    """Record a mean over draws with its Monte-Carlo error."""
    values = np.asarray(values, float)
    run.record(
        name, values.mean(), kind="stochastic", mc_se=max(values.std(ddof=1) / len(values) ** 0.5, 1e-4), **more
    )


def beyond_chance(values, times=3):
    """Whether a mean of paired differences lies above zero by several Monte-Carlo errors."""
    values = np.asarray(values, float)
    return bool(values.mean() > times * values.std(ddof=1) / len(values) ** 0.5)


run.record("weeks", n_weeks)
for name, key in KEYS.items():
    noted(f"weeks_{key}", errors[name], naive=errors["one number"].mean() if key == "large" else None)
for name in covered:
    noted(f"{KEYS[name]}_coverage", covered[name], truth=0.95)
for name in ("R", "DR"):
    run.claim(f"{name} is farther off than one number, each week", (errors[name] > errors["one number"]).all())
nearer = errors["one number"] - errors["forest, large leaves"]
run.claim("the forest with large leaves is nearer than one number", beyond_chance(nearer))
leaves = errors["forest, small leaves"] - errors["forest, large leaves"]
run.claim("large leaves predict better than small ones", beyond_chance(leaves))
run.claim("and cover far less", (covered["forest, large leaves"] < 0.8).all())
run.claim("small leaves nearly cover as they claim", covered["forest, small leaves"].mean() > 0.9)
run.claim("T is no nearer than one number", not beyond_chance(errors["one number"] - errors["T"], times=0))
gap = {k: errors[k] - errors["forest, large leaves"] for k in KEYS}
for name in ("R", "DR"):
    noted(f"gap_{KEYS[name]}", gap[f"{name}, tuned"], naive=gap[name].mean())
    run.claim(f"tuning brings {name} nearer", beyond_chance(errors[name] - errors[f"{name}, tuned"]))
    left = gap[f"{name}, tuned"].mean()
    run.claim(f"less than a third of {name}'s distance to the forest is left", left < gap[name].mean() / 3, left=left)
of_two = errors["one number"] - errors[["R, tuned", "DR, tuned"]].mean(axis=1)
run.claim("tuned, the two are nearer than one number", beyond_chance(of_two, times=2), mean=of_two.mean())
both = gap["R, tuned"].to_numpy() / 2 + gap["DR, tuned"].to_numpy() / 2
noted("gap_left", both)
least = pd.DataFrame([[k for k, _ in chosen] for *_, chosen, _ in weeks])
steps = pd.DataFrame([[k for _, k in chosen] for *_, chosen, _ in weeks])
run.record("steps_chosen", steps.to_numpy().mean(), kind="stochastic", mc_se=3.0)
run.record("largest_leaves_chosen", (least == 240).to_numpy().mean(), kind="stochastic", mc_se=0.2)
run.claim("fewer steps are chosen than fifty", steps.to_numpy().mean() < 25, steps=steps.to_numpy().mean())
run.claim("and mostly the largest leaves", (least == 240).to_numpy().mean() > 0.5)
noted("raw_level", level["forest, not centred"], truth=0.0)
noted("centred_level", level["forest, large leaves"], truth=0.0)
run.claim("without centring the mean is too high", beyond_chance(level["forest, not centred"]))
shift = level["forest, not centred"] - level["forest, large leaves"]
run.claim("centring takes the mean down", beyond_chance(shift), shift=shift.mean())
for name in ("forest, large leaves", "forest, not centred"):
    noted(f"{KEYS[name]}_rest", np.sqrt(errors[name] ** 2 - level[name] ** 2))
rest = [np.sqrt(errors[k] ** 2 - level[k] ** 2).mean() for k in ("forest, large leaves", "forest, not centred")]
run.claim("but for the level both are about as good", abs(rest[0] - rest[1]) < 0.006, centred=rest[0], raw=rest[1])


# %% [markdown]
# Over {glue:text}`weeks:d` weeks one number for all misses by {glue:text}`weeks_constant:.3f`. R
# ({glue:text}`weeks_r:.3f`) and DR ({glue:text}`weeks_dr:.3f`), the two with the best theory, do *worse* with the
# setting that suits purchases, and Ravi's T ({glue:text}`weeks_t:.3f`) does no better. The targets of R and DR are
# far noisier, and fifty steps follow the noise. Tuned, they stop after {glue:text}`steps_chosen:.0f` steps on
# average, mostly with the largest leaves, and come to {glue:text}`weeks_r_tuned:.3f` and
# {glue:text}`weeks_dr_tuned:.3f`: together nearer than one number. The forest with large leaves has
# {glue:text}`weeks_large:.3f`. What is left between them is {glue:text}`gap_r:.3f` for R and {glue:text}`gap_dr:.3f`
# for DR (untuned {glue:text}`gap_r.naive:.3f` and {glue:text}`gap_dr.naive:.3f`): most of the forest's lead was a
# setting. S has {glue:text}`weeks_s:.3f`, X {glue:text}`weeks_x:.3f`, the forest with small leaves
# {glue:text}`weeks_small:.3f`. Nobody tuned S, T, X or the forest. Where effects look otherwise, the order is another
# one.
#
# **Centring.** On $Y$ and $T$ as they come the same forest predicts {glue:text}`raw_level:.3f` too much on average.
# Pairs in a leaf are not yet comparable; the ranker's selection is in every one. Centred the mean is off by
# {glue:text}`centred_level:.3f`. What is spoilt is the *level*: with it taken off, the errors are
# {glue:text}`raw_rest:.3f` without centring and {glue:text}`large_rest:.3f` with it.
#
# Now the last column. With small leaves the intervals of the forest hold the true effect in
# {glue:text}`small_coverage:.0%` of pairs. With large leaves predictions are *better* and coverage is
# {glue:text}`large_coverage:.0%`. Here, tuning for error tunes the intervals away.
#
# ## The picture to keep: what an interval covers
#
# An interval of a forest measures noise: how far the prediction would move with other rows. What a leaf *averages
# away* is no noise. Designs after {cite:t}`wager2018estimation` show it: {glue:text}`aw_rows:d` rows, ten uniform
# columns, two of which move the effect from one to four, and in the second version a third column that moves outcome
# and treatment. The forest is the package's `CausalForestDML`, which centres by itself (here with linear models) and
# keeps its default settings.


# %%
def two_steps(rng, confounded, n=800):
    """Outcome, treatment, covariates and effect of a design with two smooth steps."""
    x = rng.random((n, 10))
    tau = np.prod(1 + expit(20 * (x[:, :2] - 1 / 3)), axis=1)
    e = (1 + beta(2, 4).pdf(x[:, 2])) / 4 if confounded else np.full(n, 0.5)
    t = (rng.random(n) < e).astype(float)
    return (2 * x[:, 2] - 1) * confounded + (t - 0.5) * tau + rng.normal(size=n), t, x, tau


n_aw = run.size(ci=12, full=100)
fixed = np.random.default_rng(run.seeds(1, "points")[0])
_, _, points, at_points = two_steps(fixed, confounded=False, n=400)
designs = {}
for confounded, name in ((False, "effects differ"), (True, "effects differ, confounded")):
    predicted, ends = [], []
    for seed in run.progress(run.seeds(n_aw, name), name):
        y_k, t_k, x_k, _ = two_steps(np.random.default_rng(seed), confounded)
        lines = {"model_y": LinearRegression(), "model_t": LogisticRegression(), "discrete_treatment": True}
        ready_made = CausalForestDML(**lines, random_state=0, n_jobs=1).fit(y_k, t_k, X=x_k)
        predicted.append(ready_made.effect(points))
        ends.append(ready_made.effect_interval(points, alpha=0.05))
    designs[name] = np.array(predicted), np.array(ends)

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(4.8, 6.4), sharex=True, sharey=True)
order = np.argsort(at_points)
run.record("aw_rows", 800)
for ax, (name, (predicted, ends)), key in zip(axes, designs.items(), ("aw_differ", "aw_both"), strict=True):
    low, high = ends.mean(axis=0)
    ax.fill_between(at_points[order], low[order], high[order], color=plots.COLORS["soft"], alpha=0.35, linewidth=0)
    ax.plot(at_points, predicted.mean(axis=0), ".", color=plots.COLORS["estimate"], markersize=3)
    ax.plot([1, 4], [1, 4], color=plots.COLORS["truth"], linestyle=(0, (5, 3)), linewidth=1.4)
    ax.set(title=name, ylabel="predicted effect")
    holds = (ends[:, 0] <= at_points) & (at_points <= ends[:, 1])
    k = len(predicted)  # a sample's distance from the mean of all is too small by its own share
    scatter = (predicted - predicted.mean(axis=0)) * np.sqrt(k / (k - 1))
    own = (np.abs(scatter) <= (ends[:, 1] - ends[:, 0]) / 2).mean(axis=1)
    noted(f"{key}_coverage", holds.mean(axis=1), truth=0.95)
    noted(f"{key}_own", own, truth=0.95)
    small = at_points < 1.3
    noted(f"{key}_low", holds[:, small].mean(axis=1), truth=0.95)
    run.claim(f"{name}: covers far less than it claims", 0.65 < holds.mean() < 0.88, coverage=holds.mean())
    run.claim(f"{name}: hardly ever where effects are smallest", holds[:, small].mean() < 0.45)
    run.claim(f"{name}: nearly covers its own expectation", own.mean() > 0.88, coverage=own.mean())
    lean = np.polyfit(at_points, predicted.mean(axis=0), 1)[0]
    run.claim(f"{name}: predictions are drawn to the middle", lean < 0.9, slope=lean)
axes[1].set(xlabel="true effect")
plots.show(
    fig,
    alt="Two panels of predicted against true effects with a band. The dots and their band rise less steeply than "
    "the dashed diagonal: above it where effects are small, below it where they are large.",
    caption="Mean prediction (dots) and mean interval (band) over samples; dashed is the truth. The forest is sure "
    "of its own average over samples. At both ends that average is not the effect.",
)

# %% [markdown]
# The intervals, at their nominal level, hold the truth in {glue:text}`aw_differ_coverage:.0%` and
# {glue:text}`aw_both_coverage:.0%` of points, and among points with the smallest effects in
# {glue:text}`aw_differ_low:.0%` and {glue:text}`aw_both_low:.0%`. They hold *the forest's own expectation* in
# {glue:text}`aw_differ_own:.0%` and {glue:text}`aw_both_own:.0%`. The theory asks for leaves that shrink fast enough
# for bias to vanish before noise does; with ten columns and {glue:text}`aw_rows:d` rows they don't. So: report an
# interval for a *group* (a leaf, a fifth of the ranking) by AIPW, and call that of a single pair what it is.
#
# ## Judging without the truth
#
# **The tuning question.** Which of the answers should Ravi take? On pairs that no learner saw, with $m$
# cross-fitted, compute the {term}`R-loss` of each {cite:p}`nie2021quasi`:
#
# $$\frac{1}{n} \sum_i \Big[ (Y_i - m(X_i)) - (T_i - e(X_i))\,\widehat\tau(X_i) \Big]^2 .$$
#
# Up to a constant it is the error of $\widehat\tau$, weighted by $e(1 - e)$. The constant is the noise of purchases,
# and that is nearly all of it. So compare row by row.

# %%
mean_loss = pd.DataFrame([{k: loss.mean() for k, loss in losses.items()} for *_, losses in weeks])
picks = mean_loss.idxmin(axis=1)
one = weeks[0][-1]
apart = {k: one[k] - one["one number"] for k in one if k != "one number"}
judged = pd.DataFrame({
    "R-loss above one number's": {k: d.mean() for k, d in apart.items()},
    "its error": {k: d.std() / len(d) ** 0.5 for k, d in apart.items()},
    "true error above one number's": errors.iloc[0].drop("one number") - errors.loc[0, "one number"],
})  # fmt: skip
judged.loc[[k for k in KEYS if k in apart]].round(4)

# %% tags=["hide-input"]
agree = [spearmanr(mean_loss.iloc[k], errors.iloc[k])[0] for k in range(n_weeks)]
regret = np.array([errors.loc[k, picks[k]] - errors.loc[k].min() for k in range(n_weeks)])
at_random = np.array([errors.loc[k].mean() - errors.loc[k].min() for k in range(n_weeks)])
fit_alone = np.array([errors.loc[k, "T"] - errors.loc[k].min() for k in range(n_weeks)])
noted("rank_agreement", agree)
noted("regret", regret, naive=at_random.mean())
noted("regret_random", at_random)
within = []
for best, (*_, losses) in zip(picks, weeks, strict=True):
    gaps = [losses[k] - losses[best] for k in losses if k != best]
    within.append(sum(abs(d.mean()) < 2 * d.std() / len(d) ** 0.5 for d in gaps))
noted("within_noise", within)
share = np.mean([loss["one number"].mean() - mean_loss.loc[k].min() for k, (*_, loss) in enumerate(weeks)])
run.record("loss_share", share / mean_loss["one number"].mean(), kind="stochastic", mc_se=0.004)
run.claim("the ranking by R-loss goes with the true one", np.mean(agree) > 0.3, agreement=np.mean(agree))
run.claim(
    "choosing by it beats choosing at random, on average", regret.mean() < at_random.mean(), regret=regret.mean()
)
run.claim("others are within its noise", np.mean(within) > 0.5, count=np.mean(within))
run.claim("what is to be gained is a small part of the loss", share / mean_loss["one number"].mean() < 0.1)

# %% [markdown]
# The order by R-loss goes with the true order (rank correlation {glue:text}`rank_agreement:.2f`). Whoever follows it
# ends up {glue:text}`regret:.4f` above the best error, whoever picks blindly {glue:text}`regret_random:.3f`. But the
# whole difference between one number and the best learner is {glue:text}`loss_share:.1%` of the loss, and on average
# {glue:text}`within_noise:.1f` other answers lie within twice the noise of the winner. It finds bad learners. It does
# not crown one among the good.
#
# **Calibration.** Regress the remainder of purchases on $(T - e)$ times the mean prediction, and on $(T - e)$ times
# the distance from it {cite:p}`chernozhukov2017generic,athey2019estimating`. Both slopes should be one. A second
# slope of zero says that predictions order nothing.
#
# **Targeting.** Display to the share $q$ of pairs that the learner puts first. What do they gain *over the average*?
# The {term}`targeting curve` answers for each $q$, from AIPW scores of fresh rows; its mean over $q$ is one number
# with an interval, the {term}`RATE` (here the AUTOC of {cite:t}`yadlowsky2025evaluating`).

# %%
fresh = shop.exposure_log(n_pairs=20_000, seed=run.seeds(1, "fresh")[0], with_propensity=True)
y_f, t_f, X_f, e_f = arrays(fresh)
fresh_effect = shop.truth.cate_given_observed(fresh).to_numpy()
held = doubly_robust.cross_fit(y_f, t_f, X_f, outcome=boosting(), folds=3, seed=run.seed)
average = doubly_robust.aipw(y_f, t_f, held._replace(e=e_f), e_source="known", refuse="flag")
scores, m_f = average.influence + average.value, e_f * held.mu1 + (1 - e_f) * held.mu0
forest = grow(X, u, v, least=50)
candidates = {
    "who buys": boosting().fit(X, y).predict(X_f),
    "T": TLearner(models=boosting()).fit(y, t, X=X).effect(X_f).ravel(),
    "forest": forest.predict(X_f).ravel(),
}
users = fresh["user"]
rows = {}
for name, priority in candidates.items():
    value = heterogeneity.rate(scores, priority, clusters=users)
    row = {"RATE": value.value, "low": value.low, "high": value.high}
    row["true RATE"] = heterogeneity.rate(fresh_effect, priority).value
    for slope, est in heterogeneity.calibration(y_f, t_f, priority, m_f, e_f, clusters=users).items():
        row[f"{slope} slope"] = f"{est.value:.2f} ({est.low:.2f} to {est.high:.2f})"
        if name == "forest":
            run.record(f"slope_{slope}", est)
    naive = None if name == "who buys" else rows["who buys"]["RATE"]
    run.record(f"rate_{name.replace(' ', '_').lower()}", value, truth=row["true RATE"], naive=naive)
    rows[name] = row
pd.DataFrame.from_dict(rows, orient="index").round(3)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 3.6))
for name, color in (("forest", "estimate"), ("who buys", "naive")):
    curve = heterogeneity.targeting_curve(scores, candidates[name], seed=run.seed)
    ax.errorbar(
        curve.index,
        curve["gain"],
        1.96 * curve["se"],
        color=plots.COLORS[color],
        label=name,
        marker="o",
        markersize=4,
    )
    true = heterogeneity.targeting_curve(fresh_effect, candidates[name], draws=2)["gain"]
    ax.plot(true.index, true, color=plots.COLORS["truth"], linestyle=(0, (5, 3)), linewidth=1.2,
            label="truth" if name == "forest" else None)  # fmt: skip
ax.axhline(0, color=plots.COLORS["ink"], linewidth=0.6)
ax.set(xlabel="share of pairs displayed, best first", ylabel="gain over the average pair")
ax.legend()
plots.show(
    fig,
    alt="Two curves with error bars over the share displayed, each with a dashed truth. The forest's starts high "
    "and falls to zero. That of the ranking by who buys is near or below zero.",
    caption="Targeting curves on rows that no learner saw; dashed is the truth. Sorting by who buys and sorting by "
    "who reacts are two different things.",
)
r = {name: heterogeneity.rate(scores, p, clusters=users) for name, p in candidates.items()}
run.claim("the forest's order is worth something", r["forest"].low > 0)
run.claim("the interval is near the truth", abs(r["forest"].value - rows["forest"]["true RATE"]) < 3 * r["forest"].se)
run.claim("sorting by who buys is worth less", rows["who buys"]["true RATE"] < 0.3 * rows["forest"]["true RATE"])
spread = heterogeneity.calibration(y_f, t_f, candidates["T"], m_f, e_f, clusters=users)["spread"]
run.record("slope_t", spread)
run.claim("T's distances are too large", spread.high < 1, slope=spread.value)

# %% [markdown]
# The forest's order is worth {glue:text}`rate_forest:.3f` ({glue:text}`rate_forest.low:.3f` to
# {glue:text}`rate_forest.high:.3f`; truth {glue:text}`rate_forest.truth:.3f`), that of *who buys*
# {glue:text}`rate_who_buys:.3f`. The second slope of T, {glue:text}`slope_t:.2f`, says that its distances from the
# mean must be shrunk by that factor before anybody reads them as effects. The forest's is
# {glue:text}`slope_spread:.2f` ({glue:text}`slope_spread.low:.2f` to {glue:text}`slope_spread.high:.2f`).
#
# Ravi's T orders pairs nearly as well ({glue:text}`rate_t:.3f`) though its numbers are hardly nearer
# to the truth than the average.
# To *sort*, order is enough. To compare with a price, the level must be right.
#
# ## Variable importance, read with care
#
# Forests report by how much each column's splits gained. Three samples from an experiment: one column moves the
# effect; the same with a noisy copy of it; and no column moves it. A second column moves sales. It is taken out as a
# reader would do it, by cross-fitted boosting; the chance of a display, one half, is that of the design.


# %%
def experiment(rng, what, n=1_000):
    """Covariates, treatment and outcome; the second column moves outcomes, and never the effect."""
    x = rng.normal(size=(n, 5))
    if what == "a copy":
        x[:, 2] = x[:, 0] + 0.3 * rng.normal(size=n)
    t = rng.integers(0, 2, n).astype(float)
    return x, t, 2 * x[:, 1] + t * (1 + (what != "nothing") * x[:, 0]) + rng.normal(size=n)


n_small = run.size(ci=5, full=60)
importance = {}
for what in ("one column", "a copy", "nothing"):
    drawn = []
    for seed in run.seeds(n_small, "importance"):
        x, arm, out = experiment(np.random.default_rng(seed), what)
        made = doubly_robust.cross_fit(out, arm, x, outcome=boosting(), folds=2, seed=seed)
        grown = grow(x, out - (made.mu0 + made.mu1) / 2, arm - 0.5, least=25, trees=60)
        drawn.append(grown.feature_importances_)
    importance[what] = np.mean(drawn, axis=0)
columns = ["moves the effect", "moves sales", "copy or noise", "noise", "noise too"]
pd.DataFrame(importance, index=columns).round(2)

# %% tags=["hide-input"]
main = {what: values[0] for what, values in importance.items()}
for key, what in (("one", "one column"), ("copy", "a copy"), ("nothing", "nothing")):
    run.record(f"importance_{key}", main[what], kind="stochastic", mc_se=0.02)
run.record("importance_of_copy", importance["a copy"][2], kind="stochastic", mc_se=0.02)
run.claim("a copy takes importance away", main["a copy"] < main["one column"] - 0.03, **{"with": main["a copy"]})
run.claim("the copy moves nothing and is called important", importance["a copy"][2] > 3 * importance["one column"][2])
run.claim("where nothing varies importances still add up to one", np.isclose(importance["nothing"].sum(), 1))
run.claim("and are spread about evenly", importance["nothing"].max() < 0.35, largest=importance["nothing"].max())

# %% [markdown]
# With a copy in the table the importance of the column that moves the effect falls from
# {glue:text}`importance_one:.2f` to {glue:text}`importance_copy:.2f`; the copy, which moves nothing, gets
# {glue:text}`importance_of_copy:.2f`. And where *no* effect varies, importances still add up to one. So ask for the
# calibration slope first. An importance ranks splits. It names no cause, and it doesn't say that there is anything to
# rank.
#
# ## Known effects on real columns
#
# **Families.** The columns of the 401(k) file are real; eligibility and assets we make, with an effect that rises in
# steps with income and falls with age. Incomes decide who is eligible.


# %%
def made_families(rng, n=3_000):
    """Outcome, treatment, covariates and effect on real covariates; one half will train, the other will judge."""
    who = data.load("pension_401k")[["income", "age", "family_size", "married", "male"]].astype(float)
    x = who.sample(n, random_state=rng).to_numpy()
    income, age = np.log(x[:, 0]), (x[:, 1] - 41) / 10
    tau = 2 + 4 * (income > 3.5) + 4 * (income > 4) - 1.5 * age
    e = expit(-0.4 + 0.9 * (income - 3.5))
    t = (rng.random(n) < e).astype(float)
    return 5 * income**2 + 3 * age + (t - e) * tau + 6 * rng.normal(size=n), t, x, tau


def unseen(y, t, x, new, seed):
    """Predicted effects of rows that no learner saw, with a fitted propensity."""
    chance = LogisticRegression(C=np.inf, max_iter=1_000)
    scale = StandardScaler().fit(x)
    x, new = scale.transform(x), scale.transform(new)
    e = doubly_robust.cross_fit(y, t, x, folds=3, seed=seed, clip=0.03).e
    e_new = np.clip(chance.fit(x, t).predict_proba(new)[:, 1], 0.03, 0.97)  # X mixes by it
    predicted, u, v, psi = five_learners(y, t, x, e, new, e_new, seed)
    predicted |= both_tuned(x, u, v, psi, new, seed)[0]
    predicted["forest"] = grow(x, u, v, least=10, trees=60).predict(new).ravel()
    return pd.DataFrame(predicted)


n_families = run.size(ci=5, full=60)
rows = []
for seed in run.seeds(n_families, "families"):
    y_k, t_k, x_k, tau_k = made_families(np.random.default_rng(seed))
    half = len(y_k) // 2
    predicted = unseen(y_k[:half], t_k[:half], x_k[:half], x_k[half:], seed)
    rows.append({name: heterogeneity.pehe(tau_k[half:], p) for name, p in predicted.items()})
families = pd.DataFrame(rows)
families.describe().loc[["mean", "50%", "std"]].T.round(2)

# %% tags=["hide-input"]
for name, key in (("S", "s"), ("T", "t"), ("forest", "forest"), ("one number", "one")):
    noted(f"families_{key}", families[name])
for name, key in (("R", "r"), ("DR", "dr")):
    noted(f"families_{key}", families[name])
    noted(f"families_{key}_tuned", families[f"{name}, tuned"])
    run.claim(f"families: tuning helps {name}", beyond_chance(families[name] - families[f"{name}, tuned"], times=2))
for name in ("S", "T", "X", "R", "R, tuned", "DR, tuned", "forest"):
    run.claim(f"families: {name} is nearer than one number", beyond_chance(families["one number"] - families[name]))

# %% [markdown]
# On families that no learner saw S ({glue:text}`families_s:.2f`), T ({glue:text}`families_t:.2f`) and the forest
# ({glue:text}`families_forest:.2f`) beat one number ({glue:text}`families_one:.2f`) with ease. DR
# ({glue:text}`families_dr:.2f`) and R ({glue:text}`families_r:.2f`) follow the noise of their targets again; tuned
# they have {glue:text}`families_dr_tuned:.2f` and {glue:text}`families_r_tuned:.2f`.

# %%
infants = data.load_optional("ihdp_npci")
if infants is not None:
    covariates = [c for c in infants if c.startswith("x")]
    rows, floors = [], []
    half = np.random.default_rng(run.seeds(1, "halves")[0]).permutation(len(infants) // 10) % 2
    for _, one in infants.groupby("replication"):
        y_i, t_i = one["y"].to_numpy(float), one["treat"].to_numpy(float)
        tau = (one["mu1"] - one["mu0"]).to_numpy()
        x_i, a, b = one[covariates].to_numpy(float), half == 0, half == 1
        predicted = unseen(y_i[a], t_i[a], x_i[a], x_i[b], run.seed)
        rows.append({name: heterogeneity.pehe(tau[b], p) for name, p in predicted.items()})
        floors.append(np.abs(np.where(t_i == 1, y_i - one["y_cf"], one["y_cf"] - y_i) - tau).mean())
    infant_errors = pd.DataFrame(rows, index=pd.RangeIndex(1, 11, name="file"))
    summary = pd.DataFrame(
        {"mean": infant_errors.mean(), "median": infant_errors.median(), "file 9": infant_errors.loc[9]}
    )
    keys = {"S": "s", "T": "t", "X": "x", "R": "r", "DR": "dr", "forest": "forest", "one number": "one",
            "R, tuned": "r_tuned", "DR, tuned": "dr_tuned"}  # fmt: skip
    for name, key in keys.items():
        for what in ("mean", "median"):
            run.record(f"ihdp_{key}_{what}", summary.loc[name, what], optional=True)
    run.record("ihdp_floor", np.mean(floors), truth=0.0, optional=True)
    run.claim("file 9 has the largest error of every learner", infant_errors.idxmax().eq(9).all())
    run.claim("every mean is far above its median", (summary["mean"] > 1.3 * summary["median"]).all())
    run.claim("the truth has an error against the noisy target", min(floors) > 0.9, smallest=min(floors))
    lines = [
        f"| {name} | {row['mean']:.2f} | {row['median']:.2f} | {row['file 9']:.2f} |"
        for name, row in summary.iterrows()
    ]
    course.say("\n".join(["| IHDP | mean | median | file 9 |", "|---|---|---|---|", *lines]))
    course.say(
        "**Infants (IHDP).** Root mean squared errors over ten files, on the half of the infants that "
        "no learner saw. In file 9 effects differ far more than in the others, so it decides every mean; "
        "read the medians. Against the *noisy* difference of both outcomes, which "
        f"some tables use, the true effects themselves have a mean absolute error of {np.mean(floors):.2f}: such an "
        "error has a floor above zero, and hides differences between good learners."
    )

# %% [markdown]
# ## When it breaks
#
# **Judged on its own rows.** A learner that is scored on the rows that trained it looks better than it is.

# %%
held_a = doubly_robust.cross_fit(y, t, X, outcome=boosting(), folds=3, seed=run.seed)
own_average = doubly_robust.aipw(y, t, held_a._replace(e=e), e_source="known", refuse="flag")
own_scores = own_average.influence + own_average.value
t_learner = TLearner(models=boosting()).fit(y, t, X=X)
own_rate = heterogeneity.rate(own_scores, t_learner.effect(X).ravel(), clusters=log["user"])
own_truth = heterogeneity.rate(shop.truth.cate_given_observed(log), t_learner.effect(X).ravel()).value
pd.Series({"own rows": own_rate.value, "their truth": own_truth}).round(3)

# %% tags=["hide-input"]
run.record("own_rate", own_rate, truth=own_truth)
run.claim("on its own rows the interval misses the truth", own_rate.low > own_truth, low=own_rate.low)

# %% [markdown]
# On the pairs that trained it T has a RATE of {glue:text}`own_rate:.3f` (from {glue:text}`own_rate.low:.3f`); its
# order of the same pairs is worth {glue:text}`own_rate.truth:.3f`. *Instead:* fresh rows, or folds through all of it.
#
# **One pair, one number.** The picture above. A single prediction has bias that no interval of the forest contains.
#
# ## What this means for a language-model recommender
#
# - **Embeddings as columns** make nearest neighbours poor: more columns, larger neighbourhoods, more bias of the kind
#   in the picture. Reduce first, without looking at effects.
# - **Prompted judgements** ("would this user buy it anyway?") are a *priority*. They need no calibration to be
#   scored: the targeting curve takes any ranking, and `rate` gives it an interval.
# - **A model that predicts purchases well** is the line *who buys*. For displays its order is worth next to nothing:
#   who buys anyway needs none.
#
# ## Exercises
#
# ### Exercise 1: the R-loss
#
# Return the mean R-loss of `predicted` from `y`, `t`, the mean outcome `m` and the propensity `e`.
#
# <details><summary>Hint</summary>
#
# What is left of the outcome, what is left of the treatment, and what does the prediction make of the second?
#
# </details>


# %% tags=["exercise"]
def r_loss(y, t, predicted, m, e):
    """Return the mean R-loss."""
    # BEGIN SOLUTION
    return np.mean(((y - m) - (t - e) * predicted) ** 2)
    # END SOLUTION


# %% tags=["check"]
check("trees/02.1", r_loss)

# %% [markdown]
# ### Exercise 2: a local effect
#
# Row `i` counts `w[i]` at the point of interest (weights add up to one). Return the weighted slope of the remainder
# `u` of the outcome on the remainder `v` of the treatment, with a constant.
#
# <details><summary>Hint</summary>
#
# Take the weighted means off first.
#
# </details>


# %% tags=["exercise"]
def local_effect(w, u, v):
    """Return the weighted slope of u on v."""
    # BEGIN SOLUTION
    u, v = u - w @ u, v - w @ v
    return np.sum(w * u * v) / np.sum(w * v * v)
    # END SOLUTION


# %% tags=["check"]
check("trees/02.2", local_effect)

# %% [markdown]
# ### Exercise 3: the AUTOC
#
# Return the mean, over $j = 1 \dots n$, of what the first $j$ rows gain over all rows: the mean of their `scores`
# minus the mean of all scores. Rows with a larger `priority` come first; there are no ties.
#
# <details><summary>Hint</summary>
#
# Sort the scores by priority, largest first. A cumulated sum over how many rows?
#
# </details>


# %% tags=["exercise"]
def autoc(scores, priority):
    """Return the area under the targeting curve."""
    # BEGIN SOLUTION
    ordered = scores[np.argsort(-priority)]
    return np.mean(np.cumsum(ordered) / np.arange(1, len(scores) + 1)) - scores.mean()
    # END SOLUTION


# %% tags=["check"]
check("trees/02.3", autoc)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague writes the X-learner's last step. `tau1` was learnt from the treated, `tau0` from the others; few rows
# are treated. His predictions are much noisier than they should be:
#
# ```python
# def mixed(tau0, tau1, e):
#     return e * tau1 + (1 - e) * tau0
# ```
#
# Find the error and mend it.
#
# <details><summary>Hint</summary>
#
# `tau1` is made of few outcomes of the treated and a good model of the others. Where few are treated, which of the
# two rests on the better model?
#
# </details>


# %% tags=["exercise"]
def mixed(tau0, tau1, e):
    """Return the X-learner's predictions from both halves."""
    # BEGIN SOLUTION
    return e * tau0 + (1 - e) * tau1
    # END SOLUTION


# %% tags=["check"]
check("trees/02.4", mixed)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "Tuning made a forest's predictions better, and fewer of its intervals hold the truth. How can that be?",
    {
        "A mistake in the code": (False, "Both happened here, with the package's own forest."),
        "Larger leaves have less noise and more bias, and intervals measure noise only": (
            True,
            "They are right about the forest's own expectation.",
        ),
        "Intervals always cover less for better predictions": (False, "Not if bias is small, too."),
    },
)

# %% tags=["quiz"]
quiz(
    "Learner A has a lower R-loss than B on held-out rows, by half a standard error. What do you say?",
    {
        "A is better": (False, "The noise of outcomes is nearly all of the loss; this difference is within it."),
        "Nothing between A and B; but compare both with one number for all": (
            True,
            "The loss finds bad learners. Among good ones take the simpler.",
        ),
        "The R-loss is useless": (False, "Its order went with the true one, week after week."),
    },
)

# %% tags=["quiz"]
quiz(
    "A ranking has a negative RATE. What does it do?",
    {
        "It displays to people whom a display harms": (
            False,
            "It may, but they only need to gain less than average.",
        ),
        "It puts first those who gain less than the average pair": (
            True,
            "Sorting by who buys does this where people who buy would buy anyway.",
        ),
        "Nothing: a RATE can't be negative": (False, "Zero is a random order; an order may be worse than random."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Meta-learners turn any regression into a learner of effects; none is best everywhere, and one number is a rival.
# - A causal forest is a regression of remainders among neighbours; its weights are yours to compute.
# - Its intervals hold its own expectation. Where it averages effects away, they miss the truth.
# - Judge by R-loss, calibration and targeting on fresh rows; the difference of two good learners is mostly noise.
# - Importance ranks splits. It names no cause.
#
# ## Further reading
#
# - {cite:t}`wager2018estimation` and {cite:t}`athey2019generalized`: the forest, its weights and its theory.
# - {cite:t}`kunzel2019metalearners`, {cite:t}`nie2021quasi`, {cite:t}`kennedy2023towards`: X, R and DR.
# - {cite:t}`yadlowsky2025evaluating`: the RATE.
