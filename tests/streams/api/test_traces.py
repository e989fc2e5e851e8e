"""What is asked of and told to whichever pod has a client."""

from __future__ import annotations

from typing import Any

import pytest

from streams.errors import CloseReason
from streams.roster.messages import Told
from streams.roster.tracing.questions import Answer, Answered
from tests.streams.api.asking import Api
from tests.streams.builders import connect
from tests.streams.roster.fleet import Fleet

LIFE = "0123456789abcdef"


@pytest.fixture
async def here(api: Api, fleet: Fleet) -> str:
    """A client of this pod."""
    api.pod.registry.subscribed = True
    connection, _ = connect(api.pod.registry, "A-1", "10.0.0.1:5000", user_agent="u" * 200)
    life = api.pod.roster.claims.life
    await fleet.beat(life)
    await fleet.connect(life, connection.client_name)
    await fleet.round()
    return connection.client_name


@pytest.fixture
async def elsewhere(fleet: Fleet) -> str:
    await fleet.beat(LIFE)
    await fleet.connect(LIFE, "A-2")
    await fleet.round()
    return "A-2"


@pytest.fixture
def told(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """What this pod tells the others."""
    found: list[Told] = []
    monkeypatch.setattr(api.pod.roster.members, "tell", lambda messages: found.extend(said for _life, said in messages))
    monkeypatch.setattr(api.pod.roster.tracer, "_tell", api.pod.roster.members.tell)
    return found


async def test_client_that_is_here(api: Api, here: str):
    said = (await api.ask(f"/clients/{here}")).said
    assert (said["address"], said["userAgent"], said["eventCount"]) == ("10.0.0.1:5000", "u" * 120, 0)


async def test_client_that_is_here_and_not_in_redis_yet(api: Api):
    """404 is for names that nobody ever saw."""
    api.pod.registry.subscribed = True
    connect(api.pod.registry, "A-1", "10.0.0.1:5000")
    said = (await api.ask("/clients/A-1")).said
    assert (said["state"], said["podName"], said["address"]) == ("connected", "pod-here", "10.0.0.1:5000")


@pytest.mark.parametrize("answers", [True, False])
async def test_client_that_is_elsewhere(api: Api, elsewhere: str, monkeypatch: pytest.MonkeyPatch, answers: bool):
    """Its pod is asked, and no other; where it does not answer, what only it knows is left out."""
    asked: list[Any] = []
    answer = Answered("pod-there", Answer(1, "", "01234567.1", "", "10.0.0.2:6000", "Till 3", "", 7))

    async def ask(*arguments: Any) -> dict[str, Answered]:
        asked.append(arguments)
        return {LIFE: answer} if answers else {}

    monkeypatch.setattr(api.pod.roster, "ask", ask)
    said = (await api.ask(f"/clients/{elsewhere}")).said
    assert asked == [(elsewhere, {LIFE})]
    found = [said.get(key) for key in ("address", "userAgent", "eventCount")]
    assert found == (["10.0.0.2:6000", "Till 3", 7] if answers else [None] * 3)
    assert said["state"] == "connected"


async def test_close_here(api: Api, here: str, told: list[Told]):
    """The others are told, too: Redis may know more than this pod."""
    connection = api.pod.registry.get(here)
    asked = await api.ask(f"/clients/{here}/stream", "DELETE")
    assert (asked.status, asked.said) == (
        202,
        {"clientName": here, "state": "connected", "podName": "pod-here"},
    )
    assert connection is not None
    assert connection.close_reason is CloseReason.OPERATOR
    assert [each.close for each in told] == [[here]]


async def test_close_elsewhere(api: Api, elsewhere: str, told: list[Told]):
    asked = await api.ask(f"/clients/{elsewhere}/stream", "DELETE")
    assert (asked.status, asked.said["podName"]) == (202, f"pod-of-{LIFE}")
    assert [each.close for each in told] == [[elsewhere]]


async def test_close_what_was_never_seen(api: Api, told: list[Told]):
    asked = await api.ask("/clients/NOBODY/stream", "DELETE")
    assert (asked.status, asked.problem) == (404, "not-found")
    assert told == []


async def test_trace_of_a_pod_that_does_not_answer(api: Api, elsewhere: str, told: list[Told]):
    said = (await api.ask(f"/clients/{elsewhere}/trace?minutes=5")).said
    assert said.keys() == {"clientName", "entries", "sentence", "asOf"}
    assert [(entry["kind"], entry["podName"]) for entry in said["entries"]] == [("unanswered", f"pod-of-{LIFE}")]
    assert f"pod-of-{LIFE} did not answer" in said["sentence"]


async def test_trace_of_what_was_never_seen(api: Api, elsewhere: str, told: list[Told]):
    """Whether all pods answer or not."""
    asked = await api.ask("/clients/NOBODY/trace")
    assert (asked.status, asked.problem) == (404, "not-found")


@pytest.mark.parametrize("minutes", ["0", "1441", "1.5", "-1", "nan", ""])
async def test_trace_of_minutes_that_cannot_be(api: Api, minutes: str):
    asked = await api.ask(f"/clients/A-1/trace?minutes={minutes}")
    assert (asked.status, asked.said["errors"][0]["pointer"]) == (400, "?minutes")
