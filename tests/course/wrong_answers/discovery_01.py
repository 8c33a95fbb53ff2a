"""Plausible wrong answers to the exercises of discovery/01_learning_graphs, each refused with its own hint."""

from itertools import combinations

import numpy as np


def _entries(found, truth):
    return int((found != truth).sum())


def _skeleton(found, truth):
    return int(np.triu((found | found.T) != (truth | truth.T), 1).sum())


def _extra_only(found, truth):
    return int(((found == 1) & (truth == 0)).sum())


def _half(found, truth):
    return (found != truth).sum() / 2


def _all_pairs(arrows):
    return sum(len(list(combinations(np.flatnonzero(arrows[:, c]), 2))) for c in range(len(arrows)))


def _children(arrows):
    joined = arrows + arrows.T
    return sum(joined[a, b] == 0 for c in range(len(arrows)) for a, b in combinations(np.flatnonzero(arrows[c]), 2))


def _one_way(arrows):
    return sum(
        arrows[a, b] == 0 for c in range(len(arrows)) for a, b in combinations(np.flatnonzero(arrows[:, c]), 2)
    )


def _left(frame, given):
    left = np.column_stack([np.ones(len(frame)), frame[:, given]])
    a, b = (frame[:, k] - left @ np.linalg.lstsq(left, frame[:, k], rcond=None)[0] for k in (0, 1))
    return np.arctanh(np.corrcoef(a, b)[0, 1])


WRONG = {
    "discovery/01.1": [_entries, _skeleton, _extra_only, _half],
    "discovery/01.2": [_all_pairs, _children, _one_way],
    "discovery/01.3": [
        lambda frame, given: np.sqrt(len(frame) - 3) * _left(frame, given),
        lambda frame, given: np.sqrt(len(frame) - len(given)) * _left(frame, given),
        lambda frame, given: np.sqrt(len(frame) - 3) * np.arctanh(np.corrcoef(frame[:, 0], frame[:, 1])[0, 1]),
    ],
}
