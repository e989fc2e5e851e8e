"""One load test from start to end: processes started, phases in their order, figures put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from loadtest import processes
from loadtest.board import CONNECTED, FAILED, READ, Board
from loadtest.children import TICK_SECONDS, Child, Children, cpu_of, wait_for
from loadtest.plan import Plan, check
from loadtest.publishing.messages import MessageWriter
from loadtest.publishing.publisher import STALL_SECONDS, Published, run_publisher
from loadtest.reading.checker import Reading
from loadtest.reading.latency import Histogram
from loadtest.reading.reader import run_reader
from loadtest.result import Result, limits

# Memory is read when what a pod does right after a connect is over.
SETTLE_SECONDS = 1.0
# Reading ends when nothing came for so long after the last publish.
DRAIN_SECONDS = 3.0
START_SECONDS = 30.0

Progress = Callable[[str, int, int], None]


class LoadTest:
    """Runs a plan; `progress` is called with the phase, what is done and what is to do.

    Raises LoadTestError. Ctrl-C ends the phase that is running, and what was measured
    until then is in the result.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        check(plan)
        MessageWriter(plan)
        self._plan = plan
        self._progress = progress
        self._children = Children()
        self._board = Board.create(self._children.context, plan.processes)
        self._readers: list[Child] = []
        self._result = Result(url=plan.url, run=plan.run, connections=plan.connections)

    def run(self) -> Result:
        """Run all phases and return the figures."""
        result = self._result
        try:
            self._readers = [
                self._children.start(run_reader, f"reader-{number}", self._plan, number, self._board)
                for number in range(self._plan.processes)
            ]
            try:
                # A process takes half a second to start, which is not the pod's time.
                wait_for([pipe for _, pipe in self._readers], START_SECONDS)
                self._connect()
                if self._plan.reconnect:
                    self._reconnect()
                if self._plan.publishes and result.connected:
                    self._publish()
                else:
                    self._hold()
            except KeyboardInterrupt:
                result.interrupted = True
            self._finish()
        finally:
            self._children.stop()
        result.limits = limits(result)
        return result

    def _connect(self) -> None:
        plan, result = self._plan, self._result
        base = processes.memory(plan.pid) if plan.pid else None
        cpu_before = self._pod_cpu()
        result.connect_seconds = self._open("connect")
        opened = result.connected = self._board.total(CONNECTED)
        result.connect_failures = self._board.total(FAILED)
        result.connects_per_second = opened / result.connect_seconds
        if plan.pid and base and opened:
            result.cpu_connect_microseconds = (self._pod_cpu() - cpu_before) / opened * 1e6
            result.base_pss_kib, result.base_rss_kib = base.pss_kib, base.rss_kib
            wait_for([], SETTLE_SECONDS)
            grown = processes.memory(plan.pid).pss_kib - base.pss_kib
            result.kib_per_connection = grown / opened

    def _reconnect(self) -> None:
        self._result.reconnect_seconds = self._open("reconnect")
        self._result.connected = self._board.total(CONNECTED)
        self._result.connect_failures = self._board.total(FAILED)

    def _open(self, word: str) -> float:
        """Let all readers open their streams and return the seconds until the last was connected."""
        started = time.monotonic()
        pipes = self._tell(word)

        def report() -> None:
            self._progress(word, self._board.total(CONNECTED), self._plan.connections)

        # Every stream has its own deadline; this one is for a reader that hangs.
        waves = 1 + self._plan.connections // max(1, self._plan.concurrency)
        wait_for(pipes, START_SECONDS + self._plan.timeout_seconds * waves, report)
        return time.monotonic() - started

    def _hold(self) -> None:
        started = time.monotonic()
        cpu_before = self._pod_cpu()

        def report() -> None:
            self._progress("hold", int(time.monotonic() - started), int(self._plan.seconds))

        wait_for([], self._plan.seconds, report)
        self._note_cpu(cpu_before, time.monotonic() - started)

    def _publish(self) -> None:
        plan, result, board = self._plan, self._result, self._board
        publisher, pipe = self._children.start(run_publisher, "publisher", plan, board)
        wait_for([pipe], START_SECONDS)
        watched = [publisher, *(reader for reader, _ in self._readers)]
        clocks = {child.name: cpu_of(child) for child in watched}
        cpu_before, started = self._pod_cpu(), time.monotonic()
        pipe.send(None)
        timeout = START_SECONDS + plan.seconds + STALL_SECONDS
        interrupted = False
        while True:
            try:
                published = wait_for([pipe], timeout, self._report_publishing)[0]
                break
            except KeyboardInterrupt:
                # The publisher is asked to stop and still says how far it came.
                if interrupted:
                    raise
                interrupted = result.interrupted = True
                board.stop()
        assert isinstance(published, Published)  # noqa: S101 - tells the type checker
        result.publisher_cpu_share = (cpu_of(publisher) - clocks[publisher.name]) / published.seconds
        self._drain(published.deliverable)
        seconds = max(published.seconds, self._last_read - started)
        result.reader_cpu_shares = [(cpu_of(reader) - clocks[reader.name]) / seconds for reader, _ in self._readers]
        self._note_cpu(cpu_before, seconds)
        self._note_published(published, seconds)

    def _report_publishing(self) -> None:
        plan, board = self._plan, self._board
        planned = int(plan.rate * plan.seconds) if plan.rate else 0
        self._progress("publish", board.deliverable + board.foreign, planned)

    def _drain(self, deliverable: int) -> None:
        """Wait until all was read, or nothing came any more."""
        read, self._last_read = -1, time.monotonic()
        while (now := self._board.total(READ)) < deliverable:
            if now != read:
                read, self._last_read = now, time.monotonic()
            elif time.monotonic() - self._last_read > DRAIN_SECONDS:
                return
            wait_for([], TICK_SECONDS / 5)
            self._progress("drain", now, deliverable)
        self._last_read = time.monotonic()

    def _note_published(self, published: Published, seconds: float) -> None:
        result = self._result
        result.seconds = seconds
        result.planned = published.planned
        result.published = published.deliverable
        result.published_foreign = published.foreign
        result.acknowledged = published.acknowledged
        result.unheard = published.unheard
        total = published.deliverable + published.foreign
        result.published_per_second = total / published.seconds
        result.read_per_second = self._board.total(READ) / seconds
        result.publisher_lag_ms = self._board.lag_microseconds / 1000
        if result.cpu_seconds is not None and total:
            result.cpu_event_microseconds = result.cpu_seconds / total * 1e6

    def _note_cpu(self, before: float, seconds: float) -> None:
        if self._plan.pid:
            self._result.cpu_seconds = self._pod_cpu() - before
            self._result.cpu_share = self._result.cpu_seconds / seconds

    def _finish(self) -> None:
        result = self._result
        readings = wait_for(self._tell("finish", result.published), START_SECONDS)
        latency = Histogram()
        for reading in readings:
            assert isinstance(reading, Reading)  # noqa: S101 - tells the type checker
            result.read += reading.read
            result.lost += reading.lost
            result.doubled += reading.doubled
            result.out_of_order += reading.out_of_order
            result.closed_by_server += reading.closed
            _add(result.errors, reading.errors)
            _add(result.named_events, reading.named_events)
            latency.add(reading.latency)
        result.latency_p50_ms = _milliseconds(latency.percentile(0.5))
        result.latency_p99_ms = _milliseconds(latency.percentile(0.99))
        result.latency_p999_ms = _milliseconds(latency.percentile(0.999))
        result.latency_max_ms = _milliseconds(latency.percentile(1))

    def _pod_cpu(self) -> float:
        return processes.cpu_seconds(self._plan.pid) if self._plan.pid else 0.0

    def _tell(self, *words: Any) -> list[Connection]:
        pipes = [pipe for _, pipe in self._readers]
        for pipe in pipes:
            pipe.send(words)
        return pipes


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
