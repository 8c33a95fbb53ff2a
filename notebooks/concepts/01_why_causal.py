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
#     data: [womens_reviews]
#     max_seconds: 60
# ---

# %% [markdown]
# # What a recommender log can't say
#
# Mara runs the front page of a clothes shop. On Monday she opens the weekly report. The recommender put one item
# in front of {glue:text}`best_shown:,d` people, and {glue:text}`best_bought:,d` of them bought it. No other item
# sold as much from that page. Merchandising wants it to stay on top.
#
# One number is missing from the report: **how many of these people would have bought it anyway?**
#
# Mara's log can't say. Her shop is simulated, so we can look: {glue:text}`best_anyway:,d` of the same people
# would have bought the item had it *not* been shown. The bestseller of the report made
# {glue:text}`best_caused:,d` sales: the displays put off more people than they won.
#
# Further down the report is an item that hardly anybody knows, shown to {glue:text}`quiet_shown:,d` people and
# bought by {glue:text}`quiet_bought:,d`. Without the recommender, {glue:text}`quiet_anyway:,d` of them would have
# found it. That slot earned {glue:text}`quiet_caused:,d` sales, and no column of the report says that this slot
# works and the first does not.
#
# This course is about getting the second kind of number from data of the first kind: when that works, what it
# costs, and how one notices that it does not.
#
# **You will be able to**
#
# - say which of four effects ({term}`ATE`, {term}`ATT`, {term}`CATE`, {term}`policy value`) a decision needs;
# - show how a log misleads by {term}`confounding`, by position, and by a recommender that learns from its own
#   log;
# - name the four assumptions behind an effect from a log, and what each looks like when it fails;
# - estimate an effect by {term}`inverse probability weighting` in a few lines, and test its interval against the
#   truth;
# - say what a language model changes in all this, and what it leaves as it was.
#
# **Before you start:** you have trained or run a {term}`recommender system` and know what a standard error is. No
# causal inference is needed.
#
# **Time:** about 45 minutes to read, 40 for the exercises.
#
# **Data:** customer reviews of women's clothes, as the texts of the items; users, displays and purchases are
# simulated.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import statsmodels.api as sm

from causalrec_lib import course, plots, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import World, make_world
from causalrec_lib.estimate import Estimate, NotConverged

run = course.start(PROFILE, SEED, chapter="concepts/01_why_causal")
world = make_world()
world

# %% [markdown]
# ## What happened anyway
#
# A week in this shop is a table with one row for every pair of a user and an item: was the item shown
# (`exposed`), and did the user buy it within the week (`consumed`)? People buy without being shown, too: they
# search, they browse, a friend wears it.
#
# Only because the shop is simulated can we put two columns beside the log that no real log has: what each pair
# would have done *without* the display and *with* it.

# %%
week = world.exposure_log(seed=run.seed)
y0, y1 = (y.ravel() for y in world.truth.potential_outcomes(run.seed))  # no real log has these two
week = week.assign(bought_if_not_shown=y0, bought_if_shown=y1)
exact = world.truth.pairs(week)  # the probabilities behind them: p0, p1, tau = p1 - p0
shown = week[week["exposed"] == 1]

report = shown.groupby("item")[["exposed", "consumed", "bought_if_not_shown"]].sum()
report.columns = ["shown", "bought", "anyway"]
report["made"] = report["bought"] - report["anyway"]  # sales that the displays made
best = report["bought"].idxmax()  # the bestseller of the report
gain = exact.loc[shown.index, "tau"].groupby(shown["item"]).mean()
quiet = gain[report["shown"] >= 200].idxmax()  # where a display is expected to sell most
report.loc[[best, quiet]].assign(review=world.items["text"].str.slice(0, 40) + " ...")

# %% [markdown]
# The second row was picked by what is hidden, to show the contrast, so look at all items. Sort them into ten
# groups by popularity, take all displays of a group, and split each hundred displays by what they did.

# %%
decile = pd.qcut(world.items["log_popularity"].rank(method="first"), 10, labels=range(1, 11)).astype(int)
without, with_it = shown["bought_if_not_shown"], shown["bought_if_shown"]
did = pd.DataFrame(
    {
        "bought, and would have anyway": without & with_it,
        "bought because it was shown": (1 - without) & with_it,
        "sale lost because it was shown": -(without & (1 - with_it)),
    }
)
hundred = 100 * did.groupby(shown["item"].map(decile)).mean()

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.0, 4.6))
bottom = np.zeros(10)
for (label, bar), color in zip(hundred.items(), ("naive", "estimate", "warn"), strict=True):
    base = bottom if (bar >= 0).all() else 0
    ax.bar(hundred.index, bar, bottom=base, color=plots.COLORS[color], label=label, width=0.8)
    bottom = bottom + bar.clip(lower=0)
ax.axhline(0, color=plots.COLORS["ink"], linewidth=0.8)
ax.set(xticks=range(1, 11), xlabel="popularity: tenth of the catalogue", ylabel="per hundred displays")
ax.set_title("You see the height of a bar. You pay for the blue.")
fig.legend(loc="outside lower center", ncols=1)
plots.show(
    fig,
    alt="Stacked bars over ten popularity groups. Purchases per hundred displays are about equally many in "
    "all groups. Nearly all of them are caused by the display for little-known items; nearly all would "
    "have happened anyway for the most popular ones, where more sales are put off than made.",
    caption="Purchases per hundred displays, split by what the display did. The log sees grey and blue as one "
    "bar, and the bars are about equally tall. Blue shrinks from nearly all to nearly nothing; orange "
    "counts sales that the display put off.",
)
for name, item in (("best", best), ("quiet", quiet)):
    for column in ("shown", "bought", "anyway"):
        run.record(f"{name}_{column}", report.loc[item, column])
    run.record(f"{name}_caused", report.loc[item, "made"], naive=report.loc[item, "bought"])
top = report.nlargest(100, "bought")
run.record("top100_made", top["made"].sum(), naive=top["bought"].sum())
run.record("top100_bought", top["bought"].sum())
on_average = exact[["p1", "tau"]].mul(exact["propensity"], axis=0).groupby(week["item"]).sum()  # sold, made; a week
run.record(
    "top100_on_average", on_average.nlargest(100, "p1")["tau"].sum(), naive=on_average["p1"].nlargest(100).sum()
)
run.record("top_bought", hundred.iloc[-1, :2].sum())
run.record("top_net", hundred.iloc[-1, 1:].sum(), naive=hundred.iloc[-1, :2].sum())
run.record("low_bought", hundred.iloc[0, :2].sum())
run.record("low_net", hundred.iloc[0, 1:].sum(), naive=hundred.iloc[0, :2].sum())
run.record("share_put_off", float((exact["tau"] < 0).mean()))

# %% [markdown]
# In the most popular tenth, a hundred displays go with {glue:text}`top_bought:.1f` purchases and change them by
# {glue:text}`top_net:.1f`. In the least popular tenth they go with {glue:text}`low_bought:.1f` and make
# {glue:text}`low_net:.1f`. To the log these are two bars of the same height. A report sorted by purchases is worse
# than blind: popular items are shown most, so the slots that do least come on top. The hundred items that lead
# this week's report sold {glue:text}`top100_bought:,d` pieces from the page, of which the page made
# {glue:text}`top100_made:,d`. Even that is luck: over many weeks, displaying the hundred that sell most
# changes sales by {glue:text}`top100_on_average:,.0f` a week.
#
# :::{note}
# How much of this is our doing? All of it: we wrote the shop. People there find popular items by themselves, and
# for {glue:text}`share_put_off:.0%` of the pairs a display makes a purchase less likely. Your shop has its own
# numbers. What carries over is that the report can't tell the two kinds of shop apart. One more reservation: the
# simulator draws both outcomes of a pair from one coin, so it knows the grey, blue and orange parts singly. An
# experiment would reveal only the *net* of blue and orange, and that is all we will ask for from here on.
# :::
#
# ## The shop, as arrows
#
# An arrow says "is a direct cause of". A missing arrow says more: "is not". A solid box is a column of the log, a
# dashed box is something that the platform does not have.

# %% tags=["hide-input"]
parts = "segment activity score popularity quality hidden annoyed marketing exposed consumed"
place = {
    **{"segment": (0, 3.5), "quality": (0, -0.3), "score": (1.5, 3), "activity": (1.5, 2.1), "marketing": (1.5, 1.2)},
    **{"hidden": (1.5, 0.2), "popularity": (1.5, -0.8), "exposed": (2.9, 1.2), "annoyed": (2.9, 3.9)},
    **{"consumed": (4.3, 1.2)},
}
graph = world.dag().subgraph(parts.split()).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Score, activity and popularity each point to both exposed and consumed. Exposed "
    "points to consumed. A marketing coin points to exposed only. Hidden affinity and annoyance point "
    "to consumed only.",
    caption="What makes a display (orange arrows) and what makes a purchase. Score, activity and popularity do "
    "both: they are the confounders. The blue arrow is what we are after. Price, text, stars, time and "
    "friends are left out here.",
    figsize=(6.8, 4.8),
)

# %% [markdown]
# In words. Every **item** has real reviews, a price, a hidden quality and a popularity. Every **user** has an
# age, a segment, an activity, and a taste of which the platform knows a part: its model turns that part into a
# `score` for each item. The recommender shows a pair more often the higher its score, its popularity (from before
# this week) and the user's activity. All three also make people buy *without* it. A marketing coin, which has
# nothing to do with taste, nudges some displays; a later chapter lives on it. A purchase further depends on
# hidden taste and quality, on the price, and on the display: a display helps most for an item that the user would
# like and would not have found.
#
# {doc}`The whole graph and every equation </chapters/reference/world>` have a page of their own.
#
# Here is what the platform gets to see, for three pairs:

