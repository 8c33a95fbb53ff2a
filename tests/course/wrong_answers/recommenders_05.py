"""Wrong answers to the exercises of recommenders/05_evaluation."""

import numpy as np
from scipy.stats import binom, hypergeom


def _discount(k):
    return 1 / np.log2(np.arange(2, k + 2))


def _list_effect(y, t, e, d):
    return np.average(y, weights=d * t / e) - np.average(y, weights=d * (1 - t) / (1 - e))


WRONG = {
    "recommenders/05.1": [
        lambda hits, bought: (2 * hits.sum(axis=1) / (hits.shape[1] + bought)).mean(),
        lambda hits, bought: hits[bought > 0].mean(),
        lambda hits, bought: (hits[bought > 0].sum(axis=1) / bought[bought > 0]).mean(),
    ],
    "recommenders/05.2": [
        lambda y, t, e, rank: _list_effect(y, t, e, rank > 0),
        lambda y, t, e, rank: _list_effect(y, t, e, 1 / np.log2(np.maximum(rank, 1) + 1)),
        lambda y, t, e, rank: _list_effect(y, t, e, np.log2(rank + 1)),
        lambda y, t, e, rank: _list_effect(y, t, 0.5, np.where(rank > 0, 1 / np.log2(np.maximum(rank, 1) + 1), 0)),
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
