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
#     data: [womens_reviews, open_bandit_small]
#     max_seconds: 60
# ---

# %% [markdown]
# # Which columns belong in the analysis?
#
# Ines keeps the shop's log. Mara has asked her what a display does to sales, and five colleagues have each sent her a
# column to "control for": the ranker's score, the item's popularity, the user's activity, its price, and whether
# marketing pushed it. Each column can be in or out, which makes {glue:text}`n_sets:d` analyses. They say anything
# from {glue:text}`lowest_100:.1f` to {glue:text}`highest_100:.1f` sales per hundred displays.
#
# No statistic computed from the log says which one to believe. A drawing does: who listens to whom. This chapter
# reads answers off such a drawing, with rules that a machine can follow, and finds out which parts of a drawing the
# data can refute.
#
# **You will be able to**
#
# - draw a recommender as a {term}`causal graph`, and tell a {term}`confounder`, a {term}`mediator` and a
#   {term}`collider` apart;
# - decide by hand and by machine which columns an adjustment needs, and which would spoil it;
# - compute $P(Y \mid \mathrm{do}(X))$ from tables, by the back door and by the front door;
# - test what a graph says about data, and know what no data can tell.
#
# **Before you start:** {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>` for the shop, and
# {doc}`Propensity weighting </chapters/weighting/01_propensity_weighting>` for the estimator that is used here.
#
# **Time:** about 40 minutes to read, 45 for the exercises.
#
# **Data:** the simulated shop on customer reviews; a small discrete simulator that says so; a week of a fashion shop
# with two known policies (Open Bandit, small sample).

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
from itertools import chain, combinations

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from dowhy.causal_identifier import EstimandType, identify_effect_auto
from scipy.stats import binom

from causalrec_lib import course, data, graphs, plots, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.data.world.parameters import Parameters
from causalrec_lib.estimate import difference_in_means

run = course.start(PROFILE, SEED, chapter="dags/01_graphs_and_identification")
world = make_world()
truth = world.truth.ate()  # no real log has this

# %% [markdown]
# ## Thirty-two answers
#
# A row of the log is a pair of a user and an item in one week: was it shown, did the user buy? The naive answer
# compares shown pairs with the others. Each other answer weights by a {term}`propensity score` fitted on some of the
# five columns.


# %%
def named(frame):
    """The log with the names of the graph's nodes."""
    return frame.assign(popularity=frame["log_popularity"], activity=frame["log_activity"])


def answer(frame, columns):
    """Effect of a display, adjusted for some columns."""
    y, t = frame["consumed"].to_numpy(float), frame["exposed"].to_numpy(float)
    if not columns:
        return difference_in_means(y, t)
    return weighting.ipw(y, t, X=frame[list(columns)], refuse="flag")


log = named(world.exposure_log(n_pairs=100_000, seed=run.seed))
offered = ["score", "popularity", "activity", "price", "marketing"]
sets = list(chain.from_iterable(combinations(offered, k) for k in range(6)))
answers = {columns: answer(log, columns) for columns in sets}
naive = answers[()]
pd.Series({", ".join(c) or "no column": a.value for c, a in answers.items()}).sort_values().round(4).iloc[
    [0, 5, 15, 31]
]

# %% tags=["hide-input"]
values = np.array([a.value for a in answers.values()])
run.record("n_sets", len(sets))
run.record("naive", naive, truth=truth)
run.record("ate", truth, naive=naive)
run.record("lowest_100", 100 * values.min(), truth=100 * truth, naive=100 * naive.value)
run.record("highest_100", 100 * values.max(), truth=100 * truth)
run.claim("the naive answer misses the truth", naive.low > truth)

# %% [markdown]
# The naive answer is {glue:text}`naive:.3f` ({glue:text}`naive.low:.3f` to {glue:text}`naive.high:.3f`), and the
# truth of this simulated shop is {glue:text}`ate:.3f`. "The more columns the better" is a common rule, "those that
# predict sales" another. We need neither.
#
# ## The drawing
#
# An arrow means: *listens to*. The display listens to the ranker's score, to popularity, to the user's activity and
# to a coin that marketing throws. The purchase listens to the display and to much else. In this shop the drawing is
# no opinion: each arrow is an argument of a function in {doc}`the simulator </chapters/reference/world>`. In yours it
# is a claim, and the arrows that you leave out are its strongest part.

# %% tags=["hide-input"]
place = {
    **{
        "quality": (0, 4.4),
        "department": (0, 1.9),
        "segment": (0, 0.4),
        "price": (3.0, 5.8),
        "popularity": (1.6, 2.9),
    },
    **{"score": (1.3, 1.9), "activity": (1.3, 0.4), "marketing": (2.75, 4.0), "exposed": (2.75, 2.5)},
    **{"hidden": (3.9, 5.1), "consumed": (3.9, 1.0)},
}
drawn = world.dag().subgraph(place).copy()
nx.set_node_attributes(drawn, place, "pos")
plots.draw_dag(
    drawn,
    alt="Causal graph of the shop. Score, popularity, activity and a marketing coin point to exposed. Exposed, "
    "score, popularity, activity, price and hidden affinity point to consumed. Quality, which is hidden, points to "
    "popularity, price and hidden affinity; department to score, price and quality; segment to score.",
    caption="The shop, without a few outer nodes. Orange: what drives displays. Blue: the effect in question. Dashed "
    "boxes are no column of the log.",
    figsize=(6.4, 5.4),
)

# %% [markdown]
# ## Three shapes, one rule
#
# Information travels along paths, whichever way their arrows point. It passes or stops at each node in between, and
# there are three kinds of node:
#
# | shape | in the shop | without looking at the middle | once the middle is held fixed |
# |---|---|---|---|
# | chain $a \to m \to b$ | marketing → exposed → consumed | passes | stops |
# | fork $a \leftarrow m \to b$ | exposed ← score → consumed | passes | stops |
# | {term}`collider` $a \to m \leftarrow b$ | marketing → exposed ← score | stops | **passes** |
#
# The third line is the one that people forget. A collider, or anything that happens because of it, opens a path when
# it is held fixed, filtered on, or put into a regression. Two sets of nodes are {term}`d-separated <d-separation>` if
# all paths between them are stopped somewhere; then a distribution that fits the graph makes them independent
# {cite:p}`pearl1988probabilistic`. Walk along open paths and see where you get:


