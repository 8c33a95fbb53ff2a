"""Rosenbaum's bounds for matched pairs: the signed-rank test when one of two may have been likelier treated."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray


def rosenbaum_bounds(differences: ArrayLike, gammas: ArrayLike) -> pd.DataFrame:
    """Return the smallest and the largest p-value of the signed-rank test under hidden bias of at most Gamma.

    Parameters
    ----------
    differences : array_like of shape (k,)
        Treated minus control, one a pair; the test asks whether they lean above zero. For a harmful effect pass
        them with the sign turned. Pairs without a difference drop out; ties get mean ranks.
    gammas : array_like of shape (m,)
        Odds ratios of 1 or more: within a pair, how much likelier one may have been the treated one.

    Returns
    -------
    pandas.DataFrame
        `gamma`, `p_low`, `p_high`: one-sided p-values by the normal approximation.

    Raises
    ------
    ValueError
        If a number is not finite, all differences are zero, or a gamma is below 1.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: rosenbaum2002observational
    """
    ranks, statistic = _signed_ranks(differences)
    gamma = checked_gammas(gammas)
    least, most = (
        norm.sf((statistic - p * ranks.sum()) / np.sqrt(p * (1 - p) * (ranks**2).sum()))
        for p in (1 / (1 + gamma), gamma / (1 + gamma))
    )
    return pd.DataFrame({"gamma": gamma, "p_low": least, "p_high": most})


def rosenbaum_gamma(differences: ArrayLike, alpha: float = 0.05) -> float:
    """Return the largest Gamma at which the signed-rank test still rejects at level `alpha`.

    Parameters
    ----------
    differences : array_like of shape (k,)
        As in `rosenbaum_bounds`.
    alpha : float
        One-sided level, in (0, 0.5).

    Returns
    -------
    float
        1 or more; 1 if the test doesn't reject even without hidden bias.

    Raises
    ------
    ValueError
        If a number is not finite, all differences are zero, or `alpha` is out of its range.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: rosenbaum2002observational
    """
    ranks, statistic = _signed_ranks(differences)
    _validate.number(alpha, "alpha", above=0.0, below=0.5)
    limit, total, squares = norm.isf(alpha), ranks.sum(), (ranks**2).sum()

    def beyond(log_gamma: float) -> float:
        p = 1 / (1 + np.exp(-log_gamma))
        return float(statistic - p * total - limit * np.sqrt(p * (1 - p) * squares))

    if beyond(0.0) <= 0:
        return 1.0
    return float(np.exp(brentq(beyond, 0.0, 40.0))) if beyond(40.0) < 0 else float("inf")


def _signed_ranks(differences: ArrayLike) -> tuple[FloatArray, float]:
    """Return the ranks of the absolute differences that are not zero, and the sum of those above zero."""
    d = _validate.vector(differences, "differences")
    d = d[d != 0]
    if not len(d):
        raise ValueError("differences are all zero; there is nothing to test.")
    ranks = np.asarray(rankdata(np.abs(d)), np.float64)
    return ranks, float(ranks[d > 0].sum())


def checked_gammas(gammas: ArrayLike) -> FloatArray:
    """Return odds ratios of 1 or more."""
    gamma = _validate.vector(gammas, "gammas")
    if (gamma < 1).any():
        raise ValueError(f"gammas must be 1 or more, but are not in {_validate.rows(gamma < 1)}; turn them around.")
    return gamma
