"""Looking more than once: what it costs, and intervals that hold at every look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import lambertw
from scipy.stats import norm

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

_GRID = 201  # points of the integration over the statistic


def chance_of_an_alarm(looks: int, *, level: float = 0.95) -> float:
    """Return the chance that one of several equally spaced looks at nothing is significant.

    Parameters
    ----------
    looks : int
        Looks at the growing data, 1 to 1,000, after equal parts of the information.
    level : float
        Coverage of the interval that is looked at each time.

    Returns
    -------
    float
        Chance that at least one of the intervals misses an effect of 0.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    The sum of k independent standard normals is carried from look to look by Gauss-Legendre integration over the
    region where no test has rejected. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: armitage1969repeated
    """
    _validate.integer(looks, "looks", 1, 1_000)
    z = float(norm.ppf(0.5 + _validate.number(level, "level", above=0, below=1) / 2))
    nodes, weight = np.polynomial.legendre.leggauss(_GRID)
    place = z * nodes
    density = norm.pdf(place) * weight * z  # mass of the sum after one look, where that was no alarm
    for k in range(2, looks + 1):
        end = z * np.sqrt(k)
        density, place = norm.pdf(end * nodes[:, None] - place) @ density * weight * end, end * nodes
    return float(1 - density.sum())


def confidence_sequence(
    values: ArrayLike, ses: ArrayLike, *, tightest: float | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return intervals that hold at all looks together (normal mixture).

    Parameters
    ----------
    values : array_like of shape (k,)
        Estimates at successive looks, in the outcome's unit.
    ses : array_like of shape (k,)
        Their standard errors, above 0.
    tightest : float, optional
        Standard error at which the intervals shall be narrowest, above 0: that of the planned end. It must be chosen
        before the data. By default the error of the last look, which is fair only if the end was planned.
    level : float
        Chance that all intervals together hold the truth, at least, in large samples.

    Returns
    -------
    DataFrame
        One row a look: `value`, `se`, `low`, `high`, and `p_value`, the smallest so far of the always-valid p-values
        of no effect.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or errors are not above 0.

    Notes
    -----
    With information I = 1 / se^2 the mixture over effects N(0, 1 / rho) gives
    |value - truth| <= sqrt((I + rho) log((I + rho) / (rho (1 - level)^2))) / I. It needs running estimates that
    behave like a Brownian motion in I, or are more alike from look to look than that.
    Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: howard2021time, johari2022always, waudbysmith2024time
    """
    value = _validate.vector(values, "values")
    se = _validate.positive(ses, "ses", "drop looks without data", len(value), "values")
    alpha = 1 - _validate.number(level, "level", above=0, below=1)
    aim = float(se[-1]) if tightest is None else _validate.number(tightest, "tightest", above=0)
    information, rho = 1 / se**2, _mixture(aim, alpha)
    radius = _radius(information, rho, alpha)
    score = value * information
    log_e = 0.5 * np.log(rho / (information + rho)) + score**2 / (2 * (information + rho))
    p = np.minimum.accumulate(np.exp(-np.maximum(log_e, 0)))
    return pd.DataFrame({"value": value, "se": se, "low": value - radius, "high": value + radius, "p_value": p})


def always_valid(estimate: Estimate, *, tightest: float) -> Estimate:
    """Return the estimate with an interval that may be looked at any number of times.

    Parameters
    ----------
    estimate : Estimate
        An estimate of the running experiment, with its standard error.
    tightest : float
        Standard error that is planned for the end, above 0, chosen before the data.

    Returns
    -------
    Estimate
        The same value and error, with the interval of `confidence_sequence`.

    Raises
    ------
    ValueError
        If `estimate` is no Estimate or has no standard error, or `tightest` is not above 0.

    Notes
    -----
    Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: howard2021time, johari2022always
    """
    _validate.instance(estimate, "estimate", Estimate, "pass what an estimator returned")
    if not estimate.se > 0:
        raise ValueError(
            f"estimate must have a standard error above 0, but has {estimate.se:g}; use a method with one."
        )
    aim = _validate.number(tightest, "tightest", above=0)
    row = confidence_sequence([estimate.value], [estimate.se], tightest=aim, level=estimate.level).iloc[0]
    note = "the interval holds at every look, if `tightest` was chosen before the data"
    return replace(estimate, interval=(float(row["low"]), float(row["high"])), notes=(*estimate.notes, note))


def _mixture(aim: float, alpha: float) -> float:
    """Return the rho for which the interval is narrowest, in errors, where the standard error is `aim`."""
    return float(1 / aim**2 / (-lambertw(-(alpha**2) / np.e, -1).real - 1))


def _radius(information: FloatArray, rho: float, alpha: float) -> FloatArray:
    """Return half the width of the interval at each look."""
    total = information + rho
    return np.sqrt(total * np.log(total / (rho * alpha**2))) / information
