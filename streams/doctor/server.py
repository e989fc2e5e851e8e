"""What Redis says of itself, judged: its version, role, journal, disk, memory and clock; pure."""

from __future__ import annotations

from collections.abc import Mapping

from streams.doctor.findings import Finding, bad, look, well

OLDEST = (7, 0)
# Publishers trim it about so: whole nodes of it are left.
LONG_SHARE = 1.5
FULL_SHARE = 0.9
# Deadlines and times in answers are off by as much.
CLOCK_LOOK_SECONDS = 0.5
CLOCK_BAD_SECONDS = 5.0
PAGE = "docs/howto/redis.md"

Fields = Mapping[str, str]


def fields(text: str) -> dict[str, str]:
    """Return what INFO says, by name."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value for name, mark, value in lines if mark}


def version_of(server: Fields) -> tuple[int, ...]:
    """Return the version of Redis whose commands it has; nothing where it is not told."""
    return tuple(int(part) for part in server.get("redis_version", "").split(".") if part.isdecimal())


def judge_version(place: str, server: Fields, seconds: float) -> Finding:
    """Judge the answer to INFO, and how long it took."""
    version = server.get("redis_version", "")
    if not version:
        return look("redis", f"{place} does not tell its version", f"Let its user ask: +info ({PAGE}).")
    own = f"Valkey {server['valkey_version']}, as " if "valkey_version" in server else ""
    says = f"{place} answers in {1000 * seconds:.0f} ms: {own}Redis {version}"
    if version_of(server)[:2] < OLDEST:
        return bad("redis", says, "Use Redis 7.0 or newer, or Valkey.")
    return well("redis", says)


def judge_role(role: str, primary: str) -> Finding:
    """Judge the role; of a replica, `primary` is where its primary is."""
    if role == "master":
        return well("role", "it is a primary")
    if not role:
        return look("role", "it does not tell its role", f"Let its user ask: +role or +info ({PAGE}).")
    says = f"it is a read-only replica of {primary}" if role == "slave" else f"it is no primary but a {role}"
    return bad("role", says, "Let REDIS_URL name the primary: no pod takes clients on another.")


def judge_journal(length: int | None, *, durable_log: bool, usual_length: int) -> Finding:
    """Judge how long the journal is; None where there is none yet."""
    if not durable_log:
        return well("journal", "pods do not read it (DURABLE_LOG=off)")
    if length is None:
        return well("journal", "nobody has published into it yet")
    says = "1 entry" if length == 1 else f"{length:,} entries"
    if length > LONG_SHARE * usual_length:
        remedy = f"Let every publisher trim it: XADD … MAXLEN ~ {usual_length}, as publish() does."
        return look("journal", f"{says}, of which {usual_length:,} are meant to be kept", remedy)
    return well("journal", says)


def judge_persistence(persistence: Fields, *, durable_log: bool) -> Finding:
    """Judge what of the journal a restart leaves."""
    if not persistence:
        return look("persistence", "it does not tell what it writes to disk", f"Let its user ask: +info ({PAGE}).")
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if persistence.get(name, "ok") != "ok"
    ]
    if failed:
        says = f"its last write to disk failed ({', '.join(failed)})"
        return bad("persistence", says, "Look at its log and its disk: it may refuse all that is published.")
    if persistence.get("aof_enabled") == "1":
        return well("persistence", "the journal is kept over a restart (AOF)")
    if not durable_log:
        return well("persistence", "nothing that pods read needs a disk")
    saved = persistence.get("rdb_last_save_time", "0")
    says = "a restart loses what of the journal came after the last snapshot (AOF is off)"
    if saved == "0":
        says = "a restart loses the journal (AOF is off)"
    return look("persistence", says, f"appendonly yes, or live with the gaps that clients are then told of: {PAGE}.")


def judge_memory(memory: Fields) -> Finding:
    """Judge what it does when it is full."""
    if not memory:
        return look("memory", "it does not tell how full it is", f"Let its user ask: +info ({PAGE}).")
    limit, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    policy = memory.get("maxmemory_policy", "noeviction")
    says = f"{_mib(used)} of {_mib(limit)}, {policy}" if limit else f"{_mib(used)}, without a limit"
    if limit and policy.startswith("allkeys"):
        return bad("memory", f"{says}: it may delete the journal", "maxmemory-policy noeviction.")
    if limit and policy != "noeviction":
        return look("memory", f"{says}: it may delete what has a time to live", "maxmemory-policy noeviction.")
    if limit and used > FULL_SHARE * limit:
        return look("memory", says, "Raise maxmemory: when it is full nobody can publish into the journal.")
    return well("memory", says)


def judge_clock(ahead_seconds: float, doubt_seconds: float) -> Finding:
    """Judge by how much Redis' clock is ahead of this machine's, which is known but for a doubt."""
    off = max(0.0, abs(ahead_seconds) - doubt_seconds)
    if off < CLOCK_LOOK_SECONDS:
        return well(
            "clock", f"that of Redis and of this machine agree within {abs(ahead_seconds) + doubt_seconds:.3f} s"
        )
    way = "ahead of" if ahead_seconds > 0 else "behind"
    says = f"that of Redis is {abs(ahead_seconds):.1f} s {way} this machine's"
    remedy = "Look at NTP on both: deadlines (ttlMs, deliverBy) are off by as much."
    return bad("clock", says, remedy) if off >= CLOCK_BAD_SECONDS else look("clock", says, remedy)


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
