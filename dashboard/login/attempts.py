"""How often a password may be tried, counted for all pods together."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable

from redis.asyncio import Redis

from dashboard.login import shared
from streams.broker.clients import LINK_ERRORS
from streams.logs import Sparingly

logger = logging.getLogger("sse.server")

WINDOW_SECONDS = 300
# For one account from one address, for one address, and for one account from anywhere:
# a stranger at one address must not lock an operator out who is at another.
PER_PAIR = 10
PER_ADDRESS = 30
PER_ACCOUNT = 100
# A provider gives a home this much of IPv6.
IPV6_PREFIX = 64
# What one pod remembers, whatever strangers make up.
COUNTS_KEPT = 10_000


class Attempts:
    """Counts the attempts of each account and address.

    The counts are in Redis. This pod's own copy answers for who is over a limit already,
    and counts alone while Redis does not answer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Count and end of the window, by name.
        self._counts: dict[str, tuple[int, float]] = {}
        self._errors = Sparingly()

    async def take(self, account: str, address: str) -> float:
        """Count one attempt; return 0 where it may be made, or the seconds until the next may."""
        limits = limits_of(account, address)
        if wait := self._wait(limits):
            # Who goes on is soon refused for the address alone, which costs less.
            self._count_alone([network_of(address)])
            return wait
        try:
            await self._count(shared.client(), limits)
        except LINK_ERRORS as error:
            self._count_alone(limits)
            if self._errors.due():
                logger.warning("Passwords that are tried are counted by this pod alone: %s", error)
        return self._wait(limits)

    def wait_of(self, address: str) -> float:
        """Return the seconds until an address may try again, as far as this pod knows; 0 where it may."""
        where = network_of(address)
        return self._wait({where: PER_ADDRESS}) if where in self._counts else 0

    async def forgive(self, account: str, address: str) -> None:
        """Forget the attempts that led to a login."""
        names = list(limits_of(account, address))
        for name in names:
            self._counts.pop(name, None)
        try:
            await shared.client().delete(*(shared.key("attempts", name) for name in names))
        except LINK_ERRORS:
            # They end by themselves.
            return

    def _wait(self, limits: dict[str, int]) -> float:
        now = self._clock()
        counts = ((self._counts.get(name, (0, 0.0)), limit) for name, limit in limits.items())
        return max((end - now for (count, end), limit in counts if count > limit and end > now), default=0.0)

    async def _count(self, client: Redis, limits: Iterable[str]) -> None:
        names = list(limits)
        async with client.pipeline(transaction=False) as pipeline:
            for name in names:
                key = shared.key("attempts", name)
                # The window begins with the first attempt, and what comes during it does not move its end.
                pipeline.set(key, 0, ex=WINDOW_SECONDS, nx=True)
                pipeline.incr(key)
                pipeline.pttl(key)
            replies = await pipeline.execute()
        now = self._clock()
        for name, count, left_ms in zip(names, replies[1::3], replies[2::3], strict=True):
            self._keep(name, count, now + max(0, left_ms) / 1000)

    def _count_alone(self, limits: Iterable[str]) -> None:
        now = self._clock()
        for name in limits:
            count, end = self._counts.get(name, (0, 0.0))
            fresh = end <= now
            self._keep(name, 1 if fresh else count + 1, now + WINDOW_SECONDS if fresh else end)

    def _keep(self, name: str, count: int, end: float) -> None:
        if len(self._counts) >= COUNTS_KEPT and name not in self._counts:
            now = self._clock()
            self._counts = {known: kept for known, kept in self._counts.items() if kept[1] > now}
            if len(self._counts) >= COUNTS_KEPT:
                del self._counts[next(iter(self._counts))]
        self._counts[name] = count, end


def limits_of(account: str, address: str) -> dict[str, int]:
    """Return what an attempt counts for, by name, and how many attempts each may have in a window."""
    # A name may be of any length and hold anything.
    who = hashlib.sha256(account.casefold().encode(errors="surrogatepass")).hexdigest()[:20]
    where = network_of(address)
    return {f"{who}@{where}": PER_PAIR, where: PER_ADDRESS, who: PER_ACCOUNT}


def network_of(address: str) -> str:
    """Return what stands for an address: itself, or the network that one customer has in IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
