"""Behaviour of ranking metrics, list values and properties of lists."""

import numpy as np
import pytest

from causalrec_lib import metrics
from causalrec_lib.estimate import EstimateRefused
from causalrec_lib.weighting import ipw

R = np.array([[1.0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
S = np.array([[5.0, 4, 3, 2, 1], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5]])


@pytest.mark.parametrize(
    ("metric", "first", "second"),
    [
        ("precision", 1 / 3, 1 / 3),
        ("recall", 1 / 2, 1),
        ("F1", 2 / 5, 2 / 4),
        ("hit rate", 1, 1),
        ("MRR", 1, 1 / 3),
        ("MAP", 1 / 2, 1 / 3),
        ("NDCG", 1 / (1 + 1 / np.log2(3)), 0.5),
    ],
)
def test_values_that_a_pencil_finds(metric, first, second):
    found = metrics.user_metric(R, S, metric=metric, k=3)
    assert np.allclose(found[:2], [first, second])
    assert np.isnan(found[2])


def test_users_without_a_relevant_item_are_left_out_or_zero():
    skip, zero = (metrics.ranking_metric(R, S, metric="F1", k=3, empty=how) for how in ("skip", "zero"))
    assert skip.n == 2
    assert zero.n == 3
    assert np.isclose(skip.value * 2, zero.value * 3)
    assert "1 users without" in skip.notes[0]
    assert np.isclose(skip.se, np.std([0.4, 0.5]) / np.sqrt(2))


@pytest.mark.parametrize("k", [2, 30])
def test_ties_stay_in_order_of_the_columns_also_across_the_cut(k):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (50, 60)).astype(float)
    relevance = (rng.random((50, 60)) < 0.1).astype(float)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    want = np.take_along_axis(relevance, order, 1).sum(axis=1) / k
    some = relevance.any(axis=1)
    assert np.allclose(metrics.user_metric(relevance, scores, metric="precision", k=k)[some], want[some])
    assert any("tie at rank" in note for note in metrics.ranking_metric(relevance, scores, k=k).notes)


def test_what_is_no_candidate_is_neither_listed_nor_relevant():
    allowed = np.array([[0, 1, 1, 1, 1]] * 3)
    found = metrics.user_metric(R, S, metric="recall", k=3, candidates=allowed)
    assert np.allclose(found[:2], [1, 1])
    with pytest.raises(ValueError, match="fewer than k = 5"):
        metrics.user_metric(R, S, k=5, candidates=allowed)
    with pytest.raises(ValueError, match="no relevant candidate"):
        metrics.ranking_metric(R, S, k=1, candidates=(R == 0).astype(float))


def _log(n=4_000):
    rng = np.random.default_rng(1)
    e, d = rng.uniform(0.1, 0.9, n), (rng.random(n) < 0.3).astype(float)
    t = (rng.random(n) < e).astype(float)
    return (rng.random(n) < 0.2 + 0.3 * t).astype(float), t, e, d


def test_a_list_value_is_weighting_among_the_listed():
    y, t, e, d = _log()
    found, inside = metrics.list_value(y, t, e, d), d > 0
    other = ipw(y[inside], t[inside], e[inside])
    assert np.isclose(found.value, other.value)
    assert np.isclose(found.se, other.se)
    assert found.n == inside.sum()
    assert (found.influence[~inside] == 0).all()
    assert np.isclose(metrics.list_value(y, t, e, d, outcome="as logged").value, y[inside].mean())


def test_a_list_without_support_is_refused():
    y, t, e, d = _log()
    few = np.where(np.arange(len(d)) < 40, d, 0)
    with pytest.raises(EstimateRefused):
        metrics.list_value(y, t, e, few)
    assert metrics.list_value(y, t, e, few, refuse="flag").flags
    with pytest.raises(EstimateRefused, match="e is not the chance"):
        metrics.list_value(y, t, np.clip(1 - e, 0.1, 0.9), d)
    with pytest.raises(EstimateRefused, match="no listed pair was shown"):
        metrics.list_value(y, t, e, np.where(t == 0, d, 0))
    with pytest.raises(ValueError, match="listed is zero"):
        metrics.list_value(y, t, e, 0 * d)


def test_exposure_and_gini():
    share = metrics.item_exposure([[0, 1], [0, 2]], 5)
    assert np.allclose(share, [0.5, 0.25, 0.25, 0, 0])
    assert np.allclose(
        metrics.item_exposure([[0, 1]], 2, discounted=True)[1], (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    )
    assert metrics.gini(np.ones(7)) == pytest.approx(0)
    assert metrics.gini([0, 0, 0, 1]) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="all zero"):
        metrics.gini(np.zeros(3))


def test_properties_of_lists():
    assert metrics.novelty([[0], [1]], [1, 1, 2]).value == pytest.approx(2)
    assert metrics.diversity([[0, 1], [0, 2]], [[1, 0], [0, 1], [2, 0]]).value == pytest.approx(0.5)
    past = np.array([[0.5, 0.5], [1.0, 0.0]])
    same = metrics.miscalibration([[0, 1], [0, 2]], [0, 1, 0], past)
    assert same.value == pytest.approx(0, abs=1e-12)
    off = metrics.miscalibration([[0, 2]], [0, 1, 0], past[:1])
    assert off.value == pytest.approx(0.5 * np.log(0.5 / 0.995) + 0.5 * np.log(0.5 / 0.005))
    with pytest.raises(ValueError, match="one item a user"):
        metrics.diversity([[0], [1]], np.eye(2))
    with pytest.raises(ValueError, match="no direction"):
        metrics.diversity([[0, 1]], [[0, 0], [1, 1]])


def test_drawing_all_items_is_the_full_metric():
    rank = np.arange(1, 41)
    full = {"recall": rank <= 5, "MRR": (rank <= 5) / rank, "NDCG": (rank <= 5) / np.log2(rank + 1)}
    for name, want in full.items():
        assert np.allclose(metrics.sampled_metric(rank, 40, 39, metric=name, k=5), want, atol=1e-12)
    assert (metrics.sampled_metric(rank, 40, 5, k=6) > 1 - 1e-12).all()
