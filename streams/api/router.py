"""Which endpoint a path and a method lead to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from streams.api.bodies import read_whole
from streams.api.documents.described import CHANGING, EVERYWHERE, GUARDED, NAMED, WITH_BODY, Header, Reply
from streams.api.fields import read_body
from streams.api.problems import ProblemKind

if TYPE_CHECKING:
    # Which knows the pod.
    from streams.api.calls import Answer, Call

API = "/api/v1"
# These change nothing.
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class NoParameters(msgspec.Struct):
    """Of an endpoint that takes none."""


class Endpoint(NamedTuple):
    """What serves one method of a path, and what a request to it may say."""

    serve: Callable[[Call], Awaitable[Answer]]
    query: type[msgspec.Struct] = NoParameters
    # Of a method that takes a body.
    body: type[msgspec.Struct] | None = None
    # Whether strangers may ask.
    public: bool = False
    # Whether it is for those who publish: PUBLISH_AUTH says who may ask, and their tokens for which clients.
    publishes: bool = False
    # How a body is read and made into that Struct.
    read_bytes: Callable[..., Awaitable[bytes]] = read_whole
    read_body: Callable[[bytes, Any], Any] = read_body
    # Whether it waits for its turn; else it has limits of its own.
    in_turn: bool = True
    # What documents say of it: what it does, how it answers, the problems that are its own, the headers that it reads,
    # and a body to try.
    summary: str = ""
    reply: Reply | None = None
    problems: tuple[ProblemKind, ...] = ()
    headers: tuple[Header, ...] = ()
    example: Any = None


class Route(NamedTuple):
    """A path below the API, in which words in capitals stand for any, and its endpoints by method."""

    path: str
    endpoints: Mapping[str, Endpoint]

    @property
    def methods(self) -> list[str]:
        """Return what the path takes."""
        head = ["GET", "HEAD"] if "GET" in self.endpoints else []
        return [*head, *(method for method in self.endpoints if method != "GET"), "OPTIONS"]

    @property
    def for_operators(self) -> bool:
        """Say whether it is neither open to all nor for back ends that publish."""
        return not self.path.startswith("/events") and not all(each.public for each in self.endpoints.values())

    def endpoint(self, method: str) -> Endpoint | None:
        """Return what serves a method, if anything does."""
        return self.endpoints.get("GET" if method == "HEAD" else method)

    @property
    def names(self) -> list[str]:
        """Return the words in capitals."""
        return [word for word in self.path.split("/") if word.isupper()]

    def problems(self, method: str) -> list[ProblemKind]:
        """Return all that a request with a method may meet, in their own order."""
        endpoint = self.endpoints[method]
        found = {
            *EVERYWHERE,
            *endpoint.problems,
            *(() if endpoint.public else GUARDED),
            *(() if endpoint.public or method in SAFE_METHODS else CHANGING),
            *(NAMED if self.names else ()),
            *(WITH_BODY if endpoint.body else ()),
        }
        return [kind for kind in ProblemKind if kind in found]


def find_route(routes: Sequence[Route], path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path below the API, and what its words in capitals stand for."""
    for route in routes:
        words = route.path.split("/")
        # What an eventId may hold is no separator in it.
        parts = path.split("/", len(words) - 1) if words[-1] == "ID" else path.split("/")
        if len(words) == len(parts) and all(
            word.isupper() or word == part for word, part in zip(words, parts, strict=True)
        ):
            return route, {word: part for word, part in zip(words, parts, strict=True) if word.isupper()}
    return None
