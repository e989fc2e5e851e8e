"""A Redis Stream in memory, read by a cursor as its shell reads it, on a clock that the test turns."""

from __future__ import annotations

from streams.broker.journal.cursor import JournalCursor
from streams.broker.journal.entries import EVENT_FIELD, Entry, Facts, Taken, entry_parts
from tests.streams.clocks import WALL_AHEAD, HandClock

HISTORY_SECONDS = 300.0
Id = tuple[int, int]


class Journal:
    """A journal, and what a cursor made of it: the messages that it gave, and the losses that it told."""

    def __init__(self, hands: HandClock, *, durable: bool = False) -> None:
        self.hands = hands
        # By how much Redis' clock is ahead of the reader's.
        self.ahead = WALL_AHEAD
        self.run_id = "run-1"
        self.started = hands.now - 1e6
        self.durable = durable
        self.entries: dict[Id, bytes] = {}
        self.last: Id = (0, 0)
        self.added = 0
        self.cursor = JournalCursor(HISTORY_SECONDS, hands.now)
        self.got: list[str] = []
        self.moments: dict[str, float] = {}
        self.losses: list[tuple[float, float]] = []
        self.unsure: list[float] = []

    # What Redis does

    @property
    def time(self) -> float:
        return self.hands.now + self.ahead

    def add(self, *messages: str, at: Id | None = None) -> None:
        """XADD, with the id that Redis gives by its clock, or with one of the test's."""
        for message in messages:
            now = (int(1000 * self.time), 0)
            self.last = at or max(now, (self.last[0], self.last[1] + 1))
            self.entries[self.last] = message.encode()
            self.added += 1

    def trim(self, length: int) -> None:
        for entry_id in sorted(self.entries)[: max(0, len(self.entries) - length)]:
            del self.entries[entry_id]

    def delete_last(self) -> None:
        del self.entries[max(self.entries)]

    def clear(self) -> None:
        """FLUSHALL, which forgets the last id too."""
        self.entries, self.last, self.added = {}, (0, 0), 0

    def restart(self, *, keep: int = 0) -> None:
        """Come up with so many of the first entries."""
        self.run_id, self.started = self.run_id + "+", self.hands.now
        self.entries = {entry_id: self.entries[entry_id] for entry_id in sorted(self.entries)[:keep]}
        self.last = max(self.entries, default=(0, 0))

    @property
    def newest(self) -> bytes | None:
        return written(max(self.entries)) if self.entries else None

    # What the reader does

    def connect(self) -> float | None:
        position = self.cursor.position
        held = position is not None and self.cursor.holds(self._at(position))
        uptime = int(self.hands.now - self.started)
        facts = Facts(self.run_id, self.time, self.newest, held, uptime, self.durable)
        since = self.cursor.connected(facts, self.hands.now, self.hands.now)
        self.note_loss(since)
        return since

    def read(self, *, late: float = 0.0) -> Taken:
        """Read once; the answer comes so many seconds late."""
        asked, read = self.hands.now, self.cursor.next_read()
        after = entry_parts(read.after)
        found = [(written(i), {EVENT_FIELD: self.entries[i]}) for i in sorted(self.entries) if i > after]
        held = self.cursor.holds(found[:1] if read.held_from == b"-" else self._at(read.held_from))
        return self.answer(found[: read.limit], held, asked, late=late)

    def _at(self, entry_id: bytes) -> list[Entry]:
        message = self.entries.get(entry_parts(entry_id))
        return [] if message is None else [(entry_id, {EVENT_FIELD: message})]

    def answer(self, entries: list[Entry], held: bool, asked: float, *, late: float = 0.0) -> Taken:
        """Hand the cursor what Redis found."""
        redis_time = self.time
        self.hands.turn(late)
        was_caught_up = self.cursor.caught_up
        taken = self.cursor.took(entries, held, redis_time, asked, self.hands.now)
        if taken.displaced:
            self.cursor.relocated(self.newest)
        self.note_loss(taken.lost_since)
        if taken.unsure_since is not None:
            self.unsure.append(taken.unsure_since)
        for message, moment in zip(taken.messages, taken.moments, strict=True):
            self.got.append(message.decode())
            self.moments[message.decode()] = moment
        if self.cursor.caught_up and not was_caught_up:
            first = written(min(self.entries)) if self.entries else None
            intact = self.added == len(self.entries)
            self.cursor.begins_at(first, self.newest, self.hands.now, intact=intact, marks=[], met=True)
        return taken

    def note_loss(self, since: float | None) -> None:
        if since is not None:
            self.losses.append((since, self.hands.now))

    def catch_up(self) -> None:
        """Connect, and read all that there is."""
        self.connect()
        self.read()
        while not self.cursor.caught_up:
            self.read()

    def tells(self, moment: float) -> bool:
        return any(since <= moment <= until for since, until in self.losses)


def written(entry_id: Id) -> bytes:
    return b"%d-%d" % entry_id
