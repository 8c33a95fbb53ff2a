"""Fixtures of the tests of the data layer."""

from tests.unit.data_server import books, packaged, server, shelf  # noqa: F401 - pytest finds them here
