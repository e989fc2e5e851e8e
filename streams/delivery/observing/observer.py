"""Who looks on at what becomes of clients, and of the events of some of them."""

from __future__ import annotations

from enum import StrEnum

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.history.coverage import Gap


class Fate(StrEnum):
    """What one pod did with an event when it came, or when its turn in a replay came."""

    # Handed to the kernel for an open stream.
    WRITTEN = "written"
    # It is behind what its client has not taken yet.
    WAITING = "waiting"
    REPLAYED = "replayed"
    # The client has this very message already.
    REPEATED = "repeated"
    EXPIRED = "expired"
    # The stream ended while it was written.
    CUT = "cut"
    # This pod has no stream of its client.
    UNCLAIMED = "unclaimed"


class Observer:
    """Looks on; this one notes nothing."""

    # The clients whose events it is shown, one by one.
    traced: frozenset[str] = frozenset()

    def refused(self, connection: Connection, reason: CloseReason) -> None:
        """Note that a connection ended which was never taken in."""

    def told(self, connection: Connection, gap: Gap) -> None:
        """Note that a client is told that events may be missing; the gap is in monotonic seconds."""

    def replayed(self, connection: Connection, count: int) -> None:
        """Note that a stream is handed so many events of before; they are written as its client takes them."""

    def handled(self, name: str, message: bytes, fate: Fate) -> None:
        """Note what became of an event of a client that is traced."""
