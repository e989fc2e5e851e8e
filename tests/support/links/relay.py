"""A TCP relay between two parts of the system, which loses connections and bytes when told to."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Self

from tests.support.http import HOST
from tests.support.sockets import reset_at_close

PIECE_BYTES = 65536


class Relay:
    """Listens on a port and passes each connection on to one of its targets, drawn at random.

    A target that does not answer is passed over for another. All bytes take `delay_seconds`
    each way. Use it as a context manager.
    """

    def __init__(self, targets: Sequence[int], delay_seconds: float = 0.0, *, host: str = HOST, port: int = 0) -> None:
        self.targets = list(targets)
        self.delay_seconds = delay_seconds
        self.host = host
        self.port = port
        self.passed = 0
        self._swallowing = False
        self._refusing = False
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.refuse()
        # A connection that was just taken in begins on the loop's next turn.
        await asyncio.sleep(0)
        while self._links:
            await asyncio.wait(list(self._links))

    def cut_all(self) -> None:
        """Reset every connection on both sides."""
        for writers in list(self._links.values()):
            for writer in writers:
                reset(writer)

    def swallow(self) -> None:
        """Drop all bytes from now on and keep the connections: a cable that was pulled."""
        self._swallowing = True

    def refuse(self) -> None:
        """Reset what there is and take no new connection."""
        self._refusing = True
        self.cut_all()

    def restore(self) -> None:
        """Reset what there is and pass new connections on again."""
        self._swallowing = self._refusing = False
        self.cut_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = [writer]
        try:
            far = None if self._refusing else await self._connect()
            if far is None:
                reset(writer)
                return
            far_reader, far_writer = far
            self._links[task].append(far_writer)
            self.passed += 1
            # What ends one direction ends both, as a proxy does.
            both = {
                asyncio.create_task(self._pump(reader, far_writer)),
                asyncio.create_task(self._pump(far_reader, writer)),
            }
            _, other = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for pump in other:
                pump.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        finally:
            for each in self._links.pop(task):
                each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for target in random.sample(self.targets, len(self.targets)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(HOST, target)
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                await asyncio.sleep(self.delay_seconds)
                if not self._swallowing:
                    writer.write(data)
                    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once and without a farewell."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        reset_at_close(connection)
    writer.transport.abort()
