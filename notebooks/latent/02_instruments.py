# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 40
#     exercise_minutes: 45
#     data: [womens_reviews, nhefs, insurance_network]
#     max_seconds: 60
# ---

# %% [markdown]
# # Instruments: a push that nobody asked for
#
# Lena may buy a slot on the start page for her shop. It pays if a display sells more than
# {glue:text}`price:.0f` items per hundred. The log says {glue:text}`naive_hundred:.1f`. Adjusted for every column
# that the ranker is known to read, it says {glue:text}`adjusted_hundred:.1f`. Both say: buy.
#
# But the ranker also reads things that the log doesn't hold. No column can be adjusted for that isn't there. What
# Lena does have is a coin: a marketing tool that pushes pairs of a user and an item at random. A push is not a
# display. It makes one more likely, and that is all it does. This chapter gets the effect of the *display* out of
# the *push*. It also shows how badly that goes when the push is weak.
#
# **You will be able to**
#
# - name the four assumptions of an {term}`instrument`, and say which of them no data can confirm;
# - write {term}`two-stage least squares`, with covariates and the right standard error;
# - say whose effect a {term}`LATE` is, and describe the {term}`compliers <complier>`;
# - recognise a {term}`weak instrument`, and report an {term}`Anderson-Rubin set` in place of an interval.
#
# **Before you start:** {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>`, and
# {doc}`Propensity weighting </chapters/weighting/01_propensity_weighting>` for the adjusted answer.
#
# **Time:** about 40 minutes to read, 45 for the exercises.
#
# **Data:** the simulated shop, with hidden confounding switched on; smokers (NHEFS); rice farmers who were offered
# insurance.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import course, data, plots, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import Parameters, make_world
from causalrec_lib.estimate import difference_in_means
from causalrec_lib.instruments import anderson_rubin, complier_means, first_stage, two_stage_least_squares

run = course.start(PROFILE, SEED, chapter="latent/02_instruments")
shop = make_world(confounding="hidden", parameters=Parameters(kappa=2.0))  # kappa: how hard a push pushes
late, ate = shop.truth.late(), shop.truth.ate()  # no real log has these
columns = ["score", "log_popularity", "log_activity"]
PRICE = 0.11  # sales a display at which the slot pays

# %% [markdown]
# ## The naive answer, and the adjusted one


# %%
def arrays(frame):
    """Outcome, treatment and instrument of a log."""
    return (frame[column].to_numpy(float) for column in ("consumed", "exposed", "marketing"))


log = shop.exposure_log(n_pairs=100_000, seed=run.seed)
y, t, z = arrays(log)
naive = difference_in_means(y, t, clusters=log["user"])
adjusted = weighting.ipw(y, t, X=log[columns], clusters=log["user"])
pd.DataFrame(
    {name: [e.value, e.low, e.high] for name, e in {"naive": naive, "adjusted": adjusted}.items()},
    index=["effect of a display", "low", "high"],
).T.round(3)

# %% tags=["hide-input"]
run.record("price", 100 * PRICE)
run.record("ate", ate, naive=naive.value)
run.record("late", late, naive=naive.value)
run.record("naive", naive, truth=ate)
run.record("adjusted", adjusted, truth=ate, naive=naive.value)
run.record("naive_hundred", 100 * naive.value, truth=100 * ate)
run.record("adjusted_hundred", 100 * adjusted.value, truth=100 * ate, naive=100 * naive.value)
run.claim("both answers say that the slot pays", naive.low > PRICE and adjusted.value > PRICE)
run.claim("the slot doesn't pay, on average or for compliers", max(late, ate) < PRICE, late=late, ate=ate)
run.claim("adjusting takes part of the gap away", adjusted.value < naive.low, adjusted=adjusted.value)
run.claim("neither interval holds the average effect", not naive.covers(ate) and not adjusted.covers(ate))

# %% [markdown]
# The true average effect of a display is {glue:text}`ate:.3f`: at {glue:text}`price:.0f` per hundred the slot loses
# money. The naive answer is {glue:text}`naive:.3f`. Adjusting takes part of the gap away and stops at
# {glue:text}`adjusted:.3f` (interval {glue:text}`adjusted.low:.3f` to {glue:text}`adjusted.high:.3f`). The rest
# comes from a hidden cause. More columns of this log, or a cleverer model of them, won't find it.
#
# ## The push
#
# Each pair was pushed or not by a fair coin $Z$. It moves the display $T$; the purchase is $Y$.

# %% tags=["hide-input"]
place = {
    **{"marketing": (0, 1), "exposed": (1.7, 1), "consumed": (3.4, 1)},
    **{"score": (2.5, -0.2), "popularity": (1.3, -0.2), "hidden": (2.55, 2.1)},
}
graph = shop.dag().subgraph(place).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Marketing points to exposed only. Exposed points to consumed. Score, popularity and hidden "
    "affinity each point to both exposed and consumed.",
    caption="The hidden cause opens a back door that no column closes. Marketing enters from the side: it shares no "
    "cause with the purchase, and its only way there leads through the display.",
    figsize=(6.4, 3.6),
)

