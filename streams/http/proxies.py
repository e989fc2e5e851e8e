"""Whose request a front door has handed on: the device's address, or the person's name, told by trusted proxies."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from streams.conf.variables import NetworkSet

Address = IPv4Address | IPv6Address

FORWARDED_FOR = b"x-forwarded-for"
# In a scope: who has signed in at a trusted proxy.
SIGNED_IN = "signed_in"
# As long as Django lets a user's name be.
MAX_USER_NAME = 150
# No chain of proxies is longer, and a stranger's may not keep the loop busy.
MAX_HOPS = 16


def settle_user(scope: dict[str, Any], trusted: NetworkSet, header: bytes) -> None:
    """Take a header, in small letters, out of an ASGI scope, and keep what it names where a trusted proxy sent it.

    It comes before settle_client(), which puts the device's address into the place of the proxy's.
    """
    values = [value for name, value in scope["headers"] if name == header]
    if not values:
        return
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != header]
    peer = parse_address(scope["client"][0]) if scope.get("client") else None
    if peer is None or peer not in trusted:
        return
    # Two of them are nobody's name, nor is one that was cut or has marks in it that no database takes.
    name = b",".join(values).decode("utf-8", "replace").strip()
    if len(name) > MAX_USER_NAME:
        name = f"{name[:MAX_USER_NAME]}…"
    if name:
        scope[SIGNED_IN] = name if name.isprintable() else ascii(name)


def settle_client(scope: dict[str, Any], trusted: NetworkSet) -> None:
    """Put the device's address into an ASGI scope, with port 0, where a trusted proxy sent the request.

    X-Forwarded-For is read from its end: each proxy adds the address that it saw, and whatever stands
    before the first that is not trusted may be made up.
    """
    peer = parse_address(scope["client"][0]) if scope.get("client") else None
    if peer is None or peer not in trusted:
        return
    values = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
    if values:
        scope["client"] = [str(forwarded_for(b",".join(values).decode("latin-1"), peer, trusted)), 0]


def forwarded_for(chain: str, peer: Address, trusted: NetworkSet) -> Address:
    """Return the last address of a chain that is not trusted, or the farthest that can be read."""
    address = peer
    for entry in reversed(chain.rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
        told = parse_address(entry)
        if told is None:
            break
        address = told
        if address not in trusted:
            break
    return address


def parse_address(text: str) -> Address | None:
    """Read an address with or without brackets and a port; None for what is none."""
    text = text.strip(' \t"')
    host, bracket, _port = text.removeprefix("[").partition("]")
    if not bracket and text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    # What an IPv4 peer is called on a socket for both.
    return getattr(address, "ipv4_mapped", None) or address
