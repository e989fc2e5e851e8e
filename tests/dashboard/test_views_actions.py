"""What an operator can do on a page: disconnect a client, and send it a test event."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import AsyncClient

from streams.broker.publisher import Receipt
from streams.errors import CloseReason, RedisUnavailable
from streams.pod import Pod
from tests.dashboard.answers import Connect, text

UNKNOWN = "; NOBODY is not connected to this pod, and whether it is to another is not known now"


async def test_disconnect_asks_first_and_then_ends_the_connection(
    local_pod: Pod, async_client: AsyncClient, connect: Connect
) -> None:
    connection = connect("STORE001-LANE01")
    path = "/admin/clients/STORE001-LANE01/disconnect"
    assert "Yes, disconnect" in text(await async_client.get(path))
    assert len(local_pod.registry) == 1
    response = await async_client.post(path)
    assert response.status_code == 302
    assert response["Location"] == "/admin/clients/STORE001-LANE01"
    assert connection.close_reason is CloseReason.OPERATOR
    assert "was disconnected" in text(await async_client.get(response["Location"]))
    await async_client.post(path)
    assert "is not connected" in text(await async_client.get(response["Location"]))


async def test_what_is_done_to_a_client_is_written_down(
    local_pod: Pod,
    async_client: AsyncClient,
    connect: Connect,
    published: list[tuple[Any, ...]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the API does; a connection that was gone is none that was closed."""
    caplog.set_level(logging.INFO, "sse.audit")
    connect("STORE001-LANE01")
    for action in ("send", "disconnect", "disconnect"):
        await async_client.post(f"/admin/clients/STORE001-LANE01/{action}", {"action": "alert"})
    assert [record.getMessage() for record in caplog.records if record.name == "sse.audit"] == [
        "anybody sent STORE001-LANE01 a test event, alert evt-1",
        "anybody closed the stream of STORE001-LANE01",
    ]
    caplog.clear()
    await async_client.post("/publish-test", {"clientName": "STORE001-LANE01", "action": "alert"})
    assert caplog.messages == ["anybody sent STORE001-LANE01 an event, alert evt-1"]


async def test_an_action_needs_its_csrf_token(local_pod: Pod, connect: Connect) -> None:
    connection = connect("STORE001-LANE01")
    client = AsyncClient(enforce_csrf_checks=True)
    for path in ("/admin/clients/STORE001-LANE01/disconnect", "/admin/clients/STORE001-LANE01/send", "/publish-test"):
        response = await client.post(path)
        assert response.status_code == 403
        assert "This form has expired" in text(response)
    assert connection.close_reason is None


async def test_a_test_event_is_shown_first_and_then_published(
    local_pod: Pod, async_client: AsyncClient, published: list[tuple[Any, ...]]
) -> None:
    path = "/admin/clients/STORE001-LANE01/send"
    assert "transactionId" in text(await async_client.get(f"{path}?action=payment"))
    assert not published
    await async_client.post(path, {"action": "alert", "data": '{"level": 1}'})
    assert published == [("STORE001-LANE01", "alert", {"level": 1})]
    html = text(await async_client.get("/admin/clients/STORE001-LANE01"))
    assert '<li class="warning">' in html, "nobody may take it for delivered"
    assert "Alert evt-1 was published: it was handed to 2 pods; STORE001-LANE01 is not connected to this pod" in html
    assert "is not known now" in html


async def test_a_test_event_for_a_client_of_this_pod_says_so(
    local_pod: Pod, async_client: AsyncClient, published: list[tuple[Any, ...]], connect: Connect
) -> None:
    connect("STORE001-LANE01")
    await async_client.post("/admin/clients/STORE001-LANE01/send", {"action": "alert", "data": "{}"})
    html = text(await async_client.get("/admin/clients/STORE001-LANE01"))
    assert '<li class="success">' in html
    assert "it was handed to 2 pods, and STORE001-LANE01 is connected to local-pod" in html


@pytest.mark.parametrize(
    ("receipt", "said"),
    [
        (Receipt("evt-1", 0, None), "no pod is subscribed to the channel, so nobody gets it"),
        (Receipt("evt-1", 1, None), f"it was handed to 1 pod{UNKNOWN}"),
        (Receipt("evt-1", None, "1-0"), f"it is in the journal, from which every pod reads{UNKNOWN}"),
    ],
)
async def test_the_publish_form_says_what_is_known(
    local_pod: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, receipt: Receipt, said: str
) -> None:
    async def apublish(*_arguments: Any) -> Receipt:
        return receipt

    monkeypatch.setattr("dashboard.actions.apublish", apublish)
    response = await async_client.post("/publish-test", {"clientName": "NOBODY", "action": "alert"})
    assert response.json()["message"] == said


async def test_data_that_is_not_json_is_refused_with_what_was_typed(
    local_pod: Pod, async_client: AsyncClient, published: list[tuple[Any, ...]]
) -> None:
    for data in ("{oops", "[" * 5000):
        response = await async_client.post("/admin/clients/STORE001-LANE01/send", {"action": "alert", "data": data})
        assert response.status_code == 422
        assert data in text(response)
        assert "data is not JSON" in text(response)
    assert not published


async def test_redis_that_takes_nothing_is_told(
    local_pod: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def apublish(*_arguments: Any) -> Receipt:
        raise RedisUnavailable("Redis did not take the event")

    monkeypatch.setattr("dashboard.actions.apublish", apublish)
    response = await async_client.post("/admin/clients/STORE001-LANE01/send", {"action": "alert", "data": "{}"})
    assert "Redis did not take the event" in text(response)
    response = await async_client.post("/publish-test", {"clientName": "STORE001-LANE01", "action": "alert"})
    assert response.json()["error"] == "Redis did not take the event"


async def test_the_publish_form_publishes_a_sample_or_what_was_typed(
    local_pod: Pod, async_client: AsyncClient, published: list[tuple[Any, ...]]
) -> None:
    fields = {"clientName": "STORE001-LANE01", "action": "alert"}
    response = await async_client.post("/publish-test", fields)
    assert response.json()["success"] is True
    await async_client.post("/publish-test", {**fields, "data": "[1]"})
    assert [type(arguments[2]) for arguments in published] == [dict, list]
    for wrong in ({"action": "unknown"}, {"data": "{"}):
        assert (await async_client.post("/publish-test", {**fields, **wrong})).status_code == 422
