"""The paths of the API and what serves them."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.api import clients, events, stores, traces
from streams.api.calls import Answer, Call
from streams.api.pages import ClientsQuery, PageQuery, StoresQuery
from streams.api.problems import PROBLEMS_PATH, ProblemKind
from streams.api.router import Endpoint, Route
from streams.api.stores import Expected
from streams.api.traces import TraceQuery
from streams.publishing.publication import Batch, Publication


class ProblemMeant(msgspec.Struct):
    """A kind of problem, for whoever follows its `type`."""

    name: str
    status: int
    title: str
    meaning: str


class Problems(msgspec.Struct):
    """All of them."""

    problems: list[ProblemMeant]


PUBLISHES: dict[str, Any] = {"read_bytes": events.read_bytes, "in_turn": False}


async def problems(_call: Call) -> Answer:
    """GET /problems."""
    return Answer(Problems([ProblemMeant(kind.word, kind.status, kind.title, kind.meaning) for kind in ProblemKind]))


ROUTES = (
    Route("/events", {"POST": Endpoint(events.publish, body=Publication, **PUBLISHES, read_body=events.read_event)}),
    Route(
        "/events/batch", {"POST": Endpoint(events.publish_batch, body=Batch, **PUBLISHES, read_body=events.read_batch)}
    ),
    Route("/events/ID", {"GET": Endpoint(events.event)}),
    Route("/pods", {"GET": Endpoint(stores.pods, PageQuery)}),
    Route("/stores", {"GET": Endpoint(stores.stores, StoresQuery)}),
    Route("/stores/STORE", {"GET": Endpoint(stores.store, PageQuery)}),
    Route("/stores/STORE/expected", {"PUT": Endpoint(stores.expect, body=Expected)}),
    Route("/clients", {"GET": Endpoint(clients.clients, ClientsQuery)}),
    Route("/clients/NAME", {"GET": Endpoint(clients.client), "DELETE": Endpoint(clients.retire)}),
    Route("/clients/NAME/stream", {"DELETE": Endpoint(traces.close)}),
    Route("/clients/NAME/trace", {"GET": Endpoint(traces.traced, TraceQuery)}),
    Route(PROBLEMS_PATH, {"GET": Endpoint(problems, public=True)}),
)
