# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 3
#     exercise_minutes: 0
# ---

# %% [markdown]
# # The other sample
# It quotes a number of its neighbour: {glue:text}`concepts/01_sample::ate:.2f`, and a neighbour's page by its id:
# {doc}`/chapters/concepts/01_sample`. The search should find the word *zygomorphic* here.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
# ruff: noqa: E402
from IPython.display import HTML, display

from causalrec_lib import course

run = course.start(PROFILE, SEED, chapter="weighting/01_sample")
display(HTML(r'<table class="tex2jax_process mathjax_process"><tr><td>\(e_i = s(a_0 + a_1 x_i)\)</td></tr></table>'))

# %%
run.record("answer", 42.0, kind="exact")
course.say("Recorded **42**, and $x^2$ in the output of a cell.")
