"""The operators' pages, each filled from the snapshots of the moment."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.utils.encoding import escape_uri_path

from dashboard import stream_tokens
from dashboard.content import reference
from dashboard.content.pages import PodPage, pod_content
from dashboard.csp import HEADER, policy
from dashboard.errors import not_found
from dashboard.live.board import get_board
from dashboard.rendering import introduce, may_act, operators_only, page, way_back
from streams.api.router import API
from streams.api.routes import openapi_json
from streams.http.listing import COLUMNS, Roster, View, store_of
from streams.http.views import refuse_method
from streams.wire.events import ACTIONS

# So many are offered in the store filter; any other can be typed.
STORES_OFFERED = 200
HEADS = {
    "name": "Client",
    "since": "Connected",
    "activity": "Last activity",
    "events": "Events",
    "backlog": "Backlog",
    "address": "Address",
}


@operators_only
async def pod(request: HttpRequest) -> HttpResponse:
    """Show how this pod is, and one page of its connections."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    board = get_board()
    view = View.parse(request.GET)
    shared = pod_content(board.pod, board.sampler)
    own = PodPage(view).content(board.pod, Roster(board.pod.registry))
    stores = sorted({store_of(connection.client_name) for connection in board.pod.registry})
    heads = [
        {
            "column": column,
            "label": HEADS[column],
            "address": view.sorted_by(column),
            "order": ("descending" if view.descending else "ascending") if view.sort == column else "none",
        }
        for column in COLUMNS
    ]
    context = {
        "title": f"Pod {board.pod.conf.pod_name}",
        "view": view,
        "heads": heads,
        "sort": view.order,
        "address": view.address(),
        "previous": view.address(page=view.page - 1),
        "next": view.address(page=view.page + 1),
        "stores": stores[:STORES_OFFERED],
        "texts": {**shared.texts, **own.texts},
        "rows": {**shared.rows, **own.rows},
        "points": shared.points,
        "shown": {**shared.shown, **own.shown},
        "levels": shared.levels,
    }
    return page(request, "dashboard/pod.html", context)


async def without_slash(request: HttpRequest, **_names: str) -> HttpResponse:
    """Lead to the same address without the slash at its end."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    _path, mark, query = way_back(request).partition("?")
    return redirect(escape_uri_path(request.path.rstrip("/")) + mark + query)


async def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead to the icon, which browsers ask for here when they show JSON."""
    return redirect(static("dashboard/icon.svg"))


async def test_client(request: HttpRequest) -> HttpResponse:
    """Serve the browser test client."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    await introduce(request)
    context = {"title": "Test client", "actions": ACTIONS, **await stream_tokens.context(request)}
    response = page(request, "dashboard/test_client.html", context)
    # It is there to try any pod, wherever that runs.
    response[HEADER] = policy(connect_src="*")
    return response


@functools.cache
def api_document() -> dict[str, Any]:
    """Return what pods say of the API, as programs read it."""
    document: dict[str, Any] = msgspec.json.decode(openapi_json())
    return document


async def api(request: HttpRequest) -> HttpResponse:
    """Describe the API, and let people try it; open to all as its document is."""
    if not settings.STREAMS.http_api:
        return await not_found(request)
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    await introduce(request)
    path = reverse("dashboard:test-client").rstrip("/") + API
    url = f"{request.scheme}://{request.get_host()}{path}"
    document, production = api_document(), settings.STREAMS.production
    context = {
        "title": "The API",
        "api_path": path,
        "about": reference.about(document),
        "groups": reference.groups(document, url, production=production),
        # Strangers may have a token, which is asked for on the page.
        "tries_all": request.user.is_anonymous or may_act(request),
    }
    return page(request, "dashboard/api.html", context)
