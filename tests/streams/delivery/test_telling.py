from __future__ import annotations

from math import inf

from tests.streams.builders import JOURNAL, unwritable
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod, story

GAP = "stream-gap"


def test_nobody_is_told_while_the_channel_is_not_heard(pod: PurePod):
    _, writer = pod.connect()
    pod.recovery.miss(JOURNAL, pod.hands.now - 1)
    telling = pod.recovery.telling
    pod.recovery.disconnected()
    assert not telling.due
    assert not telling.tell(1)
    assert story(writer) == ["connected"]


def test_telling_may_be_begun_again_at_any_client(pod: PurePod):
    writers = [pod.connect(f"a{number}")[1] for number in range(5)]
    pod.recovery.miss(JOURNAL, pod.hands.now - 1)
    telling = pod.recovery.telling
    assert telling.tell(2)
    telling.begin()
    assert telling.tell(3)
    assert telling.tell(3) is False
    assert not telling.due
    assert [story(writer) for writer in writers] == [["connected", GAP]] * 5, "each once"


def test_greets_some_at_a_time(hands: HandClock):
    pod = PurePod(hands)
    for number in range(5):
        pod.connect(f"a{number}")
    pod.start()
    assert [pod.recovery.telling.tell(2) for _ in range(3)] == [True, True, False]


def test_one_who_cannot_be_told_is_closed_and_the_others_are_told(pod: PurePod):
    broken, writer = pod.connect("a")
    _, well = pod.connect("b")
    unwritable(writer)
    pod.recovery.miss(JOURNAL, pod.hands.now - 1)
    pod.tell()
    assert broken.close_reason is not None
    assert story(well) == ["connected", GAP]


def test_one_who_has_left_is_not_told(pod: PurePod):
    left, writer = pod.connect()
    pod.recovery.miss(JOURNAL, pod.hands.now - 1)
    pod.registry.fail(left)
    pod.tell()
    assert GAP not in story(writer)


def test_reaches_back_for_those_who_came_back_or_for_all(pod: PurePod):
    fresh, _ = pod.connect("a")
    back, _ = pod.connect("b", last_event_id="1")
    pod.settle()
    told = fresh.told
    pod.recovery.telling.reach_back((inf, told[1] - 5), who_came_back=True)
    assert (fresh.told, back.told) == (told, (told[0], told[1] - 5))
    pod.recovery.telling.reach_back((told[0] - 1, inf))
    assert (fresh.told, back.told) == ((told[0] - 1, told[1]), (told[0] - 1, told[1] - 5))
