"""How many of its connections a pod sends away because it has far more than the others; pure."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from streams.roster.lives import STALE_SECONDS, Heard

logger = logging.getLogger("sse.registry")

# Of the mean of all pods that take clients. Far apart: counts are some seconds old, and who was sent away is
# in none of them until it is back.
BEGIN_SHARE = 1.25
END_SHARE = 1.1
# Of its connections, each second.
SENT_SHARE = 0.005
# Fewer cost a pod nothing, and differ by chance.
LEAST_CONNECTIONS = 100
# Clients are still on their way to a pod that has just come.
YOUNG_SECONDS = 30.0


class Rebalance:
    """What one pod does about its share of the clients; call due() once a second. Moments are monotonic seconds."""

    def __init__(self, life: str) -> None:
        self.active = False
        self._life = life
        # By life: a pod's own clock may be off, so its age is for how long it is known here.
        self._first_at: dict[str, float] = {}
        # What is left of a connection: half a percent of a few is less than one.
        self._owed = 0.0

    def due(self, connections: int, lives: Iterable[Heard], *, lives_at: float, ready: bool, now: float) -> int:
        """Return how many connections to send away now.

        `lives` are all pods as of the moment `lives_at`; of this one `connections` says how many it has now, and
        `ready` whether it could take clients.
        """
        alive = [heard for heard in lives if heard.alive]
        self._first_at = {heard.life: self._first_at.get(heard.life, now) for heard in alive}
        settled = all(now - first_at >= YOUNG_SECONDS for first_at in self._first_at.values())
        counts = [heard.says.connections for heard in alive if heard.life != self._life and heard.says.state == "ready"]
        if not ready or not settled or not counts or now - lives_at > STALE_SECONDS:
            return self._pause()
        mean = (connections + sum(counts)) / (1 + len(counts))
        if connections < LEAST_CONNECTIONS or connections <= mean * (END_SHARE if self.active else BEGIN_SHARE):
            return self._pause()
        return self._send_away(connections, mean)

    def _send_away(self, connections: int, mean: float) -> int:
        if not self.active:
            self.active = True
            logger.info("This pod has %d clients, and a pod %.0f on average: it sends some away", connections, mean)
        self._owed += SENT_SHARE * connections
        due = int(self._owed)
        self._owed -= due
        return due

    def _pause(self) -> int:
        if self.active:
            logger.info("This pod sends no more clients to the others")
        self.active, self._owed = False, 0.0
        return 0
