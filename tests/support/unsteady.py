"""Ways to a pod and to Redis that fail sometimes, as front doors do while a pod behind them is replaced."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from tests.support.http import HOST, PATIENCE_SECONDS

S = TypeVar("S", bound=socketserver.TCPServer)


class Fault(StrEnum):
    """What becomes of a request."""

    # It is passed on.
    NONE = "none"
    # 503, and the pod never reads it.
    REFUSED = "refused"
    # 503, although the pod has served it.
    TAKEN = "taken"
    # The pod has served it, and the connection ends without an answer.
    CUT = "cut"
    # 429, and the pod never reads it.
    LIMITED = "limited"


class Unsteady(ThreadingHTTPServer):
    """Passes requests on to a pod but for the first ones, which it fails as `faults` says; `served` are its answers."""

    daemon_threads = True

    def __init__(self, pod_port: int, faults: Iterable[Fault]) -> None:
        super().__init__((HOST, 0), Handler)
        self.pod_port = pod_port
        self.faults = deque(faults)
        self.served: list[tuple[str, int, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Unsteady

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.faults.popleft() if self.server.faults else Fault.NONE
        if fault not in (Fault.REFUSED, Fault.LIMITED):
            status, answer = self._pass_on(body)
        if fault is Fault.CUT:
            self.close_connection = True
            return
        if fault is not Fault.NONE:
            status, answer = (429 if fault is Fault.LIMITED else 503), b'{"error":"This front door is busy."}'
        self.server.served.append((self.path, status, body))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        if fault is not Fault.NONE:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(answer)

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self.server.pod_port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            passed = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body or None, passed)
            response = connection.getresponse()
            return response.status, response.read()

    def log_message(self, *_arguments: Any) -> None:
        """Write nothing."""


@contextlib.contextmanager
def unsteady(pod_port: int, *faults: Fault) -> Iterator[Unsteady]:
    """Open a front door that fails the first requests."""
    with serving(Unsteady(pod_port, faults)) as server:
        yield server


class Forgetful(socketserver.ThreadingTCPServer):
    """Passes connections on to Redis, and cuts the first that sends `word` once Redis has answered it."""

    daemon_threads = True

    def __init__(self, redis_port: int, word: bytes) -> None:
        super().__init__((HOST, 0), Cutter)
        self.redis_port = redis_port
        self.word = word
        self.cut = False


class Cutter(socketserver.BaseRequestHandler):
    """One connection, of a client that waits for each answer."""

    server: Forgetful

    def handle(self) -> None:
        with socket.create_connection((HOST, self.server.redis_port), PATIENCE_SECONDS) as upstream:
            while asked := self.request.recv(65536):
                upstream.sendall(asked)
                answer = upstream.recv(65536)
                if self.server.word in asked and not self.server.cut:
                    self.server.cut = True
                    return
                self.request.sendall(answer)


@contextlib.contextmanager
def forgetful(redis_port: int, word: bytes) -> Iterator[Forgetful]:
    """Open a way to Redis on which the answer to one command gets lost."""
    with serving(Forgetful(redis_port, word)) as server:
        yield server


@contextlib.contextmanager
def serving(server: S) -> Iterator[S]:
    """Serve in a thread until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
