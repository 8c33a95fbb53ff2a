"""The parts of off-policy estimators: weights, shrinkage, values with influence, and what is wrong with a log."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._refusal import EstimateRefused, Miscalibrated, NoOverlap
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Rules

NEEDS_MODEL = ("DM", "DR", "SNDR", "SWITCH-DR", "DRos")
NEEDS_THRESHOLD = ("clipped IPS", "SWITCH-DR", "DRos")
_CERTAIN = 1 - 1e-12


def importance_weights(target: ArrayLike, e: ArrayLike, n: int) -> tuple[FloatArray, FloatArray]:
    """Return the chance of each logged action, and its weight under the target policy."""
    chance, wanted = _validate.happened(e, "e", n, "y"), _validate.vector(target, "target", n, "y")
    _validate.inside(wanted, (wanted < 0) | (wanted > 1), "target", "between 0 and 1", "pass probabilities")
    return chance, wanted / chance


def threshold_of(estimator: str, threshold: float | None) -> float:
    """Return the threshold of an estimator that has one, infinity for the others."""
    _validate.one_of(estimator, "estimator", (*NEEDS_MODEL, "IPS", "SNIPS", "clipped IPS"))
    if estimator not in NEEDS_THRESHOLD:
        if threshold is not None:
            raise ValueError(f"threshold is for {', '.join(NEEDS_THRESHOLD)}; leave it out for {estimator}.")
        return np.inf
    if threshold is None:
        raise ValueError(f"threshold is missing, and {estimator} needs one; see policy.thresholds for a choice.")
    return _validate.number(threshold, "threshold", above=0.0)


def model_of(q: ArrayLike | None, v: ArrayLike | None, n: int, estimator: str) -> tuple[FloatArray, FloatArray]:
    """Return predicted rewards of the logged action and of the target policy; zero for an estimator without model."""
    if estimator not in (*NEEDS_MODEL, "cascade DR"):
        return np.zeros(n), np.zeros(n)
    if q is None or v is None:
        missing = "q" if q is None else "v"
        raise ValueError(f"{missing} is missing, and {estimator} needs predicted rewards; pass both q and v.")
    return _validate.vector(q, "q", n, "y"), _validate.vector(v, "v", n, "y")


def shrunk(w: FloatArray, estimator: str, threshold: float) -> FloatArray:
    """Return the weights that an estimator uses."""
    if estimator == "clipped IPS":
        return np.minimum(w, threshold)
    if estimator == "SWITCH-DR":
        return np.where(w <= threshold, w, 0.0)
    if estimator == "DRos":
        return np.asarray(threshold * w / (w**2 + threshold))
    return w


def value_of(y: FloatArray, w: FloatArray, q: FloatArray, v: FloatArray, estimator: str) -> tuple[float, FloatArray]:
    """Return value and centred influence."""
    if estimator == "DM":
        return float(v.mean()), v - v.mean()
    if estimator not in ("SNIPS", "SNDR") or not w.any():
        rows = v + w * (y - q)
        return float(rows.mean()), rows - rows.mean()
    correction = float(w @ (y - q) / w.sum())
    influence = v - v.mean() + w * (y - q - correction) / w.mean()
    return float(v.mean()) + correction, influence


def slate_rows(table: pd.DataFrame, estimator: str) -> tuple[pd.Series, pd.Series]:
    """Return each slot's weight and what it adds to its slate; `table` is sorted by session and place."""
    by = table.groupby("session")["ratio"]
    if estimator in ("IPS", "IIPS"):
        w = by.transform("prod") if estimator == "IPS" else table["ratio"]
        return w, w * table["y"]
    w = by.cumprod()
    above = w.groupby(table["session"]).shift(1, fill_value=1.0)
    return w, w * (table["y"] - table["q"]) + above * table["v"]


def objections(w: FloatArray, e: FloatArray, rules: Rules) -> list[EstimateRefused]:
    """Return what is wrong with the weights before any reward is looked at."""
    if not w.any():
        return [NoOverlap("no round is left: target takes none of the logged actions; log with more exploration.")]
    if (e >= _CERTAIN).all():
        return [
            NoOverlap(
                "e is 1 in every round: the logging policy was deterministic, and never showed what else it could "
                "have. Log with some exploration; no weighting helps here."
            )
        ]
    gap, spread = float(w.mean()) - 1, float(w.std()) / len(w) ** 0.5
    if not abs(gap) > rules.max_z * spread:
        return []
    return [
        Miscalibrated(
            f"weights average {w.mean():.3f} instead of 1 (rule: {rules.max_z:g} standard errors). Either e is not "
            "the chance that was at work, or target likes actions that were never logged."
        )
    ]
