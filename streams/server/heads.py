"""The head of a request for a stream, as most devices write it, and what of it is read."""

from __future__ import annotations

import re

from daphne.http_protocol import WebRequest

from streams.http.stream_request import PATH_PREFIX, SECRET_HEADERS, STREAM_REQUEST_HEADERS
from streams.wire.events import CLIENT_NAME

STREAM_PATH = PATH_PREFIX.encode()
# A whole head, in one piece, that asks for a stream in the plainest way. Anything that is
# written otherwise is Twisted's to read, whatever it means.
STREAM_HEAD = re.compile(
    rb"GET (%b%b) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]+:[ \t\x21-\x7e\x80-\xff]*\r\n){1,50})\r\n"
    % (re.escape(STREAM_PATH), CLIENT_NAME.pattern.encode())
)
MAX_STREAM_HEAD_BYTES = 8192
# Headers that change nothing about how a request is read or answered, but for those that
# the stream's consumer reads. `Prefer` may ask for an answer that is none of a stream.
PLAIN_HEADERS = frozenset(STREAM_REQUEST_HEADERS) - {b"prefer"} | {
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"authorization",
    b"cache-control",
    b"connection",
    b"cookie",
    b"dnt",
    b"forwarded",
    b"host",
    b"pragma",
    b"priority",
    b"referer",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
}


def plain_headers(lines: bytes, wanted: tuple[bytes, ...] = STREAM_REQUEST_HEADERS) -> list[tuple[bytes, bytes]] | None:
    """Return what a stream reads of the lines of a plain head, or None where one of them may change anything else."""
    headers: list[tuple[bytes, bytes]] = []
    for line in lines.split(b"\r\n")[:-1]:
        name, _colon, value = line.partition(b":")
        name = name.lower()
        if name not in PLAIN_HEADERS:
            return None
        if name in wanted:
            headers.append((name, value.strip(b" \t")))
        # What is refused, and no stream, ends as its client wishes.
        elif name == b"connection" and value.strip(b" \t").lower() != b"keep-alive":
            return None
    return headers


def stream_headers(
    request: WebRequest, wanted: tuple[bytes, ...] = STREAM_REQUEST_HEADERS
) -> list[tuple[bytes, bytes]] | None:
    """Return what a stream reads of a request's headers, or None for a request that asks for no stream."""
    headers = request.requestHeaders
    # Daphne takes its root path from it, whoever sends it.
    headers.removeHeader(b"Daphne-Root-Path")
    path = request.path.removeprefix(request.server.root_path.encode())
    if not path.startswith(STREAM_PATH) or not request.path.isascii() or not request.uri.isascii():
        return None
    read = [(name, value) for name in wanted for value in headers.getRawHeaders(name, ())]
    # Twisted keeps them for as long as the stream is open.
    for name in SECRET_HEADERS:
        headers.removeHeader(name)
    request.received_cookies.clear()
    return read
