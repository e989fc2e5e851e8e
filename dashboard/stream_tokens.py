"""Tokens for the test client: one for a stream that an operator who is signed in wants to try."""

from __future__ import annotations

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dashboard.errors import devices_only
from dashboard.live.board import get_board
from dashboard.rendering import is_name
from streams.audit import note_change
from streams.auth.access import Caller, denied, who_is_known
from streams.auth.signing import can_sign, stream_token
from streams.http.stream_request import client_address
from streams.http.views import error_response, json_response, refuse_method
from streams.wire.events import NAME_RULE

# A stream of a test ends with it, and the page asks for another.
SECONDS = 900
PASTE = "Streams need a token here: paste one, such as manage.py make_token writes."
SIGN_IN = "Streams need a token here: paste one, or sign in as an operator who may act."
MADE = "Streams need a token here. One is made for you whenever you connect; the log says so. Or paste another."
OBSERVED = "Streams open without a token here, and are counted as such (STREAM_AUTH=observe). Paste one to try it."


async def test_token(request: HttpRequest) -> HttpResponse:
    """Give an operator who is signed in and may act a token for one client's stream; whoever opens it ends another."""
    if refusal := refuse_method(request, "POST"):
        return refusal
    caller = await operator(request)
    if refused := denied(caller, acts=True):
        return error_response(refused.sentence, refused.status)
    if caller is None or not can_sign(settings.STREAMS):
        return error_response(PASTE, 409)
    name = request.POST.get("clientName", "")
    if not is_name(name):
        return error_response(f"clientName must be {NAME_RULE}.", 422)
    note_change(caller.name, f"made a token for the stream of {name}", client_address(scope_of(request)), name)
    token = stream_token(settings.STREAMS, name, sub=f"test:{caller.name}"[:256], now=time.time(), seconds=SECONDS)
    return json_response({"token": token})


async def operator(request: HttpRequest) -> Caller | None:
    """Return who is signed in by a session; in development strangers are nobody here, too."""
    caller = await who_is_known(request, get_board().pod.locks.identify)
    # The right to act is none to read a stream, and a token has its own.
    return caller if caller is not None and caller.has_session else None


async def context(request: HttpRequest) -> dict[str, object]:
    """Return what the test client says of tokens, and whether it may ask for one."""
    conf = settings.STREAMS
    if conf.stream_auth == "off":
        return {}
    may_sign = can_sign(conf) and not devices_only(request)
    makes = may_sign and denied(await operator(request), acts=True) is None
    if conf.stream_auth == "observe":
        return {"tokens": OBSERVED, "makes_tokens": False}
    return {"tokens": MADE if makes else SIGN_IN if may_sign else PASTE, "makes_tokens": makes}


def scope_of(request: HttpRequest) -> dict[str, object]:
    """Return the ASGI scope of a request, where it has one."""
    scope: dict[str, object] = getattr(request, "scope", {})
    return scope
