"""The consumer behind /api/v1: it serves a request beside the streams, and is the one place that answers problems.

Django's handler would cost several times as much as most of the answers do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any

import msgspec
import redis
from django.conf import settings
from django.http import HttpRequest

from streams.api.calls import Answer, Call
from streams.api.fields import checked_name, read_query
from streams.api.problems import Problem, ProblemKind
from streams.api.router import API, SAFE_METHODS, Endpoint, find_route
from streams.api.routes import ROUTES
from streams.audit import note_change
from streams.auth.access import ANYBODY, NEEDS_RIGHT, STRANGER, Caller, Denied, caller_of, denied, publisher_of, unknown
from streams.broker.clients import REDIS_ERRORS
from streams.delivery.connection import Headers
from streams.http.answers import NO_STORE, PROBLEM_TYPE, SERVICE_FAILED, send_answer
from streams.http.consumers import Receive
from streams.http.cors import may_change
from streams.http.stream_request import client_address, header_of
from streams.http.target import path_below, serves_operators
from streams.logs import Sparingly
from streams.pod import Pod
from streams.transport.writer import Send

logger = logging.getLogger("sse.server")

# How many requests ask Redis at one moment; others wait for their turn.
MAX_AT_ONCE = 16
# For its turn and for Redis.
ANSWER_SECONDS = 10.0
OTHER_SITE = "A page of another site may change nothing; a script sends Authorization: Bearer with ADMIN_TOKEN's value."
NO_ANSWER = "Redis gives no answer to this pod."
REFUSES = "Redis refuses what this pod asks; its log says why."
RETRY_AFTER = (b"Retry-After", b"2")
HEADERS: Headers = [NO_STORE, (b"X-Content-Type-Options", b"nosniff")]


def is_api(scope: dict[str, Any]) -> bool:
    """Say whether an ASGI request asks for the API."""
    path = path_below(scope)
    return path == API or path.startswith(API + "/")


class ApiConsumer:
    """Serves the API of one pod; `session_request` makes of an ASGI scope a request that knows its user."""

    def __init__(self, pod: Pod, session_request: Callable[[dict[str, Any]], HttpRequest]) -> None:
        self._pod = pod
        self._session_request = session_request
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._errors = Sparingly()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            status, headers, body = await self._answer(scope, receive)
        except Problem as problem:
            status, headers, body = problem_answer(problem, scope)
        except Exception:
            logger.exception("A request to the API failed")
            failed = Problem(ProblemKind.INTERNAL_ERROR, SERVICE_FAILED)
            status, headers, body = problem_answer(failed, scope)
        length = [] if status == 204 else [(b"Content-Length", b"%d" % len(body))]
        await send_answer(send, status, [*HEADERS, *length, *headers], b"" if scope["method"] == "HEAD" else body)

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[int, Headers, bytes]:
        method: str = scope["method"]
        found = find_route(ROUTES, path_below(scope).removeprefix(API))
        if found is None or (found[0].for_operators and not serves_operators(scope, self._pod.conf.admin_port)):
            raise Problem(ProblemKind.NOT_FOUND, f"There is nothing at {scope['path']}.")
        route, names = found
        allow = (b"Allow", ", ".join(route.methods).encode())
        if method == "OPTIONS":
            return 204, [allow], b""
        endpoint = route.endpoint(method)
        if endpoint is None:
            detail = f"Method {method} is not allowed here; use {' or '.join(route.methods)}."
            raise Problem(ProblemKind.METHOD_NOT_ALLOWED, detail, headers=[allow])
        caller = await self._caller(scope, endpoint)
        query = read_query(scope["query_string"], endpoint.query)
        body = endpoint.read_body(await endpoint.read_bytes(scope, receive), endpoint.body) if endpoint.body else None
        call = Call(self._pod, checked_name(names), query, body, caller, scope)
        answer = await self._serve(endpoint, call, method)
        self._note(caller, scope, answer)
        if answer.content is None:
            return answer.status, answer.headers, b""
        headers = [(b"Content-Type", b"application/json"), *answer.headers]
        return answer.status, headers, msgspec.json.encode(answer.content)

    async def _caller(self, scope: dict[str, Any], endpoint: Endpoint) -> Caller:
        """Return who asks; raises Problem where he may not. Of what is public nobody asks who wants it."""
        if endpoint.public:
            return ANYBODY
        acts = scope["method"] not in SAFE_METHODS
        who = publisher_of if endpoint.publishes else caller_of
        caller = await who(
            header_of(scope, b"authorization"),
            lambda: self._session_request(scope).auser(),
            lambda: self._pod.locks.identify(scope["headers"], scope["query_string"]),
        )
        refused = unknown(caller, NEEDS_RIGHT) if endpoint.publishes else denied(caller, acts=acts)
        if caller is None or refused:
            if endpoint.publishes:
                self._pod.locks.count_publisher(caller and caller.decision)
            raise denied_problem(refused or STRANGER)
        if acts and not caller.has_header:
            origin, site, host = (header_of(scope, name) for name in (b"origin", b"sec-fetch-site", b"host"))
            trusted = settings.CSRF_TRUSTED_ORIGINS
            if not may_change(origin, site, host, trusted, has_session=caller.has_session):
                raise Problem(ProblemKind.OTHER_SITE, OTHER_SITE)
        return caller

    async def _serve(self, endpoint: Endpoint, call: Call, method: str) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._turns if endpoint.in_turn else nullcontext():
                return await endpoint.serve(call)
        except REDIS_ERRORS as error:
            if times := self._errors.due():
                logger.warning("The API cannot ask Redis: %s (times: %d)", error or "no answer in time", times)
            doubt = "" if method in SAFE_METHODS else " It may have been done; to ask again is safe."
            what = REFUSES if isinstance(error, redis.ResponseError) else NO_ANSWER
            raise Problem(ProblemKind.REDIS_UNAVAILABLE, what + doubt, headers=[RETRY_AFTER]) from error

    def _note(self, caller: Caller, scope: dict[str, Any], answer: Answer) -> None:
        if answer.change is None or (answer.change.routine and not caller.has_session):
            return
        note_change(caller.name, answer.change.sentence, client_address(scope), answer.change.client_name)


def denied_problem(refused: Denied) -> Problem:
    """Return the problem of somebody who may not do what he asks for."""
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(ProblemKind.NOT_READY, refused.sentence, headers=[RETRY_AFTER])
    kind = ProblemKind.UNAUTHORIZED if refused.status == HTTPStatus.UNAUTHORIZED else ProblemKind.INSUFFICIENT_SCOPE
    headers = [(b"WWW-Authenticate", refused.challenge.encode())] if refused.challenge else []
    return Problem(kind, refused.sentence, headers=headers)


def problem_answer(problem: Problem, scope: dict[str, Any]) -> tuple[int, Headers, bytes]:
    """Return the answer that a problem is."""
    said = problem.said(scope.get("root_path", "") + API)
    return said.status, [(b"Content-Type", PROBLEM_TYPE), *problem.headers], msgspec.json.encode(said)
