"""What the roster's hashes hold of lanes, and the scripts that read it or say what is expected; pure.

Moments are milliseconds by Redis' clock since 1970, and 0 is none. Days are counted since 1970, in UTC.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from streams.roster.keys import SEPARATOR
from streams.roster.lives import LIFE_SECONDS
from streams.roster.reading.foreign import READ
from streams.roster.script import DAYS, Said

DAY_MS = 86_400_000
ALL_DAYS: int = 2**DAYS - 1
# Quicker than Said(…), which each lane would cost.
SAID = {str(said): said for said in Said}
# Ends what is known of a lane that somebody said is expected.
EXPECTED_END = f" {Said.EXPECTED}"
# A store with more lanes is large: it is read in parts, and its lanes are in an index of their own.
LARGE = 1_000

# ARGV of all scripts begins with the prefix of the keys.
# What stands at the head of most answers: the time, what the tally holds, and the pods' lives.
HEAD = """
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tally, pods = redis.call('HGETALL', prefix .. 'tally'), redis.call('HGETALL', prefix .. 'pods')
local here = prefix .. 'here:' .. (redis.call('HGET', prefix .. 'tally', 'history') or '') .. ':'
local seen, known, summaries = prefix .. 'seen:', prefix .. 'known:', prefix .. 'summary'
"""

# ARGV: stores. Of each its summary and its three hashes, which are left out of a large one; then foreign keys.
READ_STORES = (
    READ
    + HEAD
    + """
