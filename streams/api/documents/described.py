"""What an endpoint says of its answers and headers, for documents; pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from streams.api.problems import ProblemKind


class Header(NamedTuple):
    """A header of a request or an answer: its type, with what there is to say of it as `description`."""

    name: str
    form: Any
    # Whether it is always there.
    required: bool = True


class Reply(NamedTuple):
    """How an endpoint answers what was asked for."""

    status: HTTPStatus
    sentence: str
    content: Any = None
    headers: tuple[Header, ...] = ()


ALLOW = Header("Allow", Annotated[str, Meta(description="the methods that the path takes")])
LOCATION = Header("Location", Annotated[str, Meta(description="where the record of the event is")])
RETRY_AFTER = Header("Retry-After", Annotated[int, Meta(ge=1, description="after how many seconds to ask again")])
WWW_AUTHENTICATE = Header(
    "WWW-Authenticate", Annotated[str, Meta(description="`Bearer`, with what is wrong as RFC 6750 has it")]
)
REPLAYED = Header(
    "Idempotent-Replayed",
    Annotated[str, Meta(description="`true` where an earlier request was answered so, and nothing was published now")],
    required=False,
)
RATES = (
    Header(
        "RateLimit-Policy",
        Annotated[str, Meta(description="how many events a second a caller may publish here; with PUBLISH_RATE")],
        required=False,
    ),
    Header(
        "RateLimit",
        Annotated[str, Meta(description="how many of them are left, and in how many seconds there are more")],
        required=False,
    ),
)
# Of each answer of a status, whatever was asked for.
HEADERS_OF = {
    HTTPStatus.UNAUTHORIZED: (WWW_AUTHENTICATE,),
    HTTPStatus.FORBIDDEN: (WWW_AUTHENTICATE._replace(required=False),),
    HTTPStatus.METHOD_NOT_ALLOWED: (ALLOW,),
    HTTPStatus.TOO_MANY_REQUESTS: (RETRY_AFTER, *RATES),
    HTTPStatus.SERVICE_UNAVAILABLE: (RETRY_AFTER,),
}

# What a request may meet wherever it goes; the others where an endpoint names them.
EVERYWHERE = (
    ProblemKind.INVALID_REQUEST,
    ProblemKind.UNKNOWN_FIELD,
    ProblemKind.METHOD_NOT_ALLOWED,
    ProblemKind.INTERNAL_ERROR,
)
# Of endpoints that are not open to all: these ask Redis, too.
GUARDED = (
    ProblemKind.UNAUTHORIZED,
    ProblemKind.INSUFFICIENT_SCOPE,
    ProblemKind.NOT_READY,
    ProblemKind.REDIS_UNAVAILABLE,
)
CHANGING = (ProblemKind.OTHER_SITE,)
NAMED = (ProblemKind.NOT_FOUND,)
WITH_BODY = (ProblemKind.INVALID_JSON, ProblemKind.TOO_LARGE, ProblemKind.UNSUPPORTED_MEDIA_TYPE)
