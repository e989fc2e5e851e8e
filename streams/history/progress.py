"""How far each pod has heard each ingress, as the pods state it: what a client surely got elsewhere.

Statements come on the channel itself, among its events, so that their place there is the same for
every pod. No clock is compared with another's: a moment here is one of this process, at or before
the true one.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from math import inf
from typing import NamedTuple

from streams.history.coverage import Ingress

# No pod writes an event of one ingress while the other had no proof for longer than this,
# unless it has told its clients so.
MAX_LAG_SECONDS = 10.0
# How far back at most a client is told of a channel that its pod does not hear, when it is written to.
NAMED_SECONDS = 0.5
# Lives that have not been heard for so long hold no client any more, or have told them so.
SILENT_SECONDS = MAX_LAG_SECONDS + 1.0
KEPT_SECONDS = 60.0
PROOFS_KEPT_SECONDS = 600.0
# Of older ones some, for histories of up to a week.
EARLY_PROOF_SECONDS = 60.0
EARLY_PROOFS_KEPT = 7 * 1440
# What waited somewhere comes at once; what comes so much later was said after that.
FIRST_SECONDS = 0.5
# By so much the moment of a journal's entry may come out later than it was.
CLOCK_DOUBT_SECONDS = 0.1
OUTAGES_KEPT = 64
# One comes a second; pods state about as often.
COUNTS_KEPT = 8
MAX_DISTRUSTED = 16
# About ten seconds of them.
ANSWERS_KEPT = 10
# More pods than have ever been seen in one cluster.
MAX_LIVES = 4096


class Statement(NamedTuple):
    """What a life stated, where in this pod's history it was heard, and up to when it had heard each ingress."""

    place: int
    moment: float
    heard: tuple[float, float]
    # This pod's clock when it was heard, less the other's when it was made; none of its own.
    apart: float | None
    # From when until when it was surely subscribed to the channel.
    subscribed: tuple[float, float] = (inf, -inf)


class Count(NamedTuple):
    """How many pods were subscribed to the channel at some moment from `asked` to `answered`, as Redis says."""

    asked: float
    answered: float
    pods: int

    def has(self, statements: deque[Statement]) -> bool:
        """Say whether a life was surely one of them."""
        subscribed = (began <= self.asked and self.answered <= until for *_, (began, until) in statements)
        return _is_sure(statements) and any(subscribed)


def _earlier(statement: Statement, seconds: float) -> Statement:
    (channel, journal), (began, until) = statement.heard, statement.subscribed
    return statement._replace(heard=(channel - seconds, journal - seconds), subscribed=(began, until - seconds))


def _is_sure(statements: deque[Statement]) -> bool:
    """Say whether one of a life's statements surely came without waiting: only then are their moments known."""
    first, last = statements[0], statements[-1]
    return last.moment - first.moment >= FIRST_SECONDS or last.apart is None


class Listening(NamedTuple):
    """A time in which the channel was heard, and since when in it every life that serves clients is known."""

    since: float
    complete_since: float
    until: float

    def knows_all(self, moment: float) -> bool:
        return self.lasted(moment) or self.complete_since <= moment

    def lasted(self, moment: float) -> bool:
        # After the longest lag whoever was there before has spoken, or has told its clients.
        return self.since + MAX_LAG_SECONDS <= moment


