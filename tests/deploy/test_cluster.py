"""The ports of a local cluster: nothing on this machine gets one before the server that it is for."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from deploy.cluster import HOST, ClusterError, hold_ports, parse
from tests.support.redis_server import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ports are held on Linux only")

# From the range that Linux gives to outgoing connections, where the race is.
PORT = 40_123
IP_LOCAL_PORT_RANGE = 51


@pytest.fixture
def outgoing() -> Iterator[socket.socket]:
    """A connection to be, to which the kernel can give no source port but PORT."""
    with socket.socket() as connection:
        # Closed, it leaves nothing behind that would keep the port for a minute.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        try:
            connection.setsockopt(
                socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, (PORT << 16 | PORT).to_bytes(4, sys.byteorder)
            )
        except OSError:
            pytest.skip("this kernel is older than 6.3 and chooses source ports by chance")
        yield connection


def serve(port: int) -> None:
    """Listen as the pods and the front doors do; raises OSError."""
    with socket.create_server((HOST, port), backlog=1):
        pass


def test_a_question_before_its_server_is_there_would_take_the_port_away(outgoing: socket.socket):
    outgoing.connect((HOST, PORT))
    assert outgoing.getpeername() == outgoing.getsockname(), "it is connected to itself"
    with pytest.raises(OSError, match="Address already in use"):
        serve(PORT)


def test_a_port_that_is_held_is_given_to_no_connection(outgoing: socket.socket):
    with hold_ports([PORT]):
        with pytest.raises(OSError, match="Cannot assign requested address"):
            outgoing.connect((HOST, PORT))
        serve(PORT)


def test_a_port_that_is_held_looks_closed_until_its_server_listens():
    port = free_port()
    with hold_ports([port]), pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), 1)


def test_a_port_that_somebody_has_is_an_error_that_names_it():
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(ClusterError, match=rf"Port {taken.getsockname()[1]} on {HOST} cannot be used"),
        hold_ports([taken.getsockname()[1]]),
    ):
        pass


def test_a_port_that_a_test_was_given_is_free_for_its_server_and_given_to_nobody_else():
    port = free_port()
    with socket.socket() as stranger, pytest.raises(OSError, match="Address already in use"):
        stranger.bind((HOST, port))
    with hold_ports([port]):
        serve(port)


def test_the_pods_have_the_ports_after_the_front_doors():
    assert parse(3000, []).pod_ports == [3001, 3002, 3003]
    assert parse(3000, ["--port", "4000"]).pod_ports == [4001, 4002, 4003]
    assert parse(4000, ["--pod-ports", "1", "2", "3"]).pod_ports == [1, 2, 3]
