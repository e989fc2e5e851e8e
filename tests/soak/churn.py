"""Clients that come and go as fast as they can, in each of the ways in which clients do."""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from tests.support.http import HOST, PATIENCE_SECONDS, request_bytes
from tests.support.sockets import reset_at_close

# How many streams each process holds at any time; the oldest leaves when a new one comes.
HELD = 50
# Names that come again while they are still there, so that one evicts the other.
SHARED_NAMES = 25
# One in so many leaves before it has read its greeting, sends half a request, or asks for something else.
HASTY = 20


class Churn:
    """One process of clients."""

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._draw = random.Random(number)
        self._held: deque[socket.socket] = deque()

    def run(self, turns: Iterator[int]) -> Iterator[int]:
        """Connect once for each turn; yield it when it is done."""
        for turn in turns:
            if turn % HASTY:
                self._hold(turn)
            else:
                self._hurry(turn)
            yield turn
        while self._held:
            self._leave(self._held.popleft())

    def _connect(self, request: bytes) -> socket.socket:
        client = socket.create_connection(
            (HOST, self._port),
            PATIENCE_SECONDS,
            # Each process has an address of its own, and with it all the ports.
            source_address=(f"127.0.0.{10 + self._number}", 0),
        )
        client.sendall(request)
        return client

    def _hold(self, turn: int) -> None:
        name = f"SHARED-{self._number}-{turn % SHARED_NAMES}" if turn % 3 == 0 else f"SOAK-{self._number}-{turn}"
        client = self._connect(request_bytes("GET", f"/events/{name}", version="1.0" if turn % 7 == 0 else "1.1"))
        received = b""
        while b'"connected"' not in received:
            data = client.recv(4096)
            assert data, f"the pod ended a stream at once, after {received!r}"
            received += data
        self._held.append(client)
        if len(self._held) > HELD:
            self._leave(self._held.popleft())

    def _hurry(self, turn: int) -> None:
        whole = request_bytes("GET", f"/events/HASTY-{self._number}-{turn}")
        body = b'{"clientName":"SOAK"}'
        requests = [
            whole,
            whole[:20],
            whole + b"x" * 20_000,
            request_bytes("POST", "/register", body=body),
            request_bytes("POST", "/register", {"Content-Length": "500"}) + body,
            request_bytes("GET", "/health/live"),
        ]
        self._leave(self._connect(self._draw.choice(requests)))

    def _leave(self, client: socket.socket) -> None:
        if self._draw.random() < 0.5:
            # A reset, which also leaves this machine's ports to those who come next.
            reset_at_close(client)
        client.close()


def churn(number: int, port: int, count: int, done: Synchronized[int], over: Event) -> None:
    """Connect `count` times or until it is over; the body of one process."""
    turns = itertools.takewhile(lambda _: not over.is_set(), range(count))
    reported = time.monotonic()
    pending = 0
    for _ in Churn(number, port).run(turns):
        pending += 1
        if time.monotonic() - reported > 0.2:
            reported = time.monotonic()
            with done.get_lock():
                done.value += pending
            pending = 0
    with done.get_lock():
        done.value += pending
