from __future__ import annotations

import math
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.connection import Resume
from streams.http.answers import Refused
from streams.http.stream_request import (
    MAX_USER_AGENT,
    STREAM_REQUEST_HEADERS,
    USER_AGENTS_SHARED,
    StreamRequest,
    client_user_agent,
    header_of,
    headers_read,
    place,
    since_seconds,
)

HISTORY_SECONDS = 300.0


def parse(name: str = "STORE001-LANE01", *, query: str = "", method: str = "GET", **more: Any) -> StreamRequest:
    """Parse a request; keywords with underscores are headers, others parts of the scope."""
    headers = [(key.replace("_", "-").encode(), value) for key, value in more.items() if isinstance(value, bytes)]
    scope = {"method": method, "path": f"/events/{name}", "query_string": query.encode(), "headers": headers}
    scope |= {key: value for key, value in more.items() if not isinstance(value, bytes)}
    return StreamRequest.parse(scope, HISTORY_SECONDS)


def refused(*arguments: Any, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(*arguments, **more)
    return caught.value


def test_parse_reads_a_plain_request():
    request = parse(client=["10.0.0.7", 5000], user_agent=b"Lane/1.0", origin=b"https://shop.example")
    assert request == StreamRequest(
        name="STORE001-LANE01",
        resume=None,
        origin="https://shop.example",
        address="10.0.0.7:5000",
        user_agent="Lane/1.0",
        prefers_status=False,
    )


def test_parse_reads_the_name_below_the_root_path():
    assert parse(root_path="/sse", path="/sse/events/A").name == "A"


def test_place_has_brackets_around_an_ipv6_address():
    """RFC 3986, section 3.2.2."""
    assert parse(client=["::1", 5000]).address == "[::1]:5000"
    assert place("127.0.0.1", 80) == "127.0.0.1:80"


def test_parse_needs_no_header_and_no_peer():
    assert parse() == StreamRequest("STORE001-LANE01", None, "", "", "", prefers_status=False)
    assert parse(client=None).address == ""


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (["::1", 5000], "[::1]:5000"),
        (["10.0.0.7", 0], "10.0.0.7"),
        (["2001:db8::7", 0], "[2001:db8::7]"),
    ],
)
def test_parse_writes_an_address_as_in_a_url(client: list[object], address: str):
    assert parse(client=client).address == address


def test_parse_takes_head_like_get():
    assert parse(method="HEAD") == parse()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW", "get"])
def test_parse_refuses_other_methods_and_names_the_right_ones(method: str):
    error = refused(method=method)
    assert (error.status, error.headers) == (405, [(b"Allow", b"GET, HEAD, OPTIONS")])
    assert method in error.sentence


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "é", "a\n", "Z" * 129])
def test_parse_refuses_a_name_that_breaks_the_rule(name: str):
    error = refused(name)
    assert (error.status, error.headers) == (400, [])
    assert "1 to 128 characters" in error.sentence


def test_parse_reads_the_first_of_a_header_that_comes_twice():
    headers = [(b"origin", b"first"), (b"origin", b"second"), (b"user-agent", b"1"), (b"user-agent", b"2")]
    scope = {"method": "GET", "path": "/events/a", "query_string": b"", "headers": headers}
    request = StreamRequest.parse(scope, HISTORY_SECONDS)
    assert (request.origin, request.user_agent) == ("first", "1")


def test_header_of_is_the_first_of_a_name_or_empty():
    scope = {"headers": [(b"host", b"a"), (b"origin", b"https://\xe9.example"), (b"origin", b"second")]}
    assert header_of(scope, b"origin") == "https://é.example", "a header is Latin-1"
    assert header_of(scope, b"host") == "a"
    assert header_of(scope, b"sec-fetch-site") == header_of({"headers": []}, b"host") == ""


@pytest.mark.parametrize(
    ("values", "prefers"),
    [
        ([], False),
        ([b"status"], True),
        ([b"Status"], True),
        ([b"respond-async"], False),
        ([b"wait=5", b"status"], True),
    ],
)
def test_parse_finds_status_in_any_prefer_header(values: list[bytes], prefers: bool):
    headers = [(b"prefer", value) for value in values]
    scope = {"method": "GET", "path": "/events/a", "query_string": b"", "headers": headers}
    assert StreamRequest.parse(scope, HISTORY_SECONDS).prefers_status is prefers


