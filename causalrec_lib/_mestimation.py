"""Standard errors from influence functions: one line of algebra, shared by every estimator of the part."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

_COLLINEAR = 1e-9
_BLOCK = 512  # rows: their copy stays in cache, and the product is too small for BLAS to split over busy cores


def cluster_codes(clusters: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    """Return the cluster of each of n rows as 0, 1, ...; refuse missing labels, another length and a single group."""
    if clusters is None:
        return None
    codes = _validate.labels(clusters, "clusters", n, "y")
    if codes.max() == 0:
        raise ValueError("clusters names a single group; a standard error needs at least two.")
    return codes


def n_groups(codes: NDArray[np.int64] | None) -> int | None:
    """Return the number of clusters behind codes."""
    return None if codes is None else int(codes.max()) + 1


def standard_error(influence: FloatArray, clusters: ArrayLike | None = None) -> float:
    """Return the sandwich standard error sqrt(c sum_g (sum_{i in g} IF_i)^2) / n of an estimator.

    Parameters
    ----------
    influence : ndarray of shape (n,)
        Influence of each row on the estimate: estimate - truth is about mean(influence).
    clusters : array_like of shape (n,), optional
        Labels of rows that share their noise, for example user ids; by default each row is its own cluster.

    Returns
    -------
    float
        Standard error in the unit of the estimate: HC0 for rows (c = 1); with G clusters c = G / (G - 1).

    Raises
    ------
    ValueError
        If `clusters` has another length than the rows, missing labels, or fewer than two groups.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: stefanski2002calculus
    """
    n = len(influence)
    codes = cluster_codes(clusters, n)
    if codes is None:
        return float(np.sqrt(influence @ influence) / n)
    sums = np.bincount(codes, weights=influence)
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums @ sums)) / n)


def least_squares(design: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return least-squares coefficients and the influence of each row on them, shape (n, k); full rank is assumed."""
    beta = np.linalg.lstsq(design, values, rcond=None)[0]
    bread = np.linalg.inv(design.T @ design / len(values))
    return beta, np.asarray((design * (values - design @ beta)[:, None]) @ bread)


def gram(Z: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    """Return Z' diag(weight) Z, block by block: no second table in memory, no threads that wait for each other."""
    total = np.zeros((Z.shape[1], Z.shape[1]))
    for start in range(0, len(Z), _BLOCK):
        block = Z[start : start + _BLOCK]
        total += block.T @ (block if weight is None else block * weight[start : start + _BLOCK, None])
    return total


def standardised(X: FloatArray, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return [1, (X - mean) / sd], the means and the sds; refuse columns that add nothing.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Covariates without a constant.
    names : tuple of str
        Column names for the message.

    Returns
    -------
    tuple of ndarray
        Design of shape (n, 1 + p), means (p,) and standard deviations (p,).

    Raises
    ------
    ValueError
        If a column is constant or a linear combination of others.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """
    center, scale = X.mean(axis=0), X.std(axis=0)
    flat = scale <= 1e-12 * np.maximum(1.0, np.abs(center))
    if flat.any():
        raise ValueError(
            f"X has constant columns: {_listed(names, flat)}; drop them, the intercept is added for you."
        )
    Z = np.empty((len(X), X.shape[1] + 1))
    Z[:, 0] = 1.0
    np.divide(X - center, scale, out=Z[:, 1:])
    _, r, pivot = qr(gram(Z[:, 1:]) / len(Z), mode="economic", pivoting=True)
    spare = np.zeros(X.shape[1], dtype=bool)
    spare[pivot[np.abs(np.diag(r)) < _COLLINEAR]] = True
    if spare.any():
        raise ValueError(
            f"X has columns that are linear combinations of others: {_listed(names, spare)}; "
            "drop them (for dummies: one level of each factor)."
        )
    return Z, center, scale


def _listed(names: tuple[str, ...], marked: NDArray[np.bool_]) -> str:
    return ", ".join(name for name, hit in zip(names, marked, strict=True) if hit)
