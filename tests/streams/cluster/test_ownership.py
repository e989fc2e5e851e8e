"""Which of the connections of one client stays, and how they are announced."""

from __future__ import annotations

import pytest

from streams.cluster.ownership import MAX_NAMES, PODS_KEPT, Announcement
from streams.errors import CloseReason
from tests.streams.cluster.pods import NAME, Channel


def test_the_older_one_is_evicted():
    channel = Channel()
    first, second, third = channel.pods
    older, writer = first.connect()
    channel.exchange()
    newer, _ = second.connect()
    channel.exchange()
    assert channel.holders() == [second]
    assert older.close_reason is CloseReason.EVICTED
    assert older.evicted_by == second.registry.pod_name
    assert writer.types[-1] == "evicted"
    assert newer.clustered
    assert first.order.evicted_elsewhere == 1
    assert second.order.evicted_elsewhere == third.order.evicted_elsewhere == 0
    assert second.order.announced == 1


def test_of_two_at_the_same_instant_the_later_in_the_order_stays():
    channel = Channel()
    first, second, _ = channel.pods
    first.connect()
    second.connect()
    channel.speak(second)
    channel.speak(first)
    for pod in channel.pods:
        channel.listen(pod)
    assert channel.holders() == [first]


def test_one_that_is_gone_is_not_announced():
    channel = Channel()
    first, second, _ = channel.pods
    first.connect()
    channel.exchange()
    gone, _ = second.connect()
    second.registry.close(gone, CloseReason.CLIENT_CLOSED)
    channel.exchange()
    assert channel.holders() == [first]


def test_the_announcement_of_an_older_one_says_nothing_of_a_newer_one():
    channel = Channel()
    first, second, _ = channel.pods
    first.connect()
    channel.speak(first)
    newer, _ = first.connect()
    second.connect()
    channel.speak(second)
    channel.listen(first)
    assert first.registry.get(NAME) is newer, "its own announcement comes after the other pod's"
    channel.exchange()
    assert channel.holders() == [first]


def test_a_herd_is_announced_in_few_messages():
    channel = Channel()
    pod = channel.pods[0]
    for number in range(2 * MAX_NAMES + 1):
        pod.connect(f"{NAME}-{number}")
    spoken = channel.speak(pod)
    assert [len(message.names) for message in spoken] == [MAX_NAMES, MAX_NAMES, 1]
    assert {message.type for message in spoken} == {"open"}


def test_too_many_at_once_are_announced_as_a_roll(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("streams.cluster.ownership.MAX_WAITING", 3)
    channel = Channel()
    first, second, _ = channel.pods
    for number in range(5):
        first.connect(f"{NAME}-{number}", seconds_ago=9)
    channel.exchange()
    for number in range(5):
        second.connect(f"{NAME}-{number}")
    channel.settle()
    assert len(first.registry) == 0
    assert len(second.registry) == 5
    assert second.order.rolls == 2


def test_two_pods_of_one_name():
    channel = Channel()
    first, second, _ = channel.pods
    second.registry.pod_name = first.registry.pod_name
    first.connect()
    channel.exchange()
    second.connect()
    channel.exchange()
    assert channel.holders() == [second]


def test_types_of_a_later_version_evict_nobody():
    channel = Channel(pods=1)
    pod = channel.pods[0]
    pod.connect()
    channel.exchange()
    pod.order.hear(Announcement("receipt", "other", "pod-9", 1, 0, [NAME], [0.0]), pod.now)
    assert channel.holders() == [pod]
    assert pod.order.gaps == 0


def test_pods_of_long_ago_are_forgotten():
    channel = Channel(pods=1)
    pod = channel.pods[0]
    for number in range(PODS_KEPT + 10):
        pod.order.hear(Announcement("beat", f"pod-{number}", "pod", 1, 0), pod.now)
    assert len(pod.order._numbers) == PODS_KEPT
