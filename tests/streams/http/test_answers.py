from __future__ import annotations

import json
from typing import Any

import pytest

from streams.errors import StreamError
from streams.http.answers import (
    BODY_TOO_LARGE,
    MAX_REGISTER_BYTES,
    PROBLEM_TYPE,
    Refused,
    error_body,
    refusal_body,
    send_answer,
    send_error,
)
from streams.http.views import error_response
from tests.support.http import TIMESTAMP


class Sent:
    """An ASGI send() that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)


def test_error_body_has_the_sentence_and_what_else_is_known():
    body = json.loads(error_body("Try “again”.", retry=5))
    assert list(body) == ["success", "error", "retry", "timestamp"]
    assert body["success"] is False
    assert body["error"] == "Try “again”."
    assert body["retry"] == 5
    assert TIMESTAMP.fullmatch(body["timestamp"])


async def test_send_error_is_one_whole_answer_in_json():
    sent = Sent()
    await send_error(sent, Refused(405, "Use GET.", [(b"Allow", b"GET")]), [(b"Vary", b"Origin")])
    start, body = sent.messages
    assert (start["type"], start["status"]) == ("http.response.start", 405)
    assert start["headers"] == [
        (b"Content-Type", b"application/json"),
        (b"Cache-Control", b"no-store"),
        (b"Content-Length", str(len(body["body"])).encode()),
        (b"Vary", b"Origin"),
        (b"Allow", b"GET"),
    ]
    assert body["type"] == "http.response.body"
    assert not body.get("more_body", False)
    assert json.loads(body["body"])["error"] == "Use GET."


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/events?x=1", "/sse/api/v1/pods", "http://a/api/v1/events"])
def test_refusal_below_the_api_is_a_problem(path: str):
    media_type, body = refusal_body(path, 413, "Too much.")
    assert media_type == PROBLEM_TYPE
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "Too much.",
        "error": "Too much.",
    }


@pytest.mark.parametrize("path", ["", "/register", "/api/v10", "/api", "/register?x=/api/v1/events"])
def test_refusal_elsewhere_is_an_error(path: str):
    media_type, body = refusal_body(path, 413, "Too much.")
    assert (media_type, json.loads(body)["success"]) == (b"application/json", False)


async def test_send_answer_ends_without_a_body():
    sent = Sent()
    await send_answer(sent, 204, [(b"Allow", b"GET")])
    assert sent.messages == [
        {"type": "http.response.start", "status": 204, "headers": [(b"Allow", b"GET")]},
        {"type": "http.response.body", "body": b""},
    ]


def test_refused_says_its_sentence():
    error = Refused(400, "Say more.")
    assert isinstance(error, StreamError)
    assert (str(error), error.status, error.headers) == ("Say more.", 400, [])


def test_error_response_of_a_view_is_the_same():
    response = error_response("Say more.", 400, {"Allow": "GET"}, found=False)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Allow"] == "GET"
    body = json.loads(response.content)
    assert (body["success"], body["error"], body["found"]) == (False, "Say more.", False)


def test_body_too_large_names_the_limit():
    assert str(MAX_REGISTER_BYTES) in BODY_TOO_LARGE
