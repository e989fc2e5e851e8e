"""A cluster of lives in a real Redis, looked at from the pod that the views read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashboard.cluster import actions, look
from streams.pod import Pod
from streams.roster.tracing import questions
from tests.streams.roster.fleet import Fleet, fleet_in
from tests.support.redis_server import RedisServer


@pytest.fixture
async def fleet(redis_server: RedisServer, local_pod: Pod, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """A roster of the test's own, in which the pod that is asked is the life `one`."""
    async with fleet_in(redis_server) as fleet:
        for module in (look, actions):
            monkeypatch.setattr(module, "reader_of", lambda _pod: fleet.reader)
        monkeypatch.setattr(local_pod.roster.claims, "life", "one")
        monkeypatch.setattr(local_pod.roster, "channel", fleet.channel)
        monkeypatch.setattr(local_pod.roster, "_url", redis_server.url)
        # Nobody is there to answer.
        monkeypatch.setattr(questions, "ANSWER_SECONDS", 0.01)
        yield fleet
