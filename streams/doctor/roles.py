"""The users of Redis, one for each role, and the rule that gives each its work and nothing of another's; pure.

docs/howto/redis.md has the same rules. https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from streams.doctor.keys import Channel, Key


class Role(StrEnum):
    """Who connects to Redis: a pod, a back end that publishes there, or who runs the commands that ask."""

    POD = "pod"
    PUBLISHER = "publisher"
    OPERATOR = "operator"


class Grant(NamedTuple):
    """Commands, on keys and channels that each follow `<REDIS_CHANNEL>`; of keys, after `R` or `W` or both.

    `says` is what of a key can be read by these commands, where that is not all.
    """

    commands: str
    keys: tuple[tuple[str, str], ...] = ()
    channels: tuple[str, ...] = ()
    says: str = ""


GLOB_MARKS = re.compile(r"[*?\[\]\\^]")
CANARIES, PODS = ":canary:*", ":pods:*"
TRIED = ("RW", ":doctor")

# The first grant is the user's own, the others are its selectors.
GRANTS: dict[Role, tuple[Grant, ...]] = {
    Role.POD: (
        Grant(
            "subscribe psubscribe unsubscribe publish ping client|setname"
            " xread xrange xrevrange xadd xinfo|stream exists set incrby pttl del time info role"
            " evalsha script|load get unlink expire pexpire"
            " hget hset hdel hexists hlen hkeys hmget hgetall hincrby hscan"
            " sadd srem spop sscan sunionstore zadd zrem zrangebylex zrangebyscore",
            (("RW", ":*"),),
            ("", CANARIES, PODS),
        ),
    ),
    Role.PUBLISHER: (Grant("publish xadd ping", (("W", ":log"),), ("",)),),
    Role.OPERATOR: (
        Grant(
            "subscribe psubscribe unsubscribe ping time info role evalsha script|load"
            " expire hget hset hdel hkeys hlen hmget hgetall hscan xrevrange zrangebylex",
            (("R", ":roster:*"), ("R", ":trace:*"), ("R", ":traced:*"), ("RW", ":tracing"), ("RW", ":revoked"), TRIED),
            (CANARIES, PODS),
        ),
        Grant("publish", (), (PODS, ":canary:doctor*")),
        Grant("xlen", (("R", ":log"),), says="length"),
    ),
}
# For who also runs `doctor --url`, which publishes an event and takes its lane out of the roster again.
FRONT_DOOR = (
    Grant("publish", (), ("",)),
    Grant("xadd", (("W", ":log"),)),
    Grant(
        "hget hset hdel zrem sadd",
        (
            *(("RW", key) for key in (":roster:here:*:DOCTOR", ":roster:seen:DOCTOR", ":roster:known:DOCTOR")),
            ("W", ":roster:large:DOCTOR"),
            ("W", ":roster:dirty"),
        ),
    ),
)


def rule(role: Role, channel: str) -> list[str]:
    """Return the words that follow a user's name, its password and `on` in ACL SETUSER, for every version."""
    own, *selectors = GRANTS[role]
    return [*_words(own, channel), *selected(selectors, channel)]


def selected(grants: Sequence[Grant], channel: str) -> list[str]:
    """Return a selector for each grant."""
    return [f"({' '.join(_words(grant, channel))})" for grant in grants]


def commands(role: Role) -> set[str]:
    """Return the commands that a role may give, on some key or channel."""
    return {command for grant in GRANTS[role] for command in grant.commands.split()}


def access(role: Role, key: Key) -> str:
    """Return what a role may do with a key: `R`, `W` or both, or a word; nothing where it may not touch it."""
    may = {
        grant.says or letter
        for grant in GRANTS[role]
        for letters, name in grant.keys
        if fnmatchcase(key.name, name)
        for letter in letters
    }
    return "".join(sorted(may))


def use(role: Role, channel: Channel) -> str:
    """Return what a role may do on a channel: subscribe (`S`), publish (`P`), both or nothing."""
    letters = {"subscribe": "S", "publish": "P"}
    may = {
        letters.get(command, "")
        for grant in GRANTS[role]
        if any(fnmatchcase(channel.name, name) for name in grant.channels)
        for command in grant.commands.split()
    }
    return "".join(sorted(may, reverse=True))


def named(grant: Grant, channel: str) -> tuple[list[str], list[str]]:
    """Return the words for a grant's keys, and those for its channels."""
    channel = GLOB_MARKS.sub(r"\\\g<0>", channel)
    keys = [f"~{channel}{name}" if letters == "RW" else f"%{letters}~{channel}{name}" for letters, name in grant.keys]
    return keys, [f"&{channel}{name}" for name in grant.channels]


def _words(grant: Grant, channel: str) -> list[str]:
    keys, channels = named(grant, channel)
    return [*channels, *keys, *(f"+{each}" for each in grant.commands.split())]
