"""The paths of the API, what serves them, and what documents say of them."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streams.api import clients, events, stores, traces
from streams.api.calls import Answer, Call
from streams.api.documents.asyncapi import asyncapi_document
from streams.api.documents.described import LOCATION, RATES, REPLAYED, Header, Reply
from streams.api.documents.openapi import openapi_document
from streams.api.documents.schemas import written
from streams.api.pages import Client, ClientsQuery, PageQuery, StoresQuery
from streams.api.problems import PROBLEMS_PATH, ProblemKind
from streams.api.router import Endpoint, NoParameters, Route
from streams.api.stores import Expected, ExpectedSaid
from streams.api.tokens.routes import TOKEN_ROUTES
from streams.api.traces import Closing, Trace, TraceQuery
from streams.publishing.publication import MAX_KEY_CHARACTERS, Batch, Publication
from streams.roster.reading.lanes import Stores


class ProblemMeant(msgspec.Struct):
    """A kind of problem, for whoever follows its `type`."""

    name: str
    status: int
    title: str
    meaning: str


class Problems(msgspec.Struct):
    """All of them."""

    problems: list[ProblemMeant]


async def problems(_call: Call) -> Answer:
    """GET /problems."""
    return Answer(Problems([ProblemMeant(kind.word, kind.status, kind.title, kind.meaning) for kind in ProblemKind]))


async def openapi(_call: Call) -> Answer:
    """GET /openapi.json."""
    return Answer(msgspec.Raw(openapi_json()))


async def asyncapi(_call: Call) -> Answer:
    """GET /asyncapi.json."""
    return Answer(msgspec.Raw(asyncapi_json()))


@functools.cache
def openapi_json() -> bytes:
    """Return the document of the API as it is served and committed."""
    return written(openapi_document(ROUTES))


@functools.cache
def asyncapi_json() -> bytes:
    """Return the document of the streams as it is served and committed."""
    return written(asyncapi_document())


IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_KEY_CHARACTERS,
            pattern="^[!-~]([ -~]*[!-~])?$",
            description="names the request: the same again within IDEMPOTENCY_SECONDS gets the first answer",
            examples=["order-1001"],
        ),
    ],
    required=False,
)
PUBLISHES: dict[str, Any] = {
    "publishes": True,
    "read_bytes": events.read_bytes,
    "in_turn": False,
    "headers": (IDEMPOTENCY_KEY,),
    "problems": (
        ProblemKind.INVALID_EVENT,
        ProblemKind.CLIENT_OFFLINE,
        ProblemKind.IDEMPOTENCY_MISMATCH,
        ProblemKind.RATE_LIMITED,
        ProblemKind.OVERLOADED,
    ),
}
EVENT: dict[str, Any] = {"clientName": "STORE001-LANE01", "action": "payment", "data": {"amount": 99.99}}
OK, ACCEPTED, NO_CONTENT = HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT


def reads(
    path: str,
    serve: Callable[[Call], Awaitable[Answer]],
    summary: str,
    sentence: str,
    content: Any,
    *,
    query: type[msgspec.Struct] = NoParameters,
    public: bool = False,
    publishes: bool = False,
    problems: tuple[ProblemKind, ...] = (),
) -> Route:
    """Return a path that is only read; `sentence` says what there is, `content` is its type."""
    endpoint = Endpoint(serve, query, public=public, publishes=publishes, problems=problems)
    return Route(path, {"GET": endpoint._replace(summary=summary, reply=Reply(OK, sentence, content))})


ROUTES = (
    Route(
        "/events",
        {
            "POST": Endpoint(
                events.publish,
                body=Publication,
                **PUBLISHES,
                read_body=events.read_event,
                summary="Publish one event",
                reply=Reply(
                    ACCEPTED,
                    "Redis has the event. With `durable` it is in the journal, at `logId`; else `receivers` pods "
                    "heard it on the channel.",
                    events.Accepted,
                    (LOCATION, REPLAYED, *RATES),
                ),
                example=EVENT | {"ttlMs": 60_000},
            )
        },
    ),
    Route(
        "/events/batch",
        {
            "POST": Endpoint(
                events.publish_batch,
                body=Batch,
                **PUBLISHES,
                read_body=events.read_batch,
                summary="Publish many events together, or none of them",
                reply=Reply(
                    ACCEPTED,
                    "Redis has all events; they are in the order of the request.",
                    events.AcceptedBatch,
                    (REPLAYED, *RATES),
                ),
                example={"events": [EVENT, EVENT | {"clientName": "STORE001-LANE02"}]},
            )
        },
    ),
    reads(
        "/events/ID",
        events.event,
        "Look up an event that was published here with an id or a key",
        "What is known of it; `state` is `accepted` or, behind its deadline, `expired`.",
        events.Accepted,
        publishes=True,
        problems=(ProblemKind.UNKNOWN_EVENT,),
    ),
    reads(
        "/pods",
        stores.pods,
        "List the pods",
        "The runs of pods of the last day, those first that are there.",
        stores.Pods,
        query=PageQuery,
    ),
    reads(
        "/stores",
        stores.stores,
        "List the stores",
        "Stores by name; there are more where there is a `nextCursor`.",
        Stores,
        query=StoresQuery,
    ),
    reads(
        "/stores/STORE",
        stores.store,
        "Show one store with its clients",
        "The store, and a page of its clients by name.",
        stores.StorePage,
        query=PageQuery,
    ),
    Route(
        "/stores/STORE/expected",
        {
            "PUT": Endpoint(
                stores.expect,
                body=Expected,
                summary="Say which lanes a store has; with none, they are learned again",
                reply=Reply(OK, "What is said now.", ExpectedSaid),
                example={"lanes": ["STORE001-LANE01", "STORE001-LANE02"]},
            )
        },
    ),
    reads(
        "/clients",
        clients.clients,
        "List the clients",
        "Clients by store and name.",
        clients.Clients,
        query=ClientsQuery,
    ),
    Route(
        "/clients/NAME",
        {
            "GET": Endpoint(
                clients.client,
                summary="Show one client, connected or not",
                reply=Reply(OK, "What the cluster knows of it; what is not known is left out.", Client),
            ),
            "DELETE": Endpoint(
                clients.retire,
                summary="Retire a lane: it is not known until it connects again",
                reply=Reply(NO_CONTENT, "It is not known any more."),
            ),
        },
    ),
    Route(
        "/clients/NAME/stream",
        {
            "DELETE": Endpoint(
                traces.close,
                summary="End a client's stream, whichever pod has it",
                reply=Reply(ACCEPTED, "Its pod is told; a device that is up comes back by itself.", Closing),
            )
        },
    ),
    reads(
        "/clients/NAME/trace",
        traces.traced,
        "Tell what became of a client",
        "Its last minutes, oldest first, and how they end in one sentence.",
        Trace,
        query=TraceQuery,
    ),
    *TOKEN_ROUTES,
    reads(
        PROBLEMS_PATH,
        problems,
        "List the kinds of problems",
        "All kinds; `type` of a problem leads here.",
        Problems,
        public=True,
    ),
    reads("/openapi.json", openapi, "Describe this API as OpenAPI 3.1", "This document.", dict, public=True),
    reads(
        "/asyncapi.json",
        asyncapi,
        "Describe the streams, the channel and the journal as AsyncAPI 3.0",
        "The document.",
        dict,
        public=True,
    ),
)
