from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.auth.revocations import Revocations
from streams.auth.rights import Holder
from streams.delivery.connection import Connection
from streams.delivery.registry import Registry
from streams.locks import renewals
from streams.locks.open_streams import OpenStreams
from streams.locks.renewals import Outcome, Renewals
from streams.roster.messages import Renewed, Told
from tests.streams.builders import connect, make_registry


class Pods:
    """Some pods between which messages go at once, and those that are lost where they are cut off."""

    def __init__(self, count: int = 2) -> None:
        self.cut_off = False
        self.registries: list[Registry] = []
        self.pods: list[Renewals] = []
        for number in range(count):
            registry = make_registry()
            streams = OpenStreams(registry, Revocations(), warn_seconds=60, leeway_seconds=30)
            self.registries.append(registry)
            self.pods.append(Renewals(registry, streams, str(number), self._telling(str(number))))

    def _telling(self, sender: str) -> Any:
        def tell(life: str, said: dict[str, Any]) -> None:
            told = Told(sender, f"pod-{sender}", **said)
            for number, pod in enumerate(self.pods):
                if not self.cut_off and life in ("", str(number)):
                    asyncio.get_running_loop().call_soon(pod.told, told)

        return tell

    def connect(self, number: int, name: str, sub: str) -> Connection:
        connection, _writer = connect(self.registries[number], name)
        connection.holder = Holder(sub, expires_at=1e10)
        return connection


NEW = Holder("till", "new", 5, 2e10, ("a",))


async def test_renew_on_the_pod_that_has_the_stream():
    pods = Pods()
    connection = pods.connect(0, "a", "till")
    assert await pods.pods[0].renew("a", NEW) is Outcome.RENEWED
    assert connection.holder is NEW
    assert await pods.pods[0].renew("a", Holder("thief")) is Outcome.OTHER_HOLDER


async def test_renew_on_another_pod():
    pods = Pods(3)
    connection = pods.connect(2, "a", "till")
    assert await pods.pods[0].renew("a", NEW) is Outcome.RENEWED
    assert connection.holder == Holder("till", "new", 5, 2e10)
    assert await pods.pods[0].renew("a", Holder("thief")) is Outcome.OTHER_HOLDER
    assert connection.holder.sub == "till"


async def test_renew_of_a_stream_that_nobody_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(renewals, "ANSWER_SECONDS", 0.01)
    assert await Pods().pods[0].renew("a", NEW) is Outcome.NOBODY


async def test_answer_that_comes_late_is_nobodys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(renewals, "ANSWER_SECONDS", 0.01)
    pods = Pods()
    pods.cut_off = True
    assert await pods.pods[0].renew("a", NEW) is Outcome.NOBODY
    pods.pods[0].told(Told("1", "pod-1", renewed=[Renewed(1, True)]))


async def test_two_answers_to_one_renewal():
    """As while a client moves: the first counts."""
    pods = Pods(3)
    pods.connect(1, "a", "till")
    pods.connect(2, "a", "other")
    assert await pods.pods[0].renew("a", NEW) is Outcome.RENEWED


async def test_too_many_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(renewals, "MAX_WAITS", 1)
    monkeypatch.setattr(renewals, "ANSWER_SECONDS", 0.05)
    pods = Pods()
    first = asyncio.ensure_future(pods.pods[0].renew("a", NEW))
    await asyncio.sleep(0)
    assert await pods.pods[0].renew("b", NEW) is Outcome.BUSY
    assert await first is Outcome.NOBODY
    assert await pods.pods[0].renew("b", NEW) is Outcome.NOBODY, "a wait that is over takes no room"
