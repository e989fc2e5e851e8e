"""What leaked since somebody last asked; told by the test in whose run it was found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from tests.support.leaks.secrets import Secrets

# Of what one answer or log shows, the first are enough.
MAX_TOLD = 5


class Ending(Protocol):
    """A process that says whether it has ended."""

    def poll(self) -> int | None: ...


class Log(NamedTuple):
    """What a process writes, and how much of it was searched; it is held open, as its folder may be gone before."""

    process: Ending
    name: str
    lines: BinaryIO
    searched: int = 0


class Watch:
    """Knows the secrets of a run, and looks for them in all that it is shown."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self.searched_bytes = 0
        self.seconds = 0.0
        self._logs: list[Log] = []
        self._found: list[str] = []

    def search(self, where: str, text: str | bytes) -> None:
        """Look for secrets in what a program wrote."""
        began = time.thread_time()
        for found in self.secrets.found_in(text)[:MAX_TOLD]:
            self._found.append(f"{where} shows {found}")
        self.searched_bytes += len(text)
        self.seconds += time.thread_time() - began

    def search_head(self, head: bytes) -> None:
        """Look for secrets in the head of an answer, but for the cookies that it gives."""
        self.search("the head of an answer", self.secrets.without_cookies(head))

    def search_body(self, body: bytes) -> None:
        """Look for secrets in the body of an answer, but for the tokens of its forms."""
        self.search("the body of an answer", self.secrets.without_fields(body))

    def follow(self, process: Ending, path: Path, environment: Mapping[str, str]) -> None:
        """Search the log of a process whenever a test ends, for as long as it runs."""
        self.secrets.add_environment(environment)
        # What is read of a pipe is gone for whoever it is for, and to open one waits for its other side.
        if not path.is_fifo():
            self._logs.append(Log(process, path.name, path.open("rb")))

    def search_logs(self) -> None:
        """Search what was written since the last time, in whole lines."""
        self._logs = [read for log in self._logs if (read := self._read(log))]

    def take(self) -> list[str]:
        """Return what was found, and forget it."""
        found, self._found = self._found, []
        return found

    def _read(self, log: Log) -> Log | None:
        """Search a log; return what is to be searched of it from now on, if anything is."""
        ended = log.process.poll() is not None
        log.lines.seek(log.searched)
        data = log.lines.read()
        whole = data if ended else data[: data.rfind(b"\n") + 1]
        if whole:
            self.search(f"the log {log.name}", whole)
        if ended:
            log.lines.close()
            return None
        return log._replace(searched=log.searched + len(whole))


watch = Watch()
