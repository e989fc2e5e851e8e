"""The operators' pages of a cluster: every number is the same, whichever pod is asked."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from streams.roster.reading.lanes import Totals
from streams.roster.reading.reader import RosterReader
from tests.conftest import StartPod
from tests.support.http import EventStream, close_all, open_stream
from tests.support.operators import Operator
from tests.support.pods import Pod, environment, run_manage
from tests.support.redis_server import RedisServer

STORES = [f"STORE{number:03}" for number in range(1, 11)]
LANES = {store: [f"{store}-LANE{number:02}" for number in range(1, 7)] for store in STORES}
NAMES = [name for lanes in LANES.values() for name in lanes]
MISSING = "STORE007-LANE03"
DARK = "STORE009"
MISSING_SECONDS = 10
# Whose numbers are one pod's own, and say so.
OWN = ("state-title", "events-title", "ends-title")
# When a pod was heard last, which one it is that is asked, and for how long lanes have been connected by now.
FLEETING = ("pods-8", "pods-2", "lanes-10")
# When an answer was made, and since when by then.
FLEETING_FIELDS = ("asOf", "sentence")
# A person at night waits for no longer.
ANSWER_SECONDS = 1.0
VOID = ("meta", "link", "input", "br", "img", "path", "polygon", "polyline")


class Shown(HTMLParser):
    """What a page shows of the cluster: each text by its place, each moment as it stands in `datetime`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        # Of each open element: the place of its text, and whether a pod says it of itself.
        self._open: list[tuple[str, bool]] = []
        self._rows = self._key = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        given = {name: value or "" for name, value in attrs}
        self._rows = given.get("data-rows", self._rows)
        self._key = given.get("data-key", self._key)
        place = given.get("data-text", "")
        if "data-cell" in given:
            place = f"{self._rows}-{given['data-cell']}"
        own = tag == "template" or given.get("aria-labelledby") in OWN or bool(self._open and self._open[-1][1])
        if tag == "time":
            place = place or (self._open[-1][0] if self._open else "")
            self._note(place, given.get("datetime", ""), own=own)
            place = ""
        self._open.append((place, own))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        place, own = self._open[-1] if self._open else ("", True)
        self._note(place, data.strip(), own=own)

    def _note(self, place: str, text: str, *, own: bool) -> None:
        if place and text and not own and place not in FLEETING:
            self.texts.append((place, text))


@pytest.fixture
def pods(reader: RosterReader, mortal_redis: RedisServer, start_pod: StartPod) -> list[Pod]:
    started = [
        start_pod(ready=False, REDIS_URL=mortal_redis.url, POD_NAME=f"pod-{number}", MISSING_SECONDS=MISSING_SECONDS)
        for number in (1, 2, 3)
    ]
    for pod in started:
        pod.wait_ready()
    return started


async def shown(pod: Pod, path: str) -> list[tuple[str, str]]:
    answer = await asyncio.to_thread(pod.fetch, path)
    assert answer.status == 200, path
    return Shown(answer.body.decode()).texts


async def until(reader: RosterReader, wanted: dict[str, int]) -> Totals:
    deadline = time.monotonic() + 40
    while True:
        totals = await reader.totals()
        if all(getattr(totals, field) == count for field, count in wanted.items()):
            return totals
        assert time.monotonic() < deadline, totals
        await asyncio.sleep(0.1)


async def until_said(pod: Pod, count: int) -> None:
    """Wait until a pod's table of pods has so many clients: each says so every five seconds."""
    deadline = time.monotonic() + 15
    while sum(int(text) for place, text in await shown(pod, "/admin") if place == "pods-5") != count:
        assert time.monotonic() < deadline, await shown(pod, "/admin")
        await asyncio.sleep(0.2)


@pytest.mark.first
async def test_every_number_is_the_same_whichever_pod_is_asked(
    pods: list[Pod], reader: RosterReader, mortal_redis: RedisServer
):
    streams: dict[str, EventStream] = {}
    for place, name in enumerate(NAMES):
        streams[name] = await open_stream(pods[place % 3].port, name)
    for store, lanes in LANES.items():
        await reader.expect(store, lanes)
    await until(reader, {"connected": 60, "expected": 60, "pods": 3})
    await close_all([streams.pop(MISSING), *(streams.pop(name) for name in LANES[DARK])])
    await until(reader, {"connected": 53, "missing": 1, "dark_stores": 1, "partial_stores": 1})
    await until_said(pods[0], 53)

    front = await same(pods, "/admin")
    texts: dict[str, str] = dict(front)
    assert re.fullmatch(r"53 clients on 3 pods; STORE007 misses LANE03 since \d\d:\d\d UTC\.", texts["headline"]), (
        texts["headline"]
    )
    assert [texts[name] for name in ("connected", "missing", "stores", "pods")] == ["53", "1", "10", "3"]
    assert texts["stores_note"] == "8 complete, 1 partial, 1 dark"
    assert cells(front, "attention-1") == ["STORE007", "STORE009"]
    assert cells(front, "attention-6") == ["LANE03"]
    assert cells(front, "pods-1") == ["pod-1", "pod-2", "pod-3"]

    stores = await same(pods, "/admin/stores", but="as_of")
    assert cells(stores, "stores-1")[:3] == ["STORE007", "STORE009", "STORE001"]
    assert cells(stores, "stores-4")[:3] == ["5 of 6", "0 of 6", "6 of 6"]
    found = await same(pods, "/admin/stores?q=e007&state=partial", but="as_of")
    assert cells(found, "stores-1") == ["STORE007"]

    lanes_shown = await same(pods, "/admin/stores/STORE007")
    assert cells(lanes_shown, "lanes-3") == ["connected", "connected", "missing", "connected", "connected", "connected"]
    assert dict(lanes_shown)["headline"].startswith("5 of 6 lanes connected; LANE03 is missing since ")
    dark = await same(pods, f"/admin/stores/{DARK}")
    assert re.match(r"Dark since \d\d:\d\d UTC: none of its 6 lanes is connected", dict(dark)["headline"])

    for place, name in enumerate(NAMES):
        client = dict(await same(pods, f"/admin/clients/{name}"))
        if name in streams:
            assert (client["headline"], client["state"]) == (f"Connected to pod-{place % 3 + 1}.", "connected")
        else:
            assert client["state"] == ("missing" if name == MISSING else "offline")
            assert client["last_reason"] == "client-closed"
    await api_says_the_same(pods)
    await commands_say_the_same(pods, mortal_redis)
    await close_all(list(streams.values()))


