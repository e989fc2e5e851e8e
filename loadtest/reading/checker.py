"""What a reader sees of its clients' events: whether any is missing, and how late they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import msgspec

from loadtest.plan import Plan
from loadtest.publishing.messages import CLOCK_END, CLOCK_START, SEQUENCE_END, marker
from loadtest.reading.latency import Histogram
from loadtest.reading.stream import Stream
from loadtest.reading.tally import Tally

LATENCIES_HELD = 50_000
CONNECTED_FRAME = b'data: {"type":"connected"'
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


class Checker:
    """Checks the frames of some clients; `on_connected(stream)` is called with each that is greeted."""

    def __init__(self, plan: Plan, clients: range, on_connected: Callable[[Stream], None]) -> None:
        self.read = 0
        # One for each client, whatever becomes of its connections.
        self.tallies = [Tally() for _ in clients]
        self._plan = plan
        self._clients = clients
        self._on_connected = on_connected
        self._named: Counter[str] = Counter()
        self._marker = marker(plan.run)
        self._marker_length = len(self._marker)
        self._latency = Histogram()
        self._latencies: list[int] = []
        self._note_latency = self._latencies.append

    def check(self, stream: Stream, frames: list[bytes]) -> None:
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
            self.read += 1

    def _on_other_frame(self, stream: Stream, frame: bytes) -> None:
        if not stream.is_connected:
            if CONNECTED_FRAME in frame:
                stream.is_connected = True
                self._on_connected(stream)
        elif frame.startswith(b"event: "):
            name = frame[7:].partition(b"\n")[0].decode("ascii", "replace")
            # A server that names every event differently shall not fill the memory.
            if name in self._named or len(self._named) < MAX_EVENT_NAMES:
                self._named[name] += 1

    def fold(self) -> None:
        """Sort in the latencies once there are many; call it now and then."""
        if len(self._latencies) > LATENCIES_HELD:
            self._fold_all()

    def _fold_all(self) -> None:
        # Equal values are counted in C, which is cheaper than a bucket for each event.
        for microseconds, times in Counter(self._latencies).items():
            self._latency.record(microseconds, times)
        self._latencies.clear()

    def reading(self, deliverable: int, closed: int, errors: dict[str, int]) -> Reading:
        """Sum up, once so many events were published for all clients."""
        self._fold_all()
        losses = (
            tally.lost(self._plan.expected_events(index, deliverable))
            for index, tally in zip(self._clients, self.tallies, strict=True)
        )
        return Reading(
            read=self.read,
            lost=sum(losses),
            doubled=sum(tally.doubled for tally in self.tallies),
            out_of_order=sum(tally.out_of_order for tally in self.tallies),
            closed=closed,
            errors=errors,
            named_events=dict(self._named),
            latency=self._latency,
        )
