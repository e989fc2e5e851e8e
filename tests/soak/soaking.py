"""A soak: a pod under churn for long, looked at again and again while nobody is connected."""

from __future__ import annotations

import functools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.soak.churn import churn
from tests.support.pods import OBSERVED, Pod, environment
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

MIB = 1024 * 1024
CHURNING_PROCESSES = 2
# The share of the churn after which the pod has its size: arenas, caches, lists that are bounded.
WARM_UP_SHARE = 0.2
STAGES = 4
SLACK_THREADS = 3
PROGRESS_SECONDS = 10.0


class Held(NamedTuple):
    """What a pod holds at a moment without clients."""

    connects: int
    resident_bytes: int
    descriptors: int
    threads: int
    tasks: int
    objects: int

    def __str__(self) -> str:
        return (
            f"{self.connects:>9,} connects: {self.resident_bytes / MIB:6.1f} MiB, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.tasks} tasks, {self.objects:,} objects"
        )


class SoakPod(Pod):
    """A pod that says what it holds."""

    def __init__(self, log_path: Path, redis_url: str) -> None:
        # Nobody is to be turned away here, and a line of log for each connection would fill a disk.
        env = environment(
            REDIS_URL=redis_url, POD_NAME="soaked", DRAIN_SECONDS=0, DUEL_LIMIT=10_000, LOG_LEVEL="warning"
        )
        super().__init__("soak", log_path, env)

    def command(self, **options: str) -> list[str]:
        return [sys.executable, "-m", "tests.soak.pod", str(self.port)]

    def held(self, connects: int, descriptors: int | None = None) -> Held:
        """Look at it when its last client is gone; give up waiting for descriptors in the end."""
        wait_until("no connection to be left", lambda: self.connections() == 0)
        wait_until("Redis to be told of their ends", lambda: self.json(OBSERVED)["unsaid"] == 0)
        observed = self.json(OBSERVED)
        deadline = time.monotonic() + (1 if descriptors is None else 5)
        # What it has just answered may not be closed yet.
        while (held := self.ps.num_fds()) > (descriptors or 0) and time.monotonic() < deadline:
            time.sleep(0.05)
        return Held(
            connects,
            self.ps.memory_info().rss,
            held,
            self.ps.num_threads(),
            len(observed["tasks"]),
            observed["objects"],
        )


@contextmanager
def soak_pod() -> Iterator[SoakPod]:
    server = RedisServer()
    with tempfile.TemporaryDirectory() as directory:
        server.start()
        pod = SoakPod(Path(directory) / "pod.log", server.url)
        try:
            pod.wait_ready()
            yield pod
            assert pod.terminate() == 0, pod.log
            pod.assert_no_traceback()
        finally:
            pod.kill()
            server.stop()


def tell(pod: SoakPod, before: int, say: Callable[[str], None], done: int) -> None:
    """Say how far it is."""
    say(f"{before + done:>9,} connects, {pod.ps.memory_info().rss / MIB:6.1f} MiB, {pod.connections()} clients")


def run_stage(pod: SoakPod, count: int, seconds: float, progress: Callable[[int], None]) -> int:
    """Churn until there were so many connects or so many seconds; return how many there were."""
    context = multiprocessing.get_context("spawn")
    done, over = context.Value("q", 0), context.Event()
    processes = [
        context.Process(target=churn, args=(number, pod.port, count // CHURNING_PROCESSES, done, over))
        for number in range(CHURNING_PROCESSES)
    ]
    deadline, progress_due = time.monotonic() + seconds, time.monotonic() + PROGRESS_SECONDS
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            if time.monotonic() > deadline:
                over.set()
            if time.monotonic() > progress_due:
                progress_due += PROGRESS_SECONDS
                progress(done.value)
            processes[0].join(0.5)
    finally:
        over.set()
        for process in processes:
            process.join()
    assert all(process.exitcode == 0 for process in processes), "a client met what it should not; see above"
    return int(done.value)


def soak(connects: int, seconds: float, say: Callable[[str], None]) -> list[Held]:
    """Churn for so many connects or seconds, whichever ends first; return what the pod held at each look.

    The first look is after the warm-up, the others at even distances after it.
    """
    looks: list[Held] = []
    total = 0
    with soak_pod() as pod:
        at_rest = pod.held(0)
        say(str(at_rest))
        for share in [WARM_UP_SHARE, *[(1 - WARM_UP_SHARE) / STAGES] * STAGES]:
            total += run_stage(pod, round(connects * share), seconds * share, functools.partial(tell, pod, total, say))
            looks.append(pod.held(total, at_rest.descriptors))
            say(str(looks[-1]))
    return looks


def assert_flat(looks: list[Held], slack_bytes: float) -> None:
    """Fail unless nothing grew after the warm-up."""
    first, last = looks[0], looks[-1]
    told = "\n".join(map(str, looks))
    assert last.descriptors <= first.descriptors, told
    # Requests that need a thread get one for their time, and with it a task that waits for it.
    assert last.threads <= first.threads + SLACK_THREADS, told
    assert last.tasks <= first.tasks + SLACK_THREADS, told
    # A tenth of an object a connect would be thousands.
    assert last.objects - first.objects < 500 + 0.01 * (last.connects - first.connects), told
    assert last.resident_bytes - first.resident_bytes < slack_bytes, told
