"""CPU time and memory of a process (Linux).

https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import LoadTestError

# What clock_getcpuclockid(3) answers, which Python has for threads only: the complement of the
# process id, and in the lowest bits "the scheduler's clock of a whole process".
_CLOCK_SHIFT = 3
_SCHEDULER_CLOCK = 2
_NO_PROCESS = "There is no process {} on this machine."


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process keeps in memory; PSS counts a shared page in parts."""

    pss_kib: int
    rss_kib: int


def cpu_seconds(pid: int) -> float:
    """Read the CPU time, user and system, of all threads of a process, those that ended too.

    To the nanosecond: /proc/PID/stat counts in steps of 10 ms, as much as holding a thousand idle
    connections takes in two seconds. Raises LoadTestError when there is no such process.
    """
    try:
        return time.clock_gettime(~pid << _CLOCK_SHIFT | _SCHEDULER_CLOCK)
    except OSError:
        raise LoadTestError(_NO_PROCESS.format(pid)) from None


def memory(pid: int) -> Memory:
    """Read the memory of a process.

    Raises LoadTestError when there is no such process, or it is somebody else's.
    """
    return parse_smaps_rollup(_read(pid, "smaps_rollup"))


def parse_smaps_rollup(text: str) -> Memory:
    """Read PSS and RSS out of /proc/PID/smaps_rollup."""
    sizes = {}
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0])
    return Memory(sizes["Pss"], sizes["Rss"])


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise LoadTestError(_NO_PROCESS.format(pid)) from None
    except PermissionError:
        raise LoadTestError(f"Process {pid} belongs to another user: run as that user.") from None
