"""Wrong answers to the exercises of language/04_llm_as_recommender."""

import numpy as np


def sorted_by_order(advantage, order):
    return np.take_along_axis(advantage, order, axis=1).mean(axis=0)


WRONG = {
    "language/04.1": [
        lambda advantage, order: advantage.mean(axis=0),
        sorted_by_order,
        lambda advantage, order: np.sort(advantage, axis=1).mean(axis=0),
    ],
    "language/04.2": [
        lambda observed, draws: np.mean(np.abs(draws) >= np.abs(observed)),
        lambda observed, draws: (1 + np.sum(draws >= observed)) / (1 + len(draws)),
        lambda observed, draws: (1 + np.sum(np.abs(draws) >= observed)) / (1 + len(draws)),
    ],
    "language/04.3": [
        lambda advantage, k: advantage[:, k].mean() - advantage.mean(),
        lambda advantage, k: np.delete(advantage, k, axis=1).mean() - advantage[:, k].mean(),
        lambda advantage, k: advantage[:, k].mean() - advantage[:, -1].mean(),
    ],
    "language/04.4": [
        lambda hit, shopper: hit.std(ddof=1) / np.sqrt(len(hit)),
        lambda hit, shopper: (np.bincount(shopper, hit) / np.bincount(shopper)).std(ddof=1),
        lambda hit, shopper: (np.bincount(shopper, hit) / np.bincount(shopper)).std() / np.sqrt(shopper.max() + 1),
    ],
}