# %%
log = world.exposure_log(n_pairs=run.size(ci=50_000, full=400_000), seed=run.seed)
log.drop(columns=["user", "item", "n_reviews", "activity"]).head(3).T

# %% [markdown]
# ## The naive answer, and how far off it is
#
# The quickest answer compares shown with not shown: the share that buys, among each. Call the display $T$, the
# purchase $Y$:
#
# $$\widehat{\Delta} = \bar Y_{T=1} - \bar Y_{T=0}.$$


# %%
def difference(y, t, groups=None):
    """Difference in means; rows of one group (say, one user) may depend on each other."""
    m1, m0 = y[t == 1].mean(), y[t == 0].mean()
    # what each row adds to the error; their squares sum up to its variance
    of_shown, of_others = (y - m1) / t.mean(), -(y - m0) / (1 - t.mean())
    influence = np.where(t == 1, of_shown, of_others) / len(y)
    if groups is not None:
        influence = np.bincount(np.unique(groups, return_inverse=True)[1], influence)
    se = float(np.sqrt((influence**2).sum()))
    return Estimate(m1 - m0, se, "ATE", "difference in means", len(y))


def arrays(frame):
    """Outcome and treatment of a log as arrays."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


naive = difference(*arrays(log))
truth = world.truth
bought = log.groupby("exposed")["consumed"].agg(pairs="size", share_bought="mean")
bought.rename(index={0: "not shown", 1: "shown"}).round(4)

# %% [markdown]
# The log says that a display adds {glue:text}`naive:.3f` to the chance of a purchase: about
# {glue:text}`naive_per_hundred:.0f` sales per hundred displays, with a tight interval. The truth, averaged over
# all pairs, is {glue:text}`ate:.3f`; over the pairs that were really shown it is {glue:text}`att:.3f`. The naive
# answer lies {glue:text}`naive_in_se:.0f` standard errors from the truth. More rows would only shrink the
# standard error.
#
# Where does the rest come from? Add and subtract what the shown would have done without the display. Write $Y(1)$
# and $Y(0)$ for the purchase with and without it:
#
# $$\begin{aligned}
# \underbrace{E[Y \mid T=1] - E[Y \mid T=0]}_{\text{what the log compares}}
# &= \underbrace{E[Y(1) - Y(0) \mid T=1]}_{\text{what displays did}} \\
# &+ \underbrace{E[Y(0) \mid T=1] - E[Y(0) \mid T=0]}_{\text{the shown were buyers already}}
# \end{aligned}$$

# %% tags=["hide-input"]
e, p0, p1 = exact["propensity"], exact["p0"], exact["p1"]
had_shown, had_not_shown = np.average(p0, weights=e), np.average(p0, weights=1 - e)
run.record("naive", naive, truth=truth.ate())
run.record("ate", truth.ate(), naive=naive)
run.record("att", truth.att(), naive=naive)
run.record("naive_in_se", abs(naive.value - truth.ate()) / naive.se)
run.record("selection", had_shown - had_not_shown)
run.record("had_shown", had_shown)
run.record("had_not_shown", had_not_shown)
run.record("naive_exact", np.average(p1, weights=e) - had_not_shown)
assert np.isclose(np.average(p1, weights=e) - had_not_shown, truth.att() + had_shown - had_not_shown, atol=1e-6)
run.record("naive_per_hundred", 100 * naive.value)

fig, ax = plt.subplots(figsize=(6.6, 2.2))
pieces = {"what displays did (ATT)": truth.att(), "the shown were buyers already": had_shown - had_not_shown}
start = 0.0
for (label, width), color in zip(pieces.items(), ("estimate", "naive"), strict=True):
    ax.barh(0, width, left=start, color=plots.COLORS[color], height=0.6)
    ax.text(start + width / 2, 0.4, f"{label}\n{width:.3f}", ha="center", va="bottom")
    start += width
ax.plot([truth.ate()] * 2, [-0.4, 0.36], color=plots.COLORS["truth"], linestyle="--", linewidth=1.5)
ax.text(truth.ate(), -0.45, f"truth for all pairs (ATE): {truth.ate():.3f}", ha="center", va="top")
ax.set(ylim=(-0.85, 1.1), yticks=[], xlabel="difference in the chance of a purchase, shown minus not shown")
plots.show(
    fig,
    alt="One horizontal bar, the naive difference, split into two parts: the effect of displays on the "
    "shown, and a slightly larger part by which the shown would have bought more anyway. A dashed line "
    "marks the true average effect.",
    caption="The naive difference taken apart. About half of it is no effect at all: the recommender shows "
    "things to people who are likelier to buy them anyway.",
)

# %% [markdown]
# Without any display, the shown would have bought at a rate of {glue:text}`had_shown:.3f` and the others at
# {glue:text}`had_not_shown:.3f`. The recommender is *good at its job*, and that is what spoils the comparison.
# This is {term}`selection bias` by {term}`confounding`: score, popularity and activity move both the display and
# the purchase.
#
# ## The log feeds on itself
#
# One wrong number would be bad enough. A recommender acts on it, writes next week's log, and learns from that.
# Let three recommenders live in the same shop. Each week they spread the same number of displays and retrain on
# the log so far. One ranks items by their *counts* of purchases. One ranks by purchases *per display* and leaves
# one display in ten to chance. One never learns. Chance plays a part in what sells first, so each gets many runs.

# %%
n_runs = run.size(ci=12, full=200)
loops = {
    how: pd.concat([world.feedback_loop(20, retrain=how, seed=run.seed + k).assign(run=k) for k in range(n_runs)])
    for how in run.progress(("clicks", "weighted", "random"), "recommenders")
}

# %% tags=["hide-input"]
names = {"clicks": "learns from counts", "weighted": "learns per display", "random": "never learns"}
styles = {"clicks": ("warn", "-"), "weighted": ("estimate", "--"), "random": ("naive", ":")}
panels = {"reward": "bought when shown", "lift": "made by the display", "effective_items": "items with attention"}

fig, axes = plt.subplots(1, 3, figsize=(7.2, 3.3))
for ax, (column, title) in zip(axes, panels.items(), strict=True):
    for how, loop in loops.items():
        color, line = styles[how]
        weekly = loop.pivot_table(column, index="round", columns="run")
        if how == "clicks":
            ax.plot(weekly, color=plots.COLORS[color], linewidth=0.6, alpha=0.35)
        label = names[how] if column == "reward" else None
        ax.plot(weekly.mean(axis=1), line, color=plots.COLORS[color], linewidth=2.4, label=label)
    ax.set(title=title, xlabel="week", ylim=(0, None), xticks=(0, 10, 20))
fig.legend(loc="outside lower center", ncols=3)
plots.show(
    fig,
    alt="Three line charts over twenty weeks for three recommenders. For the one that learns from counts, "
    "purchases among displays rise steeply in every run; the purchases that its displays cause scatter "
    "widely and gain nothing on average; the number of items with attention collapses in every run.",
    caption="A recommender that learns from counts (orange; thin lines are single runs). Left: the dashboard "
    "cheers in every run. Middle: what the displays add stalls, and where it ends is luck. Right: "
    "attention collapses onto few items. Dividing by displays and exploring (dashed) keeps learning "
    "something.",
)

# %% tags=["hide-input"]
ends = {how: loop[loop["round"] == 20] for how, loop in loops.items()}
begin = loops["clicks"][loops["clicks"]["round"] == 0]
for column in ("reward", "lift", "effective_items", "top_1pct_share"):
    final = ends["clicks"][column]
    run.record(f"loop_{column}_first", begin[column].mean())
    run.record(f"loop_{column}_last", final.mean(), kind="stochastic", mc_se=final.std() / np.sqrt(n_runs))
run.record("loop_runs", n_runs)
run.record("loop_lift_worst", ends["clicks"]["lift"].min())
run.record("loop_lift_best", ends["clicks"]["lift"].max())
run.record("loop_random_lift", ends["random"]["lift"].mean())
per_display = ends["weighted"]["lift"]
run.record("loop_weighted_lift", per_display.mean(), kind="stochastic", mc_se=per_display.std() / np.sqrt(n_runs))
doubled = ends["clicks"]["reward"].to_numpy() > 2 * begin["reward"].to_numpy()
run.record("loop_doubled", doubled.mean())
shops = []
for shop_seed in (1, 2, 3):  # the same equations, other items and tastes
    other = make_world(seed=shop_seed)
    lives = [other.feedback_loop(20, retrain="clicks", seed=run.seed + k) for k in range(3)]
    shops.append((np.mean([life["lift"].iloc[-1] for life in lives]),
                  min(life["reward"].iloc[-1] / life["reward"].iloc[0] for life in lives)))  # fmt: skip
run.record("loop_shops_low", min(lift for lift, _ in shops))
run.record("loop_shops_high", max(lift for lift, _ in shops))
run.record("loop_shops_growth", min(growth for _, growth in shops))


# %% [markdown]
# Learning from counts lifts the rate on the dashboard from {glue:text}`loop_reward_first:.2f` to
# {glue:text}`loop_reward_last:.2f`. What displays *add* starts at {glue:text}`loop_lift_first:.3f` and ends, on
# average over {glue:text}`loop_runs:d` runs, at {glue:text}`loop_lift_last:.3f`; items shown at random would add
# {glue:text}`loop_random_lift:.3f`. The worst run ends at {glue:text}`loop_lift_worst:.3f`, the best at
# {glue:text}`loop_lift_best:.3f`, and in {glue:text}`loop_doubled:.0%` of all runs the dashboard shows a rate
# that has doubled. Attention shrinks from the equivalent of {glue:text}`loop_effective_items_first:.0f` items to
# {glue:text}`loop_effective_items_last:.0f`; the top hundredth of the catalogue gets
# {glue:text}`loop_top_1pct_share_last:.0%` of it. Nobody intended this. What was shown got sales, what got sales
# was shown {cite:p}`chaney2018algorithmic`. This is a {term}`feedback loop`.
#
# One shop is one shop. In three others, drawn from the same equations with other items and tastes, the dashboard
# grows at least {glue:text}`loop_shops_growth:.1f`-fold in every run, and what displays add ends, on average over
# three runs, between {glue:text}`loop_shops_low:.3f` and {glue:text}`loop_shops_high:.3f`.
#
# Dividing by displays, with a tenth left to chance, ends at {glue:text}`loop_weighted_lift:.3f`. That is better,
# and still no effect: it ranks items by how often they are bought *when shown*, not by what the display adds to
# what happens anyway.

# %% [markdown]
# ## The same clicks, two verdicts
#
# A page in Mara's shop shows ten items out of forty, ranked. Some items are sponsored and get a bonus in the
# ranking. Do customers click on sponsored items less often than on the others? We take the log of many sessions.
# In some of them the ten chosen items were shuffled before they were shown.

# %%
page = make_world(n_items=40)  # a small department of forty items
slots = page.slate_log(
    n_sessions=run.size(ci=40_000, full=200_000), slate_size=10, randomised_share=0.25, seed=run.seed
)
ranked, shuffled = slots[slots["randomised"] == 0], slots[slots["randomised"] == 1]


def sponsored_gap(s):
    """Click rate of sponsored items minus others; users are the units."""
    clicked, sponsored = s["clicked"].to_numpy(float), s["sponsored"].to_numpy()
    return difference(clicked, sponsored, groups=s["user"])


by_slot = ranked.pivot_table("clicked", index="position", columns="sponsored")
by_slot.T.rename({0: "others", 1: "sponsored"}).round(3)

# %% tags=["hide-input"]
pooled = ranked.groupby("sponsored")["clicked"].mean()
fig, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.2), sharey=True, width_ratios=(1, 2.2))
for group, color, label, mark in ((1, "treated", "sponsored", "s"), (0, "control", "others", "o")):
    left.plot([0], pooled[group], mark, color=plots.COLORS[color], markersize=9)
    left.plot(
        [1], shuffled.groupby("sponsored")["clicked"].mean()[group], mark, color=plots.COLORS[color], markersize=9
    )
    right.plot(by_slot.index, by_slot[group], marker=mark, color=plots.COLORS[color], label=label)
left.set(
    xticks=(0, 1), xlim=(-0.6, 1.6), ylabel="share clicked (log scale)", title="all slots together", yscale="log"
)
left.set_xticklabels(["ranked", "shuffled"])
right.set(xticks=range(1, 11), xlabel="slot on the page", title="slot by slot, ranked sessions")
left.set_yticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
left.minorticks_off()
right.legend()
plots.show(
    fig,
    alt="Left: in ranked sessions sponsored items have the higher click rate over all slots together, in "
    "shuffled sessions the lower one. Right: in ranked sessions sponsored items have the lower click "
    "rate in each of the ten slots.",
    caption="Simpson's paradox on one page. All slots together, sponsored items win; slot by slot they lose "
    "everywhere. Shuffling settles it: at equal slots they lose.",
)
run.record("pooled_gap", sponsored_gap(ranked))
run.record("shuffled_gap", sponsored_gap(shuffled), naive=sponsored_gap(ranked))
run.record("pooled_sponsored", pooled[1])
run.record("pooled_others", pooled[0])
run.record("slots_sponsored_lower", int((by_slot[1] < by_slot[0]).sum()))
run.record("mean_slot_sponsored", ranked.loc[ranked["sponsored"] == 1, "position"].mean())
run.record("mean_slot_others", ranked.loc[ranked["sponsored"] == 0, "position"].mean())

# %% [markdown]
# Over all slots together sponsored items are clicked *more* ({glue:text}`pooled_sponsored:.3f` against
# {glue:text}`pooled_others:.3f`, gap {glue:text}`pooled_gap:.4f`, standard error {glue:text}`pooled_gap.se:.4f`).
# Slot by slot they are clicked *less*, in {glue:text}`slots_sponsored_lower:d` slots of ten. Both are true. The
# bonus lifts sponsored items to slot {glue:text}`mean_slot_sponsored:.1f` on average, the others stand at
# {glue:text}`mean_slot_others:.1f`, and people look at the top of a page. It also brings in items that fit less,
# and these lose at equal slots. In shuffled sessions, where the slot is decided by chance, the gap is
# {glue:text}`shuffled_gap:.3f` (standard error {glue:text}`shuffled_gap.se:.4f`; users are redrawn, the forty
# items are not).
#
# This is {term}`Simpson's paradox` {cite:p}`simpson1951interpretation,bickel1975sex`, made by
# {term}`position bias`. The table can't say which verdict to use. If you ask what people think of the items that
# make it to the page, the slot is in the way and must be held fixed. If you ask what the *bonus* does to clicks,
# a better slot is part of what it does, and holding the slot fixed would throw that part away. The pooled gap is
# no answer to that either, because sponsored items are different items; it takes a bonus that is given by chance.
# **The question and the arrows choose the analysis; the data don't.**
#
# ## Two outcomes for every pair
#
# So far "would have" was a phrase. Make it a column. Each pair has two
# {term}`potential outcomes <potential outcome>` {cite:p}`rubin1974estimating`: $Y(1)$ if it is shown and $Y(0)$
# if it is not. The effect on the pair is $Y(1) - Y(0)$, which is $1$ (the display sold), $0$ (no difference) or
# $-1$ (the display put off). Here is a shop so small that it fits into a picture: forty users, thirty items.

# %%
toy = World.toy(seed=1)
toy_log = toy.exposure_log(seed=run.seed)
toy0, toy1 = toy.truth.potential_outcomes(run.seed)
toy_t = toy_log["exposed"].to_numpy().reshape(toy.shape).astype(bool)
toy_y = toy_log["consumed"].to_numpy().reshape(toy.shape)
assert (np.where(toy_t, toy1, toy0) == toy_y).all()  # the log shows one of the two


# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 4, figsize=(7.2, 3.2), sharey=True)
users, items = np.indices(toy.shape)
layers = {
    "$Y(0)$: not shown": [(toy0 == 1, "control", "s")],
    "$Y(1)$: shown": [(toy1 == 1, "treated", "s")],
    "effect": [(toy1 > toy0, "estimate", "s"), (toy1 < toy0, "warn", "X")],
    "the log": [(toy_t & (toy_y == 1), "treated", "s"), (~toy_t & (toy_y == 1), "control", "s")],
}
for ax, (title, marks) in zip(axes, layers.items(), strict=True):
    if title == "the log":
        ax.scatter(
            items[toy_t], users[toy_t], s=3, color=plots.COLORS["treated"], alpha=0.45, linewidths=0, rasterized=True
        )
    for where, color, mark in marks:
        ax.scatter(
            items[where], users[where], s=13, marker=mark, color=plots.COLORS[color], linewidths=0, rasterized=True
        )
    ax.set(title=title, xlabel="item", xticks=(0, 29), yticks=(0, 39), xlim=(-1, 30), ylim=(40, -1))
    ax.grid(visible=False)
axes[0].set_ylabel("user")
plots.show(
    fig,
    alt="Four grids of forty users by thirty items. The first two mark the pairs that end in a purchase if "
    "not shown and if shown. The third marks where the two differ. The fourth is the log: small dots for "
    "displays, larger marks for purchases.",
    caption="A whole shop. First two: both outcomes of every pair, which nobody ever has. Third: the effect, "
    "blue where a display sells, a cross where it puts off. Last: the log, where every cell has been "
    "one or the other (small dots: displays).",
)
run.record("toy_sold", int((toy1 > toy0).sum()))
run.record("toy_put_off", int((toy1 < toy0).sum()))
run.record("toy_ate", float((toy1 - toy0).mean()), naive=toy_y[toy_t].mean() - toy_y[~toy_t].mean())

# %%
pairs = pd.DataFrame(
    {
        "Y(0)": toy0.ravel(), "Y(1)": toy1.ravel(), "effect": (toy1 - toy0).ravel(),
        "log: exposed": toy_t.ravel().astype(int), "log: consumed": toy_y.ravel(),
        "log: Y(0)": np.where(toy_t, "?", toy_y).ravel(), "log: Y(1)": np.where(toy_t, toy_y, "?").ravel(),
    },
    index=pd.MultiIndex.from_product([range(40), range(30)], names=["user", "item"]),
)  # fmt: skip
kinds = pairs.groupby(["log: exposed", "Y(0)", "Y(1)"]).head(1).sort_values(["Y(0)", "Y(1)", "log: exposed"])
kinds

# %% [markdown]
# One pair of each kind that occurs. The right half is the log, and it has a question mark in every row. That is
# the *fundamental problem of causal inference* {cite:p}`holland1986statistics`: an effect is a difference of
# which one never sees both terms. No model fills in the question mark for *one* pair. Averages are another
# matter.
#
# In the toy shop displays would sell in {glue:text}`toy_sold:d` pairs and put off in {glue:text}`toy_put_off:d`;
# the average effect over all pairs is {glue:text}`toy_ate:.3f`. The naive difference says
# {glue:text}`toy_ate.naive:.3f`.
#
# ## Four effects, four decisions
#
# "The effect" does not exist. An {term}`estimand` says whose effect, and each belongs to a decision. In the shop
# we can compute all of them exactly, by averaging over all pairs. Here are six rules that could choose one item
# for each user, and the effects that belong to four decisions:

# %%
by_popularity = truth.cate("log_popularity", bins=10)
rules = {
    "random": "any item at random", "popular": "the most popular item", "score": "the item with the highest score",
    "consumption": "the item most likely to be bought", "best": "the item most likely to be bought if shown",
    "uplift": "the item with the largest effect",
}  # fmt: skip
value = pd.DataFrame(
    {kind: {label: truth.policy_value(rule, kind) for rule, label in rules.items()} for kind in ("reward", "lift")}
)
value.rename(columns={"reward": "bought when shown", "lift": "made by the display"}).round(3)

# %% [markdown]
# | the decision | the effect | in symbols | exactly |
# |---|---|---|---|
# | Show everything or nothing? | {term}`ATE` | $E[Y(1) - Y(0)]$ | {glue:text}`ate:.3f` |
# | What do we lose without the displays? | {term}`ATT` | $E[Y(1) - Y(0) \mid T = 1]$ | {glue:text}`att:.3f` |
# | Show the most popular tenth? | {term}`CATE` | $E[Y(1) - Y(0) \mid X = x]$ | {glue:text}`cate_high:.3f` |
# | Let the score choose? | {term}`policy value` | $E[Y(1) - Y(0)]$ at its choice | {glue:text}`value_score:.3f` |
#
# - The ATE averages over all pairs. It belongs to a decision about *all* of them, which a recommender hardly ever
#   takes.
# - The ATT says what the current displays do. It is smaller than the ATE here, because the recommender prefers
#   items that people find anyway.
# - The CATE is the average in a group, here $x$ = a tenth of the catalogue by popularity. It falls from
#   {glue:text}`cate_low:.3f` in the least popular tenth of the catalogue to
#   {glue:text}`cate_high:.3f`.
# - The policy value rates a rule that picks an item for each user, and decides which recommender ships. Usually
#   it is the rate of purchases among displays (grey below). What the rule *adds* is that rate minus what would
#   have been bought without the display (blue). Items can be bought without being shown, so only blue moves the
#   sales of the shop.

# %% tags=["hide-input"]
for rule, label in rules.items():
    run.record(f"value_{rule}", value.loc[label, "lift"], naive=value.loc[label, "reward"])
run.record("cate_low", by_popularity.iloc[0], naive=truth.ate())
run.record("cate_high", by_popularity.iloc[-1], naive=truth.ate())

fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5), width_ratios=(1, 1.05))
left.bar(range(1, 11), by_popularity, color=plots.COLORS["estimate"], width=0.75)
left.axhline(truth.ate(), color=plots.COLORS["truth"], linestyle="--", linewidth=1.3, label="ATE")
left.axhline(truth.att(), color=plots.COLORS["treated"], linestyle=":", linewidth=2, label="ATT")
left.set(title="CATE by popularity", xlabel="tenth of the catalogue", xticks=(1, 4, 7, 10))
left.legend()
height = np.arange(len(value))[::-1]
right.barh(height + 0.19, value["reward"], height=0.36, color=plots.COLORS["naive"], label="bought when shown")
right.barh(height - 0.19, value["lift"], height=0.36, color=plots.COLORS["estimate"], label="made by the display")
right.set_yticks(height, [label.replace("the item ", "").replace("the ", "") for label in value.index], fontsize=8.5)
right.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
right.set(title="value of six rules", xlabel="per display")
right.legend(fontsize=8.5, loc="upper center", bbox_to_anchor=(0.35, -0.2), ncols=1)
plots.show(
    fig,
    alt="Left: bars of the effect by popularity, high for little-known items and falling to about zero, "
    "with lines for ATE and ATT. Right: six rules, each with a long bar for purchases among displays "
    "and a shorter one for purchases caused; the rule that predicts purchases best causes none.",
    caption="Four estimands, computed exactly. Right, fourth rule: a recommender that knows precisely who will "
    "buy what has a tall grey bar and a blue bar below zero. It recommends what people were about to buy.",
)

# %% [markdown]
# Look at the fourth rule on the right. It knows exactly which item each user is most likely to buy as things are:
# no model, of any size, can predict purchases better. In this shop its displays add
# {glue:text}`value_consumption:.3f` sales each, fewer than none. Any item at random adds
# {glue:text}`value_random:.3f`. The rule that knows the *effects* adds {glue:text}`value_uplift:.3f`.
#
# "But we train on displays only." Then your model aims at the fifth rule, purchases *if shown*. In this shop that
# rule adds {glue:text}`value_best:.3f`: much better, since whatever few find alone is bought mostly because it
# was shown. It still sells less than the sixth, with a taller grey bar. Predicting purchases and causing them are
# two different skills.
#
# ## What must hold
#
# Weighting, matching and their relatives get an average effect out of a log under four assumptions
# {cite:p}`hernan2020causal`. Here they are for one display of one item to one user:
#
# 1. **{term}`Consistency`.** The logged purchase is the potential outcome of the display that happened:
#    $Y = Y(T)$. There is one kind of "shown". *Suspicious when* a display may be slot one or slot ten, a banner
#    or a line.
# 2. **No {term}`interference`.** $Y(1)$ and $Y(0)$ of a pair don't depend on what others are shown. With
#    consistency this is called {term}`SUTVA`. *Suspicious when* friends talk, or stock runs out.
# 3. **{term}`Exchangeability`.** Among pairs with the same columns $X$, displays are as good as tossed:
#    $(Y(0), Y(1)) \perp T \mid X$, read "independent of $T$, given $X$". Whatever moved both the display and the
#    purchase must be in $X$, and nothing that the display itself moved. *Suspicious when* the ranker reads
#    something that the log doesn't keep.
# 4. **{term}`Positivity`.** Every kind of pair could have gone either way: $0 < P(T = 1 \mid X) < 1$. *Suspicious
#    when* a rule ("never show swimwear in winter") decides.
#
# In this shop, with these switches, all four hold with $X$ = (score, popularity, activity): follow the orange
# arrows in the graph. In yours, the log can show that the fourth fails; about the first three it gives hints at
# best (the next chapter has one, the {term}`placebo outcome`). Hence the section "When it breaks".
#
# ## The estimator, by hand
#
# Compare like with like. Cut score and popularity into three levels each and compare shown and not shown *within*
# each of the nine cells; then average the nine differences, each weighted by its share of all pairs. That is
# {term}`standardisation`:

# %%
cells = [pd.qcut(log[c], 3, labels=["low", "middle", "high"]) for c in ("score", "log_popularity")]
rates = log.pivot_table("consumed", index=cells, columns="exposed", observed=True)
share = log.groupby(cells, observed=True).size() / len(log)
noise = log.pivot_table("consumed", index=cells, columns="exposed", observed=True, aggfunc="sem")
within = rates[1] - rates[0]
se = float(np.sqrt(((noise**2).sum(axis=1) * share**2).sum()))
standardised = Estimate(float((within * share).sum()), se, "ATE", "standardisation over nine cells", len(log))
run.record("standardised", standardised, truth=truth.ate(), naive=naive)
within.reset_index(name="effect").pivot_table("effect", *within.index.names, observed=True).round(3)

# %% [markdown]
# It moves the answer from {glue:text}`naive:.3f` to {glue:text}`standardised:.3f`, with {glue:text}`ate:.3f` as
# the truth. The rest of the way is missing because the cells are coarse, so the shown still differ from the
# others *within* a cell, and because activity is not in it. More cells with more columns soon have nobody in
# them.
#
# The way out is to weigh instead of cut. Estimate the {term}`propensity score` $e(x) = P(T = 1 \mid X = x)$, the
# chance of being shown. A shown pair with $e = 0.1$ stands for ten pairs like it, of which nine were not shown.
# So give it the weight $1/e$, a pair that was not shown the weight $1/(1-e)$, and compare weighted means:
#
# $$\widehat{\text{ATE}} = \frac{\sum_i T_i Y_i / e_i}{\sum_i T_i / e_i} -
# \frac{\sum_i (1-T_i)\, Y_i / (1-e_i)}{\sum_i (1-T_i) / (1-e_i)}.$$
#
# The propensity is a logistic regression, $e_i = 1 / (1 + \exp(-x_i^\top b))$, with a coefficient in $b$ for each
# column. In this shop that is the right model; in yours it is one more assumption.


# %%
def propensity(t, X, steps=50):
    """Fit P(T = 1 | X) = 1 / (1 + exp(-X b)) by maximum likelihood: Newton's method."""
    b = np.zeros(X.shape[1])
    for _ in range(steps):
        e = 1 / (1 + np.exp(-X @ b))
        step = np.linalg.solve((X.T * (e * (1 - e))) @ X, X.T @ (t - e))
        b = b + step
        if np.abs(step).max() < 1e-10:
            return 1 / (1 + np.exp(-X @ b))
    raise NotConverged("no optimum found; does a column separate the shown from the others?")


