from __future__ import annotations

import pytest

from dashboard.cluster.timelines import MAX_KEPT, Kept, Timelines
from streams.pod import Pod
from streams.roster.tracing.entries import Kind, TraceEntry, encode
from tests.streams.roster.fleet import Fleet


def test_kept_for_some_seconds(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr("dashboard.cluster.timelines.time.monotonic", lambda: now)
    kept: Kept[str, int] = Kept(3.0)
    assert kept.get("a") is None
    assert kept.put("a", 1) == 1
    now += 2.9
    assert kept.get("a") == 1
    now += 0.1
    assert kept.get("a") is None
    kept.put("a", 2)
    kept.clear()
    assert kept.get("a") is None


def test_kept_no_more_than_so_many():
    kept: Kept[int, int] = Kept(60.0)
    for number in range(MAX_KEPT + 1):
        kept.put(number, number)
    assert (kept.get(0), kept.get(1)) == (None, 1)


async def test_timelines_are_read_once_in_a_while(local_pod: Pod, fleet: Fleet):
    await fleet.beat("one")
    found = Timelines(local_pod.roster)

    async def note(kind: Kind, at: str) -> None:
        await fleet.client.xadd(f"{fleet.channel}:trace:LANE", {"entry": encode(TraceEntry(kind, at=at, stream="o.1"))})

    def kinds(entries: list[TraceEntry]) -> list[Kind]:
        return [entry.kind for entry in entries if entry.kind is not Kind.UNANSWERED]

    await note(Kind.OPENED, "2026-01-01T00:00:00.000Z")
    assert kinds(await found.trace("LANE")) == [Kind.OPENED]
    assert {name: kinds(each) for name, each in (await found.transitions(["LANE", "X"])).items()} == {
        "LANE": [Kind.OPENED],
        "X": [],
    }
    await note(Kind.CLOSED, "2026-01-01T01:00:00.000Z")
    assert kinds(await found.trace("LANE")) == [Kind.OPENED]
    found.forget()
    assert kinds(await found.trace("LANE")) == [Kind.CLOSED]
