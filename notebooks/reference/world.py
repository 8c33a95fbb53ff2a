# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: page
#     reading_minutes: 15
#     exercise_minutes: 0
#     data: [womens_reviews, movielens_100k, open_bandit_small]
#     optional_data: [coat]
#     max_seconds: 60
# ---

# %% [markdown]
# # The recommender world
#
# A shop shows things to people. Some of them would have bought anyway, some buy because they were shown, and a few
# turn away because they were. A real log can't tell these apart: each person either saw the item or did not. This
# world can. It keeps both answers for every user and every item, hands out logs that hide what real logs hide, and
# tells the truth only to those who check an estimate.
#
# This page shows everything: the graph, every equation with its numbers, and how the world's logs compare with real
# ones. Nothing about it is a secret except, for an estimator, the truth.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import time

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from IPython.display import HTML, display

from causalrec_lib import course, data, plots
from causalrec_lib.data.world import Parameters, World, make_world, marginals

run = course.start(PROFILE, SEED, chapter="reference/world")

started = time.perf_counter()
world = make_world(n_users=2000, n_items=1000, seed=SEED)
y0, y1 = world.truth.potential_outcomes()
seconds = time.perf_counter() - started
run.record("seconds", seconds, kind="measured")
world

# %% [markdown]
# Both potential outcomes of all pairs took {glue:text}`seconds:.1f` seconds. Items carry real customer reviews:
# products with many reviews are listed several times, each listing with its own handful of them, and the listing's
# hidden quality is the mean of the stars in its handful, shrunk towards the mean of all. The stars are withheld;
# the words are not.
#
# ## A world that fits on a page
#
# The toy needs no data set; its texts are generated phrases, and say so by being dull.

# %%
toy = World.toy(seed=SEED)
SHOWN = ["user", "item", "segment", "department", "log_popularity", "score", "exposed", "consumed"]
toy.exposure_log(6)[SHOWN].round(2)

# %% [markdown]
# That is what an analyst gets. What the world knows about the same rows:

# %%
toy.truth.pairs(toy.exposure_log(6)).round(3)

# %% [markdown]
# ## The graph
#
# With the switch on "hidden", quality and hidden affinity push items in front of people too. With "text" the tone
# of the reviews does: it is in the words and in no column. With "observed" these arrows are gone, and popularity,
# score and activity are all that exposure and consumption share. With "none" a coin decides.

# %%
plots.draw_dag(
    make_world(40, 30, text="templates", confounding="hidden").dag(),
    alt=(
        "Causal graph of the world. Score, activity and popularity point to exposed and to consumed; hidden affinity "
        "points to both as well, hidden quality to exposed and hidden affinity; marketing points to exposed only; "
        "annoyed and price point to consumed only. Department and quality point to review text, and "
        "the text to score and hidden affinity; quality also points to price and popularity; hidden taste points to "
        "hidden affinity and community; score and hidden affinity point to stars; stars and consumed point to rated."
    ),
    caption=(
        "Orange arrows open back doors between exposure and consumption. Dashed boxes are not in the exposure log. "
        "Marketing touches consumption through exposure alone: an instrument. The review text is a proxy of hidden "
        "quality, and what the score is made of."
    ),
)

# %% [markdown]
# The arrows are not a drawing of good intentions. A test sets one node at a time by hand, draws the world again, and
# compares what moves with what the arrows reach. Department, quality and words are dealt together with a product, so
# the three arrows among them say "goes with". Every question has a graph of its own. This is the one of a log of
# ranked slots: the platform's model of the user ranks all items at once, so a slot depends on more than the score of
# the item that stands in it.

