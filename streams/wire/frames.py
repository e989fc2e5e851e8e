"""The bytes of server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.wire.events import CARRIAGE_RETURN, LINE_FEED, MAX_EVENT_ID_CHARACTERS, payload_line, valid_event_id


def event_frame(event_id: Any, payload: bytes) -> bytes:
    """Frame an event for `onmessage`; its payload must be one line.

    An eventId that breaks the rule is left out rather than mended: a client would
    send it back as Last-Event-ID, and another event may own the mended form.
    """
    if type(event_id) is str and valid_event_id(event_id):
        return b"id: %b\ndata: %b\n\n" % (event_id.encode(), payload)
    return b"data: %b\n\n" % payload


def message_frame(event_id: Any, message: bytes) -> bytes:
    """Frame a decoded message: event_frame() of its payload_line(), which raises UnusableMessage.

    Every event that is delivered comes this way. What most of them are is seen here, as each call costs as much as
    what it does.
    """
    if not message.isascii() or LINE_FEED in message or CARRIAGE_RETURN in message:
        message = payload_line(message)
    plain = type(event_id) is str and event_id.isascii() and event_id.isprintable() and " " not in event_id
    if plain and 0 < len(event_id) <= MAX_EVENT_ID_CHARACTERS:
        return b"id: %b\ndata: %b\n\n" % (event_id.encode(), message)
    return event_frame(event_id, message)


def data_frame(data: dict[str, Any], *, retry_ms: int) -> bytes:
    """Frame a JSON object for `onmessage`, with the delay before a reconnect."""
    return b"retry: %d\ndata: %b\n\n" % (retry_ms, msgspec.json.encode(data))


def named_frame(name: str, data: dict[str, Any], *, retry_ms: int | None = None) -> bytes:
    """Frame what the service itself has to say; `onmessage` never sees it."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%bevent: %b\ndata: %b\n\n" % (retry, name.encode(), msgspec.json.encode(data))


def comment_frame(text: str) -> bytes:
    """Frame a comment of one line, which keeps a connection alive and dispatches nothing."""
    return b": %b\n\n" % text.encode()
