"""POST /register: it answers as it always has, and keeps nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.http.expected import BAD_NAMES, GOOD_NAMES, assert_error
from tests.support.http import TIMESTAMP, Answer, exchange, parse_answer, request_bytes
from tests.support.pods import Pod


def register(pod: Pod, body: bytes, **headers: str) -> Answer:
    return pod.fetch("/register", method="POST", body=body, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_register_answers_as_it_always_has(pod: Pod, name: str):
    answer = register(pod, json.dumps({"clientName": name}).encode())
    assert answer.status == 200
    assert list(answer.json()) == ["success", "clientName", "podName", "message", "timestamp"]
    timestamp = answer.json().pop("timestamp")
    assert TIMESTAMP.fullmatch(timestamp)
    assert answer.json() == {
        "success": True,
        "clientName": name,
        "podName": "pod-streamworker",
        "message": f"Client {name} registered. Connect to /events/{name} for SSE stream",
        "timestamp": timestamp,
    }


@pytest.mark.parametrize("name", [*BAD_NAMES, ""])
def test_register_refuses_a_name_that_breaks_the_rule(pod: Pod, name: str):
    answer = register(pod, json.dumps({"clientName": name}).encode())
    error = assert_error(answer, 400, "clientName", "1 to 128 characters")
    assert error["success"] is False
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("name", [None, 5, 1.5, True, [], {}, ["STORE001"]])
def test_register_refuses_a_name_that_is_no_string(pod: Pod, name: Any):
    assert_error(register(pod, json.dumps({"clientName": name}).encode()), 400, "clientName", "string")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"STORE001"', b"5", b'{"clientname":"a"}', b'["clientName"]'])
def test_register_refuses_a_body_without_a_name(pod: Pod, body: bytes):
    assert_error(register(pod, body), 400, "clientName")


@pytest.mark.parametrize(
    "body", [b"", b"clientName=a", b"{", b'{"clientName":"\xff"}', b"\0", b"[" * 60_000, b'{"a":' * 10_000]
)
def test_register_refuses_what_is_not_json(pod: Pod, body: bytes):
    assert_error(register(pod, body), 400, "JSON")


def test_register_takes_any_content_type(pod: Pod):
    answer = register(pod, b'{"clientName":"a"}', **{"Content-Type": "text/plain"})
    assert answer.status == 200


def test_register_takes_64_kib_and_not_one_byte_more(pod: Pod):
    body = b'{"clientName":"a"}'
    assert register(pod, body.ljust(64 * 1024)).status == 200
    assert_error(register(pod, body.ljust(64 * 1024 + 1)), 413, "65536")


@pytest.mark.parametrize("size", [3_000_000, 20_000_000])
def test_register_refuses_a_large_body(pod: Pod, size: int):
    assert_error(register(pod, b'{"clientName":"a"}'.ljust(size)), 413, "65536")
    assert pod.status("/health") == 200


def test_register_refuses_a_large_body_that_comes_in_chunks(pod: Pod):
    head = request_bytes("POST", "/register", {"Connection": "close", "Transfer-Encoding": "chunked"})
    chunk = b"%x\r\n%b\r\n" % (2**16, b" " * 2**16)
    assert_error(parse_answer(exchange(pod.port, head + chunk * 3 + b"0\r\n\r\n")), 413, "65536")


def test_register_keeps_no_state(pod: Pod, client_name: str):
    before = pod.connections()
    assert register(pod, json.dumps({"clientName": client_name}).encode()).status == 200
    assert pod.connections() == before
    assert pod.status(f"/admin/client/{client_name}") == 404
