"""Two devices that take a name from each other on several pods."""

from __future__ import annotations

import logging

import pytest

from streams.delivery.connection import Connection
from streams.delivery.duels.probes import ANSWER_SECONDS
from streams.errors import CloseReason
from tests.streams.builders import Recorder
from tests.streams.roster.pods import NAME, Roster


def test_a_duel_across_pods_ends(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    roster = Roster(duel_limit=2)
    connections = []
    for turn in range(8):
        connections.append(roster.pods[turn % 2].connect()[0])
        roster.settle()
        roster.hands.turn(0.5)
        for pod in roster.pods:
            pod.registry.probes.settle()
        roster.settle()
        assert len(roster.streams()) == 1
    reasons = [connection.close_reason for connection in connections]
    assert reasons[:4] == [CloseReason.EVICTED] * 4
    assert reasons.index(None) == 4, "the name was evicted twice on each pod, and then its incumbent stays"
    assert {reasons[turn] for turn in (5, 6, 7)} == {CloseReason.DUEL}
    assert roster.holder() == ("life-0", connections[4].number)
    assert [pod.claims.duels for pod in roster.pods] == [0, 2]
    assert "on pod pod-1: the one here is kept" in caplog.text
    assert "on pod pod-0: the one here is sent away" in caplog.text


def fight(roster: Roster) -> None:
    """Let two devices fight over a name, so that the one on the first pod has to answer for it."""
    one, two = roster.pods
    for pod, host in ((one, 1), (two, 2), (one, 1)):
        pod.connect(address=f"10.0.0.{host}:1")
        roster.settle()
        roster.hands.turn(0.5)


def silent(roster: Roster) -> Connection:
    """Let the machine of the one that has the name acknowledge nothing any more."""
    (incumbent,) = roster.streams()
    writer = incumbent.writer
    assert isinstance(writer, Recorder)
    writer.silent = 60.0
    return incumbent


def test_an_incumbent_that_does_not_answer_gives_way():
    roster = Roster(duel_limit=1)
    fight(roster)
    incumbent = silent(roster)
    newcomer, _ = roster.pods[1].connect(address="10.0.0.2:1")
    roster.settle()
    assert roster.streams() == [incumbent, newcomer], "it is asked first"
    roster.hands.turn(ANSWER_SECONDS)
    for pod in roster.pods:
        pod.registry.probes.settle()
    roster.settle()
    assert incumbent.close_reason is CloseReason.DEAD_PEER
    assert roster.streams() == [newcomer]
    assert roster.holder() == ("life-1", newcomer.number)


def test_an_incumbent_that_is_asked_is_not_given_up_meanwhile():
    """Its name is the newcomer's on the roster until it has answered."""
    roster = Roster(duel_limit=1)
    fight(roster)
    incumbent = silent(roster)
    roster.pods[1].connect(address="10.0.0.2:1")
    roster.settle()
    roster.pods[0].claims.opened(incumbent)
    roster.pods[0].say()
    assert incumbent.close_reason is None


def test_an_incumbent_that_left_before_it_was_decided_keeps_nothing():
    roster = Roster(duel_limit=1)
    fight(roster)
    (incumbent,) = roster.streams()
    newcomer, _ = roster.pods[1].connect(address="10.0.0.2:1")
    roster.settle()
    roster.pods[0].registry.close(incumbent, CloseReason.CLIENT_CLOSED)
    for pod in roster.pods:
        pod.registry.probes.settle()
    roster.settle()
    assert roster.streams() == [newcomer]
    assert roster.holder(NAME) == ("life-1", newcomer.number)
