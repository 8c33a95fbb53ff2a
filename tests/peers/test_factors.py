"""Two proxies equal linearmodels, and the Poisson factor model equals scikit-learn's NMF with the KL loss."""

import numpy as np
import pytest
from linearmodels.iv import IV2SLS
from sklearn.decomposition import NMF

from causalrec_lib import factors
from tests.truth.factors_world import counts, draw


@pytest.mark.parametrize("tools", [1, 2])
@pytest.mark.parametrize("how", ["robust", "clustered"])
def test_estimate_and_error_are_linearmodels(tools, how):
    d = draw(5, seen=0.5, each=5)
    Z = np.column_stack([d.z, d.z**3])[:, :tools]
    more = {"clusters": d.group} if how == "clustered" else {}
    theirs = IV2SLS(d.y, np.column_stack([d.t, np.ones(len(d.y)), d.X]), d.w, Z).fit(cov_type=how, **more)
    ours = factors.proximal_two_stage(d.y, d.t, d.w, Z, d.X, **more)
    groups = d.group.max() + 1
    squared = groups / (groups - 1) if how == "clustered" else 1.0
    np.testing.assert_allclose(
        [ours.value, ours.se], [theirs.params.iloc[0], np.sqrt(squared) * theirs.std_errors.iloc[0]], rtol=1e-7
    )


def test_the_objective_is_that_of_nmf():
    A, _ = counts(2)
    ours = factors.poisson_factorisation(A, 2, sweeps=3000, tol=1e-12)
    theirs = NMF(
        2, beta_loss="kullback-leibler", solver="mu", init="random", random_state=1, max_iter=3000, tol=1e-10
    )
    means = theirs.fit_transform(A) @ theirs.components_

    def loss(mean):
        return float((mean - A * np.log(np.maximum(mean, 1e-300))).sum())

    assert loss(ours.means) == pytest.approx(loss(means), abs=0.05)
