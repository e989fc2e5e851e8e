from __future__ import annotations

import pytest

from streams.delivery.connection import Connection
from streams.delivery.duels.probes import ANSWER_SECONDS
from streams.delivery.registry import HELD_SECONDS, Registry
from streams.errors import CloseReason
from tests.streams.builders import Recorder, connect, make_registry, unwritable
from tests.streams.clocks import HandClock


def test_a_name_that_is_evicted_too_often_is_kept_by_who_has_it(registry: Registry, caplog: pytest.LogCaptureFixture):
    for _ in range(5):
        connect(registry, "a")
    incumbent, incumbent_writer = connect(registry, "a")
    newcomer, newcomer_writer = connect(registry, "a")
    assert newcomer_writer.headers is not None
    assert newcomer_writer.written == b"", "it waits for the incumbent's answer"
    registry.probes.settle()
    assert registry.get("a") is incumbent
    assert not incumbent_writer.finished
    assert newcomer.close_reason is CloseReason.DUEL
    assert newcomer_writer.types == ["evicted"]
    assert newcomer_writer.events[0].json()["reason"] == "duel"
    assert newcomer_writer.finished
    assert "Duel for a" in caplog.text


class Store:
    """A registry of one pod on a hand clock, to which devices come."""

    def __init__(self) -> None:
        self.hands = HandClock()
        self.registry = make_registry(clock=self.hands.clock)
        self.told: list[str] = []
        self.registry.on_greeted = lambda connection: self.told.append(f"greeted {connection.user_agent}")
        self.registry.on_close = lambda connection: self.told.append(f"closed {connection.user_agent}")

    def come(self, device: str) -> tuple[Connection, Recorder]:
        return connect(self.registry, "a", "10.0.0.1:5000", user_agent=device, clock=self.hands.clock)

    def fight(self) -> tuple[Connection, Recorder]:
        """Let two polite devices take turns until one of them has the name again; return its connection."""
        self.come("one")
        self.hands.turn(40)
        self.come("other")
        self.hands.turn(40)
        incumbent = self.come("one")
        self.hands.turn(40)
        return incumbent


def test_two_polite_devices_are_found_at_their_third_turn(caplog: pytest.LogCaptureFixture):
    store = Store()
    incumbent, incumbent_writer = store.fight()
    del store.told[:]
    for _ in range(3):
        newcomer, writer = store.come("other")
        store.hands.turn(0.125)
        store.registry.probes.settle()
        assert newcomer.close_reason is CloseReason.DUEL
        assert writer.types == ["evicted"]
        store.hands.turn(45)
    assert store.registry.get("a") is incumbent
    assert not incumbent_writer.finished
    assert store.told == [], "no replay for who is turned away, and nothing is forgotten of who stays"
    assert store.registry.turnover.closed == {CloseReason.EVICTED: 2, CloseReason.DUEL: 3}
    assert "Duel for a: 10.0.0.1:5000 (one) holds it and 10.0.0.1:5000 (other) asks for it" in caplog.text


def test_a_device_that_takes_its_name_back_here_is_greeted_at_once():
    """It comes at the very moment at which it was asked to; the name is nowhere else."""
    store = Store()
    first, _ = store.come("one")
    store.hands.turn(5)
    store.come("one")
    (turn,) = store.registry.duels._turns["a"]
    store.hands.turn(turn.due - store.hands.now)
    back, writer = store.come("one")
    assert first.close_reason is CloseReason.EVICTED
    assert writer.types == ["message"]
    assert back.greeted


def test_an_incumbent_that_does_not_answer_gives_way():
    store = Store()
    incumbent, incumbent_writer = store.fight()
    newcomer, writer = store.come("other")
    incumbent_writer.silent = 100.0
    store.hands.turn(ANSWER_SECONDS)
    store.registry.probes.settle()
    assert incumbent.close_reason is CloseReason.DEAD_PEER
    assert store.registry.get("a") is newcomer
    assert writer.types == ["message"]
    assert newcomer.greeted
    assert len(store.registry) == store.registry.count_from("10.0.0.1:1") == 1


def test_the_last_of_several_newcomers_has_the_name_of_one_that_does_not_answer():
    store = Store()
    _, incumbent_writer = store.fight()
    incumbent_writer.silent = 100.0
    first, first_writer = store.come("other")
    last, _ = store.come("other")
    store.hands.turn(ANSWER_SECONDS)
    store.registry.probes.settle()
    assert store.registry.get("a") is last
    assert first.close_reason is CloseReason.EVICTED
    assert first_writer.types == ["message", "evicted"]


def test_a_newcomer_may_leave_before_it_is_known_whether_the_incumbent_answers():
    store = Store()
    incumbent, _ = store.fight()
    newcomer, writer = store.come("other")
    del store.told[:]
    store.registry.close(newcomer, CloseReason.CLIENT_CLOSED)
    store.hands.turn(0.125)
    store.registry.probes.settle()
    assert (newcomer.close_reason, writer.written) == (CloseReason.CLIENT_CLOSED, b"")
    assert store.registry.get("a") is incumbent
    assert store.registry.count_from("10.0.0.1:1") == 1
    assert store.told == []


def test_a_newcomer_is_greeted_once_the_pod_hears_the_channel():
    store = Store()
    incumbent, _ = store.fight()
    _, writer = store.come("other")
    store.registry.close(incumbent, CloseReason.CLIENT_CLOSED)
    store.registry.subscribed = False
    store.registry.probes.settle()
    assert writer.written == b""
    store.registry.subscribed = True
    store.registry.greet_waiting(1)
    assert writer.types == ["message"]


def test_a_newcomer_that_cannot_be_greeted_is_closed(caplog: pytest.LogCaptureFixture):
    store = Store()
    incumbent, _ = store.fight()
    newcomer, writer = store.come("other")
    unwritable(writer)
    store.registry.close(incumbent, CloseReason.CLIENT_CLOSED)
    store.registry.probes.settle()
    assert newcomer.close_reason is CloseReason.FAILED
    assert len(store.registry) == 0


def test_an_incumbent_that_cannot_be_written_to_gives_way(caplog: pytest.LogCaptureFixture):
    store = Store()
    incumbent, writer = store.fight()
    unwritable(writer)
    newcomer, _ = store.come("other")
    assert incumbent.close_reason is CloseReason.FAILED
    store.registry.probes.settle()
    assert store.registry.get("a") is newcomer


def test_a_newcomer_waits_where_its_name_may_be_kept_on_another_pod():
    store = Store()
    incumbent, _ = store.fight()
    store.registry.close(incumbent, CloseReason.CLIENT_CLOSED)
    newcomer, writer = store.come("other")
    assert store.registry.get("a") is newcomer, "so that it is announced"
    store.hands.turn(HELD_SECONDS - 0.125)
    store.registry.greet_held()
    assert writer.written == b""
    store.hands.turn(0.125)
    store.registry.subscribed = False
    store.registry.greet_held()
    assert writer.written == b""
    store.registry.subscribed = True
    store.registry.greet_held()
    assert writer.types == ["message"]
    assert store.told[-1] == "greeted other"
    # Who leaves meanwhile is greeted by nobody.
    store.registry.close(newcomer, CloseReason.CLIENT_CLOSED)
    leaving, writer = store.come("other")
    store.registry.close(leaving, CloseReason.CLIENT_CLOSED)
    store.hands.turn(HELD_SECONDS)
    store.registry.greet_held()
    assert writer.written == b""
