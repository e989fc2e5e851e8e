"""The HTTP API as a command asks it: one connection, and another attempt where that is safe."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult

import msgspec
from django.core.management.base import CommandError

from streams.api.router import API

S = TypeVar("S", bound=msgspec.Struct)

REPLY_SECONDS = 10.0
ATTEMPTS = 5
WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 10.0
# Front doors close a connection that is idle for longer.
IDLE_SECONDS = 30.0
AGAIN = (429, 503)


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    retry_after: str
    location: str

    def read(self, form: type[S]) -> S | None:
        """Return what is said, or None where it is nothing of this form."""
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def detail(self) -> str:
        """Return the sentence of a refusal."""
        if said := self.read(Error):
            return said.error
        if self.location and 300 <= self.status < 400:
            return f"It leads to {self.location}: name that address."
        return "It says no more, so it may be no pod of this service."


class Error(msgspec.Struct):
    """What all refusals of the service have."""

    error: str


class Unanswered(CommandError):
    """Nobody took a request, or it is not known; `doubtful` where it may have been taken."""

    def __init__(self, sentence: str, *, doubtful: bool) -> None:
        super().__init__(sentence, returncode=1)
        self.doubtful = doubtful


class Api:
    """The API below an address; `say` is told of each attempt that failed."""

    def __init__(self, address: SplitResult, token: str, say: Callable[[str], None]) -> None:
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self.place = address.geturl()
        self._connection = kind(address.hostname or "", address.port, timeout=REPLY_SECONDS)
        self._path = address.path + API
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._say = say
        # Whether there was an answer ever, and whether there was a connection for the last request.
        self._answered = self._asked = False
        self._used_at = time.monotonic()

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Make a request, again where it may have got lost or a pod was busy; raises Unanswered.

        So it must be one that does the same when it comes twice.
        """
        doubtful = False
        for left in reversed(range(ATTEMPTS)):
            try:
                answer = self._ask(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                reason, wait = f"{self.place} gives no answer ({_reason(error)})", WAIT_SECONDS
                self._connection.close()
                doubtful |= self._asked
                if not self._asked and not self._answered:
                    # There is nothing at this address, or nothing yet.
                    raise Unanswered(f"{reason}. Is it running there?", doubtful=False) from None
            else:
                self._answered = True
                if answer.status not in AGAIN:
                    return answer
                doubtful |= answer.status == 503
                reason, wait = f"{self.place} answered {answer.status}: {answer.detail}", _wait_of(answer)
            if left:
                self._say(f"{reason.rstrip('.')}. Trying again.")
                time.sleep(wait)
        raise Unanswered(f"{reason.rstrip('.')}, {ATTEMPTS} times.", doubtful=doubtful)

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        now = time.monotonic()
        if now - self._used_at > IDLE_SECONDS:
            self._connection.close()
        self._used_at = now
        self._asked = False
        if self._connection.sock is None:
            self._connection.connect()
        self._asked = True
        self._connection.request(method, self._path + path, body, self._headers)
        response = self._connection.getresponse()
        retry_after, location = (response.headers.get(name, "") for name in ("Retry-After", "Location"))
        return Answer(response.status, response.read(), retry_after, location)


def _wait_of(answer: Answer) -> float:
    seconds = int(answer.retry_after) if answer.retry_after.isdecimal() else WAIT_SECONDS
    return min(seconds, MAX_WAIT_SECONDS)


def _reason(error: Exception) -> str:
    return str(error).rpartition("] ")[2] or type(error).__name__
