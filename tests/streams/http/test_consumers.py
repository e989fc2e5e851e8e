from __future__ import annotations

import pytest

from streams.http.consumers import MAX_USER_AGENT, STREAM_REQUEST_HEADERS, client_user_agent


def user_agent(*values: bytes) -> str:
    return client_user_agent({"headers": [(b"accept", b"*/*"), *((b"user-agent", value) for value in values)]})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"Lane/1.0 (Linux)", "Lane/1.0 (Linux)"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"", ""),
        ("Käse".encode("latin-1"), "Käse"),
        (b"x" * 5000, "x" * MAX_USER_AGENT),
    ],
)
def test_the_user_agent_is_kept_as_it_was_sent_within_bounds(sent: bytes, kept: str):
    assert user_agent(sent) == kept


def test_a_client_need_not_say_what_it_is():
    assert user_agent() == ""


def test_devices_that_call_themselves_the_same_share_one_string():
    name = b"Lane/%d"
    assert user_agent(name % 1) is user_agent(name % 1)
    assert user_agent(b"x" * 201) is user_agent(b"x" * 202)


def test_the_short_way_for_streams_passes_it_on():
    assert b"user-agent" in STREAM_REQUEST_HEADERS
