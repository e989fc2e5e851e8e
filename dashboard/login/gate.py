"""What is said to a stranger who guesses passwords, before anything else is done for him."""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable
from typing import Any

from django.template.loader import render_to_string

from dashboard.csp import HEADER, POLICY
from dashboard.login.attempts import Attempts
from dashboard.login.passwords import PasswordChecker
from streams.http.answers import send_answer
from streams.transport.writer import Send

LOGIN_PATH = "/admin/login/"
# Attempts that may wait for their turn in a pod; a check takes half a second, or some on a busy machine.
MAX_WAITING = 4
BUSY_SECONDS = 2

attempts = Attempts()
checker = PasswordChecker(MAX_WAITING)


def refused_login(scope: dict[str, Any], send: Send) -> Awaitable[None] | None:
    """Return the coroutine that refuses an attempt to log in, or None for a request that may go on.

    It looks at the sender's address alone: who tries fifty passwords a second is to cost next to nothing.
    """
    if scope["method"] != "POST" or not scope["path"].endswith(LOGIN_PATH):
        return None
    client = scope.get("client")
    seconds = attempts.wait_of(client[0] if client else "") or (BUSY_SECONDS if checker.full else 0)
    if not seconds:
        return None
    headers = [(name.encode(), value.encode()) for name, value in refusal_headers(seconds).items()]
    body = refusal_page(seconds).encode()
    return send_answer(send, 429, [*headers, (b"Content-Length", str(len(body)).encode())], body)


def refusal_headers(seconds: float) -> dict[str, str]:
    """Return the headers of a refusal."""
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Retry-After": str(math.ceil(seconds)),
        "X-Content-Type-Options": "nosniff",
        HEADER: POLICY,
    }


def refusal_page(seconds: float) -> str:
    """Return the page that tells a person when to try again."""
    return _page_of(math.ceil(seconds / 60) if seconds > BUSY_SECONDS else 0)


@functools.cache
def _page_of(minutes: int) -> str:
    return render_to_string("dashboard/login_refused.html", {"title": "Log in", "minutes": minutes})
