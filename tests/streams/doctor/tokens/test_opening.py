from __future__ import annotations

from typing import Any

import pytest

from streams.auth.rights import Right
from streams.auth.tokens import Verifier, rules_of
from streams.conf import StreamSettings
from streams.doctor.tokens.opening import CANNOT_SIGN, OF_DEVICES, Opening, choose_opening, patterns_of
from tests.streams.auth.issuer import NOW, OTHER_SECRET, SECRET, encoded, keys, token

OWN = "DOCTOR-0123456789ab"


def chosen(given: str = "", **settings: Any) -> Opening:
    return choose_opening(StreamSettings(**settings), given, OWN, NOW)


def test_opening_where_no_token_is_asked_for():
    assert chosen() == (OWN, "", "")
    assert chosen(token_secret=SECRET) == (OWN, "", "")


@pytest.mark.parametrize("mode", ["observe", "required"])
@pytest.mark.parametrize(
    "more", [{}, {"token_issuer": "login", "token_audience": "tills", "token_max_seconds": 20}], ids=["plain", "strict"]
)
def test_opening_with_a_token_of_its_own(mode: Any, more: dict[str, Any]):
    conf = StreamSettings(stream_auth=mode, token_secret=f"{SECRET},{OTHER_SECRET}", **more)
    opening = choose_opening(conf, "", OWN, NOW)
    holder = Verifier(keys(), rules_of(conf)).verify(opening.token, NOW)
    assert (opening.name, opening.why_not) == (OWN, "")
    assert holder.subscribe == (OWN,)
    assert not holder.may(Right.READ)
    assert not holder.may(Right.PUBLISH, OWN)
    assert 0 < holder.expires_at - NOW <= (more.get("token_max_seconds") or 60)


def test_opening_where_nothing_here_can_sign():
    for settings in ({"token_keys": "keys.pem"}, {"token_secret": SECRET, "token_algorithms": ("RS256",)}):
        assert chosen(stream_auth="required", **settings) == (OWN, "", CANNOT_SIGN)
        assert chosen(stream_auth="observe", **settings) == (OWN, "", "")


@pytest.mark.parametrize(
    ("patterns", "name"),
    [
        (["DOCTOR-*"], OWN),
        (["*"], OWN),
        (["STORE001-LANE01", "STORE001-*"], f"STORE001-{OWN}"),
        # Neither makes a name.
        (["-*", f"{'A' * 120}*", "B*"], f"B{OWN}"),
    ],
    ids=["its own", "all", "a store's", "the first that makes a name"],
)
def test_opening_with_a_token_that_was_given(patterns: list[str], name: str):
    given = token(sse={"subscribe": patterns})
    assert chosen(given, stream_auth="required", token_secret=SECRET) == (name, given, "")
    assert chosen(given) == (name, given, "")


@pytest.mark.parametrize("changes", [{}, {"sub": "STORE001-*"}, {"sub": None}, {"sse": {"publish": ["*"]}}], ids=repr)
def test_opening_never_takes_the_name_of_a_device(changes: dict[str, Any]):
    assert chosen(token(**changes), stream_auth="required") == (OWN, "", OF_DEVICES)


@pytest.mark.parametrize("given", ["opaque", "a.b.c", f"a.{encoded(b'[]')}.c", "a.=.c"])
def test_opening_with_what_cannot_be_read_lets_pods_judge(given: str):
    assert patterns_of(given) is None
    assert chosen(given) == (OWN, given, "")


def test_opening_shows_no_token():
    assert token() not in repr(chosen(token(sse={"subscribe": ["*"]})))
    assert repr(chosen()) == f"Opening('{OWN}', no token, why_not='')"
