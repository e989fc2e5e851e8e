from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.connection import Connection
from streams.errors import CloseReason
from streams.order import BEAT_SECONDS, MAX_NAMES, PODS_KEPT, ROLL_SECONDS, Announcement, Order
from streams.registry import Registry
from tests.streams.rooms import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder, connect

NAME = "STORE001-LANE01"


class Pod:
    """A registry with its place in the order, and the messages that Redis has for it."""

    def __init__(self, number: int, duel_limit: int) -> None:
        self.registry = Registry(
            f"pod-{number}", max_backlog_bytes=MAX_BACKLOG_BYTES, stall_seconds=STALL_SECONDS, duel_limit=duel_limit
        )
        self.registry.set_subscribed(True)
        self.order = Order(self.registry)
        self.registry.on_open = self.order.announce
        self.inbox: list[Announcement] = []

    def connect(self, name: str = NAME, seconds_ago: float = 0.0) -> tuple[Connection, Recorder]:
        connection, writer = connect(self.registry, name)
        connection.connected_at -= seconds_ago
        return connection, writer


class Channel:
    """Stands where Redis does: one order for all pods."""

    def __init__(self, pods: int = 3, duel_limit: int = 1000) -> None:
        self.now = 0.0
        self.pods = [Pod(number, duel_limit) for number in range(pods)]
        for pod in self.pods:
            pod.order.begin(self.now, self.now)
        self.settle()

    def speak(self, pod: Pod, count: int | None = None) -> list[Announcement]:
        spoken = list(itertools.islice(self._due(pod), count))
        for message in spoken:
            for each in self.pods:
                each.inbox.append(message)
        return spoken

    def _due(self, pod: Pod) -> Iterator[Announcement]:
        while (message := pod.order.next_message(self.now)) is not None:
            # Before it is handed on: whoever takes only some does not come back here.
            pod.order.sent(message)
            yield message

    def listen(self, pod: Pod, count: int | None = None) -> None:
        heard = pod.inbox[:count]
        del pod.inbox[:count]
        for message in heard:
            pod.order.hear(message, self.now)

    def fail(self, pod: Pod, *, late: bool) -> None:
        """Let Redis not answer, whether it goes on to deliver the message or not."""
        message = pod.order.next_message(self.now)
        pod.order.begin(self.now, self.now)
        if late and message is not None:
            for each in self.pods:
                each.inbox.append(message)

    def exchange(self) -> None:
        """Let all that is due now be said and heard, answers too."""
        quiet = False
        while not quiet:
            for pod in self.pods:
                self.speak(pod)
            quiet = not any(pod.inbox for pod in self.pods)
            for pod in self.pods:
                self.listen(pod)

    def settle(self) -> None:
        """Let as much time go by as a pod takes to see what it missed, and to call its roll."""
        for _ in range(5):
            self.now += max(BEAT_SECONDS, 2 * ROLL_SECONDS)
            self.exchange()

    def holders(self, name: str = NAME) -> list[Pod]:
        return [pod for pod in self.pods if pod.registry.get(name) is not None]


def test_the_older_one_is_evicted():
    channel = Channel()
    first, second, third = channel.pods
    older, writer = first.connect()
    channel.exchange()
    newer, _ = second.connect()
    channel.exchange()
    assert channel.holders() == [second]
    assert older.close_reason is CloseReason.EVICTED
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
    monkeypatch.setattr("streams.order.MAX_WAITING", 3)
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


def test_a_pod_says_nothing_but_beats_until_it_hears_itself():
    channel = Channel()
    pod = channel.pods[0]
    pod.order.begin(channel.now, channel.now)
    pod.connect()
    assert [message.type for message in channel.speak(pod)] == ["beat"]
    alone = not pod.order.hearing
    channel.listen(pod)
    assert (alone, pod.order.hearing) == (True, True)
    assert [message.type for message in channel.speak(pod)] == ["roll"]


def test_a_roll_waits_for_its_time():
    channel = Channel()
    pod = channel.pods[0]
    pod.connect()
    channel.exchange()
    pod.order.begin(channel.now, channel.now + 0.5)
    channel.exchange()
    assert pod.order.hearing
    rolls = pod.order.rolls
    channel.now += 0.4
    channel.exchange()
    assert pod.order.rolls == rolls
    channel.now += 0.2
    channel.exchange()
    assert pod.order.rolls == rolls + 1