# %%
def separated(graph, x, y, given):
    """Is every path between x and y stopped? Walk along open paths, remembering how each node was entered."""
    told = set(given).union(*(nx.ancestors(graph, v) for v in given))  # colliders here let information pass
    ahead, seen = [(x, "from a child")], set()
    while ahead:
        v, entered = ahead.pop()
        if (v, entered) in seen:
            continue
        seen.add((v, entered))
        if v == y:
            return False
        if v not in given:  # chain or fork: on to the children
            ahead += [(child, "from a parent") for child in graph.successors(v)]
        up = v not in given if entered == "from a child" else v in told
        if up:  # chain or fork the other way, or an open collider
            ahead += [(parent, "from a child") for parent in graph.predecessors(v)]
    return True


full = world.dag()
rng = np.random.default_rng(run.seed)
for _ in range(2_000):
    x, y, *given = rng.permutation(full.nodes)[: rng.integers(2, 7)]
    same = {
        separated(full, x, y, given),
        graphs.d_separated(full, x, y, given),
        nx.is_d_separator(full, x, y, {*given}),
    }
    assert len(same) == 1
separated(full, "marketing", "score", []), separated(full, "marketing", "score", ["exposed"])

# %% [markdown]
# By hand, from the course's library and from networkx: the same verdict on two thousand random questions. The two
# printed ones are about the collider. Marketing's coin and the ranker's score know nothing of each other. Among pairs
# that *were shown* they do: if the score was low, the coin is the likelier reason.
#
# Many companies keep what was shown and nothing else. So their log has a collider built in. (To see it well, let
# marketing push twice as hard in this section.)

# %%
loud = named(make_world(parameters=Parameters(kappa=2.0)).exposure_log(n_pairs=100_000, seed=run.seed))
shown = loud[loud["exposed"] == 1]
fifth = pd.qcut(loud["score"], 5, labels=False)
pushed = pd.DataFrame(
    {
        "all pairs": loud.groupby(fifth)["marketing"].mean(),
        "shown pairs": shown.groupby(fifth[shown.index])["marketing"].mean(),
    }
)
pushed.rename_axis("fifth of the score").round(3).T

# %% tags=["hide-input"]
in_all = difference_in_means(loud["consumed"], loud["marketing"])
in_shown = difference_in_means(shown["consumed"], 1 - shown["marketing"])  # not pushed minus pushed
run.record("push_all", in_all)
run.record("push_shown", in_shown, naive=-in_all.value)
run.record("score_marketing_all", loud["score"].corr(loud["marketing"]))
run.record("score_marketing_shown", shown["score"].corr(shown["marketing"]))
run.claim("a push sells among all pairs", in_all.low > 0)
run.claim("among shown pairs it seems to harm", in_shown.low > 0)
noise = 1 / np.sqrt(len(loud))
run.claim("score and coin don't correlate among all pairs", abs(loud["score"].corr(loud["marketing"])) < 3 * noise)
run.claim("but among shown pairs", shown["score"].corr(shown["marketing"]) < -3 / np.sqrt(len(shown)))
run.claim("all pairs: the coin is the same everywhere", np.ptp(pushed["all pairs"]) < 0.03)
run.claim("shown pairs: pushed less where the score is high", pushed["shown pairs"].diff().dropna().lt(0).all())
fig, ax = plt.subplots(figsize=(5.2, 3.2))
for name, color, mark in (("all pairs", "estimate", "o"), ("shown pairs", "warn", "s")):
    ax.plot(range(1, 6), 100 * pushed[name], marker=mark, color=plots.COLORS[color], label=name)
ax.set(
    xlabel="fifth of the ranker's score", ylabel="pushed by marketing, per cent", xticks=range(1, 6), ylim=(0, None)
)
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Share of pairs that marketing pushed, by fifth of the score. Among all pairs a level line; among shown "
    "pairs it falls from the lowest fifth to the highest.",
    caption="Two independent causes of a display. Among all pairs (blue) the coin is the same for every score. Among "
    "shown pairs (orange) a push is the more frequent, the lower the score.",
)

# %% [markdown]
# Score and coin correlate at {glue:text}`score_marketing_all:.3f` among all pairs, which is noise, and at
# {glue:text}`score_marketing_shown:.3f` among those shown, which is not. It costs money. Among all pairs a push
# raises sales by {glue:text}`push_all:.4f` ({glue:text}`push_all.low:.4f` to {glue:text}`push_all.high:.4f`; the coin
# listens to nothing, so this is an effect). In the log of displays pushed pairs sell {glue:text}`push_shown:.3f`
# *less* than the others ({glue:text}`push_shown.low:.3f` to {glue:text}`push_shown.high:.3f`), and somebody will stop
# the campaign. "We only look at impressions" is an adjustment for a {term}`collider`, and for the {term}`mediator`
# that carries the effect {cite:p}`elwert2014endogenous,cinelli2024crash`.
#
# ## The back door
#
# Paths from display to purchase are of two kinds. *Causal* ones have all arrows pointing ahead: here the single
# arrow. *Back-door* paths enter the display. We want the first kind open and all of the second kind stopped:

# %%
open_now = graphs.paths(full, "exposed", "consumed")
adjusted = graphs.paths(full, "exposed", "consumed", ["score", "popularity", "activity"])
print(f"{len(open_now)} paths, {open_now['open'].sum()} open; given the three, {adjusted['open'].sum()} open")
adjusted[["path", "kind", "blocked by"]].iloc[[0, 1, 4, 7]]

# %% [markdown]
# A set of columns that does this and holds nothing that the display causes satisfies the {term}`backdoor criterion`.
# Then the effect is found by adjustment, with $z$ running over the columns' values:
#
# $$P(y \mid \mathrm{do}(t)) = \sum_z P(y \mid t, z)\, P(z).$$
#
# The sum weights by $P(z)$, how common a kind of pair *is*, and not by $P(z \mid t)$, how common it is among the
# shown: that would be $P(y \mid t)$ again. A slightly wider rule is complete: columns it refuses will fail in some
# shop with this graph {cite:p}`shpitser2010validity`. Let it judge all thirty-two sets, and let a library that was
# written by others find the smallest one {cite:p}`sharma2020dowhy`:

