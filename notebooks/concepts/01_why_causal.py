# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 55
#     exercise_minutes: 45
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
# One number is missing: **how many of these people would have bought it anyway?**
#
# Mara's log can't say. Her shop is simulated, so we can look: {glue:text}`best_anyway:,d` of the same people
# would have bought the item had it *not* been shown. The bestseller of the report made
# {glue:text}`best_caused:,d` sales: the displays put off more people than they won.
#
# Further down is an item that few people know, shown to {glue:text}`quiet_shown:,d` people and bought by
# {glue:text}`quiet_bought:,d`. Without the display, {glue:text}`quiet_anyway:,d` would have bought it. That slot made
# {glue:text}`quiet_caused:,d` sales, and no column of the report says that it works and the first does not.
#
# This course is about getting the second kind of number from data of the first kind: when that works, what it
# costs, and how one notices that it does not.
#
# **You will be able to**
#
# - say which {term}`estimand` ({term}`ATE`, {term}`ATT`, {term}`CATE`, {term}`policy value`) a decision needs;
# - show how a log misleads by {term}`confounding`, by position, and by a recommender that learns from it;
# - name the four assumptions behind an effect from a log, and what each looks like when it fails;
# - estimate an effect by {term}`inverse probability weighting`, and test its interval against the truth;
# - say what a language model changes in all this.
#
# **Before you start:** you have trained or run a {term}`recommender system` and know what a standard error is.
#
# **Time:** about 55 minutes to read, 45 for the exercises.
#
# **Data:** customer reviews of women's clothes, as the texts of the items; users, displays and purchases are
# simulated.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import timeit
import tracemalloc

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import statsmodels.api as sm

from causalrec_lib import course, matching, plots, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import World, make_world
from causalrec_lib.estimate import Estimate, NotConverged, difference_in_means

run = course.start(PROFILE, SEED, chapter="concepts/01_why_causal")
world = make_world()
world

# %% [markdown]
# ## What happened anyway
#
# A week in this shop is a table with one row for every pair of a user and an item: was the item shown
# (`exposed`), and did the user buy it within the week (`consumed`)? People buy without being shown, too: they
# search, they browse, a friend wears it. Because the shop is simulated we can add two columns that no real log has:
# what each pair would have done *without* the display and *with* it.

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
# The second row was picked by what is hidden, for contrast, so look at all items. Sort them into ten groups by
# popularity, and split each hundred displays of a group by what they did.

# %% tags=["hide-input"]
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
    "the first and the last group, somewhat fewer in the seventh to ninth. Most of them are caused by the display "
    "for little-known items; nearly all would have happened anyway for the most popular ones, where more sales are "
    "put off than made.",
    caption="Purchases per hundred displays, split by what the display did. The log sees grey and blue as one "
    "bar, and the first bar is about as tall as the last. The share of blue shrinks from most of the bar to nearly "
    "nothing; orange counts sales that the display put off.",
)
top = report.nlargest(100, "bought")
kept, made, lost = (hundred.iloc[:, k] for k in range(3))
height = kept + made
first_to_last = height.iloc[-1] / height.iloc[0]
run.claim("the first and the last bar are about equally tall", 0.85 < first_to_last < 1.15, ratio=first_to_last)
run.claim("somewhat lower in the seventh to ninth", height[[7, 8, 9]].max() < 0.95 * height[[1, 10]].min())
run.claim("the share of blue shrinks at every step", (made / height).is_monotonic_decreasing)
run.claim("popular items are shown most", report["shown"].groupby(decile).mean().is_monotonic_increasing)
run.claim("few know the quiet item, and it is further down", decile[quiet] <= 2 and quiet not in top.index)
run.claim("little-known items: most purchases are made by the display", made.iloc[0] > 0.75 * height.iloc[0])
run.claim("popular items: nearly all would have happened anyway", kept.iloc[-1] > 0.9 * height.iloc[-1])
run.claim("popular items: more is put off than made", -lost.iloc[-1] > made.iloc[-1])
run.claim("the gap of bought and made is widest at the top", int((kept - lost).idxmax()) == 10)
run.claim("the bestseller put off more than it won", report.loc[best, "made"] < 0 < report.loc[quiet, "made"])

# %% tags=["remove-input"]
for name, item in (("best", best), ("quiet", quiet)):
    for column in ("shown", "bought", "anyway"):
        run.record(f"{name}_{column}", report.loc[item, column])
    run.record(f"{name}_caused", report.loc[item, "made"], naive=report.loc[item, "bought"])
run.record("top100_made", top["made"].sum(), naive=top["bought"].sum())
run.record("top100_bought", top["bought"].sum())
on_average = exact[["p1", "tau"]].mul(exact["propensity"], axis=0).groupby(week["item"]).sum()  # sold, made; a week
leaders = on_average.nlargest(100, "p1")
run.record("top100_lost", -leaders["tau"].sum(), naive=-leaders["p1"].sum())
run.claim("over many weeks displaying the best sellers loses sales", leaders["tau"].sum() < 0)
own_weeks = on_average.loc[top.index, "tau"].sum()  # of this week's hundred
run.claim("this week's plus was luck", own_weeks < 0 < top["made"].sum(), expected=own_weeks)
run.record("top100_own_lost", -own_weeks, naive=-top["made"].sum())
run.claim("the best sellers of many weeks are not quite this week's", set(leaders.index) != set(top.index))
run.record("top_bought", height.iloc[-1])
run.record("top_net", (made + lost).iloc[-1], naive=height.iloc[-1])
run.record("low_bought", height.iloc[0])
run.record("low_net", (made + lost).iloc[0], naive=height.iloc[0])
run.record("share_put_off", float((exact["tau"] < 0).mean()))

# %% [markdown]
# In the most popular tenth, a hundred displays go with {glue:text}`top_bought:.1f` purchases and change them by
# {glue:text}`top_net:.1f`. In the least popular tenth they go with {glue:text}`low_bought:.1f` and make
# {glue:text}`low_net:.1f`. To the log these are two bars of about the same height. Sorting by purchases makes it
# worse: popular items are shown most, so the slots that do least come on top. The hundred items that lead this week's
# report sold {glue:text}`top100_bought:,d` pieces from the page, of which the page made
# {glue:text}`top100_made:+,d`. That plus was luck: in an average week the same hundred *lose*
# {glue:text}`top100_own_lost:,.0f` sales by being displayed. The hundred best sellers of many weeks, not quite the
# same items, lose {glue:text}`top100_lost:,.0f` a week.
#
# :::{note}
# How much of this is our doing? All of it: we wrote the shop, and for {glue:text}`share_put_off:.0%` of its pairs a
# display makes a purchase less likely. Your shop has its own numbers. What carries over is that the report can't
# tell the two kinds of shop apart.
# :::
#
# ## The shop, as arrows
#
# An arrow says "is a direct cause of". A missing arrow says more: "is not". A solid box is a column of the log, a
# dashed box is something that the platform does not have.

# %% tags=["hide-input"]
place = {
    **{"score": (0, 3.0), "activity": (0, 2.1), "marketing": (0, 1.2), "popularity": (0, 0.2), "quality": (0, -0.8)},
    **{"hidden": (1.6, -0.8), "exposed": (1.6, 1.2), "consumed": (3.2, 1.2)},
}
whole = world.dag()
graph = whole.subgraph(place).copy()
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Score, activity and popularity each point to both exposed and consumed. Exposed "
    "points to consumed. A marketing coin points to exposed only. Hidden quality points to popularity and to "
    "hidden affinity, which points to consumed.",
    caption="What makes a display (orange arrows) and what makes a purchase. Score, activity and popularity do "
    "both: they are the confounders. The blue arrow is what we are after. Age, price, texts and stars are left "
    "out; none of them points to the display.",
    figsize=(6.4, 4.6),
)
both = {"score", "activity", "popularity"}
run.claim("three confounders and a coin make a display", set(whole.predecessors("exposed")) == both | {"marketing"})
run.claim("the three also make a purchase", both | {"exposed", "hidden"} <= set(graph.predecessors("consumed")))
run.claim("the coin does nothing else", set(whole.successors("marketing")) == {"exposed"})
run.claim("hidden quality made popularity", {"popularity", "hidden"} <= set(graph.successors("quality")))

