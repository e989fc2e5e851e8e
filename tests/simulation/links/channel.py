"""One simulated pod's subscription to the channel; its I/O is the simulation's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.broker.side import Standing
from streams.history.coverage import Ingress
from tests.simulation.world import Link

if TYPE_CHECKING:
    from tests.simulation.pod import SimulatedPod

PING_TIMEOUT_SECONDS = 8.0
# Before another try where the server is a replica.
RETRY_SECONDS = 0.3
TOGETHER_SECONDS = 2.5


class ChannelLink(Link):
    """Hears the channel for one pod."""

    def __init__(self, pod: SimulatedPod) -> None:
        super().__init__(pod.world)
        self.received = 0
        self.subscribed, self.subscribed_at = False, 0.0
        # Another object is another connection.
        self._connection: object = None
        self._pod = pod

    def forget(self) -> None:
        self._pod.redis.forget(self._connection)

    def lose(self) -> None:
        self._pod.run(self._lose, self._connection)

    def unsubscribed(self) -> None:
        if self.subscribed:
            self.subscribed = False
            self._pod.recovery.disconnected()

    def connect(self) -> None:
        if self._pod.moves():
            return
        connection = self._connection = object()
        self.drop()
        pod, redis = self._pod, self._pod.redis
        if pod.cuts["channel"] or not redis.up:
            pod.later(pod.world.rng.uniform(0.1, 0.5), self._retry, connection)
            return
        pod.later(PING_TIMEOUT_SECONDS, self._check, connection)
        asked = pod.clock.monotonic()

        def subscribe() -> None:
            if self._connection is connection and pod.alive:
                redis.subscribers[connection] = lambda kind, message: self.send(
                    pod.run, self._data, connection, kind, message
                )
                self.send(pod.run, self._subscribed, connection, redis.standing(), asked)

        pod.world.after(self.delay, redis.execute, subscribe, connection)

    def _retry(self, connection: object) -> None:
        if self._connection is connection:
            self.connect()

    def _check(self, connection: object) -> None:
        """Find out that nothing comes any more, as unanswered pings do."""
        if self._connection is not connection:
            return
        redis = self._pod.redis
        if self.swallowing or redis.frozen or connection not in redis.subscribers:
            self._lose(connection)
        else:
            self._pod.later(PING_TIMEOUT_SECONDS / 2, self._check, connection)

    def _lose(self, connection: object) -> None:
        if self._connection is not connection:
            return
        self._pod.redis.forget(connection)
        self.unsubscribed()
        self.connect()

    def _subscribed(self, connection: object, standing: Standing, asked: float) -> None:
        pod = self._pod
        if self._connection is connection and not pod.opened(standing, asked):
            pod.redis.forget(connection)
            pod.later(RETRY_SECONDS, self._lose, connection)
        elif self._connection is connection:
            self.subscribed, self.subscribed_at = True, pod.world.now
            pod.recovery.subscribed()
            pod.look()
            pod.later(TOGETHER_SECONDS, pod.come_back)
            pod.come_back()

    def _data(self, connection: object, kind: str, message: Any) -> None:
        # What a server sent that was refused is not read.
        if self._connection is not connection or not self.subscribed:
            return
        pod = self._pod
        if kind == "event":
            self.received += 1
            pod.redis.used = True
            pod.named(Ingress.CHANNEL, pod.recovery.take_channel, [message])
        else:
            pod.recovery.take_pod_messages(message)
            pod.come_back()
        pod.look()
