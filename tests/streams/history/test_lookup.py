"""How a client's events are found among those of all others: by their ids, messages and places."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.history.lookup import digest
from streams.history.memory import APART_SECONDS
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import SECONDS, after, fill, make_history


@pytest.mark.parametrize(
    "written",
    [
        b'{"clientName": "a", "eventId": "a/1"}',
        rb'{"clientName": "a", "eventId": "a\/1"}',
        rb'{"clientName": "a", "eventId": "\u0061/1"}',
        b'{"clientName": "a", "eventId": "other", "eventId": "a/1"}',
    ],
)
def test_finds_an_id_however_json_writes_it(written: bytes):
    history = make_history()
    history.extend(["a"], [written], STARTED, CHANNEL)
    assert after(history, "a", "a/1", STARTED) == ([], None)
    assert history.has("a", "a/1")


@pytest.mark.parametrize(
    "written",
    [
        b'{"clientName": "a", "eventId": 17}',
        b'{"clientName": "a", "data": {"eventId": "17"}}',
        b'{"clientName": "a", "eventId": "170"}',
        b'{"clientName": "a"}',
    ],
)
def test_takes_nothing_else_for_an_id(written: bytes):
    history = make_history()
    history.extend(["a"], [written], STARTED, CHANNEL)
    messages, gap = after(history, "a", "17", STARTED)
    assert messages == [written]
    assert gap is not None
    assert not history.has("a", "17")
    assert not history.has("b", "17")


def test_shows_the_latest_events_of_a_client():
    history = make_history(per_client=3)
    *_, third, fourth = fill(history, "1", "2", "3", "4")
    assert history.events_of("a", 2) == [(STARTED + 2, third), (STARTED + 3, fourth)]
    assert len(history.events_of("a", 100)) == 3
    assert history.events_of("a", 0) == history.events_of("b", 9) == []


def test_says_what_was_written_before_an_event_in_this_pods_order():
    history = make_history()
    (p,) = fill(history, "p", now=STARTED + 50)
    (j,) = fill(history, "j", now=STARTED + 51, ingress=JOURNAL)
    fill(history, "q", now=STARTED + 52)
    assert history.written_before("a", "q", 0, 3, 0, ()) == (2, Counter([digest(p), digest(j)]))
    assert history.written_before("a", "q", 2, 3, 0, ()) == (2, Counter([digest(p), digest(j)]))
    assert history.written_before("a", "p", 0, 3, 0, ()) == (0, Counter())
    assert history.written_before("a", "q", 0, 2, 0, ()) is None
    assert history.written_before("a", "p", 1, 3, 0, ()) is None
    assert history.written_before("b", "p", 0, 3, 0, ()) is None
    fill(history, "late", now=STARTED + 52 + APART_SECONDS)
    place, had = history.written_before("a", "late", 0, 9, 0, ()) or (None, Counter())
    assert (place, had) == (3, Counter()), "what is far apart has one order everywhere"


def test_moment_of_a_message_is_that_of_its_last_copy():
    history = make_history()
    first, _, _ = fill(history, "1", "2", "1")
    assert history.moment_of("a", first) == STARTED + 2
    assert history.moment_of("a", b"unknown") is None
    assert history.moment_of("b", first) is None


def test_with_id_finds_every_event_with_an_id_and_its_place():
    history = make_history()
    first, other, again = fill(history, "1", "2", "1")
    mention = b'{"clientName":"a","eventId":"3","data":{"eventId":"1"}}'
    escaped = rb'{"clientName":"a","eventId":"\u0031"}'
    history.extend(["a", "a"], [mention, escaped], STARTED + 3, CHANNEL)
    assert history.with_id("a", "1") == [(0, first), (2, again), (4, escaped)]
    assert history.with_id("a", "2") == [(1, other)]
    assert history.with_id("a", "4") == history.with_id("b", "1") == []


def test_ids_of_a_client_are_those_that_are_text():
    history = make_history()
    fill(history, "1", "2", "1")
    history.extend(["a", "a"], [b'{"clientName":"a","eventId":5}', b'{"clientName":"a"}'], STARTED + 3, CHANNEL)
    assert history.ids_of("a") == ["1", "2", "1"]
    assert history.ids_of("b") == []


def test_what_was_there_before_a_stream_is_not_written_by_it_where_ids_come_twice():
    history = make_history()
    fill(history, "lost", "1", "2")
    assert history.written_before("a", "2", 1, history.end, 0, ()) == (
        2,
        Counter(map(digest, fill(make_history(), "lost", "1"))),
    )
    history.copies_seen = True
    assert history.written_before("a", "2", 1, history.end, 0, ()) == (
        2,
        Counter(map(digest, fill(make_history(), "1"))),
    )


def test_what_its_replay_left_out_is_not_written_by_a_stream_where_ids_come_twice():
    """Nor is it known that its client has it: it may have been lost, and told so."""
    history = make_history()
    lost, given = fill(history, "lost", "given")
    without_id = b'{"clientName":"a","data":1}'
    history.extend(["a"], [without_id], STARTED + 2, CHANNEL)
    live, _ = fill(history, "live", "3", now=STARTED + 3)

    def written() -> set[str]:
        found = history.written_before("a", "3", 0, history.end, 3, [hash(given)])
        assert found is not None
        return set(found[1])

    before = {digest(each) for each in (given, live, without_id)}
    assert before | {digest(lost)} <= written()
    history.copies_seen = True
    assert before <= written()
    assert digest(lost) not in written()


def test_a_place_tells_by_which_ingress_its_event_came():
    """It is the same place once what was before it is forgotten."""
    history = make_history()
    fill(history, "old", name="b")
    fill(history, "1", now=STARTED + 50)
    fill(history, "2", now=STARTED + 60, ingress=JOURNAL)
    for _ in range(2):
        assert [history.ingress_of(place) for place in (1, 2)] == [CHANNEL, JOURNAL]
        assert [place for place, _ in history.with_id("a", "2")] == [2]
        history.expire(STARTED + SECONDS)


def test_a_clients_events_are_found_among_those_of_others():
    history = make_history()
    mine: list[bytes] = []
    for number in range(5):
        fill(history, f"{number}", name="b", now=STARTED + number)
        mine += fill(history, f"{number}", now=STARTED + number)
    assert history.events_of("a", 9) == [(STARTED + number, message) for number, message in enumerate(mine)]
    assert history.ids_of("b") == ["0", "1", "2", "3", "4"]


def test_digest_is_the_same_for_every_pod_of_every_version():
    """Pods of two versions compare theirs while one replaces the other."""
    assert digest(b'{"clientName":"a"}') == "695709cedbc85df3"
    assert digest(b'{"clientName":"b"}') != digest(b'{"clientName":"a"}')


def test_counts_between_two_places():
    history = make_history()
    fill(history, "a/1", "a/2", name="a")
    first = history.end
    fill(history, "a/3", "a/4", name="a")
    fill(history, "b/1", name="b")
    history.extend(["no name"], [b"{}"], STARTED, CHANNEL)
    assert history.counts_between(first, history.end) == {"a": 2, "b": 1}
    assert history.counts_between(first, first) == {}


def test_counts_between_leaves_out_what_is_forgotten():
    history = make_history()
    fill(history, "a/1", name="a")
    fill(history, "b/1", name="b", now=STARTED + SECONDS)
    history.expire(STARTED + SECONDS)
    assert history.counts_between(0, history.end) == {"b": 1}
    assert history.counts_between(0, 1) == {}


def test_came_between_gives_the_events_of_some_clients():
    history = make_history(per_client=2)
    fill(history, "a/0", name="a", now=STARTED)
    first = history.end
    fill(history, "a/1", "a/2", "a/3", name="a", now=STARTED + 10)
    fill(history, "b/1", name="b", now=STARTED + 20, ingress=JOURNAL)
    fill(history, "c/1", name="c", now=STARTED + 30)
    came = history.came_between(first, history.end, {"a", "b", "nobody"}, 0)
    # The client's oldest event had to go before its turn.
    assert came == [("a", STARTED + 11), ("a", STARTED + 12), ("b", STARTED + 20)]
    assert history.came_between(history.end, history.end, {"a", "b"}, 0) == []


def test_came_between_takes_copies_for_one_event():
    """Publishers that try again, or use both ingresses, publish one event."""
    history = make_history()
    fill(history, "a/1", name="a", now=STARTED)
    fill(history, "a/2", name="a", now=STARTED + 5)
    first = history.end
    fill(history, "a/1", "a/2", "a/3", name="a", now=STARTED + 10)
    fill(history, "a/3", name="a", now=STARTED + 12, ingress=JOURNAL)
    fill(history, "a/3", name="b", now=STARTED + 13)
    fill(history, "a/4", name="a", now=STARTED + 14)
    came = history.came_between(first, history.end - 1, {"a", "b"}, 1)
    assert came == [("a", STARTED + 10), ("a", STARTED + 12), ("b", STARTED + 13)]
