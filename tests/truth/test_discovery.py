"""What learns and scores graphs against an enumeration of all graphs, and against known effects."""

import pytest

from . import discovery_world as world

BATTERIES = {
    "graphs": world.graph_battery,
    "effects": world.effect_battery,
    "controls": world.control_battery,
}


@pytest.mark.parametrize("name", BATTERIES)
def test_discovery_passes_its_battery(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=60) if not good] == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", BATTERIES)
def test_discovery_passes_its_battery_in_400_runs(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=400) if not good] == []
