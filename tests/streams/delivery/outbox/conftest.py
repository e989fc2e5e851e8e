"""An outbox of the test's own."""

from __future__ import annotations

import pytest

from tests.streams.delivery.outbox.rooms import Room


@pytest.fixture
def room() -> Room:
    return Room()
