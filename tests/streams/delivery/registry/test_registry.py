from __future__ import annotations

import logging

import pytest

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from tests.streams.builders import FRAME, Recorder, connect, make_registry
from tests.streams.clocks import HandClock


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


def test_the_end_of_a_connection_that_is_not_in_removes_nobody(registry: Registry):
    connection, _ = connect(registry, "a")
    registry.close(Connection("a", Recorder(), "10.0.0.1:5000"), CloseReason.CLIENT_CLOSED)
    assert registry.get("a") is connection


@pytest.mark.parametrize("reason", list(CloseReason))
def test_every_end_leaves_nothing_and_has_one_reason(registry: Registry, reason: CloseReason):
    connection, writer = connect(registry, "a")
    registry.close(connection, reason)
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert connection.close_reason is reason
    assert registry.turnover.closed == {reason: 1}
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


def test_counts_bytes_across_connections_that_ended(registry: Registry):
    connection, writer = connect(registry, "a")
    registry.write(connection, FRAME)
    assert len(FRAME) <= registry.bytes_total() <= len(writer.written)
    before = registry.bytes_total()
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert registry.bytes_total() == before
    assert registry.turnover.opened == 1


def test_a_snapshot_is_detached(registry: Registry):
    connection, _ = connect(registry, "a")
    snapshot = connection.snapshot(0.0)
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


def test_lines_of_a_connection_are_found_by_its_facts(registry: Registry, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "sse"):
        older = Connection("a", Recorder(), "10.0.0.1:5000", user_agent="Lane/2.0")
        registry.open(older, [])
        older.event_count = 3
        registry.open(Connection("a", Recorder(), "10.0.0.2:5000", user_agent="Lane/3.0"), [])
    opened, closed, opened_again = (record.fields for record in caplog.records)  # type: ignore[attr-defined]
    assert opened == {"clientName": "a", "address": "10.0.0.1:5000", "userAgent": "Lane/2.0"}
    assert closed.pop("seconds") >= 0
    assert closed == {**opened, "reason": "evicted", "events": 3, "evictedBy": "pod-1 10.0.0.2:5000"}
    assert opened_again["address"] == "10.0.0.2:5000"


def test_a_connection_is_not_opened_by_being_made(registry: Registry):
    Connection("a", Recorder())
    assert len(registry) == 0


# Who may come in


def test_who_is_refused_is_told_why_and_is_never_in(registry: Registry):
    opened: list[Connection] = []
    registry.on_open = opened.append
    writer = Recorder()
    connection = Connection("a", writer, "10.0.0.1:5000")
    registry.refuse(connection, [(b"X", b"y")], CloseReason.OVERLOADED)
    assert writer.headers == [(b"X", b"y")]
    assert (writer.types, writer.finished) == (["overloaded"], True)
    assert (len(registry), registry.turnover.opened, registry.count_from("10.0.0.1:1")) == (0, 0, 0)
    assert registry.turnover.closed == {CloseReason.OVERLOADED: 1}
    assert [end.client_name for end in registry.turnover.ended] == ["a"]
    assert opened == []


def test_connections_are_counted_by_their_host(registry: Registry):
    addresses = {"a": "h:1", "b": "h:2", "c": "[::1]:3"}
    connections = [Connection(name, Recorder(), address) for name, address in addresses.items()]
    for connection in connections:
        registry.open(connection, [])
    assert [registry.count_from(address) for address in ("h:9", "[::1]:9", "other:9")] == [2, 1, 0]
    registry.close(connections[0], CloseReason.CLIENT_CLOSED)
    assert registry.count_from("h:9") == 1
    registry.close(connections[1], CloseReason.CLIENT_CLOSED)
    assert registry.count_from("h:9") == 0
    assert list(registry._hosts) == ["[::1]"], "nothing is kept of who has left"


def test_an_end_is_noted_with_its_reason(registry: Registry):
    connection, _ = connect(registry, "a")
    registry.close(connection, CloseReason.OPERATOR)
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert [(end.client_name, end.reason) for end in registry.turnover.ended] == [("a", CloseReason.OPERATOR)]


def test_a_writer_that_cannot_be_ended_does_not_keep_its_connection(
    registry: Registry, caplog: pytest.LogCaptureFixture
):
    connection, writer = connect(registry, "a")

    def refuse() -> None:
        raise OSError("the socket is gone")

    writer.finish = refuse  # type: ignore[method-assign]
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert len(registry) == 0
    assert "did not end cleanly" in caplog.text


# How long


def test_streams_of_one_age_end_over_the_last_part_of_their_time():
    hands = HandClock()
    registry = make_registry(clock=hands.clock)
    for number in range(200):
        registry.open(Connection(f"old{number}", Recorder(), clock=hands.clock), [])
    hands.turn(50)
    registry.open(Connection("young", Recorder(), clock=hands.clock), [])
    hands.turn(29)
    registry.close_aged(100, hands.now)
    assert registry.turnover.closed == {}
    left = []
    for _ in range(21):
        hands.turn(1)
        registry.close_aged(100, hands.now)
        left.append(len(registry))
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 10, "not all at once"
    assert [connection.client_name for connection in registry] == ["young"]
    assert registry.turnover.closed == {CloseReason.MAX_LIFE: 200}
    registry.close_aged(10, hands.now)
    assert len(registry) == 0


@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_a_clock_that_is_set_changes_no_age(step: float, hands: HandClock, caplog: pytest.LogCaptureFixture):
    registry = make_registry(clock=hands.clock)
    connection = Connection("a", Recorder(), clock=hands.clock)
    registry.open(connection, [])
    hands.set_wall(step)
    hands.turn(5)
    registry.close_aged(100, hands.now)
    assert (connection.close_reason, connection.snapshot(hands.now).open_seconds) == (None, 5)
    hands.turn(95)
    with caplog.at_level(logging.INFO, "sse"):
        registry.close_aged(100, hands.now)
    (end,) = registry.turnover.ended
    assert (end.reason, end.open_seconds, end.ended_at) == (CloseReason.MAX_LIFE, 100, hands.clock.wall())
    assert "after 100.0 s" in caplog.text
