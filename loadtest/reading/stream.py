"""One connection of a client, and the request that opens it."""

from __future__ import annotations

import socket

from loadtest.plan import Plan
from loadtest.reading.decoder import StreamDecoder
from loadtest.reading.tally import Tally
from streams.auth.signing import signed, signing_key


class Stream:
    """One connection of one client."""

    __slots__ = (
        "deadline",
        "decoder",
        "descriptor",
        "feed",
        "index",
        "is_connected",
        "is_requested",
        "recv",
        "socket",
        "tally",
    )

    def __init__(self, index: int, tally: Tally, connection: socket.socket, deadline: float) -> None:
        self.index = index
        # The client's, and so the same for all its connections.
        self.tally = tally
        self.socket = connection
        self.descriptor = connection.fileno()
        self.recv = connection.recv
        self.decoder = StreamDecoder()
        self.feed = self.decoder.feed
        self.deadline = deadline
        self.is_requested = False
        self.is_connected = False


def requests(plan: Plan, clients: range) -> list[bytes]:
    """Write the requests that open the streams of some clients."""
    host, port = plan.address
    name = f"[{host}]" if ":" in host else host
    head = f"HTTP/1.1\r\nHost: {name}:{port}\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n"
    key = signing_key(plan.key) if plan.key else None

    def request(client: str) -> bytes:
        token = f"Authorization: Bearer {signed({**plan.claims, 'sub': client}, key)}\r\n" if key else ""
        return f"GET {plan.path}/events/{client} {head}{token}\r\n".encode()

    return [request(plan.client_name(index)) for index in clients]
