"""Who may ask, what a request may say, and what is answered where it goes wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
import redis

from streams.api import consumer
from streams.api.bodies import MAX_BODY_BYTES
from streams.api.problems import ProblemKind
from streams.api.routes import ROUTES
from tests.streams.api.asking import CUSTOMER, JSON, OPERATOR, READER, UNKNOWN, Api
from tests.streams.roster.fleet import Fleet

TOKEN = "only-for-tests-" + "t" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SITE = {"Host": "sse.example", "Origin": "https://sse.example"}
LANES: dict[str, Any] = {"lanes": ["A-1"]}


@pytest.fixture
def production(settings: Any, api: Api) -> Api:
    settings.STREAMS = msgspec.structs.replace(
        settings.STREAMS, environment="production", admin_token=TOKEN, publish_auth="required"
    )
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.example"]
    return api


async def test_answer_is_json_that_nobody_keeps(api: Api):
    asked = await api.ask("/pods")
    assert asked.status == 200
    assert asked.headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-length": str(len(asked.body)),
    }
    assert asked.said["pods"] == []


async def test_head_is_the_head_of_get(api: Api):
    got, asked = await api.ask("/problems"), await api.ask("/problems", "HEAD")
    assert (asked.status, asked.headers, asked.body) == (200, got.headers, b"")
    missing = await api.ask("/clients/A", "HEAD")
    assert (missing.status, missing.body, missing.headers["content-type"]) == (404, b"", "application/problem+json")


async def test_options_says_what_a_path_takes(api: Api):
    asked = await api.ask("/clients/A", "OPTIONS")
    assert (asked.status, asked.headers["allow"], asked.body) == (204, "GET, HEAD, DELETE, OPTIONS", b"")


@pytest.mark.parametrize("target", ["", "/", "/nothing", "/pods/", "/clients/A%2Fstream%2Fx", "/clients//stream/x"])
async def test_path_that_leads_nowhere(api: Api, target: str):
    asked = await api.ask(target)
    assert (asked.status, asked.problem) == (404, "not-found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "TRACE", "BREW"])
async def test_method_that_a_path_does_not_take(api: Api, method: str):
    asked = await api.ask("/pods", method)
    assert (asked.status, asked.problem, asked.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD, OPTIONS")


async def test_problems_lead_to_where_they_are_explained(api: Api):
    api.root_path = "/sse"
    asked = await api.ask("/nothing")
    assert asked.said["type"] == "/sse/api/v1/problems#not-found"
    listed = (await api.ask("/problems")).said["problems"]
    assert {each["name"]: each["status"] for each in listed} == {kind.word: kind.status for kind in ProblemKind}


@pytest.mark.parametrize("target", ["/pods?x=1", "/clients/-", "/stores/a-b", "/stores?state=dim", "/clients?limit=0"])
async def test_request_that_cannot_be_meant(api: Api, target: str):
    asked = await api.ask(target)
    assert (asked.status, asked.problem in ("unknown-field", "invalid-request")) == (400, True)
    assert asked.said["errors"][0]["detail"] == asked.said["detail"]


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, JSON | {"Content-Encoding": "gzip"}, {"Content-Type": ""}]
)
async def test_body_that_is_not_said_to_be_json(api: Api, headers: dict[str, str]):
    asked = await api.ask("/stores/A/expected", "PUT", headers, b'{"lanes":[]}')
    assert (asked.status, asked.problem) == (415, "unsupported-media-type")


@pytest.mark.parametrize("parts", [1, 7])
async def test_body_that_is_too_large(api: Api, parts: int):
    asked = await api.ask("/stores/A/expected", "PUT", JSON, b" " * (MAX_BODY_BYTES + 1), parts)
    assert (asked.status, asked.problem) == (413, "too-large")
    asked = await api.ask("/stores/A/expected", "PUT", JSON, b" " * MAX_BODY_BYTES, parts)
    assert (asked.status, asked.problem) == (400, "invalid-json")


async def test_body_that_is_cut_off(api: Api, fleet: Fleet):
    """Nothing is done, though what came is JSON."""
    asked = await api.ask("/stores/A/expected", "PUT", JSON, b'{"lanes":["A-1"]}' + b" " * 17, parts=2, cut=True)
    assert (asked.status, asked.problem) == (400, "invalid-json")
    assert await fleet.reader.lane("A-1") is None


async def test_body_in_parts_with_a_charset(api: Api):
    headers = {"Content-Type": "application/JSON; charset=utf-8"}
    asked = await api.ask("/stores/A/expected", "PUT", headers, b'{"lanes":["A-1"]}', parts=5)
    assert (asked.status, asked.said) == (200, {"store": "A", "lanes": ["A-1"]})


@pytest.mark.parametrize("user", [None, CUSTOMER], ids=["stranger", "customer"])
async def test_stranger_in_production(production: Api, user: Any):
    production.user = user or production.user
    for route in ROUTES:
        for method, endpoint in route.endpoints.items():
            target = route.path.replace("NAME", "A-1").replace("STORE", "A")
            asked = await production.ask(target, method, SITE | JSON, b'{"lanes":[]}')
            if endpoint.public:
                assert asked.status == 200
            else:
                assert (asked.status, asked.problem, asked.headers["www-authenticate"]) == (
                    401,
                    "unauthorized",
                    "Bearer",
                ), target


@pytest.mark.parametrize("wrong", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
async def test_wrong_token_in_production(production: Api, wrong: str):
    assert (await production.ask("/pods", headers={"Authorization": wrong})).status == 401


async def test_token_in_production(production: Api, caplog: pytest.LogCaptureFixture):
    """Wherever it comes from: no browser sends it by itself."""
    caplog.set_level(logging.INFO, "sse.audit")
    assert (await production.ask("/pods", headers=BEARER)).status == 200
    headers = BEARER | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await production.put("/stores/A/expected", LANES, **headers)).status == 200
    assert caplog.messages == ["ADMIN_TOKEN said which lanes the store A has: 1, A-1"]


@pytest.mark.parametrize(
    "headers",
    [
        SITE,
        {"Sec-Fetch-Site": "same-origin"},
        {"Host": "sse.example", "Sec-Fetch-Site": "same-origin", "Origin": "https://front.example"},
        {"Host": "sse.example", "Origin": "https://front.example"},
    ],
)
async def test_session_in_production(production: Api, headers: dict[str, str], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "sse.audit")
    production.user = OPERATOR
    assert (await production.ask("/pods")).status == 200
    assert (await production.put("/stores/A/expected", LANES, **headers)).status == 200
    assert (await production.ask("/clients/A-1", "DELETE", headers)).status == 204
    assert caplog.messages == ['"night shift" said which lanes the store A has: 1, A-1', '"night shift" retired A-1']
    assert caplog.records[1].fields == {"address": "10.0.0.7:5000", "clientName": "A-1"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"} | SITE,
        {"Host": "sse.example", "Origin": "https://evil.example"},
        {"Host": "sse.example", "Origin": "null"},
        {"Host": "sse.example", "Origin": "http://["},
    ],
)
async def test_session_and_a_page_of_another_site(
    production: Api, fleet: Fleet, headers: dict[str, str], caplog: pytest.LogCaptureFixture
):
    """It is told so, and nothing is changed."""
    caplog.set_level(logging.INFO, "sse.audit")
    await fleet.reader.expect("A", ["A-1"])
    production.user = OPERATOR
    for asked in (
        await production.put("/stores/A/expected", {"lanes": []}, **headers),
        await production.ask("/clients/A-1", "DELETE", headers),
    ):
        assert (asked.status, asked.problem) == (403, "other-site")
    assert await fleet.reader.lane("A-1") is not None
    assert caplog.messages == []


CHANGES = [
    ("POST", "/events", b'{"clientName":"A-1","action":"alert"}'),
    ("POST", "/events/batch", b'{"events":[{"clientName":"A-1","action":"alert"}]}'),
    ("PUT", "/stores/A/expected", b'{"lanes":[]}'),
    ("POST", "/revocations", b'{"jti":"7f3c"}'),
    ("DELETE", "/clients/A-1", b""),
    ("DELETE", "/clients/A-1/stream", b""),
]


def test_all_changes_are_in_the_test_below():
    found = {
        (method, route.path.replace("NAME", "A-1").replace("STORE", "A"))
        for route in ROUTES
        for method in route.endpoints
        if method != "GET"
    }
    assert found == {(method, target) for method, target, _body in CHANGES}


@pytest.mark.parametrize(("method", "target", "body"), CHANGES)
async def test_operator_who_may_only_look(
    production: Api,
    fleet: Fleet,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    target: str,
    body: bytes,
):
    """He is told so, nothing is changed, and nothing is written down."""
    # Nothing publishes here what the last of them asks for.
    monkeypatch.setattr("streams.api.consumer.ANSWER_SECONDS", 0.5)
    caplog.set_level(logging.INFO, "sse.audit")
    await fleet.reader.expect("A", ["A-1"])
    production.user = READER
    assert (await production.ask("/clients/A-1")).status == 200
    asked = await production.ask(target, method, SITE | JSON, body)
    assert (asked.status, asked.problem) == (403, "insufficient-scope")
    assert asked.said["detail"].startswith("You may look at everything here and change nothing.")
    lane = await fleet.reader.lane("A-1")
    assert lane is not None
    assert lane.expected
    assert caplog.messages == []
    asked = await production.ask(target, method, BEARER | JSON, body)
    assert asked.status != 403, "the token wins over the session"


async def test_name_of_a_front_door_that_is_no_operators(production: Api):
    production.user = UNKNOWN
    asked = await production.ask("/pods")
    assert (asked.status, asked.problem) == (403, "insufficient-scope")
    assert "you are 'mallory'" in asked.said["detail"]


async def test_operators_port_alone_has_their_part(api: Api):
    api.pod.conf = msgspec.structs.replace(api.pod.conf, admin_port=3999)
    for route in ROUTES:
        for method, endpoint in route.endpoints.items():
            target = route.path.replace("NAME", "A-1").replace("STORE", "A").replace("ID", "e-1")
            api.port = 3000
            asked = await api.ask(target, method, JSON, b"{")
            nothing = asked.status == 404 and "There is nothing at" in asked.said["detail"]
            is_for_devices = endpoint.public or route.path.startswith("/events")
            assert nothing is not is_for_devices, target
            api.port = 3999
            asked = await api.ask(target, method, JSON, b"{")
            assert asked.status != 404 or "There is nothing at" not in asked.said["detail"], target


async def test_development_lets_anybody_in_but_pages_of_other_sites(api: Api):
    assert (await api.put("/stores/A/expected", LANES)).status == 200
    assert (await api.ask("/clients/A-1", "DELETE", {"Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await api.ask("/clients/A-1", "DELETE")).status == 204


@pytest.mark.parametrize(
    "error",
    [redis.ConnectionError("gone"), redis.TimeoutError(), redis.ResponseError("NOPERM"), OSError(), TimeoutError()],
)
async def test_redis_that_gives_no_answer(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception):
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api.pod.reading.reader, "pods", fail)
    monkeypatch.setattr(api.pod.reading.reader, "retire", fail)
    asked = await api.ask("/pods")
    assert (asked.status, asked.problem, asked.headers["retry-after"]) == (503, "redis-unavailable", "2")
    assert "may have been done" not in asked.said["detail"]
    assert "may have been done" in (await api.ask("/clients/A", "DELETE")).said["detail"]


async def test_redis_that_refuses(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """It does give an answer, and the log has it."""

    async def fail(*_: Any, **__: Any) -> None:
        raise redis.ResponseError("WRONGTYPE of a key")

    monkeypatch.setattr(api.pod.reading.reader, "pods", fail)
    asked = await api.ask("/pods")
    assert (asked.status, asked.problem) == (503, "redis-unavailable")
    assert asked.said["detail"] == "Redis refuses what this pod asks; its log says why."
    assert "WRONGTYPE of a key" in caplog.text


async def test_redis_that_stands_still(api: Api, monkeypatch: pytest.MonkeyPatch):
    """Those that wait for their turn are told, too."""

    async def wait(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumer, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(api.pod.reading.reader, "pods", wait)
    asked = await asyncio.gather(*(api.ask("/pods") for _ in range(3 * consumer.MAX_AT_ONCE)))
    assert {each.status for each in asked} == {503}
    monkeypatch.undo()
    assert (await api.ask("/pods")).status == 200


async def test_failure_of_the_service(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    async def fail(*_: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(api.pod.reading.reader, "pods", fail)
    asked = await api.ask("/pods")
    assert (asked.status, asked.problem) == (500, "internal-error")
    assert b"secret" not in asked.body
    assert "A request to the API failed" in caplog.messages


async def test_pod_that_leaves_its_redis(api: Api):
    """What is asked next is asked on a connection of its own."""
    assert (await api.ask("/pods")).status == 200
    before = api.pod.reading.reader
    api.pod.reading.drop("another Redis answers there now")
    assert api.pod.reading.reader is not before
    assert (await api.ask("/pods")).status == 200