def ipw(y, t, columns):
    """Weighted difference in means with its standard error."""
    Z = np.asarray(columns, dtype=float)
    X = np.column_stack([np.ones(len(y)), (Z - Z.mean(axis=0)) / Z.std(axis=0)])
    e = propensity(t, X)
    w1, w0 = t / e, (1 - t) / (1 - e)
    m1, m0 = np.average(y, weights=w1), np.average(y, weights=w0)
    # again: what each row adds to the error
    influence = w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
    # e is fitted to these rows: what the fit explains is no error of the comparison
    fitted = X * (t - e)[:, None]
    influence = influence - fitted @ np.linalg.lstsq(fitted, influence, rcond=None)[0]
    se = float(influence.std() / np.sqrt(len(y)))
    return Estimate(m1 - m0, se, "ATE", "IPW, by hand", len(y))


X = ["score", "log_popularity", "log_activity"]
by_hand = ipw(*arrays(log), log[X])
by_hand

# %% [markdown]
# Two libraries must say the same: statsmodels (a logistic regression, then weighted least squares) and the
# course's own `weighting.ipw`, which later chapters use and whose report also says how far to trust it.

# %%
y, t = arrays(log)
by_library = weighting.ipw(y, t, X=log[X], unit="purchases per display")
e_logit = sm.Logit(t, sm.add_constant(log[X])).fit(disp=0).predict()
w = np.where(t == 1, 1 / e_logit, 1 / (1 - e_logit))
by_statsmodels = sm.WLS(y, sm.add_constant(t), weights=w).fit()
assert np.isclose(by_hand.value, by_statsmodels.params[1], rtol=1e-5)
assert np.isclose(by_hand.value, by_library.value, rtol=1e-6)
assert np.isclose(by_hand.se, by_library.se, rtol=0.02)
run.record("ipw", by_library, truth=truth.ate(), naive=naive)
by_library

