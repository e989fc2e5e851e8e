"""The endpoints about clients."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from streams.api.calls import Answer, Call, Change
from streams.api.pages import Client, ClientsQuery, client_of
from streams.api.problems import Problem, ProblemKind
from streams.audit import retired
from streams.http.holders import held_stream
from streams.pod import Pod
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.reading.similar import did_you_mean, similar_names
from streams.wire.timestamps import iso


class Clients(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of clients in the order of their stores, then of their names."""

    clients: list[Client]
    as_of: str
    next_cursor: str | None = None


async def clients(call: Call) -> Answer:
    """GET /clients."""
    asked: ClientsQuery = call.query
    page = await call.pod.reading.reader.lanes(
        store=None if asked.store is msgspec.UNSET else asked.store,
        state=asked.state or None,
        q=asked.q,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return Answer(Clients([client_of(lane) for lane in page.clients], page.as_of, page.next_cursor))


async def client(call: Call) -> Answer:
    """GET /clients/NAME."""
    found = client_of(await known_lane(call.pod, call.name))
    if found.state is LaneState.CONNECTED and (stream := await held_stream(call.pod, found.client_name, found.life)):
        found.address, found.user_agent = stream.address or None, stream.user_agent or None
        found.event_count = stream.event_count
    return Answer(found)


async def retire(call: Call) -> Answer:
    """DELETE /clients/NAME."""
    reader = call.pod.reading.reader
    if not await reader.retire(call.name):
        raise never_seen(call.name, await similar_names(reader, call.name))
    return Answer(None, HTTPStatus.NO_CONTENT, Change(retired(call.name), call.name))


async def known_lane(pod: Pod, name: str) -> Lane:
    """Return a lane; raises Problem for one that is not known."""
    reader = pod.reading.reader
    lane = await reader.lane(name) or lane_here(pod, name)
    if lane is None:
        raise never_seen(name, await similar_names(reader, name))
    return lane


def lane_here(pod: Pod, name: str) -> Lane | None:
    """Return a lane that this pod has and Redis does not know yet, or does not know any more."""
    connection = pod.registry.get(name)
    if connection is None:
        return None
    life, since = pod.roster.claims.life, iso(connection.connected_at)
    return Lane(name, LaneState.CONNECTED, pod_name=pod.conf.pod_name, life=life, since=since)


def never_seen(name: str, similar: list[str]) -> Problem:
    """Return the problem of a name that is not known."""
    return Problem(ProblemKind.NOT_FOUND, f"No client {name} is known.{did_you_mean(similar)}")
