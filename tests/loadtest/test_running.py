"""Whole load tests against a small hub."""

from __future__ import annotations

import socket
from dataclasses import replace

from loadtest.plan import Plan
from loadtest.running import LoadTest
from tests.loadtest.hub import Frames
from tests.support.redis_server import free_port


def run(plan: Plan):
    return LoadTest(plan, lambda *_: None).run()


def test_a_good_server_has_no_faults(plan):
    result = run(replace(plan, processes=2, foreign=0.5))
    assert result.connected == 20
    assert result.faults() == []
    assert (result.published, result.published_foreign, result.read) == (50, 50, 50)
    assert result.acknowledged == 100
    assert result.latency_p50_ms is not None
    assert 0 < result.latency_p50_ms < 5000


def test_sees_what_a_server_loses_doubles_and_reorders(hub, plan):
    held: Frames = []

    def mangle(count: int, frame: bytes) -> Frames:
        if count == 20:
            return []
        if count == 40:
            return [frame, frame]
        # All for one client: the second and the third event change places.
        if count == 2:
            held.append(frame)
            return []
        return [frame, held.pop()] if count == 3 else [frame]

    hub.mangle = mangle
    result = run(replace(plan, connections=1))
    assert (result.lost, result.doubled, result.out_of_order) == (1, 1, 1)
    assert result.faults() == ["1 events lost, 1 doubled, 1 out of order."]


def test_counts_what_the_service_itself_says(hub, plan):
    hub.mangle = lambda count, frame: [b"event: stream-gap\ndata: {}\n\n", frame] if count == 1 else [frame]
    result = run(plan)
    assert result.named_events == {"stream-gap": 1}
    assert result.faults() == []


def test_saturation_keeps_a_window_and_loses_nothing(plan):
    result = run(replace(plan, rate=None, window=20))
    assert result.faults() == []
    assert result.read == result.published > 0


def test_all_come_back_after_a_drop(plan):
    result = run(replace(plan, reconnect=True))
    assert result.connected == 20
    assert result.reconnect_seconds is not None
    assert result.faults() == []


def test_a_server_that_refuses(hub, plan):
    hub.refuses = True
    result = run(plan)
    assert result.connect_failures == 20
    assert result.errors == {"HTTP 503": 20}
    assert "20 of 20 could not connect: HTTP 503 (20)." in result.faults()


def test_a_server_that_never_answers(plan):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run(replace(plan, url=url, timeout_seconds=0.5, connections=5))
    assert result.errors == {"no connected frame within 0.5 s": 5}


def test_nobody_is_there(plan):
    result = run(replace(plan, url=f"http://127.0.0.1:{free_port()}"))
    assert result.errors == {"Connection refused": 20}
