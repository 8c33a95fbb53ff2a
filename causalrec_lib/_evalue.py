"""The E-value: how strong a hidden cause must be, on the risk ratio scale, to explain an association away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from causalrec_lib import _validate


class EValue(NamedTuple):
    """E-values of a risk ratio and of its interval; made by `e_value`.

    Parameters
    ----------
    estimate : float
        E-value of the ratio, 1 or more.
    interval : float
        E-value of the end of the interval that lies nearer to one; NaN without an interval.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: vanderweele2017sensitivity
    """

    estimate: float
    interval: float


def e_value(ratio: float, low: float = float("nan"), high: float = float("nan")) -> EValue:
    """Return how strong a hidden cause must be tied to treatment and to outcome to explain a risk ratio away.

    Parameters
    ----------
    ratio : float
        Risk ratio, or ratio of means of an outcome that is never negative; above 0. An odds ratio is one only where
        the outcome is rare.
    low : float, optional
        Lower end of its interval.
    high : float, optional
        Upper end of its interval.

    Returns
    -------
    EValue
        `estimate` and `interval`, risk ratios of 1 or more. An interval that holds 1 has the E-value 1.

    Raises
    ------
    ValueError
        If a number is not above 0, one end of the interval is missing, or the ends are not around the ratio.

    Notes
    -----
    Ratios below 1 are inverted first. Chapter: weighting/04_sensitivity

    References
    ----------
    bib: vanderweele2017sensitivity, ding2016sensitivity
    """
    _validate.number(ratio, "ratio", above=0.0)
    _validate.number(low, "low", above=0.0, missing=True)
    _validate.number(high, "high", above=0.0, missing=True)
    if np.isnan(low) != np.isnan(high):
        raise ValueError("low and high belong together; pass both ends of the interval, or neither.")
    if np.isnan(low):
        return EValue(_strength(ratio), float("nan"))
    if not low <= ratio <= high:
        raise ValueError(f"low and high must lie around ratio={ratio:g}, but are {low:g} and {high:g}.")
    near = 1.0 if low <= 1 <= high else low if low > 1 else high
    return EValue(_strength(ratio), _strength(near))


def _strength(ratio: float) -> float:
    above = ratio if ratio >= 1 else 1 / ratio
    return float(above + np.sqrt(above * (above - 1)))
