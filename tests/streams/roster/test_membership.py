"""A pod hears the others, and knows when it did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from channels.layers import InMemoryChannelLayer

from streams.roster import membership
from streams.roster.membership import Membership
from streams.roster.messages import Told
from tests.support.waiting import eventually


class LossyLayer(InMemoryChannelLayer):  # type: ignore[misc]  # which publishes no types
    """Loses what is sent while it is told to."""

    losing = False

    async def group_send(self, group: str, message: dict[str, object]) -> None:
        if not self.losing:
            await super().group_send(group, message)

    async def flush(self) -> None:
        await super().flush()
        self.losing = False


class Members:
    """A pod among the others, on a layer of its own; `heard` is what it says when it hears them."""

    def __init__(self) -> None:
        self.layer = LossyLayer()
        self.pod = Membership("life", "pod-1", lambda _told: None)
        self.heard: list[bool] = []
        self.pod.on_hearing = lambda: self.heard.append(self.pod.hearing)


@pytest.fixture
async def members(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Members]:
    members = Members()
    monkeypatch.setattr(membership, "get_channel_layer", lambda: members.layer)
    monkeypatch.setattr(membership, "UNCONFIRMED_SECONDS", 0.2)
    monkeypatch.setattr(membership, "GREET_SECONDS", 0.05)
    running = asyncio.create_task(members.pod.run())
    await eventually("the pod to hear the others", lambda: members.heard == [True])
    yield members
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_membership_says_when_the_others_are_heard_again(members: Members):
    """What they told this pod meanwhile is lost."""
    members.layer.losing = True
    await eventually("it to hear them again", lambda: members.heard == [True, True])


async def test_membership_that_tells_others_all_the_time_goes_on(members: Members):
    """Nothing of that comes back."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        members.pod.tell([("another", Told("life", "pod-1"))])
        await asyncio.sleep(0.01)
    assert members.heard == [True]
    assert members.pod.hearing
