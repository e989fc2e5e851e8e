"""The clock of Twisted's timers."""

from __future__ import annotations

import sys
import time
from typing import Any


def use_steady_clock() -> None:
    """Let the timers of Twisted's reactor, where there is one, run on the clock that never steps.

    Its own is Unix time: set back by an hour, a timer of a second would ring an hour late. Call it
    before the first timer is set; a reactor that has some is left alone.
    """
    # As it is loaded by whoever serves; other servers have none.
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is not None and not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic
