"""The board: takes the samples, and tells every open page once a second what changed.

However many pages are open, each different one is put together and encoded once. Pages of this pod alone are
told from its own memory; those of the whole cluster are read from Redis, and wait for no other.
"""

from __future__ import annotations

import asyncio
import functools
import time

from dashboard.cluster.clients import ClientPage
from dashboard.cluster.look import Look, content_of, look_from
from dashboard.cluster.pages import FrontPage, StorePage, StoresPage
from dashboard.cluster.timelines import Timelines
from dashboard.content.pages import PodPage, pod_content
from dashboard.content.sampler import Sampler
from dashboard.live.open_pages import OpenPages, frame_of
from streams.delivery.connection import Headers, Writer
from streams.http.listing import Roster
from streams.pod import Pod, get_pod

TICK_SECONDS = 1.0
# What the open pages may cost: with many different views of many connections they
# are told less often.
MAX_CPU_SHARE = 0.03
# Of the time, that the cluster's pages may take, most of which they wait for Redis; and the longest pause for that.
MAX_READING_SHARE = 0.2
MAX_PAUSE_SECONDS = 5.0

ClusterPages = FrontPage | StoresPage | StorePage | ClientPage
Page = PodPage | ClusterPages


class Board:
    """The open pages of this pod, by what they show."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.sampler = Sampler(pod)
        self.timelines = Timelines(pod.roster)
        self._own: OpenPages[PodPage] = OpenPages()
        self._cluster: OpenPages[ClusterPages] = OpenPages()

    async def look(self) -> Look:
        """Look at the cluster now."""
        return await look_from(self.pod, self.sampler, self.timelines)

    async def first(self, page: Page) -> bytes:
        """Return what the stream of a page begins with: everything that it shows."""
        if isinstance(page, PodPage):
            shared = frame_of(pod_content(self.pod, self.sampler))
            return shared + frame_of(page.content(self.pod, Roster(self.pod.registry)))
        return frame_of(await content_of(page, await self.look()))

    def open(self, page: Page, writer: Writer, headers: Headers, first: bytes) -> None:
        """Take a page in, and begin its stream."""
        writer.start(headers, first)
        if isinstance(page, PodPage):
            self._own.open(page, writer)
        else:
            self._cluster.open(page, writer)

    def close(self, page: Page, writer: Writer) -> None:
        """Let a page go; one that is not there is fine."""
        if isinstance(page, PodPage):
            self._own.close(page, writer)
        else:
            self._cluster.close(page, writer)

    async def run(self) -> None:
        """Tick until cancelled, then end the pages' streams."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="sse-dashboard-cluster")
                await self._tick()
        finally:
            self._own.finish()
            self._cluster.finish()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        started, tick, tell_due = loop.time(), 0, 0.0
        while True:
            self.sampler.take()
            if self._own.all() and loop.time() >= tell_due:
                told_at = loop.time()
                tell_due = told_at + await self.tell() / MAX_CPU_SHARE
            # Ticks that a busy loop has missed are over; only the rhythm is kept.
            tick = max(tick + 1, int((loop.time() - started) / TICK_SECONDS))
            await asyncio.sleep(started + tick * TICK_SECONDS - loop.time())

    async def _read(self) -> None:
        while True:
            began = time.monotonic()
            if self._cluster.all():
                await self.tell_cluster()
            pause = (time.monotonic() - began) / MAX_READING_SHARE
            await asyncio.sleep(min(max(TICK_SECONDS, pause), MAX_PAUSE_SECONDS))

    async def tell(self) -> float:
        """Write to every open page of this pod what it shows now; return the seconds that it took."""
        began = time.perf_counter()
        shared, roster = frame_of(pod_content(self.pod, self.sampler)), Roster(self.pod.registry)
        spent = time.perf_counter() - began
        for page in self._own.all():
            began = time.perf_counter()
            try:
                self._own.tell(page, page.content(self.pod, roster), shared)
            except Exception:
                self._own.fail(page)
            spent += time.perf_counter() - began
            # Events for devices go between two pages.
            await asyncio.sleep(0)
        return spent

    async def tell_cluster(self) -> None:
        """Write to every open page of the cluster what it shows now."""
        look = await self.look()
        for page in self._cluster.all():
            try:
                self._cluster.tell(page, await content_of(page, look))
            except Exception:
                self._cluster.fail(page)


@functools.cache
def get_board() -> Board:
    """Return the one board of this process; making it starts nothing."""
    return Board(get_pod())
