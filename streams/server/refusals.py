"""What a client is answered whose request cannot be read at all."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from streams.http.answers import (
    BODY_TOO_LARGE,
    MAX_PUBLISH_BYTES,
    MAX_REGISTER_BYTES,
    NO_STORE,
    PUBLISH_TOO_LARGE,
    refusal_body,
)
from streams.wire.timestamps import http_date

BROKEN = "The request cannot be understood: it breaks HTTP."
LINE_TOO_LONG = "The request line is over 16 KiB."
HEAD_TOO_LARGE = "The head of the request is over 16 KiB, or has over 500 headers."
# int() takes no more than 4300 digits, and no body that anybody sends needs more than these.
MAX_LENGTH_DIGITS = 18
# What publishes brings whole events, and many of them.
PUBLISH_PATH = re.compile(rb"/api/v1/events(/batch)?\Z")


class BodyBound(NamedTuple):
    """Where reading a body ends, and what a request is told that goes on."""

    max_bytes: int
    sentence: str


# The view says so with all that belongs to an answer; this has room for the framing of a body sent in chunks.
PLAIN_BODY = BodyBound(2 * MAX_REGISTER_BYTES, BODY_TOO_LARGE)
PUBLISH_BODY = BodyBound(2 * MAX_PUBLISH_BYTES, PUBLISH_TOO_LARGE)


def body_bound(target: bytes) -> BodyBound:
    """Return the bound of what is sent to a path, which may have a query."""
    return PUBLISH_BODY if PUBLISH_PATH.search(target.partition(b"?")[0]) else PLAIN_BODY


def refusal(status: HTTPStatus, sentence: str, target: bytes = b"") -> bytes:
    """Write the whole answer to a request that cannot be read; it is the connection's last.

    `target` is what is known of its path.
    """
    media_type, body = refusal_body(target.decode("latin-1"), status, sentence)
    own = [(b"Content-Type", media_type), NO_STORE, (b"Date", http_date())]
    headers = b"".join(b"%b: %b\r\n" % header for header in own)
    return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        *(status, status.phrase.encode()),
        *(headers, len(body), body),
    )


def announces_too_much(line: bytes) -> bool:
    """Say whether a header announces a body of a length that is no number to reckon with."""
    name, _colon, value = line.partition(b":")
    digits = value.strip()
    return name.lower() == b"content-length" and digits.isdigit() and len(digits) > MAX_LENGTH_DIGITS
