# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 50
#     exercise_minutes: 60
#     data: [womens_reviews, movielens_100k]
#     optional_data: [hotel_bookings]
#     max_seconds: 60
# ---

# %% [markdown]
# # From raw events to a causal table
#
# Mara runs the front page of a clothes shop, and Tom keeps its logs. Mara has one question: *did the displays on the
# front page sell?* Tom takes last week's raw events and writes the query that everybody would write. Take every pair
# of a user and an item that occurs in the log: how many purchases does it have if the item was displayed to the user,
# and how many if not?
#
# With a display {glue:text}`log_shown:.2f`, without {glue:text}`log_not_shown:.2f`. Displays *cost*
# {glue:text}`log_cost:.0f` purchases per hundred pairs. Tom suggests to switch them off.
#
# The true effect in this simulated shop is {glue:text}`ate_per_hundred:.1f` purchases *more* per hundred pairs. No
# row of the log is false. What is false is the table: a pair that was neither shown nor looked at leaves no event, so
# among the pairs without a display the log holds only those that somebody came for.
#
# Every step from events to a table decides *which rows there are* and *what was known when*. Both are causal
# decisions, and most are taken in a script that nobody reviews. This chapter measures them one by one.
#
# **You will be able to**
#
# - build a causal table: covariates before a decision, treatment at it, outcome after it;
# - tell a cleaning step that removes errors from one that selects on the outcome, and measure what it does;
# - compute features as they were known at the time, and see {term}`leakage` where they are not;
# - spot a {term}`collider` in a log, and say why adjusting does not mend it;
# - put two alarms on a pipeline, a {term}`placebo outcome` and an {term}`A/A test`, and say what each can't hear.
#
# **Before you start:** {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>`, for the shop and
# for {term}`inverse probability weighting`. You need pandas.
#
# **Time:** about 50 minutes to read, 60 for the exercises.
#
# **Data:** events of the simulated shop; reviews of women's clothes (a row is a review); MovieLens 100K (a row is a
# rating with its time stamp); hotel bookings, if they can be fetched.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.special import softmax
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from causalrec_lib import behaviour, course, data, plots, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.week import Dirt, looks, raw_week
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import Estimate, difference_in_means

run = course.start(PROFILE, SEED, chapter="concepts/02_behaviour_data")
world = make_world()
raw = raw_week(world, run.size(ci=80_000, full=400_000), seed=run.seed)
PAIR = ["user_id", "item_id"]

# %% [markdown]
# ## The question and the naive answer
#
# Here is what the collectors wrote, in the order in which it arrived. A `display` puts an item on a user's front
# page; the pair is then *shown*. A `view` is a *look*: the user opens the item's own page. Many never look at what
# they are shown, and some look at what they found by themselves. A `consume` is a purchase.
#
# `received` is the server's clock, `timestamp` that of the device. Three weeks come before the displays were decided,
# one week after. We wrote this log, so we know what is wrong with it: a dozen crawlers, a tenth of the purchases from
# a display sent twice, and slow clocks on some phones. Tom doesn't.

# %%
events, zero = raw.events, raw.decision
events.iloc[np.searchsorted(events["received"], zero) - 3 :].head(8).drop(columns="stars")

# %%
week = events[events["timestamp"] >= zero]
in_log = week.drop_duplicates(PAIR)[PAIR].reset_index(drop=True)  # a row for each pair that left an event


def rows_of(part, table):
    """Number of rows that each pair of a table has in a part of the log."""
    return part.groupby(PAIR).size().reindex(pd.MultiIndex.from_frame(table[PAIR]), fill_value=0).to_numpy()


bought_rows = week[week["event"] == "consume"]
in_log = in_log.assign(
    exposed=rows_of(week[week["event"] == "display"], in_log).clip(max=1), consumed=rows_of(bought_rows, in_log)
)
by_display = in_log.groupby("exposed")["consumed"].agg(pairs="size", purchases="mean")
by_display.rename(index={0: "not shown", 1: "shown"}).round(3)

# %% tags=["remove-input"]
ATE = world.truth.ate()
shown_rate, other_rate = by_display.loc[1, "purchases"], by_display.loc[0, "purchases"]
run.record("ate", ATE)
run.record("ate_per_hundred", 100 * ATE, naive=100 * (shown_rate - other_rate))
run.record("log_shown", shown_rate)
run.record("log_not_shown", other_rate)
run.record("log_cost", 100 * (other_rate - shown_rate))
run.record("log_only", shown_rate - other_rate, truth=ATE)
run.record("candidates", len(raw.candidates))
run.record("in_log", len(in_log))
run.claim("in the log displays cost, in truth they sell", shown_rate < other_rate and ATE > 0)
run.claim("most candidates leave no event", len(in_log) < len(raw.candidates) / 2)

# %% [markdown]
# Look at the first column. {glue:text}`candidates:,d` pairs could have been shown, {glue:text}`in_log:,d` of them
# left an event. *Without* a display it takes a look to be counted at all. The difference of
# {glue:text}`log_only:.2f` compares everybody who was shown with the interested among the rest.
#
# :::{tip}
# An event log has no zeros. Before any cleaning, ask for the list of *candidates*: who could have been shown what at
# the decision. If nobody logs it, start logging it. Nothing later in the pipeline can invent it.
# :::
#
# ## Time zero
#
# A table for a causal question has one row a unit, and a {term}`time zero <target trial>`: the moment at which the
# treatment was decided {cite:p}`hernan2020causal`. It cuts the columns in three.
#
# | | when | in the shop |
# |---|---|---|
# | covariates $X$ | known *before* the decision | score, popularity, activity, views so far |
# | treatment $T$ | decided *at* it | a display in this week |
# | outcome $Y$ | *after* it, in a window of the same length for all | a purchase within seven days |

# %% tags=["hide-input"]
on_time = events.assign(timestamp=events["received"])
seen = on_time.pivot_table("event_id", PAIR, "event", aggfunc="size", fill_value=0)
people = seen[~seen.index.get_level_values("user_id").isin(raw.bots)]
spread = on_time.assign(day=(on_time["received"] - zero) / pd.Timedelta(days=1))
after_zero = spread[spread["day"] >= 0].pivot_table("day", PAIR, "event", aggfunc="size", fill_value=0)
shown_bought = after_zero[(after_zero["display"] > 0) & (after_zero["consume"] > 0) & (after_zero["view"] > 0)]
kinds = {
    "shown, bought": shown_bought.index.intersection(people.index[people["view"] > 2]),
    "shown, not bought": people.index[(people["display"] > 0) & (people["consume"] == 0) & (people["view"] == 2)],
    "not shown, bought": people.index[(people["display"] == 0) & (people["consume"] > 0) & (people["view"] > 1)],
    "bought before": people.index[(people["display"] > 0) & (people["consume"] == 2) & (people["view"] > 2)],
}
marks = {"display": ("s", "treated", 70), "view": ("o", "naive", 34), "consume": ("D", "estimate", 60)}
fig, ax = plt.subplots(figsize=(5.6, 3.4))
ax.axvspan(0, 7, color=plots.COLORS["estimate"], alpha=0.10, linewidth=0)
ax.axvline(0, color=plots.COLORS["truth"], linestyle="--", linewidth=1.4)
labels, spread = [*kinds, "nothing happened"], spread.set_index(PAIR).sort_index()
for row, which in enumerate(kinds.values()):
    mine = spread.loc[[which[0]]]
    for event, (mark, color, size) in marks.items():
        part = mine[mine["event"] == event]
        ax.scatter(part["day"], [-row] * len(part), marker=mark, color=plots.COLORS[color], s=size, zorder=3,
                   label=event if row == 0 else None)  # fmt: skip
ax.set_yticks([-k for k in range(len(labels))], labels)
ax.set(xlim=(-21.5, 7.5), ylim=(-4.6, 1.3), xlabel="days since the decision", xticks=(-21, -14, -7, 0, 7))
ax.text(-10.5, 0.65, "covariates", ha="center")
ax.text(3.5, 0.65, "outcome", ha="center")
fig.legend(loc="outside lower center", ncols=3)
plots.show(
    fig,
    alt="Five pairs on a time line of four weeks. A dashed line marks the decision; a band of seven days after it "
    "is the outcome window. Some views and old purchases lie before the line; displays, later views and purchases "
    "after it. The fifth pair has no marks at all.",
    caption="Five pairs on one clock. What lies left of the dashed line may be a covariate, a purchase in the band "
    "is the outcome. The fifth pair is a row like the others, and the log doesn't mention it.",
)

# %% [markdown]
# The table, by hand. It starts from the candidates, counts every event once, and looks at the clock for each column.


# %%
def table_by_hand(candidates, events, zero, days=7):
    """One row a candidate pair: covariates before time zero, treatment and outcome in the window after it."""
    once = events.sort_values("timestamp").drop_duplicates("event_id")
    before = once[once["timestamp"] < zero]
    after = once[(once["timestamp"] >= zero) & (once["timestamp"] < zero + pd.Timedelta(days=days))]

    def count(part, kind):
        found = part[part["event"] == kind].groupby(PAIR).size().rename("count").reset_index()
        return candidates[PAIR].merge(found, on=PAIR, how="left")["count"].fillna(0).astype(int).to_numpy()

    return candidates.assign(
        views_before=count(before, "view"),
        consumed_before=count(before, "consume").clip(max=1),
        exposed=count(after, "display").clip(max=1),  # T
        consumed=count(after, "consume").clip(max=1),  # Y
    )


# %% [markdown]
# The course's library has the same function, with checks of its input.

# %%
server = events.assign(timestamp=events["received"])  # which clock: see below
table = table_by_hand(raw.candidates, server, zero)
by_library = behaviour.causal_table(raw.candidates, server, zero)
pd.testing.assert_frame_equal(table, by_library)
assert len(table) == len(raw.candidates)

fast = behaviour.fast_users(server, per_minute=20)  # crawlers: see below
table = table[~table["user_id"].isin(fast)].reset_index(drop=True)
shown_columns = ["score", "log_popularity", "log_activity", "views_before", "exposed", "consumed"]
table[shown_columns].agg(["mean", "min", "max"]).T.round(2)

