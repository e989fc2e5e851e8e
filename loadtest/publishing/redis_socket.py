"""A blocking socket to Redis for one purpose: to publish in large batches and count the answers.

redis-py takes 20 times as long for an answer, and the publisher must not be the limit.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

import hiredis

from loadtest.errors import LoadTestError
from streams.broker.clients import Address, address
from streams.errors import ConfigurationError

TIMEOUT_SECONDS = 5.0


class RedisSocket:
    """A connection to Redis, authenticated as the URL says.

    Raises LoadTestError, from every method, when Redis cannot be reached or refuses.
    """

    def __init__(self, url: str) -> None:
        try:
            target = address(url)
        except ConfigurationError as error:
            raise LoadTestError(f"The Redis URL cannot be used: {error}") from None
        self._address = target.path or f"{target.host}:{target.port}"
        self._held = b""
        self._open_answers = 0
        self.acknowledged = 0
        self.unheard = 0
        try:
            self._socket = _connect(target)
            if target.login is not None:
                self._authenticate(target.login)
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

    def _authenticate(self, login: tuple[str, str]) -> None:
        self._socket.sendall(hiredis.pack_command(("AUTH", *login)))
        answer = self._socket.recv(1 << 16)
        if not answer.startswith(b"+"):
            self._socket.close()
            sentence = answer.lstrip(b"-").partition(b"\r")[0].decode("utf-8", "replace")
            raise LoadTestError(f"Redis at {self._address} refused the password: {sentence}.")


def _connect(target: Address) -> socket.socket:
    if target.path:
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(TIMEOUT_SECONDS)
        unix.connect(target.path)
        return unix
    plain = socket.create_connection((target.host, target.port), TIMEOUT_SECONDS)
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return target.tls.wrap_socket(plain, server_hostname=target.host) if target.tls else plain
