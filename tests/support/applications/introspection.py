"""The pod as an ASGI application that also says what it holds: serve it instead of sseproject.asgi."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable
from typing import Any

from sseproject.asgi import application as pod
from streams.pod import get_pod
from tests.support.pods import OBSERVED


def unsaid() -> int:
    """Say of how much Redis is yet to be told: claims, and what became of clients."""
    roster = get_pod().roster
    return roster.claims.waiting + roster.tracer.recorder.waiting


async def observe(send: Any) -> None:
    gc.collect()
    body = json.dumps(
        {
            "tasks": sorted(task.get_name() for task in asyncio.all_tasks()),
            "objects": len(gc.get_objects()),
            "unsaid": unsaid(),
        }
    )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body.encode()})


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer OBSERVED, and pass everything else through untouched."""
    served: Awaitable[None] = observe(send) if scope.get("path") == OBSERVED else pod(scope, receive, send)
    await served
