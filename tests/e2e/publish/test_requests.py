"""Requests to publish as HTTP has them: their types, methods, sizes, and ends too early."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from streams.conf import read_settings
from streams.publishing.records import ACCEPTED
from tests.e2e.publish.asking import EVENTS, JSON, KIB, Published, announcing, journal, new_id, post, problem
from tests.support.http import HOST, exchange, fetch, open_stream, parse_answer, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer
from tests.support.sockets import reset_at_close
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Content-Type": ""}, 202),
        ({"Content-Type": "text/plain;charset=UTF-8"}, 202),
        ({"Content-Type": "Application/JSON ; charset=utf-8"}, 202),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/cloudevents+json"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ],
)
def test_content_type(pod: Pod, published: Published, client_name: str, headers: dict[str, str], status: int):
    count = published()
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    answer = fetch(pod.port, EVENTS, method="POST", headers=headers, body=body)
    assert (answer.status, published() - count) == (status, int(status == 202))
    if status == 415:
        assert "application/json" in problem(answer, "unsupported-media-type")["detail"]


def test_forms_are_not_taken(pod: Pod):
    """Nor are large ones, and nothing takes them apart."""
    form = b'--x\r\nContent-Disposition: form-data; name="clientName"\r\n\r\nA\r\n--x--\r\n'
    for media_type, body in (("multipart/form-data; boundary=x", form), ("application/x-www-form-urlencoded", b"a=1")):
        answer = post(pod, body, headers={"Content-Type": media_type})
        assert (answer.status, problem(answer, "unsupported-media-type")["status"]) == (415, 415)
        answer = post(pod, b"a&" * 100 * KIB, headers={"Content-Type": media_type})
        assert (answer.status, problem(answer, "unsupported-media-type")["status"]) == (415, 415)


@pytest.mark.parametrize("target", [EVENTS, f"{EVENTS}/batch"])
def test_methods(pod: Pod, target: str):
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        answer = fetch(pod.port, target, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS"), method
        if method == "HEAD":
            assert (answer.body, answer.headers["content-type"]) == (b"", "application/problem+json")
        else:
            problem(answer, "method-not-allowed")
    answer = fetch(pod.port, target, method="OPTIONS")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "POST, OPTIONS", b"")


def test_a_page_of_another_site_may_not_publish(pod: Pod, published: Published, client_name: str):
    count = published()
    said = {"clientName": client_name, "action": "payment"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        # What a page may send without asking first.
        answer = post(pod, said, headers={"Content-Type": "text/plain", **headers})
        assert (answer.status, problem(answer, "other-site")["status"]) == (403, 403)
    assert published() == count
    assert post(pod, said, headers={"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}).status == 202


def test_largest_event(pod: Pod, redis_server: RedisServer, client_name: str):
    """MAX_EVENT_BYTES is of the whole message."""
    said = {"clientName": client_name, "action": "x", "eventId": new_id(), "timestamp": "2099-01-05T12:00:00.000Z"}
    room = 256 * KIB - len(json.dumps({**said, "data": ""}, separators=(",", ":")))
    refused = problem(post(pod, {**said, "data": "x" * (room + 1)}), "invalid-event")
    assert (refused["errors"][0]["pointer"], "262145 bytes" in refused["detail"]) == ("/data", True)
    assert post(pod, {**said, "data": "x" * room}).status == 202
    assert [len(event["data"]) for event in journal(redis_server, client_name)] == [room]


def test_largest_body(pod: Pod, client_name: str):
    """1 MiB, whatever it is made of; beyond it a problem, also where nobody reads it to its end."""
    event = {"clientName": client_name, "action": "x", "data": "x" * 200 * KIB}
    body = json.dumps({"events": [event] * 5}).encode()
    assert post(pod, body + b" " * (KIB * KIB - len(body)), "/batch").status == 202
    answer = post(pod, body + b" " * (KIB * KIB - len(body) + 1), "/batch")
    assert (answer.status, problem(answer, "too-large")["detail"]) == (413, "The body is over 1048576 bytes.")
    head = request_bytes("POST", EVENTS, {**JSON, "Content-Length": str(50 * KIB * KIB)})
    answer = parse_answer(exchange(pod.port, head))
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(answer.body)["error"] == "The body is over 1048576 bytes."
    # Elsewhere the bound is what it was, also where the query names this path.
    head = request_bytes("POST", f"/register?x={EVENTS}", {**JSON, "Content-Length": str(200 * KIB)})
    answer = parse_answer(exchange(pod.port, head))
    assert (answer.status, answer.json()["error"]) == (413, "The body is over 65536 bytes.")


def test_expect_100_continue(pod: Pod, client_name: str):
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    head = request_bytes(
        "POST", EVENTS, {**JSON, "Expect": "100-continue", "Content-Length": str(len(body)), "Connection": "close"}
    )
    with socket.create_connection((HOST, pod.port), 10) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert parse_answer(received).status == 202


def test_chunked_body(pod: Pod, published: Published, client_name: str):
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    head = request_bytes("POST", EVENTS, {**JSON, "Transfer-Encoding": "chunked", "Connection": "close"})
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    count = published()
    assert parse_answer(exchange(pod.port, head + chunks + b"0\r\n\r\n")).status == 202
    assert published() == count + 1
    answer = parse_answer(exchange(pod.port, head + b"zz\r\n" + body))
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert published() == count + 1


def test_content_length_that_is_wrong(pod: Pod, published: Published, client_name: str):
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    count = published()
    answer = parse_answer(exchange(pod.port, announcing(len(body) - 1) + body))
    assert problem(answer, "invalid-json")
    for length in ("-1", "x", "1, 2", "9" * 30):
        raw = exchange(pod.port, announcing(length) + body)
        assert raw.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), (length, raw)
        assert b"application/problem+json" in raw
    assert published() == count


DEFAULT_CONCURRENCY = read_settings({}).publish_concurrency


def connections_of(pod: Pod) -> int:
    """Return how many connections of clients the pod has, in whatever state."""
    return sum(each.laddr.port == pod.port for each in pod.ps.net_connections("tcp"))


def test_body_that_is_cut(pod: Pod, published: Published, client_name: str):
    """Nothing is published, though what came is JSON, and nothing stays behind."""
    post(pod, {"clientName": client_name, "action": "payment"})
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    count, connections = published(), connections_of(pod)
    for end in (socket.SHUT_WR, None):
        for _ in range(30):
            with socket.create_connection((HOST, pod.port), 10) as connection:
                connection.sendall(announcing(2 * len(body)) + body)
                if end is not None:
                    connection.shutdown(end)
    wait_until("all connections to be closed", lambda: connections_of(pod) <= connections)
    assert published() == count


def test_publishers_that_do_not_wait_for_their_answer(pod: Pod, client_name: str):
    """None of them is under way for ever: there are more than may be at once."""
    body = json.dumps({"clientName": client_name, "action": "payment"}).encode()
    connections = connections_of(pod)
    for number in range(DEFAULT_CONCURRENCY + 10):
        with socket.create_connection((HOST, pod.port), 10) as connection:
            connection.sendall(announcing(len(body)) + body)
            if number % 2:
                reset_at_close(connection)
    wait_until("all connections to be closed", lambda: connections_of(pod) <= connections)
    assert post(pod, {"clientName": client_name, "action": "payment"}).status == 202


async def test_order_of_one_connection(pod: Pod, client_name: str):
    """Requests that come at once are served one after the other."""
    async with await open_stream(pod.port, client_name) as stream:
        requests = []
        for number in range(20):
            body = json.dumps({"clientName": client_name, "action": "payment", "data": number}).encode()
            last = {"Connection": "close"} if number == 19 else {}
            requests.append(request_bytes("POST", EVENTS, {**JSON, **last}, body))
        received = exchange(pod.port, b"".join(requests))
        assert received.count(b"HTTP/1.1 202 ") == 20
        assert [(await stream.next_json())["data"] for _ in range(20)] == list(range(20))


def test_records_are_kept_for_as_long_as_the_setting_says(pod: Pod, redis_server: RedisServer, client_name: str):
    event_id = new_id()
    post(pod, {"clientName": client_name, "action": "payment", "eventId": event_id})
    left: Any = redis_server.client.pttl(f"events-to-store{ACCEPTED}{event_id}")
    assert 290_000 < left <= 300_000