# %% [markdown]
# Then the estimate. Displays were decided by the score, the item's popularity, the user's activity and a coin of
# marketing. The first three are in the table and the coin does nothing else, so weighting on the three is enough, as
# in the chapter before.

# %%
X = ["score", "log_popularity", "log_activity"]


def effect(table, columns=X, outcome="consumed"):
    """ATE of a display by weighting; what the library would refuse comes back with a flag."""
    return weighting.ipw(table[outcome], table["exposed"], X=table[columns], refuse="flag")


def naive_difference(table, outcome="consumed"):
    """Difference in means between shown and not shown."""
    return difference_in_means(table[outcome], table["exposed"])


clean = effect(table)
clean

# %% [markdown]
# ## Twelve answers from one log
#
# Which steps brought Tom from {glue:text}`log_only:.2f` to {glue:text}`clean:.3f` (interval
# {glue:text}`clean.low:.3f` to {glue:text}`clean.high:.3f`, truth {glue:text}`ate:.3f`)? First, add them one at a
# time.

# %%
once = bought_rows.drop_duplicates("event_id")
steps = {
    "pairs that occur in the log": naive_difference(in_log),
    "+ pairs where nothing happened": naive_difference(by_library.assign(consumed=rows_of(bought_rows, by_library))),
    "+ every event once": naive_difference(by_library.assign(consumed=rows_of(once, by_library))),
    "+ the server's clock": naive_difference(by_library),
    "+ no crawlers": naive_difference(table),
    "+ weighting on X": clean,
}

# %% [markdown]
# Then go on, with six steps that one finds in any pipeline. Each starts from the *finished* table. A step that drops
# rows may just have changed the question, so we hold it against the truth over the pairs that it keeps.

# %% tags=["hide-input"]
per_user = table.groupby("user_id")["consumed"].transform("sum")
by_export = server[server["event"] == "view"]  # no clock: all views up to the day of the export
looked_at = by_export[by_export["timestamp"] >= zero]
hygiene = {
    "keep pairs that were looked at": table[rows_of(looked_at, table) > 0],
    "drop users who bought nothing": table[per_user > 0],
    "drop the users who bought most": table[per_user <= per_user.quantile(0.9)],
    "keep the more active users": table[table["activity"] > world.users["activity"].median()],
}
further = {name: effect(kept) for name, kept in hygiene.items()}
further["adjust for views up to the export"] = effect(table.assign(views=rows_of(by_export, table)), [*X, "views"])
wednesday = behaviour.causal_table(raw.candidates, server, zero + pd.Timedelta(days=2))  # a snapshot two days late
wednesday = wednesday[~wednesday["user_id"].isin(fast)].reset_index(drop=True).assign(exposed=table["exposed"])
further["history and outcome from Wednesday"] = effect(wednesday, [*X, "consumed_before"])


def own_truth(week, kept):
    """True average effect over the pairs that a step keeps."""
    known = week.pairs.set_index(PAIR).loc[pd.MultiIndex.from_frame(kept[PAIR])]
    return world.truth.pairs(known)["tau"].mean()


aims = dict.fromkeys(further, own_truth(raw, table)) | {name: own_truth(raw, kept) for name, kept in hygiene.items()}
ruined = [name for name, est in further.items() if abs(est.value - aims[name]) > ATE / 2]

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(4.9, 7.6), sharex=True)
titles = ("from the log to the table", "six more steps that sound like hygiene")
for ax, rows, title in zip(axes, (steps, further), titles, strict=True):
    ax.axvline(ATE, color=plots.COLORS["truth"], linestyle="--", linewidth=1.4)
    ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.6)
    for k, (name, est) in enumerate(rows.items()):
        aim = aims.get(name, ATE)
        miss = not est.covers(aim)
        color = plots.COLORS[("naive" if rows is steps else "warn") if miss else "estimate"]
        ax.plot([est.low, est.high], [-k, -k], color=color, linewidth=2.6)
        ax.plot(est.value, -k, "X" if miss else "o", color=color, markersize=8)
        if rows is further:
            ax.plot(aim, -k, "D", markerfacecolor="none", markeredgecolor=plots.COLORS["truth"], markersize=7)
        ax.text(-0.385, -k + 0.33, name, fontsize=9.5, va="center")
        side = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
        right = max(est.high, aim) if est.high > 0 else est.high
        ax.annotate(f"{est.value:+.3f}".replace("-", "\u2212"), (right, -k), **side)
    ax.set_yticks([])
    ax.set(ylim=(-len(rows) + 0.5, 0.75), title=title, xlim=(-0.39, 0.24))
axes[1].set(xlabel="effect of a display on purchases, per pair")
words = ("None", "One", "Two", "Three", "Four", "Five", "Six")
plots.show(
    fig,
    alt="Two forest plots over one axis with the truth as a dashed line. Above, six steps: pairs of the log alone "
    "give a large negative effect, pairs where nothing happened turn the sign, the last step reaches the truth. "
    "Below, six further steps from the finished table: keeping pairs that were looked at is far below zero, "
    "adjusting for late views and a late snapshot lie near zero, far from the truth, three rules on users stay close "
    "to their own truths, which are drawn as diamonds.",
    caption="One log, one truth (dashed), twelve answers, each with a tight interval. Diamonds: the truth for the "
    "rows that a step keeps. Circles cover it, crosses miss it. "
    f"{words[len(ruined)]} of the six steps below ruin a finished table; their code looks no worse than that of the "
    "others.",
)

# %% tags=["remove-input"]
for name, est in zip(("log", "candidates", "once", "clock", "people", "weighted"), steps.values(), strict=True):
    run.record(f"step_{name}", est, truth=ATE)
run.record("clean", clean, truth=ATE, naive=steps["+ no crawlers"])
keys = ("looked", "buyers", "heavy", "active", "views", "wednesday")
for (name, est), key in zip(further.items(), keys, strict=True):
    run.record(f"then_{key}", est, truth=aims[name], naive=clean if name in ruined else None)
for (_, kept), key in zip(hygiene.items(), keys, strict=False):
    run.record(f"kept_{key}", len(kept) / len(table))
at_zero = effect(table, [*X, "views_before"])
run.record("with_views_before", at_zero, truth=ATE, naive=further["adjust for views up to the export"])
run.record("candidates_per_user", len(table) / table["user_id"].nunique())
log_step, *sizes = np.abs(np.diff([est.value for est in steps.values()]))
run.claim("the pairs that the log leaves out do most harm", log_step > 2 * max(sizes))
_, all_pairs, each_once, on_clock, no_crawlers, _ = (est.value for est in steps.values())
run.claim("retries and crawlers add, slow clocks take away", all_pairs > each_once < on_clock > no_crawlers)
run.claim("the finished table reaches the truth", abs(clean.value - ATE) < 4 * clean.se < no_crawlers - ATE)
names = list(further)
run.claim("looked at, late views and a late snapshot ruin it, and nothing else", ruined == [names[0], *names[4:]])
run.claim("looked at: far below zero", further[names[0]].high < -ATE)
run.claim("late views, late snapshot: near zero", all(abs(further[n].value) < ATE / 2 for n in names[4:]))
silent_on = [est for name, est in further.items() if "views" not in name]
run.claim("of the weighted only late views can be flagged", not any(est.flags for est in [clean, *silent_on]))
run.claim("the rules looked at effective rows and balance", {"effective rows", "balance"} <= set(clean.checks))
robots = by_library[by_library["user_id"].isin(fast)]
run.claim("crawlers are all shown, most of them buyers", robots["exposed"].all() and robots["consumed"].mean() > 0.5)
run.claim("the dirt is what the text says", Dirt() == Dirt(bots=12, retry=0.1))
run.claim("rules on users stay close", all(abs(further[n].value - aims[n]) < ATE / 4 for n in names[1:4]))
run.claim("views as of time zero change nothing", abs(at_zero.value - clean.value) < clean.se)

# %% [markdown]
# Five things to see.
#
# **The order of sizes.** Not the bots, and not the duplicates: the pairs that the log leaves out do most harm. With
# them the answer jumps to {glue:text}`step_candidates:.3f`. Each event counted once, it is
# {glue:text}`step_once:.3f`; slow clocks had pushed some sales into the week before ({glue:text}`step_clock:.3f`
# with the server's clock); without crawlers, all of them shown and most of them "buyers", it is
# {glue:text}`step_people:.3f`. What is left is {term}`confounding`, which no cleaning touches.
#
# **Choosing rows by what came later selects.** Keep the {glue:text}`kept_looked:.0%` of pairs that were looked at,
# "because the others never had a chance", and the effect is {glue:text}`then_looked:.3f`. The truth *for these very
# pairs* is {glue:text}`then_looked.truth:.3f`. A display makes people look who would not have; those who look without
# one often came to buy. This is Tom's first mistake again.
#
# **Adjusting can do the same damage.** Views as of the export are caused by the display, and lead to the purchase. In
# $X$ they turn {glue:text}`clean:.3f` into {glue:text}`then_views:.3f`. With the same column cut at time zero,
# `views_before`, they leave it at {glue:text}`with_views_before:.3f`. And a snapshot that is two days late moves the
# first sales of the display from the outcome to the history: {glue:text}`then_wednesday:.3f`.
#
# **No card says so.** The library refuses an estimate whose groups stay unbalanced, lose their effective rows or rest
# on one row. To the pairs that were looked at and to Wednesday's snapshot it has nothing to object. (Late views can
# trip the rule on balance in a week in which a few pairs have very many; don't count on it.) The rules look at the
# rows and columns that they are given. Which rows are missing, and from which day a column is, they can't see.
#
# **Dropping rows changes the question, and sometimes no more.** Users above the median of activity *before* the week:
# {glue:text}`then_active:.3f`, and the truth for their pairs is {glue:text}`then_active.truth:.3f`. That is another
# population and no bias. The two rules on users' *purchases* stay close, too. Are they harmless? With
# {glue:text}`candidates_per_user:.0f` candidates a user, one purchase hardly decides who stays
# ({glue:text}`kept_buyers:.0%` of the pairs do); with two or three, it decides nearly everything. So take smaller
# weeks, and many of them: one log could be luck anyway.

