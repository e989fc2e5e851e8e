"""The endpoint that lists which lanes are refused, or would be."""

from __future__ import annotations

import msgspec

from streams.api.calls import Answer, Call
from streams.api.pages import PageQuery
from streams.auth.results import Result
from streams.locks.locks import Mode
from streams.locks.unwelcome import Unwelcome
from streams.wire.timestamps import iso


class RefusedLane(msgspec.Struct, rename="camel"):
    """A lane that came without a right to its stream: why at the last time, and how often since its last good token.

    The address and what the client calls itself are from outside. `lastAt` is ISO 8601.
    """

    client_name: str
    result: Result
    detail: str
    times: int
    last_at: str
    address: str
    user_agent: str


class Refused(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of the lanes that this pod refuses, or with `observe` would, in the order of their names.

    A lane is among them until it shows a good token, on any pod; `total` is how many there are. Other pods have others.
    """

    pod_name: str
    stream_auth: Mode
    total: int
    lanes: list[RefusedLane]
    as_of: str
    next_cursor: str | None = None


async def refused(call: Call) -> Answer:
    """GET /refused."""
    asked: PageQuery = call.query
    locks = call.pod.locks
    left = sorted((each for each in locks.unwelcome if each.client_name > asked.cursor), key=_name)
    page = left[: asked.limit]
    return Answer(
        Refused(
            call.pod.conf.pod_name,
            locks.streams,
            len(locks.unwelcome),
            [refused_lane(each) for each in page],
            call.now,
            page[-1].client_name if len(left) > asked.limit else None,
        )
    )


def _name(lane: Unwelcome) -> str:
    return lane.client_name


def refused_lane(lane: Unwelcome) -> RefusedLane:
    """Return a lane as it is answered."""
    return RefusedLane(
        *(lane.client_name, lane.result, lane.sentence, lane.times),
        *(iso(lane.at), lane.address, lane.user_agent),
    )