# %%
verdict = {columns: graphs.is_adjustment_set(full, "exposed", "consumed", columns) for columns in sets}
smallest = graphs.adjustment_sets(full, "exposed", "consumed")
found = identify_effect_auto(full, ["exposed"], ["consumed"], [v for v in full if full.nodes[v]["observed"]],
                             EstimandType.NONPARAMETRIC_ATE)  # fmt: skip
assert smallest == (frozenset(found.get_backdoor_variables()),)
print("adjust for", *sorted(smallest[0]), "| instrument, says dowhy:", *found.instrumental_variables)

# %% tags=["hide-input"]
z_off = {c: (a.value - truth) / a.se for c, a in answers.items()}
right = [c for c in sets if verdict[c]]
wrong = [c for c in sets if not verdict[c]]
run.record("n_right", len(right))
run.record("worst_right", max(abs(z_off[c]) for c in right))
run.record("best_wrong", min(abs(z_off[c]) for c in wrong), naive=z_off[()])
three = ("score", "popularity", "activity")
run.record("adjusted", answers[three], truth=truth, naive=naive)
with_coin_ratio = answers[(*three, "marketing")].se / answers[three].se
run.record("with_coin_ratio", with_coin_ratio)
run.record("open_paths", int(open_now["open"].sum()))
run.record("all_paths", len(open_now))
run.claim("all sets that the graph accepts hold the truth", all(answers[c].covers(truth) for c in right))
run.claim("all that it refuses miss it", min(abs(z_off[c]) for c in wrong) > 2.5)
run.claim("one causal path stays open", adjusted["open"].sum() == 1 and adjusted["kind"].iloc[0] == "causal")
run.claim("the coin widens the interval", with_coin_ratio > 1.05, ratio=with_coin_ratio)
order = sorted(sets, key=lambda c: -answers[c].value)
fig, ax = plt.subplots(figsize=(6.0, 6.6))
short = {"score": "S", "popularity": "P", "activity": "A", "price": "€", "marketing": "M"}
for row, columns in enumerate(order):
    est, good = answers[columns], verdict[columns]
    color = plots.COLORS["estimate" if good else "warn"]
    ax.plot([est.low, est.high], [row, row], color=color, linewidth=2.6)
    ax.plot(est.value, row, "o" if good else "X", color=color, markersize=6)
ax.plot([], [], "o-", color=plots.COLORS["estimate"], label="the graph accepts it")
ax.plot([], [], "X-", color=plots.COLORS["warn"], label="the graph refuses it")
plots.truth_line(ax, truth)
ax.set_yticks(range(len(order)), [" ".join(short[c] for c in columns) or "(none)" for columns in order], fontsize=8.5)
ax.set(xlabel="estimated effect of a display", ylim=(-0.8, len(order) - 0.2))
fig.legend(loc="outside lower center", ncols=3)
plots.show(
    fig,
    alt="Thirty-two estimates with intervals, sorted. Only the sets with score, popularity and activity, marked blue "
    "by the graph, reach the dashed truth; all others, orange crosses, lie to the right of it.",
    caption="Every choice of columns: S score, P popularity, A activity, € price, M marketing. The graph accepted "
    "the blue ones before a single purchase was looked at. They hold the truth; no other one does.",
)

# %% [markdown]
# Of {glue:text}`all_paths:d` paths between display and purchase {glue:text}`open_paths:d` are open, and three columns
# stop all but the effect. The graph accepts {glue:text}`n_right:d` of the {glue:text}`n_sets:d` sets. These are off
# by at most {glue:text}`worst_right:.1f` standard errors; the best of the others by {glue:text}`best_wrong:.1f`.
# Adjusted, a display adds {glue:text}`adjusted:.3f` ({glue:text}`adjusted.low:.3f` to
# {glue:text}`adjusted.high:.3f`). Price does nothing either way. Marketing's coin is allowed and useless: it moves
# displays only, and multiplies the standard error by {glue:text}`with_coin_ratio:.2f`. So "more columns" is no rule.
# One log can be luck; over many weeks:


# %%
def week(seed):
    """Three analyses of one week."""
    frame = named(world.exposure_log(n_pairs=5_000, seed=seed))
    chosen = {"naive": (), "two of three": ("score", "popularity"), "all three": ("score", "popularity", "activity")}
    return {name: answer(frame, columns) for name, columns in chosen.items()}


n_weeks = run.size(ci=150, full=1_000)
weeks = simulation.summary(simulation.repeat(week, run.progress(run.seeds(n_weeks, "weeks"), "weeks"), truth))
weeks[["bias", "bias_mc_se", "sd", "mean_se", "coverage", "coverage_mc_se"]].round(4)

# %% tags=["hide-input"]
run.record("weeks", n_weeks)
for key, name in (("naive", "naive"), ("two", "two of three"), ("three", "all three")):
    part = weeks.loc[name]
    held = {"naive": weeks.loc["naive", "bias"]} if key == "three" else {}
    run.record(f"bias_{key}", part["bias"], truth=0.0, kind="stochastic", mc_se=part["bias_mc_se"], **held)
    run.record(
        f"coverage_{key}", part["coverage"], kind="stochastic", mc_se=max(part["coverage_mc_se"], 0.5 / n_weeks)
    )
band = binom.ppf([0.005, 0.995], n_weeks, 0.95) / n_weeks
run.claim("all three: no bias", abs(weeks.loc["all three", "bias"]) < 2.6 * weeks.loc["all three", "bias_mc_se"])
run.claim("all three: coverage as it says", band[0] <= weeks.loc["all three", "coverage"] <= band[1])
run.claim("two of three: bias", weeks.loc["two of three", "bias"] > 4 * weeks.loc["two of three", "bias_mc_se"])

