"""Causal trees against known truth."""

import pytest

from . import trees_world as world


def test_a_causal_tree_passes_its_battery():
    assert [check for check, good in world.tree_battery(world.Tools(), runs=50) if not good] == []


@pytest.mark.nightly
def test_a_causal_tree_passes_its_battery_in_300_runs():
    assert [check for check, good in world.tree_battery(world.Tools(), runs=300) if not good] == []
