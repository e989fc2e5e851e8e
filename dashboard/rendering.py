"""What all pages share: who may see them, and what stands on each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from dashboard.errors import devices_only, for_people
from dashboard.live.board import get_board
from dashboard.login.sessions import told_name
from streams import VERSION
from streams.audit import note_change
from streams.auth.access import denied, who_asks
from streams.auth.presented import has_token
from streams.errors import InvalidName
from streams.http.stream_request import client_address
from streams.http.views import error_response, not_found
from streams.wire.events import valid_name
from streams.wire.timestamps import now_iso

Arguments = ParamSpec("Arguments")
PageView = Callable[Concatenate[HttpRequest, Arguments], Coroutine[Any, Any, HttpResponse]]


def operators_only(view: PageView[Arguments]) -> PageView[Arguments]:
    """Lead strangers to the login page; in development there are none."""
    return _guarded(view, acts=False)


def actors_only(view: PageView[Arguments]) -> PageView[Arguments]:
    """Lead strangers to the login page, and tell operators who may look and no more that they may not."""
    return _guarded(view, acts=True)


def _guarded(view: PageView[Arguments], *, acts: bool) -> PageView[Arguments]:
    @functools.wraps(view)
    async def guarded(request: Any, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        await introduce(request)
        if refused := denied(request.caller, acts=acts):
            if refused.status == HTTPStatus.UNAUTHORIZED:
                return redirect_to_login(way_back(request), reverse("admin:login"))
            return for_people(request, error_response(refused.sentence, refused.status))
        return await view(request, *args, **kwargs)

    return guarded


def way_back(request: HttpRequest) -> str:
    """Return where a login or a redirect leads to; a token in the address goes no further."""
    query: str = request.META.get("QUERY_STRING", "")
    return request.path if has_token(query.encode("latin-1", "replace")) else request.get_full_path()


async def introduce(request: Any) -> None:
    """Let a request know its user and its caller: templates ask, and may not go to the database from the event loop."""
    request.user = await request.auser()
    request.caller = await who_asks(request, get_board().pod.locks.identify)


def page(request: Any, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Render a page with what all of them show; introduce() comes before."""
    shared = {
        "pod_name": get_board().pod.conf.pod_name,
        "production": settings.STREAMS.production,
        "api": settings.STREAMS.http_api,
        "version": VERSION,
        "now": now_iso(),
        "has_permission": request.user.is_authenticated,
        "may_act": may_act(request),
        "devices_only": devices_only(request),
        "may_log_out": not told_name(request),
    }
    return render(request, template, {**shared, **context}, status=status)


def may_act(request: Any) -> bool:
    """Say whether a request comes from somebody who may change something; introduce() comes before."""
    return denied(request.caller, acts=True) is None


async def note(request: HttpRequest, sentence: str, client_name: str = "") -> None:
    """Write down what an operator has changed, as the API does."""
    if (caller := await who_asks(request, get_board().pod.locks.identify)) is not None:
        note_change(caller.name, sentence, client_address(getattr(request, "scope", {})), client_name)


def note_by_user(request: HttpRequest, sentence: str) -> None:
    """Write down what somebody has changed on one of Django's own pages, which ask for a user in development too."""
    note_change(request.user.get_username(), sentence, client_address(getattr(request, "scope", {})))


async def no_such_client(request: HttpRequest) -> HttpResponse:
    """Answer for a name that no client can have: a page for a browser, JSON for everybody else."""
    if "text/html" not in request.headers.get("Accept", ""):
        return await not_found(request)
    return page(request, "dashboard/no_such_client.html", {"title": "No such client"}, status=404)


def is_name(name: str) -> bool:
    """Say whether a name can be a client's."""
    try:
        valid_name(name)
    except InvalidName:
        return False
    return True
