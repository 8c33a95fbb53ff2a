"""What the users' lists have in common: attention by item, novelty, diversity, calibration to past taste."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._mestimation import standard_error
from causalrec_lib._rank_metrics import discount
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

SMOOTHING = 0.01


def mean_over_users(
    values: FloatArray,
    kept: NDArray[np.bool_],
    estimand: str,
    method: str,
    level: float,
    notes: tuple[str, ...] = (),
    assumptions: tuple[str, ...] = ("users are independent",),
    unit: str = "",
) -> Estimate:
    """Return the mean of the kept users' values; the others have no influence."""
    value = float(values[kept].mean())
    influence = np.where(kept, values - value, 0.0) / kept.mean()
    return Estimate(
        value, standard_error(influence), estimand, method, int(kept.sum()), level=level, unit=unit,
        notes=notes, assumptions=assumptions, influence=influence,
    )  # fmt: skip


def _of_lists(values: FloatArray, name: str, level: float, unit: str = "") -> Estimate:
    return mean_over_users(values, np.ones(len(values), dtype=bool), "list property", name, level, unit=unit)


def item_exposure(lists: ArrayLike, n_items: int, *, discounted: bool = False) -> FloatArray:
    """Return the share of all attention that each item gets from the users' lists.

    Parameters
    ----------
    lists : array-like of int, shape (n_users, k)
        Item numbers, best first; none twice in a row.
    n_items : int
        Items in the catalogue.
    discounted : bool
        Weight rank r by 1 / log2(r + 1); by default all ranks count alike.

    Returns
    -------
    ndarray of shape (n_items,)
        Shares that sum to 1; catalogue coverage is the mean of `item_exposure(...) > 0`.

    Raises
    ------
    ValueError
        If a list holds what is no item, or an item twice.

    Notes
    -----
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: singh2018fairness
    """
    n = _validate.integer(n_items, "n_items", 1)
    shown = _validate.distinct_positions(lists, "lists", n)
    k = shown.shape[1]
    w = discount(k) if _validate.flag(discounted, "discounted") else np.ones(k)
    total = np.bincount(shown.ravel(), weights=np.tile(w, len(shown)), minlength=n)
    return np.asarray(total / total.sum())


def gini(shares: ArrayLike) -> float:
    """Return the Gini coefficient of shares: 0 if all are equal, near 1 if one has everything.

    Parameters
    ----------
    shares : array-like of shape (n,)
        Numbers of zero or more, not all zero.

    Returns
    -------
    float
        From 0 to 1 - 1 / n.

    Raises
    ------
    ValueError
        If a share is negative, or all are zero.

    Notes
    -----
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: fleder2009blockbuster
    """
    x = np.sort(_validate.nonnegative(shares, "shares"))
    if not x.any():
        raise ValueError("shares are all zero; there is nothing to divide.")
    n = len(x)
    return float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum()))


def novelty(lists: ArrayLike, popularity: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return how unknown the listed items are: the mean of -log2 of their share of popularity.

    Parameters
    ----------
    lists : array-like of int, shape (n_users, k)
        Item numbers; none twice in a row.
    popularity : array-like of shape (n_items,)
        Counts above zero, for example purchases of earlier weeks (add one where there were none).
    level : float
        Coverage that the interval claims, over draws of users.

    Returns
    -------
    Estimate
        Mean over users, in bits.

    Raises
    ------
    ValueError
        If a count is not above zero, or a list holds what is no item, or an item twice.

    Notes
    -----
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: vargas2011rank
    """
    count = _validate.positive(popularity, "popularity", "add 1 to counts of items that nobody took")
    shown = _validate.distinct_positions(lists, "lists", len(count))
    bits = -np.log2(count / count.sum())
    return _of_lists(bits[shown].mean(axis=1), f"novelty of {shown.shape[1]} items", level, "bits")


def diversity(lists: ArrayLike, features: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the mean cosine distance of two different items of a list.

    Parameters
    ----------
    lists : array-like of int, shape (n_users, k)
        Item numbers, two or more a user; none twice in a row.
    features : array-like of shape (n_items, p)
        What items are compared by; no row all zero.
    level : float
        Coverage that the interval claims, over draws of users.

    Returns
    -------
    Estimate
        Mean over users: 0 if all listed items point in one direction, 1 if at right angles, 2 at most.

    Raises
    ------
    ValueError
        If a feature row is all zero, a list is shorter than 2, or holds what is no item, or an item twice.

    Notes
    -----
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: vargas2011rank
    """
    z = _validate.matrix(features, "features")
    size = np.linalg.norm(z, axis=1)
    if (size == 0).any():
        raise ValueError(f"features are all zero in {_validate.rows(size == 0)}; such an item has no direction.")
    shown = _validate.distinct_positions(lists, "lists", len(z))
    k = shown.shape[1]
    if k < 2:
        raise ValueError("lists has one item a user; a distance needs two or more.")
    together = (z / size[:, None])[shown].sum(axis=1)
    similar = ((together**2).sum(axis=1) - k) / (k * (k - 1))
    return _of_lists(1 - similar, f"mean cosine distance in lists of {k}", level)


def miscalibration(lists: ArrayLike, groups: ArrayLike, history: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return how far the mix of groups in a list is from that in the user's past: a Kullback-Leibler divergence.

    Parameters
    ----------
    lists : array-like of int, shape (n_users, k)
        Item numbers; none twice in a row.
    groups : array-like of int, shape (n_items,)
        Group of each item, 0 to m - 1, for example its department.
    history : array-like of shape (n_users, m)
        Share of each group in the user's past; rows sum to 1.
    level : float
        Coverage that the interval claims, over draws of users.

    Returns
    -------
    Estimate
        Mean over users of KL(past, 0.99 list + 0.01 past), in nats; 0 for a list with the mix of the past.

    Raises
    ------
    ValueError
        If shares don't sum to 1, a group has no column, or a list holds what is no item, or an item twice.

    Notes
    -----
    Chapter: recommenders/05_evaluation

    References
    ----------
    bib: steck2018calibrated
    """
    past = _validate.distributions(history, "history")
    group = _validate.positions(groups, "groups", past.shape[1])
    shown = _validate.distinct_positions(lists, "lists", len(group), len(past), "history")
    n, m = past.shape
    cell = (np.arange(n)[:, None] * m + group[shown]).ravel()
    mix = np.bincount(cell, minlength=n * m).reshape(n, m) / shown.shape[1]
    mixed = (1 - SMOOTHING) * mix + SMOOTHING * past
    there = past > 0
    terms = np.where(there, past * np.log(np.where(there, past, 1) / np.where(there, mixed, 1)), 0.0)
    return _of_lists(terms.sum(axis=1), "KL divergence from the past", level, "nats")
