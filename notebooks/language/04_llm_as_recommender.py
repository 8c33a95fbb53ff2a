# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 30
#     exercise_minutes: 45
#     data: [womens_reviews]
#     max_seconds: 60
# ---

# %% [markdown]
# # REPLACE: the title, a question or a claim
#
# REPLACE: two or three sentences on a person and a decision that this chapter helps.
#
# **You will be able to**
#
# - REPLACE: three to five things, each with a verb
#
# **Before you start:** {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>`, for the shop and
# the four assumptions. REPLACE: the other chapters that this one builds on, as links of that form.
#
# **Time:** REPLACE: minutes to read, and minutes for the exercises.
#
# **Data:** customer reviews of women's clothes, as the texts of the items; users, displays and purchases are
# simulated. REPLACE: what else is read, and what each row is.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import numpy as np

from causalrec_lib import course, plots, simulation, weighting
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import difference_in_means

run = course.start(PROFILE, SEED, chapter="language/04_llm_as_recommender")
world = make_world()
truth = world.truth.ate()  # no real log has this

# %% [markdown]
# ## The question and the naive answer
#
# REPLACE: the question in a recommender's words, and what one would do without this chapter. Here: how much does a
# display raise the chance of a purchase? The quickest answer compares the shown pairs with the others.


# %%
def arrays(frame):
    """Outcome, treatment and recorded propensity of a log."""
    return (frame[column].to_numpy(float) for column in ("consumed", "exposed", "propensity"))


log = world.exposure_log(n_pairs=run.size(ci=20_000, full=200_000), seed=run.seed, with_propensity=True)
y, t, e = arrays(log)
naive = difference_in_means(y, t, clusters=log["user"])
naive

# %% [markdown]
# ## The method
#
# REPLACE: the assumptions, as a sentence and as a graph. Then the estimator, in letters that the code repeats. Here:
# a display and a purchase have three causes in common, all of them in the log.

# %% tags=["hide-input"]
place = {
    **{"score": (0, 2), "activity": (0, 1), "popularity": (0, 0)},
    **{"exposed": (1.6, 1.6), "consumed": (3.2, 0.7)},
}
graph = world.dag().subgraph(place).copy()
for name, at in place.items():
    graph.nodes[name]["pos"] = at
plots.draw_dag(
    graph,
    alt="REPLACE: the arrows, in words. Score, activity and popularity each point to exposed and to consumed; "
    "exposed points to consumed.",
    caption="REPLACE: what to see. Three common causes (orange arrows) stand beside the effect (blue arrow).",
)

# %% [markdown]
# Each pair counts by one over the chance of what happened to it:
#
# $$\widehat\tau = \frac{\sum_i y_i t_i / e_i}{\sum_i t_i / e_i}
# - \frac{\sum_i y_i (1 - t_i) / (1 - e_i)}{\sum_i (1 - t_i) / (1 - e_i)}.$$


# %%
def hajek(y, t, e):
    """Difference of two weighted means: shown pairs by 1 / e, the others by 1 / (1 - e)."""
    return np.average(y, weights=t / e) - np.average(y, weights=(1 - t) / (1 - e))


by_hand = hajek(y, t, e)

# %% [markdown]
# The library says the same, with an interval and diagnostics. Where a log holds no propensities, it fits them from
# the columns that the graph names.

# %%
columns = list(world.truth.adjustment_set("exposure"))
effect = weighting.ipw(y, t, e, X=log[columns], clusters=log["user"])
fitted = weighting.ipw(y, t, X=log[columns], clusters=log["user"])
assert np.isclose(by_hand, effect.value)
effect

# %% [markdown]
# ## Held against the truth
#
# One week can be luck, so repeat it: other displays, other purchases, the same truth.


# %%
def both(seed):
    """The naive and the weighted estimate of one week."""
    sample = world.exposure_log(n_pairs=len(log), seed=seed, with_propensity=True)
    y, t, e = arrays(sample)
    users = sample["user"]
    return {"naive": difference_in_means(y, t, users), "weighted": weighting.ipw(y, t, e, clusters=users)}


n_weeks = run.size(ci=60, full=500)
seeds = run.progress(run.seeds(n_weeks, "weeks"), "weeks")
weeks = simulation.summary(simulation.repeat(both, seeds, truth))
weeks[["bias", "bias_mc_se", "coverage", "coverage_mc_se"]].round(4)

