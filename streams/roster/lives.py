"""The pods' lives: what each says of itself again and again, and whether it is still there; pure but for its script."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

BEAT_SECONDS = 5.0
# For so long the last beat says how it is: one may be late.
STALE_SECONDS = 2 * BEAT_SECONDS + 1.0
# Three beats that did not come.
LIFE_SECONDS = 15.0
# Its clients have come back elsewhere, or are long missing.
FORGET_SECONDS = 86_400.0

# The tally looks every second; from then on what it found last says nothing.
SUMS_SECONDS = 30.0

# ARGV: the prefix of the keys, the life, and what it says of itself, as JSON. The last of the answer is what the
# tally found last: lanes that are missing, stores that are dark, and when that was.
BEAT = """
local time, key = redis.call('TIME'), ARGV[1] .. 'pods'
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HEXISTS', key, ARGV[2])
redis.call('HSET', key, ARGV[2], string.format('%.0f', now) .. ' ' .. ARGV[3])
local sums = redis.call('HMGET', ARGV[1] .. 'totals', 'missing', 'dark_stores')
sums[3] = redis.call('HGET', ARGV[1] .. 'tally', 'at')
return {now, known, redis.call('HGETALL', key), sums}
"""


class Life(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a pod says of itself. Times are ISO 8601.

    `events_per_second` are those that it delivered, over the last beats; `loop_lag_ms` is the longest since the last.
    """

    pod_name: str
    version: str
    started_at: str
    state: str = "ready"
    connections: int = 0
    events_per_second: float = 0.0
    loop_lag_ms: float = 0.0
    address: str = ""
    # Lanes that came to it without a right to their stream.
    refused_lanes: int = 0
    # For how long it has read no good keys from TOKEN_JWKS_URL, where it has one.
    jwks_age_seconds: float | None = None
    # What its clock said when it said this.
    told_at: str = ""


class Heard(msgspec.Struct):
    """A life, and for how many seconds Redis has not heard of it."""

    life: str
    says: Life
    silent_seconds: float

    @property
    def alive(self) -> bool:
        return self.silent_seconds < LIFE_SECONDS


class Cluster(NamedTuple):
    """What a pod knows of the whole cluster, as of its last beat; None is what nobody knows now."""

    pods_alive: int | None = None
    lanes_missing: int | None = None
    stores_dark: int | None = None


NOTHING_KNOWN = Cluster()

_life = msgspec.json.Decoder(Life)


def read_lives(now_ms: int, reply: list[Any]) -> list[Heard]:
    """Read what HGETALL says of all lives at a moment by Redis' clock, in milliseconds; what is of another version is
    left out.
    """
    found: list[Heard] = []
    for life, said in zip(reply[::2], reply[1::2], strict=True):
        heard_ms, _, about = said.partition(b" ")
        try:
            found.append(Heard(life.decode(), _life.decode(about), (now_ms - int(heard_ms)) / 1000))
        except (msgspec.DecodeError, ValueError):
            continue
    return found


def read_cluster(now_ms: int, lives: list[Heard], sums: list[bytes | None]) -> Cluster:
    """Read what a beat says of all pods and of the tally, at a moment by Redis' clock, in milliseconds."""
    missing, dark, at = (int(each or 0) for each in sums)
    alive = sum(heard.alive for heard in lives)
    # None of them has looked at everything yet, or none looks any more.
    if now_ms - at > 1000 * SUMS_SECONDS:
        return Cluster(alive)
    return Cluster(alive, missing, dark)