# %%
place = {
    **{"segment": (0, 2.6), "sponsored": (0, 1.3), "popularity": (0, 0), "seen": (1.6, 2.8), "score": (1.6, 0.9)},
    **{"shuffled": (3.0, 2.6), "position": (3.0, 1.3), "hidden": (3.0, -0.3), "clicked": (4.6, 0.9)},
}
slots = world.dag("position").subgraph(place).copy()
nx.set_node_attributes(slots, place, "pos")
plots.draw_dag(
    slots,
    alt=(
        "Causal graph of position and clicks. Score, popularity, sponsored, segment, the platform's model of the "
        "user and a shuffle point to position; position points to clicked, and so do score, hidden affinity and "
        "popularity."
    ),
    caption=(
        "Orange arrows make a slot: adjusting for the score of the item leaves a path through the platform's model "
        "of the user. Adjust for user and item, or use sessions that were shuffled. Text, price, activity and "
        "annoyance are left out here."
    ),
    figsize=(7.0, 3.8),
)

# %% [markdown]
# What to do about it, question by question. A list of columns is what to adjust for. "a plain difference" means
# nothing to do. In the logs of a known policy a plain difference between items is confounded by the scores, and the
# propensities are in the log:

# %%
QUESTIONS = ["exposure", "weeks", "instrument", "position", "bandit", "slate", "ab_test", "text_treatment"]
QUESTIONS += ["text_treatment_confounded", "mediation", "ratings"]


def in_words(answer):
    """Return an adjustment set as a reader would say it."""
    if answer is None:
        return "no observed set suffices"
    return answer if isinstance(answer, str) else ", ".join(answer) or "a plain difference"


rows = {}
for switch in ("observed", "text", "hidden"):
    small = World.toy(confounding=switch)
    rows[switch] = {q: in_words(small.truth.adjustment_set(q)) for q in QUESTIONS}
pd.DataFrame(rows).rename_axis("question")

# %% [markdown]
# ## Every equation
#
# $s$ is the logistic function, $\operatorname{std}$ subtracts the mean and divides by the standard deviation over
# all pairs (or users, or items), $\varepsilon$ is standard normal, $U_{ui}$ is one uniform number a pair; numbers in
# capitals are constants of the code. Both potential outcomes are read off the same $U_{ui}$, so an
# individual effect is a fact about a pair and not a coincidence of two draws.

# %%
table = world.equations()
table["equation"] = [
    rf"\({s} = {e}\)" if s else rf"\({e}\)" for s, e in zip(table["symbol"], table["equation"], strict=True)
]
shown = table[["name", "equation", "parameters", "code"]].to_html(index=False, escape=False, border=0)
display(HTML(f'<div class="tex2jax_process mathjax_process" style="overflow-x: auto">{shown}</div>'))

# %% [markdown]
# Three choices need a word.
#
# **The score is logged.** It is what the platform believes about a pair before it shows anything, and exposure is
# logistic in it. So a logistic regression on the documented columns is the right propensity model: not by luck, by
# construction.
#
# **The effect shrinks with familiarity.** Popular items are found anyway. Showing them earns clicks and little
# else, which is why ranking by clicks and ranking by effect part ways.
#
# **Marketing is a fair coin that shifts exposure where it can be shifted.** Its compliers weigh $e_{ui}(1 -
# e_{ui})$, so the effect that it identifies is the ATO of the page on weighting.

# %% [markdown]
# ## What the naive answer says, and what is true

# %%
truth = world.truth
log = world.exposure_log(n_pairs=20_000)
arms = log.groupby("exposed")["consumed"].agg(["mean", "var", "size"])
naive = arms.loc[1, "mean"] - arms.loc[0, "mean"]
se = np.sqrt((arms["var"] / arms["size"]).sum())
run.record("naive", naive, truth=truth.ate())
run.record("naive_z", (naive - truth.ate()) / se)
for name in ("ate", "att", "ato"):
    run.record(name, getattr(truth, name)(), naive=naive)
harmed = float((truth.tau < 0).mean())
run.record("harmed", harmed)

# %% [markdown]
# In a log of random pairs, exposed pairs are consumed {glue:text}`naive:.3f` more often than the others. The true
# average effect is {glue:text}`ate:.3f`: the naive answer is {glue:text}`naive_z:.1f` standard errors away from it.
# Over exposed pairs the effect averages {glue:text}`att:.3f`, over pairs that could go either way
# {glue:text}`ato:.3f`. For {glue:text}`harmed:.0%` of the pairs, showing the item makes consumption less likely.

