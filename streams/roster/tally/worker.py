"""Keeps a sum of each store and an index of states, so that a page costs what it shows: one pod at a time does it.

What it reads it reads again when that changes, so that pods that take turns at it, or two at once for a
moment, come to the same: whoever is not, or no longer, the one that is to write is refused by Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

import redis.asyncio

from streams.broker.clients import LINK_ERRORS, async_client
from streams.broker.primary import Primary, WrongSide
from streams.logs import Sparingly
from streams.roster.keys import prefix
from streams.roster.lives import FORGET_SECONDS
from streams.roster.reading.foreign import report_foreign
from streams.roster.reading.states import Summary, View, look
from streams.roster.tally.commands import Commands
from streams.roster.tally.decisions import (
    ROUND_SECONDS,
    Look,
    decide,
    differences,
    due_at,
    looked,
    pause_after,
    rows,
)
from streams.roster.tally.watch import Watch
from streams.tasks import Backoff

logger = logging.getLogger("sse.redis")

# Another pod takes over when the one that does it has not been there for so long.
LOCK_SECONDS = 5.0
RESIGN_SECONDS = 1.0
REPLY_SECONDS = 5.0
RETRY_SECONDS = (0.5, 2.0)
# At once, so that events go out between two of them.
MAX_STORES = 50
# Its entries are buried by then.
FORGET_LIFE_MS = round(1000 * FORGET_SECONDS) + 3_600_000


class Tally:
    """Does its part for as long as the pod lives: it looks at what changed, or waits for its turn to."""

    def __init__(
        self,
        url: str,
        channel: str,
        life: str,
        *,
        primary: Primary,
        missing_seconds: float,
        watch: Watch | None = None,
    ) -> None:
        # Whether this pod is the one that does it.
        self.leading = False
        self.errors = 0
        self._url, self._prefix, self._life = url, prefix(channel), life
        self._primary = primary
        self._watch = watch
        self._missing_ms = round(1000 * missing_seconds)
        self._leaving = False
        # When large stores were last looked at, and how many lanes they had.
        self._large: dict[str, tuple[int, int]] = {}
        # Lanes that the last round looked at.
        self._lanes = 0
        self._backoff = Backoff(*RETRY_SECONDS)
        self._said, self._foreign_said = Sparingly(), Sparingly()

    def drop(self, _reason: str) -> None:
        """Connect anew before the next round."""
        self._leaving = True

    async def run(self) -> None:
        """Look again and again until cancelled, also while Redis is away."""
        while True:
            client = async_client(self._url, reply_seconds=REPLY_SECONDS, on_open=self._primary.open)
            try:
                await self._rounds(client)
            except LINK_ERRORS as error:
                self.errors += 1
                # Of a server that is no primary the subscriber tells.
                if not isinstance(error, WrongSide) and (times := self._said.due()):
                    logger.warning(
                        "The stores cannot be summed up: %s (tries: %d). Pages show what was found last.", error, times
                    )
                await self._backoff.pause()
            finally:
                with contextlib.suppress(*LINK_ERRORS):
                    await client.aclose()

    async def _rounds(self, client: redis.asyncio.Redis) -> None:
        run = Commands(client, self._prefix, self._life, lock_seconds=LOCK_SECONDS)
        self._leaving = False
        try:
            while not self._leaving:
                done = await self.round(run, lambda: self._primary.side.history)
                await self._look_on(run)
                self._backoff.reset()
                await asyncio.sleep(pause_after(self._lanes) if done else 0)
        finally:
            if self.leading:
                self.leading = False
                with contextlib.suppress(*LINK_ERRORS):
                    async with asyncio.timeout(RESIGN_SECONDS):
                        await run.resign()

    async def _look_on(self, run: Commands) -> None:
        if self._watch is not None:
            self._watch.tick()
            if self.leading:
                await self._watch.look(run)
            else:
                self._watch.forget()

    async def round(self, run: Commands, history: Callable[[], str]) -> bool:
        """Look at what is to be looked at, for a second or so, if it is this pod's turn; say whether that was all.

        `history` returns that of the Redis that has just answered.
        """
        self._lanes = 0
        led = await run.lead()
        self.leading = led is not None
        if led is None:
            self._large.clear()
            return True
        view, before = led
        now, alive = view.now, frozenset(filter(view.alive, view.pods))
        decision = decide(before, now, history(), self._missing_ms, alive)
        if before.history is None:
            await run.forget_all()
        if decision.everything:
            self._large.clear()
            await run.mark_all()
        for life in decision.lives:
            await run.mark_life(life)
        if gone := [life for life, beat in view.pods.items() if now - beat.at > FORGET_LIFE_MS]:
            await run.forget_lives(gone)
        if decision.tallied != before:
            await run.note(decision.tallied)
        until = time.monotonic() + ROUND_SECONDS
        while stores := await run.take(MAX_STORES):
            began = time.monotonic()
            await self._look(run, decision.tallied.history or "", stores)
            # Events come first: half of the time is theirs even where there is much to look at.
            await asyncio.sleep(time.monotonic() - began)
            if time.monotonic() > until:
                return False
        await run.note(decision.tallied._replace(at=now))
        return True

    async def _look(self, run: Commands, history: str, stores: list[str]) -> None:
        view, found = await run.read_stores(stores)
        report_foreign(run.foreign, self._foreign_said)
        run.foreign.clear()
        looks = []
        for store, before, held in found:
            if held is None:
                looks.append(await self._look_at_large(run, store, history, before, view))
            else:
                looks.append(looked(store, before, look(held, view, before), view.now))
        self._lanes += sum(each.now.summary.lanes for each in looks if each.now is not None)
        await run.write(differences(looks), rows(looks))
        for each in looks:
            if each.now is not None and each.now.gone:
                await run.clean(each.store, each.now.gone)

    async def _look_at_large(self, run: Commands, store: str, history: str, before: Summary | None, view: View) -> Look:
        looked_at, lanes = self._large.get(store, (0, 0))
        if view.now < (due := due_at(looked_at, lanes)):
            return Look(store, before, None, due)
        held = await run.read_large(store, history)
        found = look(held, view, before)
        self._large[store] = (view.now, found.summary.lanes)
        return looked(store, before, found, view.now)
