"""Who back ends and operators are, by the header alone."""

from __future__ import annotations

from streams.auth.results import Result
from streams.auth.revocations import Revocation
from streams.auth.rights import Right
from streams.conf.tokens import TokenSettings
from streams.locks.locks import Locks, Mode
from tests.streams.auth.issuer import NAME, NOW, SECRET, token

CONF = TokenSettings(token_secret=SECRET, publish_auth="required", token_cookie="sse_token")


def locks(conf: TokenSettings = CONF) -> Locks:
    return Locks(conf, wall=lambda: NOW)


def header(value: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {value}".encode())]


def test_identify_names_the_holder_and_counts_nothing():
    held = locks()
    decision = held.identify(header(token(sub="ops", sse={"admin": ["read"]})), b"")
    assert decision.ok
    assert decision.holder is not None
    assert decision.holder.may(Right.READ)
    assert held.counts == {}


def test_identify_reads_no_cookie():
    """A page of a device must not become an operator's."""
    cookie = [(b"cookie", f"sse_token={token()}".encode())]
    assert locks().identify(cookie, b"").result is Result.NONE


def test_identify_refuses_a_token_in_the_address_two_headers_and_what_was_revoked():
    given, held = token(jti="one"), locks()
    assert held.identify([], f"jwt={given}".encode()).malformed
    assert held.identify([*header(given), *header(given)], b"").malformed
    held.revocations.add(Revocation(NOW + 60, jti="one"), NOW)
    assert held.identify(header(given), b"").result is Result.REVOKED


def test_identify_without_a_key_looks_at_nothing():
    """It may be ADMIN_TOKEN, mistyped, and no word of tokens would help."""
    assert locks(TokenSettings()).identify(header("wrong"), b"token=x").result is Result.NONE


def test_nothing_is_said_of_a_token_before_it_is_known_what_was_revoked():
    held, given = locks(), header(token())
    held.unsure = lambda: True
    asked = held.identify(given, b"")
    decided = held.decide(given, b"", Right.SUBSCRIBE, NAME, mode=Mode.REQUIRED)
    for decision in (asked, decided):
        assert (decision.ok, decision.unsure, decision.holder) == (False, True, None)
    held.count_publisher(asked)
    assert held.counts == {}
    assert held.identify([], b"").result is Result.NONE


def test_count_publisher():
    held = locks()
    held.count_publisher(None)
    held.count_publisher(held.identify(header(token()), b""))
    assert held.counts == {(Result.NONE, Mode.REQUIRED): 1, (Result.OK, Mode.REQUIRED): 1}
