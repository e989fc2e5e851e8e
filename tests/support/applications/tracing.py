"""The pod as an ASGI application that also gives traces: serve it instead of sseproject.asgi."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import msgspec

from sseproject.asgi import application as pod
from streams.errors import TooManyTraces
from streams.pod import get_pod
from streams.roster.tracing.sentence import closing_sentence
from streams.roster.tracing.trace import start_trace, trace
from streams.wire.timestamps import now_iso
from tests.support.pods import CLOSING, TRACE, TRACING


async def answer(send: Any, said: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(said)})


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer what a page of traces would ask for, and pass everything else through untouched."""
    roster = get_pod().roster
    query = {key: values[0] for key, values in parse_qs(scope.get("query_string", b"").decode()).items()}
    path = scope.get("path")
    if path == TRACE:
        entries = await trace(roster, query["name"], float(query.get("minutes", 60)))
        await answer(send, {"entries": entries, "sentence": closing_sentence(entries, now_iso())})
    elif path == TRACING:
        try:
            await start_trace(roster, query["name"], float(query["minutes"]))
        except TooManyTraces as error:
            await answer(send, {"error": str(error)})
        else:
            await answer(send, {})
    elif path == CLOSING:
        roster.close_everywhere([query["name"]])
        await answer(send, {})
    else:
        await pod(scope, receive, send)
