from __future__ import annotations

import pytest

from dashboard.content.verdict import judge
from dashboard.live.board import Board
from streams.errors import CloseReason
from streams.wire.complaints import Fault
from tests.dashboard.answers import Connect
from tests.dashboard.conftest import hear


def test_all_is_well(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01")
    board.sampler.take()
    verdict = judge(board.pod, board.sampler)
    assert verdict == ("good", "All is well: 1 client connected, events are heard.", [])


def test_a_pod_without_redis_is_bad_and_says_why(board: Board) -> None:
    board.pod.subscriber.subscribed = False
    board.pod.subscriber.last_error = "Connection refused"
    verdict = judge(board.pod, board.sampler)
    assert verdict.level == "bad"
    assert "no event arrives" in verdict.headline
    assert verdict.notices == ["Not subscribed to Redis: Connection refused."]


def test_a_pod_that_hears_only_in_part_says_so(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board.pod.ingresses, "unready_reason", lambda: "catching up with Redis")
    verdict = judge(board.pod, board.sampler)
    assert verdict.level == "bad"
    assert verdict.headline.startswith("Events may be late or missing.")
    assert verdict.notices == ["Catching up with Redis."]


def test_draining_is_a_warning(board: Board) -> None:
    board.pod.draining = True
    assert judge(board.pod, board.sampler).level == "warning"


def test_a_few_lost_devices_are_noted_and_many_are_a_warning(board: Board, connect: Connect) -> None:
    board.sampler.take()
    for number in range(4):
        board.pod.registry.close(connect(f"LANE{number}"), CloseReason.DEAD_PEER)
    verdict = judge(board.pod, board.sampler)
    assert verdict.level == "good"
    assert verdict.notices == ["Connections that ended in trouble in the last 5 minutes: 4 dead-peer."]
    for number in range(4):
        board.pod.registry.close(connect(f"LANE{number}"), CloseReason.SLOW_READER)
    assert judge(board.pod, board.sampler).level == "warning"


def test_unusable_messages_and_outages_are_noted(board: Board) -> None:
    board.sampler.take()
    board.pod.router.complaints.counts[Fault.UNUSABLE] += 1
    board.pod.subscriber.outages.count = 2
    notices = " ".join(judge(board.pod, board.sampler).notices)
    assert "1 message on the channel" in notices
    assert "lost 2 times" in notices


def test_one_pod_of_several_says_that_it_shows_its_own_clients(board: Board, connect: Connect) -> None:
    connect("STORE001-LANE01")
    board.sampler.take()
    hear(board.pod, "two", "pod-2")
    hear(board.pod, "three", "pod-3")
    verdict = judge(board.pod, board.sampler)
    assert verdict == (
        "good",
        "All is well: 1 client connected to this pod, events are heard.",
        ["This is local-pod alone, one of several pods: other clients are connected to pod-2, pod-3."],
    )
    for number in range(4, 11):
        hear(board.pod, str(number), f"pod-{number}")
    (notice,) = judge(board.pod, board.sampler).notices
    assert notice.endswith("pod-10, pod-2, pod-3, pod-4, pod-5 and 4 more.")


def test_a_pod_with_the_name_of_this_one_is_noticed(board: Board) -> None:
    hear(board.pod, "other", "local-pod")
    (notice,) = judge(board.pod, board.sampler).notices
    assert notice.startswith("Another pod calls itself local-pod too")
