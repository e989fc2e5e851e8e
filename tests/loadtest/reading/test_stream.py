"""The requests that open streams."""

from __future__ import annotations

import time
from dataclasses import replace

from loadtest.plan import Plan
from loadtest.reading.stream import requests
from streams.auth.keys import hmac_keys
from streams.auth.tokens import Rules, Verifier

SECRET = "only-for-tests-" + "s" * 32


def test_requests_without_a_key_bring_no_token():
    (first, second) = requests(Plan(connections=2), range(2))
    assert first.startswith(b"GET /events/LOAD000-LANE00000 HTTP/1.1\r\n")
    assert second.startswith(b"GET /events/LOAD000-LANE00001 HTTP/1.1\r\n")
    assert first.endswith(b"\r\n\r\n")
    assert b"authorization" not in first.lower()


def test_requests_bring_each_client_its_own_token():
    now = int(time.time())
    plan = replace(Plan(connections=2), key=SECRET, claims={"aud": "sse", "iat": now, "exp": now + 60})
    assert SECRET not in repr(plan)
    for index, request in enumerate(requests(plan, range(2))):
        token = request.partition(b"Authorization: Bearer ")[2].partition(b"\r\n")[0].decode()
        assert Verifier(hmac_keys(SECRET), Rules()).verify(token, now).sub == plan.client_name(index)
        assert request.endswith(b"\r\n\r\n")
