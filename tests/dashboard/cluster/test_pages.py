from __future__ import annotations

import pytest

from dashboard.cluster import pages
from dashboard.cluster.look import Look, content_of
from dashboard.cluster.pages import FrontPage, StorePage, StoresPage
from dashboard.content.pages import Content
from dashboard.live.board import Board
from streams.roster.reading.lanes import LaneState
from tests.dashboard.answers import Connect
from tests.streams.roster.fleet import Fleet, lanes_of, night_and_day

PARTIAL, DARK = "STORE00002", "STORE00003"


def column(content: Content, rows: str, number: int) -> list[str]:
    return [row[number] for row in content.rows[rows]]


async def test_front_page(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    content = await content_of(FrontPage(), await board.look())
    assert content.texts["headline"].startswith(f"6 clients on 2 pods; {PARTIAL} misses LANE01 since ")
    assert content.levels == {"cluster": "warning"}
    assert [content.texts[name] for name in ("connected", "missing", "stores", "pods")] == ["6", "1", "4", "2"]
    assert column(content, "attention", 0) == [PARTIAL, DARK]
    assert column(content, "pods", 2) == ["this pod", "its own page is at that pod alone"]
    assert not content.shown["alone"]


async def test_front_page_counts_what_it_does_not_list(board: Board, fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    await night_and_day(fleet)
    monkeypatch.setattr(pages, "STORES_NAMED", 1)
    content = await content_of(FrontPage(), await board.look())
    assert column(content, "attention", 0) == [PARTIAL]
    assert content.texts["more_stores"] == "1 more store in need of attention"
    assert content.shown["more_stores"]


async def test_front_page_of_a_quiet_morning(board: Board, fleet: Fleet):
    await fleet.beat("one")
    await fleet.connect("one", *lanes_of([1], 2))
    await fleet.round()
    content = await content_of(FrontPage(), await board.look())
    assert content.texts["headline"] == "All is well: 2 clients on 1 pod, and no lane is missing."
    assert content.shown["fine"]


async def test_without_redis_every_page_says_so(board: Board, connect: Connect):
    connect("STORE001-LANE01")
    look = await board.look()
    assert look.fleet is None
    front = await content_of(FrontPage(), look)
    assert front.levels["cluster"] == "warning"
    assert front.rows["notices"][0][0].endswith("all that is shown is what local-pod alone knows.")
    assert [front.texts[name] for name in ("connected", "missing")] == ["1", "?"]
    assert column(front, "pods", 1) == ["local-pod"]
    for page in (StoresPage(), StorePage("STORE001")):
        content = await content_of(page, look)
        assert content.shown["alone"]
        assert "local-pod alone knows" in content.texts["headline"]


async def test_stores_page_lists_what_needs_somebody_first(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    content = await content_of(StoresPage(), await board.look())
    assert column(content, "stores", 0) == [PARTIAL, DARK, "", "STORE00001"]
    assert [content.texts[name] for name in ("all", "partial", "dark", "complete")] == ["4", "1", "1", "2"]
    assert not content.shown["next"]


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_stores_page_by_page(board: Board, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, size: int):
    """Each store on one page, whatever the pages' size."""
    await night_and_day(fleet)
    monkeypatch.setattr(pages, "STORES_PER_PAGE", size)
    look = await board.look()
    assert isinstance(look, Look)
    found, page = [], StoresPage()
    while True:
        content = await page.read(look)
        found += column(content, "stores", 0)
        if not content.shown["next"]:
            break
        assert len(content.rows["stores"]) == size
        query = dict(part.split("=") for part in content.addresses["next"][1:].split("&"))
        page = StoresPage(cursor=query["cursor"].replace("%3A", ":").replace("%2F", "/"))
    assert found == [PARTIAL, DARK, "", "STORE00001"]


async def test_stores_page_of_one_state_or_of_a_name(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    look = await board.look()
    assert column(await content_of(StoresPage("dark"), look), "stores", 0) == [DARK]
    assert column(await content_of(StoresPage(query="0001"), look), "stores", 0) == ["STORE00001"]
    assert (await content_of(StoresPage("partial", "0001"), look)).shown["no_store"]
    assert column(await content_of(StoresPage(cursor="nonsense"), look), "stores", 0)[0] == PARTIAL
    assert column(await content_of(StoresPage("dark", cursor="partial:STORE9/"), look), "stores", 0) == [DARK]


def test_stores_page_parses_what_makes_sense():
    assert StoresPage.parse({"state": "missing", "q": f" {'x' * 200}"}) == StoresPage("", "x" * 128)
    page = StoresPage.parse({"state": "dark", "q": "7", "cursor": "dark:STORE1/"})
    assert page == StoresPage("dark", "7", "dark:STORE1/")
    assert page.address(cursor="") == "?state=dark&q=7"


async def test_store_page(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    look = await board.look()
    content = await content_of(StorePage(PARTIAL), look)
    assert content.texts["headline"].startswith("2 of 3 lanes connected; LANE01 is missing since ")
    assert content.levels == {"store": "warning"}
    assert [content.texts[name] for name in ("connected", "missing", "offline", "expected")] == ["2", "1", "0", "3"]
    assert column(content, "lanes", 3) == [LaneState.MISSING, LaneState.CONNECTED, LaneState.CONNECTED]
    assert (await content_of(StorePage(DARK), look)).levels == {"store": "quiet"}
    assert column(await content_of(StorePage(""), look), "lanes", 1) == ["alone"]
    nowhere = await content_of(StorePage("STORE404"), look)
    assert (nowhere.shown["known"], nowhere.texts["headline"]) == (False, "No lane of this store is known.")


async def test_store_page_by_page(board: Board, fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    await night_and_day(fleet)
    monkeypatch.setattr(pages, "LANES_PER_PAGE", 2)
    look = await board.look()
    first = await content_of(StorePage(PARTIAL), look)
    assert (column(first, "lanes", 1), first.shown["next"]) == (["LANE01", "LANE02"], True)
    assert first.addresses["next"] == f"?cursor={PARTIAL}-LANE02"
    last = await content_of(StorePage(PARTIAL, f"{PARTIAL}-LANE02"), look)
    assert (column(last, "lanes", 1), last.shown["next"]) == (["LANE03"], False)
