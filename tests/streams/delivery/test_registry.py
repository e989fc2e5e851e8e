from __future__ import annotations

import logging
import time

import pytest

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.wire.frames import comment_frame
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder, connect, make_registry

FRAME = comment_frame("x" * 96)


@pytest.fixture
def registry() -> Registry:
    return make_registry()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the monotonic clock, in a list of one, for the test to turn."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_greets_a_client_that_it_takes_in(registry: Registry):
    connection, writer = connect(registry, "a")
    (greeting,) = writer.events
    assert greeting.type == "message"
    assert list(greeting.json()) == ["type", "clientName", "podName", "timestamp"]
    assert greeting.json()["clientName"] == "a"
    assert greeting.json()["podName"] == "pod-1"
    assert registry.get("a") is connection
    assert len(registry) == 1
    assert list(registry) == [connection]


def test_greets_nobody_before_the_pod_hears_the_channel():
    registry = make_registry(subscribed=False)
    _, waiting = connect(registry, "a")
    leaving, left = connect(registry, "b")
    assert waiting.written == left.written == b""
    registry.close(leaving, CloseReason.CLIENT_CLOSED)
    registry.subscribed = True
    assert not registry.greet_waiting(1000)
    assert not registry.greet_waiting(1000)
    assert [event.json()["type"] for event in waiting.events] == ["connected"], "once and no more"
    assert left.written == b""


def test_greets_nobody_again_after_an_outage(registry: Registry):
    _, writer = connect(registry, "a")
    registry.subscribed = False
    _, late = connect(registry, "b")
    assert late.written == b""
    registry.subscribed = True
    registry.greet_waiting(1000)
    assert [event.json()["type"] for event in writer.events if event.type == "message"] == ["connected"]
    assert [event.json()["type"] for event in late.events if event.type == "message"] == ["connected"]


def test_a_newer_connection_evicts_the_older(registry: Registry):
    old, old_writer = connect(registry, "a")
    new, new_writer = connect(registry, "a")
    assert old_writer.types == ["message", "evicted"]
    assert old_writer.finished
    assert old.close_reason is CloseReason.EVICTED
    assert registry.get("a") is new
    assert len(registry) == 1
    assert new_writer.types == ["message"]


@pytest.mark.parametrize("reason", list(CloseReason))
def test_the_end_of_an_old_connection_never_removes_a_newer_one(registry: Registry, reason: CloseReason):
    old, old_writer = connect(registry, "a")
    new, _ = connect(registry, "a")
    written = old_writer.written
    registry.close(old, reason)
    assert registry.get("a") is new
    assert old.close_reason is CloseReason.EVICTED, "the first reason is the one that counts"
    assert old_writer.written == written
    registry.close(new, CloseReason.CLIENT_CLOSED)
    registry.close(old, reason)
    assert registry.get("a") is None
    assert len(registry) == 0


@pytest.mark.parametrize("reason", list(CloseReason))
def test_every_end_leaves_nothing_and_has_one_reason(registry: Registry, reason: CloseReason):
    connection, writer = connect(registry, "a")
    registry.close(connection, reason)
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert connection.close_reason is reason
    assert registry.closed == {reason: 1}
    assert len(registry) == 0
    assert list(registry) == []
    assert not any(registry.slots)
    assert writer.finished or writer.aborted


@pytest.mark.parametrize("reason", [CloseReason.SLOW_READER, CloseReason.DEAD_PEER])
def test_who_does_not_read_is_cut_without_a_farewell(registry: Registry, reason: CloseReason):
    connection, writer = connect(registry, "a")
    registry.close(connection, reason)
    assert writer.aborted
    assert writer.types == ["message"]


def test_who_has_left_is_told_nothing(registry: Registry):
    connection, writer = connect(registry, "a")
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert writer.types == ["message"]


def test_a_farewell_says_when_to_come_back(registry: Registry):
    old, _ = connect(registry, "a")
    writer = old.writer
    assert isinstance(writer, Recorder)
    connect(registry, "a")
    farewell = writer.events[-1].json()
    assert farewell["type"] == "evicted"
    assert farewell["podName"] == "pod-1"
    assert farewell["timestamp"].endswith("Z")


def test_a_backlog_over_the_limit_is_the_end(registry: Registry):
    connection, writer = connect(registry, "a")
    writer.reading = False
    while connection.close_reason is None:
        assert writer.waiting <= MAX_BACKLOG_BYTES
        registry.write(connection, FRAME)
    assert connection.close_reason is CloseReason.SLOW_READER
    assert writer.aborted
    assert writer.waiting == 0, "what waited is given back"


def test_a_backlog_that_does_not_move_is_the_end(registry: Registry, clock: list[float]):
    connection, writer = connect(registry, "a")
    writer.reading = False
    registry.write(connection, FRAME)
    clock[0] += STALL_SECONDS - 0.1
    registry.outbox.close_stalled()
    assert connection.close_reason is None
    clock[0] += 0.2
    registry.outbox.close_stalled()
    assert connection.close_reason is CloseReason.SLOW_READER


def test_a_backlog_that_moves_is_not_the_end(registry: Registry, clock: list[float]):
    connection, writer = connect(registry, "a")
    writer.reading = False
    for _ in range(5):
        registry.write(connection, FRAME)
    while writer.waiting:
        clock[0] += STALL_SECONDS - 1
        registry.outbox.close_stalled()
        writer.waiting -= 50
    clock[0] += 2 * STALL_SECONDS
    registry.outbox.close_stalled()
    assert connection.close_reason is None


def test_a_finished_writer_that_nobody_reads_is_cut_at_last(registry: Registry, clock: list[float]):
    _, writer = connect(registry, "a")
    writer.reading = False
    connect(registry, "a")
    assert writer.finished
    registry.outbox.close_stalled()
    assert not writer.aborted
    clock[0] += STALL_SECONDS + 1
    registry.outbox.close_stalled()
    assert writer.aborted


def test_counts_bytes_across_connections_that_ended(registry: Registry):
    connection, writer = connect(registry, "a")
    registry.write(connection, FRAME)
    assert len(FRAME) <= registry.bytes_total() <= len(writer.written)
    before = registry.bytes_total()
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert registry.bytes_total() == before
    assert registry.opened == 1


def test_a_snapshot_is_detached(registry: Registry):
    connection, _ = connect(registry, "a")
    snapshot = connection.snapshot()
    connection.event_count += 1
    assert (snapshot.client_name, snapshot.event_count) == ("a", 0)


def test_connections_are_spread_over_the_slots(registry: Registry):
    for number in range(1200):
        connect(registry, f"a{number}")
    sizes = [len(slot) for slot in registry.slots]
    assert sum(sizes) == 1200
    assert max(sizes) < 40, "about ten in each of 120"


def test_one_line_for_each_connection_and_end(registry: Registry, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "sse"):
        connection, _ = connect(registry, "STORE001-LANE01")
        registry.close(connection, CloseReason.CLIENT_CLOSED)
        registry.close(connection, CloseReason.CLIENT_CLOSED)
    opened, closed = caplog.messages
    assert opened == "Registered STORE001-LANE01 on pod pod-1. Total connections: 1"
    assert "STORE001-LANE01" in closed
    assert "client-closed" in closed


def test_a_connection_is_not_opened_by_being_made(registry: Registry):
    Connection("a", Recorder())
    assert len(registry) == 0
