"""One pod's part in traces: what it tells others of a client, and what others tell it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio

from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.history.messages import History
from streams.logs import Sparingly
from streams.roster.messages import Told, Traced
from streams.roster.tracing.clock import RedisClock
from streams.roster.tracing.questions import MAX_ASKS, Answered, Ask, Questions, Witness
from streams.roster.tracing.recorder import Recorder
from streams.roster.tracing.store import KEPT_SECONDS, batch, read_traced

logger = logging.getLogger("sse.redis")

# In one script, which other commands wait for.
MAX_BATCH = 500
# In one message between pods.
MAX_NAMES = 500


class Tracer:
    """Closes, answers and asks for one pod; `tell` sends messages to lives, or to all where that is empty."""

    def __init__(
        self,
        registry: Registry,
        history: History,
        life: str,
        channel: str,
        kept: int,
        tell: Callable[[list[tuple[str, Told]]], None],
    ) -> None:
        self.recorder = Recorder(registry.pod_name, life, kept)
        self.clock = RedisClock()
        self.refused = self.errors = 0
        self._registry, self._life, self._channel, self._kept, self._tell = registry, life, channel, kept, tell
        self._witness = Witness(registry, history, life)
        self._questions = Questions(self._ask)
        self._said = Sparingly()

    def _ask(self, ask: Ask) -> None:
        self.tell_all(asks=[ask])

    def tell_all(self, **said: Any) -> None:
        """Tell all pods, this one among them, what fields of Told hold."""
        self._tell([("", Told(self._life, self._registry.pod_name, **said))])

    async def ask(self, client_name: str, lives: set[str]) -> dict[str, Answered]:
        """Return what pods know of a client, by their lives; `lives` are those that are there."""
        return await self._questions.ask(client_name, lives)

    def told(self, told: Told) -> None:
        """Take in what a pod tells, be it this one."""
        if told.life != self._life:
            self._close(told.close)
        for name, seconds in told.traces:
            self.recorder.trace_too(name, seconds)
        if self.clock.ahead and (asks := told.asks[:MAX_ASKS]):
            answers = [self._witness.answer(ask, self.clock.ahead) for ask in asks]
            self._tell([(told.life, Told(self._life, self._registry.pod_name, answers=answers))])
        self._questions.answered(told.life, told.pod_name, told.answers)

    def close_everywhere(self, names: list[str]) -> None:
        """End the streams of clients, whichever pods have them."""
        self._close(names)
        for place in range(0, len(names), MAX_NAMES):
            self.tell_all(close=names[place : place + MAX_NAMES])

    def _close(self, names: list[str]) -> None:
        for name in names:
            if (connection := self._registry.get(name)) is not None:
                self._registry.close(connection, CloseReason.OPERATOR)

    def trace(self, name: str, seconds: float) -> None:
        """Let all pods note a client's events; that it is to be so is in Redis already."""
        self.recorder.trace_too(name, seconds)
        self.tell_all(traces=[Traced(name, seconds)])

    async def learn(self, client: redis.asyncio.Redis, pods: int) -> None:
        """Read Redis' clock and who is traced; call it every few seconds. `pods` is how many pods there are."""
        asked = time.monotonic()
        seconds, microseconds = await client.time()
        now = seconds + microseconds / 1_000_000
        self.clock.note(now, asked, time.monotonic())
        self.recorder.share_with(pods)
        self.recorder.trace(await read_traced(client, self._channel, now))

    async def write(self, script: Any) -> bool:
        """Write some entries to Redis; say whether there were any. `script` is store.WRITE."""
        taken = self.recorder.take(MAX_BATCH, self.clock.ahead)
        if not taken:
            return False
        try:
            await script(args=[KEPT_SECONDS, batch(self._channel, taken, self._kept)])
        except BaseException as error:
            if not isinstance(error, redis.ResponseError) or isinstance(error, redis.ReadOnlyError):
                self.recorder.failed(taken)
                raise
            # Claims go on, whatever Redis has against these.
            self.refused += len(taken)
            self.errors += 1
            if times := self._said.due():
                logger.warning("The recorder's entries are lost: Redis refuses them (%s; batches: %d)", error, times)
        return True
