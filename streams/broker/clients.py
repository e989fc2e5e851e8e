"""The only maker of Redis clients, and the one reading of REDIS_URL for every connection of a pod."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url

from streams.broker.journal.replies import ReplyLimit
from streams.conf import redis_place
from streams.errors import ConfigurationError, PublishUnknown, RedisUnavailable

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 5.0
# What redis-py raises when the link fails, and what uvloop does where redis-py writes to a
# connection that was reset before it has noticed.
LINK_ERRORS = (redis.RedisError, OSError, RuntimeError)
# Of these, what Redis itself answers.
REFUSALS = (redis.ResponseError, redis.AuthenticationError, redis.BusyLoadingError)

LOGIN_OPTIONS = ("db", "password", "username")
# What redis-py's blocking and asyncio TLS connections both know; OCSP is known to the blocking one alone.
TLS_OPTIONS = (
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_exclude_verify_flags",
    "ssl_include_verify_flags",
    "ssl_keyfile",
    "ssl_min_version",
    "ssl_password",
)
TLS_PATHS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
SCHEMES = ("redis", "rediss", "unix")
# redis-py takes any other word for true.
SWITCH_WORDS = ("true", "false", "yes", "no", "1", "0")

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
    options = _options(url)
    ours = {Connection: TcpConnection, SSLConnection: TlsConnection}
    theirs = options.get("connection_class", Connection)
    options["connection_class"] = ours.get(theirs, theirs)
    return options | {"socket_connect_timeout": connect_seconds, "socket_timeout": reply_seconds}


def address(url: str) -> Address:
    """Read where a connection of our own goes; raises OSError where a file for TLS cannot be read."""
    options = _options(url)
    user, password = options.get("username", ""), options.get("password", "")
    return Address(
        host=options.get("host", "localhost"),
        port=options.get("port", 6379),
        path=options.get("path", ""),
        tls=_tls_context(options),
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
def answer_errors(url: str, event_id: str, timestamp: str) -> Iterator[None]:
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


@functools.cache
def supported_url(url: str) -> str:
    """Return the URL where every connection of a pod can follow all that it says.

    Raises ConfigurationError for REDIS_URL, on one line and without any password in it:
    what one client would ignore or refuse is refused for all, at the start.
    """
    try:
        parts = _split(url)
        _check_place(parts)
        _check_options(parts)
        _tls_context({**parse_url(url)})
    except _Unsupported as error:
        allowed = str(error)
    except (TypeError, ValueError, OSError, redis.RedisError) as error:
        # A file or a value of TLS; these sentences name an option and never a password.
        allowed = f"one that can be used ({error})"
    else:
        return url
    scheme, marks, _rest = url.partition("://")
    raise ConfigurationError("REDIS_URL", f"{scheme}://…" if marks and scheme.isalpha() else "…", allowed)


class _Unsupported(Exception):
    """What a URL must be, as the end of a sentence."""


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # As asyncio will, before it asks for the host's addresses.
        (parts.hostname or "").encode("idna")
        usable = parts.scheme in SCHEMES and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _Unsupported("redis://, rediss:// or unix://, such as redis://user:password@host:6379/0")
    return parts


def _check_place(parts: SplitResult) -> None:
    if parts.fragment:
        raise _Unsupported("without a #, which in a password is written as %23")
    if parts.scheme == "unix":
        if parts.hostname or not parts.path:
            raise _Unsupported("unix:// and the path of a socket, such as unix:///run/redis.sock")
    elif not re.fullmatch("(/[0-9]+)?/?", parts.path):
        raise _Unsupported("with the number of a database behind the host; a / in a password is written as %2F")


def _check_options(parts: SplitResult) -> None:
    if "@" in parts.query:
        raise _Unsupported("without a ? in the password, where it is written as %3F, and without an @ behind it (%40)")
    supported = LOGIN_OPTIONS + (TLS_OPTIONS if parts.scheme == "rediss" else ())
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in TLS_OPTIONS and name not in supported:
            raise _Unsupported(f"rediss://, without which {name} has no meaning")
        if name not in supported:
            raise _Unsupported(f"without the option {_shown(name)}; supported: {', '.join(supported)}")
        if not value:
            raise _Unsupported(f"with a value for {name}")
        if name == "db" and not value.isdecimal():
            raise _Unsupported("with the number of a database for db")
        if name in TLS_PATHS and not os.access(value, os.R_OK):
            raise _Unsupported(f"with a path that can be read for {name}")
        if name == "ssl_check_hostname" and value.lower() not in SWITCH_WORDS:
            raise _Unsupported(f"with one of {', '.join(SWITCH_WORDS)} for {name}")


def _shown(name: str) -> str:
    # What is no word may be a piece of a password that was not encoded.
    return name if re.fullmatch("[a-z_]{2,40}", name) else "…"


def _options(url: str) -> dict[str, Any]:
    """Return redis-py's reading of a URL."""
    return {**parse_url(supported_url(url))}


def _tls_context(options: dict[str, Any]) -> ssl.SSLContext | None:
    """Return redis-py's own TLS settings, so that they are the same for all; None without TLS."""
    if options.get("connection_class") is not SSLConnection:
        return None
    given = {name: options[name] for name in TLS_OPTIONS if name in options}
    context: ssl.SSLContext = SSLConnection(**given).ssl_context.get()
    return context
