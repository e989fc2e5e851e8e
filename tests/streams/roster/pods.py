"""Pods without I/O that claim their clients in one roster, and tell each other what it answered."""

from __future__ import annotations

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.roster.claims import Claims
from streams.roster.messages import Told
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder, connect
from tests.streams.clocks import WALL_AHEAD, HandClock
from tests.support.roster_model import RosterModel

NAME = "STORE001-LANE01"
HISTORY = "h1"


class Pod:
    """A registry and its claims."""

    def __init__(self, number: int, roster: Roster, duel_limit: int) -> None:
        self.roster = roster
        self.name, self.life = f"pod-{number}", f"life-{number}"
        self.registry = Registry(
            self.name,
            max_backlog_bytes=MAX_BACKLOG_BYTES,
            stall_seconds=STALL_SECONDS,
            duel_limit=duel_limit,
            clock=roster.hands.clock,
        )
        self.registry.subscribed = True
        self.claims = Claims(self.registry, self.life, roster.hands.clock)
        self.registry.on_open, self.registry.on_close = self.claims.opened, self.claims.closed
        self.inbox: list[Told] = []

    def connect(self, name: str = NAME, address: str = "", **facts: str) -> tuple[Connection, Recorder]:
        return connect(self.registry, name, address, clock=self.roster.hands.clock, **facts)

    def say(self, *, waits: float = 0.0) -> None:
        """Say all that is due; each batch waits for so many seconds in a Redis that stands still."""
        while batch := self.claims.take():
            asked = self.roster.hands.now
            lines, sent_ms = self.claims.lines(batch, asked), self.claims.sent_ms(asked)
            now = self.roster.hands.turn(waits)
            now_ms = round(1000 * (now + self.roster.ahead))
            outcomes = self.roster.model.say(HISTORY, self.life, lines, now_ms, sent_ms)
            self.claims.answered(batch, outcomes, now_ms / 1000, asked, now)

    def look(self, seconds: int) -> None:
        """Let seconds pass, in each of which it claims some of its connections again."""
        for _ in range(seconds):
            self.roster.hands.turn(1)
            self.claims.look(self.roster.hands.now)


class Roster:
    """The roster, and all pods."""

    def __init__(self, pods: int = 2, duel_limit: int = 1000) -> None:
        self.hands = HandClock()
        self.ahead = WALL_AHEAD
        self.model = RosterModel()
        self.pods = [Pod(number, self, duel_limit) for number in range(pods)]

    def tell(self) -> list[Told]:
        """Pass on what pods tell each other; return that."""
        said = [(life, told) for pod in self.pods for life, told in pod.claims.messages(pod.name)]
        for life, told in said:
            for pod in self.pods:
                if life in ("", pod.life):
                    pod.claims.told(told)
        return [told for _life, told in said]

    def settle(self) -> None:
        """Let the pods talk until there is nothing to say."""
        while True:
            for pod in self.pods:
                pod.say()
            if not self.tell():
                return

    def holder(self, name: str = NAME) -> tuple[str, int] | None:
        """Return who has a name by the roster: a life, and the number of the connection."""
        held = self.model.here.get(HISTORY, {}).get(name)
        return None if held is None else (held.life, held.number)

    def streams(self, name: str = NAME) -> list[Connection]:
        """Return the connections of a name that are open."""
        found = [pod.registry.get(name) for pod in self.pods]
        return [connection for connection in found if connection is not None]
