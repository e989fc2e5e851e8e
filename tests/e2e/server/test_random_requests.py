"""Whatever a request holds, a real pod answers it, logs no traceback, and keeps nothing of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.http import HOST, parse_head
from tests.support.pods import Pod
from tests.support.waiting import wait_until

PLENTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
STARTS = ["streamworker", "daphne"]
# As many bytes as one line may have.
LINE_BYTES = 16_000

NUMBERS = st.integers() | st.floats() | st.decimals()
SINCE = st.text() | NUMBERS.map(str) | st.from_regex(r"\A[0-9eE+.\-_ ]{1,20}\Z")
# RFC 9110, section 5.5: what may stand in a header.
FIELD = st.binary().map(lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127))
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"TRACE", b"BREW"])
TARGETS = st.sampled_from(
    [b"/events/RANDOM", b"/health", b"/admin", b"/register", b"/static/dashboard/icon.svg", b"http://x/", b"*"]
)
NAMES = st.sampled_from(
    [
        *(b"Last-Event-ID", b"Origin", b"Sec-Fetch-Site", b"Cookie", b"Range", b"If-Modified-Since", b"If-None-Match"),
        *(b"Accept", b"Accept-Encoding", b"Accept-Language", b"Authorization", b"Content-Length", b"Content-Type"),
        *(b"Expect", b"Upgrade", b"Host", b"User-Agent", b"Prefer", b"Daphne-Root-Path", b"X-Odd"),
    ]
)


@pytest.fixture(params=STARTS)
def sane_pod(request: pytest.FixtureRequest, pods: Callable[[str], Pod]) -> Iterator[Pod]:
    """A pod that is to have logged no traceback when the test is over, and to hold none of its streams."""
    pod = pods(request.param)
    logged = len(pod.log)
    yield pod
    wait_until("the streams to be gone", lambda: b"RANDOM" not in pod.fetch("/admin/connections").body, timeout=5)
    assert "Traceback" not in pod.log[logged:]
    assert pod.status("/health/live") == 200


def answered(pod: Pod, request: bytes) -> int:
    """Send a request on a connection of its own; return the status of the answer as soon as it begins."""
    with socket.create_connection((HOST, pod.port), 10) as client:
        client.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"):
            data = client.recv(65536)
            assert data, f"closed after {received!r}"
            received += data
        status, _headers = parse_head(received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")[0])
        return status


@PLENTY
@given(SINCE)
@example("1e400")
@example("9" * 5000)
@example("1767614400000")
@example("\0")
def test_any_since_is_a_stream_or_400(sane_pod: Pod, since: str):
    target = f"/events/RANDOM?since={quote(since, errors='replace')}".encode()
    assert answered(sane_pod, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target[:LINE_BYTES]) in (200, 400)


@PLENTY
@given(FIELD)
@example(b"\xff\xfe")
@example("café \U0001f4b6".encode())
@example(b"x" * LINE_BYTES)
def test_any_last_event_id_is_a_stream(sane_pod: Pod, event_id: bytes):
    head = b"GET /events/RANDOM HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %b\r\n\r\n" % event_id[:LINE_BYTES]
    assert answered(sane_pod, head) == 200


@PLENTY
@given(st.text())
def test_any_last_event_id_in_the_query_is_a_stream(sane_pod: Pod, event_id: str):
    target = f"/events/RANDOM?lastEventId={quote(event_id, errors='replace')}".encode()
    assert answered(sane_pod, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target[:LINE_BYTES]) == 200


@PLENTY
@given(METHODS, TARGETS, FIELD, st.lists(st.tuples(NAMES, FIELD | NUMBERS.map(lambda n: str(n).encode())), max_size=10))
@example(b"POST", b"/register", b"", [(b"Content-Length", b"9" * 5000)])
@example(b"GET", b"/static/dashboard/icon.svg", b"", [(b"Range", b"bytes=" + b"9" * 5000 + b"-")])
@example(b"GET", b"/static/dashboard/icon.svg", b"", [(b"If-Modified-Since", b"Mon, 01 Jan 0001 00:00:00 GMT")])
@example(b"GET", b"/static/dashboard/icon.svg", b"", [(b"If-Modified-Since", b"Mon, 99 Jan 99999 99:99:99 GMT")])
@example(b"GET", b"/health", b"", [(b"X-Odd", b"y" * 15_000)])
@example(b"POST", b"/admin", b"", [(b"Content-Type", b"multipart/form-data; boundary=")])
def test_any_head_is_answered(
    sane_pod: Pod, method: bytes, target: bytes, rest: bytes, headers: list[tuple[bytes, bytes]]
):
    # A body that is announced has to come, or the answer is that it did not.
    lines = [(name, value) for name, value in headers if not is_length(name, value)]
    head = b"".join(b"%b: %b\r\n" % line for line in lines)
    request = b"%b %b%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, target, rest.replace(b" ", b"+"), head)
    assert 200 <= answered(sane_pod, request) < 500


def is_length(name: bytes, value: bytes) -> bool:
    return name == b"Content-Length" and value.strip().isdigit() and len(value.strip()) < 19 and int(value) > 0
