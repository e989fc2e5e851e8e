from __future__ import annotations

import pytest

from streams.broker.peers import CERTAIN_SECONDS, PRESENT_SECONDS, Peers
from streams.wire.pods import Question, Statement
from tests.streams.clocks import HandClock


class Hearing:
    """One pod's account of the others, and a clock."""

    def __init__(self) -> None:
        self.hands = HandClock()
        self.peers = Peers("ours", "local-pod", self.hands.clock)

    def hear(self, life: str, pod_name: str, seconds: int = 1) -> None:
        """Let a pod state itself once a second for so long."""
        for _ in range(seconds):
            self.peers.note([Statement(life, pod_name, 0.0, (0.0, 0.0)), Question(life, 1, "a", "evt-1")])
            self.hands.turn(1)


@pytest.fixture
def hearing() -> Hearing:
    return Hearing()


def test_names_are_those_of_the_others_that_are_there(hearing: Hearing):
    hearing.hear("ours", "local-pod")
    assert (hearing.peers.names, hearing.peers.count) == ([], 0)
    hearing.hear("two", "pod-2")
    hearing.hear("one", "pod-1")
    hearing.hear("one again", "pod-1")
    assert (hearing.peers.names, hearing.peers.count) == (["pod-1", "pod-2"], 3)


def test_names_are_forgotten_of_pods_that_say_nothing(hearing: Hearing):
    hearing.hear("one", "pod-1")
    hearing.hands.turn(PRESENT_SECONDS - 1)
    assert hearing.peers.names == ["pod-1"]
    hearing.hands.turn(0.125)
    assert (hearing.peers.names, hearing.peers.count) == ([], 0)


def test_namesakes_are_named_once(hearing: Hearing, caplog: pytest.LogCaptureFixture):
    hearing.hear("ours", "local-pod", 10)
    hearing.hear("other", "local-pod", int(CERTAIN_SECONDS))
    assert hearing.peers.namesakes == 0, "it may be on its way out"
    assert caplog.text == ""
    hearing.hear("other", "local-pod", 60)
    assert hearing.peers.namesakes == 1
    (line,) = caplog.messages
    assert line.startswith("Another pod calls itself local-pod too")
    assert "POD_NAME" in line


def test_namesakes_that_come_again_are_named_again(hearing: Hearing, caplog: pytest.LogCaptureFixture):
    for _ in range(2):
        hearing.hear("other", "local-pod", 10)
        hearing.hands.turn(PRESENT_SECONDS + 1)
        assert hearing.peers.namesakes == 0
    assert len(caplog.messages) == 2


def test_namesakes_are_no_pods_of_other_names(hearing: Hearing, caplog: pytest.LogCaptureFixture):
    hearing.hear("other", "local-pod-2", 10)
    assert hearing.peers.namesakes == 0
    assert caplog.text == ""
