"""Requests to the API without a server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import unquote

from streams.api.consumer import ApiConsumer
from streams.api.router import API
from streams.pod import Pod

STRANGER = SimpleNamespace(is_active=False, is_staff=False)
CUSTOMER = SimpleNamespace(is_active=True, is_staff=False)
OPERATOR = SimpleNamespace(is_active=True, is_staff=True, may_act=True, get_username=lambda: "night shift")
READER = SimpleNamespace(is_active=True, is_staff=True, may_act=False, get_username=lambda: "auditor")
UNKNOWN = SimpleNamespace(is_active=False, is_staff=False, told_name="mallory")
JSON = {"Content-Type": "application/json"}


class Asked(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """Return the name of the problem that this is, which has all that a problem has."""
        said = self.said
        assert self.headers["content-type"] == "application/problem+json"
        assert said.keys() - {"errors"} == {"type", "title", "status", "detail", "error"}
        assert said["status"] == self.status
        assert said["error"] == said["detail"]
        kind: str = said["type"].rpartition("#")[2]
        return kind


class Api:
    """The API of one pod; `user` is whom the session names."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.user = STRANGER
        self.root_path = ""
        self.port = 3000
        self.consumer = ApiConsumer(pod, self._session_request)

    def _session_request(self, _scope: dict[str, Any]) -> Any:
        async def auser() -> Any:
            return self.user

        return SimpleNamespace(auser=auser)

    async def ask(
        self,
        target: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        parts: int = 1,
        cut: bool = False,
    ) -> Asked:
        """Ask for a target below the API; the body comes in so many parts, and if it is cut without the last."""
        path, _mark, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": self.root_path + API + unquote(path),
            "root_path": self.root_path,
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
            "client": ["10.0.0.7", 5000],
            "server": ["10.0.0.1", self.port],
        }
        size = -(-len(body) // parts)
        pieces = [body[place * size : (place + 1) * size] for place in range(parts)]
        inbox = [
            {"type": "http.request", "body": piece, "more_body": number < parts}
            for number, piece in enumerate(pieces, 1)
        ]
        if cut:
            inbox.pop()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return inbox.pop(0) if inbox else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.consumer(scope, receive, send)
        start, end = sent
        names = [name.decode().lower() for name, _value in start["headers"]]
        assert len(set(names)) == len(names)
        return Asked(
            start["status"],
            {name.decode().lower(): value.decode() for name, value in start["headers"]},
            end["body"],
        )

    async def put(self, target: str, said: Any, **headers: str) -> Asked:
        return await self.ask(target, "PUT", {**JSON, **headers}, json.dumps(said).encode())
