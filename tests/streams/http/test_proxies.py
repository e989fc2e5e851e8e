from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf.variables import NetworkSet
from streams.http.proxies import MAX_HOPS, MAX_USER_NAME, SIGNED_IN, parse_address, settle_client, settle_user

TRUSTED = NetworkSet(map(ip_network, ("10.0.0.0/8", "192.0.2.1", "fd00::/8")))


def seen(peer: str, *forwarded: str | bytes, trusted: NetworkSet = TRUSTED) -> list[Any]:
    """Return whose request it is when a peer sends these X-Forwarded-For headers."""
    values = [value if isinstance(value, bytes) else value.encode() for value in forwarded]
    headers = [(b"host", b"sse.example"), *((b"x-forwarded-for", value) for value in values)]
    scope: dict[str, Any] = {"client": [peer, 40316], "headers": headers}
    settle_client(scope, trusted)
    client: list[Any] = scope["client"]
    return client


@pytest.mark.parametrize(
    ("forwarded", "device"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        (["203.0.113.7, 10.9.9.9, 192.0.2.1"], "203.0.113.7"),
        (["203.0.113.7", "10.9.9.9"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1", "203.0.113.7,10.9.9.9"], "203.0.113.7"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ([" 203.0.113.7 \t"], "203.0.113.7"),
        (["203.0.113.7:5555"], "203.0.113.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:DB8::7]"], "2001:db8::7"),
        (['"[2001:db8::7]:5555", fd00::1'], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
    ],
)
def test_settle_client_finds_the_last_address_that_no_trusted_proxy_has(forwarded: list[str], device: str):
    assert seen("10.0.0.2", *forwarded) == [device, 0]


@pytest.mark.parametrize("forwarded", ["unknown", "_hidden", "", ",", "<script>", "203.0.113", "1.2.3.4:5:6"])
def test_settle_client_stops_at_what_is_no_address(forwarded: str):
    assert seen("10.0.0.2", forwarded) == ["10.0.0.2", 0]
    assert seen("10.0.0.2", f"198.51.100.1, {forwarded}, 10.3.3.3") == ["10.3.3.3", 0]


@pytest.mark.parametrize("peer", ["203.0.113.9", "::1", "192.0.2.2"])
def test_settle_client_believes_no_stranger(peer: str):
    assert seen(peer, "198.51.100.1") == [peer, 40316]


def test_settle_client_leaves_a_request_that_nobody_handed_on():
    assert seen("10.0.0.2") == ["10.0.0.2", 40316]
    assert seen("10.0.0.2", "203.0.113.7", trusted=NetworkSet()) == ["10.0.0.2", 40316]


def test_settle_client_knows_an_ipv4_proxy_on_a_socket_for_both():
    assert seen("::ffff:10.0.0.2", "203.0.113.7") == ["203.0.113.7", 0]


@pytest.mark.parametrize("client", [None, ["/run/pod.sock", 0], ["", 0]])
def test_settle_client_needs_a_peer_with_an_address(client: list[Any] | None):
    scope: dict[str, Any] = {"client": client, "headers": [(b"x-forwarded-for", b"203.0.113.7")]}
    settle_client(scope, TRUSTED)
    assert scope["client"] == client


def test_settle_client_reads_a_bounded_number_of_hops():
    hops = ", ".join(["203.0.113.7"] + ["10.1.1.1"] * MAX_HOPS)
    assert seen("10.0.0.2", hops) == ["10.1.1.1", 0]


@given(st.binary())
def test_settle_client_takes_any_bytes(forwarded: bytes):
    host, port = seen("10.0.0.2", forwarded)
    assert port == 0
    assert str(parse_address(host)) == host


USER_HEADER = b"x-forwarded-user"


def signed_in(peer: str | None, *values: bytes, trusted: NetworkSet = TRUSTED) -> str | None:
    """Return who is signed in when a peer sends these values of the header, which nobody reads afterwards."""
    headers = [(b"host", b"sse.example"), *((USER_HEADER, value) for value in values), (b"accept", b"*/*")]
    scope: dict[str, Any] = {"client": peer and [peer, 40316], "headers": headers}
    settle_user(scope, trusted, USER_HEADER)
    assert scope["headers"] == [(b"host", b"sse.example"), (b"accept", b"*/*")]
    name: str | None = scope.get(SIGNED_IN)
    return name


@pytest.mark.parametrize(
    ("value", "name"),
    [(b"ann", "ann"), (b" ann@shop.example ", "ann@shop.example"), ("änn".encode(), "änn"), (b"", None), (b" ", None)],
)
def test_settle_user_believes_a_trusted_proxy(value: bytes, name: str | None):
    assert signed_in("10.0.0.2", value) == name
    assert signed_in("::ffff:10.0.0.2", value) == name


@pytest.mark.parametrize("peer", ["203.0.113.9", "::1", "/run/pod.sock", "", None])
def test_settle_user_believes_nobody_else(peer: str | None):
    assert signed_in(peer, b"ann") is None


def test_settle_user_believes_nobody_where_nobody_is_trusted():
    assert signed_in("10.0.0.2", b"ann", trusted=NetworkSet()) is None


def test_settle_user_looks_at_the_peer_and_not_at_whom_it_speaks_for():
    """A device behind one proxy cannot become another proxy by saying so."""
    headers = [(USER_HEADER, b"ann"), (b"x-forwarded-for", b"10.0.0.2")]
    scope: dict[str, Any] = {"client": ["203.0.113.9", 1], "headers": headers}
    settle_user(scope, TRUSTED, USER_HEADER)
    settle_client(scope, TRUSTED)
    assert SIGNED_IN not in scope


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([b"ann", b"bob"], "ann,bob"),
        ([b"ann\x00"], "'ann\\x00'"),
        ([b"\xff"], "\ufffd"),
        ([b"a" * (MAX_USER_NAME + 1)], "a" * MAX_USER_NAME + "…"),
    ],
)
def test_settle_user_makes_no_ones_name_of_what_is_no_name(values: list[bytes], name: str):
    assert signed_in("10.0.0.2", *values) == name
