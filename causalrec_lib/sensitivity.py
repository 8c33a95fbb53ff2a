"""Is the effect certain? What hidden causes could do to an estimate, and how observed ones compare."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._evalue import EValue, e_value
from causalrec_lib._marginal import marginal_bounds
from causalrec_lib._mestimation import standardised
from causalrec_lib._partial import LinearSensitivity, ols
from causalrec_lib._propensity import column_names, propensity
from causalrec_lib._rosenbaum import rosenbaum_bounds, rosenbaum_gamma
from causalrec_lib._sensitivity import Sensitivity
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

__all__ = [
    "EValue",
    "LinearSensitivity",
    "Sensitivity",
    "benchmarks",
    "e_value",
    "marginal_bounds",
    "ols",
    "rosenbaum_bounds",
    "rosenbaum_gamma",
]


def benchmarks(estimate: Estimate, y: ArrayLike, t: ArrayLike, X: ArrayLike) -> pd.DataFrame:
    """Return how strong each observed covariate would be if it were the hidden one, on the estimate's own scale.

    Parameters
    ----------
    estimate : Estimate
        An ATE with a design, adjusted for X.
    y : array_like of shape (n,)
        Outcome.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    X : array_like of shape (n, p)
        Two or more covariates without a constant.

    Returns
    -------
    pandas.DataFrame
        One row a covariate: `r2_treatment`, the share of the mean squared weight that the logistic propensity loses
        without it; `r2_outcome`, what it adds to a linear model of each arm, as a share of the mean squared residual
        of the estimate. Both are cut at zero.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, columns are fewer than two or add nothing, or
        the estimate has no design or is no ATE.

    Notes
    -----
    A covariate's own strength says what the log knows, not how strong the unknown is. Chapter:
    weighting/04_sensitivity

    References
    ----------
    bib: cinelli2020making, chernozhukov2022long
    """
    _validate.instance(estimate, "estimate", Estimate, "pass what an estimator returned")
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    x = _validate.matrix(X, "X", len(outcome), "y")
    design = estimate.design
    if estimate.estimand != "ATE" or design is None or design.residual is None:
        raise ValueError("estimate must be an ATE that keeps its weights and residuals, such as weighting.ipw gives.")
    if len(design.weights) != len(outcome):
        raise ValueError(f"estimate is about {len(design.weights)} rows, but y has {len(outcome)}; pass the same.")
    if x.shape[1] < 2:
        raise ValueError("X has one column; without it there is nothing to compare with.")
    names = column_names(X, x.shape[1])
    total = np.mean(np.where(design.weights != 0, design.residual**2, 0.0))
    all_of_them = _strengths(x, names, outcome, group)
    rows = {}
    for j, name in enumerate(names):
        weight, left = _strengths(np.delete(x, j, axis=1), (*names[:j], *names[j + 1 :]), outcome, group)
        rows[name] = (max(1 - weight / all_of_them[0], 0.0), max((left - all_of_them[1]) / total, 0.0))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["r2_treatment", "r2_outcome"])


def _strengths(x: FloatArray, names: tuple[str, ...], y: FloatArray, t: FloatArray) -> tuple[float, float]:
    """Return the mean squared Hajek weight under a logistic propensity, and the mean squared residual."""
    e = propensity(pd.DataFrame(x, columns=list(names)), t).e
    w1, w0 = t / e, (1 - t) / (1 - e)
    weight = np.mean((w1 / w1.mean()) ** 2 + (w0 / w0.mean()) ** 2)
    Z, _, _ = standardised(x, names)
    left = np.concatenate([y[a] - Z[a] @ np.linalg.lstsq(Z[a], y[a], rcond=None)[0] for a in (t == 1, t == 0)])
    return float(weight), float(np.mean(left**2))