# %%
policies = ("random", "popular", "score", "consumption", "best", "uplift")
value = pd.DataFrame(
    {outcome: {p: truth.policy_value(p, outcome) for p in policies} for outcome in ("reward", "lift")}
)
run.record("lift_uplift", value.loc["uplift", "lift"], naive=value.loc["consumption", "lift"])
run.record("lift_consumption", value.loc["consumption", "lift"])
fig, ax = plt.subplots(figsize=(6.6, 3.0))
place = np.arange(len(policies))
ax.barh(place - 0.2, value["reward"], 0.38, color=plots.COLORS["naive"], label="consumed when shown")
ax.barh(place + 0.2, value["lift"], 0.38, color=plots.COLORS["estimate"], label="because it was shown")
ax.set(yticks=place, yticklabels=policies, xlabel="a user's top item under each ranking: probability")
ax.axvline(0, color=plots.COLORS["ink"], linewidth=0.8)
ax.invert_yaxis()
ax.legend()
plots.show(
    fig,
    alt=(
        "Pairs of bars for six rankings. Popular and consumption have long bars for consumption when shown and bars "
        "below zero for consumption because it was shown; uplift has long bars for both."
    ),
    caption=(
        "Grey is what a click log rewards, blue is what the recommendation adds. Ranking by consumption looks "
        "good in grey and adds nothing in blue: it recommends what people find without it."
    ),
)

# %% [markdown]
# Ranking by what is consumed adds {glue:text}`lift_consumption:.3f` a recommendation; ranking by effect adds
# {glue:text}`lift_uplift:.3f`.
#
# The world also knows how well a learner could do. The true effect of a pair depends on hidden taste and on who is
# annoyed, and no log shows these.

# %%
exact, best = truth.pairs(log)["tau"], truth.cate_given_observed(log)
run.record("tau_spread", exact.std())
run.record("cate_floor", np.sqrt(np.mean((exact - best) ** 2)), naive=exact.std())
hidden_world = make_world(1000, 500, seed=SEED, confounding="hidden")
known = hidden_world.truth.pairs(hidden_world.exposure_log(n_pairs=20_000))
odds = known[["propensity", "propensity_observed"]] / (1 - known[["propensity", "propensity_observed"]])
gamma = np.exp(np.abs(np.log(odds["propensity"] / odds["propensity_observed"])))
run.record("gamma_median", gamma.median())
run.record("gamma_high", gamma.quantile(0.95))

# %% [markdown]
# Effects of single pairs scatter with a standard deviation of {glue:text}`tau_spread:.3f`. The best guess from what
# is observed, `truth.cate_given_observed(log)`, still misses them by {glue:text}`cate_floor:.3f` (root mean square):
# no learner can do better, so compare yours with that guess. With hidden confounding, the odds of being shown given
# everything and given the columns differ by a factor of {glue:text}`gamma_median:.2f` in the median pair and of
# {glue:text}`gamma_high:.2f` in one pair of twenty: the strength that a sensitivity analysis has to guess.

# %% [markdown]
# ## How real it looks
#
# A simulator can be made to prove anything. So here are the world's logs beside real ones: women's clothing reviews
# (the source of the texts), MovieLens 100K {cite:p}`harper2015movielens`, the Open Bandit logs
# {cite:p}`saito2021open`, and Coat {cite:p}`schnabel2016recommendations` where it can be had.

# %%
reviews, movies = data.load("womens_reviews"), data.load("movielens_100k")
bandit = data.load("open_bandit_small")
per_item = reviews.groupby("clothing_id", observed=True)["stars"].agg(["size", "mean"])
columns = {
    "world": world.marginals()["world"],
    "reviews": pd.Series(
        {
            **marginals.of_stars(reviews["stars"]),
            "top 1 % of items, share of past events": marginals.top_share(per_item["size"]),
        }
    ),
    "MovieLens 100K": pd.Series(marginals.of_ratings(movies, "user_id", "item_id")),
    "Open Bandit": pd.Series({"clicks per shown slot": bandit["click"].mean()}),
}
coat = data.load_optional("coat")
if coat is not None:
    chosen = marginals.of_ratings(coat, "user_id", "item_id")
    survey = data.load("coat", "test")
    survey = survey[~survey["in_train"]]
    cells = coat["user_id"].nunique() * coat["item_id"].nunique()
    share = survey["stars"].value_counts(normalize=True)
    rated = {f"rated, given {k} stars": (coat["stars"] == k).sum() / (cells * share[k]) for k in marginals.STARS}
    columns["Coat"] = pd.Series({**chosen, **rated, "mean stars of all pairs": survey["stars"].mean()})
