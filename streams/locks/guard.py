"""What goes on behind the locks of a pod: keys come, revocations are read, and open streams lose their tokens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.auth.decision import REVOKED
from streams.auth.results import Result
from streams.auth.revocations import Revocation
from streams.auth.tokens import EXPIRED
from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.primary import Primary, WrongSide
from streams.conf import StreamSettings
from streams.delivery.connection import Connection, both
from streams.delivery.registry import Registry
from streams.locks.locks import Locks, Mode
from streams.locks.open_streams import OpenStreams
from streams.locks.renewals import Renewals
from streams.locks.revoking import read_revocations
from streams.locks.sources import KeySources
from streams.logs import Sparingly
from streams.roster.messages import Told
from streams.roster.worker import Roster
from streams.tasks import Backoff

logger = logging.getLogger("sse.auth")

# What was announced while a pod heard nothing it knows after so long.
READ_SECONDS = 60.0
RETRY_SECONDS = (0.5, 10.0)


class Guard:
    """Keeps one pod's locks for as long as it lives; where all are off and there is no key, it does nothing."""

    def __init__(
        self, conf: StreamSettings, locks: Locks, registry: Registry, roster: Roster, primary: Primary
    ) -> None:
        self.errors = 0
        self.sources = KeySources(conf, locks.verifier)
        self.open_streams = OpenStreams(
            registry,
            locks.revocations,
            warn_seconds=conf.token_warn_seconds,
            leeway_seconds=conf.token_leeway_seconds,
            ends=locks.streams is Mode.REQUIRED,
            on_lost=self._lost,
            on_renewed=lambda connection: locks.unwelcome.forget(connection.client_name),
        )
        self.renewals = Renewals(registry, self.open_streams, roster.claims.life, self._tell)
        # What goes on, by name.
        self.runs: dict[str, Callable[[], Awaitable[None]]] = {}
        self._locks, self._roster, self._primary = locks, roster, primary
        self._url, self._channel = conf.redis_url, conf.redis_channel
        # Whether it is known what was revoked.
        self.was_read = self._leaving = False
        # What was announced while the hash is read, which may not have it.
        self._announced: list[Revocation] = []
        self._due = asyncio.Event()
        self._backoff = Backoff(*RETRY_SECONDS)
        self._said = Sparingly()
        # Operators show tokens where devices need none.
        if locks.modes or conf.has_token_keys:
            self.runs = {"revocations": self.run, **self.sources.runs}
            locks.on_unknown_kid = self.sources.unknown_kid
            locks.unsure = self._is_unsure
            roster.on_told = self._told
            primary.connections.append(self)
            claim_anew = roster.members.on_hearing

            def hearing() -> None:
                claim_anew()
                # What was announced meanwhile is in the hash.
                self._due.set()

            roster.members.on_hearing = hearing
            registry.on_open = both(registry.on_open, self.open_streams.opened)
            registry.on_close = both(self.open_streams.closed, registry.on_close)

    def unready_reason(self) -> str:
        """Return why no token can be believed yet, or an empty string."""
        if not self._locks.modes:
            return ""
        # An issuer that is away keeps out no device that needs no token.
        keys = "" if self._locks.streams is Mode.OFF else self.sources.unready_reason()
        return keys or ("" if self.was_read else "what was revoked was not read yet")

    def _is_unsure(self) -> bool:
        return not self.was_read or bool(self.sources.unready_reason())

    def look(self) -> None:
        """Do what is due for open streams, and for the lists of lanes on other pods; call it every second."""
        self.open_streams.look()
        if welcome := self._locks.unwelcome.take_welcome():
            self._tell("", {"welcome": welcome})

    def _lost(self, connection: Connection, result: Result) -> None:
        """Note that an open stream would have ended where tokens are required."""
        said = REVOKED if result is Result.REVOKED else EXPIRED
        lane = connection.client_name, result, said, connection.address, connection.user_agent
        self._locks.unwelcome.note(*lane)

    def drop(self, _reason: str) -> None:
        """Connect anew, and read again: another Redis may know of other revocations."""
        self._leaving = True
        self._due.set()

    def _tell(self, life: str, said: dict[str, Any]) -> None:
        roster = self._roster
        roster.members.tell([(life, Told(roster.claims.life, roster.pod_name, **said))])

    def _told(self, told: Told) -> None:
        if told.revoked:
            self._announced += told.revoked
            self._revoke(told.revoked)
        if told.life != self._roster.claims.life:
            for name, seconds in told.welcome:
                self._locks.unwelcome.forget(name, seconds)
        if told.renewals or told.renewed:
            self.renewals.told(told)

    def _revoke(self, entries: list[Revocation]) -> None:
        now = time.time()
        if sum(not self._locks.revocations.add(entry, now) for entry in entries):
            logger.error("There are more revocations than a pod keeps: not all of them hold.")
        self.open_streams.end_revoked()

    async def run(self) -> None:
        """Read the revocations again and again, until cancelled."""
        # An Event belongs to the loop that waits on it.
        self._due = asyncio.Event()
        while True:
            self._leaving = False
            client = async_client(self._url, on_open=self._primary.open)
            try:
                while not self._leaving:
                    await self.read(client)
                    self._backoff.reset()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(READ_SECONDS):
                            await self._due.wait()
            except LINK_ERRORS as error:
                self._report(error)
                await self._backoff.pause()
            finally:
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def read(self, client: Any) -> None:
        """Take what Redis holds in place of what was known."""
        self._due.clear()
        self._announced.clear()
        late = self._locks.revocations.late_seconds
        entries = await read_revocations(client, self._channel, time.time() - late)
        self._locks.revocations.replace((), time.time())
        self._revoke([*entries, *self._announced])
        self._announced.clear()
        self.was_read = True

    def _report(self, error: Exception) -> None:
        self.errors += 1
        if not isinstance(error, WrongSide) and (times := self._said.due()):
            logger.warning("What was revoked cannot be read: %s (tries: %d). What is known stays.", error, times)