# %%
was, now = weeks.loc["naive"], weeks.loc["weighted"]
run.record("ate", truth, naive=naive)
run.record("naive", naive, truth=truth)
run.record("effect", effect, truth=truth, naive=naive)
run.record("fitted", fitted, truth=truth, naive=naive)
run.record("weeks", n_weeks)
run.record("bias", now["bias"], truth=0.0, naive=was["bias"], kind="stochastic", mc_se=now["bias_mc_se"])
run.record("naive_bias", was["bias"], truth=0.0, kind="stochastic", mc_se=was["bias_mc_se"])
run.record("coverage", now["coverage"], naive=was["coverage"], kind="stochastic", mc_se=now["coverage_mc_se"])
run.record("naive_coverage", was["coverage"], kind="stochastic", mc_se=was["coverage_mc_se"])
run.claim("the naive interval lies above the truth", naive.low > truth)
run.claim("weighting covers the truth more often than the naive answer", now["coverage"] > was["coverage"])

# %% [markdown]
# The naive difference is {glue:text}`effect.naive:.3f`, weighting says {glue:text}`effect:.3f` (from
# {glue:text}`effect.low:.3f` to {glue:text}`effect.high:.3f`), with fitted propensities {glue:text}`fitted:.3f`. The
# truth is {glue:text}`effect.truth:.3f`, and the naive interval lies above it. Over {glue:text}`weeks:d` weeks
# weighting is off by {glue:text}`bias:.4f` on average, the naive answer by {glue:text}`naive_bias:.3f`; their
# intervals hold the truth in {glue:text}`coverage:.0%` and {glue:text}`naive_coverage:.0%` of the weeks.
# REPLACE: what that means for the decision, and how the number could be wrong.

# %%
fig = plots.forest(
    {"naive": naive, "recorded propensity": effect, "fitted propensity": fitted},
    naive="naive",
    truth=truth,
    xlabel="effect of a display on the chance of a purchase",
)
plots.show(
    fig,
    alt="REPLACE: what the picture shows, for someone who can't see it.",
    caption="REPLACE: what to see in the picture that a reader will remember.",
)

# %% [markdown]
# ## When it breaks
#
# REPLACE: the assumption violated on purpose, the failure in a picture, what to do instead. The shop has switches for
# it: `make_world(confounding="hidden")`, `overlap="poor"`, `interference=0.3`.
#
# ## What this means for a language-model recommender
#
# REPLACE: what changes, and what does not, when the recommender reads text.
#
# ## Exercises
#
# ### Exercise 1: REPLACE: its name
#
# REPLACE: what to do, in two or three sentences. Here: the difference in means.
#
# <details><summary>Hint</summary>
#
# REPLACE: a question that leads to the answer.
#
# </details>


# %% tags=["exercise"]
def first(y, t):
    """Return the difference in means between treated and others."""
    # BEGIN SOLUTION
    return y[t == 1].mean() - y[t == 0].mean()
    # END SOLUTION


# %% tags=["check"]
check("language/04.1", first)

# %% [markdown]
# ### Exercise 2: REPLACE: its name
#
# REPLACE: what to do. Here: the share of shown pairs in each stratum of `x`.
#
# <details><summary>Hint</summary>
#
# REPLACE: a question that leads to the answer.
#
# </details>


# %% tags=["exercise"]
def second(t, x):
    """Return the treated share where x is 0 and where x is 1, an array of shape (2,)."""
    # BEGIN SOLUTION
    return np.array([t[x == 0].mean(), t[x == 1].mean()])
    # END SOLUTION


# %% tags=["check"]
check("language/04.2", second)

# %% [markdown]
# ### Exercise 3: find the planted error
#
# REPLACE: code that runs and is wrong in one place, and where its result is used. Here: an average of effects that
# weights each stratum by its treated rows, `np.average(effects, weights=n_treated)`.
#
# <details><summary>Hint</summary>
#
# REPLACE: where to look, not what to write.
#
# </details>


# %% tags=["exercise"]
def third(effects, n_rows, n_treated):
    """Return the average effect over all rows."""
    # BEGIN SOLUTION
    return np.average(effects, weights=n_rows)
    # END SOLUTION


# %% tags=["check"]
check("language/04.3", third)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "REPLACE: a question whose wrong answers are tempting",
    {
        "The first option": (False, "REPLACE: why it is wrong."),
        "The second option": (True, "REPLACE: why it is right."),
        "The third option": (False, "REPLACE: why it is wrong."),
    },
)

# %% tags=["quiz"]
quiz(
    "REPLACE: a question about an assumption",
    {
        "The first option": (True, "REPLACE: why it is right."),
        "The second option": (False, "REPLACE: why it is wrong."),
        "The third option": (False, "REPLACE: why it is wrong."),
    },
)

# %% tags=["quiz"]
quiz(
    "REPLACE: a question about a picture of this chapter",
    {
        "The first option": (False, "REPLACE: why it is wrong."),
        "The second option": (False, "REPLACE: why it is wrong."),
        "The third option": (True, "REPLACE: why it is right."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - REPLACE: at most five lines, each worth a reader's memory.
#
# ## Further reading
#
# - {cite:t}`rosenbaum1983central`: REPLACE: what to find there.
# - {cite:t}`hernan2020causal`: REPLACE: what to find there.