# %% [markdown]
# In words. Every **item** has reviews, a price, a hidden quality, and a popularity that this quality has shaped in
# the past. Every **user** has an activity, and a taste of which the platform knows a part: its model turns that part
# into a `score` for each item. The recommender shows a pair more often the higher its score, its popularity and the
# user's activity. All three also make people buy *without* it. A marketing coin nudges some displays. A purchase
# further depends on the hidden part of taste and quality, on the price, and on the display, which helps most for an
# item that the user would like and would not have found.
# {doc}`The whole graph and every equation </chapters/reference/world>` have a page of their own.
#
# Here is what the platform gets to see, for three pairs:

# %%
log = world.exposure_log(n_pairs=run.size(ci=50_000, full=400_000), seed=run.seed)
log.drop(columns=["user", "item", "n_reviews", "activity"]).head(3).round(2).T

# %% [markdown]
# ## The naive answer, and how far off it is
#
# The quickest answer compares the share that buys among the shown and the others. Call the display $T$, the
# purchase $Y$:
#
# $$\widehat{\Delta} = \bar Y_{T=1} - \bar Y_{T=0}.$$


# %%
def arrays(frame):
    """Outcome and treatment of a log as arrays."""
    return frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)


y, t = arrays(log)
truth = world.truth
naive = difference_in_means(y, t)  # with its standard error
assert np.isclose(naive.value, y[t == 1].mean() - y[t == 0].mean())
bought = log.groupby("exposed")["consumed"].agg(pairs="size", share_bought="mean")
bought.rename(index={0: "not shown", 1: "shown"}).round(4)

# %% [markdown]
# The log says that a display adds {glue:text}`naive:.3f` to the chance of a purchase, some
# {glue:text}`naive_per_hundred:.0f` sales per hundred displays. The truth over all pairs is {glue:text}`ate:.3f`;
# over the pairs that were really shown, {glue:text}`att:.3f`. The naive answer lies {glue:text}`naive_in_se:.0f`
# standard errors from the truth, and more rows would only shrink the standard error.
#
# Where does the rest come from? Add and subtract what the shown would have done without the display. Write $Y(1)$
# and $Y(0)$ for the purchase with and without it:
#
# $$\begin{aligned}
# &\underbrace{E[Y \mid T=1] - E[Y \mid T=0]}_{\text{what the log compares}} \\
# &\quad = \underbrace{E[Y(1) - Y(0) \mid T=1]}_{\text{what displays did}} \\
# &\quad + \underbrace{E[Y(0) \mid T=1] - E[Y(0) \mid T=0]}_{\text{the shown were buyers already}}
# \end{aligned}$$

# %% tags=["hide-input"]
e, p0, p1 = exact["propensity"], exact["p0"], exact["p1"]
had_shown, had_not_shown = np.average(p0, weights=e), np.average(p0, weights=1 - e)
already = had_shown - had_not_shown
naive_exact = np.average(p1, weights=e) - had_not_shown
assert np.isclose(naive_exact, truth.att() + already, atol=1e-6)
run.record("naive", naive, truth=truth.ate())
run.record("ate", truth.ate(), naive=naive)
run.record("att", truth.att(), naive=naive)
run.record("naive_in_se", abs(naive.value - truth.ate()) / naive.se)
run.record("had_shown", had_shown)
run.record("had_not_shown", had_not_shown)
run.record("already", already)
run.record("naive_exact", naive_exact, truth=truth.ate())
run.record("naive_per_hundred", 100 * naive.value)
run.claim("the naive interval holds its own exact value, not the effect", naive.covers(naive_exact))
run.claim("the naive answer is far off", abs(naive.value - truth.ate()) > 5 * naive.se)
run.claim("about half of the naive difference is no effect", 0.4 < already / naive_exact < 0.6)
run.claim("the part that is no effect is slightly larger", truth.att() < already < 1.25 * truth.att())

fig, ax = plt.subplots(figsize=(6.6, 2.2))
pieces = {"what displays did (ATT)": truth.att(), "the shown were buyers already": already}
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
# Without any display, the shown would have bought at a rate of {glue:text}`had_shown:.3f`, the others at
# {glue:text}`had_not_shown:.3f`. (The bar is drawn from exact probabilities and ends at
# {glue:text}`naive_exact:.3f`; this log's {glue:text}`naive:.3f` is that and chance.) The recommender is *good at
# its job*, and that spoils the comparison: score, popularity and activity move both the display and the purchase.
# This is {term}`confounding bias <confounding>`, which econometricians call {term}`selection bias`.
#
# ## The log feeds on itself
#
# One wrong number would be bad enough. A recommender acts on it, writes next week's log, and learns from that. Let
# one live in the shop for twenty weeks. In the first it shows items by their past popularity. Then it counts, in
# each segment of users, the purchases that followed a display, and next week shows item $i$ in proportion to
#
# $$(\text{purchases of } i \text{ after a display, so far} + 1)^{\,s}.$$
#
# The exponent $s$ is how sharply it follows its counts: at $s = 1$ in proportion; above, the leader gets more than
# its share. Chance plays a part in what sells first, so each $s$ gets some runs.

# %% tags=["hide-input"]
sharpness = (0.5, 0.8, 1.0, 1.2, 1.5)
n_runs = run.size(ci=4, full=50)


def last_week(retrain, s):
    """The twentieth week of several runs, one row a run."""
    runs = [world.feedback_loop(20, retrain=retrain, sharpness=s, seed=run.seed + k).tail(1) for k in range(n_runs)]
    return pd.concat(runs).assign(anyway=lambda end: end["reward"] - end["lift"], s=s)


first = world.feedback_loop(1, seed=run.seed).iloc[0]
ends = pd.concat([last_week("clicks", s) for s in run.progress(sharpness, "recommenders")])
after = ends.groupby("s")[["reward", "anyway", "lift", "effective_items"]].mean()
after.round(3)

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.6), width_ratios=(1.5, 1))
curves = {
    "reward": ("bought when shown (dashboard)", "naive", "s"), "lift": ("made by the display", "estimate", "o"),
}  # fmt: skip
at = np.arange(len(sharpness))
for column, (label, color, mark) in curves.items():
    left.axhline(first[column], color=plots.COLORS[color], linestyle=":", linewidth=1.4)
    left.plot(at, after[column], marker=mark, color=plots.COLORS[color], label=label)
    left.plot(ends["s"].map(sharpness.index), ends[column], ".", color=plots.COLORS[color], alpha=0.6)
left.plot([], [], color=plots.COLORS["ink"], linestyle=":", label="the same in the first week")
left.axhline(0, color=plots.COLORS["ink"], linewidth=0.8)
left.set(title="per display, after twenty weeks")
right.plot(at, after["effective_items"], marker="o", color=plots.COLORS["warn"])
right.plot(ends["s"].map(sharpness.index), ends["effective_items"], ".", color=plots.COLORS["warn"], alpha=0.6)
right.axhline(first["effective_items"], color=plots.COLORS["warn"], linestyle=":", linewidth=1.4)
right.set(title="effective number of items", yscale="log", ylim=(1, 1_500))
right.set_yticks([1, 10, 100, 1_000], ["1", "10", "100", "1,000"])
right.minorticks_off()
for ax in (left, right):
    ax.set(xlabel="sharpness $s$", xticks=at, xticklabels=[f"{s:g}" for s in sharpness])
fig.legend(loc="outside lower center", ncols=3, fontsize=9)
plots.show(
    fig,
    alt="Left: over five values of the sharpness, purchases among displays rise at every step, while what displays "
    "make rises to a peak near one and then falls below zero. Right: the effective number of items, on a log "
    "scale, is high up to one and collapses above it.",
    caption="A recommender that learns from its own counts, after twenty weeks (small dots: single runs). The "
    "dashboard (grey) is happier with every step to the right. What displays make (blue) has its best near "
    "proportional learning. Beyond it blue falls, and at the last step, where a handful of items gets nearly all "
    "the attention, it is below zero.",
)
lift, items_left = after["lift"], after["effective_items"]
least, most = ends.groupby("s")["lift"].min(), ends.groupby("s")["lift"].max()  # of the single runs
run.claim("the dashboard rises with every step of s", after["reward"].is_monotonic_increasing)
run.claim("proportional counts: displays make more than at first, and than at random",
          least[1.0] > max(first["lift"], truth.ate()))  # fmt: skip
