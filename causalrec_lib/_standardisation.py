"""Standardisation (the g-formula) with a linear outcome model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._balance import balance
from causalrec_lib._mestimation import cluster_codes, gram, n_groups, standard_error, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._refusal import of_clusters
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Design, Estimand, Estimate, Rules


def standardisation(
    y: ArrayLike,
    t: ArrayLike,
    X: ArrayLike,
    *,
    interact: Sequence[str | int] | bool = False,
    estimand: Estimand = "ATE",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate an average effect by a linear outcome model averaged over the target group (g-formula).

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    X : array_like of shape (n, p)
        Covariates without a constant.
    interact : sequence of str or int, or bool
        Columns of X whose slope may differ by treatment; True for all, False for none.
    estimand : {"ATE", "ATT", "ATC"}
        Whose covariates the predictions are averaged over.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        Effect with the stacked sandwich standard error, and how far the groups' covariates lie apart. Its note says
        how much of the answer is extrapolation: a linear model gives rows weights, and some may be negative.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or columns are collinear or unknown.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: hernan2020causal, stefanski2002calculus
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    x = _validate.matrix(X, "X", len(outcome), "y")
    _validate.one_of(estimand, "estimand", ("ATE", "ATT", "ATC"))
    codes = cluster_codes(clusters, len(outcome))
    names = column_names(X, x.shape[1])
    Z, _, _ = standardised(x, names)
    own = Z[:, [0, *_positions(interact, names)]]  # what the effect may vary with, the constant first
    D = np.hstack([Z, group[:, None] * own])
    inner = gram(D)
    if np.linalg.cond(inner) > 1e14:
        raise ValueError("X times t is collinear: a group lacks variation in an interacted column; interact fewer.")
    beta = np.linalg.solve(inner, D.T @ outcome)
    effect = own @ beta[Z.shape[1] :]
    q = {"ATE": np.ones_like(group), "ATT": group, "ATC": 1 - group}[estimand]
    value = float(q @ effect / q.sum())
    target = np.r_[np.zeros(Z.shape[1]), q @ own / q.sum()]
    signed = np.asarray(len(D) * (D @ np.linalg.solve(inner, target)), np.float64)  # what a row's outcome counts
    residual = outcome - D @ beta
    influence = q * (effect - value) / q.mean() + signed * residual
    groups = n_groups(codes)
    zero = float(q @ (Z @ beta[: Z.shape[1]]) / q.sum())
    return Estimate(
        value=value,
        se=standard_error(influence, codes),
        estimand=estimand,
        method="standardisation, linear outcome model",
        n=len(outcome),
        level=level,
        balance=balance(x, group, names=names),
        assumptions=("no unmeasured confounding given X", "correct outcome model", "no interference"),
        flags=tuple(map(str, of_clusters(groups, Rules()))),
        unit=unit,
        arms={"control": zero, "treated": zero + value},
        notes=(_extrapolation(signed * (2 * group - 1)),),
        n_clusters=groups,
        influence=influence,
        clusters=codes,
        design=Design(signed, residual),
    )


def _extrapolation(w: FloatArray) -> str:
    """Say how much of the linear model's weight is negative: it subtracts rows to reach where a group has none."""
    share = -float(w[w < 0].sum()) / float(np.abs(w).sum())
    return f"the straight lines bridge what imbalance there is; {share:.1%} of the weight on rows is negative"


def _positions(interact: Sequence[str | int] | bool, names: tuple[str, ...]) -> list[int]:
    """Return the 1-based columns to interact."""
    if isinstance(interact, bool):
        return list(range(1, len(names) + 1)) if interact else []
    if isinstance(interact, str) or not isinstance(interact, Sequence | np.ndarray | pd.Index):
        shown = _validate.shown(interact)
        raise ValueError(f"interact must be True, False or a list of columns, but is {shown}; pass ['{names[0]}'].")
    unknown = [c for c in interact if not (c in names if isinstance(c, str) else _is_position(c, len(names)))]
    if unknown:
        raise ValueError(f"interact names columns that X lacks: {unknown}; X has {', '.join(names)}.")
    found = [1 + (names.index(c) if isinstance(c, str) else int(c)) for c in interact]
    _validate.unique(found, "interact")
    return found


def _is_position(c: object, n: int) -> bool:
    return isinstance(c, int | np.integer) and not isinstance(c, bool) and int(c) in range(n)
