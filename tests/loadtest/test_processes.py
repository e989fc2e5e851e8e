"""What is read from /proc."""

from __future__ import annotations

import os
import time

import pytest

from loadtest.errors import LoadTestError
from loadtest.processes import TICKS_PER_SECOND, Memory, cpu_seconds, memory, parse_smaps_rollup, parse_stat

STAT = "4242 (a (strange) name) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 50 7 9 20 0 11 0 100 1000 200"
ROLLUP = """\
55d0c0a00000-7ffd1b5f9000 ---p 00000000 00:00 0                          [rollup]
Rss:               61500 kB
Pss:               58700 kB
Pss_Dirty:         40000 kB
"""


def test_cpu_time_is_user_and_system_whatever_the_name_holds():
    assert parse_stat(STAT) == 300 / TICKS_PER_SECOND


def test_memory():
    assert parse_smaps_rollup(ROLLUP) == Memory(pss_kib=58700, rss_kib=61500)


def test_reads_a_real_process():
    before = cpu_seconds(os.getpid())
    deadline = time.process_time() + 0.1
    while time.process_time() < deadline:
        pass
    assert 0.05 < cpu_seconds(os.getpid()) - before < 5
    assert 1000 < memory(os.getpid()).pss_kib <= memory(os.getpid()).rss_kib + 100


def test_a_process_that_is_not_there():
    # Above the highest process id that Linux gives.
    with pytest.raises(LoadTestError, match="no process 4194305"):
        cpu_seconds(4194305)