compared = pd.DataFrame(columns).reindex(columns["world"].index)
compared.map(lambda x: "" if pd.isna(x) else f"{x:.3f}")

# %%
run.record("mean_stars", columns["world"]["mean stars"], truth=float(reviews["stars"].mean()))
run.record("mean_stars_all", columns["world"]["mean stars of all pairs"], naive=columns["world"]["mean stars"])
run.record("top_share", columns["world"]["top 1 % of items, share of past events"])
run.record("rated_one_star", columns["world"]["rated, given 1 stars"])
run.record("rated_five_stars", columns["world"]["rated, given 5 stars"])
run.record("few_clicks", make_world(1000, 300, parameters=Parameters.few_clicks()).slate_log(5_000)["clicked"].mean())

# %% [markdown]
# **What agrees.** The stars that are written down have the reviews' distribution, mean
# {glue:text}`mean_stars:.2f`. The top hundredth of items draws {glue:text}`top_share:.0%` of past events. One-star
# experiences are written down with probability {glue:text}`rated_one_star:.3f`, five-star ones with
# {glue:text}`rated_five_stars:.3f`, so the mean over all pairs, {glue:text}`mean_stars_all:.2f`, is lower than any
# log suggests.
#
# **What does not.** Real click rates are far lower than the world's: at real rates every chapter would need
# millions of rows to say the same thing. `Parameters.few_clicks()` has them, for those who want to see it
# ({glue:text}`few_clicks:.3f` clicks a shown slot). Ratings spread more evenly over items than in MovieLens, because
# every pair has a chance to be exposed. Friends are drawn by taste alone, nobody learns, and no competitor reacts. A
# method that fails here will hardly work out there; a method that works here has passed an easy exam.
#
# ## Using it
#
# ```python
# from causalrec_lib.data.world import make_world
#
# world = make_world(confounding="observed", overlap="good")   # or "none" / "text" / "hidden", "poor" / "none"
# log = world.exposure_log(n_pairs=20_000, seed=1)             # another week of the same world
# world.truth.ate(), world.truth.cate("segment"), world.truth.pairs(log)
# ```
#
# A policy's bare name means its top item, in every call; "random" is uniform and "logging" is the stochastic policy
# that writes the bandit log.
#
# | log | question | truth |
# |---|---|---|
# | `exposure_log` | what does showing do? | `ate`, `att`, `ato`, `late`, `cate`, `cate_given_observed`, `pairs` |
# | the same under interference | what do friends do? | `spillover` |
# | `bandit_log` | what is a policy worth? | `policy_value`, `best_policy`, `logging_value` |
# | `slate_log`, `slate_candidates` | what does position do? | `position_effect`, `slate_policy_value` |
# | `ratings_log`, `survey` | what do people like? | `mean_stars`, `ratings`, `rating_propensity`, `rated_share` |
# | `text_treatment_log` | what do words do? | `attribute_effect` |
# | `reactions` | what do promises cost? | `mediation`, `reaction_effect` |
# | `ab_test` | does the trial tell? | `ab_effect`, `compliance_types` |
# | `weeks`, `feedback_loop` | what does time do? | `weekly_ate`; `lift` and `reward` of each round |
# | `events` | what is in a raw stream? | `event_labels` |
#
# The same seed gives the same world, whatever the processor; every log draws from its own
# stream, so asking for one never changes another. Up to four million pairs the score and the hidden affinity are
# kept in memory; beyond that they are computed block by block from their factors, so the largest world that
# `make_world` accepts fits in half a gigabyte of memory.
