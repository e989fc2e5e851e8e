"""What this pod remembers: the recent events of every client, and since when it missed none.

Every pod hears every event, so each can answer any client that comes back. All times
are seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from array import array
from enum import StrEnum
from math import inf
from typing import NamedTuple

from streams.history.index import Chains
from streams.wire.events import decode_event, valid_event_id

# What an event and a client cost beside the bytes of the message and of the name, so that
# `max_bytes` is what the process grows by: measured, between the two sides of a resize.
EVENT_BYTES = 80
CLIENT_BYTES = 240
# A place in the log whose event had to go before its turn.
PLACE_BYTES = 32
# For each so many bytes of the limit one last id is kept, which makes them a twentieth of it.
BYTES_FOR_A_LAST_ID = 4096
# The log loses its oldest events in lumps, as it is the call that costs: by bytes this part
# of them, by age what a tenth of a second brought; a replay never sees what is too old.
LUMP_PART = 1024
LUMP_SECONDS = 0.1
# The part of the log that may be of forgotten events before it closes up, which moves it.
FORGOTTEN_PART = 8


class GapReason(StrEnum):
    """Why events may be missing; the same words in the stream, logs and metrics."""

    UNKNOWN_ID = "unknown-id"
    EXPIRED = "expired"
    POD_STARTED = "pod-started"
    REDIS_OUTAGE = "redis-outage"


class Gap(NamedTuple):
    """A time from which events may be missing; None where nobody knows when it began."""

    reason: GapReason
    began: float | None
    ended: float


class Replay(NamedTuple):
    """The messages for a client that comes back, oldest first, and what may be missing before or among them."""

    messages: list[bytes]
    gap: Gap | None


class HistoryStatistics(NamedTuple):
    """How much is remembered, and since when that is everything, but for the limit of a client."""

    events: int
    clients: int
    bytes: int
    complete_since: float


class History:
    """The recent events of all clients, bounded by age, by bytes, and by events for each client.

    Whichever limit is reached first lets the oldest go; 0 for any of them remembers nothing.
    """

    def __init__(self, seconds: float, max_bytes: int, per_client: int, started: float) -> None:
        self._seconds = seconds if min(seconds, max_bytes, per_client) > 0 else 0.0
        self._max_bytes = max_bytes
        self._per_client = per_client
        self._started = self._complete_since = started
        self._forgotten_at = -inf
        self._deaf: list[Gap] = []
        self._bytes = 0
        self._overtaken = 0
        self._chains = Chains()
        # The id of the last event of clients of whom nothing is remembered any more: one
        # that comes back with it has missed nothing, however long ago that event was.
        self._last_ids: dict[str, str] = {}
        self._last_ids_kept = max_bytes // BYTES_FOR_A_LAST_ID
        # The log: flat columns instead of an object for each event. What arrives and what
        # is forgotten is at their two ends, in the processor's cache. A position counts from
        # the pod's start, an index from `_base`; those below `_first` are forgotten.
        self._messages: list[bytes] = []
        self._arrivals = array("d")
        # The client's number.
        self._owners: list[int] = []
        # How many positions further the client's next event is.
        self._steps = array("I")
        self._base = 0
        self._first = 0
        self._due = started

    def append(self, name: str, message: bytes, now: float) -> None:
        """Remember a message that decode_event took, and let go what is over a limit."""
        self.extend([name], [message], now)

    def extend(self, names: list[str], messages: list[bytes], now: float) -> None:
        """Remember messages that arrived together, with the client names in them, as append() does.

        Every event of every pod comes this way, so that what one costs counts more than
        what any other line here does.
        """
        if not self._seconds:
            return
        chains, base, per_client = self._chains, self._base, self._per_client
        numbers, firsts, lasts, counts = chains.numbers, chains.firsts, chains.lasts, chains.counts
        log, arrivals, owners, steps = self._messages, self._arrivals, self._owners, self._steps
        start = base + len(log)
        log += messages
        arrivals.extend(array("d", (now,)) * len(messages))
        steps.extend(array("I", (0,)) * len(messages))
        grown = EVENT_BYTES * len(messages) + sum(map(len, messages))
        overtaken: list[int] = []
        for position, name in enumerate(names, start):
            client = numbers.get(name)
            if client is None:
                owners.append(chains.add(name, position, self._forgotten_at))
                grown += CLIENT_BYTES + len(name)
                continue
            owners.append(client)
            last = lasts[client]
            steps[last - base] = position - last
            lasts[client] = position
            count = counts[client]
            if count < per_client:
                counts[client] = count + 1
                continue
            # The client's oldest event goes before its turn.
            first = firsts[client]
            index = first - base
            overtaken.append(index)
            firsts[client] = first + steps[index]
            chains.forgotten_at[client] = arrivals[index]
            chains.dropped[client] = True
        self._bytes += grown
        if overtaken:
            self._drop(overtaken)
        if self._bytes > self._max_bytes or now >= self._due:
            self._forget(now)

    def _drop(self, indexes: list[int]) -> None:
        """Empty the places of events that go before their turn."""
        log = self._messages
        # All at once: they left the processor's cache long ago, and so it fetches several at a time.
        gone = list(map(log.__getitem__, indexes))
        # No message is empty: this is the mark of a place whose event is gone.
        for index in indexes:
            log[index] = b""
        self._bytes -= sum(map(len, gone)) + len(gone) * (EVENT_BYTES - PLACE_BYTES)
        self._overtaken += len(gone)

    def _forget(self, now: float) -> None:
        messages, arrivals, chains = self._messages, self._arrivals, self._chains
        horizon, held, enough = now - self._seconds, self._bytes, self._max_bytes
        if held > enough:
            enough -= enough // LUMP_PART
        for index in range(self._first, len(messages)):
            message = messages[index]
            if not message:
                held -= PLACE_BYTES
                self._overtaken -= 1
                continue
            arrival = arrivals[index]
            if arrival > horizon and held <= enough:
                break
            held -= EVENT_BYTES + len(message)
            messages[index] = b""
            client = self._owners[index]
            chains.forgotten_at[client] = self._forgotten_at = arrival
            if chains.counts[client] > 1:
                chains.counts[client] -= 1
                chains.firsts[client] += self._steps[index]
                chains.dropped[client] = True
            else:
                name = chains.remove(client)
                held -= CLIENT_BYTES + len(name)
                self._keep_last_id(name, message, arrival)
        else:
            index = len(messages)
        self._bytes, self._first, self._due = held, index, now + LUMP_SECONDS
        if index * FORGOTTEN_PART > len(messages):
            self._close_up()

    def _keep_last_id(self, name: str, message: bytes, arrival: float) -> None:
        self._last_ids.pop(name, None)
        event_id = decode_event(message, len(message)).event_id
        # Behind an event of the log from before the start there may be others, unheard.
        if type(event_id) is not str or arrival < self._complete_since or not self._last_ids_kept:
            return
        if len(self._last_ids) >= self._last_ids_kept:
            del self._last_ids[next(iter(self._last_ids))]
        self._last_ids[name] = event_id

    def _close_up(self) -> None:
        for column in (self._messages, self._arrivals, self._owners, self._steps):
            del column[: self._first]
        self._base += self._first
        self._first = 0

    def expire(self, now: float) -> None:
        """Let go what is too old; call it every second, so that a quiet history shrinks too."""
        self._forget(now)
        horizon = now - self._seconds
        if self._deaf and self._deaf[0].ended <= horizon:
            self._deaf = [gap for gap in self._deaf if gap.ended > horizon]
            # Who missed something in that time cannot be told any more.
            self._last_ids.clear()

    def note_gap(self, began: float, ended: float, reason: GapReason) -> Gap:
        """Note that no event was heard from `began` to `ended`, once that is over; return it as a gap."""
        gap = Gap(reason, began, ended)
        self._deaf.append(gap)
        return gap

    def note_started(self, started: float) -> None:
        """Note when this pod began to hear events: later than it began to live."""
        self._started = self._complete_since = started

    def note_complete(self, since: float) -> None:
        """Note that what came before this pod's start has been read, back to a moment."""
        self._complete_since = min(self._complete_since, since)

    def after(self, name: str, last_event_id: str, now: float) -> Replay:
        """Return a client's events after the last one with the id, or all where it is not there.

        An id that is there, or is the last that was before all that is, has a gap only where
        the pod was deaf afterwards. Any other always has, of the reason that holds however old the id is: the latest
        that hid events of the client. UNKNOWN_ID is for what no event can have as its id.
        """
        self.expire(now)
        client = self._chains.numbers.get(name)
        indexes = self._indexes(client)
        possible = valid_event_id(last_event_id)
        place = self._find(indexes, last_event_id) if possible else None
        if place is not None:
            gap = self._unheard_after(self._arrivals[indexes[place]])
            return Replay([self._messages[index] for index in indexes[place + 1 :]], gap)
        if self._last_ids.get(name) == last_event_id and (client is None or not self._chains.dropped[client]):
            return Replay([self._messages[index] for index in indexes], self._deaf_after(-inf))
        gap = self._gap_after(-inf, self._started, client, now)
        if gap is not None and not possible:
            gap = gap._replace(reason=GapReason.UNKNOWN_ID)
        return Replay([self._messages[index] for index in indexes], gap)

    def since(self, name: str, seconds: float, now: float) -> Replay:
        """Return a client's events of the last `seconds`, and the gap if that is more than is known."""
        self.expire(now)
        client = self._chains.numbers.get(name)
        moment = now - seconds
        messages = [self._messages[index] for index in self._indexes(client) if self._arrivals[index] > moment]
        return Replay(messages, self._gap_after(moment, self._complete_since, client, now))

    def events_of(self, name: str, limit: int) -> list[tuple[float, bytes]]:
        """Return when a client's latest events arrived, and their messages, newest last."""
        indexes = self._indexes(self._chains.numbers.get(name))
        return [(self._arrivals[index], self._messages[index]) for index in indexes[max(0, len(indexes) - limit) :]]

    def statistics(self) -> HistoryStatistics:
        """Return how much is remembered; the bytes are those of the process."""
        deaf_until = self._deaf[-1].ended if self._deaf else -inf
        complete_since = max(self._complete_since, deaf_until, self._forgotten_at)
        events = len(self._messages) - self._first - self._overtaken
        return HistoryStatistics(events, len(self._chains), self._bytes, complete_since)

    def _indexes(self, client: int | None) -> list[int]:
        if client is None:
            return []
        indexes = [self._chains.firsts[client] - self._base]
        for _ in range(self._chains.counts[client] - 1):
            indexes.append(indexes[-1] + self._steps[indexes[-1]])
        return indexes

    def _find(self, indexes: list[int], event_id: str) -> int | None:
        sought = event_id.encode()
        for place in range(len(indexes) - 1, -1, -1):
            message = self._messages[indexes[place]]
            # It is cheaper to see that the id is not there than to decode: JSON may
            # write it in other characters, but only with a backslash.
            if (sought in message or b"\\" in message) and decode_event(message, len(message)).event_id == event_id:
                return place
        return None

    def _gap_after(self, moment: float, started: float, client: int | None, now: float) -> Gap | None:
        deaf = self._deaf_after(moment)
        forgotten_at = self._forgotten_at if client is None else self._chains.forgotten_at[client]
        expired_at = max(forgotten_at, now - self._seconds)
        reason, ended = GapReason.EXPIRED, expired_at
        if started > expired_at:
            reason, ended = GapReason.POD_STARTED, started
        if ended <= moment:
            return deaf
        if deaf is not None and deaf.ended > ended:
            reason, ended = deaf.reason, deaf.ended
        return Gap(reason, None if moment == -inf else moment, ended)

    def _unheard_after(self, moment: float) -> Gap | None:
        deaf = self._deaf_after(moment)
        # An event of the log may be remembered from before the start, without what came
        # by Pub/Sub behind it.
        if self._complete_since <= moment:
            return deaf
        if deaf is None:
            return Gap(GapReason.POD_STARTED, moment, self._complete_since)
        return Gap(deaf.reason, moment, deaf.ended)

    def _deaf_after(self, moment: float) -> Gap | None:
        deaf = [gap for gap in self._deaf if gap.ended > moment]
        return Gap(deaf[-1].reason, deaf[0].began, deaf[-1].ended) if deaf else None
