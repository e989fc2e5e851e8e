"""The endpoint that lists which lanes would be refused."""

from __future__ import annotations

import msgspec

from streams.api.calls import Answer, Call
from streams.api.pages import PageQuery
from streams.auth.results import Result
from streams.locks.locks import Mode
from streams.locks.refusals import Refusal
from streams.wire.timestamps import iso


class RefusedLane(msgspec.Struct, rename="camel", omit_defaults=True):
    """A lane that came without the right token: why at the last time, how often, and whether it passed since.

    `passed` is that it came with the right one after its last refusal. Times are ISO 8601.
    """

    client_name: str
    result: Result
    detail: str
    count: int
    last_at: str
    passed: bool = False
    passed_at: str | None = None


class Refused(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of the lanes that this pod refused since it started, or with `observe` would have, in their order.

    `refused` is how many there are that did not pass since, `forgotten` how many found no room in the list.
    """

    pod_name: str
    stream_auth: Mode
    refused: int
    forgotten: int
    lanes: list[RefusedLane]
    as_of: str
    next_cursor: str | None = None


async def refused(call: Call) -> Answer:
    """GET /refused."""
    asked: PageQuery = call.query
    locks = call.pod.locks
    lanes = {each.client_name: each for passed in (False, True) for each in locks.refusals.listed(passed=passed)}
    left = sorted(name for name in lanes if name > asked.cursor)
    page = left[: asked.limit]
    said = Refused(
        call.pod.conf.pod_name,
        locks.streams,
        sum(not each.passed for each in lanes.values()),
        locks.refusals.forgotten,
        [lane_of(lanes[name]) for name in page],
        call.now,
        page[-1] if len(left) > asked.limit else None,
    )
    return Answer(said)


def lane_of(refusal: Refusal) -> RefusedLane:
    """Return a lane as it is answered."""
    passed_at = iso(refusal.passed_at) if refusal.passed_at else None
    return RefusedLane(
        *(refusal.client_name, refusal.result, refusal.sentence, refusal.count),
        *(iso(refusal.last_at), refusal.passed, passed_at),
    )
