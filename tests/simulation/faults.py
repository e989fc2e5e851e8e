"""The faults that are drawn at random: of links, of Redis, of its journal and clock, of pods and devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.pod import SimulatedPod
from tests.simulation.redis_model import RedisModel

if TYPE_CHECKING:
    from tests.simulation.run import Cluster

KINDS = ("channel", "journal", "publishing")
SLOW_SECONDS = 0.1
# The names of the faults below, each as often as it is to come.
FAULTS = (
    "cut",
    "cut",
    "cut_all",
    "cut_one_longer",
    "cut_one_longer",
    "flap",
    "swallow",
    "swallow",
    "slow",
    "slow_some",
    "freeze_redis",
    "restart_redis",
    "fail_over",
    "step_clock",
    "delete_journal",
    "trim_journal",
    "cut_roster",
    "flush_roster",
    "kill_pod",
    "freeze_pod",
    "move_all",
)


class Faults:
    """Draws one fault after the other, and does it to a cluster."""

    def __init__(self, cluster: Cluster, without: frozenset[int], kinds: tuple[str, ...]) -> None:
        self.count = 0
        self._cluster = cluster
        self._world = cluster.world
        # A former primary, which pods may still be connected to.
        self._old: RedisModel | None = None
        # The faults, by their number, that are left out of this telling of the seed.
        self._without = without
        self._kinds = kinds or FAULTS
        self._kills = True
        # The roster compares moments by that clock.
        self.clock_stepped = False

    def draw_some(self, until: float) -> None:
        if self._world.now < until:
            fault = self._world.rng.choice(self._kinds)
            self.count += 1
            if self.count not in self._without:
                getattr(self, fault)()
            self._world.after(self._world.rng.expovariate(1.0), self.draw_some, until)

    @property
    def _redis(self) -> RedisModel:
        return self._cluster.redis

    def _some_pod(self) -> SimulatedPod:
        return self._world.rng.choice(self._cluster.pods)

    def cut(self) -> None:
        pod, kind, seconds = self._some_pod(), self._world.rng.choice(KINDS), self._world.rng.uniform(0.01, 3.0)
        self._world.tell("the", kind, "of", pod.name, "is cut for", f"{seconds:.3f}")
        pod.cut(kind, seconds)

    def cut_all(self) -> None:
        pod, seconds = self._some_pod(), self._world.rng.uniform(0.01, 2.0)
        self._world.tell("all of", pod.name, "is cut for", f"{seconds:.3f}")
        for kind in KINDS:
            pod.cut(kind, seconds)

    def cut_one_longer(self) -> None:
        pod, seconds = self._some_pod(), self._world.rng.uniform(0.05, 1.5)
        longer = self._world.rng.choice(("channel", "journal"))
        self._world.tell("both of", pod.name, "are cut for", f"{seconds:.3f}", "and the", longer, "for longer")
        for kind in ("channel", "journal"):
            pod.cut(kind, seconds + (1.5 if kind == longer else 0.0))

    def cut_roster(self) -> None:
        """Cut what a pod tells the roster or the others, or let it stand half-open."""
        pod, rng = self._some_pod(), self._world.rng
        kind, seconds = rng.choice(("roster", "layer")), rng.uniform(0.01, 12.0)
        if rng.random() < 0.5:
            self._world.tell("the", kind, "of", pod.name, "is cut for", f"{seconds:.3f}")
            pod.cut(kind, seconds)
        else:
            self._world.tell("the", kind, "of", pod.name, "is half-open for", f"{seconds:.3f}")
            pod.swallow(kind, seconds)

    def flush_roster(self) -> None:
        self._world.tell("the roster is deleted")
        self._redis.roster.forget()

    def flap(self) -> None:
        pod, kind = self._some_pod(), self._world.rng.choice(KINDS[:2])
        self._world.tell("the", kind, "of", pod.name, "flaps")
        for _ in range(self._world.rng.randint(2, 6)):
            self._world.after(self._world.rng.uniform(0.0, 0.6), pod.cut, kind, 0.001)

    def swallow(self) -> None:
        pod, kind, seconds = self._some_pod(), self._world.rng.choice(KINDS), self._world.rng.uniform(0.5, 12.0)
        self._world.tell("the", kind, "of", pod.name, "is half-open for", f"{seconds:.3f}")
        pod.swallow(kind, seconds)

    def slow(self) -> None:
        pod, kind = self._some_pod(), self._world.rng.choice(KINDS)
        self._world.tell("the", kind, "of", pod.name, "is slow")
        link = getattr(pod, kind)
        link.delay = self._world.rng.choice((0.02, 0.2, 1.0))
        self._world.after(self._world.rng.uniform(0.1, 3.0), setattr, link, "delay", 0.001)

    def slow_some(self) -> None:
        """Let several links of one pod be slow at once, and others not."""
        pod, seconds, rng = self._some_pod(), self._world.rng.uniform(0.2, 4.0), self._world.rng
        kinds = [kind for kind in KINDS if rng.random() < 0.7]
        self._world.tell("so slow as", f"{seconds:.3f}", "are of", pod.name, *kinds)
        until = rng.uniform(1.0, 8.0)
        for kind in kinds:
            link = getattr(pod, kind)
            link.delay = seconds
            self._world.after(until, setattr, link, "delay", 0.001)

    def freeze_redis(self) -> None:
        if self._redis.up and not self._redis.frozen:
            seconds = self._world.rng.uniform(0.05, 6.0)
            self._world.tell("redis freezes for", f"{seconds:.3f}")
            self._redis.freeze()
            self._world.after(seconds, self._redis.thaw)

    def restart_redis(self) -> None:
        # One that restarts before pods have found it is taken for the one that they know: a limit that is stated.
        if self._redis.up and all(pod.met == str(self._redis.run_id) for pod in self._cluster.pods if pod.alive):
            lost = self._world.rng.choice((0, 0, 10**6) if self._redis.durable else (0, 0, 1, 3, 10**6))
            self._world.tell("redis dies, and loses so many entries:", lost)
            self._redis.die()
            self._world.after(self._world.rng.uniform(0.01, 2.0), self._cluster.start_redis, lost)

    def fail_over(self) -> None:
        """Promote a replica that publishers and new connections move to, while pods stay with the old primary."""
        if not self._redis.up or self._redis.frozen:
            return
        self.demote()
        lag = self._world.rng.choice((0, 0, 1, 5, 30))
        self._world.tell("a replica is promoted that lacks so many commands:", lag)
        self._old, self._cluster.redis = self._redis, self._redis.promoted(lag)
        self._world.after(self._world.rng.choice((0.0, 0.5, 3.0, 15.0)), self.demote, self._old)

    def demote(self, old: RedisModel | None = None) -> None:
        """Make a replica of the former primary, of this one where it is named, if there is one."""
        if self._old is not None and old in (None, self._old):
            self._world.tell("the old primary becomes a replica")
            self._old.demote(self._redis)
            self._old = None

    def step_clock(self) -> None:
        step = self._world.rng.choice((-7200.0, -5.0, -0.5, 0.5, 5.0, 7200.0))
        # A pod that starts soon after a step forward takes recent entries for old ones: a limit that is stated.
        if step > 0 and not all(pod.alive and pod.journal.cursor.caught_up for pod in self._cluster.pods):
            return
        # Over a slow link it is seen late, and entries get moments that are off by as much: a limit that is stated.
        if any(pod.journal.delay > SLOW_SECONDS for pod in self._cluster.pods):
            return
        self._kills = self._kills and step < 0
        self.clock_stepped = True
        self._world.tell("the clock of redis steps by", step)
        self._redis.clock_offset += step

    @property
    def _some_have_read_nothing(self) -> bool:
        """Say whether a pod would not see that entries are gone, as it has never read one, or none could tell it.

        Both are limits that are stated.
        """
        alive = [pod for pod in self._cluster.pods if pod.alive]
        return all(pod.frozen for pod in alive) or any(pod.journal.cursor.position is None for pod in alive)

    def delete_journal(self) -> None:
        if self._some_have_read_nothing:
            return
        self._world.tell("the journal is deleted")
        self._redis.delete()

    def trim_journal(self) -> None:
        if self._some_have_read_nothing:
            return
        kept = self._world.rng.choice((0, 1, 3))
        self._world.tell("the journal is trimmed to", kept)
        self._redis.trim(kept)

    def kill_pod(self) -> None:
        pod = self._some_pod()
        if pod.alive and self._kills:
            self._world.tell(pod.name, "is killed")
            pod.kill()
            for device in self._cluster.devices:
                device.lost(pod)
            self._world.after(self._world.rng.uniform(0.05, 2.0), self._cluster.restart, self._cluster.pods.index(pod))

    def freeze_pod(self) -> None:
        pod, seconds = self._some_pod(), self._world.rng.choice((0.05, 1.0, 5.0, 12.0))
        if pod.alive and not pod.frozen:
            self._world.tell(pod.name, "freezes for", seconds)
            pod.freeze()
            self._world.after(seconds, self._thaw, pod)

    def _thaw(self, pod: SimulatedPod) -> None:
        if pod.alive and pod.frozen:
            pod.thaw()

    def move_all(self) -> None:
        for device in self._cluster.devices:
            device.move()