# %% [markdown]
# Four things must hold.
#
# 1. *Relevance.* The push moves displays: $E[T \mid Z = 1] \neq E[T \mid Z = 0]$. The log shows it.
# 2. *Independence.* Who is pushed has nothing to do with what they would do. A coin gives that by design.
# 3. {term}`Exclusion restriction`. The push sells nothing except through the display.
# 4. {term}`Monotonicity`. Nobody is shown an item *because* it was not pushed.
#
# No data can confirm the last two. Data can refute them: moving from $Z = 0$ to $Z = 1$, compliers leave the rows
# with $T = 0$ and join those with $T = 1$, and nobody goes the other way. So for both values $y$ of a purchase
# {cite:p}`kitagawa2015test`
#
# $$P(y, T = 1 \mid Z = 1) \ge P(y, T = 1 \mid Z = 0), \qquad P(y, T = 0 \mid Z = 0) \ge P(y, T = 0 \mid Z = 1).$$
#
# With all four assumptions, split the pairs by what the push does to them. {term}`Always-takers <complier>` are shown
# either way, never-takers in no case, compliers if and only if they are pushed. The push changes nothing for the
# first two kinds, so whatever it changes in purchases, it changes among the compliers. Divide that by their share:
#
# $$\text{LATE} = E[Y(1) - Y(0) \mid \text{complier}]
# = \frac{E[Y \mid Z = 1] - E[Y \mid Z = 0]}{E[T \mid Z = 1] - E[T \mid Z = 0]}.$$
#
# The numerator is the *reduced form*, the effect of being pushed. The denominator is the *first stage*. The ratio is
# {cite:t}`imbens1994identification`'s local average treatment effect, also called the Wald ratio. It takes four
# means.

# %%
means = log.groupby("marketing")[["exposed", "consumed"]].mean()
pushed_minus_not = means.loc[1] - means.loc[0]
wald = pushed_minus_not["consumed"] / pushed_minus_not["exposed"]
pd.concat([means, pushed_minus_not.rename("difference").to_frame().T]).round(4)

# %% [markdown]
# With covariates, or more than one instrument, the same idea is {term}`two-stage least squares`. First regress $T$ on
# $Z$ and $X$; then regress $Y$ on the *prediction* and the same $X$. The covariates aren't needed here: the coin is
# fair. They explain part of the noise.
#
# One thing goes wrong when this is done by hand. The second regression's own residual is $Y$ minus the effect times
# the **predicted** $T$. The error needs the residual with the **actual** $T$: the effect acts through what people
# really saw.


# %%
def two_stages(y, t, z, X):
    """Two-stage least squares: the effect, and its standard error, robust to unequal variances."""
    W = np.column_stack([np.ones(len(y)), X])
    first = np.column_stack([z, W])
    predicted = first @ np.linalg.lstsq(first, t, rcond=None)[0]
    second = np.column_stack([predicted, W])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - np.column_stack([t, W]) @ beta  # t, not its prediction
    bread = np.linalg.inv(second.T @ second)
    meat = (second * residual[:, None] ** 2).T @ second
    return beta[0], np.sqrt((bread @ meat @ bread)[0, 0])


effect = two_stage_least_squares(y, t, z)
with_columns = two_stage_least_squares(y, t, z, log[columns])
by_hand, error_by_hand = two_stages(y, t, z, log[columns].to_numpy())
assert np.isclose(wald, effect.value)
assert np.allclose([by_hand, error_by_hand], [with_columns.value, with_columns.se])
effect

# %% tags=["hide-input"]
run.record("effect", effect, truth=late, naive=naive.value)
run.record("with_columns", with_columns, truth=late, naive=naive.value)
run.record("reduced_form", pushed_minus_not["consumed"], naive=effect.value)
run.record("first_stage", pushed_minus_not["exposed"])
run.record("f_strong", effect.first_stage.f)
run.claim("the instrument says that the slot doesn't pay", effect.value < PRICE, effect=effect.value)
run.claim("columns make the error smaller", with_columns.se < effect.se, bare=effect.se, columns=with_columns.se)

# %% [markdown]
# A push raises the chance of a display by {glue:text}`first_stage:.3f` and that of a purchase by
# {glue:text}`reduced_form:.4f`. The ratio is {glue:text}`effect:.3f` (interval {glue:text}`effect.low:.3f` to
# {glue:text}`effect.high:.3f`); with the columns, {glue:text}`with_columns:.3f`. The truth for compliers is
# {glue:text}`late:.3f`. Lena doesn't buy the slot.
#
# Two warnings. The reduced form is not the effect of a display: it is smaller by the first stage. And the answer is
# the compliers', {glue:text}`late:.3f`, not everybody's, {glue:text}`ate:.3f`.
#
# ## Held against the truth
#
# One week can be luck, so take other weeks of the same shop. Beside this shop stands another one in which all is the
# same, except that its push is forty times weaker.

# %%
faint_shop = make_world(confounding="hidden", parameters=Parameters(kappa=0.05))
n_weeks = run.size(ci=60, full=400)
seeds = run.seeds(n_weeks, "weeks")


def week_of(world, seed, n_pairs=20_000):
    """All answers of one week."""
    frame = world.exposure_log(n_pairs=n_pairs, seed=seed)
    y, t, z = arrays(frame)
    return {
        "naive": difference_in_means(y, t, clusters=frame["user"]),
        "adjusted": weighting.ipw(y, t, X=frame[columns], clusters=frame["user"]),
        "two stages": two_stage_least_squares(y, t, z, refuse="flag"),
        "Anderson-Rubin": anderson_rubin(y, t, z),
    }


strong = [week_of(shop, seed) for seed in run.progress(seeds, "weeks, strong push")]
faint = [week_of(faint_shop, seed) for seed in run.progress(seeds, "weeks, weak push")]


def table(weeks, truth):
    """Over weeks: the median answer and how often the set holds the truth, with the Monte-Carlo error."""
    rows = {}
    for name in weeks[0]:
        held = np.mean([week[name].covers(truth) for week in weeks])
        rows[name] = {
            "median": np.median([week[name].value for week in weeks]),
            "coverage": held,
            "MC error": np.sqrt(held * (1 - held) / len(weeks)),
        }
    return pd.DataFrame(rows).T


in_strong, in_faint = table(strong, late), table(faint, faint_shop.truth.late())
pd.concat({"strong push": in_strong, "weak push": in_faint}, axis=1).round(3)

