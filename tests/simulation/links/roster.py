"""One simulated pod's connection to the roster; its I/O is the simulation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from streams.roster.claims import Claims, Said
from streams.roster.lives import BEAT_SECONDS
from streams.roster.messages import Told
from tests.simulation.world import Link

if TYPE_CHECKING:
    from tests.simulation.pod import SimulatedPod
    from tests.simulation.redis_model import RedisModel

FLUSH_SECONDS = 0.02
LOOK_SECONDS = 1.0
REPLY_SECONDS = 5.0
RETRY_SECONDS = (0.2, 1.0)


class RosterLink(Link):
    """Sends one pod's claims, and what it tells the others."""

    def __init__(self, pod: SimulatedPod, life: str) -> None:
        super().__init__(pod.world)
        self.claims = Claims(pod.registry, life, pod.clock)
        self.claims.on_due = self._wake
        self._pod = pod
        # Another object is another connection.
        self._connection: object = None
        self._busy = self._flushing = False
        self._batch: list[Said] = []
        self._history: str | None = None

    def connect(self) -> None:
        connection = self._connection = object()
        self.drop()
        self._busy, batch, self._batch = False, self._batch, []
        self.claims.failed(batch)
        pod = self._pod
        if pod.moves():
            return
        if pod.cuts["roster"] or not pod.redis.up:
            pod.later(pod.world.rng.uniform(*RETRY_SECONDS), self._retry, connection)
            return
        self._beat(connection)
        self._look(connection)

    def forget(self) -> None:
        self._pod.redis.forget(self._connection)

    def lose(self) -> None:
        self._pod.run(self._lose_roster, self._connection)

    def _lose_roster(self, connection: object) -> None:
        if self._connection is connection:
            self._pod.redis.forget(connection)
            self.connect()

    def _retry(self, connection: object) -> None:
        if self._connection is connection:
            self.connect()

    def _wake(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._pod.later(0.0, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._tell()
        self._say()

    def _ask(self, command: Callable[[RedisModel], object], answered: Callable[[Any], None]) -> None:
        """Send a command; without an answer in time the connection is given up."""
        pod, connection, redis = self._pod, self._connection, self._pod.redis
        state = {"answered": False}

        def answer() -> None:
            reply = command(redis)
            if redis.primary is not None:
                # A replica takes no writes.
                self.send(pod.run, self._lose_roster, connection)
            else:
                self.send(pod.run, take, reply)

        def take(reply: object) -> None:
            if self._connection is connection:
                state["answered"] = True
                answered(reply)

        def time_out() -> None:
            if not state["answered"]:
                self._lose_roster(connection)

        pod.world.after(self.delay, redis.execute, answer, connection)
        pod.later(REPLY_SECONDS, time_out)

    def _beat(self, connection: object) -> None:
        if self._connection is not connection:
            return

        asked = self._pod.clock.monotonic()

        def answered(reply: Any) -> None:
            redis_time, known, history = reply
            self.claims.clocked(redis_time, asked, self._pod.clock.monotonic())
            if not known or history != self._history:
                self._history = history
                self.claims.anew(self._pod.clock.monotonic())
            self._pod.later(BEAT_SECONDS, self._beat, connection)
            self._say()

        self._ask(lambda redis: (redis.time(), redis.roster.beat(self.claims.life), str(redis.history)), answered)

    def _look(self, connection: object) -> None:
        if self._connection is connection:
            self.claims.look(self._pod.clock.monotonic())
            self._flush()
            self._pod.later(LOOK_SECONDS, self._look, connection)

    def _say(self) -> None:
        if self._busy or self._history is None:
            return
        batch = self._batch = self.claims.take()
        if not batch:
            return
        self._busy = True
        asked = self._pod.clock.monotonic()
        lines, history, life = self.claims.lines(batch, asked), self._history, self.claims.life

        sent_ms = self.claims.sent_ms(asked)

        def answered(reply: Any) -> None:
            self._busy, self._batch = False, []
            redis_time, outcomes = reply
            self.claims.answered(batch, outcomes, redis_time, asked, self._pod.clock.monotonic())
            self._tell()
            self._pod.later(FLUSH_SECONDS, self._say)

        def say(redis: RedisModel) -> Any:
            now_ms = int(1000 * redis.time())
            return now_ms / 1000, redis.roster.say(history, life, lines, now_ms, sent_ms)

        self._ask(say, answered)

    def _tell(self) -> None:
        for life, told in self.claims.messages(self._pod.name):
            self._pod.tell(life, told)

    def told(self, told: Told) -> None:
        """Take in what another pod tells."""
        self.claims.told(told)
        self._tell()
