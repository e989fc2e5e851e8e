"""What pods say to each other on the channel itself: the proof that each is heard, questions and answers."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable

import redis
import redis.asyncio

from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.primary import Primary
from streams.broker.side import QUESTIONS
from streams.wire.pods import PodMessage, Statement, decode_pod_messages, encode_pod_messages

logger = logging.getLogger("sse.redis")

# Three tries fit into the time after which a pod counts as not hearing; and others rely on what was said last.
TRIES = 3
PAUSE_SECONDS = 1.0
GLOB_MARKS = re.compile(r"[*?\[\]\\^]")


def canary_channel(channel: str, life: str) -> str:
    """Return the channel on which one life of a pod publishes."""
    return f"{channel}:canary:{life}"


def canary_pattern(channel: str) -> str:
    """Return what stands for the canaries of all pods."""
    return canary_channel(GLOB_MARKS.sub(r"\\\g<0>", channel), "*")


class Canary:
    """Publishes on channels that no client ever sees; `on_messages` takes what comes back and what others say.

    `on_counted` is called with how many pods a message went to, and how many seconds the answer took.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        life: str,
        *,
        primary: Primary,
        canary_seconds: float,
        statement: Callable[[], Statement],
        on_messages: Callable[[list[PodMessage]], None],
        on_counted: Callable[[int, float], None],
    ) -> None:
        # One pattern for all pods, which rules for Redis users can name; each hears the others' too.
        self.pattern = canary_pattern(channel)
        self._channel = canary_channel(channel, life)
        self._url = url
        self._primary = primary
        self._leaving = False
        self._pause = min(PAUSE_SECONDS, canary_seconds / TRIES)
        self._statement = statement
        self._on_messages = on_messages
        self._on_counted = on_counted
        self._outgoing: list[PodMessage] = []
        self._due = asyncio.Event()

    def heard(self, data: bytes) -> None:
        """Take in what a pod published."""
        self._on_messages(decode_pod_messages(data))

    def say(self, messages: list[PodMessage]) -> None:
        """Publish something soon; it is gone where Redis does not take it."""
        self._outgoing += messages
        self._due.set()

    async def run(self) -> None:
        """Publish one statement after the other, and what is to be said between them, until cancelled."""
        # An Event belongs to the loop that waits on it.
        self._due = asyncio.Event()
        loop = asyncio.get_running_loop()
        client = async_client(
            self._url, connect_seconds=self._pause, reply_seconds=self._pause, on_open=self._primary.open
        )
        stated_at = -self._pause
        try:
            while True:
                messages, self._outgoing = self._outgoing, []
                self._due.clear()
                stating = loop.time() - stated_at >= self._pause
                if stating:
                    stated_at = loop.time()
                    messages.append(self._statement())
                try:
                    await self._publish(client, messages, asking=stating)
                except LINK_ERRORS as error:
                    # The subscriber says it louder; silence here is what turns readiness red.
                    logger.debug("The canary was not published: %s", error)
                await self._wait(stated_at + self._pause - loop.time())
        finally:
            await client.aclose()

    def drop(self, _reason: str) -> None:
        """Connect anew before more is said."""
        self._leaving = True

    async def _publish(self, client: redis.asyncio.Redis, messages: list[PodMessage], *, asking: bool) -> None:
        if self._leaving:
            self._leaving = False
            await client.connection_pool.disconnect()
        asked = time.monotonic()
        async with client.pipeline(transaction=False) as commands:
            commands.publish(self._channel, encode_pod_messages(messages))
            # Behind it: a server that is the primary then was it when it took the message.
            for question in QUESTIONS if asking else ():
                commands.execute_command(*question)
            count, *standing = await commands.execute(raise_on_error=False)
        if isinstance(count, redis.RedisError):
            raise count
        self._on_counted(count, time.monotonic() - asked)
        if asking:
            self._primary.checked(standing, asked)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._due.wait()
        except TimeoutError:
            pass
