"""What a subscription makes of the bytes that Redis sends; a real server is in tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hiredis
import pytest

from streams.broker.side import QUESTIONS
from streams.broker.subscription import FULL_READ_BYTES, LinkLost, Subscription
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


ASKING = [("CLIENT", "SETNAME", "sse-pod"), *QUESTIONS, ("PSUBSCRIBE", "canary:*"), ("SUBSCRIBE", "events")]
# The first is no answer but a refusal.
STANDING = [hiredis.ReplyError("NOPERM no"), b"run_id:abc", b"role:master"]
HANDSHAKE = (
    b"+OK\r\n-NOPERM no\r\n$10\r\nrun_id:abc\r\n$11\r\nrole:master\r\n"
    + array(b"psubscribe", b"canary:*", b"1")
    + array(b"subscribe", b"events", b"2")
)


@pytest.mark.parametrize("refusal", ["", "it is a replica"])
async def test_subscription_shows_what_the_server_says_of_itself_before_any_message(refusal: str):
    calls: list[Any] = []

    def on_open(subscription: Subscription) -> str:
        calls.append(list(map(str, subscription.standing)))
        return refusal

    subscription = Subscription(ASKING, calls.append, calls.append, on_open)
    subscription.data_received(HANDSHAKE + message(b"one"))
    assert calls[0] == list(map(str, STANDING))
    assert subscription.subscribed.done()
    if refusal:
        with pytest.raises(LinkLost, match=refusal):
            subscription.subscribed.result()
    else:
        assert calls[1:] == [[b"one"]]


async def test_subscription_without_a_connection_has_no_address(callbacks: Callbacks):
    assert callbacks.subscription.peer == ""
