"""Before an experiment's result: how large it must be, and whether it was split as planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2
from statsmodels.stats.power import NormalIndPower

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

_ALARM = 0.001  # the p-value below which sizes of arms are no chance


# How large ------------------------------------------------------------------------------------------------------


def power(effect: float, sd: float, n: int, *, share: float = 0.5, level: float = 0.95) -> float:
    """Return the chance that a two-sided test of two means finds an effect.

    Parameters
    ----------
    effect : float
        True difference of means, in the outcome's unit.
    sd : float
        Standard deviation of the outcome of one randomised unit, above 0.
    n : int
        Randomised units in both arms together, 4 or more.
    share : float
        Share of units in the treated arm, strictly between 0 and 1.
    level : float
        Coverage of the interval that goes with the test: 0.95 for a test at five per cent.

    Returns
    -------
    float
        Chance of a significant result, 0 to 1; both signs count.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    Computed by statsmodels. `sd` and `n` are of the unit that the coin is thrown for: a test that randomises users
    takes users, not sessions. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: kohavi2020trustworthy
    """
    _validate.number(effect, "effect")
    of_one, one, ratio = _plan(sd, n, share, level)
    return float(NormalIndPower().power(effect / of_one, one, 1 - level, ratio, alternative="two-sided"))


def minimum_detectable_effect(
    sd: float, n: int, *, power: float = 0.8, share: float = 0.5, level: float = 0.95
) -> float:
    """Return the smallest effect that a test finds with the chance `power`.

    Parameters
    ----------
    sd : float
        Standard deviation of the outcome of one randomised unit, above 0.
    n : int
        Randomised units in both arms together, 4 or more.
    power : float
        Chance of a significant result, above 1 - level and below 1.
    share : float
        Share of units in the treated arm, strictly between 0 and 1.
    level : float
        Coverage of the interval that goes with the test.

    Returns
    -------
    float
        Difference of means, in the outcome's unit.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    Computed by statsmodels. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: kohavi2020trustworthy
    """
    of_one, one, ratio = _plan(sd, n, share, level)
    _validate.number(power, "power", above=1 - level, below=1)
    found = NormalIndPower().solve_power(None, one, 1 - level, power, ratio, alternative="two-sided")
    return float(np.ravel(found)[0]) * of_one


def sample_size(effect: float, sd: float, *, power: float = 0.8, share: float = 0.5, level: float = 0.95) -> int:
    """Return how many randomised units a test needs to find `effect` with the chance `power`.

    Parameters
    ----------
    effect : float
        Difference of means worth finding, in the outcome's unit, not 0.
    sd : float
        Standard deviation of the outcome of one randomised unit, above 0.
    power : float
        Chance of a significant result, above 1 - level and below 1.
    share : float
        Share of units in the treated arm, strictly between 0 and 1.
    level : float
        Coverage of the interval that goes with the test.

    Returns
    -------
    int
        Units in both arms together, rounded up.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    Computed by statsmodels. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: kohavi2020trustworthy
    """
    if _validate.number(effect, "effect") == 0:
        raise ValueError("effect is 0, which no sample finds; pass the smallest effect that would change a decision.")
    of_one, _, ratio = _plan(sd, 4, share, level)
    _validate.number(power, "power", above=1 - level, below=1)
    d = abs(effect) / of_one
    one = NormalIndPower().solve_power(d, None, 1 - level, power, ratio, alternative="two-sided")
    return max(int(np.ceil(float(np.ravel(one)[0]) / share)), 2)


def _plan(sd: float, n: int, share: float, level: float) -> tuple[float, float, float]:
    """Return sd, the size of the treated arm, and that of the other arm as a multiple of it."""
    _validate.number(sd, "sd", above=0)
    _validate.integer(n, "n", 4)
    _validate.number(share, "share", above=0, below=1)
    _validate.number(level, "level", above=0, below=1)
    return float(sd), share * n, (1 - share) / share


# Split as planned -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SampleRatio:
    """Sizes of the arms of an experiment against the plan.

    Parameters
    ----------
    counts : ndarray of shape (k,)
        Units found in each arm.
    expected : ndarray of shape (k,)
        Units expected by the plan.
    statistic : float
        Pearson's chi-square statistic, k - 1 degrees of freedom.
    p_value : float
        Chance of sizes at least as far from the plan.
    mismatch : bool
        Whether the p-value is below `alarm`.
    """

    counts: FloatArray
    expected: FloatArray
    statistic: float
    p_value: float
    mismatch: bool


def sample_ratio(counts: ArrayLike, shares: Sequence[float] | None = None, *, alarm: float = _ALARM) -> SampleRatio:
    """Test whether arms have the sizes that the plan gives them.

    Parameters
    ----------
    counts : array_like of shape (k,)
        Randomised units found in each arm, two arms or more, not all 0.
    shares : sequence of float, optional
        Planned shares, above 0; they are divided by their sum. Equal by default.
    alarm : float
        The p-value below which the split counts as broken. It is small because the test is run on every experiment.

    Returns
    -------
    SampleRatio
        The test; an alarm means that no result of this experiment counts until the cause is found.

    Raises
    ------
    ValueError
        If counts are negative or no whole numbers, there are fewer than two arms, or shares don't fit them.

    Notes
    -----
    Count what was randomised: if users were, the sessions of an arm are an outcome. Silence proves little: rows that
    are lost equally often in both arms, but not the same rows, leave the ratio as planned.
    Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: fabijan2019diagnosing
    """
    found = _validate.nonnegative(counts, "counts")
    broken = found != np.round(found)
    if broken.any():
        raise ValueError(f"counts must be whole numbers, but are not in {_validate.rows(broken)}; pass units an arm.")
    if len(found) < 2 or found.sum() == 0:
        raise ValueError("counts must hold two arms or more, and not all 0; pass units an arm.")
    plan = np.ones(len(found))
    if shares is not None:
        plan = _validate.positive(shares, "shares", "leave that arm out", len(found), "counts")
    _validate.number(alarm, "alarm", above=0, below=1)
    expected = found.sum() * plan / plan.sum()
    statistic = float(((found - expected) ** 2 / expected).sum())
    p = float(chi2.sf(statistic, len(found) - 1))
    return SampleRatio(found, expected, statistic, p, p < alarm)