# %% tags=["hide-input"]
times = run.size(ci=25, full=500)
record = []
for k in run.progress(range(times), "weeks"):
    w = raw_week(world, 5_000, seed=1_000 * run.seed + k, dirt=Dirt(bots=1))
    ev = w.events.assign(timestamp=w.events["received"])
    all_rows = behaviour.causal_table(w.candidates, ev, w.decision)
    people = all_rows[~all_rows["user_id"].isin(behaviour.fast_users(ev, 20))]
    bought = people.groupby("user_id")["consumed"].transform("sum")
    for name, part, aim in (
        ("finished table", people, ATE),
        ("crawlers left in", all_rows, ATE),
        ("users who bought something", people[bought > 0], own_truth(w, people[bought > 0])),
        ("users who bought least", people[bought <= 1], own_truth(w, people[bought <= 1])),
        ("placebo", people.assign(consumed=people["consumed_before"]), 0.0),
    ):
        est = effect(part)
        record.append((name, est.value - aim, est.se, est.covers(aim), len(part) / len(people), bool(est.flags)))
columns = ["pipeline", "error", "se", "covers", "kept", "flagged"]
weeks = pd.DataFrame(record, columns=columns).groupby("pipeline", sort=False)
summary = weeks.agg(
    bias=("error", "mean"), scatter=("error", "std"), mean_se=("se", "mean"), covers=("covers", "mean"),
    kept=("kept", "mean"), flagged=("flagged", "sum"),
)  # fmt: skip
run.record("weeks", times)
run.record("weeks_flagged", int(summary["flagged"].drop("placebo").sum()))
noise = summary["scatter"] / np.sqrt(times)
for name, key in zip(summary.index[:4], ("clean", "bots", "buyers", "least"), strict=True):
    bots = summary.loc["crawlers left in"] if key == "clean" else {"bias": None, "covers": None}
    share = summary.loc[name, "covers"]
    mc = np.sqrt(max(share * (1 - share), 1 / times) / times)
    run.record(f"bias_{key}", summary.loc[name, "bias"], naive=bots["bias"], kind="stochastic", mc_se=noise[name])
    run.record(f"coverage_{key}", share, truth=0.95, naive=bots["covers"], kind="stochastic", mc_se=mc)
    run.record(f"coverage_{key}_mc_se", mc)
    run.record(f"bias_{key}_mc_se", noise[name])
run.record("kept_buyers_small", summary.loc["users who bought something", "kept"])
false_alarm = np.sqrt(0.05 * 0.95 / times)
run.record("placebo_fires", 1 - summary.loc["placebo", "covers"], truth=0.05, kind="stochastic", mc_se=false_alarm)
run.record("placebo_fires_mc_se", false_alarm)
bias = summary["bias"] / noise
run.claim("no bias of the finished table", abs(bias["finished table"]) < 4)
by_week = np.array([row[1] for row in record]).reshape(times, -1)
lower = by_week[:, 3] - by_week[:, 0]  # the same weeks: less noise
run.claim("one rule errs upwards", bias.iloc[2] > 4)
run.claim("the other downwards", lower.mean() < -4 * lower.std() / np.sqrt(times))
run.claim("with crawlers the interval fails more often", summary["covers"].iloc[1] < summary["covers"].iloc[0] - 0.2)
run.claim(
    "a single purchase decides who stays", summary["kept"].iloc[2] < 0.5 < 0.9 < len(hygiene[names[1]]) / len(table)
)
summary.drop(index="placebo").round(4)

# %% [markdown]
# Over {glue:text}`weeks:d` weeks of five thousand pairs the finished table covers the truth in
# {glue:text}`coverage_clean:.0%` (Monte-Carlo error {glue:text}`coverage_clean_mc_se:.0%`), with a mean error of
# {glue:text}`bias_clean:.4f` (Monte-Carlo error {glue:text}`bias_clean_mc_se:.4f`). With the crawlers left in it
# covers in {glue:text}`coverage_bots:.0%`.
#
# The two rules on purchases are held against the truth *of the rows they keep*, and now they err. "Bought something"
# keeps {glue:text}`kept_buyers_small:.0%` of the rows and is off by {glue:text}`bias_buyers:.3f`; "bought at most
# once" is off by {glue:text}`bias_least:.3f` (Monte-Carlo error {glue:text}`bias_least_mc_se:.3f`). They cover in
# {glue:text}`coverage_buyers:.0%` and {glue:text}`coverage_least:.0%`. The less there is behind a rule besides the
# outcome itself, the more it selects. (The column *flagged* counts the weeks that the library would have refused;
# they are kept here, {glue:text}`weeks_flagged:d` in all, because the question is the rules and not the weights.)
#
# :::{note}
# *What this does not say.* Rows are independent here given users and items, because the simulator draws them so. And
# $X$ is complete because we wrote the shop. In yours, the finished table is where the question of hidden causes
# begins.
# :::
#
# ## Kinds of dirt, and what each rule claims
#
# ### Bots
#
# The second log of the shop is the clickstream: what was on a screen, what was clicked. Its crawlers are labelled, so
# a rule can be graded.

# %% tags=["hide-input"]
n_sessions = run.size(ci=5_000, full=50_000)
clicks = world.events(n_sessions, seed=run.seed)
labels = world.truth.event_labels(n_sessions, seed=run.seed)
busiest = clicks.groupby(["user_id", clicks["timestamp"].dt.floor("min")]).size().groupby("user_id").max()
is_bot = labels["is_bot"].groupby(clicks["user_id"]).any()

u, i = world.users["activity"], world.items["log_popularity"]
every = pd.DataFrame({"user": np.repeat(np.arange(len(u)), len(i)), "item": np.tile(np.arange(len(i)), len(u))})
p1 = world.truth.pairs(every)["p1"].to_numpy().reshape(world.shape)
true_rate = float((u / u.sum()).to_numpy() @ p1 @ softmax(i.to_numpy()))


def click_rate(log):
    """Clicks per impression with users as units."""
    n = log[log["event"] == "impression"].groupby("user_id").size()
    k = log[log["event"] == "click"].groupby("user_id").size().reindex(n.index, fill_value=0)
    rate = k.sum() / n.sum()
    return Estimate(rate, np.sqrt(((k - rate * n) ** 2).sum()) / n.sum(), "mean", "ratio of sums", int(n.sum()))


one_each = clicks.drop_duplicates("event_id")
found = set(behaviour.fast_users(one_each, per_minute=20))
human = one_each[~one_each["user_id"].isin(found)]
rates = {
    "as logged": click_rate(clicks),
    "each event once": click_rate(one_each),
    "and no crawlers": click_rate(human),
}

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.2, 2.9))
bins = np.geomspace(1, 160, 26)
for bot, color, label in ((False, "estimate", "people"), (True, "warn", "crawlers")):
    ax.hist(busiest[is_bot == bot], bins=bins, color=plots.COLORS[color], alpha=0.75, label=label)
ax.axvline(20.5, color=plots.COLORS["ink"], linestyle=":", linewidth=1.4)
ax.set(
    xscale="log", yscale="log", xlabel="events in the user's busiest minute (log scale)", ylabel="users (log scale)"
)
ax.set_xticks([1, 3, 10, 20, 50, 150], ["1", "3", "10", "20", "50", "150"])
ax.minorticks_off()
ax.legend()
plots.show(
    fig,
    alt="A histogram of the number of events in each user's busiest minute: people left of the dotted limit, a few "
    "crawlers far right of it.",
    caption="A pace that no person has (dotted line) tells crawlers from people here.",
)
logged, once_rate, human_rate = rates.values()
run.record("rate_logged", logged, truth=true_rate)
run.record("rate_once", once_rate, truth=true_rate)
run.record("rate_human", human_rate, truth=true_rate, naive=logged)
run.record("bots_users", int(is_bot.sum()))
run.record("bot_rows", float(labels["is_bot"].mean()))
run.record("busiest_person", int(busiest[~is_bot].max()))
run.claim("the pace finds all crawlers and accuses nobody", found == set(is_bot.index[is_bot]))
run.claim("crawlers are far right of the limit", busiest[is_bot].min() > 40)
run.claim("without crawlers the rate is close to the truth", abs(human_rate.value - true_rate) < 4 * human_rate.se)
run.claim("with them it is far too high", logged.low > true_rate and once_rate.low > true_rate)
run.claim(
    "nearly all of the lift is theirs",
    once_rate.value - human_rate.value > 9 * abs(logged.value - once_rate.value),
    theirs=once_rate.value - human_rate.value,
    duplicates=logged.value - once_rate.value,
)
seen_by = one_each[one_each["event"] == "impression"].groupby("user_id").size()
clicked = one_each[one_each["event"] == "click"].groupby("user_id").size().reindex(seen_by.index, fill_value=0)
keen = clicked > seen_by / 2  # the other rule: clicks on most of what it sees
run.record("keen_people", int((keen & ~is_bot[seen_by.index]).sum()), naive=0)
run.claim("a rule on clicks finds the crawlers, too", bool(keen[is_bot[is_bot].index].all()))
run.claim("and throws out people", (keen & ~is_bot[seen_by.index]).any())

# %% [markdown]
# {glue:text}`bots_users:d` crawlers write {glue:text}`bot_rows:.0%` of the rows and lift the click rate from
# {glue:text}`rate_human:.3f` (interval {glue:text}`rate_human.low:.3f` to {glue:text}`rate_human.high:.3f`, truth
# {glue:text}`rate_human.truth:.3f`) to {glue:text}`rate_logged:.3f`, nearly all of it theirs and not the duplicates'.
# The pace finds all of them and accuses nobody; the fastest person had {glue:text}`busiest_person:d` events in a
# minute. Your bots will leave no such gap. What carries over is the *kind* of rule. Pace says what a unit is. A rule
# on clicks ("clicks on more than half of what it sees") finds these crawlers, too, and throws out
# {glue:text}`keen_people:d` people with them, the keenest: it looks at the outcome.
#
# ### Duplicates
#
# Retries keep their `event_id` and come some seconds later, so `drop_duplicates()` on whole rows finds none of them.
# Which columns make two rows *one* event is a claim on how the log was written; without an id it is a guess. The
# women's reviews have a well-known list of exact duplicates, nearly all of them without a text. Were they sent twice,
# or do two customers agree? Shuffle the ages and count how many repeats chance makes.

