"""Effects that differ: how good is a prediction of them, and does it put the right rows first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import cluster_codes, least_squares, n_groups, standard_error
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

__all__ = ["calibration", "pehe", "r_losses", "rate", "targeting_curve"]

ESTIMANDS["calibration slope"] = "by what to multiply predicted effects"
ESTIMANDS["RATE"] = "what rows that are put first gain over the average, averaged over shares"
_ASSUMES = ("no unmeasured confounding given X", "overlap", "no interference", "predictions from other rows")


def pehe(effect: ArrayLike, predicted: ArrayLike) -> float:
    """Return the root mean squared error of predicted effects: precision in estimating heterogeneous effects.

    Parameters
    ----------
    effect : array-like of shape (n,)
        True mean effect of each row given its covariates, in the unit of the outcome; never a noisy difference.
    predicted : array-like of shape (n,)
        Predicted effects, same unit.

    Returns
    -------
    float
        Root of the mean squared difference.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, or of other length.

    Notes
    -----
    Chapter: trees/02_causal_forests

    References
    ----------
    bib: hill2011bayesian
    """
    true = _validate.vector(effect, "effect")
    return float(np.sqrt(np.mean((_validate.vector(predicted, "predicted", len(true), "effect") - true) ** 2)))


def r_losses(y: ArrayLike, t: ArrayLike, predicted: ArrayLike, y_hat: ArrayLike, e: ArrayLike) -> FloatArray:
    """Return the R-loss of each row: it ranks predictions of effects without knowing any effect.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    predicted : array-like of shape (n,)
        Predicted effects, made without these rows' outcomes.
    y_hat : array-like of shape (n,)
        Mean outcome given covariates, whatever the treatment; cross-fitted.
    e : array-like of shape (n,)
        Propensity, strictly between 0 and 1; known or cross-fitted.

    Returns
    -------
    ndarray of shape (n,)
        Squared distance of what covariates leave of the outcome from what they leave of the treatment, times the
        predicted effect. Compare two predictions by the mean of the difference, row by row, and its error.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, t is not 0 or 1, or e is not strictly between 0 and 1.

    Notes
    -----
    Chapter: trees/02_causal_forests

    References
    ----------
    bib: nie2021quasi
    """
    u, v, tau = _remainders(y, t, predicted, y_hat, e)
    return np.asarray((u - v * tau) ** 2)


def calibration(
    y: ArrayLike,
    t: ArrayLike,
    predicted: ArrayLike,
    y_hat: ArrayLike,
    e: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Ask of predicted effects whether their mean is right, and whether they vary as effects do.

    Parameters
    ----------
    y, t, predicted, y_hat, e : array-like of shape (n,)
        As in `r_losses`.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    level : float
        Coverage that the intervals claim.

    Returns
    -------
    dict of str to Estimate
        "mean": by what to multiply the mean prediction; "spread": by what to multiply distances from it. Both are 1
        for perfect predictions; a spread of 0 says that they order nothing.

    Raises
    ------
    ValueError
        If inputs are unfit as in `r_losses`, or predictions are all alike or average zero.

    Notes
    -----
    Chapter: trees/02_causal_forests

    References
    ----------
    bib: chernozhukov2017generic, athey2019estimating
    """
    u, v, tau = _remainders(y, t, predicted, y_hat, e)
    codes = cluster_codes(clusters, len(u))
    middle = float(tau.mean())
    if np.ptp(tau) <= 1e-12 * max(1.0, float(np.abs(tau).max())) or abs(middle) <= 1e-12 * float(np.abs(tau).max()):
        raise ValueError(
            "predicted is all alike, or averages zero: a slope of it has no meaning; pass effects that vary."
        )
    design = np.column_stack([v * middle, v * (tau - middle)])
    slopes, influence = least_squares(design, u)
    return {
        name: Estimate(
            float(slopes[k]), standard_error(influence[:, k], codes), "calibration slope",
            "best linear predictor of effects", len(u), level=level, assumptions=_ASSUMES, n_clusters=n_groups(codes),
            influence=influence[:, k], clusters=codes,
        )
        for k, name in enumerate(("mean", "spread"))
    }  # fmt: skip


