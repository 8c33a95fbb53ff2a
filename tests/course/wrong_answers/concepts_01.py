"""Plausible wrong answers to the exercises of concepts/01_why_causal, each to be refused with a hint of its own."""

import warnings

import numpy as np


def _naive(y0, y1, shown):
    y = np.where(shown == 1, y1, y0)
    return (y[shown == 1].mean() - y[shown == 0].mean(),) * 3


def _within(y, t, cell):
    cells = np.unique(cell)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cell without one of the groups: that it says nothing is the mistake
        return cells, [y[(cell == c) & (t == 1)].mean() - y[(cell == c) & (t == 0)].mean() for c in cells]


def _by_all_pairs(y, t, cell):
    cells, within = _within(y, t, cell)
    return np.average(within, weights=[np.sum(cell == c) for c in cells])


def _skips_lonely_cells(y, t, cell):
    total = n = 0.0
    for c in np.unique(cell):
        here = cell == c
        if t[here].min() < t[here].max():
            total += t[here].sum() * (y[here & (t == 1)].mean() - y[here & (t == 0)].mean())
            n += t[here].sum()
    return total / max(n, 1)


def _refuses_every_lonely_cell(y, t, cell):
    total = 0.0
    for c in np.unique(cell):
        here = cell == c
        if t[here].min() == t[here].max():
            raise ValueError("a cell lacks one of the groups")
        total += t[here].sum() * (y[here & (t == 1)].mean() - y[here & (t == 0)].mean())
    return total / t.sum()


def _looks_for_the_shown_only(y, t, cell):
    if any(t[cell == c].max() == 0 for c in np.unique(cell)):
        raise ValueError("a cell has no shown pairs")
    cells, within = _within(y, t, cell)
    return np.average(within, weights=[t[cell == c].sum() for c in cells])


def _by_other_pairs(y, t, cell):
    cells, within = _within(y, t, cell)
    return np.average(within, weights=[(1 - t)[cell == c].sum() for c in cells])


def _inverse(t, e):
    return t / e, (1 - t) / (1 - e)


def _on_trial(weights, z=1.96, sums=False, plain=False):
    def answer(weeks, truth):
        errors, covered = [], []
        for y, t, e in weeks:
            w1, w0 = weights(t, e)
            v1, v0 = (t, 1 - t) if plain else (w1, w0)
            d = v1 / v1.mean() * (y - np.average(y, weights=v1)) - v0 / v0.mean() * (y - np.average(y, weights=v0))
            estimate = np.average(y, weights=w1) - np.average(y, weights=w0)
            if sums:
                estimate = (w1 * y - w0 * y).mean()
                d = w1 * y - w0 * y - estimate
            errors.append(estimate - truth)
            covered.append(abs(estimate - truth) <= z * np.sqrt((d**2).sum()) / len(y))
        return np.mean(errors), np.mean(covered)

    return answer


_right = _on_trial(_inverse)


WRONG = {
    "concepts/01.1": [
        lambda y0, y1, shown: ((y1 - y0).mean(), (y1 - y0)[shown == 0].mean(), (y1 - y0)[shown == 1].mean()),
        lambda y0, y1, shown: ((y0 - y1).mean(), (y0 - y1)[shown == 1].mean(), (y0 - y1)[shown == 0].mean()),
        _naive,
        lambda y0, y1, shown: ((y1 - y0).mean(), ((y1 - y0) * shown).mean(), ((y1 - y0) * (1 - shown)).mean()),
        lambda y0, y1, shown: ((y1 - y0).mean(), (y1 - y0)[shown].mean(), (y1 - y0)[1 - shown].mean()),
    ],
    "concepts/01.2": [
        _by_all_pairs,
        lambda y, t, cell: y[t == 1].mean() - y[t == 0].mean(),
        lambda y, t, cell: np.mean(_within(y, t, cell)[1]),
        _skips_lonely_cells,
        _by_other_pairs,
        _refuses_every_lonely_cell,
        _looks_for_the_shown_only,
    ],
    "concepts/01.3": [
        _on_trial(lambda t, e: (t, 1 - t)),
        _on_trial(lambda t, e: (t / (1 - e), (1 - t) / e)),
        _on_trial(lambda t, e: (t, (1 - t) * e / (1 - e))),
        _on_trial(_inverse, z=1.0),
        _on_trial(_inverse, z=1.96 * np.sqrt(150)),
        _on_trial(_inverse, sums=True),
        _on_trial(_inverse, plain=True),
        lambda weeks, truth: (_right(weeks, truth)[0], 1 - _right(weeks, truth)[1]),
        lambda weeks, truth: (_right(weeks, 0)[0] - truth, _right(weeks, 0)[1]),
        lambda weeks, truth: (_right(weeks, truth)[0] + truth, _right(weeks, truth)[1]),
        lambda weeks, truth: (_right(weeks, truth)[0], 100 * _right(weeks, truth)[1]),
    ],
    "concepts/01.4": [
        lambda y, t, e: t.sum() * (np.average(y, weights=t / e) - np.average(y, weights=(1 - t) / (1 - e))),
        lambda y, t, e: t.sum() * (y[t == 1].mean() - y[t == 0].mean()),
        lambda y, t, e: np.average(y, weights=t) - np.average(y, weights=(1 - t) * e / (1 - e)),
        lambda y, t, e: t.sum() * (np.average(y, weights=t) - np.average(y, weights=(1 - t) / (1 - e))),
        lambda y, t, e: t.sum() * (np.average(y, weights=t) - np.average(y, weights=(1 - t) * (1 - e) / e)),
        lambda y, t, e: len(y) * (np.average(y, weights=t) - np.average(y, weights=(1 - t) * e / (1 - e))),
        lambda y, t, e: (t * y).sum(),
    ],
}
