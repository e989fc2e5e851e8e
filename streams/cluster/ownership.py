"""Which of two streams of one client is newer: what pods announce, and the order they hear it in.

All announcements pass through one Redis channel, so that every pod hears them in one
order, its own included. That order decides that one stream is left; no clock does.
"""

from __future__ import annotations

import functools
import logging
import random
import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec

from streams.cluster.clock_offset import Lags
from streams.delivery.connection import Connection
from streams.delivery.duels.report import NO_USER_AGENT
from streams.delivery.duels.turns import News
from streams.delivery.registry import Registry
from streams.errors import CloseReason

logger = logging.getLogger("sse.registry")

MAX_NAMES = 500
# More than a pod takes in while Redis keeps it waiting for an answer.
MAX_WAITING = 50_000
# A beat shows the others what they missed, and this pod that it is heard.
BEAT_SECONDS = 2.0
FIRST_BEAT_SECONDS = 0.1
# A pod that comes back hears its first beats late: the layer takes its time to subscribe.
# It calls its roll after some more, which tell how far its clock is from the others'.
FIRST_ROLL_SECONDS = 0.25
# A pod calls its roll at most this often, and not in step with the others.
ROLL_SECONDS = 2.0
# A connection that could not be announced for so long did not just open: its age is to count.
LATE_SECONDS = 0.25
# Pods whose numbers are remembered; each start of a pod makes a new one.
PODS_KEPT = 4096
# Of these the younger connection stays; anything else is younger by being announced.
BY_AGE = ("roll", "keep")
# Enough for so many pods to have a stream of one client; after them only the order counts.
MAX_TURNS = 8


class Announcement(msgspec.Struct):
    """What one pod tells all of them.

    `type` is `open` for connections that just opened, `roll` for all that a pod has,
    `keep` for those that are younger than what was announced before, `duel` for those
    that stay all the same, and `beat` for nothing new; any other is of a later version.
    `ages` are in seconds.
    """

    type: str
    # Remembered for thousands of pods: what is longer comes from none.
    pod: Annotated[str, msgspec.Meta(max_length=64)]
    pod_name: Annotated[str, msgspec.Meta(max_length=253)]
    # Numbers a pod's messages; `after` is the last before it that Redis has taken.
    number: int
    after: int
    names: list[str] = []
    ages: list[float] = []
    # Pods of the version before say none of these. `clock` is the sender's, when the ages
    # were true; `lags` tell how far it is from another's; `turn` counts answers by `keep`.
    clock: float | None = None
    lags: dict[str, float] = {}
    turn: int = 0
    # Nor these: the origins of the connections that just opened, and the latest fights over names.
    origins: list[str] = []
    news: list[News] = []


