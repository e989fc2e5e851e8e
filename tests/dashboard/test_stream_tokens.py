"""Tokens for the test client: who is given one, and for what."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from dashboard import stream_tokens
from dashboard.live.board import get_board
from dashboard.stream_tokens import MADE, OBSERVED, PASTE, SECONDS, SIGN_IN
from streams.auth.access import Caller
from streams.auth.rights import Right
from streams.pod import Pod, get_pod
from tests.dashboard.answers import text
from tests.dashboard.conftest import TOKEN
from tests.dashboard.test_tokens import SECRET, bearer, pod_with
from tests.support.leaks.watch import watch

PATH = "/admin/test-token"
NAME = "STORE001-LANE01"


@pytest.fixture(autouse=True)
def locked(settings: Settings) -> Iterator[Pod]:
    """A pod in development whose streams need a token."""
    yield pod_with(settings, token_secret=SECRET, stream_auth="required", admin_token=TOKEN)
    get_pod.cache_clear()
    get_board.cache_clear()


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def signed_in(*, may_act: bool = True) -> None:
        async def who(*_arguments: Any) -> Caller:
            return Caller("alice", has_session=True, may_act=may_act)

        monkeypatch.setattr(stream_tokens, "who_is_known", who)

    return signed_in


async def test_operator_is_given_a_token_for_one_stream(
    locked: Pod, async_client: AsyncClient, sign_in: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sse.audit")
    sign_in()
    response = await async_client.post(PATH, {"clientName": NAME})
    token = response.json()["token"]
    holder = locked.locks.verifier.verify(token, time.time())
    assert (holder.sub, holder.subscribe) == ("test:alice", (NAME,))
    assert not holder.may(Right.READ)
    assert not holder.may(Right.PUBLISH, NAME)
    assert SECONDS - 5 < holder.expires_at - time.time() <= SECONDS
    assert response["Cache-Control"] == "no-store"
    assert caplog.messages == [f"alice made a token for the stream of {NAME}"]
    assert token not in caplog.text
    assert (await async_client.post(PATH, {"clientName": "no name"})).status_code == 422
    assert (await async_client.get(PATH)).status_code == 405
    # This answer alone is for showing one.
    told = watch.take()
    assert told
    assert all(each.startswith("the body of an answer shows ") for each in told)


async def test_others_are_given_none(async_client: AsyncClient, sign_in: Callable[..., None]) -> None:
    """Who may act by a token has the rights of that, and in development a stranger has none."""
    for headers in ({}, bearer("act"), {"Authorization": f"Bearer {TOKEN}"}):
        assert (await async_client.post(PATH, {"clientName": NAME}, headers=headers)).status_code == 401
    assert SIGN_IN in text(await async_client.get("/"))
    sign_in(may_act=False)
    response = await async_client.post(PATH, {"clientName": NAME})
    assert (response.status_code, "token" in response.json()) == (403, False)
    assert SIGN_IN in text(await async_client.get("/"))


async def test_form_of_another_site_is_given_none(sign_in: Callable[..., None]) -> None:
    sign_in()
    response = await AsyncClient(enforce_csrf_checks=True).post(PATH, {"clientName": NAME})
    assert response.status_code == 403
    assert "This form has expired" in text(response)


async def test_page_says_what_is_needed(
    async_client: AsyncClient, sign_in: Callable[..., None], settings: Settings
) -> None:
    sign_in()
    page = text(await async_client.get("/"))
    assert MADE in page
    assert f'data-makes="{PATH}"' in page
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, token_algorithms=("RS256",))
    page = text(await async_client.get("/"))
    assert PASTE in page
    assert "data-makes" not in page
    assert (await async_client.post(PATH, {"clientName": NAME})).json()["error"] == PASTE
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, stream_auth="observe")
    assert OBSERVED in text(await async_client.get("/"))
    settings.STREAMS = msgspec.structs.replace(settings.STREAMS, stream_auth="off")
    assert "data-token" not in text(await async_client.get("/"))
