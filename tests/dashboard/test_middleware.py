from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.middleware.security import SecurityMiddleware
from django.test import AsyncClient

from streams.pod import Pod


@pytest.mark.parametrize("path", ["/", "/admin", "/admin/connections", "/health", "/register"])
async def test_a_request_stays_on_the_event_loop(
    local_pod: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await async_client.get(path)
    called: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(getattr(self.func, "__qualname__", repr(self.func)))
        return await call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    await async_client.get(path)
    # What remains is Django's own, around the request: its signals, its log and the end of the response.
    assert [name for name in called if "process_" in name] == []


@pytest.mark.parametrize(("scheme", "said"), [("https", "max-age=2592000"), ("http", None)])
async def test_who_comes_over_tls_is_told_to_come_back_over_tls(
    local_pod: Pod, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, scheme: str, said: str | None
) -> None:
    monkeypatch.setattr(SecurityMiddleware, "__init__", with_production_seconds(SecurityMiddleware.__init__))
    response = await AsyncClient().get("/health", secure=scheme == "https")
    assert response.headers.get("Strict-Transport-Security") == said


def with_production_seconds(begin: Any) -> Any:
    """Let the middleware find the setting of production."""

    def begun(self: Any, get_response: Any) -> None:
        begin(self, get_response)
        self.sts_seconds = 2592000

    return begun
