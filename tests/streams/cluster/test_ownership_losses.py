"""Messages between pods that are lost, late, or out of order."""

from __future__ import annotations

from streams.cluster.ownership import LATE_SECONDS, ROLL_SECONDS, Announcement
from streams.errors import CloseReason
from tests.streams.cluster.pods import Channel


def test_a_pod_that_missed_another_sees_so():
    channel = Channel()
    first, second, _ = channel.pods
    first.connect(seconds_ago=9)
    channel.exchange()
    second.connect()
    channel.speak(second)
    first.inbox.clear()
    channel.exchange()
    assert channel.holders() == [first, second]
    channel.settle()
    assert channel.holders() == [second]
    assert first.order.gaps == 1


def test_a_pod_that_missed_itself_sees_so():
    channel = Channel()
    first, second, _ = channel.pods
    connection, _ = first.connect()
    channel.speak(first)
    first.inbox.clear()
    unheard = not connection.clustered
    channel.settle()
    assert (unheard, connection.clustered) == (True, True)
    assert first.order.gaps == 1
    assert second.order.gaps == 0


def test_a_message_that_redis_did_not_take_is_missed_by_nobody():
    channel = Channel()
    first, second, _ = channel.pods
    second.connect()
    channel.exchange()
    first.connect()
    channel.fail(first, late=False)
    channel.settle()
    assert [pod.order.gaps for pod in channel.pods] == [0, 0, 0]
    assert channel.holders() == [first]


def test_what_redis_delivers_long_after_it_was_given_up_evicts_nobody():
    channel = Channel()
    first, second, _ = channel.pods
    gone, _ = first.connect()
    frozen = first.order.next_message(first.now)
    assert frozen is not None
    first.begin()
    first.registry.close(gone, CloseReason.CLIENT_CLOSED)
    channel.settle()
    second.connect()
    channel.exchange()
    second.order.hear(frozen, second.now)
    assert channel.holders() == [second]
    channel.settle()
    assert [pod.order.gaps for pod in channel.pods] == [0, 0, 0]


def test_one_that_was_announced_anew_waits_to_hear_that():
    channel = Channel()
    first, second, third = channel.pods
    first.connect(seconds_ago=20)
    first.begin()
    second.connect()
    channel.speak(second)
    channel.listen(second)
    channel.now += LATE_SECONDS
    channel.come_back(first)
    assert [message.type for message in channel.speak(first)] == ["roll"]
    channel.listen(second)
    # Its answer is on its way when a third pod says that the client came there.
    third.connect()
    channel.speak(third)
    assert [message.type for message in channel.speak(second)] == ["keep"]
    channel.exchange()
    assert channel.holders() == [third], "the last that the client came to"


def test_a_roll_takes_the_place_of_what_was_on_its_way():
    channel = Channel()
    first, second, _ = channel.pods
    connection, _ = first.connect(seconds_ago=9)
    channel.speak(first)
    first.order.hear(Announcement("beat", second.order.pod_id, "pod-1", 99, 98), first.now)
    channel.now += 2 * ROLL_SECONDS
    assert [message.type for message in channel.speak(first)] == ["roll"]
    channel.listen(first, 1)
    unheard = not connection.clustered
    channel.listen(first)
    assert (unheard, connection.clustered) == (True, True)
