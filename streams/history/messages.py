"""What a client that comes back is owed of what this pod remembers, and what may be missing of it.

All times are seconds on one clock that never goes back, the caller's; this module reads none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter

from streams.history.coverage import Gap, GapReason, Ingress, merged
from streams.history.lookup import Lookup
from streams.history.memory import APART_SECONDS
from streams.history.progress import CLOCK_DOUBT_SECONDS, MAX_LAG_SECONDS
from streams.history.replays import Marks, Position, Replay
from streams.wire.events import valid_event_id

# Within so long publishers try again.
RETRY_SECONDS = 10.0
# What is published by both ingresses is so within this.
TWIN_SECONDS = 2.5
# The journal is read at least so often.
READ_APART_SECONDS = 1.0

# Up to when all pods had heard the other ingress when they wrote an event:
# (the other ingress, the event's place, its moment) -> moment. Without a place, whatever was written after the moment.
HeardElsewhere = Callable[[Ingress, int | None, float], float]
# A moment before which an event of the channel was not published: (its place, when it was heard) -> moment.
PublishedAfter = Callable[[int, float], float]
# Up to when whoever has an event of a moment surely has all of its ingress.
TrustedUntil = Callable[[float], float]


class History(Lookup):
    """The recent events of all clients, and what each may be asked for."""

    def after(
        self,
        name: str,
        last_event_id: str,
        now: float,
        heard_elsewhere: HeardElsewhere,
        published_after: PublishedAfter = lambda _place, moment: moment,
        trusted_until: TrustedUntil = lambda moment: moment,
        marks: Marks | None = None,
        *,
        given: bool = True,
        proven: Marks = (inf, inf),
    ) -> Replay:
        """Return a client's events after the one with the id, or all where it is not there.

        A position is one for each ingress: after the id's event on its own, and on the other
        what another pod may not have heard yet when it wrote that event. An id that is there, or
        is the last that was before all that is, has a gap only where this pod missed something
        afterwards. Any other always has, of the reason that holds however old the id is: the latest
        that hid events of the client. UNKNOWN_ID is for what no event can have as its id.
        `marks` is what other pods know of the id's event, `given` whether this pod itself wrote it to the client:
        another may have written a copy of it that was published before, or by the other ingress, and that this pod
        missed. `proven` is up to when this pod heard each ingress.
        """
        self.expire(now)
        client = self._chains.numbers.get(name)
        indexes = self._indexes(client)
        possible = valid_event_id(last_event_id)
        found = self._find(indexes, last_event_id) if possible else None
        if found is not None:
            return self._after(
                client, last_event_id, found, now, heard_elsewhere, published_after, trusted_until, marks, given, proven
            )
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
        marks: Marks | None,
        given: bool,
        proven: Marks,
    ) -> Replay:
        indexes = self._indexes(client)
        position = self._position(indexes, found, last_event_id, heard_elsewhere, trusted_until, marks, given, proven)
        index, moment, own, read, heard = position[:5]
        forgotten = self._forgotten_after(read, own, client, now) if read < moment else None
        if own is Ingress.CHANNEL:
            # What was lost behind it was published before it was heard here, where this pod was late.
            read = min(read, max(published_after(self._base + index, moment), self.coverage[own].heard_since))
        other = self.coverage[own.other]
        gap = merged(
            self.coverage[own].missing_after(read),
            other.missed_after(heard) if other.from_the_first else other.missing_after(heard),
            self._forgotten_after(heard, own.other, client, now),
            forgotten,
        )
        replay = self._replay(self._owed(indexes, position), gap, own, moment, index)
        return replay._replace(apart_seconds=moment - heard, in_doubt=position.in_doubt)

    def _position(
        self,
        indexes: list[int],
        found: int,
        last_event_id: str,
        heard_elsewhere: HeardElsewhere,
        trusted_until: TrustedUntil,
        marks: Marks | None,
        given: bool,
        proven: Marks,
    ) -> Position:
        """Return up to where a client has read that comes back with the id of one of its events."""
        index = indexes[found]
        moment, own = self._moments[index], Ingress(self._ingresses[index])
        heard = min(heard_elsewhere(own.other, self._base + index, moment), moment)
        # On its own ingress the order is the same for every pod, and so is all that is behind the id,
        # unless another pod read from a Redis that was not the primary.
        read = trusted_until(moment)
        if marks is not None and self._find(indexes[found + 1 :], last_event_id) is None:
            heard = min(max(heard, marks[own.other]), read)
        first_copy = moment if given else self._first_copy(own, moment, marks)
        if first_copy < moment:
            read = min(read, first_copy)
            heard = min(heard, read - MAX_LAG_SECONDS if marks is None else marks[own.other])
        position = Position(index, moment, own, read, heard, False, first_copy < moment)
        others = [each for each in indexes if self._ingresses[each] != own]
        twin = self._find(others, last_event_id)
        if twin is None and not given and self._may_have_twin(own, moment, proven):
            known_read = heard_elsewhere(own, None, moment - TWIN_SECONDS) if marks is None else marks[own]
            return position._replace(read=min(read, known_read), twin=True, in_doubt=position.in_doubt or marks is None)
        if twin is None:
            return position
        # The same id on both: nobody knows on which of them it was read.
        place, twin_moment = self._base + others[twin], self._moments[others[twin]]
        return position._replace(read=min(read, heard_elsewhere(own, place, twin_moment), twin_moment), twin=True)

    def _owed(self, indexes: list[int], position: Position) -> list[int]:
        """Return which of a client's events it may not have read."""
        at, moment, own, read, heard, twin, in_doubt = position
        if own is Ingress.CHANNEL:
            heard = self._journal_before(heard)
        elif read < moment:
            read = self._earliest(read)

        def is_owed(each: int) -> bool:
            if self._ingresses[each] != own:
                return self._moments[each] > heard
            if each > at or (each == at and in_doubt):
                # In doubt the client may have read another event with this id.
                return True
            return (twin or (read < moment and each < at)) and self._moments[each] > read

        return list(filter(is_owed, indexes))

    def _first_copy(self, own: Ingress, moment: float, marks: Marks | None) -> float:
        """Return a moment before which no copy of an event was published that this pod may have missed.

        A publisher that does not know whether an event was taken publishes it again.
        """
        if not self.copies_seen:
            return moment
        whole_since, earliest = self.coverage[own].whole_since(moment), moment - RETRY_SECONDS
        if whole_since <= earliest or (marks is not None and marks[own] >= whole_since):
            return moment
        return earliest if marks is None else max(earliest, marks[own])

    def _may_have_twin(self, own: Ingress, moment: float, proven: Marks) -> bool:
        """Say whether an event may have come by the other ingress, too, which was not heard here then."""
        if not self.twins_seen:
            return False
        whole_since = self.coverage[own.other].whole_since(moment + TWIN_SECONDS)
        return whole_since > moment - TWIN_SECONDS or proven[own.other] < moment + TWIN_SECONDS

    def _journal_before(self, moment: float) -> float:
        """Return a moment behind which all entries are that may have been taken at or behind the given one."""
        # One that was read late may have the very moment of the last proof before it.
        return nextafter(self._earliest(moment), -inf)

    def _earliest(self, moment: float) -> float:
        """Return the earliest moment that an entry may have here which was taken at the given one."""
        return self.journal_unsure.around(moment - self.journal_early[0])[0]

    def _replay(self, replayed: list[int], gap: Gap | None, own: Ingress, moment: float, index: int) -> Replay:
        latest = moment + APART_SECONDS
        doubtful = tuple(
            number
            for number, each in enumerate(replayed)
            if (self._moments[each] <= latest if self._ingresses[each] != own else each <= index)
        )
        first = self._base + replayed[0] if replayed else self.end
        return Replay([self._messages[each] for each in replayed], gap, first, doubtful=doubtful)

    def after_unheard(self, name: str, marks: Marks, now: float) -> Replay:
        """Return a client's events after one that this pod does not have, from a mark on for each ingress.

        The client may have read any of them before it.
        """
        replay = self._since(name, (marks[0], self._journal_before(marks[1] - CLOCK_DOUBT_SECONDS)), now)
        gap = replay.gap
        if gap is not None and gap.reason is not GapReason.REDIS_OUTAGE:
            # As with any id that this pod does not have: it cannot say what it never had.
            gap = gap._replace(began=None)
        return replay._replace(gap=gap, known=False, doubtful=tuple(range(len(replay.messages))))

    def since(self, name: str, seconds: float, now: float) -> Replay:
        """Return a client's events of the last `seconds`, and the gap if that is more than is known.

        Of more seconds than are remembered nobody knows where they began.
        """
        moment = now - seconds if seconds <= self._seconds else -inf
        return self._since(name, (moment, moment), now)

    def _since(self, name: str, marks: Marks, now: float) -> Replay:
        self.expire(now)
        client = self._chains.numbers.get(name)
        indexes = [index for index in self._indexes(client) if self._moments[index] > marks[self._ingresses[index]]]
        gap = merged(*(self._missing_after(marks[ingress], ingress, client, now) for ingress in Ingress))
        first = self._base + indexes[0] if indexes else self.end
        return Replay([self._messages[index] for index in indexes], gap, first)

    def may_hold(self, event_id: str) -> bool:
        """Say whether anything is remembered at all, and an event can have this id."""
        return bool(self._seconds) and valid_event_id(event_id)

    def marks_of(
        self,
        name: str,
        event_id: str,
        heard_elsewhere: HeardElsewhere,
        published_after: PublishedAfter,
        *,
        given: bool = True,
        proven: Marks = (inf, inf),
    ) -> Marks | None:
        """Return up to when whoever read a client's event with an id has everything; None without such an event.

        None, too, where this pod may have missed a copy of it, unless it was `given` to the client here.
        """
        marks = (inf, inf)
        for index in self._indexes(self._chains.numbers.get(name)):
            if self._find([index], event_id) is None:
                continue
            place, moment, own = self._base + index, self._moments[index], Ingress(self._ingresses[index])
            if not given and self._first_copy(own, moment, None) < moment:
                return None
            heard = min(heard_elsewhere(own.other, place, moment), moment)
            if not given and self._may_have_twin(own, moment, proven):
                # Whoever was written that one had the other ingress up to it, and this one as far as its pod.
                heard = min(heard, moment - TWIN_SECONDS)
                moment = min(moment, heard_elsewhere(own, None, moment - TWIN_SECONDS))
            if own is Ingress.CHANNEL:
                found = published_after(place, moment), heard
            else:
                found = heard, moment - CLOCK_DOUBT_SECONDS
            marks = min(marks[0], found[0]), min(marks[1], found[1])
        return None if marks == (inf, inf) else marks

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
        return Gap(GapReason.EXPIRED, moment, forgotten_at) if forgotten_at > nextafter(moment, -inf) else None

    def _at_the_latest(self, moment: float, ingress: Ingress, now: float) -> float:
        # Where Redis' clock was set back, an entry's moment is that of the read before it.
        early_seconds = max(READ_APART_SECONDS, self.journal_early[0])
        latest = max(moment + early_seconds, self.journal_unsure.around(moment)[1])
        return min(now, latest) if ingress is Ingress.JOURNAL else moment
