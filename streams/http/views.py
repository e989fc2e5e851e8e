"""The JSON that other programs read: register, health and metrics."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from streams import VERSION
from streams.auth.access import denied, who_asks
from streams.errors import InvalidName
from streams.http.answers import BODY_TOO_LARGE, JSON_HEADERS, MAX_REGISTER_BYTES, SERVICE_FAILED, error_body
from streams.pod import get_pod
from streams.wire.events import valid_name
from streams.wire.timestamps import now_iso

View = Callable[..., Coroutine[Any, Any, HttpResponse]]

# Paths that are often asked for elsewhere, and what there is here.
HINTS = {
    "events": "; a stream is at /events/NAME, such as /events/STORE001-LANE01",
    "healthz": "; /health/live says whether this pod lives, /health/ready whether it takes clients",
    "dashboard": "; the dashboard is at /admin",
}
RESPONSE_HEADERS = {name.decode(): value.decode() for name, value in JSON_HEADERS}


def json_response(data: dict[str, Any], status: int = HTTPStatus.OK) -> HttpResponse:
    """Answer with JSON that no cache may keep."""
    return encoded_response(msgspec.json.encode(data), status)


def error_response(sentence: str, status: int, headers: dict[str, str] | None = None, **fields: Any) -> HttpResponse:
    """Answer with a sentence that tells the caller what to change."""
    return encoded_response(error_body(sentence, **fields), status, headers)


def encoded_response(body: bytes, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """Answer with JSON that is encoded already."""
    return HttpResponse(body, status=status, headers={**RESPONSE_HEADERS, **(headers or {})})


def refuse_method(request: HttpRequest, *allowed: str) -> HttpResponse | None:
    """Return a 405 answer unless the request's method is one of those allowed."""
    if request.method in allowed:
        return None
    sentence = f"Method {request.method} is not allowed here; use {' or '.join(allowed)}."
    return error_response(sentence, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(allowed)})


def answers(*methods: str, public: bool = True) -> Callable[[View], View]:
    """Refuse other methods, and strangers where the answer is not public, in JSON.

    None of these views changes anything for a browser's user, so none needs a CSRF
    token, and its check must not answer in HTML before the method's does.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        async def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if refusal := refuse_method(request, *methods):
                return refusal
            if not public and (refused := denied(await who_asks(request))):
                return error_response(refused.sentence, refused.status, challenge(refused.status))
            return await view(request, *args, **kwargs)

        return csrf_exempt(wrapped)

    return decorate


def challenge(status: int) -> dict[str, str]:
    """Return the headers that say how to tell who asks, where that is what is missing."""
    return {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}


@answers("POST")
async def register(request: HttpRequest) -> HttpResponse:
    """Check a client name; nothing is kept, since opening the stream is what registers."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_REGISTER_BYTES:
        return too_large()
    try:
        body = request.body
    except RequestDataTooBig:
        return too_large()
    if len(body) > MAX_REGISTER_BYTES:
        return too_large()
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return error_response("The body must be JSON.", HTTPStatus.BAD_REQUEST)
    if not isinstance(document, dict) or "clientName" not in document:
        sentence = 'clientName is required: send {"clientName": "STORE001-LANE01"}.'
        return error_response(sentence, HTTPStatus.BAD_REQUEST)
    try:
        name = valid_name(document["clientName"])
    except InvalidName as error:
        return error_response(str(error), HTTPStatus.BAD_REQUEST)
    return json_response(
        {
            "success": True,
            "clientName": name,
            "podName": get_pod().conf.pod_name,
            "message": f"Client {name} registered. Connect to /events/{name} for SSE stream",
            "timestamp": now_iso(),
        }
    )


def too_large() -> HttpResponse:
    """Answer a body over the limit."""
    return error_response(BODY_TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@answers("GET", "HEAD")
async def health(_request: HttpRequest) -> HttpResponse:
    """Report the pod's state with the original's keys; 503 unless it can deliver."""
    pod = get_pod()
    conf, connected = pod.conf, not pod.ingresses.unready_reason()
    status = "draining" if pod.draining else "healthy" if connected else "unhealthy"
    return json_response(
        {
            "status": status,
            "podName": conf.pod_name,
            "uptime": int(pod.uptime_seconds),
            "connections": len(pod.registry),
            "redis": {
                "connected": connected,
                "channel": conf.redis_channel,
                "host": conf.redis_host,
                "port": conf.redis_port,
            },
            "timestamp": now_iso(),
            "environment": conf.environment,
            "version": VERSION,
        },
        HTTPStatus.OK if status == "healthy" else HTTPStatus.SERVICE_UNAVAILABLE,
    )


@answers("GET", "HEAD")
async def live(_request: HttpRequest) -> HttpResponse:
    """Answer: that this answer comes at all shows that the event loop turns."""
    return json_response({"status": "alive", "podName": get_pod().conf.pod_name, "timestamp": now_iso()})


@answers("GET", "HEAD")
async def ready(_request: HttpRequest) -> HttpResponse:
    """Say whether this pod can take a client now, and if not, why."""
    pod = get_pod()
    readiness = pod.readiness()
    data: dict[str, Any] = {
        "status": "ready" if readiness.ready else "not ready",
        "reason": readiness.reason,
        "podName": pod.conf.pod_name,
        "timestamp": now_iso(),
    }
    if not readiness.ready:
        data["error"] = f"This pod takes no clients now: {readiness.reason}."
    return json_response(data, HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE)


@answers("GET", "HEAD")
async def metrics_text(_request: HttpRequest) -> HttpResponse:
    """Answer a Prometheus scrape."""
    # Loaded by the first scrape: a pod that nobody scrapes is a megabyte smaller.
    from streams.http import metrics

    body, content_type = metrics.render(get_pod())
    return HttpResponse(body, content_type=content_type)


@csrf_exempt
async def not_found(request: HttpRequest) -> HttpResponse:
    """Answer any path that nothing else serves."""
    return nothing_at(request)


def nothing_at(request: HttpRequest) -> HttpResponse:
    """Say that nothing is at a path, and which one may have been meant."""
    hint = HINTS.get(request.path_info.strip("/"), "")
    return error_response(f"There is nothing at {request.path}{hint}.", HTTPStatus.NOT_FOUND)


def sentence_of(answer: HttpResponse) -> str:
    """Return what an answer of error_response says."""
    sentence: str = msgspec.json.decode(answer.content)["error"]
    return sentence


# Django calls the next two as plain functions, and by the names of their arguments.
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer a request that Django itself refuses."""
    return error_response("The request cannot be understood.", HTTPStatus.BAD_REQUEST)


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Answer where this service failed; the log has the traceback."""
    return error_response(SERVICE_FAILED, HTTPStatus.INTERNAL_SERVER_ERROR)
