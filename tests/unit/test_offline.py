"""Tests of the library reach this machine only."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_other_machines_are_out_of_reach():
    with socket.socket() as s, pytest.raises(SocketConnectBlockedError):
        s.connect(("192.0.2.1", 80))


def test_this_machine_is_within_reach():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.nightly
def test_the_long_version_runs_only_when_asked_for(nightly):
    assert nightly
