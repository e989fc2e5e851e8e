"""What the API answers instead of what was asked for: problems as RFC 9457 has them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from streams.delivery.connection import Headers
from streams.errors import StreamError

# https://www.rfc-editor.org/rfc/rfc9457
PROBLEM_TYPE = b"application/problem+json"
# Below the API; what is behind the mark names the problem.
PROBLEMS_PATH = "/problems"
# Of what is wrong with one request: in its sentence, and in its list.
NAMED = 3
MAX_FAULTS = 100


class ProblemKind(Enum):
    """A kind of problem: its name, its status, a title for people, and what its caller is to do."""

    INVALID_REQUEST = (
        "invalid-request",
        400,
        "A value cannot be meant",
        "`errors` names each parameter, field or part of the path, and says what it may hold. Change it.",
    )
    UNKNOWN_FIELD = (
        "unknown-field",
        400,
        "There is no such parameter or field",
        "Nothing unknown is ignored, since it may be a slip of the pen. `errors` names it. Leave it out.",
    )
    INVALID_JSON = (
        "invalid-json",
        400,
        "The body is no JSON",
        "The body cannot be read as JSON in UTF-8. `detail` says where reading ended.",
    )
    UNAUTHORIZED = (
        "unauthorized",
        401,
        "It is not known who asks",
        "Sign in at `/admin/login/`, or send `Authorization: Bearer` with the value of `ADMIN_TOKEN`.",
    )
    OTHER_SITE = (
        "other-site",
        403,
        "A page of another site may change nothing",
        (
            "A session changes something only for pages of this service, which a browser says in `Sec-Fetch-Site` and "
            "`Origin`. Scripts send `ADMIN_TOKEN` instead. Behind a front door that ends TLS or has another name, "
            "`CSRF_TRUSTED_ORIGINS` names the origin of the pages."
        ),
    )
    NOT_FOUND = (
        "not-found",
        404,
        "There is nothing of this name",
        (
            "The path leads nowhere, or no client or store of this name is known. Names are case-sensitive; "
            "`detail` says which may be meant."
        ),
    )
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        405,
        "The path does not take this method",
        "The header `Allow` has those that it takes.",
    )
    TOO_LARGE = ("too-large", 413, "The body is too large", "Say less at once; `detail` says how much it may be.")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        "The body is not said to be JSON",
        "Send `Content-Type: application/json`, and no `Content-Encoding`.",
    )
    INTERNAL_ERROR = (
        "internal-error",
        500,
        "The service failed",
        "Its log says why, with a traceback. Please report it.",
    )
    REDIS_UNAVAILABLE = (
        "redis-unavailable",
        503,
        "Redis gives no answer",
        (
            "What the cluster knows is in Redis, which this pod cannot reach. Ask again after `Retry-After` seconds. "
            "A change may have been made or not; making it again is safe."
        ),
    )

    def __init__(self, word: str, status: int, title: str, meaning: str) -> None:
        self.word, self.status, self.title, self.meaning = word, HTTPStatus(status), title, meaning


class Fault(NamedTuple):
    """One thing that is wrong with a request.

    `pointer` is a JSON pointer into the body, such as `#/lanes/3`, or `?name` for a parameter.
    """

    pointer: str
    detail: str


class FaultSaid(msgspec.Struct):
    """The same in an answer."""

    pointer: str
    detail: str


class ProblemSaid(msgspec.Struct, omit_defaults=True):
    """A problem as it is answered; `error` says the same as `detail`, as in all answers of the service."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    errors: list[FaultSaid] = []


class Problem(StreamError):
    """A request that is not served, and why."""

    def __init__(
        self, kind: ProblemKind, detail: str, faults: Sequence[Fault] = (), headers: Headers | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.headers = headers or []

    def said(self, api: str) -> ProblemSaid:
        """Return what is answered; `api` is the path of the API, below which the problems are listed."""
        kind = self.kind
        return ProblemSaid(
            type=f"{api}{PROBLEMS_PATH}#{kind.word}",
            title=kind.title,
            status=kind.status,
            detail=self.detail,
            error=self.detail,
            errors=[FaultSaid(*fault) for fault in self.faults],
        )


def problem_of(kind: ProblemKind, faults: Sequence[Fault]) -> Problem:
    """Return the problem of a request with which some things are wrong, one at the least."""
    more = f" And {len(faults) - NAMED} more." if len(faults) > NAMED else ""
    return Problem(kind, " ".join(fault.detail for fault in faults[:NAMED]) + more, faults[:MAX_FAULTS])
