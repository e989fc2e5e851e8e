"""The decoder, fed with every split that a socket could make, beside the parser that keeps to the letter."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.errors import ProtocolError
from loadtest.reading.decoder import MAX_HEAD_BYTES, StreamDecoder
from tests.support.event_stream import EventStreamParser, ServerSentEvent, parse
from tests.support.http import Dechunker

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(body), extension, body)


CHUNKED = (
    HEAD
    + chunk(b'retry: 2000\ndata: {"type":"connected"}\n\n')
    + chunk(b"id: 1\ndata: a\n\ndata: b\n\n")
    + chunk(b": heart", b";ext=1")
    + chunk(b"beat\n")
    + chunk(b"\ndata: c\r\n\n\n")
    + chunk(b"")
)
FRAMES = [
    b'retry: 2000\ndata: {"type":"connected"}',
    b"id: 1\ndata: a",
    b"data: b",
    b": heartbeat",
    b"data: c\r",
]


def feed(decoder: StreamDecoder, *pieces: bytes) -> list[bytes]:
    return [frame for piece in pieces for frame in decoder.feed(piece) if frame]


def test_gives_whole_frames():
    decoder = StreamDecoder()
    assert [frame.rstrip(b"\n") for frame in feed(decoder, CHUNKED)] == FRAMES
    assert decoder.status == 200
    assert decoder.ended


def test_a_split_at_any_byte_changes_nothing():
    for split in range(len(CHUNKED) + 1):
        decoder = StreamDecoder()
        frames = feed(decoder, CHUNKED[:split], CHUNKED[split:])
        assert [frame.rstrip(b"\n") for frame in frames] == FRAMES, split
        assert decoder.ended, split


def test_single_bytes_change_nothing():
    decoder = StreamDecoder()
    frames = feed(decoder, *(CHUNKED[at : at + 1] for at in range(len(CHUNKED))))
    assert [frame.rstrip(b"\n") for frame in frames] == FRAMES


def test_one_chunk_of_one_frame_is_taken_at_once():
    decoder = StreamDecoder()
    assert feed(decoder, HEAD) == []
    assert decoder.feed(chunk(b"data: a\n\n")) == [b"data: a"]
    assert decoder.feed(chunk(b"data: a\n\ndata: b\n\n")) == [b"data: a", b"data: b"]


def test_two_chunks_in_one_piece_are_not_taken_for_one():
    decoder = StreamDecoder()
    feed(decoder, HEAD)
    assert feed(decoder, chunk(b"data: a\n\n") + chunk(b"data: b\n\n")) == [b"data: a", b"data: b"]


def test_a_body_without_chunks_lasts_until_the_end():
    decoder = StreamDecoder()
    assert feed(decoder, b"HTTP/1.1 200 OK\r\n\r\ndata: a\n", b"\ndata: b", b"\n\n") == [b"data: a", b"data: b"]
    assert not decoder.ended


def test_the_header_may_be_written_in_any_case():
    decoder = StreamDecoder()
    head = b"HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding:  Chunked\r\n\r\n"
    assert feed(decoder, head, chunk(b"data: a\n\n")) == [b"data: a"]
    assert decoder.status == 503


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        HEAD + b"zz\r\ndata\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_refuses_what_is_no_stream(answer):
    with pytest.raises(ProtocolError):
        StreamDecoder().feed(answer)


# What this decoder knows of event streams: all of them, but with no other ends of lines than LF.
FIELDS = st.sampled_from(["data: ", "data:", "id: ", "event: ", "retry: ", ": ", "unknown: ", "data", ""])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=6)
LINES = st.lists(st.one_of(st.builds("{}{}".format, FIELDS, TEXT), st.just("")), max_size=12)
BODIES = LINES.map(lambda lines: "\n".join(lines).encode()).flatmap(
    lambda body: st.sampled_from([body, body + b"\n", body + b"\n\n"])
)
# Where something is cut, as shares of its length.
CUTS = st.lists(st.floats(0, 1), max_size=8)


def cut(data: bytes, cuts: list[float]) -> list[bytes]:
    """Cut bytes in pieces, of which none is empty."""
    edges = sorted({0, len(data), *(int(share * len(data)) for share in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def decoded(decoder: StreamDecoder, pieces: list[bytes]) -> list[ServerSentEvent]:
    """Parse the frames that a decoder gives; none may hold the events of two."""
    parser = EventStreamParser()
    events = []
    for frame in (frame for piece in pieces for frame in decoder.feed(piece)):
        found = parser.feed(frame + b"\n\n")
        assert len(found) <= 1, frame
        events += found
    return events


@given(BODIES, CUTS, CUTS, st.sampled_from([b"", b";name=value"]), st.booleans())
@example(b"data: a\n\ndata: b\n\n", [0.5], [], b"", True)
def test_chunked_stream_gives_the_events_that_it_holds(
    body: bytes, chunk_cuts: list[float], cuts: list[float], extension: bytes, ends: bool
):
    chunks = [chunk(part, extension) for part in cut(body, chunk_cuts)]
    wire = b"".join([*chunks, *([chunk(b"")] if ends else [])])
    assert Dechunker().feed(wire) == body
    decoder = StreamDecoder()
    assert decoded(decoder, cut(HEAD + wire, cuts)) == parse(body)
    assert decoder.ended is ends


@given(BODIES, CUTS)
def test_stream_until_the_end_gives_the_events_that_it_holds(body: bytes, cuts: list[float]):
    wire = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body
    assert decoded(StreamDecoder(), cut(wire, cuts)) == parse(body)


@given(st.lists(st.tuples(LINES, TEXT, st.sampled_from(["alone", "alone", "with the last", "cut"])), max_size=8))
def test_chunks_of_whole_frames_give_the_events_that_they_hold(frames: list[tuple[list[str], str, str]]):
    # Most pieces are one such chunk, and are taken in a shorter way.
    body, pieces = b"", [HEAD]
    for lines, text, how in frames:
        frame = "\n".join([*lines, f"data: {text}", "" if how == "cut" else "\n"]).encode()
        body += frame
        if how == "with the last":
            pieces[-1] += chunk(frame)
        else:
            pieces.append(chunk(frame))
    assert decoded(StreamDecoder(), pieces) == parse(body)
