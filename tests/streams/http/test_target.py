from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.http.answers import Refused
from streams.http.target import (
    host_name,
    is_allowed,
    is_for_operators,
    is_own_address,
    path_below,
    serves_operators,
    settle_target,
)

SERVER = ["10.0.0.5", 3000]
ANY = ("*",)
LISTED = ("sse.example", ".shop.example")


def request(path: str = "/events/A", *hosts: bytes, version: str = "1.1", **more: Any) -> dict[str, Any]:
    headers = [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]
    return {"type": "http", "http_version": version, "path": path, "headers": headers, "server": SERVER, **more}


def settled(scope: dict[str, Any], allowed: tuple[str, ...] = ANY, root_path: str = "") -> dict[str, Any]:
    settle_target(scope, allowed, root_path)
    return scope


def refused(scope: dict[str, Any], allowed: tuple[str, ...] = ANY) -> str:
    with pytest.raises(Refused) as caught:
        settle_target(scope, allowed, "")
    assert caught.value.status == 400
    return caught.value.sentence


def hosts_of(scope: dict[str, Any]) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"host"]


@pytest.mark.parametrize(
    "host", [b"sse.example", b"SSE.example.", b"sse.example:443", b"a.shop.example", b"shop.example"]
)
def test_settle_target_takes_a_listed_host(host: bytes):
    scope = settled(request("/events/A", host), LISTED)
    assert (scope["path"], hosts_of(scope)) == ("/events/A", [host])


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"sse.example.evil.example", b"xshop.example", b"", b"localhost", b"10.0.0.6", b"127.0.0.1"],
)
def test_settle_target_refuses_a_host_that_is_not_listed(host: bytes):
    assert "ALLOWED_HOSTS" in refused(request("/events/A", host), LISTED)


@pytest.mark.parametrize(
    "host", [b"<script>", b"a b", b"[::1", b"a:b", b"a:70000", b"a,b", b"a@b", b"a/b", b"\xff", b"::1"]
)
def test_settle_target_refuses_what_can_be_no_host(host: bytes):
    assert "Host" in refused(request("/events/A", host))


@pytest.mark.parametrize(("hosts", "version"), [((), "1.1"), ((b"a", b"a"), "1.1"), ((b"a", b"b"), "1.0")])
def test_settle_target_refuses_no_host_and_two(hosts: tuple[bytes, ...], version: str):
    """RFC 9112, section 3.2."""
    assert "one header Host" in refused(request("/events/A", *hosts, version=version))


@pytest.mark.parametrize("version", ["1.0", "2"])
def test_settle_target_needs_no_host_where_the_version_asks_for_none(version: str):
    settled(request("/health", version=version), LISTED)


@pytest.mark.parametrize(
    ("raw", "path", "host"),
    [
        (b"http://sse.example/events/A", "/events/A", b"sse.example"),
        (b"HTTPS://SSE.example:443/a%2Db", "/a-b", b"SSE.example:443"),
        (b"http://sse.example", "/", b"sse.example"),
    ],
)
@pytest.mark.parametrize("header", [b"sse.example", b"evil.example"])
def test_settle_target_takes_the_absolute_form_and_its_host(raw: bytes, path: str, host: bytes, header: bytes):
    """RFC 9112, section 3.2.2: the Host of the target is the one that counts."""
    scope = settled(request(raw.decode(), header, raw_path=raw), LISTED)
    assert (scope["path"], hosts_of(scope)) == (path, [host])
    assert scope["headers"].count((b"accept", b"*/*")) == 1


def test_settle_target_reads_the_absolute_form_without_a_raw_path():
    assert settled(request("http://a/events/A", b"x"))["path"] == "/events/A"


@pytest.mark.parametrize("path", ["*", "", "events/A", "ftp://a/b", "a:443", "http:/a", "http://u@a/"])
def test_settle_target_refuses_what_is_no_path(path: str):
    refused(request(path, b"a"))


def test_settle_target_checks_the_host_of_the_absolute_form():
    assert "evil.example" in refused(request("http://evil.example/health", b"sse.example"), LISTED)


def test_settle_target_takes_the_root_path_of_the_server_and_no_other():
    assert settled(request("/a", b"a", root_path="/evil"), root_path="/sse/")["root_path"] == "/sse"
    assert settled(request("/a", b"a", root_path="/evil"))["root_path"] == ""