# %%
reviews = data.load("womens_reviews")
silent = reviews[reviews["text"].isna()]
item_of = silent["clothing_id"].astype("category").cat.codes.to_numpy()
rest = (
    silent.drop(columns="age")
    .groupby(list(silent.columns.drop("age")), dropna=False, observed=True)
    .ngroup()
    .to_numpy()
)


def repeats(group):
    """Number of repeated rows after the ages were shuffled within groups."""
    age, place = np.empty(len(silent)), np.argsort(group, kind="stable")
    age[place] = silent["age"].to_numpy()[np.lexsort((run.rng.uniform(size=len(silent)), group))]
    return len(silent) - len(np.unique(rest + 1j * age))


shuffles = run.size(ci=400, full=4_000)
within = np.array([repeats(item_of) for _ in range(shuffles)])  # an item keeps its customers' ages
across = np.array([repeats(np.zeros(len(silent))) for _ in range(shuffles)])
pd.DataFrame(
    {"repeats by chance": [within.mean(), across.mean()]}, ["shuffled within items", "over all items"]
).round(1)

# %% tags=["remove-input"]
n_silent, low, high = silent.duplicated().sum(), *np.quantile(within, [0.025, 0.975])
run.record("duplicates", int(reviews.duplicated().sum()))
run.record("duplicates_silent", int(n_silent))
run.record("duplicates_chance", within.mean(), kind="stochastic", mc_se=within.std() / np.sqrt(shuffles))
run.record("duplicates_chance_low", low, kind="stochastic", mc_se=1.0)
run.record("duplicates_chance_high", high, kind="stochastic", mc_se=1.0)
run.record("duplicates_across", across.mean(), kind="stochastic", mc_se=across.std() / np.sqrt(shuffles))
run.record("duplicates_across_fewer", np.mean(across <= n_silent), kind="stochastic", mc_se=0.15 / np.sqrt(shuffles))
run.record("same_text", int(reviews["text"].dropna().duplicated().sum()))
run.claim("chance within items makes as many repeats as there are", low <= n_silent <= high)
run.claim("the repeats have four or five stars", silent.loc[silent.duplicated(), "stars"].min() >= 4)
run.claim(
    "a shuffle over all items makes too many", np.mean(across <= n_silent) < 0.1 and across.mean() > within.mean()
)

# %% [markdown]
# Of the {glue:text}`duplicates:d` repeated rows, {glue:text}`duplicates_silent:d` have no text. Shuffled among
# reviews of the same item, the ages make {glue:text}`duplicates_chance:.0f` repeats on average,
# {glue:text}`duplicates_chance_low:.0f` to {glue:text}`duplicates_chance_high:.0f` in nineteen of twenty shuffles: as
# many as the list has. It shows no sign of resent rows, though a few could hide in that range. To drop it is to drop
# customers who gave four stars or five and wrote nothing.
#
# Mind the null. Shuffled over *all* items the ages make {glue:text}`duplicates_across:.0f`, and as few as in the list
# in only {glue:text}`duplicates_across_fewer:.1%` of the shuffles. "Fewer than chance" says that this chance is the
# wrong one: an item has its own customers.
#
# ### Missing values
#
# A missing value has a reason {cite:p}`rubin1976inference`. If that is the outcome, dropping the row selects on it.
# Does the text of a review go missing at random?


# %% tags=["hide-input"]
def mean_stars(part):
    """Mean stars with their standard error; a row is a review."""
    return Estimate(part["stars"].mean(), part["stars"].std() / np.sqrt(len(part)), "mean", "mean", len(part))


wrote, title = reviews["text"].notna(), reviews["title"].notna()
share = pd.DataFrame(
    {"no text": 1 - wrote.groupby(reviews["stars"]).mean(), "no title": 1 - title.groupby(reviews["stars"]).mean()}
)
for name, part in (("all", reviews), ("text", reviews[wrote]), ("no_text", reviews[~wrote])):
    run.record(f"stars_{name}", mean_stars(part))
run.record("missing_text", int((~wrote).sum()))
gap = mean_stars(reviews[~wrote]).value - mean_stars(reviews[wrote]).value
gap_se = np.hypot(mean_stars(reviews[~wrote]).se, mean_stars(reviews[wrote]).se)
run.record("gap_text", Estimate(gap, gap_se, "mean", "difference in means", len(reviews)), naive=0.0)
run.claim("who wrote no text is happier", gap > 4 * gap_se)
run.claim("lowest at two stars, highest at the ends", share.idxmin().eq(2).all() and share["no text"].idxmax() == 5)

fig, ax = plt.subplots(figsize=(5.0, 2.9))
for (name, column), color, line in zip(share.items(), ("estimate", "treated"), ("o-", "s--"), strict=True):
    se = np.sqrt(column * (1 - column) / reviews.groupby("stars").size())
    ax.errorbar(column.index, column, 1.96 * se, fmt=line, color=plots.COLORS[color], label=name, capsize=3)
ax.set(xlabel="stars", ylabel="share of reviews", xticks=range(1, 6), ylim=(0, None))
ax.legend()
plots.show(
    fig,
    alt="Share of reviews without text and without title by stars, with intervals. Both are higher for one star than "
    "for two, where they are lowest, and rise from there to five stars.",
    caption="Who leaves out the text? Both ends of the scale more than the middle, most of all the happy: missing "
    "depends on the rating.",
)

# %% [markdown]
# The {glue:text}`missing_text:d` reviews without text have {glue:text}`gap_text:.2f` stars more (interval
# {glue:text}`gap_text.low:.2f` to {glue:text}`gap_text.high:.2f`). Dropping them moves the mean from
# {glue:text}`stars_all:.3f` to {glue:text}`stars_text:.3f`: little, because they are few. Keep the row, add a column
# that says "no text", and report how far the answer moves. When the reason is the missing value itself (an unhappy
# customer writes no stars at all), values are {term}`missing not at random`, and nothing in the table shows it.
#
# ### Clocks, outliers, sessions

# %% tags=["hide-input"]
displays = events[events["event"] == "display"][[*PAIR, "timestamp"]]
stamped = events.merge(displays, on=PAIR, suffixes=("", "_display"))
stamped = stamped[(stamped["event"] == "consume") & (stamped["received"] >= zero)]
run.record("too_early", float((stamped["timestamp"] < stamped["timestamp_display"]).mean()), naive=0.0)

dwell, wild = human["dwell_seconds"].dropna(), labels.loc[human.index, "is_outlier"]
tame = dwell[~wild[dwell.index]].mean()
run.record("dwell_mean", dwell.mean())
run.record("dwell_true", tame, naive=dwell.mean())
run.record("dwell_median", dwell.median())
run.record("wild_clicks", float(wild[dwell.index].mean()))
run.claim("few clicks lift the mean many times over", dwell.mean() > 10 * tame)
run.claim("the median hardly notices", dwell.median() < 1.05 * dwell[~wild[dwell.index]].median())

ratings = data.load("movielens_100k")
ratings = ratings.sort_values(["timestamp", "user_id", "item_id"], kind="stable").reset_index(drop=True)
who = pd.factorize(ratings["user_id"])[0]
by_pause = behaviour.sessionise(ratings, pd.Timedelta(minutes=30)).to_numpy()
first = pd.Series(by_pause).groupby(who).transform("min").to_numpy()
run.record("one_session", float((np.bincount(who[np.unique(by_pause, return_index=True)[1]]) == 1).mean()))
run.record("first_session", float((by_pause == first).mean()))
run.record("same_second", float(ratings.duplicated(["user_id", "timestamp"], keep=False).mean()))
for minutes, key in ((1, "short"), (30, "right"), (1_440, "long")):
    number = behaviour.sessionise(human, pd.Timedelta(minutes=minutes)).nunique()
    run.record(f"sessions_{key}", number / n_sessions, truth=1.0)

# %% [markdown]
# **Clocks.** The slow phones stamped views and purchases up to two days early: {glue:text}`too_early:.1%` of the
# purchases from a display precede it. Use the clock that is the same for all.
#
# **{term}`Outliers <outlier>`.** {glue:text}`wild_clicks:.1%` of clicks come from a tablet left open, and lift the
# mean time on a page from {glue:text}`dwell_true:.0f` to {glue:text}`dwell_mean:,.0f` seconds. The median
# ({glue:text}`dwell_median:.0f`) hardly notices. Change the *estimand* before you look (a median, a capped mean) and
# apply it to both arms; a row that is dropped because its outcome is large is selected on the outcome.
#
# **Sessions.** A {term}`session` is what lies between two long pauses, and "long" is a decision. In the clickstream,
# where the sessions are known, half an hour finds {glue:text}`sessions_right:.1%` as many as there are, a minute
# {glue:text}`sessions_short:.0%`, a day {glue:text}`sessions_long:.0%`. In MovieLens {cite:p}`harper2015movielens`
# {glue:text}`one_session:.0%` of the users have one session only, {glue:text}`first_session:.0%` of all ratings fall
# into a first one, and {glue:text}`same_second:.0%` share their second with another of the same user. The stamp says
# when a film was *rated*, not when it was seen: "the user's last ten films" is the order of a page.
#
# ## Ids are labels, and features have a date
#
# A number in a column is not yet a quantity.

# %% tags=["hide-input"]
item = ratings["item_id"].astype(int).to_numpy()
stars = ratings["stars"].to_numpy(float)
code, names_of = pd.factorize(item)
weight, above = np.bincount(code), np.bincount(code, stars - stars.mean())


def slope(new_id):
    """Least-squares slope of stars on new ids, per thousand ids."""
    centred = (new_id - np.average(new_id, weights=weight)) / 1000
    return (centred @ above) / (weight @ centred**2)