run.claim("the best is near one, in each run", most[0.5] < least[0.8] and most[1.2] < min(least[0.8], least[1.0]))
run.claim("above one it turns, in each run", most[1.5] < 0 and most[1.2] < 0.75 * lift[1.0])
run.claim("above one attention collapses", items_left[1.5] < items_left[1.2] < items_left[1.0] / 4)
run.claim("a handful gets nearly all", ends.loc[ends["s"] == 1.5, "effective_items"].max() < 10)
run.claim("what is left would have been bought anyway", after["anyway"].is_monotonic_increasing)

# %% tags=["remove-input"]
rated = last_week("weighted", 4.0)["lift"]
run.claim("clicks per display make more than counts ever do, in each run", rated.min() > most.max())
run.record("loop_rated_lift", rated.mean(), kind="stochastic", mc_se=rated.std() / np.sqrt(n_runs))
for column, name in (("reward", "reward"), ("lift", "lift"), ("anyway", "anyway"), ("effective_items", "items")):
    for s in (1.0, 1.2, 1.5):
        noise = ends.loc[ends["s"] == s, column].std() / np.sqrt(n_runs)
        run.record(f"loop_{name}_s{10 * s:.0f}", after.loc[s, column], kind="stochastic", mc_se=noise)
run.record("loop_runs", n_runs)
run.record("loop_reward_first", first["reward"])
run.record("loop_lift_first", first["lift"])
run.record("loop_items_first", first["effective_items"])

# %% [markdown]
# Learning in proportion does good here. At $s = 1$ a display makes {glue:text}`loop_lift_s10:.3f` sales after
# twenty weeks (a mean of {glue:text}`loop_runs:d` runs, as are the numbers below; dots show how far runs differ); in
# the first week it made {glue:text}`loop_lift_first:.3f`, and items drawn at random would make {glue:text}`ate:.3f`.
# The effective number of items (the exponential of the entropy of their shares) is still
# {glue:text}`loop_items_s10:.0f`. Above one it turns. At $s = 1.2$ that number is {glue:text}`loop_items_s12:.0f`
# and a display makes {glue:text}`loop_lift_s12:.3f`; at $s = 1.5$ it is {glue:text}`loop_items_s15:.0f`, and
# displays put off more than they sell ({glue:text}`loop_lift_s15:.3f`).
#
# Why? What was shown got sales, what got sales is shown {cite:p}`chaney2018algorithmic`: a {term}`feedback loop`.
# Above one a lead grows by itself, and those that lead are items that people find anyway. At $s = 1.5$
# {glue:text}`loop_anyway_s15:.0%` of the people who are shown something would have bought it without the display, at
# $s = 1$ {glue:text}`loop_anyway_s10:.0%`. The dashboard can't tell: it shows {glue:text}`loop_reward_s10:.2f` at
# $s = 1$, where displays do good, and {glue:text}`loop_reward_s15:.2f` at $s = 1.5$, where they do harm.
#
# Counts mix up how well an item sells and how often it was shown. With purchases *per display* in place of counts,
# and $s = 4$, displays make {glue:text}`loop_rated_lift:.3f`, more than with counts at any $s$ of the figure. That
# is better, and still no effect: it ranks items by how often they are bought *when shown*.
#
# ## The same clicks, two verdicts
#
# A page in Mara's shop shows ten items out of forty, ranked. Sponsored items get a bonus in the ranking. Do customers
# click on them less often than on the others? In some sessions the ten chosen items were shuffled before they were
# shown.

# %%
page = make_world(n_items=40)  # a small department of forty items
slots = page.slate_log(
    n_sessions=run.size(ci=40_000, full=200_000), slate_size=10, randomised_share=0.25, seed=run.seed
)
ranked, shuffled = slots[slots["randomised"] == 0], slots[slots["randomised"] == 1]
by_slot = ranked.pivot_table("clicked", index="position", columns="sponsored")
by_slot.T.rename({0: "others", 1: "sponsored"}).round(3)

# %% tags=["hide-input"]
rates = {"ranked": ranked.groupby("sponsored")["clicked"].mean()}
rates["shuffled"] = shuffled.groupby("sponsored")["clicked"].mean()
fig, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.2), sharey=True, width_ratios=(1, 2.2))
for group, color, label, mark in ((1, "treated", "sponsored", "s"), (0, "control", "others", "o")):
    for x, sessions in enumerate(rates):
        left.plot([x], rates[sessions][group], mark, color=plots.COLORS[color], markersize=9)
    right.plot(by_slot.index, by_slot[group], marker=mark, color=plots.COLORS[color], label=label)
left.set(
    xticks=(0, 1), xlim=(-0.6, 1.6), ylabel="share clicked (log scale)", title="all slots together", yscale="log"
)
left.set_xticklabels(list(rates))
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
pooled_gap, shuffled_gap = (
    difference_in_means(s["clicked"].to_numpy(float), s["sponsored"].to_numpy(float), clusters=s["user"])
    for s in (ranked, shuffled)
)
run.record("pooled_gap", pooled_gap)
run.record("shuffled_gap", shuffled_gap, naive=pooled_gap)
run.record("pooled_sponsored", rates["ranked"][1])
run.record("pooled_others", rates["ranked"][0])
mean_slot = ranked.groupby("sponsored")["position"].mean()
run.record("mean_slot_sponsored", mean_slot[1])
run.record("mean_slot_others", mean_slot[0])
run.claim("all slots together, sponsored items win", pooled_gap.low > 0)
slot_noise = ranked.pivot_table("clicked", index="position", columns="sponsored", aggfunc="sem")
in_se = (by_slot[1] - by_slot[0]) / np.hypot(slot_noise[0], slot_noise[1])
run.claim("slot by slot they lose everywhere", in_se.max() < -3, nearest=in_se.max())
run.claim("shuffled, they lose", shuffled_gap.high < 0)
run.claim("sponsored items stand higher", mean_slot[1] < mean_slot[0])

# %% [markdown]
# Over all slots together sponsored items are clicked *more* ({glue:text}`pooled_sponsored:.3f` against
# {glue:text}`pooled_others:.3f`). Slot by slot they are clicked *less*, in every slot. Both are true. The bonus
# lifts them to slot {glue:text}`mean_slot_sponsored:.1f` on average, the others stand at
# {glue:text}`mean_slot_others:.1f`, and people look at the top of a page. It also brings in items that fit less.
# This is {term}`Simpson's paradox` {cite:p}`simpson1951interpretation,bickel1975sex`, made by
# {term}`position bias`. Which verdict to use, the table can't say; the question does:
#
# | the question | hold the slot? | which number |
# |---|---|---|
# | Who gets more clicks on the page as it is? | no | pooled gap: {glue:text}`pooled_gap:.3f` |
# | What do people think of what made it to the page? | yes | shuffled gap: {glue:text}`shuffled_gap:.3f` |
# | What does the *bonus* do to clicks? | no, the slot is part of it | the bonus: not in this log |
#
# (Standard errors {glue:text}`pooled_gap.se:.3f` and {glue:text}`shuffled_gap.se:.3f`, for other users and the same
# forty items.) The third takes a bonus that is given by chance: sponsored items are other items.
#
# **The question and the arrows choose the analysis; the data don't.**
#
# ## Two outcomes for every pair
#
# Make "would have" a column. Each pair has two {term}`potential outcomes <potential outcome>`
# {cite:p}`rubin1974estimating`: $Y(1)$ if it is shown and $Y(0)$ if it is not. The effect on the pair is
# $Y(1) - Y(0)$: $1$ (the display sold), $0$ (no difference) or $-1$ (it put off). Here is a shop that fits into a
# picture: forty users, thirty items.

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

