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
# Nobody can read at once what comes at once: what waits for less than this is no sign of a slow reader.
BURST_SECONDS = 0.5
# By how much all clients together may be above their limits for that time.
BURST_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Backlog:
    """How far a client is behind, in bytes since its connection began; moments are monotonic seconds."""

    # What had left this process when that last moved.
    moved_bytes: int
    moved_at: float
    # What it had been given at a moment: what came behind that has waited since then at most.
    given_bytes: int
    given_at: float


class Outbox:
    """Writes frames to connections, and has those closed whose clients do not read."""

    def __init__(
        self, close: Callable[[Connection, CloseReason], None], *, max_backlog_bytes: int, stall_seconds: float
    ) -> None:
        self._close = close
        self._max_backlog_bytes = max_backlog_bytes
        self._stall_seconds = stall_seconds
        # Of the few whose clients are behind.
        self._backlogged: dict[Connection, Backlog] = {}
        # By how much a client is above its limit.
        self._excess: dict[Connection, int] = {}
        self._excess_bytes = 0
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
        connection.pending = Pending(messages, frame, time.monotonic())
        self._replaying[connection] = None
        self._continue_replay(connection)
        if connection.pending is not None:
            self._begun.set()

    def hold(self, connection: Connection, frame: Callable[[bytes], bytes]) -> None:
        """Let all that comes for a client wait, until release() says what goes before it."""
        connection.pending = Pending([], frame, time.monotonic())
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
        pending.release(messages, time.monotonic())
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
        for connection, backlog in list(self._backlogged.items()):
            backlog_bytes = connection.writer.backlog_bytes()
            left = connection.bytes_written - backlog_bytes
            if not backlog_bytes:
                self._backlogged.pop(connection, None)
                self._note_excess(connection, 0)
            elif self._is_slow(connection, backlog_bytes, now):
                self._close(connection, CloseReason.SLOW_READER)
            elif left > backlog.moved_bytes:
                backlog.moved_bytes, backlog.moved_at = left, now
            elif now - backlog.moved_at >= self._stall_seconds:
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
        self._note_excess(connection, 0)
        connection.pending = None

    def backlog_bytes(self) -> int:
        """Return the bytes that wait for clients that are behind."""
        return sum(connection.writer.backlog_bytes() for connection in self._backlogged)

    def _wait(self, connection: Connection, pending: Pending, data: bytes, *, is_message: bool) -> None:
        pending.add(data, is_message=is_message)
        if (excess_bytes := pending.waiting_bytes - self._max_backlog_bytes) <= 0:
            return
        # Who takes batch after batch reads as fast as it is let.
        late = not pending.held and time.monotonic() - pending.taken_at >= BURST_SECONDS
        if late or not self._note_excess(connection, excess_bytes):
            self._close(connection, CloseReason.SLOW_READER)

    def _watch(self, connection: Connection, backlog_bytes: int) -> None:
        if connection.close_reason is not None:
            return
        now = time.monotonic()
        if connection not in self._backlogged:
            left = connection.bytes_written - connection.writer.backlog_bytes()
            self._backlogged[connection] = Backlog(left, now, connection.bytes_written, now)
        if backlog_bytes > self._max_backlog_bytes and self._is_slow(connection, backlog_bytes, now):
            self._close(connection, CloseReason.SLOW_READER)

    def _is_slow(self, connection: Connection, backlog_bytes: int, now: float) -> bool:
        """Say whether too much waits for a client that had the time to read, or that there is no room to wait for."""
        backlog = self._backlogged[connection]
        if connection.bytes_written - connection.writer.backlog_bytes() >= backlog.given_bytes:
            # It has taken all that it had been given by then.
            backlog.given_bytes, backlog.given_at = connection.bytes_written, now
        excess_bytes = max(0, backlog_bytes - self._max_backlog_bytes)
        has_room = self._note_excess(connection, excess_bytes)
        return excess_bytes > 0 and (now - backlog.given_at >= BURST_SECONDS or not has_room)

    def _note_excess(self, connection: Connection, excess_bytes: int) -> bool:
        """Note by how much a client is above its limit; say whether there is room for that."""
        self._excess_bytes += excess_bytes - self._excess.pop(connection, 0)
        if excess_bytes:
            self._excess[connection] = excess_bytes
        return self._excess_bytes <= BURST_BYTES

    def _continue_replay(self, connection: Connection) -> None:
        writer = connection.writer
        # Writing may close the connection, which drops what is pending.
        while (pending := connection.pending) is not None and not pending.held and not writer.backlog_bytes():
            batch = pending.take(REPLAY_BATCH_BYTES)
            if not batch:
                connection.pending = None
                self._replaying.pop(connection, None)
                self._note_excess(connection, 0)
                return
            pending.taken_at = time.monotonic()
            connection.bytes_written += len(batch)
            if backlog_bytes := writer.write(batch):
                self._watch(connection, backlog_bytes)
