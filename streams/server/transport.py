"""A client's connection as Twisted has it, without what takes long at each connect and each end.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from streams.server.readiness import Readiness

logger = logging.getLogger("sse.server")

CLIENT_CLOSED = Failure(ConnectionDone())


class Transport(Server):
    """One client's connection: Twisted's, but for how it learns that something came, and how it ends."""

    # Read by the writer: what is sent at once is sent as it is.
    is_plain_tcp = True
    # Closing does as much, as no other process has the descriptor.
    _shouldShutdown = False  # noqa: N815 - Twisted's name

    def __init__(self, readiness: Readiness, *arguments: Any) -> None:
        self._readiness = readiness
        super().__init__(*arguments)

    def getHost(self) -> IPv4Address | IPv6Address:  # noqa: N802 - Twisted's name
        """Return the address at which this pod was reached."""
        if self._addressType is not IPv4Address:
            return super().getHost()
        return own_address(*self.socket.getsockname())

    def startReading(self) -> None:  # noqa: N802 - Twisted's name
        """Read what the client sends."""
        self._readiness.add(self.fileno(), self)

    def stopReading(self) -> None:  # noqa: N802 - Twisted's name
        """Leave in the kernel what the client sends."""
        self._readiness.remove(self.fileno())

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Close the connection and tell its protocol; only the first call does."""
        if not hasattr(self, "socket"):
            return
        self._readiness.closing(self.fileno())
        FileDescriptor.connectionLost(self, reason)
        # Twisted compares names of classes, which takes as long as closing does.
        self._closeSocket(reason is CLIENT_CLOSED or not reason.check(ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)

    def read(self) -> None:
        """Hand over what has come, or end the connection."""
        try:
            why = self.doRead()
        except Exception as error:
            logger.exception("What a client sent cannot be read")
            why = error
        if why is CONNECTION_DONE:
            self.connectionLost(CLIENT_CLOSED)
        elif why is not None:
            self.connectionLost(Failure(why))


# A pod has few addresses, and an object for each connection takes longer than asking the kernel.
@functools.lru_cache(maxsize=64)
def own_address(host: str, port: int) -> IPv4Address:
    """Return an address as Twisted has it."""
    return IPv4Address("TCP", host, port)
