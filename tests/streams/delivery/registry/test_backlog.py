"""Connections whose clients do not read: when they end, and how."""

from __future__ import annotations

from streams.delivery.outbox import BURST_SECONDS
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from tests.streams.builders import FRAME, MAX_BACKLOG_BYTES, STALL_SECONDS, connect


def test_a_backlog_over_the_limit_is_the_end(registry: Registry, now: list[float]):
    connection, writer = connect(registry, "a")
    writer.reading = False
    registry.write(connection, FRAME)
    now[0] += BURST_SECONDS
    while connection.close_reason is None:
        assert writer.waiting <= MAX_BACKLOG_BYTES
        registry.write(connection, FRAME)
    assert connection.close_reason is CloseReason.SLOW_READER
    assert writer.aborted
    assert writer.waiting == 0, "what waited is given back"


def test_a_backlog_that_does_not_move_is_the_end(registry: Registry, now: list[float]):
    connection, writer = connect(registry, "a")
    writer.reading = False
    registry.write(connection, FRAME)
    now[0] += STALL_SECONDS - 0.1
    registry.outbox.close_stalled()
    assert connection.close_reason is None
    now[0] += 0.2
    registry.outbox.close_stalled()
    assert connection.close_reason is CloseReason.SLOW_READER


def test_a_backlog_that_moves_is_not_the_end(registry: Registry, now: list[float]):
    connection, writer = connect(registry, "a")
    writer.reading = False
    for _ in range(5):
        registry.write(connection, FRAME)
    while writer.waiting:
        now[0] += STALL_SECONDS - 1
        registry.outbox.close_stalled()
        writer.waiting -= 50
    now[0] += 2 * STALL_SECONDS
    registry.outbox.close_stalled()
    assert connection.close_reason is None


def test_a_finished_writer_that_nobody_reads_is_cut_at_last(registry: Registry, now: list[float]):
    _, writer = connect(registry, "a")
    writer.reading = False
    connect(registry, "a")
    assert writer.finished
    registry.outbox.close_stalled()
    assert not writer.aborted
    now[0] += STALL_SECONDS + 1
    registry.outbox.close_stalled()
    assert writer.aborted
