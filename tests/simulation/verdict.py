"""What must hold after a run: each event was read or lies in a gap that was told, and nobody is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.simulation.devices import Device
from tests.simulation.pod import SimulatedPod
from tests.simulation.redis_model import RedisModel

# Frames round their times to milliseconds.
ROUNDING_SECONDS = 0.002


class Published(NamedTuple):
    """An event that Redis took."""

    number: int
    name: str
    ingress: str
    moment: float
    has_id: bool


@dataclass(slots=True)
class Result:
    """What a run found; `problems` is empty where everything held."""

    seed: int
    problems: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    published: int = 0
    named: int = 0
    doubled: int = 0
    faults: int = 0

    def judge(self, device: Device, published: Sequence[Published]) -> None:
        """Look what became of each event for one device."""
        self.problems += [f"{number} was written to {device.name} twice on one stream" for number in device.twice]
        for event in published:
            if event.name != device.name:
                continue
            times = device.read.get(event.number, 0)
            if times > 1:
                self.doubled += 1
            if times or event.moment <= device.owed_from:
                continue
            if any(
                began - ROUNDING_SECONDS <= event.moment <= ended + ROUNDING_SECONDS for began, ended in device.gaps
            ):
                self.named += 1
            else:
                self.problems.append(
                    f"{event.number} for {device.name}, taken by the {event.ingress} at {event.moment:.4f}, "
                    "was neither read nor named"
                )

    def judge_roster(self, devices: Sequence[Device], pods: Sequence[SimulatedPod], redis: RedisModel) -> None:
        """Look whether each device has one stream, the one that it reads, and whether the roster says so."""
        names = redis.roster.here.get(str(redis.history), {})
        open_streams = {(pod, connection) for pod in pods for connection in pod.registry}
        for device in devices:
            found = [(pod, each) for pod, each in open_streams if each.client_name == device.name]
            if found != [(device.pod, device.connection)]:
                self.problems.append(f"{device.name} has {len(found)} streams")
            elif (holder := names.get(device.name)) is None:
                self.problems.append(f"{device.name} is not on the roster")
            elif (holder.life, holder.number) != (found[0][0].recovery.life, found[0][1].number):
                self.problems.append(f"{device.name} is on the roster at {holder.life}, and not there")

    def expect(self, device: Device, number: int) -> None:
        """Look whether a device read its last event."""
        if number not in device.read:
            self.problems.append(f"{device.name} is forgotten: it never read {number}, its last event")