# %% [markdown]
# ## Held against the truth
#
# IPW says {glue:text}`ipw:.3f`, interval {glue:text}`ipw.low:.3f` to {glue:text}`ipw.high:.3f`; the truth is
# {glue:text}`ipw.truth:.3f`. The figure adds what Mara would get from an {term}`A/B test`: the same shop in a
# week in which a coin decides about every display.

# %%
coin = make_world(confounding="none")
experiment = difference(*arrays(coin.exposure_log(n_pairs=len(log), seed=run.seed)))
run.record("experiment", experiment, truth=coin.truth.ate(), naive=naive)

# %% tags=["hide-input"]
fig = plots.forest(
    {
        "naive difference": naive,
        "nine cells": standardised,
        "weighting (IPW)": by_library,
        "a coin decides (A/B test)": experiment,
    },
    truth=truth.ate(),
    naive=("naive difference",),
    xlabel="effect of a display on the chance of a purchase (ATE)",
)
plots.show(
    fig,
    alt="Forest plot with the naive difference far to the right of the dashed truth, nine cells half as far, and "
    "intervals of IPW and of the experiment that contain the truth.",
    caption="The naive answer (grey) is precise and wrong. Nine coarse cells go half of the way and are as sure of "
    "themselves. Weighting and the experiment (blue) cover the truth.",
)

