"""What the kernel says of a process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from loadtest.errors import LoadTestError
from loadtest.processes import Memory, cpu_seconds, memory, parse_smaps_rollup

ROLLUP = """\
55d0c0a00000-7ffd1b5f9000 ---p 00000000 00:00 0                          [rollup]
Rss:               61500 kB
Pss:               58700 kB
Pss_Dirty:         40000 kB
"""


def test_memory():
    assert parse_smaps_rollup(ROLLUP) == Memory(pss_kib=58700, rss_kib=61500)


def test_the_cpu_time_of_another_process_is_what_that_process_says_of_itself():
    work = "import sys, time; sum(range(3_000_000)); print(time.process_time(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        said = float(child.stdout.readline())
        # From its own reading on it prints a line and waits.
        assert said <= cpu_seconds(child.pid) < said + 0.5


def test_the_cpu_time_of_threads_that_ended_counts():
    worked: list[float] = []

    def work() -> None:
        sum(range(3_000_000))
        worked.append(time.thread_time())

    before = cpu_seconds(os.getpid())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert cpu_seconds(os.getpid()) - before >= worked[0] > 0


def test_the_memory_of_a_real_process():
    assert 1000 < memory(os.getpid()).pss_kib <= memory(os.getpid()).rss_kib + 100


def test_a_process_that_is_not_there():
    # Above the highest process id that Linux gives.
    with pytest.raises(LoadTestError, match="no process 4194305"):
        cpu_seconds(4194305)
