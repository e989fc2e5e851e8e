"""Requests that are refused, come too slowly, or fail: each is answered in JSON."""

from __future__ import annotations

import json

import pytest

from streams.http.answers import BODY_TOO_LARGE, MAX_REGISTER_BYTES, PUBLISH_TOO_LARGE
from streams.server.http_channel import RequestReader
from streams.server.refusals import PLAIN_BODY, PUBLISH_BODY
from tests.streams.server.readers import Server, answer_of
from tests.support.http import request_bytes


def test_an_announced_body_that_is_too_large_is_refused_in_json(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("POST", "/register", {"Content-Length": str(PLAIN_BODY.max_bytes + 1)}))
    answer = answer_of(reader)
    assert (answer.status, answer.json()["error"]) == (413, BODY_TOO_LARGE)
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert server.scopes == []


def test_a_body_in_chunks_is_refused_once_it_is_too_large(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("POST", "/register", {"Transfer-Encoding": "chunked"}))
    chunk = b"%x\r\n%b\r\n" % (MAX_REGISTER_BYTES, b" " * MAX_REGISTER_BYTES)
    reader.dataReceived(chunk)
    assert reader.transport.value() == b""
    reader.dataReceived(chunk + chunk)
    assert answer_of(reader).status == 413
    reader.dataReceived(b"more of it, which nobody reads")
    assert server.scopes == []


def test_a_request_that_breaks_http_is_refused_in_json(reader: RequestReader):
    reader.dataReceived(b"GET / HTTP/1.1\r\nno colon here\r\n\r\n")
    answer = answer_of(reader)
    assert answer.status == 400
    assert list(answer.json()) == ["success", "error", "timestamp"]


LONG = b"z" * 17_000
TOO_LONG = {
    "a line": (b"GET /health?" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "request line"),
    "a line without an end": (LONG, 414, "request line"),
    "a header": (b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + LONG + b"\r\n\r\n", 431, "16 KiB"),
    "a header without an end": (b"GET /health HTTP/1.1\r\nCookie: " + LONG, 431, "16 KiB"),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 501 + b"\r\n", 431, "500 headers"),
    "a head": (b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 17, 431, "16 KiB"),
    "a length": (b"POST /register HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413, "65536"),
}


@pytest.mark.parametrize(("data", "status", "word"), TOO_LONG.values(), ids=TOO_LONG.keys())
@pytest.mark.parametrize("size", [1000, 20_000])
def test_what_is_too_long_is_refused_in_json(
    reader: RequestReader, server: Server, data: bytes, status: int, word: str, size: int
):
    for start in range(0, len(data), size):
        reader.dataReceived(data[start : start + size])
    answer = answer_of(reader)
    assert answer.status == status
    assert word in answer.json()["error"]
    assert answer.headers["date"]
    assert server.scopes == []


@pytest.mark.parametrize(
    "part",
    [b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n", request_bytes("POST", "/register", {"Content-Length": "9"})],
)
def test_a_request_that_does_not_come_in_time_is_408_in_json(reader: RequestReader, part: bytes):
    reader.dataReceived(part)
    reader.timeoutConnection()
    answer = answer_of(reader)
    assert answer.status == 408
    assert "20 s" in answer.json()["error"]
    reader.transport.clear()
    reader.timeoutConnection()
    assert reader.transport.value() == b"", "the second time is the end"
    assert reader.transport.disconnecting


def test_a_connection_that_asks_for_nothing_ends_without_a_word(reader: RequestReader):
    reader.timeoutConnection()
    assert reader.transport.value() == b""
    assert reader.transport.disconnecting


PUBLISH = "/api/v1/events"


@pytest.mark.parametrize(
    ("target", "headers", "taken"),
    [
        (PUBLISH, {}, True),
        (f"/sse{PUBLISH}/batch?x=1", {"Content-Type": "application/json"}, True),
        (f"{PUBLISH}/a", {}, False),
        (f"{PUBLISH}/batch/", {}, False),
        (f"/register?x={PUBLISH}", {}, False),
        (PUBLISH, {"Content-Type": "multipart/FORM-data; boundary=x"}, True),
    ],
)
def test_a_large_body_is_for_what_publishes(
    reader: RequestReader, server: Server, target: str, headers: dict[str, str], taken: bool
):
    body = b" " * (PUBLISH_BODY.max_bytes if taken else PLAIN_BODY.max_bytes + 1)
    reader.dataReceived(request_bytes("POST", target, headers, body))
    if taken:
        assert len(server.scopes) == 1
        return
    assert server.scopes == []
    assert answer_of(reader).status == 413


@pytest.mark.parametrize(
    "headers", [{"Content-Length": str(PUBLISH_BODY.max_bytes + 1)}, {"Transfer-Encoding": "chunked"}]
)
def test_a_body_to_publish_that_is_too_large_is_a_problem(
    reader: RequestReader, server: Server, headers: dict[str, str]
):
    reader.dataReceived(request_bytes("POST", PUBLISH, headers))
    if "Transfer-Encoding" in headers:
        reader.dataReceived(b"%x\r\n%b\r\n" % (PUBLISH_BODY.max_bytes, b" " * PUBLISH_BODY.max_bytes))
    answer = answer_of(reader)
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(answer.body)["detail"] == PUBLISH_TOO_LARGE
    assert server.scopes == []


def test_a_request_that_breaks_http_before_its_path_is_known(reader: RequestReader):
    reader.dataReceived(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    assert answer_of(reader).headers["content-type"] == "application/json"
    assert answer_of(reader).status == 400
