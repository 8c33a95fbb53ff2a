# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 45
#     exercise_minutes: 45
#     data: [womens_reviews, movielens_100k]
#     optional_data: [hotel_bookings]
#     max_seconds: 60
# ---

# %% [markdown]
# # From raw events to a causal table
#
# Tom keeps the logs of Mara's shop. Mara has one question: *did the shelf on the front page sell?* Tom has a week of
# raw events, so he writes the query that everybody would write. Take every pair of a user and an item that occurs in
# the log; how many purchases does it have if there was a shelf, and how many if there was none?
#
# With a shelf {glue:text}`log_shown:.2f`, without {glue:text}`log_not_shown:.2f`. The shelf *costs*
# {glue:text}`log_cost:.0f` purchases per hundred pairs. Tom suggests to switch it off.
#
# The true effect in this simulated shop is {glue:text}`ate_per_hundred:.1f` purchases *more* per hundred pairs. No
# row of the log is false. What is false is the table: a pair that was neither shown nor bought leaves no event, so
# among the pairs without a shelf the log holds only those that somebody looked at.
#
# Every step from events to a table decides *which rows there are* and *what was known when*. Both are causal
# decisions, and most are taken in a script that nobody reviews. This chapter takes them one by one, and measures
# each.
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
# **Time:** about 45 minutes to read, 45 for the exercises.
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
from scipy.stats import kstest
from sklearn.linear_model import LinearRegression

from causalrec_lib import behaviour, course, data, plots, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.week import Dirt, raw_week
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import Estimate

run = course.start(PROFILE, SEED, chapter="concepts/02_behaviour_data")
world = make_world()
raw = raw_week(world, run.size(ci=80_000, full=400_000), seed=run.seed)
PAIR = ["user_id", "item_id"]

# %% [markdown]
# ## The question and the naive answer
#
# Here is what the collectors wrote, in the order in which it arrived. `received` is the server's clock, `timestamp`
# the clock of the device. Three weeks come before the shelf was decided, one week after. `raw_week` wrote it from the
# shop's week, so we know what is wrong with it: a dozen crawlers, a tenth of the purchases from a shelf sent twice,
# and slow clocks on some phones. Tom doesn't.

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
    exposed=rows_of(week[week["event"] == "shelf"], in_log).clip(max=1), consumed=rows_of(bought_rows, in_log)
)
by_shelf = in_log.groupby("exposed")["consumed"].agg(pairs="size", purchases="mean")
by_shelf.rename(index={0: "no shelf", 1: "shelf"}).round(3)

# %% tags=["hide-input"]
ATE = world.truth.ate()
run.record("ate", ATE)
run.record("ate_per_hundred", 100 * ATE, naive=100 * by_shelf["purchases"].diff().iloc[1])
run.record("log_shown", by_shelf.loc[1, "purchases"])
run.record("log_not_shown", by_shelf.loc[0, "purchases"])
run.record("log_cost", 100 * (by_shelf.loc[0, "purchases"] - by_shelf.loc[1, "purchases"]))
run.record("log_only", by_shelf["purchases"].diff().iloc[1], truth=ATE)
run.record("candidates", len(raw.candidates))
run.record("in_log", len(in_log))
run.record("n_events", len(events))

# %% [markdown]
# Look at the first column. {glue:text}`candidates:,d` pairs could have been shown, {glue:text}`in_log:,d` of them
# left an event. A pair gets into this table by a shelf, a look or a purchase, so among the pairs *without* a shelf it
# takes a look or a purchase to be counted at all. The difference of {glue:text}`log_only:.2f` compares everybody who
# was shown with the interested among the rest.
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
# | treatment $T$ | decided *at* it | a shelf in this week |
# | outcome $Y$ | *after* it, in a window of the same length for all | a purchase within seven days |

# %% tags=["hide-input"]
on_time = events.assign(timestamp=events["received"])
seen = on_time.pivot_table("event_id", PAIR, "event", aggfunc="size", fill_value=0)
people = seen[~seen.index.get_level_values("user_id").isin(raw.bots)]
spread = on_time.assign(day=(on_time["received"] - zero) / pd.Timedelta(days=1))
after_zero = spread[spread["day"] >= 0].pivot_table("day", PAIR, "event", aggfunc="size", fill_value=0)
shown_bought = after_zero[(after_zero["shelf"] > 0) & (after_zero["consume"] > 0) & (after_zero["view"] > 0)]
kinds = {
    "shown, bought": shown_bought.index.intersection(people.index[people["view"] > 2]),
    "shown, not bought": people.index[(people["shelf"] > 0) & (people["consume"] == 0) & (people["view"] == 2)],
    "not shown, bought": people.index[(people["shelf"] == 0) & (people["consume"] > 0) & (people["view"] > 1)],
    "bought before": people.index[(people["shelf"] > 0) & (people["consume"] == 2) & (people["view"] > 2)],
}
looks = {"shelf": ("s", "treated", 70), "view": ("o", "naive", 34), "consume": ("D", "estimate", 60)}
fig, ax = plt.subplots(figsize=(5.6, 3.4))
ax.axvspan(0, 7, color=plots.COLORS["estimate"], alpha=0.10, linewidth=0)
ax.axvline(0, color=plots.COLORS["truth"], linestyle="--", linewidth=1.4)
labels = [*kinds, "nothing happened"]
for row, which in enumerate(kinds.values()):
    mine = spread.set_index(PAIR).sort_index().loc[[which[0]]]
    for event, (mark, color, size) in looks.items():
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
    "is the outcome window. Views and old purchases lie before the line, shelves and purchases after it. The fifth "
    "pair has no marks at all.",
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
        exposed=count(after, "shelf").clip(max=1),  # T
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
table[["score", "log_popularity", "log_activity", "views_before", "exposed", "consumed"]].describe().T.round(2)

# %% [markdown]
# Then the estimate: weighting on what decided the shelf, as in the chapter before.

# %%
X = ["score", "log_popularity", "log_activity"]


def effect(table, columns=X, outcome="consumed"):
    """ATE of the shelf by weighting."""
    return weighting.ipw(table[outcome].to_numpy(float), table["exposed"].to_numpy(float), X=table[columns])


def naive_difference(table, outcome="consumed"):
    """Difference in means between shown and not shown."""
    y, t = table[outcome].to_numpy(float), table["exposed"].to_numpy(float)
    fit = sm.OLS(y, sm.add_constant(t)).fit(cov_type="HC1")
    return Estimate(fit.params[1], fit.bse[1], "ATE", "difference in means", len(y))


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
# Then go on, with steps that one finds in any pipeline and that sound like hygiene. Each starts from the *finished*
# table. For each we compute the truth twice: over all pairs, and over the pairs that the step keeps, because a step
# that drops rows may just have changed the question.

