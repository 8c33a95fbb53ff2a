"""Plausible wrong answers to the exercises of weighting/01_propensity_weighting, each refused with its own hint."""

import numpy as np


def _gap(y, t, shown, others):
    return np.average(y, weights=t * shown) - np.average(y, weights=(1 - t) * others)


def _size(w):
    return w.sum() ** 2 / (w**2).sum()


def _sizes(t, e):
    return _size(1 / e[t == 1]), _size(1 / (1 - e[t == 0]))


def _stops_for_the_shown_only(t, e, least):
    shown, others = _sizes(t, e)
    if shown < least:
        raise ValueError("the shown count for too few rows")
    return min(shown, others)


def _names_no_group(t, e, least):
    if min(_sizes(t, e)) < least:
        raise ValueError("too few effective rows")
    return min(_sizes(t, e))


def _names_the_wrong_group(t, e, least):
    shown, others = _sizes(t, e)
    if min(shown, others) < least:
        raise ValueError("too few rows among the " + ("not shown" if shown < others else "shown"))
    return min(shown, others)


def _planted(y, t, e):
    means, variance = [], 0
    for w in (t / e, (1 - t) / (1 - e)):
        means.append(np.average(y, weights=w))
        variance += np.average((y - means[-1]) ** 2, weights=w) / w.sum()
    return means[0] - means[1], np.sqrt(variance)


def _by_effective_rows(y, t, e):
    means, variance = [], 0
    for w in (t / e, (1 - t) / (1 - e)):
        means.append(np.average(y, weights=w))
        variance += np.average((y - means[-1]) ** 2, weights=w) / _size(w)
    return means[0] - means[1], np.sqrt(variance)


def _naive_error(y, t, e):
    se = np.sqrt(y[t == 1].var() / t.sum() + y[t == 0].var() / (1 - t).sum())
    return _planted(y, t, e)[0], se


WRONG = {
    "weighting/01.1": [
        lambda y, t, e: np.mean(t * y / e - (1 - t) * y / (1 - e)),
        lambda y, t, e: y[t == 1].mean() - y[t == 0].mean(),
        lambda y, t, e: _gap(y, t, 1 / e, 1 / e),
        lambda y, t, e: _gap(y, t, e, 1 - e),
        lambda y, t, e: _gap(y, t, 1 / np.clip(e, 0.05, 0.95), 1 / (1 - np.clip(e, 0.05, 0.95))),
    ],
    "weighting/01.2": [
        lambda t, e, least: _size(np.where(t == 1, 1 / e, 1 / (1 - e))),
        lambda t, e, least: float(min(t.sum(), (1 - t).sum())),
        lambda t, e, least: min(_sizes(t, e)),
        lambda t, e, least: max(_sizes(t, e)),
        _stops_for_the_shown_only,
        _names_no_group,
        _names_the_wrong_group,
    ],
    "weighting/01.3": [
        lambda y, t, e: _gap(y, t, np.ones(len(y)), e / (1 - e)),
        lambda y, t, e: _gap(y, t, 1 / e, 1 / (1 - e)),
        lambda y, t, e: _gap(y, t, e / (1 - e), np.ones(len(y))),
        lambda y, t, e: y[t == 1].mean() - y[t == 0].mean(),
    ],
    "weighting/01.4": [
        _planted,
        _by_effective_rows,
        _naive_error,
        lambda y, t, e: (_by_effective_rows(y, t, e)[0], _by_effective_rows(y, t, e)[1] / 2),
    ],
}