@pytest.mark.parametrize(
    ("name", "server", "own"),
    [
        ("10.0.0.5", SERVER, True),
        ("10.0.0.6", SERVER, False),
        ("localhost", SERVER, False),
        ("localhost", ["127.0.0.1", 3000], True),
        ("localhost", ["::1", 3000], True),
        ("[::1]", ["::1", 3000], True),
        ("[0:0::1]", ["::1", 3000], True),
        ("10.0.0.5", ["::ffff:10.0.0.5", 3000], True),
        ("localhost", ["::ffff:127.0.0.1", 3000], True),
        ("evil.example", SERVER, False),
        ("", SERVER, False),
        ("10.0.0.5", None, False),
        ("10.0.0.5", ["/run/sse.sock", None], False),
    ],
)
def test_is_own_address_is_where_the_pod_was_reached(name: str, server: list[Any] | None, own: bool):
    assert is_own_address(name, server) is own


@pytest.mark.parametrize("host", [b"10.0.0.5:3000", b"10.0.0.5"])
def test_settle_target_takes_a_probe_of_the_pods_address(host: bytes):
    """As kubelet sends it."""
    settled(request("/health/live", host), LISTED)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.b:1", "a.b"),
        ("[::1]:80", "[::1]"),
        ("a.", "a"),
        ("", ""),
        ("a:", "a"),
        ("a:65535", "a"),
        ("a:65536", None),
        ("a:1:2", None),
        ("a\n", None),
    ],
)
def test_host_name_has_no_port_and_small_letters(host: str, name: str | None):
    assert host_name(host) == name


def test_is_allowed_reads_as_django_does():
    assert is_allowed("a", ("b", "A"))
    assert is_allowed("a.b", (".b",))
    assert is_allowed("b", (".b",))
    assert not is_allowed("ab", (".b",))
    assert not is_allowed("a", ())


@pytest.mark.parametrize(
    ("path", "root_path", "below"),
    [
        ("/events/A", "", "/events/A"),
        ("/sse/events/A", "/sse", "/events/A"),
        ("/events/A", "/sse", "/events/A"),
        ("/sse", "/sse", "/"),
        ("/ssevents/A", "/sse", "/ssevents/A"),
        ("/sse/sse/events/A", "/sse", "/sse/events/A"),
    ],
)
def test_path_below_is_the_rest(path: str, root_path: str, below: str):
    assert path_below({"path": path, "root_path": root_path}) == below


def test_path_below_needs_no_root_path():
    assert path_below({"path": "/events/A"}) == "/events/A"


@given(st.text(), st.lists(st.binary(), max_size=3), st.none() | st.binary(), st.sampled_from(["1.0", "1.1", "2"]))
def test_settle_target_raises_nothing_but_refused(path: str, hosts: list[bytes], raw: bytes | None, version: str):
    more = {} if raw is None else {"raw_path": raw}
    scope = request(path, *hosts, version=version, **more)
    try:
        settle_target(scope, LISTED, "")
    except Refused as error:
        assert error.status == 400  # noqa: PT017
    else:
        assert scope["path"].startswith("/")
        assert len(hosts_of(scope)) <= 1


@pytest.mark.parametrize(
    ("server", "admin_port", "expected"),
    [
        (["10.0.0.1", 3000], 0, True),
        (None, 0, True),
        (["10.0.0.1", 3000], 3001, False),
        (["10.0.0.1", 3001], 3001, True),
        (["/run/pod.sock", None], 3001, False),
        (None, 3001, False),
    ],
)
def test_serves_operators(server: Any, admin_port: int, expected: bool):
    assert serves_operators({"server": server}, admin_port) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *((path, True) for path in ("/admin", "/admin/", "/admin/live", "/admin/login/", "/metrics", "/api", "/api/")),
        *(
            (path, False)
            for path in ("/", "/administer", "/health", "/events/admin", "/api/v1/pods", "/static/admin/x")
        ),
    ],
)
def test_is_for_operators(path: str, expected: bool):
    assert is_for_operators({"path": path, "root_path": ""}) is expected
    assert is_for_operators({"path": f"/sse{path}", "root_path": "/sse"}) is expected
