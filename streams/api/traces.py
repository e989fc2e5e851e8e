"""The endpoints that ask and tell whichever pod has a client."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.api.calls import Answer, Call, Change
from streams.api.clients import known_lane
from streams.audit import closed
from streams.roster.reading.lanes import LaneState
from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.sentence import closing_sentence
from streams.roster.tracing.trace import MAX_MINUTES, trace

DEFAULT_MINUTES = 60


class Closing(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is known of a client whose stream is being closed."""

    client_name: str
    state: LaneState
    pod_name: str | None = None


class TraceQuery(msgspec.Struct):
    """How far back."""

    minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES, description=f"a whole number from 1 to {MAX_MINUTES:,}")] = (
        DEFAULT_MINUTES
    )


class Trace(msgspec.Struct, rename="camel"):
    """What became of a client, oldest first, and how it ends in one sentence."""

    client_name: str
    entries: list[TraceEntry]
    sentence: str
    as_of: str


async def close(call: Call) -> Answer:
    """DELETE /clients/NAME/stream: whichever pod has it closes it, and one that is here without asking Redis."""
    if call.pod.registry.get(call.name) is not None:
        closing = Closing(call.name, LaneState.CONNECTED, call.pod.conf.pod_name)
    else:
        lane = await known_lane(call.pod, call.name)
        closing = Closing(lane.client_name, lane.state, lane.pod_name)
    call.pod.roster.close_everywhere([call.name])
    return Answer(closing, HTTPStatus.ACCEPTED, Change(closed(call.name, closing.state), call.name))


async def traced(call: Call) -> Answer:
    """GET /clients/NAME/trace."""
    asked: TraceQuery = call.query
    entries = await trace(call.pod.roster, call.name, asked.minutes)
    if all(entry.kind is Kind.UNANSWERED for entry in entries):
        await known_lane(call.pod, call.name)
    now = call.now
    return Answer(Trace(call.name, entries, closing_sentence(entries, now), now))