# %% tags=["hide-input"]
assert np.isclose(faint_shop.truth.late(), late)
estimates = np.array([week["two stages"].value for week in strong])
run.record("weeks", n_weeks)
run.record(
    "bias", estimates.mean() - late, truth=0.0, naive=in_strong.loc["naive", "median"] - late,
    kind="stochastic", mc_se=estimates.std() / np.sqrt(n_weeks),
)  # fmt: skip
for name, frame in (("strong", in_strong), ("faint", in_faint)):
    for key, row in (("wald", "two stages"), ("ar", "Anderson-Rubin")):
        share = frame.loc[row, "coverage"]
        run.record(
            f"coverage_{key}_{name}",
            share,
            kind="stochastic",
            mc_se=np.sqrt(max(share * (1 - share), 0.02) / n_weeks),
        )
run.record("coverage_adjusted", in_strong.loc["adjusted", "coverage"], kind="stochastic", mc_se=0.02)
run.record("f_faint", np.median([week["two stages"].first_stage.f for week in faint]), kind="stochastic", mc_se=0.5)
unbounded = np.mean([week["Anderson-Rubin"].shape != "interval" for week in faint])
run.record("unbounded", unbounded, kind="stochastic", mc_se=np.sqrt(unbounded * (1 - unbounded) / n_weeks))
run.record("flagged", np.mean([bool(week["two stages"].flags) for week in faint]), kind="stochastic", mc_se=0.03)
band = 3 * np.sqrt(0.05 * 0.95 / n_weeks)
off = (estimates.mean() - late) / (estimates.std() / np.sqrt(n_weeks))
run.record("bias_median", np.median(estimates) - late, truth=0.0, kind="stochastic",
           mc_se=1.25 * estimates.std() / np.sqrt(n_weeks))  # fmt: skip
run.claim("two stages are unbiased, up to chance", abs(off) < 3, monte_carlo_errors=off)
run.claim(
    "with a strong push both sets hold the truth about as often as they claim",
    (in_strong.loc[["two stages", "Anderson-Rubin"], "coverage"] > 0.95 - band).all(),
)
run.claim("the adjusted interval misses in most weeks", in_strong.loc["adjusted", "coverage"] < 0.5)
run.claim(
    "the Anderson-Rubin set of the weak push holds it, too", in_faint.loc["Anderson-Rubin", "coverage"] > 0.95 - band
)
run.claim("with the weak push most Anderson-Rubin sets have no end", unbounded > 0.5, unbounded=unbounded)
run.claim("a strong push gives intervals in all weeks", all(w["Anderson-Rubin"].shape == "interval" for w in strong))
run.claim("the rule flags most weeks of the weak push", np.mean([bool(w["two stages"].flags) for w in faint]) > 0.5)
run.claim("and no week of the strong one", not any(w["two stages"].flags for w in strong))

# %% [markdown]
# Over {glue:text}`weeks:d` weeks with the strong push, two stages are off by {glue:text}`bias:.4f` on average, by
# {glue:text}`bias_median:.4f` in the median. Their interval holds the compliers' effect in
# {glue:text}`coverage_wald_strong:.0%` of the weeks, the adjusted one in {glue:text}`coverage_adjusted:.0%`.
#
# ## The picture to remember

