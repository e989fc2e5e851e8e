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
from collections import Counter
from multiprocessing.connection import Connection

from loadtest.board import CONNECTED, FAILED, READ, Board
from loadtest.errors import LoadTestError, ProtocolError
from loadtest.plan import Plan, raise_descriptor_limit
from loadtest.reading.checker import Checker
from loadtest.reading.opener import Opener
from loadtest.reading.stream import Stream

READ_BYTES = 32 * 1024
# Edges rather than levels: the kernel looks at a socket once for each arrival.
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
WAKE_SECONDS = 0.05


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
        self._clients = plan.shares()[number]
        self._cells = board.cells
        self._cell = {counter: board.reader_cell(number, counter) for counter in (CONNECTED, FAILED, READ)}
        self._pipe = pipe
        self._epoll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._checker = Checker(plan, self._clients, self._on_connected)
        self._opener = Opener(plan, self._clients, self._checker.tallies)
        self._connected = 0
        self._failed = 0
        self._closed = 0
        self._errors: Counter[str] = Counter()
        self._finished = False

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
            self._cells[read_cell] = self._checker.read
            self._checker.fold()
            if self._opener.is_opening:
                self._open_more()
        self._epoll.close()

    def _obey(self, word: str, deliverable: int = 0) -> None:
        if word == "connect":
            self._opener.begin(self._clients, self._plan.concurrency)
        elif word == "reconnect":
            self._drop()
            self._opener.begin(self._clients, len(self._clients))
        elif word == "drop":
            self._drop()
            self._pipe.send(None)
        else:
            self._pipe.send(self._checker.reading(deliverable, self._closed, dict(self._errors)))
            self._finished = True

    def _open_more(self) -> None:
        for stream, code in self._opener.started():
            self._streams[stream.descriptor] = stream
            self._epoll.register(stream.descriptor, EDGES)
            if code not in (0, errno.EINPROGRESS):
                self._close(stream, os.strerror(code))
            elif code == 0:
                self._on_writable(stream, 0)
        for stream in self._opener.overdue():
            self._close(stream, f"no connected frame within {self._plan.timeout_seconds:g} s")
        self._cells[self._cell[CONNECTED]] = self._connected
        self._cells[self._cell[FAILED]] = self._failed
        if self._opener.ends():
            self._pipe.send(self._connected)

    def _on_connected(self, stream: Stream) -> None:
        self._connected += 1
        self._opener.end(stream)

    def _on_writable(self, stream: Stream, mask: int) -> None:
        if mask & (select.EPOLLERR | select.EPOLLHUP):
            code = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._close(stream, os.strerror(code or errno.ECONNRESET))
            return
        try:
            stream.socket.send(self._opener.request(stream))
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
            self._checker.check(stream, frames)
            if not data or stream.decoder.ended:
                self._close(stream, "closed by the server")
                return
            if not stream.is_connected and stream.decoder.status not in (0, 200):
                self._close(stream, f"HTTP {stream.decoder.status}")
                return
            full = len(data) == READ_BYTES

    def _close(self, stream: Stream, reason: str) -> None:
        """Close a stream that failed, or that the server ended."""
        self._errors[reason] += 1
        if stream.is_connected:
            self._connected -= 1
            self._closed += 1
        else:
            self._failed += 1
        self._opener.end(stream)
        self._forget(stream)

    def _drop(self) -> None:
        self._opener.clear()
        for stream in list(self._streams.values()):
            self._forget(stream)
        self._connected = 0

    def _forget(self, stream: Stream) -> None:
        # Closing the descriptor takes it off epoll too.
        self._streams.pop(stream.descriptor, None)
        stream.socket.close()
