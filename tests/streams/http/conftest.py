"""A pod whose server is a pair of plain functions, and the writers that it was given."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.conf import settings

from streams.http import consumers
from streams.pod import Pod
from tests.streams.builders import Recorder


@pytest.fixture
def pod() -> Pod:
    """A pod that takes clients; nothing of it runs."""
    pod = Pod(msgspec.structs.replace(settings.STREAMS, cors_allowed_origins=frozenset({"*"}), history_seconds=300))
    pod.registry.subscribed = True
    return pod


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """The writer of each stream that was asked for, in their order."""
    made: list[Recorder] = []

    def open_writer(*_arguments: Any) -> Recorder:
        made.append(Recorder())
        return made[-1]

    monkeypatch.setattr(consumers, "open_writer", open_writer)
    return made
