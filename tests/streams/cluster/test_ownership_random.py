"""Whatever happens between the pods, one connection of each client is left."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.cluster.clock_offset import Lags
from tests.streams.cluster.pods import SKEW_SECONDS, Channel, Pod

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
