"""Several estimates at once: their contrasts and combinations, and effects by unit or covariate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from causalrec_lib import _card, _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import standard_error
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimand, Estimate

__all__ = ["Effects", "combine", "contrast"]


def contrast(a: Estimate, b: Estimate) -> Estimate:
    """Return a - b for two estimates on the same rows, with the error of the difference.

    Parameters
    ----------
    a : Estimate
        With influence values.
    b : Estimate
        Of the same rows in the same order, and the same clusters.

    Returns
    -------
    Estimate
        The difference. Noise that both share cancels in its error, so that may be far below either error.

    Raises
    ------
    ValueError
        If an estimate has no influence values, or the rows, clusters or levels differ.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: stefanski2002calculus
    """
    for name, estimate in (("a", a), ("b", b)):
        _validate.instance(estimate, name, Estimate, "pass what an estimator returned")
        if estimate.influence is None:
            raise ValueError(f"{name} keeps no influence values; pass combine(..., same_rows=False) if independent.")
    return combine((a, b), (1.0, -1.0))


def combine(
    estimates: Sequence[Estimate],
    weights: ArrayLike | None = None,
    *,
    same_rows: bool = True,
    estimand: Estimand = "",
) -> Estimate:
    """Return a weighted sum of estimates, with its error.

    Parameters
    ----------
    estimates : sequence of Estimate
        Two or more.
    weights : array_like of shape (k,), optional
        What each counts; by default equal shares on the same rows, inverse variances on independent samples.
    same_rows : bool
        Whether all come from the same rows in the same order, so that their influence values give the joint error;
        otherwise the samples are taken as independent.
    estimand : str, optional
        What the sum is; by default the estimand that all share, or "difference".

    Returns
    -------
    Estimate
        The sum, with the flags of all, the assumptions of any and the checks that every one passed.

    Raises
    ------
    ValueError
        If estimates are fewer than two, lack influence values or errors, or differ in rows, clusters or level; or if
        `weights` don't match them.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: stefanski2002calculus
    """
    _check_estimates(estimates)
    _validate.flag(same_rows, "same_rows")
    _validate.one_of(estimand, "estimand", ("", *ESTIMANDS))
    first = estimates[0]
    if any(e.level != first.level for e in estimates):
        raise ValueError("estimates have different levels; estimate them with the same level=.")
    w = _weights(estimates, weights, same_rows)
    influence = _joint_influence(estimates, w) if same_rows else None
    spread = [wi * e.se for wi, e in zip(w, estimates, strict=True)]
    names = {e.estimand for e in estimates}
    return Estimate(
        value=float(sum(wi * e.value for wi, e in zip(w, estimates, strict=True))),
        se=float(np.linalg.norm(spread)) if influence is None else standard_error(influence, first.clusters),
        estimand=estimand or (names.pop() if len(names) == 1 and w.sum() else "difference"),
        method=" ".join(f"{wi:+.3g} ({e.estimand} by {e.method})" for wi, e in zip(w, estimates, strict=True)),
        n=max(e.n for e in estimates) if same_rows else sum(e.n for e in estimates),
        level=first.level,
        assumptions=_any_of(e.assumptions for e in estimates),
        flags=_any_of(e.flags for e in estimates),
        checks=tuple(c for c in first.checks if all(c in e.checks for e in estimates)),
        unit=first.unit,
        population="; ".join(_any_of((e.population,) for e in estimates if e.population)),
        n_clusters=first.n_clusters if same_rows else None,
        influence=influence,
        clusters=first.clusters if same_rows else None,
    )


def _check_estimates(estimates: object) -> None:
    if not isinstance(estimates, tuple | list):
        shown = _validate.shown(estimates)
        raise ValueError(f"estimates must be a list of estimates, but is {shown}; pass [one, another].")
    if len(estimates) < 2:
        raise ValueError(f"estimates has {len(estimates)} entries; a combination needs at least two.")
    for entry in estimates:
        _validate.instance(entry, "each entry of estimates", Estimate, "pass what estimators returned")


def _any_of(groups: object) -> tuple[str, ...]:
    """Return all texts once, in order."""
    return tuple(dict.fromkeys(text for group in groups for text in group))  # type: ignore[attr-defined]


def _weights(estimates: Sequence[Estimate], weights: ArrayLike | None, same_rows: bool) -> FloatArray:
    if weights is not None:
        return _validate.vector(weights, "weights", len(estimates), "estimates")
    if same_rows:
        return np.full(len(estimates), 1 / len(estimates))
    errors = _validate.vector([e.se for e in estimates], "the errors of estimates")
    if (errors == 0).any():
        raise ValueError("estimates have errors of zero; pass weights=.")
    return errors**-2 / (errors**-2).sum()


def _joint_influence(estimates: Sequence[Estimate], w: FloatArray) -> FloatArray:
    first = estimates[0]
    for e in estimates:
        if e.influence is None:
            raise ValueError(f"estimates: {e.method} keeps no influence values; pass same_rows=False if independent.")
        if len(e.influence) != len(first.influence):  # type: ignore[arg-type]
            raise ValueError("estimates come from different rows; estimate them on the same table.")
        if (e.clusters is None) != (first.clusters is None) or (
            e.clusters is not None and not np.array_equal(e.clusters, first.clusters)  # type: ignore[arg-type]
        ):
            raise ValueError("estimates have different clusters; pass the same clusters= to each.")
    return reduce(np.add, (wi * e.influence for wi, e in zip(w, estimates, strict=True)))


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects by unit or covariate, each with its error: what a CATE estimator returns.

    Parameters
    ----------
    values : ndarray of shape (k,)
        Point estimates, in units of the outcome.
    se : ndarray of shape (k,)
        Standard errors, NaN where the method gives none.
    index : sequence of length k
        Whose effects they are: row labels, groups, covariate values.
    n : int
        Number of rows that they were learned from.
    estimand : str
        A name in `estimate.ESTIMANDS`.
    method : str
        Name of the estimator in the field's words.
    level : float
        Coverage that each interval claims, one at a time.
    unit : str
        Unit of the outcome, for display.
    assumptions : tuple of str
        What must hold.
    flags : tuple of str
        Reasons for which they should not be used.

    Notes
    -----
    Chapter: trees
    """

    values: FloatArray
    se: FloatArray
    index: pd.Index
    n: int
    estimand: Estimand = "CATE"
    method: str = ""
    level: float = 0.95
    unit: str = ""
    assumptions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check lengths and numbers, and make arrays of what was given."""
        values = _validate.vector(self.values, "values")
        se = _validate.errors(self.se, "se", len(values), "values")
        if isinstance(self.index, str) or not isinstance(self.index, Sequence | np.ndarray | pd.Index):
            raise ValueError(f"index must be a list of labels, but is {_validate.shown(self.index)}.")
        if len(self.index) != len(values):
            raise ValueError(f"index has {len(self.index)} labels, expected {len(values)}; pass one for each value.")
        _validate.integer(self.n, "n", low=1)
        _validate.one_of(self.estimand, "estimand", tuple(ESTIMANDS))
        _validate.number(self.level, "level", above=0, below=1)
        for name in ("method", "unit"):
            _validate.text(getattr(self, name), name)
        for name in ("assumptions", "flags"):
            _validate.texts(getattr(self, name), name)
        for name, array in (("values", values), ("se", se), ("index", pd.Index(self.index))):
            object.__setattr__(self, name, array)

    @property
    def low(self) -> FloatArray:
        """Lower ends, shape (k,)."""
        return np.asarray(self.values - norm.ppf(0.5 + self.level / 2) * self.se)

    @property
    def high(self) -> FloatArray:
        """Upper ends, shape (k,)."""
        return np.asarray(self.values + norm.ppf(0.5 + self.level / 2) * self.se)

    def __len__(self) -> int:
        """Return the number of effects."""
        return len(self.values)

    def covers(self, truth: ArrayLike) -> NDArray[np.bool_]:
        """Say of each interval whether it contains the truth; an unknown error covers nothing.

        Parameters
        ----------
        truth : float or array_like of shape (k,)
            True effects of the same units.

        Returns
        -------
        ndarray of bool, shape (k,)
            True where low <= truth <= high.
        """
        if isinstance(truth, int | float | np.number):
            true = np.full(len(self), _validate.number(truth, "truth"))
        else:
            true = _validate.vector(truth, "truth", len(self), "values")
        return (self.low <= true) & (true <= self.high)

    def frame(self) -> pd.DataFrame:
        """Return a table, one row an effect.

        Returns
        -------
        pandas.DataFrame
            Columns value, se, low, high.
        """
        columns = {"value": self.values, "se": self.se, "low": self.low, "high": self.high}
        return pd.DataFrame(columns, index=self.index)

    def report(self) -> pd.Series:
        """Return the report card as a Series.

        Returns
        -------
        pandas.Series
            Printable values by name.
        """
        unit = f" {self.unit}" if self.unit else ""
        low, middle, high = np.quantile(self.values, (0.1, 0.5, 0.9))
        card = {
            "estimand": f"{self.estimand}, {len(self):,} of them",
            "method": self.method,
            "effects": f"{middle:.4g}{unit} in the middle, {low:.4g} to {high:.4g} for eight in ten",
            "standard error": "unknown" if np.isnan(self.se).all() else f"{np.nanmedian(self.se):.3g} in the middle",
            "rows": f"{self.n:,}",
        }
        if self.assumptions:
            card["assumes"] = "; ".join(self.assumptions)
        card["verdict"] = "FLAGGED: " + " ".join(self.flags) if self.flags else "unchecked: no rule was applied"
        return pd.Series(card, name="report")

    def __repr__(self) -> str:
        """Return the report card as text."""
        return _card.text(self.report())

    def _repr_html_(self) -> str:
        return _card.page(self.report(), "cr-card cr-flagged" if self.flags else "cr-card cr-unchecked")
