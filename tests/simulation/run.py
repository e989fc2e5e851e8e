"""One run of the whole cluster: faults drawn at random, and what must hold after them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.simulation.devices import Device
from tests.simulation.pod import SimulatedPod
from tests.simulation.redis_model import RedisModel
from tests.simulation.world import World

# Frames round their times to milliseconds.
ROUNDING_SECONDS = 0.002
HEAL_SECONDS = 14.0
QUIET_SECONDS = 4.0
FAULT_SECONDS = (4.0, 14.0)
# The history's seconds, bytes, and events for each client.
LARGE = ((300.0, 2**22, 1000),)
LIMITS = ((300.0, 2**20, 100), (300.0, 2**20, 100), (300.0, 2**20, 6), (6.0, 2**20, 100), (300.0, 4000, 100))
KINDS = ("channel", "journal", "publishing")


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


class Cluster:
    """Some pods, their Redis, and the devices that they serve."""

    def __init__(self, seed: int, without: frozenset[int] = frozenset(), kinds: tuple[str, ...] = ()) -> None:
        random.seed(seed)
        # The faults, by their number, that are left out of this telling of the seed.
        self.without = without
        # The kinds of faults that there are, by the names of their methods; all where none is named.
        self.kinds = [getattr(Cluster, kind) for kind in kinds] or None
        self.faults = 0
        world = self.world = World(seed)
        rng = world.rng
        self.redis = RedisModel(world)
        # Some publishers use ids twice; most do not, and some use one ingress only.
        self.repeats = rng.random() < 0.15
        both = rng.random() < 0.5 and not self.repeats
        self.ingresses = ("channel", "journal") if both else (rng.choice(("channel", "journal")),)
        # Where the first of two events with one id is forgotten, the second passes for it: a limit that is stated.
        self.limits = rng.choice(LARGE if self.repeats else LIMITS)
        self._lives = 0
        self.pods: list[SimulatedPod] = []
        for number in range(rng.choice((2, 2, 3))):
            self.pods.append(self._pod(number))
        self.redis.on_lost.append(self._lose_redis)
        self.devices = [Device(world, f"LANE{number}", self.pods) for number in range(rng.choice((1, 2)))]
        self.published: list[Published] = []
        self._number = 0
        self._ids: list[str] = []
        # The first use of the channel ever, while no pod hears it, is not known to any: a limit that is stated.
        self.redis.used = "channel" in self.ingresses
        self.redis.durable = rng.random() < 0.5
        self.kills = True
        # One that pods may still be connected to.
        self.old: RedisModel | None = None
        self.pause = rng.choice((0.02, 0.1, 0.3))

    def _pod(self, number: int) -> SimulatedPod:
        self._lives += 1
        return SimulatedPod(self.world, lambda: self.redis, number, self._lives, self.limits)

    def _lose_redis(self) -> None:
        for pod in self.pods:
            pod.lost_redis()

    # Publishing

    def publish(self, name: str, ingress: str) -> int:
        rng = self.world.rng
        self._number += 1
        number, event_id = self._number, f"evt-{self._number}"
        if self.repeats and self._ids and rng.random() < 0.3:
            event_id = rng.choice(self._ids[-4:])
        message = {"clientName": name, "eventId": event_id, "number": number}
        has_id = True
        draw = rng.random()
        if draw < 0.02:
            message["eventId"], has_id = rng.choice((" ", f" {number}", f"{number} ", "")), False
        elif draw < 0.04:
            del message["eventId"]
            has_id = False
        elif draw < 0.06:
            self._take(ingress, rng.choice((b"{", b'{"clientName":3}', b"[]", b"\xff")))
        self._ids.append(event_id)
        self._take(ingress, json.dumps(message).encode(), Published(number, name, ingress, 0.0, has_id))
        return number

    def _take(self, ingress: str, message: bytes, event: Published | None = None) -> None:
        def taken() -> None:
            if event is not None:
                self.published.append(event._replace(moment=self.world.now))
                self.world.tell("redis takes", event.number, "by", ingress, "for", event.name)
            if ingress == "channel":
                self.redis.publish("event", message)
            else:
                self.redis.add(message)

        # A publisher waits no longer than this; what Redis takes later is not promised to anybody.
        self.redis.execute(taken)

    def publish_some(self, until: float) -> None:
        if self.world.now < until:
            self.publish(self.world.rng.choice(self.devices).name, self.world.rng.choice(self.ingresses))
            self.world.after(self.pause * self.world.rng.expovariate(1.0), self.publish_some, until)

    def move_some(self, until: float) -> None:
        if self.world.now < until:
            self.world.rng.choice(self.devices).move()
            self.world.after(self.world.rng.uniform(0.1, 2.0), self.move_some, until)

    # Faults

    def fault_some(self, until: float) -> None:
        if self.world.now < until:
            fault = self.world.rng.choice(self.kinds or (GENTLE if self.repeats else FAULTS))
            self.faults += 1
            if self.faults not in self.without:
                fault(self)
            self.world.after(self.world.rng.expovariate(1.0), self.fault_some, until)

    def some_pod(self) -> SimulatedPod:
        return self.world.rng.choice(self.pods)

    def cut(self) -> None:
        pod, kind, seconds = self.some_pod(), self.world.rng.choice(KINDS), self.world.rng.uniform(0.01, 3.0)
        self.world.tell("the", kind, "of", pod.name, "is cut for", f"{seconds:.3f}")
        pod.cut(kind, seconds)

    def cut_all(self) -> None:
        pod, seconds = self.some_pod(), self.world.rng.uniform(0.01, 2.0)
        self.world.tell("all of", pod.name, "is cut for", f"{seconds:.3f}")
        for kind in KINDS:
            pod.cut(kind, seconds)

    def cut_one_longer(self) -> None:
        pod, seconds = self.some_pod(), self.world.rng.uniform(0.05, 1.5)
        longer = self.world.rng.choice(("channel", "journal"))
        self.world.tell("both of", pod.name, "are cut for", f"{seconds:.3f}", "and the", longer, "for longer")
        for kind in ("channel", "journal"):
            pod.cut(kind, seconds + (1.5 if kind == longer else 0.0))

    def flap(self) -> None:
        pod, kind = self.some_pod(), self.world.rng.choice(KINDS[:2])
        self.world.tell("the", kind, "of", pod.name, "flaps")
        for _ in range(self.world.rng.randint(2, 6)):
            self.world.after(self.world.rng.uniform(0.0, 0.6), pod.cut, kind, 0.001)

    def swallow(self) -> None:
        pod, kind, seconds = self.some_pod(), self.world.rng.choice(KINDS), self.world.rng.uniform(0.5, 12.0)
        self.world.tell("the", kind, "of", pod.name, "is half-open for", f"{seconds:.3f}")
        pod.swallow(kind, seconds)

    def slow(self) -> None:
        pod, kind = self.some_pod(), self.world.rng.choice(KINDS)
        self.world.tell("the", kind, "of", pod.name, "is slow")
        link = getattr(pod, kind)
        link.delay = self.world.rng.choice((0.02, 0.2, 1.0))
        self.world.after(self.world.rng.uniform(0.1, 3.0), setattr, link, "delay", 0.001)

    def freeze_redis(self) -> None:
        if self.redis.up and not self.redis.frozen:
            seconds = self.world.rng.uniform(0.05, 6.0)
            self.world.tell("redis freezes for", f"{seconds:.3f}")
            self.redis.freeze()
            self.world.after(seconds, self.redis.thaw)

    def restart_redis(self) -> None:
        # One that restarts before pods have found it is taken for the one that they know: a limit that is stated.
        if self.redis.up and all(pod.redis is self.redis for pod in self.pods):
            lost = self.world.rng.choice((0, 0, 10**6) if self.redis.durable else (0, 0, 1, 3, 10**6))
            self.world.tell("redis dies, and loses so many entries:", lost)
            self.redis.die()
            self.world.after(self.world.rng.uniform(0.01, 2.0), self._start_redis, lost)

    def _start_redis(self, lost: int) -> None:
        if not self.redis.up:
            self.world.tell("redis is back")
            self.redis.start(lost)

    def fail_over(self) -> None:
        """Promote a replica that publishers and new connections move to, while pods stay with the old primary."""
        # A pod that starts after it does not know what the replica lacks: a limit that is stated.
        if not self.redis.up or self.redis.frozen or not all(pod.alive and pod.cursor.caught_up for pod in self.pods):
            return
        self.kills = False
        self._demote()
        lag = self.world.rng.choice((0, 0, 1, 5, 30))
        self.world.tell("a replica is promoted that lacks so many commands:", lag)
        self.old, self.redis = self.redis, self.redis.promoted(lag)
        self.world.after(self.world.rng.choice((0.0, 0.5, 3.0, 15.0)), self._demote, self.old)

    def _demote(self, old: RedisModel | None = None) -> None:
        if self.old is not None and old in (None, self.old):
            self.world.tell("the old primary becomes a replica")
            self.old.demote(self.redis)
            self.old = None

    def step_clock(self) -> None:
        step = self.world.rng.choice((-7200.0, -5.0, -0.5, 0.5, 5.0, 7200.0))
        # A pod that starts soon after a step forward takes recent entries for old ones: a limit that is stated.
        if step > 0 and not all(pod.alive and pod.cursor.caught_up for pod in self.pods):
            return
        self.kills = self.kills and step < 0
        self.world.tell("the clock of redis steps by", step)
        self.redis.clock_offset += step

    def delete_journal(self) -> None:
        self.world.tell("the journal is deleted")
        self.redis.delete()

    def trim_journal(self) -> None:
        kept = self.world.rng.choice((0, 1, 3))
        self.world.tell("the journal is trimmed to", kept)
        self.redis.trim(kept)

    def kill_pod(self) -> None:
        pod = self.some_pod()
        if pod.alive and self.kills:
            self.world.tell(pod.name, "is killed")
            pod.kill()
            for device in self.devices:
                device.lost(pod)
            self.world.after(self.world.rng.uniform(0.05, 2.0), self._restart, self.pods.index(pod))

    def _restart(self, number: int) -> None:
        if not self.pods[number].alive:
            self.world.tell(self.pods[number].name, "starts again")
            self.pods[number] = self._pod(number)

    def freeze_pod(self) -> None:
        pod, seconds = self.some_pod(), self.world.rng.choice((0.05, 1.0, 5.0, 12.0))
        if pod.alive and not pod.frozen:
            self.world.tell(pod.name, "freezes for", seconds)
            pod.freeze()
            self.world.after(seconds, self._thaw, pod)

    def _thaw(self, pod: SimulatedPod) -> None:
        if pod.alive and pod.frozen:
            pod.thaw()

    def move_all(self) -> None:
        for device in self.devices:
            device.move()

    # The run

    def run(self) -> Result:
        world, rng = self.world, self.world.rng
        for device in self.devices:
            world.after(rng.uniform(0.0, 0.5), device.connect)
        talking_until = 1.0 + rng.uniform(*FAULT_SECONDS)
        world.after(rng.uniform(0.0, 1.0), self.publish_some, talking_until)
        world.after(1.0, self.fault_some, talking_until)
        world.after(rng.uniform(0.5, 3.0), self.move_some, talking_until)
        world.run_until(talking_until + HEAL_SECONDS)
        self._heal()
        world.run_until(world.now + QUIET_SECONDS)
        last = [self.publish(device.name, ingress) for device in self.devices for ingress in self.ingresses]
        world.run_until(world.now + QUIET_SECONDS)
        return self._verdict(last)

    def _heal(self) -> None:
        self.world.tell("all is healed")
        if self.redis.frozen:
            self.redis.thaw()
        self._start_redis(0)
        self._demote()
        for number, pod in enumerate(self.pods):
            if not pod.alive:
                self._restart(number)
            elif pod.frozen:
                pod.thaw()

    def _verdict(self, last: list[int]) -> Result:
        result = Result(self.world.rng.getrandbits(1), published=len(self.published), story=self.world.story)
        for device in self.devices:
            self._judge(device, result)
            for number in last:
                if any(event.number == number and event.name == device.name for event in self.published):
                    self._expect(device, number, result)
        for pod in self.pods:
            if pod.history.statistics().bytes > self.limits[1]:
                result.problems.append(f"the history of {pod.name} is over its limit")
        return result

    def _expect(self, device: Device, number: int, result: Result) -> None:
        if number not in device.read:
            result.problems.append(f"{device.name} is forgotten: it never read {number}, its last event")

    def _judge(self, device: Device, result: Result) -> None:
        for event in self.published:
            if event.name != device.name:
                continue
            times = device.read.get(event.number, 0)
            if times > 1:
                result.doubled += 1
            if times or event.moment <= device.owed_from:
                continue
            if any(
                began - ROUNDING_SECONDS <= event.moment <= ended + ROUNDING_SECONDS for began, ended in device.gaps
            ):
                result.named += 1
            else:
                result.problems.append(
                    f"{event.number} for {device.name}, taken by the {event.ingress} at {event.moment:.4f}, "
                    "was neither read nor named"
                )


FAULTS = (
    Cluster.cut,
    Cluster.cut,
    Cluster.cut_all,
    Cluster.cut_one_longer,
    Cluster.cut_one_longer,
    Cluster.flap,
    Cluster.swallow,
    Cluster.swallow,
    Cluster.slow,
    Cluster.freeze_redis,
    Cluster.restart_redis,
    Cluster.fail_over,
    Cluster.step_clock,
    Cluster.delete_journal,
    Cluster.trim_journal,
    Cluster.kill_pod,
    Cluster.freeze_pod,
    Cluster.move_all,
)
# Where a pod never heard the first of two events with one id, the second passes for it: a limit that is stated.
GENTLE = (Cluster.slow, Cluster.freeze_redis, Cluster.freeze_pod, Cluster.move_all)


def simulate(seed: int, without: frozenset[int] = frozenset(), kinds: tuple[str, ...] = ()) -> Result:
    """Run one seed; the same seed is the same run."""
    cluster = Cluster(seed, without, kinds)
    result = cluster.run()
    result.seed, result.faults = seed, cluster.faults
    return result


def shortest(seed: int) -> list[str]:
    """Return the story of a failing seed with as few of its faults as it fails without, one left out at a time."""
    without: frozenset[int] = frozenset()
    best = simulate(seed)
    for number in range(1, best.faults + 1):
        tried = simulate(seed, without | {number})
        if tried.problems:
            without, best = without | {number}, tried
    device = best.problems[0].split(",")[0].split()[-1]
    story = [line for line in best.story if "LANE" not in line or device in line]
    return [f"Seed {seed} without the faults {sorted(without)}:", *best.problems[:5], *story]
