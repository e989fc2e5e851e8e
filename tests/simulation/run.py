"""One run of the whole cluster: faults drawn at random, and what must hold after them."""

from __future__ import annotations

import json
import random

from streams.delivery.connection import Connection
from tests.simulation.devices import Device
from tests.simulation.faults import Faults
from tests.simulation.pod import SimulatedPod
from tests.simulation.redis_model import RedisModel
from tests.simulation.verdict import Published, Result
from tests.simulation.world import World

HEAL_SECONDS = 14.0
QUIET_SECONDS = 4.0
# After so long the roster agrees with the pods, whatever happened.
SETTLED_SECONDS = 60.0
FAULT_SECONDS = (4.0, 14.0)
# The history's seconds, bytes, and events for each client.
LARGE = ((300.0, 2**22, 1000),)
LIMITS = ((300.0, 2**20, 100), (300.0, 2**20, 100), (300.0, 2**20, 6), (6.0, 2**20, 100), (300.0, 4000, 100))


class Cluster:
    """Some pods, their Redis, and the devices that they serve.

    `without` are the faults, by their number, that are left out of this telling of the seed, `kinds` the names of
    those that there are: all where none is named.
    """

    def __init__(self, seed: int, without: frozenset[int] = frozenset(), kinds: tuple[str, ...] = ()) -> None:
        random.seed(seed)
        world = self.world = World(seed)
        rng = world.rng
        self.redis = RedisModel(world)
        # Some publishers use ids twice; most do not, and some use one ingress only.
        self.repeats = rng.random() < 0.15
        both = rng.random() < 0.5 and not self.repeats
        # Others publish a message again, byte for byte, where they do not know whether Redis took it.
        self.retrying = random.Random(f"{seed} retries")
        self.retries = not self.repeats and self.retrying.random() < 0.3
        self.ingresses = ("channel", "journal") if both else (rng.choice(("channel", "journal")),)
        # Others publish by both, so that it comes by one at least.
        self.twinning = random.Random(f"{seed} twins")
        self.twins = both and not self.retries and self.twinning.random() < 0.3
        # Where the first of two events with one id is forgotten, the second passes for it: a limit that is stated.
        self.limits = rng.choice(LARGE if self.repeats or self.retries or self.twins else LIMITS)
        self._lives = 0
        self.pods: list[SimulatedPod] = []
        for number in range(rng.choice((2, 2, 3))):
            self.pods.append(self._pod(number))
        self.redis.on_lost.append(self._lose_redis)
        self.devices = [Device(world, f"LANE{number}", self.pods) for number in range(rng.choice((1, 2)))]
        self.published: list[Published] = []
        self._number = 0
        self.wrong: list[str] = []
        self._ids: list[str] = []
        # What may be published again: the message, and what it is.
        self._sent: list[tuple[bytes, Published]] = []
        # The first use of the channel ever, while no pod hears it, is not known to any: a limit that is stated.
        self.redis.used = "channel" in self.ingresses
        self.redis.durable = rng.random() < 0.5
        self.pause = rng.choice((0.02, 0.1, 0.3))
        self.faults = Faults(self, without, kinds)

    def _pod(self, number: int) -> SimulatedPod:
        self._lives += 1
        seen = self.repeats or self.retries, self.twins
        pod = SimulatedPod(self.world, lambda: self.redis, number, self._lives, self.limits, seen)
        pod.on_evicted = self._evicted
        return pod

    def _evicted(self, connection: Connection) -> None:
        for device in self.devices:
            if device.connection is connection and device.is_young and not self.faults.clock_stepped:
                self.wrong.append(f"{device.name} lost its name to an older connection at {self.world.now:.4f}")

    def _lose_redis(self) -> None:
        for pod in self.pods:
            if pod.redis is self.redis:
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
        written, event = json.dumps(message).encode(), Published(number, name, ingress, 0.0, has_id)
        self._take(ingress, written, event)
        if has_id and self.twins and self.twinning.random() < 0.3:
            other = "journal" if ingress == "channel" else "channel"
            soon = self.twinning.choice((0.0, 0.001, 0.02))
            self.world.after(soon, self._take, other, written, event._replace(ingress=other))
        if has_id:
            self._sent = [*self._sent[-3:], (written, event)]
        if self.retries and self.retrying.random() < 0.3 and self._sent:
            self._publish_again()
        return number

    def _publish_again(self) -> None:
        """Publish one of the last messages a second time, soon or later, on the ingress that it came by.

        Of one that comes by both, a pod that is behind may know the second alone: a limit that is stated.
        """
        written, event = self.retrying.choice(self._sent)
        self.world.after(self.retrying.choice((0.0, 0.001, 0.5, 3.0)), self._take, event.ingress, written, event)

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

    # The run

    def run(self) -> Result:
        world, rng = self.world, self.world.rng
        for device in self.devices:
            world.after(rng.uniform(0.0, 0.5), device.connect)
        talking_until = 1.0 + rng.uniform(*FAULT_SECONDS)
        world.after(rng.uniform(0.0, 1.0), self.publish_some, talking_until)
        world.after(1.0, self.faults.draw_some, talking_until)
        world.after(rng.uniform(0.5, 3.0), self.move_some, talking_until)
        world.run_until(talking_until + HEAL_SECONDS)
        self._heal()
        healed_at = world.now
        world.run_until(world.now + QUIET_SECONDS)
        last = [self.publish(device.name, ingress) for device in self.devices for ingress in self.ingresses]
        world.run_until(world.now + QUIET_SECONDS)
        world.run_until(max(world.now, healed_at + SETTLED_SECONDS))
        return self._verdict(last)

    def start_redis(self, lost: int) -> None:
        if not self.redis.up:
            self.world.tell("redis is back")
            self.redis.start(lost)

    def restart(self, number: int) -> None:
        if not self.pods[number].alive:
            self.world.tell(self.pods[number].name, "starts again")
            self.pods[number] = self._pod(number)

    def _heal(self) -> None:
        self.world.tell("all is healed")
        if self.redis.frozen:
            self.redis.thaw()
        self.start_redis(0)
        self.faults.demote()
        for number, pod in enumerate(self.pods):
            if not pod.alive:
                self.restart(number)
            elif pod.frozen:
                pod.thaw()

    def _verdict(self, last: list[int]) -> Result:
        result = Result(self.world.rng.getrandbits(1), published=len(self.published), story=self.world.story)
        for device in self.devices:
            result.judge(device, self.published)
            for number in last:
                if any(event.number == number and event.name == device.name for event in self.published):
                    result.expect(device, number)
        result.problems += self.wrong
        result.judge_roster(self.devices, self.pods, self.redis)
        for pod in self.pods:
            if pod.history.statistics().bytes > self.limits[1]:
                result.problems.append(f"the history of {pod.name} is over its limit")
        return result


def simulate(seed: int, without: frozenset[int] = frozenset(), kinds: tuple[str, ...] = ()) -> Result:
    """Run one seed; the same seed is the same run."""
    cluster = Cluster(seed, without, kinds)
    result = cluster.run()
    result.seed, result.faults = seed, cluster.faults.count
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
