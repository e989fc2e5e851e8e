"""Many clients for a page to show, on plain sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator

from tests.support.http import HOST


class Clients:
    """Open streams by client name, read by one thread so that none is slow."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: dict[str, socket.socket] = {}
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def connect(self, *names: str, headers: str = "") -> None:
        """Open the streams of clients; each has been accepted when this returns."""
        for name in names:
            connection = socket.create_connection((HOST, self.port), 10)
            connection.sendall(f"GET /events/{name} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n".encode())
            assert connection.recv(1024).startswith(b"HTTP/1.1 200"), name
            connection.setblocking(False)
            older, self.sockets[name] = self.sockets.get(name), connection
            if older is not None:
                older.close()

    def leave(self, *names: str) -> None:
        """Close the streams of clients."""
        for name in names:
            self.sockets.pop(name).close()

    def close(self) -> None:
        """Close every stream."""
        self._ended.set()
        self._reader.join()
        self.leave(*list(self.sockets))

    def _read(self) -> None:
        while not self._ended.wait(0.2):
            for connection in list(self.sockets.values()):
                with contextlib.suppress(OSError):
                    connection.recv(65536)


@contextlib.contextmanager
def connected(port: int, names: Iterable[str]) -> Iterator[Clients]:
    """Hold clients' streams open for the length of a block."""
    clients = Clients(port)
    try:
        clients.connect(*names)
        yield clients
    finally:
        clients.close()
