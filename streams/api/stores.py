"""The endpoints about pods and stores."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.api.calls import Answer, Call, Change
from streams.api.pages import MAX_LIMIT, Client, PageQuery, StoresQuery, client_of
from streams.api.problems import Fault, Problem, ProblemKind, problem_of
from streams.audit import expects
from streams.errors import InvalidName
from streams.roster.keys import store_of
from streams.roster.lives import Heard
from streams.roster.reading.lanes import Lane, Store
from streams.roster.reading.reader import RosterReader
from streams.wire.events import NAME_PATTERN, NAME_RULE, valid_name

# Of a pod that Redis has not heard for 15 seconds.
SILENT = "silent"
# In a cursor, between when a life began and its name.
BEHIND = "."
# Documents say the rule; what breaks it is found below, in all names at once.
LaneName = Annotated[str, Meta(description=NAME_RULE, extra_json_schema={"pattern": f"^{NAME_PATTERN}$"})]


class PodSaid(msgspec.Struct, rename="camel"):
    """One run of a pod; `state` is ready, not-ready or draining, or `silent` where Redis does not hear it any more.

    `refused_lanes` are those that it lists at `/refused`.
    """

    pod_name: str
    life: str
    version: str
    state: str
    connections: int
    heard_ago_ms: int
    started_at: str
    refused_lanes: int


class Pods(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page of pods: all runs of the last day, those first that began last."""

    pods: list[PodSaid]
    as_of: str
    next_cursor: str | None = None


class StorePage(Store, kw_only=True, rename="camel", omit_defaults=True):
    """A store as it is now, and a page of its lanes in the order of their names."""

    clients: list[Client]
    as_of: str
    next_cursor: str | None = None


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """Which lanes a store has; none is that nothing is said any more."""

    lanes: Annotated[list[LaneName], Meta(max_length=MAX_LIMIT)]


class ExpectedSaid(msgspec.Struct):
    """What is said now."""

    store: str
    lanes: list[str]


async def pods(call: Call) -> Answer:
    """GET /pods."""
    asked: PageQuery = call.query
    # In an order that stays as it is while pods come and go.
    heard = sorted(await call.pod.reading.reader.pods(), key=_began, reverse=True)
    began, _, life = asked.cursor.rpartition(BEHIND)
    left = [each for each in heard if not asked.cursor or _began(each) < (began, life)]
    page = left[: asked.limit]
    said = [
        PodSaid(
            each.says.pod_name,
            each.life,
            each.says.version,
            each.says.state if each.alive else SILENT,
            each.says.connections if each.alive else 0,
            max(0, round(1000 * each.silent_seconds)),
            each.says.started_at,
            each.says.refused_lanes if each.alive else 0,
        )
        for each in page
    ]
    cursor = BEHIND.join(_began(page[-1])) if len(left) > asked.limit else None
    return Answer(Pods(said, call.now, cursor))


def _began(heard: Heard) -> tuple[str, str]:
    return heard.says.started_at, heard.life


async def stores(call: Call) -> Answer:
    """GET /stores."""
    asked: StoresQuery = call.query
    state = asked.state or None
    return Answer(await call.pod.reading.reader.stores(state=state, cursor=asked.cursor, limit=asked.limit))


async def store(call: Call) -> Answer:
    """GET /stores/STORE."""
    asked: PageQuery = call.query
    found = await call.pod.reading.reader.store(call.name)
    if found is None:
        raise Problem(ProblemKind.NOT_FOUND, f"No client of a store {call.name} is known.")
    summary, lanes = found
    clients, cursor = await _page(call.pod.reading.reader, summary, lanes, asked)
    shown = [client_of(lane) for lane in clients]
    return Answer(StorePage(**msgspec.structs.asdict(summary), clients=shown, as_of=call.now, next_cursor=cursor))


async def _page(
    reader: RosterReader, summary: Store, lanes: list[Lane], asked: PageQuery
) -> tuple[list[Lane], str | None]:
    """Cut a page out of a store's lanes, of which only the first of many are there; return the next cursor too."""
    whole = summary.lanes <= len(lanes)
    if asked.cursor and not whole:
        page = await reader.lanes(store=summary.store, cursor=asked.cursor, limit=asked.limit)
        return page.clients, page.next_cursor
    left = [lane for lane in lanes if lane.client_name > asked.cursor]
    more = len(left) > asked.limit or not whole
    return left[: asked.limit], left[: asked.limit][-1].client_name if left and more else None


async def expect(call: Call) -> Answer:
    """PUT /stores/STORE/expected."""
    asked: Expected = call.body
    lanes = sorted(set(checked_lanes(call.name, asked.lanes)))
    await call.pod.reading.reader.expect(call.name, lanes)
    return Answer(ExpectedSaid(call.name, lanes), change=Change(expects(call.name, lanes)))


def checked_lanes(store: str, lanes: list[str]) -> list[str]:
    """Return lanes that are all of one store; raises Problem, which names those that are not."""
    faults: list[Fault] = []
    for place, name in enumerate(lanes):
        try:
            if store_of(valid_name(name)) != store:
                faults.append(Fault(f"/lanes/{place}", f"{name} is no lane of the store {store}."))
        except InvalidName as error:
            faults.append(Fault(f"/lanes/{place}", str(error).replace("clientName", f"lanes/{place}", 1)))
    if faults:
        raise problem_of(ProblemKind.INVALID_REQUEST, faults)
    return lanes
