"""List values and ranking metrics against known truths: bias, coverage, error."""

import numpy as np
import pytest

from causalrec_lib import metrics

from .metrics_world import RANKING, TRUE, battery


def test_centred_and_covering():
    assert [name for name, good in battery(TRUE, RANKING, 60).items() if not good] == []


@pytest.mark.nightly
def test_centred_and_covering_many():
    assert [name for name, good in battery(TRUE, RANKING, 400).items() if not good] == []


@pytest.mark.parametrize("metric", ["recall", "MRR", "NDCG"])
def test_expected_sampled_metric_is_the_mean_of_draws(metric):
    rng = np.random.default_rng(3)
    n, m, k, runs = 60, 15, 5, 20_000
    for rank in (1, 12, 30):
        keys = rng.random((runs, n - 1))
        drawn = np.argpartition(keys, m - 1, axis=1)[:, :m]  # positions 0 ... n - 2 of the others
        ahead = (drawn < rank - 1).sum(axis=1)
        gain = {"recall": np.ones(runs), "MRR": 1 / (ahead + 1), "NDCG": 1 / np.log2(ahead + 2)}[metric] * (ahead < k)
        want = metrics.sampled_metric([rank], n, m, metric=metric, k=k)[0]
        assert abs(gain.mean() - want) < 4 * gain.std() / np.sqrt(runs) + 1e-12
