"""What publish() refuses before it speaks to Redis; what it publishes is tested with a real one."""

from __future__ import annotations

from typing import Any

import pytest

from streams.broker.publisher import apublish, new_event_id, publish
from streams.errors import InvalidEvent

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"client_name": "-a"}, "clientName"),
    ({"client_name": None}, "clientName"),
    ({"client_name": "a\r\nb"}, "clientName"),
    ({"action": ""}, "action"),
    ({"event_id": "a\nb"}, "eventId"),
    ({"event_id": ""}, "eventId"),
    ({"data": {1, 2}.__iter__}, "data"),
    ({"data": "x" * 300_000}, "MAX_EVENT_BYTES"),
]


@pytest.mark.parametrize(("fields", "sentence"), INVALID)
def test_publish_refuses(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        publish(**{"client_name": "a", "action": "payment", **fields})


@pytest.mark.parametrize(("fields", "sentence"), INVALID)
async def test_apublish_refuses_the_same(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        await apublish(**{"client_name": "a", "action": "payment", **fields})


def test_ids_are_drawn_anew():
    ids = {new_event_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(event_id.startswith("evt-") and event_id.isascii() for event_id in ids)