@pytest.mark.parametrize("back_first", [0, 1])
def test_after_an_outage_the_younger_one_stays(back_first: int):
    channel = Channel()
    first, second, _ = channel.pods
    for pod in channel.pods:
        pod.order.begin(channel.now, channel.now)
    old, _ = first.connect(seconds_ago=20)
    young, _ = second.connect(seconds_ago=5)
    for pod in (first, second)[:: -1 if back_first else 1]:
        channel.speak(pod)
        channel.listen(pod)
        channel.speak(pod)
    channel.exchange()
    assert channel.holders() == [second]
    assert old.close_reason is CloseReason.EVICTED
    assert young.close_reason is None


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
    frozen = first.order.next_message(channel.now)
    assert frozen is not None
    first.order.begin(channel.now, channel.now)
    first.registry.close(gone, CloseReason.CLIENT_CLOSED)
    channel.settle()
    second.connect()
    channel.exchange()
    second.order.hear(frozen, channel.now)
    assert channel.holders() == [second]
    channel.settle()
    assert [pod.order.gaps for pod in channel.pods] == [0, 0, 0]


def test_one_that_was_announced_anew_waits_to_hear_that():
    channel = Channel()
    first, second, third = channel.pods
    first.connect(seconds_ago=20)
    first.order.begin(channel.now, channel.now)
    second.connect(seconds_ago=5)
    channel.speak(second)
    channel.listen(second)
    channel.speak(first)
    channel.listen(first)
    assert [message.type for message in channel.speak(first)] == ["roll"]
    channel.listen(second)
    # Its answer is on its way when a third pod says that the client came there.
    third.connect()
    channel.speak(third)
    assert [message.type for message in channel.speak(second)] == ["keep"]
    channel.exchange()
    assert channel.holders() == [second], "the last in the order"


def test_a_roll_takes_the_place_of_what_was_on_its_way():
    channel = Channel()
    first, second, _ = channel.pods
    connection, _ = first.connect(seconds_ago=9)
    channel.speak(first)
    first.order.hear(Announcement("beat", second.order.pod_id, "pod-1", 99, 98), channel.now)
    channel.now += 2 * ROLL_SECONDS
    assert [message.type for message in channel.speak(first)] == ["roll"]
    channel.listen(first, 1)
    unheard = not connection.clustered
    channel.listen(first)
    assert (unheard, connection.clustered) == (True, True)


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
    pod.order.hear(Announcement("receipt", "other", "pod-9", 1, 0, [NAME], [0.0]), channel.now)
    assert channel.holders() == [pod]
    assert pod.order.gaps == 0


def test_pods_of_long_ago_are_forgotten():
    channel = Channel(pods=1)
    order = channel.pods[0].order
    for number in range(PODS_KEPT + 10):
        order.hear(Announcement("beat", f"pod-{number}", "pod", 1, 0), channel.now)
    assert len(order._numbers) == PODS_KEPT


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


operations = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.sampled_from(["speak", "listen", "lose"]), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.sampled_from(["fail", "fail late", "restart"]), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 5)),
        st.tuples(st.just("exchange"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(operations=operations, duel_limit=st.sampled_from([1, 2, 1000]))
def test_whatever_happens_one_is_left(operations: list[tuple[str, int, int]], duel_limit: int):
    channel = Channel(duel_limit=duel_limit)
    names = set()
    for what, pod_number, number in operations:
        pod = channel.pods[pod_number]
        if what == "connect":
            pod.connect(f"client-{number}")
            names.add(f"client-{number}")
        elif what == "speak":
            channel.speak(pod, number)
        elif what == "listen":
            channel.listen(pod, number)
        elif what == "lose":
            del pod.inbox[:number]
        elif what == "restart":
            pod.inbox.clear()
            pod.order.begin(channel.now, channel.now)
        elif what == "wait":
            channel.now += number
        elif what == "exchange":
            channel.exchange()
        else:
            channel.fail(pod, late=what == "fail late")
    channel.settle()
    for name in names:
        assert len(channel.holders(name)) == 1
    for pod in channel.pods:
        assert all(connection.clustered for connection in pod.registry)
        assert not any(pod.order._flying.values())
