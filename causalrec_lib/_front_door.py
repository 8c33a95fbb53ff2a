"""The front-door estimator, saturated, with its influence function."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib.estimate import Estimate


def front_door(
    y: ArrayLike, t: ArrayLike, mediator: ArrayLike, *, clusters: ArrayLike | None = None, unit: str = ""
) -> Estimate:
    """Estimate the effect of a treatment through a mediator, with treatment and outcome confounded.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    mediator : array-like of shape (n,)
        Labels of the mediator, few values; each must occur with both treatments.
    clusters : array-like of shape (n,), optional
        Labels of rows that belong together.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    Estimate
        The ATE, with influence and standard error.

    Raises
    ------
    ValueError
        If an array is no number, of another length, or a value of the mediator occurs with one treatment only.

    Notes
    -----
    Sum over m of [P(m | 1) - P(m | 0)] times the sum over x of P(x) E[Y | m, x], each chance and mean a share or mean
    of rows. It identifies the effect if `graphs.is_front_door` says so.
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: pearl1995causal
    """
    a = _validate.vector(y, "y")
    n = len(a)
    x = _validate.binary(t, "t", n, "y").astype(np.int64)
    m = _validate.labels(mediator, "mediator", n, "y", several=True)
    counts = np.zeros((2, m.max() + 1))
    np.add.at(counts, (x, m), 1.0)
    if (counts == 0).any():
        few = int((counts == 0).any(axis=0).sum())
        raise ValueError(f"mediator has {few} values that occur with one treatment only; merge its rare values.")
    sums = np.zeros_like(counts)
    np.add.at(sums, (x, m), a)
    mu, share, p_x = sums / counts, counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=1) / n
    moved, through = share[1] - share[0], p_x @ mu  # d_m, and the mean outcome when the mediator is set to m
    value = float(moved @ through)
    sign = np.where(x == 1, 1 / p_x[1], -1 / p_x[0])
    influence = (
        sign * (through[m] - (share @ through)[x])  # pull of a row on P(m | x)
        + moved[m] / share[x, m] * (a - mu[x, m])  # ... on E[Y | m, x]
        + (mu @ moved)[x] - value  # ... on P(x)
    )  # fmt: skip
    codes = cluster_codes(clusters, n)
    return Estimate(
        value, standard_error(influence, clusters), "ATE", "front door, saturated", n,
        unit=unit, influence=influence, clusters=codes, n_clusters=n_groups(codes),
        assumptions=("the mediator carries the whole effect", "nothing confounds treatment and mediator",
                     "the treatment blocks what confounds mediator and outcome"),
    )  # fmt: skip
