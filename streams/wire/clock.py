"""The two clocks of a pod, as one value, so that a simulation can bring its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """`wall` is Unix time and may step; `monotonic` never goes back, and its zero means nothing. Both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(time.time, time.monotonic)
