"""Whatever is published on the channel, the good events among it arrive, whole, each on one line."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import StartPod
from tests.support.http import open_stream
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

UNUSABLE = int(os.environ.get("STREAMS_TEST_UNUSABLE", "50000"))
BATCH = 1000
# Large ones come seldom: what is tried is that they are skipped, not the speed of the loopback.
LARGE_EVERY = 500
MAX_EVENT_BYTES = 256 * 1024

SMALL: list[Callable[[random.Random, str], bytes]] = [
    lambda draw, name: b"",
    lambda draw, name: b"hello",
    lambda draw, name: draw.randbytes(draw.randint(1, 200)).replace(b"{", b"["),
    lambda draw, name: b"null",
    lambda draw, name: b"true",
    lambda draw, name: str(draw.randint(-(10**40), 10**40)).encode(),
    lambda draw, name: b"1e999999",
    lambda draw, name: json.dumps(name).encode(),
    lambda draw, name: json.dumps([name, "payment"]).encode(),
    lambda draw, name: json.dumps([event(name)]).encode(),
    lambda draw, name: b"{}",
    lambda draw, name: b'{"action":"payment","data":{}}',
    lambda draw, name: json.dumps({"clientname": name, "ClientName": name, "client_name": name}).encode(),
    lambda draw, name: b'{"clientName":null}',
    lambda draw, name: b'{"clientName":%d}' % draw.randint(0, 10**6),
    lambda draw, name: b'{"clientName":1.5e3}',
    lambda draw, name: json.dumps({"clientName": [name]}).encode(),
    lambda draw, name: json.dumps({"clientName": {"name": name}}).encode(),
    lambda draw, name: b'{"clientName":true}',
    # A document that ends too early, goes on too long, or is not quite JSON.
    lambda draw, name: json.dumps(event(name)).encode()[: draw.randint(1, 100)],
    lambda draw, name: json.dumps(event(name)).encode() + b"}",
    lambda draw, name: json.dumps(event(name)).encode() * 2,
    lambda draw, name: str(event(name)).encode(),
    lambda draw, name: b'{"clientName":"%b","data":NaN}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":{"a":1,}}' % name.encode(),
    # Bytes that no JSON text holds.
    lambda draw, name: b'{"clientName":"%b","data":"\xff\xfe"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"\xc3"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b\xed\xa0\x80"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"a\x00b"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b"}\x00' % name.encode(),
    lambda draw, name: b"\x00",
    lambda draw, name: b'{"clientName":"%b","data":"a\nb"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"a\r\rdata: b"}' % name.encode(),
    lambda draw, name: json.dumps(event(name)).encode("utf-16"),
]
LARGE: list[Callable[[random.Random, str], bytes]] = [
    lambda draw, name: b"x" * 2**20,
    lambda draw, name: json.dumps(event(name, data="x" * 2**20)).encode(),
    lambda draw, name: b"[" * 100_000,
    lambda draw, name: b'{"clientName":"%b","data":' % name.encode() + b"[" * 100_000 + b"]" * 100_000 + b"}",
    lambda draw, name: b'{"clientName":"%b","data":' % name.encode() + b'{"a":' * 40_000 + b"1" + b"}" * 40_001,
    lambda draw, name: json.dumps(event(name, data="x" * MAX_EVENT_BYTES)).encode(),
]


def unusable(name: str) -> Iterator[bytes]:
    """Make messages of every kind in turn, each of which names the client if it can."""
    draw = random.Random(20260105)
    small, large = itertools.cycle(SMALL), itertools.cycle(LARGE)
    for number in itertools.count(1):
        yield next(small if number % LARGE_EVERY else large)(draw, name)


def good(name: str, number: int) -> tuple[bytes, dict[str, object]]:
    """Make a usable event in one of the forms that publishers choose, and what it says."""
    says = event(name, number, data={"text": "Grüße, 日本\u2028\0\x85\n\r\\", "number": number, "deep": [[[{}]]]})
    forms: list[Callable[[], str]] = [
        lambda: json.dumps(says),
        lambda: json.dumps(says, ensure_ascii=False),
        lambda: json.dumps(says, indent=4),
        lambda: json.dumps(says, indent="\t", ensure_ascii=False).replace("\n", "\r\n"),
        lambda: "\n\r\n " + json.dumps(says, separators=(",", ":")) + " \r\n",
        lambda: json.dumps(dict(reversed(says.items()))),
        lambda: json.dumps({"surplus": {"clientName": "OTHER"}, **says, "event": "x\nevent: y"}),
    ]
    text = forms[number % len(forms)]()
    return text.encode(), json.loads(text)


@pytest.mark.timeout(180)
async def test_every_good_event_arrives_among_unusable_ones(start_pod: StartPod, redis_server: RedisServer):
    name, channel = "STORE001-LANE01", "among-unusable"
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL=channel, LOG_LEVEL="info")
    bad = unusable(name)
    good_number = 0
    began = time.monotonic()
    async with await open_stream(pod.port, name) as stream:
        lines_before = pod.log.count("\n")
        for _ in range(UNUSABLE // BATCH):
            messages: list[bytes] = []
            expected: list[dict[str, object]] = []
            for number, message in enumerate(itertools.islice(bad, BATCH)):
                messages.append(message)
                if number % 50 == 49:
                    good_number += 1
                    text, says = good(name, good_number)
                    messages.append(text)
                    expected.append(says)
            redis_server.publish_all(messages, channel)
            for says in expected:
                received = await stream.next()
                assert received is not None, pod.log
                assert received.json() == says
                assert received.data_lines == 1, "an event is to stand on one data: line"
                assert received.last_event_id == says["eventId"]
                assert received.type == "message"
        lines = pod.log.count("\n") - lines_before
        seconds = time.monotonic() - began
        count = UNUSABLE // BATCH * BATCH
        await eventually("all messages to be counted", lambda: pod.metric("sse_events_unusable_total") == count)
        assert pod.metric("sse_events_delivered_total") == good_number
        assert pod.metric("sse_redis_outages_total") == 0, "no message is to cost the subscription"
        # One line a second at most, and one more for the second that has just begun.
        assert lines <= seconds + 2, f"{lines} lines of log in {seconds:.1f} s"
        assert max(len(line) for line in pod.log.splitlines()) < 1000, "a line of log is not to hold a message"


async def test_messages_for_names_that_nobody_can_have_are_ignored(
    start_pod: StartPod, redis_server: RedisServer, client_name: str
):
    channel = "strange-names"
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL=channel, LOG_LEVEL="debug")
    async with await open_stream(pod.port, client_name) as stream:
        for strange in ("", " ", client_name + " ", client_name + "\n", "a\r\nb", "x" * 10_000, "\0", "Ünïcode"):
            redis_server.publish(event(strange), channel)
        redis_server.publish(event("NOBODY"), channel)
        redis_server.publish(event(client_name, 3), channel)
        assert (await stream.next_json())["eventId"] == "evt-00000003"
    pod.wait_log("Client NOBODY not on this pod (pod-under-test) - ignoring")
    assert max(len(line) for line in pod.log.splitlines()) < 1000, "a line of log is not to hold a message"
    assert "\r" not in pod.log, "a name is not to break a line of log"
    assert "\nb not on this pod" not in pod.log, "a name is not to break a line of log"
