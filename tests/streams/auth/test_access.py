"""Who may look, by a token or by a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.auth.access import ANYBODY, TOKEN_HOLDER, Caller, caller_of
from streams.conf import read_settings

TOKEN = "only-for-tests-" + "t" * 32


def user(name: str, *, active: bool = True, staff: bool = True) -> Any:
    return SimpleNamespace(get_username=lambda: name, is_active=active, is_staff=staff)


async def caller(authorization: str = "", who: Any = None) -> Caller | None:
    async def find() -> Any:
        assert who is not None, "nobody was to be looked up"
        return who

    return await caller_of(authorization, find)


async def test_anybody_in_development(settings: Any):
    settings.STREAMS = read_settings({})
    assert await caller() == ANYBODY


@pytest.fixture
def production(settings: Any) -> None:
    settings.STREAMS = msgspec.structs.replace(read_settings({}), environment="production", admin_token=TOKEN)


@pytest.mark.usefixtures("production")
async def test_holder_of_the_token():
    """No database is asked for him."""
    assert await caller(f"bearer {TOKEN} ") == TOKEN_HOLDER


@pytest.mark.usefixtures("production")
async def test_operator_by_his_session():
    assert await caller("Bearer wrong", user("ann")) == Caller("ann", has_session=True)


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("who", [user("ann", staff=False), user("ann", active=False)])
async def test_stranger(who: Any):
    assert await caller("", who) is None


async def test_no_token_is_nobodys(settings: Any):
    """An empty ADMIN_TOKEN is none that somebody could send."""
    settings.STREAMS = msgspec.structs.replace(read_settings({}), environment="production")
    assert await caller("Bearer ", user("ann", staff=False)) is None
