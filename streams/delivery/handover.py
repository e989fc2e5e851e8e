"""Which events a client read from another pod before the id that it comes back with.

The two ingresses reach each pod in an order of their own, so an id says little about the other
ingress. The pod that wrote the event knows its own order: it is asked. Without an answer the
doubtful events are sent again: a double has an id, a loss has none. Where this pod missed the
event itself, any pod that has it can say when it was published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import NamedTuple
from zlib import crc32

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from streams.history.messages import History
from streams.history.progress import MAX_LAG_SECONDS
from streams.history.replays import Marks
from streams.wire.pods import Answer, PodMessage, Question, Statement

# How long a client's replay waits for an answer, or for its id to be heard here too, from when this
# pod's own question came back: before that it hears nobody.
WAIT_SECONDS = 0.25
# For how long it waits for that at most: where the id's event is here, little would be sent again;
# where it is not, all that is remembered.
KNOWN_UNHEARD_SECONDS = 1.0
UNKNOWN_UNHEARD_SECONDS = MAX_LAG_SECONDS
# Another pod may have written the same event: the answers of all that did are compared.
SETTLE_SECONDS = 0.03
# About so many pods say how far the readers of an event were.
PODS_ASKED = 4
# For how long a pod answers for a stream that has ended.
REMEMBERED_SECONDS = 60.0
MAX_REMEMBERED = 50_000
# The last events of a replay that are remembered with its stream, 8 bytes each; of others nothing is claimed.
MAX_REPLAYED = 128
# Whoever took the name of a stream asks for it so soon.
EVICTED_SECONDS = 1.0
# The ends of streams that their clients may have left long before.
LEFT_BEFORE = (
    CloseReason.DUEL,
    CloseReason.DEAD_PEER,
    CloseReason.SLOW_READER,
    CloseReason.FAILED,
)


class Session(NamedTuple):
    """What one stream was written: a client's events from a place of the history on, and before another.

    From the place `live_from` on it was written all, before that what has one of the hashes `replayed`.
    `resumed` is the id that the client came with, which this stream did not write. Where not all that was written is
    `acknowledged`, the client may have read any of it elsewhere. After `asked_until` it may have been there since.
    """

    client_name: str
    first: int
    end: int
    live_from: int
    replayed: Sequence[int]
    resumed: str | None
    ended_at: float
    acknowledged: bool
    asked_until: float = inf

    def written(self, history: History, event_id: str, now: float) -> tuple[int, Counter[str]] | None:
        """Return the place of an event that was written, and the digests of what was written shortly before it."""
        if event_id == self.resumed or now > self.asked_until or not self.acknowledged:
            return None
        return history.written_before(self.client_name, event_id, self.first, self.end, self.live_from, self.replayed)

    def up_to(self, written: tuple[int, Counter[str]] | None) -> Session:
        """Return the same where its client is known to have read up to an event, or nothing of it."""
        return self._replace(end=self.first if written is None else written[0] + 1, asked_until=inf)


@dataclass(slots=True, eq=False)
class Waiting:
    """A client that came back and is not given its replay yet."""

    connection: Connection
    event_id: str
    deadline: float
    # Whether the id's event is in this pod's history, and whether others are to say how far its readers were.
    known: bool
    asks_marks: bool
    # When it was asked for, and whether the question came back.
    asked_at: float
    heard: bool = False
    settle_at: float | None = None
    had: Counter[str] | None = None
    # For each ingress, up to when whoever read the id's event has everything, if a pod said so.
    marks: Marks | None = None

    def note(self, had: Counter[str], now: float) -> None:
        """Take in what one pod wrote; only what all of them wrote is surely there."""
        self.had = had if self.had is None else self.had & had
        self.settle_at = self.settle_at or now + SETTLE_SECONDS

    def note_ages(self, ages: tuple[float, float]) -> None:
        """Take in how far, for each ingress, whoever read the id's event was; of several events the oldest counts."""
        # It was said after it was asked for.
        marks = self.asked_at - ages[0], self.asked_at - ages[1]
        before = self.marks or marks
        self.marks = min(before[0], marks[0]), min(before[1], marks[1])

    def is_settled(self, now: float) -> bool:
        return now >= self.deadline or (self.known and self.settle_at is not None and now >= self.settle_at)


