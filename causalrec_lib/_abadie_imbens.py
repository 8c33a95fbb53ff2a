"""The variance of matching: conditional variances from neighbours in the own group, and the estimated score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from causalrec_lib._neighbours import IntArray
from causalrec_lib._propensity import PropensityFit
from causalrec_lib._validate import FloatArray


def conditional_variance(
    y: FloatArray, t: FloatArray, space: FloatArray, rows: IntArray, neighbours: int
) -> FloatArray:
    """Return J / (J + 1) (y_i - mean of its J nearest in the own group)^2 for the given rows.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcome, or its residual.
    t : ndarray of shape (n,)
        Treatment.
    space : ndarray of shape (n, d)
        Coordinates that were matched on.
    rows : ndarray of shape (k,)
        Rows to compute.
    neighbours : int
        J.

    Returns
    -------
    ndarray of shape (k,)
        Unbiased for the conditional variance where the conditional mean is locally flat.

    Raises
    ------
    ValueError
        If a group has a single row.

    Notes
    -----
    Chapter: weighting/02_matching

    References
    ----------
    bib: abadie2006large
    """
    out = np.zeros(len(rows))
    for group in (0.0, 1.0):
        members = np.flatnonzero(t == group)
        here = np.flatnonzero(t[rows] == group)
        if not len(here):
            continue
        if len(members) < 2:
            raise ValueError(f"t has a single row with t={group:g}; its conditional variance can't be estimated.")
        j = min(neighbours, len(members) - 1)
        position = np.searchsorted(members, rows[here])
        find = _near_on_line if space.shape[1] == 1 else _near_in_space
        near = find(space[members], position, j)
        mean = y[members[near]].mean(axis=1)
        out[here] = j / (j + 1) * (y[rows[here]] - mean) ** 2
    return out


def _near_on_line(space: FloatArray, position: IntArray, j: int) -> IntArray:
    """Return, for rows at `position`, the j nearest others on the line."""
    order = np.argsort(space[:, 0], kind="stable")
    s = space[order, 0]
    rank = np.empty(len(s), dtype=np.int64)
    rank[order] = np.arange(len(s))
    window = rank[position][:, None] + np.r_[np.arange(-j, 0), np.arange(1, j + 1)]
    inside = (window >= 0) & (window < len(s))
    clipped = np.clip(window, 0, len(s) - 1)
    gaps = np.where(inside, np.abs(s[clipped] - space[position, 0][:, None]), np.inf)
    best = np.argpartition(gaps, j - 1, axis=1)[:, :j]
    return order[np.take_along_axis(clipped, best, axis=1)]


def _near_in_space(space: FloatArray, position: IntArray, j: int) -> IntArray:
    """Return, for rows at `position`, the j nearest others in space."""
    _, hits = cKDTree(space, balanced_tree=False).query(space[position], k=j + 1)
    self_at = hits == position[:, None]
    self_at[~self_at.any(axis=1), -1] = True  # duplicates crowded the row itself out: drop the last instead
    return hits[~self_at].reshape(len(position), j)


def score_adjustment(
    y: FloatArray, t: FloatArray, fit: PropensityFit, score: FloatArray, focal: float | None, effect: float
) -> float:
    """Return what to add to the variance because the propensity score was estimated.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcome, or its residual from the bias correction.
    t : ndarray of shape (n,)
        Treatment.
    fit : PropensityFit
        The model behind the score.
    score : ndarray of shape (n,)
        The score that was matched on.
    focal : float or None
        Group whose effect is estimated, 1 (ATT) or 0 (ATC); None for the ATE.
    effect : float
        Mean of own minus partner's outcome in the focal group; unused for the ATE.

    Returns
    -------
    float
        -c' I^-1 c / n for the ATE, which is never positive; else (d' I^-1 d - c' I^-1 c) / n, of either sign.

    Notes
    -----
    With f = p (1 - p), the logistic density, the published terms shorten to
    c = E[(1 - p) Cov(X, Y | p, 1) + p Cov(X, Y | p, 0)] for the ATE, and with P = P(T = 1) to
    d = E[X ((1 - p) T Y - p (1 - T) Y - p (1 - p) tau)] / P and c = d + E[p Cov(X, Y | p, 0)] / P for the ATT.
    The conditional covariances come from neighbouring rows of a group.
    Chapter: weighting/02_matching

    Raises
    ------
    ValueError
        If a group has a single row.

    References
    ----------
    bib: abadie2016matching
    """
    Z, n = fit.design, len(y)
    if focal is None:
        c = _mean_covariance(Z, y, t == 1, score, 1 - fit.e) + _mean_covariance(Z, y, t == 0, score, fit.e)
        d = np.zeros_like(c)
    else:
        own = t == focal
        p = fit.e if focal == 1 else 1 - fit.e
        r = y - y.mean()
        d = Z.T @ (np.where(own, (1 - p) * r, -p * r) - p * (1 - p) * effect) / own.sum()
        c = d + _mean_covariance(Z, y, ~own, score, p) * n / own.sum()
    return float((d @ np.linalg.solve(fit.information, d) - c @ np.linalg.solve(fit.information, c)) / n)


def _mean_covariance(
    Z: FloatArray, y: FloatArray, group: NDArray[np.bool_], score: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return mean_i weight_i Cov(Z, Y | score_i, group), each from the two rows of the group next to score_i."""
    members = np.flatnonzero(group)
    if len(members) < 2:
        raise ValueError("t has a group of a single row; the error of a fitted score needs two: se='score_known'.")
    members = members[np.argsort(score[members], kind="stable")]
    spot = np.clip(np.searchsorted(score[members], score), 1, len(members) - 1) - 1
    load = np.bincount(spot, weights=weight, minlength=len(members) - 1)
    return (load * np.diff(y[members]) / 2) @ np.diff(Z[members], axis=0) / len(y)
