"""What a client asks for with GET /events/NAME, read from the head of its request."""

from __future__ import annotations

import functools
import math
import re
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs

from streams.delivery.connection import Resume
from streams.errors import InvalidName
from streams.http.answers import Refused
from streams.http.proxies import FORWARDED_FOR
from streams.http.target import path_below
from streams.wire.events import valid_name

PATH_PREFIX = "/events/"
ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")
# All that is read of a request's head.
STREAM_REQUEST_HEADERS = (
    b"host",
    b"origin",
    b"sec-fetch-site",
    b"prefer",
    b"last-event-id",
    b"user-agent",
    FORWARDED_FOR,
)
# What nginx sends in place of its client's wish: 503 makes it ask the next pod.
FRONT_DOOR_WISH = b"status=busy"
SECRET_HEADERS = (b"authorization", b"cookie")
# And this where a stream needs a token.
TOKEN_REQUEST_HEADERS = (*STREAM_REQUEST_HEADERS, *SECRET_HEADERS, b"accept")
MAX_USER_AGENT = 200
USER_AGENTS_SHARED = 1024
# A number as people write it, where float() would also take `1_0` and `nan`.
# ASCII, as not every other blank is one to float().
SECONDS = re.compile(r"\s*\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)


class StreamRequest(NamedTuple):
    """A client's wish for its stream."""

    name: str
    resume: Resume | None
    # Of the page that asks, or an empty string where none does.
    origin: str
    # The peer's `host:port`, a device's `host` behind a trusted proxy, or an empty string where neither is known.
    address: str
    # Text from outside, to be escaped.
    user_agent: str
    # Whether a refusal may be a status: an EventSource gives up for ever on anything but 200.
    prefers_status: bool

    @classmethod
    def parse(cls, scope: dict[str, Any], history_seconds: float) -> Self:
        """Read an ASGI scope whose path, below its root path, begins with PATH_PREFIX.

        `history_seconds` is how far back events are remembered. Raises Refused for a request
        that opens no stream on any pod.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise Refused(405, f"Method {scope['method']} is not allowed here; use GET.", [ALLOW])
        try:
            name = valid_name(path_below(scope).removeprefix(PATH_PREFIX))
        except InvalidName as error:
            raise Refused(400, str(error)) from None
        # The first of each name is the one that counts.
        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        return cls(
            name,
            wanted_resume(headers.get(b"last-event-id", b""), scope["query_string"], history_seconds),
            headers.get(b"origin", b"").decode("latin-1"),
            client_address(scope),
            client_user_agent(headers.get(b"user-agent", b"")),
            # Any of them: this header may come several times.
            b"prefer" in headers
            and any(name == b"prefer" and b"status" in value.lower() for name, value in scope["headers"]),
        )


def asks_status(scope: dict[str, Any]) -> bool:
    """Say whether a client itself asked for a status, and not its front door where a pod takes no streams."""
    wishes = (value.lower() for name, value in scope["headers"] if name == b"prefer")
    return any(b"status" in wish.replace(FRONT_DOOR_WISH, b"") for wish in wishes)


def headers_read(stream_auth: str) -> tuple[bytes, ...]:
    """Return all that a stream reads of a request's head, by STREAM_AUTH."""
    return STREAM_REQUEST_HEADERS if stream_auth == "off" else TOKEN_REQUEST_HEADERS


def wanted_resume(last_event_id: bytes, query_string: bytes, history_seconds: float) -> Resume | None:
    """Return where a client that comes back wants to go on, or None for live events only.

    The header, which a browser's EventSource sends, wins over the query, which is for
    clients that cannot set headers.
    """
    if last_event_id:
        # https://html.spec.whatwg.org/multipage/server-sent-events.html#last-event-id sends UTF-8.
        return Resume(last_event_id.decode(errors="replace"), None)
    if not query_string:
        return None
    query = parse_qs(query_string.decode("latin-1"))
    if event_id := query.get("lastEventId"):
        return Resume(event_id[-1], None)
    if since := query.get("since"):
        return Resume(None, since_seconds(since[-1], history_seconds))
    return None


def since_seconds(text: str, history_seconds: float) -> float:
    """Read a duration in seconds; one longer than the history is math.inf: all that there is.

    Raises Refused for what is no duration.
    """
    if not SECONDS.fullmatch(text):
        raise Refused(400, "since must be a number of seconds, 0 or more.")
    seconds = float(text)
    return seconds if seconds <= history_seconds else math.inf


def header_of(scope: dict[str, Any], wanted: bytes) -> str:
    """Return the first header of a name, or an empty string where there is none."""
    for name, value in scope["headers"]:
        if name == wanted:
            text: str = value.decode("latin-1")
            return text
    return ""


def client_address(scope: dict[str, Any]) -> str:
    """Return the peer's address and port, or an empty string where the server knows none."""
    client = scope.get("client")
    return place(*client) if client else ""


def place(host: str, port: int) -> str:
    """Write an address and a port as in a URL, where an IPv6 address has brackets (RFC 3986, section 3.2.2)."""
    host = f"[{host}]" if ":" in host else host
    # A proxy tells of a device's address only.
    return f"{host}:{port}" if port else host


def client_user_agent(value: bytes) -> str:
    """Return what a client calls itself, cut to MAX_USER_AGENT characters."""
    return _shared_text(value[:MAX_USER_AGENT])


# Thousands of devices call themselves the same, and share one string. Interned, those that nobody
# uses any more would stay for ever in some versions of Python.
@functools.lru_cache(maxsize=USER_AGENTS_SHARED)
def _shared_text(value: bytes) -> str:
    return value.decode("latin-1")
