"""Requests that come slowly, in part, too large or too many: bounded, ended, and nothing of them is left."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.server.http_channel import LINGER_SECONDS, REQUEST_SECONDS
from streams.server.refusals import PLAIN_BODY
from tests.conftest import StartPod
from tests.support.http import HOST, Answer, open_stream, parse_answer, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer, event
from tests.support.sockets import reset_at_close
from tests.support.waiting import eventually, wait_until

KIB = 1024
# The suite trusts the reader's own constant for the time; STREAMS_TEST_SLOW_REQUESTS=full waits for it.
FULL = os.environ.get("STREAMS_TEST_SLOW_REQUESTS", "") == "full"
SLOW = pytest.mark.skipif(not FULL, reason="takes half a minute: set STREAMS_TEST_SLOW_REQUESTS=full")
ABORTS = 200


@pytest.fixture(scope="module")
def plain_daphne(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    return start_shared_pod("daphne", REDIS_URL=redis_server.url)


@pytest.fixture(scope="module")
def streamworker(start_shared_pod: StartPod, redis_server: RedisServer) -> Pod:
    return start_shared_pod(REDIS_URL=redis_server.url)


@pytest.fixture(params=["streamworker", "plain_daphne"])
def bare_pod(request: pytest.FixtureRequest) -> Iterator[Pod]:
    """A pod that has nobody else's connections; when the test is over it is to hold no more than before."""
    pod: Pod = request.getfixturevalue(request.param)
    pod.fetch("/health")
    descriptors, held = clients_descriptors(pod), pod.connections()
    yield pod
    wait_until("the connections to be gone", lambda: pod.connections() == held, timeout=5)
    wait_until("the descriptors to be closed", lambda: clients_descriptors(pod) <= descriptors, timeout=5)


def clients_descriptors(pod: Pod) -> int:
    """Count a pod's descriptors without those of its own connections, which come and go with what it does."""
    while True:
        own, descriptors = own_connections(pod), pod.ps.num_fds()
        # One that closed in between would be missed for as long as the test waits.
        if own_connections(pod) == own:
            return descriptors - len(own)


def own_connections(pod: Pod) -> set[tuple[int, Any, Any]]:
    found = pod.ps.net_connections("tcp")
    return {(each.fd, each.laddr, each.raddr) for each in found if each.raddr and each.laddr.port != pod.port}


@contextlib.contextmanager
def connected(pod: Pod, *parts: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, pod.port), 20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            client.sendall(part)
        yield client


def reset(client: socket.socket) -> None:
    """End a connection the hard way."""
    reset_at_close(client)
    client.close()


def answer_of(client: socket.socket) -> Answer:
    """Read to the server's end, which is to be one."""
    received = b""
    while data := client.recv(65536):
        received += data
    return parse_answer(received)


def post(length: int | str, body: bytes = b"") -> bytes:
    return request_bytes("POST", "/register", {"Content-Length": str(length)}) + body


