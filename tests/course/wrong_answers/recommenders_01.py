"""Wrong answers to the exercises of recommenders/01_missing_not_at_random."""

import numpy as np


def shares(x):
    return np.array([(x == k).mean() for k in range(1, 6)])


def spread(delta, p, factor):
    w = 1 / p
    value = np.average(delta, weights=w)
    return value, np.sqrt(np.sum(factor * (w * (delta - value)) ** 2)) / w.sum()


WRONG = {
    "recommenders/01.1": [
        lambda r, s, n_pairs: shares(r) / shares(s),
        lambda r, s, n_pairs: shares(r) * len(r) / n_pairs,
        lambda r, s, n_pairs: shares(s) / shares(r) * len(r) / n_pairs,
    ],
    "recommenders/01.2": [
        lambda a, b, p: np.array(spread(a - b, p, np.ones(len(p)))),
        lambda a, b, p: np.array([spread(a - b, p, 1)[0], np.hypot(spread(a, p, 1 - p)[1], spread(b, p, 1 - p)[1])]),
        lambda a, b, p: np.array([(a - b).mean(), (a - b).std() / np.sqrt(len(a))]),
    ],
    "recommenders/01.3": [
        lambda imputed, seen, e, p: imputed.mean() + np.mean((e - imputed[seen]) / p),
        lambda imputed, seen, e, p: imputed.mean() + np.sum(e - imputed[seen]) / imputed.size,
        lambda imputed, seen, e, p: np.sum(e / p) / imputed.size,
    ],
}
