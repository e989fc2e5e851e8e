"""What requests bring stands nowhere, however they are answered; `secrets_kept_by_test` looks for it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import StartPod
from tests.streams.auth.issuer import token
from tests.support.http import exchange, request_bytes
from tests.support.leaks.watch import watch
from tests.support.pods import FAILING, OUTSIDE_DJANGO, PRODUCTION, STARTS, TRACEBACK, Pod
from tests.support.redis_server import RedisServer

FAILING_APPLICATION = "tests.support.applications.failing:application"
# Whose answers are errors, as Django, the consumers, or the reader of requests give them.
PATHS = (
    *(FAILING, OUTSIDE_DJANGO, "/nothing", "/metrics", "/register", "/api/v1/events"),
    *("/admin", "/admin/login/", "/admin/connections/"),
)
CSRF_FIELD, PASSWORD = "e" * 64, "horse-staple-battery"
METHODS = ("GET", "POST", "DELETE")


def brought() -> dict[str, str]:
    """Return headers that hold tokens and cookies of all kinds."""
    given = token()
    return {
        "Authorization": f"Bearer {given}",
        "Cookie": f"sse_token={given}; sessionid=session-of-somebody-0123456789; csrftoken={'c' * 32}",
        "Referer": f"https://shop.example/?access_token={given}",
        "X-CSRFToken": "d" * 64,
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "text/html",
    }


def ask_all(pod: Pod) -> set[int]:
    """Ask for each path with all that must not be told; return the statuses."""
    headers, query = {"Connection": "close", **brought()}, f"?access_token={token()}"
    for secret in (CSRF_FIELD, PASSWORD):
        watch.secrets.add(secret)
    body = f"csrfmiddlewaretoken={CSRF_FIELD}&username=somebody&password={PASSWORD}".encode()
    statuses = set()
    for path, asked, method in itertools.product(PATHS, ("", query), METHODS):
        request = request_bytes(method, path + asked, headers, body if method == "POST" else b"")
        head, _, rest = exchange(pod.port, request).partition(b"\r\n\r\n")
        # The page of the login gives two cookies.
        watch.search_head(head)
        watch.search_body(rest)
        statuses.add(int(head.split()[1]))
    return statuses


@pytest.mark.parametrize("variables", [{"LOG_FORMAT": "text"}, {"LOG_FORMAT": "json", **PRODUCTION}])
def test_failures_tell_nothing_of_a_request(start_pod: StartPod, redis_server: RedisServer, variables: dict[str, Any]):
    """Django's own page for developers has all headers and the query."""
    pod = start_pod("daphne", application=FAILING_APPLICATION, REDIS_URL=redis_server.url, **variables)
    pod.may_log_tracebacks = True
    assert ask_all(pod) > {403, 404, 405, 500}
    with contextlib.suppress(ConnectionError):
        exchange(pod.port, request_bytes("GET", "/events/FAILING", brought()), timeout=5)
    pod.wait_log(TRACEBACK)
    pod.wait_log("this stream fails")


@pytest.mark.parametrize("start", STARTS)
def test_no_start_logs_what_requests_bring(start: str, pods: Callable[[str], Pod]):
    """Servers of others log each request with its query, unless they are told not to."""
    ask_all(pods(start))