# %%
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


aims = {name: own_truth(raw, hygiene.get(name, table)) for name in further}

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(4.9, 7.6), sharex=True)
titles = ("from the log to the table", "six more steps that sound like hygiene")
for ax, rows, title in zip(axes, (steps, further), titles, strict=True):
    ax.axvline(ATE, color=plots.COLORS["truth"], linestyle="--", linewidth=1.4)
    ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.6)
    for k, (name, est) in enumerate(rows.items()):
        miss = not est.covers(aims.get(name, ATE))
        color = plots.COLORS[("naive" if rows is steps else "warn") if miss else "estimate"]
        ax.plot([est.low, est.high], [-k, -k], color=color, linewidth=2.6)
        ax.plot(est.value, -k, "X" if miss else "o", color=color, markersize=8)
        ax.text(-0.385, -k + 0.33, name, fontsize=9.5, va="center")
        side = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
        ax.annotate(f"{est.value:+.3f}", (ATE if 0 < est.high < ATE else est.high, -k), **side)
    ax.set_yticks([])
    ax.set(ylim=(-len(rows) + 0.5, 0.75), title=title, xlim=(-0.39, 0.24))
axes[1].set(xlabel="effect of a shelf on purchases, per pair")
missed = [name for name, est in further.items() if not est.covers(aims[name])]
plots.show(
    fig,
    alt="Two forest plots over one axis with the truth as a dashed line. Above, six steps: pairs of the log alone "
    "give a large negative effect, pairs where nothing happened turn the sign, each further step comes closer, and "
    "the last covers the truth. Below, six further steps from the finished table: keeping pairs that were looked at "
    "is far below zero, adjusting for late views and a late snapshot are near zero, three rules on users stay close.",
    caption="One log, one truth (dashed), twelve answers, each with a tight interval. Circles cover the truth for "
    f"the rows that they keep, crosses miss it. Of the six steps below, {len(missed)} ruin a finished table; their "
    f"code looks no worse than that of the others.",
)

# %% tags=["hide-input"]
short = ("log", "candidates", "once", "clock", "people", "weighted")
for name, est in zip(short, steps.values(), strict=True):
    run.record(f"step_{name}", est, truth=ATE)
run.record("clean", clean, truth=ATE, naive=steps["+ no crawlers"])
short = ("looked", "buyers", "heavy", "active", "views", "wednesday")
for (name, est), key in zip(further.items(), short, strict=True):
    run.record(f"then_{key}", est, truth=aims[name], naive=clean if name in missed else None)
for (_, kept), key in zip(hygiene.items(), short, strict=False):
    run.record(f"kept_{key}", len(kept) / len(table))
run.record(
    "with_views_before",
    effect(table, [*X, "views_before"]),
    truth=ATE,
    naive=further["adjust for views up to the export"],
)
run.record("candidates_per_user", len(table) / table["user_id"].nunique())
assert {
    "keep pairs that were looked at",
    "adjust for views up to the export",
    "history and outcome from Wednesday",
} <= set(missed)

# %% [markdown]
# Four things to see.
#
# **The order of sizes.** Not the bots, and not the duplicates: the pairs that the log leaves out do most harm. With
# them the answer jumps to {glue:text}`step_candidates:.3f`. Retries account for the way down to
# {glue:text}`step_once:.3f`; slow clocks had pushed some sales into the week before ({glue:text}`step_clock:.3f`
# with the server's clock); without crawlers, all of them shown and most of them "buyers", it is
# {glue:text}`step_people:.3f`. What is left is {term}`confounding`. No cleaning touches it; weighting on $X$ does.
#
# **Choosing rows by what came later selects.** Keep the {glue:text}`kept_looked:.0%` of pairs that were looked at,
# "because the others never had a chance", and the effect is {glue:text}`then_looked:.3f`. The truth *for these very
# pairs* is {glue:text}`then_looked.truth:.3f`. A shelf makes people look who would not have; those who look without
# one came to buy. This is the mistake of Tom's first query, made on purpose.
#
# **Adjusting can do the same damage.** Views as of the export are caused by the shelf, and go with the purchase. In
# $X$ they turn {glue:text}`clean:.3f` into {glue:text}`then_views:.3f`. With the same column cut at time zero,
# `views_before`, they leave it at {glue:text}`with_views_before:.3f`. And a snapshot that is two days late moves the
# first sales of the shelf from the outcome to the history: {glue:text}`then_wednesday:.3f`.
#
# **Dropping rows changes the question, and sometimes no more.** Users above the median of activity *before* the week:
# {glue:text}`then_active:.3f`, and the truth for their pairs is {glue:text}`then_active.truth:.3f`. That is another
# population and no bias. The two rules on users' *purchases* also cover here. Are they harmless? They select on
# the outcome, but a user has {glue:text}`candidates_per_user:.0f` candidate pairs, so a single purchase hardly
# decides who stays. Look at smaller weeks, with two or three candidates a user. One log could be luck anyway.

# %%
times = run.size(ci=50, full=500)
record = []
for k in run.progress(range(times), "weeks"):
    w = raw_week(world, 5_000, seed=run.seed + 1 + k, dirt=Dirt(bots=1))
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
        record.append((name, est.value - aim, est.se, est.covers(aim)))
weeks = pd.DataFrame(record, columns=["pipeline", "error", "se", "covers"]).groupby("pipeline", sort=False)
summary = weeks.agg(
    bias=("error", "mean"), scatter=("error", "std"), mean_se=("se", "mean"), covers=("covers", "mean")
)
summary.drop(index="placebo").round(4)

# %% tags=["hide-input"]
run.record("weeks", times)
noise = summary["scatter"] / np.sqrt(times)
for name, key in zip(summary.index[:4], ("clean", "bots", "buyers", "least"), strict=True):
    bots = summary.loc["crawlers left in"] if key == "clean" else {"bias": None, "covers": None}
    share = summary.loc[name, "covers"]
    mc = np.sqrt(max(share * (1 - share), 1 / times) / times)
    run.record(f"bias_{key}", summary.loc[name, "bias"], naive=bots["bias"], kind="stochastic", mc_se=noise[name])
    run.record(f"coverage_{key}", share, truth=0.95, naive=bots["covers"], kind="stochastic", mc_se=mc)
    run.record(f"coverage_{key}_mc_se", mc)
run.record("bias_clean_mc_se", noise["finished table"])
run.record("placebo_fires", 1 - summary.loc["placebo", "covers"], truth=0.05, kind="stochastic",
           mc_se=np.sqrt(0.05 * 0.95 / times))  # fmt: skip

