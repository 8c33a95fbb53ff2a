"""Rating models learned from a log that picks what it shows: weighted, and doubly robust."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _factorise, _validate
from causalrec_lib._factorise import Factors
from causalrec_lib._rating_chances import StarChances
from causalrec_lib._validate import FloatArray


def chances(p: ArrayLike | StarChances | None, n: int, like: str) -> FloatArray:
    """Return the chance of each of n rated pairs: in (0, 1], or one where nothing is known."""
    if p is None:
        return np.ones(n)
    return _validate.happened(p.p if isinstance(p, StarChances) else p, "p", n, like)


def factorise(
    users: ArrayLike,
    items: ArrayLike,
    stars: ArrayLike,
    shape: tuple[int, int],
    *,
    p: ArrayLike | StarChances | None = None,
    rank: int = 10,
    penalty: float = 10.0,
    rounds: int = 15,
    seed: int = 0,
) -> Factors:
    """Factorise a table of ratings; with `p`, each rated pair stands for 1 / p pairs.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0.
    items : array_like of shape (n,)
        Row of the item, from 0.
    stars : array_like of shape (n,)
        The rating, in stars.
    shape : (int, int)
        Users and items.
    p : array_like of shape (n,) or StarChances, optional
        Chance of each rated pair, in (0, 1]; by default all count the same.
    rank : int
        Number of factors, besides an offset for each user and item.
    penalty : float
        Weight of the squared factors and offsets, in ratings: the weights of ratings are scaled to mean one.
    rounds : int
        Rounds of alternating least squares.
    seed : int
        Seed of the start.

    Returns
    -------
    Factors
        Predictions for all pairs, kept within the stars that were seen.

    Raises
    ------
    ValueError
        If `p` leaves (0, 1], positions are not in the table, a pair stands there twice, or an option is out of range.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: schnabel2016recommendations
    """
    _factorise.check(rank, penalty, rounds, seed)
    found = _factorise.cells(users, items, stars, shape)
    w = 1 / chances(p, len(found[2]), "stars")
    return _factorise.seen(found, w / w.mean(), rank, penalty, rounds, seed)


def doubly_robust(
    users: ArrayLike,
    items: ArrayLike,
    stars: ArrayLike,
    shape: tuple[int, int],
    *,
    p: ArrayLike | StarChances | None,
    rank: int = 10,
    penalty: float = 10.0,
    rounds: int = 15,
    passes: int = 1,
    seed: int = 0,
) -> Factors:
    """Learn ratings and their imputation together, so that either model may be wrong.

    For squared error the doubly robust loss is, but for a constant, that of a complete table of pseudo-ratings:
    the imputed rating, plus (rating - imputed) / p where one was seen. Predictions are fitted to that table; then
    the imputation is fitted again so that the imputed *squared errors* match those seen, each by 1 / p.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0.
    items : array_like of shape (n,)
        Row of the item, from 0.
    stars : array_like of shape (n,)
        The rating, in stars.
    shape : (int, int)
        Users and items.
    p : array_like of shape (n,) or StarChances
        Chance of each rated pair, in (0, 1].
    rank : int
        Number of factors of both models, besides offsets.
    penalty : float
        Weight of the squared factors and offsets, on the scale of `factorise`.
    rounds : int
        Rounds of alternating least squares in each fit.
    passes : int
        Times that prediction and imputation are fitted in turn.
    seed : int
        Seed of the start.

    Returns
    -------
    Factors
        Predictions for all pairs, kept within the stars that were seen.

    Raises
    ------
    ValueError
        If `p` leaves (0, 1], positions are not in the table, a pair stands there twice, or an option is out of range.

    Notes
    -----
    The imputation's loss is solved as a weighted least squares with weights from the last prediction.
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: wang2019doubly
    """
    _factorise.check(rank, penalty, rounds, seed)
    _validate.integer(passes, "passes", 1)
    u, i, y, sides = found = _factorise.cells(users, items, stars, shape)
    w = 1 / chances(p, len(y), "stars")
    imputed = model = _factorise.seen(found, w / w.mean(), rank, penalty, rounds, seed)
    share = len(y) / (sides[0] * sides[1])  # so that the penalty weighs as in `factorise`
    for turn in range(passes):
        if turn:
            pull = w * (imputed.predict(u, i) + y - 2 * model.predict(u, i)) ** 2
            imputed = _factorise.seen(found, pull / pull.mean(), rank, penalty, rounds, seed)
        table = imputed.table()
        table[u, i] += w * (y - table[u, i])
        model = _factorise.complete(table, imputed, penalty, rounds, share)
    return model


def penalty_risk(
    users: ArrayLike,
    items: ArrayLike,
    stars: ArrayLike,
    shape: tuple[int, int],
    penalties: Sequence[float],
    *,
    p: ArrayLike | StarChances | None = None,
    folds: int = 4,
    seed: int = 0,
    learner: Callable[..., Factors] = factorise,
    rank: int = 10,
    rounds: int = 15,
) -> pd.Series:
    """Return the cross-validated squared error of each penalty, held-out ratings weighted by 1 / p.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0.
    items : array_like of shape (n,)
        Row of the item, from 0.
    stars : array_like of shape (n,)
        The rating, in stars.
    shape : (int, int)
        Users and items.
    penalties : sequence of float
        Penalties to try.
    p : array_like of shape (n,) or StarChances, optional
        Chance of each rated pair, in (0, 1]. In a fold the chances are multiplied by the fold's share, for learning
        and for judging; weights are scaled to mean one, so that the factor cancels.
    folds : int
        Number of folds.
    seed : int
        Seed of the folds and of the starts.
    learner : function
        `factorise` or `doubly_robust`.
    rank : int
        Number of factors.
    rounds : int
        Rounds of alternating least squares.

    Returns
    -------
    pandas.Series
        Self-normalised squared error by penalty; `.idxmin()` is the choice.

    Raises
    ------
    ValueError
        If an argument is one that the learner refuses, there are more folds than ratings, or no penalty.

    Notes
    -----
    Without `p` the folds are picked like the log, so the choice is for the log and not for all pairs.
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: schnabel2016recommendations
    """
    u, i, y, sides = _factorise.cells(users, items, stars, shape)
    chance = chances(p, len(y), "stars")
    grid = _validate.positive(penalties, "penalties", "try powers of ten")
    _factorise.check(rank, float(grid[0]), rounds, seed)
    _validate.integer(folds, "folds", 2, len(y))
    _validate.function(learner, "learner")
    how = {"rank": rank, "rounds": rounds}
    fold = np.random.default_rng(seed).permutation(len(y)) % folds
    risk = np.zeros(len(grid))
    for k in range(folds):
        a, b = fold != k, fold == k
        for j, penalty in enumerate(grid):
            model = learner(u[a], i[a], y[a], sides, p=chance[a], penalty=float(penalty), seed=seed, **how)
            risk[j] += np.average((model.predict(u[b], i[b]) - y[b]) ** 2, weights=1 / chance[b]) / folds
    return pd.Series(risk, index=pd.Index(grid, name="penalty"), name="risk")