# %% [markdown]
# One interval that covers proves nothing; it may be luck. The promise of a 95% interval is about its recipe: over
# many weeks it must contain the truth in about nineteen of twenty. So draw many weeks.


# %%
def repeat(shop, n, times, first, adjust=True):
    """Estimate in `times` fresh weeks of n pairs each; one row a week."""
    rows = []
    for k in range(times):
        sample = shop.exposure_log(n_pairs=n, seed=first + k)
        est = ipw(*arrays(sample), sample[X]) if adjust else difference(*arrays(sample))
        rows.append((est.value, est.se, est.low, est.high, float(est.covers(truth.ate()))))
    return pd.DataFrame(rows, columns=["value", "se", "low", "high", "covers"])


times = run.size(ci=200, full=1_000)
weeks = {adjust: repeat(world, 5_000, times, run.seed + 1, adjust) for adjust in (False, True)}

# %% tags=["hide-input"]
good, bad = weeks[True], weeks[False]
share = good["covers"].mean()
run.record("weeks", times)
run.record(
    "coverage", share, truth=0.95, naive=bad["covers"].mean(), kind="stochastic", mc_se=np.sqrt(0.95 * 0.05 / times)
)
run.record("coverage_mc_se", np.sqrt(0.95 * 0.05 / times))
for name, runs in (("ipw", good), ("naive", bad)):
    bias, noise = runs["value"].mean() - truth.ate(), runs["value"].std() / np.sqrt(times)
    against = bad["value"].mean() - truth.ate() if name == "ipw" else None
    run.record(f"bias_{name}", bias, naive=against, kind="stochastic", mc_se=noise)
    run.record(f"bias_{name}_mc_se", noise)
    run.record(f"sd_{name}", runs["value"].std(), kind="stochastic", mc_se=runs["value"].std() / np.sqrt(2 * times))

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3.6), sharex=True, sharey=True)
for ax, (adjust, runs), title in zip(axes, weeks.items(), ("naive difference", "weighting (IPW)"), strict=True):
    some = runs.head(60).sort_values("value").reset_index(drop=True)
    for covers, color in ((True, "estimate" if adjust else "naive"), (False, "warn")):
        part = some[some["covers"] == covers]
        ax.hlines(part.index, part["low"], part["high"], color=plots.COLORS[color], linewidth=1.6)
    plots.truth_line(ax, truth.ate())
    ax.set(title=f"{title}: {runs['covers'].mean():.0%} cover", xlabel="effect", yticks=[])
axes[0].set_ylabel("sixty of the weeks")
plots.show(
    fig,
    alt="Two panels of sixty horizontal intervals each. Nearly all naive intervals miss the dashed truth on "
    "the right; nearly all weighted intervals contain it.",
    caption=f"Intervals from {len(some)} of {times} weeks; orange ones miss the truth. The naive intervals are "
    f"honest about noise and silent about bias.",
)

# %% [markdown]
# Over {glue:text}`weeks:,d` weeks the weighted interval covers the truth in {glue:text}`coverage:.1%`
# ({term}`Monte-Carlo standard error` {glue:text}`coverage_mc_se:.1%`), the naive one in
# {glue:text}`coverage.naive:.1%`. The mean error of weighting is {glue:text}`bias_ipw:.4f` (Monte-Carlo error
# {glue:text}`bias_ipw_mc_se:.4f`), that of the naive difference {glue:text}`bias_naive:.4f`.
#
# :::{note}
# *What was redrawn?* Each week has fresh displays and purchases, and a fresh sample of pairs, of *these* users and
# items. Given the users and items, the simulator draws pairs independently, so rows are the right unit. If the
# claim is to hold for other users and other items, rows of one user or of one item repeat each other and count for
# less. The folded cell counts users and items instead, for roughly the error of *that* claim.
# :::


# %% tags=["hide-input"]
def two_way(influence, users, items):
    """Standard error of a mean for fresh users and fresh items."""
    total = sum(float((np.bincount(c, influence) ** 2).sum()) for c in (users, items))
    return np.sqrt(total - float((influence**2).sum())) / len(influence)


e_hat = np.asarray(e_logit)
w1, w0 = t / e_hat, (1 - t) / (1 - e_hat)
influence = w1 * (y - np.average(y, weights=w1)) - w0 * (y - np.average(y, weights=w0))
se_other_shop = two_way(influence, log["user"].to_numpy(), log["item"].to_numpy())
run.record("se_rows", by_library.se)
run.record("se_other_shop", se_other_shop, naive=by_library.se)
print(f"standard error for these users and items: {by_library.se:.4f}; for others like them: {se_other_shop:.4f}")

# %% [markdown]
# ## What to look at in practice
#
# You won't have the truth. You will have two pictures. Do the two groups overlap, so that there is like to
# compare with like? And did the weights make them alike?

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4))
for group, color, label in ((1, "treated", "shown"), (0, "control", "not shown")):
    left.hist(e_hat[t == group], bins=np.linspace(0, 1, 41), density=True, histtype="step", linewidth=2,
              color=plots.COLORS[color], label=label)  # fmt: skip
left.set(title="overlap", xlabel="estimated chance of being shown, $e$", ylabel="density", xlim=(0, 1))
left.legend()
love = by_library.balance.abs().iloc[::-1]
right.plot(love["before"], range(len(love)), "X", color=plots.COLORS["naive"], markersize=8, label="before")
right.plot(
    love["after"], range(len(love)), "o", color=plots.COLORS["estimate"], markersize=8, label="after weighting"
)
right.axvline(0.1, color=plots.COLORS["ink"], linestyle=":", linewidth=1)
right.set_yticks(range(len(love)), [name.replace("log_", "") for name in love.index])
right.set(
    title="balance", xlabel="standardised difference of means", ylim=(-0.6, len(love) - 0.4), xlim=(-0.02, None)
)
right.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2)
plots.show(
    fig,
    alt="Left: histograms of the estimated chance of being shown for the shown and the others, different in "
    "shape but overlapping over nearly the whole range. Right: three columns with large differences "
    "before weighting and differences near zero after it.",
    caption="Left: both groups occur at almost every chance of being shown. Right: weighting brings the "
    "differences from far beyond the dotted rule of thumb to near zero. Both look only at columns that "
    "we have.",
)
run.record("ess", by_library.ess)
run.record("rows_shown", int(t.sum()))
run.record("imbalance", float(love["after"].max()), naive=float(love["before"].max()))

# %% [markdown]
# The weights have a price: the {glue:text}`rows_shown:,d` shown pairs, the thinner group, count like
# {glue:text}`ess:,.0f` equally weighted ones ({term}`effective sample size`). The chapter on weighting makes a
# stop rule of that number.
#
# ## When it breaks
#
# Three of the assumptions have a switch in the world; for the fourth we use the slots of the page. Break one at a
# time, run the very same code, and look at the damage.

# %%
hidden = make_world(confounding="hidden")
hidden_log = hidden.exposure_log(n_pairs=len(log), seed=run.seed)
broken_exchange = ipw(*arrays(hidden_log), hidden_log[X])

