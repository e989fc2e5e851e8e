"""Who may look, by a token or by a session, and who may act."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.auth.access import ANYBODY, TOKEN_HOLDER, Caller, caller_of, denied
from streams.conf import read_settings

TOKEN = "only-for-tests-" + "t" * 32


def user(name: str, *, active: bool = True, staff: bool = True, acts: bool = True) -> Any:
    return SimpleNamespace(get_username=lambda: name, is_active=active, is_staff=staff, may_act=acts)


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
    assert await caller("", user("ann", acts=False)) == Caller("ann", has_session=True, may_act=False)


@pytest.mark.usefixtures("production")
async def test_name_of_a_front_door_that_is_no_operators():
    """He is no stranger, who would be led to the login, and may do nothing."""
    told = SimpleNamespace(is_active=False, is_staff=False, told_name="mallory")
    assert await caller("", told) == Caller("mallory", has_session=True, may_read=False, may_act=False)
    assert await caller(f"Bearer {TOKEN}", told) == TOKEN_HOLDER


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("who", [user("ann", staff=False), user("ann", active=False)])
async def test_stranger(who: Any):
    assert await caller("", who) is None


READER = Caller("ann", has_session=True, may_act=False)
UNKNOWN = Caller("mallory", has_session=True, may_read=False, may_act=False)


@pytest.mark.parametrize(
    ("who", "acts", "status"),
    [
        (ANYBODY, True, 0),
        (TOKEN_HOLDER, True, 0),
        (Caller("ann", has_session=True), True, 0),
        (READER, False, 0),
        (READER, True, 403),
        (UNKNOWN, False, 403),
        (UNKNOWN, True, 403),
        (None, False, 401),
        (None, True, 401),
    ],
)
def test_denied(who: Caller | None, acts: bool, status: int):
    refused = denied(who, acts=acts)
    assert (refused.status if refused else 0) == status


def test_denied_says_what_to_do():
    reader, unknown = denied(READER, acts=True), denied(UNKNOWN)
    assert reader is not None
    assert unknown is not None
    assert "change nothing. A superuser can let you act" in reader.sentence
    assert "you are 'mallory', and no active staff user" in unknown.sentence


async def test_no_token_is_nobodys(settings: Any):
    """An empty ADMIN_TOKEN is none that somebody could send."""
    settings.STREAMS = msgspec.structs.replace(read_settings({}), environment="production")
    assert await caller("Bearer ", user("ann", staff=False)) is None
