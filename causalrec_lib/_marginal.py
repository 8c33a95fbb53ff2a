"""Bounds of a weighted mean when the odds of treatment may be off by a factor: the marginal sensitivity model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._rosenbaum import checked_gammas
from causalrec_lib._validate import FloatArray


def marginal_bounds(
    y: ArrayLike,
    t: ArrayLike,
    e: ArrayLike,
    gammas: ArrayLike,
    *,
    n_boot: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the range of the Hajek ATE if every row's odds of treatment may be off by a factor of at most Gamma.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    e : array_like of shape (n,)
        Propensities given what is observed, strictly between 0 and 1.
    gammas : array_like of shape (m,)
        Odds ratios of 1 or more between the true propensity and `e`, in any row and either direction.
    n_boot : int
        Bootstrap samples of rows for the interval; 0 for none.
    seed : int
        Of the bootstrap.
    level : float
        Coverage that the interval claims.

    Returns
    -------
    pandas.DataFrame
        `gamma`, `low`, `high`: the smallest and the largest estimate; `ci_low`, `ci_high`: percentile bootstrap, NaN
        without. The propensities stay as they are in each sample.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or an option is out of its range.

    Notes
    -----
    Each end is a linear fractional programme whose optimum gives rows above a cut of the outcome one extreme weight
    and the others the other, so it is found by sorting. Chapter: weighting/04_sensitivity

    References
    ----------
    bib: zhao2019sensitivity
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    p = _validate.propensity(e, "e", len(outcome), "y")
    gamma = checked_gammas(gammas)
    _validate.integer(n_boot, "n_boot")
    rng = np.random.default_rng(_validate.integer(seed, "seed"))
    _validate.number(level, "level", above=0.0, below=1.0)
    sides = [(outcome[group == g], odds[group == g]) for g, odds in ((1, (1 - p) / p), (0, p / (1 - p)))]
    orders = [np.argsort(-values, kind="stable") for values, _ in sides]
    arms = [(values[o], odds[o]) for (values, odds), o in zip(sides, orders, strict=True)]
    ends = np.array([_range(arms, [np.ones(len(a)) for a, _ in arms], g) for g in gamma])
    draws = np.full((n_boot, len(gamma), 2), np.nan)
    for b in range(n_boot):
        counts = np.bincount(rng.integers(len(outcome), size=len(outcome)), minlength=len(outcome)).astype(float)
        times = [counts[group == g][o] for g, o in zip((1, 0), orders, strict=True)]
        if all(part.any() for part in times):
            draws[b] = [_range(arms, times, g) for g in gamma]
    table = pd.DataFrame({"gamma": gamma, "low": ends[:, 0], "high": ends[:, 1], "ci_low": np.nan, "ci_high": np.nan})
    if n_boot:
        table["ci_low"] = np.nanquantile(draws[:, :, 0], (1 - level) / 2, axis=0)
        table["ci_high"] = np.nanquantile(draws[:, :, 1], (1 + level) / 2, axis=0)
    return table


def _range(arms: list[tuple[FloatArray, FloatArray]], times: list[FloatArray], gamma: float) -> tuple[float, float]:
    """Return the smallest and the largest difference of weighted means of the two arms."""
    (low1, high1), (low0, high0) = (_extremes(y, odds, n, gamma) for (y, odds), n in zip(arms, times, strict=True))
    return low1 - high0, high1 - low0


def _extremes(y: FloatArray, odds: FloatArray, times: FloatArray, gamma: float) -> tuple[float, float]:
    """Return the extremes of the mean of y, weighted by 1 + odds times a factor from 1/gamma to gamma; y falls."""
    large, small = times * (1 + odds * gamma), times * (1 + odds / gamma)
    found = []
    for first, rest in ((small, large), (large, small)):  # the weight of the rows above the cut, and below
        sums = np.r_[0, np.cumsum(first * y)] + np.r_[np.cumsum((rest * y)[::-1])[::-1], 0]
        total = np.r_[0, np.cumsum(first)] + np.r_[np.cumsum(rest[::-1])[::-1], 0]
        found.append(sums / total)
    return float(found[0].min()), float(found[1].max())
