"""What the settings of tokens may be, and what they must be in production."""

from __future__ import annotations

import pytest

from streams.conf import StreamSettings, read_settings
from streams.errors import ConfigurationError
from tests.support.pods import LOCKS_OFF

SECRET = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
PRODUCTION = {"ENVIRONMENT": "production", **LOCKS_OFF}
ISSUER = {"TOKEN_ISSUER": "https://login.example"}
URL = "https://login.example/jwks"


def refusal(**values: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(values)
    (line,) = str(refused.value).splitlines()
    return line


def test_development_is_open():
    conf = read_settings({})
    assert (conf.stream_auth, conf.publish_auth, conf.has_token_keys) == ("off", "off", False)
    assert (conf.token_leeway_seconds, conf.token_jwks_seconds, conf.token_warn_seconds) == (30, 300, 60)
    assert (conf.token_max_seconds, conf.admin_port, conf.trusted_user_header) == (0, 0, "")


@pytest.mark.parametrize(
    ("variable", "words"), [("STREAM_AUTH", "off, observe or required"), ("PUBLISH_AUTH", "off or required")]
)
def test_production_has_to_be_told_what_is_open(variable: str, words: str):
    said = f"{variable} is '', but it must be said when ENVIRONMENT is production: {words}."
    assert refusal(**{**PRODUCTION, variable: ""}) == said
    assert refusal(**{name: value for name, value in PRODUCTION.items() if name != variable}) == said


def test_production_takes_what_was_said():
    conf = read_settings({**PRODUCTION, "STREAM_AUTH": "Observe", "TOKEN_SECRET": SECRET})
    assert (conf.stream_auth, conf.publish_auth, conf.has_token_keys) == ("observe", "off", True)


def test_cookie_goes_over_tls_alone_in_production():
    assert read_settings({}).token_cookie == "sse_token"
    assert read_settings(PRODUCTION).token_cookie == "__Secure-sse_token"
    assert read_settings({**PRODUCTION, "TOKEN_COOKIE": "lane"}).token_cookie == "lane"


@pytest.mark.parametrize("word", ["observe", "required"])
def test_streams_need_no_token_where_nobody_could_have_one(word: str):
    assert refusal(STREAM_AUTH=word).startswith(f"STREAM_AUTH is '{word}', but it must be off without TOKEN_SECRET")


def test_publishing_needs_keys_or_the_token_of_operators():
    assert refusal(PUBLISH_AUTH="required").startswith("PUBLISH_AUTH is 'required', but it must be off without ")
    assert read_settings({"PUBLISH_AUTH": "required", "ADMIN_TOKEN": SECRET}).publish_auth == "required"


@pytest.mark.parametrize(
    "keys", [{"TOKEN_SECRET": SECRET}, {"TOKEN_KEYS": "/etc/keys.pem"}, {"TOKEN_JWKS_URL": URL, **ISSUER}]
)
def test_any_keys_will_do(keys: dict[str, str]):
    assert read_settings({"STREAM_AUTH": "required", "PUBLISH_AUTH": "required", **keys}).has_token_keys


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    "secret", [SECRET[:31], "x" * 40, f"{SECRET},short", "replace-me-" * 4, "-----BEGIN PUBLIC KEY-----" + SECRET]
)
def test_weak_secrets_are_refused_and_not_shown(environment: str, secret: str):
    line = refusal(**LOCKS_OFF, ENVIRONMENT=environment, TOKEN_SECRET=secret)
    assert line.startswith("TOKEN_SECRET is '…', but it must be 32 or more random bytes")


def test_secrets_may_be_several():
    assert read_settings({"TOKEN_SECRET": f"{SECRET}, {SECRET[::-1]}"}).has_token_keys


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("STREAM_AUTH", "on"),
        ("PUBLISH_AUTH", "observe"),
        ("TOKEN_ALGORITHMS", "none"),
        ("TOKEN_ALGORITHMS", "HS256,RS512"),
        ("TOKEN_COOKIE", "a b"),
        ("TOKEN_COOKIE", "a=b"),
        ("TOKEN_JWKS_URL", "ftp://login.example/keys"),
        ("TOKEN_JWKS_URL", "file:///etc/passwd"),
        ("TOKEN_JWKS_URL", "https://"),
        ("TOKEN_JWKS_URL", "https://user:secret@login.example/keys"),
        ("TOKEN_JWKS_URL", "https://login.example:0/keys"),
        ("TOKEN_JWKS_URL", "https://login.example/a b"),
        ("TOKEN_LEEWAY_SECONDS", "301"),
        ("TOKEN_JWKS_SECONDS", "0"),
        ("ADMIN_PORT", "65536"),
        ("TRUSTED_USER_HEADER", "Authorization"),
        ("TRUSTED_USER_HEADER", "X User"),
        ("TRUSTED_USER_HEADER", "x" * 101),
    ],
)
def test_what_cannot_be_used_is_refused(variable: str, text: str):
    line = refusal(**{variable: text})
    assert line.startswith(f"{variable} is ")
    assert "secret" not in line


def test_keys_from_a_url_need_their_issuer_and_tls_in_production():
    assert refusal(TOKEN_JWKS_URL=URL).startswith("TOKEN_ISSUER is '', but it must be the issuer")
    plain = {"TOKEN_JWKS_URL": "http://login.example/jwks", **ISSUER}
    assert read_settings(plain).token_jwks_url == "http://login.example/jwks"
    assert refusal(**PRODUCTION, **plain).startswith("TOKEN_JWKS_URL is 'http://…', but it must be https://")


def test_algorithms_are_a_list():
    assert read_settings({"TOKEN_ALGORITHMS": "RS256, EdDSA"}).token_algorithms == ("RS256", "EdDSA")


def test_settings_show_no_secret():
    conf = read_settings({"TOKEN_SECRET": SECRET, "ADMIN_TOKEN": SECRET, "REDIS_URL": f"redis://a:{SECRET}@b"})
    assert SECRET not in f"{conf} {conf!r} {[conf]}"
    assert isinstance(conf, StreamSettings)
