from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter

import pytest

from streams.delivery.heartbeat import Heartbeat
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from tests.streams.builders import Recorder, connect, unwritable
from tests.support.event_stream import EventStreamParser
from tests.support.waiting import eventually

HEARTBEAT_SECONDS = 30.0
DEAD_AFTER_SECONDS = 15.0


@pytest.fixture
def heartbeat(registry: Registry) -> Heartbeat:
    return Heartbeat(registry, heartbeat_seconds=HEARTBEAT_SECONDS, dead_after_seconds=DEAD_AFTER_SECONDS)


def heard(writer: Recorder) -> list[str]:
    parser = EventStreamParser()
    parser.feed(writer.written)
    return parser.comments


def test_each_connection_gets_one_in_a_period(registry: Registry, heartbeat: Heartbeat):
    writers = [connect(registry, f"a{number}")[1] for number in range(50)]
    period = len(registry.slots)
    for tick in range(period):
        heartbeat.beat(tick)
    assert {len(heard(writer)) for writer in writers} == {1}
    for tick in range(period, 3 * period):
        heartbeat.beat(tick)
    assert {len(heard(writer)) for writer in writers} == {3}
    assert heartbeat.sent == 150


def test_its_form(registry: Registry, heartbeat: Heartbeat):
    _, writer = connect(registry, "a")
    for tick in range(len(registry.slots)):
        heartbeat.beat(tick)
    assert re.search(rb"\n\n: heartbeat \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n\n$", writer.written)


def test_not_all_at_once(registry: Registry, heartbeat: Heartbeat):
    writers = [connect(registry, f"a{number}")[1] for number in range(1200)]
    at_once: Counter[int] = Counter()
    for tick in range(len(registry.slots)):
        before = heartbeat.sent
        heartbeat.beat(tick)
        at_once[tick] = heartbeat.sent - before
    assert sum(at_once.values()) == len(writers)
    assert max(at_once.values()) < 0.05 * len(writers)


def test_a_machine_that_acknowledges_is_alive(registry: Registry, heartbeat: Heartbeat):
    connection, writer = connect(registry, "a")
    # A little silence is what any network has.
    writer.silent = 2.0
    for tick in range(3 * len(registry.slots)):
        heartbeat.beat(tick)
    assert connection.close_reason is None


def test_a_machine_that_is_silent_is_off_in_time(registry: Registry, heartbeat: Heartbeat):
    connection, writer = connect(registry, "a")
    tick_seconds = HEARTBEAT_SECONDS / len(registry.slots)
    # It dies at tick 0; what is sent after that is never acknowledged.
    sent_at: float | None = None
    for tick in range(1, round((HEARTBEAT_SECONDS + DEAD_AFTER_SECONDS) / tick_seconds)):
        heartbeat.beat(tick)
        if sent_at is None and heard(writer):
            sent_at = tick * tick_seconds
        writer.silent = 0.0 if sent_at is None else (tick + 1) * tick_seconds - sent_at
    assert connection.close_reason is CloseReason.DEAD_PEER
    assert writer.aborted


def test_a_connection_that_ends_meanwhile_gets_none(registry: Registry, heartbeat: Heartbeat):
    connection, writer = connect(registry, "a")
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    for tick in range(len(registry.slots)):
        heartbeat.beat(tick)
    assert heard(writer) == []


def test_a_tick_without_connections_logs_nothing(heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "sse"):
        for tick in range(200):
            heartbeat.beat(tick)
    assert caplog.messages == []
    assert heartbeat.sent == 0


def test_a_tick_says_how_many_were_served(registry: Registry, heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture):
    connect(registry, "a")
    with caplog.at_level(logging.DEBUG, "sse.heartbeat"):
        caplog.clear()
        for tick in range(len(registry.slots)):
            heartbeat.beat(tick)
    assert caplog.messages == ["Sent to 1 client(s)"]


async def test_ticks_for_as_long_as_it_runs(registry: Registry):
    """A tick that is late is followed at once by those that it held up."""
    heartbeat = Heartbeat(registry, heartbeat_seconds=0.01 * len(registry.slots), dead_after_seconds=DEAD_AFTER_SECONDS)
    ticks: list[int] = []

    def beat(tick: int) -> None:
        ticks.append(tick)

    heartbeat.beat = beat  # type: ignore[method-assign]
    task = asyncio.create_task(heartbeat.run())
    await eventually("the third tick", lambda: len(ticks) >= 3)
    task.cancel()
    assert ticks == list(range(1, len(ticks) + 1))


def test_one_client_that_cannot_be_written_to_holds_up_no_other(registry: Registry, heartbeat: Heartbeat):
    clients = [connect(registry, f"a{number}") for number in range(50)]
    broken, writer = clients[0]
    unwritable(writer)
    for tick in range(len(registry.slots)):
        heartbeat.beat(tick)
    assert {len(heard(writer)) for _, writer in clients[1:]} == {1}
    assert broken.close_reason is CloseReason.FAILED
