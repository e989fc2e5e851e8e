"""The operators' JSON: which clients are connected to this pod, or with `?scope=cluster` to any."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from streams.broker.clients import REDIS_ERRORS
from streams.delivery.connection import Connection, ConnectionSnapshot
from streams.errors import InvalidName
from streams.http import listing
from streams.http.holders import held_stream
from streams.http.views import answers, error_response, json_response
from streams.pod import Pod, get_pod
from streams.roster.reading.lanes import Lane, LaneState
from streams.wire.events import valid_name
from streams.wire.timestamps import iso, now_iso, unix_seconds

LISTED_AT_ONCE = 200
CLUSTER = "cluster"
MAX_LISTED = 1_000
# For what the other pods know; without an answer a pod says what it knows itself.
CLUSTER_SECONDS = 2.0
NO_ANSWER = "Redis gives no answer to this pod, so what the other pods have is not known."


@answers("GET", "HEAD", public=False)
async def connections(request: HttpRequest) -> HttpResponse:
    """List connections in the original's shape: this pod's, or a page of all pods'.

    With one of the dashboard's parameters it is the page of this pod's that the dashboard would show.
    """
    pod = get_pod()
    if request.GET.get("scope") == CLUSTER:
        return await _connections_of_all(pod, request)
    pod_name = pod.conf.pod_name
    found: Iterable[Connection] = pod.registry
    of_page: dict[str, Any] = {}
    if request.GET.keys() & listing.PARAMETERS:
        selection = listing.Roster(pod.registry).select(listing.View.parse(request.GET))
        found = selection.connections
        of_page = {"matched": selection.matched, "page": selection.page, "pages": selection.pages}
    listed: list[dict[str, Any]] = []
    for number, connection in enumerate(found, 1):
        listed.append(connection_json(connection.snapshot(time.monotonic()), pod_name))
        if number % LISTED_AT_ONCE == 0:
            # Thousands take long; events go out between.
            await asyncio.sleep(0)
    total = len(pod.registry) if of_page else len(listed)
    return json_response(
        {"podName": pod_name, "totalConnections": total, **of_page, "connections": listed, "timestamp": now_iso()}
    )


async def _connections_of_all(pod: Pod, request: HttpRequest) -> HttpResponse:
    given = request.GET
    try:
        async with asyncio.timeout(CLUSTER_SECONDS):
            page = await pod.reading.reader.lanes(
                store=given.get("store"),
                state=LaneState.CONNECTED,
                q=given.get("q", "").strip()[: listing.MAX_QUERY],
                cursor=given.get("cursor", ""),
                limit=limit_of(given.get("limit", "")),
            )
            total = (await pod.reading.reader.totals()).connected
    except REDIS_ERRORS:
        return error_response(NO_ANSWER, HTTPStatus.SERVICE_UNAVAILABLE)
    return json_response(
        {
            "podName": pod.conf.pod_name,
            "totalConnections": total,
            "connections": [lane_json(lane, page.as_of) for lane in page.clients],
            **({"nextCursor": page.next_cursor} if page.next_cursor else {}),
            "timestamp": now_iso(),
        }
    )


def limit_of(text: str) -> int:
    """Read how many a page is to have; what makes no sense counts as not given."""
    return (
        int(text)
        if text.isascii() and text.isdigit() and 0 < len(text) < 5 and 0 < int(text) <= MAX_LISTED
        else MAX_LISTED
    )


@answers("GET", "HEAD", public=False)
async def client(request: HttpRequest, name: str) -> HttpResponse:
    """Describe one client in the original's shape: where it is not on this pod, say where it is."""
    pod = get_pod()
    pod_name = pod.conf.pod_name
    connection = pod.registry.get(name)
    if connection is not None:
        found = connection_json(connection.snapshot(time.monotonic()), pod_name)
        return json_response({"found": True, "podName": pod_name, "client": found, "timestamp": now_iso()})
    try:
        async with asyncio.timeout(CLUSTER_SECONDS):
            lane = await pod.reading.reader.lane(valid_name(name))
            if lane is not None and lane.state is LaneState.CONNECTED and request.GET.get("scope") == CLUSTER:
                return await _client_elsewhere(pod, lane)
    except InvalidName:
        lane = None
    except REDIS_ERRORS:
        if request.GET.get("scope") == CLUSTER:
            return error_response(NO_ANSWER, HTTPStatus.SERVICE_UNAVAILABLE, found=False, podName=pod_name)
        others = pod.ingresses.peers.names
        return _not_found(
            pod, name, f" It may be on another: {', '.join(others)}." if others else f" {NO_ANSWER}", None
        )
    return _not_found(pod, name, where(lane), lane)


async def _client_elsewhere(pod: Pod, lane: Lane) -> HttpResponse:
    found = lane_json(lane, now_iso())
    if (stream := await held_stream(pod, lane.client_name, lane.life)) is not None:
        found |= {"lastActivity": stream.active_at, "eventCount": stream.event_count}
    return json_response({"found": True, "podName": lane.pod_name, "client": found, "timestamp": now_iso()})


def _not_found(pod: Pod, name: str, elsewhere: str, lane: Lane | None) -> HttpResponse:
    similar = listing.similar_name(pod.registry, name)
    hint = f" {similar} is: names are case-sensitive." if similar else ""
    fields: dict[str, Any] = {"found": False, "podName": pod.conf.pod_name, "clientName": name}
    if lane is not None:
        fields["elsewhere"] = {
            "podName": lane.pod_name,
            "state": lane.state,
            "since": lane.since,
            "lastSeenAt": lane.last_seen_at,
            "lastReason": lane.last_reason,
        }
    fields |= {"error": f"Client {name} is not on this pod.{hint}{elsewhere}", "timestamp": now_iso()}
    return json_response(fields, HTTPStatus.NOT_FOUND)


def where(lane: Lane | None) -> str:
    """Say where a client is that is not on this pod."""
    if lane is None:
        return " No pod knows of it."
    since = f" since {lane.since}" if lane.since else ""
    if lane.state is LaneState.CONNECTED:
        return f" It is on {lane.pod_name}{since}."
    if lane.state is LaneState.UNKNOWN:
        return f" It was on {lane.pod_name}, which is not heard{since}."
    ended = f"; its last stream ended as {lane.last_reason} on {lane.pod_name}" if lane.last_reason else ""
    return f" It is {lane.state}{since}{ended}."


def connection_json(snapshot: ConnectionSnapshot, pod_name: str) -> dict[str, Any]:
    """Describe a connection with the original's keys; `uptime` is in seconds."""
    return {
        "clientName": snapshot.client_name,
        "podName": pod_name,
        "connectedAt": iso(snapshot.connected_at),
        "lastActivity": iso(snapshot.last_activity),
        "eventCount": snapshot.event_count,
        "isAlive": True,
        "uptime": int(snapshot.open_seconds),
    }


def lane_json(lane: Lane, now: str) -> dict[str, Any]:
    """Describe a connection of any pod with the same keys; what its own pod alone knows is null."""
    opened, until = unix_seconds(lane.since or ""), unix_seconds(now)
    return {
        "clientName": lane.client_name,
        "podName": lane.pod_name,
        "connectedAt": lane.since,
        "lastActivity": None,
        "eventCount": None,
        "isAlive": True,
        "uptime": None if opened is None or until is None else max(0, int(until - opened)),
    }
