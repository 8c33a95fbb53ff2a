"""Wrong answers to the exercises of trees/01_causal_trees."""

import numpy as np


def _worth(y, t, rows, penalty):
    one, zero = y[rows & (t == 1)], y[rows & (t == 0)]
    variance = one.var(ddof=1) / len(one) + zero.var(ddof=1) / len(zero)
    return rows.mean() * ((one.mean() - zero.mean()) ** 2 - penalty * variance)


def _gain(y, t, x, cut, penalty, minus=True):
    low, everybody = x <= cut, np.ones(len(y), bool)
    return _worth(y, t, low, penalty) + _worth(y, t, ~low, penalty) - minus * _worth(y, t, everybody, penalty)


def _effects(y, t, e, leaf, rows):
    out = []
    for k in range(leaf.max() + 1):
        one, zero = rows & (leaf == k) & (t == 1), rows & (leaf == k) & (t == 0)
        out.append(np.average(y[one], weights=1 / e[one]) - np.average(y[zero], weights=1 / (1 - e[zero])))
    return np.array(out)


def _report(y, t, leaf, own, ddof):
    out = []
    for k in range(leaf.max() + 1):
        one, zero = y[(leaf == k) & (t == 1)], y[(leaf == k) & (t == 0)]
        n1, n0 = (len(one), len(zero)) if own else (len(one) + len(zero),) * 2
        out.append([one.mean() - zero.mean(), np.sqrt(one.var(ddof=ddof) / n1 + zero.var(ddof=ddof) / n0)])
    return np.array(out)


WRONG = {
    "trees/01.1": [
        lambda y, t, x, cut: _gain(y, t, x, cut, 0.0),
        lambda y, t, x, cut: _gain(y, t, x, cut, 1.0),
        lambda y, t, x, cut: _gain(y, t, x, cut, 2.0, minus=False),
    ],
    "trees/01.2": [
        lambda y, t, e, leaf, split: _effects(y, t, e, leaf, split),
        lambda y, t, e, leaf, split: _effects(y, t, e, leaf, split | ~split),
        lambda y, t, e, leaf, split: _effects(y, t, 0 * e + 0.5, leaf, ~split),
    ],
    "trees/01.3": [
        lambda y, t, leaf: _report(y, t, leaf, own=False, ddof=1),
        lambda y, t, leaf: _report(y, t, leaf, own=True, ddof=0),
    ],
}
