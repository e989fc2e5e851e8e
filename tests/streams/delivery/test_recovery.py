from __future__ import annotations

from typing import cast

import pytest

from streams.errors import CloseReason
from streams.history.coverage import Gap, GapReason, Ingress
from streams.history.losses import Loss
from streams.wire.pods import Answer, PodMessage, Statement
from tests.streams.builders import unwritable
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import PurePod, event, gaps, outgoing, publish, spans, story, talk, two_pods

CHANNEL, JOURNAL = Ingress
GAP = "stream-gap"


# A pod that starts


def test_nobody_is_greeted_before_the_pod_hears(hands: HandClock):
    pod = PurePod(hands)
    connection, writer = pod.connect()
    pod.recovery.telling.tell(200)
    assert story(writer) == []
    pod.start()
    assert not pod.recovery.telling.tell(200)
    assert story(writer) == ["connected"]
    assert connection.told == pod.router.told == (STARTED, STARTED - 300)


def test_a_pod_that_starts_has_heard_the_channel_since_it_subscribed_last(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.subscribed()
    hands.turn(1)
    pod.recovery.disconnected()
    hands.turn(1)
    pod.start()
    channel, journal = pod.history.coverage
    assert (channel.heard_since, journal.heard_since) == (STARTED + 2, STARTED - 298)
    assert pod.recovery.proven == [STARTED + 2, STARTED]


def test_a_subscription_alone_proves_nothing(pod: PurePod, hands: HandClock):
    """Messages come with Redis' answer, and the link may be lost again before the pod knows of that."""
    pod.recovery.disconnected()
    hands.turn(1)
    pod.channel("1")
    taken_at = hands.now
    hands.turn(3)
    pod.recovery.subscribed()
    assert pod.recovery.proven[CHANNEL] == taken_at
    pod.channel("2")
    assert pod.recovery.progress.published_after(pod.history.end - 1, hands.now) < taken_at, "it may have waited"


def test_without_a_journal_nothing_is_missed_there(hands: HandClock):
    pod = PurePod(hands)
    pod.start(journal=False)
    pod.channel("1", "2")
    hands.turn(30)
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", "2"]
    assert pod.recovery.statement("pod-1").ages == (30.375, 0.0)


def test_where_nobody_uses_the_channel_what_the_journal_has_is_complete(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.channel_used = False
    pod.recovery.take_past([event("1"), event("2")], [STARTED - 9, STARTED - 8])
    pod.recovery.subscribed()
    pod.recovery.came_back(STARTED - 9.5)
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", "2"]
    # An outage of what nobody uses loses nothing.
    pod.recovery.disconnected()
    hands.turn(60)
    pod.journal("3")
    pod.recovery.subscribed()
    pod.recovery.came_back(None)
    pod.tell()
    assert story(writer) == ["connected", "2", "3"]


def test_a_pod_that_starts_does_not_say_that_an_ingress_is_late(hands: HandClock):
    pod = PurePod(hands)
    hands.turn(60)
    pod.channel("1")
    assert pod.history.coverage[JOURNAL].missed_until < STARTED


def test_what_redis_lost_shortly_before_a_pod_was_there_is_told_to_who_comes_back(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.take_past([event("1"), event("2")], [STARTED - 9, STARTED - 3])
    pod.recovery.subscribed()
    pod.recovery.came_back(STARTED - 60, [Loss(JOURNAL, STARTED - 5, STARTED + 5)], from_the_first=True)
    _, writer = pod.connect()
    pod.tell()
    assert story(writer) == ["connected"]
    _, writer = pod.connect(last_event_id="1")
    pod.settle()
    assert story(writer) == ["connected", GAP, "2"]
    journal = pod.history.coverage[JOURNAL]
    assert journal.missed_after(STARTED - 9) == Gap(GapReason.REDIS_OUTAGE, STARTED - 5, STARTED)
    assert journal.from_the_first


def test_a_pod_has_spoken_before_it_serves(pod: PurePod):
    """Else nobody could know that it may be behind."""
    pod.recovery.disconnected()
    pod.live(1)
    pod.hands.turn(0.5)
    early = pod.recovery.statement("one")
    pod.hands.turn(0.5)
    pod.recovery.subscribed()
    pod.recovery.take_pod_messages([early])
    assert not pod.recovery.heard_itself, "that was published before"
    pod.hands.turn(0.5)
    pod.recovery.take_pod_messages([pod.recovery.statement("one")])
    assert pod.recovery.heard_itself


@pytest.mark.parametrize(("elsewhere", "trusted"), [(None, True), ((5, 0), True), ((7, 0), True), ((4, 9), False)])
def test_a_journal_of_which_another_pod_read_more_is_not_trusted(
    hands: HandClock, elsewhere: tuple[int, int] | None, trusted: bool
):
    """It was deleted and begun anew: nothing in it shows that there were others."""
    pod = PurePod(hands)
    pod.recovery.subscribed()
    pod.recovery.prove_journal(hands.now, (5, 0))
    pod.recovery.came_back(hands.now, from_the_first=True)
    assert pod.history.coverage[JOURNAL].from_the_first
    pod.recovery.take_pod_messages([Statement("two", "two", 1.0, (0.0, 0.0), elsewhere)])
    assert pod.history.coverage[JOURNAL].from_the_first == trusted
    assert pod.recovery.statement("one").journal_oldest == (5, 0)


def test_an_empty_journal_of_which_another_pod_read_something_is_not_trusted(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.subscribed()
    pod.recovery.take_pod_messages([Statement("two", "two", 1.0, (0.0, 0.0), (4, 0))])
    pod.recovery.came_back(hands.now, from_the_first=True)
    assert not pod.history.coverage[JOURNAL].from_the_first


def test_a_pod_that_subscribes_is_told_what_the_others_have_heard(hands: HandClock):
    old, new = PurePod(hands, "old"), PurePod(hands, "new")
    old.start()
    outgoing(old)
    for _ in range(2):
        new.recovery.subscribed()
        (first,) = outgoing(new)
        assert first == new.recovery.statement("new", asks=True)
        old.recovery.take_pod_messages([first, first])
        assert outgoing(old) == [old.recovery.statement("old")], "once, however many ask"
    new.recovery.take_pod_messages([first])
    old.recovery.take_pod_messages([new.recovery.statement("new")])
    assert outgoing(old, new) == []


def test_what_was_lost_before_a_client_was_there_is_not_told_to_it(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.miss(JOURNAL, hands.now - 5)
    hands.turn(1)
    pod.start()
    pod.live(10)
    _, writer = pod.connect()
    pod.recovery.miss(CHANNEL, hands.now - 1)
    pod.tell()
    assert spans(writer) == [(hands.now - 1, hands.now)]


# An outage


def test_every_open_stream_is_told_of_an_outage_once(pod: PurePod):
    writers = [pod.connect(f"a{number}")[1] for number in range(10)]
    pod.recovery.disconnected()
    began = pod.hands.now
    pod.hands.turn(5)
    pod.come_back()
    pod.tell()
    for writer in writers:
        assert story(writer) == ["connected", GAP]
        assert gaps(writer)[0]["reason"] == GapReason.REDIS_OUTAGE
        assert spans(writer) == [(began, began + 5)]
    assert pod.router.gaps == {GapReason.REDIS_OUTAGE: 10}
    assert not pod.recovery.telling.due


def test_an_outage_begins_at_the_last_proof_and_not_at_its_discovery(pod: PurePod):
    """What Redis still held for this pod when it cut the link was published before that."""
    _, writer = pod.connect()
    proved = pod.hands.now
    pod.hands.turn(3)
    pod.recovery.disconnected()
    pod.recovery.subscribed()
    pod.hands.turn(1)
    pod.recovery.disconnected()
    pod.come_back()
    assert spans(writer) == [(proved, proved + 4)]


def test_a_link_that_was_never_lost_tells_nobody_anything(pod: PurePod):
    _, writer = pod.connect()
    pod.come_back()
    assert story(writer) == ["connected"]
    assert pod.registry.subscribed


def test_a_flap_while_the_gap_is_told_leaves_nobody_untold(pod: PurePod):
    """Of 1,000 streams only those were told once whose turn came before the second outage."""
    writers = [pod.connect(f"a{number}")[1] for number in range(1000)]
    pod.recovery.disconnected()
    began = pod.hands.now
    pod.hands.turn(0.5)
    pod.recovery.subscribed()
    pod.recovery.came_back(None)
    assert pod.recovery.telling.tell(200)
    assert pod.recovery.telling.tell(200)
    assert sum(map(len, map(gaps, writers))) == 400
    pod.recovery.disconnected()
    assert not pod.recovery.telling.tell(200), "one gap tells of an outage, once it is over"
    pod.hands.turn(0.25)
    pod.come_back()
    for writer in writers:
        assert min(since for since, _ in spans(writer) if since is not None) == began
        assert max(until for _, until in spans(writer)) == pod.hands.now
        assert len(gaps(writer)) <= 2


def test_a_flap_of_a_channel_that_nobody_uses_does_not_end_the_telling(pod: PurePod):
    writers = [pod.connect(f"a{number}")[1] for number in range(10)]
    pod.recovery.miss(JOURNAL, pod.hands.now - 1)
    assert pod.recovery.telling.tell(4)
    pod.recovery.channel_used = False
    pod.recovery.disconnected()
    pod.come_back()
    assert [len(gaps(writer)) for writer in writers] == [1] * 10


def test_one_client_that_cannot_be_greeted_holds_up_no_other(hands: HandClock):
    """The greeting of all ended once with the first that raised, and the pod called itself ready."""
    pod = PurePod(hands)
    waiting = [pod.connect(f"a{number}") for number in range(10)]
    unwritable(waiting[0][1])
    pod.start()
    pod.tell()
    assert waiting[0][0].close_reason is CloseReason.FAILED
    assert [story(writer) for _, writer in waiting[1:]] == [["connected"]] * 9
    assert len(pod.registry) == 9


def test_one_client_that_cannot_be_told_holds_up_no_other(pod: PurePod):
    clients = [pod.connect(f"a{number}") for number in range(10)]
    unwritable(clients[0][1])
    pod.registry.close(clients[1][0], CloseReason.CLIENT_CLOSED)
    pod.recovery.miss(CHANNEL, pod.hands.now - 1)
    pod.registry.close(clients[2][0], CloseReason.CLIENT_CLOSED)
    pod.tell()
    assert clients[0][0].close_reason is CloseReason.FAILED
    assert [len(gaps(writer)) for _, writer in clients] == [0, 0, 0, *[1] * 7]
    assert sum(pod.router.gaps.values()) == 8


def test_some_are_greeted_and_some_are_told_at_a_time(hands: HandClock):
    pod = PurePod(hands)
    for number in range(5):
        pod.connect(f"a{number}")
    pod.start()
    assert [pod.recovery.telling.tell(2) for _ in range(3)] == [True, True, False]


def test_an_event_is_not_written_to_a_client_that_was_not_told_yet(pod: PurePod):
    """A client that left between the two would have come back with an id behind the gap."""
    writers = [pod.connect(f"a{number}")[1] for number in range(3)]
    pod.recovery.miss(CHANNEL, pod.hands.now - 1)
    pod.channel("1", name="a2")
    assert [story(writer) for writer in writers] == [["connected"], ["connected"], ["connected", GAP, "1"]]
    pod.tell()
    assert [story(writer)[1:] for writer in writers] == [[GAP], [GAP], [GAP, "1"]]


def test_an_event_that_is_heard_before_the_pod_is_back_comes_after_the_gap(pod: PurePod):
    """The subscription may wait a second for the journal; a client that leaves with that event was told nothing."""
    _, writer = pod.connect()
    pod.recovery.disconnected()
    pod.hands.turn(3)
    pod.recovery.subscribed()
    pod.channel("1")
    pod.recovery.came_back(None)
    pod.tell()
    assert story(writer) == ["connected", GAP, "1"]


def test_what_the_journal_brings_during_an_outage_of_the_channel_goes_out(pod: PurePod):
    """The client may leave with that event, and is told so far; the rest is told when the outage is over."""
    _, writer = pod.connect()
    pod.recovery.disconnected()
    began = pod.hands.now
    pod.hands.turn(3)
    pod.journal("1")
    pod.hands.turn(0.25)
    pod.journal("2")
    assert story(writer) == ["connected", GAP, "1", "2"]
    pod.hands.turn(0.5)
    pod.journal("3")
    pod.come_back()
    assert story(writer) == ["connected", GAP, "1", "2", GAP, "3"]
    assert spans(writer) == [(began, began + 3), (began + 3, began + 3.75)]


# What a pod says of itself


def test_what_comes_back_proves_the_channel(pod: PurePod):
    sent = pod.hands.turn(0.5)
    statement = pod.recovery.statement("pod-1")
    assert (statement.life, statement.pod_name, statement.sent) == ("one", "pod-1", sent)
    assert statement.ages == pytest.approx((0.5, 0.5))
    pod.hands.turn(0.2)
    pod.recovery.take_pod_messages([statement])
    assert pod.recovery.proved_at[CHANNEL] == pod.recovery.proven[CHANNEL] == sent
    late = statement.__class__("one", "pod-1", sent - 1, (0.0, 0.0))
    pod.recovery.take_pod_messages([late])
    assert pod.recovery.proved_at[CHANNEL] == pod.recovery.proven[CHANNEL] == sent
    other = statement.__class__("two", "pod-2", sent + 99, (0.0, 0.0))
    pod.recovery.take_pod_messages([other])
    assert pod.recovery.proven[CHANNEL] == sent


def test_the_journals_proof_does_not_go_back(pod: PurePod):
    pod.prove_journal(pod.hands.now + 1)
    pod.prove_journal()
    assert pod.recovery.proven[JOURNAL] == pod.hands.now + 1


def test_a_pod_does_not_state_what_it_has_not_told_yet(pod: PurePod):
    """Other pods, and this one, would not look further back for a client that leaves meanwhile."""
    pod.recovery.disconnected()
    pod.hands.turn(3)
    pod.recovery.subscribed()
    assert pod.recovery.statement("pod-1").ages[CHANNEL] == pytest.approx(3)
    pod.recovery.came_back(None)
    assert pod.recovery.statement("pod-1").ages[CHANNEL] == 0


def test_a_clock_of_redis_that_was_set_makes_the_journals_moments_doubtful(pod: PurePod):
    now = pod.hands.now
    pod.recovery.take_past([event("1")], [now - 9], now - 9)
    pod.hands.turn(1)
    assert pod.history.journal_unsure.around(now - 5) == (now - 9, now)
    pod.recovery.take_journal([event("2")], [now], now)
    assert pod.history.journal_unsure.around(now - 5) == (now - 9, now + 1)


def test_what_nobody_understands_is_ignored(pod: PurePod):
    pod.recovery.take_pod_messages([cast("PodMessage", object())])


def test_a_pod_that_subscribes_late_knows_all_once_as_many_spoke_as_redis_counts(hands: HandClock):
    old, new = two_pods(hands)
    new.recovery.subscribed()
    new.recovery.counted(2)
    assert new.recovery.handover.pods == 2
    hands.turn(0.5)
    talk(old, new)
    hands.turn(0.5)
    talk(old, new)
    new.prove_journal()
    assert new.recovery.progress.heard_elsewhere(JOURNAL, new.history.end, hands.now) > hands.now - 2


def test_a_question_is_answered_to_whoever_asked(hands: HandClock):
    one, two = two_pods(hands)
    _, writer = one.connect()
    hands.turn(0.5)
    for pod in (one, two):
        pod.journal("j")
    publish("c", one, two)
    two.connect(last_event_id="c")
    (question,) = outgoing(two)
    one.recovery.take_pod_messages([question])
    (answer,) = outgoing(one)
    assert isinstance(answer, Answer)
    two.recovery.take_pod_messages([answer])
    assert answer.life == "two"
    assert story(writer) == ["connected", "j", "c"]
