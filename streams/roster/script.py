"""What pods tell the roster in Redis, and what it answers: one script for claims and releases, in batches.

Redis runs it in one step, so that of two pods that claim one name exactly one has it.
https://redis.io/docs/latest/develop/programmability/eval-intro/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from streams.roster.keys import SEPARATOR

# An entry's moment is put right where it is off by more.
CORRECT_MS = 100
# More than a claim waits in a Redis that stands still.
WAITED_MS = 600_000
# What nobody touches for so long is of a Redis that was replaced, or of a store that is no more.
HERE_SECONDS = 86_400
DAYS = 14


class Kind(StrEnum):
    """What is said of a name: by its connection's pod, or of a fight that its incumbent won."""

    CLAIM = "c"
    KEEP = "k"
    RELEASE = "r"


class Item(NamedTuple):
    """One name in a batch: the number of its connection in this life, and how old that is.

    `age` is in seconds. A release has a `reason` instead.
    """

    kind: Kind
    client_name: str
    number: int
    age: float = 0.0
    reason: str = ""


class Said(StrEnum):
    """How a lane came to be known: it connected, somebody said that it is expected, or that it is no more."""

    LEARNED = "0"
    EXPECTED = "1"
    RETIRED = "2"


class Verdict(StrEnum):
    """What became of a claim, where that is to be acted on."""

    LOST = "l"
    REPLACED = "r"


class Outcome(NamedTuple):
    """For one item of a batch: who has the name instead, or had it before."""

    place: int
    verdict: Verdict
    life: str
    number: int


# ARGV: the prefix of the keys, the history's id, the life, the pod's name, when it was sent, then a line for each item.
SCRIPT = (
    """
local prefix, history, life, pod = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
local found, touched = {}, {}
-- What waited in a Redis that stood still is older by as long.
local waited = now - tonumber(ARGV[5])
if waited < 0 or waited > WAITED_MS then
  waited = 0
end

local function written(number, opened)
  return life .. ' ' .. number .. ' ' .. string.format('%.0f', opened)
end

local function note_day(store, name)
  local key = prefix .. 'known:' .. store
  local known = redis.call('HGET', key, name)
  if not known then
    redis.call('HSET', key, name, day .. ' 1 0')
    redis.call('ZADD', prefix .. 'stores', 0, store)
    return
  end
  local last, days, said = string.match(known, '^(%d+) (%d+) (%d)$')
  local away = day - tonumber(last)
  if said == 'RETIRED' then
    redis.call('HSET', key, name, day .. ' 1 0')
  elseif away > 0 then
    days = away < DAYS and (tonumber(days) * 2 ^ away + 1) % 2 ^ DAYS or 1
    redis.call('HSET', key, name, day .. ' ' .. string.format('%.0f', days) .. ' ' .. said)
  end
end

local place = -1
for kind, name, number, word in string.gmatch(ARGV[6], '(%l) (%S+) (%d+) (%S+)\\n') do
  place = place + 1
  local store = string.match(name, '^([^SEPARATOR]*)SEPARATOR') or ''
  local here = prefix .. 'here:' .. history .. ':' .. store
  local entry = redis.call('HGET', here, name)
  local holder, held, since
  if entry then
    holder, held, since = string.match(entry, '^(%S+) (%d+) (%d+)$')
  end
  local mine = holder == life and held == number
  if kind == 'r' then
    if mine or not holder then
      redis.call('HDEL', here, name)
      redis.call('HSET', prefix .. 'seen:' .. store, name, string.format('%.0f', now) .. ' ' .. word .. ' ' .. pod)
      redis.call('SADD', prefix .. 'dirty', store)
    end
  else
    local opened = now - waited - tonumber(word)
    if mine then
      if math.abs(tonumber(since) - opened) > CORRECT_MS then
        redis.call('HSET', here, name, written(number, opened))
      end
    elseif kind == 'c' and holder == life and tonumber(held) > tonumber(number) then
      -- A newer connection of this pod has claimed it meanwhile.
    elseif kind == 'c' and holder and holder ~= life and tonumber(since) > opened and tonumber(since) <= now then
      -- One of a time to come is from before Redis' clock was set back.
      found[#found + 1] = {place, 'l', holder, held}
    else
      redis.call('HSET', here, name, written(number, opened))
      redis.call('SADD', prefix .. 'dirty', store)
      note_day(store, name)
      if holder and holder ~= life then
        found[#found + 1] = {place, 'r', holder, held}
      end
    end
    if not touched[store] then
      touched[store] = true
      redis.call('EXPIRE', here, HERE_SECONDS)
    end
  end
end
return {now, found}
""".replace("SEPARATOR", f"%{SEPARATOR}")
    .replace("WAITED_MS", str(WAITED_MS))
    .replace("CORRECT_MS", str(CORRECT_MS))
    .replace("HERE_SECONDS", str(HERE_SECONDS))
    .replace("DAYS", str(DAYS))
    .replace("RETIRED", Said.RETIRED)
)


def line(item: Item) -> str:
    """Return what the script takes of one item; names have no blanks."""
    kind, name, number, age, reason = item
    return f"{kind} {name} {number} {reason if kind is Kind.RELEASE else round(1000 * age)}\n"


def read_answer(reply: list[Any]) -> tuple[float, list[Outcome]]:
    """Read what the script answers: Redis' Unix time in seconds, and what is to be acted on."""
    now_ms, found = reply
    return now_ms / 1000, [
        Outcome(int(place), Verdict(verdict.decode()), life.decode(), int(number))
        for place, verdict, life, number in found
    ]