# %% [markdown]
# Over {glue:text}`weeks:d` weeks of five thousand pairs the three columns are off by {glue:text}`bias_three:.4f` on
# average, and their intervals hold the truth in {glue:text}`coverage_three:.0%` of the weeks. Without activity the
# mean error is {glue:text}`bias_two:.3f` ({glue:text}`coverage_two:.0%`), without any column
# {glue:text}`bias_naive:.3f` ({glue:text}`coverage_naive:.0%`).
#
# ## The front door
#
# An often-copied outline explains causal graphs with $X \to X' \to Y$ and $X' \to Z$. Taken seriously, that graph
# says three things: nothing confounds $X$ and $Y$; the whole effect goes through $X'$; and $Z$ shares nothing with
# $Y$ except $X'$. Let $X$ be a recommendation, $X'$ "the page was opened", $Y$ a purchase, $Z$ a reminder that the
# shop mails to whoever opened the page. A recommender that knows taste breaks the first claim. Add the hidden cause,
# and the graph is still good for something. (This is a small simulator of its own, with chances that we chose.)

# %%
story = nx.DiGraph([("taste", "recommended"), ("taste", "bought"), ("recommended", "opened"), ("opened", "bought"),
                    ("opened", "reminded")])  # fmt: skip
yes = {  # chance of a 1, for each combination of the parents' values, parents in alphabetical order
    "taste": 0.4,
    "recommended": [0.2, 0.7],
    "opened": [0.25, 0.75],
    "bought": [[0.05, 0.20], [0.25, 0.55]],  # opened, then taste
    "reminded": [0.1, 0.6],
}
tables = {v: np.stack([1 - np.asarray(p), np.asarray(p)], axis=-1) for v, p in yes.items()}
net = graphs.BayesianNetwork(story, tables, {v: [0, 1] for v in story})

seeing = [net.query("bought", {"recommended": x})[1] for x in (0, 1)]
doing = [net.do({"recommended": x}).query("bought")[1] for x in (0, 1)]
pd.DataFrame(
    {"P(bought | recommended = x)": seeing, "P(bought | do(recommended = x))": doing}, index=["x = 0", "x = 1"]
)

# %% tags=["hide-input"]
see, do = seeing[1] - seeing[0], doing[1] - doing[0]
run.record("seeing", see, truth=do)
run.record("doing", do, naive=see)
for v, at, look in (
    ("taste", (1.7, 1.3), {"label": "taste", "observed": False}), ("recommended", (0, 0), {"role": "treatment"}),
    ("opened", (1.7, 0), {"label": "page opened"}), ("bought", (3.4, 0), {"role": "outcome"}),
    ("reminded", (3.4, -1.1), {"label": "reminder"}),
):  # fmt: skip
    story.nodes[v].update(look, pos=at)
for a, b in story.edges:
    story.edges[a, b]["kind"] = "bias" if a == "taste" else "cause" if b == "reminded" else "effect"
plots.draw_dag(
    story,
    alt="Recommended points to page opened, page opened points to bought and to reminder. Hidden taste points to "
    "recommended and to bought.",
    caption="The front door. Taste is hidden and confounds (orange). But the effect (blue) passes through a page "
    "view that taste doesn't touch.",
    figsize=(6.0, 2.9),
)

# %% [markdown]
# *Seeing* a recommendation go with purchases gives a difference of {glue:text}`seeing:.3f`. *Making* recommendations
# gives {glue:text}`doing:.3f`. Both numbers are exact. They were computed by enumeration from the same tables; the
# {term}`do-operator` only cuts the arrows into its variable, so that nobody listens to taste any more. A
# {term}`Bayesian network` is just that: a graph, and one table a node.
#
# In a log, taste is hidden, and no set of columns is left for the back door. But two shorter effects can be found,
# and the whole one is made of them {cite:p}`pearl1995causal`. From $x$ to $m$ nothing confounds. From $m$ to $y$ the
# path through taste is stopped by $x$. So:
#
# $$P(y \mid \mathrm{do}(x)) = \sum_m P(m \mid x) \sum_{x'} P(y \mid m, x')\, P(x').$$


# %%
def through_the_front_door(frame):
    """Effect of a recommendation on purchases, from the observed columns alone."""
    p_x = frame["recommended"].value_counts(normalize=True)
    p_m = pd.crosstab(frame["recommended"], frame["opened"], normalize="index")  # rows x, columns m
    y_mx = frame.pivot_table(index="opened", columns="recommended", values="bought", aggfunc="mean")
    if_opened = (y_mx * p_x).sum(axis=1)  # for each m: sum over x' of P(y | m, x') P(x')
    return (p_m.loc[1] - p_m.loc[0]) @ if_opened


seen = net.sample(run.size(ci=20_000, full=200_000), np.random.default_rng(run.seed)).drop(columns="taste")
by_hand = through_the_front_door(seen)
front = graphs.front_door(seen["bought"], seen["recommended"], seen["opened"], unit="purchases per recommendation")
naive_front = difference_in_means(seen["bought"], seen["recommended"])
assert np.isclose(by_hand, front.value)
columns = list(seen)
dowhy_says = identify_effect_auto(story, ["recommended"], ["bought"], columns, EstimandType.NONPARAMETRIC_ATE)
assert graphs.adjustment_sets(story, "recommended", "bought", columns) == ()  # no back door ...
assert graphs.is_front_door(story, "recommended", "bought", "opened")  # ... but a front door
theirs = dowhy_says.get_frontdoor_variables()  # takes the reminder along
assert "opened" in theirs and graphs.is_front_door(story, "recommended", "bought", theirs)
front

# %% tags=["hide-input"]
short_story = nx.DiGraph([*story.edges, ("recommended", "bought")])
also = np.array([[[0.05, 0.20], [0.13, 0.28]], [[0.25, 0.55], [0.33, 0.63]]])  # opened, recommended, taste
direct = tables | {"bought": np.stack([1 - also, also], axis=-1)}
leaky = graphs.BayesianNetwork(short_story, direct, net.states)
leak = [leaky.do({"recommended": x}).query("bought")[1] for x in (0, 1)]
open_chance = np.array([[0.15, 0.40], [0.65, 0.90]])  # recommended, taste: taste opens pages
curious_tables = tables | {"opened": np.stack([1 - open_chance, open_chance], axis=-1)}
curious = graphs.BayesianNetwork(nx.DiGraph([*story.edges, ("taste", "opened")]), curious_tables, net.states)
wish = [curious.do({"recommended": x}).query("bought")[1] for x in (0, 1)]
rows = []
for seed in run.progress(run.seeds(run.size(ci=120, full=1_000), "front door"), "front door"):
    for name, model, right_answer in (("front door", net, do), ("with a direct arrow", leaky, leak[1] - leak[0]),
                                      ("taste opens pages", curious, wish[1] - wish[0])):  # fmt: skip
        week_of = model.sample(4_000, np.random.default_rng(seed))
        est = graphs.front_door(week_of["bought"], week_of["recommended"], week_of["opened"])
        rows.append((name, est.value - right_answer, est.covers(right_answer)))
