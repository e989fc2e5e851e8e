"""What an operator can say of a store's lanes: which are expected, and which are gone for good."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dashboard.cluster.look import Look, reader_of
from dashboard.cluster.views import is_store
from dashboard.cluster.words import NAMELESS, short, store_address, store_label
from dashboard.content.formats import counted, named
from dashboard.live.board import get_board
from dashboard.rendering import actors_only, is_name, no_such_client, note, page
from streams.audit import expects, retired
from streams.broker.clients import LINK_ERRORS
from streams.http.views import refuse_method
from streams.roster.keys import SEPARATOR, store_of

MAX_LANES = 1_000
MAX_CHARACTERS = 200_000
NO_ANSWER = "Redis gives no answer, so nothing was changed. Try again."
TOO_MANY = f"This has more than {MAX_LANES:,} lanes, which are too many for a page; nothing can be changed here."


class Unanswered(Exception):
    """What is to be changed cannot be read."""


@actors_only
async def expected(request: HttpRequest, name: str) -> HttpResponse:
    """Ask which lanes a store has, then whether that is meant, and say so when it is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_store(name):
        return await no_such_client(request)
    store = "" if name == NAMELESS else name
    look = await get_board().look()
    context = {"title": f"Expected lanes of {store_label(store)}", "store": store, "address": name}
    typed = request.POST.get("lanes", "")
    try:
        before = await expected_before(store, look)
    except Unanswered as error:
        return page(request, "dashboard/expected.html", {**context, "lanes": typed, "error": str(error)}, status=503)
    if request.method != "POST":
        return page(request, "dashboard/expected.html", {**context, "lanes": "\n".join(map(line, before))})
    try:
        names = read_names(store, typed)
    except ValueError as error:
        return page(request, "dashboard/expected.html", {**context, "lanes": typed, "error": str(error)}, status=422)
    if not request.POST.get("confirmed"):
        changes = {
            "lines": "\n".join(names),
            "names": list(map(line, names)),
            "added": named([short(each) for each in names if each not in before], MAX_LANES),
            "removed": named([short(each) for each in before if each not in names], MAX_LANES),
        }
        return page(request, "dashboard/expected_confirm.html", {**context, **changes})
    try:
        await reader_of(look.pod).expect(store, names)
    except LINK_ERRORS:
        return page(request, "dashboard/expected.html", {**context, "lanes": typed, "error": NO_ANSWER}, status=503)
    await note(request, expects(store, names))
    said = f"{counted(len(names), 'lane')} of {store_label(store)} {'is' if len(names) == 1 else 'are'} expected now."
    messages.success(request, said if names else f"Which lanes of {store_label(store)} are expected is learned again.")
    return redirect("dashboard:store", name)


@actors_only
async def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether a lane is gone for good, and forget it when that is confirmed."""
    if refusal := refuse_method(request, "GET", "HEAD", "POST"):
        return refusal
    if not is_name(name):
        return await no_such_client(request)
    address = store_address(store_of(name))
    context = {"title": f"Retire {name}?", "name": name, "store": store_of(name), "address": address}
    if request.method != "POST":
        return page(request, "dashboard/retire.html", context)
    try:
        known = await reader_of(get_board().pod).retire(name)
    except LINK_ERRORS:
        return page(request, "dashboard/retire.html", {**context, "error": NO_ANSWER}, status=503)
    if known:
        await note(request, retired(name), name)
        messages.success(request, f"{name} is retired. One that connects again is known again.")
    else:
        messages.warning(request, f"{name} was not known.")
    return redirect("dashboard:store", address)


async def expected_before(store: str, look: Look) -> list[str]:
    """Return which lanes of a store are expected; raises Unanswered where that is not known in full."""
    if look.fleet is None:
        raise Unanswered(NO_ANSWER)
    try:
        found = await look.fleet.reader.store(store)
    except LINK_ERRORS:
        raise Unanswered(NO_ANSWER) from None
    if found is None:
        return []
    if found[0].lanes > len(found[1]):
        raise Unanswered(TOO_MANY)
    return [lane.client_name for lane in found[1] if lane.expected]


def line(client_name: str) -> str:
    """Return a lane's name as short as read_names() understands it."""
    name = short(client_name)
    return client_name if SEPARATOR in name else name


def read_names(store: str, typed: str) -> list[str]:
    """Read the names of lanes, each once, of which the store may be left out; raises ValueError."""
    if len(typed) > MAX_CHARACTERS:
        raise ValueError(f"That is too much to read: at most {MAX_LANES} lanes.")
    words = [word for word in re.split(r"[\s,;]+", typed) if word]
    names = list(dict.fromkeys(full_name(store, word) for word in words))
    if wrong := [each for each in names if not is_name(each)]:
        raise ValueError(f"No lane can be called {wrong[0][:MAX_LANES]}.")
    if strangers := [each for each in names if store_of(each) != store]:
        raise ValueError(f"{strangers[0]} is no lane of {store_label(store)}.")
    if len(names) > MAX_LANES:
        raise ValueError(f"These are {len(names)} lanes; at most {MAX_LANES} can be said.")
    return names


def full_name(store: str, word: str) -> str:
    """Return a lane's whole name."""
    return word if not store or SEPARATOR in word else f"{store}{SEPARATOR}{word}"
