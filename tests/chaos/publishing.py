"""Publishers that note which events Redis acknowledged, between which times, and which it may have taken."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import hiredis

from tests.chaos.verdict import Ingress, Published
from tests.support.http import HOST
from tests.support.redis_server import CHANNEL

# Part of what publishers know: its name is promised.
JOURNAL = CHANNEL + ":log"
JOURNAL_LENGTH = "100000"
BATCH_SECONDS = 0.02
# Redis was alive within this time, or its answer is not waited for.
ANSWER_SECONDS = 1.0
RETRY_SECONDS = 0.05

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is about to be published."""

    event_id: str
    lane: str
    ingress: Ingress

    def commands(self) -> list[Command]:
        """Return what publishes it: as many commands as it has ingresses."""
        message = json.dumps(
            {
                "clientName": self.lane,
                "action": "payment",
                "eventId": self.event_id,
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "data": {"amount": 9.99},
            }
        )
        publish: Command = ("PUBLISH", CHANNEL, message)
        append: Command = ("XADD", JOURNAL, "MAXLEN", "~", JOURNAL_LENGTH, "*", "event", message)
        ways = {Ingress.CHANNEL: [publish], Ingress.JOURNAL: [append], Ingress.BOTH: [append, publish]}
        return ways[self.ingress]


@dataclass(slots=True)
class Ledger:
    """What all publishers sent, and what Redis said to it."""

    acknowledged: list[Published] = field(default_factory=list)
    refused: int = 0
    # Sent, and no answer came: such an event is neither lost nor required.
    uncertain: int = 0
    # Over HTTP: tries that were not answered with 202, and refusals that no event here deserves.
    retries: int = 0
    wrong: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def draft(self, lane: str, ingress: Ingress) -> Draft:
        return Draft(f"evt-{next(self.numbers):08d}", lane, ingress)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Redis replied to one command, and when it was read."""

    reply: object
    at: float

    @property
    def accepted(self) -> bool:
        return not isinstance(self.reply, hiredis.ReplyError)


class Publisher:
    """One connection to Redis that sends batches and reads each answer for itself."""

    def __init__(self, primary: Callable[[], int], ledger: Ledger) -> None:
        """Take what gives the primary's port at any time."""
        self._primary = primary
        self._port = 0
        self._ledger = ledger
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._replies = hiredis.Reader()

    async def send(self, drafts: Sequence[Draft]) -> list[Published]:
        """Publish together; note the outcome of each, and return those that Redis acknowledged."""
        commands = [draft.commands() for draft in drafts]
        earliest = time.time()
        try:
            await self._connect()
        except (OSError, TimeoutError):
            self._ledger.refused += len(drafts)
            return []
        answers = await self._exchange(list(itertools.chain.from_iterable(commands)))
        remaining = iter(answers)
        taken = []
        for draft, own in zip(drafts, commands, strict=True):
            replies = list(itertools.islice(remaining, len(own)))
            accepted = [answer.at for answer in replies if answer.accepted]
            if accepted:
                taken.append(Published(draft.event_id, draft.lane, draft.ingress, earliest, max(accepted)))
            elif len(replies) < len(own):
                self._ledger.uncertain += 1
            else:
                self._ledger.refused += 1
        self._ledger.acknowledged += taken
        return taken

    def close(self) -> None:
        """Drop the connection; the next batch makes a new one."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _connect(self) -> None:
        if self._port != (port := self._primary()):
            self.close()
        if self._streams is None:
            self._port = port
            async with asyncio.timeout(ANSWER_SECONDS):
                self._streams = await asyncio.open_connection(HOST, port)
            self._replies = hiredis.Reader()

    async def _exchange(self, commands: list[Command]) -> list[Answer]:
        """Return the answers in their order: fewer than commands where the connection ended first."""
        assert self._streams is not None
        reader, writer = self._streams
        answers: list[Answer] = []
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(b"".join(hiredis.pack_command(command) for command in commands))
                while len(answers) < len(commands):
                    data = await reader.read(65536)
                    if not data:
                        raise ConnectionResetError
                    at = time.time()
                    self._replies.feed(data)
                    while (reply := self._replies.gets()) is not False:
                        answers.append(Answer(reply, at))
        except (OSError, TimeoutError):
            self.close()
        return answers


async def publish_until(over: asyncio.Event, publisher: Publisher, traffic: Traffic) -> None:
    """Publish what is drawn, at its rate, until it is over; what Redis refuses is not made up for."""
    began, due = time.monotonic(), 0.0
    while not over.is_set():
        due += BATCH_SECONDS
        if (ahead := began + due - time.monotonic()) > 0:
            await asyncio.sleep(ahead)
        elif ahead < -1:
            # Redis stood still: go on from now, and not with all that was held up.
            due -= ahead
        drafts = traffic.due()
        if drafts and not await publisher.send(drafts):
            await asyncio.sleep(RETRY_SECONDS)
    publisher.close()


class Traffic:
    """Draws events: the lane and the ingress of each at random."""

    def __init__(
        self, ledger: Ledger, lanes: Sequence[str], events_per_second: float, both_share: float, draw: random.Random
    ) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._per_batch = events_per_second * BATCH_SECONDS
        self._both_share = both_share
        self._draw = draw
        self._owed = 0.0

    def due(self) -> list[Draft]:
        """Return the events of one batch."""
        self._owed += self._per_batch
        count, self._owed = int(self._owed), self._owed % 1
        return [self._ledger.draft(self._draw.choice(self._lanes), self._ingress()) for _ in range(count)]

    def _ingress(self) -> Ingress:
        if self._draw.random() < self._both_share:
            return Ingress.BOTH
        return self._draw.choice((Ingress.CHANNEL, Ingress.JOURNAL))
