"""When clients are greeted, and that one that cannot be leaves the others alone."""

from __future__ import annotations

import pytest

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from tests.streams.builders import connect, make_registry


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


def test_whoever_wires_the_pod_is_told_of_each_connection(registry: Registry):
    told: list[str] = []
    registry.on_open = lambda connection: told.append(f"open {connection.client_name}")
    registry.on_greeted = lambda connection: told.append(f"greeted {connection.client_name}")
    registry.on_close = lambda connection: told.append(f"close {connection.client_name}")
    connection, _ = connect(registry, "a")
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert told == ["open a", "greeted a", "close a"]
    registry.subscribed = False
    connect(registry, "b")
    assert told[3:] == ["open b"]
    registry.subscribed = True
    registry.greet_waiting(1)
    assert told[4:] == ["greeted b"]


def test_those_who_wait_are_greeted_some_at_a_time_in_the_order_in_which_they_came():
    registry = make_registry(subscribed=False)
    writers = [connect(registry, name)[1] for name in "abc"]
    registry.subscribed = True
    assert registry.greet_waiting(2)
    assert [len(writer.events) for writer in writers] == [1, 1, 0]
    assert not registry.greet_waiting(2)
    assert [len(writer.events) for writer in writers] == [1, 1, 1]


def test_who_cannot_be_greeted_is_closed_and_the_others_are_greeted(caplog: pytest.LogCaptureFixture):
    registry = make_registry(subscribed=False)
    clients = [connect(registry, name) for name in "abc"]
    greeted: list[Connection] = []

    def greet(connection: Connection) -> None:
        if connection.client_name == "b":
            raise RuntimeError("no replay")
        greeted.append(connection)

    registry.on_greeted = greet
    registry.subscribed = True
    assert not registry.greet_waiting(1000)
    assert greeted == [clients[0][0], clients[2][0]]
    assert clients[1][0].close_reason is CloseReason.FAILED
    assert clients[1][1].aborted
    assert "The stream of b failed" in caplog.text
