"""The reading process: opens its share of the streams, reads them all and checks every event.

One epoll loop over plain sockets rather than asyncio: a connect and an event cost it a third,
and this tool may cost an event no more than a fast pod does.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import time
from collections import Counter, deque
from itertools import takewhile
from multiprocessing.connection import Connection

import msgspec

from loadtest.board import CONNECTED, FAILED, READ, Board
from loadtest.errors import LoadTestError, ProtocolError
from loadtest.plan import Plan, Target, raise_descriptor_limit
from loadtest.publishing.messages import CLOCK_END, CLOCK_START, SEQUENCE_END, marker
from loadtest.reading.latency import Histogram
from loadtest.reading.stream import Stream, requests
from loadtest.reading.tally import Tally

READ_BYTES = 32 * 1024
# Edges rather than levels: the kernel looks at a socket once for each arrival.
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
LATENCIES_HELD = 50_000
WAKE_SECONDS = 0.05
SWEEP_SECONDS = 0.25
CONNECTED_FRAME = b'data: {"type":"connected"'
# Linux: choose the port when the other end is known too, which allows as many
# connections from an address as there are ports for each target.
IP_BIND_ADDRESS_NO_PORT = 24
MAX_EVENT_NAMES = 20


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


def run_reader(plan: Plan, number: int, board: Board, pipe: Connection) -> None:
    """Say when ready, then serve the main process until it asks for the Reading, or goes away."""
    # Ctrl-C reaches every process of the terminal; the main process says what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_descriptor_limit()
    # Nothing here refers to itself, and a collection would look like latency.
    gc.disable()
    try:
        reader = Reader(plan, number, board, pipe)
        pipe.send(None)
        reader.run()
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
        self._target = Target.resolve(plan)
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
        self._next_sweep = 0.0
        self._finished = False
        self._tallies = [Tally() for _ in self._clients]
        self._marker = marker(plan.run)
        self._marker_length = len(self._marker)
        self._read = 0
        self._connected = 0
        self._failed = 0
        self._closed = 0
        self._errors: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        self._latency = Histogram()
        self._latencies: list[int] = []
        self._note_latency = self._latencies.append
        self._requests = requests(plan, self._clients)

    def run(self) -> None:
        """Turn the loop until the main process says `finish`."""
        self._epoll.register(self._pipe.fileno(), select.EPOLLIN)
        read_cell = self._cell[READ]
        while not self._finished:
            ready = self._epoll.poll(WAKE_SECONDS)
            for descriptor, mask in ready:
                stream = self._streams.get(descriptor)
                if stream is None:
                    # Else a socket that was closed earlier in this batch.
                    if descriptor == self._pipe.fileno():
                        self._obey(*self._pipe.recv())
                elif stream.is_requested:
                    self._on_readable(stream)
                else:
                    self._on_writable(stream, mask)
            self._cells[read_cell] = self._read
            if len(self._latencies) > LATENCIES_HELD:
                self._fold_latencies()
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
        # Seldom: the first entry of a dict that lost thousands before it is slow to find.
        if now > self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._close_overdue(now)
        self._cells[self._cell[CONNECTED]] = self._connected
        self._cells[self._cell[FAILED]] = self._failed
        if not self._waiting and not self._pending:
            self._opening = False
            self._pipe.send(self._connected)

    def _close_overdue(self, now: float) -> None:
        overdue = list(takewhile(lambda stream: stream.deadline <= now, self._pending.values()))
        for stream in overdue:
            self._close(stream, f"no connected frame within {self._plan.timeout_seconds:g} s")

    def _open(self, index: int, deadline: float) -> None:
        source = self._target.source_address(index)
        connection = socket.socket(self._target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        stream = Stream(index, self._tallies[index - self._clients.start], connection, deadline)
        try:
            if source:
                connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                connection.bind((source, 0))
            code = connection.connect_ex(self._target.address)
        except OSError as error:
            code = error.errno or errno.EINVAL
        self._streams[stream.descriptor] = stream
        self._pending[stream.descriptor] = stream
        self._epoll.register(stream.descriptor, EDGES)
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

    def _on_readable(self, stream: Stream) -> None:
        full = True
        # As much as was asked for: there may be more, and no edge would tell.
        while full:
            try:
                data = stream.recv(READ_BYTES)
                frames = stream.feed(data)
            except BlockingIOError:
                return
            except OSError as error:
                self._close(stream, error.strerror or str(error))
                return
            except ProtocolError as error:
                self._close(stream, str(error))
                return
            self._check(stream, frames)
            if not data or stream.decoder.ended:
                self._close(stream, "closed by the server")
                return
            if not stream.is_connected and stream.decoder.status not in (0, 200):
                self._close(stream, f"HTTP {stream.decoder.status}")
                return
            full = len(data) == READ_BYTES

    def _check(self, stream: Stream, frames: list[bytes]) -> None:
        """Check the events among the frames; the place where this tool spends its time."""
        now = time.monotonic_ns() // 1000
        for frame in frames:
            at = frame.find(self._marker)
            if at < 0:
                self._on_other_frame(stream, frame)
                continue
            at += self._marker_length
            number = int(frame[at : at + SEQUENCE_END])
            tally = stream.tally
            if number == tally.expected:
                tally.expected = number + 1
            else:
                tally.deviate(number)
            self._note_latency(now - int(frame[at + CLOCK_START : at + CLOCK_END]))
            self._read += 1

    def _on_other_frame(self, stream: Stream, frame: bytes) -> None:
        if not stream.is_connected:
            if CONNECTED_FRAME in frame:
                stream.is_connected = True
                self._connected += 1
                self._pending.pop(stream.descriptor, None)
        elif frame.startswith(b"event: "):
            name = frame[7:].partition(b"\n")[0].decode("ascii", "replace")
            # A server that names every event differently shall not fill the memory.
            if name in self._named or len(self._named) < MAX_EVENT_NAMES:
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

    def _fold_latencies(self) -> None:
        # Equal values are counted in C, which is cheaper than a bucket for each event.
        for microseconds, times in Counter(self._latencies).items():
            self._latency.record(microseconds, times)
        self._latencies.clear()

    def _reading(self, deliverable: int) -> Reading:
        self._fold_latencies()
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
