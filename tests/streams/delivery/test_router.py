from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery import outbox
from streams.delivery.observing.observer import Fate
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.errors import CloseReason
from streams.wire.complaints import Fault
from streams.wire.timestamps import iso
from tests.streams.builders import (
    MAX_EVENT_BYTES,
    connect,
    late,
    make_registry,
    make_router,
    message,
    route,
    unwritable,
)
from tests.streams.clocks import HandClock


def test_each_client_gets_its_own_in_order(registry: Registry, router: Router):
    _, a = connect(registry, "a")
    _, b = connect(registry, "b")
    route(router, message("a", "1"), message("b", "2"), message("a", "3"), message("c", "4"), message("A", "5"))
    route(router, message("b", "6"))
    assert (a.ids, b.ids) == (["1", "3"], ["2", "6"])
    assert (router.received, router.delivered, router.foreign, router.complaints.counts[Fault.UNUSABLE]) == (6, 4, 2, 0)


def test_counts_what_a_connection_was_sent(registry: Registry, router: Router):
    connection, _ = connect(registry, "a")
    connected_at, opened_at = connection.last_activity, connection.active_at
    route(router, message("a", "1"), message("a", "2"))
    assert connection.event_count == 2
    assert (connection.last_activity, connection.active_at) > (connected_at, opened_at)


def test_router_shows_the_events_of_a_traced_client_and_no_others(registry: Registry, router: Router):
    shown: list[tuple[str, Fate]] = []
    registry.observer.handled = lambda name, message, fate: shown.append((name, fate))  # type: ignore[method-assign]
    connect(registry, "a")
    connect(registry, "b")
    route(router, message("a", "1"))
    registry.observer.traced = frozenset({"a"})
    route(router, message("b", "2"), message("c", "3"))
    assert shown == []
    route(router, message("b", "4"), message("a", "5"), late("6"), late("7", "b"))
    assert shown == [("a", Fate.EXPIRED), ("a", Fate.WRITTEN)]


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
    assert (router.received, router.delivered, router.complaints.counts[Fault.UNUSABLE], router.foreign) == (8, 3, 5, 0)


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


def test_a_slow_client_holds_up_nobody(registry: Registry, router: Router, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "BURST_SECONDS", 0.0)
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
    assert writer.ids.count("1") == min(good, 1), "the others are retries of it"
    assert router.repeated == max(0, good - 1)


def test_an_event_that_comes_too_late_is_counted_and_goes_to_nobody(registry: Registry, router: Router):
    _, a = connect(registry, "a")
    route(router, late("1"), message("a", "2"), late("3"))
    assert a.ids == ["2"]
    assert (router.expired, router.delivered, router.foreign) == (2, 1, 0)


def test_the_delay_of_an_event_is_seen_once_for_those_that_were_read_with_it(registry: Registry):
    hands = HandClock()
    router = make_router(registry, hands.clock)
    connect(registry, "a")
    timestamp = iso(hands.clock.wall() - 0.5)
    route(router, *(json.dumps({"clientName": "a", "timestamp": timestamp}).encode() for _ in range(3)))
    assert sum(router.delays.counts) == 1
    assert router.delays.sum_seconds == pytest.approx(0.5, abs=0.002)
    route(router, message("a", "1"))
    assert sum(router.delays.counts) == 1


def test_a_name_that_no_client_can_have_is_counted_apart_and_named(router: Router, caplog: pytest.LogCaptureFixture):
    route(router, message("a b", "1"), message("a", "2"), b"unusable")
    assert (router.received, router.foreign) == (3, 1)
    assert router.complaints.counts == {Fault.MISNAMED: 1, Fault.UNUSABLE: 1}
    assert "clientName holds ' ': 'a b'" in caplog.text


def test_a_deadline_that_cannot_be_read_is_counted_named_and_delivered(
    registry: Registry, router: Router, caplog: pytest.LogCaptureFixture
):
    _, a = connect(registry, "a")
    route(router, b'{"clientName":"a","eventId":"1","ttlMs":"5000"}', message("a", "2"))
    assert a.ids == ["1", "2"]
    assert router.complaints.counts == {Fault.NO_DEADLINE: 1}
    assert "ttlMs is no number of milliseconds: '5000'" in caplog.text


def test_a_client_whose_writer_fails_is_closed_and_the_others_get_theirs(registry: Registry, router: Router):
    broken, broken_writer = connect(registry, "a")
    _, b = connect(registry, "b")
    unwritable(broken_writer)
    route(router, message("a", "1"), message("b", "2"))
    assert broken.close_reason is CloseReason.FAILED
    assert b.ids == ["2"]
    assert router.complaints.counts[Fault.UNUSABLE] == 0


def test_each_event_that_is_sent_is_named_in_the_debug_log(
    registry: Registry, router: Router, caplog: pytest.LogCaptureFixture
):
    connect(registry, "a")
    with caplog.at_level(logging.DEBUG, "sse.sse"):
        caplog.clear()
        route(router, message("a", "1"), message("a", "2"))
    assert caplog.messages == ["Event #2 sent to a"]