line = sm.OLS(stars, sm.add_constant(item / 1000)).fit()
assert np.isclose(slope(names_of.astype(float)), line.params[1])
relabelled = np.array(
    [slope(run.rng.permutation(names_of).astype(float)) for _ in range(run.size(ci=1_000, full=20_000))]
)
loud = float((np.abs(relabelled) > 1.96 * line.bse[1]).mean())
popularity = ratings.groupby("item_id").size()
rank_corr = pd.Series(popularity.index.astype(int)).corr(pd.Series(popularity.to_numpy()), method="spearman")
run.record("id_slope", line.params[1])
run.record("id_t", line.tvalues[1])
run.record("id_positive", float((relabelled > 0).mean()), truth=0.5, kind="stochastic",
           mc_se=0.5 / np.sqrt(len(relabelled)))  # fmt: skip
run.record("id_loud", loud, naive=0.05, kind="stochastic", mc_se=np.sqrt(loud * (1 - loud) / len(relabelled)))
run.record("id_popularity", rank_corr)
run.claim("relabelled slopes have either sign and are loud", 0.4 < (relabelled > 0).mean() < 0.6 and loud > 0.3)
run.claim("low ids have many ratings", rank_corr < -0.5)

# %% [markdown]
# Regress the stars of MovieLens on `item_id`: "a thousand ids more cost {glue:text}`id_slope:.2f` stars, $t$ =
# {glue:text}`id_t:.0f`." Give the films new numbers, and the slope is positive in {glue:text}`id_positive:.0%` of all
# relabellings, "significant" in {glue:text}`id_loud:.0%` ({doc}`the errata </chapters/reference/errata>` show what
# that does to an effect). Yet an id is not *nothing* either: low ids have many ratings (rank correlation
# {glue:text}`id_popularity:.2f`), because they were handed out in some order. Name that order and put *it* into the
# table. Otherwise encode ids as labels, or by summaries of their past.
#
# Those summaries are the next trap. A mean over the whole data set contains the future and the row's own outcome:
# {term}`leakage` {cite:p}`kaufman2012leakage`. `behaviour.history` counts only what was strictly earlier. Predict the
# stars of the last fifth of MovieLens from means and counts of user and item, learned on the first four fifths.

# %% tags=["hide-input"]
late = np.arange(len(ratings)) >= 0.8 * len(ratings)


def features(how):
    """Mean and log count for user and item, over all data or over what came before."""
    columns = {}
    for label in ("user_id", "item_id"):
        if how == "whole data":
            by = ratings.groupby(label)["stars"]
            mean, n = by.transform("mean"), by.transform("size")
        else:
            h = behaviour.history(ratings, label, "stars")
            mean, n = h["mean"].fillna(stars[~late].mean()), h["count"]
        columns |= {f"{label}_mean": mean, f"{label}_count": np.log1p(n)}
    return pd.DataFrame(columns)


leaky, honest = features("whole data"), features("before")
fit_leaky = LinearRegression().fit(leaky[~late], stars[~late])
fit_honest = LinearRegression().fit(honest[~late], stars[~late])
of_item = ratings.groupby("item_id")["stars"].transform("size").to_numpy()
rare = late & (of_item <= 10)
r2 = pd.DataFrame(
    {
        name: [model.score(f[rows], stars[rows]) for rows in (late, rare)]
        for name, model, f in (
            ("promised: features from all data", fit_leaky, leaky),
            ("the same model, served in time", fit_leaky, honest),
            ("features in time from the start", fit_honest, honest),
        )
    },
    index=["all late ratings", "late ratings of rare films"],
).T
for name, row in zip(("promised", "served", "honest"), r2.to_numpy(), strict=True):
    run.record(f"r2_{name}", row[0], naive=None if name == "promised" else r2.iloc[0, 0])
    run.record(f"r2_{name}_rare", row[1], naive=None if name == "promised" else r2.iloc[0, 1])
run.record("rare_rows", int(rare.sum()))
run.record("rare_own_weight", float((1 / of_item[rare]).mean()))
run.claim("leaky features promise more than arrives", r2.iloc[0, 0] > r2.iloc[2, 0] > r2.iloc[1, 0])
run.claim("far more for rare films", r2.iloc[0, 1] > 5 * max(r2.iloc[1:, 1].max(), 0))
r2.round(3)

# %% [markdown]
# The leaky features promise an $R^2$ of {glue:text}`r2_promised:.3f`; served in time the same model reaches
# {glue:text}`r2_served:.3f`, and one that was trained in time {glue:text}`r2_honest:.3f`. For the
# {glue:text}`rare_rows:d` late ratings of films with at most ten, the promise is {glue:text}`r2_promised_rare:.2f`
# and {glue:text}`r2_served_rare:.2f` arrives: there a mean over all data holds the very rating that it predicts, with
# a weight of {glue:text}`rare_own_weight:.2f` on average. In prediction, leakage costs a promise. In a causal table
# it costs the effect: the outcome in a covariate is adjusted away, and the effect with it, as the row with *views*
# showed.

# %% tags=["hide-input"]
bookings = data.load_optional("hotel_bookings")
if bookings is not None:
    cancelled = bookings.groupby("room_changed")["is_canceled"].agg(["size", "mean"])
    run.record("hotel_changed", cancelled.loc[True, "mean"], optional=True)
    run.record("hotel_same", cancelled.loc[False, "mean"], optional=True)
    run.claim("changed rooms cancel less", cancelled.loc[True, "mean"] < cancelled.loc[False, "mean"] / 2)
    course.say(
        f"**Hotel bookings** ({len(bookings):,} rows). Guests who get another room than they booked cancel in "
        f"{cancelled.loc[True, 'mean']:.1%} of cases, the others in {cancelled.loc[False, 'mean']:.1%}. Does a "
        "change of rooms keep guests? The table doesn't say when a room was assigned. If that happens towards the "
        "arrival, a booking that was cancelled before kept the room that it reserved: the column would be written "
        "after the outcome, and predict it for that reason. A column without a date is no covariate."
    )

# %% [markdown]
# ## A collider in the ratings
#
# Mara's second question: *do people rate an item better because it was displayed?* In this shop they don't. Stars
# belong to the pair, a display changes only whether it is bought, so the true effect is zero. But stars are seen only
# where somebody bought *and* wrote them down.

# %% tags=["hide-input"]
graph = nx.DiGraph()
for name, label, observed, role, pos in (
    ("Q", "quality,\ntexts", False, "hidden", (1.2, 3.6)),
    ("X", "score,\npopularity,\nactivity", True, "confounder", (0.0, 2.4)),
    ("T", "display T", True, "treatment", (0.0, 0.9)),
    ("H", "hidden\ntaste", False, "hidden", (2.4, 2.4)),
    ("Y", "bought Y", True, "outcome", (2.4, 0.9)),
    ("S", "stars", True, "outcome", (3.9, 0.9)),
    ("R", "rated?", True, "selection", (3.15, -0.5)),
    ("V", "looked at?", True, "selection", (1.2, -0.5)),
):
    graph.add_node(name, label=label, observed=observed, role=role, pos=pos)
for a, b, kind in (
    ("Q", "X", "cause"), ("Q", "H", "cause"), ("X", "T", "bias"), ("X", "Y", "cause"), ("X", "V", "cause"),
    ("X", "S", "cause"), ("H", "Y", "cause"), ("H", "S", "cause"), ("T", "Y", "effect"), ("Y", "R", "selection"),
    ("S", "R", "selection"), ("T", "V", "selection"), ("H", "V", "selection"), ("V", "Y", "cause"),
):  # fmt: skip
    graph.add_edge(a, b, kind=kind)
plots.draw_dag(
    graph,
    alt="Causal graph. Quality and texts point to score, popularity and activity, and to hidden taste. Score, "
    "popularity and activity point to display, looked at, bought and stars. Hidden taste "
    "points to looked at, bought and stars. Display points to looked at and bought. Looked at points to bought. "
    "Bought and stars point to rated. There is no arrow from display to stars.",
    caption="Purple arrows decide who is in a table of pairs that were looked at, or rated. Display and hidden taste "
    "both lead into looked at, and into bought: two colliders. Among rated pairs display and hidden taste depend on "
    "each other, and hidden taste brings stars.",
    figsize=(5.6, 4.8),
)
box = {"score": "X", "popularity": "X", "activity": "X", "exposed": "T", "hidden": "H", "consumed": "Y", "stars": "S"}
box |= {"rated": "R", "quality": "Q", "text": "Q"}
arrows = {(box[a], box[b]) for a, b in world.dag().edges if a in box and b in box}
drawn = {arrow for arrow in graph.edges if "V" not in arrow}
run.claim("the arrows are the shop's", drawn == {(a, b) for a, b in arrows if a != b})

# %% [markdown]
# Several weeks of many pairs, because the effect is small. The last row of the picture is explained below it.


# %%
def on_stars(seed, n):
    """Effects of a display on stars in one week: over all pairs, and over those that were rated."""
    log = world.exposure_log(n, seed=seed)
    rating, chance = world.truth.ratings(log, seed=seed), world.truth.pairs(log)
    log = log.assign(stars=rating["stars"])
    rated = log[(log["consumed"] == 1) & (rating["writes"] == 1)]
    same_lift = run.rng.uniform(size=n) < chance["p0"] + ATE * log["exposed"]  # a display as good for everybody
    return {
        "all pairs, naive": naive_difference(log, "stars"),
        "all pairs, weighted": effect(log, outcome="stars"),
        "rated pairs, naive": naive_difference(rated, "stars"),
        "rated pairs, weighted": effect(rated, outcome="stars"),
        "... if displays lift all alike": effect(log[same_lift & (rating["writes"] == 1)], outcome="stars"),
    }, len(rated) / n


many = run.size(ci=4, full=10)
found = [
    on_stars(1_000 * run.seed + 900 + k, run.size(ci=300_000, full=2_000_000))
    for k in run.progress(range(many), "weeks")
]
values = pd.DataFrame([{name: e.value for name, e in row.items()} for row, _ in found])
errors = pd.DataFrame([{name: e.se for name, e in row.items()} for row, _ in found])
stars_effect = {
    name: Estimate(values[name].mean(), np.sqrt((errors[name] ** 2).sum()) / many, "ATE", "mean of weeks", many)
    for name in values
}

