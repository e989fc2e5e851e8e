from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from streams.transport.socket_options import SEND_BUFFER_BYTES, SocketOptions, silent_seconds
from tests.support.sockets import connected_sockets
from tests.support.waiting import wait_until


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with connected_sockets() as ends:
        yield ends


def test_set_on_bounds_the_buffer_and_the_patience(connected: tuple[socket.socket, socket.socket]):
    stream, _client = connected
    SocketOptions(heartbeat_seconds=30, dead_after_seconds=15).set_on(stream)

    def tcp(option: int) -> int:
        return stream.getsockopt(socket.IPPROTO_TCP, option)

    # The kernel doubles it for its own bookkeeping.
    assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER_BYTES
    assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert (tcp(socket.TCP_KEEPIDLE), tcp(socket.TCP_KEEPINTVL), tcp(socket.TCP_KEEPCNT)) == (30, 5, 3)
    assert tcp(socket.TCP_USER_TIMEOUT) == 45_000
    assert tcp(socket.TCP_NODELAY) == 1


def test_set_on_takes_the_shortest_times(connected: tuple[socket.socket, socket.socket]):
    stream, _client = connected
    SocketOptions(heartbeat_seconds=0.1, dead_after_seconds=0.1).set_on(stream)
    assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
    assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 1


def test_silent_seconds_is_none_once_all_is_acknowledged(connected: tuple[socket.socket, socket.socket]):
    stream, client = connected
    assert silent_seconds(stream) == 0
    stream.sendall(b"x" * 1000)
    # The client's kernel acknowledges what no program has read.
    wait_until("the acknowledgement", lambda: silent_seconds(stream) == 0, 5)
    assert client.recv(1000)


def test_silent_seconds_of_a_closed_socket_raises(connected: tuple[socket.socket, socket.socket]):
    stream, _client = connected
    stream.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        silent_seconds(stream)
