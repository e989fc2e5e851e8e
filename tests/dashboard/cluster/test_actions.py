"""What operators say of a store's lanes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import AsyncClient

from dashboard.cluster.actions import MAX_LANES, line, read_names
from streams.pod import Pod
from tests.dashboard.answers import text
from tests.streams.roster.fleet import Fleet, lanes_of, large_store, night_and_day

PATH = "/admin/stores/STORE00002/expected"


async def expected(fleet: Fleet, store: str = "STORE00002") -> list[str]:
    answer = await fleet.reader.store(store)
    return [lane.client_name for lane in answer[1] if lane.expected] if answer else []


async def test_which_lanes_are_expected_is_asked_confirmed_and_said(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    form = text(await async_client.get(PATH))
    assert "LANE01\nLANE02\nLANE03</textarea>" in form
    confirm = text(await async_client.post(PATH, {"lanes": "LANE02, STORE00002-LANE03\nLANE04 LANE02"}))
    assert "<strong>3</strong> lanes of this store are expected then: LANE02, LANE03, LANE04." in confirm
    assert "Expected from now on: LANE04." in confirm
    assert "Not expected any more, unless that is learned again: LANE01." in confirm
    assert await expected(fleet) == lanes_of([2], 3), "nothing was said yet"
    response = await async_client.post(PATH, {"lanes": "LANE02 LANE03 LANE04", "confirmed": "yes"})
    assert (response.status_code, response["Location"]) == (302, "/admin/stores/STORE00002")
    assert await expected(fleet) == [f"STORE00002-LANE0{number}" for number in (2, 3, 4)]
    html = text(await async_client.get("/admin/stores/STORE00002"))
    assert "3 lanes of STORE00002 are expected now." in html


async def test_what_is_said_of_lanes_is_written_down(
    fleet: Fleet, async_client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """As the API does: who, what, and of which client; not what was only asked."""
    caplog.set_level(logging.INFO, "sse.audit")
    await night_and_day(fleet)
    await async_client.post(PATH, {"lanes": "LANE02"})
    await async_client.get("/admin/clients/STORE00002-LANE02/retire")
    assert caplog.messages == []
    await async_client.post(PATH, {"lanes": "LANE02", "confirmed": "yes"})
    await async_client.post("/admin/clients/STORE00002-LANE02/retire")
    assert caplog.messages == [
        "anybody said which lanes the store STORE00002 has: 1, STORE00002-LANE02",
        "anybody retired STORE00002-LANE02",
    ]
    fields = caplog.records[1].fields  # type: ignore[attr-defined]
    assert fields["clientName"] == "STORE00002-LANE02"
    assert fields["address"].startswith("127.0.0.1")


async def test_no_lane_at_all_is_learning_again(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    await async_client.post(PATH, {"lanes": "LANE02", "confirmed": "yes"})
    assert await expected(fleet) == ["STORE00002-LANE02"]
    assert "Nothing is said of this store" in text(await async_client.post(PATH, {"lanes": " "}))
    await async_client.post(PATH, {"lanes": "", "confirmed": "yes"})
    assert await expected(fleet) == lanes_of([2], 3)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("STORE00003-LANE01", "STORE00003-LANE01 is no lane of STORE00002."),
        ("LANE01 lane/2", "No lane can be called STORE00002-lane/2."),
        (" ".join(map(str, range(MAX_LANES + 1))), "These are 1001 lanes; at most 1000 can be said."),
        ("x" * 300_000, "That is too much to read: at most 1000 lanes."),
    ],
)
async def test_what_is_no_lane_of_the_store_is_refused_with_what_was_typed(
    fleet: Fleet, async_client: AsyncClient, typed: str, said: str
) -> None:
    await fleet.beat("one")
    response = await async_client.post(PATH, {"lanes": typed, "confirmed": "yes"})
    assert response.status_code == 422
    assert said in text(response)
    assert typed in text(response)
    assert await expected(fleet) == []


async def test_a_store_with_more_lanes_than_a_page_holds_is_left_alone(fleet: Fleet, async_client: AsyncClient) -> None:
    await large_store(fleet)
    response = await async_client.post("/admin/stores/-/expected", {"lanes": "lane00001", "confirmed": "yes"})
    assert (response.status_code, "more than 1,000 lanes" in text(response)) == (503, True)


async def test_a_lane_is_retired_when_that_is_confirmed(fleet: Fleet, async_client: AsyncClient) -> None:
    await night_and_day(fleet)
    path = "/admin/clients/STORE00002-LANE01/retire"
    assert "Yes, retire it" in text(await async_client.get(path))
    assert await fleet.reader.lane("STORE00002-LANE01") is not None
    response = await async_client.post(path)
    assert (response.status_code, response["Location"]) == (302, "/admin/stores/STORE00002")
    assert await fleet.reader.lane("STORE00002-LANE01") is None
    assert "is retired" in text(await async_client.get("/admin/stores/STORE00002"))
    await async_client.post(path)
    assert "was not known" in text(await async_client.get("/admin/stores/STORE00002"))


async def test_a_client_of_another_pod_is_disconnected_by_it(
    fleet: Fleet, local_pod: Pod, async_client: AsyncClient
) -> None:
    await night_and_day(fleet)
    await fleet.connect("two", "STORE00001-LANE01")
    path = "/admin/clients/STORE00001-LANE01/disconnect"
    assert "on pod <strong>pod-of-two</strong> ends now" in text(await async_client.get(path))
    assert outgoing(local_pod) == []
    await async_client.post(path)
    assert outgoing(local_pod) == [["STORE00001-LANE01"]]
    html = text(await async_client.get("/admin/clients/STORE00001-LANE01"))
    assert "STORE00001-LANE01 is being disconnected by pod-of-two." in html


async def test_a_client_that_is_nowhere_is_not_disconnected(
    fleet: Fleet, local_pod: Pod, async_client: AsyncClient
) -> None:
    await night_and_day(fleet)
    await async_client.post("/admin/clients/STORE00002-LANE01/disconnect")
    assert outgoing(local_pod) == []
    assert "is not connected, or nobody knows where" in text(await async_client.get("/admin/clients/STORE00002-LANE01"))


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [
        ("STORE00001-LANE01", "success", "and STORE00001-LANE01 is connected to pod-of-one"),
        ("STORE00002-LANE01", "warning", "STORE00002-LANE01 is not connected to any"),
    ],
)
async def test_a_test_event_says_whether_any_pod_has_its_client(
    fleet: Fleet, async_client: AsyncClient, published: list[tuple[Any, ...]], name: str, level: str, said: str
) -> None:
    await night_and_day(fleet)
    await async_client.post(f"/admin/clients/{name}/send", {"action": "alert", "data": "{}"})
    html = text(await async_client.get(f"/admin/clients/{name}"))
    assert f'<li class="{level}">Alert evt-1 was published: it was handed to 2 pods' in html
    assert said in html


def outgoing(pod: Pod) -> list[list[str]]:
    """Which clients all pods are told to close."""
    return [told.close for life, told in pod.roster.members._outgoing if not life and told.close]


async def test_without_redis_nothing_is_changed(local_pod: Any, async_client: AsyncClient) -> None:
    for path in ("/admin/stores/STORE001/expected", "/admin/clients/STORE001-LANE01/retire"):
        response = await async_client.post(path, {"lanes": "LANE01", "confirmed": "yes"})
        assert response.status_code == 503
        assert "nothing was changed" in text(response)


async def test_a_form_of_another_page_changes_nothing(fleet: Fleet) -> None:
    await night_and_day(fleet)
    strict = AsyncClient(enforce_csrf_checks=True)
    for path in (PATH, "/admin/clients/STORE00002-LANE01/retire"):
        assert (await strict.post(path, {"lanes": "", "confirmed": "yes"})).status_code == 403
    assert await expected(fleet) == lanes_of([2], 3)


def test_names_are_read_as_they_are_shown() -> None:
    names = ["STORE1-LANE01", "STORE1-LANE-2"]
    assert [line(name) for name in names] == ["LANE01", "STORE1-LANE-2"]
    assert read_names("STORE1", "\n".join(map(line, names))) == names
    assert read_names("", "kiosk; till") == ["kiosk", "till"]
