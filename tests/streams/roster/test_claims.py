"""One pod's claims, and what it does about the roster's answers."""

from __future__ import annotations

import pytest

from streams.errors import CloseReason
from streams.roster import claims
from streams.roster.claims import AGAIN_SECONDS, ANEW_SECONDS, MAX_ITEMS, REPEAT_SECONDS
from streams.roster.messages import Taken, Told
from streams.roster.script import Kind
from tests.streams.roster.pods import HISTORY, NAME, Roster


@pytest.fixture
def roster() -> Roster:
    return Roster()


def test_a_connection_is_claimed_and_released(roster: Roster):
    pod = roster.pods[0]
    connection, _ = pod.connect()
    roster.settle()
    assert roster.holder() == ("life-0", connection.number)
    pod.registry.close(connection, CloseReason.CLIENT_CLOSED)
    roster.settle()
    assert roster.holder() is None
    assert roster.model.seen == {NAME: CloseReason.CLIENT_CLOSED}


def test_a_client_that_moves_is_evicted_where_it_was(roster: Roster):
    one, two = roster.pods
    older, _ = one.connect()
    roster.settle()
    roster.hands.turn(1)
    newer, _ = two.connect()
    roster.settle()
    assert (older.close_reason, older.evicted_by) == (CloseReason.EVICTED, "pod-1")
    assert roster.streams() == [newer]
    assert roster.holder() == ("life-1", newer.number)
    assert one.claims.evicted_elsewhere == 1


def test_an_end_that_is_said_late_takes_nothing_from_the_newer_one(roster: Roster):
    one, two = roster.pods
    older, _ = one.connect()
    roster.settle()
    one.registry.close(older, CloseReason.CLIENT_CLOSED)
    newer, _ = two.connect()
    two.say()
    roster.hands.turn(3)
    roster.settle()
    assert roster.holder() == ("life-1", newer.number)
    assert roster.model.seen == {}


def test_an_older_connection_that_is_claimed_late_is_the_one_that_goes(roster: Roster):
    """Its pod could not reach Redis meanwhile."""
    one, two = roster.pods
    older, _ = one.connect()
    roster.hands.turn(1)
    newer, _ = two.connect()
    two.say()
    one.claims.pod_of = {"life-1": "pod-1"}.__getitem__
    one.say()
    assert (older.close_reason, older.evicted_by) == (CloseReason.EVICTED, "pod-1")
    assert roster.streams() == [newer]


def test_a_claim_that_waited_in_redis_is_as_old_as_its_connection(roster: Roster):
    one, two = roster.pods
    for pod in roster.pods:
        pod.connect("X-1")
        pod.say()
    older, _ = one.connect()
    one_batch = one.claims.take()
    lines, sent_ms = one.claims.lines(one_batch, roster.hands.now), one.claims.sent_ms(roster.hands.now)
    roster.hands.turn(5)
    newer, _ = two.connect()
    two.say()
    now_ms = round(1000 * (roster.hands.turn(1) + roster.ahead))
    outcomes = roster.model.say(HISTORY, "life-0", lines, now_ms, sent_ms)
    one.claims.answered(one_batch, outcomes, now_ms / 1000, roster.hands.now - 6, roster.hands.now)
    assert older.close_reason is CloseReason.EVICTED
    assert roster.streams() == [newer]


def test_a_client_that_moves_at_once_is_evicted_where_it_was(roster: Roster):
    """Whatever part of its time an answer of Redis spent on the way there or back, as from a busy pod."""
    one, two = roster.pods
    redis_time = roster.hands.now + roster.ahead
    two.claims.clocked(redis_time, roster.hands.now, roster.hands.turn(0.09))
    older, _ = one.connect()
    one.say()
    roster.hands.turn(0.02)
    newer, _ = two.connect()
    two.say()
    roster.settle()
    assert older.close_reason is CloseReason.EVICTED
    assert roster.streams() == [newer]


def test_a_clock_that_is_hardly_known_lets_nobody_lose_his_name(roster: Roster):
    """Its only answer came from a Redis that stood still; and the claim waited in one that does again."""
    one, two = roster.pods
    asked = roster.hands.now
    roster.hands.turn(4)
    one.claims.clocked(roster.hands.now + roster.ahead, asked, roster.hands.now)
    two.connect("X-1")
    two.say()
    older, _ = one.connect()
    batch, asked = one.claims.take(), roster.hands.now
    lines, sent_ms = one.claims.lines(batch, asked), one.claims.sent_ms(asked)
    roster.hands.turn(1)
    newer, _ = two.connect()
    two.say()
    now_ms = round(1000 * (roster.hands.turn(3) + roster.ahead))
    outcomes = roster.model.say(HISTORY, "life-0", lines, now_ms, sent_ms)
    one.claims.answered(batch, outcomes, now_ms / 1000, asked, roster.hands.now)
    assert newer.close_reason is None
    roster.settle()
    assert older.close_reason is CloseReason.EVICTED
    assert roster.streams() == [newer]


def test_a_newer_connection_of_the_same_pod_is_the_one_that_counts(roster: Roster):
    pod = roster.pods[0]
    pod.connect()
    batch = pod.claims.take()
    newer, _ = pod.connect()
    pod.say()
    pod.claims.failed(batch)
    roster.settle()
    assert roster.holder() == ("life-0", newer.number)
    assert roster.streams() == [newer]


def test_what_was_open_for_a_moment_only_is_noted_by_its_end(roster: Roster):
    pod = roster.pods[0]
    for _ in range(100):
        connection, _ = pod.connect()
        pod.registry.close(connection, CloseReason.CLIENT_CLOSED)
    (said,) = pod.claims.take()
    assert said.kind is Kind.RELEASE


