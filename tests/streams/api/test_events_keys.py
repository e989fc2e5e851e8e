"""What the header Idempotency-Key may be."""

from __future__ import annotations

import pytest

from tests.streams.api.asking import JSON, Api

EVENT = b'{"clientName":"STORE001-LANE01","action":"signature"}'


@pytest.mark.parametrize("key", ["", '""', " ", "k" * 256])
async def test_key_that_guards_nothing_is_refused(api: Api, key: str):
    asked = await api.ask("/events", "POST", {**JSON, "Idempotency-Key": key}, EVENT)
    assert (asked.status, asked.problem) == (400, "invalid-event")
    assert asked.said["errors"][0]["pointer"] == "Idempotency-Key"
