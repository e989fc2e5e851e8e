"""What the pages show of the pod and of its clients."""

from __future__ import annotations

import re
import time

import msgspec
import pytest
from django.test import AsyncClient

from dashboard.csp import policy
from streams.errors import CloseReason
from streams.history.coverage import Ingress
from streams.pod import Pod
from tests.dashboard.answers import PAGES, SCRIPT, Connect, text
from tests.dashboard.conftest import hear


@pytest.mark.parametrize("path", PAGES)
async def test_pages_have_no_inline_code_and_a_strict_policy(
    local_pod: Pod, async_client: AsyncClient, path: str
) -> None:
    response = await async_client.get(path)
    assert response.status_code == 200
    csp = response["Content-Security-Policy"]
    assert "unsafe" not in csp
    assert csp.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    html = text(response)
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html)
    assert 'lang="en-us"' in html
    assert re.search(r"<title>\s*\S", html)


async def test_only_the_test_client_may_talk_to_other_pods(local_pod: Pod, async_client: AsyncClient) -> None:
    assert (await async_client.get("/"))["Content-Security-Policy"] == policy(connect_src="*")
    assert "connect-src 'self'" in (await async_client.get("/admin"))["Content-Security-Policy"]


async def test_the_dashboard_works_without_javascript(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    connect("STORE001-LANE01", event_count=1204)
    local_pod.registry.close(connect("STORE002-LANE01"), CloseReason.SLOW_READER)
    html = text(await async_client.get("/admin/pod"))
    assert re.search(r'<noscript>\s*<meta http-equiv="refresh"', html)
    for shown in (
        "All is well: 1 client connected",
        "STORE001-LANE01",
        "1,204",
        "slow-reader",
        local_pod.conf.pod_name,
    ):
        assert shown in html


async def test_ten_thousand_connections(local_pod: Pod, async_client: AsyncClient, connect: Connect) -> None:
    for number in range(10_000):
        connect(f"STORE{number // 10:04d}-LANE{number % 10:02d}", address=f"10.0.{number % 256}.1:{number}")
    await async_client.get("/admin/pod")
    seconds = []
    for query in ("", "?sort=-activity&page=7", "?q=lane0", "?sort=backlog", "?store=STORE0042"):
        began = time.perf_counter()
        response = await async_client.get(f"/admin/pod{query}")
        seconds.append(time.perf_counter() - began)
        rows = re.findall(r"<tr data-key=", text(response))
        assert len(rows) <= 50 + 5
        assert len(response.content) < 100_000
    assert sorted(seconds)[2] < 0.15, seconds


async def test_a_client_page_shows_what_its_connections_were(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    for reason in (CloseReason.EVICTED, CloseReason.DEAD_PEER):
        local_pod.registry.close(connect("STORE001-LANE01"), reason)
    local_pod.registry.close(connect("STORE001-LANE02"), CloseReason.DUEL)
    html = text(await async_client.get("/admin/clients/STORE001-LANE01"))
    assert "Not connected to this pod" in html
    assert html.index("dead-peer") < html.index("evicted")
    assert "duel" not in html


async def test_a_client_page_shows_what_the_client_calls_itself(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    local_pod.registry.close(connect("STORE001-LANE01", user_agent="Lane/1.0"), CloseReason.EVICTED)
    connect("STORE001-LANE01", user_agent="Lane/2.0")
    html = text(await async_client.get("/admin/clients/STORE001-LANE01"))
    assert html.index("Lane/2.0") < html.index("Lane/1.0")
    connect("STORE001-LANE02")
    assert "not told" in text(await async_client.get("/admin/clients/STORE001-LANE02"))


async def test_the_user_agent_is_no_key_of_the_originals_json(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    connect("STORE001-LANE01", user_agent="Lane/2.0")
    for path in ("/admin/connections", "/admin/client/STORE001-LANE01"):
        assert "Lane/2.0" not in text(await async_client.get(path))


async def test_events_are_shown_newest_first(local_pod: Pod, async_client: AsyncClient) -> None:
    name, script = "STORE001-LANE01", SCRIPT.encode()
    message = b'{"clientName":"STORE001-LANE01","action":"%b","data":{"text":"%b"}}' % (script, script)
    odd = b'{"clientName":"STORE001-LANE01","action":7,"eventId":["x"],\n"timestamp":null}'
    local_pod.history.extend([name, name], [message, odd], time.monotonic(), Ingress.CHANNEL)
    html = text(await async_client.get(f"/admin/clients/{name}"))
    assert html.index("[&quot;x&quot;]") < html.index("alert(1)")
    assert SCRIPT not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3


async def test_a_pod_without_history_shows_no_place_for_it(
    local_pod: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Last events" in text(await async_client.get("/admin/clients/STORE001-LANE01"))
    monkeypatch.setattr(local_pod, "conf", msgspec.structs.replace(local_pod.conf, history_per_client=0))
    assert "Last events" not in text(await async_client.get("/admin/clients/STORE001-LANE01"))


async def test_whatever_a_stranger_wrote_is_escaped(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    connect("STORE001-LANE01", address=SCRIPT, user_agent=SCRIPT)
    local_pod.registry.close(connect("STORE001-LANE02", address=f'"{SCRIPT}', user_agent=SCRIPT), CloseReason.EVICTED)
    local_pod.subscriber.subscribed = False
    local_pod.subscriber.last_error = SCRIPT
    for path in (
        f"/admin/pod?q={SCRIPT}&store=%22{SCRIPT}&sort={SCRIPT}",
        "/admin",
        "/admin/pod",
        f"/admin/stores?q={SCRIPT}&state={SCRIPT}&cursor={SCRIPT}",
        f"/admin/stores/STORE001?cursor={SCRIPT}",
        "/admin/clients/STORE001-LANE01",
        "/admin/clients/STORE001-LANE02",
        f"/admin/clients/STORE001-LANE01/send?action={SCRIPT}&data={SCRIPT}",
    ):
        response = await async_client.get(path, headers={"User-Agent": SCRIPT})
        assert response.status_code == 200
        assert SCRIPT not in text(response)


@pytest.mark.parametrize("name", ["-x", "a b", "%3Cscript%3E", "x" * 129])
async def test_what_cannot_be_a_client_has_no_page(local_pod: Pod, async_client: AsyncClient, name: str) -> None:
    for suffix in ("", "/disconnect", "/send"):
        assert (await async_client.get(f"/admin/clients/{name}{suffix}")).status_code == 404


async def test_a_browser_reads_a_page_where_a_program_reads_json(local_pod: Pod, async_client: AsyncClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = await async_client.get("/admin/clients/-x", headers=browser)
    assert response.status_code == 404
    assert "No client can have the name" in text(response)
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        response = await async_client.get("/admin/clients/-x", headers=headers)
        assert response.json()["error"] == "There is nothing at /admin/clients/-x."


async def test_a_client_that_is_not_here_may_be_on_another_pod(local_pod: Pod, async_client: AsyncClient) -> None:
    hear(local_pod, "two", "pod-2")
    html = text(await async_client.get("/admin/clients/STORE001-LANE01"))
    assert "Not connected to this pod. Redis does not say now which clients the other pods have" in html
    answer = (await async_client.get("/admin/client/STORE001-LANE01")).json()
    assert answer["found"] is False
    assert answer["error"] == "Client STORE001-LANE01 is not on this pod. It may be on another: pod-2."


async def test_other_methods_are_refused(local_pod: Pod, async_client: AsyncClient) -> None:
    for path in ("/admin", "/admin/pod", "/admin/pods/X", "/admin/stores", "/admin/stores/X", "/", "/admin/clients/X"):
        assert (await async_client.put(path)).status_code == 405
    assert (await async_client.get("/publish-test")).status_code == 405


@pytest.mark.parametrize(("sort", "field"), [("", None), ("-events", "-events"), ("name", None)])
async def test_the_search_form_keeps_the_order(
    local_pod: Pod, async_client: AsyncClient, sort: str, field: str | None
) -> None:
    html = text(await async_client.get(f"/admin/pod?sort={sort}"))
    kept = re.search(r'<input type="hidden" name="sort" value="([^"]*)"', html)
    assert (kept[1] if kept else None) == field


async def test_a_name_in_other_letters_is_suggested(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    connect("store007-lane03")
    html = text(await async_client.get("/admin/clients/STORE007-LANE03"))
    assert re.search(r'href="/admin/clients/store007-lane03"\s+data-text="similar"', html)
    hidden = text(await async_client.get("/admin/clients/STORE007-LANE04"))
    assert re.search(r'<p data-shown="similar"\s+hidden>', hidden)
