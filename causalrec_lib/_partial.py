"""Omitted variables in a linear regression: partial R2, robustness values, benchmarks by observed covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

from causalrec_lib import _card, _validate
from causalrec_lib._mestimation import standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._sensitivity import robustness, strength
from causalrec_lib._validate import FloatArray

_COLUMNS = ["r2_treatment", "r2_outcome", "value", "se"]


@dataclass(frozen=True)
class LinearSensitivity:
    """A regression coefficient and what an omitted variable could do to it; made by `ols`.

    Parameters
    ----------
    value : float
        Coefficient of the treatment.
    se : float
        Its classical standard error.
    df : int
        Degrees of freedom of the residuals.
    unit : str
        Unit of the outcome.
    benchmarks : DataFrame
        One row a covariate (or group) and multiple: `r2_treatment`, `r2_outcome`, `value`, `se`.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: cinelli2020making
    """

    value: float
    se: float
    df: int
    unit: str = ""
    benchmarks: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=_COLUMNS), repr=False, compare=False
    )
    null: float = field(default=0.0, init=False)

    @property
    def scale(self) -> float:
        """S, the bias per unit of strength: se * sqrt(df)."""
        return self.se * float(np.sqrt(self.df))

    @property
    def t(self) -> float:
        """The t statistic."""
        return self.value / self.se

    @property
    def partial_r2(self) -> float:
        """Share of the outcome's residual variance that the treatment explains."""
        return self.t**2 / (self.t**2 + self.df)

    def robustness_value(self, q: float = 1.0, alpha: float = 1.0) -> float:
        """Return the partial R2 that an omitted variable must have with both to take q of the estimate away.

        Parameters
        ----------
        q : float
            Share of the estimate that it takes away, above 0; 1 is all.
        alpha : float
            Level at which the rest is no longer told from zero; 1 ignores sampling error.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        ValueError
            If a number is out of its range.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: cinelli2020making
        """
        _validate.number(q, "q", above=0.0)
        _validate.number(alpha, "alpha", above=0.0, high=1.0)
        f = q * abs(self.t) / np.sqrt(self.df)
        needed = student.isf(alpha / 2, self.df - 1) / np.sqrt(self.df - 1)
        if f <= needed:
            return 0.0
        if needed > 0 and f > 1 / needed:  # the variable may then explain all of the outcome
            return float((f**2 - needed**2) / (1 + f**2))
        return robustness(float(f - needed))

    def bias(self, r2_outcome: float, r2_treatment: float) -> float:
        """Return the absolute bias that an omitted variable with these partial R2 makes.

        Parameters
        ----------
        r2_outcome : float
            Partial R2 with the outcome, given treatment and covariates, in [0, 1].
        r2_treatment : float
            Partial R2 with the treatment, given covariates, in [0, 1).

        Returns
        -------
        float
            In units of the outcome; exact, not a bound.

        Raises
        ------
        ValueError
            If a share is out of its range.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: cinelli2020making
        """
        return strength(r2_outcome, r2_treatment) * self.scale

    def adjusted(self, r2_outcome: float, r2_treatment: float, *, reduce: bool = True) -> tuple[float, float]:
        """Return estimate and standard error that the regression with the omitted variable would print.

        Parameters
        ----------
        r2_outcome : float
            As in `bias`.
        r2_treatment : float
            As in `bias`.
        reduce : bool
            Whether the omitted variable pulls the estimate towards zero, or away from it.

        Returns
        -------
        tuple of float
            (value, se).

        Raises
        ------
        ValueError
            If a share is out of its range.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: cinelli2020making
        """
        bias = self.bias(r2_outcome, r2_treatment) * (-1 if _validate.flag(reduce, "reduce") else 1)
        shrink = np.sqrt((1 - r2_outcome) / (1 - r2_treatment) * self.df / (self.df - 1))
        return float(np.sign(self.value) * (abs(self.value) + bias)), float(self.se * shrink)

    def report(self) -> pd.Series:
        """Return the card as a Series, one row a measure.

        Returns
        -------
        pandas.Series
            Printable values.
        """
        unit = f" {self.unit}" if self.unit else ""
        card = {
            "coefficient of the treatment": f"{self.value:.4g}{unit} (standard error {self.se:.3g}, df {self.df:,})",
            "partial R2 with the outcome": f"{self.partial_r2:.1%}",
            "robustness value": f"{self.robustness_value():.1%}, to take the estimate away",
            "robustness value, alpha 5%": f"{self.robustness_value(alpha=0.05):.1%}, to make it insignificant",
        }
        for label, d, o, value in zip(
            self.benchmarks.index, *(self.benchmarks[c] for c in _COLUMNS[:3]), strict=True
        ):
            card[f"{label[1]:g} x {label[0]}"] = f"{d:.1%} of treatment, {o:.1%} of outcome: {value:.3g}{unit}"
        return pd.Series(card, name="sensitivity")

    def __repr__(self) -> str:
        """Return the card as text."""
        return _card.text(self.report())

    def _repr_html_(self) -> str:
        return _card.page(self.report(), "cr-card cr-unchecked")


def ols(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike,
    *,
    benchmark: Sequence[str] | Mapping[str, Sequence[str]] = (),
    multiples: ArrayLike = (1.0,),
    unit: str = "",
) -> LinearSensitivity:
    """Regress y on t and X, and say how strong an omitted variable must be to change the coefficient of t.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, of two values or a number.
    X : array_like of shape (n, p)
        Covariates without a constant.
    benchmark : sequence of str, or mapping of str to sequence of str
        Columns to compare an omitted variable with, or named groups of columns.
    multiples : array_like of shape (m,)
        How many times as strong as the benchmark it is, with treatment and with outcome.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    LinearSensitivity
        Coefficient, partial R2, robustness values, benchmarks. A multiple that would explain more than everything has
        NaN.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, X has constant or collinear columns, too few rows, or a
        benchmark names no column.

    Notes
    -----
    Errors are the classical ones, on which the published formulas rest; for clustered errors take
    `weighting.standardisation(...).sensitivity()`. Chapter: weighting/04_sensitivity

    References
    ----------
    bib: cinelli2020making
    """
    outcome = _validate.vector(y, "y")
    dose = _validate.vector(t, "t", len(outcome), "y")
    x = _validate.matrix(X, "X", len(outcome), "y")
    _validate.text(unit, "unit")
    names = column_names(X, x.shape[1])
    groups = _groups(benchmark, names)
    times = _validate.vector(multiples, "multiples").tolist()
    if min(times) <= 0:
        raise ValueError(f"multiples must be above 0, but one is {min(times):g}; 1 is as strong as the benchmark.")
    Z, _, _ = standardised(x, names)
    df = len(outcome) - Z.shape[1] - 1
    if df < 2:
        raise ValueError(f"X has {x.shape[1]} columns for {len(outcome)} rows; pass fewer columns or more rows.")
    left_t, left_y = _left(Z, np.column_stack([dose, outcome])).T
    if left_t @ left_t <= 1e-10 * (dose - dose.mean()) @ (dose - dose.mean()) or np.ptp(dose) == 0:
        raise ValueError("t is a linear combination of X, or constant; there is nothing left to compare.")
    value = float(left_t @ left_y / (left_t @ left_t))
    rest = left_y - value * left_t
    se = float(np.sqrt(rest @ rest / df / (left_t @ left_t)))
    plain = LinearSensitivity(value, se, df, unit)
    rows = {}
    for name, columns in groups.items():
        pair = _partial(Z[:, [j for j in range(Z.shape[1]) if j - 1 not in columns]], dose, outcome, left_t, rest)
        for m in times:
            d, o = _bound(*pair, m)
            rows[name, m] = (d, o, *(plain.adjusted(o, d) if d < 1 and o <= 1 else (np.nan, np.nan)))
    index = pd.MultiIndex.from_tuples(list(rows), names=["benchmark", "multiple"]) if rows else None
    return LinearSensitivity(value, se, df, unit, pd.DataFrame(list(rows.values()), index, _COLUMNS))


def _left(Z: FloatArray, table: FloatArray) -> FloatArray:
    """Return what a regression of each column on Z leaves."""
    return np.asarray(table - Z @ np.linalg.lstsq(Z, table, rcond=None)[0], np.float64)


def _partial(
    short: FloatArray, dose: FloatArray, outcome: FloatArray, left_t: FloatArray, rest: FloatArray
) -> tuple[float, float]:
    """Return the partial R2 of the columns that `short` lacks with the treatment, and with the outcome given it."""
    without = _left(short, dose[:, None])[:, 0]
    both = _left(np.column_stack([short, dose]), outcome[:, None])[:, 0]
    return float(1 - left_t @ left_t / (without @ without)), float(1 - rest @ rest / (both @ both))


def _bound(with_t: float, with_y: float, m: float) -> tuple[float, float]:
    """Return the partial R2 of an omitted variable m times as strong as a covariate with these partial R2."""
    treatment = m * with_t / (1 - with_t)
    if m * with_t >= 1 or treatment >= 1:
        return float("nan"), float("nan")
    shared = m * with_t**2 / ((1 - m * with_t) * (1 - with_t))
    if shared >= 1:
        return treatment, float("nan")
    eta = (np.sqrt(m) + np.sqrt(shared)) / np.sqrt(1 - shared)
    outcome = eta**2 * with_y / (1 - with_y)
    return treatment, float(outcome) if outcome <= 1 else float("nan")


def _groups(benchmark: object, names: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the positions of the columns of each benchmark, by its name."""
    if not isinstance(benchmark, Mapping):
        benchmark = {name: (name,) for name in _validate.texts(benchmark, "benchmark")}
    found = {}
    for label, columns in benchmark.items():
        listed = _validate.texts(columns, f"benchmark[{label!r}]")
        unknown = [c for c in listed if c not in names]
        if unknown or not listed:
            raise ValueError(f"benchmark names columns that X lacks: {unknown}; X has {', '.join(names)}.")
        found[_validate.text(label, "each name of benchmark")] = [names.index(c) for c in listed]
    return found
