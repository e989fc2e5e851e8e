"""The page of the API: read without JavaScript, open to all, and gone where the API is."""

from __future__ import annotations

import re

import msgspec
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from dashboard.views import api_document
from streams.pod import Pod
from tests.dashboard.answers import text


async def test_every_endpoint_is_readable_without_javascript(local_pod: Pod, async_client: AsyncClient) -> None:
    response = await async_client.get("/api")
    assert (response.status_code, "unsafe" in response["Content-Security-Policy"]) == (200, False)
    html = text(response)
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for path, item in api_document()["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert f"<code>{method.upper()} {path}</code>" in html
    for shown in (
        "curl http://testserver/api/v1/clients/STORE001-LANE01",
        "1 to 128 characters of A-Z",
        "idempotency-mismatch",
        'href="/api/v1/openapi.json"',
    ):
        assert shown in html
    # What needs a script is not there without one.
    assert all(" hidden" in form for form in re.findall(r"<form[^>]*data-(?:try|token)[^>]*>", html))


@pytest.mark.usefixtures("production")
async def test_it_is_open_to_strangers_and_says_where_the_token_goes(local_pod: Pod, async_client: AsyncClient) -> None:
    response = await async_client.get("/api")
    assert response.status_code == 200
    assert "-H &quot;Authorization: Bearer $ADMIN_TOKEN&quot;" in text(response)


async def test_it_takes_get_only_and_leads_from_its_slash(local_pod: Pod, async_client: AsyncClient) -> None:
    assert (await async_client.post("/api")).status_code == 405
    response = await async_client.get("/api/")
    assert (response.status_code, response["Location"]) == (302, "/api")


async def test_without_the_api_there_is_no_page_of_it(
    local_pod: Pod, async_client: AsyncClient, settings: Settings
) -> None:
    assert 'href="/api"' in text(await async_client.get("/"))
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, http_api=False)
    assert (await async_client.get("/api")).status_code == 404
    assert 'href="/api"' not in text(await async_client.get("/"))
