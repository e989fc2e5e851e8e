"""A TCP proxy between one pod and Redis, which can lose the link or just what one kind of connection says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import StrEnum
from typing import Any, Self, cast

import hiredis

from tests.support.http import HOST

RESET = b"\1\0\0\0\0\0\0\0"


class Kind(StrEnum):
    """What a connection is for."""

    JOURNAL = "journal"
    SUBSCRIPTION = "subscription"
    # None of the others, or not yet known.
    COMMANDS = "commands"


KIND_OF_COMMAND = {
    b"XREAD": Kind.JOURNAL,
    b"XREADGROUP": Kind.JOURNAL,
    b"SUBSCRIBE": Kind.SUBSCRIPTION,
    b"PSUBSCRIBE": Kind.SUBSCRIPTION,
    b"SSUBSCRIBE": Kind.SUBSCRIPTION,
}


class Recognizer:
    """Tells what a connection is for by the first command in it that only one kind sends."""

    def __init__(self) -> None:
        self.kind = Kind.COMMANDS
        # A command has the shape of a reply: an array of strings.
        self._reader: hiredis.Reader | None = hiredis.Reader()

    def feed(self, data: bytes) -> Kind:
        """Take what the client sent next, in any pieces; return what is known by now."""
        if self._reader is None:
            return self.kind
        try:
            self._reader.feed(data)
            while self.kind is Kind.COMMANDS and (command := self._reader.gets()) is not False:
                if isinstance(command, list) and command:
                    self.kind = KIND_OF_COMMAND.get(command[0].upper(), Kind.COMMANDS)
        except hiredis.ProtocolError:
            self._reader = None
        if self.kind is not Kind.COMMANDS:
            self._reader = None
        return self.kind


class End(asyncio.Protocol):
    """One end of a passage: what it reads goes to the other end, unless the link swallows it."""

    def __init__(self, passage: Passage, *, pod: bool) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: End | None = None
        self._passage = passage
        self._pod = pod

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._pod:
            self._passage.open(self)

    def data_received(self, data: bytes) -> None:
        if self._pod:
            self._passage.recognizer.feed(data)
        if not self._passage.swallowed and self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._passage.end(error)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class Passage:
    """One connection of the pod and the one to Redis that belongs to it."""

    def __init__(self, link: PodLink) -> None:
        self.recognizer = Recognizer()
        self.near = End(self, pod=True)
        self._link = link
        self._far: End | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def swallowed(self) -> bool:
        return self._link.swallows(self.recognizer.kind)

    def open(self, near: End) -> None:
        """Take the pod's connection, and connect to Redis before reading from it."""
        self._link.passages.add(self)
        assert near.transport is not None
        near.transport.pause_reading()
        self._connecting = asyncio.create_task(self._connect(near), name="chaos-proxy-connect")

    async def _connect(self, near: End) -> None:
        assert near.transport is not None
        try:
            if self._link.refusing:
                raise ConnectionRefusedError
            far = End(self, pod=False)
            await asyncio.get_running_loop().create_connection(lambda: far, HOST, self._link.target)
        except OSError:
            self.reset()
            return
        near.other, far.other, self._far = far, near, far
        if near.transport.is_closing():
            self.end(None)
        else:
            near.transport.resume_reading()

    def end(self, error: Exception | None) -> None:
        """Let the end of one side be the end of the other, after what is on its way."""
        self._link.passages.discard(self)
        if error is not None:
            self.reset()
        for end in (self.near, self._far):
            if end is not None and end.transport is not None:
                end.transport.close()

    def reset(self) -> None:
        """End both sides at once and without a farewell."""
        self._link.passages.discard(self)
        for end in (self.near, self._far):
            if end is not None and end.transport is not None:
                _reset(end.transport)


class PodLink:
    """One pod's way to Redis: listens on a port of its own; use it as a context manager."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.refusing = False
        self.passages: set[Passage] = set()
        self._swallowing: set[Kind] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Passage(self).near, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset(*Kind)
        # What was just taken in or reset ends on the loop's next turns.
        while self.passages:
            self.reset(*Kind)
            await asyncio.sleep(0.01)

    def swallows(self, kind: Kind) -> bool:
        return kind in self._swallowing

    def count(self, kind: Kind) -> int:
        """Return how many connections of one kind are open."""
        return sum(passage.recognizer.kind is kind for passage in self.passages)

    def reset(self, *kinds: Kind) -> None:
        """Reset every connection of these kinds, on both sides."""
        for passage in list(self.passages):
            if passage.recognizer.kind in kinds:
                passage.reset()

    def swallow(self, *kinds: Kind) -> None:
        """Drop all that these kinds say, on new connections too, and keep them: half-open, as behind a dead NAT."""
        self._swallowing.update(kinds)

    def refuse(self) -> None:
        """Reset what there is and every connection that comes."""
        self.refusing = True
        self.reset(*Kind)

    def restore(self) -> None:
        """Pass everything on again; connections that lost bytes are reset."""
        self.refusing = False
        swallowing, self._swallowing = self._swallowing, set()
        self.reset(*swallowing)


def _reset(transport: asyncio.Transport) -> None:
    connection: Any = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()
