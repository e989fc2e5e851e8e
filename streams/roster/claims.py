"""What one pod claims in the roster, and what it does about the answers; pure.

The roster in Redis decides who holds a client: of two connections the younger one, by Redis' own clock. A pod
claims each connection when it opens, releases it when it ends, and claims all of them again and again: what was
lost, whoever lost it, is found out so. https://redis.io/docs/latest/commands/eval/
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.delivery.connection import Connection
from streams.delivery.duels.report import log_duel_elsewhere
from streams.delivery.registry import Registry
from streams.errors import CloseReason
from streams.roster.messages import Taken, Told
from streams.roster.script import Item, Kind, Outcome, Verdict, line
from streams.wire.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger("sse.registry")

MAX_ITEMS = 500
# Of connections that ended while Redis was away.
MAX_RELEASES = 50_000
# All claims are made again within so long, or within so much less where Redis lost them.
AGAIN_SECONDS = 25.0
ANEW_SECONDS = 3.0
# Redis' clock was set where it is off by more; what it compared then is asked for once more.
STEP_SECONDS = 0.1
MAX_TRIES = 5
# What another pod is told it is told once more after so long: the first message may have been lost.
REPEAT_SECONDS = 3.0


class Said(NamedTuple):
    """One item that waits: of a connection that is open, or the release of one that was."""

    kind: Kind
    connection: Connection
    # How often the answer to it was not to be believed.
    tries: int = 0


class Claims:
    """The names of one pod's connections, on their way to the roster and back.

    Call opened() and closed(), take() and answered() in turn, and told() for what other pods say. Moments are
    monotonic seconds. A connection's `number` names it in this life of the pod.
    """

    def __init__(self, registry: Registry, life: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self.life = life
        # Called when there is something to say that nobody waits for.
        self.on_due: Callable[[], None] = _ignore
        # The name of the pod that a life is, or the life where that is not known yet.
        self.pod_of: Callable[[str], str] = str
        self.claimed = self.evicted_elsewhere = self.duels = 0
        self._registry = registry
        self._clock = clock
        # Between which values Redis' clock (Unix seconds) less this process's is, by an answer that came quickly: a
        # claim may wait for long until Redis looks at its own.
        self._ahead: tuple[float, float] | None = None
        self._numbers = itertools.count(1)
        # The last that is to be said of each name.
        self._due: dict[str, Said] = {}
        self._again: Iterator[str] = iter(())
        self._again_seconds = AGAIN_SECONDS
        self._again_until = 0.0
        self._left_again = 0
        # When it was first told, to which life, and what.
        self._repeats: deque[tuple[float, str, bool, Taken]] = deque(maxlen=MAX_RELEASES)
        # By the life of the pod that is to hear it.
        self._taken: defaultdict[str, list[Taken]] = defaultdict(list)
        self._kept: defaultdict[str, list[Taken]] = defaultdict(list)

    @property
    def waiting(self) -> int:
        """Of how many names something is to be said."""
        return len(self._due)

    def opened(self, connection: Connection) -> None:
        """Claim the name of a connection that has just opened."""
        connection.number = next(self._numbers)
        self._say(Said(Kind.CLAIM, connection))

    def closed(self, connection: Connection) -> None:
        """Release the name of a connection that has ended, unless it has another one here."""
        name = connection.client_name
        if self._registry.get(name) is None and (len(self._due) < MAX_RELEASES or name in self._due):
            self._say(Said(Kind.RELEASE, connection))

    def _say(self, said: Said) -> None:
        self._due[said.connection.client_name] = said
        self.on_due()

    def anew(self, now: float) -> None:
        """Claim everything again soon: Redis is another one or has forgotten it, or messages to this pod were lost."""
        self._begin_again(now, ANEW_SECONDS)

    def _begin_again(self, now: float, seconds: float) -> None:
        # Names alone: nobody is kept who has gone meanwhile.
        names = [connection.client_name for connection in self._registry]
        self._again, self._left_again = iter(names), len(names)
        self._again_until = now + seconds

    def look(self, now: float) -> None:
        """Claim some of the connections again, so that all have been after a while; call it again and again."""
        while self._repeats and self._repeats[0][0] <= now - REPEAT_SECONDS:
            _told_at, life, kept, taken = self._repeats.popleft()
            (self._kept if kept else self._taken)[life].append(taken)
        if not self._left_again:
            if now >= self._again_until:
                self._begin_again(now, AGAIN_SECONDS)
            return
        left_seconds = max(self._again_until - now, 0.0)
        # Those whose time has come by now, if they are spread evenly over what is left.
        wanted = self._left_again if left_seconds < 1 else -(-self._left_again // int(left_seconds + 1))
        for name in itertools.islice(self._again, wanted):
            self._left_again -= 1
            connection = self._registry.get(name)
            if connection is not None and connection.close_reason is None and name not in self._due:
                self._due[name] = Said(Kind.CLAIM, connection)

    def take(self) -> list[Said]:
        """Return what is to be said next; answered() or failed() takes it back."""
        names = list(itertools.islice(self._due, MAX_ITEMS))
        return [self._due.pop(name) for name in names]

    def sent_ms(self, now: float) -> int:
        """Return what Redis' clock says now, in milliseconds, or 0 where that is not known."""
        if self._ahead is None:
            return 0
        least, most = self._ahead
        # What surely waited is older by that much. Where little is known, the oldest that it may be: nobody who
        # is younger loses his name to it, and it is claimed once more.
        return round(1000 * (now + (most if self._is_exact else least)))

    @property
    def _is_exact(self) -> bool:
        return self._ahead is not None and self._ahead[1] - self._ahead[0] <= STEP_SECONDS

    def lines(self, batch: list[Said], now: float) -> str:
        """Return a batch as the script takes it, a line for each; ages are those of now."""
        return "".join(
            [
                line(Item(kind, each.client_name, each.number, now - each.opened_at, each.close_reason or ""))
                for kind, each, _tries in batch
            ]
        )

    def failed(self, batch: list[Said]) -> None:
        """Say a batch once more that Redis may not have taken, unless something newer is to be said of a name."""
        for said in batch:
            self._due.setdefault(said.connection.client_name, self._of_now(said))

    def _of_now(self, said: Said) -> Said:
        return said._replace(kind=Kind.RELEASE) if said.connection.close_reason is not None else said

    def clocked(self, redis_time: float, asked: float, answered: float) -> bool:
        """Take in what Redis' clock said between two moments; say whether this pod had known it exactly."""
        least, most = redis_time - answered, redis_time - asked
        before, exact = self._ahead, self._is_exact
        known = before is not None and before[0] <= most + STEP_SECONDS and least - STEP_SECONDS <= before[1]
        if before is None or not known or answered - asked < max(STEP_SECONDS, before[1] - before[0]):
            self._ahead = least, most
        return known and exact

    def answered(
        self, batch: list[Said], outcomes: list[Outcome], redis_time: float, asked: float, answered: float
    ) -> None:
        """Take in the roster's answer to a batch that was sent at `asked`; `redis_time` is Unix time in seconds."""
        late = not self.clocked(redis_time, asked, answered)
        self.claimed += len(batch)
        for place, verdict, life, number in outcomes:
            said = batch[place]
            if verdict is Verdict.REPLACED:
                self._tell(said, life, number)
            elif not (late and said.tries < MAX_TRIES):
                self._lose(said.connection, life)
        if late:
            # How old they are was not known when Redis compared them.
            for said in batch:
                if said.kind is not Kind.RELEASE and said.tries < MAX_TRIES:
                    again = self._of_now(said._replace(tries=said.tries + 1))
                    self._due.setdefault(said.connection.client_name, again)

    def _tell(self, said: Said, life: str, number: int) -> None:
        connection = said.connection
        kept, taken = said.kind is Kind.KEEP, Taken(connection.client_name, number, connection.origin)
        (self._kept if kept else self._taken)[life].append(taken)
        self._repeats.append((self._clock.monotonic(), life, kept, taken))
        self.on_due()

    def _lose(self, connection: Connection, life: str) -> None:
        # One whose machine is being looked for is kept or closed by what that finds.
        if connection.close_reason is None and not self._registry.probes.asks(connection):
            connection.evicted_by = self.pod_of(life)
            self.evicted_elsewhere += 1
            self._registry.send_away(connection, CloseReason.EVICTED, "")

    def messages(self, pod_name: str) -> list[tuple[str, Told]]:
        """Return what is to be told: to a life, or to all pods where that is an empty string."""
        lives = {**self._taken, **self._kept}
        told = [
            (life, Told(self.life, pod_name, taken=self._taken[life][:MAX_ITEMS], kept=self._kept[life][:MAX_ITEMS]))
            for life in lives
        ]
        for whom in (self._taken, self._kept):
            for life in lives:
                del whom[life][:MAX_ITEMS]
                if not whom[life]:
                    del whom[life]
        news = self._registry.duels.take_news()
        return [*told, ("", Told(self.life, pod_name, news=news))] if news else told

    def told(self, heard: Told) -> None:
        """Take in what another pod tells."""
        if heard.life == self.life:
            return
        for news in heard.news:
            self._registry.duels.note_elsewhere(news)
        for taken in heard.taken:
            if (ours := self._ours(taken)) is None:
                continue
            if self._registry.duels.dueling(taken.client_name, taken.origin, ours.origin):
                self._registry.probes.ask(ours, functools.partial(self._decide, ours, heard.pod_name))
                continue
            ours.evicted_by = heard.pod_name
            self.evicted_elsewhere += 1
            self._registry.send_away(ours, CloseReason.EVICTED, taken.origin)
        for kept in heard.kept:
            if (ours := self._ours(kept)) is not None:
                log_duel_elsewhere(ours, heard.pod_name, "is sent away")
                self.duels += 1
                self._registry.send_away(ours, CloseReason.DUEL, kept.origin)

    def _ours(self, taken: Taken) -> Connection | None:
        ours = self._registry.get(taken.client_name)
        return ours if ours is not None and ours.number == taken.number else None

    def _decide(self, ours: Connection, pod_name: str, answers: bool) -> None:
        """Keep a name that a device elsewhere fights for, or give it up; `answers` is whether ours does."""
        if ours.close_reason is not None:
            return
        if answers:
            log_duel_elsewhere(ours, pod_name, "is kept")
            self._say(Said(Kind.KEEP, ours))
        else:
            self._registry.close(ours, CloseReason.DEAD_PEER)


def _ignore() -> None:
    pass