# %% tags=["hide-input"]
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
# One pair of each kind that occurs. The right half is the log, with a question mark in every row. That is the
# *fundamental problem of causal inference* {cite:p}`holland1986statistics`: one never sees both terms of the
# difference. No model fills in the question mark for *one* pair. Averages are another matter. In the toy shop
# displays would sell in {glue:text}`toy_sold:d` pairs and put off in {glue:text}`toy_put_off:d`; the average effect
# is {glue:text}`toy_ate:.3f`, and the naive difference says {glue:text}`toy_ate.naive:.3f`.
#
# One reservation. The simulator draws both outcomes of a pair from one random number, so it knows which sales a
# display made and which it put off. An experiment reveals only the *net* of the two: all we ask for from here on.
#
# ## An estimand for each decision
#
# "The effect" does not exist. An {term}`estimand` says whose effect, and each belongs to a decision. In the shop
# all of them can be computed exactly, by averaging over all pairs. Take six rules that could choose one item for
# each user:

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
# | the decision | the estimand | in symbols | exactly |
# |---|---|---|---|
# | Show everything or nothing? | {term}`ATE` | $E[Y(1) - Y(0)]$ | {glue:text}`ate:.3f` |
# | What do we lose without the displays? | {term}`ATT` | $E[Y(1) - Y(0) \mid T = 1]$ | {glue:text}`att:.3f` |
# | Show the most popular tenth? | {term}`CATE` | $E[Y(1) - Y(0) \mid X = x]$ | {glue:text}`cate_high:.3f` |
# | Let the score choose? | {term}`policy value` | $E[Y(1)]$ at its choice | {glue:text}`value_score:.3f` |
# | ... and what does that add? | {term}`lift` | $E[Y(1) - Y(0)]$ at its choice | {glue:text}`lift_score:.3f` |
#
# - The ATE belongs to a decision about *all* pairs, which a recommender hardly ever takes.
# - The ATT is smaller here, because the recommender prefers items that people find anyway.
# - The CATE is the average in a group, here a tenth of the catalogue by popularity. In the least popular tenth it is
#   {glue:text}`cate_low:.3f`.
# - The policy value is the mean outcome under a rule that picks an item for each user. With the usual outcome, "the
#   shown item was bought" (grey below), it counts what would have been bought anyway. The *lift over not showing*
#   takes that off (blue), and only blue moves the sales of the shop.

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5), width_ratios=(1, 1.05))
left.bar(range(1, 11), by_popularity, color=plots.COLORS["estimate"], width=0.75)
left.axhline(truth.ate(), color=plots.COLORS["truth"], linestyle="--", linewidth=1.3, label="ATE")
left.axhline(truth.att(), color=plots.COLORS["treated"], linestyle=":", linewidth=2, label="ATT")
left.set(title="CATE by popularity", xlabel="tenth of the catalogue", xticks=(1, 4, 7, 10))
left.legend()
at = np.arange(len(value))[::-1]
right.barh(
    at + 0.19, value["reward"], height=0.36, color=plots.COLORS["naive"], label="policy value: bought when shown"
)
right.barh(at - 0.19, value["lift"], height=0.36, color=plots.COLORS["estimate"], label="lift: made by the display")
right.set_yticks(at, [label.replace("the item ", "").replace("the ", "") for label in value.index], fontsize=8.5)
right.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
right.set(title="six rules", xlabel="per display")
right.legend(fontsize=8.5, loc="upper center", bbox_to_anchor=(0.35, -0.2), ncols=1)
plots.show(
    fig,
    alt="Left: bars of the effect by popularity, highest in the third tenth, falling from there to about zero, "
    "with lines for ATE and ATT. Right: six rules, each with a long bar for purchases among displays "
    "and a shorter one for purchases caused; the rule that predicts purchases best causes none.",
    caption="Estimands, computed exactly. Right, fourth rule: a recommender that knows precisely who will "
    "buy what has a tall grey bar and a blue bar below zero. It recommends what people were about to buy.",
)
low, high = by_popularity.iloc[0], by_popularity.iloc[-1]
gains = dict(zip(rules, value["lift"], strict=True))
rewards = dict(zip(rules, value["reward"], strict=True))
run.claim("from the third tenth on the effect falls to about zero", low > truth.ate() and abs(high) < 0.1 * low
          and by_popularity.idxmax() == by_popularity.index[2]
          and (np.diff(by_popularity)[2:] < 0).all())  # fmt: skip
displays = e.groupby(week["item"].map(decile)).sum()
by_mix = np.average(by_popularity, weights=displays)  # the ATE, with popularity as among the shown
run.claim("ATT is smaller than ATE, for the popularity of what is shown", max(truth.att(), by_mix) < truth.ate())
run.claim("each rule: less is made than bought", bool((value["lift"] < value["reward"]).all()))
run.claim("the perfect predictor makes fewer than none", gains["consumption"] < 0 < gains["random"])
run.claim("its grey bar is tall", rewards["consumption"] > 3 * rewards["random"])
run.claim("bought if shown: much better than random", gains["best"] > 4 * gains["random"])
run.claim("bought mostly because it was shown", gains["best"] > 0.5 * rewards["best"])
run.claim("and less than effects, with a taller grey bar",
          gains["best"] < gains["uplift"] and rewards["best"] > rewards["uplift"])  # fmt: skip
for rule in rules:
    run.record(f"value_{rule}", rewards[rule])
    run.record(f"lift_{rule}", gains[rule], naive=rewards[rule])
run.record("cate_low", low, naive=truth.ate())
run.record("cate_high", high, naive=truth.ate())

# %% [markdown]
# Look at the fourth rule. It knows exactly which item each user is most likely to buy as things are: no model can
# predict purchases better. Its displays add {glue:text}`lift_consumption:.3f` sales each, fewer than none. Any item
# at random adds {glue:text}`lift_random:.3f`, and the rule that knows the *effects* {glue:text}`lift_uplift:.3f`.
#
# "But we train on displays only." Then your model aims at the fifth rule, purchases *if shown*. It adds
# {glue:text}`lift_best:.3f` here: much better, since what few find alone is bought mostly because it was shown. It
# still sells less than the sixth, with a taller grey bar. Predicting purchases and causing them are two skills.
#
# ## What must hold
#
# Weighting, matching and their relatives get an average effect out of a log under four assumptions. (The standard
# text {cite:p}`hernan2020causal` has three conditions and treats the second below under consistency; we split it.)
#
# 1. **{term}`Consistency`.** The logged purchase is the potential outcome of the display that happened:
#    $Y = Y(T)$. There is one kind of "shown". *Suspicious when* a display may be slot one or slot ten, a banner
#    or a line.
# 2. **No {term}`interference`.** $Y(1)$ and $Y(0)$ of a pair don't depend on what others are shown. With
#    consistency this is called {term}`SUTVA`. *Suspicious when* friends talk, or stock runs out.
# 3. **{term}`Exchangeability`.** Among pairs with the same columns $X$, displays are as good as tossed:
#    $(Y(0), Y(1)) \perp T \mid X$, read "independent of $T$, given $X$". Whatever moved both the display and the
#    purchase must be in $X$, and nothing that the display itself moved. *Suspicious when* the ranker reads what the
#    log doesn't keep.
# 4. **{term}`Positivity`.** Every kind of pair could have gone either way: $0 < P(T = 1 \mid X) < 1$. *Suspicious
#    when* a rule ("never show swimwear in winter") decides.
#
# In this shop all four hold with $X$ = (score, popularity, activity): follow the orange arrows. In yours, the log can
# show that the fourth fails; about the first three it gives hints at best (the next chapter has one, the
# {term}`placebo outcome`).
#
# ## The estimator, by hand
#
# Compare like with like. Cut score and popularity into three levels each, compare shown and not shown *within* each
# of the nine cells, and average the differences, each weighted by its share of all pairs. That is
# {term}`standardisation`:

# %%
cells = [pd.qcut(log[c], 3, labels=["low", "middle", "high"]) for c in ("score", "log_popularity")]
rates = log.pivot_table("consumed", index=cells, columns="exposed", observed=True)
share = log.groupby(cells, observed=True).size() / len(log)
noise = log.pivot_table("consumed", index=cells, columns="exposed", observed=True, aggfunc="sem")
within = rates[1] - rates[0]
se = float(np.sqrt(((noise**2).sum(axis=1) * share**2).sum()))
standardised = Estimate(float((within * share).sum()), se, "ATE", "standardisation over nine cells", len(log))
within.reset_index(name="effect").pivot_table("effect", *within.index.names, observed=True).round(3)

