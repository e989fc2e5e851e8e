"""The tests' own parser against the examples of the specification, so that it can judge the pod.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.support.event_stream import EventStreamParser, ServerSentEvent, parse


def test_two_lines_of_data_are_one_event():
    stream = b"data: YHOO\ndata: +2\ndata: 10\n\n"
    assert parse(stream) == [ServerSentEvent("message", "YHOO\n+2\n10", data_lines=3)]


def test_four_blocks_of_the_example():
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    parser = EventStreamParser()
    assert parser.feed(stream) == [
        ServerSentEvent("message", "first event", "1"),
        ServerSentEvent("message", "second event", ""),
        ServerSentEvent("message", " third event", ""),
    ]
    assert parser.comments == ["test stream"]


def test_empty_data_of_the_example():
    stream = b"data\n\ndata\ndata\n\ndata:"
    assert parse(stream) == [ServerSentEvent("message", ""), ServerSentEvent("message", "\n", data_lines=2)]


def test_the_space_after_the_colon_is_optional():
    assert parse(b"data:test\n\ndata: test\n\n") == [ServerSentEvent("message", "test")] * 2


def test_named_events_of_the_example():
    stream = b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n"
    assert [(event.type, event.data) for event in parse(stream)] == [
        ("add", "73857293"),
        ("remove", "2153"),
        ("add", "113411"),
    ]


def test_retry_is_digits_and_nothing_else():
    parser = EventStreamParser()
    parser.feed(b"retry: 1000\n\nretry: 1 s\n\nretry: -5\n\nretry:\n\n")
    assert parser.retry_ms == 1000


def test_an_id_with_nul_is_ignored():
    assert parse(b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n")[-1].last_event_id == "1"


def test_unknown_fields_and_a_byte_order_mark_are_ignored():
    assert parse(b"\xef\xbb\xbfdata: a\nwhat: ever\n\n") == [ServerSentEvent("message", "a")]


def test_all_three_line_ends():
    for end in (b"\n", b"\r", b"\r\n"):
        stream = end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])
        assert [event.data for event in parse(stream)] in (["a\nb", "c"], ["a\nb"]), end


@given(
    st.lists(st.sampled_from([b"data: a", b"id: 1", b"event: x", b": c", b"", b"\xc3\xa9", b"\xff", b"\n", b"\r\n"])),
    st.lists(st.integers(0, 200)),
)
def test_the_pieces_in_which_a_stream_comes_change_nothing(lines: list[bytes], cuts: list[int]):
    stream = b"\n".join(lines) + b"\n\n"
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert parse(*pieces) == parse(stream)