# %% [markdown]
# Over {glue:text}`weeks:d` weeks of five thousand pairs the finished table covers the truth in
# {glue:text}`coverage_clean:.0%` (Monte-Carlo error {glue:text}`coverage_clean_mc_se:.0%`), with a mean error of
# {glue:text}`bias_clean:.4f` (Monte-Carlo error {glue:text}`bias_clean_mc_se:.4f`). With the crawlers left in it
# covers in {glue:text}`coverage_bots:.0%`. And the two rules on purchases, held against the truth *of the rows they
# keep*, now err by {glue:text}`bias_buyers:.3f` ("bought something") and {glue:text}`bias_least:.3f` ("bought at most
# once") and cover in {glue:text}`coverage_buyers:.0%` and {glue:text}`coverage_least:.0%`. The less there is behind
# a rule besides the outcome itself, the more it selects. No rule on the outcome announces on which side of that it
# is.
#
# :::{note}
# *What this does not say.* Rows are independent here given users and items, because the simulator draws them so; the
# interval is for these users and items (see the chapter before). And $X$ is complete because we wrote the shop. In
# yours, the finished table is where the question of hidden causes begins.
# :::
#
# ## Four kinds of dirt, and what each rule claims
#
# ### Bots
#
# The second log of the shop is the clickstream: what was on a screen, what was clicked. Its crawlers are few and
# loud. Here the labels are known, so a rule can be graded.

# %%
n_sessions = run.size(ci=5_000, full=50_000)
clicks = world.events(n_sessions, seed=run.seed)
labels = world.truth.event_labels(n_sessions, seed=run.seed)
busiest = clicks.groupby(["user_id", clicks["timestamp"].dt.floor("min")]).size().groupby("user_id").max()
is_bot = labels["is_bot"].groupby(clicks["user_id"]).any()

u, i = world.users["activity"], world.items["log_popularity"]
p1 = world.truth.pairs(
    pd.DataFrame({"user": np.repeat(np.arange(len(u)), len(i)), "item": np.tile(np.arange(len(i)), len(u))})
)["p1"]
true_rate = float((u / u.sum()).to_numpy() @ p1.to_numpy().reshape(world.shape) @ softmax(i.to_numpy()))


def click_rate(log):
    """Clicks per impression with users as units."""
    n = log[log["event"] == "impression"].groupby("user_id").size()
    k = log[log["event"] == "click"].groupby("user_id").size().reindex(n.index, fill_value=0)
    rate = k.sum() / n.sum()
    return Estimate(rate, np.sqrt(((k - rate * n) ** 2).sum()) / n.sum(), "mean", "ratio of sums", int(n.sum()))


one_each = clicks.drop_duplicates("event_id")
human = one_each[~one_each["user_id"].isin(behaviour.fast_users(one_each, per_minute=20))]
rates = {
    "as logged": click_rate(clicks),
    "each event once": click_rate(one_each),
    "and no crawlers": click_rate(human),
}

# %% tags=["hide-input"]
fig, (left, right) = plt.subplots(2, 1, figsize=(5.2, 4.8), height_ratios=(1.3, 1))
bins = np.geomspace(1, 160, 26)
for bot, color, label in ((False, "estimate", "people"), (True, "warn", "crawlers")):
    left.hist(busiest[is_bot == bot], bins=bins, color=plots.COLORS[color], alpha=0.75, label=label)
left.axvline(20.5, color=plots.COLORS["ink"], linestyle=":", linewidth=1.4)
left.set(
    xscale="log", yscale="log", xlabel="events in the user's busiest minute (log scale)", ylabel="users (log scale)"
)
left.set_xticks([1, 3, 10, 20, 50, 150], ["1", "3", "10", "20", "50", "150"])
left.minorticks_off()
left.legend()
plots.forest(rates, truth=true_rate, naive=("as logged", "each event once"), xlabel="clicks per impression", ax=right)
plots.show(
    fig,
    alt="Above, a histogram of the number of events in each user's busiest minute: people below about fifteen, a "
    "dozen crawlers far above the dotted limit of twenty. Below, click rates: as logged and with each event once far "
    "too high with wide intervals, without crawlers covering the dashed truth.",
    caption="A pace that no person has (dotted line) tells crawlers from people here. Below: those "
    "few accounts move the click rate by more than all other dirt together.",
)
run.record("rate_logged", rates["as logged"], truth=true_rate)
run.record("rate_once", rates["each event once"], truth=true_rate)
run.record("rate_human", rates["and no crawlers"], truth=true_rate, naive=rates["as logged"])
run.record("bots_users", int(is_bot.sum()))
run.record("bot_rows", float(labels["is_bot"].mean()))
found = set(behaviour.fast_users(one_each, 20))
run.record("bots_found", len(found & set(is_bot.index[is_bot])))
run.record("people_accused", len(found - set(is_bot.index[is_bot])))
run.record("busiest_person", int(busiest[~is_bot].max()))

# %% [markdown]
# {glue:text}`bots_users:d` crawlers write {glue:text}`bot_rows:.0%` of the rows and lift the click rate from
# {glue:text}`rate_human:.3f` (interval {glue:text}`rate_human.low:.3f` to {glue:text}`rate_human.high:.3f`, truth
# {glue:text}`rate_human.truth:.3f`) to {glue:text}`rate_logged:.3f`. The pace finds {glue:text}`bots_found:d` of them
# and accuses {glue:text}`people_accused:d` people; the fastest person had {glue:text}`busiest_person:d` events in a
# minute. Your bots will not be so kind as to leave a gap. What carries over is the *kind* of rule. Pace says what a
# unit is. A rule on clicks ("clicks on most of what
# it sees: a bot") would find these bots too, and throw out the keenest people with them: it looks at the outcome.
#
# ### Duplicates
#
# Retries keep their `event_id` and come some seconds later. `drop_duplicates()` on whole rows finds none of them,
# because the time differs. Which columns make two rows *one* event is a claim on how the log was written. Without an
# id it is a guess. The women's reviews have a well-known list of exact duplicates:

# %%
reviews = data.load("womens_reviews")
twice = reviews[reviews.duplicated()]
silent = reviews[reviews["text"].isna()]
shuffled = [
    silent.assign(age=run.rng.permutation(silent["age"].to_numpy())).duplicated().sum()
    for _ in range(run.size(ci=200, full=2_000))
]
twice[["clothing_id", "age", "text", "stars", "recommended", "positive_feedback"]].head(5)

