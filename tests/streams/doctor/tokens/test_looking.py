from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.conf import StreamSettings
from streams.doctor.findings import Finding, State
from streams.doctor.tokens.looking import look_at_tokens
from tests.streams.auth.issuer import SECRET, jwk, jwks, private, public_pem, token
from tests.streams.locks.issuers import running_issuer


async def found(given: str = "", **settings: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in await look_at_tokens(StreamSettings(**settings), given)}


async def test_look_where_there_are_no_tokens():
    assert {check: finding.state for check, finding in (await found()).items()} == {"locks": State.WELL}


async def test_look_at_all_kinds_of_keys(tmp_path: Path):
    path = tmp_path / "key.pem"
    path.write_text(public_pem(private("ES256")))
    with running_issuer() as issuer:
        issuer.keys = jwks(jwk("RS256", "one"))
        seen = await found(
            token(exp=4_000_000_000, iat=None, iss="issuer", aud="sse"),
            stream_auth="required",
            token_secret=SECRET,
            token_keys=str(path),
            token_jwks_url=issuer.url("/keys"),
            token_issuer="issuer",
        )
    assert list(seen) == ["locks", "secrets", "key file", "jwks", "token"]
    assert {finding.state for finding in seen.values()} == {State.WELL}, seen
    assert seen["jwks"].says.startswith("1 key in TOKEN_JWKS_URL (RS256), read in ")
    assert SECRET not in repr(seen)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "it cannot be read: No such file or directory"),
        (b"\xff", "it is no text"),
        (b"{}", "This is no JWKS"),
    ],
    ids=["none", "no text", "no keys"],
)
async def test_look_at_a_file_that_is_no_good(tmp_path: Path, content: bytes | None, says: str):
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    seen = (await found(token_keys=str(path)))["key file"]
    assert seen.state is State.BAD
    assert seen.says.startswith(f"TOKEN_KEYS: {says}")


async def test_look_at_an_issuer_that_fails():
    with running_issuer() as issuer:
        issuer.instead = "html"
        seen = (await found(token_jwks_url=issuer.url("/keys"), token_issuer="issuer"))["jwks"]
    assert (seen.state, "This is no JWKS" in seen.says) == (State.BAD, True)
