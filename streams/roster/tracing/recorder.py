"""The recorder: what became of each client lately, collected here until it is written to Redis; pure.

Transitions are noted of every client, and events of those that are traced. Never `data`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import NamedTuple

from streams.delivery.connection import Connection
from streams.delivery.observing.observer import Fate, Observer
from streams.errors import CloseReason
from streams.history.coverage import Gap
from streams.history.lookup import digest
from streams.roster.tracing.entries import BY_LOCK, MAX_TEXT_CHARACTERS, Kind, TraceEntry, about, stream_of
from streams.roster.tracing.limits import Limit
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.events import MAX_EVENT_ID_CHARACTERS
from streams.wire.timestamps import iso

# Of a client that comes and goes all the time.
KEPT_A_MINUTE = 20
# Of a client that is traced.
EVENTS_A_SECOND = 50
# While Redis is away. The texts in one are cut, so that it takes about a kilobyte at most.
MAX_WAITING = 10_000
MAX_TRACED = 20
# Who is refused for a token may be anybody, under any name.
LOCKED_OUT_A_SECOND = 200
LOCKED_OUT = "locked out"
KINDS = {CloseReason.EVICTED: Kind.EVICTED, CloseReason.DUEL: Kind.DUEL}
# Of what is left out: events, but for those that are unclaimed.
OF_ITS_STREAM = "of its stream"
REFUSALS = (CloseReason.DRAINING, CloseReason.OVERLOADED, CloseReason.SERVER_STOPPED)


class Noted(NamedTuple):
    """An entry that waits to be written: when it happened, and the times in it, are monotonic seconds."""

    client_name: str
    moment: float
    entry: TraceEntry
    gap: Gap | None = None
    # Whether it is written of a lane alone that the roster knows.
    of_known: bool = False


class Recorder(Observer):
    """Collects the entries of one pod; take() gives them for Redis, in their order.

    `kept` is how many transitions are kept of a client, 0 for none. The moments are monotonic seconds.
    """

    def __init__(self, pod_name: str, life: str, kept: int, clock: Clock = SYSTEM_CLOCK) -> None:
        # Called when there is something to be written.
        self.on_due: Callable[[], None] = _ignore
        # What Redis was away for too long for.
        self.lost = 0
        self._pod_name, self._life, self._kept, self._clock = pod_name, life, kept, clock
        self._waiting: deque[Noted] = deque()
        self._transitions = Limit(KEPT_A_MINUTE, 60.0)
        self._events = Limit(EVENTS_A_SECOND, 1.0)
        # Every pod has these of every client.
        self._unclaimed = Limit(EVENTS_A_SECOND, 1.0)
        self._locked_out = Limit(LOCKED_OUT_A_SECOND, 1.0)
        self._traced_until: dict[str, float] = {}

    @property
    def waiting(self) -> int:
        """How many entries are to be written."""
        return len(self._waiting)

    def opened(self, connection: Connection) -> None:
        """Note a connection that has just opened, and has its number."""
        entry = TraceEntry(
            Kind.OPENED,
            self._pod_name,
            stream=stream_of(self._life, connection.number),
            address=connection.address,
            user_agent=connection.user_agent[:MAX_TEXT_CHARACTERS],
        )
        if (resume := connection.resume) is not None:
            entry.since_seconds = resume.since_seconds
            if resume.last_event_id is not None:
                entry.last_event_id = resume.last_event_id[:MAX_EVENT_ID_CHARACTERS]
        self._note(connection, connection.opened_at, entry)

    def closed(self, connection: Connection) -> None:
        """Note a connection that has ended."""
        reason = connection.close_reason or CloseReason.CLIENT_CLOSED
        self._end(connection, KINDS.get(reason, Kind.CLOSED), reason, stream_of(self._life, connection.number))

    def locked_out(self, name: str, result: str, times: int, address: str, user_agent: str) -> None:
        """Note that a lane was refused for its token, or for want of one, so many times since its last good one.

        The first time and whenever it was twice as often, since a device that hammers must not take the place of all
        else in its trace. A stranger can make names up, and ends up in no trace: Redis takes it of known lanes alone.
        """
        is_noted = self._kept and times & (times - 1) == 0
        if is_noted and self._locked_out.takes(LOCKED_OUT):
            entry = TraceEntry(
                Kind.REFUSED,
                self._pod_name,
                reason=BY_LOCK + result,
                count=times,
                address=address,
                user_agent=user_agent[:MAX_TEXT_CHARACTERS],
            )
            self._add(Noted(name, self._clock.monotonic(), entry, of_known=True))

    def refused(self, connection: Connection, reason: CloseReason) -> None:
        if reason is CloseReason.TOKEN_EXPIRED:
            # The lock has told of it: locked_out().
            return
        kind = Kind.REFUSED if reason in REFUSALS else KINDS.get(reason, Kind.CLOSED)
        self._end(connection, kind, reason, "")

    def _end(self, connection: Connection, kind: Kind, reason: CloseReason, stream: str) -> None:
        now = self._clock.monotonic()
        entry = TraceEntry(
            kind,
            self._pod_name,
            stream=stream,
            reason=reason,
            seconds=round(now - connection.opened_at, 1),
            events=connection.event_count,
            bytes=connection.bytes_written,
            by=connection.evicted_by[:MAX_TEXT_CHARACTERS],
        )
        if not stream:
            entry.address = connection.address
            entry.user_agent = connection.user_agent[:MAX_TEXT_CHARACTERS]
        self._note(connection, now, entry)

    def told(self, connection: Connection, gap: Gap) -> None:
        stream = stream_of(self._life, connection.number)
        entry = TraceEntry(Kind.GAP, self._pod_name, stream=stream, reason=gap.reason)
        self._note(connection, self._clock.monotonic(), entry, gap)

    def replayed(self, connection: Connection, count: int) -> None:
        stream = stream_of(self._life, connection.number)
        entry = TraceEntry(Kind.REPLAYED, self._pod_name, stream=stream, count=count)
        self._note(connection, self._clock.monotonic(), entry)

    def _note(self, connection: Connection, moment: float, entry: TraceEntry, gap: Gap | None = None) -> None:
        name = connection.client_name
        if self._kept and self._transitions.takes(name):
            self._add(Noted(name, moment, entry, gap))

    def handled(self, name: str, message: bytes, fate: Fate) -> None:
        limit = self._unclaimed if fate is Fate.UNCLAIMED else self._events
        if not limit.takes(name):
            return
        event_id, action = about(message)
        entry = TraceEntry(
            Kind.EVENT, self._pod_name, event_id=event_id, action=action, fate=fate, digest=digest(message)
        )
        self._add(Noted(name, self._clock.monotonic(), entry))

    def trace(self, seconds: Mapping[str, float]) -> None:
        """Note the events of these clients and of no others from now on, each for so many seconds."""
        now = self._clock.monotonic()
        self._traced_until = {name: now + left for name, left in islice(seconds.items(), MAX_TRACED) if left > 0}
        self.traced = frozenset(self._traced_until)

    def trace_too(self, name: str, seconds: float) -> None:
        """Note the events of one client more, or of one less where no seconds are left."""
        now = self._clock.monotonic()
        left = {each: until - now for each, until in self._traced_until.items()}
        self.trace({name: seconds, **{each: until for each, until in left.items() if each != name}})

    def share_with(self, pods: int) -> None:
        """Note less of what every pod has, where there are more of them."""
        self._unclaimed.most = max(1, EVENTS_A_SECOND // max(1, pods))

    def _add(self, noted: Noted) -> None:
        waiting = self._waiting
        if len(waiting) >= MAX_WAITING:
            waiting.popleft()
            self.lost += 1
        waiting.append(noted)
        if len(waiting) == 1:
            self.on_due()

    def look(self) -> None:
        """Note what was left out, and stop what is traced when its time is over; call it every second."""
        now = self._clock.monotonic()
        if self._traced_until and min(self._traced_until.values()) <= now:
            self.trace({name: until - now for name, until in self._traced_until.items()})
        self._locked_out.begin_anew(now)
        for limit, fate in ((self._transitions, ""), (self._events, OF_ITS_STREAM), (self._unclaimed, Fate.UNCLAIMED)):
            for name, count in limit.begin_anew(now):
                entry = TraceEntry(Kind.LEFT_OUT, self._pod_name, count=count, fate=fate)
                self._add(Noted(name, now, entry))

    def take(self, most: int, ahead: float) -> list[Noted]:
        """Return the entries that are to be written next, oldest first; failed() takes them back.

        `ahead` is by how many seconds Redis' clock is ahead of the monotonic one.
        """
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for _name, moment, entry, gap, _of_known in taken:
            if entry.at:
                # Redis may have taken it before: what is the same twice counts once.
                continue
            entry.at = iso(moment + ahead)
            if gap is not None:
                entry.gap_from = None if gap.began is None else iso(gap.began + ahead)
                entry.gap_to = iso(gap.ended + ahead)
        return taken

    def failed(self, taken: list[Noted]) -> None:
        """Take back entries that Redis may not have taken, as far as there is room."""
        back = taken[max(0, len(self._waiting) + len(taken) - MAX_WAITING) :]
        self.lost += len(taken) - len(back)
        self._waiting.extendleft(reversed(back))


def _ignore() -> None:
    pass
