"""A model of Redis: Pub/Sub, one stream, a clock of its own, restarts and failovers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.broker.side import PRIMARY, REPLICA, Standing
from streams.roster.messages import Told
from tests.simulation.world import World
from tests.support.roster_model import RosterModel

if TYPE_CHECKING:
    from tests.simulation.pod import SimulatedPod

Entry = tuple[tuple[int, int], bytes]


# Seconds between two commands of one pipeline.
BETWEEN_COMMANDS = (0.0, 0.0, 0.0005, 0.05)


class Reply(NamedTuple):
    """What the journal's reader is answered: entries, what has the id of its position, and Redis' clock."""

    entries: list[tuple[bytes, dict[bytes, bytes]]]
    held: list[tuple[bytes, dict[bytes, bytes]]]
    time: float


class Blocked(NamedTuple):
    """A read that waits for an entry."""

    after: tuple[int, int]
    limit: int
    held: tuple[int, int] | None
    answer: Callable[[Reply], None]


class RedisModel:
    """One Redis; `subscribers` and `blocked` are of the connections that it has."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.frozen = False
        self.up = True
        self.run_id = 1
        # Its history goes on with each command; as a replica it had that of another, up to an offset.
        self.history, self.offset = 1, 0
        self.former_history, self.former_end = 0, 0
        self.primary: RedisModel | None = None
        self.replica: RedisModel | None = None
        # How far its history was when it took each entry.
        self._offsets: dict[tuple[int, int], int] = {}
        self.started_at = -1000.0
        self.clock_offset = 0.0
        self.subscribers: dict[object, Callable[[str, Any], None]] = {}
        self.entries: list[Entry] = []
        self.last_id = (0, 0)
        self.added = 0
        # When pods may have lost entries, by its clock.
        self.marks: list[tuple[bytes, dict[bytes, bytes]]] = []
        # The histories that pods have met.
        self.met: set[int] = set()
        # Whether it writes each entry to its disk before it acknowledges it.
        self.durable = False
        self.used = False
        self.roster = RosterModel()
        # The pods that hear what pods tell each other.
        self.members: dict[SimulatedPod, str] = {}
        self._blocked: dict[object, Blocked] = {}
        self._waiting: list[tuple[object, Callable[[], None]]] = []
        # Called when all connections are lost.
        self.on_lost: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.world.wall() + self.clock_offset

    def execute(self, command: Callable[[], None], connection: object = None) -> None:
        """Run a command, once Redis is not frozen; never where it is down or dies first."""
        if self.frozen:
            self._waiting.append((connection, command))
        elif self.up:
            command()

    def publish(self, kind: str, message: Any) -> None:
        self.offset += 1
        if self.replica is not None:
            self.replica.publish(kind, message)
        for deliver in list(self.subscribers.values()):
            deliver(kind, message)

    def add(self, message: bytes) -> None:
        milliseconds = int(self.time() * 1000)
        last_ms, last_number = self.last_id
        self.offset += 1
        self._append((milliseconds, 0) if milliseconds > last_ms else (last_ms, last_number + 1), message)

    def _append(self, entry_id: tuple[int, int], message: bytes) -> None:
        self.last_id = entry_id
        self._offsets[entry_id] = self.offset
        self.entries.append((entry_id, message))
        self.added += 1
        if self.replica is not None:
            self.replica._append(entry_id, message)
        for connection, blocked in list(self._blocked.items()):
            del self._blocked[connection]
            self._answer(blocked)

    def read(self, connection: object, blocked: Blocked, block_seconds: float | None) -> None:
        """Answer a read at once, or when an entry comes or its time is up."""
        if block_seconds is None or (self.entries and self.entries[-1][0] > blocked.after):
            self._answer(blocked)
            return
        self._blocked[connection] = blocked
        self.world.after(block_seconds, self._time_up, connection, blocked)

    def _time_up(self, connection: object, blocked: Blocked) -> None:
        if self._blocked.get(connection) is blocked:
            del self._blocked[connection]
            self.execute(lambda: self._answer(blocked), connection)

    def _answer(self, blocked: Blocked) -> None:
        first = bisect_right(self.entries, blocked.after, key=entry_id_of)
        found = self.entries[first : first + blocked.limit]
        entries = [written(entry) for entry in found]

        def answer_rest() -> None:
            blocked.answer(Reply(entries, self.at(blocked.held), self.time()))

        # Whether the position is held is another command, and others may come between.
        self.world.after(self.world.rng.choice(BETWEEN_COMMANDS), self.execute, answer_rest)

    def at(self, entry_id: tuple[int, int] | None) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Return the entry that has an id, if one has it."""
        if entry_id is None:
            return []
        place = bisect_left(self.entries, entry_id, key=entry_id_of)
        return [written(entry) for entry in self.entries[place : place + 1] if entry[0] == entry_id]

    @property
    def intact(self) -> bool:
        return self.added == len(self.entries)

    def mark(self, losses: list[dict[str, str]]) -> None:
        entry_id = entry_id_bytes((int(self.time() * 1000), 0))
        for fields in losses:
            self.marks.append((entry_id, {name.encode(): value.encode() for name, value in fields.items()}))
        self.met.add(self.history)

    def newest(self) -> bytes | None:
        return entry_id_bytes(self.entries[-1][0]) if self.entries else None

    def first(self) -> bytes | None:
        return entry_id_bytes(self.entries[0][0]) if self.entries else None

    def forget(self, connection: object) -> None:
        """Drop what a connection waits for."""
        self.subscribers.pop(connection, None)
        self._blocked.pop(connection, None)
        self._waiting = [waiting for waiting in self._waiting if waiting[0] is not connection]

    def tell(self, life: str, told: Told) -> None:
        """Pass on what a pod tells a life, or all pods."""
        for pod, its_life in self.members.items():
            if life in ("", its_life) and not pod.cuts["layer"]:
                pod.layer.send(pod.run, pod.roster.told, told)

    # What happens to it

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for _connection, command in waiting:
            self.execute(command)

    def delete(self) -> None:
        """DEL, or FLUSHALL: the next entry's id comes from the clock alone."""
        self.entries, self.last_id, self.added = [], (0, 0), 0
        if self.replica is not None:
            self.replica.delete()

    def trim(self, kept: int) -> None:
        self.entries = self.entries[len(self.entries) - min(kept, len(self.entries)) :]
        if self.replica is not None:
            self.replica.trim(kept)

    def standing(self) -> Standing:
        """Return what it says of itself."""
        former = str(self.former_history) if self.former_history else ""
        role = REPLICA if self.primary else PRIMARY
        uptime = float(int(self.world.now - self.started_at))
        return Standing(role, "", str(self.run_id), str(self.history), former, self.former_end, self.offset, uptime)

    def promoted(self, lag: int) -> RedisModel:
        """Return a replica that becomes a primary, without the last commands; the old one goes on."""
        new = RedisModel(self.world)
        new.run_id = new.history = self.run_id + 1
        new.offset = new.former_end = max(0, self.offset - lag)
        new.former_history = self.history
        new.started_at, new.clock_offset = self.started_at, self.clock_offset
        new.marks, new.used, new.on_lost = list(self.marks), self.used, self.on_lost
        new.met = set(self.met)
        new.roster = self.roster.copy()
        new._offsets = dict(self._offsets)
        new.entries = [entry for entry in self.entries if self._offsets[entry[0]] <= new.offset]
        new.added = self.added - len(self.entries) + len(new.entries)
        new.last_id = new.entries[-1][0] if new.entries else (0, 0)
        self.on_lost = []
        return new

    def demote(self, primary: RedisModel) -> None:
        """Become a replica of another: its entries are the other's, and so is what comes."""
        self.primary, primary.replica = primary, self
        self.entries, self.last_id, self.added = list(primary.entries), primary.last_id, primary.added
        if self.replica is not None:
            self.replica.demote(self)

    def die(self) -> None:
        """Lose all connections, and what waited."""
        self.up = False
        self.frozen = False
        self.replica = None
        self._blocked.clear()
        self._waiting.clear()
        self.subscribers.clear()
        for lost in self.on_lost:
            lost()

    def start(self, lost_entries: int) -> None:
        """Come back as another process, without the last entries; all of them, too, where it kept no data."""
        self.up = True
        self.run_id += 1
        self.history, self.former_history = self.run_id, 0
        self.started_at = self.world.now
        if lost_entries >= len(self.entries):
            self.delete()
        else:
            self.entries = self.entries[: len(self.entries) - lost_entries]
            self.added -= lost_entries
            self.last_id = self.entries[-1][0]


def entry_id_of(entry: Entry) -> tuple[int, int]:
    return entry[0]


def written(entry: Entry) -> tuple[bytes, dict[bytes, bytes]]:
    """Return an entry as Redis answers with it."""
    return entry_id_bytes(entry[0]), {b"event": entry[1]}


def entry_id_bytes(entry_id: tuple[int, int]) -> bytes:
    return b"%d-%d" % entry_id


def parse_id(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)
