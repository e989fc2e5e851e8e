"""What pods tell each other, as the channel layer carries it."""

from __future__ import annotations

import msgspec
import pytest

from streams.roster.messages import Taken, Told, Traced
from streams.roster.tracing.questions import Answer, Ask, Remembered

EVENT = Remembered("2026-11-26T14:00:00.000Z", "evt-1", "payment", "d1", "written", False)


@pytest.mark.parametrize(
    "told",
    [
        Told("life", "pod-1"),
        Told("life", "pod-1", taken=[Taken("a", 1, "origin")], close=["a"], traces=[Traced("a", 60.0)]),
        Told("life", "pod-1", welcome=[("a", 0.5)]),
        Told("life", "pod-1", asks=[Ask(1, "a")], answers=[Answer(1, "now", events=[EVENT], left_out=3)]),
    ],
)
def test_told_is_the_same_on_the_other_side(told: Told):
    assert msgspec.convert(msgspec.to_builtins(told), Told) == told


def test_told_by_a_newer_or_an_older_pod_is_understood():
    assert msgspec.convert({"life": "l", "pod_name": "p", "more": [1]}, Told) == Told("l", "p")
    assert msgspec.to_builtins(Told("l", "p")) == {"life": "l", "pod_name": "p"}
