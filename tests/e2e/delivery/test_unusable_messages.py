"""Whatever is published on the channel, the good events among it arrive, whole, each on one line."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from tests.conftest import StartPod
from tests.support.http import open_stream
from tests.support.poison import good, unusable
from tests.support.redis_server import RedisServer, event
from tests.support.waiting import eventually

UNUSABLE = int(os.environ.get("STREAMS_TEST_UNUSABLE", "50000"))
BATCH = 1000


@pytest.mark.timeout(180)
async def test_every_good_event_arrives_among_unusable_ones(start_pod: StartPod, redis_server: RedisServer):
    name, channel = "STORE001-LANE01", "among-unusable"
    pod = start_pod(REDIS_URL=redis_server.url, REDIS_CHANNEL=channel, LOG_LEVEL="info")
    bad = unusable(name)
    good_number = 0
    began = time.monotonic()
    async with await open_stream(pod.port, name) as stream:
        pod.wait_log(f"Registered {name} ")
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