# %% tags=["hide-input"]
fig = plots.forest(
    stars_effect, truth=0.0, naive=("all pairs, naive", "rated pairs, naive"), xlabel="effect of a display on stars"
)
fig.set_size_inches(5.2, 3.0)
plots.show(
    fig,
    alt="Forest plot of the effect on stars. Naive differences are far above zero. Weighting over all pairs lies at "
    "zero. Weighting over the rated pairs lies above zero, and below zero if a display lifts everybody alike.",
    caption="Weighting gets zero from all pairs, which only a simulator has. Among rated pairs the same weighting "
    "finds an effect that does not exist; its sign depends on whom a display wins.",
)
for name, key in zip(stars_effect, ("all_naive", "all", "rated_naive", "rated", "alike"), strict=True):
    run.record(f"collider_{key}", stars_effect[name], truth=0.0,
               naive=stars_effect["rated pairs, naive"] if key == "all" else None)  # fmt: skip
run.record("collider_weeks", many)
run.record("collider_weeks_above", int((values["rated pairs, weighted"] > 0).sum()))
run.record("rated_share", float(np.mean([share for _, share in found])))
naive_all, over_all, naive_rated, over_rated, alike = stars_effect.values()
run.claim("weighting over all pairs finds nothing", abs(over_all.value) < 4 * over_all.se)
run.claim("over rated pairs it finds an effect, upwards", over_rated.low > 0)
run.claim("with the same lift for everybody, downwards", alike.high < 0)
run.claim("naive differences lie far above zero", naive_all.low > over_rated.high < naive_rated.low)
some = world.exposure_log(100_000, seed=run.seed)
hidden = make_world(confounding="hidden")  # the same shop with a recommender that reads taste, so it can tell us
known = hidden.truth.pairs(some)
assert np.allclose(known[["p0", "p1"]], world.truth.pairs(some)[["p0", "p1"]])
rank = known["hidden"].groupby(some["item"]).rank(pct=True)  # among the users of one item
factor = (known["p1"] / known["p0"]).groupby(np.ceil(5 * rank)).mean()
run.record("factor_least", factor.iloc[0])
run.record("factor_most", factor.iloc[-1], naive=factor.iloc[0])
run.claim("a display multiplies the chance by more, the more taste", factor.is_monotonic_increasing)

# %% [markdown]
# Over all pairs weighting finds {glue:text}`collider_all:.4f` (standard error {glue:text}`collider_all.se:.4f`).
# Among the {glue:text}`rated_share:.1%` that were rated it finds {glue:text}`collider_rated:.3f`, interval
# {glue:text}`collider_rated.low:.3f` to {glue:text}`collider_rated.high:.3f`, after adjusting for *everything* that
# decided the display; it is above zero in {glue:text}`collider_weeks_above:d` of the {glue:text}`collider_weeks:d`
# weeks.
#
# *Bought* is a {term}`collider`: display and hidden taste both lead into it. Among buyers with the same $X$ the two
# depend on each other, and hidden taste brings stars. No column of $X$ repairs that, because the mixing happens in
# the choice of rows {cite:p}`elwert2014endogenous,cinelli2024crash`.
#
# *Which sign?* The textbook expects a minus. One good reason for a purchase explains the other away: who bought
# *without* a display needed more taste to get there. Give every pair the same *extra* chance from a display, and
# that is what comes out, {glue:text}`collider_alike:.3f`. In this shop it is turned, because a display *multiplies*
# the chance by more, the more taste there is: by {glue:text}`factor_least:.1f` on average in the fifth of an item's
# users with least hidden taste, by {glue:text}`factor_most:.1f` in the fifth with most. So the shown among the buyers
# have more of it. A display that multiplied every chance by the same factor would leave the taste of buyers alone. A
# log shows neither the taste nor the factors, so it can't tell you the sign.
#
# *Looked at* is a collider, too, and lies on the way from display to purchase: to keep the pairs that were looked at
# blocks a part of the effect and mixes in taste. What helps: ask a random sample to rate, model who rates, or ask a
# question about all pairs.
#
# | keep in $X$ | leave out |
# |---|---|
# | known before the decision, moves treatment or outcome | views, clicks, carts, dwell time after the display |
# | past counts, from `history` | counts and means "to date of the export" |
# | the recommender's score as it was logged | a score recomputed with today's model |
# | the price at the decision | the price that was paid |
#
# ## Alarm one: a placebo outcome
#
# How would Tom notice, without the truth? Take an outcome that the display *can't* have moved and run the whole
# pipeline on it: a purchase in the week *before* the decision. This is a {term}`placebo outcome`, a
# {term}`negative control` {cite:p}`lipsitch2010negative`. The right answer is zero; whatever else comes out, the
# pipeline made.

# %%
placebo = {
    "no adjustment": naive_difference(table, "consumed_before"),
    "finished pipeline": effect(table, outcome="consumed_before"),
    "history from Wednesday": effect(wednesday, outcome="consumed_before"),
}
detectable = (1.96 + 0.84) * placebo["finished pipeline"].se  # found in four of five data sets like this one

# %% tags=["hide-input"]
fig = plots.forest(
    placebo,
    truth=0.0,
    naive=("no adjustment", "history from Wednesday"),
    xlabel="effect on purchases of the week before",
)
fig.set_size_inches(5.2, 2.6)
ax = fig.axes[0]
ax.axvspan(-detectable, detectable, color=plots.COLORS["naive"], alpha=0.2, linewidth=0)
plots.show(
    fig,
    alt="Forest plot of three placebo estimates. Without adjustment and with a late snapshot they lie far to the "
    "right of zero; the finished pipeline lies close to zero, inside a narrow grey band that marks what could hide.",
    caption="A display can't sell last week. Two pipelines say that it did. Grey: faults too small to be found "
    "reliably with this many rows.",
)
unadjusted, finished, snapshot = placebo.values()
run.record("placebo_naive", unadjusted, truth=0.0)
run.record("placebo_clean", finished, truth=0.0, naive=unadjusted)
run.record("placebo_late", snapshot, truth=0.0)
run.record("detectable", detectable)
run.record("detectable_share", detectable / ATE)
run.claim(
    "without adjustment and with a late snapshot: far from zero", min(unadjusted.low, snapshot.low) > 2 * detectable
)
run.claim(
    "the finished pipeline: close to zero, inside the band",
    abs(finished.value) < detectable < 4 * finished.se < min(unadjusted.low, snapshot.low),
)

# %% [markdown]
# Without adjustment displays "sell" {glue:text}`placebo_naive:.3f` *last* week. The finished pipeline says
# {glue:text}`placebo_clean:.4f` (interval {glue:text}`placebo_clean.low:.4f` to {glue:text}`placebo_clean.high:.4f`).
# With Wednesday's snapshot, first sales of the displays count as history, and the placebo says
# {glue:text}`placebo_late:.3f`.
#
# *Silence needs a size.* With these rows a fault of {glue:text}`detectable:.4f` or more is found in four of five data
# sets; that is {glue:text}`detectable_share:.0%` of the effect. Smaller faults may hide. And an alarm at the 95%
# level goes off once in twenty with nothing wrong: over the {glue:text}`weeks:d` weeks above it did in
# {glue:text}`placebo_fires:.0%` (Monte-Carlo error {glue:text}`placebo_fires_mc_se:.0%`).
#
# *It must really be a placebo.* Here the score knows nothing of last week's purchases. If your ranker learns from
# them, they are a {term}`confounder` and belong into $X$; take an older week, or purchases by telephone.
#
# ## Alarm two: an A/A test
#
# The second alarm asks whether the *interval* is honest. Split the users at random, do nothing to either half, and
# run the analysis: an {term}`A/A test` {cite:p}`kohavi2020trustworthy`. Over many splits the
# {term}`p-values <p-value>` must be uniform: an alarm at the usual level in one of twenty.
#
# One user rates many films, and a user's ratings resemble each other. The test by hand, with rows as units or with
# {term}`clusters <cluster>`; $\bar y_a$ is the mean of arm $a$ with $n_a$ rows, and $e_r = y_r - \bar y_a$:
#
# $$\text{se}^2 = \sum_{a} \frac{1}{n_a^2} \sum_{\text{units } u \text{ in } a}
# \Big(\sum_{r \text{ of } u} e_r\Big)^2.$$


# %%
def aa_test(y, unit, arm):
    """Difference in means of two arms and its standard error; rows of one unit may resemble each other."""
    value, variance = 0.0, 0.0
    for a, sign in ((1, 1), (0, -1)):
        residual = y[arm == a] - y[arm == a].mean()
        value += sign * y[arm == a].mean()
        variance += (np.bincount(unit[arm == a], residual) ** 2).sum() / (arm == a).sum() ** 2
    return value, np.sqrt(variance)


user = pd.factorize(ratings["user_id"])[0]
arm = run.rng.permutation(np.arange(user.max() + 1) % 2)[user]
by_hand = aa_test(stars, user, arm)
by_statsmodels = sm.OLS(stars, sm.add_constant(arm)).fit(cov_type="cluster", cov_kwds={"groups": user})
assert np.isclose(by_hand[0], by_statsmodels.params[1])
assert np.isclose(by_hand[1], by_statsmodels.bse[1], rtol=0.005)
half = np.random.default_rng(0).permutation(np.arange(user.max() + 1) % 2 == 0)[user]  # a split, and the library's p
value, se = aa_test(stars, user, half.astype(int))
p_library = behaviour.aa_p_values(stars, user, 1, np.random.default_rng(0))[0]
assert np.isclose(2 * norm.sf(abs(value) / se), p_library, rtol=0.01)

