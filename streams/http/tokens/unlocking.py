"""The lock of the streams: who may open one, and what the others are told."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from streams.auth.decision import Decision
from streams.auth.results import Result
from streams.auth.rights import Holder, Right
from streams.errors import CloseReason
from streams.http.answers import Refused
from streams.http.cors import may_use_cookie
from streams.http.stream_request import StreamRequest, header_of
from streams.locks.locks import Mode
from streams.pod import Pod

EVENT_STREAM = b"text/event-stream"
# https://www.rfc-editor.org/rfc/rfc6750#section-3
BARE = b"Bearer"
INVALID_REQUEST = b'Bearer error="invalid_request"'
INVALID_TOKEN = b'Bearer error="invalid_token"'
INSUFFICIENT_SCOPE = b'Bearer error="insufficient_scope"'


class Passed(NamedTuple):
    """Who may open a stream: the holder whose token it ends with, or why the stream itself is to say no."""

    holder: Holder | None = None
    refusal: CloseReason | None = None


PASSED = Passed()


def unlock(pod: Pod, scope: dict[str, Any], request: StreamRequest) -> Passed:
    """Decide about a stream where the lock is not off; raises Refused for who may not have it."""
    decision = decide(pod, scope, request.name)
    locks = pod.locks
    if decision.ok:
        locks.unwelcome.forget(request.name)
        return Passed(decision.holder) if locks.streams is Mode.REQUIRED else PASSED
    came = request.address, request.user_agent
    lane = locks.unwelcome.note(request.name, decision.result, decision.sentence, *came)
    if locks.streams is not Mode.REQUIRED:
        return PASSED
    pod.roster.tracer.recorder.locked_out(request.name, decision.result, lane.times, *came)
    # Time cures it, and an EventSource gives up for ever on a status.
    if decision.result is Result.EXPIRED and not request.prefers_status and reads_events(scope):
        return Passed(refusal=CloseReason.TOKEN_EXPIRED)
    raise refused(decision)


def decide(pod: Pod, scope: dict[str, Any], name: str) -> Decision:
    """Decide whether what a request brings opens the stream of a client."""
    origin, site, host = (header_of(scope, header) for header in (b"origin", b"sec-fetch-site", b"host"))
    origin_ok = may_use_cookie(origin, site, host, pod.conf.cors_allowed_origins)
    mode = pod.locks.streams
    query = scope["query_string"]
    return pod.locks.decide(scope["headers"], query, Right.SUBSCRIBE, name, mode=mode, origin_ok=origin_ok)


def reads_events(scope: dict[str, Any]) -> bool:
    """Say whether whoever asks has said that it reads an event stream, as each EventSource does."""
    return any(name == b"accept" and EVENT_STREAM in value.lower() for name, value in scope["headers"])


def refused(decision: Decision) -> Refused:
    """Return the answer to a request that was decided against."""
    if decision.malformed:
        status, challenge = 400, INVALID_REQUEST
    elif decision.result is Result.SCOPE:
        status, challenge = 403, INSUFFICIENT_SCOPE
    else:
        # Who sent nothing is told no error: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
        status, challenge = 401, BARE if decision.result is Result.NONE else INVALID_TOKEN
    return Refused(status, decision.sentence, [(b"WWW-Authenticate", challenge)])


def retry_after(bounds: tuple[int, int]) -> tuple[bytes, bytes]:
    """Return the header that says when to come back, drawn so that not all do at once."""
    return b"Retry-After", str(random.randint(*bounds)).encode()
