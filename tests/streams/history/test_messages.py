from __future__ import annotations

import gc
import json
import random
import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.history.messages import (
    CLIENT_BYTES,
    EVENT_BYTES,
    LUMP_PART,
    LUMP_SECONDS,
    PLACE_BYTES,
    Gap,
    GapReason,
    History,
    Replay,
)

SECONDS = 300.0
NO_LIMIT = 1 << 30
STARTED = 1000.0


def make_history(*, seconds: float = SECONDS, max_bytes: int = NO_LIMIT, per_client: int = 100) -> History:
    return History(seconds, max_bytes, per_client, STARTED)


def message(event_id: object, padding: int = 0) -> bytes:
    return json.dumps({"clientName": "a", "eventId": event_id, "data": "x" * padding}).encode()


def fill(history: History, *event_ids: str, name: str = "a", now: float = STARTED) -> list[bytes]:
    """Append events a second apart, the first at `now`; return their messages."""
    messages = [message(event_id) for event_id in event_ids]
    for number, each in enumerate(messages):
        history.append(name, each, now + number)
    return messages


def test_replays_the_events_after_an_id_in_their_order_and_of_no_other_client():
    history = make_history()
    _, second, third = fill(history, "1", "2", "3")
    fill(history, "1", "2", name="b")
    assert history.after("a", "1", STARTED + 9) == ([second, third], None)
    assert history.after("a", "3", STARTED + 9) == ([], None)


def test_hands_out_the_message_that_it_was_given_and_no_copy():
    history = make_history()
    _, second = fill(history, "1", "2")
    assert history.after("a", "1", STARTED + 9).messages[0] is second


def test_the_last_event_with_an_id_counts():
    history = make_history()
    *_, last = fill(history, "1", "2", "1", "3")
    assert history.after("a", "1", STARTED + 9) == ([last], None)


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
    history.append("a", written, STARTED)
    assert history.after("a", "a/1", STARTED) == ([], None)


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
    history.append("a", written, STARTED)
    replay = history.after("a", "17", STARTED)
    assert replay.messages == [written]
    assert replay.gap is not None


def test_an_id_that_is_not_there_may_be_of_the_time_before_the_pod():
    history = make_history()
    messages = fill(history, "1", "2")
    assert history.after("a", "0", STARTED + 9) == (messages, Gap(GapReason.POD_STARTED, None, STARTED))
    assert history.after("b", "0", STARTED + 9) == ([], Gap(GapReason.POD_STARTED, None, STARTED))


def test_an_id_that_is_not_there_has_expired_once_events_expire():
    history = make_history()
    messages = fill(history, "1", now=STARTED + 200)
    now = STARTED + SECONDS
    assert history.after("a", "0", now - 1).gap == Gap(GapReason.POD_STARTED, None, STARTED)
    assert history.after("a", "0", now) == (messages, Gap(GapReason.EXPIRED, None, STARTED))
    assert history.after("a", "0", now + 5) == (messages, Gap(GapReason.EXPIRED, None, STARTED + 5))


def test_an_id_that_is_not_there_has_expired_once_the_client_lost_an_event():
    history = make_history(per_client=2)
    _, second, third = fill(history, "1", "2", "3")
    assert history.after("a", "1", STARTED + 9) == ([second, third], Gap(GapReason.EXPIRED, None, STARTED))
    assert history.after("b", "1", STARTED + 9).gap == Gap(GapReason.POD_STARTED, None, STARTED)


@pytest.mark.parametrize("event_id", ["", "é", "a\n", "x" * 129])
def test_what_can_be_no_id_is_unknown(event_id: str):
    history = make_history()
    messages = fill(history, "1")
    assert history.after("a", event_id, STARTED + 9) == (messages, Gap(GapReason.UNKNOWN_ID, None, STARTED))


def test_tells_the_time_in_which_the_pod_was_deaf():
    history = make_history()
    fill(history, "1")
    history.note_gap(STARTED + 5, STARTED + 8, GapReason.REDIS_OUTAGE)
    (second,) = fill(history, "2", now=STARTED + 9)
    now = STARTED + 10
    assert history.after("a", "1", now) == ([second], Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8))
    assert history.after("a", "2", now) == ([], None)
    # The id may be of an event in that time, or from before the pod: the outage comes after either.
    assert history.after("a", "0", now).gap == Gap(GapReason.REDIS_OUTAGE, None, STARTED + 8)
    assert history.since("a", 2, now) == ([second], None)
    assert history.since("a", 6, now) == ([second], Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8))
    assert history.since("a", 20, now).gap == Gap(GapReason.REDIS_OUTAGE, STARTED - 10, STARTED + 8)


