"""Doubly robust estimation against known effects: bias and coverage, with both models, and with one of them blind."""

import pytest

from tests.truth import doubly_robust_world


@pytest.mark.parametrize("runs", [60, pytest.param(300, marks=pytest.mark.nightly)])
def test_the_battery(runs):
    assert [name for name, good in doubly_robust_world.battery(runs) if not good] == []


def test_with_both_models_blind_it_is_biased():
    y, t, x = doubly_robust_world.draw(0, n=20_000)
    from causalrec_lib import doubly_robust

    blind = doubly_robust.cross_fit(y, t, x[:, 1:], seed=1)
    assert doubly_robust.aipw(y, t, blind, refuse="flag").low > doubly_robust_world.ATE