door = pd.DataFrame(rows, columns=["design", "error", "covers"]).groupby("design", sort=False)
door = door.agg(bias=("error", "mean"), sd=("error", "std"), coverage=("covers", "mean"), n=("error", "size"))
for key, name in (("front", "front door"), ("leaky", "with a direct arrow"), ("curious", "taste opens pages")):
    part, cover = door.loc[name], door.loc[name, "coverage"]
    noise = max(np.sqrt(cover * (1 - cover) / part["n"]), 0.5 / part["n"])
    run.record(f"{key}_bias", part["bias"], truth=0.0, kind="stochastic", mc_se=part["sd"] / np.sqrt(part["n"]))
    run.record(f"{key}_coverage", cover, kind="stochastic", mc_se=noise)
run.record("front", front, truth=do, naive=naive_front)
run.record("leak_truth", leak[1] - leak[0])
run.record("wish_truth", wish[1] - wish[0])
run.record("front_draws", door["n"].iloc[0])
band = binom.ppf([0.005, 0.995], door["n"].iloc[0], 0.95) / door["n"].iloc[0]
run.claim("the naive interval misses", naive_front.low > do)
run.claim("the front door is near the truth", abs(front.value - do) < 3.5 * front.se)
run.claim("its intervals cover", band[0] <= door.loc["front door", "coverage"] <= band[1])
run.claim("with either arrow more it misses by far", door["coverage"].iloc[1:].max() < 0.5)

# %% [markdown]
# By hand and from the library: {glue:text}`front:.3f` ({glue:text}`front.low:.3f` to {glue:text}`front.high:.3f`),
# where the truth is {glue:text}`front.truth:.3f` and the naive difference {glue:text}`front.naive:.3f`. dowhy finds
# the same door, and takes the reminder along, which does no harm. Over {glue:text}`front_draws:d` logs of four
# thousand rows the mean error is {glue:text}`front_bias:.4f`, and {glue:text}`front_coverage:.0%` of the intervals
# hold the truth. Note what the source's graph got right: if $X'$ carries everything, and taste doesn't touch $X'$,
# one can do without knowing taste. Both are strong claims, and in a shop the second fails first: people open the
# pages of what they like. Below we break both.
#
# ## What the data can refute
#
# If all nodes are columns, each arrow that a graph leaves out says that two columns are independent, perhaps once
# others are known. These statements can be tested. With hidden nodes only some missing arrows leave such a trace. The
# source's own graph says that a recommendation tells nothing about a purchase once we know whether the page was
# opened:

# %%
claimed = nx.DiGraph([("recommended", "opened"), ("opened", "bought"), ("opened", "reminded")])
graphs.check_independences(graphs.implied_independences(claimed), seen).round(4)

# %% tags=["hide-input"]
judged = graphs.check_independences(graphs.implied_independences(claimed), seen).set_index("claim")
mended = graphs.check_independences(graphs.implied_independences(story, columns), seen)
run.claim("the source's graph is refuted", judged.loc["recommended ⊥ bought | opened", "refuted"])
run.claim("its other claims are not", judged["refuted"].sum() == 1)
run.claim("the graph with taste is not", not mended["refuted"].any())

# %% [markdown]
# Refuted: $X$ still tells about $Y$. (The other two claims survive, and so do all claims of the graph with hidden
# taste.) The test takes out of both columns what the given ones explain, and asks whether what is left moves together
# {cite:p}`shah2020hardness`. To refute a *drawing*, $p$-values are corrected for their number by Holm's method. Now
# the shop. Its graph makes {glue:text}`n_claims:d` claims about nine columns. Test all of them in many weeks: of the
# shop as drawn, and of one in which the ranker secretly reads hidden taste and quality (`confounding="hidden"`), so
# that the same drawing is wrong. The picture shows each claim alone, at five per cent and uncorrected.

# %%
nine = ["activity", "popularity", "price", "marketing", "score", "exposed", "consumed", "department", "segment"]
claims = graphs.implied_independences(full, nine)
secret = make_world(confounding="hidden")


def p_values(shop, seed):
    """One p-value a claim, for one week."""
    frame = named(shop.exposure_log(n_pairs=5_000, seed=seed))
    return graphs.check_independences(claims, frame[nine], clusters=frame["user"]).set_index("claim")["p"]


n_tests = run.size(ci=40, full=400)
tested = {
    name: pd.DataFrame([p_values(shop, seed) for seed in run.progress(run.seeds(n_tests, "tests"), name)])
    for name, shop in (("as drawn", world), ("a hidden cause", secret))
}
rejected = pd.DataFrame({name: (p < 0.05).mean() for name, p in tested.items()})

# %% tags=["hide-input"]
run.record("n_claims", len(claims))
run.record("n_tests", n_tests)
smallest_p = {name: p.min(axis=1) for name, p in tested.items()}  # Holm refutes a drawing if this is small enough
refuted = {"any_drawn": (smallest_p["as drawn"] < 0.05).mean()}
refuted |= {f"holm_{name.split()[-1]}": (p < 0.05 / len(claims)).mean() for name, p in smallest_p.items()}
for key, share_of_weeks in refuted.items():
    run.record(key, share_of_weeks, kind="stochastic", mc_se=0.5 / np.sqrt(n_tests))
