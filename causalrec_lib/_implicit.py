"""Factors of a log of purchases, whose zeros say "not shown" or "not wanted": weighted zeros, inferred exposure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import expit, logit

from causalrec_lib import _factorise, _validate
from causalrec_lib._factorise import Factors
from causalrec_lib._validate import FloatArray


@dataclass(frozen=True, eq=False)
class LatentExposure:
    """Preferences and exposure, both inferred from who consumed what.

    Parameters
    ----------
    factors : Factors
        Preference of every pair if it was exposed; offsets are zero.
    prior : ndarray of shape (n_items,) or (n_users, n_items)
        Chance of an exposure before looking at the pair: learned by item, or as it was passed.
    posterior : ndarray of shape (n_users, n_items)
        Chance that a pair was exposed, given its outcome; one where it was consumed.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random
    """

    factors: Factors
    prior: FloatArray
    posterior: FloatArray = field(repr=False)


def implicit(
    users: ArrayLike,
    items: ArrayLike,
    shape: tuple[int, int],
    *,
    zeros: ArrayLike = 1.0,
    rank: int = 10,
    penalty: float = 10.0,
    rounds: int = 10,
    seed: int = 0,
) -> Factors:
    """Factorise a table of ones (consumed) and zeros (not consumed), with a weight for the zeros.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0, one entry a consumed pair.
    items : array_like of shape (n,)
        Row of the item, from 0.
    shape : (int, int)
        Users and items.
    zeros : float or array_like of shape (n_users, n_items)
        Weight of the pairs that were not consumed, 0 to 1: one number, or one a pair (of consumed ones it is not
        read). A consumed pair weighs one.
    rank : int
        Number of factors.
    penalty : float
        Weight of the squared factors, in consumed pairs.
    rounds : int
        Rounds of alternating least squares.
    seed : int
        Seed of the start.

    Returns
    -------
    Factors
        Preferences of all pairs; mean and offsets are zero.

    Raises
    ------
    ValueError
        If a weight leaves 0 to 1, positions are not in the table, a pair stands there twice, or an option is out of
        range.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: hu2008collaborative
    """
    Y, P, Q = _start(users, items, shape, rank, penalty, rounds, seed)
    weight = _shares(zeros, "zeros", Y.shape)
    W = weight.copy() if weight.ndim == 2 else np.full(Y.shape, float(weight))
    W[Y.nonzero()] = 1.0
    for _ in range(rounds):
        P, Q = _both_sides(W, Y, Q, penalty)
    return _factors(P, Q)


def expomf(
    users: ArrayLike,
    items: ArrayLike,
    shape: tuple[int, int],
    *,
    prior: ArrayLike | None = None,
    precision: float = 1.0,
    rank: int = 10,
    penalty: float = 10.0,
    rounds: int = 10,
    seed: int = 0,
) -> LatentExposure:
    """Factorise a table of ones and zeros with latent exposure: a zero counts as far as it was probably seen.

    A pair is exposed with chance mu; if it is, its outcome is normal around the product of factors, and else it is
    zero. Each round of EM infers the exposures of the zeros, then fits factors and mu to them.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0, one entry a consumed pair.
    items : array_like of shape (n,)
        Row of the item, from 0.
    shape : (int, int)
        Users and items.
    prior : array_like of shape (n_users, n_items), optional
        Known chance of each pair to be exposed, 0 to 1; by default mu is learned, one number an item.
    precision : float
        One over the variance of an exposed pair's outcome.
    rank : int
        Number of factors.
    penalty : float
        Precision of the factors' normal prior around zero.
    rounds : int
        Rounds of EM.
    seed : int
        Seed of the start.

    Returns
    -------
    LatentExposure
        Factors, prior and posterior of the exposures.

    Raises
    ------
    ValueError
        If a prior leaves 0 to 1, positions are not in the table, a pair stands there twice, or an option is out of
        range.

    Notes
    -----
    The posterior weighs the normal *density* of a zero against the whole mass of an unexposed one, so that the level
    of mu depends on `precision`: where preferences are near zero, mu settles at the item's share of buyers over
    1 - sqrt(precision / (2 pi)), if that is below one.
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: liang2016modeling
    """
    Y, P, Q = _start(users, items, shape, rank, penalty, rounds, seed)
    _validate.number(precision, "precision", above=0.0)
    mu = (
        np.full(Y.shape[1], 0.5)
        if prior is None
        else _shares(_validate.table(prior, "prior", Y.shape), "prior", Y.shape)
    )
    for _ in range(rounds):
        W = _posterior(mu, P, Q, precision, Y)
        P, Q = _both_sides(W, Y, Q, penalty / precision)
        mu = W.mean(axis=0) if prior is None else mu
    return LatentExposure(_factors(P, Q), mu, _posterior(mu, P, Q, precision, Y))


def _start(
    users: ArrayLike, items: ArrayLike, shape: object, rank: int, penalty: float, rounds: int, seed: int
) -> tuple[sparse.csr_matrix, FloatArray, FloatArray]:
    """Check what both learners take; return the table of ones and the random start."""
    _factorise.check(rank, penalty, rounds, seed)
    n = len(_validate.vector(users, "users"))
    u, i, ones, sides = _factorise.cells(users, _validate.vector(items, "items", n, "users"), np.ones(n), shape)
    P, Q = _factorise.start(sides, rank, seed)
    return sparse.csr_matrix((ones, (u, i)), shape=sides), P[:, :-1], Q[:, :-1]


def _shares(x: ArrayLike, name: str, shape: tuple[int, int]) -> FloatArray:
    """Return a number, or a table of that shape, from 0 to 1."""
    if np.ndim(x) == 0:
        return np.asarray(_validate.number(x, name, low=0.0, high=1.0))
    a = _validate.table(x, name, shape)
    return _validate.inside(a, (a < 0) | (a > 1), name, "between 0 and 1", "pass one chance a pair")


def _both_sides(W: FloatArray, Y: sparse.csr_matrix, Q: FloatArray, penalty: float) -> tuple[FloatArray, FloatArray]:
    """Fit users' factors to the items', then items' to the users'."""
    P = _factorise.ridge(W, Y @ Q, Q, penalty)
    return P, _factorise.ridge(W.T, Y.T @ P, P, penalty)


def _posterior(mu: FloatArray, P: FloatArray, Q: FloatArray, precision: float, Y: sparse.csr_matrix) -> FloatArray:
    """Return the chance that each pair was exposed: its prior odds times the density of a zero; one if consumed."""
    log_density = 0.5 * np.log(precision / (2 * np.pi)) - 0.5 * precision * (P @ Q.T) ** 2
    W = expit(logit(mu) + log_density)
    W[Y.nonzero()] = 1.0
    return np.asarray(W)


def _factors(P: FloatArray, Q: FloatArray) -> Factors:
    """Return factors without mean, offsets and limits."""
    P, Q = (np.column_stack([side, np.zeros(len(side))]) for side in (P, Q))
    return Factors(0.0, P, Q, -np.inf, np.inf)