@pytest.mark.parametrize(
    ("header", "query", "resume"),
    [
        (b"", "", None),
        (b"", "t=1", None),
        (b"", "lastEventId=&since=", None),
        (b"evt-1", "", Resume("evt-1", None)),
        (b"evt-1", "lastEventId=evt-2&since=5", Resume("evt-1", None)),
        (b"evt-1", "since=never", Resume("evt-1", None)),
        (b"", "lastEventId=evt-2", Resume("evt-2", None)),
        (b"", "lastEventId=evt-2&since=5", Resume("evt-2", None)),
        (b"", "lastEventId=evt-2&lastEventId=evt-3", Resume("evt-3", None)),
        (b"", "lastEventId=a%20%2Bb+c", Resume("a +b c", None)),
        (b"", "since=5", Resume(None, 5.0)),
        (b"", "since=5&since=6", Resume(None, 6.0)),
        (b"", "since=1e300", Resume(None, math.inf)),
    ],
)
def test_parse_reads_where_to_go_on(header: bytes, query: str, resume: Resume | None):
    """The header wins over the query, and an id over a time."""
    assert parse(query=query, last_event_id=header).resume == resume


def test_parse_reads_an_id_as_utf_8_wherever_it_stands():
    assert parse(last_event_id="café".encode()).resume == Resume("café", None)
    assert parse(query=f"lastEventId={quote('café')}").resume == Resume("café", None)
    assert parse(last_event_id=b"evt-\xff").resume == Resume("evt-\ufffd", None)


@pytest.mark.parametrize(
    "query",
    [
        "since=-1",
        "since=soon",
        "since=nan",
        "since=inf",
        "since=1_0",
        "since=%00",
        # Blanks to a regular expression, and none to float().
        *(f"since={text}" for blank in ("%1C", "%1D", "%1E", "%1F") for text in (f"5{blank}", f"{blank}5")),
    ],
)
def test_parse_refuses_a_since_that_is_no_duration(query: str):
    error = refused(query=query)
    assert (error.status, error.sentence) == (400, "since must be a number of seconds, 0 or more.")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("60", 60.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+5", 5.0),
        (" 5 ", 5.0),
        ("3e2", 300.0),
        ("300", HISTORY_SECONDS),
        ("300.001", math.inf),
        ("1e10", math.inf),
        ("1767614400000", math.inf),
        ("1e300", math.inf),
        ("1e999", math.inf),
        ("9" * 400, math.inf),
    ],
)
def test_since_seconds_is_everything_beyond_the_history(text: str, seconds: float):
    assert since_seconds(text, HISTORY_SECONDS) == seconds


def test_since_seconds_without_a_history_is_now_or_everything():
    assert since_seconds("0", 0.0) == 0.0
    assert since_seconds("1", 0.0) == math.inf


@pytest.mark.parametrize("text", ["9" * 100_000 + "x", "." + "9" * 100_000 + "x", "1e" + "9" * 100_000 + "x"])
def test_since_seconds_is_read_in_one_pass(text: str):
    """A long head must not hold the event loop up."""
    began = time.perf_counter()
    with pytest.raises(Refused):
        since_seconds(text, HISTORY_SECONDS)
    assert time.perf_counter() - began < 1


@given(st.text() | st.floats().map(repr) | st.from_regex(r"\A[0-9eE+.\-_ ]{0,12}\Z"))
def test_since_seconds_is_bounded_or_refused(text: str):
    try:
        seconds = since_seconds(text, HISTORY_SECONDS)
    except Refused as error:
        assert error.status == 400  # noqa: PT017
    else:
        assert 0 <= seconds <= HISTORY_SECONDS or seconds == math.inf
        assert float(text) >= 0


@given(
    st.text(),
    st.binary(),
    st.lists(st.tuples(st.sampled_from([*STREAM_REQUEST_HEADERS, b"accept"]), st.binary())),
)
def test_parse_raises_nothing_but_refused(name: str, query: bytes, headers: list[tuple[bytes, bytes]]):
    scope = {"method": "GET", "path": f"/events/{name}", "query_string": query, "headers": headers}
    try:
        request = StreamRequest.parse(scope, HISTORY_SECONDS)
    except Refused as error:
        assert error.status == 400  # noqa: PT017
    else:
        assert request.name == name


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
def test_client_user_agent_is_kept_as_it_was_sent_within_bounds(sent: bytes, kept: str):
    assert client_user_agent(sent) == kept


def test_client_user_agent_is_one_string_for_devices_of_one_kind():
    name = b"Lane/%d"
    assert client_user_agent(name % 1) is client_user_agent(name % 1)
    assert client_user_agent(b"x" * 201) is client_user_agent(b"x" * 202)


def test_client_user_agent_is_forgotten_behind_many_others():
    """Whoever sends another one each time makes nothing grow."""
    kept = client_user_agent(b"Lane/1.0")
    for number in range(USER_AGENTS_SHARED):
        client_user_agent(b"Odd/%d" % number)
    assert client_user_agent(b"Lane/1.0") is not kept


def test_headers_read_hold_no_token_where_none_is_looked_at():
    assert headers_read("off") == STREAM_REQUEST_HEADERS
    for mode in ("observe", "required"):
        assert {*headers_read(mode)} - {*STREAM_REQUEST_HEADERS} == {b"authorization", b"cookie", b"accept"}
