from __future__ import annotations

import time

from streams.wire.clock import SYSTEM_CLOCK, Clock


def test_the_system_has_both():
    before = (time.time(), time.monotonic())
    now = (SYSTEM_CLOCK.wall(), SYSTEM_CLOCK.monotonic())
    after = (time.time(), time.monotonic())
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_a_test_brings_its_own():
    clock = Clock(wall=lambda: 1.5, monotonic=lambda: 0.5)
    assert (clock.wall(), clock.monotonic()) == (1.5, 0.5)
