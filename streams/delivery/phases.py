"""The moments of a period, over which connections are spread: what is due for each is never due for all at once."""

from __future__ import annotations

import random
from collections.abc import Iterator

from streams.delivery.connection import Connection

# For each so many connections of a pod, one more of those that open one after the other
# shares its moment.
PER_NEIGHBOUR = 1000


class Slots:
    """Connections by their moment in the period: dicts for sets that keep their order.

    What is opened at one time lies together in memory, this process' and the kernel's. With
    thousands of connections all of that is cold in the processor's cache, and serving
    neighbours one after the other takes a fifth less than serving any others.
    """

    def __init__(self, count: int) -> None:
        self._slots: list[dict[Connection, None]] = [{} for _ in range(count)]
        self._next = 0
        self._neighbours_left = 0

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[dict[Connection, None]]:
        return iter(self._slots)

    def __getitem__(self, slot: int) -> dict[Connection, None]:
        return self._slots[slot]

    def add(self, connection: Connection, connections: int) -> None:
        """Give a connection its slot, on a pod that has so many."""
        if not self._neighbours_left:
            self._next = self._draw()
            self._neighbours_left = 1 + connections // PER_NEIGHBOUR
        self._neighbours_left -= 1
        connection.slot = self._next
        self._slots[connection.slot][connection] = None

    def discard(self, connection: Connection) -> None:
        """Take a connection out of its slot, if it is there."""
        self._slots[connection.slot].pop(connection, None)

    def share(self, connection: Connection) -> float:
        """Return where in the period a connection's moment is, from 0 to 1."""
        return connection.slot / len(self._slots)

    def _draw(self) -> int:
        # The emptier one of two, which keeps them about even where one would not.
        one, other = (int(random.random() * len(self._slots)) for _ in range(2))
        return one if len(self._slots[one]) < len(self._slots[other]) else other