# %% tags=["hide-input"]
run.record("duplicates", len(twice))
run.record("duplicates_silent", int(twice["text"].isna().sum()))
run.record("duplicates_chance", np.mean(shuffled), kind="stochastic", mc_se=np.std(shuffled) / np.sqrt(len(shuffled)))
run.record("duplicates_chance_low", np.quantile(shuffled, 0.025))
run.record("duplicates_chance_high", np.quantile(shuffled, 0.975))
same_text = reviews["text"].dropna().duplicated().sum()
run.record("same_text", int(same_text))

# %% [markdown]
# Of the {glue:text}`duplicates:d` repeated rows, {glue:text}`duplicates_silent:d` have no text. Without a text and a
# reviewer's id, a row is an item, an age and a number of stars, and two customers can share these. How often would
# they, by chance? Shuffle the ages among the reviews without text: {glue:text}`duplicates_chance:.0f` repeats on
# average, {glue:text}`duplicates_chance_low:.0f` to {glue:text}`duplicates_chance_high:.0f` in nineteen of twenty
# shuffles. The list shows no sign of resent rows; to drop it is to drop happy customers who wrote nothing. The
# {glue:text}`same_text:d` repeated *texts* are another matter: nobody writes the same review twice by chance.

# %% [markdown]
# ### Missing values
#
# A missing value has a reason {cite:p}`rubin1976inference`. If the reason depends on the outcome, dropping the row
# selects on the outcome. Does the text of a review go missing at random?


# %%
def mean_stars(part):
    """Mean stars with their standard error; a row is a review."""
    return Estimate(part["stars"].mean(), part["stars"].std() / np.sqrt(len(part)), "mean", "mean", len(part))


wrote, title = reviews["text"].notna(), reviews["title"].notna()
share = pd.DataFrame(
    {"no text": 1 - wrote.groupby(reviews["stars"]).mean(), "no title": 1 - title.groupby(reviews["stars"]).mean()}
)

# %% tags=["hide-input"]
for name, part in (
    ("all", reviews),
    ("text", reviews[wrote]),
    ("no_text", reviews[~wrote]),
    ("title", reviews[title]),
):
    run.record(f"stars_{name}", mean_stars(part))
run.record("missing_text", int((~wrote).sum()))
gap = mean_stars(reviews[~wrote]).value - mean_stars(reviews[wrote]).value
gap_se = np.hypot(mean_stars(reviews[~wrote]).se, mean_stars(reviews[wrote]).se)
run.record("gap_text", Estimate(gap, gap_se, "mean", "difference in means", len(reviews)), naive=0.0)

fig, ax = plt.subplots(figsize=(5.0, 2.9))
for (name, column), color, line in zip(share.items(), ("estimate", "treated"), ("o-", "s--"), strict=True):
    se = np.sqrt(column * (1 - column) / reviews.groupby("stars").size())
    ax.errorbar(column.index, column, 1.96 * se, fmt=line, color=plots.COLORS[color], label=name, capsize=3)
ax.set(xlabel="stars", ylabel="share of reviews", xticks=range(1, 6), ylim=(0, None))
ax.legend()
plots.show(
    fig,
    alt="Share of reviews without text and without title by stars, with intervals. Both are high for one star, "
    "lowest for two, and rise to five stars.",
    caption="Who leaves out the text? Both ends of the scale more than the middle, most of all the happy: missing "
    "depends on the rating.",
)

# %% [markdown]
# The {glue:text}`missing_text:d` reviews without text have {glue:text}`gap_text:.2f` stars more (interval
# {glue:text}`gap_text.low:.2f` to {glue:text}`gap_text.high:.2f`). Dropping them moves the mean from
# {glue:text}`stars_all:.3f` to {glue:text}`stars_text:.3f`: little, because they are few. A model that reads texts
# learns from reviewers who are a bit less happy, and so does anything that is estimated with it. Keep the row, add a
# column that says "no text", and report how far the answer moves.
#
# This gap can be seen, because the stars are there when the text is not. When the reason is the missing value itself
# (an unhappy customer writes no stars at all), values are {term}`missing not at random`, and nothing in the table
# shows it.
#
# ### Clocks and outliers
#
# The slow phones stamped views and purchases up to two days early, so some purchases of the week fell *before* the
# shelf. That is an effect before its cause, and the log can be asked for it:

# %%
stamped = events.merge(events[events["event"] == "shelf"][[*PAIR, "timestamp"]], on=PAIR, suffixes=("", "_shelf"))
stamped = stamped[(stamped["event"] == "consume") & (stamped["received"] >= zero)]
too_early = stamped["timestamp"] < stamped["timestamp_shelf"]
dwell, wild = human["dwell_seconds"].dropna(), labels.loc[human.index, "is_outlier"]
of_people = pd.Series(
    {"mean": dwell.mean(), "median": dwell.median(), "mean without the wild": dwell[~wild[dwell.index]].mean()}
)
run.record("too_early", float(too_early.mean()), naive=0.0)
run.record("dwell_mean", of_people["mean"])
run.record("dwell_true", of_people["mean without the wild"], naive=of_people["mean"])
run.record("dwell_median", of_people["median"])
run.record("wild_clicks", float(wild[dwell.index].mean()))
print(f"purchases stamped before their shelf: {too_early.mean():.1%}")
of_people.round(1).to_frame("seconds on the page")

# %% [markdown]
# {glue:text}`too_early:.1%` of the purchases from a shelf precede it. Use the clock that is the same for all.
#
# {term}`Outliers <outlier>`: {glue:text}`wild_clicks:.1%` of clicks come from a tablet left open, and lift the mean
# time on a page from {glue:text}`dwell_true:.0f` to {glue:text}`dwell_mean:,.0f` seconds. The median
# ({glue:text}`dwell_median:.0f`) hardly notices. If the outcome has a heavy tail, change the *estimand* before you
# look (a median, a capped mean, "stayed over ten seconds") and apply it to both arms. A row that is dropped because
# its outcome is large is a row selected on the outcome, as the picture of twelve answers shows.
#
# ## Sessions: a pause is a decision
#
# A {term}`session` is what lies between two long pauses. How long is long? In the clickstream the true number is
# known; in MovieLens {cite:p}`harper2015movielens` it is not.

# %%
ratings = data.load("movielens_100k")
ratings = ratings.sort_values(["timestamp", "user_id", "item_id"], kind="stable").reset_index(drop=True)
minutes = [1, 2, 5, 15, 30, 60, 240, 1440]
cut = {}
for m in minutes:
    gap = pd.Timedelta(minutes=m)
    s = behaviour.sessionise(ratings, gap)
    first = s == s.groupby(ratings["user_id"]).transform("min")
    cut[m] = {
        "clickstream": behaviour.sessionise(human, gap).nunique() / n_sessions,
        "MovieLens": s.nunique() / ratings["user_id"].nunique(),
        "in the first session": first.mean(),
        "users with one session": (s.groupby(ratings["user_id"]).nunique() == 1).mean(),
    }
