"""How far each pod has heard each ingress, as the pods state it: what a client surely got elsewhere.

Statements come on the channel itself, among its events, so that their place there is the same for
every pod. No clock is compared with another's: a moment here is one of this process, at or before
the true one.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from streams.history.coverage import Ingress

# No pod writes an event of one ingress while the other had no proof for longer than this,
# unless it has told its clients so.
MAX_LAG_SECONDS = 10.0
# Lives that have not been heard for so long hold no client any more, or have told them so.
SILENT_SECONDS = MAX_LAG_SECONDS + 1.0
KEPT_SECONDS = 60.0
PROOFS_KEPT_SECONDS = 600.0
# Pods state every second.
LATELY_SECONDS = 2.5
STATED_SECONDS = 2.0
# By so much the moment of a journal's entry may come out later than it was.
CLOCK_DOUBT_SECONDS = 0.1
MAX_DISTRUSTED = 16
# More pods than have ever been seen in one cluster.
MAX_LIVES = 4096


class Statement(NamedTuple):
    """What a life stated, where in this pod's history it was heard, and up to when it had heard each ingress."""

    place: int
    moment: float
    heard: tuple[float, float]


class Progress:
    """The statements of the last minute, this pod's own among them."""

    def __init__(self) -> None:
        # Where this pod's own canaries came back, and when they were published.
        self._proofs: deque[tuple[int, float]] = deque()
        self._lives: dict[str, deque[Statement]] = {}
        self._listening_since = inf
        self._pods = 0
        # When pods may have been with a Redis that was no primary any more: (since, until).
        self._distrusted: deque[tuple[float, float]] = deque(maxlen=MAX_DISTRUSTED)

    def note_proof(self, place: int, published: float) -> None:
        """Note that all that comes behind `place` on the channel was published after a moment."""
        while self._proofs and self._proofs[0][1] < published - PROOFS_KEPT_SECONDS:
            self._proofs.popleft()
        self._proofs.append((place, published))

    def distrust(self, since: float, now: float) -> None:
        """Note that what pods received from a moment on came from a Redis that may not have been the primary."""
        # Each pod finds it out by itself.
        self._distrusted.append((since, now + SILENT_SECONDS))
        for statements in self._lives.values():
            for number, statement in enumerate(statements):
                channel, journal = statement.heard
                statements[number] = statement._replace(heard=(min(channel, since), min(journal, since)))

    def trusted_until(self, moment: float) -> float:
        """Return up to when whoever has an event of a moment surely has what came before it on the same ingress."""
        return min([moment, *(since for since, until in self._distrusted if since < moment <= until)])

    def listen(self, now: float) -> None:
        """Note that statements are heard from now on; some may have been missed before."""
        self._listening_since, self._pods = now, 0

    def count(self, pods: int, now: float) -> None:
        """Note how many pods were subscribed when one of this pod's canaries was published.

        Where as many lives were heard lately, none was missed.
        """
        self._pods = pods
        self._look_whether_all(now)

    def _look_whether_all(self, now: float) -> None:
        if self._pods and self._listening_since != -inf:
            heard = sum(statements[-1].moment > now - LATELY_SECONDS for statements in self._lives.values())
            if heard >= self._pods:
                self._listening_since = -inf

    def reaches(self, moment: float) -> bool:
        """Say whether every pod is known to have heard the channel up to a moment."""
        latest = [statements[-1] for statements in self._lives.values()]
        newest = max((each.moment for each in latest), default=-inf)
        alive = [each for each in latest if each.moment > newest - STATED_SECONDS]
        return self._listening_since == -inf and all(each.heard[Ingress.CHANNEL] >= moment for each in alive)

    def knows(self, life: str) -> bool:
        return life in self._lives

    def note(self, life: str, place: int, now: float, ages: tuple[float, float]) -> None:
        """Note how long ago, in seconds, a life had heard all of each ingress when it said so."""
        # It was published after this pod's own canary that came before it.
        published = self._proofs[-1][1] if self._proofs else -inf
        self.note_own(life, place, now, (published - ages[0], published - ages[1]))

    def note_own(self, life: str, place: int, now: float, heard: tuple[float, float]) -> None:
        """Note the same of this pod, whose moments are known."""
        statements = self._lives.pop(life, None) or deque()
        statements.append(Statement(place, now, heard))
        while statements[0].moment < now - KEPT_SECONDS:
            statements.popleft()
        self._lives[life] = statements
        self._look_whether_all(now)
        if len(self._lives) > MAX_LIVES or self._oldest() < now - KEPT_SECONDS:
            del self._lives[next(iter(self._lives))]

    def heard_elsewhere(self, ingress: Ingress, place: int, moment: float) -> float:
        """Return up to when every pod had heard an ingress that wrote an event of the other one.

        `place` and `moment` are those of that event in this pod's history.
        """
        stated, trusted = self._stated_elsewhere(ingress, place, moment), self.trusted_until(moment)
        return min(stated, trusted) if trusted < moment else stated

    def _stated_elsewhere(self, ingress: Ingress, place: int, moment: float) -> float:
        if ingress is Ingress.JOURNAL:
            floor = self.published_after(place, moment) - MAX_LAG_SECONDS
            before = [self._last(statements, place, inf) for statements in self._lives.values()]
        else:
            moment -= CLOCK_DOUBT_SECONDS
            floor = moment - MAX_LAG_SECONDS
            before = [self._last(statements, None, moment) for statements in self._lives.values()]
        if floor < self._listening_since:
            # A pod that was not heard since may be as far behind as one ever is.
            return floor
        heard = [each.heard[ingress] for each in before if each and each.moment > moment - SILENT_SECONDS]
        return max(floor, min(heard, default=-inf))

    def published_after(self, place: int, moment: float) -> float:
        """Return a moment before which the event at a place of the channel was not published."""
        for proved, published in reversed(self._proofs):
            if proved <= place:
                return min(published, moment)
        return -inf

    def _last(self, statements: deque[Statement], place: int | None, moment: float) -> Statement | None:
        for statement in reversed(statements):
            if (place is None or statement.place <= place) and statement.moment <= moment:
                return statement
        return None

    def _oldest(self) -> float:
        return next(iter(self._lives.values()))[-1].moment
