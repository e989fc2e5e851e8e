"""An issuer that serves its keys over HTTP, and all that can go wrong with it."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.streams.auth.issuer import jwk, jwks
from tests.support.http import HOST

GOOD = jwks(jwk("RS256", "one"))


class Issuer:
    """What it answers by path, how often it was asked, and where it is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        # What it answers in place of what it is asked for, and the keys that it has.
        self.instead = ""
        self.keys = GOOD
        # Set when the tests are over: who hangs lets go.
        self.over = threading.Event()

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        kind, _slash, more = (self.instead or request.path.strip("/")).partition("/")
        if kind == "to":
            target = {"here": "/good", "away": "https://127.0.0.1/x", "cloud": "http://169.254.169.254/x"}.get(more)
            _send(request, 302, b"", Location=target or f"http://localhost:{self.port}/good")
        elif kind == "hang":
            self.over.wait(20)
        elif kind == "drip":
            self._drip(request)
        elif kind == "cut":
            _send(request, 200, b'{"keys": [', **{"Content-Length": "5000"})
        elif kind == "endless":
            self._send_for_ever(request)
        elif kind == "error":
            _send(request, 500, b"secret words of the issuer")
        else:
            _send(request, 200, {"html": b"<html>", "empty": b'{"keys": []}'}.get(kind, self.keys.encode()))

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            while not self.over.wait(0.05):
                request.wfile.write(b"H")
                request.wfile.flush()

    def _send_for_ever(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                request.wfile.write(b" " * 65536)


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@contextlib.contextmanager
def running_issuer(tls: ssl.SSLContext | None = None) -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.answer(self)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_client: None  # type: ignore[method-assign]
        issuer = Issuer(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            issuer.over.set()
            server.shutdown()
            thread.join()