cut = pd.DataFrame(cut).T.rename_axis("pause (minutes)")
cut.round(3)

# %% tags=["hide-input"]
run.record("one_session", cut.loc[30, "users with one session"])
run.record("first_session", cut.loc[30, "in the first session"])
run.record("first_session_short", cut.loc[5, "in the first session"])
run.record("first_session_long", cut.loc[1440, "in the first session"])
run.record("sessions_right", cut.loc[30, "clickstream"], truth=1.0)
run.record("sessions_short", cut.loc[1, "clickstream"], truth=1.0)
run.record("sessions_long", cut.loc[1440, "clickstream"], truth=1.0)
nth = ratings.groupby("user_id").cumcount()
run.record("same_second", float(ratings.duplicated(["user_id", "timestamp"], keep=False).mean()))

# %% [markdown]
# In the clickstream a pause of half an hour finds {glue:text}`sessions_right:.2f` sessions for each true one; a
# minute makes {glue:text}`sessions_short:.1f` of one, a day merges them to {glue:text}`sessions_long:.2f`.
#
# In MovieLens, {glue:text}`one_session:.0%` of the users have a single session (half an hour), and
# {glue:text}`first_session:.0%` of all ratings fall into a first one ({glue:text}`first_session_short:.0%` with five
# minutes, {glue:text}`first_session_long:.0%` with a day). {glue:text}`same_second:.0%` of the ratings share their
# second with another of the same user. People signed up, got pages of films to rate, and left. The stamp says when a
# film was *rated*, not when it was seen, and "the user's last ten films" is the order of a page. Any method that
# needs "before" within a user has little to hold on to here.

# %% [markdown]
# ## Ids are labels
#
# A number in a column is not yet a quantity. Regress the stars of MovieLens on `item_id`:

# %%
item = ratings["item_id"].astype(int).to_numpy()
stars = ratings["stars"].to_numpy(float)
line = sm.OLS(stars, sm.add_constant(item / 1000)).fit()

code, names = pd.factorize(item)
weight, above = np.bincount(code), np.bincount(code, stars - stars.mean())


def slope(new_id):
    """Least-squares slope of stars on new ids, per thousand ids."""
    centred = (new_id - np.average(new_id, weights=weight)) / 1000
    return (centred @ above) / (weight @ centred**2)


assert np.isclose(slope(names.astype(float)), line.params[1])
relabelled = np.array(
    [slope(run.rng.permutation(names).astype(float)) for _ in range(run.size(ci=2_000, full=20_000))]
)
popularity = ratings.groupby("item_id").size()
rank_corr = pd.Series(popularity.index.astype(int)).corr(pd.Series(popularity.to_numpy()), method="spearman")

# %% tags=["hide-input"]
run.record("id_slope", line.params[1])
run.record("id_t", line.tvalues[1])
run.record("id_positive", float((relabelled > 0).mean()), truth=0.5, kind="stochastic",
           mc_se=0.5 / np.sqrt(len(relabelled)))  # fmt: skip
loud = float((np.abs(relabelled) > 1.96 * line.bse[1]).mean())
run.record("id_loud", loud, naive=0.05, kind="stochastic", mc_se=np.sqrt(loud * (1 - loud) / len(relabelled)))
run.record("id_popularity", rank_corr)
fig, ax = plt.subplots(figsize=(5.4, 2.9))
ax.hist(relabelled, bins=50, color=plots.COLORS["naive"], label="the same films under new ids")
ax.axvline(line.params[1], color=plots.COLORS["warn"], linewidth=2.4, label="the ids as they came")
ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
ax.set(xlabel="slope: stars per thousand ids", ylabel="relabellings")
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="A histogram of slopes under random relabelling, centred on zero. The slope of the original ids lies far to "
    "its left.",
    caption="A slope on an id changes its sign with the labels. The ids as they came (orange) are no random "
    "labels: they were handed out in an order that has to do with popularity.",
)

# %% [markdown]
# "A thousand ids more cost {glue:text}`id_slope:.2f` stars, $t$ = {glue:text}`id_t:.0f`." Give the films new numbers,
# and the slope is positive in {glue:text}`id_positive:.0%` of all relabellings, "significant" in
# {glue:text}`id_loud:.0%`. The question makes no sense, and every software answers it.
#
# Why is the real slope so far out? Low ids have many ratings (rank correlation
# {glue:text}`id_popularity:.2f`): they were handed out in some order, and that order goes with popularity. So an id
# is not *nothing* either: it may carry age, a batch, a region. If you need that, name it and put *it* into the
# table. Otherwise encode ids as labels, by one column or one vector each, or by summaries of their past, which is
# where the next trap lies.
#
# ## Features as they were known
#
# The commonest summaries of an id are its mean and its count. Computed over the whole data set they contain the
# future and, for every row, the row's own outcome: {term}`leakage` {cite:p}`kaufman2012leakage`. `behaviour.history`
# counts only what was strictly earlier. Predict the stars of the last fifth of MovieLens from such features, learned
# on the first four fifths.

# %%
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
rare = late & (ratings.groupby("item_id")["stars"].transform("size") <= 10).to_numpy()
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
r2.round(3)

# %% tags=["hide-input"]
for name, row in zip(("promised", "served", "honest"), r2.to_numpy(), strict=True):
    run.record(f"r2_{name}", row[0], naive=None if name == "promised" else r2.iloc[0, 0])
    run.record(f"r2_{name}_rare", row[1], naive=None if name == "promised" else r2.iloc[0, 1])
run.record("rare_rows", int(rare.sum()))
fig, ax = plt.subplots(figsize=(5.2, 3.2))
height = np.arange(3)[::-1]
for k, (column, color) in enumerate(zip(r2.columns, ("estimate", "treated"), strict=True)):
    ax.barh(height + 0.19 - 0.38 * k, r2[column], height=0.36, color=plots.COLORS[color], label=column)
ax.set_yticks(height, ["all data\n(promised)", "same model,\nserved in time", "in time\nfrom the start"])
ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
ax.set(xlabel="explained share of the variance, $R^2$")
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Bars of explained variance for three ways of computing features. Features from all data promise most, far "
    "more for rare films; served with what is known in time the same model explains much less.",
    caption="The promise of leaky features, and what arrives. For rare films, a mean over all data is mostly the "
    "very rating that it predicts.",
)

