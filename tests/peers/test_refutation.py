"""Against DoWhy's refuters and statsmodels; and whether the fault that the chapter shows is still there."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from dowhy import CausalModel, causal_refuters
from dowhy.causal_refuters.placebo_treatment_refuter import PlaceboType
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from causalrec_lib import refutation, weighting
from tests.truth.refutation_world import controls, study, systematic

D = study(3, n=2000)
TABLE = pd.DataFrame({"x": D.x[:, 0], "t": D.t.astype(bool), "y": D.y})


def fitted(method, table):
    graph = nx.DiGraph([("x", "t"), ("x", "y"), ("t", "y")])
    model = CausalModel(table, "t", "y", graph=graph)
    estimand = model.identify_effect()
    return estimand, model.estimate_effect(estimand, method_name=f"backdoor.{method}")


def test_mean_and_spread_of_the_draws_are_dowhys():
    estimand, estimate = fitted("linear_regression", TABLE.copy())
    kept = {"target_estimand": estimand, "estimate": estimate, "num_simulations": 40}
    rng = np.random.RandomState(1)
    peers = {
        "placebo treatment": causal_refuters.refute_placebo_treatment(
            TABLE, treatment_names=["t"], placebo_type=PlaceboType.PERMUTE, random_state=rng, **kept),
        "random common cause": causal_refuters.refute_random_common_cause(TABLE, random_state=rng, **kept),
        "data subset": causal_refuters.refute_data_subset(TABLE, subset_fraction=0.8, random_state=rng, **kept),
        "bootstrap": causal_refuters.refute_bootstrap(TABLE, random_state=rng, **kept),
    }  # fmt: skip

    def slope(y, t, x):
        return weighting.standardisation(y, t, x).value

    ours = refutation.battery(slope, D.y, D.t, D.x, seed=1, n_draws=40)
    assert ours.loc["data subset", "expected"] == pytest.approx(estimate.value, rel=1e-9)
    for name, peer in peers.items():
        assert abs(peer.new_effect - ours.loc[name, "mean"]) < 5 * ours.loc[name, "sd"] / np.sqrt(20), name
        assert not ours.loc[name, "alarm"] and peer.refutation_result["p_value"] > 0.05


def test_dowhy_still_weights_a_placebo_by_old_chances():
    """DoWhy 1728. If this fails, the fault is mended: say so in dags/02_estimate_and_refute."""
    used = TABLE.copy()
    estimand, estimate = fitted("propensity_score_weighting", used)
    assert "propensity_score" in used
    kept = {"target_estimand": estimand, "estimate": estimate, "num_simulations": 10, "treatment_names": ["t"]}
    kept |= {"placebo_type": PlaceboType.PERMUTE}
    stale, mended = (
        causal_refuters.refute_placebo_treatment(table, random_state=np.random.RandomState(1), **kept)
        for table in (used, TABLE)
    )
    assert abs(stale.new_effect) > 0.5 and stale.refutation_result["p_value"] < 0.01
    assert abs(mended.new_effect) < 0.1 and mended.refutation_result["p_value"] > 0.05


def test_the_empirical_null_is_paule_mandels():
    for seed in range(6):
        values, se = systematic(seed)
        peer = combine_effects(values, se**2, method_re="iterated")
        ours = refutation.empirical_null(values, se)
        assert ours[:2] == pytest.approx((peer.mean_effect_re, peer.sd_eff_w_re), rel=1e-4)
        assert ours.sd**2 == pytest.approx(peer.tau2, rel=1e-4, abs=1e-9)


def test_holm_is_that_of_statsmodels():
    p = np.random.default_rng(3).uniform(0, 0.2, 9)
    assert refutation._holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_one_control_has_the_z_of_its_estimate():
    found = controls(study(5))
    table = refutation.negative_controls(found).table
    assert table["z"].to_numpy() == pytest.approx([e.value / e.se for e in found.values()])