def rate(
    scores: ArrayLike,
    priority: ArrayLike,
    *,
    weighting: str = "autoc",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate what a priority is worth: the rank-weighted average treatment effect.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Doubly robust score of each row, whose mean is the average effect: `influence + value` of
        `doubly_robust.aipw`.
    priority : array-like of shape (n,)
        Rows with larger values are treated first; made without these rows' outcomes. Ties share their places.
    weighting : {"autoc", "qini"}
        All shares alike, which favours a few rows with large effects; or in proportion to the share.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Zero for a priority that says nothing. The error counts that ranks are estimated, too.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or there is no such weighting.

    Notes
    -----
    Chapter: trees/02_causal_forests

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    psi, place, order = _ranked(scores, priority)
    _validate.one_of(weighting, "weighting", ("autoc", "qini"))
    codes, n = cluster_codes(clusters, len(psi)), len(psi)
    share = np.arange(1, n + 1) / n
    if weighting == "autoc":
        weight, slope = np.cumsum((1 / np.arange(1, n + 1))[::-1])[::-1] - 1, -1 / share
    else:
        weight, slope = 1 - share + 1 / n - (n + 1) / (2 * n), -np.ones(n)
    value = float(weight @ psi / n)
    moved = np.cumsum((slope * psi)[::-1])[::-1] / n  # rows behind a row lose a place by it
    own = _over_ties(weight, place) * _validate.vector(scores, "scores")[order]
    influence = np.empty(n)
    influence[order] = own + _over_ties(moved - float(slope * share @ psi) / n, place) - value
    influence -= influence.mean()
    return Estimate(
        value, standard_error(influence, codes), "RATE", weighting.upper(), n, level=level, unit=unit,
        assumptions=_ASSUMES, n_clusters=n_groups(codes), influence=influence, clusters=codes,
    )  # fmt: skip


def targeting_curve(
    scores: ArrayLike,
    priority: ArrayLike,
    shares: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate how much more rows that come first gain than the average row.

    Parameters
    ----------
    scores, priority : array-like of shape (n,)
        As in `rate`.
    shares : sequence of float
        Shares of rows that are treated, above 0 up to 1, ascending.
    draws : int
        Bootstrap samples behind the errors.
    seed : int
        Draws them.

    Returns
    -------
    DataFrame
        Indexed by share: `gain`, mean score of the first rows minus that of all (the targeting operating
        characteristic), and its standard error `se`.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or shares are out of range or not ascending.

    Notes
    -----
    Chapter: trees/02_causal_forests

    References
    ----------
    bib: yadlowsky2025evaluating
    """
    psi, _, _ = _ranked(scores, priority)
    asked = np.array(_validate.ascending(shares, "shares"))
    if asked[0] <= 0 or asked[-1] > 1:
        raise ValueError(f"shares must lie above 0 and at most at 1; got {shares}.")
    rng = np.random.default_rng(_validate.integer(seed, "seed"))

    def curve(weights: FloatArray) -> FloatArray:
        reached = np.concatenate([[0.0], np.cumsum(weights)])
        gained = np.concatenate([[0.0], np.cumsum(weights * psi)])
        target = asked * reached[-1]
        return np.asarray(np.interp(target, reached, gained) / target - gained[-1] / reached[-1])

    drawn = [
        curve(rng.multinomial(len(psi), np.full(len(psi), 1 / len(psi))).astype(np.float64))
        for _ in range(_validate.integer(draws, "draws", 2))
    ]
    out = {"gain": curve(np.ones(len(psi))), "se": np.std(drawn, axis=0, ddof=1)}
    return pd.DataFrame(out, index=pd.Index(asked, name="share"))


def _remainders(
    y: ArrayLike, t: ArrayLike, predicted: ArrayLike, y_hat: ArrayLike, e: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    a = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(a), "y")
    tau = _validate.vector(predicted, "predicted", len(a), "y")
    mean = _validate.vector(y_hat, "y_hat", len(a), "y")
    return a - mean, group - _validate.propensity(e, "e", len(a), "y"), tau


def _ranked(scores: ArrayLike, priority: ArrayLike) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Return scores from the first to the last row, ties averaged, group of each place, and the order."""
    psi = _validate.vector(scores, "scores")
    first = _validate.vector(priority, "priority", len(psi), "scores")
    order = np.argsort(-first, kind="stable")
    place = np.concatenate([[0], np.cumsum(np.diff(first[order]) != 0)])
    return _over_ties(psi[order], place), place, order


def _over_ties(values: FloatArray, place: NDArray[np.int64]) -> FloatArray:
    return np.asarray((np.bincount(place, values) / np.bincount(place))[place])
