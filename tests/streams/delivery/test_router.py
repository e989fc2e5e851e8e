from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.registry import Registry
from streams.delivery.router import Router
from tests.streams.builders import MAX_EVENT_BYTES, connect, make_registry, make_router, route
from tests.streams.clocks import HandClock


@pytest.fixture
def registry() -> Registry:
    return make_registry()


@pytest.fixture
def router(registry: Registry) -> Router:
    return make_router(registry)


def message(name: str, event_id: str) -> bytes:
    return json.dumps({"clientName": name, "eventId": event_id}).encode()


def test_each_client_gets_its_own_in_order(registry: Registry, router: Router):
    _, a = connect(registry, "a")
    _, b = connect(registry, "b")
    route(router, message("a", "1"), message("b", "2"), message("a", "3"), message("c", "4"), message("A", "5"))
    route(router, message("b", "6"))
    assert (a.ids, b.ids) == (["1", "3"], ["2", "6"])
    assert (router.received, router.delivered, router.foreign, router.unusable) == (6, 4, 2, 0)


def test_counts_what_a_connection_was_sent(registry: Registry, router: Router):
    connection, _ = connect(registry, "a")
    opened_at = connection.last_activity
    route(router, message("a", "1"), message("a", "2"))
    assert connection.event_count == 2
    assert connection.last_activity >= opened_at


def test_unusable_messages_are_counted_and_skipped(registry: Registry, router: Router):
    _, a = connect(registry, "a")
    route(
        router,
        b"",
        message("a", "1"),
        b'{"clientName":5}',
        b'{"clientName":"a","data":"\xff"}',
        message("a", "2"),
        b"x" * (MAX_EVENT_BYTES + 1),
        b"[" * MAX_EVENT_BYTES,
        message("a", "3"),
    )
    assert a.ids == ["1", "2", "3"]
    assert (router.received, router.delivered, router.unusable, router.foreign) == (8, 3, 5, 0)


def test_unusable_messages_are_logged_once_a_second(registry: Registry, caplog: pytest.LogCaptureFixture):
    hands = HandClock()
    router = make_router(registry, hands.clock)
    with caplog.at_level(logging.DEBUG, "sse"):
        for _ in range(1000):
            route(router, b"x" * 300)
        assert len(caplog.records) == 1
        hands.turn(1.1)
        route(router, b"\n" * 300)
    assert len(caplog.records) == 2
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert "1000" in caplog.messages[1], "the line says how many there were"
    assert all(len(text) < 500 and "\n" not in text for text in caplog.messages)


def test_an_event_for_nobody_here_is_normal(router: Router, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "sse"):
        route(router, message("X", "1"))
    assert caplog.messages == []
    with caplog.at_level(logging.DEBUG, "sse"):
        route(router, message("X", "1"))
    assert caplog.messages == ["Client X not on this pod (pod-1) - ignoring"]


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "x" * 2000])
def test_a_name_does_not_break_or_fill_the_log(router: Router, caplog: pytest.LogCaptureFixture, name: str):
    with caplog.at_level(logging.DEBUG, "sse"):
        route(router, message(name, "1"))
    assert all(len(text) < 500 and "\n" not in text and "\r" not in text for text in caplog.messages)


def test_a_slow_client_holds_up_nobody(registry: Registry, router: Router):
    _, slow = connect(registry, "slow")
    _, quick = connect(registry, "quick")
    slow.reading = False
    for number in range(100):
        route(router, message("slow", str(number)), message("quick", str(number)))
    assert slow.aborted
    assert registry.get("slow") is None
    assert quick.ids == [str(number) for number in range(100)]


@given(st.lists(st.binary(max_size=60) | st.just(b'{"clientName":"a","eventId":"1"}')))
def test_never_raises_and_never_loses_a_good_one(messages: list[bytes]):
    registry = make_registry()
    router = make_router(registry)
    _, writer = connect(registry, "a")
    good = messages.count(b'{"clientName":"a","eventId":"1"}')
    route(router, *messages)
    assert router.received == len(messages)
    assert router.delivered >= good
    assert writer.ids.count("1") == good
