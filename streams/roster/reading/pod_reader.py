"""The roster's reader of a pod: one client for all who ask, which leaves a Redis together with the pod."""

from __future__ import annotations

import asyncio

import redis.asyncio

from streams.broker.clients import async_client
from streams.broker.primary import Primary
from streams.roster.reading.reader import RosterReader

# Whoever waits is a person or a script, and may ask again.
REPLY_SECONDS = 2.0


class Reading:
    """Keeps a RosterReader on the pod's primary."""

    def __init__(self, url: str, channel: str, *, primary: Primary) -> None:
        self._url, self._channel, self._primary = url, channel, primary
        self._client: redis.asyncio.Redis | None = None
        self._reader: RosterReader | None = None
        # To which the client's connections belong.
        self._loop: asyncio.AbstractEventLoop | None = None
        # A task that nobody holds may be collected.
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def reader(self) -> RosterReader:
        """Return the reader, which connects when it is first used."""
        loop = asyncio.get_running_loop()
        if self._reader is None or self._loop is not loop:
            self._loop = loop
            self._client = async_client(
                self._url, connect_seconds=REPLY_SECONDS, reply_seconds=REPLY_SECONDS, on_open=self._primary.open
            )
            self._reader = RosterReader(self._client, self._channel)
        return self._reader

    def drop(self, _reason: str) -> None:
        """Leave the server that it is connected to; who asks next connects anew."""
        client, self._client, self._reader = self._client, None, None
        if client is not None:
            task = asyncio.get_running_loop().create_task(client.aclose(), name="sse-reading-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
