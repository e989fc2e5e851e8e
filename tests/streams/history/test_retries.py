from __future__ import annotations

from typing import Any

import pytest

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.history.coverage import Ingress
from streams.history.retries import MAX_REPLAYED
from streams.wire.complaints import Fault
from tests.streams import builders
from tests.streams.builders import CHANNEL, JOURNAL, Recorder
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod


class OnePod(PurePod):
    """A pod that is handed messages a second apart."""

    def hear(self, *messages: bytes, ingress: Ingress = CHANNEL) -> None:
        self.hands.turn(1.0)
        moments = [self.hands.now] * len(messages) if ingress is JOURNAL else []
        self.router.route(list(messages), ingress, moments)

    @property
    def reused(self) -> int:
        return self.router.complaints.counts[Fault.REUSED_ID]


@pytest.fixture
def pod(hands: HandClock) -> OnePod:
    pod = OnePod(hands)
    # Copies that were published before it heard anything are no copies any more.
    hands.turn(60)
    pod.registry.subscribed = True
    return pod


def message(event_id: object, data: object = None, **fields: Any) -> bytes:
    return builders.message("a", event_id, data=data, **fields)


# A retry


def test_copies_are_seen_on_one_ingress_and_not_on_two(pod: OnePod):
    pod.connect()
    pod.hear(message("1"))
    pod.hear(message("1"), ingress=JOURNAL)
    assert not pod.history.copies_seen, "it came by both"
    pod.hear(message("1"))
    assert pod.history.copies_seen


@pytest.mark.parametrize("again", [CHANNEL, JOURNAL])
def test_the_same_message_again_is_written_once_and_counted(pod: OnePod, again: Ingress):
    _, a = pod.connect()
    pod.hear(message("1"), message("2"))
    pod.hear(message("1"), ingress=again)
    pod.hear(message("1"), ingress=again)
    assert a.ids == ["1", "2"]
    assert (pod.router.repeated, pod.router.delivered, pod.reused) == (2, 2, 0)


def test_the_same_message_again_in_one_read_is_written_once(pod: OnePod):
    _, a = pod.connect()
    pod.hear(message("1"), message("2"), message("1"), message("1", "other"))
    assert a.ids == ["1", "2", "1"]
    assert (pod.router.repeated, pod.reused) == (1, 1)


def test_a_message_without_a_usable_id_is_no_retry(pod: OnePod):
    _, a = pod.connect()
    unusable: list[object] = [None, 5, [], " x", "", "ü", "x" * 129]
    for event_id in unusable:
        pod.hear(message(event_id))
        pod.hear(message(event_id))
    assert len(a.types) == 1 + 2 * len(unusable)
    assert (pod.router.repeated, pod.reused) == (0, 0)


def test_a_client_is_not_given_what_another_has(pod: OnePod):
    """One id for many clients."""
    _, a = pod.connect()
    b = Recorder()
    pod.registry.open(Connection("b", b), [])
    pod.hear(message("1"))
    pod.hear(message("1").replace(b'"a"', b'"b"'))
    assert (a.ids, b.ids, pod.reused) == (["1"], ["1"], 0)


def test_a_retry_that_the_history_no_longer_knows_is_written(pod: OnePod):
    _, a = pod.connect()
    pod.hear(message("1"))
    pod.hands.turn(301.0)
    pod.history.expire(pod.hands.now)
    pod.hear(message("1"))
    assert a.ids == ["1", "1"]


def test_a_retry_is_known_however_many_other_events_come_between(pod: OnePod):
    _, a = pod.connect()
    pod.hear(message("1"))
    for _ in range(3):
        pod.hands.turn(80.0)
        pod.router.retries.ids.expire(pod.hands.now)
        pod.hear(*(message(f"{number}") for number in range(2, 50)))
        pod.hear(message("1"))
    assert a.ids.count("1") == 1


# What a connection may not have


def test_what_was_published_before_a_client_connected_is_written_when_it_comes_again(pod: OnePod):
    pod.hear(message("1"))
    _, a = pod.connect()
    pod.hear(message("1"))
    assert a.ids == ["1"]
    assert (pod.router.repeated, pod.reused) == (0, 0)


def test_what_an_earlier_connection_was_written_is_written_again(pod: OnePod):
    """It may have been dead by then."""
    first, _ = pod.connect()
    pod.hear(message("1"))
    pod.registry.close(first, CloseReason.DEAD_PEER)
    _, a = pod.connect()
    pod.hear(message("1"))
    assert a.ids == ["1"]


