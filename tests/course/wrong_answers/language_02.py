"""Plausible wrong answers to the exercises of language/02_text_as_confounder, each to be refused with a hint."""

import numpy as np


def _as_printed(y, t, q0, q1, e):
    return np.mean(q0 - q1)


def _plug_in(y, t, q0, q1, e):
    return np.mean(q1 - q0)


def _crossed(y, t, q0, q1, e):
    return np.mean(q1 - q0 + t * (y - q0) / e - (1 - t) * (y - q1) / (1 - e))


def _all_rows(fit_predict, x, y, fold):
    return fit_predict(x, y, x)


def _own_fold(fit_predict, x, y, fold):
    found = np.empty(len(y))
    for k in np.unique(fold):
        here = fold == k
        found[here] = fit_predict(x[here], y[here], x[here])
    return found


def _rare_ones_too(has, t, least):
    count = has.sum(axis=0)
    return np.flatnonzero((count > 0) & (has[t == 1].sum(axis=0) >= 0.95 * count))


def _common_among_the_treated(has, t, least):
    return np.flatnonzero((has.sum(axis=0) >= least) & (has[t == 1].mean(axis=0) >= 0.95))


WRONG = {
    "language/02.1": [_as_printed, _plug_in, _crossed],
    "language/02.2": [_all_rows, _own_fold],
    "language/02.3": [_rare_ones_too, _common_among_the_treated],
}