def test_several_deaf_times_become_one_gap():
    history = make_history()
    fill(history, "1")
    history.note_gap(STARTED + 2, STARTED + 3, GapReason.REDIS_OUTAGE)
    fill(history, "2", now=STARTED + 4)
    history.note_gap(STARTED + 5, STARTED + 6, GapReason.REDIS_OUTAGE)
    history.note_gap(STARTED + 7, STARTED + 8, GapReason.REDIS_OUTAGE)
    now = STARTED + 9
    assert history.after("a", "1", now).gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 2, STARTED + 8)
    assert history.after("a", "2", now).gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 5, STARTED + 8)


def test_forgets_a_deaf_time_with_the_events_before_it():
    history = make_history()
    history.note_gap(STARTED + 2, STARTED + 3, GapReason.REDIS_OUTAGE)
    history.expire(STARTED + SECONDS + 2)
    assert history.statistics().complete_since == STARTED + 3
    history.expire(STARTED + SECONDS + 3)
    assert history.after("a", "0", STARTED + SECONDS + 3).gap == Gap(GapReason.EXPIRED, None, STARTED + 3)


def test_returns_the_deaf_time_that_it_notes():
    gap = make_history().note_gap(STARTED + 2, STARTED + 3, GapReason.REDIS_OUTAGE)
    assert gap == Gap(GapReason.REDIS_OUTAGE, STARTED + 2, STARTED + 3)


def test_what_was_read_from_before_the_start_is_complete():
    history = make_history()
    history.note_complete(STARTED - 100)
    history.note_complete(STARTED - 50)
    assert history.statistics().complete_since == STARTED - 100
    assert history.since("a", 100, STARTED).gap is None
    # That holds for what was read; an id that is not there may be of anything.
    assert history.after("a", "0", STARTED).gap == Gap(GapReason.POD_STARTED, None, STARTED)


def test_an_event_from_before_the_start_is_followed_by_a_gap_unless_all_was_read():
    history = make_history()
    history.note_started(STARTED + 5)
    _, second = fill(history, "1", "2", now=STARTED - 10)
    gap = Gap(GapReason.POD_STARTED, STARTED - 10, STARTED + 5)
    assert history.after("a", "1", STARTED + 9) == ([second], gap)
    history.note_gap(STARTED + 6, STARTED + 7, GapReason.REDIS_OUTAGE)
    outage = Gap(GapReason.REDIS_OUTAGE, STARTED - 10, STARTED + 7)
    assert history.after("a", "1", STARTED + 9) == ([second], outage)
    history.note_complete(STARTED - 20)
    outage = Gap(GapReason.REDIS_OUTAGE, STARTED + 6, STARTED + 7)
    assert history.after("a", "1", STARTED + 9) == ([second], outage)


def test_since_returns_what_arrived_in_the_last_seconds():
    history = make_history()
    _, second, third = fill(history, "1", "2", "3", now=STARTED + 20)
    now = STARTED + 30
    assert history.since("a", 10, now) == ([second, third], None)
    assert history.since("a", 0, now) == ([], None)
    assert history.since("b", 30, now) == ([], None)
    assert history.since("b", 31, now) == ([], Gap(GapReason.POD_STARTED, STARTED - 1, STARTED))


def test_since_tells_what_has_expired():
    history = make_history(per_client=2)
    _, second, third = fill(history, "1", "2", "3", now=STARTED + SECONDS)
    now = STARTED + SECONDS + 10
    assert history.since("a", 10, now) == ([second, third], None)
    assert history.since("a", 11, now).gap == Gap(GapReason.EXPIRED, STARTED + SECONDS - 1, STARTED + SECONDS)
    assert history.since("b", SECONDS, now).gap is None
    assert history.since("b", SECONDS + 5, now).gap == Gap(GapReason.EXPIRED, STARTED + 5, STARTED + 10)


def test_a_client_of_which_nothing_is_left_may_have_lost_what_others_lost():
    history = make_history(max_bytes=1000)
    for number in range(10):
        history.append(f"n{number}", message(str(number)), STARTED + number)
    forgotten_at = history.statistics().complete_since
    assert STARTED < forgotten_at < STARTED + 9
    assert history.after("n0", "0", STARTED + 9) == ([], Gap(GapReason.EXPIRED, None, forgotten_at))
    history.append("n0", message("10"), STARTED + 10)
    assert history.since("n0", 99, STARTED + 10).gap == Gap(GapReason.EXPIRED, STARTED - 89, forgotten_at)


