"""The other pods that use the channel, as each states again and again that it is there."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from streams.wire.clock import SYSTEM_CLOCK, Clock
from streams.wire.pods import PodMessage, Statement

logger = logging.getLogger("sse.redis")

# Pods state it once a second.
PRESENT_SECONDS = 10.0
# So long two pods of one name have to be heard together: one may be taking the other's place.
CERTAIN_SECONDS = 3.0


@dataclass(slots=True)
class Peer:
    """One life of another pod; moments are monotonic seconds."""

    pod_name: str
    first_at: float
    last_at: float


class Peers:
    """Who else is there, and whether two pods share a name by mistake."""

    def __init__(self, life: str, pod_name: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._life = life
        self._pod_name = pod_name
        self._now = clock.monotonic
        self._peers: dict[str, Peer] = {}
        # Lives that the log has named already.
        self._named: set[str] = set()

    def note(self, messages: list[PodMessage]) -> None:
        """Take in what pods say, this one included."""
        now = self._now()
        for message in messages:
            if isinstance(message, Statement) and message.life != self._life:
                self._peers.setdefault(message.life, Peer(message.pod_name, now, now)).last_at = now
                self._look_for_namesake(message.life)

    @property
    def names(self) -> list[str]:
        """The names of the other pods that are there, each once."""
        return sorted({peer.pod_name for peer in self._present().values()})

    @property
    def count(self) -> int:
        """How many other pods are there, whatever their names."""
        return len(self._present())

    @property
    def namesakes(self) -> int:
        """How many other pods have this one's name."""
        return sum(self._is_namesake(peer) for peer in self._present().values())

    def _present(self) -> dict[str, Peer]:
        horizon = self._now() - PRESENT_SECONDS
        for life in [life for life, peer in self._peers.items() if peer.last_at < horizon]:
            del self._peers[life]
            self._named.discard(life)
        return self._peers

    def _is_namesake(self, peer: Peer) -> bool:
        return peer.pod_name == self._pod_name and peer.last_at - peer.first_at >= CERTAIN_SECONDS

    def _look_for_namesake(self, life: str) -> None:
        if life not in self._named and self._is_namesake(self._present()[life]):
            self._named.add(life)
            logger.warning(
                "Another pod calls itself %s too: their answers, streams and logs cannot be told apart. "
                "Give each pod a POD_NAME of its own.",
                self._pod_name,
            )
