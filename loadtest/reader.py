"""The reading process: opens its share of the streams, reads them all and checks every event.

One epoll loop over plain sockets rather than asyncio: a connect and an event cost it a third,
and this tool may cost an event no more than a fast pod does.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import time
from collections import Counter, deque
from multiprocessing.connection import Connection

import msgspec

from loadtest.board import CONNECTED, FAILED, READ, Board
from loadtest.decoder import StreamDecoder
from loadtest.errors import LoadTestError, ProtocolError
from loadtest.latency import Histogram
from loadtest.messages import CLOCK_END, CLOCK_START, SEQUENCE_END, marker
from loadtest.plan import Plan, raise_descriptor_limit
from loadtest.tally import Tally

READ_BYTES = 32 * 1024
WAKE_SECONDS = 0.05
CONNECTED_FRAME = b'data: {"type":"connected"'
# Linux: choose the port when the other end is known too, which allows as many
# connections from an address as there are ports for each target.
IP_BIND_ADDRESS_NO_PORT = 24
RETRY_EVENT_LIMIT = 20


class Reading(msgspec.Struct):
    """What one reader saw until the end."""

    read: int
    lost: int
    doubled: int
    out_of_order: int
    closed: int
    errors: dict[str, int]
    named_events: dict[str, int]
    latency: Histogram


class Stream:
    """One connection of one client."""

    __slots__ = ("deadline", "decoder", "descriptor", "index", "is_connected", "is_requested", "recv", "socket")

    def __init__(self, index: int, connection: socket.socket, deadline: float) -> None:
        self.index = index
        self.socket = connection
        self.descriptor = connection.fileno()
        self.recv = connection.recv
        self.decoder = StreamDecoder()
        self.deadline = deadline
        self.is_requested = False
        self.is_connected = False


def run_reader(plan: Plan, number: int, board: Board, pipe: Connection) -> None:
    """Serve the main process until it asks for the Reading, or goes away."""
    # Ctrl-C reaches every process of the terminal; the main process says what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_descriptor_limit()
    try:
        Reader(plan, number, board, pipe).run()
    except (EOFError, BrokenPipeError):
        return
    except LoadTestError as error:
        pipe.send(error)


class Reader:
    """Holds a share of the plan's clients.

    Obeys four words from the pipe: `connect`, `reconnect` (all drop and come back at
    once; both answered when every stream is connected or failed), `drop` and
    `finish` with the number of events that were published.
    """

    def __init__(self, plan: Plan, number: int, board: Board, pipe: Connection) -> None:
        self._plan = plan
        self._clients = plan.shares()[number]
        self._cells = board.cells
        self._cell = {counter: board.reader_cell(number, counter) for counter in (CONNECTED, FAILED, READ)}
        self._pipe = pipe
        self._epoll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[int] = deque()
        # Ordered by their start, and so by their deadline.
        self._pending: dict[int, Stream] = {}
        self._concurrency = plan.concurrency
        self._opening = False
        self._finished = False
        self._tallies = [Tally() for _ in self._clients]
        self._marker = marker(plan.run)
        self._read = 0
        self._connected = 0
        self._failed = 0
        self._closed = 0
        self._errors: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        self._latency = Histogram()
        self._requests = _requests(plan, self._clients)

    def run(self) -> None:
        """Turn the loop until the main process says `finish`."""
        self._epoll.register(self._pipe.fileno(), select.EPOLLIN)
        while not self._finished:
            ready = self._epoll.poll(WAKE_SECONDS)
            for descriptor, mask in ready:
                stream = self._streams.get(descriptor)
                if stream is None:
                    if descriptor == self._pipe.fileno():
                        self._obey(*self._pipe.recv())
                        # The rest of this batch may speak of sockets that are closed now.
                        break
                elif stream.is_requested:
                    self._on_readable(stream)
                else:
                    self._on_writable(stream, mask)
            self._cells[self._cell[READ]] = self._read
            if self._opening:
                self._open_more()
        self._epoll.close()

    def _obey(self, word: str, deliverable: int = 0) -> None:
        if word == "connect":
            self._open_all(self._plan.concurrency)
        elif word == "reconnect":
            self._drop()
            self._open_all(len(self._clients))
        elif word == "drop":
            self._drop()
            self._pipe.send(None)
        else:
            self._pipe.send(self._reading(deliverable))
            self._finished = True

    def _open_all(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._waiting.extend(self._clients)
        self._opening = True

    def _open_more(self) -> None:
        now = time.monotonic()
        while self._waiting and len(self._pending) < self._concurrency:
            self._open(self._waiting.popleft(), now + self._plan.timeout_seconds)
        while self._pending:
            stream = next(iter(self._pending.values()))
            if stream.deadline > now:
                break
            self._close(stream, f"no connected frame within {self._plan.timeout_seconds:g} s")
        self._cells[self._cell[CONNECTED]] = self._connected
        self._cells[self._cell[FAILED]] = self._failed
        if not self._waiting and not self._pending:
            self._opening = False
            self._pipe.send(self._connected)

    def _open(self, index: int, deadline: float) -> None:
        host, port = self._plan.address
        source = self._plan.source_address(index)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        stream = Stream(index, connection, deadline)
        try:
            if source:
                connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                connection.bind((source, 0))
            code = connection.connect_ex((host, port))
        except OSError as error:
            code = error.errno or errno.EINVAL
        self._streams[stream.descriptor] = stream
        self._pending[stream.descriptor] = stream
        self._epoll.register(stream.descriptor, select.EPOLLOUT)
        if code not in (0, errno.EINPROGRESS):
            self._close(stream, os.strerror(code))
        elif code == 0:
            self._on_writable(stream, 0)

    def _on_writable(self, stream: Stream, mask: int) -> None:
        if mask & (select.EPOLLERR | select.EPOLLHUP):
            code = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._close(stream, os.strerror(code or errno.ECONNRESET))
            return
        try:
            stream.socket.send(self._requests[stream.index - self._clients.start])
        except OSError as error:
            self._close(stream, error.strerror or str(error))
            return
        stream.is_requested = True
        self._epoll.modify(stream.descriptor, select.EPOLLIN)

    def _on_readable(self, stream: Stream) -> None:
        try:
            data = stream.recv(READ_BYTES)
            now = time.monotonic_ns() // 1000
            frames = stream.decoder.feed(data)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(stream, error.strerror or str(error))
            return
        except ProtocolError as error:
            self._close(stream, str(error))
            return
        for frame in frames:
            at = frame.find(self._marker)
            if at < 0:
                self._on_other_frame(stream, frame)
                continue
            at += len(self._marker)
            number = int(frame[at : at + SEQUENCE_END])
            tally = self._tallies[stream.index - self._clients.start]
            if number == tally.expected:
                tally.expected = number + 1
            else:
                tally.deviate(number)
            self._latency.record(now - int(frame[at + CLOCK_START : at + CLOCK_END]))
            self._read += 1
        if not stream.is_connected and stream.decoder.status not in (0, 200):
            self._close(stream, f"HTTP {stream.decoder.status}")
        elif not data or stream.decoder.ended:
            self._close(stream, "closed by the server")

    def _on_other_frame(self, stream: Stream, frame: bytes) -> None:
        if not stream.is_connected:
            if CONNECTED_FRAME in frame:
                stream.is_connected = True
                self._connected += 1
                self._pending.pop(stream.descriptor, None)
        elif frame.startswith(b"event: "):
            name = frame[7:].partition(b"\n")[0].decode("ascii", "replace")
            # A server that names every event differently shall not fill the memory.
            if name in self._named or len(self._named) < RETRY_EVENT_LIMIT:
                self._named[name] += 1

    def _close(self, stream: Stream, reason: str) -> None:
        """Close a stream that failed, or that the server ended."""
        self._errors[reason] += 1
        if stream.is_connected:
            self._connected -= 1
            self._closed += 1
        else:
            self._failed += 1
        self._pending.pop(stream.descriptor, None)
        self._forget(stream)

    def _drop(self) -> None:
        self._waiting.clear()
        self._pending.clear()
        for stream in list(self._streams.values()):
            self._forget(stream)
        self._connected = 0

    def _forget(self, stream: Stream) -> None:
        # Closing the descriptor takes it off epoll too.
        self._streams.pop(stream.descriptor, None)
        stream.socket.close()

    def _reading(self, deliverable: int) -> Reading:
        losses = (
            tally.lost(self._plan.expected_events(index, deliverable))
            for index, tally in zip(self._clients, self._tallies, strict=True)
        )
        return Reading(
            read=self._read,
            lost=sum(losses),
            doubled=sum(tally.doubled for tally in self._tallies),
            out_of_order=sum(tally.out_of_order for tally in self._tallies),
            closed=self._closed,
            errors=dict(self._errors),
            named_events=dict(self._named),
            latency=self._latency,
        )


def _requests(plan: Plan, clients: range) -> list[bytes]:
    host, port = plan.address
    name = f"[{host}]" if ":" in host else host
    head = f"HTTP/1.1\r\nHost: {name}:{port}\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
    return [f"GET {plan.path}/events/{plan.client_name(index)} {head}".encode() for index in clients]
