"""What is taken for a secret, and what is not."""

from __future__ import annotations

import pytest

from tests.streams.auth.issuer import private, private_pem, token
from tests.support.leaks.secrets import Secrets

KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.mark.parametrize(
    "text",
    [
        f"[SERVER] headers: [(b'authorization', b'Bearer {token()}')]",
        f'"GET /events/A?access_token={token()} HTTP/1.1" 400',
        token()[: len(token()) // 2],
        f"https%3A%2F%2Fshop.example%2F%3Ftoken%3D{token()}",
        private_pem(private("ES256")),
        "Cannot reach redis://pod:hunter2@redis.example:6379",
        "rediss://:hunter2@redis.example",
    ],
)
def test_forms_are_found(secrets: Secrets, text: str):
    found = secrets.found_in(f"before\n{text}\nafter")
    assert found
    assert not [said for said in found if token()[:20] in said or "hunter2" in said]


@pytest.mark.parametrize(
    "text",
    [
        "redis://redis.example:6379, redis://:***@redis.example, redis://user:password@redis.example",
        "A JWT is header.payload.signature, such as eyJ….eyJ….",
        "-----BEGIN PUBLIC KEY-----",
        "https://sse.example.com:3000/admin?q=a@b",
        "",
    ],
)
def test_words_and_examples_are_none(secrets: Secrets, text: str):
    assert secrets.found_in(text) == []


@pytest.mark.parametrize(
    "environment",
    [
        {"SECRET_KEY": KEY},
        {"TOKEN_SECRET": f"{'a' * 32},{KEY}"},
        {"ADMIN_TOKEN": KEY},
        {"REDIS_URL": f"redis://pod:{KEY}@redis.example"},
        {"REDIS_URL": f"redis://pod:{KEY.replace('-', '%2D')}@redis.example"},
    ],
)
def test_what_a_program_was_given_is_known(secrets: Secrets, environment: dict[str, str]):
    secrets.add_environment({"POD_NAME": "pod-of-somebody", **environment})
    assert secrets.found_in("pod-of-somebody") == []
    assert secrets.found_in(f"it is {KEY!r}, is it?") == [
        "what was given to somebody, only-f… of 52 bytes",
    ]


def test_what_a_request_brings_is_known(secrets: Secrets):
    secrets.add_request({"Cookie": "theme=dark; sessionid=abcdefghijkl", "authorization": "Basic bm9ib2R5OndvcmQ="})
    assert [len(secrets.found_in(text)) for text in ("dark theme", "=abcdefghijkl;", "bm9ib2R5OndvcmQ=")] == [0, 1, 1]


def test_what_an_answer_gives_is_known_and_may_stand_there_alone(secrets: Secrets):
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=abcdefghijkl; Path=/\r\nX-Copy: "
    page = b'<input type="hidden" name="csrfmiddlewaretoken" value="mnopqrstuvwx">'
    assert secrets.found_in(secrets.without_cookies(head)) == []
    assert secrets.found_in(secrets.without_fields(page)) == []
    assert len(secrets.found_in(secrets.without_cookies(head + b"abcdefghijkl"))) == 1
    assert len(secrets.found_in(secrets.without_fields(page + b"<p>mnopqrstuvwx"))) == 1
    assert len(secrets.found_in(page)) == 1
