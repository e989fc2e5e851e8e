"""What pods remember of a client, asked for when somebody looks at its trace; pure but for the wait.

Nobody has to switch anything on before. A pod says what it knows: an event that it remembers was heard by
the pod, and only one that it wrote to a stream that is still open is said to be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from streams.delivery.connection import Connection
from streams.delivery.observing.observer import Fate
from streams.delivery.registry import Registry
from streams.history.lookup import digest
from streams.history.messages import History
from streams.history.retries import has_replayed
from streams.roster.tracing.entries import MAX_TEXT_CHARACTERS, REMEMBERED, about, stream_of
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.deadlines import has_expired
from streams.wire.events import Event, decode_remembered
from streams.wire.timestamps import iso

# All that are there answer within a few milliseconds.
ANSWER_SECONDS = 0.5
# Of one client, by one pod.
MAX_EVENTS = 100
MAX_ASKS = 20


class Ask(NamedTuple):
    """A question about a client, by its number among those of the pod that asks."""

    number: int
    client_name: str


class Remembered(NamedTuple):
    """An event that a pod remembers; `fate` is that for a stream that is open, or REMEMBERED."""

    at: str
    event_id: str
    action: str
    digest: str
    fate: str
    # Whether its deadline has passed.
    expired: bool


class Answer(msgspec.Struct, omit_defaults=True):
    """What one pod knows: its open stream of the client, if it has one, and the events that it remembers.

    Times are ISO 8601 by Redis' clock; `at` is when it said so. `left_out` are more events than there is room for.
    """

    number: int
    at: str
    stream: str = ""
    opened_at: str = ""
    address: str = ""
    user_agent: str = ""
    events: list[Remembered] = []
    left_out: int = 0


class Answered(NamedTuple):
    """An answer, and the name of the pod whose it is."""

    pod_name: str
    answer: Answer


class Witness:
    """Answers for one pod."""

    def __init__(self, registry: Registry, history: History, life: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._registry, self._history, self._life, self._clock = registry, history, life, clock

    def answer(self, ask: Ask, ahead: float) -> Answer:
        """Say what this pod knows of a client; `ahead` is by how many seconds Redis' clock is ahead of monotonic."""
        name, now = ask.client_name, self._clock.monotonic()
        answer = Answer(ask.number, iso(now + ahead))
        connection = self._registry.get(name)
        if connection is not None:
            answer.stream = stream_of(self._life, connection.number)
            answer.opened_at = iso(connection.opened_at + ahead)
            answer.address = connection.address
            answer.user_agent = connection.user_agent[:MAX_TEXT_CHARACTERS]
        found = self._history.placed(name)
        answer.left_out = max(0, len(found) - MAX_EVENTS)
        for place, moment, message in found[-MAX_EVENTS:]:
            event = decode_remembered(message)
            expired = has_expired(event, self._clock.wall(), self._clock.wall() - (now - moment))
            fate = REMEMBERED if connection is None else fate_of(connection, place, event, message)
            answer.events.append(Remembered(iso(moment + ahead), *about(message), digest(message), fate, expired))
        return answer


def fate_of(connection: Connection, place: int, event: Event, message: bytes) -> str:
    """Say what became of an event for an open stream, as far as that is known."""
    if not connection.greeted or connection.pending is not None or connection.writer.backlog_bytes():
        # Which of them its client has not taken, nobody knows.
        return REMEMBERED
    came_with = connection.resume is not None and connection.resume.last_event_id == event.event_id
    if has_replayed(connection, message) and not came_with:
        return Fate.REPLAYED
    # What has a deadline may have passed it behind a replay.
    may_have_expired = connection.replayed is not None and (event.ttl_ms is not None or event.deliver_by is not None)
    if place >= connection.live_from and not may_have_expired:
        return Fate.WRITTEN
    return REMEMBERED


class Waiting:
    """A question that was asked, and the answers that have come."""

    def __init__(self, lives: Iterable[str]) -> None:
        self.lives = frozenset(lives)
        self.answers: dict[str, Answered] = {}
        self.all_there = asyncio.Event()

    def take(self, life: str, answered: Answered) -> None:
        """Take in an answer; it is over when all that are known to be there have given theirs."""
        self.answers[life] = answered
        if self.lives and self.lives <= self.answers.keys():
            self.all_there.set()


class Questions:
    """Asks all pods about a client for one of them; `ask` sends the question."""

    def __init__(self, send: Callable[[Ask], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Waiting] = {}

    async def ask(self, client_name: str, lives: Iterable[str]) -> dict[str, Answered]:
        """Return the answers by their pods' lives, as many as come in time; `lives` are those that are there."""
        number, waiting = next(self._numbers), Waiting(lives)
        self._waiting[number] = waiting
        try:
            self._send(Ask(number, client_name))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await waiting.all_there.wait()
        finally:
            del self._waiting[number]
        return waiting.answers

    def answered(self, life: str, pod_name: str, answers: Iterable[Answer]) -> None:
        """Take in what a pod answers; what nobody waits for any more is left out."""
        for answer in answers:
            if (waiting := self._waiting.get(answer.number)) is not None:
                waiting.take(life, Answered(pod_name, answer))
