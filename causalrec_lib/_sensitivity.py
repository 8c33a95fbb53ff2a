"""What a hidden cause could do to an estimate: omitted-variable bounds from its design, E-value and Gamma."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from causalrec_lib import _card, _validate
from causalrec_lib._evalue import EValue, e_value
from causalrec_lib._mestimation import standard_error
from causalrec_lib._rosenbaum import rosenbaum_gamma
from causalrec_lib._validate import FloatArray

if TYPE_CHECKING:
    from causalrec_lib.estimate import Estimate

_ALMOST = 1 - 1e-9


def strength(r2_outcome: float, r2_treatment: float) -> float:
    """Return sqrt(C_Y^2 C_D^2), the bias bound in units of the scale S."""
    y = _validate.number(r2_outcome, "r2_outcome", low=0.0, high=1.0)
    d = _validate.number(r2_treatment, "r2_treatment", low=0.0, below=1.0)
    return float(np.sqrt(y * d / (1 - d)))


def robustness(f: float) -> float:
    """Return the r that both shares must have for a bias of f scales: r^2 / (1 - r) = f^2."""
    return float((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)


@dataclass(frozen=True)
class Sensitivity:
    """How strong a hidden cause must be to move an estimate to `null`, by three measures; made by an estimate.

    Parameters
    ----------
    value : float
        The estimate, in its unit.
    se : float
        Its standard error.
    null : float
        The value that would turn the decision.
    level : float
        Coverage of the interval.
    z : float
        Standard errors from the estimate to the end of its interval.
    unit : str
        Unit of the outcome.
    what : str
        Estimand and method, in words.
    scale : float, optional
        S, the bias per unit of strength: square root of mean squared residual times mean squared signed weight.
    ratio : tuple of float, optional
        Ratio of the means of both arms, with its interval (value, low, high).
    e_value : EValue, optional
        E-values of that ratio and its interval.
    gamma : float, optional
        Rosenbaum's Gamma of the matched pairs.
    missing : tuple of str
        What is not given, and why.
    flags : tuple of str
        The estimate's own reasons for not using it.
    influence : ndarray of shape (n,), optional
        Influence of each row on the estimate.
    scale_influence : ndarray of shape (n,), optional
        Influence of each row on S, the weights taken as given.
    clusters : ndarray of shape (n,), optional
        Cluster code of each row.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: chernozhukov2022long, cinelli2020making, vanderweele2017sensitivity, rosenbaum2002observational
    """

    value: float
    se: float
    null: float
    level: float
    z: float
    unit: str = ""
    what: str = ""
    scale: float | None = None
    ratio: tuple[float, float, float] | None = None
    e_value: EValue | None = None
    gamma: float | None = None
    missing: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    influence: FloatArray | None = field(default=None, repr=False, compare=False)
    scale_influence: FloatArray | None = field(default=None, repr=False, compare=False)
    clusters: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    def bias(self, r2_outcome: float, r2_treatment: float) -> float:
        """Return the largest bias that a hidden cause of this strength can make.

        Parameters
        ----------
        r2_outcome : float
            Share of the squared residuals of the outcome that it explains, given treatment and covariates, in [0, 1].
        r2_treatment : float
            Share of the mean squared weight (the representer with it) that it adds, in [0, 1).

        Returns
        -------
        float
            Bound on the absolute bias, in units of the outcome.

        Raises
        ------
        ValueError
            If a share is out of its range, or the estimate has no design.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: chernozhukov2022long
        """
        size = strength(r2_outcome, r2_treatment)
        if self.scale is None:
            raise ValueError(f"there is no bias bound: {'; '.join(self.missing)}.")
        return size * self.scale

    def bounds(self, r2_outcome: float, r2_treatment: float) -> tuple[float, float]:
        """Return the estimate minus and plus the largest bias, without sampling error.

        Parameters
        ----------
        r2_outcome : float
            As in `bias`.
        r2_treatment : float
            As in `bias`.

        Returns
        -------
        tuple of float
            (low, high).

        Raises
        ------
        ValueError
            As in `bias`.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: chernozhukov2022long
        """
        most = self.bias(r2_outcome, r2_treatment)
        return self.value - most, self.value + most

    def interval(self, r2_outcome: float, r2_treatment: float) -> tuple[float, float]:
        """Return an interval for the effect if a hidden cause has at most this strength.

        Parameters
        ----------
        r2_outcome : float
            As in `bias`.
        r2_treatment : float
            As in `bias`.

        Returns
        -------
        tuple of float
            The bounds, each moved out by the same number of standard errors as the estimate's own interval. The
            error of S is in it where the estimate has influence values.

        Raises
        ------
        ValueError
            As in `bias`.

        Notes
        -----
        Chapter: weighting/04_sensitivity

        References
        ----------
        bib: chernozhukov2022long
        """
        low, high = self.bounds(r2_outcome, r2_treatment)
        size = strength(r2_outcome, r2_treatment)
        return low - self.z * self._error(-size), high + self.z * self._error(size)

    def _error(self, size: float) -> float:
        """Return the standard error of value + size * S."""
        if self.influence is None or self.scale_influence is None:
            return self.se
        known = standard_error(self.influence, self.clusters)
        moved = standard_error(self.influence + size * self.scale_influence, self.clusters)
        return self.se * moved / known if known > 0 else moved

    @property
    def robustness_value(self) -> float:
        """The share that a hidden cause must explain of both to move the estimate to `null`; NaN without a design."""
        return float("nan") if self.scale is None else robustness(abs(self.value - self.null) / self.scale)

    @property
    def robustness_interval(self) -> float:
        """The same for the end of the interval; 0 if the interval holds `null`; NaN without a design or an error."""
        if self.scale is None or not np.isfinite(self.se):
            return float("nan")
        side = 1 if self.value > self.null else -1

        def beyond(r: float) -> float:
            return side * (self.interval(r, r)[0 if side > 0 else 1] - self.null)

        return 0.0 if beyond(0.0) <= 0 else float(brentq(beyond, 0.0, _ALMOST))

    def report(self) -> pd.Series:
        """Return the card as a Series, one row a measure.

        Returns
        -------
        pandas.Series
            Printable values.
        """
        unit = f" {self.unit}" if self.unit else ""
        card = {
            "estimate": f"{self.value:.4g}{unit} ({self.what})",
            "in question": f"would the answer still be on the same side of {self.null:g}{unit}?",
        }
        if self.scale is not None:
            card["robustness value"] = f"{self.robustness_value:.1%} of outcome and of weights, to move the estimate"
            if np.isfinite(self.se):
                card["robustness value of the interval"] = (
                    f"{self.robustness_interval:.1%}, to move the {self.level:.0%} interval"
                )
        if self.e_value is not None and self.ratio is not None:
            card["E-value"] = f"{self.e_value.estimate:.2f} (ratio {self.ratio[0]:.2f})"
            if np.isfinite(self.e_value.interval):
                card["E-value of the interval"] = f"{self.e_value.interval:.2f}"
        if self.gamma is not None:
            card["Rosenbaum's Gamma"] = f"{self.gamma:.2f}, for the signed-rank test of the pairs"
        if self.missing:
            card["not given"] = "; ".join(self.missing)
        if self.flags:
            card["FLAGGED"] = " ".join(self.flags) + " No sensitivity analysis repairs that."
        card["says nothing about"] = "interference, measurement, missing overlap, a wrong model"
        return pd.Series(card, name="sensitivity")

    def __repr__(self) -> str:
        """Return the card as text."""
        return _card.text(self.report())

    def _repr_html_(self) -> str:
        return _card.page(self.report(), "cr-card" + (" cr-flagged" if self.flags else " cr-unchecked"))


def of_estimate(e: Estimate, null: float, z: float) -> Sensitivity:
    """Return what `Estimate.sensitivity` returns: every measure that its parts allow, and why others are missing.

    Parameters
    ----------
    e : Estimate
        With a design for the bias bound, arms for the E-value, pairs for Gamma.
    null : float
        The value that would turn the decision.
    z : float
        Standard errors from the estimate to the end of its interval.

    Returns
    -------
    Sensitivity
        The measures.

    Raises
    ------
    ValueError
        If `null` is no finite number.
    """
    _validate.number(null, "null")
    missing: list[str] = []
    scale, moves = _scale(e, missing)
    ratio = _ratio(e, null, z, missing)
    return Sensitivity(
        value=e.value,
        se=e.se,
        null=float(null),
        level=e.level,
        z=z,
        unit=e.unit,
        what=f"{e.estimand} by {e.method}",
        scale=scale,
        ratio=ratio,
        e_value=None if ratio is None else e_value(*ratio),
        gamma=_gamma(e, null, missing),
        missing=tuple(missing),
        flags=e.flags,
        influence=e.influence,
        scale_influence=moves,
        clusters=e.clusters,
    )


def _scale(e: Estimate, missing: list[str]) -> tuple[float | None, FloatArray | None]:
    """Return S and each row's influence on it; rows of weight zero (trimmed, unmatched) are no part of either."""
    if e.design is None or e.design.residual is None:
        missing.append("bias bound (the estimate keeps no weights and residuals)")
        return None, None
    squared = np.where(e.design.weights != 0, e.design.residual**2, 0.0)
    weight = e.design.weights**2
    sigma, nu = squared.mean(), weight.mean()
    scale = float(np.sqrt(sigma * nu))
    if scale == 0:
        missing.append("bias bound (nothing of the outcome is left to explain)")
        return None, None
    return scale, ((squared - sigma) * nu + (weight - nu) * sigma) / (2 * scale)


