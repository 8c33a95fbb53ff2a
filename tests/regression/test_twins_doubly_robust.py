"""Broken twins of doubly robust estimation: each must fail the battery that the true one passes."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from causalrec_lib import doubly_robust
from tests.truth.doubly_robust_world import battery


def with_score(score):
    """AIPW whose score is score(y, t, mu0, mu1, e)."""

    def build(true):
        def aipw(y, t, nuisances, **options):
            found = true(y, t, nuisances, **options)
            if found.estimand == "ATT":
                return found
            psi = score(y, t, nuisances.mu0, nuisances.mu1, nuisances.e)
            return replace(found, value=float(psi.mean()), se=float(psi.std() / np.sqrt(len(psi))))

        return aipw

    return build


def ate_weights_for_the_treated(true):
    def aipw(y, t, nuisances, estimand="ATE", **options):
        found = true(y, t, nuisances, estimand=estimand, **options)
        rest = (1 - t) * (y - nuisances.mu0) / (1 - nuisances.e)
        wrong = (np.sum(t * (y - nuisances.mu0)) - np.sum(rest)) / t.sum()
        return replace(found, value=float(wrong)) if estimand == "ATT" else found

    return aipw


TWINS = {
    "no correction": ("aipw", with_score(lambda y, t, a, b, e: b - a)),
    "the correction's sign turned": (
        "aipw",
        with_score(lambda y, t, a, b, e: b - a - t * (y - b) / e + (1 - t) * (y - a) / (1 - e)),
    ),
    "residual of the wrong arm": (
        "aipw",
        with_score(lambda y, t, a, b, e: b - a + t * (y - a) / e - (1 - t) * (y - b) / (1 - e)),
    ),
    "weights of the other arm": (
        "aipw",
        with_score(lambda y, t, a, b, e: b - a + t * (y - b) / (1 - e) - (1 - t) * (y - a) / e),
    ),
    "score not centred in the variance": (
        "aipw",
        lambda true: (
            lambda y, t, m, **k: (lambda r: replace(r, se=float(np.hypot(r.se, abs(r.value) / len(y) ** 0.5))))(
                true(y, t, m, **k)
            )
        ),
    ),
    "weights of everybody for the treated": ("aipw", ate_weights_for_the_treated),
    "nothing kept apart": (
        "cross_fit",
        lambda true: lambda y, t, x, **k: true(y, t, x, **(k | {"folds": 1})),
    ),
    "treatment not partialled out": (
        "partially_linear",
        lambda true: lambda y, t, x, **k: replace(true(y, t, x, **k), value=float(np.polyfit(t, y, 1)[0])),
    ),
    "the spread over partitions left out": (
        "over_partitions",
        lambda true: lambda many: replace(true(many), se=float(np.median([e.se for e in many]))),
    ),
}


def first_failure():
    return next((name for name, good in battery(40) if not good), None)


def test_the_true_estimator_passes():
    assert first_failure() is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    tool, build = TWINS[name]
    with patch.object(doubly_robust, tool, build(getattr(doubly_robust, tool))):
        assert first_failure() is not None, f"the battery does not see the broken twin {name!r}"