# %% [markdown]
# The leaky features promise an $R^2$ of {glue:text}`r2_promised:.3f`; served in time the same model reaches
# {glue:text}`r2_served:.3f`, and one that was trained in time {glue:text}`r2_honest:.3f`. For the
# {glue:text}`rare_rows:d` late ratings of films with at most ten, the promise is {glue:text}`r2_promised_rare:.2f`
# and {glue:text}`r2_served_rare:.2f` arrives. In prediction, leakage costs a promise. In a causal table it costs the
# effect: the outcome in a covariate is adjusted away, and the effect with it, as the row with *views* showed.

# %%
bookings = data.load_optional("hotel_bookings")
if bookings is not None:
    cancelled = bookings.groupby("room_changed")["is_canceled"].agg(["size", "mean"])
    run.record("hotel_changed", cancelled.loc[True, "mean"], optional=True)
    run.record("hotel_same", cancelled.loc[False, "mean"], optional=True)
    course.say(
        f"**Hotel bookings** ({len(bookings):,} rows). Guests who get another room than they booked cancel in "
        f"{cancelled.loc[True, 'mean']:.1%} of cases, the others in {cancelled.loc[False, 'mean']:.1%}. Does a "
        "change of rooms keep guests? A room is usually assigned at or near arrival, when most cancellations are "
        "long past: a booking that is cancelled keeps the room that it reserved. The column is written after the "
        f"outcome, and predicts it for that reason. The set also has {int(bookings.duplicated().sum()):,} repeated "
        f"rows and no id of a booking: two people who book the same room type on the same day look like one row "
        f"twice. As with the reviews, dropping them is a guess."
    )

# %% [markdown]
# ## A collider in the ratings
#
# Mara's second question: *do people rate an item better because it was on the shelf?* In this shop they don't. Stars
# belong to the pair, a display changes only whether it is bought, so the true effect is zero. But stars are seen only
# where somebody bought *and* wrote them down.

# %% tags=["hide-input"]
graph = nx.DiGraph()
for name, label, observed, role, pos in (
    ("X", "score,\npopularity,\nactivity", True, "confounder", (0.0, 2.4)),
    ("T", "shelf T", True, "treatment", (0.0, 0.9)),
    ("H", "hidden\ntaste", False, "hidden", (2.4, 2.4)),
    ("Y", "bought Y", True, "outcome", (2.4, 0.9)),
    ("S", "stars", True, "outcome", (3.9, 0.9)),
    ("R", "rated?", True, "selection", (3.15, -0.5)),
    ("V", "looked at?", True, "selection", (1.2, -0.5)),
):
    graph.add_node(name, label=label, observed=observed, role=role, pos=pos)
for a, b, kind in (
    ("X", "T", "bias"), ("X", "Y", "cause"), ("X", "S", "cause"), ("H", "Y", "cause"), ("H", "S", "cause"),
    ("T", "Y", "effect"), ("Y", "R", "selection"), ("S", "R", "selection"), ("T", "V", "selection"),
    ("H", "V", "selection"), ("V", "Y", "cause"),
):  # fmt: skip
    graph.add_edge(a, b, kind=kind)
plots.draw_dag(
    graph,
    alt="Causal graph. Score, popularity and activity point to shelf, bought and stars. Hidden taste points to "
    "looked at, bought and stars. Shelf points to looked at and bought. Looked at points to bought. Bought and stars "
    "point to rated. There is no arrow from shelf to stars.",
    caption="Purple arrows decide who is in a table of pairs that were looked at, or rated. Shelf and hidden taste "
    "both lead into bought, a collider: among rated pairs they depend on each other, and hidden taste brings stars.",
    figsize=(5.6, 4.2),
)

# %%
pairs_all = world.exposure_log(run.size(ci=1_000_000, full=2_000_000), seed=run.seed)  # many pairs: a small effect
known = world.truth.ratings(pairs_all, seed=run.seed)  # every pair has stars; who writes depends on them
rated = (pairs_all["consumed"] == 1) & (known["writes"] == 1)
pairs_all = pairs_all.assign(stars=known["stars"])
on_stars = {
    "all pairs, naive": naive_difference(pairs_all, "stars"),
    "all pairs, weighted": effect(pairs_all, outcome="stars"),
    "rated pairs, naive": naive_difference(pairs_all[rated], "stars"),
    "rated pairs, weighted": effect(pairs_all[rated], outcome="stars"),
}

# %% tags=["hide-input"]
fig = plots.forest(
    on_stars, truth=0.0, naive=("all pairs, naive", "rated pairs, naive"), xlabel="effect of a shelf on stars"
)
fig.set_size_inches(5.2, 2.6)
plots.show(
    fig,
    alt="Forest plot of the effect on stars. Naive differences are far above zero. Weighting over all pairs covers "
    "zero. Weighting over the rated pairs lies above zero with an interval that excludes it.",
    caption="Weighting gets zero from all pairs (which only a simulator has). Among rated pairs the same weighting "
    "finds an effect that does not exist.",
)
for name, est in zip(("all_naive", "all", "rated_naive", "rated"), on_stars.values(), strict=True):
    run.record(f"collider_{name}", est, truth=0.0, naive=on_stars["rated pairs, naive"] if name == "all" else None)
run.record("rated_share", float(rated.mean()))
assert abs(on_stars["all pairs, weighted"].value) < 4 * on_stars["all pairs, weighted"].se
assert not on_stars["rated pairs, weighted"].covers(0)

# %% [markdown]
# Over all pairs weighting finds {glue:text}`collider_all:.4f` (standard error {glue:text}`collider_all.se:.4f`).
# Among the {glue:text}`rated_share:.1%` that were rated it finds {glue:text}`collider_rated:.3f`, interval
# {glue:text}`collider_rated.low:.3f` to {glue:text}`collider_rated.high:.3f`, after adjusting for *everything* that
# decided the shelf.
#
# *Bought* is a {term}`collider`: shelf and hidden taste both lead into it. People who buy from a shelf are those who
# like the item once they see it; people who buy without one are those who would find anything. So among buyers with
# the same $X$ the shown have more hidden taste, and more stars. No column of $X$ repairs that, because the mixing
# happens in the choice of rows {cite:p}`elwert2014endogenous,cinelli2024crash`. What helps: ask a random sample to
# rate, model who rates (the chapters on missing ratings), or ask a question about all pairs.
#
# | keep in $X$ | leave out |
# |---|---|
# | known before the decision, moves treatment or outcome | views, clicks, carts, dwell time after the shelf |
# | past counts, from `history` | counts and means "to date of the export" |
# | the recommender's score as it was logged | a score recomputed with today's model |
# | the price at the decision | the price that was paid |
#
# ## Alarm one: a placebo outcome
#
# How would Tom notice, without the truth? Take an outcome that the shelf *can't* have moved and run the whole
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
    "right of zero; the finished pipeline covers zero. A grey band marks what could hide.",
    caption="A shelf can't sell last week. Two pipelines say that it did. Grey: faults too small to be found "
    "reliably with this many rows.",
)
for name, est in zip(("naive", "clean", "late"), placebo.values(), strict=True):
    run.record(f"placebo_{name}", est, truth=0.0, naive=placebo["no adjustment"] if name == "clean" else None)
