"""The commands that a role asks of Redis, each with a call that changes nothing, and what a refusal means; pure.

The rules of docs/howto/redis.md have the same commands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from streams.doctor.findings import Finding, bad, well
from streams.doctor.roles import GRANTS, Role, commands, named, rule

CHECK = "rights"
PAGES = {
    Role.POD: "docs/howto/redis.md#a-user-for-the-pods",
    Role.PUBLISHER: "docs/howto/redis.md#a-user-for-publishers",
    Role.OPERATOR: "docs/howto/redis.md#a-user-for-operators",
}
# The first that knows CLIENT SETINFO.
SETINFO_VERSION = (7, 2)
SETINFO = "client|setinfo"
# Words of Redis' own source (acl.c, server.c), in small letters.
NO_PERMISSION, UNKNOWN = "no permissions to", "unknown "
TO_RUN, A_CHANNEL = "to run the", "channel"
NO_SCRIPT = "0" * 40
ALL = {Role.POD: "a pod", Role.PUBLISHER: "a publisher", Role.OPERATOR: "an operator"}
SUBSCRIPTIONS = ("subscribe", "psubscribe", "unsubscribe")


class Right(NamedTuple):
    """A command as a rule names it, and a call of it."""

    command: str
    call: tuple[str, ...]


def rights(channel: str, pattern: str, version: tuple[int, ...], role: Role = Role.POD) -> list[Right]:
    """Return a role's calls in an order in which none changes anything for long; those to subscribe are the last.

    What is written goes to one key and one channel of its own, which no pod reads.
    """
    key, other = f"{channel}:doctor", f"{channel}:canary:doctor"
    heard = (channel, f"{channel}:pods:doctor") if role is Role.POD else (f"{channel}:pods:doctor",)
    calls = (
        ("ping", "PING"),
        (SETINFO, "CLIENT", "SETINFO", "lib-name", "sse-doctor"),
        ("client|setname", "CLIENT", "SETNAME", "sse-doctor"),
        ("info", "INFO", "server"),
        ("role", "ROLE"),
        ("time", "TIME"),
        ("publish", "PUBLISH", other, "[]"),
        ("xread", "XREAD", "COUNT", "1", "STREAMS", key, "0"),
        ("xrange", "XRANGE", key, "-", "+", "COUNT", "1"),
        ("xrevrange", "XREVRANGE", key, "+", "-", "COUNT", "1"),
        ("xadd", "XADD", key, "NOMKSTREAM", "*", "event", ""),
        ("xinfo|stream", "XINFO", "STREAM", key),
        ("xlen", "XLEN", f"{channel}:log"),
        ("exists", "EXISTS", key),
        # Nothing where there is nothing, and no number.
        ("set", "SET", key, "", "XX"),
        ("incrby", "INCRBY", key, "none"),
        ("pttl", "PTTL", key),
        ("script|load", "SCRIPT", "LOAD", "return 1"),
        ("evalsha", "EVALSHA", NO_SCRIPT, "0"),
        # While there is a hash, a set can be made no more than a sorted set.
        ("hset", "HSET", key, "field", ""),
        ("expire", "EXPIRE", key, "10"),
        ("pexpire", "PEXPIRE", key, "10000"),
        ("get", "GET", key),
        ("hget", "HGET", key, "field"),
        ("hgetall", "HGETALL", key),
        ("hexists", "HEXISTS", key, "field"),
        ("hmget", "HMGET", key, "field"),
        ("hlen", "HLEN", key),
        ("hkeys", "HKEYS", key),
        ("hscan", "HSCAN", key, "0"),
        ("hincrby", "HINCRBY", key, "field", "none"),
        ("sadd", "SADD", key, ""),
        ("srem", "SREM", key, ""),
        ("spop", "SPOP", key),
        ("sscan", "SSCAN", key, "0"),
        ("sunionstore", "SUNIONSTORE", key, key),
        ("zadd", "ZADD", key, "0", ""),
        ("zrem", "ZREM", key, ""),
        ("zrangebylex", "ZRANGEBYLEX", key, "-", "+"),
        ("zrangebyscore", "ZRANGEBYSCORE", key, "0", "1"),
        ("hdel", "HDEL", key, "field"),
        ("unlink", "UNLINK", key),
        ("del", "DEL", key),
        ("subscribe", "SUBSCRIBE", *heard),
        ("psubscribe", "PSUBSCRIBE", pattern),
        ("unsubscribe", "UNSUBSCRIBE"),
    )
    asked = commands(role) | ({SETINFO} if version >= SETINFO_VERSION else set())
    return [Right(command, tuple(call)) for command, *call in calls if command in asked]


def is_refusal(answer: str) -> bool:
    """Say whether an error that Redis answers means that its user may not, or that there is no such command."""
    return NO_PERMISSION in answer.lower() or answer.lower().startswith(UNKNOWN)


def judge(user: str, channel: str, refusals: Mapping[str, str], role: Role = Role.POD) -> Finding:
    """Judge what Redis answered to the calls that it refused, by command."""
    if not refusals:
        return well(CHECK, f"the user {user} may do all that {ALL[role]} does")
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for command, answer in refusals.items():
        by_kind[_kind(answer.lower())].append(command)
    says = {
        "command": "the commands {}",
        "key": f"keys that begin with {channel}: (to {{}})",
        "channel": "channels (to {})",
        "unknown": "{}, which it does not know",
    }
    refused = [words.format(", ".join(by_kind[kind])) for kind, words in says.items() if kind in by_kind]
    return bad(CHECK, f"Redis refuses the user {user}: {'; '.join(refused)}", _remedy(user, channel, by_kind, role))


def _kind(answer: str) -> str:
    if answer.startswith(UNKNOWN):
        return "unknown"
    if TO_RUN in answer:
        return "command"
    return "channel" if A_CHANNEL in answer else "key"


def _remedy(user: str, channel: str, by_kind: Mapping[str, list[str]], role: Role) -> str:
    words = _lifted(channel, by_kind, role)
    remedies = [f"ACL SETUSER {user} {' '.join(words)}; {PAGES[role]} has the whole rule."] if words else []
    remedies += ["Use Redis 7.0 or newer, or Valkey, and rename no command."] if "unknown" in by_kind else []
    return " ".join(remedies)


def _lifted(channel: str, by_kind: Mapping[str, list[str]], role: Role) -> list[str]:
    """Return the words of a rule that let in what is refused."""
    lifted = [f"+{command}" for command in by_kind.get("command", ())]
    if role is not Role.POD and by_kind.keys() - {"unknown"}:
        # Its commands go with keys of their own.
        return [*rule(role, channel), *(["+" + SETINFO] if "+" + SETINFO in lifted else [])]
    (grant,) = GRANTS[Role.POD]
    keys, channels = named(grant, channel)
    return lifted + (keys if "key" in by_kind else []) + (channels if "channel" in by_kind else [])
