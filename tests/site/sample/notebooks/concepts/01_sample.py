# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 12
#     exercise_minutes: 20
#     data: []
#     max_seconds: 30
# ---

# %% [markdown]
# # A coin that picks its own side
#
# Anna runs a shop. She showed a banner to the customers who come often, and they bought more. This page is a sample:
# it holds one of everything that a chapter can hold, so that the tests of the site have something to look at.
#
# **You will be able to**
# - read a difference of two means as what it is,
# - say why it is not an effect,
# - repair it with weights.
#
# **Before you start**: nothing. **Time**: see above. **Data**: made on this page.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
# ruff: noqa: E402, B018
import sys
import types

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import course, plots
from causalrec_lib.course import check, quiz
from causalrec_lib.course.check import call, exercise, expect_close
from causalrec_lib.estimate import Estimate

run = course.start(PROFILE, SEED, chapter="concepts/01_sample")

# %% tags=["remove-cell"]
checks = types.ModuleType("causalrec_lib.course.checks.concepts_01")
sys.modules[checks.__name__] = checks


@exercise("concepts/01.1", task="Write the weighted difference of means.")
def check_weighted(answer):
    y, t, e = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1, 1, 0, 0]), np.array([0.8, 0.5, 0.5, 0.2])
    w = t / e + (1 - t) / (1 - e)
    want = np.average(y, weights=w * t) - np.average(y, weights=w * (1 - t))
    expect_close(call(answer, y, t, e), want, hint="Weight each row by one over the chance of what it got.")


# %% [markdown]
# ## The log, and what it says
# The sum $\sum_i w_i y_i$ and, displayed,
#
# $$
# \hat\tau = \frac{\sum_i t_i y_i / e_i}{\sum_i t_i / e_i}
# - \frac{\sum_i (1 - t_i) y_i / (1 - e_i)}{\sum_i (1 - t_i) / (1 - e_i)},
# \qquad e_i = P(T_i = 1 \mid X_i = x_i).
# $$
#
# :::{note}
# A note says what you may skip. Inline code looks `like_this`,
# and a link leads to {doc}`the other sample <../weighting/01_sample>`.
# :::
#
# :::{warning}
# A warning says what goes wrong: the banner was not shown at random.
# :::

# %%
n = run.size(ci=4_000, full=100_000)
visits = run.rng.poisson(3, size=n)
e = 1 / (1 + np.exp(-(visits - 3) / 2))
t = run.rng.binomial(1, e)
y = 0.5 * t + 0.8 * visits + run.rng.normal(size=n)
log = pd.DataFrame({"visits": visits, "shown": t, "spent": y})
log.assign(
    a_column_with_a_long_name=1.0, another_column_with_a_long_name=2.0, a_third_column_with_a_long_name=3.0,
    a_fourth_column_with_a_long_name=4.0, a_fifth_column_with_a_long_name=5.0,
).head()  # fmt: skip

# %%
naive = y[t == 1].mean() - y[t == 0].mean()
w = t / e + (1 - t) / (1 - e)
value = np.average(y, weights=w * t) - np.average(y, weights=w * (1 - t))
estimate = Estimate(value, 0.05, "ATE", "Hajek", n, assumptions=("no hidden confounder", "overlap"), unit="euros")
run.record("ate", estimate, truth=0.5, naive=naive)
assert abs(value - 0.5) < abs(naive - 0.5)
estimate

# %%
estimate.flagged("One row carries too much weight.")

# %% [markdown]
# Customers who saw the banner spent {glue:text}`ate.naive:.2f` euros more. Weighting says {glue:text}`ate:.2f`
# ({glue:text}`ate.low:.2f` to {glue:text}`ate.high:.2f`), and the truth is {glue:text}`ate.truth:.1f`.
#
# | estimator | value | a column that needs some room to be read |
# |---|---|---|
# | naive | {glue:text}`ate.naive:.3f` | too large, frequent customers spend more with and without the banner |
# | weighted | {glue:text}`ate:.3f` | covers the truth |

# %%
graph = nx.DiGraph()
graph.add_node("visits", role="confounder", pos=(0.5, 1))
graph.add_node("banner", role="treatment", pos=(0, 0))
graph.add_node("spent", role="outcome", pos=(1.6, 0))
graph.add_edges_from([("visits", "banner"), ("visits", "spent")], kind="bias")
graph.add_edge("banner", "spent", kind="effect")
plots.draw_dag(
    graph,
    alt="Three nodes: visits point to banner and to spent; banner points to spent.",
    caption="Visits open a back door between the banner and the spending.",
    figsize=(6, 2.6),
)

# %%
fig, ax = plt.subplots()
for shown, color in ((0, "control"), (1, "treated")):
    ax.hist(y[t == shown], bins=40, alpha=0.6, color=plots.COLORS[color], label=("not shown", "shown")[shown])
ax.set(xlabel="spent (euros)", ylabel="customers")
ax.legend()
plots.show(
    fig,
    alt="Two overlapping histograms of spending; that of customers who saw the banner lies further right.",
    caption="Customers who saw the banner spent more, but they would have spent more anyway.",
)

# %% [markdown]
# ## Exercises
# ### Exercise 1: the weighted difference
# Write the weighted difference of means.
# <details><summary>Hint</summary>Both groups get weights that sum to one.</details>


# %% tags=["exercise"]
def weighted(y, t, e):
    """Return the weighted difference of means."""
    # BEGIN SOLUTION
    w = t / e + (1 - t) / (1 - e)
    return np.average(y, weights=w * t) - np.average(y, weights=w * (1 - t))
    # END SOLUTION


# %% tags=["check"]
check("concepts/01.1", weighted)

# %%
check("concepts/01.1", lambda y, t, e: y[t == 1].mean() - y[t == 0].mean())

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz("Why is the difference of the two means not the effect of the banner?", {
    "The sample is too small": (False, "More rows narrow the interval around the same wrong number."),
    "Frequent customers see it more often and spend more": (True, "Visits move both; that is confounding."),
    "Euros are not normally distributed": (False, "The bias has nothing to do with the shape of the distribution."),
})  # fmt: skip

# %% [markdown]
# ## Takeaways
# - A difference of means is a description.
