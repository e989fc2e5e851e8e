from __future__ import annotations

import pytest

from streams.auth.results import Result
from streams.locks.unwelcome import MAX_LINES, UnwelcomeLanes
from tests.streams.clocks import HandClock

NAME = "STORE001-LANE01"


def lanes(clock: HandClock, *, refused: bool = False, max_kept: int = 10) -> UnwelcomeLanes:
    return UnwelcomeLanes(refused=refused, wall=clock.clock.wall, monotonic=clock.clock.monotonic, max_kept=max_kept)


def note(kept: UnwelcomeLanes, name: str = NAME, result: Result = Result.NONE) -> None:
    kept.note(name, result, "A sentence.", "10.0.0.1:5000", "Till")


def test_note_writes_a_line_a_minute_and_reason(caplog: pytest.LogCaptureFixture):
    clock = HandClock()
    kept = lanes(clock)
    for seconds, result in (
        (0, Result.NONE),
        (30, Result.NONE),
        (1, Result.EXPIRED),
        (59, Result.EXPIRED),
        (1, Result.EXPIRED),
    ):
        clock.turn(seconds)
        note(kept, result=result)
    would = f"{NAME} would be refused its stream by STREAM_AUTH=required"
    assert caplog.messages == [f"{would} ({word}): A sentence." for word in ("none", "expired", "expired")]
    assert caplog.records[0].fields == {  # type: ignore[attr-defined]
        "clientName": NAME,
        "address": "10.0.0.1:5000",
        "userAgent": "Till",
        "reason": "none",
    }


def test_iteration_gives_the_last_that_asked_first():
    clock = HandClock()
    kept = lanes(clock)
    for name in ("a", "b", "a"):
        clock.turn(1)
        note(kept, name)
    assert [(lane.client_name, lane.times, lane.at - clock.wall_ahead) for lane in kept] == [
        ("a", 2, clock.now),
        ("b", 1, clock.now - 1),
    ]


def test_forget_takes_out_a_lane_with_a_good_token():
    kept = lanes(HandClock())
    note(kept)
    kept.forget(NAME)
    kept.forget("never there")
    assert len(kept) == 0


def test_names_that_are_made_up_take_no_room_for_ever(caplog: pytest.LogCaptureFixture):
    kept = lanes(HandClock(), refused=True, max_kept=3)
    for number in range(5):
        note(kept, f"made-up-{number}")
    assert [lane.client_name for lane in kept] == ["made-up-4", "made-up-3", "made-up-2"]
    assert "made-up-0 was refused its stream (none)" in caplog.messages[0]


def test_herd_writes_so_many_lines_a_minute_and_how_many_are_left_out(caplog: pytest.LogCaptureFixture):
    clock = HandClock()
    kept = lanes(clock, refused=True, max_kept=20_000)
    kept.look()
    for _times in range(3):
        for number in range(10_000):
            note(kept, f"STORE{number:05}-LANE01")
        clock.turn(15)
        kept.look()
    assert len(caplog.messages) == MAX_LINES
    clock.turn(15)
    kept.look()
    left_out = 10_000 - MAX_LINES
    said = f"{left_out} line(s) more like these were left out within a minute; the page of tokens lists the lanes"
    assert caplog.messages[MAX_LINES:] == [said]
    clock.turn(60)
    kept.look()
    note(kept, "STORE00042-LANE01")
    assert len(caplog.messages) == MAX_LINES + 2, "what was quiet for a minute has its line"
    assert len(kept) == 10_000
