"""Reading a stream up to an event: its ids, and the gaps that it tells among them."""

from __future__ import annotations

from typing import Any

from tests.support.http import EventStream
from tests.support.redis_server import event


def ids(first: int, last: int) -> list[str]:
    """Return the ids of the events with these numbers."""
    return [event("", number)["eventId"] for number in range(first, last + 1)]


async def read_until(stream: EventStream, event_id: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the ids of the events up to one, and the gaps that were told among them."""
    read: list[str] = []
    gaps: list[dict[str, Any]] = []
    while not read or read[-1] != event_id:
        received = await stream.next()
        assert received is not None, f"the stream ended after {read}"
        if received.type == "stream-gap":
            gaps.append(received.json())
        else:
            assert received.type == "message", received
            read.append(received.last_event_id)
    return read, gaps


async def ids_until(stream: EventStream, event_id: str) -> list[str]:
    """Return the ids of the events up to one, and fail where a gap is told."""
    read, gaps = await read_until(stream, event_id)
    assert gaps == []
    return read


async def gap_of(stream: EventStream) -> dict[str, Any]:
    """Return the gap that comes next."""
    received = await stream.next()
    assert received is not None, "the stream ended"
    assert received.type == "stream-gap", received
    gap: dict[str, Any] = received.json()
    return gap
