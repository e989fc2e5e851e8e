from __future__ import annotations

import pytest

from dashboard.login import gate
from dashboard.login.attempts import PER_ADDRESS, PER_PAIR, Attempts
from dashboard.login.gate import refused_login
from dashboard.login.passwords import PasswordChecker

SCOPE: dict[str, object] = {"method": "POST", "path": "/admin/login/", "client": ("10.0.0.1", 5000)}


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    attempts = Attempts()
    monkeypatch.setattr(gate, "attempts", attempts)
    monkeypatch.setattr(gate, "checker", PasswordChecker(1))
    return attempts


async def answer_to(scope: dict[str, object]) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    refusal = refused_login(scope, send)
    if refusal is not None:
        await refusal
    return sent


async def test_whose_address_is_over_its_limit_is_refused_at_once(attempts: Attempts):
    attempts._count_alone(["10.0.0.1"] * PER_ADDRESS)
    assert await answer_to(SCOPE) == []
    attempts._count_alone(["10.0.0.1"])
    start, body = await answer_to(SCOPE)
    assert start["status"] == 429
    assert b"Too many passwords were tried" in body["body"]  # type: ignore[operator]
    headers = dict(start["headers"])  # type: ignore[call-overload]
    assert int(headers[b"Retry-After"]) > 0
    assert b"default-src 'none'" in headers[b"Content-Security-Policy"]
    assert await answer_to({**SCOPE, "client": ("10.0.0.2", 5000)}) == []
    assert await answer_to({**SCOPE, "method": "GET"}) == []
    assert await answer_to({**SCOPE, "path": "/admin/logout/"}) == []
    assert len(await answer_to({**SCOPE, "path": "/below/admin/login/"})) == 2


async def test_nobody_queues_where_there_is_no_place(attempts: Attempts):
    with gate.checker.place():
        start, body = await answer_to({**SCOPE, "client": None})
    assert start["status"] == 429
    assert b"Other passwords are being checked" in body["body"]  # type: ignore[operator]
    assert await answer_to({**SCOPE, "client": None}) == []


async def test_who_goes_on_over_the_limit_of_an_account_loses_the_address(attempts: Attempts, no_redis: None):
    for _ in range(PER_ADDRESS + 1):
        await attempts.take("operator", "10.0.0.1")
    assert attempts.wait_of("10.0.0.1") > 0
    assert PER_PAIR < PER_ADDRESS
