"""What this pod remembers: the recent events of every client.

Every pod hears every event, so each can answer any client that comes back. All times
are seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import inf
from typing import NamedTuple

from streams.history.coverage import Coverage, Gap, GapReason, Ingress, merged
from streams.history.index import Chains
from streams.history.progress import MAX_LAG_SECONDS
from streams.wire.events import CLIENT_NAME, decode_event, valid_event_id

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
# The journal is read at least so often.
READ_APART_SECONDS = 1.0
# Two pods may each be behind on another ingress: events this far apart have one order everywhere.
APART_SECONDS = 2 * MAX_LAG_SECONDS

# Up to when all pods had heard the other ingress when they wrote an event:
# (the other ingress, the event's place, its moment) -> moment.
HeardElsewhere = Callable[[Ingress, int, float], float]
# A moment before which an event of the channel was not published: (its place, when it was heard) -> moment.
PublishedAfter = Callable[[int, float], float]
# Up to when whoever has an event of a moment surely has all of its ingress.
TrustedUntil = Callable[[float], float]


class Replay(NamedTuple):
    """The messages for a client that comes back, oldest first, and what may be missing before or among them.

    `first` is the place of the oldest. `known` says whether the client's id is one that this pod has or had.
    `doubtful` names the messages that the client may have read before that id, as other pods may have heard
    them in another order.
    """

    messages: list[bytes]
    gap: Gap | None
    first: int
    known: bool = True
    doubtful: tuple[int, ...] = ()


class HistoryStatistics(NamedTuple):
    """How much is remembered, and since when that is everything, but for the limit of a client."""

    events: int
    clients: int
    bytes: int
    complete_since: float


class History:
    """The recent events of all clients, bounded by age, by bytes, and by events for each client.

    Whichever limit is reached first lets the oldest go; 0 for any of them remembers nothing.
    `coverage` says, for each ingress, what this pod heard at all.
    """

    def __init__(self, seconds: float, max_bytes: int, per_client: int, started: float) -> None:
        self.coverage = (Coverage(started), Coverage(started))
        # By how much the moments of the journal's entries may be too early.
        self.journal_doubt_seconds = 0.0
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
        start = base + len(column)
        column += messages
        self._moments.extend(array("d", moments) if moments else array("d", (now,)) * len(messages))
        self._ingresses.extend(bytes((ingress,)) * len(messages))
        steps.extend(array("I", (0,)) * len(messages))
        grown = EVENT_BYTES * len(messages) + sum(map(len, messages))
        evicted: list[int] = []
        refused: list[int] = []
        for place, name in enumerate(names, start):
            client = numbers.get(name)
            if client is None:
                # Only here, as a name that is known has been looked at.
                if not CLIENT_NAME.fullmatch(name):
                    owners.append(NO_CLIENT)
                    refused.append(place - start)
                    continue
                owners.append(chains.add(name, place, self._forgotten_at))
                grown += CLIENT_BYTES + len(name)
                continue
            owners.append(client)
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
            self._note_forgotten(client, index)
            chains.dropped[client] = True
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
        horizon, held, enough = now - self._seconds, self._bytes, self._max_bytes
        if held > enough:
            enough -= enough // BATCH_PART
        for index in range(self._first, len(messages)):
            message = messages[index]
            if not message:
                held -= PLACE_BYTES
                self._empty -= 1
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
        self._bytes, self._first, self._due = held, index, now + BATCH_SECONDS
        if index * FORGOTTEN_PART > len(messages):
            self._close_up()

    def _keep_last_id(self, name: str, client: int, index: int, message: bytes) -> None:
        self._last_ids.pop(name, None)
        ingress = Ingress(self._ingresses[index])
        moment = self._moments[index]
        event_id = decode_event(message, len(message)).event_id
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

    def expire(self, now: float) -> None:
        """Let go what is too old; call it every second, so that a quiet history shrinks too."""
        self._forget(now)
        # An event of the history may tell of what was missed before it.
        horizon = now - self._seconds - APART_SECONDS
        if sum(coverage.forget(horizon) for coverage in self.coverage):
            # Who missed something in that time cannot be told any more.
            self._last_ids.clear()

    def after(
        self,
        name: str,
        last_event_id: str,
        now: float,
        heard_elsewhere: HeardElsewhere,
        published_after: PublishedAfter = lambda _place, moment: moment,
        trusted_until: TrustedUntil = lambda moment: moment,
    ) -> Replay:
        """Return a client's events after the one with the id, or all where it is not there.

        A position is one for each ingress: after the id's event on its own, and on the other
        what another pod may not have heard yet when it wrote that event. An id that is there, or
        is the last that was before all that is, has a gap only where this pod missed something
        afterwards. Any other always has, of the reason that holds however old the id is: the latest
        that hid events of the client. UNKNOWN_ID is for what no event can have as its id.
        """
        self.expire(now)
        client = self._chains.numbers.get(name)
        indexes = self._indexes(client)
        possible = valid_event_id(last_event_id)
        found = self._find(indexes, last_event_id) if possible else None
        if found is not None:
            return self._after(client, last_event_id, found, now, heard_elsewhere, published_after, trusted_until)
        messages = [self._messages[index] for index in indexes]
        first = self._base + indexes[0] if indexes else self.end
        if self._last_ids.get(name) == last_event_id and (client is None or not self._chains.dropped[client]):
            return Replay(messages, merged(*(each.missing_after(each.heard_since) for each in self.coverage)), first)
        gap = merged(*(self._missing_after(-inf, ingress, client, now) for ingress in Ingress))
        if gap is not None and not possible:
            gap = gap._replace(reason=GapReason.UNKNOWN_ID)
        return Replay(messages, gap, first, known=False)

    def _after(
        self,
        client: int | None,
        last_event_id: str,
        found: int,
        now: float,
        heard_elsewhere: HeardElsewhere,
        published_after: PublishedAfter,
        trusted_until: TrustedUntil,
    ) -> Replay:
        indexes = self._indexes(client)
        index = indexes[found]
        moment, own = self._moments[index], Ingress(self._ingresses[index])
        others = [each for each in indexes if self._ingresses[each] != own]
        other = self.coverage[own.other]
        heard = min(heard_elsewhere(own.other, self._base + index, moment), moment)
        # On its own ingress the order is the same for every pod, and so is all that is behind the id,
        # unless another pod read from a Redis that was not the primary.
        read = trusted_until(moment)
        again = self._find(others, last_event_id)
        if again is not None:
            # The same id on both: nobody knows on which of them it was read.
            place, twin = self._base + others[again], self._moments[others[again]]
            read = min(read, heard_elsewhere(own, place, twin), twin)
        replayed = [
            each
            for number, each in enumerate(indexes)
            if (
                number > found
                or ((again is not None or (read < moment and number < found)) and self._moments[each] > read)
                if self._ingresses[each] == own
                else self._moments[each] > heard - (self.journal_doubt_seconds if own is Ingress.CHANNEL else 0.0)
            )
        ]
        if own is Ingress.CHANNEL:
            # What was lost behind it was published before it was heard here, where this pod was late.
            read = min(read, max(published_after(self._base + index, moment), self.coverage[own].heard_since))
        gap = merged(
            self.coverage[own].missing_after(read),
            other.missed_after(heard) if other.from_the_first else other.missing_after(heard),
            self._forgotten_after(heard, own.other, client, now),
        )
        return self._replay(replayed, gap, own, moment)

    def _replay(self, replayed: list[int], gap: Gap | None, own: Ingress, moment: float) -> Replay:
        latest = moment + APART_SECONDS
        doubtful = tuple(
            number
            for number, each in enumerate(replayed)
            if self._ingresses[each] != own and self._moments[each] <= latest
        )
        first = self._base + replayed[0] if replayed else self.end
        return Replay([self._messages[each] for each in replayed], gap, first, doubtful=doubtful)

    def since(self, name: str, seconds: float, now: float) -> Replay:
        """Return a client's events of the last `seconds`, and the gap if that is more than is known.

        Of more seconds than are remembered nobody knows where they began.
        """
        self.expire(now)
        client = self._chains.numbers.get(name)
        moment = now - seconds if seconds <= self._seconds else -inf
        indexes = [index for index in self._indexes(client) if self._moments[index] > moment]
        gap = merged(*(self._missing_after(moment, ingress, client, now) for ingress in Ingress))
        first = self._base + indexes[0] if indexes else self.end
        return Replay([self._messages[index] for index in indexes], gap, first)

    def has(self, name: str, event_id: str) -> bool:
        """Say whether a client's event with an id is remembered."""
        return self._find(self._indexes(self._chains.numbers.get(name)), event_id) is not None

    def may_hold(self, event_id: str) -> bool:
        """Say whether anything is remembered at all, and an event can have this id."""
        return bool(self._seconds) and valid_event_id(event_id)

    def written_before(self, name: str, event_id: str, first: int, end: int) -> tuple[int, Counter[str]] | None:
        """Return the place of a client's event, and the digests of its events shortly before it, in this pod's order.

        Only where the event with the id is at a place from `first` on and before `end`; else None.
        """
        indexes = self._indexes(self._chains.numbers.get(name))
        within = [index for index in indexes if first <= self._base + index < end]
        found = self._find(within, event_id)
        if found is None:
            return None
        place = indexes.index(within[found])
        horizon = self._moments[indexes[place]] - APART_SECONDS
        had = Counter(digest(self._messages[each]) for each in indexes[:place] if self._moments[each] > horizon)
        return self._base + indexes[place], had

    def events_of(self, name: str, limit: int) -> list[tuple[float, bytes]]:
        """Return when a client's latest events were published, and their messages, newest last."""
        indexes = self._indexes(self._chains.numbers.get(name))
        return [(self._moments[index], self._messages[index]) for index in indexes[max(0, len(indexes) - limit) :]]

    def statistics(self) -> HistoryStatistics:
        """Return how much is remembered; the bytes are those of the process."""
        complete_since = max(
            *(coverage.heard_since for coverage in self.coverage),
            *(coverage.missed_until for coverage in self.coverage),
            *self._forgotten_at,
        )
        events = len(self._messages) - self._first - self._empty
        return HistoryStatistics(events, len(self._chains), self._bytes, complete_since)

    def _indexes(self, client: int | None) -> list[int]:
        if client is None:
            return []
        indexes = [self._chains.firsts[client] - self._base]
        for _ in range(self._chains.counts[client] - 1):
            indexes.append(indexes[-1] + self._steps[indexes[-1]])
        return indexes

    def _find(self, indexes: list[int], event_id: str) -> int | None:
        """Return which of the indexes is the oldest event with an id: a double has an id, a loss has none."""
        sought = event_id.encode()
        for place, index in enumerate(indexes):
            message = self._messages[index]
            # It is cheaper to see that the id is not there than to decode: JSON may
            # write it in other characters, but only with a backslash.
            if (sought in message or b"\\" in message) and decode_event(message, len(message)).event_id == event_id:
                return place
        return None

    def _missing_after(self, moment: float, ingress: Ingress, client: int | None, now: float) -> Gap | None:
        """Return what may be missing of one ingress after a moment, be it old, forgotten or never heard."""
        forgotten_at = self._forgotten_at if client is None else [each[client] for each in self._chains.forgotten_at]
        expired_at = max(self._at_the_latest(forgotten_at[ingress], ingress, now), now - self._seconds)
        expired = Gap(GapReason.EXPIRED, moment, expired_at) if expired_at > moment else None
        gap = merged(expired, self.coverage[ingress].missing_after(moment))
        return gap and gap._replace(began=None if moment == -inf else gap.began)

    def _forgotten_after(self, moment: float, ingress: Ingress, client: int | None, now: float) -> Gap | None:
        forgotten_at = -inf if client is None else self._chains.forgotten_at[ingress][client]
        forgotten_at = self._at_the_latest(forgotten_at, ingress, now)
        return Gap(GapReason.EXPIRED, moment, forgotten_at) if forgotten_at > moment else None

    def _at_the_latest(self, moment: float, ingress: Ingress, now: float) -> float:
        # Where Redis' clock was set back, an entry's moment is that of the read before it.
        doubt_seconds = max(READ_APART_SECONDS, self.journal_doubt_seconds)
        return min(now, moment + doubt_seconds) if ingress is Ingress.JOURNAL else moment


def digest(message: bytes) -> str:
    """Return what names a message among a client's recent ones, also to another pod."""
    return blake2b(message, digest_size=8).hexdigest()
