"""The rules of the page about Redis, as an administrator sends them, and what came of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from streams.doctor.keys import channel_of, key_of
from streams.doctor.roles import Role
from tests.docs.pages import DOCS, section
from tests.support.redis_server import CHANNEL

PAGE = DOCS / "howto/redis.md"
PASSWORD = "of-the-test"
SECTIONS = {
    Role.POD: "A user for the pods",
    Role.PUBLISHER: "A user for publishers",
    Role.OPERATOR: "A user for operators",
}
SHARED = "A user for each role"
USERS = {Role.POD: "sse", Role.PUBLISHER: "sse-publisher", Role.OPERATOR: "sse-operator"}
# The first that knows CLIENT SETINFO.
NEWER = (7, 2)
# What `TYPE` answers, by the words of the page.
TYPES = {"sorted set": "zset"}


def rules(title: str) -> list[list[str]]:
    """Return the commands of a section, in words; a selector is one."""
    blocks = "".join(re.findall(r"(?ms)^```\n(.*?)^```$", section(PAGE, title)))
    commands = re.sub(r"\n +", " ", blocks).splitlines()
    return [re.findall(r"\([^)]*\)|\S+", line) for line in commands if line.startswith("ACL")]


def send(admin: Any, command: Iterable[str]) -> None:
    """Send a command of the page, with a password in its place."""
    words = [word.replace(">PASSWORD", f">{PASSWORD}") for word in command]
    assert admin.execute_command(*words) == b"OK"


def make_users(admin: Any) -> None:
    """Do what the page says."""
    for title in SECTIONS.values():
        send(admin, rules(title)[0])
    version = tuple(int(part) for part in admin.info("server")["redis_version"].split(".")[:2])
    for command in rules(SHARED) if version >= NEWER else ():
        send(admin, command)


def refusals(admin: Any) -> list[Any]:
    """Return what was refused to anybody, but that a connection says what it is to a Redis that does not know it."""
    return [entry for entry in admin.acl_log() if entry["object"] != "client|setinfo"]


def undeclared(admin: Any) -> list[str]:
    """Return the keys and channels that are there and not on the list, or are of another type or life."""
    return [*_strange_keys(admin), *_strange_channels(admin)]


def _strange_keys(admin: Any) -> Iterator[str]:
    for name in map(bytes.decode, admin.scan_iter(f"{CHANNEL}*")):
        key = key_of(CHANNEL, name)
        kind, seconds = admin.type(name).decode(), admin.ttl(name)
        known = key is not None and TYPES.get(key.type, key.type) in (kind, "any") and key.expires is (seconds >= 0)
        # One may have ended meanwhile.
        if kind != "none" and not known:
            yield f"{name}: {kind}, {seconds} s"


def _strange_channels(admin: Any) -> Iterator[str]:
    for name in map(bytes.decode, admin.pubsub_channels(f"{CHANNEL}*")):
        if channel_of(CHANNEL, name) is None:
            yield name


def written(admin: Any) -> set[str]:
    """Return the declared names of all keys that are there."""
    found = (key_of(CHANNEL, name.decode()) for name in admin.scan_iter(f"{CHANNEL}*"))
    return {key.name for key in found if key is not None}
