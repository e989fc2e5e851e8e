"""One simulated pod: the real rooms that decide, and a shell whose I/O is the simulation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streams.broker.journal.cursor import JournalCursor
from streams.broker.journal.entries import Taken
from streams.broker.journal.marks import mark
from streams.broker.side import Side, Standing
from streams.delivery.connection import Connection, Resume
from streams.delivery.recovery import Recovery
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.errors import CloseReason
from streams.history.coverage import Ingress
from streams.history.losses import Loss
from streams.history.messages import History
from streams.roster.messages import Told
from streams.wire.clock import Clock
from streams.wire.pods import PodMessage
from tests.simulation.links.channel import TOGETHER_SECONDS, ChannelLink
from tests.simulation.links.journal import JournalLink
from tests.simulation.links.roster import RosterLink
from tests.simulation.redis_model import RedisModel
from tests.simulation.world import Link, World

STATE_SECONDS = 1.0
TICK_SECONDS = 1e-9
SETTLE_SECONDS = 0.01
MARK_SECONDS = 0.005
MAX_EVENT_BYTES = 4096
# What comes in on one socket comes in order.
SOCKETS = {"_subscribed": "channel", "_data": "channel", "_connected": "journal", "_answered": "journal"}


class SimulatedPod:
    """A life of a pod; a restarted one is another."""

    def __init__(
        self,
        world: World,
        primary: Callable[[], RedisModel],
        number: int,
        life: int,
        limits: tuple[float, int, int],
        seen: tuple[bool, bool],
    ) -> None:
        self.world, self.name = world, f"pod-{number}"
        # Where new connections go, and where those that there are went.
        self._primary, self.redis = primary, primary()
        self.alive, self.frozen = True, False
        # Called with each connection that another one took the name of.
        self.on_evicted: Callable[[Connection], None] = lambda _connection: None
        # The run of the last server that it knows.
        self.met = ""
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        # A clock that says no moment twice, as a real one does not.
        self._zero, self._readings = world.rng.uniform(1e3, 1e6), 0
        clock = self.clock = Clock(world.wall, self._monotonic)
        self.history = History(*limits, started=clock.monotonic())
        self.registry = Registry(
            self.name, max_backlog_bytes=10**6, stall_seconds=10.0, duel_limit=10**6, slots=1, clock=clock
        )
        self.router = Router(self.registry, self.history, max_event_bytes=MAX_EVENT_BYTES, clock=clock)
        self.recovery = Recovery(self.registry, self.router, self.history, life=f"{self.name}.{life}", clock=clock)
        # Pods state what they have seen of it, and these have been there for long.
        self.history.copies_seen, self.history.twins_seen = seen
        self.recovery.resumption.on_due = self.look
        self.side = Side(clock.monotonic())
        self.journal = JournalLink(self, JournalCursor(limits[0], clock.monotonic()))
        self.channel, self.publishing, self.layer = ChannelLink(self), Link(world), Link(world)
        self.roster = RosterLink(self, self.recovery.life)
        self.registry.on_open = self.roster.claims.opened
        self.registry.on_close = self._closed
        self.cuts = dict.fromkeys(("channel", "journal", "publishing", "roster", "layer"), False)
        self._settling = self._telling = False
        self.channel.connect()
        self.journal.connect()
        self.redis.members[self] = self.recovery.life
        self.roster.connect()
        self._state()

    def _monotonic(self) -> float:
        self._readings += 1
        return self.world.now + self._zero + self._readings * TICK_SECONDS

    # The process

    def run(self, action: Callable[..., None], *arguments: Any) -> None:
        """Do something in this process: never when it is dead, later when it is frozen."""
        if self.frozen:
            self._inbox.append((action, arguments))
        elif self.alive:
            action(*arguments)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        # Sockets are read in any order, but each in its own.
        inbox, self._inbox = self._inbox, []
        queues: dict[str, list[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        for entry in inbox:
            queues.setdefault(SOCKETS.get(entry[0].__name__, entry[0].__name__), []).append(entry)
        while queues:
            name = self.world.rng.choice(sorted(queues))
            action, arguments = queues[name].pop(0)
            if not queues[name]:
                del queues[name]
            self.run(action, *arguments)

    def kill(self) -> None:
        self.alive = self.frozen = False
        self._inbox.clear()
        self.channel.forget()
        self.journal.forget()
        self.roster.forget()
        self.redis.members.pop(self, None)

    def later(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        self.world.after(seconds, self.run, action, *arguments)

    # The primary

    def moves(self) -> bool:
        """Leave a server that is no primary any more."""
        if self._primary() is self.redis:
            return False
        self._leave()
        return True

    def _leave(self) -> None:
        """Close all connections, and open them to the primary, which may be the same server."""
        server = self._primary()
        self.channel.forget()
        self.journal.forget()
        self.roster.forget()
        self.channel.unsubscribed()
        self.redis.members.pop(self, None)
        self.redis = server
        self.redis.members[self] = self.recovery.life
        self.channel.connect()
        self.journal.connect()
        self.roster.connect()

    def opened(self, standing: Standing, asked: float) -> bool:
        """Take in what the server of a new connection says; say whether it may be used."""
        self.met = standing.run_id
        opened = self.side.opened(standing, asked, self.clock.monotonic())
        if opened.wrong_since is not None:
            zero = self.clock.monotonic() - self.world.now
            self.world.tell(self.name, "finds another primary, wrong since", f"{opened.wrong_since - zero:.4f}")
            self.recovery.distrust(opened.wrong_since)
            now = self.clock.monotonic()
            self.mark([Loss(ingress, opened.wrong_since, now) for ingress in Ingress])
            self._tell()
        return not opened.refusal

    # What the journal brings

    def taken(self, taken: Taken) -> None:
        if taken.lost_since is not None:
            self.miss_journal(taken.lost_since)
        if taken.past:
            self.recovery.take_past(taken.messages, taken.moments, taken.unsure_since)
        elif taken.messages:
            self.named(Ingress.JOURNAL, self.recovery.take_journal, taken.messages, taken.moments, taken.unsure_since)
        cursor = self.journal.cursor
        self.recovery.prove_journal(cursor.proven_at, cursor.oldest, cursor.early_seconds)
        self.look()

    def miss_journal(self, since: float) -> None:
        zero = self.clock.monotonic() - self.world.now
        self.world.tell(self.name, "may have lost entries since", f"{since - zero:.4f}")
        self.recovery.journal_lost(since)
        self.mark([Loss(Ingress.JOURNAL, since, self.clock.monotonic())])
        self._tell()

    def mark(self, losses: list[Loss]) -> None:
        """Tell pods that start later what was lost."""
        now, redis = self.clock.monotonic() + MARK_SECONDS, self.redis
        fields = [mark(loss, now) for loss in losses]
        self.later(MARK_SECONDS, redis.execute, lambda: redis.mark(fields))

    def named(self, ingress: Ingress, take: Callable[..., None], *arguments: Any) -> None:
        since = self.recovery.proven[ingress]
        try:
            take(*arguments)
        except Exception:
            self.recovery.miss(ingress, since)
            raise

    # Both

    def _state(self) -> None:
        asked = self.clock.monotonic()
        self.say([self.recovery.statement(self.name)], lambda standing: self._checked(standing, asked))
        self.history.expire(self.clock.monotonic())
        self.later(STATE_SECONDS * self.world.rng.uniform(0.9, 1.1), self._state)

    def say(self, messages: list[PodMessage], check: Callable[[Standing], None] | None = None) -> None:
        if not self.cuts["publishing"]:
            redis, said_at = self.redis, self.world.now
            self.publishing.send(redis.execute, lambda: self._published(redis, messages, said_at, check))

    def _published(
        self, redis: RedisModel, messages: list[PodMessage], said_at: float, check: Callable[[Standing], None] | None
    ) -> None:
        redis.publish("pods", messages)
        delay, pods = self.publishing.delay, len(redis.subscribers)
        self.world.after(delay, self.run, self.recovery.counted, pods, self.world.now + delay - said_at)
        if check is not None:
            self.world.after(self.publishing.delay, self.run, check, redis.standing())

    def _checked(self, standing: Standing, asked: float) -> None:
        if self.side.checked(standing, asked):
            self.world.tell(self.name, "finds that its redis is no primary")
            self._leave()

    def look(self) -> None:
        if messages := self.recovery.handover.outgoing:
            self.recovery.handover.outgoing = []
            self.say(messages)
        if len(self.recovery.handover) and not self._settling:
            self._settling = True
            self.later(SETTLE_SECONDS, self._settle)
        self._tell()

    def _settle(self) -> None:
        self._settling = False
        self.recovery.resumption.settle()
        self.look()

    def come_back(self) -> None:
        if self.registry.subscribed or not self.channel.subscribed or not self.journal.cursor.caught_up:
            return
        if not self.recovery.heard_itself:
            return
        together = self.journal.answered_at - self.clock.monotonic() + self.world.now > self.channel.subscribed_at
        if together or self.world.now >= self.channel.subscribed_at + TOGETHER_SECONDS:
            self.recovery.channel_used = bool(self.channel.received or self.redis.used or not self.journal.cursor.read)
            cursor = self.journal.cursor
            self.recovery.came_back(cursor.complete_since, cursor.lost_before(), from_the_first=cursor.from_the_first)
            self._tell()

    def _tell(self) -> None:
        if not self._telling and self.recovery.telling.due:
            self._telling = True
            self.later(self.world.rng.choice((0.0001, 0.05, 0.5)), self._tell_one)

    def _tell_one(self) -> None:
        self._telling = False
        self.recovery.telling.tell(1)
        self._tell()

    # Faults of its links

    def cut(self, kind: str, seconds: float) -> None:
        """Reset a connection, lose what is under way, and refuse another for a while."""
        self.cuts[kind] = True
        self.world.after(seconds, self.cuts.__setitem__, kind, False)
        self.reset(kind)

    def reset(self, kind: str) -> None:
        link: Link = getattr(self, kind)
        link.drop()
        if kind == "channel":
            self.channel.forget()
            self.channel.lose()
        elif kind == "journal":
            self.journal.forget()
            self.journal.lose()
        elif kind == "roster":
            self.roster.forget()
            self.roster.lose()

    def swallow(self, kind: str, seconds: float) -> None:
        """Let a connection stand half-open: nothing arrives, and nobody is told."""
        link: Link = getattr(self, kind)
        link.swallowing = True
        self.world.after(seconds, self._end_swallowing, kind, link)

    def _end_swallowing(self, kind: str, link: Link) -> None:
        if link.swallowing:
            link.swallowing = False
            self.reset(kind)

    def lost_redis(self) -> None:
        for kind in ("channel", "journal", "roster"):
            self.reset(kind)

    # Clients

    def open(self, name: str, writer: Any, last_event_id: str | None) -> Connection:
        resume = None if last_event_id is None else Resume(last_event_id, None)
        connection = Connection(name, writer, "", resume, clock=self.clock)
        self.registry.open(connection, [])
        self.look()
        return connection

    def close(self, connection: Connection, reason: CloseReason) -> None:
        self.registry.close(connection, reason)

    def _closed(self, connection: Connection) -> None:
        if connection.close_reason is CloseReason.EVICTED:
            self.on_evicted(connection)
        self.recovery.resumption.closed(connection)
        self.roster.claims.closed(connection)

    def tell(self, life: str, told: Told) -> None:
        """Tell a life, or all pods, what is no more than a hint."""
        redis = self.redis
        self.later(self.layer.delay, redis.execute, lambda: redis.tell(life, told))
