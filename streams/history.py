"""What this pod remembers: the recent events of every client, and since when it missed none.

Every pod hears every event, so each can answer any client that comes back. All times
are seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from array import array
from collections import deque
from enum import StrEnum
from math import inf
from typing import NamedTuple

import msgspec

from streams.events import decode_event

# What an event and a client cost beside the bytes of the message and of the name, so that
# `max_bytes` is what the process grows by: measured, and between the two sides of a resize.
EVENT_BYTES = 72
CLIENT_BYTES = 560
# A place in the queue whose event had to go before its turn.
PLACE_BYTES = 8


class GapReason(StrEnum):
    """Why events may be missing; the same words in the stream, logs and metrics."""

    UNKNOWN_ID = "unknown-id"
    EXPIRED = "expired"
    POD_STARTED = "pod-started"
    REDIS_OUTAGE = "redis-outage"


class Gap(NamedTuple):
    """A time from which events may be missing; it began nobody knows when where that is None."""

    reason: GapReason
    began: float | None
    ended: float


class Replay(NamedTuple):
    """What a client gets that comes back, oldest first, and what may be missing from it."""

    messages: list[bytes]
    gap: Gap | None


class HistoryStatistics(NamedTuple):
    """How much is remembered, and since when every event of every client is."""

    events: int
    clients: int
    bytes: int
    complete_since: float


# Outside the garbage collector, like all that it must not walk for each event: it never
# refers to itself. Its lists are walked, but there are two for a client and not for an event.
class ClientHistory(msgspec.Struct, gc=False):
    """The remembered events of one client."""

    name: str
    # When the last of its events arrived that is forgotten.
    forgotten_at: float
    messages: list[bytes]
    arrivals: array[float]
    # Where the remembered ones begin in both lists.
    first: int = 0
    # How many places at the front of the queue are of events that went before their turn.
    overtaken: int = 0

    def forget_oldest(self) -> int:
        """Let the oldest event go; return the bytes of its message."""
        first, messages = self.first, self.messages
        message_bytes = len(messages[first])
        self.forgotten_at = self.arrivals[first]
        messages[first] = b""
        first += 1
        # To close up at each step would move a long list for every event.
        if first * 2 >= len(messages):
            del messages[:first]
            del self.arrivals[:first]
            first = 0
        self.first = first
        return message_bytes

    def find(self, event_id: str) -> int | None:
        """Return where the last event with the id stands in both lists, or None."""
        messages, sought = self.messages, event_id.encode()
        for index in range(len(messages) - 1, self.first - 1, -1):
            message = messages[index]
            # Decoding costs ten times as much as seeing that the id cannot be there:
            # JSON may write it otherwise, but then with a backslash.
            if (sought in message or b"\\" in message) and decode_event(message, len(message)).event_id == event_id:
                return index
        return None


class History:
    """The recent events of all clients, bounded by age, by bytes, and by events for each client.

    Whichever limit is reached first lets the oldest go; 0 for any of them remembers nothing.
    """

    def __init__(self, seconds: float, max_bytes: int, per_client: int, started: float) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._per_client = per_client
        self._started = started
        self._on = min(seconds, max_bytes, per_client) > 0
        self._bytes = 0
        self._events = 0
        self._forgotten_at = -inf
        self._clients: dict[str, ClientHistory] = {}
        # Whose turn it is to lose its oldest event: an entry for each event, in their order.
        self._queue: deque[ClientHistory] = deque()
        self._oldest_arrival = -inf
        self._deaf: list[Gap] = []

    def append(self, name: str, message: bytes, now: float) -> None:
        """Remember a message that decode_event took, and let go what is over a limit."""
        if not self._on:
            return
        client = self._clients.get(name)
        if client is None:
            client = ClientHistory(name, self._forgotten_at, [], array("d"))
            self._clients[name] = client
            self._bytes += CLIENT_BYTES + len(name)
        client.messages.append(message)
        client.arrivals.append(now)
        self._queue.append(client)
        self._events += 1
        self._bytes += EVENT_BYTES + len(message)
        if len(client.messages) - client.first > self._per_client:
            client.overtaken += 1
            self._bytes += PLACE_BYTES
            self._forget_oldest(client)
        if self._bytes > self._max_bytes or self._oldest_arrival <= now - self._seconds:
            self._forget(now)

    def _forget_oldest(self, client: ClientHistory) -> None:
        self._bytes -= EVENT_BYTES + client.forget_oldest()
        self._events -= 1

    def _forget(self, now: float) -> None:
        horizon, max_bytes, queue = now - self._seconds, self._max_bytes, self._queue
        while queue:
            client = queue[0]
            if client.overtaken:
                client.overtaken -= 1
                self._bytes -= PLACE_BYTES
            else:
                self._oldest_arrival = arrival = client.arrivals[client.first]
                if arrival > horizon and self._bytes <= max_bytes:
                    return
                self._forgotten_at = arrival
                self._forget_oldest(client)
                if not client.messages:
                    del self._clients[client.name]
                    self._bytes -= CLIENT_BYTES + len(client.name)
            queue.popleft()
        self._oldest_arrival = -inf
