"""What an operator can do: end a connection, send a test event."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from dashboard.content.formats import counted
from dashboard.live.board import get_board
from dashboard.rendering import actors_only, is_name, no_such_client, note, page
from streams.audit import closed, sent
from streams.broker.clients import LINK_ERRORS
from streams.broker.publisher import Receipt, apublish
from streams.errors import PublishError
from streams.http.views import error_response, json_response, not_found, refuse_method
from streams.publishing.samples import sample_data
from streams.roster.reading.lanes import Lane, LaneState
from streams.wire.events import ACTIONS


@actors_only
async def disconnect(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether to end a client's connection, and end it when that is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_name(name):
        return await no_such_client(request)
    board = get_board()
    pod_name = await pod_of(name)
    if pod_name is None:
        messages.warning(request, f"{name} is not connected, or nobody knows where.")
        return redirect("dashboard:client", name)
    if request.method != "POST":
        context = {"title": f"Disconnect {name}?", "name": name, "where": pod_name}
        return page(request, "dashboard/disconnect.html", context)
    here = board.pod.registry.get(name) is not None
    board.pod.roster.close_everywhere([name])
    await note(request, closed(name), name)
    done = "was disconnected" if here else f"is being disconnected by {pod_name}"
    messages.success(request, f"{name} {done}. A client that is up comes back by itself.")
    return redirect("dashboard:client", name)


@actors_only
async def send(request: HttpRequest, name: str) -> HttpResponse:
    """Show the test event that would be sent to a client, and send it when that is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_name(name):
        return await no_such_client(request)
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
    await note(request, f"sent {name} a test event, {action} {receipt.event_id}", name)
    tell = messages.success if await pod_of(name) else messages.warning
    tell(request, f"{action} {receipt.event_id} was published: {await handed_to(receipt, name)}.")
    return redirect("dashboard:client", name)


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
    await note(request, sent(name, action, receipt.event_id), name)
    return json_response({"success": True, "eventId": receipt.event_id, "message": await handed_to(receipt, name)})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was not sent from a page of this service."""
    # The event loop calls this, where nobody can be looked up; the page names no one.
    request.user = AnonymousUser()
    tls = request.is_secure() or request.headers.get("X-Forwarded-Proto") == "https"
    cookies_lost = settings.CSRF_COOKIE_SECURE and not tls
    context = {"title": "This form has expired", "reason": reason, "cookies_lost": cookies_lost}
    return render(request, "dashboard/csrf_failure.html", context, status=403)


def decode_data(text: str) -> Any:
    """Decode what somebody typed; raises ValueError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def pod_of(name: str) -> str | None:
    """Return the pod to which a client is connected; None where it is to none, or nobody knows."""
    board = get_board()
    if board.pod.registry.get(name) is not None:
        return board.pod.conf.pod_name
    lane = await lane_of(name)
    return (lane.pod_name or "its pod") if lane and lane.state is LaneState.CONNECTED else None


async def lane_of(name: str) -> Lane | None:
    """Return what Redis says of a client; None where it is not known, or Redis gives no answer."""
    fleet = (await get_board().look()).fleet
    with contextlib.suppress(*LINK_ERRORS):
        return await fleet.reader.lane(name) if fleet else None
    return None


async def handed_to(receipt: Receipt, name: str) -> str:
    """Say where Redis handed an event to, and what is known of the client that it is for."""
    board, count = get_board(), receipt.receivers
    if count == 0:
        return "no pod is subscribed to the channel, so nobody gets it"
    journal = "it is in the journal, from which every pod reads"
    handed = journal if count is None else f"it was handed to {counted(count, 'pod')}"
    if (pod_name := await pod_of(name)) is not None:
        return f"{handed}, and {name} is connected to {pod_name}"
    if (await board.look()).fleet is None:
        return f"{handed}; {name} is not connected to this pod, and whether it is to another is not known now"
    return f"{handed}; {name} is not connected to any"
