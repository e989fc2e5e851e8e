"""One look at the whole cluster from one pod: what Redis says of all pods and lanes, or that it gives no answer."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

import redis.asyncio

from dashboard.cluster.timelines import Timelines
from dashboard.content.pages import Content
from dashboard.content.sampler import Sampler
from streams.broker.clients import LINK_ERRORS, async_client
from streams.pod import Pod
from streams.roster.lives import Heard
from streams.roster.reading.lanes import Totals
from streams.roster.reading.reader import RosterReader

# Somebody waits for this; without an answer a page shows what its pod knows.
REPLY_SECONDS = 1.0

# A connection belongs to the event loop that opened it.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


class Fleet(NamedTuple):
    """All pods and the sums of all stores; `reader` reads the rest."""

    reader: RosterReader
    pods: list[Heard]
    totals: Totals

    @property
    def alive(self) -> list[Heard]:
        return [heard for heard in self.pods if heard.alive]


class Look(NamedTuple):
    """What a page is made of; `fleet` is None where Redis gives no answer, or knows of no pod."""

    pod: Pod
    sampler: Sampler
    fleet: Fleet | None
    timelines: Timelines

    @property
    def life(self) -> str:
        """The life of the pod that looks."""
        return self.pod.roster.claims.life


class ClusterPage(Protocol):
    """A page that shows the same whichever pod is asked."""

    async def read(self, look: Look) -> Content:
        """Return what it shows; raises LINK_ERRORS, but not where `look.fleet` is None."""


def reader_of(pod: Pod) -> RosterReader:
    """Return a reader for the running loop, which connects when it is first used."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = async_client(
            pod.conf.redis_url,
            connect_seconds=REPLY_SECONDS,
            reply_seconds=REPLY_SECONDS,
            on_open=pod.ingresses.primary.open,
        )
        _clients[loop] = client
    return RosterReader(client, pod.conf.redis_channel)


async def look_from(pod: Pod, sampler: Sampler, timelines: Timelines) -> Look:
    """Look at the cluster now."""
    reader = reader_of(pod)
    try:
        fleet = Fleet(reader, await reader.pods(), await reader.totals())
    except LINK_ERRORS:
        return Look(pod, sampler, None, timelines)
    # Redis may have lost all that it knew, until pods say that they live.
    return Look(pod, sampler, fleet if fleet.alive else None, timelines)


async def content_of(page: ClusterPage, look: Look) -> Content:
    """Return what a page shows, which is less where Redis goes meanwhile."""
    try:
        return await page.read(look)
    except LINK_ERRORS:
        return await page.read(look._replace(fleet=None))
