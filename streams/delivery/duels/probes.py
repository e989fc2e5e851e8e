"""Whether the machine of a client still answers: one that does not keeps no name from a newcomer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.delivery.connection import Connection
from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.frames import comment_frame

logger = logging.getLogger("sse.registry")

# A machine that is there acknowledges within a round trip, or two where a packet was lost.
ANSWER_SECONDS = 3.0
LOOK_SECONDS = 0.02
QUESTION = comment_frame("probe")

Decided = Callable[[bool], None]


@dataclass(slots=True)
class Asked:
    """When a machine was asked, and who waits for its answer."""

    at: float
    waiting: list[Decided] = field(default_factory=list)


class Probes:
    """Writes a comment to a client, and looks whether its machine acknowledges that."""

    def __init__(self, write: Callable[[Connection, bytes], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._write = write
        self._now = clock.monotonic
        self._asked: dict[Connection, Asked] = {}
        self._begun = asyncio.Event()

    def ask(self, connection: Connection, decided: Decided) -> None:
        """Call `decided` with whether a client's machine answers, within ANSWER_SECONDS.

        One whose transport tells nothing of acknowledgements counts as answering.
        """
        if connection not in self._asked:
            self._asked[connection] = Asked(self._now())
            self._write(connection, QUESTION)
        self._asked[connection].waiting.append(decided)
        self._begun.set()

    def asks(self, connection: Connection) -> bool:
        """Say whether it is being looked whether a client's machine answers."""
        return connection in self._asked

    def settle(self) -> None:
        """Pass on the answers that are there, and call the machines dead whose time is over."""
        for connection, asked in list(self._asked.items()):
            answers = self._answers(connection, self._now() - asked.at)
            if answers is None:
                continue
            del self._asked[connection]
            for decided in asked.waiting:
                try:
                    decided(answers)
                except Exception:
                    logger.exception("What became of a newcomer for %s failed", connection.client_name)

    async def run(self) -> None:
        """Look for answers, until cancelled."""
        # An Event belongs to the loop that waits on it.
        self._begun = asyncio.Event()
        while True:
            while self._asked:
                await asyncio.sleep(LOOK_SECONDS)
                self.settle()
            self._begun.clear()
            await self._begun.wait()

    def _answers(self, connection: Connection, waited: float) -> bool | None:
        if connection.close_reason is not None:
            return False
        # What was acknowledged since the question was written answers it.
        if connection.writer.silent_seconds() < waited:
            return True
        return False if waited >= ANSWER_SECONDS else None
