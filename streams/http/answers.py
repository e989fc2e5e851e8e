"""Errors in JSON, in one shape, whoever answers: a view, a consumer, or the reader of requests."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.delivery.connection import Headers
from streams.errors import StreamError
from streams.transport.writer import Send
from streams.wire.timestamps import now_iso

# What a request may say at most, and what it is told that says more, wherever reading ended.
MAX_REGISTER_BYTES = 64 * 1024
BODY_TOO_LARGE = f"The body is over {MAX_REGISTER_BYTES} bytes."
# What a request is told on which this service raised.
SERVICE_FAILED = "The service failed on this request; its log says why."

JSON_HEADERS: Headers = [(b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store")]


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


async def send_error(send: Send, refused: Refused, headers: Headers) -> None:
    """Answer a request that is not served; `headers` are those that every answer to it has."""
    body = error_body(refused.sentence)
    length = (b"Content-Length", str(len(body)).encode())
    await send_answer(send, refused.status, [*JSON_HEADERS, length, *headers, *refused.headers], body)


async def send_answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Answer a request at once and whole."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
