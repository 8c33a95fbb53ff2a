"""Finding matches: the options, the space that distances live in, and who is compared with whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causalrec_lib import _neighbours, _validate
from causalrec_lib._mestimation import standardised
from causalrec_lib._neighbours import IntArray, Pairs
from causalrec_lib._propensity import PropensityFit, column_names, propensity
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimand, NoOverlap

Metric = Literal["propensity", "logit", "mahalanobis", "scaled", "euclidean"]
Method = Literal["nearest", "optimal", "full"]
Order = Literal["largest", "smallest", "random", "data"]


@dataclass(frozen=True, eq=False)
class Matches:
    """Who is compared with whom.

    Parameters
    ----------
    focal : ndarray of shape (k,)
        Row whose counterfactual is sought, one entry a pair.
    partner : ndarray of shape (k,)
        Row of the other group that stands in.
    distance : ndarray of shape (k,)
        Distance of the pair, in units of the metric.
    share : ndarray of shape (k,)
        Weight of the partner; a focal row's shares sum to one.
    unmatched : ndarray of int
        Focal rows without a partner: the estimate is not about them.
    t : ndarray of shape (n,)
        Treatment.
    estimand : str
        ATT, ATC or ATE.
    method : str
        The matching in the field's words.
    space : ndarray of shape (n, d)
        Coordinates that distances were computed in.
    X : ndarray of shape (n, p), optional
        Covariates, if they were given.
    names : tuple of str
        Names of the covariates.
    fit : PropensityFit, optional
        The propensity model behind the score.
    beyond : str
        Options that the theory of the standard error does not cover, in words.

    Notes
    -----
    Chapter: weighting/02_matching
    """

    focal: IntArray
    partner: IntArray
    distance: FloatArray
    share: FloatArray
    unmatched: IntArray
    t: FloatArray = field(repr=False)
    estimand: Estimand
    method: str
    space: FloatArray = field(repr=False)
    X: FloatArray | None = field(repr=False, default=None)
    names: tuple[str, ...] = ()
    fit: PropensityFit | None = field(repr=False, default=None)
    beyond: str = ""

    @property
    def own(self) -> FloatArray:
        """One for each row that speaks for itself, zero else; shape (n,)."""
        flag = np.zeros(len(self.t))
        flag[self.focal] = 1.0
        return flag

    @property
    def lent(self) -> FloatArray:
        """How many focal rows each row stands in for (K), shape (n,)."""
        return np.bincount(self.partner, weights=self.share, minlength=len(self.t)).astype(np.float64)

    @property
    def weights(self) -> FloatArray:
        """Matching weight of every row: itself, and those it stands in for; shape (n,)."""
        return self.own + self.lent

    def frame(self) -> pd.DataFrame:
        """Return the pairs as a table.

        Returns
        -------
        pandas.DataFrame
            Columns focal, partner, distance, share.
        """
        return pd.DataFrame(
            {"focal": self.focal, "partner": self.partner, "distance": self.distance, "share": self.share}
        )


def match(
    X: ArrayLike | PropensityFit,
    t: ArrayLike,
    *,
    estimand: Literal["ATT", "ATC", "ATE"] = "ATT",
    metric: Metric = "propensity",
    method: Method = "nearest",
    ratio: int = 1,
    replace: bool = True,
    caliper: float | None = None,
    exact: ArrayLike | None = None,
    ties: Literal["all", "first"] = "all",
    order: Order = "largest",
    seed: int = 0,
) -> Matches:
    """Match rows of two groups.

    Parameters
    ----------
    X : array_like of shape (n,) or (n, p), or PropensityFit
        A score; or covariates; or a fitted propensity model, whose (standardised) covariates then serve as X.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    estimand : {"ATT", "ATC", "ATE"}
        Who needs partners: the treated, the controls, or everybody.
    metric : {"propensity", "logit", "mahalanobis", "scaled", "euclidean"}
        Distance: of the propensity or its log-odds (fitted if X is a table; one column is taken as the score itself),
        or between covariates: by their covariance, each over its standard deviation, or as they are.
    method : {"nearest", "optimal", "full"}
        Nearest neighbour; pairs without replacement at least total distance; or sets that use everybody.
    ratio : int
        Partners a focal row; full matching ignores it.
    replace : bool
        Whether a partner may serve twice (nearest only).
    caliper : float, optional
        Largest distance allowed, in units of the metric.
    exact : array_like of shape (n,) or (n, q), optional
        Labels on which partners must agree.
    ties : {"all", "first"}
        With replacement: all partners as near as the last one, as Abadie and Imbens do, or one of them.
    order : {"largest", "smallest", "random", "data"}
        Who chooses first without replacement: largest score (or distance from the centre) and so on.
    seed : int
        For order="random".

    Returns
    -------
    Matches
        Pairs, shares, unmatched rows.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, options don't fit together, or a table of
        distances would not fit in memory.
    NoOverlap
        If nobody finds a partner.

    Notes
    -----
    Without replacement, each choice depends on the earlier ones. On a score a million rows take seconds; on several
    covariates, and for optimal and full matching, the table of distances limits the size and the error says so.
    Chapter: weighting/02_matching

    References
    ----------
    bib: rosenbaum1983central, abadie2006large, hansen2004full, stuart2010matching
    """
    rows = X.e if isinstance(X, PropensityFit) else _validate.matrix(X, "X")
    group = _validate.binary(t, "t", len(rows), "X")
    _check_options(estimand, metric, method, ratio, replace, ties, order)
    _validate.integer(seed, "seed")
    reach = np.inf if caliper is None else _validate.number(caliper, "caliper", low=0.0)
    raw, covariates, names, fit = _coordinates(X, group, metric)
    space = _neighbours.snapped(raw)
    name = metric if fit is not None or metric not in ("propensity", "logit") else "a score"
    rank = _priority(space, order, seed)
    sides = {"ATT": (1.0,), "ATC": (0.0,), "ATE": (1.0, 0.0)}[estimand]

    def search(focal: IntArray, partner: IntArray) -> Pairs:
        if method == "full":
            return _neighbours.full(space[focal], space[partner], reach)
        if method == "optimal":
            return _neighbours.optimal(space[focal], space[partner], ratio, reach)
        if replace:
            wanted = ratio if strata is None else min(ratio, len(partner))
            return _neighbours.nearest(space[focal], space[partner], wanted, ties, reach)
        return _neighbours.greedy(space[focal], space[partner], ratio, reach, np.argsort(rank[focal], kind="stable"))

    strata = _strata(exact, len(group))
    found = [_by_stratum(search, strata, group, side) for side in sides]
    focal, partner, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    if not len(focal):
        raise NoOverlap("no row finds a partner; widen the caliper or match exactly on fewer columns.")
    count = np.bincount(focal, minlength=len(group))
    return Matches(
        *(focal, partner, distance),
        share=1.0 / count[focal],
        unmatched=np.flatnonzero(np.isin(group, sides) & (count == 0)),
        t=group,
        estimand=estimand,
        method=_describe(name, method, ratio, replace, caliper, exact),
        beyond=_beyond(method, replace, caliper),
        space=space,
        X=covariates,
        names=names,
        fit=fit,
    )


def _check_options(estimand: str, metric: str, method: str, ratio: int, replace: bool, ties: str, order: str) -> None:
    _validate.one_of(estimand, "estimand", ("ATT", "ATC", "ATE"))
    _validate.one_of(metric, "metric", ("propensity", "logit", "mahalanobis", "scaled", "euclidean"))
    _validate.one_of(method, "method", ("nearest", "optimal", "full"))
    _validate.flag(replace, "replace")
    _validate.one_of(ties, "ties", ("all", "first"))
    _validate.one_of(order, "order", ("largest", "smallest", "random", "data"))
    _validate.integer(ratio, "ratio", low=1)
    if estimand == "ATE" and (method == "optimal" or (method == "nearest" and not replace)):
        raise ValueError("estimand='ATE' makes partners serve twice: use replace=True, or method='full'.")


def _coordinates(
    X: ArrayLike | PropensityFit, t: FloatArray, metric: str
) -> tuple[FloatArray, FloatArray | None, tuple[str, ...], PropensityFit | None]:
    """Return the space to match in, and the covariates and the propensity model where there are any."""
    if isinstance(X, PropensityFit):
        if metric not in ("propensity", "logit") or not np.array_equal(X.t, t):
            raise ValueError(
                "X is a propensity model: metric must be 'propensity' or 'logit', and t the one it was fitted to."
            )
        return (X.e if metric == "propensity" else X.logit)[:, None], X.design[:, 1:], X.names, X
    x = _validate.matrix(X, "X", len(t))
    names = column_names(X, x.shape[1])
    if metric in ("propensity", "logit"):
        if x.shape[1] == 1:
            return x, None, names, None
        fit = propensity(X, t)
        return (fit.e if metric == "propensity" else fit.logit)[:, None], x, names, fit
    if metric == "euclidean":
        return x, x, names, None
    Z = standardised(x, names)[0][:, 1:]
    if metric == "mahalanobis":
        factor = np.linalg.cholesky(np.atleast_2d(np.cov(Z.T)))
        Z = np.linalg.solve(factor, Z.T).T
    return np.ascontiguousarray(Z), x, names, None


def _priority(space: FloatArray, order: str, seed: int) -> FloatArray:
    """Return numbers of which the smallest chooses first."""
    if order == "random":
        return np.random.default_rng(seed).permutation(len(space)).astype(np.float64)
    if order == "data":
        return np.arange(len(space), dtype=np.float64)
    size = space[:, 0] if space.shape[1] == 1 else np.linalg.norm(space - space.mean(axis=0), axis=1)
    return -size if order == "largest" else size


def _strata(exact: ArrayLike | None, n: int) -> IntArray | None:
    if exact is None:
        return None
    return _validate.labels(exact, "exact", n, "t", several=True)


def _by_stratum(
    search: Callable[[IntArray, IntArray], Pairs], strata: IntArray | None, t: FloatArray, side: float
) -> Pairs:
    """Search within each stratum, and return pairs by row number."""
    if strata is None:
        blocks = [np.arange(len(t))]
    else:
        order = np.argsort(strata, kind="stable")
        blocks = np.split(order, np.flatnonzero(np.diff(strata[order])) + 1)
    found = []
    for block in blocks:
        focal, partner = block[t[block] == side], block[t[block] != side]
        if len(focal) and len(partner):
            pairs = search(focal, partner)
            found.append((focal[pairs.focal], partner[pairs.partner], pairs.distance))
    if not found:
        return Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    return Pairs(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _beyond(method: str, replace: bool, caliper: float | None) -> str:
    """Name what the theorem on matching with an estimated score leaves out."""
    words = {"full": "full matching", "optimal": "optimal matching"}.get(method, "")
    words = words or ("" if replace else "matching without replacement")
    return " and ".join(w for w in (words, "" if caliper is None else "a caliper") if w)


def _describe(
    metric: str, method: str, ratio: int, replace: bool, caliper: float | None, exact: ArrayLike | None
) -> str:
    kind = {
        "nearest": f"{ratio}:1 nearest neighbour",
        "optimal": f"optimal {ratio}:1 matching",
        "full": "full matching",
    }
    words = [f"{kind[method]} on {metric}"]
    if method == "nearest":
        words.append("with replacement" if replace else "without replacement")
    if caliper is not None:
        words.append(f"caliper {caliper:g}")
    if exact is not None:
        words.append("exact strata")
    return ", ".join(words)
