"""Who does not read, and when that is the end of its connection."""

from __future__ import annotations

import pytest

from streams.delivery import outbox
from streams.delivery.connection import Connection
from streams.delivery.outbox import BURST_SECONDS
from streams.errors import CloseReason
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS
from tests.streams.delivery.outbox.rooms import FRAME, Room


def test_a_frame_goes_out_at_once(room: Room):
    connection, writer = room.client()
    room.outbox.write(connection, FRAME)
    assert (writer.written, connection.bytes_written) == (FRAME, 100)
    assert room.outbox.backlog_bytes() == 0


def fill(room: Room, connection: Connection) -> None:
    """Let as much wait for a client that does not read as may."""
    for _ in range(MAX_BACKLOG_BYTES // len(FRAME)):
        room.outbox.write(connection, FRAME)


def test_who_lets_too_much_wait_is_closed(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    fill(room, connection)
    now[0] += BURST_SECONDS
    assert room.outbox.backlog_bytes() == MAX_BACKLOG_BYTES
    assert room.closed == {}
    room.outbox.write(connection, FRAME)
    assert room.closed == {"a": CloseReason.SLOW_READER}
    assert writer.aborted
    assert room.outbox.backlog_bytes() == 0
    room.outbox.write(connection, FRAME)
    room.outbox.close_stalled()
    assert room.outbox.backlog_bytes() == 0, "who is closed is not watched any more"


def test_who_had_no_time_to_read_a_burst_is_not_closed(room: Room, now: list[float]):
    """One that was behind a little before, and takes the burst as soon as it can."""
    connection, writer = room.client(reading=False)
    room.outbox.write(connection, FRAME)
    now[0] += 1
    writer.waiting = 0
    for _ in range(3):
        room.outbox.write(connection, b"x" * MAX_BACKLOG_BYTES)
    assert room.closed == {}
    now[0] += 0.1
    writer.waiting = 10
    room.outbox.close_stalled()
    assert room.outbox._excess_bytes == 0, "the room of the burst is given back"
    now[0] += BURST_SECONDS
    room.outbox.close_stalled()
    assert room.closed == {}


def test_who_does_not_read_a_burst_in_time_is_closed(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    room.outbox.write(connection, b"x" * 3 * MAX_BACKLOG_BYTES)
    now[0] += BURST_SECONDS - 0.01
    # Some of it is not all of it.
    writer.waiting -= MAX_BACKLOG_BYTES
    room.outbox.close_stalled()
    assert room.closed == {}
    now[0] += 0.01
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.SLOW_READER}


def test_bursts_have_a_bound_for_all_together(room: Room, now: list[float], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "BURST_BYTES", 2 * MAX_BACKLOG_BYTES)
    clients = {name: room.client(name, reading=False)[0] for name in ("a", "b", "c")}
    for connection in clients.values():
        room.outbox.write(connection, b"x" * 2 * MAX_BACKLOG_BYTES)
    assert room.closed == {"c": CloseReason.SLOW_READER}, "for the third there was no room"
    room.outbox.write(clients["a"], b"x")
    assert room.closed.keys() == {"a", "c"}
    room.outbox.write(clients["b"], b"x")
    assert room.closed.keys() == {"a", "c"}, "there is again"
    room.close(clients["b"], CloseReason.OPERATOR)
    assert (room.outbox._excess, room.outbox._excess_bytes) == ({}, 0)


def test_who_takes_nothing_for_too_long_is_closed(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    room.outbox.write(connection, FRAME)
    now[0] += STALL_SECONDS / 2
    room.outbox.write(connection, FRAME)
    writer.waiting -= 50
    room.outbox.close_stalled()
    now[0] += STALL_SECONDS - 0.1
    room.outbox.close_stalled()
    assert room.closed == {}, "it took something in between"
    now[0] += 0.1
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.SLOW_READER}


def test_more_that_waits_is_no_sign_of_life(room: Room, now: list[float]):
    connection, _ = room.client(reading=False)
    for _ in range(2):
        room.outbox.write(connection, FRAME)
        now[0] += STALL_SECONDS / 2
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.SLOW_READER}


def test_whose_machine_is_silent_is_a_dead_peer(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    room.outbox.write(connection, FRAME)
    now[0] += STALL_SECONDS
    writer.silent = STALL_SECONDS
    room.outbox.close_stalled()
    assert room.closed == {"a": CloseReason.DEAD_PEER}


def test_who_has_taken_all_is_not_watched(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    room.outbox.write(connection, FRAME)
    writer.waiting = 0
    room.outbox.close_stalled()
    writer.waiting = 5
    assert room.outbox.backlog_bytes() == 0
    now[0] += 10 * STALL_SECONDS
    room.outbox.close_stalled()
    assert room.closed == {}


def test_finish_writes_the_farewell_and_ends_after_it(room: Room):
    connection, writer = room.client()
    room.outbox.finish(connection, b"bye")
    assert (writer.written, writer.finished) == (b"bye", True)
    connection, writer = room.client()
    room.outbox.finish(connection, None)
    assert (writer.written, writer.finished) == (b"", True)


def test_who_does_not_take_the_end_is_cut(room: Room, now: list[float]):
    connection, writer = room.client(reading=False)
    room.outbox.finish(connection, b"bye")
    _, taken = other = room.client("b", reading=False)
    room.outbox.finish(other[0], b"bye")
    taken.waiting = 0
    now[0] += STALL_SECONDS - 0.1
    room.outbox.close_stalled()
    assert not writer.aborted
    now[0] += 0.1
    room.outbox.close_stalled()
    room.outbox.close_stalled()
    assert (writer.aborted, taken.aborted) == (True, False)
    assert room.outbox._finishing == {}
