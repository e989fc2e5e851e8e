"""The decoder, fed with every split that a socket could make."""

from __future__ import annotations

import pytest

from loadtest.errors import ProtocolError
from loadtest.reading.decoder import MAX_HEAD_BYTES, StreamDecoder

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
