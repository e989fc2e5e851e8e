from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.cluster.clock_offset import Lags
from streams.cluster.ownership import (
    BEAT_SECONDS,
    FIRST_ROLL_SECONDS,
    LATE_SECONDS,
    MAX_NAMES,
    MAX_TURNS,
    PODS_KEPT,
    ROLL_SECONDS,
    Announcement,
    Order,
)
from streams.delivery.connection import Connection
from streams.delivery.duels.probes import ANSWER_SECONDS
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder, connect

NAME = "STORE001-LANE01"
SKEW_SECONDS = 1000.0


class Pod:
    """A registry with its place in the order, and the messages that Redis has for it."""

    def __init__(self, number: int, duel_limit: int, channel: Channel) -> None:
        self._channel = channel
        # No two machines agree on what time it is.
        self.skew = SKEW_SECONDS * number
        self.registry = Registry(
            f"pod-{number}", max_backlog_bytes=MAX_BACKLOG_BYTES, stall_seconds=STALL_SECONDS, duel_limit=duel_limit
        )
        self.registry.subscribed = True
        self.order = Order(self.registry)
        self.registry.on_open = self.order.announce
        self.inbox: list[Announcement] = []

    @property
    def now(self) -> float:
        return self._channel.now + self.skew

    def begin(self, roll_in: float = 0.0) -> None:
        self.order.begin(self.now, self.now + roll_in)

    def connect(self, name: str = NAME, seconds_ago: float = 0.0) -> tuple[Connection, Recorder]:
        connection, writer = connect(self.registry, name)
        connection.opened_at = self.now - seconds_ago
        return connection, writer


class Channel:
    """Stands where Redis does: one order for all pods."""

    def __init__(self, pods: int = 3, duel_limit: int = 1000) -> None:
        self.now = 0.0
        self.pods = [Pod(number, duel_limit, self) for number in range(pods)]
        for pod in self.pods:
            pod.begin()
        self.settle()

    def speak(self, pod: Pod, count: int | None = None) -> list[Announcement]:
        spoken = list(itertools.islice(self._due(pod), count))
        for message in spoken:
            for each in self.pods:
                each.inbox.append(message)
        return spoken

    def _due(self, pod: Pod) -> Iterator[Announcement]:
        while (message := pod.order.next_message(pod.now)) is not None:
            # Before it is handed on: whoever takes only some does not come back here.
            pod.order.sent(message)
            yield message

    def listen(self, pod: Pod, count: int | None = None) -> None:
        heard = pod.inbox[:count]
        del pod.inbox[:count]
        for message in heard:
            pod.order.hear(message, pod.now)

    def fail(self, pod: Pod, *, late: bool) -> None:
        """Let Redis not answer, whether it goes on to deliver the message or not."""
        message = pod.order.next_message(pod.now)
        pod.begin()
        if late and message is not None:
            for each in self.pods:
                each.inbox.append(message)

    def come_back(self, *pods: Pod) -> None:
        """Let pods hear themselves, until they may call their rolls."""
        for pod in pods:
            self.speak(pod)
            self.listen(pod)
        self.now += FIRST_ROLL_SECONDS

    def exchange(self) -> None:
        """Let all that is due now be said and heard, answers too."""
        quiet = False
        while not quiet:
            for pod in self.pods:
                self.speak(pod)
            quiet = not any(pod.inbox for pod in self.pods)
            for pod in self.pods:
                self.listen(pod)
                pod.registry.probes.settle()

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


def test_a_pod_says_nothing_but_beats_until_it_hears_itself():
    channel = Channel()
    pod = channel.pods[0]
    pod.begin()
    pod.connect()
    assert [message.type for message in channel.speak(pod)] == ["beat"]
    alone = not pod.order.hearing
    channel.listen(pod)
    assert (alone, pod.order.hearing) == (True, True)
    channel.now += FIRST_ROLL_SECONDS
    assert [message.type for message in channel.speak(pod)] == ["roll"]


def test_a_roll_waits_for_its_time():
    channel = Channel()
    pod = channel.pods[0]
    pod.connect()
    channel.exchange()
    pod.begin(roll_in=0.5)
    channel.exchange()
    assert pod.order.hearing
    assert pod.now < pod.order.due_at() <= pod.now + 0.5
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
        pod.begin()
    old, _ = first.connect(seconds_ago=20)
    young, _ = second.connect(seconds_ago=5)
    for pod in (first, second)[:: -1 if back_first else 1]:
        channel.come_back(pod)
        channel.speak(pod)
    channel.exchange()
    assert channel.holders() == [second]
    assert old.close_reason is CloseReason.EVICTED
    assert young.close_reason is None


@pytest.mark.parametrize("late", [0.5, 2.0])
@pytest.mark.parametrize("back_first", [0, 1])
def test_a_roll_that_is_heard_late_lets_the_younger_one_stay(late: float, back_first: int):
    channel = Channel()
    first, second, _ = channel.pods
    for pod in channel.pods:
        pod.begin()
    first.connect(seconds_ago=5.1)
    second.connect(seconds_ago=5)
    judge, other = (first, second)[:: -1 if back_first else 1]
    channel.come_back(judge, other)
    assert [message.type for message in channel.speak(judge)] == ["roll"]
    channel.listen(judge)
    assert [message.type for message in channel.speak(other)] == ["roll"]
    channel.now += late
    channel.listen(judge)
    channel.exchange()
    assert channel.holders() == [second]