run.claim("some claim of the right drawing falls in many weeks, uncorrected", refuted["any_drawn"] > 0.35, **refuted)
run.claim("with Holm seldom", binom.sf(round(refuted["holm_drawn"] * n_tests) - 1, n_tests, 0.05) > 1e-3, **refuted)
run.claim("the wrong drawing falls in most weeks with Holm", refuted["holm_cause"] > 0.7, **refuted)
rate = rejected.mean()
mc_rate = (tested["as drawn"] < 0.05).mean(axis=1).std() / np.sqrt(n_tests)
run.record("rate_drawn", rate["as drawn"], truth=0.05, naive=rate["a hidden cause"], kind="stochastic", mc_se=mc_rate)
caught = rejected["a hidden cause"].sort_values(ascending=False)
run.record("caught_most", caught.iloc[0], kind="stochastic", mc_se=0.5 / np.sqrt(n_tests))
run.record("caught_next", caught.iloc[1], kind="stochastic", mc_se=0.5 / np.sqrt(n_tests))
run.claim("the right drawing is refused about as often as it should be", rate["as drawn"] < 0.05 + 3 * mc_rate + 0.02)
run.claim("the claim on price and display is refuted", caught.index[0] == "price ⊥ exposed | popularity, score")
run.claim("in nearly all weeks", caught.iloc[0] > 0.9)
run.claim("department comes second", caught.index[1].startswith("department ⊥ exposed") and caught.iloc[1] > 0.35)
run.claim("all other claims notice nothing", caught.iloc[2:].max() < 0.25)
fig, ax = plt.subplots(figsize=(6.0, 4.8))
spots = rejected.sort_values("a hidden cause")
letters = {"activity": "A", "popularity": "P", "score": "S", "exposed": "T"}
names = [c.split(" | ") for c in spots.index]
for name, color, mark, size in (("as drawn", "estimate", "o", 9), ("a hidden cause", "warn", "X", 6)):
    ax.plot(100 * spots[name], range(len(spots)), mark, color=plots.COLORS[color], markersize=size,
            label=f"the shop: {name}")  # fmt: skip
ax.axvline(5, color=plots.COLORS["ink"], linestyle=":", linewidth=1.2, label="five per cent")
known = ["".join(" " + letters[w] for w in parts[1].replace(",", "").split()) if parts[1:] else "" for parts in names]
ax.set_yticks(
    range(len(spots)), [a[0] + (f" |{k}" if k else "") for a, k in zip(names, known, strict=True)], fontsize=8.5
)
ax.set(xlabel="weeks in which the claim alone is refuted, per cent", xlim=(-3, 103))
fig.legend(loc="outside lower center", ncols=2)
plots.show(
    fig,
    alt="Share of weeks in which each independence claim is refuted. For the shop as drawn all dots lie near five "
    "per cent. For the shop with a hidden cause most lie there too, but the claim on price and display is refuted "
    "in nearly all weeks, that on department and display in more than a third.",
    caption="What a drawing says, each line alone, at five per cent, uncorrected. Blue: the right drawing is refused "
    "about as often as chance wants. Orange: with a hidden cause, most claims notice nothing; price and department "
    "give it away. Given: A activity, P popularity, S score, T the display.",
)

# %% [markdown]
# Uncorrected, a claim of the right drawing is refuted at a rate of {glue:text}`rate_drawn:.1%`, where chance wants
# five, and *some* claim in {glue:text}`any_drawn:.0%` of {glue:text}`n_tests:d` weeks. With Holm's correction, that
# of the table above, the right drawing is refuted in {glue:text}`holm_drawn:.0%` of weeks and the wrong one in
# {glue:text}`holm_cause:.0%`. Two lines of the list, uncorrected, catch it: once popularity and score are known,
# price should tell nothing about a display, and it does in {glue:text}`caught_most:.0%` of the weeks; the department
# does in {glue:text}`caught_next:.0%`. Hidden quality moves prices and, through the ranker, displays; and departments
# differ in quality. Columns that no adjustment needs are the witnesses.
#
# ### On real logs
#
# A fashion shop published a week under two policies: items drawn at random, and Thompson sampling, which learns as it
# goes {cite:p}`saito2021open`. "Nothing moves the choice of the item" is the graph of the first. Is it that of the
# second, too?

# %%
bandit = data.load("open_bandit_small")
bandit = bandit[bandit["campaign"] == "all"]
bandit = bandit.assign(
    item=bandit["item_id"].astype(str),
    day=bandit["timestamp"].dt.day_name(),
    place=bandit["position"].astype(str),
    user=bandit["user_feature_0"].astype(str),
)
rows = []
for policy, part in bandit.groupby("policy", observed=True):
    for other in ("day", "place", "user"):
        common = part[other].map(part[other].value_counts()) > 500
        often = part["item"].map(part["item"].value_counts()) > 60
        found = graphs.independence_test(part[common].assign(item=part["item"].where(often, "rare")), "item", other)
        rows.append((policy, f"item ⊥ {other}", found.statistic, found.df, found.p))
bandit_tests = pd.DataFrame(rows, columns=["policy", "claim", "statistic", "df", "p"])
bandit_tests.round(4)

# %% tags=["hide-input"]
by_policy = bandit_tests.groupby("policy")["p"].min()
ratio = bandit_tests.assign(ratio=bandit_tests["statistic"] / bandit_tests["df"]).set_index(["policy", "claim"])[
    "ratio"
]
run.record("bandit_random_p", by_policy["random"])
run.record("bandit_bts_day", ratio["bts", "item ⊥ day"], naive=ratio["random", "item ⊥ day"])
p_of = bandit_tests.set_index(["policy", "claim"])["p"]
run.record("bandit_bts_user", p_of["bts", "item ⊥ user"])
run.claim("the lottery is not refuted", by_policy["random"] > 0.05 / 3)
run.claim("the learner is, by day and place", p_of[[("bts", "item ⊥ day"), ("bts", "item ⊥ place")]].max() < 1e-6)
run.claim("not by user", p_of["bts", "item ⊥ user"] > 0.05)
run.claim("chance is about one", ratio["random"].between(0.8, 1.25).all())

