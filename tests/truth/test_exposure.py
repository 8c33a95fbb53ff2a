"""Ratings that are missing not at random, against known truth."""

import pytest

from . import exposure_world as world


@pytest.mark.parametrize("name", world.BATTERIES)
def test_exposure_passes_its_battery(name):
    assert [check for check, good in world.BATTERIES[name](world.Tools(), runs=60) if not good] == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", world.BATTERIES)
def test_exposure_passes_its_battery_in_400_runs(name):
    assert [check for check, good in world.BATTERIES[name](world.Tools(), runs=400) if not good] == []
