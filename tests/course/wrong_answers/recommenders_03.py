"""Wrong answers to the exercises of recommenders/03_policies_from_effects."""

import numpy as np

WRONG = {
    "recommenders/03.1": [
        lambda psi, priority, s: psi[np.argsort(-priority)[: round(s * len(psi))]].mean(),
        lambda psi, priority, s: psi[np.argsort(priority)[: round(s * len(psi))]].sum() / len(psi),
        lambda psi, priority, s: np.sort(psi)[-round(s * len(psi)) :].sum() / len(psi),
    ],
    "recommenders/03.2": [
        lambda y, t, treat, p, c: np.mean(treat * (y * t / p - y * (1 - t) / (1 - p))),
        lambda y, t, treat, p, c: (1 - c) * np.mean(treat * (y * t / p - y * (1 - t) / (1 - p))),
        lambda y, t, treat, p, c: np.mean((1 - c) * y * t / p - y * (1 - t) / (1 - p)),
    ],
    "recommenders/03.3": [
        lambda gains: gains.mean(axis=0).max(),
        lambda gains: gains[::2].mean(axis=0).max(),
        lambda gains: gains[1::2].mean(axis=0).max(),
    ],
}
