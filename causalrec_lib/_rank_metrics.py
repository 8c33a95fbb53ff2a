"""Ranking metrics user by user, from gains in the order of the scores."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

RankMetric = Literal["precision", "recall", "F1", "hit rate", "MRR", "MAP", "NDCG"]
METRICS = ("precision", "recall", "F1", "hit rate", "MRR", "MAP", "NDCG")
SAMPLED = ("recall", "MRR", "NDCG")


class Ranked(NamedTuple):
    """Gains of each user's first k items, all gains, relevant items a user, and users with a tie at the cut."""

    top: FloatArray
    best: FloatArray
    relevant: FloatArray
    tied: NDArray[np.bool_]


def discount(k: int) -> FloatArray:
    """Return 1 / log2(rank + 1) for ranks 1 to k."""
    return np.asarray(1 / np.log2(np.arange(2, k + 2)))


def ranked(relevance: ArrayLike, scores: ArrayLike, k: int, candidates: ArrayLike | None) -> Ranked:
    """Sort each user's gains by score, ties in order of the columns; what is no candidate comes last and gains 0."""
    gain = _validate.matrix(relevance, "relevance")
    s = _alike(scores, "scores", gain.shape)
    if (gain < 0).any():
        raise ValueError("relevance has negative entries; a gain is 0 (not relevant) or more.")
    k = _validate.integer(k, "k", 1, gain.shape[1])
    if candidates is not None:
        allowed = _mask(candidates, gain.shape, k)
        gain, s = np.where(allowed, gain, 0.0), np.where(allowed, s, -np.inf)
    order = _first(s, k)
    best = -np.sort(np.partition(-gain, k - 1, axis=1)[:, :k], axis=1)
    edge = np.take_along_axis(s, order[:, -1:], 1)
    tied = ((s == edge).sum(axis=1) > (np.take_along_axis(s, order, 1) == edge).sum(axis=1)) & np.isfinite(edge[:, 0])
    return Ranked(np.take_along_axis(gain, order, 1), best, (gain > 0).sum(axis=1).astype(float), tied)


def _alike(x: ArrayLike, name: str, shape: tuple[int, ...]) -> FloatArray:
    a = _validate.matrix(x, name)
    if a.shape != shape:
        raise ValueError(f"{name} has shape {a.shape}, relevance {shape}; both need all users and items.")
    return a


def _mask(candidates: ArrayLike, shape: tuple[int, int], k: int) -> NDArray[np.bool_]:
    allowed = _alike(candidates, "candidates", shape)
    if not np.isin(allowed, (0, 1)).all():
        raise ValueError(
            "candidates must be 0 or 1 (False or True) in every cell; mark what may be recommended by 1."
        )
    few = allowed.sum(axis=1) < k
    if few.any():
        raise ValueError(f"candidates has fewer than k = {k} items in {_validate.rows(few)}; take a smaller k.")
    return allowed == 1


def _first(s: FloatArray, k: int) -> NDArray[np.int64]:
    """Return each row's k largest in descending order; equal scores in order of the columns, also across the cut."""
    if k * 8 > s.shape[1]:
        return np.argsort(-s, axis=1, kind="stable")[:, :k]
    cut = -np.partition(-s, k - 1, axis=1)[:, k - 1 : k]
    above = s > cut
    room = k - above.sum(axis=1, keepdims=True)
    level = s == cut
    keep = above | (level & (np.cumsum(level, axis=1) <= room))
    columns = np.nonzero(keep)[1].reshape(len(s), k)
    inner = np.argsort(-np.take_along_axis(s, columns, 1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(columns, inner, 1))


def value_of(r: Ranked, metric: str) -> FloatArray:
    """Return one value a user; NaN for a user without a relevant item."""
    k = r.top.shape[1]
    hit, rank = r.top > 0, np.arange(1, k + 1)
    hits = hit.sum(axis=1)
    known = np.where(r.relevant > 0, r.relevant, np.nan)
    if metric == "precision":
        value = hits / k
    elif metric == "recall":
        value = hits / known
    elif metric == "F1":
        value = 2 * hits / (k + known)
    elif metric == "hit rate":
        value = (hits > 0).astype(float)
    elif metric == "MRR":
        value = np.where(hits > 0, 1 / (hit.argmax(axis=1) + 1), 0.0)
    elif metric == "MAP":
        value = (hit * np.cumsum(hit, axis=1) / rank).sum(axis=1) / np.minimum(known, k)
    else:
        ideal = r.best @ discount(k)
        value = (r.top @ discount(k)) / np.where(ideal > 0, ideal, np.nan)
    return np.asarray(np.where(np.isnan(known), np.nan, value))


def of_sampled_rank(rank: NDArray[np.int64], n_items: int, negatives: int, k: int, metric: str) -> FloatArray:
    """Return the expected metric of one relevant item at `rank` among n_items, when `negatives` others are drawn.

    Of the drawn ones, the number ahead of the relevant item is hypergeometric.
    """
    ahead = np.arange(k)
    gain = {"recall": np.ones(k), "MRR": 1.0 / (ahead + 1), "NDCG": discount(k)}[metric]
    distinct, where = np.unique(rank, return_inverse=True)
    chance = hypergeom.pmf(ahead[None, :], n_items - 1, distinct[:, None] - 1, negatives)
    return np.asarray((chance @ gain)[where])
