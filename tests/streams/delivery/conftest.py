"""A router, a whole pod without I/O, and the monotonic clock, for the test to turn."""

from __future__ import annotations

import time

import pytest

from streams.delivery.registry import Registry
from streams.delivery.router import Router
from tests.streams.builders import make_router
from tests.streams.clocks import HandClock
from tests.streams.delivery.pods import PurePod


@pytest.fixture
def router(registry: Registry) -> Router:
    return make_router(registry)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the monotonic clock, in a list of one, for the test to turn."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def pod(hands: HandClock) -> PurePod:
    """A pod that has heard both ingresses for ten seconds."""
    pod = PurePod(hands)
    pod.start()
    pod.live(10)
    return pod