class Progress:
    """The statements of the last minute, this pod's own among them."""

    def __init__(self) -> None:
        # The first entry of the journal that this pod read, and that any other did.
        self.journal_oldest: tuple[int, int] | None = None
        self._oldest_elsewhere: tuple[int, int] | None = None
        # Where this pod's own canaries came back, and when they were published.
        self._proofs: deque[tuple[int, float]] = deque()
        self._early_proofs: deque[tuple[int, float]] = deque(maxlen=EARLY_PROOFS_KEPT)
        self._lives: dict[str, deque[Statement]] = {}
        # Since when no life is forgotten, nor what it stated.
        self._known_since = -inf
        self._listening = Listening(inf, inf, inf)
        # Before the channel was lost.
        self._listened: deque[Listening] = deque(maxlen=OUTAGES_KEPT)
        # Since the channel is heard.
        self._counts: deque[Count] = deque(maxlen=COUNTS_KEPT)
        # How long Redis took to answer what this pod said last.
        self._answer_seconds: deque[float] = deque([0.0], maxlen=ANSWERS_KEPT)
        # When pods may have been with a Redis that was no primary any more: (since, until).
        self._distrusted: deque[tuple[float, float]] = deque(maxlen=MAX_DISTRUSTED)

    def note_proof(self, place: int, published: float) -> None:
        """Note that all that comes behind `place` on the channel was published after a moment."""
        while self._proofs and self._proofs[0][1] < published - PROOFS_KEPT_SECONDS:
            self._keep_early(self._proofs.popleft())
        self._proofs.append((place, published))

    def _keep_early(self, proof: tuple[int, float]) -> None:
        if not self._early_proofs or self._early_proofs[-1][1] <= proof[1] - EARLY_PROOF_SECONDS:
            self._early_proofs.append(proof)

    def distrust(self, since: float, until: float) -> None:
        """Note that what pods received in a time came from a Redis that may not have been the primary.

        `until` is when one of them had found that out.
        """
        # Each pod finds it out by itself.
        self._distrusted.append((since, until + SILENT_SECONDS))
        if self._listening.complete_since > since:
            # Redis did not count those that were with the other one.
            self._listening = self._listening._replace(complete_since=inf)
            self._counts.clear()
        for statements in self._lives.values():
            for number, statement in enumerate(statements):
                channel, journal = statement.heard
                statements[number] = statement._replace(heard=(min(channel, since), min(journal, since)))

    def trusted_until(self, moment: float) -> float:
        """Return up to when whoever has an event of a moment surely has what came before it on the same ingress."""
        return min([moment, *(since for since, until in self._distrusted if since < moment <= until)])

    def listen(self, now: float) -> None:
        """Note that statements are heard from now on; some may have been missed before."""
        if self._proofs:
            # What came later may have been missed.
            self._listened.append(self._listening._replace(until=self._proofs[-1][1]))
        self._listening = Listening(now, inf, inf)
        self._counts.clear()

    @property
    def slow_seconds(self) -> float:
        """Return for how long what this pod says may be under way: who knows no quicker way takes it for younger."""
        return max(self._answer_seconds)

    def count(self, pods: int, now: float, answer_seconds: float = 0.0) -> None:
        """Note how many pods were subscribed when one of this pod's canaries was published, and how long that took.

        Where as many lives surely were, all are known; and none serves a client before it has spoken.
        """
        self._counts.append(Count(now - answer_seconds, now, pods))
        self._answer_seconds.append(answer_seconds)
        self._look_whether_all(now)

    def _look_whether_all(self, now: float) -> None:
        if self._listening.complete_since < inf or self.trusted_until(now) < now:
            return
        for count in self._counts:
            if 0 < count.pods <= sum(map(count.has, self._lives.values())):
                self._listening = self._listening._replace(complete_since=now)
                self._counts.clear()
                return

    def note_oldest(self, entry: tuple[int, int] | None) -> None:
        """Note the id of the first entry of the journal that another pod read, if it read any."""
        if entry is not None:
            self._oldest_elsewhere = min(entry, self._oldest_elsewhere or entry)

    @property
    def earlier_read(self) -> bool:
        """Say whether another pod read an earlier entry than this one: such a journal was begun anew."""
        elsewhere = self._oldest_elsewhere
        return elsewhere is not None and (self.journal_oldest is None or elsewhere < self.journal_oldest)

    def made(self, life: str, now: float, apart: float) -> float:
        """Return a moment at or before that of a statement that was just heard.

        `apart` is `now` less the moment of its own clock at which that life said so.
        """
        # It was published after this pod's own canary that came before it.
        published = self._proofs[-1][1] if self._proofs else -inf
        # And was made before, by as much as this one was slower than the quickest of those before it.
        return min(published, now - max(0.0, apart - self._least_apart(life, apart)))

    def _least_apart(self, life: str, default: float) -> float:
        return min((each.apart for each in self._lives.get(life, ()) if each.apart is not None), default=default)

    def note(
        self,
        life: str,
        place: int,
        now: float,
        ages: tuple[float, float],
        apart: float = 0.0,
        subscribed: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Note how long ago, in seconds, a life had heard all of each ingress when it said so.

        `subscribed` is how long ago its subscription began, and when it was last proved.
        """
        made, slower = self.made(life, now, apart), self._least_apart(life, apart) - apart
        if slower > 0:
            # Those before it were under way for longer than was known.
            self._lives[life] = deque(_earlier(each, slower) for each in self._lives[life])
        # It said so before now.
        times = now - subscribed[0], made - subscribed[1]
        self._note(life, Statement(place, now, (made - ages[0], made - ages[1]), apart, times))

    def note_own(
        self,
        life: str,
        place: int,
        now: float,
        heard: tuple[float, float],
        subscribed: tuple[float, float] = (inf, -inf),
    ) -> None:
        """Note the same of this pod, whose moments are known."""
        self._note(life, Statement(place, now, heard, None, subscribed))

    def _note(self, life: str, statement: Statement) -> None:
        now = statement.moment
        statements = self._lives.pop(life, None) or deque()
        statements.append(statement)
        self._known_since = now - KEPT_SECONDS
        # The last one before is what holds then.
        while len(statements) > 1 and statements[1].moment < self._known_since:
            statements.popleft()
        self._lives[life] = statements
        self._look_whether_all(now)
        if len(self._lives) > MAX_LIVES or self._oldest() < self._known_since - SILENT_SECONDS:
            del self._lives[next(iter(self._lives))]

    def heard_elsewhere(self, ingress: Ingress, place: int | None, moment: float) -> float:
        """Return up to when every pod had heard an ingress that wrote an event of the other one.

        `place` and `moment` are those of that event in this pod's history; without a place it is any that was
        written after the moment.
        """
        stated, trusted = self._stated_elsewhere(ingress, place, moment), self.trusted_until(moment)
        return min(stated, trusted) if trusted < moment else stated

    def _stated_elsewhere(self, ingress: Ingress, place: int | None, moment: float) -> float:
        heard_at = moment
        if ingress is Ingress.JOURNAL and place is not None:
            floor = self.published_after(place, moment) - MAX_LAG_SECONDS
            before = [self._last(statements, place, inf) for statements in self._lives.values()]
        else:
            moment -= CLOCK_DOUBT_SECONDS
            floor = moment - MAX_LAG_SECONDS
            before = [self._last(statements, None, moment) for statements in self._lives.values()]
        listening = next((each for each in self._listened if heard_at <= each.until), self._listening)
        if moment < self._known_since or not listening.knows_all(floor + MAX_LAG_SECONDS):
            # A pod that is forgotten, or was not heard since, may be as far behind as one ever is.
            return floor
        if ingress is Ingress.CHANNEL and not listening.lasted(moment):
            # Who does not hear the channel is not counted; its clients were told so.
            before.append(Statement(0, moment, (moment - NAMED_SECONDS, inf), None))
        silent = moment - SILENT_SECONDS
        if silent < listening.since:
            # Who said nothing before may have been unheard, and further behind than it said last.
            return max(floor, min((each.heard[ingress] if each else floor for each in before), default=-inf))
        heard = [each.heard[ingress] for each in before if each and each.moment > silent]
        return max(floor, min(heard, default=-inf))

    def published_after(self, place: int, moment: float) -> float:
        """Return a moment before which the event at a place of the channel was not published."""
        for proved, published in chain(reversed(self._proofs), reversed(self._early_proofs)):
            if proved <= place:
                return min(published, moment)
        return -inf

    def _last(self, statements: deque[Statement], place: int | None, moment: float) -> Statement | None:
        for statement in reversed(statements):
            if (place is None or statement.place <= place) and statement.moment <= moment:
                return statement if _is_sure(statements) else _earlier(statement, inf)
        return None

    def _oldest(self) -> float:
        return next(iter(self._lives.values()))[-1].moment
