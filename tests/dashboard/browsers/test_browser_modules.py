"""The test client's modules by themselves, in the browser that runs them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.content import formats
from dashboard.templatetags import times
from tests.dashboard.browsers.browser import Browser
from tests.support.http import HOST
from tests.support.pods import Pod

pytestmark = pytest.mark.browser

PARSE = """
const [chunks, done] = arguments;
import("/static/dashboard/event_stream.js").then(({ EventStreamParser }) => {
  const seen = [];
  const parser = new EventStreamParser({
    onEvent: (event) => seen.push([event.type, event.data, event.id]),
    onComment: (text) => seen.push(["comment", text]),
    onRetry: (ms) => seen.push(["retry", ms]),
  });
  parser.begin();
  chunks.forEach((chunk) => parser.feed(chunk));
  done(seen);
}, (error) => done(String(error)));
"""
DESCRIBE = """
const [event, done] = arguments;
import("/static/dashboard/notes.js").then(
  ({ describe, isFinal }) => done([describe(event), isFinal(event)]),
  (error) => done(String(error)),
);
"""
TIMES = """
const [seconds, moment, done] = arguments;
import("/static/dashboard/times.js").then(
  ({ ago, utc }) => done([seconds.map(ago), utc(Date.parse(moment))]),
  (error) => done(String(error)),
);
"""


@pytest.fixture
def page(browser: Browser, pod: Pod) -> Browser:
    browser.get(f"http://{HOST}:{pod.port}/")
    browser.set_script_timeout(10)
    return browser


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [["message", "YHOO\n+2\n10", ""]]),
        (": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\n", None),
        ("data\n\ndata\ndata\n\ndata:", [["message", "", ""], ["message", "\n", ""]]),
        ("data:test\n\ndata: test\n\n", [["message", "test", ""], ["message", "test", ""]]),
        ("retry: 2741\r\nevent: evicted\r\ndata: {}\r\n\r\n", [["retry", 2741], ["evicted", "{}", ""]]),
        ("retry: soon\nid: a\0b\rdata: x\r\r:\r\r", [["message", "x", ""], ["comment", ""]]),
        ("event: lost\n\ndata: kept\n\n", [["message", "kept", ""]]),
    ],
)
def test_the_parser_keeps_to_the_specification(page: Browser, text: str, expected: list[list[Any]] | None) -> None:
    expected = expected or [["comment", "test stream"], ["message", "first", "1"], ["message", "second", ""]]
    assert page.execute_async_script(PARSE, [text]) == expected
    # However the bytes are cut on their way.
    assert page.execute_async_script(PARSE, list(text)) == expected


@pytest.mark.parametrize(
    ("name", "data", "words", "final"),
    [
        ("stream-gap", {"reason": "redis-outage"}, "Events may be missing here", False),
        ("evicted", {"reason": "evicted"}, "A newer connection took this client's name", True),
        ("evicted", {"reason": "duel"}, "Give one of them another name", True),
        ("evicted", {"reason": "operator"}, "An operator disconnected this client", False),
        ("draining", {"reason": "draining"}, "The pod is being replaced", False),
        ("draining", {"reason": "server-stopped"}, "The pod stopped", False),
        ("overloaded", {}, "more clients than it may have", False),
        ("something-new", {"detail": 7}, "“something-new”", False),
    ],
)
def test_what_the_service_says_is_told_in_words(
    page: Browser, name: str, data: dict[str, Any], words: str, final: bool
) -> None:
    event = {"type": name, "data": json.dumps({"type": name, "podName": "pod-1", **data})}
    sentence, stays_away = page.execute_async_script(DESCRIBE, event)
    assert words in sentence
    assert "(pod-1)" in sentence
    assert stays_away is final


def test_times_are_the_same_words_as_the_servers(page: Browser) -> None:
    seconds = [-5, 0, 1.9, 2, 59.9, 60, 599, 600, 3599, 3600, 7325, 86399, 86400, 200_000]
    at = "2026-01-05T12:00:07.123Z"
    words, moment = page.execute_async_script(TIMES, seconds, at)
    assert words == [formats.ago(each) for each in seconds]
    assert f"{moment} UTC" == times.moment(at)
