"""Which connections have something to read: one epoll for all of them, within that of the event loop.

uvloop's own watch of a socket is an object and five system calls for each connection.
"""

from __future__ import annotations

import asyncio
import select
from typing import Protocol

# So many at once, and so often in a row, before the loop sees to everything else again.
MAX_EVENTS = 1024
MAX_LOOKS = 10


class Readable(Protocol):
    """A connection, as far as it matters here."""

    def read(self) -> None:
        """Take what is there, or see that the connection has ended."""


class Readiness:
    """Has each connection read that can be, or has ended, for as long as it is so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        # By descriptor.
        self._watched: dict[int, Readable] = {}
        loop.add_reader(self._epoll.fileno(), self.look)

    def add(self, descriptor: int, connection: Readable) -> None:
        """Watch a connection, until remove() or closing()."""
        if descriptor not in self._watched:
            self._epoll.register(descriptor, select.EPOLLIN)
            self._watched[descriptor] = connection

    def remove(self, descriptor: int) -> None:
        """Watch a connection no longer that stays open, if it was watched."""
        if self._watched.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def closing(self, descriptor: int) -> None:
        """Forget a connection that is closed next, with which the kernel forgets it, too."""
        self._watched.pop(descriptor, None)

    def look(self) -> None:
        """Have everything read that has come by now, as far as it is not too much."""
        for _ in range(MAX_LOOKS):
            events = self._epoll.poll(0, MAX_EVENTS)
            for descriptor, _event in events:
                # What another one read may have closed it.
                connection = self._watched.get(descriptor)
                if connection is not None:
                    connection.read()
            if len(events) < MAX_EVENTS:
                break
