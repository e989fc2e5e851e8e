"""The primary that all connections of a pod are to be with: who asks, and who is told to leave another."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import redis
from redis.asyncio.connection import AbstractConnection

from streams.broker import clients
from streams.broker.side import LONGEST_HISTORY_SECONDS, QUESTIONS, Opened, Side, Standing, read_standing
from streams.conf import redis_place

logger = logging.getLogger("sse.redis")

LOOK_SECONDS = 1.0
# A name server may be slow; meanwhile the name means what it meant.
LOOK_TIMEOUT_SECONDS = 5.0


class WrongSide(redis.RedisError):
    """The server of a connection is not the primary, or not the one that the pod was with.

    redis-py tries again by itself after a ConnectionError, with what was to be said to the other one.
    """


class Leaving(Protocol):
    """A connection of the pod, or one after the other."""

    def drop(self, reason: str) -> None:
        """Leave the server that it is connected to, if any, and connect anew."""


class Primary:
    """Asks each connection's server for its role, once a second that of the canary, and looks up its name.

    `on_moved(since)` is called where another Redis may have been the primary from a moment (monotonic
    seconds) on, before anything is read from the new one.
    """

    def __init__(self, url: str, *, on_moved: Callable[[float], None] = lambda _since: None) -> None:
        self.side = Side(time.monotonic())
        # All that leave together.
        self.connections: list[Leaving] = []
        # The address that the subscription is connected to, or an empty string.
        self.peer = ""
        self._address = clients.address(url)
        self._place = redis_place(url)
        self._on_moved = on_moved
        self._unknown_told = False

    async def open(self, connection: AbstractConnection) -> None:
        """Log a new connection of redis-py in, and ask its server; raises WrongSide."""
        await connection.on_connect()
        asked = time.monotonic()
        for question in QUESTIONS:
            await connection.send_command(*question)
        replies: list[Any] = []
        for _question in QUESTIONS:
            try:
                replies.append(await connection.read_response())
            except redis.ResponseError as error:
                replies.append(error)
        opened = self.opened(replies, asked, str(connection.getpeername() or ""))
        if opened.refusal:
            raise WrongSide(opened.refusal)
        if opened.wrong_since is not None:
            # What it was opened for may be based on what the other server said.
            raise WrongSide("another Redis is the primary now")

    def opened(self, replies: list[Any], asked: float, peer: str, opener: Leaving | None = None) -> Opened:
        """Take in what the server of a new connection answered to QUESTIONS."""
        standing = read_standing(replies)
        self._tell_unknown(standing)
        opened = self.side.opened(standing, asked, time.monotonic())
        clients.pass_over(peer, self._address.port, passed_over=bool(opened.refusal))
        if opened.another or opened.wrong_since is not None:
            self._drop("another Redis answers there now", opener)
        if opened.wrong_since is not None:
            seconds = time.monotonic() - opened.wrong_since
            # A replica may lack what came before this pod was there, and nobody here knows since when.
            how_long = f"the last {seconds:.1f} s" if seconds < LONGEST_HISTORY_SECONDS else "some time before"
            logger.error("%s may not have been the primary for %s; clients are told.", self._place, how_long)
            self._on_moved(opened.wrong_since)
        return opened

    def checked(self, replies: list[Any], asked: float) -> None:
        """Take in what the server of the canary's connection answered; all leave it where it is the wrong one."""
        if reason := self.side.checked(read_standing(replies), asked):
            self._drop(reason)

    async def watch_name(self) -> None:
        """Look up the name again and again, until cancelled; all leave an address that it no longer means."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.peer and self.peer != self._address.host:
                await self._look()

    async def _look(self) -> None:
        asked, peer = time.monotonic(), self.peer
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
                found = await clients.resolve(self._address.host, self._address.port)
        except (OSError, UnicodeError):
            return
        if peer == self.peer and (reason := self.side.named(peer, found, asked)):
            self._drop(reason)

    def connected(self, peer: str, asked: float) -> None:
        """Note which address the subscription is connected to, as the name meant after a moment."""
        self.peer = peer
        if peer:
            self.side.named(peer, [peer], asked)

    def _drop(self, reason: str, opener: Leaving | None = None) -> None:
        for connection in self.connections:
            if connection is not opener:
                try:
                    connection.drop(reason)
                except Exception:
                    # What has been found is told to the others, and to clients, all the same.
                    logger.exception("A connection to %s could not be left", self._place)

    def _tell_unknown(self, standing: Standing) -> None:
        if not standing.role and not self._unknown_told:
            self._unknown_told = True
            logger.warning(
                "Whether %s is a primary or a replica cannot be known: its user may run neither ROLE nor INFO.",
                self._place,
            )


def address_of(transport: asyncio.BaseTransport) -> str:
    """Return the address at the other end, or an empty string where it is a Unix socket."""
    peer = transport.get_extra_info("peername")
    family = getattr(transport.get_extra_info("socket"), "family", None)
    return str(peer[0]) if isinstance(peer, tuple) and family in (socket.AF_INET, socket.AF_INET6) else ""
