from __future__ import annotations

import pytest

from dashboard.cluster.look import content_of
from dashboard.cluster.pages import FrontPage
from dashboard.live.board import Board
from tests.streams.roster.fleet import HOUR, Fleet, night_and_day


async def test_look_from_one_pod_is_at_all(board: Board, fleet: Fleet):
    await night_and_day(fleet)
    await fleet.beat("gone", ago=HOUR)
    look = await board.look()
    assert look.life == "one"
    assert look.fleet is not None
    assert [heard.life for heard in look.fleet.pods] == ["one", "two", "gone"]
    assert [heard.life for heard in look.fleet.alive] == ["one", "two"]
    assert look.fleet.totals.connected == 6


async def test_redis_that_knows_no_pod_is_as_none(board: Board, fleet: Fleet):
    """Until the pods say that they live it would be a cluster of nobody."""
    assert (await board.look()).fleet is None
    await fleet.beat("one", ago=HOUR)
    assert (await board.look()).fleet is None


async def test_redis_that_goes_while_a_page_is_read(board: Board, fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    await night_and_day(fleet)
    look = await board.look()

    async def fail(**_: object) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(fleet.reader, "lanes", fail)
    content = await content_of(FrontPage(), look)
    assert content.shown["alone"]
