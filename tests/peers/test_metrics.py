"""Ranking metrics against scikit-learn, trec_eval and ranx; list values against weighting and statsmodels.

Scikit-learn is asked here. The answers of trec_eval (through pytrec_eval-terrier 0.5.11) and ranx 0.3.21 were printed
by `python -m tests.peers.ranking_answers`.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score

from causalrec_lib import metrics

from .ranking_answers import K, rankings

ANSWERS = {
    "trec_eval P_10": 0.27749999999999997,
    "trec_eval ndcg_cut_10": 0.529907321322707,
    "trec_eval recall_10": 0.4408676046176046,
    "trec_eval recip_rank": 0.8802083333333334,
    "trec_eval success_10": 0.975,
    "ranx precision@10": 0.27749999999999997,
    "ranx recall@10": 0.4408676046176046,
    "ranx f1@10": 0.3280469268004097,
    "ranx hit_rate@10": 0.975,
    "ranx mrr@10": 0.8802083333333334,
    "ranx ndcg@10": 0.529907321322707,
}
OURS = {"P_10": "precision", "ndcg_cut_10": "NDCG", "recall_10": "recall", "recip_rank": "MRR",
        "success_10": "hit rate", "precision@10": "precision", "recall@10": "recall", "f1@10": "F1",
        "hit_rate@10": "hit rate", "mrr@10": "MRR", "ndcg@10": "NDCG"}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_as_trec_eval_and_ranx(name):
    relevance, scores = rankings()
    got = metrics.ranking_metric(relevance, scores, metric=OURS[name.split()[1]], k=K)
    assert got.value == pytest.approx(ANSWERS[name], abs=1e-12)


def test_map_is_theirs_but_for_the_divisor():
    relevance, scores = rankings()
    values, relevant = metrics.user_metric(relevance, scores, metric="MAP", k=K), relevance.sum(axis=1)
    assert (values * np.minimum(relevant, K) / relevant).mean() == pytest.approx(0.3812449194324194, abs=1e-12)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_ndcg_as_scikit_learn(k):
    relevance, scores = rankings()
    graded = relevance * np.random.default_rng(2).integers(1, 4, relevance.shape)
    for gains in (relevance, graded):
        want = ndcg_score(gains, scores, k=k, ignore_ties=True)
        assert metrics.ranking_metric(gains, scores, metric="NDCG", k=k).value == pytest.approx(want, abs=1e-12)


def test_full_map_as_scikit_learn():
    relevance, scores = rankings()
    n = relevance.shape[1]
    got = metrics.user_metric(relevance, scores, metric="MAP", k=n)
    want = [average_precision_score(r, s) for r, s in zip(relevance, scores, strict=True)]
    assert np.allclose(got, want, atol=1e-12, rtol=0)
    label = label_ranking_average_precision_score(relevance.astype(int), scores)
    assert got.mean() == pytest.approx(label, abs=1e-12)


def test_a_list_effect_as_weighted_least_squares():
    rng = np.random.default_rng(4)
    n = 3_000
    e, d = rng.uniform(0.1, 0.9, n), rng.choice([0.0, 0.5, 1.0], n)
    t, user = (rng.random(n) < e).astype(float), np.arange(n) // 5
    y = (rng.random(n) < 0.2 + 0.3 * t * e).astype(float)
    found = metrics.list_value(y, t, e, d, clusters=user)
    w = d * np.where(t == 1, 1 / e, 1 / (1 - e))
    keep = w > 0
    fit = sm.WLS(y[keep], sm.add_constant(t[keep]), weights=w[keep]).fit(
        cov_type="cluster", cov_kwds={"groups": user[keep], "use_correction": False}
    )
    assert found.value == pytest.approx(fit.params[1], abs=1e-10)
    groups = user.max() + 1
    assert found.se == pytest.approx(fit.bse[1] * np.sqrt(groups / (groups - 1)), rel=1e-9)
