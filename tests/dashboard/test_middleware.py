from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import SyncToAsync
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
