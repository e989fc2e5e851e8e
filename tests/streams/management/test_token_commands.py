"""make_token and check_token, one after the other as people use them."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command

from streams.auth.keys import hmac_keys
from streams.auth.rights import Holder
from streams.auth.tokens import Rules, Verifier
from streams.conf import read_settings
from streams.management.commands.make_token import read_key
from tests.streams.auth.issuer import OTHER_SECRET, SECRET, forged, jwk, jwks, private, private_pem, public_pem
from tests.support.pods import environment, run_manage

LANE = "STORE001-LANE01"


@pytest.fixture(autouse=True)
def pods(settings: Any) -> None:
    settings.STREAMS = read_settings({"TOKEN_SECRET": SECRET, "STREAM_AUTH": "required"})


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def made(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("make_token", *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def holder(*arguments: str) -> Holder:
    return Verifier(hmac_keys(SECRET), Rules(audience_required=True)).verify(made(*arguments)[0], time.time())


def checked(*arguments: str) -> tuple[int, str]:
    out, status = io.StringIO(), 0
    try:
        call_command("check_token", *arguments, stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, out.getvalue()


def refused(*arguments: str, command: str = "make_token") -> str:
    with pytest.raises(CommandError) as no:
        call_command(command, *arguments)
    return str(no.value)


def test_make_token_for_one_lane():
    given = holder(LANE)
    assert (given.sub, given.subscribe, given.publish, given.admin) == (LANE, (LANE,), (), frozenset())
    assert given.jti
    assert given.expires_at - given.issued_at == 8 * 3600


def test_make_token_for_a_store_a_back_end_and_an_operator():
    assert holder("STORE001-*", "LAB", "--ttl", "30d").subscribe == ("STORE001-*", "LAB")
    back_end = holder("--sub", "orders", "--publish", "A-*", "-p", "B")
    assert (back_end.sub, back_end.subscribe, back_end.publish) == ("orders", (), ("A-*", "B"))
    assert holder("--sub", "alice", "--admin", "act", "--admin", "read").admin == {"read", "act"}
    assert holder(LANE, "--publish", LANE).sub == LANE
    assert holder(LANE, "--sub", "till").subscribe == (LANE,)


def test_make_token_says_beside_it_until_when():
    token, told = made(LANE, "--ttl", "90s")
    assert re.match(r"Until 20\S+Z, jti \S+\. Whoever has it may use it", told)
    assert token not in told


def test_make_token_as_the_settings_want_it(settings: Any):
    said = {"TOKEN_SECRET": f"{SECRET},{OTHER_SECRET}", "TOKEN_ISSUER": "us", "TOKEN_AUDIENCE": "tills"}
    settings.STREAMS = read_settings({**said, "TOKEN_MAX_SECONDS": "3600"})
    rules = Rules(issuer="us", audience="tills", audience_required=True, max_seconds=3600)
    assert Verifier(hmac_keys(SECRET), rules).verify(made(LANE, "--ttl", "1h")[0], time.time()).sub == LANE
    assert refused(LANE, "--ttl", "2h") == "TOKEN_MAX_SECONDS is 3600: --ttl is longer."


def test_make_token_with_a_key_of_a_file_or_of_standard_input(tmp_path: Path, type_in: Any):
    (tmp_path / "key.pem").write_text(private_pem(private("EdDSA")))
    assert made(LANE, "--key", f"@{tmp_path}/key.pem", "--kid", "k1")[0]
    type_in(SECRET + "\n")
    assert holder(LANE, "--key", "@-").sub == LANE
    assert read_key(f"{tmp_path}/key.pem").startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "A token for nothing"),
        (["a b"], "is not a client name, or the beginning of one"),
        (["**"], "is not a client name"),
        ([*(["A"] * 65)], "64 patterns"),
        ([*(letter * 120 + str(n) for n in range(32) for letter in "AB")], "longer than 8192 bytes"),
        ([LANE, "--ttl", "8"], "is no time such as 90s"),
        ([LANE, "--ttl", "0s"], "is no time"),
        ([LANE, "--ttl", "99999d"], "is no time"),
        ([LANE, "--admin", "root"], "invalid choice"),
        ([LANE, "--key", "@/no/such/file"], "cannot be read: No such file"),
        ([LANE, "--key", "@"], "a key is no argument"),
    ],
)
def test_make_token_refuses(arguments: list[str], sentence: str):
    assert sentence in refused(*arguments)


def test_make_token_takes_no_key_as_an_argument_and_does_not_show_it():
    told = refused(LANE, "--key", SECRET)
    assert "a key is no argument" in told
    assert SECRET not in told


def test_make_token_needs_a_key_that_is_strong(settings: Any, tmp_path: Path):
    (tmp_path / "key").write_text("hunter2")
    assert refused(LANE, "--key", f"@{tmp_path}/key").startswith("A secret for tokens needs 32")
    (tmp_path / "key").write_bytes(b"\xff")
    assert "it is not UTF-8" in refused(LANE, "--key", f"@{tmp_path}/key")
    settings.STREAMS = read_settings({})
    assert refused(LANE).startswith("There is no key to sign with")


def test_check_token_says_what_a_pod_would_do(type_in: Any):
    token, _told = made(LANE)
    type_in(f"{token}\n")
    status, said = checked("--for", LANE)
    assert status == 0
    assert said.startswith(f"A pod takes this token.\nIt opens the stream of {LANE}.\n  holder     {LANE}, jti ")
    assert "8 h from now\n  subscribe  STORE001-LANE01\n  publish    to nothing\n  operator   no\n" in said
    assert token not in said
    assert "STREAM_AUTH" not in said


def test_check_token_says_that_it_is_for_another(type_in: Any, settings: Any):
    type_in(made("--sub", "alice", "--admin", "act")[0])
    status, said = checked("--for", LANE)
    assert status == 3
    assert said.startswith("A pod refuses this token (scope): The token gives no right to the streams of this client.")
    assert "  publish    to any client, by act\n  operator   act\n" in said
    settings.STREAMS = read_settings({"TOKEN_SECRET": SECRET, "STREAM_AUTH": "observe"})
    type_in(made("--publish", LANE)[0])
    status, said = checked("--for", LANE)
    assert (status, "STREAM_AUTH is observe: the stream is opened" in said) == (3, True)
    assert "nobody by name (no sub)" in said


def test_check_token_shows_what_a_refused_one_says_of_itself(type_in: Any, settings: Any):
    settings.STREAMS = read_settings({"TOKEN_SECRET": SECRET})
    type_in(forged({"alg": "HS256", "kid": "\x1b[2J"}, {"exp": 1_000_000_000, "sub": LANE, "iat": 1e300}))
    status, said = checked()
    assert status == 3
    assert said.startswith("A pod refuses this token (invalid): A claim of the token is missing or of the wrong kind")
    assert "  kid        '\\x1b[2J'\n" in said
    assert "  exp        1000000000, which is 2001-09-09T01:46:40" in said
    assert "  iat        1e+300\n" in said
    assert "\x1b" not in said
    assert "STREAM_AUTH is off: streams need no token.\nWhether it was revoked is not looked at.\n" in said


def test_check_token_of_one_that_is_over(type_in: Any):
    """For another lane it is no better old."""
    over = forged({"alg": "HS256"}, {"exp": 1_000_000_000, "sub": LANE})
    type_in(over)
    status, said = checked("--for", LANE)
    assert (status, said.splitlines()[0]) == (3, "A pod refuses this token (expired): The token has expired.")
    assert "nothing of it is verified" in said
    type_in(over)
    status, said = checked("--for", "STORE001-LANE02")
    assert (status, "(scope)" in said.splitlines()[0]) == (3, True)
    assert "within TOKEN_LEEWAY_SECONDS" not in said


def test_check_token_reads_what_is_no_token(type_in: Any):
    type_in("a.b.c")
    status, said = checked()
    assert (status, said.count("\n")) == (3, 3)


def test_check_token_as_json(type_in: Any):
    type_in(made(LANE)[0])
    status, said = checked("--json")
    read = msgspec.json.decode(said)
    assert (status, read["result"], read["holder"]["subscribe"]) == (0, "ok", [LANE])
    type_in("x")
    status, said = checked("--json")
    assert (status, msgspec.json.decode(said)["result"]) == (3, "invalid")


def test_check_token_with_public_keys(type_in: Any, settings: Any, tmp_path: Path):
    (tmp_path / "key").write_text(private_pem(private("ES256")))
    (tmp_path / "public.pem").write_text(public_pem(private("ES256")))
    (tmp_path / "jwks.json").write_text(jwks(jwk("EdDSA", "k1")))
    settings.STREAMS = read_settings({"TOKEN_KEYS": f"{tmp_path}/jwks.json"})
    type_in(made(LANE, "--key", f"@{tmp_path}/key")[0])
    status, said = checked("--keys", f"{tmp_path}/public.pem")
    assert (status, said.splitlines()[0]) == (0, "A pod takes this token.")


@pytest.mark.parametrize(
    ("values", "arguments", "sentence"),
    [
        ({}, [], "There are no keys"),
        ({"TOKEN_JWKS_URL": "https://a.example/k", "TOKEN_ISSUER": "a"}, [], "The keys of TOKEN_JWKS_URL are not read"),
        ({"TOKEN_KEYS": "/no/such"}, [], "The keys in /no/such cannot be read: No such file or directory."),
        ({}, ["--keys", "pyproject.toml"], "This is no JWKS"),
        ({}, ["--keys", sys.executable], "cannot be read: it is not UTF-8"),
        ({}, ["--for", "a b"], "NAME must be 1 to 128 characters"),
    ],
)
def test_check_token_refuses(values: dict[str, str], arguments: list[str], sentence: str, settings: Any, type_in: Any):
    settings.STREAMS = read_settings(values)
    type_in("a.b.c")
    assert sentence in refused(*arguments, command="check_token")


def test_both_in_a_shell():
    env = environment(TOKEN_SECRET=SECRET)
    token = run_manage("make_token", LANE, env=env)
    assert (token.returncode, token.stdout.count("\n")) == (0, 1)
    finished = run_manage("check_token", "--for", "STORE001-LANE02", env=env, stdin=token.stdout)
    assert (finished.returncode, finished.stderr) == (3, "")
    assert "(scope)" in finished.stdout