HALVES: dict[str, bytes] = {
    "nothing": b"",
    "half a request line": b"GET /eve",
    "half a head": request_bytes("GET", "/events/HALF")[:-2],
    "a head without its body": post(500),
    "half a body": post(500, b'{"clientName":'),
    "half a stream's body": request_bytes("GET", "/events/HALF", {"Content-Length": "10"}) + b"12345",
    "half a chunk": request_bytes("POST", "/register", {"Transfer-Encoding": "chunked"}) + b"ff\r\n{",
    "a body that waits for its 100": request_bytes(
        "POST", "/register", {"Content-Length": "50", "Expect": "100-continue"}
    ),
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
def test_aborted_requests_leave_nothing(bare_pod: Pod, half: bytes):
    for number in range(ABORTS // len(HALVES)):
        with connected(bare_pod, half) as client:
            if number % 2:
                reset(client)
    assert bare_pod.status("/health") == 200


def test_whole_requests_whose_answers_nobody_awaits_leave_nothing(bare_pod: Pod):
    whole = [
        request_bytes("POST", "/register", body=b'{"clientName":"GONE"}'),
        request_bytes("GET", "/admin/connections"),
        request_bytes("GET", "/events/GONE"),
        request_bytes("GET", "/metrics") * 20,
    ]
    for number in range(ABORTS):
        with connected(bare_pod, whole[number % len(whole)]) as client:
            if number % 2:
                reset(client)
    assert bare_pod.status("/health") == 200


# 16 KiB is what Twisted reads ahead; a kernel's buffers hold some more.
@pytest.mark.parametrize("pipelined", [10, 16 * KIB, 17 * KIB, 60 * KIB, 300 * KIB])
@pytest.mark.parametrize("together", [True, False], ids=["with its head", "during the stream"])
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_sends_during_its_stream_is_seen_to_go(
    bare_pod: Pod, client_name: str, pipelined: int, together: bool, leave: str
):
    request, more = request_bytes("GET", f"/events/{client_name}"), (b"GET /x HTTP/1.1\r\n" * KIB * 20)[:pipelined]
    path = f"/admin/client/{client_name}"
    with connected(bare_pod, request + more if together else request) as client:
        wait_until("the stream to be listed", lambda: bare_pod.status(path) == 200)
        if not together:
            client.sendall(more)
        # A look at the pod's list makes sure that it has read what was sent.
        assert bare_pod.status(path) == 200
        if leave == "reset":
            reset(client)
    wait_until("the client to be gone", lambda: bare_pod.status(path) == 404, timeout=2)


async def test_what_is_pipelined_does_not_disturb_the_stream(
    streamworker: Pod, redis_server: RedisServer, client_name: str
):
    async with await open_stream(streamworker.port, client_name) as stream:
        for number in range(20):
            stream._writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
            redis_server.publish(event(client_name, number))
            await stream.until(f"evt-{number:08d}")
        assert streamworker.connections() == 1
    await eventually("the client to be gone", lambda: streamworker.connections() == 0, timeout=2)


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "10,000 headers": lambda: iter([b"GET / HTTP/1.1\r\n", *(b"X-%d: y\r\n" % number for number in range(10_000))]),
    "a header of 10 MiB": lambda: iter([b"GET / HTTP/1.1\r\nX: ", *[b"x" * 64 * KIB] * 160]),
    "a request line of 10 MiB": lambda: iter([b"GET /", *[b"x" * 64 * KIB] * 160]),
    "one header over 10,000 lines": lambda: iter([b"GET / HTTP/1.1\r\nX: y\r\n", *[b"  z\r\n"] * 10_000]),
    "no HTTP at all": lambda: iter([b"\x16\x03\x01\x02\x00" * 1000, b"\r\n" * 1000]),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_head_is_ended(bare_pod: Pod, flood: Callable[[], Iterator[bytes]]):
    with connected(bare_pod) as client:
        received = send_until_answered(client, flood())
    # A client that goes on sending to a server that has closed may lose the answer.
    assert received == b"reset" or received.startswith(b"HTTP/1.1 4"), received[:200]
    assert bare_pod.status("/health") == 200


def send_until_answered(client: socket.socket, parts: Iterator[bytes]) -> bytes:
    """Send as long as the server lets; return what it says, or `reset`."""
    try:
        for part in parts:
            client.sendall(part)
        received = b""
        while data := client.recv(65536):
            received += data
    except ConnectionError:
        return b"reset"
    return received


@pytest.mark.parametrize("size", [PLAIN_BODY.max_bytes + 1, 50 * 1024 * KIB])
@pytest.mark.parametrize("chunked", [True, False], ids=["in chunks", "announced"])
@pytest.mark.parametrize("target", ["/register", "/events/LARGE"])
def test_a_large_body_is_refused_and_never_held(streamworker: Pod, size: int, chunked: bool, target: str):
    part = b"x" * 64 * KIB
    rss = streamworker.ps.memory_info().rss
    if chunked:
        head = request_bytes("POST", target, {"Transfer-Encoding": "chunked"})
        body = (b"%x\r\n%b\r\n" % (len(part), part) for _ in range(size // len(part) + 1))
    else:
        head = request_bytes("POST", target, {"Content-Length": str(size)})
        body = (part[: size - at] for at in range(0, size, len(part)))
    with connected(streamworker, head) as client:
        # A client that sends all of it before it reads is to read the answer, too.
        for piece in body:
            client.sendall(piece)
        answer = answer_of(client)
    assert answer.status == 413
    assert "65536" in answer.json()["error"]
    assert answer.json()["success"] is False
    assert streamworker.ps.memory_info().rss - rss < 8 * KIB * KIB
    assert streamworker.status("/health") == 200


def test_an_announced_body_is_refused_before_it_is_sent(streamworker: Pod):
    with connected(streamworker, post(10**12)) as client:
        began = time.monotonic()
        assert answer_of(client).status == 413
        assert time.monotonic() - began < 1


def test_a_request_that_breaks_http_is_refused_in_json(streamworker: Pod):
    for broken in (b"GET / HTTP/1.1\r\nno header\r\n\r\n", post(10)[:-2] + b"Content-Length: 11\r\n\r\n", post("ten")):
        with connected(streamworker, broken) as client:
            answer = answer_of(client)
        assert answer.status == 400
        assert answer.json()["error"]


@SLOW
def test_a_refused_client_that_goes_on_sending_is_cut(streamworker: Pod):
    with connected(streamworker, post(10**12)) as client:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < LINGER_SECONDS + 5:
                client.sendall(b"x" * 1000)
                time.sleep(0.05)
        assert LINGER_SECONDS - 1 < time.monotonic() - began < LINGER_SECONDS + 2


def test_an_upgrade_that_nobody_speaks_is_ignored(streamworker: Pod, client_name: str):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    assert streamworker.fetch("/health", headers={**upgrade, "Connection": "close"}).status == 200
    with connected(streamworker, request_bytes("GET", f"/events/{client_name}", upgrade)) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_serves_request_after_request(streamworker: Pod):
    """What bounds one request must not be counted over several."""
    body = json.dumps({"clientName": "AGAIN"}).encode().ljust(60 * KIB)
    with connected(streamworker) as client:
        for _ in range(10):
            client.sendall(request_bytes("POST", "/register", body=body))
            received = b""
            while b'"success":true' not in received:
                received += client.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.timeout(120)
@SLOW
def test_slow_requests_are_ended_however_steadily_they_drip(streamworker: Pod, client_name: str):
    drips = {
        "nothing": b"",
        "a head": b"GET /health HTTP/1.1\r\nX: " + b"y" * 1000,
        "a body": post(10_000, b"x" * 1000),
    }
    descriptors = clients_descriptors(streamworker)
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(connected(streamworker)) for name in drips}
        stream = stack.enter_context(connected(streamworker, request_bytes("GET", f"/events/{client_name}")))
        began, ended = time.monotonic(), {}
        for at in range(2 * REQUEST_SECONDS):
            for name, client in list(clients.items()):
                try:
                    client.sendall(drips[name][at : at + 1])
                    client.settimeout(0.01)
                    said = client.recv(65536)
                    assert not said or said.startswith(b"HTTP/1.1 408 ")
                    gone = True
                except TimeoutError:
                    gone = False
                except ConnectionError:
                    gone = True
                if gone:
                    ended[name] = time.monotonic() - began
                    del clients[name]
            if not clients:
                break
            time.sleep(1)
        print({name: round(seconds, 1) for name, seconds in ended.items()})
        assert ended.keys() == drips.keys()
        assert max(ended.values()) < REQUEST_SECONDS + 3
        # The time is for requests: a stream has no end of its own.
        assert streamworker.status(f"/admin/client/{client_name}") == 200
        stream.close()
    wait_until("the descriptors to be closed", lambda: clients_descriptors(streamworker) <= descriptors)