run.record("detectable", detectable)
run.record("detectable_share", detectable / ATE)

# %% [markdown]
# Without adjustment the shelf "sells" {glue:text}`placebo_naive:.3f` *last* week. The finished pipeline says
# {glue:text}`placebo_clean:.4f` (interval {glue:text}`placebo_clean.low:.4f` to {glue:text}`placebo_clean.high:.4f`).
# The third pipeline is the one with Wednesday's snapshot from the picture of twelve answers. First sales of the shelf
# count as its history, and the placebo says {glue:text}`placebo_late:.3f`.
#
# *Silence needs a size.* With these rows a fault of {glue:text}`detectable:.4f` or more is found in four of five data
# sets; that is {glue:text}`detectable_share:.0%` of the effect. Smaller faults may hide. And an alarm at the 95%
# level goes off once in twenty with nothing wrong: over the {glue:text}`weeks:d` weeks above it did in
# {glue:text}`placebo_fires:.0%`.
#
# *It must really be a placebo.* Here the score knows nothing of last week's purchases. If your ranker learns from
# them, they cause the shelf: then they are a {term}`confounder` and belong into $X$, and the placebo must be
# something else that the shelf can't have moved, such as an older week, or a purchase by telephone.
#
# ## Alarm two: an A/A test
#
# The second alarm asks whether the *interval* is honest. Split the users at random, do nothing to either half, and
# run the analysis: an {term}`A/A test` {cite:p}`kohavi2020trustworthy`. Repeat with fresh splits. The
# {term}`p-values <p-value>` must be uniform: an alarm at the usual level in one split of twenty, no more.
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
by_library = sm.OLS(stars, sm.add_constant(arm)).fit(cov_type="cluster", cov_kwds={"groups": user})
assert np.isclose(by_hand[0], by_library.params[1])
assert np.isclose(by_hand[1], by_library.bse[1], rtol=0.005)

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
run.record("aa_ks_users", kstest(p_users, "uniform").pvalue, kind="stochastic", mc_se=0.29)
run.record("aa_ks_rows", kstest(p_rows, "uniform").statistic, naive=kstest(p_users, "uniform").statistic)
run.record("aa_splits", splits)
run.record("aa_power", 0.05 + 2.8 * np.sqrt(0.05 * 0.95 / splits), truth=0.05)
run.record("aa_detectable", 2.8 * by_hand[1])
run.record("aa_ratio", by_hand[1] / aa_test(stars, np.arange(len(stars)), arm)[1], naive=1.0)

# %% [markdown]
# With rows as units {glue:text}`aa_rows:.0%` of the {glue:text}`aa_splits:,d` splits raise an alarm (interval
# {glue:text}`aa_rows_low:.0%` to {glue:text}`aa_rows_high:.0%`). The standard error is too small by a factor of
# {glue:text}`aa_ratio:.1f`, and every launch looks like a success or a disaster. With users as units it is
# {glue:text}`aa_users:.1%` ({glue:text}`aa_users_low:.1%` to {glue:text}`aa_users_high:.1%`), and a
# Kolmogorov-Smirnov test against the uniform gives a p-value of {glue:text}`aa_ks_users:.2f` (its distance from the
# uniform with rows: {glue:text}`aa_ks_rows:.2f`).
#
# *Its power.* This many splits find a false-alarm rate of {glue:text}`aa_power:.1%` instead of five in four of five
# tries. A single A/A split is far weaker: it would notice a fault that moves one arm by
# {glue:text}`aa_detectable:.2f` stars. The unit of the analysis must be the unit that was randomised, or a larger
# one.
#
# ## When it breaks
#
# Both alarms are silent about some faults. Run four pipelines past them, two of them broken after the decision, and
# one in a shop whose recommender reads hidden taste.

# %%
hidden = make_world(confounding="hidden")
hidden_raw = raw_week(hidden, len(raw.pairs), seed=run.seed)
hidden_server = hidden_raw.events.assign(timestamp=hidden_raw.events["received"])
hidden_table = behaviour.causal_table(hidden_raw.candidates, hidden_server, hidden_raw.decision)
hidden_table = hidden_table[~hidden_table["user_id"].isin(behaviour.fast_users(hidden_server, 20))]

retries = server[(server["event"] == "consume") & (server["timestamp"] >= zero)]
counted = table.assign(consumed=rows_of(retries, table))
viewed = table[rows_of(looked_at, table) > 0]
faults = {
    "finished pipeline": table,
    "retries counted": counted,
    "hidden cause": hidden_table,
    "looked at only": viewed,
}


board_splits = run.size(ci=400, full=5_000)


def alarms(part):
    """Error of the estimate; does the placebo fire; how often does an A/A test of users."""
    est, last_week = effect(part), effect(part, outcome="consumed_before")
    p = behaviour.aa_p_values(part["consumed"], part["user_id"], board_splits, run.rng)
    return est.value - ATE, abs(last_week.value / last_week.se), (p < 0.05).mean()


board = pd.DataFrame({name: alarms(part) for name, part in faults.items()}).T
board.columns = ["error of the estimate", "placebo: |z|", "A/A: alarms"]
assert np.isclose(hidden.truth.ate(), ATE)  # the same effect in both shops
board.round(3)

# %% tags=["hide-input"]
for name, key in zip(board.index, ("clean", "retries", "hidden", "viewed"), strict=True):
    run.record(f"fault_{key}", board.loc[name, "error of the estimate"])
    run.record(f"fault_{key}_z", board.loc[name, "placebo: |z|"])
    run.record(f"fault_{key}_aa", board.loc[name, "A/A: alarms"], kind="stochastic",
               mc_se=np.sqrt(0.05 * 0.95 / board_splits))  # fmt: skip
