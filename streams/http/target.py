"""For whom a request is meant: the form of its target, its Host, and the path below which the service is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from streams.http.answers import Refused

# RFC 9112, section 3.2.2. Whoever sends it means the host that stands in it.
ABSOLUTE_FORM = re.compile(rb"https?://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)
# RFC 3986, section 3.2.2, without what no host of ours has: escapes and sub-delimiters.
HOST = re.compile(r"([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
MAX_PORT = 65535
OPERATORS_PATHS = ("/admin", "/metrics", "/api", "/api/")
OPERATORS_PREFIXES = ("/admin/", "/metrics/")
NO_PATH = "The target of a request must be a path, such as /events/STORE001-LANE01."
NO_HOST = "A request must have one header Host, with a name or an address and perhaps a port."
OTHER_HOST = "This service does not answer for the host {!r}: ALLOWED_HOSTS does not name it."


def settle_target(scope: dict[str, Any], allowed_hosts: Sequence[str], root_path: str) -> None:
    """Rewrite an ASGI scope so that its path, its Host and its root path are what they mean.

    `allowed_hosts` are names, `.example.com` for a domain with all below it, or `*` for any.
    `root_path` is the server's own word. Raises Refused for a request that is not meant for this service.
    """
    scope["root_path"] = root_path.rstrip("/")
    hosts: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1 or (not hosts and scope.get("http_version") == "1.1"):
        raise Refused(400, NO_HOST)
    if not scope["path"].startswith("/"):
        hosts = [_settle_absolute(scope)]
    # HTTP/1.0 knows no Host, and no browser speaks it.
    if hosts:
        host = hosts[0].decode("latin-1")
        name = host_name(host)
        if name is None:
            raise Refused(400, NO_HOST)
        if not is_allowed(name, allowed_hosts) and not is_own_address(name, scope.get("server")):
            raise Refused(400, OTHER_HOST.format(host))


def _settle_absolute(scope: dict[str, Any]) -> bytes:
    """Make of `http://host/path` its path and its Host, which wins over the header; return it."""
    raw = scope.get("raw_path") or scope["path"].encode()
    form = ABSOLUTE_FORM.fullmatch(raw)
    if form is None:
        raise Refused(400, NO_PATH)
    host, path = form[1], form[2] or b"/"
    scope["raw_path"], scope["path"] = path, unquote(path.decode("latin-1"))
    scope["headers"] = [(b"host", host), *(header for header in scope["headers"] if header[0] != b"host")]
    return host


def host_name(host: str) -> str | None:
    """Return a Host in small letters without its port, or None for what can be no Host."""
    form = HOST.fullmatch(host)
    if form is None or (form[2] and int(form[2]) > MAX_PORT):
        return None
    return form[1].lower().removesuffix(".")


def is_allowed(name: str, allowed_hosts: Sequence[str]) -> bool:
    """Say whether a host's name is among those allowed, as Django reads ALLOWED_HOSTS."""
    for allowed in allowed_hosts:
        pattern = allowed.lower()
        if pattern in ("*", name) or (pattern[:1] == "." and (name.endswith(pattern) or name == pattern[1:])):
            return True
    return False


def is_own_address(name: str, server: Sequence[Any] | None) -> bool:
    """Say whether a host's name is the very address at which this pod was reached, as (address, port).

    So a probe asks that is sent to a pod's address. A page that has its own name lead here
    sends that name, and a browser takes no name but localhost for the loopback address.
    """
    try:
        if not server:
            return False
        own = ip_address(server[0])
        # A socket that listens on `::` sees IPv4 as a part of IPv6.
        own = getattr(own, "ipv4_mapped", None) or own
        return own.is_loopback if name == "localhost" else ip_address(name.strip("[]")) == own
    except ValueError:
        # A name, or a Unix socket's path.
        return False


def serves_operators(scope: dict[str, Any], admin_port: int) -> bool:
    """Say whether a request came to where the operators' pages are: to one port of this pod, or with 0 to any."""
    server = scope.get("server")
    return not admin_port or (server is not None and server[1] == admin_port)


def is_for_operators(scope: dict[str, Any]) -> bool:
    """Say whether a request asks for a page or figures for operators; of the API, that knows itself."""
    path = path_below(scope)
    return path in OPERATORS_PATHS or path.startswith(OPERATORS_PREFIXES)


def path_below(scope: dict[str, Any]) -> str:
    """Return the path of an ASGI scope below its root path, which a proxy may have taken off already."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if root_path and (path == root_path or path.startswith(root_path + "/")):
        return path[len(root_path) :] or "/"
    return path
