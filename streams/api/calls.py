"""One request as an endpoint takes it, and what the endpoint answers."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from streams.auth.access import ANYBODY, Caller
from streams.delivery.connection import Headers
from streams.pod import Pod
from streams.wire.timestamps import iso, now_iso


class Call(NamedTuple):
    """A request that was checked: who makes it may, and what it says is what its endpoint declares."""

    pod: Pod
    # The client or store that the path names, or an empty string.
    name: str
    # The Struct of parameters.
    query: Any
    # The Struct of the body, or None.
    body: Any
    # Who asks; of what is public nobody asks it.
    caller: Caller = ANYBODY
    scope: dict[str, Any] = {}  # noqa: RUF012 - nobody adds to it

    @property
    def now(self) -> str:
        """Return the time by Redis' clock as near as this pod knows it, as ISO 8601."""
        ahead = self.pod.roster.tracer.clock.ahead
        return iso(time.monotonic() + ahead) if ahead else now_iso()


class Change(NamedTuple):
    """What was done, for the log: a sentence without its subject, and the client that it was done to.

    What programs do all day is `routine`, and written down only where a person did it.
    """

    sentence: str
    client_name: str = ""
    routine: bool = False


class Answer(NamedTuple):
    """What an endpoint answers; no content is an empty body, and Raw is JSON already."""

    content: msgspec.Struct | msgspec.Raw | None
    status: HTTPStatus = HTTPStatus.OK
    change: Change | None = None
    headers: Headers = []  # noqa: RUF012 - nobody adds to it