# %% [markdown]
# For the random policy the smallest of three $p$-values is {glue:text}`bandit_random_p:.2f`: nothing speaks against
# the lottery. For the learner (`bts`, Bernoulli Thompson sampling) the item depends on the day; the statistic is
# {glue:text}`bandit_bts_day:.1f` times its degrees of freedom, and about one would be chance. It depends on the place
# on the screen, too. For the one user column that we tested, nothing speaks against independence ($p$ =
# {glue:text}`bandit_bts_user:.2f`). So whoever compares items in its log compares days as well.
#
# ## Seeing and doing on the shop's log
#
# The tables of a Bayesian network can be fitted: they are shares of rows. Cut the three causes into bins, fit the
# network, and ask it both questions. The second answer is the adjustment formula, done by enumeration.

# %%
causes = ["score", "popularity", "activity"]
simple = nx.DiGraph([(c, v) for c in causes for v in ("exposed", "consumed")] + [("exposed", "consumed")])


def fitted(bins):
    """A network on the log with each cause cut into so many bins."""
    cut = {c: pd.qcut(log[c].rank(method="first"), bins, labels=False) for c in causes}
    return graphs.BayesianNetwork.fit(simple, log[["exposed", "consumed"]].assign(**cut), smoothing=0.1)


rows = {}
for bins in (1, 2, 4, 8):
    model = fitted(bins)
    see_it = [model.query("consumed", {"exposed": t})[1] for t in (0, 1)]
    do_it = [model.do({"exposed": t}).query("consumed")[1] for t in (0, 1)]
    rows[bins] = (see_it[1] - see_it[0], do_it[1] - do_it[0])
asked = pd.DataFrame(rows, index=["seeing", "doing"]).T.rename_axis("bins")
asked.round(4)

# %% tags=["hide-input"]
for bins, part in asked.iterrows():
    run.record(f"network_{bins}", part["doing"], truth=truth, **({} if bins == 1 else {"naive": naive}))
run.claim("seeing is the naive answer, whatever the bins", np.allclose(asked["seeing"], naive.value, atol=0.002))
run.claim("finer bins come closer", asked["doing"].sub(truth).abs().is_monotonic_decreasing)

# %% [markdown]
# Seeing stays at the naive answer, whatever the bins. Doing goes from {glue:text}`network_1:.3f` with one bin
# (nothing adjusted) over {glue:text}`network_2:.3f` and {glue:text}`network_4:.3f` to {glue:text}`network_8:.3f` with
# eight; the truth is {glue:text}`ate:.3f`. Inside a bin the causes still vary, so coarse tables leave part of the
# confounding in, and finer ones run out of rows. Weights with a fitted propensity did the same work without bins; but
# then this simulator's chance of a display *is* logistic in these columns.
#
# ## When it breaks
#
# **One more arrow closes the front door.** Let a recommendation also sell without a page view: the user remembers the
# item and buys it elsewhere in the shop. Now the mediator doesn't carry everything. The effect is
# {glue:text}`leak_truth:.3f`, the front door is off by {glue:text}`leaky_bias:.3f`, and
# {glue:text}`leaky_coverage:.0%` of its intervals hold the truth. Or let taste open pages: then the effect is
# {glue:text}`wish_truth:.3f`, the front door is off by {glue:text}`curious_bias:.3f`, and
# {glue:text}`curious_coverage:.0%` of the intervals hold it. *Instead:* find out whether treatment and outcome have a
# path that you don't log, and who opens a page. With taste hidden, the data can't say.
#
# **The witness is missing.** Take price and department out of the log with the secret ranker:

# %%
witnesses = ["activity", "popularity", "marketing", "score", "exposed", "consumed", "segment"]
few_claims = [c for c in claims if {c.a, c.b, *c.given} <= set(witnesses)]
blind = named(secret.exposure_log(n_pairs=20_000, seed=run.seed))
survives = graphs.check_independences(few_claims, blind[witnesses], clusters=blind["user"])
fooled = answer(blind, causes)
print(f"{len(few_claims)} claims tested, {survives['refuted'].sum()} refuted; the estimate: {fooled.value:.3f}")

# %% tags=["hide-input"]
run.record("fooled", fooled, truth=secret.truth.ate(), naive=answer(blind, ()))
run.record("few_claims", len(few_claims))
run.record("few_refuted", int(survives["refuted"].sum()))
run.claim(
    "none is refuted, and the estimate is wrong", not survives["refuted"].any() and fooled.low > secret.truth.ate()
)

# %% [markdown]
# Of {glue:text}`few_claims:d` claims {glue:text}`few_refuted:d` are refuted, and the estimate is
# {glue:text}`fooled:.3f` ({glue:text}`fooled.low:.3f` to {glue:text}`fooled.high:.3f`) where the truth is
# {glue:text}`fooled.truth:.3f`. A graph that passes all its tests need not be a right one. Some wrong graphs can't be
# refuted at all: turn an arrow round between two columns that have the same other parents, and the graph makes the
# same claims as before ({term}`Markov equivalence`). *Instead:* use time order, logged propensities, and a
# sensitivity analysis.
#
# **A graph without omissions.** Draw all arrows, and nothing can be tested. Add a hidden cause of display and
# purchase, and nothing is identified either. What you leave out is the knowledge.
#
# ## What this means for a language-model recommender
#
# The rules don't change, the nodes do. Prompt, retrieved passages, candidate order and sampled text are nodes between
# a user's history and a display. Three readings of the rules matter most:
#
# - **The prompt is a parent of the display.** Whatever goes into it and also moves purchases (the last review read,
#   the season) is a confounder, and it *is* known: log the prompt.
# - **The explanation is a descendant.** "Because you liked ..." is written after the choice. Adjusting for it, or
#   keeping only sessions in which it was read, conditions on a consequence.
# - **A model that proposes the graph** proposes claims. Test what can be tested, and take nothing as evidence that a
#   model has read in a text; the chapter on discovery measures what such proposals add.
#
# ## Exercises
#
# ### Exercise 1: does the path pass?
#
# Each path $a - m - b$ has one node between its ends. You get four arrays with one entry a path: the two arrows as
# text, `"a>m"` or `"m>a"`, and `"b>m"` or `"m>b"`; whether $m$ is held fixed; and whether some descendant of $m$ is.
# Return an array that says which paths are open.
#
# <details><summary>Hint</summary>
#
# Two arrows meet at a collider. For the other two shapes, what does a descendant do?
#
# </details>


