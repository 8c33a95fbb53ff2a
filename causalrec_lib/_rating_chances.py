"""Chances that a pair of user and item gets rated: by popularity, by a factorisation of the pattern, by the stars."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.decomposition import NMF

from causalrec_lib import _validate
from causalrec_lib._factorise import cells
from causalrec_lib._validate import FloatArray


@dataclass(frozen=True, eq=False)
class StarChances:
    """Chances of being rated that depend on the stars alone, made from the log and a survey.

    Parameters
    ----------
    p : ndarray of shape (n,)
        Chance of each rated pair, in (0, 1].
    by_star : pandas.DataFrame
        One row a star: `log`, `survey` (shares) and `p`.
    code : ndarray of shape (n,)
        Row of `by_star` for each rated pair.
    n_survey : int
        Ratings in the survey.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random
    """

    p: FloatArray
    by_star: pd.DataFrame
    code: NDArray[np.int64] = field(repr=False)
    n_survey: int


def naive_bayes(stars: ArrayLike, survey: ArrayLike, n_pairs: int) -> StarChances:
    """Estimate the chance of being rated given the stars, by Bayes' rule, from a log and a small random survey.

    P(rated | r) = P(r | rated) P(rated) / P(r); the survey gives P(r).

    Parameters
    ----------
    stars : array_like of shape (n,)
        Stars of the pairs in the log.
    survey : array_like of shape (m,)
        Stars of pairs drawn at random, all of which answered.
    n_pairs : int
        Number of pairs of users and items, rated or not.

    Returns
    -------
    StarChances
        Chance of each rated pair, and the table by star.

    Raises
    ------
    ValueError
        If a star of the log is missing in the survey or the reverse, a chance is above 1, or input is no number.

    Notes
    -----
    Stars in the survey that nobody rated in the log have no overlap; no weight can bring them back.
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: schnabel2016recommendations, marlin2009collaborative
    """
    r = _validate.vector(stars, "stars")
    s = _validate.vector(survey, "survey")
    _validate.integer(n_pairs, "n_pairs", len(r))
    values, code, counts = np.unique(r, return_inverse=True, return_counts=True)
    silent = np.setdiff1d(s, values)
    if len(silent):
        raise ValueError(
            f"stars lacks {', '.join(f'{v:g}' for v in silent)}, which the survey has: pairs with these are never "
            "rated (no overlap). Merge them with a neighbour, or leave them out of the question."
        )
    in_survey = np.array([(s == v).mean() for v in values])
    if (in_survey == 0).any():
        raise ValueError(
            f"survey has no pair with {', '.join(f'{v:g}' for v in values[in_survey == 0])} stars, but the log has; "
            "ask more people, or merge these stars with a neighbour."
        )
    p = counts / n_pairs / in_survey
    if (p > 1).any():
        raise ValueError(
            f"n_pairs of {n_pairs} and this survey give a chance above 1 for {values[p > 1][0]:g} stars; count the "
            "pairs again, or ask more people."
        )
    table = pd.DataFrame({"log": counts / len(r), "survey": in_survey, "p": p}, index=pd.Index(values, name="stars"))
    return StarChances(p[code], table, code.astype(np.int64), len(s))


def popularity(items: ArrayLike, n_users: int) -> FloatArray:
    """Return for each rated pair the share of users that rated its item.

    Parameters
    ----------
    items : array_like of shape (n,)
        Row of the item, from 0, one entry a rated pair.
    n_users : int
        Users that could have rated.

    Returns
    -------
    ndarray of shape (n,)
        Chances in (0, 1].

    Raises
    ------
    ValueError
        If an item has more ratings than there are users, or a position is no whole number.

    Notes
    -----
    Blind to who the user is and to the stars: right only if nothing else decides about ratings.
    Chapter: recommenders/01_missing_not_at_random
    """
    i = _validate.positions(items, "items")
    _validate.integer(n_users, "n_users", 1)
    p = np.bincount(i)[i] / n_users
    if (p > 1).any():
        raise ValueError(
            f"n_users is {n_users}, but items has more ratings than that for one item; count users again."
        )
    return np.asarray(p, dtype=np.float64)


def poisson(
    users: ArrayLike, items: ArrayLike, shape: tuple[int, int], *, rank: int = 5, rounds: int = 60, seed: int = 0
) -> FloatArray:
    """Return the chance of each rated pair by a Poisson factorisation of who rated what.

    The pattern of ratings, zeros and ones, is taken as counts with means W H; a pair is rated with chance
    1 - exp(-(W H)). The fit is scikit-learn's non-negative factorisation under Kullback-Leibler loss, the maximum
    likelihood of that model; no prior shrinks it.

    Parameters
    ----------
    users : array_like of shape (n,)
        Row of the user, from 0.
    items : array_like of shape (n,)
        Row of the item, from 0.
    shape : (int, int)
        Users and items.
    rank : int
        Number of factors.
    rounds : int
        Multiplicative updates.
    seed : int
        Seed of the start.

    Returns
    -------
    ndarray of shape (n,)
        Chances in (0, 1).

    Raises
    ------
    ValueError
        If positions are not whole numbers of the table, a pair is there twice, or an option is out of range.

    Notes
    -----
    Sees users and items, never the stars. Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: schnabel2016recommendations
    """
    _validate.integer(rank, "rank", 1)
    _validate.integer(rounds, "rounds", 1)
    _validate.integer(seed, "seed", 0, 2**32 - 1)
    n = len(_validate.vector(users, "users"))
    _validate.vector(items, "items", n, "users")
    u, i, ones, sides = cells(users, items, np.ones(n), shape)
    pattern = sparse.csr_matrix((ones, (u, i)), shape=sides)
    model = NMF(
        rank, beta_loss="kullback-leibler", solver="mu", init="random", max_iter=rounds, tol=0, random_state=seed
    )
    W = model.fit_transform(pattern)
    mean = np.einsum("nk,nk->n", W[u], model.components_.T[i])
    return np.clip(-np.expm1(-mean), 1e-12, 1.0)