# %% [markdown]
# It moves the answer from {glue:text}`naive:.3f` to {glue:text}`standardised:.3f`, with {glue:text}`ate:.3f` as
# the truth. The rest is missing because the shown still differ from the others *within* a coarse cell, and because
# activity is not in it. Finer cells of all three columns come closer, and run empty: with each cut into twenty,
# {glue:text}`cells_empty:.0%` of the cells lack one of the two groups.
#
# So weigh instead of cut. Estimate the {term}`propensity score` $e(x) = P(T = 1 \mid X = x)$, the chance of being
# shown. A shown pair with $e = 0.1$ stands for ten pairs like it, of which nine were not shown. Give it the weight
# $w_1 = T/e$, a pair that was not shown $w_0 = (1-T)/(1-e)$, and compare weighted means:
#
# $$\widehat{\text{ATE}} = m_1 - m_0, \qquad m_1 = \frac{\sum_i w_{1i} Y_i}{\sum_i w_{1i}}, \qquad
# m_0 = \frac{\sum_i w_{0i} Y_i}{\sum_i w_{0i}}.$$
#
# For the standard error, write down what row $i$ adds to the error; the squares sum up to the variance:
#
# $$d_i = \frac{w_{1i}}{\bar w_1}\,(Y_i - m_1) - \frac{w_{0i}}{\bar w_0}\,(Y_i - m_0), \qquad
# \text{se}^2 = \frac{1}{n^2} \sum_i d_i^2.$$
#
# The propensity is a logistic regression, $e_i = 1 / (1 + \exp(-x_i^\top b))$. In this shop that is the right model;
# in yours it is one more assumption. As $e$ is fitted to the same rows, the part of $d_i$ that the fit explains is no
# error of the comparison, and the code takes it off.


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
    d = w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
    fit = X * (t - e)[:, None]
    d = d - fit @ np.linalg.lstsq(fit, d, rcond=None)[0]
    se = float(np.sqrt((d**2).sum()) / len(y))
    return Estimate(m1 - m0, se, "ATE", "IPW, by hand", len(y))


X = ["score", "log_popularity", "log_activity"]
by_hand = ipw(y, t, log[X])
by_hand

# %% [markdown]
# Two libraries must say the same: statsmodels, and the course's own `weighting.ipw`, which later chapters use.

# %%
by_library = weighting.ipw(y, t, X=log[X], unit="purchases per display")
e_hat = sm.Logit(t, sm.add_constant(log[X])).fit(disp=0).predict()
w = np.where(t == 1, 1 / e_hat, 1 / (1 - e_hat))
by_statsmodels = sm.WLS(y, sm.add_constant(t), weights=w).fit()
assert np.isclose(by_hand.value, by_statsmodels.params[1], rtol=1e-5)
assert np.isclose(by_hand.value, by_library.value, rtol=1e-6)
assert np.isclose(by_hand.se, by_library.se, rtol=0.02)
by_library

# %% [markdown]
# (The effective sample size and the imbalance on this card are explained two sections down.)
#
# ## Held against the truth
#
# IPW says {glue:text}`ipw:.3f`, interval {glue:text}`ipw.low:.3f` to {glue:text}`ipw.high:.3f`; the truth is
# {glue:text}`ipw.truth:.3f`. The figure adds an {term}`A/B test`: a week in which a coin decides about every display.

# %%
coin = make_world(confounding="none")
experiment = difference_in_means(*arrays(coin.exposure_log(n_pairs=len(log), seed=run.seed)))

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
    alt="Forest plot with the naive difference far to the right of the dashed truth, nine cells about half as far, "
    "and intervals of IPW and of the experiment that contain the truth.",
    caption="The naive answer (grey) is precise and wrong. Nine coarse cells go about half of the way and are nearly "
    "as sure of themselves. Weighting and the experiment cover the truth.",
)
run.record("standardised", standardised, truth=truth.ate(), naive=naive)
run.record("ipw", by_library, truth=truth.ate(), naive=naive)
run.record("experiment", experiment, truth=coin.truth.ate(), naive=naive)
left_over = (standardised.value - truth.ate()) / (naive.value - truth.ate())
run.claim("nine cells go about half of the way", 0.3 < left_over < 0.7)
run.claim("nine cells are nearly as sure of themselves", standardised.se < 1.25 * naive.se)
finer = {}
for n_cols, levels in ((2, 10), (3, 3), (3, 5), (3, 20)):  # finer cells, then activity too, then both
    cells = [pd.qcut(log[c].rank(method="first"), levels, labels=False) for c in X[:n_cols]]
    split = log.pivot_table("consumed", index=cells, columns="exposed")
    finer[n_cols, levels] = float(((split[1] - split[0]) * log.groupby(cells).size()).sum() / len(log))
run.claim("finer cells come closer, and so do cells of activity", max(finer[2, 10], finer[3, 3]) < standardised.value)
run.claim("both together come closest", truth.ate() < finer[3, 5] < min(finer[2, 10], finer[3, 3]))
empty = 1 - split.notna().all(axis=1).sum() / levels**3
run.record("cells_empty", empty)
run.claim("fine cells run empty", empty > 0.2)
run.claim("naive and nine cells miss", naive.low > truth.ate() and standardised.low > truth.ate())
run.claim("weighting and the experiment cover", by_library.covers(truth.ate()) and experiment.covers(truth.ate()))

# %% [markdown]
# One interval that covers may be luck. The promise of a 95% interval is about its recipe: over many weeks it must
# contain the truth in about nineteen of twenty. So draw many weeks.


# %%
def answers(sample):
    """Both answers from the same pairs."""
    y, t = arrays(sample)
    return {"naive difference": difference_in_means(y, t), "weighting (IPW)": ipw(y, t, sample[X])}


def one_week(seed):
    return answers(world.exposure_log(n_pairs=5_000, seed=seed))


times = run.size(ci=200, full=1_000)
seeds = range(run.seed + 1, run.seed + 1 + times)
weeks = simulation.repeat(one_week, run.progress(seeds, "weeks"), truth.ate())
summary = simulation.summary(weeks)
summary[["bias", "bias_mc_se", "sd", "mean_se", "coverage"]].round(4)

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3.6), sharex=True, sharey=True)
for ax, (name, runs) in zip(axes, weeks.groupby("name", sort=False), strict=True):
    some = runs.head(60).sort_values("value").reset_index(drop=True)
    for covers, color in ((True, "naive" if name == "naive difference" else "estimate"), (False, "warn")):
        part = some[some["covers"] == covers]
        low, high = part["value"] - 1.96 * part["se"], part["value"] + 1.96 * part["se"]
        ax.hlines(part.index, low, high, color=plots.COLORS[color], linewidth=1.6)
    plots.truth_line(ax, truth.ate())
    ax.set(title=f"{name}: {runs['covers'].mean():.1%} cover", xlabel="effect", yticks=[])
axes[0].set_ylabel("sixty of the weeks")
plots.show(
    fig,
    alt="Two panels of sixty horizontal intervals each. Nearly all naive intervals miss the dashed truth, on its "
    "right; nearly all weighted intervals contain it.",
    caption=f"Intervals from {len(some)} of {times} weeks; orange ones miss the truth. The naive intervals are "
    f"honest about noise and silent about bias.",
)
plain, weighted = summary.loc["naive difference"], summary.loc["weighting (IPW)"]
noise = np.sqrt(0.95 * 0.05 / times)
run.record("weeks", times)
run.record("coverage", weighted["coverage"], truth=0.95, naive=plain["coverage"], kind="stochastic", mc_se=noise)
run.record("coverage_mc_se", noise)
for name, row, against in (("ipw", weighted, plain["bias"]), ("naive", plain, None)):
    run.record(f"bias_{name}", row["bias"], naive=against, kind="stochastic", mc_se=row["bias_mc_se"])
    run.record(f"bias_{name}_mc_se", row["bias_mc_se"])
    run.record(f"sd_{name}", row["sd"], kind="stochastic", mc_se=row["sd"] / np.sqrt(2 * times))