# %% tags=["exercise"]
def open_paths(left, right, m_given, descendant_given):
    """Return True for each path on which information passes."""
    # BEGIN SOLUTION
    collider = (left == "a>m") & (right == "b>m")
    return np.where(collider, m_given | descendant_given, ~m_given)
    # END SOLUTION


# %% tags=["check"]
check("dags/01.1", open_paths)

# %% [markdown]
# ### Exercise 2: doing from tables
#
# You get three arrays: `p_z[z]`, `p_t[z]` (chance of treatment) and `p_y[t, z]` (chance of a purchase). All common
# causes of treatment and purchase are in $z$. Return $P(y \mid \mathrm{do}(t = 1)) - P(y \mid \mathrm{do}(t = 0))$.
#
# <details><summary>Hint</summary>
#
# How common is each $z$ when everybody is treated?
#
# </details>


# %% tags=["exercise"]
def effect_from_tables(p_z, p_t, p_y):
    """Return the difference between doing and not doing."""
    # BEGIN SOLUTION
    return (p_y[1] - p_y[0]) @ p_z
    # END SOLUTION


# %% tags=["check"]
check("dags/01.2", effect_from_tables)

# %% [markdown]
# ### Exercise 3: choose the columns
#
# You get a graph (`networkx.DiGraph`), a treatment, an outcome, and a list of candidates, each a tuple of columns.
# Say for each whether it satisfies the back-door criterion, as a list of True and False. You may use `nx.descendants`
# and `nx.is_d_separator(graph, {x}, {y}, set_of_nodes)`.
#
# <details><summary>Hint</summary>
#
# Two conditions. For the second one, cut the arrows *out of* the treatment: what is left between treatment and
# outcome are the back doors.
#
# </details>


# %% tags=["exercise"]
def back_door(graph, treatment, outcome, candidates):
    """Return, for each candidate, whether it satisfies the back-door criterion."""
    # BEGIN SOLUTION
    after, cut = nx.descendants(graph, treatment), graph.copy()
    cut.remove_edges_from(list(graph.out_edges(treatment)))
    return [not after & set(c) and nx.is_d_separator(cut, {treatment}, {outcome}, set(c)) for c in candidates]
    # END SOLUTION


# %% tags=["check"]
check("dags/01.3", back_door)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague adjusts for a column `z` by averaging within its values. The result is the naive difference of the same
# rows, to the last digit:
#
# ```python
# def adjusted(y, t, z):
#     means = []
#     for arm in (0, 1):
#         in_arm = t == arm
#         shares = np.array([(z[in_arm] == k).mean() for k in np.unique(z)])
#         by_z = np.array([y[in_arm & (z == k)].mean() for k in np.unique(z)])
#         means.append(by_z @ shares)
#     return means[1] - means[0]
# ```
#
# Find the error and mend it. Each value of `z` occurs in both arms.
#
# <details><summary>Hint</summary>
#
# Multiply it out: what is the sum over $z$ of $E[y \mid t, z]\, P(z \mid t)$?
#
# </details>


# %% tags=["exercise"]
def adjusted_difference(y, t, z):
    """Return the effect, adjusted for z."""
    # BEGIN SOLUTION
    kinds = np.unique(z)
    shares = np.array([(z == k).mean() for k in kinds])
    gaps = np.array([y[(t == 1) & (z == k)].mean() - y[(t == 0) & (z == k)].mean() for k in kinds])
    return gaps @ shares
    # END SOLUTION


# %% tags=["check"]
check("dags/01.4", adjusted_difference)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "A log keeps impressions only. You study whether marketing's push raises sales. What is the log conditioned on?",
    {
        "On a confounder of push and sales": (False, "Nothing points at the push: it is a coin."),
        "On a collider of push and score, which is also the mediator": (
            True,
            "The display listens to both, and the push works through it. Keeping displays only opens one path and "
            "cuts the other.",
        ),
        "On nothing; a filter is not a regression": (
            False,
            "Keeping rows with one value of a column holds that column fixed, like any adjustment.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "Why may price be left out when it moves purchases?",
    {
        "Because it is measured with error": (False, "It isn't, and that would be another question."),
        "Because all its paths to the display are stopped by columns that are in": (
            True,
            "Its causes reach the display through score and popularity only, and both are held fixed.",
        ),
        "Because only columns that predict the display matter": (
            False,
            "Marketing predicts the display and isn't needed either.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "All independences that a graph implies survive a test on a million rows. What follows?",
    {
        "The graph is right": (False, "Other graphs, with hidden causes or turned arrows, make the same claims."),
        "Those claims are not refuted; what no column witnesses stays open": (
            True,
            "A hidden cause without a witness changes no testable claim, and the estimate all the same.",
        ),
        "Nothing, tests of independence have no power": (
            False,
            "They caught the secret ranker in nearly every week, through price.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "What does the do-operator change in a Bayesian network?",
    {
        "The table of its variable: the arrows into it are cut": (
            True,
            "Everything else stays. That is why a fitted network can answer both questions.",
        ),
        "The rows: those with another value are dropped": (False, "That is seeing: P(y | x)."),
        "All tables, which have to be fitted again": (
            False,
            "The mechanisms of the other nodes are assumed to stay as they are.",
        ),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Columns are chosen by the graph: stop every back door, hold nothing that the treatment causes.
# - A filter is an adjustment. A log of displays holds a collider fixed.
# - Seeing is not doing; the difference is the arrows into the treatment.
# - Without a back door there may be a front door, if the mediator carries everything and no hidden cause touches it.
# - A graph can be refuted, never confirmed; what it leaves out is what it claims.
#
# ## Further reading
#
# - {cite:t}`pearl2009causality`: the whole theory. {cite:t}`pearl1995causal`: back door and front door in one paper.
# - {cite:t}`cinelli2024crash`: good and bad controls, one small graph at a time.
# - {cite:t}`elwert2014endogenous`: colliders in the wild.
# - {cite:t}`shpitser2010validity`: which sets of columns will do, exactly.
# - {cite:t}`shah2020hardness`: why no test of conditional independence can be good against everything.
