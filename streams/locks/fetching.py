"""Reads an issuer's keys over HTTP, within bounds; blocking, for a thread of its own."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urlsplit

MAX_BYTES = 1024 * 1024
# For all of it: a server that sends a byte now and then is cut off.
FETCH_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
HEADERS = {"Accept": "application/jwk-set+json, application/json", "User-Agent": "sse-pod"}


class FetchError(Exception):
    """The keys could not be read; the sentence says why, and holds nothing of the answer."""


class _Sockets:
    """The connections of one fetch, all cut when its time is over."""

    def __init__(self) -> None:
        self.over = False
        self._made: list[http.client.HTTPConnection] = []

    def connection(self, kind: type[http.client.HTTPConnection], host: str, **options: Any) -> Any:
        made = kind(host, **options)
        connect = made.connect

        def connect_and_look() -> None:
            connect()
            refuse_link_local(made.sock)

        made.connect = connect_and_look  # type: ignore[method-assign]
        self._made.append(made)
        return made

    def close(self) -> None:
        for each in self._made:
            each.close()

    def cut(self) -> None:
        self.over = True
        for each in self._made:
            if each.sock is not None:
                with contextlib.suppress(OSError):
                    each.sock.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, request: urllib.request.Request) -> Any:
        def make(host: str, **options: Any) -> Any:
            return self._sockets.connection(http.client.HTTPConnection, host, **options)

        return self.do_open(make, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, request: urllib.request.Request) -> Any:
        def make(host: str, **options: Any) -> Any:
            return self._sockets.connection(http.client.HTTPSConnection, host, **options)

        return self.do_open(make, request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows an issuer within its own origin alone."""

    max_redirections = 3

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            fp.close()
            raise FetchError("it sends on to another scheme or host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, *, seconds: float = FETCH_SECONDS, max_bytes: int = MAX_BYTES) -> str:
    """Return what a URL has, as text; raises FetchError."""
    sockets = _Sockets()
    timer = threading.Timer(seconds, sockets.cut)
    timer.daemon = True
    timer.start()
    opener = urllib.request.build_opener(_Http(sockets), _Https(sockets), _Redirects())
    request = urllib.request.Request(url, headers=HEADERS)  # noqa: S310 - the settings take http and https alone
    try:
        with _told_errors(sockets, seconds), opener.open(request, timeout=seconds) as answer:
            return _read(answer, sockets, max_bytes)
    finally:
        timer.cancel()
        sockets.close()


def _read(answer: Any, sockets: _Sockets, max_bytes: int) -> str:
    body = b""
    while chunk := answer.read1(CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise FetchError(f"it answers with more than {max_bytes} bytes")
    # A connection that was cut may look like one that ended.
    if sockets.over or (answer.length or 0) > 0:
        raise FetchError("its answer ended before its end")
    return body.decode("utf-8", "replace")


@contextlib.contextmanager
def _told_errors(sockets: _Sockets, seconds: float) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"it answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, FetchError):
            raise reason from None
        if sockets.over or isinstance(reason, TimeoutError):
            raise FetchError(f"it gives no whole answer within {seconds:g} s") from None
        raise FetchError(f"it cannot be asked ({type(reason).__name__})") from None


def refuse_link_local(connected: socket.socket) -> None:
    """Raise FetchError where a name led to the machine's own network, as to a cloud's metadata."""
    address = ipaddress.ip_address(str(connected.getpeername()[0]).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local:
        connected.close()
        raise FetchError("its name leads to a link-local address")
