"""What the API answers instead of what was asked for: problems as RFC 9457 has them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus

import msgspec

from streams.delivery.connection import Headers
from streams.errors import StreamError

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
    INVALID_EVENT = (
        "invalid-event",
        400,
        "An event cannot be published as it stands",
        (
            "`errors` names each field, in a batch with the number of its event, and says what it may hold. "
            "Nothing was published. Change it; to send the same again gives the same answer."
        ),
    )
    UNAUTHORIZED = (
        "unauthorized",
        401,
        "It is not known who asks",
        (
            "Send `Authorization: Bearer` with a token that has the right, or with the value of `ADMIN_TOKEN`, or "
            "sign in at `/admin/login/`. `WWW-Authenticate` says what is wrong with a token that was sent."
        ),
    )
    INSUFFICIENT_SCOPE = (
        "insufficient-scope",
        403,
        "Who asks may not do this",
        (
            "A token publishes to the clients that `publish` of its claim `sse` names, and looks or acts with `read` "
            "or `act` in `admin`; `errors` names each event of a batch to whose client it may not publish. Nothing "
            "was published or changed. A staff user may look; one with the role `act`, or a superuser, may change "
            "something too. Whom a front door signs in (`TRUSTED_USER_HEADER`) has to be an active staff user here. "
            "A superuser gives roles at `/admin/auth/user/`."
        ),
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
    UNKNOWN_EVENT = (
        "unknown-event",
        404,
        "There is no record of this event",
        (
            "A record is kept of an event that was published over HTTP with an `eventId`, an `Idempotency-Key` or a "
            "`receipt`, for `IDEMPOTENCY_SECONDS`. That there is none does not say that the event was not delivered."
        ),
    )
    CLIENT_OFFLINE = (
        "client-offline",
        409,
        "The client is not connected",
        (
            "The event has `requireOnline`, and no pod has a stream of its client; `client` says what is known of it. "
            "Nothing was published."
        ),
    )
    IDEMPOTENCY_MISMATCH = (
        "idempotency-mismatch",
        422,
        "The id or key was another event's",
        (
            "An event with this `eventId` or `Idempotency-Key` was published in the last `IDEMPOTENCY_SECONDS`, and "
            "said something else. Nothing was published. Give this one an id of its own."
        ),
    )
    RATE_LIMITED = (
        "rate-limited",
        429,
        "More events than this pod takes from one caller",
        "Send the same again after `Retry-After` seconds, or publish evenly. `PUBLISH_RATE` sets the limit.",
    )
    OVERLOADED = (
        "overloaded",
        503,
        "More requests at once than this pod takes",
        (
            "`PUBLISH_CONCURRENCY` requests are under way. Nothing was published; send it again after `Retry-After` "
            "seconds, or many events in one request to `/events/batch`."
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
    NOT_READY = (
        "not-ready",
        503,
        "This pod cannot tell yet who asks",
        (
            "It has not read yet with which keys tokens are verified, or which of them were revoked; `/health/ready` "
            "says so, too. Ask again after `Retry-After` seconds, or another pod. Nothing was published or changed."
        ),
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
            "A change may have been made or not; making it again is safe. Of an event `detail` says "
            "whether it may have been published, and what makes it safe to send it again."
        ),
    )

    def __init__(self, word: str, status: int, title: str, meaning: str) -> None:
        self.word, self.status, self.title, self.meaning = word, HTTPStatus(status), title, meaning


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request.

    `pointer` is a JSON pointer (RFC 6901) into the body, such as `/lanes/3`, or `?name` for a parameter.
    """

    pointer: str
    detail: str


class ClientSaid(msgspec.Struct, rename="camel", omit_defaults=True):
    """Where a client was when its event was published. `since` is when it got into this state, in ISO 8601."""

    state: str
    pod_name: str | None = None
    since: str | None = None


class ProblemSaid(msgspec.Struct, omit_defaults=True):
    """A problem as it is answered; `error` says the same as `detail`, as in all answers of the service."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    errors: list[Fault] = []
    # Of a client that is not connected.
    client: ClientSaid | None = None


class Problem(StreamError):
    """A request that is not served, and why."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Headers | None = None,
        client: ClientSaid | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.headers = headers or []
        self.client = client

    def said(self, api: str) -> ProblemSaid:
        """Return what is answered; `api` is the path of the API, below which the problems are listed."""
        kind = self.kind
        return ProblemSaid(
            type=f"{api}{PROBLEMS_PATH}#{kind.word}",
            title=kind.title,
            status=kind.status,
            detail=self.detail,
            error=self.detail,
            errors=list(self.faults),
            client=self.client,
        )


def problem_of(kind: ProblemKind, faults: Sequence[Fault]) -> Problem:
    """Return the problem of a request with which some things are wrong, one at the least."""
    more = f" And {len(faults) - NAMED} more." if len(faults) > NAMED else ""
    return Problem(kind, " ".join(fault.detail for fault in faults[:NAMED]) + more, faults[:MAX_FAULTS])
