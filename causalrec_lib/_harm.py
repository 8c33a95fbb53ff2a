"""How many the treatment harms: bounds, for no row is seen both ways."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

ESTIMANDS["least harm"] = "least share of rows with outcome 1 if not treated and 0 if treated"
ESTIMANDS["most harm"] = "largest share of rows with outcome 1 if not treated and 0 if treated"


class HarmBounds(NamedTuple):
    """The least and the largest share of harmed rows that the two chances of each row allow."""

    low: Estimate
    high: Estimate

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of an interval that holds both bounds, and so the share, with the level that they claim or more."""
        return max(self.low.low, 0.0), min(self.high.high, 1.0)


def harm_bounds(
    scores0: ArrayLike,
    scores1: ArrayLike,
    predicted0: ArrayLike,
    predicted1: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> HarmBounds:
    """Bound the share of rows that the treatment harms: outcome 1 if not treated, 0 if treated.

    Parameters
    ----------
    scores0, scores1 : array-like of shape (n,)
        Doubly robust scores of the outcome (0 or 1) without and with treatment, whose means are the mean outcomes.
    predicted0, predicted1 : array-like of shape (n,)
        Predicted chances, 0 to 1, of outcome 1 without and with treatment; made without these rows' outcomes. The
        same number in all rows gives the bounds of the two means alone.
    clusters : array-like of shape (n,), optional
        Labels of rows that share their noise.
    level : float
        Coverage that each interval claims.

    Returns
    -------
    HarmBounds
        `low`, `high`: an `Estimate` of each bound. `interval`: from the lower end of the first to the upper end of
        the second, cut to 0 to 1.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, or predictions lie outside of 0 to 1.

    Notes
    -----
    Of rows with chances p0 and p1 at least max(0, p0 - p1) and at most min(p0, 1 - p1) are harmed. Predictions
    choose the branch of each row, and scores fill it in. So bad predictions make the bounds wide, not wrong; with
    the true chances given the columns they are as narrow as those columns allow.
    Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: kallus2022harm, fan2010sharp
    """
    psi0 = _validate.vector(scores0, "scores0")
    psi1 = _validate.vector(scores1, "scores1", len(psi0), "scores0")
    p0, p1 = (
        _validate.vector(p, name, len(psi0), "scores0")
        for name, p in (("predicted0", predicted0), ("predicted1", predicted1))
    )
    for name, p in (("predicted0", p0), ("predicted1", p1)):
        _validate.inside(p, (p < 0) | (p > 1), name, "between 0 and 1", "pass chances")
    least = np.where(p0 > p1, psi0 - psi1, 0.0)
    most = np.where(p0 < 1 - p1, psi0, 1 - psi1)
    codes = cluster_codes(clusters, len(psi0))
    return HarmBounds(_mean(least, "least harm", codes, level), _mean(most, "most harm", codes, level))


def _mean(rows: FloatArray, estimand: str, codes: NDArray[np.int64] | None, level: float) -> Estimate:
    value = float(rows.mean())
    return Estimate(
        value, standard_error(rows - value, codes), estimand, "bounds from two chances", len(rows), level=level,
        assumptions=("no unmeasured confounding given X", "overlap", "no interference",
                     "predictions made without these rows"),
        n_clusters=n_groups(codes), influence=rows - value, clusters=codes,
    )  # fmt: skip
