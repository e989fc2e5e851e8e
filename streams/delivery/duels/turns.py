"""Names that two devices share: both reconnect by themselves, and would evict each other for ever."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from streams.wire.clock import SYSTEM_CLOCK, Clock

# Evictions of one name are counted over this time.
DUEL_SECONDS = 60.0
# Devices that wait as they are asked to come back for their names that slowly.
TURNS_SECONDS = 900.0
TURNS_KEPT = 8
MAX_NAMES = 50_000
# What other pods are told with one message.
MAX_NEWS = 500
# A device that comes back when it was asked to is the one that was asked.
EARLY_SECONDS = 0.25
LATE_SECONDS = 1.5


class Turn(NamedTuple):
    """A device that lost its name to another, or was turned away; moments are monotonic seconds.

    `origin` is the device's, `by` that of the one that has the name now; empty where not known.
    """

    at: float
    origin: str
    by: str
    # When the device was asked to come back.
    due: float
    # Whether the one that has the name now had lost it before.
    returned: bool


class News(NamedTuple):
    """A turn, as other pods are told of it; `due_seconds` are from now on."""

    client_name: str
    origin: str
    by: str
    due_seconds: float
    returned: bool


class Duels:
    """Remembers who lost which name to whom, and says when two devices fight over one.

    They do when a name is evicted more than `limit` times within a minute; and, however
    slowly, when one that lost a name has taken it back, and the other comes for it again.
    """

    def __init__(self, limit: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._limit = limit
        self._now = clock.monotonic
        self._evictions: dict[str, deque[float]] = {}
        # The name whose turn was last is at the end.
        self._turns: dict[str, deque[Turn]] = {}
        # The latest turns here, which other pods are to be told.
        self._news: deque[tuple[str, Turn]] = deque(maxlen=MAX_NEWS)

    def note_eviction(self, name: str, origin: str, by: str, retry_seconds: float) -> None:
        """Note that a device lost its name to another, and was asked to stay away for so long."""
        now, turns = self._now(), self._turns.get(name)
        self._evictions.setdefault(name, deque(maxlen=self._limit)).append(now)
        returned = self._came_back(name, by, origin)
        if origin == by and turns is not None:
            # The device that has the name came anew, which ends no fight.
            returned = returned or turns[-1].returned
        self._note(name, Turn(now, origin, by, now + retry_seconds, returned))

    def note_refusal(self, name: str, origin: str, by: str, retry_seconds: float) -> None:
        """Note that a device was turned away from a name that another keeps."""
        now = self._now()
        self._note(name, Turn(now, origin, by, now + retry_seconds, self._takes_turns(name, origin, by)))

    def take_news(self) -> list[News]:
        """Return what other pods are to be told, once."""
        now, news = self._now(), list(self._news)
        self._news.clear()
        return [News(name, turn.origin, turn.by, turn.due - now, turn.returned) for name, turn in news]

    def note_elsewhere(self, news: News) -> None:
        """Take in what happened on another pod."""
        now = self._now()
        self._remember(news.client_name, Turn(now, news.origin, news.by, now + news.due_seconds, news.returned))

    def dueling(self, name: str, origin: str, holder: str) -> bool:
        """Say whether a device that comes for a name fights over it with the one that holds it; both by origin."""
        return self._too_often(name) or self._takes_turns(name, origin, holder)

    def knows(self, name: str) -> bool:
        """Say whether anybody lost this name lately, before an origin is made out for the next question."""
        return name in self._turns

    def suspect(self, name: str, origin: str) -> bool:
        """Say whether a device that finds its name free here may fight over it with one on another pod."""
        turns = self._turns.get(name)
        return turns is not None and self._takes_turns(name, origin, turns[-1].by)

    def forget(self) -> None:
        """Drop what no longer counts; call it every few seconds."""
        now = self._now()
        for name, evictions in list(self._evictions.items()):
            if evictions[-1] < now - DUEL_SECONDS:
                del self._evictions[name]
        while self._turns:
            name, turns = next(iter(self._turns.items()))
            if turns[-1].at >= now - TURNS_SECONDS:
                break
            del self._turns[name]

    def _too_often(self, name: str) -> bool:
        evictions = self._evictions.get(name)
        if evictions is None or len(evictions) < self._limit:
            return False
        return self._now() - evictions[0] < DUEL_SECONDS

    def _takes_turns(self, name: str, origin: str, holder: str) -> bool:
        turns = self._turns.get(name)
        if turns is None or not turns[-1].returned or self._now() - turns[-1].at > TURNS_SECONDS:
            return False
        return self._came_back(name, origin, holder)

    def _came_back(self, name: str, origin: str, holder: str) -> bool:
        """Say whether a device is one that lost this name, or was turned away from it, lately.

        Two devices of one origin, such as behind one proxy, are told apart by when they come:
        the one that was sent away last was asked to at a moment of its own. One device whose
        line comes and goes would meet one of many such moments by chance.
        """
        turns, now = self._turns.get(name), self._now()
        if not origin or turns is None:
            return False
        last = turns[-1]
        if last.origin == origin and -EARLY_SECONDS <= now - last.due <= LATE_SECONDS:
            return True
        return origin != holder and any(
            turn.origin == origin and turn.by not in ("", origin) and now - turn.at <= TURNS_SECONDS for turn in turns
        )

    def _note(self, name: str, turn: Turn) -> None:
        self._remember(name, turn)
        self._news.append((name, turn))

    def _remember(self, name: str, turn: Turn) -> None:
        turns = self._turns.pop(name, None) or deque(maxlen=TURNS_KEPT)
        turns.append(turn)
        self._turns[name] = turns
        if len(self._turns) > MAX_NAMES:
            del self._turns[next(iter(self._turns))]
