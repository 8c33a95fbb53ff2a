"""Matrix factorisation by alternating least squares: weighted on the pairs that were seen, or on a complete table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

Positions = NDArray[np.int64]
_SPREAD = 0.1  # of the random start


@dataclass(frozen=True, eq=False)
class Factors:
    """Predicted ratings: a mean, an offset for each user and item, and a product of factors.

    Parameters
    ----------
    mean : float
        Level, in stars.
    users : ndarray of shape (n_users, rank + 1)
        Factors of each user; the last column is the user's offset, in stars.
    items : ndarray of shape (n_items, rank + 1)
        Factors of each item; the last column is the item's offset, in stars.
    low : float
        Smallest prediction, in stars.
    high : float
        Largest prediction, in stars.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random
    """

    mean: float
    users: FloatArray
    items: FloatArray
    low: float
    high: float

    def table(self) -> FloatArray:
        """Return the predicted stars of all pairs.

        Returns
        -------
        ndarray of shape (n_users, n_items)
            Stars, within `low` and `high`.
        """
        product = self.users[:, :-1] @ self.items[:, :-1].T
        return np.clip(self.mean + self.users[:, -1:] + self.items[:, -1] + product, self.low, self.high)

    def predict(self, users: ArrayLike, items: ArrayLike) -> FloatArray:
        """Return the predicted stars of some pairs.

        Parameters
        ----------
        users : array_like of shape (n,)
            Row of the user, from 0.
        items : array_like of shape (n,)
            Row of the item, from 0.

        Returns
        -------
        ndarray of shape (n,)
            Stars, within `low` and `high`.

        Raises
        ------
        ValueError
            If a position is no whole number, is not there, or the lengths differ.
        """
        u = _validate.positions(users, "users", len(self.users))
        i = _validate.positions(items, "items", len(self.items), len(u), "users")
        product = np.einsum("nk,nk->n", self.users[u, :-1], self.items[i, :-1])
        return np.clip(self.mean + self.users[u, -1] + self.items[i, -1] + product, self.low, self.high)


def cells(
    users: ArrayLike, items: ArrayLike, stars: ArrayLike, shape: object
) -> tuple[Positions, Positions, FloatArray, tuple[int, int]]:
    """Return rated pairs as positions in a table of that shape; refuse a pair that stands there twice."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(
            f"shape must be two whole numbers, but is {_validate.shown(shape)}; pass (n_users, n_items)."
        )
    n_users, n_items = (_validate.integer(side, "each side of shape", 1) for side in shape)
    y = _validate.vector(stars, "stars")
    u = _validate.positions(users, "users", n_users, len(y), "stars")
    i = _validate.positions(items, "items", n_items, len(y), "stars")
    code = np.sort(u * n_items + i)
    if (code[1:] == code[:-1]).any():
        raise ValueError("users and items name a pair twice; keep one rating a pair, for example the last.")
    return u, i, y, (n_users, n_items)


def check(rank: int, penalty: float, rounds: int, seed: int) -> None:
    """Refuse options that no factorisation can take."""
    _validate.integer(rank, "rank", 1)
    _validate.number(penalty, "penalty", above=0.0)
    _validate.integer(rounds, "rounds", 1)
    _validate.integer(seed, "seed", 0, 2**32 - 1)


def start(shape: tuple[int, int], rank: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return small random factors of users and items; their last columns, the offsets, are zero."""
    rng = np.random.default_rng(seed)
    P, Q = (rng.normal(scale=_SPREAD, size=(n, rank + 1)) for n in shape)
    P[:, -1] = Q[:, -1] = 0.0
    return P, Q


def ridge(w: Any, target: FloatArray, F: FloatArray, penalty: float) -> FloatArray:
    """Solve a ridge regression a row, all on the features F: (sum w F F' + penalty I)^-1 target.

    `w`, dense or sparse, holds a row's weights, and `target` its sums of weight times outcome times features.
    """
    k = F.shape[1]
    a, b = np.triu_indices(k)
    gram = np.empty((w.shape[0], k, k))
    gram[:, a, b] = gram[:, b, a] = w @ (F[:, a] * F[:, b])
    gram[:, range(k), range(k)] += penalty
    return np.linalg.solve(gram, target[..., None])[..., 0]


def _one_side(w: sparse.csr_matrix, wr: sparse.csr_matrix, other: FloatArray, penalty: float) -> FloatArray:
    """Solve the ridge regressions of one side, all at once, with the other side held fixed.

    A row's target is its rating minus mean and the other side's offset; its features are the other side's factors and
    a one. `w` holds the weights and `wr` weights times (rating - mean), both sparse.
    """
    F = np.column_stack([other[:, :-1], np.ones(len(other))])
    return ridge(w, wr @ F - w @ (F * other[:, -1:]), F, penalty)


def seen(
    cells_: tuple[Positions, Positions, FloatArray, tuple[int, int]],
    w: FloatArray,
    rank: int,
    penalty: float,
    rounds: int,
    seed: int,
) -> Factors:
    """Minimise sum w (r - prediction)^2 + penalty * (squares of factors and offsets) over the pairs seen."""
    u, i, y, shape = cells_
    mean = float(np.average(y, weights=w))
    W = sparse.csr_matrix((w, (u, i)), shape=shape)
    WR = sparse.csr_matrix((w * (y - mean), (u, i)), shape=shape)
    WT, WRT = W.T.tocsr(), WR.T.tocsr()
    P, Q = start(shape, rank, seed)
    for _ in range(rounds):
        P = _one_side(W, WR, Q, penalty)
        Q = _one_side(WT, WRT, P, penalty)
    return Factors(mean, P, Q, float(y.min()), float(y.max()))


def complete(Z: FloatArray, first: Factors, penalty: float, rounds: int, weight: float = 1.0) -> Factors:
    """Minimise weight * sum over all pairs of (Z - prediction)^2 + penalty * (squares), from `first` on."""
    mean = float(Z.mean())
    P, Q = first.users.copy(), first.items.copy()
    R = Z - mean

    def one_side(target: FloatArray, other: FloatArray) -> FloatArray:
        F = np.column_stack([other[:, :-1], np.ones(len(other))])
        gram = weight * F.T @ F + penalty * np.eye(F.shape[1])
        return np.linalg.solve(gram, weight * (target @ F - other[:, -1] @ F).T).T

    for _ in range(rounds):
        P = one_side(R, Q)
        Q = one_side(R.T, P)
    return Factors(mean, P, Q, first.low, first.high)
