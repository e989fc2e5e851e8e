"""What tokens open of the pages, their JSON and the metrics, and the page of lanes that have none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import msgspec
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from dashboard.live.board import get_board
from streams.auth.results import Result
from streams.auth.revocations import Revocation
from streams.pod import Pod, get_pod
from tests.dashboard.answers import SCRIPT, text
from tests.dashboard.conftest import NOWHERE, TOKEN

SECRET = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
JSON_PATHS = ("/admin/connections", "/admin/client/STORE001-LANE01")


def bearer(*admin: str, **claims: Any) -> dict[str, str]:
    said = {"sub": "prometheus", "jti": "7", "exp": time.time() + 600, "sse": {"admin": admin}, **claims}
    return {"Authorization": f"Bearer {jwt.encode(said, SECRET, 'HS256')}"}


def pod_with(settings: Settings, **changes: Any) -> Pod:
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, redis_url=NOWHERE, **changes)
    get_pod.cache_clear()
    get_board.cache_clear()
    pod = get_pod()
    pod.guard.was_read = True
    return pod


@pytest.fixture
def guarded(settings: Settings) -> Iterator[Pod]:
    """A pod in production that knows a key, and has ADMIN_TOKEN too."""
    yield pod_with(settings, environment="production", admin_token=TOKEN, token_secret=SECRET, stream_auth="observe")
    get_pod.cache_clear()
    get_board.cache_clear()


@pytest.mark.parametrize(("admin", "status"), [(("read",), 200), (("act",), 200), ((), 403)])
async def test_json_and_pages_by_the_rights_of_a_token(
    guarded: Pod, async_client: AsyncClient, admin: tuple[str, ...], status: int
) -> None:
    guarded.registry.subscribed = True
    headers = bearer(*admin)
    for path in ("/admin/connections", "/admin/tokens", "/admin/pod"):
        response = await async_client.get(path, headers=headers)
        assert response.status_code == status, path
        if status == 403:
            assert "gives no right to look" in text(response)


async def test_json_without_a_good_token(guarded: Pod, async_client: AsyncClient) -> None:
    expired = bearer("act", exp=time.time() - 60)
    response = await async_client.get("/admin/connections", headers=expired)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert response.json()["error"].startswith("The token has expired.")
    guarded.locks.revocations.add(Revocation(time.time() + 60, jti="7"), time.time())
    assert (await async_client.get("/admin/connections", headers=bearer("act"))).status_code == 401
    assert (await async_client.get("/admin/pod", headers=expired)).status_code == 302, "a person is led to the login"
    token = bearer("act", jti="8")["Authorization"].split()[1]
    response = await async_client.get(f"/admin/connections?access_token={token}")
    assert response.status_code == 401
    assert "A token in the address" in text(response)
    response = await async_client.get(f"/admin/tokens?q=x&access_token={token}")
    assert response["Location"] == "/admin/login/?next=/admin/tokens", "it goes no further"


async def test_changes_need_the_right_to_act(guarded: Pod, async_client: AsyncClient) -> None:
    path = "/admin/clients/STORE001-LANE01/disconnect"
    response = await async_client.post(path, headers=bearer("read"))
    assert response.status_code == 403
    assert "gives no right to act" in text(response)


async def test_metrics_are_open_unless_said(guarded: Pod, async_client: AsyncClient) -> None:
    assert (await async_client.get("/metrics")).status_code == 200
    assert (await async_client.get("/metrics", headers={"Authorization": "Bearer wrong"})).status_code == 200


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_metrics_with_a_token(guarded: Pod, settings: Settings, async_client: AsyncClient, environment: str):
    pod_with(settings, metrics_auth="required", environment=environment)
    response = await async_client.get("/metrics")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json()["error"].startswith("Send the header Authorization: Bearer")
    for headers, status in (
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        (bearer("read"), 200),
        (bearer("act"), 200),
        (bearer(), 403),
        (bearer("read", exp=time.time() - 60), 401),
        ({"Authorization": "Bearer wrong"}, 401),
    ):
        response = await async_client.get("/metrics", headers=headers)
        assert response.status_code == status, headers
        assert (b"sse_connections" in response.content) is (status == 200)


def refuse(pod: Pod, name: str, agent: str = "till/1") -> None:
    pod.locks.unwelcome.note(name, Result.EXPIRED, "The token has expired.", "10.0.0.7:5000", agent)


async def test_page_lists_lanes_with_why(guarded: Pod, async_client: AsyncClient) -> None:
    for name in ("STORE001-LANE01", "STORE002-LANE01", "STORE002-LANE01"):
        refuse(guarded, name, SCRIPT)
    html = text(await async_client.get("/admin/tokens", headers=bearer("read")))
    for shown in (
        "2 lanes that would be refused",
        "STREAM_AUTH=required would refuse them",
        'href="/admin/clients/STORE002-LANE01"',
        "The token has expired.",
        "10.0.0.7:5000",
        "HS256 (1)",
    ):
        assert shown in html
    assert html.index("STORE002-LANE01") < html.index("STORE001-LANE01"), "the last seen first"
    assert SCRIPT not in html
    assert SECRET not in html
    found = text(await async_client.get("/admin/tokens?q=store001", headers=bearer("read")))
    assert "STORE001-LANE01" in found
    assert "/admin/clients/STORE002-LANE01" not in found
    guarded.locks.unwelcome.forget("STORE001-LANE01")
    html = text(await async_client.get("/admin/tokens", headers=bearer("read")))
    assert "1 lane that would be refused" in html
    assert "STORE001-LANE01" not in html


async def test_page_of_many_lanes(guarded: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.tokens.LANES_SHOWN", 2)
    for number in range(5):
        refuse(guarded, f"A-{number}")
    html = text(await async_client.get("/admin/tokens", headers=bearer("read")))
    assert "And 3 more" in html
    assert "/admin/clients/A-4" in html
    assert "/admin/clients/A-2" not in html


@pytest.mark.parametrize(
    ("stream_auth", "said"), [("off", "STREAM_AUTH=observe fills"), ("required", "0 lanes refused")]
)
async def test_page_says_what_is_asked_for(
    guarded: Pod, settings: Settings, async_client: AsyncClient, stream_auth: str, said: str
) -> None:
    pod_with(settings, stream_auth=stream_auth)
    html = text(await async_client.get("/admin/tokens", headers=bearer("read")))
    assert said in html
    assert "None that was seen here" in html
    assert (await async_client.post("/admin/tokens", headers=bearer("act"))).status_code == 405
