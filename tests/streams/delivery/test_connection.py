from __future__ import annotations

from streams.delivery.connection import NOTHING_TOLD, Connection, ConnectionSnapshot, Pending, Resume, both
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


def test_the_facts_say_who_took_the_name_once_somebody_did():
    connection = Connection("a", Recorder(), "10.0.0.1:5000", user_agent="Lane/2.0")
    facts = connection.facts()
    assert facts == {"clientName": "a", "address": "10.0.0.1:5000", "userAgent": "Lane/2.0"}
    connection.evicted_by = "pod-2"
    assert connection.facts() == {**facts, "evictedBy": "pod-2"}


def test_takes_messages_in_batches_each_framed_when_its_turn_comes():
    turns: list[bytes] = []

    def frame(message: bytes) -> bytes:
        turns.append(message)
        return framed(message)

    pending = Pending([b"1", b"2", b"3"], frame, 5.0)
    assert pending.take(4) == b"<1><2>"
    assert turns == [b"1", b"2"]
    assert pending.take(4) == b"<3>"
    assert pending.take(4) == b""


def test_what_comes_meanwhile_goes_behind_frames_as_they_are():
    pending = Pending([b"1"], framed, 5.0)
    pending.add(b": heartbeat", is_message=False)
    pending.add(b"2", is_message=True)
    pending.add(b"late", is_message=True)
    assert pending.take(100) == b"<1>: heartbeat<2>"
    assert pending.take(100) == b""


def test_what_comes_meanwhile_waits_until_it_is_taken_and_a_replay_does_not_count():
    pending = Pending([b"x" * 1000], framed, 5.0)
    assert (pending.waiting_bytes, pending.taken_at) == (0, 5.0)
    pending.add(b"12345", is_message=True)
    pending.add(b"123456", is_message=False)
    assert pending.waiting_bytes == 11
    pending.take(1000)
    assert pending.waiting_bytes == 11
    pending.take(1)
    assert pending.waiting_bytes == 6
    pending.take(100)
    assert pending.waiting_bytes == 0


def test_a_release_lets_out_the_frames_that_waited_then_the_messages():
    pending = Pending([], framed, 5.0)
    pending.held = True
    pending.add(b": heartbeat", is_message=False)
    pending.release([b"1", b"2"], 6.0)
    assert (pending.held, pending.taken_at) == (False, 6.0)
    assert pending.take(100) == b": heartbeat<1><2>"
    assert pending.waiting_bytes == 0


def test_an_origin_is_of_a_host_and_what_the_client_calls_itself():
    def origin(address: str, user_agent: str) -> str:
        return Connection("a", Recorder(), address, user_agent=user_agent).origin

    assert origin("10.0.0.1:5000", "Lane/2.0") == origin("10.0.0.1:6000", "Lane/2.0")
    assert len({origin(host, agent) for host in ("10.0.0.1:5", "[::1]:5") for agent in ("Lane/2.0", "", "\udc80")}) == 6
    assert origin("", "Lane/2.0") == ""


def test_both_are_called_one_after_the_other():
    called: list[tuple[str, Connection]] = []
    connection = Connection("a", Recorder())
    both(lambda each: called.append(("first", each)), lambda each: called.append(("second", each)))(connection)
    assert called == [("first", connection), ("second", connection)]
