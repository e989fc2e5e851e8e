"""New tokens for open streams, whichever pod was given them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from streams.auth.rights import Holder
from streams.delivery.registry import Registry
from streams.locks.open_streams import OpenStreams
from streams.roster.messages import Renewal, Renewed, Told

# For the pod that has the stream to say so.
ANSWER_SECONDS = 1.5
MAX_WAITS = 1_000


class Outcome(Enum):
    """What became of a new token; NOBODY is where no pod said that it has the stream, BUSY where none was asked."""

    RENEWED = auto()
    OTHER_HOLDER = auto()
    NOBODY = auto()
    BUSY = auto()


class Renewals:
    """Renews for one pod; `tell` sends fields of Told to a life, or to all where that is an empty string."""

    def __init__(
        self, registry: Registry, open_streams: OpenStreams, life: str, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._registry, self._open_streams, self._life, self._tell = registry, open_streams, life, tell
        self._numbers = itertools.count(1)
        self._waits: dict[int, asyncio.Future[bool]] = {}

    async def renew(self, name: str, holder: Holder) -> Outcome:
        """Give a client's stream its new token, on this pod or another; the holder has a right to the client."""
        connection = self._registry.get(name)
        if connection is not None:
            return _outcome(self._open_streams.renew(connection, holder))
        if len(self._waits) >= MAX_WAITS:
            return Outcome.BUSY
        number = next(self._numbers)
        answer = self._waits[number] = asyncio.get_running_loop().create_future()
        renewal = Renewal(number, name, holder.sub, holder.jti, holder.issued_at, holder.expires_at)
        self._tell("", {"renewals": [renewal]})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return _outcome(await answer)
        except TimeoutError:
            return Outcome.NOBODY
        finally:
            del self._waits[number]

    def told(self, told: Told) -> None:
        """Take in what another pod tells: new tokens for streams of this one, and answers to this one's."""
        if told.life == self._life:
            return
        for number, taken in told.renewed:
            if (answer := self._waits.get(number)) is not None and not answer.done():
                answer.set_result(taken)
        for new in told.renewals:
            if (connection := self._registry.get(new.client_name)) is not None:
                # Its rights were looked at where it was verified.
                holder = Holder(new.sub, new.jti, new.issued_at, new.expires_at)
                taken = self._open_streams.renew(connection, holder)
                self._tell(told.life, {"renewed": [Renewed(new.number, taken)]})


def _outcome(taken: bool) -> Outcome:
    return Outcome.RENEWED if taken else Outcome.OTHER_HOLDER
