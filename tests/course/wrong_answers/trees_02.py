"""Wrong answers to the exercises of trees/02_causal_forests."""

import numpy as np


def _area(scores, priority, sign=-1, minus=True):
    ordered = scores[np.argsort(sign * priority)]
    return np.mean(np.cumsum(ordered) / np.arange(1, len(scores) + 1)) - minus * scores.mean()


WRONG = {
    "trees/02.1": [
        lambda y, t, predicted, m, e: np.mean(((y - m) - t * predicted) ** 2),
        lambda y, t, predicted, m, e: np.mean((y - (t - e) * predicted) ** 2),
        lambda y, t, predicted, m, e: np.sum(((y - m) - (t - e) * predicted) ** 2),
        lambda y, t, predicted, m, e: np.sqrt(np.mean(((y - m) - (t - e) * predicted) ** 2)),
    ],
    "trees/02.2": [
        lambda w, u, v: np.sum(w * u * v) / np.sum(w * v * v),
        lambda w, u, v: np.polyfit(v, u, 1)[0],
        lambda w, u, v: np.polyfit(u, v, 1, w=np.sqrt(w))[0],
    ],
    "trees/02.3": [
        lambda scores, priority: _area(scores, priority, sign=1),
        lambda scores, priority: _area(scores, priority, minus=False),
        lambda scores, priority: np.corrcoef(scores, priority)[0, 1],
    ],
    "trees/02.4": [
        lambda tau0, tau1, e: e * tau1 + (1 - e) * tau0,
        lambda tau0, tau1, e: (tau0 + tau1) / 2,
        lambda tau0, tau1, e: e * tau0 + e * tau1,
    ],
}
