"""Mediation against known truth."""

import pytest

from . import structural_world as world


def test_mediation_passes_its_battery():
    assert [check for check, good in world.battery(world.TRUE, runs=100).items() if not good] == []


@pytest.mark.nightly
def test_mediation_passes_its_battery_in_600_runs():
    assert [check for check, good in world.battery(world.TRUE, runs=600).items() if not good] == []
