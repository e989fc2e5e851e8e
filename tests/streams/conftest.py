"""A clock that the test turns by hand."""

from __future__ import annotations

import pytest

from tests.streams.clocks import HandClock


@pytest.fixture
def hands() -> HandClock:
    return HandClock()