def test_a_batch_that_redis_may_not_have_taken_is_said_again(roster: Roster):
    pod = roster.pods[0]
    gone, _ = pod.connect("A-1")
    stays, _ = pod.connect("A-2")
    batch = pod.claims.take()
    pod.registry.close(gone, CloseReason.SLOW_READER)
    pod.claims.failed(batch)
    roster.settle()
    assert roster.holder("A-1") is None
    assert roster.model.seen == {"A-1": CloseReason.SLOW_READER}
    assert roster.holder("A-2") == ("life-0", stays.number)


def test_what_waits_to_be_claimed_is_not_when_it_has_gone(roster: Roster, monkeypatch: pytest.MonkeyPatch):
    """Also while there is no room for further releases: nobody would ever take the name away again."""
    monkeypatch.setattr(claims, "MAX_RELEASES", 2)
    pod = roster.pods[0]
    # What Redis' clock says is known then, and answers are believed at once.
    pod.connect()
    roster.settle()
    gone, *_ = [pod.connect(f"A-{number}")[0] for number in range(3)]
    pod.registry.close(gone, CloseReason.CLIENT_CLOSED)
    roster.settle()
    assert roster.holder("A-0") is None
    assert roster.model.seen == {"A-0": CloseReason.CLIENT_CLOSED}
    assert roster.holder("A-1") is not None


def test_all_claims_are_made_again_within_some_seconds(roster: Roster):
    pod = roster.pods[0]
    connections = [pod.connect(f"A-{number}")[0] for number in range(100)]
    roster.settle()
    # Somebody deleted what this pod has no way to notice.
    roster.model.here.clear()
    pod.look(int(AGAIN_SECONDS) + 2)
    assert 0 < len(pod.claims.take()) <= 100
    pod.look(int(AGAIN_SECONDS) + 2)
    roster.settle()
    assert all(roster.holder(each.client_name) == ("life-0", each.number) for each in connections)


def test_claims_that_are_made_again_are_spread(roster: Roster):
    pod = roster.pods[0]
    for number in range(100):
        pod.connect(f"A-{number}")
    roster.settle()
    pod.look(int(AGAIN_SECONDS) + 1)
    pod.claims.take()
    for _ in range(int(AGAIN_SECONDS) - 2):
        pod.look(1)
        assert len(pod.claims.take()) <= 100 / (AGAIN_SECONDS - 2) + 2


def test_a_redis_that_forgot_everything_is_told_within_some_seconds(roster: Roster):
    pod = roster.pods[0]
    for number in range(1000):
        pod.connect(f"A-{number}")
    roster.settle()
    roster.model.forget()
    pod.claims.anew(roster.hands.now)
    for _ in range(int(ANEW_SECONDS) + 1):
        pod.look(1)
        roster.settle()
    assert len(roster.model.here[HISTORY]) == 1000


def test_an_eviction_that_got_lost_is_told_again(roster: Roster):
    one, two = roster.pods
    older, _ = one.connect()
    roster.settle()
    roster.hands.turn(1)
    two.connect()
    two.say()
    assert two.claims.messages("pod-1") != []
    assert two.claims.messages("pod-1") == []
    two.look(int(REPEAT_SECONDS) + 1)
    roster.tell()
    assert older.close_reason is CloseReason.EVICTED


def test_a_pod_that_was_not_heard_of_anything_finds_out_by_itself(roster: Roster):
    one, two = roster.pods
    older, _ = one.connect()
    roster.settle()
    roster.hands.turn(1)
    newer, _ = two.connect()
    two.say()
    one.look(2 * int(AGAIN_SECONDS))
    one.say()
    assert older.close_reason is CloseReason.EVICTED
    assert roster.streams() == [newer]


def test_what_is_told_of_another_connection_changes_nothing(roster: Roster):
    pod = roster.pods[0]
    connection, _ = pod.connect()
    gone = Taken(NAME, connection.number + 1, "")
    pod.claims.told(Told("life-1", "pod-1", taken=[gone, Taken("X", 1, "")], kept=[gone]))
    pod.claims.told(Told("life-0", "pod-0", taken=[Taken(NAME, connection.number, "")]))
    assert connection.close_reason is None


def test_a_clock_of_redis_that_was_set_is_asked_once_more(roster: Roster):
    """What it compared then was of two clocks; a connection from before may look younger."""
    one, two = roster.pods
    for pod in roster.pods:
        pod.connect("X-1")
        pod.say()
    roster.hands.turn(60)
    one.connect()
    one.say()
    roster.hands.turn(1)
    newer, _ = two.connect()
    roster.ahead -= 5
    two.say()
    roster.settle()
    assert roster.streams() == [newer]
    assert roster.holder() == ("life-1", newer.number)


def test_a_batch_is_bounded(roster: Roster):
    pod = roster.pods[0]
    for number in range(MAX_ITEMS + 1):
        pod.connect(f"A-{number}")
    assert len(pod.claims.take()) == MAX_ITEMS
    assert len(pod.claims.take()) == 1


def test_what_is_due_wakes_whoever_says_it(roster: Roster):
    pod, woken = roster.pods[0], []
    pod.claims.on_due = lambda: woken.append(1)
    pod.connect()
    assert woken == [1]


def test_fights_over_names_are_told_to_all(roster: Roster):
    one, two = roster.pods
    older, _ = one.connect(address="10.0.0.1:1", user_agent="a")
    roster.settle()
    roster.hands.turn(1)
    two.connect(address="10.0.0.2:1", user_agent="b")
    two.say()
    roster.tell()
    assert older.close_reason is CloseReason.EVICTED
    (told,) = roster.tell()
    assert [news.client_name for news in told.news] == [NAME]
    assert two.registry.duels.knows(NAME)
