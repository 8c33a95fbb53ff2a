"""What all tests share: the nightly switch, and no network beyond this machine in the tests of the library."""

from pathlib import Path

import pytest
import pytest_socket

from tests.regression.twins_report import write_report

HERE = Path(__file__).parent
OFFLINE = tuple(HERE / room for room in ("unit", "truth", "peers"))


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="also run the long versions of tests")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--nightly"):
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


def pytest_sessionfinish(session):
    """Write the report on broken twins, in the process that hears of all tests."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or hasattr(session.config, "workerinput"):
        return
    reports = [r for outcome in ("passed", "failed") for r in terminal.stats.get(outcome, [])]
    found = [dict(value) for r in reports for name, value in getattr(r, "user_properties", ()) if name == "twin"]
    if found:
        whole = {r.pop("of") for r in found} == {len(found)}
        write_report(found, whole=whole)


@pytest.fixture(autouse=True)
def _no_network(request):
    """Refuse sockets to other machines, except to `mirror` tests; the plugin lifts the ban after each test."""
    if not request.node.get_closest_marker("mirror") and any(room in request.path.parents for room in OFFLINE):
        pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def nightly(request):
    """Whether the long version is running."""
    return request.config.getoption("--nightly")
