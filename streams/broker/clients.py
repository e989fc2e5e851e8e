"""The only maker of Redis clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection

from streams.broker.journal.replies import ReplyLimit
from streams.broker.redis_url import options_of, supported_url, tls_context
from streams.conf import redis_place
from streams.errors import PublishUnknown, RedisUnavailable

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 5.0
# What fails where Redis does; TimeoutError is an OSError.
REDIS_ERRORS = (redis.RedisError, OSError)
# And what uvloop raises where redis-py writes to a connection that was reset before it has noticed.
LINK_ERRORS = (*REDIS_ERRORS, RuntimeError)
# Of these, what Redis itself answers.
REFUSALS = (redis.ResponseError, redis.AuthenticationError, redis.BusyLoadingError)

# Addresses at which there was no primary when one was last looked for.
_passed_over: set[tuple[str, int]] = set()

T = TypeVar("T")
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Address(NamedTuple):
    """Where a connection goes that is not redis-py's, and how it logs in."""

    host: str
    port: int
    # The path of a Unix socket, or an empty string.
    path: str
    tls: ssl.SSLContext | None
    # User and password, or None where Redis asks for neither.
    login: tuple[str, str] | None


def blocking_client(
    url: str, *, connect_seconds: float = CONNECT_SECONDS, reply_seconds: float = REPLY_SECONDS
) -> redis.Redis:
    """Return a client for code without an event loop; it connects when it is first used."""
    return redis.Redis.from_url(
        supported_url(url), socket_connect_timeout=connect_seconds, socket_timeout=reply_seconds
    )


def async_client(
    url: str,
    *,
    connect_seconds: float = CONNECT_SECONDS,
    reply_seconds: float = REPLY_SECONDS,
    on_open: Callable[[AbstractConnection], Awaitable[None]] | None = None,
    reply_limit: ReplyLimit | None = None,
) -> redis.asyncio.Redis:
    """Return a client for the running event loop; it connects when it is first used.

    A blocking command needs a `reply_seconds` that is longer than it blocks. `on_open(connection)` is
    awaited for each new connection instead of its `on_connect()`, and raises where it is not to be used.
    With a `reply_limit`, commands raise ReplyTooLarge.
    """
    options = pool_options(url, connect_seconds=connect_seconds, reply_seconds=reply_seconds)
    options["redis_connect_func"] = on_open
    if reply_limit is not None:
        options["parser_class"] = reply_limit.parser
    return redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(**options))


def pool_options(
    url: str, *, connect_seconds: float = CONNECT_SECONDS, reply_seconds: float = REPLY_SECONDS
) -> dict[str, Any]:
    """Return what an asyncio connection pool is made of; a channel layer's `hosts` take it as it is."""
    options = options_of(url)
    ours = {Connection: TcpConnection, SSLConnection: TlsConnection}
    theirs = options.get("connection_class", Connection)
    options["connection_class"] = ours.get(theirs, theirs)
    return options | {"socket_connect_timeout": connect_seconds, "socket_timeout": reply_seconds}


def address(url: str) -> Address:
    """Read where a connection of our own goes; raises OSError where a file for TLS cannot be read."""
    options = options_of(url)
    user, password = options.get("username", ""), options.get("password", "")
    return Address(
        host=options.get("host", "localhost"),
        port=options.get("port", 6379),
        path=options.get("path", ""),
        tls=tls_context(options),
        login=(user or "default", password) if user or password else None,
    )


async def connect(target: Address, protocol: Callable[[], P]) -> P:
    """Open a connection of our own within CONNECT_SECONDS; raises OSError."""
    loop = asyncio.get_running_loop()
    if target.path:
        async with asyncio.timeout(CONNECT_SECONDS):
            return (await loop.create_unix_connection(protocol, target.path))[1]

    async def attempt(host: str) -> P:
        name = target.host if target.tls else None
        return (await loop.create_connection(protocol, host, target.port, ssl=target.tls, server_hostname=name))[1]

    return await in_turn(target.host, target.port, CONNECT_SECONDS, attempt)


async def in_turn(host: str, port: int, seconds: float, attempt: Callable[[str], Awaitable[T]]) -> T:
    """Await `attempt(ip)` for each address of a host until one succeeds, all within `seconds`.

    Those that were passed over come last. One that swallows packets takes up its share of the time and no
    more. uvloop has no `happy_eyeballs_delay`. Raises OSError, the last address's.
    """
    async with asyncio.timeout(seconds):
        found = await resolve(host, port)
        *others, last = sorted(found, key=lambda ip: (ip, port) in _passed_over)
        for other in others:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(seconds / (len(others) + 1)):
                    return await attempt(other)
        return await attempt(last)


async def resolve(host: str, port: int) -> list[str]:
    """Return all addresses that a host has now; raises OSError where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def pass_over(ip: str, port: int, *, passed_over: bool) -> None:
    """Try an address after the others of its name from now on, or in its turn again."""
    if passed_over:
        _passed_over.add((ip, port))
    else:
        _passed_over.discard((ip, port))


class TcpConnection(Connection):
    """redis-py's connection, but it tries every address of a host."""

    _ip = ""

    def _connection_arguments(self) -> dict[str, Any]:
        arguments = {**super()._connection_arguments(), "host": self._ip}
        if "ssl" in arguments:
            # A certificate is for the name, not for one of its addresses.
            arguments["server_hostname"] = self.host
        return arguments

    async def _connect(self) -> None:
        async def attempt(ip: str) -> None:
            self._ip = ip
            await super(TcpConnection, self)._connect()  # type: ignore[no-untyped-call]

        await in_turn(self.host, self.port, self.socket_connect_timeout or CONNECT_SECONDS, attempt)


class TlsConnection(TcpConnection, SSLConnection):
    """The same over TLS."""


@contextlib.contextmanager
def link_errors(url: str) -> Iterator[None]:
    """Turn what a failing link raises into RedisUnavailable, which names Redis without its password."""
    try:
        yield
    except LINK_ERRORS as error:
        raise RedisUnavailable(
            f"{redis_place(url)} did not take the event ({error}). Is it running? REDIS_URL names it."
        ) from error


@contextlib.contextmanager
def answer_errors(url: str, event_id: str, timestamp: object) -> Iterator[None]:
    """Tell a command that Redis refused from one that it gave no answer to, and may have taken.

    Raises RedisUnavailable or PublishUnknown. What is done within has a connection already.
    """
    with link_errors(url):
        try:
            yield
        except REFUSALS:
            raise
        except LINK_ERRORS as error:
            raise PublishUnknown(
                f"{redis_place(url)} gave no answer ({error}), so it is not known whether it took the event. "
                f"Publish it again with the same id, {event_id}, and the same timestamp, {timestamp}: "
                "clients that have it are not given it again.",
                event_id,
                timestamp,
            ) from error
