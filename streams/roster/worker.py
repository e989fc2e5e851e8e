"""One pod's part in the roster: sends its claims and its recorder's entries to Redis, and says that it lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
import redis.asyncio

from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.primary import Primary, WrongSide
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.history.messages import History
from streams.logs import Sparingly
from streams.roster.claims import Claims
from streams.roster.keys import prefix
from streams.roster.lives import (
    BEAT,
    BEAT_SECONDS,
    NOTHING_KNOWN,
    STALE_SECONDS,
    Cluster,
    Heard,
    Life,
    read_cluster,
    read_lives,
)
from streams.roster.membership import Membership
from streams.roster.messages import Told
from streams.roster.reading.foreign import report_foreign
from streams.roster.script import SCRIPT, read_answer
from streams.roster.tracing.questions import Answered
from streams.roster.tracing.store import WRITE
from streams.roster.tracing.tracer import MAX_BATCH, Tracer
from streams.tasks import Backoff

logger = logging.getLogger("sse.redis")

# The first claim after a pause goes out at once, so that the order is that of the connects;
# what follows it within this time goes into one message.
FLUSH_SECONDS = 0.02
# Nobody waits for the recorder's entries unless they are asked for: they are written less often.
WRITE_SECONDS = 0.2
LOOK_SECONDS = 1.0
REPLY_SECONDS = 5.0
RETRY_SECONDS = (0.2, 1.0)
# For what is left to be said when the pod stops.
FINISH_SECONDS = 0.5


class Roster:
    """Claims this pod's connections in Redis for as long as it lives.

    Without Redis the pod serves on alone; `life_of_now` returns what it says of itself.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        registry: Registry,
        history: History,
        life: str,
        *,
        trace_kept: int,
        primary: Primary,
        life_of_now: Callable[[], Life],
    ) -> None:
        self.claims = Claims(registry, life)
        self.claims.on_due = self._wake
        self.claims.pod_of = self._pod_of
        self.members = Membership(life, registry.pod_name, self._told)
        self.members.on_hearing = lambda: self.claims.anew(time.monotonic())
        self.tracer = Tracer(registry, history, life, channel, trace_kept, self.members.tell)
        self.tracer.recorder.on_due = self._wake
        # All pods, as of the last beat.
        self.lives: list[Heard] = []
        # The moment of that beat, in monotonic seconds.
        self.lives_at = -inf
        self._cluster = NOTHING_KNOWN
        self.errors = 0
        # Called with all that pods tell, this one among them; whoever wires the pod sets it.
        self.on_told: Callable[[Told], None] = _ignore
        self.channel = channel
        self._url, self._prefix, self.pod_name = url, prefix(channel), registry.pod_name
        self._primary = primary
        self._life_of_now = life_of_now
        self._history: str | None = None
        self._beat_at = self._look_at = self._write_at = 0.0
        self._due = asyncio.Event()
        # Set while there is nothing left to be said, or nobody to say it to.
        self._done = asyncio.Event()
        self._leaving = self._finishing = False
        self._backoff = Backoff(*RETRY_SECONDS)
        self._said, self._foreign_said = Sparingly(), Sparingly()

    @property
    def cluster(self) -> Cluster:
        """What this pod knows of the whole cluster: nothing while Redis does not answer it."""
        return self._cluster if time.monotonic() - self.lives_at < STALE_SECONDS else NOTHING_KNOWN

    def opened(self, connection: Connection) -> None:
        """Claim the name of a connection that has just opened."""
        self.claims.opened(connection)
        self.tracer.recorder.opened(connection)

    def closed(self, connection: Connection) -> None:
        """Release the name of a connection that has ended."""
        self.claims.closed(connection)
        self.tracer.recorder.closed(connection)

    def close_everywhere(self, names: list[str]) -> None:
        """End the streams of clients, whichever pods have them; a pod that cannot be told now goes on."""
        self.tracer.close_everywhere(names)

    def client(self) -> redis.asyncio.Redis:
        """Return a client of the primary for the running loop, to be closed after use."""
        return async_client(self._url, reply_seconds=REPLY_SECONDS, on_open=self._primary.open)

    async def ask(self, client_name: str, lives: set[str]) -> dict[str, Answered]:
        """Return what pods know of a client, by their lives; see Tracer."""
        return await self.tracer.ask(client_name, lives)

    def trace(self, name: str, seconds: float) -> None:
        """Let all pods note a client's events; call start_trace(), which notes it in Redis before."""
        self.tracer.trace(name, seconds)

    def drop(self, _reason: str) -> None:
        """Connect anew before more is said."""
        self._leaving = True
        self._wake()

    async def finish(self) -> None:
        """Wait until what is to be said is in Redis, but not for long."""
        self._finishing = True
        self._due.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._done.wait()

    def _pod_of(self, life: str) -> str:
        return next((heard.says.pod_name for heard in self.lives if heard.life == life), life)

    def _wake(self) -> None:
        self._due.set()
        self._done.clear()

    def _told(self, told: Told) -> None:
        self.claims.told(told)
        self.tracer.told(told)
        self.on_told(told)
        if told.asks:
            # Whoever asks reads what is noted, too.
            self._write_at = 0.0
            self._wake()
        self._tell()

    def _tell(self) -> None:
        if messages := self.claims.messages(self.pod_name):
            self.members.tell(messages)

    async def run(self) -> None:
        """Say what is to be said, until cancelled; again, and for ever, while Redis is away."""
        # An Event belongs to the loop that waits on it.
        self._due, self._done = asyncio.Event(), asyncio.Event()
        while True:
            client = self.client()
            try:
                await self._take_part(client)
            except LINK_ERRORS as error:
                self._done.set()
                self._report(error)
                await self._backoff.pause()
            finally:
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def _take_part(self, client: redis.asyncio.Redis) -> None:
        claim, beat, write = (client.register_script(script) for script in (SCRIPT, BEAT, WRITE))
        self._leaving, self._beat_at = False, 0.0
        while not self._leaving:
            self._due.clear()
            now = time.monotonic()
            if now >= self._beat_at:
                await self._beat(client, beat)
            if now >= self._look_at:
                self._look_at = now + LOOK_SECONDS
                self.claims.look(now)
                self.tracer.recorder.look()
            sent = False
            # Claims first: who waits for them is a client.
            while await self._say(claim) or await self._write(write):
                sent = True
            if not (waits := self.tracer.recorder.waiting):
                self._done.set()
            self._tell()
            self._backoff.reset()
            if sent:
                await asyncio.sleep(FLUSH_SECONDS)
            due_at = min(self._beat_at, self._look_at, self._write_at if waits else inf)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due_at - time.monotonic())):
                    await self._due.wait()

    async def _beat(self, client: redis.asyncio.Redis, script: Any) -> None:
        about, asked = msgspec.json.encode(self._life_of_now()), time.monotonic()
        now_ms, known, lives, sums = await script(args=[self._prefix, self.claims.life, about])
        self.claims.clocked(now_ms / 1000, asked, time.monotonic())
        self.lives, self.lives_at = read_lives(now_ms, lives), asked
        self._cluster = read_cluster(now_ms, self.lives, sums)
        await self.tracer.learn(client, sum(heard.alive for heard in self.lives))
        history = self._primary.side.history
        if not known or history != self._history:
            # Redis has forgotten this pod, or is another one.
            self._history = history
            self.claims.anew(time.monotonic())
        self._beat_at = time.monotonic() + BEAT_SECONDS

    async def _say(self, script: Any) -> bool:
        batch = self.claims.take()
        if not batch:
            return False
        asked = time.monotonic()
        head = [self._prefix, self._history, self.claims.life, self.pod_name, self.claims.sent_ms(asked)]
        try:
            reply = await script(args=[*head, self.claims.lines(batch, asked)])
        except BaseException:
            self.claims.failed(batch)
            raise
        answer = read_answer(reply)
        self.claims.answered(batch, answer.outcomes, answer.redis_time, asked, time.monotonic())
        report_foreign({key.decode(errors="replace") for key in answer.foreign}, self._foreign_said)
        return True

    async def _write(self, script: Any) -> bool:
        many = self.tracer.recorder.waiting >= MAX_BATCH
        if not many and not self._finishing and time.monotonic() < self._write_at:
            return False
        self._write_at = time.monotonic() + WRITE_SECONDS
        return await self.tracer.write(script)

    def _report(self, error: Exception) -> None:
        self.errors += 1
        # Of a server that is no primary the subscriber tells.
        if not isinstance(error, WrongSide) and (times := self._said.due()):
            logger.warning("The roster cannot be kept up: %s (tries: %d). The pod serves on alone.", error, times)


def _ignore(_told: Told) -> None:
    pass
