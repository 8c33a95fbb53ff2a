"""Randomisation inference against known truth."""

import pytest

from . import randomisation_world as world


def test_the_randomisation_test_passes_its_battery():
    assert [check for check, good in world.battery(world.Tools(), runs=200) if not good] == []


@pytest.mark.nightly
def test_the_randomisation_test_passes_its_battery_in_2000_runs():
    assert [check for check, good in world.battery(world.Tools(), runs=2_000) if not good] == []