class Handover:
    """One pod's questions, and its answers to those of others. All moments are monotonic seconds."""

    def __init__(self, life: str, history: History, marks_of: Callable[[str, str, bool], Marks | None]) -> None:
        self.outgoing: list[PodMessage] = []
        self._life = life
        self._history = history
        self._marks_of = marks_of
        self._number = 0
        # How many pods there are, as far as known.
        self.pods = 0
        self._listening_since = inf
        # By the number of the question; read for each read of events.
        self.waits: dict[int, Waiting] = {}
        self._by_name: dict[str, int] = {}
        self._ended: dict[str, Session] = {}
        # For clients of open streams that were seen elsewhere, the place behind the last event that they read here.
        self._left: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.waits)

    def listen(self, now: float) -> None:
        """Answer for no stream that opened before now: its client may have been asked for unheard."""
        self._listening_since = now
        self._ended.clear()
        self.ask_again(now)

    def state(self, statement: Statement) -> None:
        """Say a statement soon; one stands for all that were asked for."""
        if not any(isinstance(message, Statement) for message in self.outgoing):
            self.outgoing.append(statement)

    def wait(self, connection: Connection, event_id: str, now: float, *, known: bool, marks: bool) -> None:
        """Ask the other pods what a client has that came back with an id; `marks` also how far its readers were."""
        patience_seconds = KNOWN_UNHEARD_SECONDS if known else UNKNOWN_UNHEARD_SECONDS
        waiting = Waiting(connection, event_id, now + patience_seconds, known, marks, now)
        self._ask(waiting, now)
        name = connection.client_name
        if (ours := self._ended.get(name)) is not None and (written := ours.written(self._history, event_id, now)):
            waiting.note(written[1], now)
            self._ended[name] = ours.up_to(written)

    def gave(self, name: str, event_id: str, now: float) -> bool:
        """Say whether the client's last stream here, which has ended, was written an event with an id."""
        ours = self._ended.get(name)
        return ours is not None and ours.written(self._history, event_id, now) is not None

    def _ask(self, waiting: Waiting, now: float) -> None:
        self._number += 1
        waiting.asked_at = now
        name = waiting.connection.client_name
        self.waits[self._number] = waiting
        self._by_name[name] = self._number
        self.outgoing.append(Question(self._life, self._number, name, waiting.event_id, waiting.asks_marks))

    def ask_again(self, now: float) -> None:
        """Ask once more what has not come back, now that the channel is heard."""
        for number, waiting in list(self.waits.items()):
            if not waiting.heard:
                del self.waits[number]
                self._ask(waiting, now)

    def asked(self, question: Question, connection: Connection | None, now: float) -> None:
        """Answer another pod's question, if this one can; `connection` is the client's, if open.

        The client is there now, and has read nothing of what was written here behind that event.
        """
        if question.life == self._life:
            self._came_back(question.number, now)
            return
        digests = self._digests(question, connection, now)
        given = digests is not None
        ages = self._ages(question, now, given) if question.marks and (given or self._is_chosen(question)) else None
        if digests is not None or ages is not None:
            self.outgoing.append(Answer(question.life, question.number, digests, ages))

    def _came_back(self, number: int, now: float) -> None:
        waiting = self.waits.get(number)
        if waiting is not None:
            waiting.heard = True
            waiting.deadline = min(waiting.deadline, now + WAIT_SECONDS)

    def _is_chosen(self, question: Question) -> bool:
        # Some do, not all of hundreds.
        chance = crc32(f"{self._life} {question.life} {question.number}".encode())
        return chance % max(1, self.pods) < PODS_ASKED

    def _ages(self, question: Question, now: float, given: bool) -> tuple[float, float] | None:
        marks = self._marks_of(question.client_name, question.event_id, given)
        return None if marks is None or -inf in marks else (now - marks[0], now - marks[1])

    def _digests(self, question: Question, connection: Connection | None, now: float) -> list[str] | None:
        name = question.client_name
        if connection is not None and connection.greeted and connection.opened_at >= self._listening_since:
            written = self._session(connection, now).written(self._history, question.event_id, now)
            self._left[name] = connection.first_place if written is None else written[0] + 1
        elif name in self._ended:
            session = self._ended[name]
            written = session.written(self._history, question.event_id, now)
            self._ended[name] = session.up_to(written)
        else:
            return None
        return None if written is None else list(written[1].elements())

    def answered(self, answer: Answer, now: float) -> None:
        """Take in an answer, which may be another pod's."""
        waiting = self.waits.get(answer.number) if answer.life == self._life else None
        if waiting is None:
            return
        if answer.digests is not None:
            waiting.note(Counter(answer.digests), now)
        if answer.ages is not None:
            waiting.note_ages(answer.ages)

    def heard(self, names: Iterable[str]) -> None:
        """Look whether events that were just heard hold the ids that clients came back with."""
        if not self._by_name:
            return
        for name in self._by_name.keys() & set(names):
            waiting = self.waits[self._by_name[name]]
            waiting.known = waiting.known or self._history.has(name, waiting.event_id)

    def settled(self, now: float, limit: int) -> list[Waiting]:
        """Return some of the clients whose wait is over, and forget them."""
        found = (number for number, waiting in self.waits.items() if waiting.is_settled(now))
        return [self._forget(number) for number in list(islice(found, limit))]

    def ended(self, connection: Connection, now: float) -> None:
        """Note that a stream ended here, to answer for it."""
        name = connection.client_name
        number = self._by_name.get(name)
        if number is not None and self.waits[number].connection is connection:
            self._forget(number)
            self._left.pop(name, None)
            return
        session = self._session(connection, now)
        if self._left.pop(name, None) is None and connection.close_reason is CloseReason.EVICTED:
            # It may have left it long before, unless it is the one that asks now.
            session = session._replace(asked_until=now + EVICTED_SECONDS)
        self._ended.pop(name, None)
        heard_of = connection.opened_at >= self._listening_since
        if connection.greeted and heard_of and connection.close_reason not in LEFT_BEFORE:
            self._ended[name] = session
            oldest = next(iter(self._ended))
            if len(self._ended) > MAX_REMEMBERED or self._ended[oldest].ended_at < now - REMEMBERED_SECONDS:
                del self._ended[oldest]

    def _session(self, connection: Connection, now: float) -> Session:
        end = self._left.get(connection.client_name, self._history.end)
        resumed = None if connection.resume is None else connection.resume.last_event_id
        # A replay, or what was read late, was written long after it was published: no moment says which part it is.
        acknowledged = connection.writer.silent_seconds() == 0
        replayed = connection.replayed[-MAX_REPLAYED:] if connection.replayed else ()
        name, first, live_from = connection.client_name, connection.first_place, connection.live_from
        return Session(name, first, end, live_from, replayed, resumed, now, acknowledged)

    def _forget(self, number: int) -> Waiting:
        waiting = self.waits.pop(number)
        if self._by_name.get(waiting.connection.client_name) == number:
            del self._by_name[waiting.connection.client_name]
        return waiting


def without(messages: list[bytes], doubtful: Iterable[int], digests: list[str], had: Counter[str]) -> list[bytes]:
    """Return the messages less those of the doubtful that a client has; `digests` are those of the doubtful."""
    left = Counter(had)
    gone: set[int] = set()
    for number, digest in zip(doubtful, digests, strict=True):
        if left[digest] > 0:
            left[digest] -= 1
            gone.add(number)
    return [message for number, message in enumerate(messages) if number not in gone]
