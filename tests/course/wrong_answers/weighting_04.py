"""Plausible wrong answers to the exercises of weighting/04_sensitivity, each refused with its own hint."""

import numpy as np
from scipy.stats import binom


def _e(ratio):
    return ratio + np.sqrt(np.abs(ratio * (ratio - 1)))


def _far_end(ratio, low, high):
    if ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    return _e(ratio), _e(high)


def _never_inverts(ratio, low, high):
    return _e(ratio), _e(max(low, 1.0))


def _ignores_one(ratio, low, high):
    if ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    return _e(ratio), _e(max(low, 1 / low))


def _value(f):
    return (np.sqrt(f**4 + 4 * f**2) - f**2) / 2


def _odds(shown, others):
    p1, p0 = shown.mean(), others.mean()
    ratio = p1 / (1 - p1) / (p0 / (1 - p0))
    return _e(max(ratio, 1 / ratio))


WRONG = {
    "weighting/04.1": [_far_end, _never_inverts, _ignores_one],
    "weighting/04.2": [
        lambda t, df, q: _value(abs(t) / np.sqrt(df)),
        lambda t, df, q: t**2 / (t**2 + df),
        lambda t, df, q: _value(q * abs(t) / df),
    ],
    "weighting/04.3": [
        lambda n, k, gamma: binom.sf(k - 1, n, 1 / (1 + gamma)),
        lambda n, k, gamma: binom.sf(k, n, gamma / (1 + gamma)),
    ],
    "weighting/04.4": [
        _odds,
        lambda shown, others: _e(shown.mean() / others.mean()),
        lambda shown, others: max(shown.mean() / others.mean(), others.mean() / shown.mean()),
    ],
}
