from __future__ import annotations

from dashboard.content.pages import Content
from dashboard.live.open_pages import DEAD_AFTER_SECONDS, OpenPages
from tests.streams.builders import Recorder


def content(text: str) -> Content:
    return Content(texts={"headline": text})


def opened(*pages: str) -> tuple[OpenPages[str], list[Recorder]]:
    open_pages: OpenPages[str] = OpenPages()
    writers = [Recorder() for _ in pages]
    for page, writer in zip(pages, writers, strict=True):
        open_pages.open(page, writer)
    return open_pages, writers


def test_all_names_each_page_once():
    open_pages, (first, second, _) = opened("a", "a", "b")
    assert open_pages.all() == ["a", "b"]
    open_pages.close("a", first)
    assert open_pages.all() == ["a", "b"]
    open_pages.close("a", second)
    open_pages.close("a", second)
    assert open_pages.all() == ["b"]


def test_tell_writes_what_changed_once_for_all():
    open_pages, (first, second, other) = opened("a", "a", "b")
    for text in ("new", "new", "newer"):
        open_pages.tell("a", content(text))
    assert [event.json()["texts"]["headline"] for event in first.events] == ["new", "newer"]
    assert first.frames[0] is second.frames[0]
    assert other.frames == []


def test_tell_writes_what_pages_share_each_time():
    open_pages, (writer,) = opened("a")
    for _ in range(2):
        open_pages.tell("a", content("same"), b"data: shared\n\n")
    assert [frame.startswith(b"data: shared") for frame in writer.frames] == [True, True]
    assert len(writer.frames[1]) < len(writer.frames[0])


def test_tell_begins_anew_behind_what_was_not_read_and_gives_up_in_time():
    open_pages, (slow,) = opened("a")
    open_pages.tell("a", content("same"))
    slow.waiting = 100
    open_pages.tell("a", content("missed"))
    slow.waiting = 0
    open_pages.tell("a", content("missed"))
    assert [event.json()["texts"]["headline"] for event in slow.events] == ["same", "missed"]
    slow.waiting, slow.silent = 100, DEAD_AFTER_SECONDS + 1
    open_pages.tell("a", content("later"))
    assert slow.aborted


def test_finish_ends_all():
    open_pages, writers = opened("a", "a", "b")
    open_pages.finish()
    assert [writer.finished for writer in writers] == [True, True, True]
