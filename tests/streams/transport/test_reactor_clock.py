from __future__ import annotations

import sys
import time

import pytest

from streams.transport.reactor_clock import use_steady_clock

REACTOR = "twisted.internet.reactor"


class Reactor:
    """As much of Twisted's as matters."""

    seconds = staticmethod(time.time)

    def __init__(self, *timers: object) -> None:
        self._timers = list(timers)

    def getDelayedCalls(self) -> list[object]:  # noqa: N802
        return self._timers


def test_use_steady_clock_gives_the_reactor_the_clock_that_never_steps(monkeypatch: pytest.MonkeyPatch):
    reactor = Reactor()
    monkeypatch.setitem(sys.modules, REACTOR, reactor)
    use_steady_clock()
    assert reactor.seconds is time.monotonic


def test_use_steady_clock_leaves_a_reactor_alone_whose_timers_are_set(monkeypatch: pytest.MonkeyPatch):
    reactor = Reactor("a timer")
    monkeypatch.setitem(sys.modules, REACTOR, reactor)
    use_steady_clock()
    assert reactor.seconds is time.time


def test_use_steady_clock_needs_no_reactor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, REACTOR, raising=False)
    use_steady_clock()
    assert REACTOR not in sys.modules