def _ratio(e: Estimate, null: float, z: float, missing: list[str]) -> tuple[float, float, float] | None:
    """Return the ratio of the arms if they are risks, and its interval: delta method on the log, weights as given."""
    if e.arms is None or not {"control", "treated"} <= set(e.arms):
        missing.append("E-value (the estimate keeps no mean of both arms)")
        return None
    one, zero = e.arms["treated"], e.arms["control"]
    if not (0 < one < 1 and 0 < zero < 1 and _varies_as_risks(e, one, zero)):
        missing.append("E-value (the arms' means are no risks)")
        return None
    if null != 0:
        missing.append("E-value (it asks about no effect at all, not about another value)")
        return None
    if e.design is None or e.design.residual is None:
        return one / zero, float("nan"), float("nan")
    pull = e.design.weights * e.design.residual
    pull = np.where(e.design.weights > 0, pull / one, pull / zero)
    half = z * standard_error(pull, e.clusters)
    return one / zero, float(one / zero * np.exp(-half)), float(one / zero * np.exp(half))


def _varies_as_risks(e: Estimate, one: float, zero: float) -> bool:
    """Say whether the outcome may lie between 0 and 1: with mean m it then varies by m (1 - m) at most."""
    if e.design is None or e.design.residual is None:
        return True
    w, squared = e.design.weights, e.design.residual**2
    return all(
        np.average(squared[arm], weights=np.abs(w[arm])) <= 1.25 * m * (1 - m)
        for arm, m in ((w > 0, one), (w < 0, zero))
        if arm.any()
    )


def _gamma(e: Estimate, null: float, missing: list[str]) -> float | None:
    """Return Rosenbaum's Gamma where the estimate is the mean difference of disjoint pairs."""
    d = e.design
    if d is None or d.focal is None or d.partner is None or d.residual is None:
        missing.append("Gamma (no matched pairs)")
        return None
    rows = np.r_[d.focal, d.partner]
    if len(np.unique(rows)) < len(rows):
        missing.append("Gamma (pairs share rows; match one to one without replacement)")
        return None
    gap = np.sign(d.weights[d.focal]) * (d.residual[d.focal] - d.residual[d.partner])
    if not np.isclose(gap.mean(), e.value, rtol=1e-6, atol=1e-9):
        missing.append("Gamma (the estimate is not the mean difference of its pairs)")
        return None
    side = 1 if e.value >= null else -1
    return rosenbaum_gamma(side * (gap - null), alpha=float(norm.sf(norm.ppf(0.5 + e.level / 2))))
