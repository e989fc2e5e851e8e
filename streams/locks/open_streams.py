"""What becomes of streams while they are open: their tokens end, are renewed, or are revoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from math import inf

from streams.auth.results import Result
from streams.auth.revocations import Revocations
from streams.auth.rights import Holder
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.errors import CloseReason

# The streams of a fleet whose tokens were made in one second end over some.
MAX_AT_ONCE = 500


class OpenStreams:
    """The open streams of one pod that have a token, each with the moment at which something is due for it.

    Moments are Unix time, as those in tokens. A stream is told `warn_seconds` before its token ends (0 is
    not at all), and ends `leeway_seconds` after it, or where it is revoked. `ends` says whether that is so: else
    the stream goes on, and `on_lost` is called with the result that its token would have from then on, and
    `on_renewed` for each that has another.
    """

    def __init__(
        self,
        registry: Registry,
        revocations: Revocations,
        *,
        warn_seconds: float,
        leeway_seconds: float,
        ends: bool = True,
        on_lost: Callable[[Connection, Result], None] = lambda _connection, _result: None,
        on_renewed: Callable[[Connection], None] = lambda _connection: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ends, self._on_lost, self._on_renewed = ends, on_lost, on_renewed
        self._registry, self._revocations, self._wall = registry, revocations, wall
        self._warn_seconds, self._leeway_seconds = warn_seconds, leeway_seconds
        self._due: dict[Connection, float] = {}
        # Before it nothing is due.
        self._first_due = inf

    def __len__(self) -> int:
        return len(self._due)

    def opened(self, connection: Connection) -> None:
        """Watch over a stream that has just opened, if it has a token."""
        if (holder := connection.holder) is None:
            return
        if self._revocations.revoked(holder, self._wall()):
            # While it waited for its place, or on the way from another pod.
            self._wait(connection, -inf)
        else:
            self._wait(connection, holder.expires_at - self._warn_seconds if self._warn_seconds else self._end(holder))

    def closed(self, connection: Connection) -> None:
        """Forget a stream that has ended."""
        self._due.pop(connection, None)

    def renew(self, connection: Connection, holder: Holder) -> bool:
        """Give an open stream a new token, unless it is for another holder; one without a token needs none."""
        if connection.holder is None:
            return True
        if connection.holder.sub != holder.sub:
            return False
        connection.holder = holder
        self.opened(connection)
        self._on_renewed(connection)
        return True

    def look(self) -> None:
        """Warn and end the streams that are due; call it every second."""
        now = self._wall()
        if now < self._first_due:
            return
        due = islice((connection for connection, moment in self._due.items() if moment <= now), MAX_AT_ONCE)
        for connection, holder in [(each, each.holder) for each in due if each.holder is not None]:
            self._serve(connection, holder, now)
        self._first_due = min(self._due.values(), default=inf)

    def end_revoked(self) -> None:
        """End the streams whose tokens were revoked."""
        now = self._wall()
        revoked = [
            connection
            for connection in self._due
            if connection.holder is not None and self._revocations.revoked(connection.holder, now)
        ]
        for connection in revoked:
            self._lose(connection, CloseReason.TOKEN_REVOKED, Result.REVOKED)

    def _lose(self, connection: Connection, reason: CloseReason, result: Result) -> None:
        if self._ends:
            self._registry.close(connection, reason)
        else:
            # Told once; a new token makes it due again.
            self.closed(connection)
            self._on_lost(connection, result)

    def _serve(self, connection: Connection, holder: Holder, now: float) -> None:
        if self._revocations.revoked(holder, now):
            self._lose(connection, CloseReason.TOKEN_REVOKED, Result.REVOKED)
        elif now >= (end := self._end(holder)):
            self._lose(connection, CloseReason.TOKEN_EXPIRED, Result.EXPIRED)
        # Whatever a client is told, it is told behind `connected`.
        elif connection.greeted:
            self._wait(connection, end)
            try:
                self._registry.write(connection, self._registry.notices.expiring(holder.expires_at))
            except Exception:
                self._registry.fail(connection)

    def _end(self, holder: Holder) -> float:
        return holder.expires_at + self._leeway_seconds

    def _wait(self, connection: Connection, moment: float) -> None:
        self._due[connection] = moment
        self._first_due = min(self._first_due, moment)
