"""What a client's trace is made of."""

from __future__ import annotations

import json

import pytest

from streams.roster.tracing.entries import Kind, TraceEntry, about, decode, encode, stream_of
from tests.streams.builders import message


def test_entry_is_written_in_camel_case_without_what_it_does_not_say():
    entry = TraceEntry(Kind.GAP, "pod-1", "2026-11-26T14:00:00.000Z", gap_to="2026-11-26T13:00:00.000Z")
    assert json.loads(encode(entry)) == {
        "kind": "gap",
        "podName": "pod-1",
        "at": "2026-11-26T14:00:00.000Z",
        "to": "2026-11-26T13:00:00.000Z",
    }
    assert decode(encode(entry)) == entry


def test_stream_is_named_by_the_beginning_of_a_life_and_a_number():
    assert stream_of("0123456789abcdef", 17) == "01234567.17"


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (message("a", "evt-1", action="payment", data={"card": "secret"}), ("evt-1", "payment")),
        (message("a", None), ("", "")),
        (message("a", 7, action=["x"]), ("", "")),
        (message("a", "e" * 300, action="p" * 300), ("e" * 128, "p" * 120)),
        (b'{"clientName":"a","eventId":"\\ud800"}', ("", "")),
    ],
)
def test_about_is_the_id_and_the_action_alone(event: bytes, found: tuple[str, str]):
    assert about(event) == found
