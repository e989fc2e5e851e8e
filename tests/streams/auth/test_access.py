"""Who may look, by a token or by a session, who may act, and who may publish."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.auth import decision, presented, tokens
from streams.auth.access import (
    ANYBODY,
    NEEDS_RIGHT,
    TOKEN_HOLDER,
    Caller,
    caller_of,
    denied,
    known_caller,
    publisher_of,
    unknown,
)
from streams.auth.decision import NO_RIGHT, Decision
from streams.auth.results import Result
from streams.auth.rights import Holder, Right
from streams.conf import read_settings

TOKEN = "only-for-tests-" + "t" * 32


def user(name: str, *, active: bool = True, staff: bool = True, acts: bool = True) -> Any:
    return SimpleNamespace(get_username=lambda: name, is_active=active, is_staff=staff, may_act=acts)


NOTHING = Decision(Result.NONE)
STRANGER = user("", active=False, staff=False)


def token(*admin: Right, **claims: Any) -> Decision:
    return Decision(Result.OK, Holder(**{"sub": "shop", **claims}, admin=frozenset(admin)))


async def caller(
    authorization: str = "", who: Any = None, decision: Decision | None = NOTHING, asked: Any = caller_of
) -> Caller | None:
    async def find() -> Any:
        assert who is not None, "nobody was to be looked up"
        return who

    def identify() -> Decision:
        assert decision is not None, "no token was to be verified"
        return decision

    found: Caller | None = await asked(authorization, find, identify)
    return found


async def test_anybody_in_development(settings: Any):
    settings.STREAMS = read_settings({})
    assert await caller(decision=None) == ANYBODY


@pytest.fixture
def production(settings: Any) -> None:
    settings.STREAMS = msgspec.structs.replace(read_settings({}), environment="production", admin_token=TOKEN)


@pytest.mark.usefixtures("production")
async def test_holder_of_the_token():
    """No database is asked for him."""
    assert await caller(f"bearer {TOKEN} ", decision=None) == TOKEN_HOLDER


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


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("decision", "reads", "acts"),
    [(token(), False, False), (token(Right.READ), True, False), (token(Right.ACT), True, True)],
    ids=["no admin", "read", "act"],
)
async def test_holder_of_a_token_may_what_it_says(decision: Decision, reads: bool, acts: bool):
    """No session is asked for him, and no name of his is that of a user."""
    found = await caller("Bearer a.b.c", decision=decision)
    assert found == Caller("token:shop", may_read=reads, may_act=acts, decision=decision)
    assert (denied(found) is None, denied(found, acts=True) is None) == (reads, acts)
    assert found.has_header


async def test_holder_of_a_token_without_the_right_is_told_which():
    found = Caller("token:shop", may_read=False, may_act=False, decision=token())
    look, act = denied(found), denied(found, acts=True)
    assert look is not None
    assert act is not None
    assert (look.status, look.sentence) == (403, "The token gives no right to look.")
    assert (act.status, act.sentence) == (403, "The token gives no right to act.")
    assert act.challenge == ('Bearer error="insufficient_scope", error_description="The token gives no right to act."')


EXPIRED = Decision(Result.EXPIRED, sentence="The token has expired.")
MALFORMED = Decision(Result.INVALID, sentence="Two of them.", malformed=True)


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(("decision", "error"), [(EXPIRED, "invalid_token"), (MALFORMED, "invalid_request")])
async def test_bad_token_says_why_and_makes_nobody(decision: Decision, error: str):
    found = await caller("Bearer a.b.c", STRANGER, decision)
    refused = denied(found)
    assert refused is not None
    assert refused.status == 401
    assert refused.sentence.startswith(f"{decision.sentence} Sign in at /admin/login/")
    assert refused.challenge == f'Bearer error="{error}", error_description="{decision.sentence}"'
    assert found is not None
    assert found[1:4] == (False, False, False)
    assert not found.may_publish("A-1")
    assert not found.has_header


def test_sentences_of_tokens_can_stand_in_a_challenge():
    """RFC 6750, section 3: without quotes, backslashes and what is not ASCII."""
    sentences = [
        held
        for room in (decision, presented, tokens)
        for held in vars(room).values()
        if isinstance(held, str) and held.endswith(".") and " " in held and "\n" not in held
    ]
    assert len(sentences) > 20
    assert [each for each in (*sentences, *NO_RIGHT.values()) if not re.fullmatch(r"[ !#-\[\]-~]+", each)] == []


@pytest.mark.usefixtures("production")
async def test_revoked_token_of_an_operator_opens_nothing():
    """Though its holder is known."""
    revoked = Decision(Result.REVOKED, Holder(sub="shop", admin=frozenset({Right.ACT})), "The token was revoked.")
    found = await caller("Bearer a.b.c", STRANGER, revoked)
    assert found is not None
    assert found.holder is None
    assert denied(found) is not None


@pytest.mark.usefixtures("production")
async def test_stranger_is_told_how():
    refused = unknown(await caller("", STRANGER), NEEDS_RIGHT)
    assert refused is not None
    assert (refused.status, refused.sentence, refused.challenge) == (401, NEEDS_RIGHT, "Bearer")


async def test_known_caller_is_asked_for_in_development_too(settings: Any):
    settings.STREAMS = read_settings({"ADMIN_TOKEN": TOKEN})
    assert await caller("", STRANGER, asked=known_caller) is None
    assert await caller(f"Bearer {TOKEN}", asked=known_caller) == TOKEN_HOLDER


def publishing(settings: Any, environment: str, publish_auth: str) -> None:
    settings.STREAMS = msgspec.structs.replace(
        read_settings({}), environment=environment, publish_auth=publish_auth, admin_token=TOKEN
    )


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_publisher_where_it_is_required(settings: Any, environment: str):
    publishing(settings, environment, "required")
    assert await caller("", STRANGER, asked=publisher_of) is None
    assert await caller(f"Bearer {TOKEN}", decision=None, asked=publisher_of) == TOKEN_HOLDER
    assert await caller("", user("ann"), asked=publisher_of) == Caller("ann", has_session=True)
    found = await caller("Bearer a.b.c", decision=token(publish=("A-*", "B-1")), asked=publisher_of)
    assert found is not None
    assert [name for name in ("A-1", "A-", "B-1", "B-11", "b-1", "") if found.may_publish(name)] == ["A-1", "A-", "B-1"]
    found = await caller("Bearer a.b.c", decision=token(Right.ACT), asked=publisher_of)
    assert found is not None
    assert found.may_publish("A-1"), "who may act may publish"
    found = await caller("Bearer a.b.c", decision=token(Right.READ), asked=publisher_of)
    assert found is not None
    assert not found.may_publish("A-1")
    assert unknown(await caller("Bearer a.b.c", STRANGER, EXPIRED, publisher_of), NEEDS_RIGHT) is not None


async def test_publisher_where_it_is_off(settings: Any):
    """Everybody may, whatever he sends; who says who he is has a name, and a user his role."""
    publishing(settings, "development", "off")
    assert await caller(decision=None, asked=publisher_of) == ANYBODY
    publishing(settings, "production", "off")
    assert await caller("", STRANGER, asked=publisher_of) == ANYBODY
    assert await caller("Bearer a.b.c", STRANGER, EXPIRED, publisher_of) == ANYBODY
    assert await caller(f"Bearer {TOKEN}", decision=None, asked=publisher_of) == TOKEN_HOLDER
    assert await caller("", user("ann"), asked=publisher_of) == Caller("ann", has_session=True)
    found = await caller("Bearer a.b.c", decision=token(publish=("A-1",)), asked=publisher_of)
    assert found is not None
    assert (found.name, found.may_publish("B-1")) == ("token:shop", True)


@pytest.mark.parametrize(
    ("claims", "name", "account"),
    [
        ({"sub": "shop"}, "token:shop", "token:shop"),
        ({"sub": "shop", "jti": "7"}, "token:shop", "jti:7"),
        ({"sub": "", "jti": "7"}, "jti:7", "jti:7"),
        ({"sub": "", "jti": "a b"}, "jti:a%20b", "jti:a%20b"),
        ({"sub": "jti:7"}, "token:jti:7", "token:jti:7"),
        ({"sub": ""}, "token:", "token:"),
        ({"sub": "night shift \u00e9"}, "token:night%20shift%20%C3%A9", "token:night%20shift%20%C3%A9"),
        ({"sub": "ops@shop:1"}, "token:ops@shop:1", "token:ops@shop:1"),
    ],
)
@pytest.mark.usefixtures("production")
async def test_name_and_account_of_a_token(claims: dict[str, str], name: str, account: str):
    """A token that was renewed has the keys of its requests as before, and an allowance of its own."""
    found = await caller("Bearer a.b.c", decision=token(**claims))
    assert found is not None
    assert (found.name, found.account) == (name, account)
