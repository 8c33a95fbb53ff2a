"""Wrong answers to the exercises of language/04_llm_as_recommender."""

import numpy as np

# REPLACE: the mistakes that a reader would really make. Each must be refused, with a hint of its own.
WRONG = {
    "language/04.1": [
        lambda y, t: y[t == 0].mean() - y[t == 1].mean(),
        lambda y, t: y[t == 1].mean(),
    ],
    "language/04.2": [
        lambda t, x: np.array([t[x == 0].sum(), t[x == 1].sum()]),
        lambda t, x: np.array([x[t == 0].mean(), x[t == 1].mean()]),
    ],
    "language/04.3": [
        lambda effects, n_rows, n_treated: np.average(effects, weights=n_treated),
        lambda effects, n_rows, n_treated: np.mean(effects),
    ],
}
