"""The open pages of one kind, by what they show: each different one is encoded once, and told what changed."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Generic, TypeVar

from dashboard.content.pages import Content
from streams.delivery.connection import Writer
from streams.wire.frames import data_frame

logger = logging.getLogger("sse.server")

RETRY_MS = 2000
# A page whose machine acknowledges nothing for so long is gone.
DEAD_AFTER_SECONDS = 30.0

P = TypeVar("P", bound=Hashable)


class OpenPages(Generic[P]):
    """Which streams are open for which page."""

    def __init__(self) -> None:
        self._writers: dict[P, set[Writer]] = {}
        self._told: dict[P, bytes] = {}

    def all(self) -> list[P]:
        """Return the pages, each once."""
        return list(self._writers)

    def open(self, page: P, writer: Writer) -> None:
        """Take in a stream that has begun with everything that its page shows."""
        self._writers.setdefault(page, set()).add(writer)

    def close(self, page: P, writer: Writer) -> None:
        """Let a stream go; one that is not there is fine."""
        writers = self._writers.get(page, set())
        writers.discard(writer)
        if not writers:
            self._writers.pop(page, None)
            self._told.pop(page, None)

    def tell(self, page: P, content: Content, shared: bytes = b"") -> None:
        """Write to the streams of a page what it shows now, if that changed, behind what it shares with others."""
        own = frame_of(content)
        if self._told.get(page) != own:
            self._told[page] = own
            shared += own
        if not shared:
            return
        for writer in list(self._writers.get(page, ())):
            if writer.backlog_bytes():
                # It missed this frame, so the next one has to be whole again.
                self._told.pop(page, None)
                if writer.silent_seconds() > DEAD_AFTER_SECONDS:
                    writer.abort()
            else:
                writer.write(shared)

    def fail(self, page: P) -> None:
        """Cut the streams of a page that raised an exception, which is being handled; the others go on."""
        # The handler is the caller's.
        logger.exception("The stream of a page failed and is closed")  # noqa: LOG004
        for writer in list(self._writers.get(page, ())):
            writer.abort()

    def finish(self) -> None:
        """End all streams."""
        for writers in self._writers.values():
            for writer in writers:
                writer.finish()


def frame_of(content: Content) -> bytes:
    """Encode content as one server-sent event."""
    return data_frame(content.as_dict(), retry_ms=RETRY_MS)
