"""What this pod keeps in its memory: the recent events of every client, in columns.

Every pod hears every event, so each can answer any client that comes back. All times
are seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

from streams.history.coverage import Coverage, Ingress, Intervals
from streams.history.index import Chains
from streams.history.progress import MAX_LAG_SECONDS
from streams.wire.events import CLIENT_NAME, decode_remembered, valid_event_id

# What an event and a client cost beside the bytes of the message and of the name, so that
# `max_bytes` is what the process grows by: measured, between the two sides of a resize.
EVENT_BYTES = 81
CLIENT_BYTES = 256
# A place whose event had to go before its turn.
PLACE_BYTES = 33
# For each so many bytes of the limit one last id is kept, which makes them a twentieth of it.
BYTES_FOR_A_LAST_ID = 4096
# The oldest events go many at once, as it is the call that costs: by bytes this part of all,
# by age what a tenth of a second brought; a replay never sees what is too old.
BATCH_PART = 1024
BATCH_SECONDS = 0.1
# The part of the columns that may be of forgotten events before they close up, which moves them.
FORGOTTEN_PART = 8
NO_CLIENT = -1
INGRESS_BYTES = tuple(bytes((ingress,)) for ingress in Ingress)
# Two pods may each be behind on another ingress: events this far apart have one order everywhere.
APART_SECONDS = 2 * MAX_LAG_SECONDS


class HistoryStatistics(NamedTuple):
    """How much is remembered, and since when that is everything, but for the limit of a client."""

    events: int
    clients: int
    bytes: int
    complete_since: float


class Memory:
    """The recent events of all clients, bounded by age, by bytes, and by events for each client.

    Whichever limit is reached first lets the oldest go; 0 for any of them remembers nothing.
    `coverage` says, for each ingress, what this pod heard at all. Each column is an attribute of its own,
    as extend() comes for every event and one look-up less counts.
    """

    def __init__(self, seconds: float, max_bytes: int, per_client: int, started: float) -> None:
        self.coverage = (Coverage(started), Coverage(started))
        # Whether an id was ever seen twice: publishers that do not do so pay nothing for those that do.
        self.copies_seen = False
        # And whether one came by both ingresses.
        self.twins_seen = False
        # The journal's entries of a moment in one of these may have come at any in it.
        self.journal_unsure = Intervals()
        # By how much the moments of its entries may be too early, and when that was found.
        self.journal_early = (0.0, started)
        self._seconds = seconds if min(seconds, max_bytes, per_client) > 0 else 0.0
        self._max_bytes = max_bytes
        self._per_client = per_client
        # For each ingress, the last moment of what is forgotten.
        self._forgotten_at = [-inf, -inf]
        self._bytes = 0
        self._empty = 0
        self._chains = Chains()
        # The id of the last event of clients of whom nothing is remembered any more: one
        # that comes back with it has missed nothing, however long ago that event was.
        self._last_ids: dict[str, str] = {}
        self._last_ids_kept = max_bytes // BYTES_FOR_A_LAST_ID
        # Flat columns instead of an object for each event. What arrives and what is forgotten
        # is at their two ends, in the processor's cache. A place counts from the pod's start,
        # an index from `_base`; those below `_first` are forgotten.
        self._messages: list[bytes] = []
        # When each was published: the channel's when it was read, the journal's by Redis' clock.
        self._moments = array("d")
        self._ingresses = bytearray()
        # The client's number.
        self._owners: list[int] = []
        # How many places further the client's next event is.
        self._steps = array("I")
        self._base = 0
        self._first = 0
        self._due = started
        # One moment, as making a column for each read takes longer than filling it.
        self._now = array("d", (started,))

    @property
    def max_bytes(self) -> int:
        return self._max_bytes

    @property
    def seconds(self) -> float:
        """Return how long events are remembered at the most, 0 where none are."""
        return self._seconds

    @property
    def end(self) -> int:
        """Return the place that the next event gets."""
        return self._base + len(self._messages)

    def extend(
        self, names: list[str], messages: list[bytes], now: float, ingress: Ingress, moments: Sequence[float] = ()
    ) -> list[int]:
        """Remember messages that were read together, with the client names in them; let go what is over a limit.

        `moments` has, for the journal, when Redis took each; without, all count as published `now`.
        Returns the indexes of messages for names that no client can have, which are not remembered.
        Every event of every pod comes this way, so that what one costs counts more than what any
        other line here does.
        """
        if not self._seconds:
            return []
        chains, base, per_client = self._chains, self._base, self._per_client
        numbers, firsts, lasts, counts = chains.numbers, chains.firsts, chains.lasts, chains.counts
        column, owners, steps = self._messages, self._owners, self._steps
        forgotten_at, ingresses, published = chains.forgotten_at, self._ingresses, self._moments
        start = base + len(column)
        column += messages
        if len(messages) == 1:
            # Where events come one by one, what follows costs as much as the rest of this.
            clients: list[Any] = [numbers.get(names[0])]
            published.append(moments[0] if moments else now)
            ingresses.append(ingress)
            steps.append(0)
            grown = EVENT_BYTES + len(messages[0])
        else:
            clients = list(map(numbers.get, names))
            self._now[0] = now
            published.extend(array("d", moments) if moments else self._now * len(messages))
            ingresses.extend(INGRESS_BYTES[ingress] * len(messages))
            steps.frombytes(bytes(steps.itemsize * len(messages)))
            grown = EVENT_BYTES * len(messages) + sum(map(len, messages))
        evicted: list[int] = []
        refused: list[int] = []
        for place, client in enumerate(clients, start):
            if client is None:
                name = names[place - start]
                client = clients[place - start] = numbers.get(name, NO_CLIENT)
                # Another event of it may have been read with this one.
                if client == NO_CLIENT:
                    # Only here, as a name that is known has been looked at.
                    if not CLIENT_NAME.fullmatch(name):
                        refused.append(place - start)
                        continue
                    clients[place - start] = chains.add(name, place, self._forgotten_at)
                    grown += CLIENT_BYTES + len(name)
                    continue
            last = lasts[client]
            steps[last - base] = place - last
            lasts[client] = place
            count = counts[client]
            if count < per_client:
                counts[client] = count + 1
                continue
            # The client's oldest event goes before its turn.
            first = firsts[client]
            index = first - base
            evicted.append(index)
            firsts[client] = first + steps[index]
            # As _note_forgotten() does, which would cost as much again.
            moment, moments_of = published[index], forgotten_at[ingresses[index]]
            if moment > moments_of[client]:
                moments_of[client] = moment
            chains.dropped[client] = True
        owners += clients
        self._bytes += grown
        if evicted or refused:
            self._empty_places(evicted + [start - base + number for number in refused])
        if self._bytes > self._max_bytes or now >= self._due:
            self._forget(now)
        return refused

    def _empty_places(self, indexes: list[int]) -> None:
        """Empty the places of events that go before their turn."""
        column = self._messages
        # All at once: they left the processor's cache long ago, and so it fetches several at a time.
        gone = list(map(column.__getitem__, indexes))
        # No message is empty: this is the mark of a place whose event is gone.
        for index in indexes:
            column[index] = b""
        self._bytes -= sum(map(len, gone)) + len(gone) * (EVENT_BYTES - PLACE_BYTES)
        self._empty += len(gone)

    def _note_forgotten(self, client: int, index: int) -> None:
        # The journal's moments may come out of order, and so may what is forgotten.
        column = self._chains.forgotten_at[self._ingresses[index]]
        column[client] = max(column[client], self._moments[index])

    def _forget(self, now: float) -> None:
        messages, moments, chains = self._messages, self._moments, self._chains
        horizon, held, enough, empty = now - self._seconds, self._bytes, self._max_bytes, self._empty
        if held > enough:
            enough -= enough // BATCH_PART
        for index in range(self._first, len(messages)):
            message = messages[index]
            if not message:
                held -= PLACE_BYTES
                empty -= 1
                continue
            moment = moments[index]
            if moment > horizon and held <= enough:
                break
            held -= EVENT_BYTES + len(message)
            messages[index] = b""
            client, ingress = self._owners[index], self._ingresses[index]
            self._note_forgotten(client, index)
            self._forgotten_at[ingress] = max(self._forgotten_at[ingress], moment)
            if chains.counts[client] > 1:
                chains.counts[client] -= 1
                chains.firsts[client] += self._steps[index]
                chains.dropped[client] = True
            else:
                for each in Ingress:
                    # What went before its turn is forgotten of all from now on.
                    self._forgotten_at[each] = max(self._forgotten_at[each], chains.forgotten_at[each][client])
                name = chains.remove(client)
                held -= CLIENT_BYTES + len(name)
                self._keep_last_id(name, client, index, message)
        else:
            index = len(messages)
        self._bytes, self._first, self._due, self._empty = held, index, now + BATCH_SECONDS, empty
        if index * FORGOTTEN_PART > len(messages):
            self._close_up()

    def _keep_last_id(self, name: str, client: int, index: int, message: bytes) -> None:
        self._last_ids.pop(name, None)
        ingress = Ingress(self._ingresses[index])
        moment = self._moments[index]
        event_id = decode_remembered(message).event_id
        if type(event_id) is not str or not valid_event_id(event_id) or not self._last_ids_kept:
            return
        # Behind an event from before the start there may be others, unheard; and an event of the
        # other ingress that came shortly before this one here may come after it elsewhere.
        own, other = self.coverage[ingress], self.coverage[ingress.other]
        if moment < own.heard_since or moment - APART_SECONDS < other.heard_since:
            return
        if self._chains.forgotten_at[ingress.other][client] > moment - APART_SECONDS:
            return
        if len(self._last_ids) >= self._last_ids_kept:
            del self._last_ids[next(iter(self._last_ids))]
        self._last_ids[name] = event_id

    def _close_up(self) -> None:
        for column in (self._messages, self._moments, self._ingresses, self._owners, self._steps):
            del column[: self._first]
        self._base += self._first
        self._first = 0

    def note_early(self, seconds: float, now: float) -> None:
        """Note that the journal's entries that are read now may have come so much later than their moments say."""
        known, since = self.journal_early
        if seconds >= known or since < now - self._seconds:
            self.journal_early = (seconds, now)

    def note_unsure(self, since: float | None, until: float) -> None:
        """Note that entries of the journal with a moment from `since` on, if there are any, may have come until now."""
        if since is not None:
            self.journal_unsure.note(since, until)

    def expire(self, now: float) -> None:
        """Let go what is too old; call it every second, so that a quiet history shrinks too."""
        self._forget(now)
        # An event of the history may tell of what was missed before it.
        horizon = now - self._seconds - APART_SECONDS
        if sum(coverage.forget(horizon) for coverage in self.coverage):
            # Who missed something in that time cannot be told any more.
            self._last_ids.clear()
        self.journal_unsure.forget(horizon)

    def statistics(self) -> HistoryStatistics:
        """Return how much is remembered; the bytes are those of the process."""
        complete_since = max(
            *(coverage.heard_since for coverage in self.coverage),
            *(coverage.missed_until for coverage in self.coverage),
            *self._forgotten_at,
        )
        events = len(self._messages) - self._first - self._empty
        return HistoryStatistics(events, len(self._chains), self._bytes, complete_since)
