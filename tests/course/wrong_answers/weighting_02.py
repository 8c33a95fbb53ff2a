"""Plausible wrong answers to the exercises of weighting/02_matching, each to be refused with a hint of its own."""

import numpy as np


def _table(t, score):
    return np.abs(score[t == 1][:, None] - score[t == 0])


def _twins_of_controls(y, t, score):
    return np.mean(y[t == 1][_table(t, score).argmin(axis=0)] - y[t == 0])


def _rows_of_the_whole_table(y, t, score):
    return np.mean(y[t == 1] - y[_table(t, score).argmin(axis=1)])


def _each_twin_once(y, t, score):
    used = np.unique(_table(t, score).argmin(axis=1))
    return y[t == 1].mean() - y[t == 0][used].mean()


def _without_replacement(y, t, score):
    table, free, twins = _table(t, score), list(range(int((t == 0).sum()))), []
    for row in table:
        twins.append(free.pop(int(np.argmin(row[free]))))
    return np.mean(y[t == 1] - y[t == 0][twins])


def _everybody(y, t, score):
    table = _table(t, score)
    treated = y[t == 1] - y[t == 0][table.argmin(axis=1)]
    return np.r_[treated, y[t == 1][table.argmin(axis=0)] - y[t == 0]].mean()


def _parts(y, t, score, caliper):
    table = _table(t, score)
    return y[t == 1] - y[t == 0][table.argmin(axis=1)], table.min(axis=1) <= caliper, score[t == 1]


def _nobody_leaves(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return effects.mean(), stay.mean(), s[~stay].mean()


def _divides_by_all(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return (effects * stay).mean(), stay.mean(), s[~stay].mean()


def _share_dropped(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return effects[stay].mean(), 1 - stay.mean(), s[~stay].mean()


def _score_of_those_who_stay(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return effects[stay].mean(), stay.mean(), s[stay].mean()


def _counts_those_who_stay(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return effects[stay].mean(), stay.sum(), s[~stay].mean()


def _share_first(y, t, score, caliper):
    effects, stay, s = _parts(y, t, score, caliper)
    return stay.mean(), effects[stay].mean(), s[~stay].mean()


def _absolute_gap(y, t, x, partner):
    slope = np.polyfit(x[partner], y[partner], 1)[0]
    return np.mean(y[t == 1] - y[partner] - slope * np.abs(x[t == 1] - x[partner]))


def _through_zero(y, t, x, partner):
    slope = x[partner] @ y[partner] / (x[partner] @ x[partner])
    return np.mean(y[t == 1] - y[partner] - slope * (x[t == 1] - x[partner]))


def _with_slope(rows, sign=-1):
    def answer(y, t, x, partner):
        chosen = rows(t, partner)
        slope = np.polyfit(x[chosen], y[chosen], 1)[0]
        return np.mean(y[t == 1] - y[partner] + sign * slope * (x[t == 1] - x[partner]))

    return answer


def _planted(y, t, partner):
    twins = np.unique(partner)
    return y[t == 1].mean() - y[twins].mean(), float(len(twins))


def _effect_mended_only(y, t, partner):
    return np.mean(y[t == 1] - y[partner]), float(len(np.unique(partner)))


def _kish_without_square(y, t, partner):
    served = np.bincount(partner)
    return np.mean(y[t == 1] - y[partner]), served.sum() / (served**2).sum()


def _counts_pairs(y, t, partner):
    return np.mean(y[t == 1] - y[partner]), float(len(partner))


WRONG = {
    "weighting/02.1": [
        _twins_of_controls,
        _rows_of_the_whole_table,
        _each_twin_once,
        _without_replacement,
        _everybody,
        lambda y, t, score: y[t == 1].mean() - y[t == 0].mean(),
    ],
    "weighting/02.2": [
        _nobody_leaves,
        _divides_by_all,
        _share_dropped,
        _score_of_those_who_stay,
        _counts_those_who_stay,
        _share_first,
    ],
    "weighting/02.3": [
        lambda y, t, x, partner: np.mean(y[t == 1] - y[partner]),
        _absolute_gap,
        _through_zero,
        _with_slope(lambda t, partner: partner, sign=1),
        _with_slope(lambda t, partner: np.unique(partner)),
        _with_slope(lambda t, partner: np.flatnonzero(t == 0)),
        _with_slope(lambda t, partner: np.arange(len(t))),
    ],
    "weighting/02.4": [
        _planted,
        _effect_mended_only,
        _counts_pairs,
        _kish_without_square,
        lambda y, t, partner: (y[t == 1].mean() - y[t == 0].mean(), float(np.sum(t == 0))),
    ],
}
