"""What becomes of an event on its way to Redis; what arrives there is tested with a real one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from streams.broker.publisher import Receipt, apublish, command, publish, receipt
from streams.conf import StreamSettings, read_settings
from streams.errors import InvalidEvent
from streams.wire.publication import Outgoing, new_event_id

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"client_name": "-a"}, "clientName"),
    ({"client_name": None}, "clientName"),
    ({"client_name": "a\r\nb"}, "clientName"),
    ({"action": ""}, "action"),
    ({"event_id": "a\nb"}, "eventId"),
    ({"event_id": ""}, "eventId"),
    ({"data": {1, 2}.__iter__}, "data"),
    ({"data": "x" * 300_000}, "MAX_EVENT_BYTES"),
    ({"ttl_ms": 0}, "ttlMs"),
    ({"deliver_by": "tomorrow"}, "deliverBy must be an ISO 8601 time"),
    ({"timestamp": "yesterday"}, "timestamp must be an ISO 8601 time"),
    ({"timestamp": ""}, "timestamp must be an ISO 8601 time"),
    ({"timestamp": 5, "ttl_ms": 60_000}, "timestamp must be an ISO 8601 time"),
    # Of these only publish() knows.
    ({"deliver_by": datetime(2026, 1, 5, 12)}, "deliverBy must be an aware datetime"),  # noqa: DTZ001
    ({"timestamp": datetime(2026, 1, 5, 12)}, "timestamp must be an aware datetime"),  # noqa: DTZ001
    ({"ttl": timedelta(0)}, "ttl must be"),
    ({"ttl": timedelta(minutes=1), "ttl_ms": 60_000}, "ttl and ttl_ms"),
]
PYTHONIC = 4


@pytest.mark.parametrize(("fields", "sentence"), INVALID)
def test_publish_refuses(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        publish(**{"client_name": "a", "action": "payment", **fields})


@pytest.mark.parametrize(("fields", "sentence"), INVALID)
async def test_apublish_refuses_the_same(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        await apublish(**{"client_name": "a", "action": "payment", **fields})


@pytest.mark.parametrize(("fields", "sentence"), INVALID[:-PYTHONIC])
def test_command_refuses_the_same(fields: dict[str, Any], sentence: str):
    with pytest.raises(InvalidEvent, match=sentence):
        command(Outgoing(**{"client_name": "a", "action": "payment", **fields}), durable=True)


def test_ids_are_drawn_anew():
    ids = {new_event_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(event_id.startswith("evt-") and event_id.isascii() for event_id in ids)


EVENT = Outgoing("A", "payment", {"amount": 1}, "evt-1", "2026-01-05T12:00:00.000Z", 60_000)
MESSAGE = (
    b'{"clientName":"A","action":"payment","eventId":"evt-1","timestamp":"2026-01-05T12:00:00.000Z",'
    b'"ttlMs":60000,"data":{"amount":1}}'
)


@pytest.fixture
def conf(settings: Any) -> StreamSettings:
    conf = read_settings({"REDIS_CHANNEL": "lane-events"})
    settings.STREAMS = conf
    return conf


def test_command_publishes_on_the_channel(conf: StreamSettings):
    assert command(EVENT, durable=False) == ("PUBLISH", "lane-events", MESSAGE)


def test_command_appends_to_the_log_and_keeps_it_short(conf: StreamSettings):
    words = command(EVENT, durable=True)
    assert words == ("XADD", "lane-events:log", "MAXLEN", "~", 100_000, "*", b"event", MESSAGE)


def test_receipt_counts_pods_or_names_a_place_in_the_log():
    assert receipt(EVENT, 3) == Receipt("evt-1", 3, None)
    assert receipt(EVENT, 0) == Receipt("evt-1", 0, None)
    assert receipt(EVENT, b"1767614400000-7") == Receipt("evt-1", None, "1767614400000-7")


def decode(body: bytes) -> Outgoing:
    return msgspec.json.decode(body, type=Outgoing)


def test_outgoing_is_decoded_from_a_request():
    body = (
        b'{"clientName":"A","action":"payment","data":[1],"eventId":"e","ttlMs":5,"deliverBy":"2026-01-05T12:00:00Z"}'
    )
    event = decode(body)
    assert (event.client_name, event.action, event.data, event.event_id) == ("A", "payment", [1], "e")
    assert (event.ttl_ms, event.deliver_by) == (5, "2026-01-05T12:00:00Z")


def test_outgoing_draws_an_id_and_takes_the_time_for_each():
    first, second = (decode(b'{"clientName":"A","action":"payment"}') for _ in range(2))
    assert first.event_id != second.event_id
    assert first.event_id.startswith("evt-")
    assert str(first.timestamp).endswith("Z")
    assert (first.data, first.ttl_ms, first.deliver_by) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"clientName":"A","action":"payment","ttl":5}', "ttl"),
        (b'{"clientName":"A","action":"payment","client_name":"B"}', "client_name"),
        (b'{"action":"payment"}', "clientName"),
        (b'{"clientName":1,"action":"payment"}', "clientName"),
        (b'{"clientName":"A","action":"payment","ttlMs":"5"}', "ttlMs"),
    ],
)
def test_outgoing_refuses_what_it_does_not_know(body: bytes, field: str):
    with pytest.raises(msgspec.ValidationError, match=field):
        decode(body)
