"""Small data sets that the checks of several chapters draw."""

from __future__ import annotations

import numpy as np


def both_outcomes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw what pairs buy without and with a display; a display wins many of them and puts off some.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of randomness.
    n : int
        Number of pairs.

    Returns
    -------
    tuple of numpy.ndarray
        Zeros and ones, y0 and y1.
    """
    y0 = rng.random(n) < 0.4
    y1 = rng.random(n) < np.where(y0, 0.8, 0.5)
    return y0.astype(int), y1.astype(int)


def log(
    rng: np.random.Generator, n: int = 60, in_proportion: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a log in which likely buyers are shown more often, and a display does less for them.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of randomness.
    n : int
        Number of pairs, a multiple of ten.
    in_proportion : bool
        Whether of pairs with one propensity exactly that share is shown. Then the weights add up to the numbers of
        pairs, and Horvitz-Thompson and Hajek say the same.

    Returns
    -------
    tuple of numpy.ndarray
        Outcome, display and propensity; in random order, with a very small and a very large propensity.
    """
    tenths = rng.permutation(np.arange(n // 10) % 9 + 1)  # of ten pairs each
    if in_proportion:
        e, t = np.repeat(tenths / 10, 10), np.arange(n) % 10 < np.repeat(tenths, 10)
    else:
        e = np.r_[0.03, 0.97, rng.uniform(0.06, 0.94, n - 2)]
        t = rng.random(n) < e
    y = rng.random(n) < 0.15 + 0.5 * e + t * (0.35 - 0.3 * e)
    order = rng.permutation(n)
    return y[order].astype(float), t[order].astype(float), e[order]


def gap(y: np.ndarray, shown: np.ndarray, others: np.ndarray) -> float:
    """Return the difference of two weighted means.

    Parameters
    ----------
    y : numpy.ndarray
        Outcomes.
    shown, others : numpy.ndarray
        Weights of all rows in the two means, zero for those of the other group.

    Returns
    -------
    float
        The mean under `shown` minus that under `others`.
    """
    return float(np.average(y, weights=shown) - np.average(y, weights=others))
