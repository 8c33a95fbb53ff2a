"""The variance of matching: conditional variances from neighbours in the own group, and the estimated score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from causalrec_lib._neighbours import TIE, IntArray
from causalrec_lib._propensity import PropensityFit
from causalrec_lib._validate import FloatArray


def conditional_variance(
    y: FloatArray, t: FloatArray, space: FloatArray, rows: IntArray, neighbours: int
) -> FloatArray:
    """Return M / (M + 1) (y_i - mean of its M nearest in the own group)^2 for the given rows.

    M is the number asked for, or more where several are as near as the last of them: all of those count, so that
    neither the order of rows nor the last bits of a distance decide.

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
        Neighbours asked for.

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
        own = y[members] - y[members].mean()  # centred, so that sums lose no digits
        count, total = (_on_line if space.shape[1] == 1 else _in_space)(space[members], own, position, j)
        count, total = count - 1, total - own[position]  # all but the row itself
        out[here] = count / (count + 1) * (own[position] - total / count) ** 2
    return out


def _on_line(space: FloatArray, y: FloatArray, position: IntArray, j: int) -> tuple[FloatArray, FloatArray]:
    """Return, for rows at `position`, how many lie as near as the j-th nearest other, and their sum of y."""
    order = np.argsort(space[:, 0], kind="stable")
    s, sums = space[order, 0], np.r_[0.0, np.cumsum(y[order])]
    here = space[position, 0]
    window = np.searchsorted(s, here)[:, None] + np.arange(-j, j + 1)  # the row itself is among its equals
    gaps = np.where(
        (window >= 0) & (window < len(s)), np.abs(s[np.clip(window, 0, len(s) - 1)] - here[:, None]), np.inf
    )
    radius = np.partition(gaps, j, axis=1)[:, j] + TIE * np.abs(s).max(initial=1e-300)
    low, high = np.searchsorted(s, here - radius, "left"), np.searchsorted(s, here + radius, "right")
    return (high - low).astype(np.float64), sums[high] - sums[low]


def _in_space(space: FloatArray, y: FloatArray, position: IntArray, j: int) -> tuple[FloatArray, FloatArray]:
    """Return, for rows at `position`, how many lie as near as the j-th nearest other, and their sum of y.

    Equal rows are one point that counts several times, so that a column of two values costs no more than any other.
    """
    points, which = np.unique(space, axis=0, return_inverse=True)
    which = which.reshape(-1)
    rows, sums = np.bincount(which).astype(np.float64), np.bincount(which, weights=y)
    asked, back = np.unique(which[position], return_inverse=True)
    tree = cKDTree(points, balanced_tree=False)
    k = min(j + 2, len(points))
    gaps, near = (a.reshape(len(asked), k) for a in tree.query(points[asked], k=k))
    enough = np.cumsum(rows[near], axis=1) > j
    last = np.where(enough.any(axis=1), enough.argmax(axis=1), k - 1)
    radius = np.take_along_axis(gaps, last[:, None], axis=1)[:, 0] + 100 * TIE * np.abs(points).max(initial=1e-300)
    inside = gaps <= radius[:, None]
    count, total = (rows[near] * inside).sum(axis=1), (sums[near] * inside).sum(axis=1)
    for i in np.flatnonzero(inside[:, -1] & (k < len(points))):  # there may be more at this distance
        ball = np.sort(tree.query_ball_point(points[asked[i]], radius[i]))
        count[i], total[i] = rows[ball].sum(), sums[ball].sum()
    return count[back], total[back]


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
