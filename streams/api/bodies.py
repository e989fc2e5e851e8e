"""Reads the body of a request, within bounds; pure."""

from __future__ import annotations

from typing import Any

from streams.api.problems import Problem, ProblemKind
from streams.http.consumers import Receive
from streams.http.stream_request import header_of

MAX_BODY_BYTES = 64 * 1024
JSON_TYPE = "application/json"
TOO_LARGE = f"The body is over {MAX_BODY_BYTES} bytes."


async def read_whole(scope: dict[str, Any], receive: Receive) -> bytes:
    """Return the body of a request that says that it is JSON; raises Problem."""
    media_type = header_of(scope, b"content-type").partition(";")[0].strip().lower()
    if media_type != JSON_TYPE or header_of(scope, b"content-encoding"):
        raise Problem(ProblemKind.UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON_TYPE}, and not be encoded.")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # What came of it may say something else than all of it.
            raise Problem(ProblemKind.INVALID_JSON, "The body ended before its end.")
        more = message.get("more_body", False)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise Problem(ProblemKind.TOO_LARGE, TOO_LARGE)
    return b"".join(parts)