async def api_says_the_same(pods: list[Pod]) -> None:
    """Whichever pod is asked; one call is enough for the night."""
    lane = await said(pods, f"/clients/{MISSING}")
    assert (lane["state"], lane["podName"], lane["lastReason"]) == ("missing", "pod-3", "client-closed")
    assert lane["missingSince"] == lane["lastSeenAt"]
    store = await said(pods, "/stores/STORE007")
    assert (store["state"], store["lanes"], store["connected"], store["missing"]) == ("partial", 6, 5, [MISSING])
    assert [each["clientName"] for each in store["clients"]] == LANES["STORE007"]
    stores = (await said(pods, "/stores"))["stores"]
    assert [each["store"] for each in stores] == STORES
    assert sum(each["connected"] for each in stores) == 53
    assert [each["store"] for each in (await said(pods, "/stores?state=dark"))["stores"]] == [DARK]
    assert [each["clientName"] for each in (await said(pods, "/clients?state=missing"))["clients"]] == [MISSING]
    connected = (await said(pods, "/clients?state=connected&limit=60"))["clients"]
    assert Counter(each["podName"] for each in connected) == {"pod-1": 18, "pod-2": 18, "pod-3": 17}
    trace = await said(pods, f"/clients/{MISSING}/trace")
    assert [each["kind"] for each in trace["entries"]] == ["opened", "closed"]


async def commands_say_the_same(pods: list[Pod], server: RedisServer) -> None:
    """As the API does, to a person at a terminal who knows of no pod."""
    env = environment(REDIS_URL=server.url)
    commands = [["lane", MISSING], ["trace", MISSING], ["lanes", "--state", "missing"]]
    done = await asyncio.gather(*(asyncio.to_thread(run_manage, *words, "--json", env=env) for words in commands))
    lane, trace, lanes = ([json.loads(line) for line in each.stdout.splitlines()] for each in done)
    answer = await said(pods, f"/clients/{MISSING}")
    assert [one["client"] for one in lane] == [answer]
    assert [one["clientName"] for one in lanes] == [MISSING]
    entries = (await said(pods, f"/clients/{MISSING}/trace"))["entries"]
    assert trace[:-1] == lane[0]["transitions"] == entries
    assert trace[-1]["sentence"] == lane[0]["sentence"]
    assert trace[-1]["sentence"].startswith("offline since ")


async def said(pods: list[Pod], target: str) -> Any:
    """Return what all pods answer within a second, without when each of them looked."""

    def ask(pod: Pod) -> Any:
        began = time.monotonic()
        answer = pod.json(f"/api/v1{target}")
        assert time.monotonic() - began < ANSWER_SECONDS
        for name in FLEETING_FIELDS:
            answer.pop(name, None)
        return answer

    answers = await asyncio.gather(*(asyncio.to_thread(ask, pod) for pod in pods))
    for other in answers[1:]:
        assert other == answers[0]
    return answers[0]


async def test_what_operators_do_works_from_any_pod(pods: list[Pod], reader: RosterReader):
    asked, other, name = pods[0], pods[2], "STORE001-LANE01"
    operator = Operator()

    async def act(path: str, **fields: str) -> str:
        token = await asyncio.to_thread(operator.token, asked.port, path)
        page = await asyncio.to_thread(operator.ask, asked.port, path, {"csrfmiddlewaretoken": token, **fields})
        assert page.status == 302, page.text
        return (await asyncio.to_thread(operator.ask, asked.port, page.location)).text

    stream = await open_stream(other.port, name)
    await until(reader, {"connected": 1, "pods": 3})
    assert "is being disconnected by pod-3" in await act(f"/admin/clients/{name}/disconnect")
    assert [event.json().get("reason") for event in await stream.rest()] == ["operator"]
    await until(reader, {"connected": 0})
    assert dict(await shown(other, f"/admin/clients/{name}"))["last_reason"] == "operator"
    assert "2 lanes of STORE001 are expected now." in await act(
        "/admin/stores/STORE001/expected", lanes="LANE01 LANE02", confirmed="yes"
    )
    assert cells(await shown(other, "/admin/stores/STORE001"), "lanes-8") == ["yes", "yes"]
    assert f"{name} is retired" in await act(f"/admin/clients/{name}/retire")
    assert cells(await shown(other, "/admin/stores/STORE001"), "lanes-1") == ["LANE02"]


async def same(pods: list[Pod], path: str, but: str = "") -> list[tuple[str, str]]:
    """Return what all pods show of the cluster at a path, but for one place."""
    answers = await asyncio.gather(*(shown(pod, path) for pod in pods))
    first, *others = [[each for each in answer if each[0] != but] for answer in answers]
    assert first
    for other in others:
        assert other == first
    return first


def cells(texts: list[tuple[str, str]], place: str) -> list[str]:
    return [text for found, text in texts if found == place]
