"""What pods say of their clients after an outage, and which of a client's connections stays."""

from __future__ import annotations

import itertools

import pytest

from streams.cluster.clock_offset import Lags
from streams.cluster.ownership import FIRST_ROLL_SECONDS, LATE_SECONDS, MAX_TURNS, Announcement
from streams.errors import CloseReason
from tests.streams.cluster.pods import NAME, Channel


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
