from __future__ import annotations

from dashboard.cluster.clients import ClientPage, similar_to
from dashboard.cluster.look import content_of
from dashboard.content.pages import Content
from dashboard.live.board import Board
from streams.roster.tracing.entries import Kind, TraceEntry, encode
from streams.wire.timestamps import iso
from tests.dashboard.answers import Connect
from tests.streams.roster.fleet import Fleet, night_and_day


async def content(board: Board, name: str) -> Content:
    return await content_of(ClientPage(name), await board.look())


async def test_client_of_another_pod(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    await fleet.connect("two", "STORE00001-LANE01")
    found = await content(board, "STORE00001-LANE01")
    assert found.texts["headline"] == "Connected to pod-of-two."
    assert found.levels == {"client": "good"}
    assert (found.shown["known"], found.shown["connected"], found.shown["elsewhere"]) == (True, False, True)
    assert found.texts["state_since"] > "2020"


async def test_client_of_this_pod_is_there_before_redis_knows(board: Board, fleet: Fleet, connect: Connect):
    await night_and_day(fleet)
    connect("STORE00002-LANE01")
    found = await content(board, "STORE00002-LANE01")
    assert (found.texts["headline"], found.texts["state"]) == ("Connected to local-pod.", "connected")
    assert (found.levels["client"], found.shown["connected"]) == ("good", True)


async def test_client_that_is_missing(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    found = await content(board, "STORE00002-LANE01")
    assert found.texts["headline"].startswith("Missing: it is expected, and not connected.")
    assert (found.texts["last_reason"], found.texts["pod"]) == ("dead-peer", "pod-of-one")
    assert found.levels == {"client": "bad"}
    assert found.shown["ended"]


async def test_client_has_a_time_line_newest_first(board: Board, fleet: Fleet):
    """What its pod recorded of it, and where its open stream comes from."""
    await night_and_day(fleet)
    for hour, kind, more in (
        (5, Kind.OPENED, {"stream": "two.1", "address": "10.0.0.1:1"}),
        (6, Kind.CLOSED, {"stream": "two.1", "reason": "dead-peer", "seconds": 3600.0, "events": 2}),
        (7, Kind.OPENED, {"stream": "two.2", "address": "10.0.0.2:1", "user_agent": "Lane/2.0"}),
    ):
        now = await fleet.now_ms() / 1000
        entry = TraceEntry(kind, "pod-of-two", iso(now - 3600 * (9 - hour)), **more)
        await fleet.client.xadd(f"{fleet.channel}:trace:STORE00001-LANE01", {"entry": encode(entry)})
    found = await content(board, "STORE00001-LANE01")
    rows = [row for row in found.rows["timeline"] if row[2] != "unanswered"]
    assert [row[2] for row in rows] == ["opened", "closed", "opened"]
    assert rows[1][3] == "The client's machine stopped answering. After 1 h 0 min, 2 events."
    assert (found.texts["from"], found.texts["agent"]) == ("10.0.0.2:1", "Lane/2.0")
    assert "connected to pod-of-two since" in found.texts["closing"]
    assert not found.shown["no_entry"]


async def test_client_that_was_never_seen(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    found = await content(board, "STORE00404-LANE01")
    assert found.texts["headline"] == "No client of this name is known."
    assert (found.levels, found.shown["known"]) == ({"client": "quiet"}, False)


async def test_client_without_redis(board: Board, connect: Connect):
    connect("STORE001-LANE01")
    here = await content(board, "STORE001-LANE01")
    assert (here.texts["headline"], here.shown["known"]) == ("Connected to local-pod.", True)
    elsewhere = await content(board, "STORE001-LANE02")
    assert elsewhere.texts["headline"].startswith("Not connected to this pod. Redis does not say now")
    assert elsewhere.levels == {"client": "warning"}


async def test_similar_names_of_any_pod_are_found(board: Board, fleet: Fleet, connect: Connect):
    await night_and_day(fleet)
    look = await board.look()
    assert await similar_to("store00001-lane01", look) == "STORE00001-LANE01"
    assert await similar_to("ALONE", look) == "alone"
    assert await similar_to("store00002-lane01", look) == "", "it is not connected"
    assert await similar_to("STORE00001-LANE0", look) == ""
    connect("Kiosk")
    assert await similar_to("kiosk", look) == "Kiosk"
