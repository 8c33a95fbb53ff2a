"""Instruments against known truth."""

import pytest

from . import instruments_world as world

BATTERIES = {
    "two stages": world.two_stage_battery,
    "Anderson-Rubin": world.anderson_rubin_battery,
    "compliers": world.complier_battery,
}


@pytest.mark.parametrize("name", BATTERIES)
def test_instruments_pass_their_battery(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=60) if not good] == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", BATTERIES)
def test_instruments_pass_their_battery_in_400_runs(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=400) if not good] == []
