"""Telling clients what they may have missed, some at a time; may be interrupted and begun again."""

from __future__ import annotations

from collections.abc import Iterator

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.replays import Marks


class Telling:
    """Goes through the open streams of one pod; each client's own marks say what it was told already."""

    def __init__(self, registry: Registry, router: Router) -> None:
        self._registry = registry
        self._router = router
        self._untold: Iterator[Connection] = iter(())
        # Read for each read of events.
        self.all_told = True

    def begin(self) -> None:
        """Tell all clients what there is to be told."""
        self._untold = iter(self._registry)
        self.all_told = False

    def greet(self) -> None:
        """Greet those that wait for it, now that both ingresses are heard."""
        self._registry.subscribed = True
        self.all_told = False

    def reach_back(self, marks: Marks, *, who_came_back: bool = False) -> None:
        """Note that what clients were told since a mark, for each ingress, did not name what has been found now.

        With `who_came_back` only those that came back with an id: the others are not owed what came before them.
        """
        for connection in self._registry:
            if not who_came_back or connection.resume is not None:
                channel, journal = connection.told
                connection.told = (min(channel, marks[0]), min(journal, marks[1]))

    @property
    def due(self) -> bool:
        """Say whether clients are left to be told or greeted, and may be."""
        return not self.all_told and self._registry.subscribed

    def tell(self, limit: int) -> bool:
        """Tell some of the clients what they may have missed, and greet some that wait; say whether any are left."""
        if not self._registry.subscribed:
            # One gap tells of an outage, once it is over; whoever is written to is told before.
            return False
        waiting = self._registry.greet_waiting(limit)
        for number, connection in enumerate(self._untold, 1):
            if connection.close_reason is None:
                try:
                    self._router.tell(connection)
                except Exception:
                    self._registry.fail(connection)
            if number >= limit:
                return True
        self.all_told = not waiting
        return waiting
