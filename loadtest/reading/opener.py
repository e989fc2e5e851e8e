"""The opening of streams: so many at a time, each within its time."""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from loadtest.plan import Plan, Target
from loadtest.reading.stream import Stream, requests
from loadtest.reading.tally import Tally

SWEEP_SECONDS = 0.25
# Linux: choose the port when the other end is known too, which allows as many
# connections from an address as there are ports for each target.
IP_BIND_ADDRESS_NO_PORT = 24


class Opener:
    """The clients that wait for their turn, and the streams that wait for their first frame.

    Moments are monotonic seconds.
    """

    def __init__(self, plan: Plan, clients: range, tallies: list[Tally]) -> None:
        self.is_opening = False
        self._target = Target.resolve(plan)
        self._requests = requests(plan, clients)
        self._first = clients.start
        self._tallies = tallies
        self._timeout_seconds = plan.timeout_seconds
        self._concurrency = plan.concurrency
        self._waiting: deque[int] = deque()
        # Ordered by their start, and so by their deadline.
        self._pending: dict[int, Stream] = {}
        self._next_sweep = 0.0

    def begin(self, clients: Iterable[int], concurrency: int) -> None:
        """Let clients wait for their turn, of which so many at a time have one."""
        self._concurrency = concurrency
        self._waiting.extend(clients)
        self.is_opening = True

    def started(self) -> Iterator[tuple[Stream, int]]:
        """Begin the connections whose turn it is; give each with what connect(2) said of it."""
        deadline = time.monotonic() + self._timeout_seconds
        while self._waiting and len(self._pending) < self._concurrency:
            stream, code = self._connect(self._waiting.popleft(), deadline)
            self._pending[stream.descriptor] = stream
            yield stream, code

    def overdue(self) -> list[Stream]:
        """Return the streams whose time is over; call it often, it looks now and then."""
        now = time.monotonic()
        # Seldom: the first entry of a dict that lost thousands before it is slow to find.
        if now <= self._next_sweep:
            return []
        self._next_sweep = now + SWEEP_SECONDS
        return list(takewhile(lambda stream: stream.deadline <= now, self._pending.values()))

    def request(self, stream: Stream) -> bytes:
        """Return what opens a stream, once it has a connection."""
        return self._requests[stream.index - self._first]

    def end(self, stream: Stream) -> None:
        """Let the next one have its turn: this stream is open, or has failed."""
        self._pending.pop(stream.descriptor, None)

    def ends(self) -> bool:
        """Say whether all of them are open or have failed by now; once, and then begin() comes first."""
        if self._waiting or self._pending:
            return False
        self.is_opening = False
        return True

    def clear(self) -> None:
        """Forget who waits."""
        self._waiting.clear()
        self._pending.clear()

    def _connect(self, index: int, deadline: float) -> tuple[Stream, int]:
        source = self._target.source_address(index)
        connection = socket.socket(self._target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        stream = Stream(index, self._tallies[index - self._first], connection, deadline)
        try:
            if source:
                connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                connection.bind((source, 0))
            return stream, connection.connect_ex(self._target.address)
        except OSError as error:
            return stream, error.errno or errno.EINVAL
