"""When a real kernel acknowledges, with nobody reading."""

from __future__ import annotations

import fcntl
import socket
import termios
import time

import pytest

from loadtest.acks import acknowledge_at_once, can_acknowledge_at_once

# Longer than 20 ms and shorter than 200.
PAUSE_SECONDS = 0.05
# A connection begins with sixteen acknowledgements at once, whatever is set.
FIRST = 16
ROUNDS = FIRST + 10

pytestmark = pytest.mark.skipif(not can_acknowledge_at_once(), reason="this kernel has no TCP_RTO_MIN_US")


def acknowledged_at_once(quick: bool) -> list[bool]:
    """Send something now and then to a client that reads it later; say what was acknowledged within the send."""
    found = []
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        if quick:
            acknowledge_at_once(client)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            for _ in range(ROUNDS):
                # The pause is what is tested.
                time.sleep(PAUSE_SECONDS)
                server.send(b"x" * 200)
                found.append(fcntl.ioctl(server.fileno(), termios.TIOCOUTQ, bytes(4)) == bytes(4))
                client.recv(200)
    return found[FIRST:]


def test_a_client_that_is_told_to_acknowledges_at_once():
    assert all(acknowledged_at_once(True))


def test_a_client_that_is_not_puts_it_off():
    assert not any(acknowledged_at_once(False))
