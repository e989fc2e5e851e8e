"""What was lost, or may have been, and who is told of it."""

from __future__ import annotations

from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED, HandClock
from tests.streams.delivery.pods import GAP, PurePod, live, publish, spans, story, talk, two_pods

# A loss of the journal


def test_a_gap_of_the_channel_does_not_swallow_an_earlier_loss_of_the_journal(pod: PurePod):
    """A gap counted as told once where one that ended later had been told, whenever that began."""
    _, writer = pod.connect()
    lost = pod.hands.now
    pod.live(5)
    pod.recovery.disconnected()
    pod.hands.turn(2)
    pod.come_back()
    assert spans(writer) == [(lost + 5, lost + 7)]
    pod.recovery.miss(JOURNAL, lost)
    pod.tell()
    assert spans(writer)[1][0] == lost


def test_losses_of_both_ingresses_are_told_in_one_gap(pod: PurePod):
    _, writer = pod.connect()
    now = pod.hands.now
    pod.recovery.miss(JOURNAL, now - 3)
    pod.hands.turn(1)
    pod.recovery.miss(CHANNEL, now - 1)
    pod.tell()
    assert spans(writer) == [(now - 3, now + 1)]


def test_a_loss_is_told_however_short_the_history_is(hands: HandClock):
    """The journal's loss waits until the channel is back; a pod that remembers no event forgets it meanwhile."""
    pod = PurePod(hands, history_seconds=0)
    pod.start()
    pod.live(10)
    _, writer = pod.connect()
    pod.recovery.disconnected()
    lost = hands.now - 5
    pod.recovery.miss(JOURNAL, lost)
    hands.turn(1)
    pod.history.expire(hands.now)
    pod.come_back()
    assert spans(writer)[0][0] == lost


# An ingress that is late


def test_an_ingress_without_a_proof_for_long_is_told_before_more_of_the_other(pod: PurePod):
    """Other pods do not look further back than ten seconds for what a client may lack."""
    _, writer = pod.connect()
    proved = pod.hands.now
    for _ in range(11):
        pod.hands.turn(1)
        talk(pod)
        pod.channel(str(pod.hands.now - proved))
    assert story(writer)[-2:] == [GAP, "11.0"]
    assert spans(writer) == [(proved, proved + 11)]
    assert pod.recovery.proven[JOURNAL] == proved + 11


def test_a_channel_without_a_proof_for_long_is_told_where_it_is_used(pod: PurePod):
    _, writer = pod.connect()
    proved = pod.hands.now
    pod.hands.turn(11)
    pod.recovery.channel_used = False
    pod.journal("1")
    pod.recovery.channel_used = True
    pod.journal("2")
    assert story(writer) == ["connected", "1", GAP, "2"]
    assert spans(writer) == [(proved, proved + 11)]


# A Redis that was not the primary


def test_distrust_tells_all_that_another_redis_may_have_taken(pod: PurePod, hands: HandClock):
    _, writer = pod.connect()
    pod.live(10)
    pod.recovery.disconnected()
    pod.recovery.distrust(STARTED + 7)
    hands.turn(1)
    pod.come_back()
    assert spans(writer) == [(STARTED + 7, STARTED + 21)], "in one gap, and from the first moment on"


def test_distrust_tells_what_an_earlier_gap_did_not_name(pod: PurePod, hands: HandClock):
    _, writer = pod.connect()
    pod.recovery.disconnected()
    hands.turn(1)
    pod.come_back()
    pod.live(5)
    pod.recovery.distrust(STARTED + 4)
    pod.tell()
    assert spans(writer) == [(STARTED + 10, STARTED + 11), (STARTED + 4, STARTED + 16)]


def test_distrust_never_reaches_behind_what_the_pod_knows(pod: PurePod):
    _, writer = pod.connect()
    pod.recovery.distrust(STARTED - 1000)
    pod.tell()
    assert spans(writer) == [(STARTED - 300, STARTED + 10)]


def test_distrust_before_a_pod_has_started_shows_nothing(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.distrust(STARTED)
    pod.start()
    _, writer = pod.connect()
    assert story(writer) == ["connected"]


def test_distrust_of_what_nobody_uses_tells_nothing(hands: HandClock):
    pod = PurePod(hands)
    pod.recovery.channel_used = False
    pod.start(journal=False)
    _, writer = pod.connect()
    pod.recovery.distrust(STARTED)
    pod.tell()
    assert spans(writer) == []


def test_distrust_reaches_who_comes_back_with_an_id_of_that_time(hands: HandClock):
    """It was read on another pod, which had not found out yet."""
    one, two = two_pods(hands)
    publish("1", one, two)
    live(one, two)
    publish("2", one, two)
    two.recovery.distrust(STARTED + 5)
    _, writer = two.connect(last_event_id="2")
    two.settle()
    ((began, ended),) = spans(writer)
    assert began is not None
    assert began <= STARTED + 5
    assert ended >= STARTED + 20


def test_distrust_of_a_lost_channel_tells_since_when_it_is_lost(pod: PurePod, hands: HandClock):
    """What the journal brings before the channel is back is told no less."""
    _, writer = pod.connect()
    pod.recovery.disconnected()
    hands.turn(5)
    pod.recovery.distrust(STARTED + 14)
    hands.turn(5)
    pod.journal("1")
    pod.come_back()
    assert spans(writer) == [(STARTED + 10, STARTED + 20)]
    assert story(writer) == ["connected", GAP, "1"]


def test_distrust_reaches_who_comes_back_with_a_later_id_of_the_same_ingress(hands: HandClock):
    """Another pod, which had not found out yet, may not have written what is before it."""
    one, two = two_pods(hands)
    publish("1", one, two)
    live(one, two)
    two.channel("2")
    hands.turn(1)
    publish("3", one, two)
    two.recovery.distrust(STARTED + 15)
    _, writer = two.connect(last_event_id="3")
    two.settle()
    assert story(writer) == ["connected", GAP, "2"]
