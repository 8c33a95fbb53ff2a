"""Broken twins of adjusting for text: faults of public code among them, each must fail the battery."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("torch")

from causalrec_lib import doubly_robust
from causalrec_lib.language import causal_text
from tests.regression import twins
from tests.truth.language_world import battery


def changed(change):
    """Nuisances that `change(found, y, t)` has spoilt."""
    return lambda true: lambda y, t, states, **k: change(true(y, t, states, **k), y, t)


def plug_in_called_doubly_robust(true):
    """The mean of Q1 - Q0, with their scatter for an error."""

    def aipw(y, t, found, **options):
        gap = found.mu1 - found.mu0
        return replace(true(y, t, found, **options), value=float(gap.mean()), se=float(gap.std() / len(y) ** 0.5))

    return aipw


def arms_mixed(found, y, t):
    """Each head calibrated on the outcomes of both groups: the heads can no longer differ in level."""
    shift = [y.mean() - mu.mean() for mu in (found.mu0, found.mu1)]
    return found._replace(mu0=found.mu0 + shift[0], mu1=found.mu1 + shift[1])


def label_mixed(found, y, t):
    """Calibrated with the label of the other class where nobody is treated, as if P(Y=0|T=0) were P(Y=1|T=0)."""
    return found._replace(mu0=y.min() + y.max() - found.mu0)


TWINS = {
    "Q0 - Q1 for Q1 - Q0": (causal_text, "cross_fit_text", changed(lambda f, y, t: f._replace(mu0=f.mu1, mu1=f.mu0))),
    "calibration mixes the classes": (causal_text, "cross_fit_text", changed(label_mixed)),
    "calibration mixes the groups": (causal_text, "cross_fit_text", changed(arms_mixed)),
    "trained and estimated on the same rows": (
        causal_text,
        "cross_fit_text",
        lambda true: lambda y, t, states, **k: true(y, t, states, **(k | {"folds": 1})),
    ),
    "a plug-in called doubly robust": (doubly_robust, "aipw", plug_in_called_doubly_robust),
    "the chance of no treatment": (causal_text, "cross_fit_text", changed(lambda f, y, t: f._replace(e=1 - f.e))),
    "no text at all": (
        causal_text,
        "cross_fit_text",
        changed(
            lambda f, y, t: f._replace(
                e=np.full(len(y), t.mean()),
                mu0=np.full(len(y), y[t == 0].mean()),
                mu1=np.full(len(y), y[t == 1].mean()),
            )
        ),
    ),
    "the texts of other rows": (
        causal_text,
        "cross_fit_text",
        lambda true: (
            lambda y, t, states, rows=None, **k: true(
                y, t, states, rows=np.random.default_rng(0).permutation(len(y)), **k
            )
        ),
    ),
}


def test_the_true_estimator_passes():
    assert twins.first_failure(battery(2)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    module, tool, build = TWINS[name]
    with patch.object(module, tool, build(getattr(module, tool))):
        assert twins.first_failure(battery(2)) is not None, f"the battery does not see the broken twin {name!r}"
