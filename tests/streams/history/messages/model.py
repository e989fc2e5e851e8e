"""A list of everything that was ever published on two ingresses, beside a history at its limits."""

from __future__ import annotations

from math import inf, nextafter
from typing import NamedTuple

from streams.history.coverage import GapReason, Ingress
from streams.history.memory import APART_SECONDS, BATCH_PART, CLIENT_BYTES, EVENT_BYTES, PLACE_BYTES
from streams.history.messages import READ_APART_SECONDS, History
from streams.history.replays import Replay
from tests.streams.builders import CHANNEL, JOURNAL
from tests.streams.clocks import STARTED
from tests.streams.history.histories import NO_LIMIT, message

NAMES = "abc"


class Published(NamedTuple):
    """An event as Redis took it; no two have the same message."""

    moment: float
    name: str
    event_id: str
    message: bytes
    ingress: Ingress


class Model:
    """The channel is heard when it is published, or never; the journal is read late, or lost unread.

    Every step checks that what a client lacks is in its replay, or of the time that its gap tells.
    """

    def __init__(self, seconds: float, max_bytes: int, per_client: int, age: float, *, past: bool) -> None:
        self.seconds, self.max_bytes, self.per_client = seconds, max_bytes, per_client
        self.now = STARTED + age
        self.history = History(seconds, max_bytes, per_client, STARTED)
        self.published: list[Published] = []
        # In the order in which this pod heard them.
        self.heard: list[Published] = []
        # What the pod will still read, and what it will still be told to have missed.
        self.unread: list[Published] = []
        self.untold: list[Published] = []
        self.read_at = self.now
        self.disconnected_since: float | None = None
        self.outages = 0
        if past:
            self.read_past()

    def read_past(self) -> None:
        """Before the pod was there: what the journal still had, and what the channel had brought to others."""
        self.history.coverage[JOURNAL].heard_since = STARTED - 5
        for moment, ingress in ((STARTED - 4, JOURNAL), (STARTED - 3, CHANNEL), (STARTED - 2, JOURNAL)):
            event = self.publish_one("a", f"{ingress}-0", 0, moment, ingress)
            if ingress is JOURNAL:
                self.hear([event])

    def messages(self, name: str) -> list[bytes]:
        return [message for _, message in self.history.events_of(name, NO_LIMIT)]

    def remembered(self) -> list[Published]:
        """Return what the history still has, in the order in which it was heard."""
        kept = {message for name in NAMES for message in self.messages(name)}
        return [event for event in self.heard if event.message in kept]

    # What happens

    def publish(self, name: str, event_ids: list[str], padding: int, ingress: Ingress, late: bool) -> None:
        for number in event_ids:
            # An id occurs often, but on one ingress only.
            event = self.publish_one(name, f"{ingress}-{number}", padding, self.now, ingress)
            if ingress is JOURNAL:
                self.unread.append(event)
                if not late:
                    self.read_journal(NO_LIMIT)
            elif self.disconnected_since is None:
                self.hear([event])
            else:
                self.untold.append(event)

    def publish_one(self, name: str, event_id: str, padding: int, moment: float, ingress: Ingress) -> Published:
        written = message(event_id, padding)[:-1] + b', "n": %d}' % len(self.published)
        event = Published(moment, name, event_id, written, ingress)
        self.published.append(event)
        return event

    def hear(self, events: list[Published]) -> None:
        for event in events:
            before, places = self.remembered(), self.history._empty + 1
            self.heard.append(event)
            moments = () if event.ingress is CHANNEL else (event.moment,)
            assert not self.history.extend([event.name], [event.message], self.now, event.ingress, moments)
            self.check_what_went(before, event, places)

    def read_journal(self, count: int) -> None:
        read, self.unread = self.unread[:count], self.unread[count:]
        self.read_at = self.unread[0].moment if self.unread else self.now
        self.hear(read)

    def lose_journal(self) -> None:
        self.now += 0.5
        self.history.coverage[JOURNAL].miss(self.read_at, self.now)
        self.unread, self.read_at = [], self.now
        self.outages += 1

    def lose_channel(self) -> None:
        self.disconnected_since = self.now

    def find_channel(self, seconds: float) -> None:
        assert self.disconnected_since is not None
        self.now += seconds
        self.history.coverage[CHANNEL].miss(self.disconnected_since, self.now)
        self.disconnected_since, self.untold = None, []
        self.outages += 1

    def expire(self) -> None:
        self.history.expire(self.now)
        # What the journal brought late may stay behind a younger one.
        remembered = self.remembered()
        assert not remembered or remembered[0].moment > self.now - self.seconds

    # Who asks

    def come_back(self, place: int, lag: float) -> None:
        """A client comes with what it read last, or longer ago."""
        remembered = self.remembered() or self.heard
        event = remembered[place % len(remembered)]
        self.come_back_with(event.name, event.event_id, lag)

    def come_back_late(self, place: int, lag: float) -> None:
        """A client comes with one of the last that were forgotten."""
        kept = self.remembered()
        forgotten = [event for event in self.heard if event not in kept][-8:]
        event = forgotten[place % len(forgotten)]
        self.come_back_with(event.name, event.event_id, lag)

    def come_back_with(self, name: str, sought: str, lag: float) -> None:
        """A client comes from a pod that was behind by a lag on the other ingress, and had missed nothing."""
        replay = self.history.after(name, sought, self.now, lambda _ingress, _place, moment: moment - lag)
        own = [event for event in self.published if event.name == name]
        remembered = [event for event in self.remembered() if event.name == name]
        read = next((event for event in remembered if event.event_id == sought), None)
        if read is not None:
            assert replay.known
            self.check_position(replay, own, read, lag)
        elif replay.known:
            # Its id outlived it: it was the last that was forgotten.
            forgotten = [event for event in self.heard if event.name == name and event not in remembered]
            assert forgotten[-1].event_id == sought
            assert replay.messages == [event.message for event in remembered]
            self.check_position(replay, own, forgotten[-1], lag)
        else:
            assert replay.messages == [event.message for event in remembered]
            assert replay.gap is not None
            assert replay.gap.began is None
            self.check_nothing_lost(replay, own)

    def ask_since(self, name: str, seconds: float) -> None:
        replay = self.history.since(name, seconds, self.now)
        moment = self.now - seconds
        recent = [event for event in self.published if event.name == name and event.moment > moment]
        sent = [event for event in self.heard if event.message in replay.messages]
        assert [event.message for event in sent] == replay.messages
        if seconds <= self.seconds:
            assert all(event in recent for event in sent)
        if replay.gap is None:
            assert moment >= self.history.coverage[CHANNEL].heard_since
        else:
            assert replay.gap.ended > moment
            self.check_reason(replay)
        self.check_nothing_lost(replay, recent)

    # What must hold

    def check_what_went(self, before: list[Published], event: Published, places: int) -> None:
        expected = [*before, event]
        own = [each for each in expected if each.name == event.name]
        if len(own) > self.per_client:
            expected.remove(own[0])
        remembered = self.remembered()
        gone = expected[: len(expected) - len(remembered)]
        assert remembered == expected[len(gone) :], "only those heard first go"
        if gone and gone[-1].moment > self.now - self.seconds and remembered:
            # By bytes, but not one event more than that takes, its client and empty places behind it included.
            last = CLIENT_BYTES + len(event.name) + EVENT_BYTES + len(gone[-1].message)
            held = self.history.statistics().bytes + last + places * PLACE_BYTES
            assert held > self.max_bytes - self.max_bytes // BATCH_PART

    def check_position(self, replay: Replay, own: list[Published], read: Published, lag: float) -> None:
        """Check what a client is sent that read one ingress up to an event, and the other one up to a lag before."""
        order = own.index(read)
        has = [event for event in own[: order + 1] if event.ingress is read.ingress]
        heard = read.moment - lag
        # An entry of that very moment may have been read late.
        heard = heard if read.ingress is JOURNAL else nextafter(heard, -inf)
        has += [event for event in own if event.ingress is not read.ingress and event.moment <= heard]
        self.check_nothing_lost(replay, [event for event in own if event not in has])
        sent = [event for event in self.heard if event.message in replay.messages]
        assert [event.message for event in sent] == replay.messages, "in the order in which they were heard"
        if read in self.remembered():
            assert not set(replay.messages) & {event.message for event in has}
            # The client may have more of the other ingress than that; which of it is named.
            latest = read.moment + APART_SECONDS
            other = [number for number, event in enumerate(sent) if event.ingress is not read.ingress]
            assert list(replay.doubtful) == [number for number in other if sent[number].moment <= latest]
        if not self.outages and read.moment - lag >= STARTED and self.max_bytes == self.per_client == NO_LIMIT:
            assert replay.gap is None or replay.gap.reason is GapReason.EXPIRED

    def check_nothing_lost(self, replay: Replay, wanted: list[Published]) -> None:
        """Check that what a client has not got is in its replay or of the time that its gap tells."""
        sent = set(replay.messages)
        # What the pod misses just now is told when that is over.
        later = {event.message for event in self.unread + self.untold}
        missing = [event for event in wanted if event.message not in sent | later]
        if replay.gap is None:
            assert not missing
            return
        assert replay.gap.ended <= self.now
        began = -inf if replay.gap.began is None else replay.gap.began
        assert all(began <= event.moment <= replay.gap.ended for event in missing)

    def check_reason(self, replay: Replay) -> None:
        assert replay.gap is not None
        if replay.gap.reason is GapReason.POD_STARTED:
            assert replay.gap.ended == STARTED
            assert self.now - STARTED < self.seconds
        elif replay.gap.reason is GapReason.REDIS_OUTAGE:
            assert self.outages
        else:
            forgotten = {event.moment for event in self.heard if event.ingress is CHANNEL}
            # An entry of the journal may have been taken later than its moment says.
            journal = [event.moment for event in self.heard if event.ingress is JOURNAL]
            forgotten |= {min(self.now, moment + READ_APART_SECONDS) for moment in journal}
            assert replay.gap.ended in forgotten | {self.now - self.seconds}

    def check_limits(self) -> None:
        statistics = self.history.statistics()
        kept = {name: self.messages(name) for name in NAMES}
        for name, messages in kept.items():
            heard = [event for event in self.heard if event.name == name]
            assert messages == [event.message for event in heard[len(heard) - len(messages) :]]
            assert len(messages) <= self.per_client
            if self.max_bytes == NO_LIMIT:
                latest = [event for event in heard[-self.per_client :] if event.moment > self.now - self.seconds]
                assert {event.message for event in latest} <= set(messages), "nothing goes before its time"
        assert statistics.events == sum(map(len, kept.values()))
        assert statistics.clients == sum(map(bool, kept.values()))
        assert statistics.bytes <= self.max_bytes
        assert statistics.bytes >= sum(len(message) for messages in kept.values() for message in messages)
        if not statistics.events and not self.history._empty:
            assert statistics.bytes == 0