# %%
splits = run.size(ci=1_000, full=10_000)
aa_rng = np.random.default_rng(run.seed)
p_users = behaviour.aa_p_values(stars, user, splits, aa_rng)
p_rows = behaviour.aa_p_values(stars, user, splits, aa_rng, by_unit=False)

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(5.6, 2.9), sharey=True)
for ax, p, title, color in (
    (axes[0], p_rows, "rows as units", "warn"),
    (axes[1], p_users, "users as units", "estimate"),
):
    ax.hist(p, bins=np.linspace(0, 1, 21), color=plots.COLORS[color])
    ax.axhline(splits / 20, color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
    ax.set(title=f"{title}: {(p < 0.05).mean():.0%} alarms", xlabel="p-value")
axes[0].set_ylabel("splits")
plots.show(
    fig,
    alt="Two histograms of p-values from random splits of MovieLens users. With rows as units most p-values fall "
    "into the first bar; with users as units all bars are about equally high.",
    caption="Nothing was done to anybody. With rows as units most splits show a 'significant' difference; with users "
    "as units the p-values are flat, as they must be (dashed).",
)
for name, p in (("rows", p_rows), ("users", p_users)):
    rate = float((p < 0.05).mean())
    mc = np.sqrt(max(rate * (1 - rate), 0.001) / splits)
    run.record(f"aa_{name}", rate, truth=0.05, kind="stochastic", mc_se=mc,
               naive=float((p_rows < 0.05).mean()) if name == "users" else None)  # fmt: skip
    run.record(f"aa_{name}_low", rate - 1.96 * mc)
    run.record(f"aa_{name}_high", rate + 1.96 * mc)
run.record("aa_splits", splits)
run.record("aa_power", 0.05 + 2.8 * np.sqrt(0.05 * 0.95 / splits), truth=0.05)
run.record("aa_detectable", 2.8 * by_hand[1])
run.record("aa_ratio", by_hand[1] / aa_test(stars, np.arange(len(stars)), arm)[1], naive=1.0)
bars = np.histogram(p_users, bins=np.linspace(0, 1, 21))[0]
run.claim("rows as units: most splits raise an alarm", (p_rows < 0.05).mean() > 0.5)
run.claim("users as units: flat", np.abs(bars - splits / 20).max() < 5 * np.sqrt(splits / 20))

# %% [markdown]
# With rows as units {glue:text}`aa_rows:.0%` of the {glue:text}`aa_splits:,d` splits raise an alarm (interval
# {glue:text}`aa_rows_low:.0%` to {glue:text}`aa_rows_high:.0%`). The standard error is too small by a factor of
# {glue:text}`aa_ratio:.1f`. With users as units it is {glue:text}`aa_users:.1%` ({glue:text}`aa_users_low:.1%` to
# {glue:text}`aa_users_high:.1%`).
#
# *Its power.* If the true alarm rate were {glue:text}`aa_power:.1%` instead of one in twenty, this many splits would
# show it four times in five. A single split is far weaker: only a fault that moves one arm by
# {glue:text}`aa_detectable:.2f` stars would be noticed as often. The unit of the analysis must be the unit that was
# randomised, or a larger one.
#
# ## When it breaks
#
# Run four pipelines past both alarms: the finished one, two that were broken after the decision, and one in a shop
# whose recommender reads hidden taste. An alarm of a single week proves little, so count over weeks how often each
# goes off.

# %% tags=["hide-input"]
board_weeks, board_pairs, board_splits = run.size(ci=24, full=200), 16_000, 20


def pipelines(seed):
    """Tables of one week from four pipelines; the finished one is what cleaning would give (a test asserts it)."""
    sound, elsewhere = (w.exposure_log(board_pairs, seed=seed, with_placebo=True) for w in (world, hidden))
    twice = (sound["consumed"] * sound["exposed"] == 1) & (run.rng.uniform(size=board_pairs) < Dirt().retry)
    return {
        "finished pipeline": sound,
        "retries counted": sound.assign(consumed=sound["consumed"] + twice),
        "looked at only": sound[looks(world, sound, seed)],
        "hidden cause": elsewhere,
    }


def alarms(part):
    """Error of the estimate; does the placebo fire; how often does an A/A test of users."""
    last_week = effect(part, outcome="consumed_before")
    p = behaviour.aa_p_values(part["consumed"], part["user"], board_splits, run.rng)
    return effect(part).value - ATE, abs(last_week.value) > 1.96 * last_week.se, (p < 0.05).mean()


rows = [
    (name, *alarms(part))
    for k in run.progress(range(board_weeks), "weeks")
    for name, part in pipelines(1_000 * run.seed + 500 + k).items()
]
columns = ["mean error", "placebo alarms", "A/A alarms"]
by_pipeline = pd.DataFrame(rows, columns=["pipeline", *columns]).groupby("pipeline", sort=False)
board, board_noise = by_pipeline.mean(), by_pipeline.std() / np.sqrt(board_weeks)
assert np.isclose(hidden.truth.ate(), ATE)  # the same effect in both shops

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(6.2, 2.8), sharey=True)
colors = [plots.COLORS["estimate" if name == "finished pipeline" else "warn"] for name in board.index]
for ax, column in zip(axes, columns, strict=True):
    place = range(len(board))[::-1]
    ax.barh(place, board[column].abs(), color=colors, height=0.6)
    if column == "mean error":
        ax.errorbar(board[column].abs(), place, xerr=1.96 * board_noise[column], fmt="none", capsize=3,
                    ecolor=plots.COLORS["ink"])  # fmt: skip
    else:
        ax.axvline(0.05, color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
    ax.set(title=column, xlim=(0, {"mean error": 0.35, "placebo alarms": 1.3, "A/A alarms": 0.3}[column]))
    for y, value in zip(place, board[column], strict=True):
        text = f"{value:.3f}".replace("-", "\u2212") if column == "mean error" else f"{value:.0%}"
        ax.annotate(text, (abs(value), y), (9, 0), textcoords="offset points", va="center", fontsize=9)
axes[0].set_yticks(place, list(board.index))
plots.show(
    fig,
    alt="Three bar charts for four pipelines: size of the mean error, share of weeks with a placebo alarm, share of "
    "A/A alarms. Only the finished pipeline is free of error. The placebo goes off in most weeks for the hidden "
    "cause, in few for the others. The A/A test stays near the dashed line for all.",
    caption="Orange: pipelines that are wrong. Dashed: the one alarm in twenty that a sound pipeline gives, a target "
    "to be near and not a limit to stay below. Counting retries is wrong and rings no bell; the A/A test hears none "
    "of the three. Each alarm listens for one kind of fault.",
)
for name, key in zip(board.index, ("clean", "retries", "viewed", "hidden"), strict=True):
    error, fires, rate = board.loc[name]
    run.record(f"fault_{key}", error, kind="stochastic", mc_se=board_noise.loc[name, "mean error"])
    run.record(f"fault_{key}_fires", fires, kind="stochastic",
               mc_se=np.sqrt(max(fires * (1 - fires), 0.05) / board_weeks))  # fmt: skip
    run.record(f"fault_{key}_aa", rate, truth=0.05, kind="stochastic",
               mc_se=np.sqrt(0.05 * 0.95 / board_splits / board_weeks))  # fmt: skip
sent = server[(server["event"] == "consume") & (server["timestamp"] >= zero)]
run.record("retry_ratio", len(sent) / sent["event_id"].nunique(), naive=1.0)
run.record("board_weeks", board_weeks)
run.record("board_pairs", board_pairs)
wrong = (board["mean error"] / board_noise["mean error"]).abs()
run.claim(
    "the finished pipeline is right, selection and a hidden cause err", wrong.iloc[0] < 4 < wrong.iloc[2:].min()
)
each = np.array([row[1] for row in rows]).reshape(board_weeks, -1)
run.claim("counted retries lift the effect in every week", (each[:, 1] > each[:, 0]).all())
run.claim("by about a fifth", 0.15 < board["mean error"].iloc[1] / ATE < 0.25)
fires = board["placebo alarms"]
run.claim(
    "the placebo hears the hidden cause in most weeks, the others in few",
    fires.iloc[3] > 0.7 > 0.3 > fires.iloc[:3].max(),
)
run.claim("the placebo can't hear retries", fires.iloc[0] == fires.iloc[1])
run.claim("the A/A test stays near its target", (board["A/A alarms"] < 0.1).all())

# %% [markdown]
# **A fault that both miss.** One purchase in ten from a *display* is sent twice. Count the rows, and over the
# {glue:text}`board_weeks:d` weeks of {glue:text}`board_pairs:,d` pairs the mean error is
# {glue:text}`fault_retries:.3f`, a fifth of the effect. The placebo goes off exactly as often as for the finished
# pipeline: it looks at last week, when there was no display to send anything twice. The A/A test splits users, and
# both halves have retries. What finds it is bookkeeping: {glue:text}`retry_ratio:.3f` purchase rows for each purchase
# id. Reconcile the log with the till, *by arm*.
#
# **A fault that the placebo hears.** A ranker that reads hidden taste errs by {glue:text}`fault_hidden:.3f`. Hidden
# taste also moved *last* week's purchases, so the placebo goes off in {glue:text}`fault_hidden_fires:.0%` of the
# weeks. A new hidden cause, that did not act in the earlier week, would pass.
#
# **A fault that it hardly hears.** Pairs that were looked at are off by {glue:text}`fault_viewed:.2f`, by far the
# largest error, and ring the placebo in {glue:text}`fault_viewed_fires:.0%` of the weeks. A sound pipeline rings it
# in one of twenty, and here in {glue:text}`fault_clean_fires:.0%`: over {glue:text}`board_weeks:d` weeks that is no
# difference to build on. The selection came after last week's purchases and reaches them only through taste.
#
# **What the A/A test is for.** It hears neither confounding nor selection: both halves share them. Drawn afterwards
# from a log, as here, it tests the standard error. Run *live*, with the two arms sent through the two code paths of
# the next experiment, it also tests the assignment and whether both paths write the same log. About the table it says
# nothing.
#
# | fault | placebo outcome | A/A test on a log | what to do |
# |---|---|---|---|
# | confounding that is older than the decision | hears it | deaf | adjust, randomise |
# | history that is read too late | hears it | deaf | features with time order |
# | rows as units | may ring falsely | hears it | cluster by what was randomised |
# | outcome recorded differently by arm | deaf | deaf | reconcile with the till, by arm |
# | rows chosen by what came later | hardly | deaf | choose rows before time zero |
#
# ## What this means for a language-model recommender
#
# **Text has a date.** A review written after the display is an outcome; put into the prompt or the embedding as a
# feature it is the `views` column of this chapter. Where text stands in for hidden causes this is *treatment leakage*
# {cite:p}`daoud2022conceptualizing`: the text is needed, and a part of it came from the treatment. Build an item's
# embedding from the reviews that were there at time zero, and store the date with the vector.
#
# **A prompt is a row of a table.** "The user's history" in a prompt needs the same clock as `views_before`: leave out
# a *random* rating, and the prompt holds ratings that were made after it. To leave out each user's *last* one is not
# enough either, because the model has learned from what other users did later {cite:p}`ji2023critical`.
#
# **The training set is a leak that you can't date.** Prompted for it, widely used language models recite parts of
# MovieLens 1M, and how well they recommend there goes with how much they recite {cite:p}`dipalma2025memorize`. Test
# on interactions that are newer than the model, or say that you couldn't.
#
# **Cleaning by a model is cleaning.** "Drop low-quality reviews", decided by a model that has read the stars, is a
# rule on the outcome with better grammar.
#
# ## Exercises
#
# ### Exercise 1: ten rows, ten clocks
#
# Build a causal table for ten candidate pairs whose displays were decided at *different* times: the column `decided`
# is a row's own time zero. Return the candidates with three more columns: `views_before` (number of looks strictly
# before `decided`), `exposed` and `consumed` (0 or 1: a `display`, a `consume` in the seven days from `decided` on,
# the end not included). An event sent twice happened once, at its earliest time stamp.
#
# <details><summary>Hint</summary>
#
# Keep the first row of each `event_id`, then look at clocks. Merge the events to the candidates, so that each stands
# beside the `decided` of its pair. Which pairs have no event at all?
#
# </details>


# %% tags=["exercise"]
def ten_rows(candidates, events):
    """Return the candidates with views_before, exposed and consumed, each row by its own time zero."""
    # BEGIN SOLUTION
    key = ["user_id", "item_id"]
    once = events.sort_values("timestamp").drop_duplicates("event_id")
    both = candidates[[*key, "decided"]].merge(once, on=key)
    before = both["timestamp"] < both["decided"]
    inside = ~before & (both["timestamp"] < both["decided"] + pd.Timedelta(days=7))

    def count(rows):
        pairs = pd.MultiIndex.from_frame(candidates[key])
        return both[rows].groupby(key).size().reindex(pairs, fill_value=0).to_numpy()

    return candidates.assign(
        views_before=count(before & (both["event"] == "view")),
        exposed=count(inside & (both["event"] == "display")).clip(max=1),
        consumed=count(inside & (both["event"] == "consume")).clip(max=1),
    )
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.1", ten_rows)

# %% [markdown]
# ### Exercise 2: the mean as it was known
#
# For each rating return the mean of the *strictly earlier* ratings of the same item, NaN if there is none. Ratings of
# the same second are not earlier. The rows come in any order; return an array in the order of the rows.
#
# <details><summary>Hint</summary>
#
# Accumulate sums and counts per item and *distinct* time stamp; a rating then takes what was accumulated up to the
# item's previous distinct time stamp, however far back that lies. A plain loop is fine, too.
#
# </details>


# %% tags=["exercise"]
def mean_so_far(ratings):
    """Return for each row the mean stars of earlier rows of its item_id, from columns item_id, timestamp, stars."""
    # BEGIN SOLUTION
    at = ratings.groupby(["item_id", "timestamp"])["stars"].agg(["sum", "size"])
    so_far = at.groupby("item_id").cumsum() - at
    mean = (so_far["sum"] / so_far["size"].where(so_far["size"] > 0)).rename("mean").reset_index()
    return ratings[["item_id", "timestamp"]].merge(mean, how="left")["mean"].to_numpy()
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.2", mean_so_far)

# %% [markdown]
# ### Exercise 3: who was dropped, and what did it do?
#
# A rule keeps some rows of a table. You have both potential outcomes `y0` and `y1`, the treatment `t` (a fair coin)
# and the rule's answer `keep`. Return two numbers: the bias of the difference in means among the kept rows for *their
# own* average effect, and the change of population, which is the average effect of the kept rows minus that of all.
#
# <details><summary>Hint</summary>
#
# The first compares the estimate with a truth over the *same* rows; the second compares two truths.
#
# </details>


# %% tags=["exercise"]
def bias_and_shift(y0, y1, t, keep):
    """Return (bias among the kept, change of the average effect by keeping)."""
    # BEGIN SOLUTION
    y = np.where(t == 1, y1, y0)
    estimate = y[keep & (t == 1)].mean() - y[keep & (t == 0)].mean()
    own = (y1 - y0)[keep].mean()
    return estimate - own, own - (y1 - y0).mean()
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.3", bias_and_shift)

# %% [markdown]
# ### Exercise 4: an alarm and its size
#
# Put the placebo alarm on a pipeline. The table has `exposed`, `consumed`, `consumed_before` and a `stratum` within
# which displays were as good as drawn by lot. The pipeline takes the difference in means within each stratum and
# averages over *all* rows. Return two numbers: the pipeline's answer for the placebo outcome, and the smallest fault
# that it would find in four of five data sets, $2.8 \cdot \text{se}$.
#
# <details><summary>Hint</summary>
#
# With $w_s$ the share of rows in stratum $s$, the answer is $\sum_s w_s (\bar y_{s1} - \bar y_{s0})$ and its variance
# $\sum_s w_s^2 (v_{s1} / n_{s1} + v_{s0} / n_{s0})$, with sample variances $v$ (`ddof=1`). Which column can a display
# not have moved?
#
# </details>


# %% tags=["exercise"]
def placebo_alarm(table):
    """Return (placebo effect of the stratified pipeline, smallest fault found in four of five data sets)."""
    # BEGIN SOLUTION
    answer, variance = 0.0, 0.0
    for _, rows in table.groupby("stratum"):
        share = len(rows) / len(table)
        shown, other = (rows.loc[rows["exposed"] == t, "consumed_before"] for t in (1, 0))
        answer += share * (shown.mean() - other.mean())
        variance += share**2 * (shown.var() / len(shown) + other.var() / len(other))
    return answer, 2.8 * np.sqrt(variance)
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.4", placebo_alarm)

# %% [markdown]
# ### Exercise 5: a planted error
#
# A colleague adds an interest column to the table, "as a covariate". It runs, and the effect of the display has
# vanished:
#
# ```python
# def interest(candidates, events, zero):
#     recent = events[events["timestamp"] < zero + pd.Timedelta(days=7)]
#     views = recent[recent["event"] == "view"]
#     views = views.drop_duplicates("event_id")
#     count = views.groupby(["user_id", "item_id"]).size()
#     pair = pd.MultiIndex.from_frame(candidates[["user_id", "item_id"]])
#     return count.reindex(pair, fill_value=0).to_numpy()
# ```
#
# Find the error and mend it. The answer is an array with one count a candidate.
#
# <details><summary>Hint</summary>
#
# When is a covariate known?
#
# </details>


# %% tags=["exercise"]
def interest(candidates, events, zero):
    """Return the number of views that were known at the decision, one a candidate pair."""
    # BEGIN SOLUTION
    known = events[events["timestamp"] < zero]
    views = known[known["event"] == "view"]
    views = views.drop_duplicates("event_id")
    count = views.groupby(["user_id", "item_id"]).size()
    pair = pd.MultiIndex.from_frame(candidates[["user_id", "item_id"]])
    return count.reindex(pair, fill_value=0).to_numpy()
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.5", interest)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "Your event log has displays, clicks and purchases. What is missing for the effect of a display?",
    {
        "More events": (False, "More of the same events leave the same pairs out."),
        "The pairs that were neither shown nor looked at": (
            True,
            "They are the bulk of the comparison, and leave no event. Log the candidates of each decision.",
        ),
        "The stars": (False, "They are another outcome, seen only where somebody bought and wrote."),
    },
)

