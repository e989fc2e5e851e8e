from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from dashboard.cluster.clients import ClientPage
from dashboard.cluster.pages import FrontPage
from dashboard.content.pages import PodPage
from dashboard.live import board as board_module
from dashboard.live.board import Board, Page
from streams.errors import CloseReason
from streams.http.listing import Roster, View
from streams.tasks import cancel
from tests.dashboard.answers import Connect
from tests.streams.builders import Recorder
from tests.support.waiting import eventually

ALL = PodPage(View())


def contents(writer: Recorder) -> list[dict[str, Any]]:
    return [event.json() for event in writer.events]


async def begin(board: Board, page: Page, writer: Recorder) -> None:
    board.open(page, writer, [], await board.first(page))


async def test_a_page_is_told_everything_when_it_opens(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01")
    writer = Recorder()
    await begin(board, ALL, writer)
    shared, own = contents(writer)
    assert shared["texts"]["connections"] == "1"
    assert own["rows"]["connections"][0][:2] == ["STORE001-LANE01", "STORE001-LANE01"]


async def test_pages_that_show_the_same_share_their_frames(board: Board) -> None:
    writers = [Recorder() for _ in range(3)]
    for writer in writers:
        await begin(board, ALL, writer)
    await board.tell()
    frames = [writer.frames[-1] for writer in writers]
    assert frames[0] is frames[1] is frames[2]


async def test_a_table_that_did_not_change_is_not_told_again(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01", active_at=time.monotonic() - 3600)
    writer = Recorder()
    await begin(board, ALL, writer)
    await board.tell()
    writer.frames.clear()
    await board.tell()
    assert [content["rows"].keys() for content in contents(writer)] == [{"notices", "closes", "ends"}]


async def test_each_view_is_told_its_own_rows(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01")
    connect("STORE002-LANE01")
    writer = Recorder()
    await begin(board, PodPage(View(query="store002")), writer)
    await board.tell()
    assert [row[0] for row in contents(writer)[-1]["rows"]["connections"]] == ["STORE002-LANE01"]


async def test_a_client_page_learns_of_the_end(board: Board, connect: Connect) -> None:
    connection = connect("STORE001-LANE01")
    writer = Recorder()
    await begin(board, ClientPage("STORE001-LANE01"), writer)
    board.pod.registry.close(connection, CloseReason.OPERATOR)
    await board.tell_cluster()
    content = contents(writer)[-1]
    assert content["shown"]["connected"] is False
    assert content["rows"]["ends"][0][3] == "operator"


async def test_a_page_that_does_not_read_misses_frames_and_then_gets_a_whole_one(board: Board) -> None:
    slow = Recorder()
    await begin(board, ALL, slow)
    await board.tell()
    told = len(slow.frames)
    slow.waiting = 100
    await board.tell()
    assert len(slow.frames) == told
    slow.waiting = 0
    await board.tell()
    assert "connections" in contents(slow)[-1]["rows"]


async def test_a_page_whose_machine_is_gone_is_cut(board: Board) -> None:
    dead = Recorder()
    await begin(board, ALL, dead)
    dead.waiting, dead.silent = 100, 60.0
    await board.tell()
    assert dead.aborted


async def test_a_page_that_fails_is_cut_and_the_others_are_told(
    board: Board, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing, good = Recorder(), Recorder()
    await begin(board, ClientPage("STORE001-LANE01"), failing)
    await begin(board, FrontPage(), good)
    monkeypatch.setattr(ClientPage, "read", lambda *_: 1 / 0)
    connect("STORE001-LANE02")
    await board.tell_cluster()
    assert (failing.aborted, good.aborted) == (True, False)
    assert len(good.frames) == 2
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"], "a client came, and a page failed"


async def test_closing_twice_is_fine(board: Board) -> None:
    writer = Recorder()
    await begin(board, ALL, writer)
    board.close(ALL, writer)
    board.close(ALL, writer)
    await board.tell()
    assert len(writer.frames) == 1


async def test_it_samples_while_it_runs_and_ends_its_streams(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "TICK_SECONDS", 0.01)
    writer = Recorder()
    await begin(board, ALL, writer)
    run = asyncio.create_task(board.run())
    await eventually("three samples", lambda: len(board.sampler.samples) >= 3)
    await cancel([run])
    assert writer.finished
    assert len(writer.frames) > 1


async def test_rates_are_per_second(board: Board) -> None:
    board.sampler.take()
    board.pod.router.received += 50
    await asyncio.sleep(0.1)
    board.sampler.take()
    assert 200 < board.sampler.samples[-1].received_per_second <= 500


def test_content_is_json_of_strings_only(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01")
    content = json.loads(json.dumps(ALL.content(board.pod, Roster(board.pod.registry)).as_dict()))
    assert all(isinstance(cell, str) for row in content["rows"]["connections"] for cell in row)
    assert all(isinstance(text, str) for text in content["texts"].values())
