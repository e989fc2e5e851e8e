"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import redis

from tests.benchmarks.pods import express_versions

PACKAGES = ("django", "channels", "daphne", "twisted", "uvloop", "hiredis", "msgspec", "redis")


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


def _cpu_ticks() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_kib() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1])
