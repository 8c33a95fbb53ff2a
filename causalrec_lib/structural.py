"""Structural equation models: what linear equations imply, and effects in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes, least_squares, n_groups, standard_error
from causalrec_lib._propensity import column_names
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

__all__ = ["implied_covariance", "mediation", "mediation_sensitivity"]

_ASSUMES = (
    "no common cause of treatment and outcome, or of treatment and mediator, is left out",
    "no common cause of mediator and outcome is left out",
    "the treatment moves none of their common causes",
    "linear equations",
)


def implied_covariance(effects: ArrayLike, noise: ArrayLike) -> FloatArray:
    """Return the covariance that linear structural equations imply.

    Parameters
    ----------
    effects : array-like of shape (k, k)
        Direct effects: row i, column j holds what a unit of variable j adds to variable i.
    noise : array-like of shape (k, k)
        Covariance of what the equations leave out, symmetric.

    Returns
    -------
    ndarray of shape (k, k)
        (I - B)^-1 Psi (I - B)^-T: the sum over all paths between two variables.

    Raises
    ------
    ValueError
        If the arrays are not square of one size, noise is not symmetric, or the equations have no solution.

    Notes
    -----
    Chapter: latent/01_structural_models

    References
    ----------
    bib: bollen1989structural
    """
    psi = _validate.matrix(noise, "noise")
    if psi.shape[0] != psi.shape[1] or not np.allclose(psi, psi.T, rtol=1e-10, atol=1e-12 * np.abs(psi).max()):
        raise ValueError("noise must be a symmetric square array; pass the covariance of the noise terms.")
    b = _validate.table(effects, "effects", (len(psi), len(psi)))
    loops = np.eye(len(b)) - b
    if np.linalg.matrix_rank(loops) < len(b):
        raise ValueError(
            "effects feed back on themselves without end (I - B has no inverse); mend a loop of effects."
        )
    through = np.linalg.inv(loops)
    return np.asarray(through @ psi @ through.T)


def mediation(
    y: ArrayLike,
    t: ArrayLike,
    mediator: ArrayLike,
    X: ArrayLike | pd.DataFrame | None = None,
    *,
    interact: bool = True,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> dict[str, Estimate]:
    """Split the effect of a treatment into the part through a mediator and the rest.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    mediator : array-like of shape (n,)
        What the treatment moves, and what moves the outcome.
    X : array-like of shape (n, p), optional
        Common causes of mediator and outcome, from before the treatment.
    interact : bool
        Let the treatment change what the mediator does.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    level : float
        Coverage that the intervals claim.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    dict of str to Estimate
        "total" = "direct" (natural: treated, the mediator as without treatment) + "indirect" (natural: treated, the
        mediator moves), and "pure indirect" (not treated, the mediator moves). Errors count both regressions.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, t has one arm, or columns say the same twice.

    Notes
    -----
    Linear regressions of the mediator on t and X, and of the outcome on t, mediator, X and the product.
    Chapter: latent/01_structural_models

    References
    ----------
    bib: imai2010general, pearl2009causality
    """
    a, group, m, covariates = _inputs(y, t, mediator, X)
    _validate.flag(interact, "interact")
    codes, ones = cluster_codes(clusters, len(a)), np.ones(len(a))
    first = np.column_stack([ones, group, covariates])
    second = np.column_stack([ones, group, m, group * m if interact else np.empty((len(a), 0)), covariates])
    (alpha, of_alpha), (beta, of_beta) = _regression(first, m), _regression(second, a)
    product, of_product = (beta[3], of_beta[:, 3]) if interact else (0.0, np.zeros(len(a)))
    untreated = np.column_stack([ones, 0 * group, covariates])
    at_rest = float((untreated @ alpha).mean())
    of_rest = of_alpha @ untreated.mean(axis=0) + untreated @ alpha - at_rest
    direct = beta[1] + product * at_rest, of_beta[:, 1] + of_product * at_rest + product * of_rest
    pure = alpha[1] * beta[2], of_alpha[:, 1] * beta[2] + alpha[1] * of_beta[:, 2]
    extra = alpha[1] * product, of_alpha[:, 1] * product + alpha[1] * of_product
    indirect = pure[0] + extra[0], pure[1] + extra[1]
    parts = {
        "total": (direct[0] + indirect[0], direct[1] + indirect[1]),
        "direct": direct,
        "indirect": indirect,
        "pure indirect": pure,
    }
    return {
        name: Estimate(
            float(value), standard_error(influence, codes), "path effect", "linear mediation", len(a), level=level,
            unit=unit, assumptions=_ASSUMES, n_clusters=n_groups(codes), influence=influence, clusters=codes,
        )
        for name, (value, influence) in parts.items()
    }  # fmt: skip


def mediation_sensitivity(
    y: ArrayLike,
    t: ArrayLike,
    mediator: ArrayLike,
    X: ArrayLike | pd.DataFrame | None = None,
    correlations: Sequence[float] = (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6),
) -> pd.DataFrame:
    """Say what the parts would be if a common cause of mediator and outcome were left out.

    Parameters
    ----------
    y, t, mediator, X : array-like
        As in `mediation`, without a product.
    correlations : sequence of float
        Correlations of what the two equations leave out, between -1 and 1, ascending.

    Returns
    -------
    DataFrame
        Indexed by correlation: `direct` and `indirect` effect. Their sum stays.

    Raises
    ------
    ValueError
        If inputs are unfit as in `mediation`, or correlations are out of range or not ascending.

    Notes
    -----
    Chapter: latent/01_structural_models

    References
    ----------
    bib: imai2010general
    """
    a, group, m, covariates = _inputs(y, t, mediator, X)
    asked = np.array(_validate.ascending(correlations, "correlations"))
    if asked[0] <= -1 or asked[-1] >= 1:
        raise ValueError(f"correlations must lie between -1 and 1; got {correlations}.")
    design = np.column_stack([np.ones(len(a)), group, covariates])
    (to_y, _), (to_m, _) = _regression(design, a), _regression(design, m)
    left_y, left_m = a - design @ to_y, m - design @ to_m
    scale, together = left_y.std() / left_m.std(), float(np.corrcoef(left_y, left_m)[0, 1])
    slope = scale * (together - asked * np.sqrt((1 - together**2) / (1 - asked**2)))
    out = {"direct": to_y[1] - to_m[1] * slope, "indirect": to_m[1] * slope}
    return pd.DataFrame(out, index=pd.Index(asked, name="correlation"))


def _inputs(
    y: ArrayLike, t: ArrayLike, mediator: ArrayLike, X: ArrayLike | pd.DataFrame | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    a = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(a), "y")
    m = _validate.vector(mediator, "mediator", len(a), "y")
    covariates = np.empty((len(a), 0)) if X is None else _validate.matrix(X, "X", len(a), "y")
    if X is not None:
        column_names(X, covariates.shape[1])
    return a, group, m, covariates


def _regression(design: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return least-squares coefficients and the influence of each row on them, shape (n, k)."""
    if len(values) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("t, mediator and X say the same thing twice, or rows are too few; drop a column.")
    return least_squares(design, values)
