"""A clock that the test turns by hand, and a registry whose pod is subscribed."""

from __future__ import annotations

import pytest

from streams.delivery.registry import Registry
from tests.streams.builders import make_registry
from tests.streams.clocks import HandClock


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


@pytest.fixture
def registry() -> Registry:
    return make_registry()
