"""The cluster's pages: the same whichever pod is asked."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard.cluster.clients import ClientPage, similar_to
from dashboard.cluster.look import content_of
from dashboard.cluster.pages import MAX_CURSOR, ORDER, FrontPage, StorePage, StoresPage
from dashboard.cluster.words import NAMELESS, store_address
from dashboard.live.board import get_board
from dashboard.rendering import is_name, no_such_client, operators_only, page
from streams.http.listing import PARAMETERS
from streams.http.views import refuse_method
from streams.roster.keys import SEPARATOR, store_of
from streams.wire.events import ACTIONS


@operators_only
async def front(request: HttpRequest) -> HttpResponse:
    """Show how the cluster is: its pods, its sums, and the stores that need attention."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    if request.GET.keys() & PARAMETERS:
        # As a pod's own page was found here once, and is in people's bookmarks.
        return redirect(f"{reverse('dashboard:pod')}?{request.META['QUERY_STRING']}")
    content = await content_of(FrontPage(), await get_board().look())
    return page(request, "dashboard/cluster.html", {"title": "Dashboard", **content.as_dict()})


@operators_only
async def pod_of(request: HttpRequest, name: str) -> HttpResponse:
    """Lead to this pod's own page, or say where another's is."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    board = get_board()
    if name == board.pod.conf.pod_name:
        return redirect("dashboard:pod")
    look = await board.look()
    found = [heard for heard in look.fleet.pods if heard.says.pod_name == name] if look.fleet else []
    context = {"title": f"Pod {name}", "name": name, "found": found[0] if found else None, "known": bool(look.fleet)}
    return page(request, "dashboard/other_pod.html", context, status=200 if found else 404)


@operators_only
async def stores(request: HttpRequest) -> HttpResponse:
    """Show a page of stores, those that need attention first."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    view = StoresPage.parse(request.GET)
    if SEPARATOR in view.query and is_name(view.query):
        # No store has it in its name, and every lane.
        return redirect("dashboard:client", view.query)
    content = await content_of(view, await get_board().look())
    filters = [
        {
            "state": state,
            "label": state or "all",
            "count": content.texts.get(state or "all", ""),
            "address": view.address(state=state, cursor=""),
        }
        for state in ("", *ORDER)
    ]
    context = {
        "title": "Stores",
        "view": view,
        "filters": filters,
        "live": f"?of=stores&{view.address().removeprefix('?')}",
        "first": view.address(cursor=""),
    }
    return page(request, "dashboard/stores.html", {**context, **content.as_dict()})


async def clients(_request: HttpRequest) -> HttpResponse:
    """Lead whoever shortens a client's address to where clients are found."""
    return redirect("dashboard:stores")


@operators_only
async def store(request: HttpRequest, name: str) -> HttpResponse:
    """Show one store and a page of its lanes."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    if not is_store(name):
        return await no_such_client(request)
    store_name = "" if name == NAMELESS else name
    cursor = request.GET.get("cursor", "")[:MAX_CURSOR]
    content = await content_of(StorePage(store_name, cursor), await get_board().look())
    context = {
        "title": f"Store {store_name}" if store_name else "Lanes without a store",
        "store": store_name,
        "address": name,
        "cursor": cursor,
    }
    return page(request, "dashboard/store.html", {**context, **content.as_dict()})


@operators_only
async def client(request: HttpRequest, name: str) -> HttpResponse:
    """Show one client, wherever it is."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    if not is_name(name):
        return await no_such_client(request)
    board = get_board()
    board.timelines.forget()
    look = await board.look()
    content = await content_of(ClientPage(name), look)
    if content.levels["client"] != "good":
        content.texts["similar"] = await similar_to(name, look)
        content.shown["similar"] = bool(content.texts["similar"])
    context = {"title": name, "name": name, "actions": ACTIONS, "store_address": store_address(store_of(name))}
    return page(request, "dashboard/client.html", {**context, **content.as_dict()})


def is_store(name: str) -> bool:
    """Say whether a store can be called so, in an address."""
    return name == NAMELESS or (SEPARATOR not in name and is_name(name))