def test_what_expired_before_its_turn_is_written_when_it_comes_again(pod: OnePod):
    """Its ttlMs count from when the pod took it, so this one is fresh."""
    _, a = pod.connect()
    pod.hear(message("1", ttlMs=5000))
    pod.hands.turn(6.0)
    pod.hear(message("1", ttlMs=5000))
    pod.hear(message("1", ttlMs=5000))
    assert a.ids == ["1", "1"]


# Replays


def test_a_replay_does_not_hold_a_message_twice(pod: OnePod):
    for each in ("0", "1", "2", "1"):
        pod.hear(message(each))
    pod.hear(message("2"), ingress=JOURNAL)
    _, a = pod.connect(since=60)
    assert a.ids == ["0", "1", "2"]
    assert pod.router.repeated == 2


def test_a_replay_holds_each_event_without_an_id(pod: OnePod):
    pod.hear(message(None))
    pod.hear(message(None))
    _, a = pod.connect(since=60)
    assert (a.types.count("message"), pod.router.repeated) == (3, 0), "connected, and both"


def test_a_message_of_the_replay_that_comes_again_is_not_written(pod: OnePod):
    for each in ("0", "1"):
        pod.hear(message(each))
    _, a = pod.connect(since=60)
    pod.hear(message("1"))
    pod.hear(message("2"))
    assert a.ids == ["0", "1", "2"]
    assert pod.router.repeated == 1


def test_a_message_that_comes_again_while_the_replay_goes_out_is_not_written(pod: OnePod):
    for each in ("0", "1"):
        pod.hear(message(each))
    connection, a = pod.connect()
    a.waiting = 1
    pod.registry.outbox.replay(connection, [message("0"), message("1")], pod.router.framing(connection))
    pod.hear(message("1"), message("2"))
    a.waiting = 0
    pod.registry.outbox._continue_replay(connection)
    assert a.ids == ["0", "1", "2"]


def test_the_event_that_a_client_comes_back_with_is_not_written_again(pod: OnePod):
    """Neither in the replay, nor live."""
    for each in ("1", "2", "1"):
        pod.hear(message(each))
    _, a = pod.connect(last_event_id="1")
    pod.hear(message("1"))
    assert a.ids == ["2"]


def test_an_id_of_two_messages_says_nothing_of_either(pod: OnePod):
    """A client that comes back with it may have read only one of them."""
    for data in (1, 2, 1):
        pod.hear(message("1", data))
    _, a = pod.connect(last_event_id="1")
    assert [each.json()["data"] for each in a.events if each.last_event_id] == [2, 1]


def test_a_long_replay_is_remembered_in_part(pod: OnePod):
    connection, a = pod.connect()
    messages = [message(str(number)) for number in range(MAX_REPLAYED + 1)]
    pod.registry.outbox.replay(connection, messages, pod.router.framing(connection))
    assert connection.replayed is not None
    assert len(connection.replayed) == MAX_REPLAYED
    for each in (messages[0], messages[-1]):
        pod.hear(each)
    assert (a.ids.count("0"), a.ids.count(str(MAX_REPLAYED))) == (2, 1), "twice rather than never"


def test_a_client_that_waits_for_its_replay_has_nothing_of_what_is_heard_meanwhile(pod: OnePod):
    pod.hear(message("1"))
    connection, a = pod.connect(last_event_id="unknown")
    assert connection.pending is not None
    pod.hear(message("2"))
    pod.hands.turn(11.0)
    pod.recovery.resumption.settle()
    pod.hear(message("2"))
    pod.hear(message("3"))
    assert a.ids == ["1", "2", "3"]


# Another message with the id


def test_another_message_with_an_id_is_written_counted_and_named(pod: OnePod, caplog: pytest.LogCaptureFixture):
    _, a = pod.connect()
    pod.hear(message("1", "first"))
    pod.hear(message("1", "second"))
    assert a.ids == ["1", "1"]
    assert (pod.router.repeated, pod.reused) == (0, 1)
    assert "eventId '1' is another event's too" in caplog.text


def test_another_message_with_an_id_from_before_the_client_connected_is_counted(pod: OnePod):
    pod.hear(message("1", "first"))
    _, a = pod.connect()
    pod.hear(message("1", "second"))
    assert (a.ids, pod.reused) == (["1"], 1)


def test_an_event_that_only_mentions_an_id_is_another(pod: OnePod):
    _, a = pod.connect()
    pod.hear(message("1"))
    pod.hear(message("2", {"eventId": "1"}))
    pod.hear(message("2", {"eventId": "1"}))
    assert (a.ids, pod.router.repeated, pod.reused) == (["1", "2"], 1, 0)
