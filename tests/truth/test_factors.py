"""Two proxies and factor models against known truth."""

import pytest

from . import factors_world as world

BATTERIES = {"two proxies": world.proximal_battery, "factors": world.factor_battery}


@pytest.mark.parametrize("name", BATTERIES)
def test_factors_pass_their_battery(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=60) if not good] == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", BATTERIES)
def test_factors_pass_their_battery_in_400_runs(name):
    assert [check for check, good in BATTERIES[name](world.Tools(), runs=400) if not good] == []
