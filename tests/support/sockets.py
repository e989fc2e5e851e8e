"""Sockets for tests: both ends of a TCP connection, and an end without a farewell."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator


@contextlib.contextmanager
def connected_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give the pod's end of a connection and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        stream, _address = listening.accept()
    with client, stream:
        yield stream, client


def reset_at_close(connection: socket.socket) -> None:
    """Let a connection end the hard way when it is closed: the other side sees a reset and not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
