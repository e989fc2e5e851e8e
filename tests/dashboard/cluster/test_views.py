"""The cluster's pages as they are answered: where they lead, and that nothing in them becomes markup."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import AsyncClient

from tests.dashboard.answers import text
from tests.streams.roster.fleet import HOUR, Fleet, night_and_day

HOSTILE = "<img src=x onerror=alert(1)>"


async def test_the_front_page_works_without_javascript(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    html = text(await async_client.get("/admin"))
    assert re.search(r'<noscript>\s*<meta http-equiv="refresh"', html)
    for shown in ("6 clients on 2 pods", 'href="/admin/stores/STORE00002"', "LANE01", 'href="/admin/pods/pod-of-two"'):
        assert shown in html


async def test_a_bookmark_of_the_front_page_leads_to_the_pod(fleet: Fleet, async_client: AsyncClient) -> None:
    response = await async_client.get("/admin?q=lane&sort=-events")
    assert (response.status_code, response["Location"]) == (302, "/admin/pod?q=lane&sort=-events")


async def test_a_pods_own_page_is_at_that_pod_alone(fleet: Fleet, async_client: AsyncClient) -> None:
    await fleet.beat("one", "two", "three")
    await fleet.beat("three", ago=HOUR)
    response = await async_client.get("/admin/pods/local-pod")
    assert (response.status_code, response["Location"]) == (302, "/admin/pod")
    other = await async_client.get("/admin/pods/pod-of-two")
    assert other.status_code == 200
    assert "kubectl port-forward pod/pod-of-two 3000" in text(other)
    assert "is not heard any more" in text(await async_client.get("/admin/pods/pod-of-three"))
    nobody = await async_client.get("/admin/pods/pod-404")
    assert (nobody.status_code, "No pod calls itself so" in text(nobody)) == (404, True)


async def test_without_redis_nobody_knows_of_other_pods(local_pod: Any, async_client: AsyncClient) -> None:
    response = await async_client.get("/admin/pods/pod-2")
    assert (response.status_code, "Redis does not say now" in text(response)) == (404, True)


async def test_the_search_finds_stores_and_leads_to_clients(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    html = text(await async_client.get("/admin/stores?q=0003&state=dark"))
    assert "STORE00003" in html
    assert "STORE00002" not in html
    assert 'data-live="/admin/live?of=stores&amp;state=dark&amp;q=0003"' in html
    response = await async_client.get("/admin/stores?q=STORE00001-LANE01")
    assert (response.status_code, response["Location"]) == (302, "/admin/clients/STORE00001-LANE01")


@pytest.mark.parametrize(
    ("path", "leads_to"), [("/admin/clients", "/admin/stores"), ("/admin/clients/", "/admin/clients")]
)
async def test_a_clients_address_without_its_name_leads_to_the_search(
    local_pod: Any, async_client: AsyncClient, path: str, leads_to: str
) -> None:
    response = await async_client.get(path)
    assert response.headers["Location"] == leads_to


async def test_a_client_that_never_was_there_is_away_since_no_moment(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    await fleet.reader.expect("STORE00001", ["STORE00001-LANE01", "STORE00001-LANE09"])
    hidden = r'<span data-shown="state_since"\s+hidden>since'
    assert re.search(hidden, text(await async_client.get("/admin/clients/STORE00001-LANE09")))
    assert not re.search(hidden, text(await async_client.get("/admin/clients/STORE00001-LANE01")))


async def test_a_store_without_a_name_has_a_page(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    assert 'href="/admin/stores/-"' in text(await async_client.get("/admin/stores"))
    html = text(await async_client.get("/admin/stores/-"))
    assert "Lanes without a store" in html
    assert 'href="/admin/clients/alone"' in html


@pytest.mark.parametrize("name", ["STORE001-LANE01", "a b", "--", "x" * 129])
async def test_what_cannot_be_a_store_has_no_page(local_pod: Any, async_client: AsyncClient, name: str) -> None:
    for suffix in ("", "/expected"):
        assert (await async_client.get(f"/admin/stores/{name}{suffix}")).status_code == 404


async def test_a_client_page_names_the_one_that_was_meant(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    html = text(await async_client.get("/admin/clients/store00001-lane01"))
    assert 'href="/admin/clients/STORE00001-LANE01"' in html
    assert 'href="/admin/stores/store00001"' in html


async def test_what_redis_says_is_escaped(fleet: Fleet, async_client: AsyncClient) -> None:
    """Nothing checks it on its way: whoever may write to Redis may write this."""
    await night_and_day(fleet)
    said = f'{{"podName":"{HOSTILE}","version":"{HOSTILE}","startedAt":"","state":"{HOSTILE}"}}'
    await fleet.client.hset(fleet.prefix + "pods", "two", f"{await fleet.now_ms()} {said}")
    await fleet.connect("two", f"STORE00002-{HOSTILE}")
    await fleet.client.hset(fleet.hash("seen", "STORE00003-LANE01"), "STORE00003-LANE01", f"5 {HOSTILE[:4]} {HOSTILE}")
    await fleet.expect(f"STORE00002-{HOSTILE}")
    await fleet.mark()
    await fleet.round()
    for path in (
        *("/admin", "/admin/stores", "/admin/stores/STORE00002", "/admin/stores/STORE00002/expected"),
        *("/admin/clients/STORE00003-LANE01", f"/admin/pods/{HOSTILE}"),
    ):
        response = await async_client.get(path)
        assert response.status_code == 200, path
        assert "<img" not in text(response)
        assert "&lt;img" in text(response) or path == "/admin/stores"


async def test_strangers_are_led_to_the_login(local_pod: Any, production: None, async_client: AsyncClient) -> None:
    for path in ("", "/pod", "/pods/x", "/stores", "/stores/X", "/stores/X/expected", "/clients/X/retire"):
        response = await async_client.get(f"/admin{path}")
        assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next=/admin{path}")
