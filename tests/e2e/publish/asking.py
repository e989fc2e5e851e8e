"""Requests to publish, and what came of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.http import Answer, fetch, request_bytes
from tests.support.pods import Pod
from tests.support.redis_server import JOURNAL, RedisServer

EVENTS = "/api/v1/events"
JSON = {"Content-Type": "application/json"}
TOKEN = "only-for-tests-" + "t" * 32
KIB = 1024
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def post(pod: Pod, said: Any, path: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """Publish; bytes go as they are."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return fetch(pod.port, EVENTS + path, method="POST", headers={**JSON, **(headers or {})}, body=body)


def problem(answer: Answer, word: str) -> Any:
    """Return what a problem says, which has all that a problem has."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    said = json.loads(answer.body)
    assert said["type"].rpartition("#")[2] == word, said
    assert (said["status"], said["error"]) == (answer.status, said["detail"])
    assert said["title"]
    return said


def new_id() -> str:
    return f"evt-{uuid.uuid4().hex[:12]}"


def journal(server: RedisServer, name: str) -> list[Any]:
    """Return the events of a client that are in the journal."""
    entries: Any = server.client.xrange(JOURNAL)
    # What other tests of this Redis wrote there may be anything.
    events = [json.loads(fields[b"event"]) for _place, fields in entries if fields.get(b"event", b"")[:1] == b"{"]
    return [event for event in events if event["clientName"] == name]


def announcing(length: object) -> bytes:
    """Write a head that says how long its body is."""
    return request_bytes("POST", EVENTS, {**JSON, "Content-Length": str(length), "Connection": "close"})


Published = Callable[[], int]
