"""Clients that come back to their pod, which heard both ingresses in an order of its own."""

from __future__ import annotations

import pytest

from streams.delivery import resumption
from streams.delivery.handover import UNKNOWN_UNHEARD_SECONDS
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.wire.pods import Question
from tests.streams.builders import CHANNEL, unwritable
from tests.streams.delivery.pods import GAP, PurePod, gaps, spans, story


def test_a_client_that_asks_for_nothing_gets_what_comes_from_now_on(pod: PurePod):
    pod.channel("1")
    connection, writer = pod.connect()
    pod.channel("2")
    assert story(writer) == ["connected", "2"]
    assert connection.first_place == 1


def test_a_client_that_asks_for_seconds_gets_them_and_the_gap_before(pod: PurePod):
    pod.channel("1")
    pod.live(2)
    pod.channel("2", "3")
    pod.live(2)
    connection, writer = pod.connect(since=3)
    assert story(writer) == ["connected", "2", "3"]
    assert connection.first_place == 1
    for seconds in (1e11, 1e300):
        _, writer = pod.connect(since=seconds)
        assert story(writer) == ["connected", GAP, "1", "2", "3"]
        assert spans(writer)[0][0] is None
    pod.channel("4")
    assert story(writer)[-1] == "4"


def test_a_client_of_one_ingress_is_given_its_replay_at_once(pod: PurePod):
    pod.channel("1", "2")
    _, writer = pod.connect(last_event_id="1")
    assert story(writer) == ["connected", "2"]
    _, writer = pod.connect(last_event_id="2")
    assert story(writer) == ["connected"]


def test_an_id_that_no_event_can_have_is_told_at_once(pod: PurePod):
    pod.channel("1")
    _, writer = pod.connect(last_event_id="é")
    assert story(writer) == ["connected", GAP, "1"]
    assert gaps(writer)[0]["reason"] == GapReason.UNKNOWN_ID
    assert gaps(writer)[0]["lastEventId"] == "é"


def test_an_id_that_is_not_known_waits_until_it_is_heard(pod: PurePod):
    due: list[bool] = []
    pod.recovery.resumption.on_due = lambda: due.append(True)
    _, writer = pod.connect(last_event_id="1")
    assert due == [True]
    assert pod.recovery.handover.outgoing == [Question("one", 1, "a", "1", marks=True)]
    pod.channel("1", "2")
    assert story(writer) == ["connected"]
    pod.settle()
    assert story(writer) == ["connected", "2"]
    pod.channel("3")
    assert story(writer) == ["connected", "2", "3"]


def test_an_id_that_is_never_heard_is_told_with_all_that_there_is(pod: PurePod):
    connection, writer = pod.connect(last_event_id="0")
    pod.channel("1")
    pod.settle()
    assert story(writer) == ["connected", GAP, "1"]
    assert gaps(writer)[0]["lastEventId"] == "0"
    assert connection.told == pod.router.told
    assert connection.event_count == pod.router.replayed == 1


def test_a_loss_while_a_client_waits_is_told_with_its_replay(pod: PurePod):
    pod.channel("1")
    _, writer = pod.connect(last_event_id="0")
    began = pod.hands.now
    pod.hands.turn(0.125)
    pod.recovery.miss(CHANNEL, began)
    pod.tell()
    assert story(writer) == ["connected"]
    pod.settle()
    assert story(writer) == ["connected", GAP, "1"]
    assert spans(writer) == [(None, began + 0.125)]
    pod.channel("2")
    assert story(writer) == ["connected", GAP, "1", "2"]


def test_a_client_that_leaves_while_it_waits_is_forgotten(pod: PurePod):
    connection, writer = pod.connect(last_event_id="0")
    pod.registry.close(connection, CloseReason.CLIENT_CLOSED)
    assert len(pod.recovery.handover) == 0
    pod.settle()
    assert story(writer) == ["connected"]


def test_one_client_that_cannot_be_given_its_replay_holds_up_no_other(pod: PurePod):
    clients = [pod.connect(f"a{number}", "0") for number in range(3)]
    unwritable(clients[0][1])
    pod.recovery.handover.ended = lambda *_: None  # type: ignore[method-assign]
    pod.registry.close(clients[1][0], CloseReason.CLIENT_CLOSED)
    pod.settle()
    assert clients[0][0].close_reason is CloseReason.FAILED
    assert [story(writer) for _, writer in clients[1:]] == [["connected"], ["connected", GAP]]
    assert sum(pod.router.gaps.values()) == 2


def test_a_client_that_comes_back_to_its_pod_gets_nothing_twice(pod: PurePod):
    connection, _ = pod.connect()
    pod.hands.turn(0.5)
    pod.journal("j")
    pod.channel("c")
    pod.registry.close(connection, CloseReason.CLIENT_CLOSED)
    _, writer = pod.connect(last_event_id="c")
    pod.settle()
    assert story(writer) == ["connected"]


def test_when_many_come_back_at_once_events_go_out_between(pod: PurePod, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resumption, "SETTLED_AT_ONCE", 2)
    writers = [pod.connect(name, last_event_id="x")[1] for name in "abc"]
    pod.hands.turn(UNKNOWN_UNHEARD_SECONDS)
    assert pod.recovery.resumption.settle()
    assert [len(story(writer)) for writer in writers] == [2, 2, 1]
    assert not pod.recovery.resumption.settle()
    assert [len(story(writer)) for writer in writers] == [2, 2, 2]