run.claim("weighting covers as promised", abs(weighted["coverage"] - 0.95) < 3 * noise)
run.claim("naive intervals hardly ever cover", plain["coverage"] < 0.1)
run.claim("and are honest about noise", 0.8 < plain["mean_se"] / plain["sd"] < 1.25)
run.claim("weighting has next to no bias", abs(weighted["bias"]) < min(0.003, 0.1 * plain["bias"]))
in_size = weighted["mean_se"] / plain["mean_se"]
run.claim("good overlap: removing the bias costs variance, and is cheap", 1.05 < in_size < 1.3, ratio=in_size)

# %% [markdown]
# The weighted interval covers the truth in {glue:text}`coverage:.1%` of {glue:text}`weeks:,d` weeks
# ({term}`Monte-Carlo standard error` {glue:text}`coverage_mc_se:.1%`), the naive one in
# {glue:text}`coverage.naive:.1%`. The mean error of weighting is {glue:text}`bias_ipw:.4f` (Monte-Carlo error
# {glue:text}`bias_ipw_mc_se:.4f`), that of the naive difference {glue:text}`bias_naive:.4f`.
#
# :::{note}
# *What was redrawn?* Displays, purchases and the sample of pairs, of *these* users and items. For a claim about other
# users and items, rows of one user or one item repeat each other and count for less: pass them as `clusters`.
# :::
#
# ## What to look at in practice
#
# You won't have the truth. You will have two pictures. Do the two groups overlap, so that there is like to
# compare with like? Did the weights make them alike?

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4))
edges, counts = np.linspace(0, 1, 41), {}
for group, color, label in ((1, "treated", "shown"), (0, "control", "not shown")):
    counts[group], _, _ = left.hist(e_hat[t == group], bins=edges, density=True, histtype="step", linewidth=2,
                                    color=plots.COLORS[color], label=label)  # fmt: skip
left.set(title="overlap", xlabel="estimated chance of being shown, $e$", ylabel="density", xlim=(0, 1))
left.legend()
love, rule_of_thumb = by_library.balance.abs().iloc[::-1], 0.1
right.plot(love["before"], range(len(love)), "X", color=plots.COLORS["naive"], markersize=8, label="before")
right.plot(
    love["after"], range(len(love)), "o", color=plots.COLORS["estimate"], markersize=8, label="after weighting"
)
right.axvline(rule_of_thumb, color=plots.COLORS["ink"], linestyle=":", linewidth=1)
right.text(rule_of_thumb + 0.01, len(love) - 0.55, f"{rule_of_thumb:g}", fontsize=9, va="top")
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
    f"differences from beyond {rule_of_thumb:g}, the usual rule of thumb (dotted), to near zero. Both look only at "
    "columns that we have.",
)
run.record("ess", by_library.ess)
run.record("rows_shown", int(t.sum()))
run.record("imbalance", float(love["after"].max()), naive=float(love["before"].max()))
two_sided = np.isin(np.digitize(e_hat, edges) - 1, np.flatnonzero((counts[0] > 0) & (counts[1] > 0)))
run.claim("both groups occur at almost every chance", two_sided.mean() > 0.99)
run.claim("large differences before, near zero after", love["before"].min() > rule_of_thumb > 4 * love["after"].max())

# %% [markdown]
# The differences are {term}`standardised mean differences <standardised mean difference>`, in units of a column's
# standard deviation. The weights have a price: the {glue:text}`rows_shown:,d` shown pairs count like
# {glue:text}`ess:,.0f` equally weighted ones ({term}`effective sample size`).
#
# ## When it breaks
#
# Break one assumption at a time, run the very same code, and look at the damage.

# %% tags=["hide-input"]
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
    clicks.mean(), np.sqrt((by_user**2).sum()) / len(clicks), "mean", "mean of all slots", len(clicks)
)
relevance = page.truth.pairs(shuffled)["p1"]
looked_at = page.truth.examination(shuffled["position"])
top_slot, last_slot = (relevance.mean() * float(page.truth.examination(k)) for k in (1, 10))

# %% tags=["hide-input"]
same = truth.ate()  # these two switches change who is shown, not what a display does
damage = {
    "hidden taste drives the displays\n(exchangeability)": (broken_exchange, same, "warn"),
    "a rule decides at both ends\n(positivity)": (broken_positivity, same, "warn"),
    "friends talk, everybody is shown\n(no interference)": (broken_interference, everybody, "naive"),
    "shown now means the top slot\n(consistency; click rate)": (average_slot, top_slot, "naive"),
}
fig, ax = plt.subplots(figsize=(6.8, 3.9))
for row, (est, true, color) in enumerate(damage.values()):
    at = len(damage) - 1 - row
    label = {0: "misses its own truth", 2: "answers another question"}.get(row)
    ax.plot([est.value, true], [at, at], color=plots.COLORS[color], alpha=0.4, linewidth=6, label=label)
    ax.plot([est.low, est.high], [at, at], color=plots.COLORS["estimate"], linewidth=2.6)
    ax.plot(est.value, at, "o", color=plots.COLORS["estimate"], label="estimate with interval" if row == 0 else None)
    ax.plot(true, at, "D", color=plots.COLORS["truth"], label="truth for the decision" if row == 0 else None)
ax.set_yticks(range(len(damage))[::-1], list(damage))
ax.set(xlabel="effect of a display; last row: clicks per display", xlim=(0.03, None), ylim=(-0.6, len(damage) - 0.4))
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Four rows, one for each violated assumption. In each the narrow interval of the estimate misses "
    "a diamond, the truth for the decision. The upper two are joined to it in orange, the lower two in grey.",
    caption="Four broken assumptions, four tight intervals (blue), none at the truth that the decision needs. The "
    "upper two miss their own truth (orange). The lower two answer another question (grey).",
)
run.claim("no interval reaches its diamond", not any(est.covers(true) for est, true, _ in damage.values()))
own_truth = talking.truth.ate()
run.claim("weighting gets its own question right under interference", broken_interference.covers(own_truth))
run.claim("the mean of all slots is right about itself", average_slot.covers(float((relevance * looked_at).mean())))
looks_fine = weighting.ipw(*arrays(hidden_log), X=hidden_log[X])
hidden_imbalance = float(looks_fine.balance["after"].abs().max())
run.claim("a hidden cause: balance is near perfect", hidden_imbalance < 0.02)
run.claim("a hidden cause: the effective sample size is as high", looks_fine.ess > 0.9 * by_library.ess)
run.claim("a hidden cause: the interval is about as narrow", broken_exchange.se < 1.25 * by_hand.se)
run.claim("these switches leave the effects as they are", np.allclose([hidden.truth.ate(), ruled.truth.ate()], same))
appeal = relevance.groupby(shuffled["sponsored"]).mean()
run.claim("the bonus brings in items that fit less", appeal[1] < 0.8 * appeal[0])
run.claim("talking neighbours leave a display less to add", own_truth < same < everybody)
run.claim("inside the overlap the interval covers", inside.covers(truth_inside))

# %% tags=["remove-input"]
run.record("broken_exchange", broken_exchange, truth=same)
run.record("hidden_imbalance", hidden_imbalance)
run.record("hidden_ess", looks_fine.ess)
run.record("broken_positivity", broken_positivity, truth=same)
run.record("positivity_outside", float(1 - either_way.mean()))
run.record("positivity_inside", inside, truth=truth_inside, naive=broken_positivity)
run.record("broken_interference", broken_interference, truth=own_truth)
run.record("everybody", everybody, naive=broken_interference)
run.record("average_slot", average_slot)
run.record("top_slot", top_slot, naive=average_slot)
run.record("last_slot", last_slot, naive=average_slot)

