"""Pods without I/O that agree on who has a client, and the channel between them, in the test's hands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from streams.cluster.ownership import BEAT_SECONDS, FIRST_ROLL_SECONDS, ROLL_SECONDS, Announcement, Order
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder, connect

NAME = "STORE001-LANE01"
SKEW_SECONDS = 1000.0


class Pod:
    """A registry with its place in the order, and the messages that Redis has for it."""

    def __init__(self, number: int, duel_limit: int, channel: Channel) -> None:
        self._channel = channel
        # No two machines agree on what time it is.
        self.skew = SKEW_SECONDS * number
        self.registry = Registry(
            f"pod-{number}", max_backlog_bytes=MAX_BACKLOG_BYTES, stall_seconds=STALL_SECONDS, duel_limit=duel_limit
        )
        self.registry.subscribed = True
        self.order = Order(self.registry)
        self.registry.on_open = self.order.announce
        self.inbox: list[Announcement] = []

    @property
    def now(self) -> float:
        return self._channel.now + self.skew

    def begin(self, roll_in: float = 0.0) -> None:
        self.order.begin(self.now, self.now + roll_in)

    def connect(self, name: str = NAME, seconds_ago: float = 0.0) -> tuple[Connection, Recorder]:
        connection, writer = connect(self.registry, name)
        connection.opened_at = self.now - seconds_ago
        return connection, writer


class Channel:
    """Stands where Redis does: one order for all pods."""

    def __init__(self, pods: int = 3, duel_limit: int = 1000) -> None:
        self.now = 0.0
        self.pods = [Pod(number, duel_limit, self) for number in range(pods)]
        for pod in self.pods:
            pod.begin()
        self.settle()

    def speak(self, pod: Pod, count: int | None = None) -> list[Announcement]:
        spoken = list(itertools.islice(self._due(pod), count))
        for message in spoken:
            for each in self.pods:
                each.inbox.append(message)
        return spoken

    def _due(self, pod: Pod) -> Iterator[Announcement]:
        while (message := pod.order.next_message(pod.now)) is not None:
            # Before it is handed on: whoever takes only some does not come back here.
            pod.order.sent(message)
            yield message

    def listen(self, pod: Pod, count: int | None = None) -> None:
        heard = pod.inbox[:count]
        del pod.inbox[:count]
        for message in heard:
            pod.order.hear(message, pod.now)

    def fail(self, pod: Pod, *, late: bool) -> None:
        """Let Redis not answer, whether it goes on to deliver the message or not."""
        message = pod.order.next_message(pod.now)
        pod.begin()
        if late and message is not None:
            for each in self.pods:
                each.inbox.append(message)

    def come_back(self, *pods: Pod) -> None:
        """Let pods hear themselves, until they may call their rolls."""
        for pod in pods:
            self.speak(pod)
            self.listen(pod)
        self.now += FIRST_ROLL_SECONDS

    def exchange(self) -> None:
        """Let all that is due now be said and heard, answers too."""
        quiet = False
        while not quiet:
            for pod in self.pods:
                self.speak(pod)
            quiet = not any(pod.inbox for pod in self.pods)
            for pod in self.pods:
                self.listen(pod)
                pod.registry.probes.settle()

    def settle(self) -> None:
        """Let as much time go by as a pod takes to see what it missed, and to call its roll."""
        for _ in range(5):
            self.now += max(BEAT_SECONDS, 2 * ROLL_SECONDS)
            self.exchange()

    def holders(self, name: str = NAME) -> list[Pod]:
        return [pod for pod in self.pods if pod.registry.get(name) is not None]
