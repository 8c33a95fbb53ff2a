# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 5
#     exercise_minutes: 10
#     data: []
#     max_seconds: 20
# ---

# %% [markdown]
# # Is the top shelf worth its rent?
#
# **You will be able to** tell a shelf's effect from its customers' taste.
#
# **Before you start:** nothing but means.
#
# **Time:** 5 minutes to read, 10 for the exercises.
#
# **Data:** simulated here, so the truth is known.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
# ruff: noqa: E402
import numpy as np

from causalrec_lib import course, plots
from causalrec_lib.course import check, quiz

run = course.start(PROFILE, SEED, chapter="sample/01_top_shelf")

# %% [markdown]
# ## The question and the naive answer
#
# Ann rents the top shelf. Did it sell her books, or did it go to books that sell anyway? That taste moves both is
# called {term}`confounding <confounder>`; the {term}`propensity score` undoes it {cite:p}`rosenbaum1983central`.
#
# :::{note} Who is who
# `t` marks the top shelf, `x` a popular book, $e = P(t = 1 \mid x)$.
# :::

# %%
n = run.size(ci=4_000, full=40_000)
x = run.rng.integers(0, 2, n)
t = (run.rng.random(n) < np.where(x == 1, 0.8, 0.2)).astype(int)
y = 2.0 * x + 1.0 * t + run.rng.normal(size=n)
naive = y[t == 1].mean() - y[t == 0].mean()


def stratified(y, t, x):
    """Average the difference within each stratum."""
    effects = [y[(x == k) & (t == 1)].mean() - y[(x == k) & (t == 0)].mean() for k in (0, 1)]
    return float(np.average(effects, weights=[np.mean(x == 0), np.mean(x == 1)]))


effect = stratified(y, t, x)
e = np.where(x == 1, t[x == 1].mean(), t[x == 0].mean())
weighted = float(np.average(y, weights=t / e) - np.average(y, weights=(1 - t) / (1 - e)))
assert np.isclose(effect, weighted)
run.record("effect", effect, truth=1.0, naive=naive)

# %% [markdown]
# The naive answer is {glue:text}`effect.naive:.2f`, the strata say {glue:text}`effect:.2f`, the truth is
# {glue:text}`effect.truth:.2f`. {cite:t}`rosenbaum1983central` show that weighting says the same.

# %%
fig = plots.forest({"naive": naive, "strata": effect}, naive=("naive",), truth=1.0)
plots.show(
    fig,
    alt="Two points on a line: the naive difference far right of the truth, the stratified one on it.",
    caption="The naive difference (grey) misses the truth (dashed); the strata find it.",
)

# %% [markdown]
# ## When it breaks
#
# Forget `x` and the answer is wrong, however many books there are.
#
# ## What this means for a language-model recommender
#
# A prompt that holds the taste can hold the confounder.
#
# ## Exercises
#
# ### Exercise 1: the naive difference
#
# Return the difference in means.
#
# <details><summary>Hint</summary>
#
# Two means, one minus.
#
# </details>


# %% tags=["exercise"]
def difference(y, t):
    """Return the difference in means between top shelf and the rest."""
    # BEGIN SOLUTION
    return y[t == 1].mean() - y[t == 0].mean()
    # END SOLUTION


# %% tags=["check"]
check("sample/01.1", difference)

# %% [markdown]
# ### Exercise 2: shares
#
# Return the share of top-shelf books in each stratum of `x`, for 0 and 1.
#
# <details><summary>Hint</summary>
#
# The mean of `t` where `x` has that value.
#
# </details>


# %% tags=["exercise"]
def shares(t, x):
    """Return the two shares, as an array of shape (2,)."""
    # BEGIN SOLUTION
    return np.array([t[x == 0].mean(), t[x == 1].mean()])
    # END SOLUTION


# %% tags=["check"]
check("sample/01.2", shares)

# %% [markdown]
# ### Exercise 3: a planted error
#
# The code below weights the strata by their treated share. Mend it.
#
# <details><summary>Hint</summary>
#
# Whose average effect is asked for?
#
# </details>


# %% tags=["exercise"]
def average_effect(effects, n_stratum, n_treated):
    """Return the average effect over all books."""
    # BEGIN SOLUTION
    return np.average(effects, weights=n_stratum)
    # END SOLUTION


# %% tags=["check"]
check("sample/01.3", average_effect)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "What makes taste a confounder?",
    {
        "It moves the shelf and the sales": (True, "Both arrows are needed."),
        "It moves the sales only": (False, "Then it adds noise, not bias."),
        "It is hard to measure": (False, "That makes it hidden, not confounding."),
    },
)

# %% tags=["quiz"]
quiz(
    "What does more data mend?",
    {
        "The bias": (False, "Bias does not shrink with the rows."),
        "The variance": (True, "The interval narrows around the wrong value."),
        "The design": (False, "A design is chosen, not counted."),
    },
)

# %% tags=["quiz"]
quiz(
    "When do strata fail?",
    {
        "When one has no top shelf": (True, "There is nothing to compare with."),
        "When they differ in size": (False, "The weights take care of that."),
        "When there are only two": (False, "Two are enough for two values."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Compare like with like.
# - More rows do not mend bias.
#
# ## Further reading
#
# - {cite:t}`rosenbaum1983central`: where the score comes from.
# - {cite:t}`hernan2020causal`: the book.
