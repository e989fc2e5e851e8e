"""Which endpoint a path and a method lead to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.api.problems import ProblemKind
from streams.api.router import Endpoint, Route, find_route


async def serve(_call: Any) -> Any: ...


READ, WRITE = Endpoint(serve), Endpoint(serve, public=True)
ROUTES = (
    Route("/clients", {"GET": READ}),
    Route("/clients/NAME", {"DELETE": WRITE, "GET": READ}),
    Route("/clients/NAME/stream", {"DELETE": WRITE}),
    Route("/events/batch", {"GET": READ}),
    Route("/events/ID", {"GET": READ}),
)


@pytest.mark.parametrize(
    ("path", "route", "names"),
    [
        ("/clients", 0, {}),
        ("/clients/A-1", 1, {"NAME": "A-1"}),
        ("/clients/", 1, {"NAME": ""}),
        ("/clients/stream/stream", 2, {"NAME": "stream"}),
        ("/events/batch", 3, {}),
        ("/events/batches", 4, {"ID": "batches"}),
        ("/events/a/b//c/", 4, {"ID": "a/b//c/"}),
        ("/events/", 4, {"ID": ""}),
    ],
)
def test_find_route(path: str, route: int, names: dict[str, str]):
    assert find_route(ROUTES, path) == (ROUTES[route], names)


@pytest.mark.parametrize(
    "path", ["", "/", "/client", "//clients", "/clients/a/b", "/clients/a/stream/", "/CLIENTS", "/events"]
)
def test_find_route_of_a_path_that_leads_nowhere(path: str):
    assert find_route(ROUTES, path) is None


def test_route_methods():
    assert ROUTES[1].methods == ["GET", "HEAD", "DELETE", "OPTIONS"]
    assert ROUTES[2].methods == ["DELETE", "OPTIONS"]


def test_route_names():
    assert ROUTES[0].names == []
    assert ROUTES[2].names == ["NAME"]


def test_route_problems_are_those_of_its_kind():
    everywhere = {"invalid-request", "unknown-field", "method-not-allowed", "internal-error"}
    told = Endpoint(serve, body=msgspec.Struct, problems=(ProblemKind.CLIENT_OFFLINE,))
    route = Route("/x", {"GET": READ, "PUT": told, "POST": WRITE})
    assert {kind.word for kind in route.problems("POST")} == everywhere
    assert {kind.word for kind in route.problems("GET")} == everywhere | {
        *("unauthorized", "insufficient-scope", "not-ready", "redis-unavailable")
    }
    assert {kind.word for kind in route.problems("PUT")} - {kind.word for kind in route.problems("GET")} == {
        *("other-site", "client-offline", "invalid-json", "too-large", "unsupported-media-type")
    }
    assert ProblemKind.NOT_FOUND in ROUTES[2].problems("DELETE")


@pytest.mark.parametrize(
    ("path", "endpoint", "expected"),
    [("/pods", READ, True), ("/problems", WRITE, False), ("/events", READ, False), ("/events/ID", READ, False)],
)
def test_route_for_operators_is_neither_public_nor_for_publishers(path: str, endpoint: Endpoint, expected: bool):
    assert Route(path, {"GET": endpoint}).for_operators is expected


def test_route_endpoint():
    assert ROUTES[1].endpoint("HEAD") is ROUTES[1].endpoint("GET") is READ
    assert ROUTES[1].endpoint("DELETE") is WRITE
    assert ROUTES[2].endpoint("GET") is ROUTES[2].endpoint("HEAD") is ROUTES[1].endpoint("OPTIONS") is None
