"""Simulated devices: each reads its stream, goes away, and comes back with its last id."""

from __future__ import annotations

import json
from datetime import datetime
from math import inf
from typing import Any

from streams.delivery.connection import Connection
from streams.errors import CloseReason
from tests.simulation.pod import SimulatedPod
from tests.simulation.world import EPOCH, Link, World

# Of two connections that opened this close together the roster may take either for the younger one.
PRECISION_SECONDS = 0.3


class SimulatedSocket:
    """A Writer whose bytes take their time, and may be lost."""

    failed = False

    def __init__(self, device: Device, link: Link, session: int) -> None:
        self._device, self._link, self._session = device, link, session
        # How many writes are not acknowledged, and when one was last.
        self._unacknowledged, self._acknowledged_at = 0, device.world.now

    def start(self, _headers: Any, frame: bytes) -> None:
        if frame:
            self.write(frame)

    def write(self, frame: bytes) -> int:
        self._unacknowledged += 1
        self._link.send(self._arrived, frame)
        return 0

    def _arrived(self, frame: bytes) -> None:
        self._unacknowledged -= 1
        self._acknowledged_at = self._device.world.now
        self._device.received(self._session, frame)

    def backlog_bytes(self) -> int:
        return 0

    def finish(self) -> None:
        self._link.send(self._device.ended, self._session)

    def abort(self) -> None:
        self._link.drop()
        self._link.send(self._device.ended, self._session)

    def silent_seconds(self) -> float:
        return self._device.world.now - self._acknowledged_at if self._unacknowledged else 0.0


class Device:
    """One lane: what it read, and what it was told may be missing."""

    def __init__(self, world: World, name: str, pods: list[SimulatedPod]) -> None:
        self.world, self.name, self.pods = world, name, pods
        self.last_event_id: str | None = None
        # The number of each event that was read -> how often.
        self.read: dict[int, int] = {}
        # What was read on this stream, and what was read twice on any one.
        self._read_here: set[int] = set()
        self.twice: list[int] = []
        # (from, to) in simulated seconds.
        self.gaps: list[tuple[float, float]] = []
        # Events published before this moment are not owed: the device was new then.
        self.owed_from = inf
        self.link = Link(world)
        self._session = 0
        # When the stream before and this one were opened.
        self._opened = (-inf, -inf)
        self.pod: SimulatedPod | None = None
        self.connection: Connection | None = None

    @property
    def is_young(self) -> bool:
        """Say whether its stream is younger than the one before, as far as the roster can tell."""
        return self._opened[1] - self._opened[0] > PRECISION_SECONDS

    def connect(self) -> None:
        """Open a stream at a pod that takes one, and leave the one before."""
        self.leave(noticed=True)
        ready = [pod for pod in self.pods if pod.alive and not pod.frozen and pod.registry.subscribed]
        taking = ready or [pod for pod in self.pods if pod.alive and not pod.frozen]
        if not taking:
            self._retry(self._session)
            return
        self._session += 1
        self._read_here.clear()
        self.link = Link(self.world, self.world.rng.choice((0.0005, 0.0005, 0.02)))
        pod = self.pod = self.world.rng.choice(taking)
        if self.last_event_id is None:
            self.owed_from = inf
        socket = SimulatedSocket(self, self.link, self._session)
        self.world.tell(self.name, "connects to", pod.name, "with", self.last_event_id)
        self._opened = (self._opened[1], self.world.now)
        self.connection = pod.open(self.name, socket, self.last_event_id)

    def leave(self, *, noticed: bool) -> None:
        """End the stream from this side; unnoticed, the pod goes on writing into nothing."""
        pod, connection = self.pod, self.connection
        self._session += 1
        self.pod = self.connection = None
        if pod is None or connection is None:
            return
        self.link.drop()
        if noticed:
            self.world.after(0.0005, pod.run, pod.close, connection, CloseReason.CLIENT_CLOSED)
        else:
            self.link.swallowing = True

    def move(self) -> None:
        """Go to another pod, politely or by losing the network."""
        noticed = self.world.chance(0.7)
        self.world.tell(self.name, "moves" if noticed else "loses its network")
        self.leave(noticed=noticed)
        self._retry(self._session, self.world.rng.choice((0.001, 0.003, 0.05, 1.0)))

    def lost(self, pod: SimulatedPod) -> None:
        """Notice that a pod was killed."""
        if self.pod is pod:
            if self.world.chance(0.5):
                self.link.drop()
            self.pod = self.connection = None
            self._retry(self._session, self.world.rng.choice((0.01, 0.3)))

    def received(self, session: int, data: bytes) -> None:
        if session != self._session:
            return
        for block in data.split(b"\n\n"):
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if line)
            if b"data" in fields:
                self._read(fields)

    def _read(self, fields: dict[bytes, bytes]) -> None:
        message = json.loads(fields[b"data"])
        if b"id" in fields:
            self.last_event_id = fields[b"id"].decode()
        if message.get("type") == "stream-gap":
            began = -inf if message["from"] is None else simulated(message["from"])
            self.gaps.append((began, simulated(message["to"])))
            self.world.tell(self.name, "is told of a gap", message["reason"], *self.gaps[-1])
        elif message.get("type") == "connected":
            self.owed_from = min(self.owed_from, self.world.now)
        elif "number" in message:
            number = message["number"]
            if number in self._read_here:
                self.twice.append(number)
            self._read_here.add(number)
            self.read[number] = self.read.get(number, 0) + 1
            self.world.tell(self.name, "reads", number)

    def ended(self, session: int) -> None:
        if session == self._session:
            self.pod = self.connection = None
            self._retry(session, 0.2)

    def _retry(self, session: int, seconds: float = 0.2) -> None:
        self.world.after(seconds, self._reconnect, session)

    def _reconnect(self, session: int) -> None:
        if session == self._session and self.connection is None:
            self.connect()


def simulated(text: str) -> float:
    """Return a wall time of a frame in simulated seconds."""
    return datetime.fromisoformat(text).timestamp() - EPOCH
