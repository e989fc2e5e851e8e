"""How the subscription is kept up; a real server is in tests/integration."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from streams.broker import subscriber as subscriber_module
from streams.broker.side import QUESTIONS
from streams.broker.subscriber import Subscriber
from streams.broker.subscription import LinkLost, Subscription
from streams.errors import ConfigurationError


def make_subscriber(url: str = "redis://localhost", name: str = "sse-pod") -> Subscriber:
    return Subscriber(
        url,
        "events",
        name,
        canary_pattern="canary:*",
        on_messages=lambda _messages: None,
        on_canary=lambda _message: None,
        on_change=lambda _subscribed: None,
    )


def test_subscriber_introduces_itself_and_logs_in():
    subscriber = make_subscriber(name="sse-pod ü\n1")
    subscribing = [*QUESTIONS, ("PSUBSCRIBE", "canary:*"), ("SUBSCRIBE", "events")]
    assert subscriber._handshake(None) == [("CLIENT", "SETNAME", "sse-pod---1"), *subscribing]
    assert subscriber._handshake(("user", "secret"))[0] == ("AUTH", "user", "secret")


def test_subscriber_refuses_an_option_that_it_would_ignore():
    with pytest.raises(ConfigurationError, match="protocol"):
        make_subscriber("redis://localhost?protocol=3")


class Answers:
    """A subscription that answers some of its pings."""

    def __init__(self, answered: str) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received_at = time.monotonic()
        self._left = list(answered)

    @property
    def pings_left(self) -> int:
        return len(self._left)

    def ping(self) -> None:
        if self._left.pop(0) == "y":
            self.received_at = time.monotonic()


async def test_subscriber_gives_up_after_two_pings_in_a_row_without_an_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subscriber_module, "PING_SECONDS", 0.001)
    subscription = Answers("yynynynnyy")
    with pytest.raises(LinkLost, match="no answer"):
        await make_subscriber()._keep_alive(cast("Subscription", subscription))
    assert subscription.pings_left == 2, "one alone may be unread because this process stood still"


async def test_subscriber_notices_a_loss_between_two_pings():
    subscription = Answers("y")
    task = asyncio.create_task(make_subscriber()._keep_alive(cast("Subscription", subscription)))
    await asyncio.sleep(0)
    subscription.lost.set_exception(LinkLost("Redis closed the connection"))
    with pytest.raises(LinkLost, match="closed"):
        await asyncio.wait_for(task, 1)
