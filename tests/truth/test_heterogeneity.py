"""The judges of predicted effects against known truth."""

import pytest

from . import heterogeneity_world as world


def test_the_judges_pass_their_battery():
    assert [check for check, good in world.battery(world.Tools(), runs=80).items() if not good] == []


@pytest.mark.nightly
def test_the_judges_pass_their_battery_in_1000_runs():
    assert [check for check, good in world.battery(world.Tools(), runs=1_000).items() if not good] == []
