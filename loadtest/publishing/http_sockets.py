"""Connections to a pod for one purpose: to publish over HTTP, one request on each at a time, and count the answers."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from itertools import islice

from loadtest.errors import LoadTestError
from loadtest.plan import Plan, Target

# As many as a pod serves at one moment, and some that wait: PUBLISH_CONCURRENCY.
CONNECTIONS = 48
TIMEOUT_SECONDS = 5.0
ACCEPTED = b" 202 "


class HttpSockets:
    """Publishes by POST, so many events in a request as the plan says.

    Raises LoadTestError, from every method, where the pod cannot be reached or refuses.
    """

    def __init__(self, plan: Plan) -> None:
        self._batch = plan.http
        self._head = (
            f"POST {plan.path}/api/v1/events{'/batch' if plan.http > 1 else ''} HTTP/1.1\r\n"
            f"Host: {plan.address[0]}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._queue: deque[bytes] = deque()
        self._selector = selectors.DefaultSelector()
        target = Target.resolve(plan)
        try:
            self._free = [connect(target) for _ in range(CONNECTIONS)]
        except OSError as error:
            raise LoadTestError(f"The pod cannot be reached to publish: {error}.") from None
        self.unacknowledged = self.acknowledged = 0
        # Who hears of it is for the pods' subscribers to say.
        self.unheard = 0

    def send(self, messages: list[bytes]) -> None:
        """Publish events, and read the answers that are there already."""
        self._queue.extend(messages)
        self.unacknowledged += len(messages)
        self.receive(wait=False)

    def receive(self, *, wait: bool) -> None:
        """Read answers, and send on; with `wait`, until there is one."""
        before = self.unacknowledged
        while True:
            while self._queue and self._free:
                self._ask(self._free.pop())
            ready = self._selector.select(TIMEOUT_SECONDS if wait else 0)
            for key, _events in ready:
                self._take(key.fileobj, *key.data)  # type: ignore[arg-type]
            if not ready and wait:
                raise LoadTestError(f"The pod gave no answer within {TIMEOUT_SECONDS:g} s.")
            if not ready or self.unacknowledged < before:
                return

    def close(self) -> None:
        """Close all connections."""
        for connection in self._free:
            connection.close()
        self._selector.close()

    def _ask(self, connection: socket.socket) -> None:
        messages = list(islice(self._queue, self._batch))
        for _ in messages:
            self._queue.popleft()
        body = b'{"events":[%b]}' % b",".join(messages) if self._batch > 1 else messages[0]
        try:
            connection.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except OSError as error:
            raise LoadTestError(f"The pod took no more: {error}.") from None
        self._selector.register(connection, selectors.EVENT_READ, (len(messages), bytearray()))

    def _take(self, connection: socket.socket, count: int, held: bytearray) -> None:
        try:
            data = connection.recv(1 << 16)
        except OSError as error:
            raise LoadTestError(f"The pod stopped to answer: {error}.") from None
        if not data:
            raise LoadTestError("The pod closed a connection on which it was asked to publish.")
        held += data
        head, end, body = held.partition(b"\r\n\r\n")
        if end and ACCEPTED not in head[:16]:
            said = bytes(head.partition(b"\r\n")[0] + b" " + body).decode(errors="replace")
            raise LoadTestError(f"The pod refused to publish: {said}")
        if not end or len(body) < length_of(head):
            return
        self._selector.unregister(connection)
        self._free.append(connection)
        self.unacknowledged -= count
        self.acknowledged += count


def length_of(head: bytes | bytearray) -> int:
    """Read how long a body is."""
    _, _, after = bytes(head).lower().partition(b"\r\ncontent-length:")
    return int(after.partition(b"\r\n")[0])


def connect(target: Target) -> socket.socket:
    """Open one connection."""
    connection = socket.create_connection(target.address[:2], TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
