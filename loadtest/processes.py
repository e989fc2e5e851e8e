"""CPU time and memory of a process, from /proc (Linux).

https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import LoadTestError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process keeps in memory; PSS counts a shared page in parts."""

    pss_kib: int
    rss_kib: int


def cpu_seconds(pid: int) -> float:
    """Read the CPU time, user and system, of all threads of a process.

    Raises LoadTestError when there is no such process.
    """
    return parse_stat(_read(pid, "stat"))


def memory(pid: int) -> Memory:
    """Read the memory of a process.

    Raises LoadTestError when there is no such process, or it is somebody else's.
    """
    return parse_smaps_rollup(_read(pid, "smaps_rollup"))


def parse_stat(text: str) -> float:
    """Read CPU seconds out of /proc/PID/stat."""
    # The command's name stands in parentheses and may itself hold some.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


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
        raise LoadTestError(f"There is no process {pid} on this machine.") from None
    except PermissionError:
        raise LoadTestError(f"Process {pid} belongs to another user: run as that user.") from None
