"""Errors in JSON, in one shape, whoever answers: a view, a consumer, or the reader of requests."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from streams.delivery.connection import Headers
from streams.errors import StreamError
from streams.transport.writer import Send
from streams.wire.timestamps import now_iso

# What a request may say at most, and what it is told that says more, wherever reading ended.
MAX_REGISTER_BYTES = 64 * 1024
BODY_TOO_LARGE = f"The body is over {MAX_REGISTER_BYTES} bytes."
MAX_PUBLISH_BYTES = 1024 * 1024
PUBLISH_TOO_LARGE = f"The body is over {MAX_PUBLISH_BYTES} bytes."
# What a request is told on which this service raised.
SERVICE_FAILED = "The service failed on this request; its log says why."

NO_STORE = (b"Cache-Control", b"no-store")
JSON_HEADERS: Headers = [(b"Content-Type", b"application/json"), NO_STORE]
# https://www.rfc-editor.org/rfc/rfc9457
PROBLEM_TYPE = b"application/problem+json"
# Where errors are problems, also on requests that never come there.
PROBLEM_PATH = re.compile(r"/api/v1(?![^/])")


class Refused(StreamError):
    """A request that is not served: a status, a sentence for the caller, and the headers that belong to it."""

    def __init__(self, status: int, sentence: str, headers: Headers | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or []


FAILED = Refused(500, SERVICE_FAILED)


def error_body(sentence: str, **fields: Any) -> bytes:
    """Encode an error: a sentence that tells the caller what to change, and what else is known of it."""
    return msgspec.json.encode({"success": False, "error": sentence, **fields, "timestamp": now_iso()})


def refusal_body(path: str, status: int, sentence: str) -> tuple[bytes, bytes]:
    """Return the media type and the body of an error that has no more to it, as what is at a path answers."""
    if not PROBLEM_PATH.search(path.partition("?")[0]):
        return b"application/json", error_body(sentence)
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": sentence, "error": sentence}
    return PROBLEM_TYPE, msgspec.json.encode(problem)


async def send_error(send: Send, refused: Refused, headers: Headers, path: str = "") -> None:
    """Answer a request that is not served; `headers` are those that every answer to it has."""
    media_type, body = refusal_body(path, refused.status, refused.sentence)
    own: Headers = [(b"Content-Type", media_type), NO_STORE, (b"Content-Length", str(len(body)).encode())]
    await send_answer(send, refused.status, [*own, *headers, *refused.headers], body)


async def send_answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Answer a request at once and whole."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
