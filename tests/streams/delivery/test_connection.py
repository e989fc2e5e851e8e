from __future__ import annotations

from streams.delivery.connection import NOTHING_TOLD, Connection, ConnectionSnapshot, Pending, Resume
from tests.streams.builders import Recorder
from tests.streams.clocks import STARTED, WALL_AHEAD, HandClock


def framed(message: bytes) -> bytes:
    """Frame a message, but for one that is too late."""
    return b"" if message == b"late" else b"<%b>" % message


def test_a_connection_begins_untold_and_ungreeted():
    hands = HandClock()
    connection = Connection("a", Recorder(), "10.0.0.1:5000", Resume("1", None), "Lane/2.0", hands.clock)
    assert (connection.connected_at, connection.opened_at) == (WALL_AHEAD + STARTED, STARTED)
    assert (connection.last_activity, connection.active_at) == (connection.connected_at, connection.opened_at)
    assert connection.resume == Resume("1", None)
    assert connection.told is NOTHING_TOLD
    assert (connection.greeted, connection.close_reason, connection.pending) == (False, None, None)


def test_a_snapshot_is_detached():
    hands = HandClock()
    writer = Recorder()
    writer.waiting = 7
    connection = Connection("a", writer, "10.0.0.1:5000", user_agent="Lane/2.0", clock=hands.clock)
    connection.event_count, connection.bytes_written = 3, 100
    connection.active_at += 2
    snapshot = connection.snapshot(hands.turn(5))
    connection.event_count += 1
    at = WALL_AHEAD + STARTED
    assert snapshot == ConnectionSnapshot("a", "10.0.0.1:5000", "Lane/2.0", at, at, 3, 100, 7, 5, 3)


def test_takes_messages_in_batches_each_framed_when_its_turn_comes():
    turns: list[bytes] = []

    def frame(message: bytes) -> bytes:
        turns.append(message)
        return framed(message)

    pending = Pending([b"1", b"2", b"3"], frame, 100)
    assert pending.take(4) == b"<1><2>"
    assert turns == [b"1", b"2"]
    assert pending.take(4) == b"<3>"
    assert pending.take(4) == b""


def test_what_comes_meanwhile_goes_behind_frames_as_they_are():
    pending = Pending([b"1"], framed, 100)
    pending.add(b": heartbeat", is_message=False)
    pending.add(b"2", is_message=True)
    pending.add(b"late", is_message=True)
    assert pending.take(100) == b"<1>: heartbeat<2>"
    assert pending.take(100) == b""


def test_what_comes_meanwhile_takes_room_and_a_replay_does_not():
    pending = Pending([b"x" * 1000], framed, 10)
    pending.add(b"12345", is_message=True)
    assert pending.room_bytes == 5
    pending.add(b"123456", is_message=False)
    assert pending.room_bytes == -1


def test_a_release_lets_out_the_frames_that_waited_then_the_messages():
    pending = Pending([], framed, 10)
    pending.held = True
    pending.add(b": heartbeat", is_message=False)
    pending.release([b"1", b"2"], 10)
    assert not pending.held
    assert pending.room_bytes == 10
    assert pending.take(100) == b": heartbeat<1><2>"
