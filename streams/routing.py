"""Which requests are streams. They bypass Django's handler, which would cost a thread each."""

from __future__ import annotations

from typing import Any

from streams.http.stream_request import PATH_PREFIX
from streams.http.target import path_below


def is_stream(scope: dict[str, Any]) -> bool:
    """Say whether an ASGI request asks for a client's stream."""
    return path_below(scope).startswith(PATH_PREFIX)
