"""The page of tokens: which lanes are refused, or would be, and with what this pod verifies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse

from dashboard.content.formats import counted
from dashboard.live.board import Board, get_board
from dashboard.rendering import operators_only, page
from streams.api.tokens.refused import refused_lane
from streams.http.views import refuse_method
from streams.locks.locks import Locks, Mode
from streams.pod import Pod
from streams.wire.events import MAX_NAME_CHARACTERS

LANES_SHOWN = 500
MEANINGS = {
    Mode.OFF: "Streams need no token, so none is looked at. STREAM_AUTH=observe fills this list and refuses nobody.",
    Mode.OBSERVE: "These were let in all the same. STREAM_AUTH=required would refuse them as they last came.",
    Mode.REQUIRED: "These got no stream when they last came.",
}
PER_POD = "Each pod lists those that came to it since it started; one that shows a good token to any pod is taken off."


@operators_only
async def tokens(request: HttpRequest) -> HttpResponse:
    """Show the lanes without a right to their stream, those seen last first."""
    if refusal := refuse_method(request, "GET", "HEAD"):
        return refusal
    board = get_board()
    pod, locks = board.pod, board.pod.locks
    query = request.GET.get("q", "").strip()[:MAX_NAME_CHARACTERS]
    found = [lane for lane in locks.unwelcome if query.casefold() in lane.client_name.casefold()]
    context = {
        "title": "Tokens",
        "heading": heading(locks),
        "meaning": f"{MEANINGS[locks.streams]} {PER_POD}",
        "query": query,
        "lanes": [refused_lane(lane) for lane in found[:LANES_SHOWN]],
        "more": len(found[LANES_SHOWN:]),
        "facts": facts(pod),
        "pods": await pods(board),
    }
    return page(request, "dashboard/tokens.html", context)


async def pods(board: Board) -> list[tuple[str, str]]:
    """Say how many lanes each pod lists, as it told Redis some seconds ago; nothing where Redis gives no answer."""
    fleet = (await board.look()).fleet
    found = fleet.alive if fleet else []
    return [(each.says.pod_name, counted(each.says.refused_lanes, "lane")) for each in found]


def heading(locks: Locks) -> str:
    """Say how many lanes there are."""
    did = "refused" if locks.streams is Mode.REQUIRED else "that would be refused"
    return f"{counted(len(locks.unwelcome), 'lane')} {did}"


def facts(pod: Pod) -> Iterator[tuple[str, str]]:
    """Say what the locks ask for, and what they know; nothing of a key but its kind."""
    conf, locks = pod.conf, pod.locks
    kinds = Counter(key.algorithm for key in locks.verifier.keys.keys)
    yield "STREAM_AUTH", conf.stream_auth
    yield "PUBLISH_AUTH", conf.publish_auth
    yield "METRICS_AUTH", conf.metrics_auth
    yield "Keys", ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items())) or "none"
    yield "TOKEN_ISSUER", conf.token_issuer or "anybody"
    yield "Revoked", counted(len(locks.revocations), "revocation")
