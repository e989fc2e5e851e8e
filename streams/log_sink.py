"""Where log lines go: a thread writes them, so that whoever reads the log slowly, or not at all, stops nobody.

What finds no room is dropped, counted, and told in the log when it flows again.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

# Some thousand lines: more than a reader that is merely late is behind.
MAX_WAITING_BYTES = 1024 * 1024
# What a line costs beside its bytes.
LINE_BYTES = 64
# Lines that wait are written together, up to about so much.
WRITE_BYTES = 256 * 1024
# After one write the next comes no sooner: waking the thread for each line costs the loop more than the line.
GATHER_SECONDS = 0.01
# How long the end of a process waits for its last lines to be taken.
FLUSH_SECONDS = 2.0
LOST_LOG = "sse.server"


class LogSink:
    """Lines on their way to a file descriptor, in bounded memory; any thread may put them.

    `notice(count)` makes the line that tells how many were dropped.
    """

    def __init__(
        self, descriptor: int, notice: Callable[[int], bytes], max_waiting_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._notice = notice
        self._max_waiting_bytes = max_waiting_bytes
        self._untold = 0
        self._begin()
        # A child has none of its parent's threads, and the lines that wait are the parent's.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._writing = False
        # Whether the thread waits for a line, and whether somebody waits for it.
        self._idle = self._hurried = False
        # Its lock may be taken twice: the garbage collector may run code that logs, in the middle of put().
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes, *, at_once: bool = False) -> None:
        """Let a line be written soon, or without waiting for more; drop it where too much waits. Never blocks."""
        cost = len(line) + LINE_BYTES
        with self._changed:
            if self._waiting_bytes + cost > self._max_waiting_bytes:
                self._drop(1)
                return
            if self._untold:
                self._tell()
            self._lines.append(line)
            self._waiting_bytes += cost
            if self._thread is None:
                self._start()
            elif self._idle or at_once:
                self._idle, self._hurried = False, self._hurried or at_once
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, but not longer than that; say whether it was."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            while self._lines or self._writing:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._changed.wait(left)
        return True

    def _start(self) -> None:
        # Not before it is needed: a process that logs nothing has no thread.
        thread = threading.Thread(target=self._write_on, name="log", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # There may be no more of them, or the process ends.
            self._write(b"".join(self._take()))
        else:
            self._thread = thread

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._untold += count

    def _tell(self) -> None:
        # Where they are missing; one line over the limit at the most.
        count, self._untold = self._untold, 0
        notice = self._notice(count)
        self._lines.append(notice)
        self._waiting_bytes += len(notice) + LINE_BYTES

    def _write_on(self) -> None:
        # Of this process: a child begins with another.
        changed, due = self._changed, 0.0
        while changed is self._changed:
            with changed:
                while not self._lines:
                    self._idle = True
                    changed.wait()
                self._idle = False
                # Where more waits than one write takes, there is nothing to gather.
                pause = 0 if self._waiting_bytes >= WRITE_BYTES else due - time.monotonic()
                if pause > 0 and not self._hurried:
                    changed.wait(pause)
                self._hurried = False
                lines = self._take()
                self._writing = True
            written = self._write(b"".join(lines))
            due = time.monotonic() + GATHER_SECONDS
            with changed:
                self._writing = False
                if not written:
                    self._drop(len(lines))
                elif self._untold and not self._lines:
                    self._tell()
                changed.notify_all()

    def _take(self) -> list[bytes]:
        lines: list[bytes] = []
        taken_bytes = 0
        while self._lines and taken_bytes < WRITE_BYTES:
            line = self._lines.popleft()
            lines.append(line)
            taken_bytes += len(line)
        self._waiting_bytes -= taken_bytes + LINE_BYTES * len(lines)
        return lines

    def _write(self, data: bytes) -> bool:
        """Write all of it, for as long as that takes; say whether somebody took it."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                # Whoever shares the descriptor made it so.
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True


class BackgroundHandler(logging.Handler):
    """Writes records to standard error, as it was when this was made; nowhere where there is none."""

    def __init__(self) -> None:
        super().__init__()
        descriptor = standard_error()
        self._sink = None if descriptor is None else LogSink(descriptor, self._notice)

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Make none: the sink has its own, and formatting changes nothing."""
        self.lock = None

    @property
    def dropped(self) -> int:
        """Return how many lines found no room."""
        return 0 if self._sink is None else self._sink.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Format a record here, where what it names is as it was; a thread writes it."""
        if self._sink is not None:
            try:
                self._sink.put(self._line(record), at_once=record.levelno >= logging.WARNING)
            except Exception:
                self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's name
        """Log why a record cannot be formatted, where logging would write to standard error itself."""
        if self._sink is not None:
            self._sink.put(traceback.format_exc().encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Wait a moment for the lines that wait; logging calls it at the end of the process."""
        if self._sink is not None:
            self._sink.flush(FLUSH_SECONDS)

    def _line(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode(errors="backslashreplace") + b"\n"

    def _notice(self, count: int) -> bytes:
        text = "%d line(s) of this log were dropped here: whoever reads it did not keep up."
        return self._line(logging.LogRecord(LOST_LOG, logging.WARNING, "", 0, text, (count,), None))


def dropped_lines() -> int:
    """Return how many lines this process has dropped."""
    handlers = logging.getLogger().handlers
    return sum(handler.dropped for handler in handlers if isinstance(handler, BackgroundHandler))


def standard_error() -> int | None:
    """Return the descriptor of standard error, or None where this process was started without one.

    A socket may have its number then.
    """
    try:
        return None if sys.stderr is None else sys.stderr.fileno()
    except (OSError, ValueError):
        return None
