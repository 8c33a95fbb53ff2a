"""Wrong answers to the exercises of recommenders/05_evaluation."""

import numpy as np
from scipy.stats import binom, hypergeom


def _discount(k):
    return 1 / np.log2(np.arange(2, k + 2))


WRONG = {
    "recommenders/05.1": [
        lambda hits, bought: (2 * hits.sum(axis=1) / (hits.shape[1] + bought)).mean(),
        lambda hits, bought: hits[bought > 0].mean(),
        lambda hits, bought: (hits[bought > 0].sum(axis=1) / bought[bought > 0]).mean(),
    ],
    "recommenders/05.2": [
        lambda y, t, e, d: (d * t / e) @ y / (d * t / e).sum(),
        lambda y, t, e, d: (t / e) @ y / (t / e).sum() - ((1 - t) / (1 - e)) @ y / ((1 - t) / (1 - e)).sum(),
        lambda y, t, e, d: y[d * t > 0].mean() - y[d * (1 - t) > 0].mean(),
    ],
    "recommenders/05.3": [
        lambda r, n, m, k: hypergeom.cdf(k, n - 1, r - 1, m),
        lambda r, n, m, k: binom.cdf(k - 1, m, (r - 1) / (n - 1)),
        lambda r, n, m, k: float(r <= k),
    ],
    "recommenders/05.4": [
        lambda hits, bought: (hits @ _discount(hits.shape[1]) / _discount(hits.shape[1]).sum()).mean(),
        lambda hits, bought: (hits @ _discount(hits.shape[1])).mean(),
        lambda hits, bought: (hits.sum(axis=1) / np.minimum(bought, hits.shape[1])).mean(),
    ],
}
