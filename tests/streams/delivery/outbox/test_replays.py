"""Replays: what goes out behind them, who may be sent more, and who waits for its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.delivery import outbox
from streams.delivery.outbox import BURST_SECONDS, REPLAY_BATCH_BYTES, Outbox
from streams.errors import CloseReason
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, unwritable
from tests.streams.delivery.outbox.rooms import FRAME, Room, framed
from tests.support.waiting import eventually

LONG = b"y" * (REPLAY_BATCH_BYTES // 2 + 1)


def test_a_short_replay_goes_out_at_once(room: Room):
    connection, writer = room.client()
    room.outbox.replay(connection, [b"1", b"2"], framed)
    assert writer.written == b"<1><2>"
    assert connection.bytes_written == 6
    assert connection.pending is None
    assert room.outbox._replaying == {}
    room.outbox.queue(connection, b"3")
    assert writer.written == b"<1><2>", "nothing is under way that it could go behind"


def test_a_replay_of_nothing_is_over(room: Room):
    connection, writer = room.client()
    room.outbox.replay(connection, [b"late"], lambda _message: b"")
    assert (writer.written, connection.pending) == (b"", None)


def test_a_long_replay_goes_on_when_its_client_has_taken_the_last(room: Room):
    connection, writer = room.client(reading=False)
    room = Room()
    room.outbox = Outbox(room.close, max_backlog_bytes=10**6, stall_seconds=STALL_SECONDS)
    room.outbox.replay(connection, [LONG] * 5, framed)
    assert len(writer.written) == 2 * (len(LONG) + 2)
    assert room.outbox.backlog_bytes() == len(writer.written)
    room.outbox._continue_replay(connection)
    assert len(writer.written) == 2 * (len(LONG) + 2)
    writer.waiting = 0
    room.outbox._continue_replay(connection)
    assert len(writer.written) == 4 * (len(LONG) + 2)


def test_what_comes_during_a_replay_goes_behind_it(room: Room):
    connection, writer = room.client(reading=False)
    room.outbox.replay(connection, [b"1" * 200], framed)
    room.outbox.replay(connection, [b"2"], framed)
    room.outbox.queue(connection, b"3")
    room.outbox.write(connection, b": heartbeat")
    assert b"2" not in writer.written
    writer.reading, writer.waiting = True, 0
    room.outbox._continue_replay(connection)
    assert writer.written.endswith(b"<2><3>: heartbeat")
    assert connection.pending is None


def test_who_lets_too_much_come_behind_a_replay_is_closed(room: Room, now: list[float]):
    connection, _ = room.client(reading=False)
    room.outbox.write(connection, FRAME)
    room.outbox.replay(connection, [b"1"], framed)
    room.outbox.queue(connection, b"x" * MAX_BACKLOG_BYTES)
    now[0] += BURST_SECONDS
    assert room.closed == {}
    room.outbox.queue(connection, b"x")
    assert room.closed == {"a": CloseReason.SLOW_READER}
    assert connection.pending is None


def test_who_takes_a_long_replay_may_be_sent_a_burst_behind_it(room: Room, now: list[float]):
    """The replay goes out no faster than it is let, which is no fault of its client."""
    room.outbox = Outbox(room.close, max_backlog_bytes=REPLAY_BATCH_BYTES, stall_seconds=STALL_SECONDS)
    connection, writer = room.client()
    writer.reading = False
    room.outbox.replay(connection, [LONG] * 6, framed)
    for _ in range(3):
        room.outbox.queue(connection, b"x" * REPLAY_BATCH_BYTES)
        writer.waiting = 0
        room.outbox._continue_replay(connection)
        now[0] += BURST_SECONDS - 0.1
    assert room.closed == {}
    assert room.outbox._excess_bytes > 0
    writer.reading, writer.waiting = True, 0
    room.outbox._continue_replay(connection)
    assert connection.pending is None
    assert room.outbox._excess_bytes == 0


def test_bursts_behind_replays_have_the_same_bound(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "BURST_BYTES", MAX_BACKLOG_BYTES)
    connection, _ = room.client()
    room.outbox.hold(connection, framed)
    room.outbox.write(connection, b"x" * 2 * MAX_BACKLOG_BYTES)
    assert room.closed == {}
    room.outbox.write(connection, b"x")
    assert room.closed == {"a": CloseReason.SLOW_READER}


def test_a_batch_of_a_replay_counts_as_a_backlog(room: Room, now: list[float]):
    connection, _ = room.client(reading=False)
    room.outbox.replay(connection, [b"x" * MAX_BACKLOG_BYTES], framed)
    now[0] += BURST_SECONDS
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.SLOW_READER}


def test_what_is_held_goes_out_behind_the_notice_and_before_the_messages(room: Room):
    connection, writer = room.client()
    room.outbox.hold(connection, framed)
    room.outbox.write(connection, b": heartbeat")
    room.outbox.queue(connection, b"live")
    room.outbox._continue_replay(connection)
    assert writer.written == b""
    room.outbox.release(connection, b"gap", [b"1", b"live"])
    assert writer.written == b"gap: heartbeat<1><live>"
    assert connection.bytes_written == len(writer.written)
    room.outbox.release(connection, b"gap", [b"1"])
    assert writer.written == b"gap: heartbeat<1><live>", "it is not held any more"


def test_a_release_without_a_notice(room: Room):
    connection, writer = room.client()
    room.outbox.hold(connection, framed)
    room.outbox.release(connection, b"", [])
    assert (writer.written, connection.pending) == (b"", None)


def test_who_does_not_read_the_notice_of_a_release_is_closed(room: Room, now: list[float]):
    connection, _ = room.client(reading=False)
    room.outbox.hold(connection, framed)
    room.outbox.release(connection, b"gap", [b"1"])
    now[0] += STALL_SECONDS
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.SLOW_READER}


@contextmanager
def running(outbox: Outbox) -> Iterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()


@pytest.mark.parametrize("start", ["replay", "release"])
async def test_replays_go_on_while_the_outbox_runs(room: Room, start: str):
    early, early_writer = room.client("early", reading=False)
    room.outbox.write(early, b"1")
    room.outbox.replay(early, [b"2"], framed)
    with running(room.outbox):
        await asyncio.sleep(0)
        early_writer.reading, early_writer.waiting = True, 0
        await eventually("a replay", lambda: early.pending is None)
        # The task sleeps now, until a replay begins.
        await asyncio.sleep(0)
        connection, writer = room.client(reading=False)
        room.outbox.write(connection, b"1")
        if start == "replay":
            room.outbox.replay(connection, [b"2"], framed)
        else:
            room.outbox.hold(connection, framed)
            room.outbox.release(connection, b"", [b"2"])
        assert writer.written == b"1"
        writer.reading, writer.waiting = True, 0
        await eventually("a replay", lambda: connection.pending is None)
    assert writer.written == b"1<2>"


async def test_a_replay_that_fails_is_the_end_of_its_client_alone(room: Room, caplog: pytest.LogCaptureFixture):
    bad, bad_writer = room.client("bad", reading=False)
    good, good_writer = room.client("good", reading=False)
    for connection in (bad, good):
        room.outbox.write(connection, b"1")
        room.outbox.replay(connection, [b"2"], framed)
    unwritable(bad_writer)
    bad_writer.waiting = good_writer.waiting = 0
    good_writer.reading = True
    with running(room.outbox):
        await eventually("a replay", lambda: good.pending is None)
    assert room.closed == {"bad": CloseReason.FAILED}
    assert good_writer.written == b"1<2>"
    assert "bad" in caplog.text
