"""What the pod that has a client knows of its stream, and no other pod does."""

from __future__ import annotations

import time
from typing import NamedTuple

from streams.delivery.connection import Connection
from streams.pod import Pod
from streams.roster.tracing.entries import MAX_TEXT_CHARACTERS
from streams.wire.timestamps import iso


class HeldStream(NamedTuple):
    """An open stream; `active_at` is ISO 8601, and the address and what the client calls itself are from outside."""

    address: str
    user_agent: str
    event_count: int
    active_at: str


async def held_stream(pod: Pod, name: str, life: str | None) -> HeldStream | None:
    """Return the stream of a client that the pod of a life has; None where it does not say so in time."""
    if life == pod.roster.claims.life and (connection := pod.registry.get(name)) is not None:
        return stream_here(connection)
    answered = (await pod.roster.ask(name, {life})).get(life) if life else None
    if answered is None or not answered.answer.stream:
        return None
    answer = answered.answer
    return HeldStream(answer.address, answer.user_agent, answer.event_count, answer.active_at)


def stream_here(connection: Connection) -> HeldStream:
    """Return a stream of this pod."""
    snapshot = connection.snapshot(time.monotonic())
    return HeldStream(
        connection.address,
        connection.user_agent[:MAX_TEXT_CHARACTERS],
        snapshot.event_count,
        iso(snapshot.last_activity),
    )