# %% tags=["hide-input"]
shown_weeks = 20
panels = {
    "adjusted": (strong, "adjusted", "naive", (-0.02, 0.19)),
    "strong push, two stages": (strong, "two stages", "estimate", (-0.02, 0.19)),
    "weak push, two stages": (faint, "two stages", "accent", (-2.5, 2.5)),
    "weak push, Anderson-Rubin": (faint, "Anderson-Rubin", "treated", (-2.5, 2.5)),
}
fig, axes = plt.subplots(2, 2, figsize=(5.2, 5.4), sharey=True)
for ax, (title, (weeks, name, color, frame)) in zip(axes.flat, panels.items(), strict=True):
    for place, week in enumerate(weeks[:shown_weeks]):
        for low, high in week[name].pieces:
            left, right = np.clip([low, high], *frame)
            if left < right:
                ax.plot([left, right], [place] * 2, color=plots.COLORS[color], linewidth=2.2)
            for end, at, mark in ((low, frame[0], "<"), (high, frame[1], ">")):
                if np.isinf(end):
                    ax.plot(at, place, mark, color=plots.COLORS[color], markersize=6, clip_on=False)
        if name != "Anderson-Rubin" and frame[0] < week[name].value < frame[1]:
            ax.plot(week[name].value, place, "o", color=plots.COLORS[color], markersize=3.5)
    ax.axvline(late, color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
    ax.set_title(title, fontsize=10)
    ax.set(xlim=frame, yticks=[])
fig.supxlabel("effect of a display (dashed: the truth for compliers)", fontsize=10)
plots.show(
    fig,
    alt="Four panels with a line a week. Adjusted: short lines to the right of the dashed truth. Strong push: lines "
    "around it. Weak push, on a scale many times wider, two stages: long lines. Weak push, Anderson-Rubin: "
    "most lines cross the whole frame and end in arrows.",
    caption="Each line is a week's set; mind the scales of the lower panels. Adjusting is sure and wrong, the strong "
    "push is right in most weeks. The weak push knows little, and Anderson-Rubin says so: an arrow means no end.",
)

# %% [markdown]
# ## The Anderson-Rubin set
#
# The weak push has a median first-stage F of {glue:text}`f_faint:.1f`. Dividing by a difference that may well be zero
# gives a ratio that is far from normal, so *estimate plus or minus two errors* has no ground to stand on. (Strictly,
# a ratio with one instrument has no mean at any strength; hence the median above.) {cite:t}`anderson1949estimation`
# turn the question around. If the effect were $b$, then $Y - bT$ would be what remains without it, and the push
# couldn't predict that. So test each $b$ for it, and keep the ones that pass:
#
# $$\left\{\, b : \frac{(\pi_Y - b\,\pi_T)^2}{V_{YY} - 2bV_{YT} + b^2V_{TT}} \le 3.84 \right\},$$
#
# with $\pi_Y$, $\pi_T$ the reduced form and first stage, and $V$ their covariances. Nothing is divided by $\pi_T$.
# Multiply out, and it is a quadratic in $b$. Where its leading coefficient $\pi_T^2 - 3.84\,V_{TT}$ is negative,
# which is where the first stage itself is not significant, the set has **no end**.


# %%
def quadratic_set(y, t, z):
    """The three coefficients a, b, c of the set {b : a b^2 + b b + c <= 0}; a < 0 means that it has no end."""
    pieces = []
    for column in (y, t):
        gap = column[z == 1].mean() - column[z == 0].mean()
        centred = column - np.where(z == 1, column[z == 1].mean(), column[z == 0].mean())
        pieces.append((gap, centred * np.where(z == 1, 1 / (z == 1).sum(), -1 / (z == 0).sum())))
    (gap_y, score_y), (gap_t, score_t) = pieces
    cut = 1.959964**2
    return (
        gap_t**2 - cut * score_t @ score_t,
        -2 * (gap_y * gap_t - cut * score_y @ score_t),
        gap_y**2 - cut * score_y @ score_y,
    )


robust = anderson_rubin(y, t, z)
ends = np.sort(np.roots(quadratic_set(y, t, z)))
assert robust.shape == "interval" and np.allclose(ends, robust.pieces[0], atol=1e-6)
pd.DataFrame(
    {"two stages": [effect.low, effect.high], "Anderson-Rubin": [robust.low, robust.high]}, index=["low", "high"]
).T.round(4)

# %% tags=["hide-input"]
run.record("ar_low", robust.low, naive=naive.low)
run.record("ar_high", robust.high, naive=naive.high)
apart = max(abs(robust.low - effect.low), abs(robust.high - effect.high))
run.claim("with a strong push both sets nearly agree", apart < 0.1 * effect.se, apart=apart)

# %% [markdown]
# With the strong push the two sets nearly agree: being careful costs nothing. With the weak one,
# {glue:text}`unbounded:.0%` of the Anderson-Rubin sets have no end. That isn't a failure of the method. The week
# holds no answer, and the set says so. `two_stage_least_squares` refuses when the first-stage F is below ten, a rule
# of thumb from {cite:t}`staiger1997instrumental`; it flagged {glue:text}`flagged:.0%` of these weeks.
#
# The interval of the weak push is wide here, so it still holds the truth in {glue:text}`coverage_wald_faint:.0%` of
# the weeks. That is this shop's mild confounding, and no general comfort. Turn confounding up until hidden taste
# drives nearly all of both display time and purchases:


# %%
def severe(seed, pull, n=300, effect=0.0, together=0.95):
    """Minutes on display (t) and purchases (y) that share nearly all of their noise; z is a fair coin."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=(2, n))
    z = rng.integers(0, 2, n).astype(float)
    t = pull * z + shared
    return effect * t + together * shared + np.sqrt(1 - together**2) * own, t, z


pulls = (0.05, 0.15, 0.3, 0.6, 1.2)
n_draws = run.size(ci=400, full=4000)
rows = []
for pull in pulls:
    for seed in run.seeds(n_draws, f"severe, pull {pull}"):
        sample = severe(seed, pull)
        two = two_stage_least_squares(*sample, refuse="flag")
        rows.append((pull, two.first_stage.f, two.covers(0), anderson_rubin(*sample).covers(0)))
severe_runs = pd.DataFrame(rows, columns=["pull", "F", "two stages", "Anderson-Rubin"])
by_pull = severe_runs.groupby("pull").agg({"F": "median", "two stages": "mean", "Anderson-Rubin": "mean"})
by_pull.round(3)

# %% tags=["hide-input"]
noise = np.sqrt(by_pull[["two stages", "Anderson-Rubin"]] * (1 - by_pull[["two stages", "Anderson-Rubin"]]) / n_draws)
fig, ax = plt.subplots(figsize=(5.4, 3.4))
for name, color, mark in (("two stages", "accent", "X"), ("Anderson-Rubin", "treated", "o")):
    ax.errorbar(
        by_pull["F"], by_pull[name], 2 * noise[name], color=plots.COLORS[color], marker=mark, capsize=3, label=name
    )
ax.axhline(0.95, color=plots.COLORS["truth"], linestyle="--", linewidth=1.2)
ax.axvline(10, color=plots.COLORS["ink"], linestyle=":", linewidth=1.2)
ax.set(xscale="log", xlabel="median first-stage F", ylabel="share of samples that hold the truth")
ax.legend(loc="lower right")
plots.show(
    fig,
    alt="Coverage against the first-stage F on a log axis. Two stages start far below the dashed nominal level and "
    "climb to it; Anderson-Rubin stays at the dashed line throughout.",
    caption="Under severe confounding the usual interval of a weak instrument is sure and wrong. The Anderson-Rubin "
    "set keeps its promise at every strength. Bars are two Monte-Carlo errors; the dotted line is F of ten.",
)
lowest = by_pull.iloc[0]
run.record("severe_wald", lowest["two stages"], naive=0.95, kind="stochastic", mc_se=noise["two stages"].iloc[0])
run.record(
    "severe_ar", lowest["Anderson-Rubin"], truth=0.95, kind="stochastic", mc_se=noise["Anderson-Rubin"].iloc[0]
)
run.claim(
    "the usual interval covers far too seldom when weak", lowest["two stages"] < 0.85, share=lowest["two stages"]
)
run.claim(
    "Anderson-Rubin keeps its level at every strength",
    (np.abs(by_pull["Anderson-Rubin"] - 0.95) < 4 * np.sqrt(0.05 * 0.95 / n_draws)).all(),
)

# %% [markdown]
# With the weakest pull, the usual interval holds the truth in {glue:text}`severe_wald:.0%` of the samples, the
# Anderson-Rubin set in {glue:text}`severe_ar:.0%`. Even an F of ten is a convention, not a guarantee
# {cite:p}`lee2022valid`. The set needs no such rule {cite:p}`andrews2019weak`.
#
# ## Who the compliers are
#
# A LATE is an answer about people whom nobody can point at: a pushed and shown pair may be a complier or an
# always-taker. Yet their *means* can be had. {cite:t}`abadie2003semiparametric` weights each row by
#
# $$\kappa = 1 - \frac{T(1 - Z)}{1 - p} - \frac{(1 - T)Z}{p}, \qquad p = P(Z = 1),$$
#
# which takes the other two kinds out on average. For a trial, we can check it. Lena tests a new shelf that ranks by
# effect against the popular one. Half the users are assigned to it; some never see it (an old app), some see it
# anyway (a shared link). This is an {term}`encouragement design`: assigned is the coin, received is the treatment.

# %%
arms, half = ("popular", "uplift"), {"compliance": 0.5}
trial = shop.ab_test(*arms, n=40_000, seed=run.seed, **half)
yt, received, assigned = (trial[c].to_numpy(float) for c in ("consumed", "received", "assigned"))
itt = difference_in_means(yt, assigned, clusters=trial["user"], estimand="ITT")
on_compliers = two_stage_least_squares(yt, received, assigned, clusters=trial["user"])
who = complier_means(trial[["activity", "age"]], received, assigned, clusters=trial["user"])
kinds = shop.truth.compliance_types(**half)
true_activity = shop.users["activity"].groupby(kinds.to_numpy()).mean()
who.round(2)

# %% tags=["hide-input"]
true_itt = shop.truth.ab_effect(*arms, estimand="itt", **half)
true_late = shop.truth.ab_effect(*arms, estimand="late", **half)
true_ate = shop.truth.ab_effect(*arms, estimand="ate", **half)
run.record("trial_itt", itt, truth=true_itt)
run.record("trial_late", on_compliers, truth=true_late, naive=itt.value)
run.record("trial_ate", true_ate)
run.record("complier_share", who.loc["share", "compliers"], truth=float((kinds == "complier").mean()))
run.record("complier_activity", who.loc["activity", "compliers"], truth=true_activity["complier"],
           naive=who.loc["activity", "all"])  # fmt: skip
run.record("never_activity", who.loc["activity", "never_takers"], truth=true_activity["never-taker"])
run.record("all_activity", who.loc["activity", "all"])
pushed_pairs = complier_means(log[columns], t, z)
run.record("complier_popularity", pushed_pairs.loc["log_popularity", "compliers"])
run.record("all_popularity", pushed_pairs.loc["log_popularity", "all"])
gap = pushed_pairs.loc["log_popularity", "compliers"] - pushed_pairs.loc["log_popularity", "all"]
run.claim("compliers of the trial are more active", who.loc["activity", "compliers"] > who.loc["activity", "all"] + 1)
run.claim("the effect on compliers is above that of assignment", on_compliers.low > itt.high)
run.claim("pushed compliers are more popular pairs", gap > 5 * pushed_pairs.loc["log_popularity", "se"], gap=gap)
run.record("late_excess", late / ate - 1)
run.claim("LATE is not ATE", late / ate - 1 > 0.1, late=late, ate=ate)

# %% [markdown]
# Compliers make up {glue:text}`complier_share:.0%` of the sessions; the world says
# {glue:text}`complier_share.truth:.0%` of the users. Their activity is {glue:text}`complier_activity:.1f` on
# average, that of never-takers {glue:text}`never_activity:.1f`; the truth is
# {glue:text}`complier_activity.truth:.1f` and {glue:text}`never_activity.truth:.1f`.
#
# Being *assigned* to the new shelf is worth {glue:text}`trial_itt:.2f` purchases a session (truth
# {glue:text}`trial_itt.truth:.2f`), the {term}`intention-to-treat effect`. *Seeing* it is worth
# {glue:text}`trial_late:.2f` to compliers (truth {glue:text}`trial_late.truth:.2f`; for everybody
# {glue:text}`trial_ate:.2f`). If she rolls the shelf out as in the trial, Lena needs the first. If she makes
# *everybody* see it, she needs the effect on everybody, and neither of the two is that.
#
# For the push, the compliers are pairs on which the ranker was undecided. Their items are more popular than all
# pairs' ({glue:text}`complier_popularity:.2f` against {glue:text}`all_popularity:.2f`, log scale). Their effect is
# {glue:text}`late:.4f`, the average one {glue:text}`ate:.4f`: the first is {glue:text}`late_excess:.0%` larger. In
# another shop it may be several times as large, or smaller.
#
# ## Real instruments
#
# **Rice farmers.** {cite:t}`cai2015social` offered insurance to farmers in two rounds. In the first, the default
# option was drawn at random: *buy*, or *don't buy*. Does it matter to a farmer of the second round how many around
# her bought before? Places in which many buy differ in more than that; the default is the coin. It was the same for
# all of a hamlet, so errors are clustered there. Exclusion asks that it worked on others through purchases alone, and
# not, say, through talk about the offer.

# %%
farmers = data.load("insurance_network").dropna()
own = ["male", "age", "household_size", "rice_area", "literate", "intensive", "risk_aversion", "disaster_probability"]
village = pd.get_dummies(farmers["village"], prefix="village", drop_first=True, dtype=float)
neighbours = two_stage_least_squares(
    farmers["takeup"], farmers["earlier_takeup"], farmers["default_buy"],
    pd.concat([farmers[own], village], axis=1), clusters=farmers["hamlet"],
)  # fmt: skip
neighbours_set = anderson_rubin(
    farmers["takeup"], farmers["earlier_takeup"], farmers["default_buy"],
    pd.concat([farmers[own], village], axis=1), clusters=farmers["hamlet"],
)  # fmt: skip
run.record("cai", neighbours)
run.record("cai_naive", np.polyfit(farmers["earlier_takeup"], farmers["takeup"], 1)[0], truth=neighbours.value)
run.record("cai_first", neighbours.first_stage.slope[0], naive=1.0)
run.record("cai_first_se", neighbours.first_stage.se[0])
run.record("cai_f", neighbours.first_stage.f)
run.record("cai_ar_low", neighbours_set.low)
run.record("cai_ar_high", neighbours_set.high)
right, left = neighbours_set.high - neighbours.high, neighbours.low - neighbours_set.low
run.claim("one default a hamlet", farmers.groupby("hamlet")["default_buy"].nunique().max() == 1)
run.claim("the Anderson-Rubin set reaches further to the right than two stages", right > 0.1 > left, right=right)
neighbours

# %% [markdown]
# The default moves the earlier share by {glue:text}`cai_first:.3f` (error {glue:text}`cai_first_se:.3f`, F of
# {glue:text}`cai_f:.1f`). The effect is {glue:text}`cai:.3f`, interval {glue:text}`cai.low:.2f` to
# {glue:text}`cai.high:.2f`. The Anderson-Rubin set runs from {glue:text}`cai_ar_low:.2f` to
# {glue:text}`cai_ar_high:.2f`, further on the right: an F near ten is not yet comfort. An effect above one is no
# probability; the straight line does not know that.
#
# ## When it breaks
#
# **The cut-off was chosen after looking.** Smokers in states where cigarettes cost more may quit more often. So price
# is {cite:t}`hernan2020causal`'s instrument for the effect of quitting on weight. A price must become *high* or *low*
# somewhere:

# %%
smokers = data.load("nhefs").dropna(subset=["price82", "wt82_71"])
crude = difference_in_means(smokers["wt82_71"], smokers["qsmk"])
cuts = {}
for cut in (1.5, 1.6, 1.7, 1.8, 1.9):
    high_price = (smokers["price82"] >= cut).astype(float)
    columns_of = (smokers["wt82_71"], smokers["qsmk"], high_price)
    found = two_stage_least_squares(*columns_of, se="classical", refuse="flag")
    cuts[cut] = (found, anderson_rubin(*columns_of))
    run.record(f"nhefs_{10 * cut:.0f}", found, naive=crude)
cut_table = pd.DataFrame(
    {
        f"$ {cut} or more": {
            "kg, two stages": f"{found.value:.2f}",
            "interval": f"{found.low:.0f} to {found.high:.0f}",
            "first-stage F": f"{found.first_stage.f:.2f}",
            "Anderson-Rubin": allowed.shape,
        }
        for cut, (found, allowed) in cuts.items()
    }
).T
run.claim("every set is the whole line", all(allowed.shape == "whole line" for _, allowed in cuts.values()))
cut_table

# %% [markdown]
# At the first cut-off, quitting adds {glue:text}`nhefs_15:.2f` kg. Adjusting for columns, in
# {doc}`Propensity weighting </chapters/weighting/01_propensity_weighting>`, gives
# {glue:text}`weighting/01_propensity_weighting::nhefs_ipw:.2f` kg. That looks like a confirmation, until one reads
# the interval: {glue:text}`nhefs_15.low:.1f` to {glue:text}`nhefs_15.high:.1f`. The next cut-off says
# {glue:text}`nhefs_16:.2f`, the one after it {glue:text}`nhefs_17:.2f`. All five Anderson-Rubin sets are the whole
# line: price, cut like this, says nothing about the effect. Whoever tries cut-offs until one looks right has found
# nothing but the wish.
#
# **The push reminds people.** A notification shows a picture of the dress; some buy it without ever meeting the
# display. Exclusion fails. Let a push alone sell to a few in a hundred, and let the push that moves displays get
# weaker:


# %%
def smallest_slack(y, t, z):
    """By how many standard errors the tightest of the four inequalities holds; far below zero refutes them."""
    slacks = []
    for value, arm in ((0, 0), (0, 1), (1, 0), (1, 1)):
        hit = ((y == value) & (t == arm)).astype(float)
        more, less = hit[z == arm], hit[z != arm]
        slacks.append((more.mean() - less.mean()) / np.sqrt(more.var() / len(more) + less.var() / len(less)))
    return min(slacks)


reminded = run.rng.random(len(log)) < 0.03
rows = {}
for kappa in (2.0, 1.0, 0.5):
    this = make_world(confounding="hidden", parameters=Parameters(kappa=kappa))
    y0, t0, z0 = arrays(this.exposure_log(n_pairs=len(log), seed=run.seed))
    y1 = np.maximum(y0, z0 * reminded)
    clean, spoilt = two_stage_least_squares(y0, t0, z0), two_stage_least_squares(y1, t0, z0)
    rows[kappa] = {
        "first stage": first_stage(t0, z0).slope[0],
        "direct effect of a push": (y1 - y0)[z0 == 1].mean(),
        "without the leak": clean.value,
        "with it": spoilt.value,
        "error it adds": spoilt.value - clean.value,
        "F": spoilt.first_stage.f,
        "smallest slack": smallest_slack(y1, t0, z0),
    }
leak = pd.DataFrame(rows).T.rename_axis("kappa")
leak.round(3)

# %% tags=["hide-input"]
predicted_bias = leak["direct effect of a push"] / leak["first stage"]
assert np.allclose(predicted_bias, leak["error it adds"])
run.record("leak_strong", leak.loc[2.0, "error it adds"], truth=0.0)
run.record("leak_weak", leak.loc[0.5, "error it adds"], truth=0.0, naive=leak.loc[2.0, "error it adds"])
run.record("leak", leak.loc[2.0, "direct effect of a push"])
run.record("leak_f", leak.loc[0.5, "F"])
run.record("slack_strong", leak.loc[2.0, "smallest slack"])
run.record("slack_weak", -leak.loc[0.5, "smallest slack"], naive=-leak.loc[2.0, "smallest slack"])
run.claim("the inequalities refute the weak push, not the strong",
          leak.loc[0.5, "smallest slack"] < -5 and leak.loc[2.0, "smallest slack"] > 5)  # fmt: skip
run.claim("the weaker the push, the larger the error", leak["error it adds"].is_monotonic_increasing)
run.claim("F is far above ten in each of them", (leak["F"] > 100).all())

# %% [markdown]
# The error that a direct effect $\delta$ adds is $\delta$ divided by the first stage. The same leak of
# {glue:text}`leak:.3f` moves the answer by {glue:text}`leak_strong:.2f` with the strong push and by
# {glue:text}`leak_weak:.2f` with one a quarter as strong. F sounds no alarm: even there it is
# {glue:text}`leak_f:.0f`. The inequalities do: with the weak push one of them fails by {glue:text}`slack_weak:.1f`
# standard errors, for more pairs are bought without a display when pushed. With the strong push all hold, the
# tightest by {glue:text}`slack_strong:.1f`, though the leak is the same: compliers outweigh it. What else one can do:
# look for people whom the push can't get a display for (the item is sold out), where its effect on purchases must be
# zero; or use a coin that nobody notices, such as a swapped rank.
#
# **Some do the opposite.** For users who mute whatever is pushed, a push makes a display *less* likely:
# {term}`defiers <complier>`. Their effect then enters with a minus sign:
#
# $$\frac{E[Y \mid Z = 1] - E[Y \mid Z = 0]}{E[T \mid Z = 1] - E[T \mid Z = 0]}
# = \frac{p_c\,\tau_c - p_d\,\tau_d}{p_c - p_d}.$$

# %%
n = 200_000
kind = run.rng.choice(["complier", "defier", "never"], size=n, p=[0.4, 0.15, 0.45])
coin = run.rng.integers(0, 2, n).astype(float)
shown = np.select([kind == "complier", kind == "defier"], [coin, 1 - coin], 0.0)
helps = np.select([kind == "complier", kind == "defier"], [0.1, 0.4], 0.1)  # everybody's effect is positive
bought = (run.rng.random(n) < 0.2 + helps * shown).astype(float)
with_defiers = two_stage_least_squares(bought, shown, coin)
expected = (0.4 * 0.1 - 0.15 * 0.4) / (0.4 - 0.15)
run.record("defiers", with_defiers, truth=expected, naive=0.1)
run.record("defiers_f", with_defiers.first_stage.f)
run.record("defiers_slack", smallest_slack(bought, shown, coin), kind="stochastic", mc_se=1.0)
run.claim("the inequalities see nothing of it", smallest_slack(bought, shown, coin) > 5)
run.claim("every effect is positive, the estimate negative", with_defiers.high < 0 < helps.min())
with_defiers

# %% [markdown]
# A display helps every single user, and the estimate is {glue:text}`defiers:.3f`, with an F of
# {glue:text}`defiers_f:.0f`. The inequalities see nothing: the tightest holds by {glue:text}`defiers_slack:.0f`
# standard errors. An instrument that pushes some towards the treatment and others away can't judge it. Ask what the
# push does to *one* user, not to the average.
#
# ## What this means for a language-model recommender
#
# A language model that ranks has more hidden causes than any ranker before it: whatever it read in a review or a chat
# may move both the order and the purchase. But it also makes coins easy to come by.
#
# - **The order of candidates in the prompt.** Models favour what they read early. Shuffle the candidates, log the
#   order, and an item's place in the prompt is an instrument for its being shown. It costs nothing, and users don't
#   see it. But the place may also move an item's rank and what is shown beside it: exclusion needs that it changes
#   only *whether* the item is shown. And it may be weak: look at F.
# - **A prompt variant.** Random by session, it moves *which* items are shown. It also moves the words around them. If
#   the words sell, exclusion fails, as with the push.
# - **Monotonicity isn't free.** A prompt that shows more of one kind of item shows less of another. For any one item
#   there are users for whom the new prompt took it away.
# - **A sampled token is a coin** with a known chance. If it was logged, and every item had a chance, don't use it as
#   an instrument: weight by it ({doc}`Propensity weighting </chapters/weighting/01_propensity_weighting>`), and get
#   the effect on everybody.
#
# ## Exercises
#
# ### Exercise 1: an effect from four means
#
# Return the Wald ratio from outcomes `y`, displays `t` and pushes `z`.
#
# <details><summary>Hint</summary>
#
# How much more do pushed pairs buy? How much more often are they shown?
#
# </details>


# %% tags=["exercise"]
def wald_ratio(y, t, z):
    """Return the effect of t on y among those whom z moves."""
    # BEGIN SOLUTION
    return (y[z == 1].mean() - y[z == 0].mean()) / (t[z == 1].mean() - t[z == 0].mean())
    # END SOLUTION


# %% tags=["check"]
check("latent/02.1", wald_ratio)

# %% [markdown]
# ### Exercise 2: who the compliers are
#
# Return the share of compliers and the mean of `x` among them, from `x`, displays `t` and pushes `z`, as an array of
# two numbers. Use Abadie's $\kappa$.
#
# <details><summary>Hint</summary>
#
# Give each row its $\kappa$. What is the mean of $\kappa$? And what does a mean weighted by $\kappa$ say?
#
# </details>


# %% tags=["exercise"]
def compliers(x, t, z):
    """Return the share of compliers and their mean of x, an array of shape (2,)."""
    # BEGIN SOLUTION
    p = z.mean()
    kappa = 1 - t * (1 - z) / (1 - p) - (1 - t) * z / p
    return np.array([kappa.mean(), (kappa * x).mean() / kappa.mean()])
    # END SOLUTION


# %% tags=["check"]
check("latent/02.2", compliers)

# %% [markdown]
# ### Exercise 3: test one value
#
# Return the Anderson-Rubin statistic of the value `b`: the squared difference of the means of $y - bt$ between pushed
# and not pushed, over its variance. Each group has a variance of its own: the mean squared deviation from its own
# mean, divided by its number of rows.
#
# <details><summary>Hint</summary>
#
# If the effect were `b`, what would be left of `y`, and could the push predict it?
#
# </details>


# %% tags=["exercise"]
def ar_statistic(y, t, z, b):
    """Return the Anderson-Rubin statistic at b; 3.84 or more rejects b."""
    # BEGIN SOLUTION
    rest = y - b * t
    pushed, others = rest[z == 1], rest[z == 0]
    return (pushed.mean() - others.mean()) ** 2 / (pushed.var() / len(pushed) + others.var() / len(others))
    # END SOLUTION


# %% tags=["check"]
check("latent/02.3", ar_statistic)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague ran the two regressions by hand. The estimate is right, its error is not:
#
# ```python
# def estimate_and_error(y, t, z):
#     first = np.column_stack([np.ones(len(y)), z])
#     predicted = first @ np.linalg.lstsq(first, t, rcond=None)[0]
#     second = np.column_stack([np.ones(len(y)), predicted])
#     beta = np.linalg.lstsq(second, y, rcond=None)[0]
#     residual = y - second @ beta
#     variance = residual @ residual / len(y)
#     return beta[1], np.sqrt(variance * np.linalg.inv(second.T @ second)[1, 1])
# ```
#
# Find the error and mend it. Keep one variance for all rows, and divide by the number of rows as the colleague does.
#
# <details><summary>Hint</summary>
#
# What does a user's purchase depend on: on what she saw, or on what the first stage thinks that she saw?
#
# </details>


# %% tags=["exercise"]
def estimate_and_error(y, t, z):
    """Return the two-stage estimate and its standard error, an array of shape (2,)."""
    # BEGIN SOLUTION
    first = np.column_stack([np.ones(len(y)), z])
    predicted = first @ np.linalg.lstsq(first, t, rcond=None)[0]
    second = np.column_stack([np.ones(len(y)), predicted])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - np.column_stack([np.ones(len(y)), t]) @ beta
    variance = residual @ residual / len(y)
    return np.array([beta[1], np.sqrt(variance * np.linalg.inv(second.T @ second)[1, 1])])
    # END SOLUTION


# %% tags=["check"]
check("latent/02.4", estimate_and_error)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "A push was drawn by a fair coin. Which assumption can still fail?",
    {
        "Independence": (False, "The coin gives it: pushed and not pushed are alike but for the push."),
        "Exclusion": (True, "A coin says who was pushed, not what a push does. It may sell by itself."),
        "None, randomisation is enough": (
            False,
            "It is enough for the effect of the push. For that of the display, the push must act through it alone.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "The first-stage F is about one, and the Anderson-Rubin set is the whole line. What do you report?",
    {
        "The two-stage estimate with its interval, since it is shorter": (
            False,
            "It is shorter because it takes a ratio by a near-zero number for a normal one.",
        ),
        "That these data don't answer the question": (True, "No effect is rejected: that is the result."),
        "The whole line, and the point estimate as the best guess": (
            False,
            "The denominator may be above or below zero: even the sign of the ratio is a coin toss.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "In a trial the share of users who receive the treatment is fifty points higher among the assigned than among "
    "the others. The effect of assignment is a third. What is the effect on compliers?",
    {
        "A third": (False, "That is the effect of being assigned, diluted by those whom it doesn't move."),
        "Two thirds": (True, "Divide by the share of compliers, if assignment acts through receiving alone."),
        "A sixth": (False, "That dilutes once more. The effect of assignment is already diluted."),
    },
)

# %% tags=["quiz"]
quiz(
    "Two shops have the same LATE of a push. Do they have the same average effect of a display?",
    {
        "Yes, if both pushes are strong": (False, "Strength makes the LATE precise. It doesn't change whose it is."),
        "Yes, if exclusion holds": (False, "Exclusion makes it an effect. It doesn't make compliers everybody."),
        "Not in general": (True, "The compliers differ, and effects differ between them and the rest."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - A coin that moves the display measures the display, hidden causes or not, if it acts through nothing else.
# - The answer is the compliers'. Say who they are: share and means can be computed.
# - Look at the first-stage F first; report the Anderson-Rubin set, whatever its shape.
# - A small leak over a small first stage is a large bias, and no test is sure to see it.
# - Choose instrument and cut-off before you look.
#
# ## Further reading
#
# - {cite:t}`angrist1996identification`: the four assumptions in potential outcomes, with what happens without them.
# - {cite:t}`andrews2019weak`: weak instruments in practice, with advice on what to report.
# - {cite:t}`montielolea2013robust`: the effective F, for several instruments and unequal variances.
# - {cite:t}`hernan2020causal`, chapter sixteen: why the assumptions are harder to believe than they look.