# %% [markdown]
# **Exchangeability.** The ranker now also reads hidden taste and quality, which the log doesn't keep. The same
# code says {glue:text}`broken_exchange:.3f`; the truth is {glue:text}`broken_exchange.truth:.3f`. Balance after
# weighting is near perfect (largest difference {glue:text}`hidden_imbalance:.3f`) and the effective sample size
# as high as before ({glue:text}`hidden_ess:,.0f`): both see only what is in the table.
#
# **Positivity.** A rule shows everything above one score and nothing below another:
# {glue:text}`positivity_outside:.0%` of the pairs could go one way only. No column is missing, but the data hold
# nothing on displays at the ends. The logistic curve paints over the hole and says
# {glue:text}`broken_positivity:.3f`; the truth is {glue:text}`broken_positivity.truth:.3f`.
#
# **Interference.** A friend who was shown the item may talk you into it. Weighting still gets its own question
# right, the effect of one more display with the others as they are ({glue:text}`broken_interference:.3f`, truth
# {glue:text}`broken_interference.truth:.3f`; not {glue:text}`ate:.3f`, because the switch changes what neighbours do:
# they sell a part by themselves). But the decision was to show the item to *everybody*. That moves purchases by
# {glue:text}`everybody:.3f` per pair, and an A/B test on users would miss it too: its controls have friends in the
# other arm.
#
# **Consistency.** "Shown" averages ten slots, with {glue:text}`average_slot:.3f` clicks per display. The redesign
# has a single slot at the top, where it is {glue:text}`top_slot:.3f`; at slot ten it is {glue:text}`last_slot:.3f`.
# The estimate was right about a treatment that nobody will give again.
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
# {glue:text}`positivity_inside.high:.3f`), and *their* truth is {glue:text}`positivity_inside.truth:.3f`.
#
# ## What it costs
#
# You'll read that causal inference makes recommenders more *precise* and more *general*, that it suits *small data*,
# and that it needs much *computing*. Look at each with the shop.

# %% tags=["hide-input"]
poor = make_world(overlap="poor")
sizes, draws = [500, 2_000, 5_000, 20_000], run.size(ci=12, full=40)
many = run.size(ci=400, full=1_000)  # the smallest log with poor overlap: its tail takes more draws
setups = {
    "a coin decides": (coin, "naive difference", "accent", "s", "-"),
    "weighting, good overlap": (world, "weighting (IPW)", "estimate", "o", "-"),
    "weighting, poor overlap": (poor, "weighting (IPW)", "warn", "^", "--"),
}
grid = {}
for name, (shop, method, *_) in run.progress(setups.items(), "setups"):
    for n in sizes:
        times = many if shop is poor and n == sizes[0] else max(draws, 50_000 // n)
        # one large log, in random order, cut into logs
        large = shop.exposure_log(n_pairs=n * times, seed=run.seed, with_propensity=True)
        cut = lambda k, large=large, n=n: answers(large.iloc[k * n : (k + 1) * n])  # noqa: E731
        runs = simulation.repeat(cut, range(times), truth.ate())
        grid[name, n] = runs[runs["name"] == method]
# half the width of an interval; the median, because means have a long tail
half = pd.DataFrame({n: {name: 1.96 * grid[name, n]["se"].median() for name in setups} for n in sizes})

fig, ax = plt.subplots(figsize=(6.6, 3.5))
for name, (_, _, color, mark, line) in setups.items():
    ax.plot(sizes, half.loc[name], line, marker=mark, color=plots.COLORS[color], label=name)
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
    "good overlap and weighting with poor overlap. All fall; the experiment is lowest, poor overlap highest. A "
    "dashed line marks the size of the effect.",
    caption="The bill. Weighting needs wider intervals than a coin on the same number of pairs, and poor "
    "overlap multiplies it. Above the dashed line an interval is more likely than not to contain zero: "
    "data that small can't tell the sign.",
)
lowest, middle, highest = (half.loc[name] for name in setups)
run.claim("all fall with the number of pairs", bool((half.diff(axis=1).iloc[:, 1:] < 0).all(axis=None)))
run.claim("the experiment is lowest, poor overlap highest", bool(((lowest < middle) & (middle < highest)).all()))
rare = np.sort(large["propensity"].to_numpy())  # poor overlap; squared weights of the shown sum to 1/e on average
half_way = np.searchsorted(np.cumsum(1 / rare), 0.5 * (1 / rare).sum()) + 1
in_small = rare[:half_way].sum() / len(rare) * sizes[0]  # of those that carry half, as many are in a small log
run.claim("the pairs that carry most are mostly not in a small log", in_small < 0.5, expected=in_small)
run.claim("poor overlap multiplies the bill", highest[sizes[-1]] > 1.6 * middle[sizes[-1]])
run.claim("the smallest log can't tell the sign", 0.85 < middle[sizes[0]] / truth.ate() < 1.15)


# %% tags=["remove-input"]
def noise_of_median(x):
    """Monte-Carlo error of a median, relative to it, from the quartiles."""
    low, centre, high = np.quantile(x, (0.25, 0.5, 0.75))
    return 1.2533 * (high - low) / 1.349 / centre / np.sqrt(len(x))


errors = {name: noise_of_median(grid[name, sizes[-1]]["se"]) for name in setups}
thousands = {name: (half.loc[name, sizes[-1]] / 0.01) ** 2 * sizes[-1] / 1_000 for name in setups}
for short, name in (("coin", "a coin decides"), ("good", "weighting, good overlap")):
    needed = thousands[name]  # for a half width of one purchase per hundred displays
    run.record(f"thousand_pairs_{short}", needed, kind="stochastic", mc_se=2 * needed * errors[name])
run.claim("a coin needs fewer pairs", thousands["a coin decides"] < thousands["weighting, good overlap"])
tail = grid["weighting, poor overlap", sizes[0]]
scatter = tail["value"].std() / tail["se"].mean()
kurtosis = ((tail["value"] - tail["value"].mean()) ** 4).mean() / tail["value"].var() ** 2
scatter_noise = scatter * np.sqrt((kurtosis - 1) / (4 * many))
run.record("poor_scatter", scatter, kind="stochastic", mc_se=scatter_noise)
run.record("poor_scatter_mc_se", scatter_noise)
run.claim("poor overlap, few pairs: standard errors are too small", scatter - 2 * scatter_noise > 1)
run.record("draws", many)
small, small_noise = middle[sizes[0]], noise_of_median(grid["weighting, good overlap", sizes[0]]["se"])
run.record("half_width_small", small, kind="stochastic", mc_se=small * small_noise)
wider = highest[sizes[-1]] / middle[sizes[-1]]
run.record("poor_wider", wider, kind="stochastic", mc_se=wider * errors["weighting, poor overlap"])

# %% tags=["remove-input"]
tenth = log["item"].map(decile)
effects = {k: ipw(*arrays(log[tenth == k]), log.loc[tenth == k, X]) for k in range(1, 11)}
true_effects = exact["tau"].groupby(week["item"].map(decile)).mean()
own = sum(est.covers(true_effects[k]) for k, est in effects.items())
wider = np.mean([est.se for est in effects.values()]) / by_library.se
run.record("tenths_covered", own)
run.record("tenth_wider", wider)
run.claim("the average misses most groups", sum(by_library.covers(v) for v in true_effects) <= 2)
run.claim("the groups' own intervals cover, and are wider", own >= 8 and wider > 2)

# %% [markdown]
# **Precise?** Adjustment removes bias and pays in variance. At five thousand pairs the naive difference scatters by
# {glue:text}`sd_naive:.4f`, weighting by {glue:text}`sd_ipw:.4f`: with good overlap that is cheap. To know the effect
# to within one purchase per hundred displays takes about {glue:text}`thousand_pairs_coin:.0f` thousand pairs if a
# coin decides and {glue:text}`thousand_pairs_good:.0f` thousand with weighting.
#
# **Small data?** On five hundred pairs the interval reaches {glue:text}`half_width_small:.3f` to each side, about as
# far as the effect itself. With poor overlap it is wider, and still too short: over {glue:text}`draws:d` draws the
# estimates scatter {glue:text}`poor_scatter:.1f` times as widely as their standard errors say (Monte-Carlo error
# {glue:text}`poor_scatter_mc_se:.1f`), because the few pairs that carry most weight are mostly not in the sample.
#
# **General?** An average effect belongs to the mix of pairs over which it was averaged. Estimated tenth by tenth of
# the catalogue, by popularity, the intervals are {glue:text}`tenth_wider:.1f` times as wide and contain their group's
# truth in {glue:text}`tenths_covered:d` cases of ten; the interval of the average misses the truth of most groups.
# In a shop that shows other items the average is wrong, without having been wrong here.
#
# **Computing?** Here is what one estimate takes on this machine:

