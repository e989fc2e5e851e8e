"""Writing to clients within bounds: what waits for a slow one is limited in bytes and in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from streams.delivery.connection import Connection, Pending, Writer
from streams.errors import CloseReason

logger = logging.getLogger("sse.sse")

# A replay goes out in writes of about this size, the next when the client has taken the last.
REPLAY_BATCH_BYTES = 16 * 1024
# How often it is looked whether clients in a long replay have taken what they were given.
REPLAY_SECONDS = 0.01


@dataclass(slots=True)
class Progress:
    """How many bytes of a connection had left this process when they last moved, and when that was."""

    moved_bytes: int
    moved_at: float


class Outbox:
    """Writes frames to connections, and has those closed whose clients do not read."""

    def __init__(
        self, close: Callable[[Connection, CloseReason], None], *, max_backlog_bytes: int, stall_seconds: float
    ) -> None:
        self._close = close
        self._max_backlog_bytes = max_backlog_bytes
        self._stall_seconds = stall_seconds
        # Of the few whose clients are behind.
        self._backlogged: dict[Connection, Progress] = {}
        # A dict for a set that keeps its order.
        self._replaying: dict[Connection, None] = {}
        self._begun = asyncio.Event()
        # Writers that were told to finish while bytes waited, and when that takes too long.
        self._finishing: dict[Writer, float] = {}

    def write(self, connection: Connection, frame: bytes) -> None:
        """Write a frame to a connection, and close it if too much waits for its client."""
        if connection.pending is not None:
            self._wait(connection, connection.pending, frame, is_message=False)
            return
        connection.bytes_written += len(frame)
        backlog_bytes = connection.writer.write(frame)
        if backlog_bytes:
            self._watch(connection, backlog_bytes)

    def replay(self, connection: Connection, messages: list[bytes], frame: Callable[[bytes], bytes]) -> None:
        """Write messages as fast as their client takes them; what comes meanwhile goes behind.

        `frame(message)` is asked when a message's turn comes, and gives nothing for one that is too late.
        """
        connection.pending = Pending(messages, frame, self._max_backlog_bytes)
        self._replaying[connection] = None
        self._continue_replay(connection)
        if connection.pending is not None:
            self._begun.set()

    def hold(self, connection: Connection, frame: Callable[[bytes], bytes]) -> None:
        """Let all that comes for a client wait, until release() says what goes before it."""
        connection.pending = Pending([], frame, self._max_backlog_bytes)
        connection.pending.held = True

    def release(self, connection: Connection, notice: bytes, messages: list[bytes]) -> None:
        """Write a notice, the frames that waited, and the messages, which are all that the client is to get."""
        pending = connection.pending
        if pending is None:
            return
        if notice:
            connection.bytes_written += len(notice)
            if backlog_bytes := connection.writer.write(notice):
                self._watch(connection, backlog_bytes)
        pending.release(messages, self._max_backlog_bytes)
        self._replaying[connection] = None
        self._continue_replay(connection)
        if connection.pending is not None:
            self._begun.set()

    def queue(self, connection: Connection, message: bytes) -> None:
        """Put a live message behind a replay that is under way, to be framed as those in it are."""
        # While it is held, the history keeps the messages: release() is given them from there.
        if connection.pending is not None and not connection.pending.held:
            self._wait(connection, connection.pending, message, is_message=True)

    async def run(self) -> None:
        """Go on with the replays that did not go out at once, until cancelled."""
        # One of this loop; what began before it was there is looked for first.
        self._begun = asyncio.Event()
        while True:
            while self._replaying:
                await asyncio.sleep(REPLAY_SECONDS)
                for connection in list(self._replaying):
                    try:
                        self._continue_replay(connection)
                    except Exception:
                        # One client's; the others go on.
                        logger.exception("The replay to %s failed", connection.client_name)
                        self._close(connection, CloseReason.FAILED)
            self._begun.clear()
            await self._begun.wait()

    def close_stalled(self) -> None:
        """Cut the connections whose backlog has not moved for too long; call it every second."""
        now = time.monotonic()
        for writer, deadline in list(self._finishing.items()):
            if not writer.backlog_bytes():
                del self._finishing[writer]
            elif now >= deadline:
                del self._finishing[writer]
                writer.abort()
        for connection, progress in list(self._backlogged.items()):
            backlog_bytes = connection.writer.backlog_bytes()
            left = connection.bytes_written - backlog_bytes
            if not backlog_bytes:
                self._backlogged.pop(connection, None)
            elif left > progress.moved_bytes:
                progress.moved_bytes, progress.moved_at = left, now
            elif now - progress.moved_at >= self._stall_seconds:
                # A machine that is there acknowledges what it gets, even if no program reads it.
                silent = connection.writer.silent_seconds() >= self._stall_seconds
                self._close(connection, CloseReason.DEAD_PEER if silent else CloseReason.SLOW_READER)

    def finish(self, connection: Connection, farewell: bytes | None) -> None:
        """End a response after what was written, but not later than a stalled client would be cut."""
        self.drop(connection)
        writer = connection.writer
        if farewell is not None:
            writer.write(farewell)
        writer.finish()
        if writer.backlog_bytes():
            self._finishing[writer] = time.monotonic() + self._stall_seconds

    def abort(self, connection: Connection) -> None:
        """Cut a connection whose client does not read: a farewell would only wait behind the rest."""
        self.drop(connection)
        connection.writer.abort()

    def drop(self, connection: Connection) -> None:
        """Forget what is known of a connection that ends."""
        self._backlogged.pop(connection, None)
        self._replaying.pop(connection, None)
        connection.pending = None

    def backlog_bytes(self) -> int:
        """Return the bytes that wait for clients that are behind."""
        return sum(connection.writer.backlog_bytes() for connection in self._backlogged)

    def _wait(self, connection: Connection, pending: Pending, data: bytes, *, is_message: bool) -> None:
        pending.add(data, is_message=is_message)
        if pending.room_bytes < 0:
            self._close(connection, CloseReason.SLOW_READER)

    def _watch(self, connection: Connection, backlog_bytes: int) -> None:
        if backlog_bytes > self._max_backlog_bytes:
            self._close(connection, CloseReason.SLOW_READER)
        elif connection not in self._backlogged and connection.close_reason is None:
            left = connection.bytes_written - connection.writer.backlog_bytes()
            self._backlogged[connection] = Progress(left, time.monotonic())

    def _continue_replay(self, connection: Connection) -> None:
        writer = connection.writer
        # Writing may close the connection, which drops what is pending.
        while (pending := connection.pending) is not None and not pending.held and not writer.backlog_bytes():
            batch = pending.take(REPLAY_BATCH_BYTES)
            if not batch:
                connection.pending = None
                self._replaying.pop(connection, None)
                return
            connection.bytes_written += len(batch)
            if backlog_bytes := writer.write(batch):
                self._watch(connection, backlog_bytes)
