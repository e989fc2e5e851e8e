"""What the checker makes of frames: of this run's events, of others, and of what the service itself says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from loadtest.plan import Plan
from loadtest.publishing.messages import MessageWriter
from loadtest.reading import checker
from loadtest.reading.checker import MAX_EVENT_NAMES, Checker
from loadtest.reading.stream import Stream

PLAN = Plan(connections=4)
CLIENTS = range(2, 4)


class Checked:
    """The second half of a plan's clients, one of which has a stream."""

    def __init__(self, connection: socket.socket) -> None:
        self.connected: list[Stream] = []
        self.checker = Checker(PLAN, CLIENTS, self.connected.append)
        self.stream = Stream(2, self.checker.tallies[0], connection, 0.0)

    def events(self, *numbers: int, plan: Plan = PLAN) -> None:
        now = time.monotonic_ns() // 1000
        writer = MessageWriter(plan)
        name = plan.client_name(2)
        self.checker.check(self.stream, [b"data: " + writer.message(name, 2, number, now) for number in numbers])

    def say(self, *frames: bytes) -> None:
        self.checker.check(self.stream, list(frames))


@pytest.fixture
def checked() -> Iterator[Checked]:
    with socket.socket() as connection:
        yield Checked(connection)


def test_checker_counts_what_is_lost_doubled_and_out_of_order(checked: Checked):
    checked.events(0, 2, 1, 2, 4)
    # Five rounds of all four clients; the other one of these two got nothing.
    reading = checked.checker.reading(deliverable=20, closed=1, errors={"broken": 1})
    assert (reading.read, reading.doubled, reading.out_of_order) == (5, 1, 1)
    assert reading.lost == 1 + 5
    assert (reading.closed, reading.errors) == (1, {"broken": 1})


def test_checker_leaves_the_events_of_another_run_alone(checked: Checked):
    checked.events(0, plan=Plan(connections=4))
    assert checked.checker.reading(0, 0, {}).read == 0


def test_checker_tells_of_the_greeting_once(checked: Checked):
    greeting = b'data: {"type":"connected","clientName":"A"}'
    checked.say(b": heartbeat", greeting, greeting)
    assert checked.connected == [checked.stream]
    assert checked.stream.is_connected


def test_checker_counts_named_events_within_bounds(checked: Checked):
    checked.stream.is_connected = True
    checked.say(b"event: stream-gap\ndata: {}", b"event: stream-gap\ndata: {}")
    checked.say(*(b"event: other-%d\ndata: {}" % number for number in range(2 * MAX_EVENT_NAMES)))
    named = checked.checker.reading(0, 0, {}).named_events
    assert named["stream-gap"] == 2
    assert len(named) == MAX_EVENT_NAMES


def test_checker_folds_many_latencies_and_loses_none(checked: Checked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checker, "LATENCIES_HELD", 2)
    for number in range(5):
        checked.events(number)
        checked.checker.fold()
    assert len(checked.checker._latencies) <= 2
    assert sum(checked.checker.reading(20, 0, {}).latency.counts) == 5
