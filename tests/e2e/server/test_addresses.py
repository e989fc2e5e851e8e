"""Addresses as logs and pages show them: IPv6 in brackets (RFC 3986, section 3.2.2)."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tests.conftest import DEFAULTS
from tests.support.http import parse_answer, request_bytes
from tests.support.pods import Pod, environment
from tests.support.redis_server import RedisServer


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_has_brackets(redis_server: RedisServer, tmp_path: Path):
    env = environment(**DEFAULTS, REDIS_URL=redis_server.url, ALLOWED_HOSTS="sse.example")
    pod = Pod("streamworker", tmp_path / "log", env, host="::1")
    try:
        pod.wait_log(f"http://[::1]:{pod.port})")
        pod.wait_log("subscribed")
        with socket.create_connection(("::1", pod.port), 10) as client:
            head = request_bytes("GET", "/events/LANE").replace(b"Host: 127.0.0.1", b"Host: [::1]:3000")
            client.sendall(head)
            assert b" 200 " in client.recv(65536)
            shown = f"[::1]:{client.getsockname()[1]}"
            with socket.create_connection(("::1", pod.port), 10) as asking:
                asking.sendall(
                    head.replace(b"/events/LANE", b"/admin/pod").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                )
                page = b""
                while data := asking.recv(65536):
                    page += data
        assert shown.encode() in parse_answer(page).body
    finally:
        pod.terminate()
    pod.assert_no_traceback()
