"""The board: takes the samples, and tells every open page once a second what changed.

However many pages are open, each different one is put together and encoded once.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time

from dashboard.content.pages import ClientPage, Content, PodPage, pod_content
from dashboard.content.sampler import Sampler
from streams.delivery.connection import Headers, Writer
from streams.http.listing import Roster
from streams.pod import Pod, get_pod
from streams.wire.frames import data_frame

logger = logging.getLogger("sse.server")

TICK_SECONDS = 1.0
# What the open pages may cost: with many different views of many connections they
# are told less often.
MAX_CPU_SHARE = 0.03
RETRY_MS = 2000
# A page whose machine acknowledges nothing for so long is gone.
DEAD_AFTER_SECONDS = 30.0

Page = PodPage | ClientPage


class Board:
    """The open pages of this pod, by what they show."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.sampler = Sampler(pod)
        self._pages: dict[Page, set[Writer]] = {}
        self._told: dict[Page, bytes] = {}

    def open(self, page: Page, writer: Writer, headers: Headers) -> None:
        """Take a page in, and begin its stream with everything that it shows."""
        frame = frame_of(page.content(self.pod, Roster(self.pod.registry)))
        if isinstance(page, PodPage):
            frame = frame_of(pod_content(self.pod, self.sampler)) + frame
        writer.start(headers, frame)
        self._pages.setdefault(page, set()).add(writer)

    def close(self, page: Page, writer: Writer) -> None:
        """Let a page go; one that is not there is fine."""
        writers = self._pages.get(page, set())
        writers.discard(writer)
        if not writers:
            self._pages.pop(page, None)
            self._told.pop(page, None)

    async def run(self) -> None:
        """Tick until cancelled, then end the pages' streams."""
        loop = asyncio.get_running_loop()
        started, tick, tell_due = loop.time(), 0, 0.0
        try:
            while True:
                self.sampler.take()
                if self._pages and loop.time() >= tell_due:
                    told_at = loop.time()
                    tell_due = told_at + await self.tell() / MAX_CPU_SHARE
                # Ticks that a busy loop has missed are over; only the rhythm is kept.
                tick = max(tick + 1, int((loop.time() - started) / TICK_SECONDS))
                await asyncio.sleep(started + tick * TICK_SECONDS - loop.time())
        finally:
            for writers in self._pages.values():
                for writer in writers:
                    writer.finish()

    async def tell(self) -> float:
        """Write to every open page what it shows now; return the seconds that it took."""
        began = time.perf_counter()
        shared, roster = frame_of(pod_content(self.pod, self.sampler)), Roster(self.pod.registry)
        spent = time.perf_counter() - began
        for page, writers in list(self._pages.items()):
            began = time.perf_counter()
            try:
                self._tell_page(page, writers, shared if isinstance(page, PodPage) else b"", roster)
            except Exception:
                # One page's; the others go on.
                logger.exception("The stream of a page failed and is closed")
                for writer in list(writers):
                    writer.abort()
            spent += time.perf_counter() - began
            # Events for devices go between two pages.
            await asyncio.sleep(0)
        return spent

    def _tell_page(self, page: Page, writers: set[Writer], frame: bytes, roster: Roster) -> None:
        own = frame_of(page.content(self.pod, roster))
        if self._told.get(page) != own:
            self._told[page] = own
            frame += own
        if frame:
            self._write(page, writers, frame)

    def _write(self, page: Page, writers: set[Writer], frame: bytes) -> None:
        for writer in list(writers):
            if writer.backlog_bytes():
                # It missed this frame, so the next one has to be whole again.
                self._told.pop(page, None)
                if writer.silent_seconds() > DEAD_AFTER_SECONDS:
                    writer.abort()
            else:
                writer.write(frame)


def frame_of(content: Content) -> bytes:
    """Encode content as one server-sent event."""
    return data_frame(content.as_dict(), retry_ms=RETRY_MS)


@functools.cache
def get_board() -> Board:
    """Return the one board of this process; making it starts nothing."""
    return Board(get_pod())
