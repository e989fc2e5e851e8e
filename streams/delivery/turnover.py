"""The connections that came and went on this pod: how many, how they ended, and the last of them."""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.wire.clock import Clock

# Ends that an operator can still look at; enough for a minute of a large store's trouble.
ENDS_KEPT = 1000


# Kept by the thousand for operators to look at, and not for the garbage collector.
class ConnectionEnd(msgspec.Struct, frozen=True, gc=False):
    """What an operator may know about a connection that is gone; `ended_at` is Unix time."""

    client_name: str
    address: str
    user_agent: str
    ended_at: float
    open_seconds: float
    event_count: int
    reason: CloseReason


class Turnover:
    """One pod's counts since its start; connections that were refused are among the closed."""

    def __init__(self, clock: Clock) -> None:
        self.opened = 0
        self.closed: Counter[CloseReason] = Counter()
        self.bytes_closed = 0
        self.ended: deque[ConnectionEnd] = deque(maxlen=ENDS_KEPT)
        self._clock = clock

    def note_end(self, connection: Connection, reason: CloseReason) -> ConnectionEnd:
        """Count an end; keep and return what is known of the connection."""
        end = ConnectionEnd(
            connection.client_name,
            connection.address,
            connection.user_agent,
            self._clock.wall(),
            self._clock.monotonic() - connection.opened_at,
            connection.event_count,
            reason,
        )
        self.closed[reason] += 1
        self.bytes_closed += connection.bytes_written
        self.ended.append(end)
        return end
