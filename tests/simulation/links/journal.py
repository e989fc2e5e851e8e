"""One simulated pod's connection to the journal: the real cursor, and a shell whose I/O is the simulation's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.broker.journal.cursor import JournalCursor
from streams.broker.journal.entries import Facts
from streams.broker.side import Standing
from tests.simulation.links.channel import RETRY_SECONDS
from tests.simulation.redis_model import Blocked, Reply, parse_id
from tests.simulation.world import Link

if TYPE_CHECKING:
    from tests.simulation.pod import SimulatedPod

READ_TIMEOUT_SECONDS = 4.0


class JournalLink(Link):
    """Reads the journal for one pod."""

    def __init__(self, pod: SimulatedPod, cursor: JournalCursor) -> None:
        super().__init__(pod.world)
        self.cursor = cursor
        self.answered_at = -1.0
        # Another object is another connection.
        self._connection: object = None
        self._pod = pod

    def forget(self) -> None:
        self._pod.redis.forget(self._connection)

    def lose(self) -> None:
        self._pod.run(self._lose_journal, self._connection)

    def connect(self) -> None:
        if self._pod.moves():
            return
        connection = self._connection = object()
        self.drop()
        if self._pod.cuts["journal"] or not self._pod.redis.up:
            self._pod.later(self._pod.world.rng.uniform(0.1, 0.5), self._retry_journal, connection)
            return
        self._pod.later(READ_TIMEOUT_SECONDS, self._give_up_connect, connection)
        asked, position = self._pod.clock.monotonic(), self.cursor.position

        def answer() -> None:
            held = self.cursor.holds(self._pod.redis.at(parse_id(position))) if position else False
            redis, world = self._pod.redis, self._pod.world
            facts = Facts(
                str(redis.run_id), redis.time(), redis.newest(), held, int(world.now - redis.started_at), redis.durable
            )
            self.send(self._pod.run, self._connected, connection, facts, redis.standing(), asked)

        self._pod.world.after(self.delay, self._pod.redis.execute, answer, connection)

    def _retry_journal(self, connection: object) -> None:
        if self._connection is connection:
            self.connect()

    def _give_up_connect(self, connection: object) -> None:
        if self._connection is connection and self.answered_at < 0:
            self._lose_journal(connection)

    def _lose_journal(self, connection: object) -> None:
        if self._connection is connection:
            self._pod.redis.forget(connection)
            self.connect()

    def _connected(self, connection: object, facts: Facts, standing: Standing, asked: float) -> None:
        if self._connection is not connection:
            return
        if not self._pod.opened(standing, asked):
            self._pod.later(RETRY_SECONDS, self._lose_journal, connection)
            return
        since = self.cursor.connected(facts, asked, self._pod.clock.monotonic())
        if since is not None:
            self._pod.miss_journal(since)
        self._read(connection)

    def _read(self, connection: object) -> None:
        read, asked = self.cursor.next_read(), self._pod.clock.monotonic()
        held = None if read.held_from == b"-" else parse_id(read.held_from)
        blocked = Blocked(
            parse_id(read.after),
            read.limit,
            held,
            lambda reply: self.send(self._pod.run, self._answered, connection, reply, asked),
        )
        block = None if read.block_ms is None else read.block_ms / 1000
        self._pod.world.after(
            self.delay, self._pod.redis.execute, lambda: self._pod.redis.read(connection, blocked, block), connection
        )
        self._pod.later(READ_TIMEOUT_SECONDS, self._time_out, connection, asked)

    def _time_out(self, connection: object, asked: float) -> None:
        if self._connection is connection and self.answered_at < asked:
            self._lose_journal(connection)

    def _answered(self, connection: object, reply: Reply, asked: float) -> None:
        if self._connection is not connection:
            return
        self.answered_at = self._pod.clock.monotonic()
        was_caught_up = self.cursor.caught_up
        held = self.cursor.holds(reply.held)
        taken = self.cursor.took(reply.entries, held, reply.time, asked, self.answered_at)
        if taken.displaced:
            self.cursor.relocated(self._pod.redis.newest())
        self._pod.taken(taken)
        if self.cursor.caught_up and not was_caught_up:
            redis = self._pod.redis
            now = self._pod.clock.monotonic()
            met = not redis.former_history or redis.history in redis.met
            marks = list(redis.marks)
            self.cursor.begins_at(redis.first(), redis.newest(), now, intact=redis.intact, marks=marks, met=met)
            if not met:
                self._pod.mark(self.cursor.lost_before())
        self._pod.come_back()
        self._read(connection)