ruled = make_world(overlap="none")  # a rule: never show below one score, always show above another
ruled_log = ruled.exposure_log(n_pairs=len(log), seed=run.seed, with_propensity=True)
broken_positivity = ipw(*arrays(ruled_log), ruled_log[X])
either_way = (ruled_log["propensity"] > 0) & (ruled_log["propensity"] < 1)
inside = ipw(*arrays(ruled_log[either_way]), ruled_log.loc[either_way, X])
e_ruled = ruled.truth.pairs(week)["propensity"]
truth_inside = exact.loc[(e_ruled > 0) & (e_ruled < 1), "tau"].mean()

gamma = 0.1  # chance that a friend who was shown the item talks you into it
talking = make_world(interference=gamma)
talking_log = talking.exposure_log(n_pairs=len(log), seed=run.seed)
broken_interference = ipw(*arrays(talking_log), talking_log[X])
everybody = float((p1 + gamma * (1 - p1) - p0).mean())  # all friends shown, against nobody shown

clicks = shuffled["clicked"].to_numpy(float)
by_user = np.bincount(shuffled["user"], clicks - clicks.mean())
average_slot = Estimate(
    clicks.mean(), np.sqrt((by_user**2).sum()) / len(clicks), "ATE", "mean of all slots", len(clicks)
)
top_slot = page.truth.pairs(shuffled)["p1"].mean() * float(page.truth.examination(1))
last_slot = page.truth.pairs(shuffled)["p1"].mean() * float(page.truth.examination(10))

# %% tags=["hide-input"]
damage = {
    "hidden taste drives the displays\n(exchangeability)": (broken_exchange, hidden.truth.ate()),
    "a rule decides at both ends\n(positivity)": (broken_positivity, ruled.truth.ate()),
    "friends talk, everybody is shown\n(no interference)": (broken_interference, everybody),
    "shown now means the top slot\n(consistency; clicks)": (average_slot, top_slot),
}
fig, ax = plt.subplots(figsize=(6.8, 3.5))
for row, (est, true) in enumerate(damage.values()):
    at = len(damage) - 1 - row
    ax.plot([est.value, true], [at, at], color=plots.COLORS["warn"], alpha=0.4, linewidth=6)
    ax.plot([est.low, est.high], [at, at], color=plots.COLORS["estimate"], linewidth=2.6)
    ax.plot(est.value, at, "o", color=plots.COLORS["estimate"], label="estimate with interval" if row == 0 else None)
    ax.plot(true, at, "D", color=plots.COLORS["truth"], label="truth for the decision" if row == 0 else None)
ax.set_yticks(range(len(damage))[::-1], list(damage))
ax.set(xlabel="effect of a display", xlim=(0.03, None), ylim=(-0.6, len(damage) - 0.4))
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Four rows, one for each violated assumption. In each the narrow interval of the estimate lies far "
    "from a diamond that marks the truth for the decision.",
    caption="Four broken assumptions, four tight intervals (blue), four misses (orange). No interval knows what "
    "its assumptions don't say.",
)

# %% tags=["hide-input"]
run.record("broken_exchange", broken_exchange, truth=hidden.truth.ate())
looks_fine = weighting.ipw(*arrays(hidden_log), X=hidden_log[X])
run.record("hidden_imbalance", looks_fine.balance["after"].abs().max())
run.record("hidden_ess", looks_fine.ess)
run.record("broken_positivity", broken_positivity, truth=ruled.truth.ate())
run.record("positivity_outside", float(1 - either_way.mean()))
run.record("positivity_inside", inside, truth=truth_inside, naive=broken_positivity)
run.record("broken_interference", broken_interference, truth=talking.truth.ate())
run.record("everybody", everybody, naive=broken_interference)
run.record("average_slot", average_slot)
run.record("top_slot", top_slot, naive=average_slot)
run.record("last_slot", last_slot, naive=average_slot)
for broken, true in damage.values():
    assert not broken.covers(true)

# %% [markdown]
# **Exchangeability.** The ranker now also reads hidden taste and quality, which the log doesn't keep. The same
# code says {glue:text}`broken_exchange:.3f`; the truth is {glue:text}`broken_exchange.truth:.3f`. Balance after
# weighting is near perfect (largest difference {glue:text}`hidden_imbalance:.3f`) and the effective sample size
# is high ({glue:text}`hidden_ess:,.0f`): both see only what is in the table.
#
# **Positivity.** A rule shows everything above one score and nothing below another, so
# {glue:text}`positivity_outside:.0%` of the pairs could go one way only. The logistic curve paints over the hole
# and reports {glue:text}`broken_positivity:.3f`; the truth is {glue:text}`broken_positivity.truth:.3f`. No column
# is missing. The data hold nothing on what a display does at the ends, and the number there is made up by the
# shape of a curve.
#
# **Interference.** A friend who was shown the item may talk you into it. Weighting still gets its own question
# right, the effect of one more display with the others as they are ({glue:text}`broken_interference:.3f`, truth
# {glue:text}`broken_interference.truth:.3f`). The decision was to show the item to *everybody*. That moves
# purchases by {glue:text}`everybody:.3f` per pair, and an A/B test on users would miss it too: its controls have
# friends in the other arm.
#
# **Consistency.** "Shown" averages ten slots and promises {glue:text}`average_slot:.3f` clicks per display. The
# redesign has a single slot at the top, where it is {glue:text}`top_slot:.3f`; at slot ten it is
# {glue:text}`last_slot:.3f`. The estimate was right about a treatment that nobody will give again.
#
# | broken | what to do instead |
# |---|---|
# | exchangeability | log what the ranker reads; randomise a share of displays; find an {term}`instrument` |
# | positivity | ask only about pairs that could go either way; explore |
# | no interference | randomise groups of friends, or weeks; ask about total effects |
# | consistency | define the treatment as narrowly as the decision: this slot, this layout |
#
# The second row at work: among the pairs that could have gone either way the same code says
# {glue:text}`positivity_inside:.3f` (interval {glue:text}`positivity_inside.low:.3f` to
# {glue:text}`positivity_inside.high:.3f`), and *their* truth is {glue:text}`positivity_inside.truth:.3f`. It is a
# smaller question with an answer.
#
# ## What it costs
#
# You'll read that causal inference makes recommenders more *precise*, more *general* and more *interpretable*,
# and that it suits *small data*. Look at each claim with the shop.
#
# **Precise?** Adjustment removes bias and pays in variance. How many pairs does it take?

# %%
sizes = [500, 1_000, 2_000, 5_000, 20_000]
poor = make_world(overlap="poor")
draws = run.size(ci=40, full=400)
setups = {
    "a coin decides": (coin, False), "weighting, good overlap": (world, True),
    "weighting, poor overlap": (poor, True), "weighting, hidden cause": (hidden, True),
}  # fmt: skip
grid = {
    (name, n): repeat(shop, n, draws, run.seed + 10_000, adjust)
    for name, (shop, adjust) in run.progress(setups.items(), "setups")
    for n in sizes
}
table = pd.concat(grid, names=["setup", "n", "draw"]).reset_index()
half = 1.96 * table.pivot_table("se", index="n", columns="setup", aggfunc="median")  # means have a long tail
spread = table.pivot_table("value", index="n", columns="setup", aggfunc="std")
centre = table.pivot_table("value", index="n", columns="setup")
covered = table.pivot_table("covers", index="n", columns="setup")
se_share = np.sqrt(covered * (1 - covered) / draws).clip(lower=1 / draws)


# %% tags=["hide-input"]
def noise_of_median(x):
    """Monte-Carlo error of a median, relative to it, from the quartiles."""
    low, middle, high = np.quantile(x, (0.25, 0.5, 0.75))
    return 1.2533 * (high - low) / 1.349 / middle / np.sqrt(len(x))


for name, key in (("coin", "a coin decides"), ("good", "weighting, good overlap")):
    pairs_needed = (half[key].iloc[-1] / 0.01) ** 2 * sizes[-1]  # half width of one purchase per hundred displays
    run.record(f"pairs_{name}", pairs_needed, kind="stochastic",
               mc_se=pairs_needed * 2 * noise_of_median(grid[key, sizes[-1]]["se"]))  # fmt: skip
tail = grid["weighting, poor overlap", 500]
scatter = tail["value"].std() / tail["se"].mean()
kurtosis = ((tail["value"] - tail["value"].mean()) ** 4).mean() / tail["value"].var() ** 2
run.record("poor_scatter", scatter, kind="stochastic", mc_se=scatter * np.sqrt((kurtosis - 1) / (4 * draws)))
run.record("poor_coverage", tail["covers"].mean(), truth=0.95, kind="stochastic",
           mc_se=se_share.loc[500, "weighting, poor overlap"])  # fmt: skip
wider = half["weighting, poor overlap"].iloc[-1] / half["weighting, good overlap"].iloc[-1]
wider_noise = noise_of_median(grid["weighting, poor overlap", sizes[-1]]["se"])
run.record("poor_wider", wider, kind="stochastic", mc_se=wider * wider_noise)
small = half.loc[500, "weighting, good overlap"]
small_noise = noise_of_median(grid["weighting, good overlap", 500]["se"])
run.record("half_width_small", small, kind="stochastic", mc_se=small * small_noise)
run.record("draws", draws)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.6, 3.5))
looks = {
    "a coin decides": ("accent", "s", "-"),
    "weighting, good overlap": ("estimate", "o", "-"),
    "weighting, poor overlap": ("warn", "^", "--"),
}
for name, (color, mark, line) in looks.items():
    ax.plot(sizes, half[name], line, marker=mark, color=plots.COLORS[color], label=name)
