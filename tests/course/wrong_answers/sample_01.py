"""Wrong answers to the sample chapter."""

import numpy as np

WRONG = {
    "sample/01.1": [lambda y, t: y[t == 0].mean() - y[t == 1].mean(), lambda y, t: y[t == 1].mean()],
    "sample/01.2": [
        lambda t, x: np.array([t[x == 0].sum(), t[x == 1].sum()]),
        lambda t, x: np.array([x[t == 0].mean(), x[t == 1].mean()]),
    ],
    "sample/01.3": [
        lambda effects, n, treated: np.average(effects, weights=treated),
        lambda effects, n, treated: np.mean(effects),
    ],
}
