"""Reads the body of a request, within bounds; pure."""

from __future__ import annotations

from typing import Any

from streams.api.problems import Problem, ProblemKind
from streams.http.consumers import Receive
from streams.http.stream_request import header_of

MAX_BODY_BYTES = 64 * 1024
JSON_TYPE = "application/json"
# What tools say of a body that nobody told them about.
UNSAID = ("", "text/plain")


async def read_whole(
    scope: dict[str, Any], receive: Receive, max_bytes: int = MAX_BODY_BYTES, *, unsaid: bool = False
) -> bytes:
    """Return the body of a request that says that it is JSON, or, if that is allowed, nothing; raises Problem."""
    media_type = header_of(scope, b"content-type").partition(";")[0].strip().lower()
    is_json = media_type == JSON_TYPE or (unsaid and media_type in UNSAID)
    if not is_json or header_of(scope, b"content-encoding"):
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
        if size > max_bytes:
            raise Problem(ProblemKind.TOO_LARGE, f"The body is over {max_bytes} bytes.")
    return b"".join(parts)
