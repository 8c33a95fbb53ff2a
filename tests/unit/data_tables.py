"""The tables of the course for tests: from the cache, or from the local mirror by way of a folder of their own."""

import functools
import os
import tempfile
from pathlib import Path

import pytest

from causalrec_lib import data
from causalrec_lib.data import registry

ROOT = Path(__file__).resolve().parents[2]
SETS = data.names()
TABLES = [(name, table) for name in SETS for table in data.tables(name)]
_own = tempfile.TemporaryDirectory()


def mirror():
    """The folder that holds the sets that are not on the package index, if there is one."""
    named = os.environ.get("CAUSALREC_DATA_MIRROR") or ROOT.parent / "shared" / "data"
    return Path(named) if Path(named).is_dir() else None


@functools.cache
def _load(name, table):
    with pytest.MonkeyPatch.context() as patch:
        if not data.present(name):
            patch.setenv("CAUSALREC_CACHE", _own.name)
            patch.setenv("CAUSALREC_OFFLINE", "1")
            patch.setenv("CAUSALREC_DATA_MIRROR", str(mirror()))
        return data.load(name, table)


def load(name, table=None):
    """A table, or a visible skip where an optional set can't be had; sets of packages must be there."""
    if not data.present(name):
        if registry.entry(name).kind == "package":
            pytest.fail(f"{name} is not in the cache. Run: make data")
        if mirror() is None:
            pytest.skip(f"{name} is not here. Run: causalrec data fetch {name}")
    return _load(name, data.tables(name)[0] if table is None else table)
