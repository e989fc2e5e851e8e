"""Who sees the pages in production."""

from __future__ import annotations

import msgspec
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from streams.pod import Pod
from tests.dashboard.answers import PAGES, Connect, text
from tests.dashboard.conftest import TOKEN


@pytest.mark.usefixtures("production")
async def test_in_production_strangers_see_the_login_page(local_pod: Pod, async_client: AsyncClient) -> None:
    for path in PAGES[1:]:
        response = await async_client.get(path)
        assert response.status_code == 302
        assert response["Location"] == f"/admin/login/?next={path}"
        assert (await async_client.post(path)).status_code == 302


@pytest.mark.usefixtures("production")
async def test_in_production_the_test_client_has_no_publish_form(local_pod: Pod, async_client: AsyncClient) -> None:
    assert "publish-test" not in text(await async_client.get("/"))
    assert (await async_client.post("/publish-test", {"clientName": "X", "action": "alert"})).status_code == 404


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("path", ["/admin/connections", "/admin/client/STORE001-LANE01"])
async def test_in_production_json_takes_the_token_and_nothing_like_it(
    local_pod: Pod, async_client: AsyncClient, connect: Connect, path: str
) -> None:
    connect("STORE001-LANE01")
    for wrong in ("", f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer ä"):
        response = await async_client.get(path, headers={"Authorization": wrong})
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert "ADMIN_TOKEN" in response.json()["error"]
    for right in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert (await async_client.get(path, headers={"Authorization": right})).status_code == 200


@pytest.mark.usefixtures("production")
async def test_a_token_that_is_not_set_opens_nothing(
    local_pod: Pod, async_client: AsyncClient, settings: Settings
) -> None:
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, admin_token="")
    assert (await async_client.get("/admin/connections", headers={"Authorization": "Bearer "})).status_code == 401