# %% tags=["hide-input", "nbval-ignore-output"]
methods = {
    "naive difference": lambda y, t, x: difference_in_means(y, t),
    "weighting (IPW)": lambda y, t, x: weighting.ipw(y, t, X=x),
    "matching": lambda y, t, x: matching.matching_estimate(y, matching.match(x, t, estimand="ATE"), x),
}
cost = {}
for method in methods.values():  # the first call of anything is slow
    method(*arrays(log.head(2_000)), log.head(2_000)[X])
for n in (2_000, 20_000):
    part = log.head(n)
    for name, method in methods.items():
        given = (*arrays(part), part[X])
        seconds = min(timeit.repeat(lambda method=method, given=given: method(*given), number=1, repeat=3))
        tracemalloc.start()
        method(*given)
        mb = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        cost.setdefault(name, {}).update({f"seconds, {n:,} pairs": seconds, f"MB, {n:,} pairs": mb})
cost = pd.DataFrame(cost).T
last = f"{n:,} pairs"
for name, short in (("naive difference", "naive"), ("weighting (IPW)", "ipw"), ("matching", "matching")):
    run.record(f"seconds_{short}", cost.loc[name, f"seconds, {last}"], kind="measured")
    run.record(f"mb_{short}", cost.loc[name, f"MB, {last}"], kind="measured")
plain, *others = (row[[f"seconds, {last}", f"MB, {last}"]] for _, row in cost.iterrows())
run.claim("adjusting takes many times the time and the memory", all((3 * plain < other).all() for other in others))
cost.round(4)

# %% [markdown]
# For twenty thousand pairs and three columns weighting takes {glue:text}`seconds_ipw:.2f` seconds and
# {glue:text}`mb_ipw:.1f` MB, matching {glue:text}`seconds_matching:.2f` and {glue:text}`mb_matching:.1f`, many times
# a plain difference ({glue:text}`seconds_naive:.4f` and {glue:text}`mb_naive:.1f`). One such estimate is still a
# small bill; learners that are fitted again in every resample can make a large one.
#
# ## The map
#
# Three questions sort the names of this field: *what do we want* (an estimand), *why may data answer it* (a design
# with its assumptions), and *how do we compute it* (an estimator).

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
    ends_at = {"patchA": drawn[tail].get_bbox_patch(), "patchB": drawn[head].get_bbox_patch()}
    ends_at |= {"shrinkA": 3, "shrinkB": 3}
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
# Four common sentences that the map corrects:
#
# - *"IPW is a matching algorithm."* No: weighting keeps all rows and weighs them, {term}`matching` picks partners.
# - *"A {term}`causal tree` is a chain of causes."* No: it cuts the users and items into groups with different
#   effects {cite:p}`athey2016recursive`.
# - *"$Y = a_1 X_1 + a_2 X_2 + \varepsilon$ is a latent-variable model."* No: everything in it but the noise is
#   observed. A {term}`latent variable` is one that acts and is not in the table.
# - *"Our recall went up, so the recommendations work better."* You have seen the perfect predictor's lift.
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
# **What changes: the ranker reads more.** A model that ranks from text {cite:p}`hou2024large,wu2023survey` responds
# to wording, brand, the order of the candidates. Each that also sells is a hidden arrow into the display, the first
# of the four broken assumptions, unless prompts, candidates and the probabilities of what was shown are logged. Log
# them, and a ranking that was sampled is a randomised one, given its prompt.
#
# **What does not change:** the missing column. A language model can predict $Y$ from everything ever written and
# still never sees both outcomes of a pair. Trained to predict purchases, it becomes at best the fourth rule of the
# picture of six; trained on displays alone, the fifth. Nor can its explanation vouch for an effect: it is a text
# about the world, not an intervention in it.
#
# ## Exercises
#
# ### Exercise 1: three effects from the full picture
#
# You have both outcomes of every pair, and which pairs were shown. Return the ATE, the ATT, and the average effect
# among the pairs that were *not* shown.
#
# <details><summary>Hint</summary>
#
# The effect of a pair does not depend on whether it was shown. Only the group over which you average does.
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
# ### Exercise 2: the effect on the shown, cell by cell
#
# Standardise to the *shown* pairs: the difference within each cell, weighted by the cell's share of shown pairs. If
# a cell has shown pairs and no others, raise `ValueError`: there is nothing to compare them with. A cell without
# shown pairs has weight zero and does no harm.
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
check("concepts/01.2", effect_on_the_shown)

# %% [markdown]
# ### Exercise 3: weights, an interval, and its test
#
# You get many weeks, each a tuple `(y, t, e)` of outcomes, displays and *known* propensities. In each week estimate
# the ATE by weighted means $m_1 - m_0$, and its standard error from the $d_i$. Return the mean error (estimate minus
# `truth`) over the weeks, and the share of weeks whose 95% interval contains `truth`.
#
# <details><summary>Hint</summary>
#
# `np.average(y, weights=w)` is a weighted mean. As $e$ is known, nothing is fitted and the two formulas are all of
# it. An interval contains the truth if the error is at most $z = 1.96$ standard errors.
#
# </details>


# %% tags=["exercise"]
def weeks_on_trial(weeks, truth):
    """Return (mean error, share of 95% intervals that contain the truth) of weighting over weeks of (y, t, e)."""
    # BEGIN SOLUTION
    errors, covered = [], []
    for y, t, e in weeks:
        w1, w0 = t / e, (1 - t) / (1 - e)
        m1, m0 = np.average(y, weights=w1), np.average(y, weights=w0)
        d = w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
        se = np.sqrt((d**2).sum()) / len(y)
        errors.append(m1 - m0 - truth)
        covered.append(abs(errors[-1]) <= 1.96 * se)
    return np.mean(errors), np.mean(covered)
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.3", weeks_on_trial)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague reports how many sales last month's displays *made*, from outcomes `y`, displays `t` and
# propensities `e`. It runs, and the number is wrong for this question:
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
# made? For each pair that was not shown there are $e / (1 - e)$ shown ones like it.
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
    "The shop shows winter coats to everybody in the north and to nobody in the south. The log keeps the region and "
    "everything else that the ranker reads. Which assumption fails?",
    {
        "Exchangeability": (
            False,
            "Whatever moved the display is in the log; given the region, nothing is left to confound.",
        ),
        "Positivity": (
            True,
            "In the north every coat was shown, in the south none: given the region there is no comparison.",
        ),
        "Consistency": (False, "A coat that is shown is shown in one way; what is missing is the other group."),
        "No interference": (False, "Nothing says that one customer's display moves another's purchase."),
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
            "Nothing in the log bounds what isn't measured, and ten times the rows would tighten the interval around "
            "the same wrong number. That takes a sensitivity analysis or an experiment.",
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
#   the most popular items.
# - Name the estimand before you compute it: ATE, ATT, CATE, policy value or its lift, each for its own decision.
# - Four assumptions turn an association into an effect: consistency, no interference, exchangeability,
#   positivity. Intervals are blind to all four.
# - Adjusting trades bias for variance. It needs overlap and data, and can't repair what was not logged.
# - A language model changes what the ranker reads. The column that is missing stays missing.
#
# ## Further reading
#
# - {cite:t}`hernan2020causal`, part one: the assumptions, slowly and without a recommender.
# - {cite:t}`holland1986statistics`: the fundamental problem, and no causation without manipulation.
# - {cite:t}`chaney2018algorithmic`: what a feedback loop does to a recommender and its users.
# - {cite:t}`chen2023bias` and {cite:t}`gao2024causal`: surveys of bias and of causal methods in recommenders;
#   {cite:t}`luo2024survey` is another.
# - {cite:t}`joachims2017unbiased`: position bias, and ranking from clicks in spite of it.
# - {cite:t}`feder2022causal`: causal inference with text, all four roles.
