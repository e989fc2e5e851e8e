from __future__ import annotations

from typing import Any

import pytest

from streams.doctor.findings import State
from streams.doctor.front_door import Seen, judge_stream

URL = "https://sse.example.com"
HEADERS = {"content-type": "text/event-stream; charset=utf-8"}
GREETED = Seen(
    status=200, headers=HEADERS, first="message", pod_name="pod-1", greeting_seconds=0.01, event_seconds=0.02
)


def test_a_stream_that_is_well():
    greeting, event = judge_stream(URL, GREETED)
    assert (greeting.state, greeting.says) == (State.WELL, f"{URL} gave the greeting of pod-1 after 10 ms")
    assert (event.state, event.says) == (State.WELL, "it came through the front door 20 ms after it was published")


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Seen(error="cannot be reached: refused"), "cannot be reached: refused"),
        (Seen(), "gave no greeting within 2 s"),
        (Seen(status=502, headers={"content-type": "text/html"}), "with 502 and text/html"),
        (Seen(status=200), "with 200 and no type"),
        (Seen(status=200, headers={"content-type": "text/html"}), "with 200 and text/html"),
        (Seen(status=200, headers={**HEADERS, "content-encoding": "gzip"}), "compresses streams (gzip)"),
        (
            Seen(status=200, headers=HEADERS, first="overloaded", reason="no-pod"),
            "refuses a stream: overloaded, reason no-pod",
        ),
        (Seen(status=200, headers=HEADERS), "gave no greeting within 2 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_does_not_begin(seen: Seen, says: str):
    (found,) = judge_stream(URL, seen)
    assert found.state is State.BAD
    assert found.says.startswith(f"{URL} ")
    assert found.says.endswith(says)
    assert found.remedy


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"event_seconds": None}, f"it did not come through {URL} within 1 s"),
        ({"unpublished": "Redis is away"}, "it was not published: Redis is away"),
    ],
)
def test_an_event_that_does_not_come(changes: dict[str, Any], says: str):
    greeting, event = judge_stream(URL, GREETED._replace(**changes))
    assert greeting.state is State.WELL
    assert (event.state, event.says) == (State.BAD, says)


def refusal(status: int, challenge: str, **changes: Any) -> Seen:
    return Seen(status=status, headers={"content-type": "application/json", "www-authenticate": challenge}, **changes)


def test_a_stream_that_needs_a_token_was_not_looked_at():
    (found,) = judge_stream(URL, refusal(401, "Bearer"))
    assert found.state is State.SKIPPED
    assert found.says.endswith(f"{URL} asks for a token (401); --token-file names one for DOCTOR-*")


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (refusal(401, 'Bearer error="invalid_token"', had_token=True), "401 invalid_token"),
        (refusal(403, 'Bearer error="insufficient_scope"', had_token=True), "403 insufficient_scope"),
        (refusal(401, "Bearer", had_token=True), "401 as if there was none"),
        (
            Seen(status=200, headers=HEADERS, first="unauthorized", reason="token-expired", had_token=True),
            "token-expired",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_token_that_is_refused(seen: Seen, says: str):
    (found,) = judge_stream(URL, seen)
    assert (found.state, found.says) == (State.BAD, f"{URL} refuses the token: {says}")
    assert found.remedy


def test_a_refusal_that_no_lock_gives_is_the_front_doors():
    (found,) = judge_stream(URL, Seen(status=403, headers={"content-type": "text/html"}))
    assert (found.state, found.says) == (State.BAD, f"{URL} answers a stream with 403 and text/html")
