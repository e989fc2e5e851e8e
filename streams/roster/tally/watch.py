"""Counts the events that no pod delivered: the pod that keeps the tally asks the roster some seconds later.

Nothing of it is on the way of an event. What was not found out is counted apart, and never called unclaimed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable

import redis

from streams.delivery.registry import Registry
from streams.history.messages import History
from streams.logs import Sparingly
from streams.roster.tally.commands import Commands
from streams.roster.tally.unclaimed import Named, Window, Windows, count_unclaimed, free_since, is_settled
from streams.roster.tracing.clock import RedisClock
from streams.wire.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger("sse.sse")

# Clients that are asked for in a round, of a second or so, and at once: a script holds up other commands.
MAX_CLIENTS = 3_000
MAX_ASKED = 500
# Where nothing ever came back it may be as old as that.
MAX_BEHIND_SECONDS = 86_400.0


class Watch:
    """Looks for one pod; `behind` says how many seconds ago what it hears was published, `pods` how many it hears."""

    def __init__(
        self,
        registry: Registry,
        history: History,
        redis_clock: RedisClock,
        *,
        behind: Callable[[], float],
        pods: Callable[[], int],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # Events that no pod delivered, those of which that is not known, and answers that failed.
        self.unclaimed = self.unchecked = self.errors = 0
        self._registry, self._history = registry, history
        self._redis_clock, self._clock = redis_clock, clock
        self._behind, self._pods = behind, pods
        self._windows = Windows()
        self._named = Named()
        self._said = Sparingly()

    def tick(self) -> None:
        """Note how far this pod has heard; call it about once a second, then look() or forget()."""
        if self._redis_clock.ahead and self._history.seconds:
            behind = min(self._behind(), MAX_BEHIND_SECONDS)
            now = self._clock.monotonic() + self._redis_clock.ahead
            self._windows.close(round(1000 * now), self._history.end, round(1000 * behind))

    def forget(self) -> None:
        """Leave what came to another pod, which keeps the tally."""
        self._windows.forget()

    async def look(self, run: Commands) -> None:
        """Look at what came some seconds ago, on the pod that keeps the tally."""
        counts: Counter[str] = Counter()
        try:
            left = MAX_CLIENTS
            while left > 0 and (window := self._windows.due()) is not None:
                events = self._foreign(window)
                if self._windows.is_over(window):
                    self.unchecked += sum(events.values())
                elif (found := await self._ask(run, window, events)) is None:
                    break
                else:
                    counts += found
                left -= len(events)
                self._windows.done()
        except redis.ResponseError as error:
            if isinstance(error, redis.ReadOnlyError):
                raise
            # The tally goes on, whatever Redis has against this.
            self.errors += 1
            if times := self._said.due():
                logger.warning("Nobody knows which events reached no client: %s (tries: %d)", error, times)
        self.unclaimed += counts.total()
        self._say(counts)

    def _foreign(self, window: Window) -> dict[str, int]:
        """Return for which clients that this pod does not have events came, and how many."""
        counts = self._history.counts_between(window.first, window.end)
        return {name: count for name, count in counts.items() if self._registry.get(name) is None}

    async def _ask(self, run: Commands, window: Window, events: dict[str, int]) -> Counter[str] | None:
        """Return the events that no pod delivered, by client; None where that is not known yet."""
        names = list(events)
        if len(names) > MAX_CLIENTS:
            names = random.sample(names, MAX_CLIENTS)
        free: dict[str, int] = {}
        for place in range(0, len(names), MAX_ASKED):
            view, tallied, claims = await run.read_claims(names[place : place + MAX_ASKED])
            if not is_settled(window, view, tallied, self._pods()):
                return None
            since = ((name, free_since(claim, view)) for name, claim in claims.items())
            free |= {name: moment for name, moment in since if moment is not None}
        if not names or not await run.answer_for(window.since, window.until):
            # Another pod has counted them.
            return Counter()
        self.unchecked += sum(events.values()) - sum(events[name] for name in names)
        return await self._count(window, free)

    async def _count(self, window: Window, free: dict[str, int]) -> Counter[str]:
        counts: Counter[str] = Counter()
        names, ahead = list(free), self._redis_clock.ahead
        for place in range(0, len(names), MAX_ASKED):
            asked = names[place : place + MAX_ASKED]
            came = self._history.came_between(window.first, window.end, asked, window.copies_from)
            counts += count_unclaimed(((name, round(1000 * (at + ahead))) for name, at in came), free, window)
            # It takes some milliseconds; events go out between two of them.
            await asyncio.sleep(0)
        return counts

    def _say(self, counts: Counter[str]) -> None:
        for name, count in self._named.due(counts, self._clock.monotonic()):
            fields = {"clientName": name, "events": count} if name else {"events": count}
            logger.info(
                "Nobody was connected as %s: %d event(s) reached no client",
                name or "one of many others",
                count,
                extra={"fields": fields},
            )