ax.axhline(truth.ate(), color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
ax.text(21_000, truth.ate() * 1.05, "size of the effect", ha="right", va="bottom", fontsize=9)
ax.set(xscale="log", yscale="log", xlabel="pairs in the log", ylabel="half width of a 95% interval")
ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
ax.set_yticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"])
ax.minorticks_off()
ax.legend(loc="lower left")
plots.show(
    fig,
    alt="Log-log lines of interval half width against the number of pairs for an experiment, weighting with "
    "good overlap and weighting with poor overlap. All fall; the experiment is lowest, poor overlap far "
    "higher. A dashed line marks the size of the effect.",
    caption="The bill. Weighting needs wider intervals than a coin on the same number of pairs, and poor "
    "overlap multiplies it. Above the dashed line an interval is more likely than not to contain zero: "
    "data that small can't tell the sign.",
)

# %% [markdown]
# At five thousand pairs the naive difference scatters by {glue:text}`sd_naive:.4f` and weighting by
# {glue:text}`sd_ipw:.4f`: in this shop, with good overlap, removing the bias is cheap. To know the effect to
# within one purchase per hundred displays takes {glue:text}`pairs_coin:,.0f` pairs if a coin decides and
# {glue:text}`pairs_good:,.0f` with weighting; to know it for each tenth of the catalogue, about ten times that. On
# five hundred pairs the interval reaches {glue:text}`half_width_small:.3f` to each side, about as far as the
# effect itself. So *small data* is where an adjusted estimate says least.
#
# With poor overlap the typical interval is still {glue:text}`poor_wider:.1f` times as wide at twenty thousand
# pairs. At five hundred it is too short as well: over {glue:text}`draws:d` draws the estimates scatter
# {glue:text}`poor_scatter:.1f` times as widely as their standard errors say, because the few pairs that carry
# most weight are mostly not in the sample. Coverage hardly shows it ({glue:text}`poor_coverage:.0%`): the misses
# are few, and far.
#
# **General?** An average effect belongs to the mix of pairs over which it was averaged. Estimate it by
# popularity, each interval from a tenth of the data:

# %%
tenth = log["item"].map(decile)
effects = {k: ipw(*arrays(log[tenth == k]), log.loc[tenth == k, X]) for k in range(1, 11)}
true_effects = exact["tau"].groupby(week["item"].map(decile)).mean()

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.6, 3.2))
for k, est in effects.items():
    ax.plot([k, k], [est.low, est.high], color=plots.COLORS["estimate"], linewidth=2.4)
ax.plot(
    list(effects),
    [est.value for est in effects.values()],
    "o",
    color=plots.COLORS["estimate"],
    label="weighting, a tenth of the data each",
)
ax.plot(
    true_effects.index,
    true_effects,
    "_",
    color=plots.COLORS["truth"],
    markersize=16,
    markeredgewidth=2,
    label="truth",
)
ax.axhspan(
    by_library.low, by_library.high, color=plots.COLORS["naive"], alpha=0.25, label="one average for all", linewidth=0
)
ax.set(xlabel="popularity of the item: tenth of the catalogue", ylabel="effect of a display", xticks=range(1, 11))
ax.legend(fontsize=8.5)
plots.show(
    fig,
    alt="Ten intervals of the effect by popularity, with the truth as short bars. Effects are large for "
    "little-known items and near zero for popular ones. A narrow horizontal band, the average for all, "
    "misses most of them.",
    caption="One average (grey band) is precise and describes few groups. Ten estimates describe the groups and "
    "are several times as wide. Neither is free.",
)
run.record("tenths_covered", sum(est.covers(true_effects[k]) for k, est in effects.items()))
run.record("average_covers", sum(by_library.covers(v) for v in true_effects))
run.record("tenth_wider", np.mean([est.se for est in effects.values()]) / by_library.se)

# %% [markdown]
# The interval of the average contains the truth of {glue:text}`average_covers:d` of the ten groups; the groups'
# own intervals contain theirs in {glue:text}`tenths_covered:d` cases and are {glue:text}`tenth_wider:.1f` times
# as wide. Carry the average to a shop that shows other items and it is wrong there without having been wrong
# here. Even the standard error depends on where you want to go: {glue:text}`se_rows:.4f` for these users and
# items, about {glue:text}`se_other_shop:.4f` for others like them.
#
# **Interpretable?** The number is: it is an effect, in purchases per display, *if* the assumptions hold. And
# whether they hold is the part of the uncertainty that no interval shows. Let the log grow in the shop whose
# ranker reads hidden taste:

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.6, 3.3))
for name, color, hatch in (
    ("weighting, good overlap", "estimate", None),
    ("weighting, hidden cause", "warn", "////"),
):
    low, high = centre[name] - 1.96 * spread[name], centre[name] + 1.96 * spread[name]
    ax.fill_between(sizes, low, high, color=plots.COLORS[color], alpha=0.25, hatch=hatch, linewidth=0)
    ax.plot(sizes, centre[name], "o-", color=plots.COLORS[color], label=name)
plots.truth_line(ax, truth.ate(), axis="y")
ax.set(xscale="log", xlabel="pairs in the log", ylabel="effect of a display", ylim=(0, None))
ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
ax.minorticks_off()
ax.legend(loc="upper right")
plots.show(
    fig,
    alt="Two funnels that narrow as the log grows. With good overlap and no hidden cause the funnel closes "
    "on the dashed truth; with a hidden cause it closes on a value well above it.",
    caption="More data, more certainty, same error. The blue funnel closes on the truth; the orange one, with a "
    "hidden cause, closes on a wrong number.",
)
hidden_at = [(n, "weighting, hidden cause") for n in (500, 20_000)]
for name, at in zip(("small", "large"), hidden_at, strict=True):
    run.record(f"hidden_coverage_{name}", covered.loc[at], kind="stochastic", mc_se=se_share.loc[at])
bias = centre.loc[hidden_at[1]] - truth.ate()
run.record("hidden_bias", bias, kind="stochastic", mc_se=spread.loc[hidden_at[1]] / np.sqrt(draws))

# %% [markdown]
# With five hundred pairs the interval covers the truth in {glue:text}`hidden_coverage_small:.0%` of draws; with
# twenty thousand in {glue:text}`hidden_coverage_large:.0%`. The bias, {glue:text}`hidden_bias:.3f`, stays. For
# that part of the uncertainty there is no standard error, only sensitivity analysis and experiments. Both have
# chapters of their own.
#
# ## The map
#
# Names are thrown together in this field, often in one box. Three questions sort them: *what do we want* (an
# estimand), *why may data answer it* (a design with its assumptions), and *how do we compute it* (an estimator).

# %% tags=["hide-input"]
boxes = {
    "recommender": ("recommender\na policy: who sees what", 1.5, 8.1, "treated"),
    "estimand": ("question and estimand\nATE, ATT, CATE, policy value", 1.5, 6.9, "ink"),
    "graph": ("causal graph\nwhat moves both?", 1.5, 5.75, "ink"),
    "random": ("randomise\nA/B test,\nbandit log", 0.4, 4.4, "accent"),
    "adjust": ("adjust\nfor what the\ngraph says", 1.5, 4.4, "estimate"),
    "around": ("go around\ninstruments,\nproxies", 2.6, 4.4, "control"),
    "by_chance": ("difference in\nmeans,\noff-policy\nevaluation", 0.4, 2.75, "accent"),
    "by_columns": ("weighting, matching,\nregression of Y,\ndoubly robust,\ntrees (CATE)", 1.5, 2.75, "estimate"),
    "by_proxy": ("two stages,\nlatent-variable\nmodels", 2.6, 2.75, "control"),
    "answer": ("estimate + interval\n+ what it assumes", 1.5, 1.3, "ink"),
    "ranks": ("language model\nranks", 0.25, 8.1, "naive"), "writes": ("language model\nwrites", 2.75, 8.1, "naive"),
    "reads": ("language model\nreads", 2.75, 5.75, "naive"),
}  # fmt: skip
lines = """recommender estimand
estimand graph|graph random|graph adjust|graph around|random by_chance|adjust by_columns
around by_proxy|by_chance answer|by_columns answer|by_proxy answer|ranks recommender|writes estimand|reads adjust"""

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(4.9, 7.0))
drawn = {}
for name, (label, x, y_, color) in boxes.items():
    line = "--" if label.startswith("language") else "-"
    look = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": plots.COLORS[color], "linestyle": line}
    drawn[name] = ax.text(x, y_, label, ha="center", va="center", fontsize=9, bbox={**look, "linewidth": 1.5})
ax.set(xlim=(-0.25, 3.25), ylim=(0.8, 8.6))
ax.axis("off")
fig.canvas.draw()  # arrows end at the boxes, so the boxes need their sizes
for pair in lines.replace("\n", "|").split("|"):
    tail, head = pair.split()
    color = plots.COLORS[boxes[tail if tail in ("ranks", "writes", "reads") else head][3]]
    ends_at = {
        "patchA": drawn[tail].get_bbox_patch(),
        "patchB": drawn[head].get_bbox_patch(),
        "shrinkA": 3,
        "shrinkB": 3,
    }
    arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, **ends_at}
    ax.annotate("", boxes[head][1:3], boxes[tail][1:3], arrowprops=arrow, zorder=1)
plots.show(
    fig,
    alt="A map from top to bottom. A recommender raises a question with its estimand; a causal graph leads "
    "to three designs: randomise, adjust, go around. Each has its methods below it; all end in an "
    "estimate with its interval and its assumptions. Three dashed boxes: a language model ranks (beside "
    "the recommender), writes (beside the question), reads (towards adjust).",
    caption="Read it downwards. Whether an answer can be right is decided in the row of designs; the row below "
    "only computes. A language model (dashed) can be the ranker, write the treatment, or turn text into "
    "columns to adjust for.",
)

