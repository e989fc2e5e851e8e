"""Whatever stands in a name, an id or a message, a client reads the events that were published."""

from __future__ import annotations

import json

import pytest

from tests.support.http import open_stream
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event

HOSTILE = [
    "evt-1\ndata: injected",
    "evt-1\r\n\r\ndata: injected\n\n",
    "evt-1\rdata: injected",
    "evt\0",
    "\ufeffevt",
    "é",
    "",
    "x" * 129,
    5,
    True,
    None,
    ["evt-1"],
    {"id": "evt-1"},
]


@pytest.mark.parametrize("ensure_ascii", [True, False])
async def test_event_says_no_more_than_itself(
    pod: Pod, redis_server: RedisServer, client_name: str, ensure_ascii: bool
):
    async with await open_stream(pod.port, client_name) as stream:
        for number, hostile in enumerate(HOSTILE):
            # The id that is still in force must be the last usable one, and never a mended one.
            says = event(client_name, number, data={"text": "\n\ndata: injected\n\nevent: evicted\n\n", "id": hostile})
            redis_server.publish(json.dumps({**says, "eventId": hostile, "action": hostile}, ensure_ascii=ensure_ascii))
            redis_server.publish(event(client_name, number))
            first, second = await stream.next(), await stream.next()
            assert first is not None
            assert second is not None
            assert first.json() == {**says, "eventId": hostile, "action": hostile}
            assert (first.type, first.data_lines) == ("message", 1)
            assert first.last_event_id in ("", f"evt-{number - 1:08d}"), "an id that breaks the rule is no id"
            assert (second.type, second.last_event_id) == ("message", f"evt-{number:08d}")


async def test_event_id_that_is_usable_is_kept_to_the_letter(pod: Pod, redis_server: RedisServer, client_name: str):
    async with await open_stream(pod.port, client_name) as stream:
        for event_id in ("1", "x" * 128, "in the middle", ": colon", "id: x", "~!\"#$%&'()*+,-./\\"):
            redis_server.publish(event(client_name, eventId=event_id))
            received = await stream.next()
            assert received is not None
            assert received.last_event_id == event_id


async def test_event_id_that_a_header_cannot_bring_back_is_left_out(
    pod: Pod, redis_server: RedisServer, client_name: str
):
    """HTTP strips blanks from a header's ends, so such an id would come back as another, or as none."""
    async with await open_stream(pod.port, client_name) as stream:
        for event_id in (" leading", "trailing ", " "):
            redis_server.publish(event(client_name, eventId=event_id))
            received = await stream.next()
            assert received is not None
            assert received.last_event_id == ""
