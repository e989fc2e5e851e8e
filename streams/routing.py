"""Which requests are streams. They bypass Django's handler, which would cost a thread each."""

from __future__ import annotations

from typing import Any

from streams.http.stream_request import PATH_PREFIX


def is_stream(scope: dict[str, Any]) -> bool:
    """Say whether an ASGI request asks for a client's stream."""
    path: str = scope["path"]
    return path.startswith(PATH_PREFIX)
