"""The operators' pages, each filled from the snapshots of the moment."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec

import msgspec
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from dashboard.board import get_board
from dashboard.csp import HEADER, policy
from dashboard.pages import ClientPage, PodPage, pod_content
from dashboard.tables import COLUMNS, View, store_of
from streams.access import may_look
from streams.errors import CloseReason, InvalidName, PublishError
from streams.events import ACTIONS, valid_name
from streams.publisher import Receipt, apublish
from streams.samples import sample_data
from streams.views import error_response, json_response, not_found, refuse_method

Arguments = ParamSpec("Arguments")
PageView = Callable[Concatenate[HttpRequest, Arguments], Awaitable[HttpResponse]]

# So many are offered in the store filter; any other can be typed.
STORES_OFFERED = 200
HEADS = {
    "name": "Client",
    "since": "Connected since (UTC)",
    "activity": "Last activity",
    "events": "Events",
    "backlog": "Backlog",
    "address": "Address",
}


def operators_only(view: PageView[Arguments]) -> PageView[Arguments]:
    """Lead strangers to the login page; in development there are none."""

    @functools.wraps(view)
    async def guarded(request: HttpRequest, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        # Templates ask for the user, and may not go to the database from the event loop.
        request.user = await request.auser()
        if not await may_look(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return await view(request, *args, **kwargs)

    return guarded


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Render a page with what all of them show."""
    shared = {
        "pod_name": get_board().worker.conf.pod_name,
        "production": settings.STREAMS.production,
        "has_permission": request.user.is_authenticated,
    }
    return render(request, template, {**shared, **context}, status=status)


@operators_only
async def pod(request: HttpRequest) -> HttpResponse:
    """Show how this pod is, and one page of its connections."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    board = get_board()
    view = View.parse(request.GET.dict())
    shared, own = pod_content(board.worker, board.sampler), PodPage(view).content(board.worker)
    stores = sorted({store_of(connection.client_name) for connection in board.worker.registry})
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
        "title": "Dashboard",
        "view": view,
        "heads": heads,
        "sort": view.address(query="", store="", page=1).removeprefix("?sort="),
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


@operators_only
async def client(request: HttpRequest, name: str) -> HttpResponse:
    """Show one client: its connection, its past ones, its events."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    if not is_name(name):
        return await not_found(request)
    content = ClientPage(name).content(get_board().worker)
    return page(
        request,
        "dashboard/client.html",
        {"title": name, "name": name, "actions": ACTIONS, **content.as_dict()},
    )


@operators_only
async def disconnect(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether to end a client's connection, and end it when that is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_name(name):
        return await not_found(request)
    registry = get_board().worker.registry
    connection = registry.get(name)
    if connection is None:
        messages.warning(request, f"{name} is not connected to this pod.")
        return redirect("dashboard:client", name)
    if request.method != "POST":
        return page(request, "dashboard/disconnect.html", {"title": f"Disconnect {name}?", "name": name})
    registry.close(connection, CloseReason.OPERATOR)
    messages.success(request, f"{name} was disconnected. A client that is up comes back by itself.")
    return redirect("dashboard:client", name)


@operators_only
async def send(request: HttpRequest, name: str) -> HttpResponse:
    """Show the test event that would be sent to a client, and send it when that is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_name(name):
        return await not_found(request)
    given = request.POST if request.method == "POST" else request.GET
    action = given.get("action", "")
    action = action if action in ACTIONS else ACTIONS[0]
    data = given.get("data") or msgspec.json.format(msgspec.json.encode(sample_data(action)), indent=2).decode()
    context = {"title": f"Send a test event to {name}?", "name": name, "action": action, "data": data}
    if request.method != "POST":
        return page(request, "dashboard/send.html", context)
    try:
        receipt = await apublish(name, action, decode_data(data))
    except PublishError as error:
        return page(request, "dashboard/send.html", {**context, "error": str(error)}, status=422)
    except ValueError as error:
        return page(request, "dashboard/send.html", {**context, "error": f"data is not JSON: {error}"}, status=422)
    messages.success(request, f"{action} {receipt.event_id} was published; {heard_by(receipt)}.")
    return redirect("dashboard:client", name)


async def test_client(request: HttpRequest) -> HttpResponse:
    """Serve the browser test client."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    request.user = await request.auser()
    response = page(request, "dashboard/test_client.html", {"title": "Test client", "actions": ACTIONS})
    # It is there to try any pod, wherever that runs.
    response[HEADER] = policy(connect_src="*")
    return response


async def publish_test(request: HttpRequest) -> HttpResponse:
    """Publish what the test client's form holds; only in development."""
    if settings.STREAMS.production:
        return await not_found(request)
    if refusal := refuse_method(request, "POST"):
        return refusal
    name, action = request.POST.get("clientName", ""), request.POST.get("action", "")
    try:
        data = decode_data(request.POST["data"]) if request.POST.get("data") else sample_data(action)
        receipt = await apublish(name, action, data)
    except PublishError as error:
        return error_response(str(error), 422)
    except KeyError:
        return error_response(f"There is no sample data for {action!r}.", 422)
    except ValueError as error:
        return error_response(f"data is not JSON: {error}", 422)
    return json_response({"success": True, "eventId": receipt.event_id, "message": heard_by(receipt)})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was not sent from a page of this service."""
    context = {"title": "This form has expired", "reason": reason}
    return render(request, "dashboard/csrf_failure.html", context, status=403)


def is_name(name: str) -> bool:
    """Say whether a name can be a client's."""
    try:
        valid_name(name)
    except InvalidName:
        return False
    return True


def decode_data(text: str) -> Any:
    """Decode what somebody typed; raises ValueError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def heard_by(receipt: Receipt) -> str:
    """Say how many pods Redis handed an event to."""
    return f"{receipt.receivers} pod{' hears' if receipt.receivers == 1 else 's hear'} the channel"