def test_a_client_knows_which_of_its_events_went_for_the_bytes_of_others():
    history = make_history(max_bytes=3000)
    _, second = fill(history, "1", "2")
    history.append("b", message("1", padding=2200), STARTED + 2)
    now = STARTED + 3
    assert history.after("a", "1", now) == ([second], Gap(GapReason.EXPIRED, None, STARTED))
    assert history.since("a", 2.5, now) == ([second], None)


@pytest.mark.parametrize("off", [{"seconds": 0}, {"max_bytes": 0}, {"per_client": 0}])
def test_remembers_nothing_where_a_limit_is_zero(off: dict[str, int]):
    history = make_history(**off)
    fill(history, "1", "2")
    assert history.statistics()[:3] == (0, 0, 0)
    now = STARTED + 9
    assert history.after("a", "1", now) == ([], Gap(GapReason.EXPIRED, None, now))
    assert history.since("a", 9, now) == ([], Gap(GapReason.EXPIRED, STARTED, now))


def test_an_idle_history_shrinks_to_nothing():
    history = make_history()
    fill(history, "1", name="b")
    fill(history, "1", "2")
    history.expire(STARTED + SECONDS)
    assert history.statistics()[:2] == (1, 1)
    history.expire(STARTED + SECONDS + 1)
    assert history.statistics() == (0, 0, 0, STARTED + 1)


def test_appending_alone_lets_the_old_go():
    history = make_history()
    fill(history, "1")
    fill(history, "2", name="b", now=STARTED + SECONDS)
    assert history.statistics()[:2] == (1, 1)


def test_a_message_over_the_limit_is_not_kept():
    history = make_history(max_bytes=1000)
    history.append("a", message("1", padding=2000), STARTED)
    assert history.statistics() == (0, 0, 0, STARTED)


def test_shows_the_latest_events_of_a_client():
    history = make_history(per_client=3)
    *_, third, fourth = fill(history, "1", "2", "3", "4")
    assert history.events_of("a", 2) == [(STARTED + 2, third), (STARTED + 3, fourth)]
    assert len(history.events_of("a", 100)) == 3
    assert history.events_of("a", 0) == history.events_of("b", 9) == []


def test_one_client_cannot_take_the_place_of_the_others():
    history = make_history(max_bytes=100_000, per_client=10)
    fill(history, "1", name="quiet")
    for number in range(1000):
        history.append("noisy", message(str(number), padding=100), STARTED)
    assert len(history.events_of("quiet", 10)) == 1
    assert len(history.events_of("noisy", 100)) == 10


@pytest.mark.parametrize("clients", [50, 1000, 10_000])
def test_memory_is_what_it_says(clients: int):
    chosen, max_bytes = random.Random(1), 2 << 20
    gc.collect()
    tracked = len(gc.get_objects())
    tracemalloc.start()
    try:
        history = make_history(max_bytes=max_bytes, per_client=NO_LIMIT)
        for number in range(12_000):
            # A name of its own for each event, as the decoder makes them.
            name = f"STORE{chosen.randrange(clients):05d}-LANE01"
            history.append(name, message(f"evt-{number:010d}", padding=190), STARTED + number / 1000)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(history.events_of(name, 1)[0][1]) == 250
    assert used == pytest.approx(max_bytes, rel=0.2)
    assert history.statistics().bytes == pytest.approx(max_bytes, rel=0.01)
    gc.collect()
    assert len(gc.get_objects()) - tracked < 1000, "nothing that the garbage collector tracks for an event or a client"


NAMES = st.sampled_from(["a", "b", "c"])
EVENT_IDS = st.integers(0, 12).map(str)


class Heard(NamedTuple):
    """An event as the naive list has it; `heard` is false for one that was published while the pod was deaf."""

    arrived: float
    name: str
    event_id: str
    message: bytes
    heard: bool


