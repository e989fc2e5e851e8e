"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import redis

from tests.benchmarks.pods import express_versions

PACKAGES = ("django", "channels", "daphne", "twisted", "uvloop", "hiredis", "msgspec", "redis")

# Which CPUs take in what is sent over the loopback device (Linux' receive packet steering).
LOOPBACK_STEERING = Path("/sys/class/net/lo/queues/rx-0/rps_cpus")


class CannotSteer(Exception):
    """This machine does not let packets be steered to chosen CPUs."""


def machine() -> dict[str, str]:
    """Describe this machine."""
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{_memory_kib() / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions(redis_url: str) -> dict[str, str]:
    """List the versions of everything that was measured."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if node := shutil.which("node"):
        found["Node.js"] = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    found |= express_versions()
    with redis.Redis.from_url(redis_url) as client:
        found["Valkey"] = str(client.info("server").get("valkey_version", "?"))
    return found


def busy_share(seconds: float = 2.0) -> float:
    """Measure how busy this machine is with other things, as a share of all its cores."""
    before = _cpu_ticks()
    time.sleep(seconds)
    after = _cpu_ticks()
    total = sum(after) - sum(before)
    # The fourth is idle time, the fifth waiting for a disk.
    idle = sum(after[3:5]) - sum(before[3:5])
    return 1 - idle / total if total else 0.0


@contextlib.contextmanager
def receiving_on(cpus: set[int]) -> Iterator[None]:
    """Let some CPUs take in all that is sent over the loopback device.

    Otherwise the one that sends does it, within the send: the receiver's TCP and its acknowledgement.
    Raises CannotSteer where that cannot be set.
    """
    try:
        before = LOOPBACK_STEERING.read_text()
        LOOPBACK_STEERING.write_text(cpu_mask(cpus))
    except OSError as error:
        raise CannotSteer(f"Linux lets root alone write {LOOPBACK_STEERING}: {error.strerror}") from error
    try:
        yield
    finally:
        LOOPBACK_STEERING.write_text(before)


def cpu_mask(cpus: set[int]) -> str:
    """Write a set of CPUs as the kernel does: in hexadecimal, 32 of them in a group."""
    mask = sum(1 << cpu for cpu in cpus)
    groups = [f"{mask >> shift & 0xFFFFFFFF:08x}" for shift in range(0, max(cpus) + 1, 32)]
    return ",".join(reversed(groups))


def _cpu_ticks() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_kib() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1])