run.record("retry_ratio", len(retries) / retries["event_id"].nunique(), naive=1.0)
retried = effect(counted)
run.record("retries_effect", retried, truth=ATE, naive=clean)
assert not retried.covers(ATE)
fig, axes = plt.subplots(1, 3, figsize=(6.2, 2.8), sharey=True)
limits = (None, 1.96, 0.05)
titles = ("error", "placebo, |z|", "A/A alarms")
for ax, column, limit, title in zip(axes, board.columns, limits, titles, strict=True):
    value = board[column]
    wrong = value.abs() > (
        clean.se * 1.96
        if limit is None
        else limit
        if limit > 1
        else limit + 1.96 * np.sqrt(0.05 * 0.95 / board_splits)
    )
    colors = [plots.COLORS["warn" if bad else "estimate"] for bad in wrong]
    ax.barh(range(len(board))[::-1], value.abs().clip(upper=12 if limit == 1.96 else None), color=colors, height=0.6)
    if limit is not None:
        ax.axvline(limit, color=plots.COLORS["truth"], linestyle="--", linewidth=1.3)
    ax.set(title=title, xlim=(0, 0.13) if limit is not None and limit < 1 else (0, None))
axes[0].set_yticks(range(len(board))[::-1], list(board.index))
plots.show(
    fig,
    alt="Three bar charts for four pipelines: size of the error, placebo statistic, share of A/A alarms. Only the "
    "finished pipeline has a small error. The placebo exceeds its limit for the hidden cause and for pairs that were "
    "looked at, not for counted retries. The A/A test stays at its nominal rate for all.",
    caption="Orange: wrong, or alarmed. Counting retries is wrong and rings no bell; the A/A test hears none of the "
    "three. Each alarm listens for one kind of fault.",
)

# %% [markdown]
# **A fault that both miss.** One purchase in ten from a *shelf* is sent twice. Count the rows, and the effect is
# {glue:text}`retries_effect:.3f` instead of {glue:text}`ate:.3f`, its interval beside the truth. The placebo ($|z|$ =
# {glue:text}`fault_retries_z:.1f`) looks at last week, when there was no shelf to send anything twice. The A/A test
# ({glue:text}`fault_retries_aa:.1%` alarms) splits users, and both halves have retries. What finds it is bookkeeping:
# {glue:text}`retry_ratio:.3f` purchase rows for each purchase id. Reconcile the log with the till, *by arm*.
#
# **A fault that the placebo hears.** In the chapter before, a ranker that read hidden taste fooled balance and
# effective sample size. The error is {glue:text}`fault_hidden:.3f` here. Hidden taste also moved *last* week's
# purchases, so the placebo goes off ($|z|$ = {glue:text}`fault_hidden_z:.1f`). It does so only if what is hidden
# also acted in the earlier week; a new hidden cause would pass.
#
# **What the A/A test is for.** It hears neither confounding nor selection, whatever their size: both arms share them.
# It tests the randomisation and the standard error, and nothing about the table.
#
# | fault | placebo outcome | A/A test | what to do |
# |---|---|---|---|
# | confounding that is older than the decision | hears it | deaf | adjust, randomise |
# | history that is read too late | hears it | deaf | features with time order |
# | rows as units | may ring falsely | hears it | cluster by what was randomised |
# | outcome recorded differently by arm | deaf | deaf | reconcile with the till, by arm |
# | rows chosen by what came later | sometimes | deaf | choose rows before time zero |
#
# ## What this means for a language-model recommender
#
# **Text has a date.** A review written after the display is an outcome; put into the prompt or the embedding as a
# feature it is the `views` column of this chapter. An item's embedding that averages all its reviews is a mean over
# the whole data set. Build it from the reviews that were there at time zero, and store the date with the vector
# {cite:p}`keith2020text,feder2022causal`.
#
# **A prompt is a row of a table.** "The user's history" in a prompt needs the same clock as `views_before`. With
# MovieLens, where most of a user's ratings are stamped within one sitting, leave-one-out prompts hold ratings that
# were made after the one to be predicted.
#
# **The training set is a leak that you can't date.** A model that has read the web has read public rating data,
# plots and prizes of films of the nineties. A time split of *your* file does not split what it knew. Test on items
# and interactions that are newer than the model, or say that you couldn't.
#
# **Ids are labels for a tokenizer, too.** An item's number becomes digits, and digits have order and neighbours. The
# relabelling test carries over: give the items new numbers, run the ranker again, and see what changes. What changes
# was never about the items.
#
# **Cleaning by a model is cleaning.** "Drop low-quality reviews", decided by a model that has read the stars, is a
# rule on the outcome with better grammar.
#
# ## Exercises
#
# ### Exercise 1: purchases, once
#
# Return the number of purchases in the window from `zero` (included) to `zero` plus seven days (not included). The
# log has columns `event_id`, `timestamp` and `event`; a purchase is a `consume`. An event that was sent twice
# happened once, at its earliest time stamp.
#
# <details><summary>Hint</summary>
#
# Does `drop_duplicates()` without an argument find a retry that arrives a second later? And which comes first, the
# window or the id?
#
# </details>


# %% tags=["exercise"]
def purchases_once(events, zero):
    """Return the number of distinct purchases in the seven days after zero."""
    # BEGIN SOLUTION
    buys = events[events["event"] == "consume"].sort_values("timestamp").drop_duplicates("event_id")
    return int(((buys["timestamp"] >= zero) & (buys["timestamp"] < zero + pd.Timedelta(days=7))).sum())
    # END SOLUTION


# %% tags=["check"]
check("concepts/02.1", purchases_once)

# %% [markdown]
# ### Exercise 2: the mean as it was known
#
# For each rating return the mean of the *strictly earlier* ratings of the same item, NaN if there is none. Ratings of
# the same second are not earlier. The rows come in any order; return an array in the order of the rows.
#
# <details><summary>Hint</summary>
#
# Sums and counts per item and second can be accumulated; then go one second back. A plain loop is fine, too.
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
# ### Exercise 4: a planted error
#
# A colleague adds an interest column to the table, "as a covariate". It runs, and the effect of the shelf has
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
check("concepts/02.4", interest)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "Your event log has shelves, clicks and purchases. What is missing for the effect of a shelf?",
    {
        "More events": (False, "More of the same events leave the same pairs out."),
        "The pairs that were neither shown nor bought": (
            True,
            "They are the bulk of the comparison, and leave no event. Log the candidates of each decision.",
        ),
        "The stars": (False, "They are another outcome, seen only where somebody bought and wrote."),
    },
)

# %% tags=["quiz"]
quiz(
    "Which rule for dropping users leaves the effect of the shelf unbiased for the users it keeps?",
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
            "Faults that begin after the decision, such as retries from shelves alone, leave last week untouched.",
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
        "Some confounder of the shelf is missing": (
            False,
            "In the chapter all of them were adjusted for, and over all pairs the difference was zero.",
        ),
        "Ratings exist only after a purchase, to which shelf and hidden taste both lead": (
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
