"""What a subscription makes of the bytes that Redis sends; a real server is in tests/integration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import hiredis
import pytest

from streams.broker import subscriber as subscriber_module
from streams.broker.subscriber import FULL_READ_BYTES, LinkLost, Subscriber, Subscription
from streams.errors import ConfigurationError
from tests.support.waiting import eventually

COMMANDS = [("CLIENT", "SETNAME", "sse-pod"), ("SUBSCRIBE", "events")]


def array(*parts: bytes) -> bytes:
    # A command and an array of a reply look alike.
    packed: bytes = hiredis.pack_command(parts)
    return packed


def message(payload: bytes) -> bytes:
    return array(b"message", b"events", payload)


def canary(payload: bytes) -> bytes:
    return array(b"pmessage", b"canary:*", b"canary:1", payload)


class Callbacks:
    """Records what it is called with, in order; a payload of `b"poison"` is not taken."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.subscription = Subscription(COMMANDS, self.on_messages, self.on_canary)

    def on_messages(self, messages: list[bytes]) -> None:
        self._take(messages, messages)

    def on_canary(self, payload: bytes) -> None:
        self._take(payload, [payload])

    def _take(self, call: Any, payloads: list[bytes]) -> None:
        if b"poison" in payloads:
            raise ValueError("poison")
        self.calls.append(call)

    def reason(self) -> str:
        with pytest.raises(LinkLost) as lost:
            self.subscription.lost.result()
        return str(lost.value)


@pytest.fixture
async def callbacks() -> Callbacks:
    return Callbacks()


class Transport:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


async def test_subscription_hands_on_what_was_read_at_once_together(callbacks: Callbacks):
    callbacks.subscription.data_received(message(b"one") + message(b"two"))
    callbacks.subscription.data_received(message(b"three"))
    assert callbacks.calls == [[b"one", b"two"], [b"three"]]


async def test_subscription_keeps_the_order_of_events_and_canaries(callbacks: Callbacks):
    callbacks.subscription.data_received(
        message(b"one") + message(b"two") + canary(b"first") + message(b"three") + canary(b"second") + canary(b"third")
    )
    assert callbacks.calls == [[b"one", b"two"], b"first", [b"three"], b"second", b"third"]


async def test_subscription_keeps_the_order_in_any_pieces(callbacks: Callbacks):
    replies = message(b"one") + canary(b"first") + message(b"two")
    for position in range(len(replies)):
        callbacks.subscription.data_received(replies[position : position + 1])
    assert callbacks.calls == [[b"one"], b"first", [b"two"]]


async def test_subscription_gathers_over_full_reads(callbacks: Callbacks):
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(large))
    assert callbacks.calls == [], "a full read has more behind it"
    callbacks.subscription.data_received(message(b"two"))
    assert callbacks.calls == [[large, b"two"]]


async def test_subscription_hands_on_what_was_gathered_before_a_canary(callbacks: Callbacks):
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(large))
    callbacks.subscription.data_received(canary(b"first") + message(b"two"))
    assert callbacks.calls == [[large], b"first", [b"two"]]


async def test_subscription_does_not_wait_for_more_that_never_comes(callbacks: Callbacks):
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(large))
    await eventually("the message", lambda: callbacks.calls == [[large]])


async def test_subscription_hands_on_what_was_gathered_before_it_is_lost(callbacks: Callbacks):
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(large))
    callbacks.subscription.connection_lost(None)
    assert callbacks.calls == [[large]]
    assert callbacks.reason() == "Redis closed the connection"


async def test_subscription_hands_on_what_was_gathered_before_it_is_given_up(callbacks: Callbacks):
    """Whoever gives it up says so next; what came behind that would seem to be of another subscription."""
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(large))
    callbacks.subscription.abort()
    assert callbacks.calls == [[large]]


async def test_subscription_hands_on_nothing_behind_its_loss(callbacks: Callbacks):
    large = b"x" * FULL_READ_BYTES
    callbacks.subscription.data_received(message(b"one") + b"-ERR refused\r\n" + message(large))
    callbacks.subscription.connection_lost(None)
    assert callbacks.calls == [[b"one"]]


@pytest.mark.parametrize("poison", [message, canary])
async def test_subscription_survives_a_callback_that_raises(
    poison: Callable[[bytes], bytes], callbacks: Callbacks, caplog: pytest.LogCaptureFixture
):
    callbacks.subscription.data_received(canary(b"first") + poison(b"poison") + canary(b"second"))
    callbacks.subscription.data_received(message(b"one"))
    assert callbacks.calls == [b"first", b"second", [b"one"]]
    assert not callbacks.subscription.lost.done()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "ValueError: poison" in caplog.text


async def test_subscription_logs_callbacks_that_raise_sparingly(callbacks: Callbacks, caplog: pytest.LogCaptureFixture):
    for _ in range(100):
        callbacks.subscription.data_received(message(b"poison"))
    assert len(caplog.records) == 1


async def test_subscription_says_when_it_is_subscribed(callbacks: Callbacks):
    callbacks.subscription.data_received(b"+OK\r\n" + array(b"psubscribe", b"canary:*", b"1"))
    assert not callbacks.subscription.subscribed.done()
    callbacks.subscription.data_received(array(b"subscribe", b"events", b"2") + message(b"one"))
    assert callbacks.subscription.subscribed.done()
    callbacks.subscription.data_received(b"+PONG\r\n" + array(b"pong", b""))
    assert callbacks.calls == [[b"one"]]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"-NOPERM no\r\n", "Redis refused: NOPERM no"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Redis"),
        (b"*0\r\n", "does not speak Redis"),
        (b"*2\r\n$7\r\nmessage\r\n$1\r\na\r\n", "does not speak Redis"),
        (b"*3\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\nb\r\n", "does not speak Redis"),
    ],
)
async def test_subscription_ends_with_what_is_no_subscription(reply: bytes, reason: str, callbacks: Callbacks):
    transport = Transport()
    callbacks.subscription.connection_made(cast("asyncio.Transport", transport))
    callbacks.subscription.data_received(message(b"one") + reply)
    assert reason in callbacks.reason()
    assert callbacks.subscription.subscribed.exception() is callbacks.subscription.lost.exception()
    assert transport.aborted
    assert callbacks.calls == [[b"one"]], "what was read before is taken"


async def test_subscription_sends_its_handshake_in_one_write(callbacks: Callbacks):
    transport = Transport()
    callbacks.subscription.connection_made(cast("asyncio.Transport", transport))
    assert transport.written == array(b"CLIENT", b"SETNAME", b"sse-pod") + array(b"SUBSCRIBE", b"events")
    callbacks.subscription.ping()
    assert transport.written.endswith(array(b"PING"))


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
    subscribing = [("PSUBSCRIBE", "canary:*"), ("SUBSCRIBE", "events")]
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
