"""Requests to the consumer, each served in a task of its own, without a server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from streams.delivery.connection import Connection
from streams.http.consumers import EventStreamConsumer
from streams.pod import Pod
from tests.support.waiting import eventually

DISCONNECT = {"type": "http.disconnect"}


class Client:
    """One request, served in a task of its own."""

    def __init__(self, pod: Pod, name: str, *, method: str = "GET", query: str = "", **headers: bytes) -> None:
        self.sent: list[dict[str, Any]] = []
        self._error: Exception | None = None
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "http",
            "method": method,
            "path": f"/events/{name}",
            "query_string": query.encode(),
            "headers": [(key.replace("_", "-").encode(), value) for key, value in headers.items()],
            "client": ["10.0.0.7", 5000],
        }
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.create_task(EventStreamConsumer(pod)(scope, self._inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        if self._error is not None:
            raise self._error
        self.sent.append(message)

    def refuse(self, error: Exception) -> None:
        """Take nothing more, as a server that is out of step."""
        self._error = error

    async def leave(self) -> None:
        self._inbox.put_nowait(DISCONNECT)
        await asyncio.wait_for(self.task, 5)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    def error(self) -> Any:
        return json.loads(self.sent[1]["body"])["error"]


async def opened(pod: Pod, name: str) -> Connection:
    connection = await eventually(f"{name} to be opened", lambda: pod.registry.get(name), 5)
    assert isinstance(connection, Connection)
    return connection
