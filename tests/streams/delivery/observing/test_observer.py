"""What an observer is shown of a pod, and that nothing is shown of clients that are not traced."""

from __future__ import annotations

import pytest

from streams.delivery.connection import Connection
from streams.delivery.observing.observer import Fate, Observer
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.errors import CloseReason
from streams.history.coverage import Gap, GapReason
from tests.streams.builders import Recorder as Writer
from tests.streams.builders import connect, late, message, route
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod


class Notes(Observer):
    """Keeps what it is shown."""

    def __init__(self, *traced: str) -> None:
        self.traced = frozenset(traced)
        self.all: list[object] = []

    def refused(self, connection: Connection, reason: CloseReason) -> None:
        self.all.append((connection.client_name, reason))

    def told(self, connection: Connection, gap: Gap) -> None:
        self.all.append((connection.client_name, gap.reason))

    def replayed(self, connection: Connection, count: int) -> None:
        self.all.append((connection.client_name, count))

    def handled(self, name: str, message: bytes, fate: Fate) -> None:
        self.all.append((name, fate))


def test_observer_of_its_own_notes_nothing(registry: Registry, router: Router):
    connection, _ = connect(registry, "a")
    registry.observer.refused(connection, CloseReason.DRAINING)
    registry.observer.told(connection, Gap(GapReason.EXPIRED, None, 1.0))
    registry.observer.replayed(connection, 1)
    registry.observer.handled("a", message("a", "1"), Fate.WRITTEN)
    route(router, message("a", "1"))
    assert registry.observer.traced == frozenset()


@pytest.mark.parametrize("reason", [CloseReason.DRAINING, CloseReason.OVERLOADED])
def test_observer_is_shown_who_is_refused(registry: Registry, reason: CloseReason):
    notes = registry.observer = Notes()
    registry.refuse(Connection("a", Writer()), [], reason)
    assert notes.all == [("a", reason)]


def test_observer_is_shown_a_newcomer_that_is_turned_away(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    notes = registry.observer = Notes()
    monkeypatch.setattr(registry.duels, "dueling", lambda *_: True)
    connect(registry, "a", "10.0.0.1:1")
    connect(registry, "a", "10.0.0.9:1")
    assert notes.all == []
    registry.probes.settle()
    assert notes.all == [("a", CloseReason.DUEL)]


def test_observer_is_shown_the_gap_before_the_replay(pod: PurePod):
    notes = pod.registry.observer = Notes()
    pod.channel("1", "2")
    pod.connect("a", "never")
    pod.settle()
    pod.live(12)
    pod.settle()
    assert notes.all == [("a", GapReason.POD_STARTED), ("a", 2)]
    pod.connect("b", since=10_000.0)
    assert notes.all[2:] == [("b", GapReason.POD_STARTED)], "nothing is said of a replay that brings nothing"


def test_observer_is_shown_an_event_that_expired_before_it_came(registry: Registry, router: Router):
    notes = registry.observer = Notes("a")
    route(router, late("1", "a"), late("2", "b"))
    assert notes.all == [("a", Fate.EXPIRED)]


def test_observer_is_shown_what_is_replayed_of_a_traced_client(pod: PurePod, hands: HandClock):
    notes = pod.registry.observer = Notes("a")
    route(pod.router, message("a", "1"), message("a", "2", ttlMs=1000), message("b", "3"))
    assert notes.all == [("a", Fate.UNCLAIMED), ("a", Fate.UNCLAIMED)]
    hands.turn(2)
    pod.connect("a", since=5.0)
    pod.connect("b", since=5.0)
    assert notes.all[2:] == [("a", 2), ("a", Fate.REPLAYED), ("a", Fate.EXPIRED), ("b", 1)]


def test_observer_is_shown_what_a_client_has_already(pod: PurePod):
    notes = pod.registry.observer = Notes("a")
    pod.channel("1")
    pod.channel("1")
    pod.connect("a", since=5.0)
    assert notes.all[2:] == [("a", 2), ("a", Fate.REPLAYED), ("a", Fate.REPEATED)]