class Model(RuleBasedStateMachine):
    """A list of everything that was ever published, beside a history at its limits."""

    @initialize(
        seconds=st.sampled_from([1.0, 5.0, 50.0]),
        max_bytes=st.sampled_from([700, 2000, 5000, NO_LIMIT]),
        per_client=st.sampled_from([1, 2, 5, NO_LIMIT]),
        age=st.sampled_from([0.0, 100.0]),
    )
    def start(self, seconds: float, max_bytes: int, per_client: int, age: float) -> None:
        self.seconds, self.max_bytes, self.per_client = seconds, max_bytes, per_client
        self.now = STARTED + age
        self.history = History(seconds, max_bytes, per_client, STARTED)
        self.published: list[Heard] = []
        self.deaf_since: float | None = None
        self.deaf: list[tuple[float, float]] = []

    def heard(self, name: str) -> list[Heard]:
        return [event for event in self.published if event.heard and event.name == name]

    def messages(self, name: str) -> list[bytes]:
        return [message for _, message in self.history.events_of(name, NO_LIMIT)]

    @rule(seconds=st.sampled_from([0.0, LUMP_SECONDS / 2, 1.0, 3.0, 40.0]))
    def advance(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=NAMES, event_ids=st.lists(EVENT_IDS, min_size=1, max_size=8), padding=st.integers(0, 300))
    def publish(self, name: str, event_ids: list[str], padding: int) -> None:
        for event_id in event_ids:
            event = Heard(self.now, name, event_id, message(event_id, padding), self.deaf_since is None)
            before, places = self.remembered(), self.history._overtaken + 1
            self.published.append(event)
            if event.heard:
                self.history.append(name, event.message, self.now)
                self.check_what_went(before, event, places)

    def remembered(self) -> list[Heard]:
        """Return the naive list's events that the history still has."""
        left = {name: len(self.messages(name)) for name in "abc"}
        kept = []
        for event in reversed(self.published):
            if event.heard and left[event.name]:
                left[event.name] -= 1
                kept.append(event)
        return kept[::-1]

    def check_what_went(self, before: list[Heard], event: Heard, places: int) -> None:
        expected = [*before, event]
        own = [each for each in expected if each.name == event.name]
        if len(own) > self.per_client:
            expected.remove(own[0])
        remembered = self.remembered()
        gone = expected[: len(expected) - len(remembered)]
        assert remembered == expected[len(gone) :], "only the oldest go"
        young = [each for each in gone if each.arrived > self.now - self.seconds]
        if young and remembered:
            # By bytes, but not one event more than that takes, its client and empty places behind it included.
            last = CLIENT_BYTES + len(event.name) + EVENT_BYTES + len(young[-1].message)
            assert (
                self.history.statistics().bytes + last + places * PLACE_BYTES
                > self.max_bytes - self.max_bytes // LUMP_PART
            )

    @precondition(lambda self: self.deaf_since is None)
    @rule()
    def lose_redis(self) -> None:
        self.deaf_since = self.now

    @precondition(lambda self: self.deaf_since is not None)
    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def find_redis(self, seconds: float) -> None:
        assert self.deaf_since is not None
        self.now += seconds
        self.history.note_gap(self.deaf_since, self.now, GapReason.REDIS_OUTAGE)
        self.deaf.append((self.deaf_since, self.now))
        self.deaf_since = None

    @rule()
    def expire(self) -> None:
        self.history.expire(self.now)
        assert all(event.arrived > self.now - self.seconds for event in self.remembered())

    def missed(self, name: str, replayed: list[bytes], truth: list[Heard]) -> bool:
        # What the pod misses just now is told when that is over.
        ended = self.now + 1 if self.deaf_since is None else self.deaf_since
        return replayed != [event.message for event in truth if event.heard or event.arrived < ended]

    @rule(name=NAMES, event_id=EVENT_IDS)
    def come_back(self, name: str, event_id: str) -> None:
        replay = self.history.after(name, event_id, self.now)
        remembered = [event for event in self.remembered() if event.name == name]
        places = [place for place, event in enumerate(remembered) if event.event_id == event_id]
        if places:
            found = remembered[places[-1]]
            assert replay.messages == [event.message for event in remembered[places[-1] + 1 :]]
            self.check_outages(replay, found, found.arrived)
            return
        assert replay.messages == [event.message for event in remembered]
        heard = self.heard(name)
        forgotten = heard[: len(heard) - len(remembered)]
        last_was_it = bool(forgotten) and forgotten[-1].event_id == event_id
        if last_was_it and (replay.gap is None or replay.gap.began is not None):
            # Its id outlived it, as that of a client of whom nothing else is forgotten.
            self.check_outages(replay, forgotten[-1], self.now - self.seconds)
            return
        assert replay.gap is not None
        assert replay.gap.began is None
        self.check_gap(replay, [event for event in self.published if event.name == name])

    def check_outages(self, replay: Replay, found: Heard, moment: float) -> None:
        """Check that a client is told of the outages that ended after a moment, and of all that it missed after one."""
        deaf = [(began, ended) for began, ended in self.deaf if ended > moment]
        assert replay.gap == (Gap(GapReason.REDIS_OUTAGE, deaf[0][0], deaf[-1][1]) if deaf else None)
        own = [event for event in self.published if event.name == found.name]
        after_it = own[max(place for place, event in enumerate(own) if event is found) + 1 :]
        if replay.gap is None:
            assert not self.missed(found.name, replay.messages, after_it)
        else:
            self.check_gap(replay, after_it)

    @rule(name=NAMES, seconds=st.sampled_from([0.0, 1.0, 4.0, 45.0, 500.0]))
    def recover(self, name: str, seconds: float) -> None:
        replay = self.history.since(name, seconds, self.now)
        moment = self.now - seconds
        recent = [event for event in self.published if event.name == name and event.arrived > moment]
        heard = [event.message for event in recent if event.heard]
        assert replay.messages == heard[len(heard) - len(replay.messages) :]
        if replay.gap is None:
            assert moment >= STARTED
            assert not self.missed(name, replay.messages, recent)
        else:
            assert replay.gap.ended > moment
            self.check_gap(replay, recent)

    def check_gap(self, replay: Replay, wanted: list[Heard]) -> None:
        """Check that what is missing is of the time that the gap tells, and that its reason can be."""
        gap = replay.gap
        assert gap is not None
        assert gap.ended <= self.now
        heard = [event for event in wanted if event.heard]
        missing = heard[: len(heard) - len(replay.messages)]
        ended = self.now + 1 if self.deaf_since is None else self.deaf_since
        missing += [event for event in wanted if not event.heard and event.arrived < ended]
        assert all((gap.began or 0.0) <= event.arrived <= gap.ended for event in missing)
        if gap.reason is GapReason.POD_STARTED:
            assert gap.ended == STARTED
            assert not missing
            assert self.now - STARTED < self.seconds
        elif gap.reason is GapReason.REDIS_OUTAGE:
            assert gap.ended == self.deaf[-1][1]
        else:
            gone = {event.arrived for event in self.published if event.heard}
            assert gap.ended in gone | {self.now - self.seconds}

    @invariant()
    def keeps_the_latest_of_each_client_within_the_limits(self) -> None:
        statistics = self.history.statistics()
        kept = {name: self.messages(name) for name in "abc"}
        for name, messages in kept.items():
            heard = [event.message for event in self.heard(name)]
            assert messages == heard[len(heard) - len(messages) :]
            assert len(messages) <= self.per_client
        assert statistics.events == sum(map(len, kept.values()))
        assert statistics.clients == sum(map(bool, kept.values()))
        assert statistics.bytes <= self.max_bytes
        assert statistics.bytes >= sum(len(message) for messages in kept.values() for message in messages)
        if not statistics.events and not self.history._overtaken:
            assert statistics.bytes == 0

    @precondition(lambda self: self.max_bytes == NO_LIMIT)
    @invariant()
    def forgets_nothing_before_its_time(self) -> None:
        for name in "abc":
            young = [event.message for event in self.heard(name) if event.arrived > self.now - self.seconds]
            assert self.messages(name)[-len(young) :] == young[-self.per_client :] or not young


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_a_quiet_client_has_missed_nothing_however_long_ago_its_last_event_was():
    history = make_history(seconds=10, max_bytes=2**20, per_client=3)
    fill(history, "1")
    assert history.after("a", "1", STARTED + 500) == ([], None)
    assert history.after("a", "0", STARTED + 500).gap is not None
    # What came since is all there, until some of that is forgotten too.
    late = fill(history, "2", "3", now=STARTED + 501)
    assert history.after("a", "1", STARTED + 503) == (late, None)
    fill(history, "4", "5", now=STARTED + 504)
    assert history.after("a", "1", STARTED + 506).gap is not None


def test_a_quiet_client_is_told_when_the_pod_was_deaf():
    history = make_history(seconds=10, max_bytes=2**20)
    fill(history, "1")
    history.expire(STARTED + 100)
    told = history.note_gap(STARTED + 100, STARTED + 101, GapReason.REDIS_OUTAGE)
    assert history.after("a", "1", STARTED + 105).gap == told
    # Nobody knows of that outage any more, so nobody may be told that nothing is missing.
    assert history.after("a", "1", STARTED + 200).gap is not None


def test_last_ids_are_few():
    history = make_history(seconds=10, max_bytes=2**20)
    for number in range(1000):
        fill(history, "1", name=f"client-{number}")
    history.expire(STARTED + 100)
    assert history.after("client-999", "1", STARTED + 101).gap is None
    assert history.after("client-0", "1", STARTED + 101).gap is not None
