"""A client's events among all that are remembered: by their ids, messages and places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from hashlib import blake2b

from streams.history.coverage import Ingress
from streams.history.memory import APART_SECONDS, NO_CLIENT, Memory
from streams.wire.events import decode_remembered, valid_event_id


class Lookup(Memory):
    """The recent events of all clients, and how one client's are found."""

    def has(self, name: str, event_id: str) -> bool:
        """Say whether a client's event with an id is remembered."""
        return self._find(self._indexes(self._chains.numbers.get(name)), event_id) is not None

    def written_before(
        self, name: str, event_id: str, first: int, end: int, live_from: int, replayed: Collection[int]
    ) -> tuple[int, Counter[str]] | None:
        """Return the place of a client's event, and the digests of its events shortly before it, in this pod's order.

        Only where the event with the id is at a place from `first` on and before `end`; else None. From the place
        `live_from` on all were written, and before it those with one of the hashes `replayed`.
        """
        indexes = self._indexes(self._chains.numbers.get(name))
        within = [index for index in indexes if first <= self._base + index < end]
        found = self._find(within, event_id)
        if found is None:
            return None
        place = indexes.index(within[found])
        horizon = self._moments[indexes[place]] - APART_SECONDS
        before = [each for each in indexes[:place] if self._moments[each] > horizon]
        if self.copies_seen:
            # Another may be a copy that the client was never given, as it was lost, and was told so.
            given = [each for each in before if self._base + each >= first]
            before = [each for each in given if self._base + each >= live_from or self._is_given(each, replayed)]
        had = Counter(digest(self._messages[each]) for each in before)
        return self._base + indexes[place], had

    def _is_given(self, index: int, replayed: Collection[int]) -> bool:
        message = self._messages[index]
        event_id = decode_remembered(message).event_id
        # What has no id has no copies.
        return hash(message) in replayed or not (isinstance(event_id, str) and valid_event_id(event_id))

    def events_of(self, name: str, limit: int) -> list[tuple[float, bytes]]:
        """Return when a client's latest events were published, and their messages, newest last."""
        indexes = self._indexes(self._chains.numbers.get(name))
        return [(self._moments[index], self._messages[index]) for index in indexes[max(0, len(indexes) - limit) :]]

    def placed(self, name: str) -> list[tuple[int, float, bytes]]:
        """Return the places of a client's events, when each was published, and their messages, newest last."""
        indexes, base = self._indexes(self._chains.numbers.get(name)), self._base
        return [(base + index, self._moments[index], self._messages[index]) for index in indexes]

    def with_id(self, name: str, event_id: str) -> list[tuple[int, bytes]]:
        """Return the places and messages of a client's events with an id, oldest first."""
        indexes, messages = self._indexes(self._chains.numbers.get(name)), self._messages
        return [(self._base + index, messages[index]) for index in self._having(indexes, event_id)]

    def counts_between(self, first: int, end: int) -> dict[str, int]:
        """Return whose the events at places from one on and before another are, and how many of each."""
        counts = Counter(self._owners[self._index_of(first) : self._index_of(end)])
        del counts[NO_CLIENT]
        names = self._chains.names
        return {names[client]: count for client, count in counts.items()}

    def came_between(self, first: int, end: int, names: Collection[str], copies_from: int) -> list[tuple[str, float]]:
        """Return the names and moments of some clients' events at places from one on and before another.

        Without those that came before, byte for byte, at a place from `copies_from` on.
        """
        found: list[tuple[str, float]] = []
        owners, messages, begin = self._owners, self._messages, self._index_of(first)
        numbers = self._chains.numbers
        wanted = {numbers[name] for name in names if name in numbers}
        had: set[tuple[int, bytes]] = set()
        for index in range(self._index_of(copies_from), self._index_of(end)):
            client = owners[index]
            # Of an event that went before its turn nothing is left but the place.
            if client in wanted and (message := messages[index]) and (event := (client, message)) not in had:
                had.add(event)
                if index >= begin:
                    found.append((self._chains.names[client], self._moments[index]))
        return found

    def _index_of(self, place: int) -> int:
        """Return the index of a place, or that of the first of which something is remembered."""
        return max(place - self._base, self._first)

    def ingress_of(self, place: int) -> Ingress:
        """Return by which ingress the event at a place came."""
        return Ingress(self._ingresses[place - self._base])

    def ids_of(self, name: str) -> list[str]:
        """Return the ids of a client's events."""
        client = self._chains.numbers.get(name)
        if client is None:
            # Each client is asked for with its first event, which many do not have before.
            return []
        indexes = self._indexes(client)
        found = (decode_remembered(self._messages[index]).event_id for index in indexes)
        return [event_id for event_id in found if isinstance(event_id, str)]

    def moment_of(self, name: str, message: bytes) -> float | None:
        """Return when a client's message was published, at the latest if several times; None where it is forgotten."""
        indexes = self._indexes(self._chains.numbers.get(name))
        return next((self._moments[index] for index in reversed(indexes) if self._messages[index] == message), None)

    def _indexes(self, client: int | None) -> list[int]:
        if client is None:
            return []
        indexes = [self._chains.firsts[client] - self._base]
        for _ in range(self._chains.counts[client] - 1):
            indexes.append(indexes[-1] + self._steps[indexes[-1]])
        return indexes

    def _find(self, indexes: list[int], event_id: str) -> int | None:
        """Return which of the indexes is the oldest event with an id: a double has an id, a loss has none."""
        return next((indexes.index(index) for index in self._having(indexes, event_id)), None)

    def _having(self, indexes: list[int], event_id: str) -> Iterator[int]:
        """Give those of the indexes that are of events with an id."""
        sought = event_id.encode()
        for index in indexes:
            message = self._messages[index]
            # It is cheaper to see that the id is not there than to decode: JSON may
            # write it in other characters, but only with a backslash.
            if (sought in message or b"\\" in message) and decode_remembered(message).event_id == event_id:
                yield index


def digest(message: bytes) -> str:
    """Return what names a message among a client's recent ones, also to another pod."""
    return blake2b(message, digest_size=8).hexdigest()