# %% tags=["quiz"]
quiz(
    "Which rule for dropping users leaves the effect of the display unbiased for the users it keeps?",
    {
        "Drop users without a purchase in the week": (
            False,
            "The purchase is the outcome. The rule keeps those for whom something worked.",
        ),
        "Drop the hundred users with most purchases in the week": (
            False,
            "The same selection from the other end, however much they look like outliers.",
        ),
        "Drop users who registered less than a month before the decision": (
            True,
            "Known before the decision. It changes the population, and you can say which.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "The placebo outcome of your pipeline is zero, with a narrow interval. What do you know?",
    {
        "The effect is unbiased": (
            False,
            "Faults that begin after the decision, such as retries from displays alone, leave last week untouched.",
        ),
        "No large confounding of a kind that was already at work last week": (
            True,
            "And how large, the interval says. New hidden causes and errors in the outcome are not covered.",
        ),
        "The standard error is right": (False, "That is what the A/A test is for."),
    },
)

# %% tags=["quiz"]
quiz(
    "Ratings of shown and not shown items differ, also at equal score, popularity and activity. A display can't "
    "change taste. Why do they differ?",
    {
        "The sample is too small": (False, "A larger one makes the interval tighter around the same wrong value."),
        "Some confounder of the display is missing": (
            False,
            "In the chapter all of them were adjusted for, and over all pairs the difference was zero.",
        ),
        "Ratings exist only after a purchase, to which display and hidden taste both lead": (
            True,
            "Conditioning on the collider makes the two dependent among the rated.",
        ),
    },
)

# %% [markdown]
# ## Takeaways
#
# - A log has no zeros. Start the table from the candidates of a decision, and give it a time zero.
# - Covariates before, treatment at, outcome after: the clock decides what a column is, not its name.
# - Dropping a row is a decision on the population. By what came before: another question. By what came after: bias.
# - Ids are labels. Their summaries are features, and count only what was earlier.
# - A placebo outcome hears old confounding, an A/A test hears a wrong standard error; say what size each would
#   have found.
#
# ## Further reading
#
# - {cite:t}`hernan2020causal`: time zero, and the trial that one would have run.
# - {cite:t}`kaufman2012leakage`: leakage, defined and hunted.
# - {cite:t}`elwert2014endogenous` and {cite:t}`cinelli2024crash`: colliders, and good and bad controls.
# - {cite:t}`lipsitch2010negative`: negative controls, with what must hold for them.
# - {cite:t}`kohavi2020trustworthy`: A/A tests, bots and the plumbing of experiments.
# - {cite:t}`antonio2019hotel` and {cite:t}`harper2015movielens`: what the hotels and MovieLens recorded, and how.
