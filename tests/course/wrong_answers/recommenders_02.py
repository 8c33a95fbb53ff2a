"""Wrong answers to the exercises of recommenders/02_off_policy_evaluation."""

import numpy as np


def _share(w):
    return w.sum() ** 2 / (w**2).sum() / len(w)


WRONG = {
    "recommenders/02.1": [
        lambda y, pi, e: (pi / e * y).mean(),
        lambda y, pi, e: (pi * y).sum() / pi.sum(),
        lambda y, pi, e: y.mean(),
    ],
    "recommenders/02.2": [
        lambda P, Q, a, e, y: (P * Q).sum(axis=1).mean(),
        lambda P, Q, a, e, y: (P[np.arange(len(a)), a] / e * y).mean(),
        lambda P, Q, a, e, y: ((P * Q).sum(axis=1) + y - Q[np.arange(len(a)), a]).mean(),
    ],
    "recommenders/02.3": [
        lambda pi, e, s: _share(pi / e),
        lambda pi, e, s: _share(((1 - s) * pi + s * e) / e),
        lambda pi, e, s: _share((s * pi + (1 - s) * e) / e) * len(e),
    ],
    "recommenders/02.4": [
        lambda y, pi, e, M: ((pi / e)[pi / e <= M] * y[pi / e <= M]).mean(),
        lambda y, pi, e, M: (np.where(pi / e <= M, pi / e, 0) * y).mean(),
        lambda y, pi, e, M: (pi / e * y).mean(),
    ],
}
