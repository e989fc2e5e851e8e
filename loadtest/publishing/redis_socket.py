"""A blocking socket to Redis for one purpose: to publish in large batches and count the answers.

redis-py takes 20 times as long for an answer, and the publisher must not be the limit.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

import hiredis
from redis.connection import SSLConnection, UnixDomainSocketConnection, parse_url

from loadtest.errors import LoadTestError

TIMEOUT_SECONDS = 5.0


class RedisSocket:
    """A connection to Redis, authenticated as the URL says.

    Raises LoadTestError, from every method, when Redis cannot be reached or refuses.
    """

    def __init__(self, url: str) -> None:
        try:
            options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise LoadTestError(f"The Redis URL cannot be used: {error}.") from None
        self._address = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        self._held = b""
        self._open_answers = 0
        self.acknowledged = 0
        self.unheard = 0
        try:
            self._socket = _connect(options)
            self._authenticate(options)
        except OSError as error:
            raise LoadTestError(f"Redis at {self._address} cannot be reached: {error}.") from None

    @property
    def unacknowledged(self) -> int:
        """Give the number of commands that Redis has not answered."""
        return self._open_answers

    def send(self, commands: list[bytes]) -> None:
        """Send PUBLISH commands, and read the answers that are there already."""
        self._open_answers += len(commands)
        try:
            self._socket.sendall(b"".join(commands))
        except OSError as error:
            raise LoadTestError(f"Redis at {self._address} took no more: {error}.") from None
        self.receive(wait=False)

    def receive(self, *, wait: bool) -> None:
        """Read answers; with `wait`, at least one, if any is open."""
        flags = 0 if wait else socket.MSG_DONTWAIT
        while self._open_answers:
            try:
                data = self._recv(flags)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise LoadTestError(f"Redis at {self._address} stopped to answer: {error}.") from None
            if not data:
                raise LoadTestError(f"Redis at {self._address} closed the connection.")
            self._count_answers(data)
            if wait or isinstance(self._socket, ssl.SSLSocket):
                return

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _recv(self, flags: int) -> bytes:
        if not isinstance(self._socket, ssl.SSLSocket):
            return self._socket.recv(1 << 16, flags)
        # TLS knows no flags; no waiting is a timeout of none.
        self._socket.settimeout(0 if flags else TIMEOUT_SECONDS)
        try:
            return self._socket.recv(1 << 16)
        finally:
            self._socket.settimeout(TIMEOUT_SECONDS)

    def _count_answers(self, data: bytes) -> None:
        """Count the answers to PUBLISH, `:<pods>` each, without making an object of every one."""
        data = self._held + data
        whole = data.rfind(b"\n") + 1
        data, self._held = data[:whole], data[whole:]
        if b"-" in data:
            sentence = data[data.index(b"-") + 1 :].partition(b"\r")[0].decode("utf-8", "replace")
            raise LoadTestError(f"Redis at {self._address} refused to publish: {sentence}.")
        count = data.count(b"\n")
        self._open_answers -= count
        self.acknowledged += count
        self.unheard += data.count(b":0\r")

    def _authenticate(self, options: dict[str, Any]) -> None:
        if options.get("password") is None:
            return
        names = [options[key] for key in ("username", "password") if options.get(key) is not None]
        self._socket.sendall(hiredis.pack_command(("AUTH", *names)))
        answer = self._socket.recv(1 << 16)
        if not answer.startswith(b"+"):
            self._socket.close()
            sentence = answer.lstrip(b"-").partition(b"\r")[0].decode("utf-8", "replace")
            raise LoadTestError(f"Redis at {self._address} refused the password: {sentence}.")


def _connect(options: dict[str, Any]) -> socket.socket:
    kind = options.get("connection_class")
    if kind is UnixDomainSocketConnection:
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(TIMEOUT_SECONDS)
        unix.connect(options["path"])
        return unix
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    plain = socket.create_connection((host, port), TIMEOUT_SECONDS)
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if kind is SSLConnection:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    return plain