@pytest.mark.parametrize("late", [0.5, 2.0])
def test_a_pod_that_is_late_with_all_it_hears_lets_the_younger_one_stay(late: float):
    channel = Channel()
    first, second, third = channel.pods
    for pod in channel.pods:
        pod.begin()
    first.connect(seconds_ago=5.1)
    second.connect(seconds_ago=5)
    for _ in range(4):
        for pod in channel.pods:
            channel.speak(pod)
        channel.listen(first)
        channel.listen(third)
        channel.now += late
        channel.listen(second)
    channel.exchange()
    assert channel.holders() == [second]


@pytest.mark.parametrize("ages", list(itertools.permutations([5.0, 5.1, 5.2])))
@pytest.mark.parametrize("rolls", list(itertools.permutations(range(3))))
def test_of_three_the_youngest_stays(ages: tuple[float, ...], rolls: tuple[int, ...]):
    channel = Channel()
    for pod, age in zip(channel.pods, ages, strict=True):
        pod.begin()
        pod.connect(seconds_ago=age)
    channel.come_back(*channel.pods)
    for number in rolls:
        assert [message.type for message in channel.speak(channel.pods[number])] == ["roll"]
    channel.exchange()
    assert channel.holders() == [channel.pods[ages.index(5.0)]]


def test_of_two_of_one_age_the_later_in_the_order_stays():
    channel = Channel()
    first, second, _ = channel.pods
    for pod in (first, second):
        pod.begin()
        pod.connect(seconds_ago=5)
    channel.come_back(first, second)
    channel.speak(second)
    channel.speak(first)
    channel.exchange()
    assert channel.holders() == [first]


def test_pods_whose_clocks_lie_come_to_an_end(monkeypatch: pytest.MonkeyPatch):
    channel = Channel()
    first, second, _ = channel.pods
    for pod in (first, second):
        pod.begin()
        pod.connect()
    # Each takes what the other has for the older.
    monkeypatch.setattr(Lags, "offset", lambda *_: -1e6)
    channel.come_back(first, second)
    channel.exchange()
    assert len(channel.holders()) == 1
    assert first.order.announced + second.order.announced == 2 + MAX_TURNS
    assert first.order.rolls + second.order.rolls == 4


@pytest.mark.parametrize("age", [4.0, 6.0])
def test_the_roll_of_a_pod_of_the_version_before(age: float):
    channel = Channel(pods=1)
    pod = channel.pods[0]
    pod.connect(seconds_ago=5)
    channel.exchange()
    pod.order.hear(Announcement("roll", "other", "pod-9", 1, 0, [NAME], [age]), pod.now)
    assert channel.holders() == ([pod] if age == 6 else [])
    assert [message.type for message in channel.speak(pod)] == ["keep"] * len(channel.holders())


def test_ages_are_those_of_the_sending_as_in_the_version_before():
    channel = Channel()
    pod = channel.pods[0]
    pod.begin()
    pod.connect(seconds_ago=5)
    channel.come_back(pod)
    assert [message.ages for message in channel.speak(pod)] == [[5.0 + FIRST_ROLL_SECONDS]]


def test_what_opened_in_an_outage_is_not_announced_ahead_of_the_roll():
    channel = Channel()
    first, second, _ = channel.pods
    # Neither has noticed yet that Redis is away.
    first.connect()
    channel.now += 0.1
    second.connect()
    for pod in (second, first):
        pod.begin()
        channel.speak(pod)
        channel.listen(pod)
        assert channel.speak(pod) == []
    channel.settle()
    assert channel.holders() == [second]


def test_what_redis_kept_waiting_is_announced_with_its_age():
    channel = Channel()
    first, second, _ = channel.pods
    first.connect()
    channel.now += LATE_SECONDS / 2
    second.connect()
    channel.now += 2 * LATE_SECONDS
    assert [message.type for message in channel.speak(second)] == ["roll"]
    assert [message.type for message in channel.speak(first)] == ["roll"]
    channel.exchange()
    assert channel.holders() == [second]


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
    writer = Recorder()
    connection = Connection(NAME, writer, "10.0.0.1:5000", user_agent=device)
    pod.registry.open(connection, [])
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


operations = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.sampled_from(["speak", "listen", "lose"]), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.sampled_from(["fail", "fail late", "restart"]), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 5)),
        st.tuples(st.just("skew"), st.integers(0, 2), st.integers(-2, 2)),
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
            pod.begin()
        elif what == "wait":
            channel.now += number
        elif what == "skew":
            pod.skew = SKEW_SECONDS * pod_number + number
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


def return_late(chance: random.Random, pods: int) -> tuple[Channel, Pod]:
    """Let pods come back after an outage, each late at random with what it says and hears; return the youngest's."""
    channel = Channel(pods)
    ages = chance.sample(range(100), pods)
    for pod, age in zip(channel.pods, ages, strict=True):
        pod.begin(roll_in=chance.uniform(0, 0.5))
        pod.connect(seconds_ago=age / 50)
    for _ in range(20):
        channel.now += chance.uniform(0, 0.5)
        for pod in chance.sample(channel.pods, pods):
            if chance.random() < 0.3:
                channel.listen(pod, chance.randint(1, 9))
            if chance.random() < 0.3:
                channel.speak(pod)
    channel.settle()
    return channel, channel.pods[ages.index(min(ages))]


@settings(max_examples=100, deadline=None)
@given(chance=st.randoms(use_true_random=False), pods=st.integers(2, 4))
def test_however_late_pods_are_the_youngest_one_is_left(chance: random.Random, pods: int):
    channel, youngest = return_late(chance, pods)
    assert channel.holders() == [youngest]


@settings(max_examples=100, deadline=None)
@given(chance=st.randoms(use_true_random=False), pods=st.integers(2, 4))
def test_whatever_the_clocks_say_one_is_left(chance: random.Random, pods: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lags, "offset", lambda *_: chance.uniform(-2000, 2000))
        channel, _ = return_late(chance, pods)
    assert len(channel.holders()) == 1
