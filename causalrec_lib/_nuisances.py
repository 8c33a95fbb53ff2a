"""The two models behind an effect: of outcomes and of treatment, each predicting rows that it never saw."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes
from causalrec_lib._validate import FloatArray


class Nuisances(NamedTuple):
    """What the models say about each row.

    Parameters
    ----------
    mu0, mu1 : ndarray of shape (n,)
        Predicted outcome without and with treatment.
    e : ndarray of shape (n,)
        Predicted propensity.
    fold : ndarray of shape (n,)
        Fold of each row; all zero where rows were predicted by models that they trained.
    clipped : float
        Share of rows whose propensity was moved to a bound.
    """

    mu0: FloatArray
    mu1: FloatArray
    e: FloatArray
    fold: NDArray[np.int64]
    clipped: float = 0.0


def default_propensity() -> Any:
    """Return a logistic regression without a penalty, on scaled columns."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1_000, tol=1e-8))


def learner(x: object, name: str, default: Any) -> Any:
    """Return an unfitted copy of a scikit-learn estimator, or the default."""
    if x is None:
        return default
    if not hasattr(x, "fit") or not (hasattr(x, "predict") or hasattr(x, "predict_proba")):
        raise ValueError(
            f"{name} must be a scikit-learn estimator with fit and predict, but is {_validate.shown(x)}."
        )
    return clone(x)


def predicted(model: Any, X: FloatArray) -> FloatArray:
    """Return the predicted mean of an outcome: the chance of a one, for a classifier."""
    if is_classifier(model):
        chances = np.asarray(model.predict_proba(X), dtype=float)
        return np.asarray(chances @ np.asarray(model.classes_, dtype=float))
    return np.asarray(model.predict(X), dtype=float)


def folds_of(n: int, folds: int, seed: int, t: FloatArray, clusters: ArrayLike | None) -> NDArray[np.int64]:
    """Deal rows to folds: whole clusters at random, or within treatment groups so that each fold has both."""
    rng = np.random.default_rng(seed)
    codes = cluster_codes(clusters, n)
    if codes is not None:
        return np.asarray((rng.permutation(codes.max() + 1) % folds)[codes], dtype=np.int64)
    fold = np.empty(n, dtype=np.int64)
    for group in (0, 1):
        rows = rng.permutation(np.flatnonzero(t == group))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def cross_fit(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike | pd.DataFrame,
    *,
    outcome: object = None,
    propensity: object = None,
    folds: int = 5,
    seed: int = 0,
    clusters: ArrayLike | None = None,
    clip: float = 0.001,
) -> Nuisances:
    """Fit the models of outcome and treatment, and predict each row by models that never saw it.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    X : array-like of shape (n, p)
        Covariates.
    outcome : scikit-learn estimator, optional
        Regressor or classifier, fitted to each treatment group; by default linear regression.
    propensity : scikit-learn classifier, optional
        By default logistic regression without a penalty.
    folds : int
        Number of folds. With 1 rows are predicted by the models that they trained; with flexible models that spoils
        estimate and error.
    seed : int
        Deals rows to folds.
    clusters : array-like of shape (n,), optional
        Labels of rows that belong together; they share a fold.
    clip : float
        Propensities are moved into [clip, 1 - clip].

    Returns
    -------
    Nuisances
        Predictions for each row.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, a model is none, or a fold lacks a treatment group.

    Notes
    -----
    Chapter: weighting/03_doubly_robust

    References
    ----------
    bib: chernozhukov2018double
    """
    a = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(a), "y")
    x = _validate.matrix(X, "X", len(a), "y")
    parts = _validate.integer(folds, "folds", low=1, high=len(a))
    bound = _validate.number(clip, "clip", low=0.0, below=0.5)
    if outcome is not None and is_classifier(outcome):
        _validate.binary(a, "y", both=False)
    fold = folds_of(len(a), parts, _validate.integer(seed, "seed"), group, clusters)
    if len(np.unique(fold)) < parts:
        raise ValueError(f"folds is {parts}, more than there are rows of a group, or clusters, to deal; use fewer.")
    found = np.empty((3, len(a)))
    for k in range(parts):
        inside = fold == k
        train = ~inside if parts > 1 else inside
        if min((group[train] == g).sum() for g in (0, 1)) < 2:
            raise ValueError(
                f"folds leaves fewer than two rows of a treatment group to train on; use fewer than {parts}."
            )
        for g in (0, 1):
            model = learner(outcome, "outcome", LinearRegression())
            model.fit(x[train & (group == g)], a[train & (group == g)])
            found[g, inside] = predicted(model, x[inside])
        model = learner(propensity, "propensity", default_propensity()).fit(x[train], group[train])
        found[2, inside] = predicted(model, x[inside])
    mu0, mu1, e = found
    inside = np.clip(e, bound, 1 - bound)
    return Nuisances(mu0, mu1, inside, fold, float(np.mean(inside != e)))
