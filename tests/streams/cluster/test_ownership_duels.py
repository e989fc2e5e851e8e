"""Two devices that take a name from each other on several pods."""

from __future__ import annotations

import logging

import pytest

from streams.cluster.ownership import BEAT_SECONDS, Announcement
from streams.delivery.connection import Connection
from streams.delivery.duels.probes import ANSWER_SECONDS
from streams.errors import CloseReason
from tests.streams.builders import Recorder, connect
from tests.streams.cluster.pods import NAME, Channel, Pod


def test_a_duel_across_pods_ends(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    channel = Channel(duel_limit=2)
    pods = channel.pods[:2]
    connections = []
    for turn in range(8):
        connections.append(pods[turn % 2].connect()[0])
        channel.exchange()
        assert len(channel.holders()) == 1
    reasons = [connection.close_reason for connection in connections]
    assert reasons[:4] == [CloseReason.EVICTED] * 4
    incumbent = reasons.index(None)
    assert incumbent == 4, "the name was evicted twice on each pod, and then its incumbent stays"
    # On the incumbent's own pod its registry says so.
    assert {reasons[turn] for turn in (5, 6, 7)} == {CloseReason.DUEL}
    assert [pod.order.duels for pod in pods] == [0, 2]
    assert "Duel for STORE001-LANE01 between" in caplog.text
    assert "on pod pod-1: the one here is kept" in caplog.text
    assert "on pod pod-0: the one here is sent away" in caplog.text


DEVICES = ("one", "other")


def come(pod: Pod, device: str) -> tuple[Connection, Recorder]:
    """Let a device of its own origin come to a pod."""
    connection, writer = connect(pod.registry, NAME, "10.0.0.1:5000", user_agent=device)
    connection.opened_at = pod.now
    return connection, writer


def take_turns(channel: Channel, pods: list[Pod], turns: int) -> list[tuple[Connection, Recorder]]:
    """Let two polite devices take a name from each other, each time on the next of these pods."""
    came = []
    for turn in range(turns):
        came.append(come(pods[turn % len(pods)], DEVICES[turn % 2]))
        channel.exchange()
        channel.now += BEAT_SECONDS
        channel.exchange()
    return came


@pytest.mark.parametrize("count", [2, 3], ids=["each on its pod", "each on any pod"])
def test_polite_devices_on_several_pods_are_found_at_their_third_turn(count: int, caplog: pytest.LogCaptureFixture):
    channel = Channel()
    came = take_turns(channel, channel.pods[:count], 4)
    reasons = [connection.close_reason for connection, _ in came]
    assert reasons == [CloseReason.EVICTED, CloseReason.EVICTED, None, CloseReason.DUEL]
    _, refused = came[-1]
    assert refused.types == ["evicted"], "it was not greeted, and so given no replay"
    assert "Duel for STORE001-LANE01 between 10.0.0.1:5000 (one) here" in caplog.text
    assert "Duel for STORE001-LANE01 between 10.0.0.1:5000 (other) here" in caplog.text


def test_an_incumbent_on_another_pod_that_does_not_answer_gives_way():
    channel = Channel()
    (_, _, (incumbent, writer)) = take_turns(channel, channel.pods[:2], 3)
    writer.silent = 1e9
    newcomer, _ = come(channel.pods[1], DEVICES[1])
    channel.exchange()
    assert channel.holders() == channel.pods[:2], "until it is known"
    (asked,) = channel.pods[0].registry.probes._asked.values()
    asked.at -= ANSWER_SECONDS
    channel.exchange()
    channel.pods[0].registry.probes.settle()
    assert incumbent.close_reason is CloseReason.DEAD_PEER
    assert channel.holders() == [channel.pods[1]]
    assert newcomer.close_reason is None


def test_an_incumbent_that_leaves_while_it_is_asked_keeps_nothing():
    channel = Channel()
    (_, _, (incumbent, writer)) = take_turns(channel, channel.pods[:2], 3)
    writer.silent = 1e9
    come(channel.pods[1], DEVICES[1])
    channel.exchange()
    channel.pods[0].registry.close(incumbent, CloseReason.CLIENT_CLOSED)
    channel.exchange()
    channel.pods[0].registry.probes.settle()
    assert incumbent.close_reason is CloseReason.CLIENT_CLOSED
    assert channel.holders() == [channel.pods[1]]


def test_announcements_of_an_earlier_version_name_no_origins():
    channel = Channel()
    older, _ = come(channel.pods[0], "one")
    channel.exchange()
    channel.pods[0].order.hear(Announcement("open", "old", "pod-old", 1, 0, [NAME], [0.0]), channel.pods[0].now)
    assert older.close_reason is CloseReason.EVICTED