class Order:
    """One pod's place in the order of announcements.

    A connection is `clustered` once the pod has heard its own last announcement of it.
    Another pod's announcement of the same name evicts it then, being later in the
    order; before, its own is still to come, and will evict the other. So one is left.

    Redis keeps nothing for a pod that does not listen. A pod that missed a message, of
    its own or of another, sees so from the numbers of the next, and calls its roll: it
    announces all its connections anew. Of any two pods the last to come back settles
    what both have, so nobody needs to be asked. Only then do ages count: where the order
    would evict the younger one, its pod announces it anew instead, as the last. So ages
    choose which one is left, and the order that it is one, whatever the clocks say.

    It has more attributes than other classes: whether messages were missed, whether all is to be announced anew
    and which ages count are decided together.
    """

    def __init__(self, registry: Registry) -> None:
        # Not the pod's name, which two pods may share by mistake.
        self.pod_id = secrets.token_hex(8)
        self.hearing = False
        self.heard_at = 0.0
        # Called when there is something to announce that nobody waits for.
        self.on_due: Callable[[], None] = _ignore
        self.announced = self.evicted_elsewhere = self.duels = self.rolls = self.gaps = 0
        self._registry = registry
        # What is to be announced, by type.
        self._opened: list[Connection] = []
        self._due: dict[str, list[Connection]] = {"open": self._opened, "keep": [], "duel": [], "roll": []}
        # What was announced and not yet heard, by the message's number.
        self._flying: dict[int, list[Connection]] = {}
        self._number = self._sent = 0
        # The last number heard of each pod; the pod heard last is at the end.
        self._numbers: dict[str, int] = {}
        self._lags = Lags()
        # The highest of the keeps that are due.
        self._turn = 0
        self._beat_at = self._roll_at = 0.0
        self._roll_due = True

    def begin(self, now: float, roll_at: float) -> None:
        """Trust nothing that was on its way; call the roll when this pod hears itself, not before `roll_at`."""
        self.hearing = False
        self._roll_due = True
        self._roll_at = roll_at
        # What opened in an outage would be the newest, were it announced ahead of the roll.
        self._forget()
        self.heard_at = self._beat_at = now

    def announce(self, connection: Connection) -> None:
        """Tell the other pods soon that a connection opened."""
        if self.hearing and len(self._opened) < MAX_WAITING:
            self._opened.append(connection)
        else:
            self._roll_due = True

    def next_message(self, now: float) -> Announcement | None:
        """Return the next message that is due, or None."""
        if self.hearing:
            if self._roll_due and now >= self._roll_at:
                self._call_roll(now)
            for kind, connections in self._due.items():
                while connections:
                    # Those that are gone may have come back on another pod.
                    batch = [each for each in connections[:MAX_NAMES] if each.close_reason is None]
                    del connections[:MAX_NAMES]
                    if batch:
                        return self._message(kind, batch, now)
        return self._message("beat", [], now) if now >= self._beat_at else None

    def due_at(self) -> float:
        """Return when the next message is due if nothing is announced or heard until then."""
        return min(self._beat_at, self._roll_at) if self.hearing and self._roll_due else self._beat_at

    def sent(self, message: Announcement) -> None:
        """Note that Redis has taken a message."""
        self._sent = message.number
        self.announced += len(message.names)

    def hear(self, heard: Announcement, now: float) -> None:
        """Take in a message of any pod, this one included."""
        known = heard.pod in self._numbers
        last = self._numbers.pop(heard.pod, 0)
        self._numbers[heard.pod] = max(last, heard.number)
        if len(self._numbers) > PODS_KEPT:
            del self._numbers[next(iter(self._numbers))]
        if heard.clock is not None:
            self._lags.note(heard.pod, now - heard.clock, now)
        if heard.pod != self.pod_id:
            for news in heard.news:
                self._registry.duels.note_elsewhere(news)
        if heard.pod == self.pod_id:
            if not self.hearing:
                self._roll_at = max(self._roll_at, now + FIRST_ROLL_SECONDS)
            self.heard_at, self.hearing = now, True
            for connection in self._flying.pop(heard.number, ()):
                connection.clustered = True
        elif heard.number > last:
            self._settle(heard, now)
        # Otherwise its sender gave it up when Redis froze, and has announced the same since.
        if heard.after > last:
            self._roll_due = True
            self.gaps += known

    def _settle(self, heard: Announcement, now: float) -> None:
        get, dueling = self._registry.get, self._registry.duels.dueling
        # Pods whose clocks lie could each find its own the younger, in turn and for ever.
        sent_at = self._sent_at(heard, now)
        # What waited in a Redis that stood still did not just open.
        late = heard.type == "open" and now - sent_at > LATE_SECONDS
        by_age = (heard.type in BY_AGE or late) and heard.turn < MAX_TURNS
        for number, (name, age) in enumerate(zip(heard.names, heard.ages, strict=False)):
            ours = get(name)
            if ours is None or not ours.clustered:
                continue
            origin = heard.origins[number] if number < len(heard.origins) else ""
            if heard.type == "open" and dueling(name, origin, ours.origin):
                self._registry.probes.ask(ours, functools.partial(self._decide, ours, heard.pod_name))
            elif by_age and sent_at - ours.opened_at < age:
                # What the other pod has is older: its client may have left it for this one.
                self._turn = max(heard.turn + 1, self._turn if self._due["keep"] else 0)
                self._reannounce("keep", ours)
            elif heard.type == "duel":
                log_duel(ours, heard.pod_name, "is sent away")
                self.duels += 1
                self._registry.send_away(ours, CloseReason.DUEL, origin)
            elif heard.type in self._due:
                self.evicted_elsewhere += 1
                ours.evicted_by = heard.pod_name
                self._registry.send_away(ours, CloseReason.EVICTED, origin)

    def _decide(self, ours: Connection, pod_name: str, answers: bool) -> None:
        """Keep a name for the device here if its machine answers, or give it to one on another pod."""
        if ours.close_reason is not None:
            return
        if answers:
            log_duel(ours, pod_name, "is kept")
            self._reannounce("duel", ours)
            self.on_due()
        else:
            self._registry.close(ours, CloseReason.DEAD_PEER)

    def _sent_at(self, heard: Announcement, now: float) -> float:
        """Return when, on this pod's clock, the ages of a message were true."""
        # Not now: to a pod that hears late, its own connections would look older than they were.
        offset = self._lags.offset(heard.lags)
        return now if heard.clock is None or offset is None else heard.clock + offset

    def _reannounce(self, kind: str, connection: Connection) -> None:
        connection.clustered = False
        self._due[kind].append(connection)

    def _call_roll(self, now: float) -> None:
        self._forget()
        for connection in self._registry:
            self._reannounce("roll", connection)
        self._roll_due = False
        self._roll_at = now + ROLL_SECONDS * random.uniform(1, 2)
        self.rolls += 1

    def _forget(self) -> None:
        for connections in self._due.values():
            connections.clear()
        self._flying.clear()

    def _message(self, kind: str, batch: list[Connection], now: float) -> Announcement:
        if kind == "open" and now - batch[0].opened_at > LATE_SECONDS:
            kind = "roll"
        self._number += 1
        self._flying[self._number] = batch
        self._beat_at = now + (BEAT_SECONDS if self.hearing and not self._roll_due else FIRST_BEAT_SECONDS)
        names = [connection.client_name for connection in batch]
        ages = [now - connection.opened_at for connection in batch]
        message = Announcement(kind, self.pod_id, self._registry.pod_name, self._number, self._sent, names, ages, now)
        message.news = self._registry.duels.take_news()
        if kind in BY_AGE or kind == "open":
            message.lags = self._lags.stated()
            message.turn = self._turn if kind == "keep" else 0
        if kind in ("open", "duel"):
            message.origins = [connection.origin for connection in batch]
        return message


def log_duel(connection: Connection, pod_name: str, outcome: str) -> None:
    """Name this pod's end of a duel; the other pod names its own."""
    logger.warning(
        "Duel for %s between %s (%s) here and a device on pod %s: the one here %s. Two devices have the same name.",
        connection.client_name,
        connection.address,
        connection.user_agent or NO_USER_AGENT,
        pod_name,
        outcome,
        extra={"fields": connection.facts()},
    )


def _ignore() -> None:
    pass
