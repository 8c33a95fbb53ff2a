"""What an estimate is about, and how it is made of outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

ESTIMANDS: dict[str, str] = {
    "ATE": "average effect over all rows",
    "ATT": "average effect over the treated",
    "ATC": "average effect over the controls",
    "ATO": "average effect over the overlap population, weighted by e (1 - e)",
    "LATE": "average effect over those whom an instrument moves",
    "ITT": "average effect of being assigned, whether or not it was followed",
    "CATE": "average effect given covariates",
    "GATE": "average effect in a named group",
    "policy value": "mean outcome under a policy",
    "difference of policy values": "mean outcome under one policy minus that under another",
    "difference": "one estimand minus another",
    "path effect": "effect along named paths of a graph",
    "ratio": "ratio of two means",
    "mean": "mean of a column",
}
"""What may be estimated, by name. A module adds its own: `ESTIMANDS["dose slope"] = "what it means"`."""


@dataclass(frozen=True, eq=False)
class Design:
    """How an estimate is made of outcomes: what sensitivity analyses start from.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Signed weights (the Riesz representer): the estimate, before any correction by a model, is the mean of
        weights * y.
    residual : ndarray of shape (n,), optional
        Outcome minus what the method predicts it to be: arm means, or an outcome model.
    focal : ndarray of shape (k,), optional
        Rows whose counterfactual was sought, one entry a matched pair (for Rosenbaum bounds).
    partner : ndarray of shape (k,), optional
        Rows that stood in.

    Raises
    ------
    ValueError
        If a part is not finite, of another length, or names rows that are not there.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """

    weights: FloatArray
    residual: FloatArray | None = None
    focal: NDArray[np.int64] | None = None
    partner: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no number, of another length, or no row."""
        n = len(_validate.vector(self.weights, "weights"))
        if self.residual is not None:
            _validate.vector(self.residual, "residual", n, "weights")
        pairs = None
        if self.focal is not None:
            pairs = len(_validate.positions(self.focal, "focal", n))
        if self.partner is not None:
            _validate.positions(self.partner, "partner", n, pairs, "focal")

    @property
    def residual_variance(self) -> float:
        """Mean squared residual, in squared units of the outcome; NaN without residuals."""
        return float("nan") if self.residual is None else float(np.mean(self.residual**2))

    @property
    def weight_variance(self) -> float:
        """Mean squared signed weight."""
        return float(np.mean(self.weights**2))
