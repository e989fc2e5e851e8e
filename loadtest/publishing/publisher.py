"""The publishing process: events at a rate, or as fast as the pod delivers them."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec

from loadtest.board import READ, Board
from loadtest.errors import LoadTestError
from loadtest.plan import Plan
from loadtest.publishing.http_sockets import HttpSockets
from loadtest.publishing.messages import MessageWriter
from loadtest.publishing.redis_socket import RedisSocket

FOREIGN_NAMES = 1000
MAX_BATCH = 256
# More than this many open answers would only fill Redis' buffers.
MAX_UNACKNOWLEDGED = 20_000
PAUSE_SECONDS = 0.001
# What was not read for so long is taken for lost, so that a loss does not stop the run.
STALL_SECONDS = 2.0


class Published(msgspec.Struct):
    """What the publisher did."""

    deliverable: int
    foreign: int
    acknowledged: int
    unheard: int
    planned: int
    seconds: float


def run_publisher(plan: Plan, board: Board, pipe: Connection) -> None:
    """Say when ready, wait for the word, publish what the plan says and send Published.

    An error goes through the pipe too.
    """
    # Ctrl-C reaches every process of the terminal; the main process says what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        publisher = Publisher(plan, board, HttpSockets(plan) if plan.http else RedisSocket(plan.redis_url))
        pipe.send(None)
        pipe.recv()
        pipe.send(publisher.run())
    except (EOFError, BrokenPipeError):
        return
    except LoadTestError as error:
        pipe.send(error)


class Publisher:
    """Publishes round all clients in turn, so that the count alone tells what each must get."""

    def __init__(self, plan: Plan, board: Board, taker: RedisSocket | HttpSockets) -> None:
        self._plan = plan
        self._board = board
        self._taker = taker
        self._writer = MessageWriter(plan)
        self._heads = [self._writer.head(plan.client_name(index), index) for index in range(plan.connections)]
        self._foreign_heads = [self._writer.head(plan.foreign_name(index), index) for index in range(FOREIGN_NAMES)]
        self._deliverable = 0
        self._foreign = 0
        self._share = 0.0
        self._worst_lag = 0.0

    def run(self) -> Published:
        """Publish until the time is over or somebody stops it."""
        start = time.monotonic()
        batches = self._windowed(start) if self._plan.rate is None else self._paced(start, self._plan.rate)
        for count in batches:
            self._send(count)
            self._note()
        while self._taker.unacknowledged:
            self._taker.receive(wait=True)
        self._note()
        planned = 0 if self._plan.rate is None else int(self._plan.rate * self._plan.seconds)
        seconds = time.monotonic() - start
        taker = self._taker
        taker.close()
        return Published(self._deliverable, self._foreign, taker.acknowledged, taker.unheard, planned, seconds)

    def _paced(self, start: float, rate: float) -> Iterator[int]:
        """Yield the sizes of batches that keep to a rate; what is late is sent at once."""
        planned = int(rate * self._plan.seconds)
        sent = 0
        while sent < planned and not self._board.stopped:
            elapsed = time.monotonic() - start
            if elapsed > self._plan.seconds + STALL_SECONDS:
                return
            due = min(planned, int(elapsed * rate) + 1) - sent
            # A request with many events is sent when it is full.
            if due < min(max(1, self._plan.http), planned - sent):
                self._pause(max(PAUSE_SECONDS, (sent / rate) - elapsed))
                continue
            self._worst_lag = max(self._worst_lag, elapsed - sent / rate)
            count = min(due, MAX_BATCH)
            sent += count
            yield count

    def _windowed(self, start: float) -> Iterator[int]:
        """Yield the sizes of batches that keep a fixed number of events on their way."""
        window = max(1, int(self._plan.window * (1 - self._plan.foreign)))
        forgiven, read_before, read_at = 0, 0, start
        while (now := time.monotonic()) - start < self._plan.seconds and not self._board.stopped:
            read = self._board.total(READ)
            if read != read_before:
                read_before, read_at = read, now
            room = window - (self._deliverable - read - forgiven)
            # A quarter at once: a batch costs this tool and Redis a tenth of single events.
            if room >= max(1, window // 4):
                yield min(MAX_BATCH, max(1, int(room / (1 - self._plan.foreign))))
            elif now - read_at > STALL_SECONDS:
                forgiven, read_at = self._deliverable - read, now
            else:
                self._pause(PAUSE_SECONDS / 2)

    def _pause(self, seconds: float) -> None:
        # What waits for a connection goes out when an answer is there.
        self._taker.receive(wait=False)
        time.sleep(seconds)

    def _send(self, count: int) -> None:
        self._writer.stamp(time.time())
        now = time.monotonic_ns() // 1000
        command, clients, foreign_share = self._writer.command, len(self._heads), self._plan.foreign
        commands = []
        for _ in range(count):
            self._share += foreign_share
            if self._share >= 1:
                self._share -= 1
                number, index = divmod(self._foreign, FOREIGN_NAMES)
                self._foreign += 1
                commands.append(command(self._foreign_heads[index], number, now))
            else:
                number, index = divmod(self._deliverable, clients)
                self._deliverable += 1
                commands.append(command(self._heads[index], number, now))
        self._taker.send(commands)
        while self._taker.unacknowledged > MAX_UNACKNOWLEDGED:
            self._taker.receive(wait=True)

    def _note(self) -> None:
        self._board.note_published(
            self._deliverable, self._foreign, self._taker.acknowledged, int(self._worst_lag * 1_000_000)
        )
