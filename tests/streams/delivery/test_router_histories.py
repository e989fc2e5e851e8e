"""The router and the history beside it: what is remembered, replayed, and told as missing."""

from __future__ import annotations

from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.coverage import GapReason, Ingress
from streams.history.messages import History
from streams.wire.complaints import Fault
from tests.streams.builders import connect, late, make_router, message, route
from tests.streams.clocks import HandClock
from tests.streams.history.histories import all_heard


def router_and_history(registry: Registry, hands: HandClock) -> tuple[Router, History]:
    router = make_router(registry, hands.clock)
    return router, router._history


def test_what_is_heard_is_remembered_with_its_moment(registry: Registry):
    """The moments stay with their messages where others between them are skipped."""
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    first, fourth = message("a", "1"), message("a", "4")
    hands.turn(10)
    moments = [hands.now - 4, hands.now - 3, hands.now - 2, hands.now - 1]
    names = router.route([first, b"unusable", late("3"), fourth], Ingress.JOURNAL, moments)
    assert names == ["a", "a"]
    assert history.events_of("a", 9) == [(moments[0], first), (moments[3], fourth)]
    assert router.route([b"unusable"], Ingress.JOURNAL, [hands.now]) == []
    router.route([first], Ingress.CHANNEL)
    assert history.events_of("a", 1) == [(hands.now, first)]


def test_ttl_ms_without_a_timestamp_count_from_when_redis_or_the_pod_took_the_event(registry: Registry):
    """Also in a replay, and of a message that came twice from when it came last."""
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    connection, a = connect(registry, "a")
    text = b'{"clientName":"a","eventId":"%b","ttlMs":5000}'
    router.route([text % b"old", text % b"new"], Ingress.JOURNAL, [hands.now - 5, hands.now - 4])
    router.route([text % b"twice"], Ingress.CHANNEL)
    assert (a.ids, router.expired) == (["new", "twice"], 1)
    hands.turn(4)
    router.route([text % b"twice"], Ingress.CHANNEL)
    hands.turn(2)
    messages = [message for _, message in history.events_of("a", 9)]
    a.frames.clear()
    registry.outbox.replay(connection, messages, router.framing(connection))
    assert set(a.ids) == {"twice"}
    assert router.expired == 2


def test_ttl_ms_of_an_event_that_is_forgotten_meanwhile_set_no_deadline(registry: Registry, router: Router):
    connection, a = connect(registry, "a")
    replayed = [b'{"clientName":"a","eventId":"1","ttlMs":1}']
    registry.outbox.replay(connection, replayed, router.framing(connection))
    assert a.ids == ["1"]


def test_the_past_of_the_journal_goes_to_nobody(registry: Registry):
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    _, a = connect(registry, "a")
    past = hands.now - 9
    router.remember([message("a", "1"), b"unusable", message("a b", "2")], [past, past + 1, past + 2])
    assert a.ids == []
    assert history.events_of("a", 9) == [(past, message("a", "1"))]
    assert (router.received, router.foreign, router.complaints.skipped) == (3, 1, 2)


def test_an_event_during_a_replay_goes_behind_it_and_is_counted_when_it_goes(registry: Registry, router: Router):
    connection, a = connect(registry, "a")
    a.waiting = 1
    registry.outbox.replay(connection, [message("a", "1")], router.framing(connection))
    route(router, message("a", "2"))
    assert (a.ids, router.delivered, router.foreign, router.replayed) == ([], 0, 0, 0)
    a.waiting = 0
    registry.outbox._continue_replay(connection)
    assert a.ids == ["1", "2"]
    assert (router.replayed, connection.event_count) == (2, 2)


def test_a_replay_leaves_out_what_is_too_late_or_unusable(registry: Registry, router: Router):
    connection, a = connect(registry, "a")
    messages = [late("1"), b"unusable", b'{"clientName":"a","data":"\xff"}', message("a", "2")]
    registry.outbox.replay(connection, messages, router.framing(connection))
    assert a.ids == ["2"]
    assert (router.expired, router.complaints.counts[Fault.UNUSABLE], router.replayed, connection.event_count) == (
        1,
        2,
        1,
        1,
    )


def test_a_client_is_told_what_is_missing_after_its_marks_once(registry: Registry):
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    connection, a = connect(registry, "a")
    history.coverage[Ingress.CHANNEL].miss(hands.now + 1, hands.now + 2)
    router.tell(connection)
    assert "stream-gap" not in a.types, "nobody said that there is something to tell"
    router.told = (hands.now + 2, 0.0)
    connection.told = (hands.now + 2, hands.now)
    router.tell(connection)
    assert "stream-gap" not in a.types, "the client has all that"
    assert connection.told is router.told
    connection.told = (hands.now, hands.now)
    router.tell(connection)
    router.tell(connection)
    assert a.types.count("stream-gap") == 1
    assert router.gaps == {GapReason.REDIS_OUTAGE: 1}


def test_who_is_not_greeted_or_waits_for_its_replay_is_told_later(registry: Registry, router: Router):
    registry.subscribed = False
    ungreeted, writer = connect(registry, "a")
    registry.subscribed = True
    held, held_writer = connect(registry, "b")
    registry.outbox.hold(held, router.framing(held))
    before = held.told
    router.told = (9.0, 9.0)
    for connection in (ungreeted, held):
        router.tell(connection)
        assert connection.told is before
    assert (writer.types, held_writer.types) == ([], ["message"])


def test_an_event_behind_a_gap_comes_after_it(registry: Registry):
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    connection, a = connect(registry, "a")
    connection.told = (hands.now, hands.now)
    history.coverage[Ingress.CHANNEL].miss(hands.now + 1, hands.now + 2)
    router.told = (hands.now + 2, hands.now)
    route(router, message("a", "1"))
    assert a.types == ["message", "stream-gap", "message"]


def test_the_past_of_the_journal_is_replayed(registry: Registry):
    hands = HandClock()
    router, history = router_and_history(registry, hands)
    past = [message("a", "1"), message("a", "2")]
    router.remember(past, [hands.now - 9, hands.now - 8])
    assert history.after("a", "1", hands.now, all_heard).messages == past[1:]
    assert (router.received, router.foreign, router.complaints.skipped) == (2, 2, 0)


def test_a_retry_takes_nothing_from_those_that_are_read_with_it(registry: Registry, router: Router):
    """Others are not here, or wait for their replays."""
    _, a = connect(registry, "a")
    waiting, b = connect(registry, "b")
    b.waiting = 1
    registry.outbox.replay(waiting, [message("b", "1")], router.framing(waiting))
    route(router, message("a", "1"))
    route(router, message("c", "1"), message("a", "1"), message("b", "2"), message("a", "2"))
    assert a.ids == ["1", "2"]
    assert (router.repeated, router.foreign) == (1, 1)
    b.waiting = 0
    registry.outbox._continue_replay(waiting)
    assert b.ids == ["1", "2"]


def test_a_retry_of_the_event_that_a_client_came_with_is_not_given_to_it(registry: Registry, router: Router):
    """It read that from another pod: the ids from before it was here are known with its first event."""
    route(router, message("a", "1"))
    connection, a = connect(registry, "a")
    router.retries.begin(connection, "1")
    route(router, message("a", "1"), message("a", "2"))
    assert (a.ids, router.repeated) == (["2"], 1)
