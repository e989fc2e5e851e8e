"""The life of a pod: its registry, its ingresses, its heartbeat, and their start and stop."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import logging
import resource
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import NamedTuple

from django.conf import settings

from streams import VERSION
from streams.broker.ingress import Ingresses
from streams.conf import OWN_DESCRIPTORS, SPARE_DESCRIPTORS, StreamSettings
from streams.delivery.connection import both, host_of
from streams.delivery.heartbeat import Heartbeat
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.errors import CloseReason
from streams.footprint import trim_memory
from streams.history.messages import History
from streams.locks.guard import Guard
from streams.locks.locks import Locks
from streams.publishing.publishing import Publishing
from streams.roster.lives import Life
from streams.roster.reading.pod_reader import Reading
from streams.roster.rebalance import Rebalance
from streams.roster.tally.watch import Watch
from streams.roster.tally.worker import Tally
from streams.roster.worker import Roster
from streams.tasks import TaskList
from streams.transport.socket_options import SocketOptions
from streams.vitals import Rate, Vitals
from streams.wire.timestamps import iso

logger = logging.getLogger("sse.server")

WATCH_SECONDS = 1.0
DRAIN_TICK_SECONDS = 0.02
MAX_DRAIN_PAUSE_SECONDS = 1.0
# How often a drain with few clients looks whether they have all gone by themselves.
DRAIN_LOOK_SECONDS = 0.2
# A full collection walks every object of every connection: with 10,000 of them it
# stops the loop for hundreds of milliseconds. What a pod makes at its start stays for
# its life, and what it makes afterwards is freed by reference counts, so that cycles
# are few and a collection may be rare.
GC_THRESHOLDS = (50_000, 50, 1_000)


class Readiness(NamedTuple):
    """Whether the pod can take a client now, and if not, why."""

    ready: bool
    reason: str


class Pod:
    """Everything that one pod does besides answering requests; its attributes are the rooms that it wires."""

    def __init__(self, conf: StreamSettings) -> None:
        self.conf = conf
        # Unix time, for whoever compares it with other clocks.
        self.started_at = time.time()
        self.locks = Locks(conf)
        self._started = time.monotonic()
        self.draining = False
        self.registry = Registry(
            conf.pod_name,
            max_backlog_bytes=conf.max_backlog_bytes,
            stall_seconds=conf.stall_seconds,
            duel_limit=conf.duel_limit,
        )
        self.history = History(
            conf.history_seconds, conf.history_bytes, conf.history_per_client, started=time.monotonic()
        )
        self.router = Router(self.registry, self.history, max_event_bytes=conf.max_event_bytes)
        self.ingresses = Ingresses(conf, self.registry, self.router, self.history)
        self.subscriber = self.ingresses.subscriber
        self.heartbeat = Heartbeat(
            self.registry,
            heartbeat_seconds=conf.heartbeat_seconds,
            dead_after_seconds=conf.dead_after_seconds,
        )
        self.roster = Roster(
            conf.redis_url,
            conf.redis_channel,
            self.registry,
            self.history,
            self.ingresses.recovery.life,
            trace_kept=conf.trace_kept,
            primary=self.ingresses.primary,
            life_of_now=self._life,
        )
        self.watch = Watch(
            self.registry,
            self.history,
            self.roster.tracer.clock,
            behind=lambda: self.ingresses.canary_age_seconds,
            pods=lambda: 1 + self.ingresses.peers.count,
        )
        self.tally = Tally(
            conf.redis_url,
            conf.redis_channel,
            self.ingresses.recovery.life,
            primary=self.ingresses.primary,
            missing_seconds=conf.missing_seconds,
            watch=self.watch,
        )
        self.reading = Reading(conf.redis_url, conf.redis_channel, primary=self.ingresses.primary)
        self.publishing = Publishing(conf, self.ingresses.primary)
        self.ingresses.primary.connections += (self.roster, self.tally, self.reading, self.publishing.sender)
        # A front door that hashes sends each client back to where it was.
        evens_out = conf.rebalance and not conf.front_door_hashes
        self.rebalance = Rebalance(self.ingresses.recovery.life) if evens_out else None
        self.registry.on_open = self.roster.opened
        self.registry.observer = self.roster.tracer.recorder
        self.registry.on_close = both(self.registry.on_close, self.roster.closed)
        self.guard = Guard(conf, self.locks, self.registry, self.roster, self.ingresses.primary)
        self.socket_options = SocketOptions(conf.heartbeat_seconds, conf.dead_after_seconds)
        self.vitals = Vitals()
        self._delivery_rate = Rate(self._started)
        # What goes on for as long as the pod lives, by name; whoever wires the pod may add to it before the start.
        self.runs: dict[str, Callable[[], Awaitable[None]]] = {
            **self.ingresses.runs,
            **self.guard.runs,
            "roster": self.roster.run,
            "members": self.roster.members.run,
            "tally": self.tally.run,
            "publishing": self.publishing.sender.run,
            "heartbeat": self.heartbeat.run,
            "watch": self._watch,
            "replay": self.registry.outbox.run,
            "probes": self.registry.probes.run,
            "vitals": self.vitals.run,
        }
        self._tasks = TaskList(self.runs)
        self._limit = connection_limit(conf.max_connections)

    def start(self) -> None:
        """Start the pod's tasks on the running event loop; do nothing where they run already."""
        if self._tasks.start():
            tune_garbage_collector()
            logger.info(
                "Pod %s (%s, version %s) started; heartbeat every %g s",
                self.conf.pod_name,
                self.conf.environment,
                VERSION,
                self.conf.heartbeat_seconds,
            )

    @property
    def uptime_seconds(self) -> float:
        """Return for how long this pod has been there, whatever became of the machine's clock."""
        return time.monotonic() - self._started

    async def drain(self) -> None:
        """Send the clients away one by one, in an even flow over DRAIN_SECONDS at most.

        The pod takes nobody in meanwhile, and goes on delivering to each client until its turn.
        """
        self.draining = True
        connections = list(self.registry)
        if not connections or not self.conf.drain_seconds:
            return
        # A few need not wait as long for their turn as thousands do.
        pause = min(self.conf.drain_seconds / len(connections), MAX_DRAIN_PAUSE_SECONDS)
        logger.info("Draining %d connection(s) over %g s", len(connections), pause * len(connections))
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number, connection in enumerate(connections, 1):
            # Sleeping only when ahead of the plan keeps the pace where the pauses are short.
            while (ahead := started + number * pause - loop.time()) > DRAIN_TICK_SECONDS:
                await asyncio.sleep(min(ahead, DRAIN_LOOK_SECONDS))
                if not len(self.registry):
                    return
            self.registry.close(connection, CloseReason.DRAINING)

    async def stop(self) -> None:
        """Say farewell to every client that is left, then stop the pod's tasks."""
        self.draining = True
        for connection in self.registry:
            self.registry.close(connection, CloseReason.SERVER_STOPPED)
        await self.roster.finish()
        await self._tasks.stop()

    def refusal(self, name: str, address: str) -> CloseReason | None:
        """Return why this pod takes in no stream for a name from a peer's address now, or None.

        Who replaces a connection is not one more: that one goes.
        """
        if self.draining:
            return CloseReason.DRAINING
        older = self.registry.get(name)
        if self._limit and older is None and len(self.registry) >= self._limit:
            return CloseReason.OVERLOADED
        per_ip = self.conf.max_connections_per_ip
        replaces_here = older is not None and host_of(older.address) == host_of(address)
        if per_ip and self.registry.count_from(address) - replaces_here >= per_ip:
            return CloseReason.OVERLOADED
        return None

    @property
    def state(self) -> str:
        """How this pod is, in one word as other pods are told it."""
        return "draining" if self.draining else "ready" if self.readiness().ready else "not-ready"

    def _life(self) -> Life:
        return Life(
            self.conf.pod_name,
            VERSION,
            iso(self.started_at),
            self.state,
            len(self.registry),
            round(self._delivery_rate.read(time.monotonic(), self.router.delivered), 1),
            round(1000 * self.vitals.take_longest_lag(), 1),
            refused_lanes=len(self.locks.unwelcome),
            jwks_age_seconds=self.guard.sources.jwks_age_seconds,
            told_at=iso(time.time()),
        )

    def readiness(self) -> Readiness:
        """Say whether this pod can take a client now."""
        limit = self._limit
        if self.draining:
            return Readiness(False, "draining")
        if reason := self.ingresses.unready_reason() or self.guard.unready_reason():
            return Readiness(False, reason)
        if limit and len(self.registry) >= limit:
            return Readiness(False, f"at its limit of {limit} connections")
        return Readiness(True, "ready")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.registry.outbox.close_stalled()
            self.registry.duels.forget()
            self.registry.greet_held()
            self.guard.open_streams.look()
            self.locks.unwelcome.look()
            self.router.complaints.write_due()
            self.history.expire(time.monotonic())
            self.router.retries.ids.expire(time.monotonic())
            if self.conf.max_stream_seconds:
                self.registry.close_aged(self.conf.max_stream_seconds, time.monotonic())
            if self.rebalance is not None:
                self._even_out(self.rebalance)

    def _even_out(self, rebalance: Rebalance) -> None:
        # One that is full takes nobody and still has too many.
        ready = not self.draining and not self.ingresses.unready_reason()
        roster = self.roster
        count = rebalance.due(
            len(self.registry), roster.lives, lives_at=roster.lives_at, ready=ready, now=time.monotonic()
        )
        # The oldest first: one that comes back here has its turn last.
        for connection in itertools.islice(self.registry, count):
            self.registry.close(connection, CloseReason.REBALANCED)


def connection_limit(max_connections: int) -> int:
    """Return how many streams this process can hold: MAX_CONNECTIONS, or fewer for want of descriptors.

    0 is no limit.
    """
    possible = without_descriptors(SPARE_DESCRIPTORS)
    if possible == inf:
        return max_connections
    return min(max_connections, int(possible)) if max_connections else int(possible)


def possible_connections() -> float:
    """Return how many connections of all kinds this process can hold, streams and others; math.inf for no limit."""
    return without_descriptors(OWN_DESCRIPTORS)


def without_descriptors(kept: int) -> float:
    """Return how many files this process may open beside some, 1 at the least; math.inf for no limit."""
    descriptors, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return inf if descriptors == resource.RLIM_INFINITY else max(1, descriptors - kept)


def tune_garbage_collector() -> None:
    """Keep collections away from what lives as long as the pod, and make them rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    trim_memory()


@functools.cache
def get_pod() -> Pod:
    """Return the one pod of this process; making it starts nothing."""
    return Pod(settings.STREAMS)