local found = {}
for place = 2, #ARGV do
  local store = ARGV[place]
  local parts = {redis.call('HGET', summaries, store)}
  if size_of(known .. store) <= LARGE then
    for number, key in ipairs({here, seen, known}) do
      parts[number + 1] = read('HGETALL', key .. store)
    end
  end
  found[#found + 1] = parts
end
return {now, tally, pods, found, foreign}
""".replace("LARGE", str(LARGE))
)

# ARGV: a store, then names of its lanes. The store's summary, and of each name what three hashes hold.
READ_LANES = (
    READ
    + HEAD
    + """
local store, found = ARGV[2], {redis.call('HGET', summaries, ARGV[2])}
for number, key in ipairs({here, seen, known}) do
  found[number + 1] = read('HMGET', key .. store, unpack(ARGV, 3))
end
return {now, tally, pods, found}
"""
)

# ARGV: names. Of each who has it, and how its last connection ended.
READ_CLAIMS = (
    HEAD
    + """
local found = {}
for place = 2, #ARGV do
  local name = ARGV[place]
  local store = string.match(name, '^([^SEPARATOR]*)SEPARATOR') or ''
  found[place - 1] = {redis.call('HGET', here .. store, name), redis.call('HGET', seen .. store, name)}
end
return {now, tally, pods, found}
""".replace("SEPARATOR", f"%{SEPARATOR}")
)

# ARGV: a part of a name in small letters, then stores. Those of them that are large, or have such a lane.
FIND_STORES = (
    READ
    + """
local found = {}
for place = 3, #ARGV do
  local store = ARGV[place]
  local key = ARGV[1] .. 'known:' .. store
  if size_of(key) > LARGE then
    found[#found + 1] = store
  else
    for _, name in ipairs(read('HKEYS', key)) do
      if string.find(string.lower(name), ARGV[2], 1, true) then
        found[#found + 1] = store
        break
      end
    end
  end
end
return found
""".replace("LARGE", str(LARGE))
)

READ_TOTALS = HEAD + "return {now, tally, pods, redis.call('HGETALL', prefix .. 'totals')}"

# ARGV: an index of stores, the lowest of them, and how many. Their names, and their summaries.
READ_SUMMARIES = """
local stores = redis.call('ZRANGEBYLEX', ARGV[1] .. ARGV[2], ARGV[3], '+', 'LIMIT', 0, ARGV[4])
return {stores, #stores > 0 and redis.call('HMGET', ARGV[1] .. 'summary', unpack(stores)) or {}}
"""

# ARGV: a store, how many of the names that follow are expected, and these; those behind them are not any more.
EXPECT = """
local store, expected = ARGV[2], tonumber(ARGV[3])
local known = ARGV[1] .. 'known:' .. store
for place = 4, #ARGV do
  local name, was = ARGV[place], redis.call('HGET', known, ARGV[place])
  local days = was and string.match(was, '^(%d+ %d+) ')
  if place < 4 + expected then
    redis.call('HSET', known, name, (days or '0 0') .. ' EXPECTED')
    redis.call('ZADD', ARGV[1] .. 'stores', 0, store)
  elseif days == '0 0' then
    redis.call('HDEL', known, name)
  elseif days then
    redis.call('HSET', known, name, days .. ' LEARNED')
  end
end
return redis.call('SADD', ARGV[1] .. 'dirty', store)
""".replace("EXPECTED", Said.EXPECTED).replace("LEARNED", Said.LEARNED)

# ARGV: a store, and a lane of it. Whether it was known.
RETIRE = (
    HEAD
    + """
local store, name = ARGV[2], ARGV[3]
local here, known = here .. store, known .. store
local entry, was = redis.call('HGET', here, name), redis.call('HGET', known, name)
if not entry and (not was or string.find(was, ' RETIRED$')) then
  return 0
end
local beat = entry and redis.call('HGET', prefix .. 'pods', string.match(entry, '^%S+'))
local heard = tonumber(beat and string.match(beat, '^%d+') or 0)
if now - heard < LIFE_MS then
  -- It stays for as long as it is connected.
  redis.call('HSET', known, name, '0 0 RETIRED')
else
  redis.call('HDEL', here, name)
  redis.call('HDEL', known, name)
end
redis.call('HDEL', seen .. store, name)
redis.call('ZREM', prefix .. 'large:' .. store, name)
redis.call('SADD', prefix .. 'dirty', store)
return 1
""".replace("RETIRED", Said.RETIRED).replace("LIFE_MS", str(round(1000 * LIFE_SECONDS)))
)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Who holds a lane."""

    life: str
    number: int
    opened: int


class Ended(NamedTuple):
    """The last end of a lane's connections."""

    at: int = 0
    reason: str = ""
    pod_name: str = ""


NEVER = Ended()


class Known(NamedTuple):
    """On which of the DAYS until a day a lane was there: the lowest bit is that day, the next the one before."""

    day: int
    days: int
    said: Said


class Held(NamedTuple):
    """What three hashes hold of lanes of one store, by name, as it stands there."""

    here: dict[str, str]
    seen: dict[str, str]
    known: dict[str, str]

    @property
    def said(self) -> bool:
        """Say whether somebody said which lanes this store has."""
        return any(known.endswith(EXPECTED_END) for known in self.known.values())


class Tallied(NamedTuple):
    """What the tally holds of itself.

    `history` names the Redis whose claims are read, which began at a moment; `coming` is another one, in which
    pods claim since `coming_since`. `missing_ms` is MISSING_SECONDS. All was looked at at `at`, and then the
    lives `alive` were heard.
    """

    history: str | None = None
    began: int = 0
    coming: str | None = None
    coming_since: int = 0
    missing_ms: int | None = None
    at: int = 0
    alive: frozenset[str] = frozenset()


def read_tallied(reply: list[bytes]) -> Tallied:
    """Read what HGETALL says of the tally."""
    fields = read_hash(reply)
    return Tallied(
        fields.get("history"),
        read_count(fields.get("began")) or 0,
        fields.get("coming"),
        read_count(fields.get("coming_since")) or 0,
        read_count(fields.get("missing_ms")),
        read_count(fields.get("at")) or 0,
        frozenset(fields.get("alive", "").split()),
    )


def read_hash(reply: list[bytes]) -> dict[str, str]:
    """Read what HGETALL says."""
    words = [word.decode(errors="replace") for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def read_held(reply: list[list[bytes]]) -> Held:
    """Read three hashes."""
    return Held(*map(read_hash, reply))


def read_fields(names: list[str], reply: list[bytes | None]) -> dict[str, str]:
    """Read what HMGET says of names."""
    found = zip(names, reply or [None] * len(names), strict=True)
    return {name: value.decode(errors="replace") for name, value in found if value is not None}


def read_names(members: Iterable[bytes]) -> list[str]:
    """Read members of an index; without what is no text, which nobody of ours wrote and no cursor can go on from."""
    found = []
    for member in members:
        with contextlib.suppress(UnicodeDecodeError):
            found.append(member.decode())
    return found


def read_count(written: str | bytes | None) -> int | None:
    """Read a number; None where there is none."""
    try:
        return int(written or "")
    except ValueError:
        return None


def read_entry(written: str | None) -> Entry | None:
    """Read who holds a lane; None where nobody does, or in what is of another version."""
    if not written:
        return None
    try:
        life, number, opened = written.split(" ")
        return Entry(life, int(number), int(opened))
    except ValueError:
        return None


# What is known of a lane is what is known of thousands of others.
@functools.lru_cache(maxsize=1024)
def read_known(written: str | None) -> Known | None:
    """Read what is known of a lane; None as read_entry()."""
    try:
        day, days, said = (written or "").split(" ")
        return Known(int(day), int(days), SAID[said])
    except (ValueError, KeyError):
        return None


def read_ended(written: str | None) -> Ended:
    """Read how a lane's last connection ended."""
    if not written:
        return NEVER
    try:
        at, reason, pod_name = written.split(" ", 2)
        return Ended(int(at), reason, pod_name)
    except ValueError:
        return NEVER


def days_at(known: Known, entry: Entry | None, last: int, day: int) -> int:
    """Return on which of the DAYS until a day a lane was there, as bits; it had its entry until a moment, `last`."""
    days = known.days if known.day >= day else known.days << min(DAYS, day - known.day)
    if entry is not None:
        # min() and max() would cost as much as the rest.
        newest, oldest = day - last // DAY_MS, day - entry.opened // DAY_MS
        if newest <= 0 and oldest <= 0:
            days |= 1
        elif newest < DAYS:
            newest = max(0, newest)
            days |= (2 << min(DAYS, max(newest, oldest))) - (1 << newest)
    return days & ALL_DAYS
