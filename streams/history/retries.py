"""Which events a publisher sent again: the same message is given to a client once, another one with its id is told.

A client is given an event again unless this connection surely has it: whatever was written before the
connection opened, or by another pod, may never have arrived.
"""

from __future__ import annotations

from array import array
from typing import Protocol

from streams.history.coverage import Ingress
from streams.history.messages import History
from streams.history.recent_ids import RecentIds
from streams.wire.complaints import Complaints, Fault
from streams.wire.events import Event, valid_event_id

# The events of a connection's replay that it is remembered to have; with more, the first may come again.
MAX_REPLAYED = 1024
# For each so many bytes of HISTORY_BYTES one id is known, or two; each takes about 110.
BYTES_FOR_AN_ID = 512
# How a frame with an `id:` begins, as a number: comparing bytes would make new ones.
ID_MARK = ord("i")


class Given(Protocol):
    """What is remembered with each connection.

    From the place `live_from` on each event of its client was handed to it when it was heard; `replayed`
    has the hashes of the messages that it was given besides. `ids_noted` is whether the ids from before are
    known, which is not needed before it is given an event: thousands connect at once.
    """

    client_name: str
    live_from: int
    replayed: array[int] | None
    ids_noted: bool


class Retries:
    """Knows what each connection was given, by its place in the history or by the hash of its message."""

    def __init__(self, history: History, complaints: Complaints, now: float) -> None:
        self._history = history
        self._complaints = complaints
        # The router notes those of the events that it delivers.
        self.ids = RecentIds(history.seconds, history.max_bytes // BYTES_FOR_AN_ID, now)

    def begin(self, connection: Given, last_event_id: str | None = None) -> None:
        """Note that a connection is given everything from now on, and has the event with the id that it came with."""
        connection.live_from = self._history.end
        connection.ids_noted = False
        name = connection.client_name
        if last_event_id is not None:
            # Where two messages have that id, nobody knows which of them was read.
            read = {message for _, message in self._history.with_id(name, last_event_id)}
            if len(read) == 1 and not has_replayed(connection, message := read.pop()):
                self._note_replayed(connection, hash(message))

    def note_remembered(self, connection: Given) -> None:
        """Note the ids of what is remembered for a client that is given its first event."""
        connection.ids_noted = True
        if event_ids := self._history.ids_of(connection.client_name):
            self.ids.remember(filter(valid_event_id, event_ids))

    def is_repeated(
        self, connection: Given, event: Event, message: bytes, frame: bytes, batch: list[bytes] | None, ingress: Ingress
    ) -> bool:
        """Say whether a connection was given this very message; one with its id that differs is complained of.

        To be asked for an event whose id is among the recent ones. `frame` is its frame, and `batch` has the
        frames that are to be written before it in one go. `ingress` is the one that it came by.
        """
        copies = self._history.with_id(event.client_name, event.event_id)
        # What came by both ingresses has a twin, and no copy.
        for place, _ in copies:
            alone = self._history.ingress_of(place) is ingress
            self._history.copies_seen |= alone
            self._history.twins_seen |= not alone
        alike = [place for place, copy in copies if copy == message]
        if batch is not None and frame in batch:
            return True
        if any(place >= connection.live_from for place in alike) or has_replayed(connection, message):
            return True
        beginning = frame[: frame.index(b"\n") + 1]
        if len(alike) < len(copies) or any(each.startswith(beginning) for each in batch or ()):
            self._complaints.note(Fault.REUSED_ID, message, f"eventId {event.event_id!r} is another event's too")
        return False

    def is_replayed_again(self, connection: Given, event: Event, message: bytes, frame: bytes) -> bool:
        """Say whether a connection was given this very message in its replay, and note that it is now."""
        if frame[0] != ID_MARK:
            return False
        if has_replayed(connection, message):
            return True
        self.ids.remember((event.event_id,))
        self._note_replayed(connection, hash(message))
        return False

    def _note_replayed(self, connection: Given, number: int) -> None:
        if connection.replayed is None:
            connection.replayed = array("q")
        elif len(connection.replayed) >= MAX_REPLAYED:
            del connection.replayed[0]
        connection.replayed.append(number)


def has_replayed(connection: Given, message: bytes) -> bool:
    """Say whether a message is among those that a connection was given in its replay."""
    return connection.replayed is not None and hash(message) in connection.replayed
