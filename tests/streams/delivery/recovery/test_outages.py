"""Who is told of an outage of Redis, when, and that one client holds up no other."""

from __future__ import annotations

from streams.errors import CloseReason
from streams.history.coverage import GapReason
from tests.streams.builders import CHANNEL, JOURNAL, unwritable
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import GAP, PurePod, gaps, spans, story


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
