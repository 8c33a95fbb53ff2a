"""Wrong answers to the exercises of dags/02_estimate_and_refute."""

import networkx as nx
import numpy as np


def _summary(found, ddof=1):
    return np.array([np.mean(found), np.std(found, ddof=ddof)])


def _deaf_allowed(graph, treatment, columns, hidden, candidates):
    return [nx.is_d_separator(graph, {treatment}, {c}, {*columns, hidden}) for c in candidates]


def _reached_allowed(graph, treatment, columns, hidden, candidates):
    return [not nx.is_d_separator(graph, {treatment}, {c}, set(columns)) for c in candidates]


def _exchanged(graph, treatment, columns, hidden, candidates):
    return [
        nx.is_d_separator(graph, {treatment}, {c}, set(columns))
        or not nx.is_d_separator(graph, {treatment}, {c}, {*columns, hidden})
        for c in candidates
    ]


def _moved(value, se, c, s, spread):
    return np.array([value - np.mean(c), np.sqrt(se**2 + spread)])


WRONG = {
    "dags/02.1": [
        lambda effect, y, t, x, orders: _summary([effect(y[o], t, x) for o in orders]),
        lambda effect, y, t, x, orders: _summary([effect(y, t[o], x[o]) for o in orders]),
        lambda effect, y, t, x, orders: _summary([effect(y, t[o], x) for o in orders], ddof=0),
        lambda effect, y, t, x, orders: _summary([effect(y[o], t[o], x[o]) for o in orders]),
    ],
    "dags/02.2": [_deaf_allowed, _reached_allowed, _exchanged],
    "dags/02.3": [
        lambda se, b: (1.959964 * se / b) ** 2,
        lambda se, b: 2.801585 * se / b,
        lambda se, b: (b / (2.801585 * se)) ** 2,
        lambda se, b: (se / b) ** 2,
    ],
    "dags/02.4": [
        lambda value, se, c, s: _moved(value, se, c, s, np.var(c, ddof=1)),
        lambda value, se, c, s: _moved(value, se, c, s, np.var(c, ddof=1) - np.mean(s) ** 2),
        lambda value, se, c, s: _moved(value, se, c, s, np.mean(s**2)),
        lambda value, se, c, s: np.array([value + np.mean(c), _moved(value, se, c, s, np.var(c, ddof=1))[1]]),
    ],
}
