"""What becomes of the events of clients that are traced."""

from __future__ import annotations

import pytest

from streams.delivery.observing.observer import Fate, Observer
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.errors import CloseReason
from tests.streams.builders import MAX_BACKLOG_BYTES, connect, message, route, unwritable


class Notes(Observer):
    def __init__(self, *traced: str) -> None:
        self.traced = frozenset(traced)
        self.fates: list[tuple[str, Fate]] = []

    def handled(self, name: str, message: bytes, fate: Fate) -> None:
        self.fates.append((name, fate))


@pytest.fixture
def notes(registry: Registry) -> Notes:
    notes = registry.observer = Notes("a", "b")
    return notes


def test_fates_are_those_of_traced_clients_alone(registry: Registry, router: Router, notes: Notes):
    connect(registry, "a")
    connect(registry, "other")
    route(router, message("other", "1"), message("nobody", "2"))
    assert notes.fates == []
    route(router, message("other", "3"), message("a", "4"), message("b", "5"), message("a", None))
    assert notes.fates == [("a", Fate.WRITTEN), ("b", Fate.UNCLAIMED), ("a", Fate.WRITTEN)]


def test_fates_of_a_client_that_is_not_greeted_yet(registry: Registry, router: Router, notes: Notes):
    registry.subscribed = False
    connect(registry, "a")
    route(router, message("a", "1"))
    assert notes.fates == [("a", Fate.UNCLAIMED)]


def test_fate_of_what_is_published_again_is_repeated(registry: Registry, router: Router, notes: Notes):
    connect(registry, "a")
    route(router, message("a", "1"), message("a", "1"))
    assert [fate for _, fate in notes.fates] == [Fate.WRITTEN, Fate.REPEATED]
    route(router, message("a", "1"), message("a", "2"))
    assert [fate for _, fate in notes.fates[2:]] == [Fate.REPEATED, Fate.WRITTEN]


def test_fate_of_what_its_client_has_not_taken_is_waiting(registry: Registry, router: Router, notes: Notes):
    _, writer = connect(registry, "a")
    writer.reading = False
    route(router, message("a", "1"))
    assert notes.fates == [("a", Fate.WAITING)]


def test_fate_of_what_comes_behind_a_replay_is_waiting(registry: Registry, router: Router, notes: Notes):
    connection, _ = connect(registry, "a")
    registry.outbox.hold(connection, router.framing(connection))
    route(router, message("a", "1"))
    assert notes.fates == [("a", Fate.WAITING)]


def test_fate_of_what_ended_its_stream_is_cut(registry: Registry, router: Router, notes: Notes):
    _, writer = connect(registry, "a")
    unwritable(writer, b"boom")
    connection, _ = connect(registry, "b")
    route(router, message("a", "1", data="boom"), message("b", "2"))
    assert notes.fates == [("a", Fate.CUT), ("b", Fate.WRITTEN)]
    assert connection.close_reason is None


def test_fate_does_not_say_written_of_a_slow_reader_that_is_closed(
    registry: Registry, router: Router, notes: Notes, monkeypatch: pytest.MonkeyPatch
):
    connection, writer = connect(registry, "a")
    writer.reading, writer.waiting = False, 10 * MAX_BACKLOG_BYTES
    monkeypatch.setattr("streams.delivery.outbox.BURST_SECONDS", 0.0)
    route(router, message("a", "1"))
    assert connection.close_reason is CloseReason.SLOW_READER
    assert notes.fates == [("a", Fate.CUT)]