# %% [markdown]
# Four sentences that the map corrects, all of them common:
#
# - *"IPW is a matching algorithm."* No: weighting keeps all rows and weighs them, {term}`matching` picks
#   partners. By default they answer for different people (the chapters on weighting and matching).
# - *"A {term}`causal tree` is a chain of causes."* No: it cuts the users and items into groups with different
#   effects {cite:p}`athey2016recursive`. Its splits say nothing about what causes what.
# - *"$Y = a_1 X_1 + a_2 X_2 + \varepsilon$ is a latent-variable model."* No: everything in it but the noise is
#   observed. A {term}`latent variable` is one that acts and is not in the table.
# - *"Our recall went up, so the recommendations work better."* That is about prediction. You have seen the
#   perfect predictor's value.
#
# ## What this means for a language-model recommender
#
# **What changes: text enters the graph**, in four roles {cite:p}`keith2020text,feder2022causal`.
#
# | text is | example in the shop | what it asks of you |
# |---|---|---|
# | {term}`confounder` | a review reveals quality; the ranker reads it, and it sells | adjust for the text |
# | treatment | the blurb promises free returns | change that attribute and nothing else |
# | outcome | what customers write afterwards | a measure fixed before you look |
# | {term}`mediator` | displays bring buyers, their reviews bring more | leave it alone for the whole effect |
#
# **What changes: the ranker reads more.** A model that ranks from text {cite:p}`hou2024large,wu2023survey`
# responds to things that are not in the log's columns: wording, brand, the order of the candidates. Each that
# also sells is a hidden arrow into the display. That is the orange funnel above, unless prompts, candidates and
# the probabilities of what was shown are logged. Log them, and a ranking that was sampled is a randomised one,
# given its prompt.
#
# **What does not change:** the missing column. A language model can predict $Y$ from everything ever written and
# still never sees both outcomes of a pair. Trained to predict purchases, it becomes at best the fourth rule of the
# policy picture; trained on displays alone, the fifth. Nor can its explanation of a recommendation vouch for an
# effect: it is a text about the world, not an intervention in it. {term}`Positivity`, {term}`interference` and the
# rest hold or fail as before.
#
# ## Exercises
#
# ### Exercise 1: three effects from the full picture
#
# You have both outcomes of every pair, and which pairs were shown. Return three numbers: the ATE, the ATT, and
# the average effect among the pairs that were *not* shown.
#
# <details><summary>Hint</summary>
#
# The effect of a pair never depends on whether it was shown. Only the group over which you average does.
#
# </details>


# %% tags=["exercise"]
def three_effects(y0, y1, shown):
    """Return (ATE, ATT, effect among the others) from arrays of zeros and ones."""
    # BEGIN SOLUTION
    effect = y1 - y0
    return effect.mean(), effect[shown == 1].mean(), effect[shown == 0].mean()
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.1", three_effects)

# %% [markdown]
# ### Exercise 2: position, from the shuffled sessions
#
# How much less is an item clicked at slot $k$ than at slot one, for the same items? Return the ratio of click
# rates for slots one to ten from a slate log with the columns `position`, `randomised` and `clicked`. Use only
# what chance decided.
#
# <details><summary>Hint</summary>
#
# In ranked sessions the better items stand on top, so a ratio of click rates mixes two things. In which sessions
# does every slot get the same mix of items?
#
# </details>


# %% tags=["exercise"]
def position_ratio(slots):
    """Return the click rate at slots 1..10 relative to slot 1, an array of shape (10,)."""
    # BEGIN SOLUTION
    rate = slots[slots["randomised"] == 1].groupby("position")["clicked"].mean()
    return (rate / rate.loc[1]).to_numpy()
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.2", position_ratio)

# %% [markdown]
# ### Exercise 3: the effect on the shown, cell by cell
#
# Standardise to the *shown* pairs: the difference within each cell, weighted by the cell's share of shown pairs.
# Which cells need both groups? If one has shown pairs and no others, raise `ValueError`: there is nothing to
# compare them with. A cell without shown pairs has weight zero and does no harm.
#
# <details><summary>Hint</summary>
#
# `np.unique(cell)` lists the cells. The mean of nobody is `nan`, and zero times `nan` is still `nan`.
#
# </details>


# %% tags=["exercise"]
def effect_on_the_shown(y, t, cell):
    """Return the ATT standardised over cells; raise ValueError if shown pairs have no one in their cell."""
    # BEGIN SOLUTION
    total = 0.0
    for c in np.unique(cell[t == 1]):
        here = cell == c
        if t[here].min() == 1:
            raise ValueError(f"cell {c} has no one to compare with")
        total += t[here].sum() * (y[here & (t == 1)].mean() - y[here & (t == 0)].mean())
    return total / t.sum()
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.3", effect_on_the_shown)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague reports how many sales last month's displays *made*, from outcomes `y`, displays `t` and
# propensities `e`. It runs, the weights are tidy, and the number is wrong for this question:
#
# ```python
# def sales_made(y, t, e):
#     shown = np.average(y, weights=t / e)
#     without = np.average(y, weights=(1 - t) / (1 - e))
#     return t.sum() * (shown - without)
# ```
#
# Find the error and mend it. The answer is a number of sales.
#
# <details><summary>Hint</summary>
#
# Whose effect do these weights estimate, and whose effect times the number of displays is the number of sales
# made? A pair that was not shown stands in for the shown ones like it: there are $e / (1 - e)$ of them for each.
#
# </details>


# %% tags=["exercise"]
def sales_made(y, t, e):
    """Return the number of sales that the displays made."""
    # BEGIN SOLUTION
    shown = np.average(y, weights=t)
    without = np.average(y, weights=(1 - t) * e / (1 - e))
    return t.sum() * (shown - without)
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.4", sales_made)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "The board wants to know what the shop would lose if the recommender were switched off. Which effect is that?",
    {
        "The ATE over all pairs": (
            False,
            "It counts pairs that were never shown; switching off changes nothing for them.",
        ),
        "The ATT": (True, "Only the pairs that were shown lose their display, so average over them."),
        "The naive difference": (False, "It adds to the ATT what the shown would have bought anyway."),
        "The recall of the recommender": (
            False,
            "Recall says how well purchases were predicted, not what displays changed.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "With ten times the data, the naive difference of this chapter would",
    {
        "come closer to the true effect": (
            False,
            "Its standard error shrinks; its bias is a property of who was shown, and stays.",
        ),
        "be more certain of the same wrong number": (
            True,
            "The interval tightens around effect plus selection bias.",
        ),
        "need weighting no more": (False, "The groups differ just as much in a large log as in a small one."),
    },
)

# %% tags=["quiz"]
quiz(
    "Balance is perfect, overlap is fine, and the interval is narrow. What do you know about hidden confounding?",
    {
        "There is none": (
            False,
            "All three look only at columns that you have. In the broken shop they looked just as good.",
        ),
        "It is small": (
            False,
            "Nothing bounds what isn't measured; that takes a sensitivity analysis or an experiment.",
        ),
        "Nothing": (True, "Exchangeability is a claim about what is not in the table, and the table can't test it."),
    },
)

# %% tags=["quiz"]
quiz(
    "Sponsored items get a bonus in the ranking. You want the effect of the bonus on clicks. Should you "
    "hold the slot fixed?",
    {
        "Yes, the slot confounds the comparison": (
            False,
            "The slot comes after the bonus. It is a part of what the bonus does.",
        ),
        "No, the slot is on the way from the bonus to the click": (
            True,
            "A better slot is how the bonus works; holding it fixed removes that part. Give the bonus by "
            "chance and compare.",
        ),
        "It makes no difference": (
            False,
            "Look at the two panels of the Simpson figure: it turns the verdict around.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A language model predicts purchases from reviews better than anything before. What follows for the "
    "value of its recommendations?",
    {
        "They cause more purchases": (
            False,
            "The perfect predictor of this chapter caused none: it showed what people were about to buy.",
        ),
        "They are closer to causal": (False, "Prediction of Y says nothing on the difference between Y(1) and Y(0)."),
        "Nothing yet; measure the effect of its displays": (
            True,
            "Randomise a share of displays, or log its probabilities and use off-policy evaluation.",
        ),
    },
)

# %% [markdown]
# ## Takeaways
#
# - A log shows purchases with displays, not purchases *because of* displays. In our shop the gap was widest for
#   the items at the top of the report.
# - Name the effect before you compute it: ATE, ATT, CATE or policy value, each for its own decision.
# - Four assumptions turn an association into an effect: consistency, no interference, exchangeability,
#   positivity. Intervals are blind to all four.
# - Adjusting trades bias for variance. It needs overlap and data, and it can't repair what was not logged.
# - A language model changes what the ranker reads. The column that is missing stays missing.
#
# ## Further reading
#
# - {cite:t}`hernan2020causal`, part one: the four assumptions, slowly and without a recommender.
# - {cite:t}`holland1986statistics`: the fundamental problem, and no causation without manipulation.
# - {cite:t}`chaney2018algorithmic`: what a feedback loop does to a recommender and its users.
# - {cite:t}`chen2023bias` and {cite:t}`gao2024causal`: surveys of bias and of causal methods in recommenders;
#   {cite:t}`luo2024survey` is another.
# - {cite:t}`joachims2017unbiased`: position bias, and ranking from clicks in spite of it.
# - {cite:t}`feder2022causal`: causal inference with text, all four roles.
