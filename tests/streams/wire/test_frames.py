from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.frames import comment_frame, data_frame, named_frame
from tests.streams.builders import frame
from tests.support.event_stream import EventStreamParser, parse

AFTER = b'data: {"after":true}\n\n'


def test_an_event_has_its_id_and_one_line_of_data():
    message = b'{"clientName":"a","eventId":"evt-1"}'
    assert frame(message) == b"id: evt-1\ndata: " + message + b"\n\n"


@pytest.mark.parametrize(
    "event_id", [None, "", "x" * 129, "a\nb", "a\rb", "a\0b", "é", "\ufeffa", "\x7f", 5, True, [], {}]
)
def test_an_id_that_breaks_the_rule_is_left_out(event_id: Any):
    message = json.dumps({"clientName": "a", "eventId": event_id}).encode()
    assert frame(message) == b"data: " + message + b"\n\n"


hostile_text = st.text() | st.sampled_from(["\n\ndata: injected\n\n", "\r\n", "\r", "x\nid: 2", "\nevent: evicted\n"])


@given(
    event_id=hostile_text | st.none() | st.integers() | st.lists(hostile_text),
    data=st.recursive(hostile_text, lambda inner: st.lists(inner) | st.dictionaries(hostile_text, inner), max_leaves=5),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ensure_ascii=st.booleans(),
)
def test_whatever_an_event_holds_a_client_reads_exactly_that_event(
    event_id: Any, data: Any, indent: Any, ensure_ascii: bool
):
    says = {"clientName": "a", "eventId": event_id, "action": data, "data": {"text": data}}
    text = json.dumps(says, indent=indent, ensure_ascii=ensure_ascii)
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    read, after = parse(frame(text.encode(), max_bytes=2**24) + AFTER)
    assert read.json() == says
    assert (read.type, read.data_lines) == ("message", 1)
    printable = isinstance(event_id, str) and 1 <= len(event_id) <= 128 and all(" " <= c <= "~" for c in event_id)
    assert read.last_event_id == (event_id if printable else "")
    assert after.json() == {"after": True}


@given(st.dictionaries(hostile_text, hostile_text), st.integers(1000, 5000))
def test_a_greeting_is_one_event_with_its_retry(data: dict[str, str], retry_ms: int):
    if any("\ud800" <= character <= "\udfff" for text in (*data, *data.values()) for character in text):
        return
    parser = EventStreamParser()
    (read,) = parser.feed(data_frame(data, retry_ms=retry_ms))
    assert read.json() == data
    assert (read.type, parser.retry_ms) == ("message", retry_ms)


def test_a_named_frame_is_unseen_by_onmessage():
    parser = EventStreamParser()
    (read,) = parser.feed(named_frame("evicted", {"type": "evicted", "text": "\n\n"}, retry_ms=1500))
    assert (read.type, read.json(), parser.retry_ms) == ("evicted", {"type": "evicted", "text": "\n\n"}, 1500)
    parser = EventStreamParser()
    (read,) = parser.feed(named_frame("stream-gap", {}))
    assert (read.type, parser.retry_ms) == ("stream-gap", None)


def test_a_comment_dispatches_nothing():
    parser = EventStreamParser()
    assert parser.feed(comment_frame("heartbeat 2026-01-05T12:00:00.000Z")) == []
    assert parser.comments == ["heartbeat 2026-01-05T12:00:00.000Z"]
