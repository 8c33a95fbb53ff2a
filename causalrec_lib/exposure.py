"""Ratings that are missing not at random: chances of being rated, means over all pairs, models of both."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._factorise import Factors
from causalrec_lib._implicit import LatentExposure, expomf, implicit
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib._rating_chances import StarChances, naive_bayes, poisson, popularity
from causalrec_lib._rating_models import chances, doubly_robust, factorise, penalty_risk
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import (
    Design,
    Estimate,
    EstimateRefused,
    Miscalibrated,
    NoOverlap,
    OnRefusal,
    Rules,
    judge,
)

__all__ = [
    "Factors",
    "LatentExposure",
    "StarChances",
    "doubly_robust",
    "expomf",
    "factorise",
    "implicit",
    "mean_over_pairs",
    "naive_bayes",
    "penalty_risk",
    "poisson",
    "popularity",
]

_NAMES = {"naive": "mean of the rated pairs", "ips": "IPS", "snips": "self-normalised IPS"}


class _Mean(NamedTuple):
    """A weighted mean, the influence of each rated pair, its weight and its residual."""

    value: float
    influence: FloatArray
    weights: FloatArray
    residual: FloatArray


def mean_over_pairs(
    y: ArrayLike,
    p: ArrayLike | StarChances | None = None,
    *,
    n_pairs: int | None = None,
    estimator: Literal["snips", "ips"] = "snips",
    clip: float | None = None,
    p_source: Literal["known", "fitted"] = "known",
    clusters: ArrayLike | None = None,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Estimate a mean over all pairs of users and items from the pairs that were rated.

    `y` may be stars, or the error of a model, or the difference between the errors of two models.

    Parameters
    ----------
    y : array_like of shape (n,)
        What was seen of each rated pair, in `unit`.
    p : array_like of shape (n,) or StarChances, optional
        Chance of each rated pair to be rated, in (0, 1]. Without it this is the naive mean.
    n_pairs : int, optional
        Number of all pairs, rated or not. IPS needs it; SNIPS uses it to look whether some pairs can't be rated.
    estimator : {"snips", "ips"}
        Weighted mean, or weighted sum over `n_pairs`.
    clip : float, optional
        Raise chances below this to it: less variance, and bias.
    p_source : {"known", "fitted"}
        Where an array `p` comes from. If it was fitted, the report card says that the error ignores the fit.
    clusters : array_like of shape (n,), optional
        Labels of rated pairs that share noise, for example user ids.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of `y`, for display.

    Returns
    -------
    Estimate
        Mean over all pairs with standard error, effective sample size, influence of the rated pairs and design. The
        pairs and what they would show are held fixed; chance decides who rates, each pair by itself, so a pair that
        is rated with certainty adds no error. With clusters or without `p` that factor 1 - p is left out. With
        `StarChances` the error knows that the survey is a sample (one draw a row), and there is no influence.

    Raises
    ------
    ValueError
        If `p` leaves (0, 1], input is no number or of other length, IPS has no `n_pairs`, or an option is unknown.
    NoOverlap
        If the weights add up to clearly fewer than `n_pairs`, so that some pairs can't be rated, or one pair carries
        the answer.
    Miscalibrated
        If the weights add up to clearly more than `n_pairs`.
    EffectiveSampleTooSmall
        If the weights leave too few effective rows.

    Notes
    -----
    Chapter: recommenders/01_missing_not_at_random

    References
    ----------
    bib: schnabel2016recommendations, swaminathan2015normalized, horvitz1952generalization
    """
    outcome = _validate.vector(y, "y")
    chance = chances(p, len(outcome), "y")
    _validate.one_of(estimator, "estimator", ("snips", "ips"))
    _validate.one_of(p_source, "p_source", ("known", "fitted"))
    rules = _validate.instance(Rules() if rules is None else rules, "rules", Rules, "pass Rules(min_ess=...)")
    total = None if n_pairs is None else _validate.integer(n_pairs, "n_pairs", len(outcome))
    if estimator == "ips" and (total is None or p is None):
        raise ValueError("estimator 'ips' needs p, and n_pairs, the number of all pairs; pass both, or use 'snips'.")
    if clip is not None:
        chance = np.maximum(chance, _validate.number(clip, "clip", above=0.0, high=1.0))
    codes = cluster_codes(clusters, len(outcome))
    stars = p if isinstance(p, StarChances) and clip is None else None
    found = _weighted(outcome, chance, total if estimator == "ips" else None, stars)
    fixed = found.influence if codes is not None or p is None else found.influence * np.sqrt(1 - chance)
    estimate = Estimate(
        value=found.value,
        se=float(np.hypot(standard_error(fixed, codes), _survey_error(outcome, found, stars))),
        estimand="mean",
        method=_NAMES["naive" if p is None else estimator]
        + ("" if clip is None else f", chances clipped at {clip:g}"),
        n=len(outcome),
        level=level,
        assumptions=("every pair can be rated", "the chances hold given the stars", "pairs are rated independently"),
        unit=unit,
        population="all pairs of users and items",
        notes=() if p is None or p_source == "known" else ("the chances are fitted; the error ignores the fit",),
        e_source="" if p is None else "naive Bayes" if isinstance(p, StarChances) else p_source,
        n_clusters=n_groups(codes),
        influence=fixed if stars is None else None,
        clusters=codes,
        design=Design(found.weights, found.residual),
    )
    audited = p is not None and total is not None and clip is None and p_source == "known" and stars is None
    said = _audit(chance, total, rules) if audited and total is not None else []
    return judge(
        estimate, {"rated pairs": 1 / chance}, rules, refuse, said, ["sum of the weights"] if audited else []
    )


def _weighted(y: FloatArray, p: FloatArray, n_pairs: int | None, stars: StarChances | None) -> _Mean:
    """Return the weighted mean; its residual is from the mean, from the mean of the star, or (IPS) from zero."""
    w = 1 / p
    w = w * len(y) / (w.sum() if n_pairs is None else n_pairs)
    value = float(np.mean(w * y))
    residual = y if n_pairs is not None else y - value
    if stars is not None:
        residual = y - _by_star(y, stars.code)[stars.code]
    return _Mean(value, w * residual, w, residual)


def _by_star(y: FloatArray, code: NDArray[np.int64]) -> FloatArray:
    return np.asarray(np.bincount(code, y) / np.bincount(code), dtype=np.float64)


def _survey_error(y: FloatArray, found: _Mean, stars: StarChances | None) -> float:
    """Return the part of the error that comes from the survey's shares of stars."""
    if stars is None:
        return 0.0
    share = stars.by_star["survey"].to_numpy()
    spread = share @ (_by_star(y, stars.code) - found.value) ** 2
    return float(np.sqrt(spread / stars.n_survey))


def _audit(p: FloatArray, n_pairs: int, rules: Rules) -> list[EstimateRefused]:
    """Return an objection if the weights don't add up to the number of pairs: each pair's chance is to be p."""
    total, error = float((1 / p).sum()), float(np.sqrt(((1 - p) / p**2).sum()))
    z = (total - n_pairs) / max(error, 1e-9 * n_pairs)
    words = f"the weights 1 / p add up to {total / n_pairs:.3f} of n_pairs, {abs(z):.0f} standard errors from 1"
    if z < -rules.max_z:
        return [
            NoOverlap(
                f"no overlap: {words}. Some pairs have no chance to be rated, or p is too high; ask about the pairs "
                "that can be rated, or make a survey."
            )
        ]
    if z > rules.max_z:
        return [Miscalibrated(f"miscalibrated: {words}. p is too low for these pairs; look how it was made.")]
    return []
