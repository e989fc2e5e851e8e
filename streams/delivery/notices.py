"""What the service itself has to say on a stream: the greeting, the farewell, a gap."""

from __future__ import annotations

import random

from streams.errors import CloseReason
from streams.history.coverage import Gap
from streams.wire.clock import Clock
from streams.wire.frames import data_frame, named_frame
from streams.wire.timestamps import iso

# Drawn anew for each connection, so that the clients of a pod do not come back in step.
RETRY_MS = (1_000, 5_000)
# A client that was evicted is replaced already; coming back soon would only evict its successor.
EVICTED_RETRY_MS = (30_000, 60_000)
# A page needs a new token before it comes back: from a person, or from its own server.
UNAUTHORIZED_RETRY_MS = (30_000, 60_000)
# The event that tells a client why its stream ends: the few names that clients know.
FAREWELLS = {
    CloseReason.EVICTED: "evicted",
    CloseReason.DUEL: "evicted",
    CloseReason.OPERATOR: "evicted",
    CloseReason.OVERLOADED: "overloaded",
    CloseReason.DRAINING: "draining",
    CloseReason.MAX_LIFE: "draining",
    CloseReason.REBALANCED: "draining",
    CloseReason.SERVER_STOPPED: "draining",
    CloseReason.TOKEN_EXPIRED: "unauthorized",
    CloseReason.TOKEN_REVOKED: "unauthorized",
}
# The ends of clients whose name is served on another connection.
REPLACED = (CloseReason.EVICTED, CloseReason.DUEL)


class Notices:
    """Frames of one pod's own, by the names that clients know."""

    def __init__(self, pod_name: str, clock: Clock) -> None:
        self._pod_name = pod_name
        self._clock = clock

    def greeting(self, client_name: str, connected_at: float) -> bytes:
        """Return the first frame of a stream; `connected_at` is Unix time."""
        data = {
            "type": "connected",
            "clientName": client_name,
            "podName": self._pod_name,
            "timestamp": iso(connected_at),
        }
        return data_frame(data, retry_ms=draw(RETRY_MS))

    def farewell(self, reason: CloseReason, retry_ms: int | None = None) -> bytes:
        """Return the frame that tells a client why its stream ends; KeyError for an end without a word.

        `retry_ms` is how long it is to stay away, drawn where it is not given.
        """
        name = FAREWELLS[reason]
        if retry_ms is None:
            retry_ms = draw(EVICTED_RETRY_MS if reason in REPLACED else RETRY_MS)
        data = {"type": name, "reason": reason.value, "podName": self._pod_name, "timestamp": iso(self._clock.wall())}
        return named_frame(name, data, retry_ms=retry_ms)

    def refusal(self, reason: CloseReason) -> bytes:
        """Return the only frame of a client that is not taken in."""
        return self.farewell(reason, draw(UNAUTHORIZED_RETRY_MS) if reason is CloseReason.TOKEN_EXPIRED else None)

    def expiring(self, expires_at: float) -> bytes:
        """Return the frame that tells a client when its token ends, in Unix time: a new one is to come before."""
        data = {
            "type": "token-expiring",
            "expiresAt": iso(expires_at),
            "podName": self._pod_name,
            "timestamp": iso(self._clock.wall()),
        }
        return named_frame("token-expiring", data)

    def gap(self, gap: Gap, last_event_id: str | None) -> bytes:
        """Return the frame that tells a client what may be missing; the gap is in monotonic seconds."""
        now = self._clock.wall()
        offset = now - self._clock.monotonic()
        data = {
            "type": "stream-gap",
            "reason": gap.reason.value,
            "lastEventId": last_event_id,
            "from": None if gap.began is None else iso(gap.began + offset),
            "to": iso(gap.ended + offset),
            "podName": self._pod_name,
            "timestamp": iso(now),
        }
        return named_frame("stream-gap", data)


def draw(bounds: tuple[int, int]) -> int:
    """Draw a whole number between two bounds; random.randint() takes four times as long."""
    low, high = bounds
    return low + int(random.random() * (high - low + 1))
