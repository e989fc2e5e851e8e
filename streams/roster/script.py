"""What pods tell the roster in Redis, and what it answers: one script for claims and releases, in batches.

Redis runs it in one step, so that of two pods that claim one name exactly one has it.
https://redis.io/docs/latest/develop/programmability/eval-intro/
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from streams.roster.keys import SEPARATOR
from streams.roster.reading.foreign import REFUSED

# An entry's moment is put right where it is off by more.
CORRECT_MS = 100
# More than a claim waits in a Redis that stands still.
WAITED_MS = 600_000
# What nobody touches for so long is of a Redis that was replaced, or of a store that is no more. Longer than
# the tally waits before it takes a dead pod's entries away.
HERE_SECONDS = 172_800
# A lane's days are bits: the lowest is the day that is noted beside them, the next the day before.
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
    REFUSED
    + """
local prefix, history, life, pod = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
-- What waited in a Redis that stood still is older by as long.
local waited = now - tonumber(ARGV[5])
if waited < 0 or waited > WAITED_MS then
  waited = 0
end
local midnight = day * 86400000
-- All is claimed again within half a minute, and touched in one minute of each hour.
local touching = time[1] % 3600 < 60
local found, touched = {}, {}
local here_of, known_of, mine_of = prefix .. 'here:' .. history .. ':', prefix .. 'known:', life .. ' '
local dirty, claimed, new = {}, {}, {}
-- By what is known of a lane, which is the same of many: what is known of it when it is there today.
local there_today = {}

local function touch(here, store)
  if not touched[store] then
    touched[store] = true
    -- Only one that is new has no time to live; to ask is cheaper than to set it.
    if touching or redis.call('HLEN', here) == 1 then
      redis.call('EXPIRE', here, HERE_SECONDS)
    end
  end
end

local function mark(stores, store)
  if not stores[store] then
    stores[store] = true
    stores[#stores + 1] = store
  end
end

local function with_days(known, bits)
  local last, days, said = string.match(known, '^(%d+) (%d+) (%d)$')
  last, days = tonumber(last), tonumber(days)
  if not last then
    -- Of another version, or somebody else's.
    return day .. ' ' .. bits .. ' LEARNED'
  end
  if said == 'RETIRED' then
    days, said = 0, 'LEARNED'
  elseif last < day then
    days = bit.lshift(days, math.min(DAYS, day - last))
  end
  return math.max(last, day) .. ' ' .. bit.band(bit.bor(days, bits), ALL_DAYS) .. ' ' .. said
end

-- A connection of a lane has been there from a moment on, until now. One that only ends, `ending`, is not back.
local function note_days(store, name, opened, ending)
  local key, bits = known_of .. store, 1
  if opened < midnight then
    bits = 2 ^ math.min(DAYS, day - math.floor(opened / 86400000) + 1) - 1
  end
  local known = redis.pcall('HGET', key, name)
  if refused(known, key) then
    return
  end
  if not known then
    redis.call('HSET', key, name, day .. ' ' .. bits .. ' LEARNED')
    new[#new + 1] = 0
    new[#new + 1] = store
    return
  end
  if ending and string.find(known, ' RETIRED$') then
    return
  end
  local noted = bits == 1 and there_today[known]
  if not noted then
    noted = with_days(known, bits)
    if bits == 1 then
      there_today[known] = noted
    end
  end
  if noted ~= known then
    redis.call('HSET', key, name, noted)
  end
end

local place = -1
for kind, name, store, number, word in string.gmatch(ARGV[6], '(%l) (([^ SEPARATOR]*)[^ ]*) (%d+) ([^ \\n]+)\\n') do
  place = place + 1
  if store == name then
    store = ''
  end
  local here, mine = here_of .. store, mine_of .. number .. ' '
  local entry = redis.pcall('HGET', here, name)
  local holder, held, since
  if refused(entry, here) then
    kind = 'foreign'
  elseif entry and string.sub(entry, 1, #mine) == mine then
    holder, held, since = life, number, tonumber(string.sub(entry, #mine + 1)) or 0
  elseif entry then
    holder, held, since = string.match(entry, '^(%S+) (%d+) (%d+)$')
    since = tonumber(since)
  end
  local is_mine = holder == life and held == number
  if kind == 'foreign' then
    -- Nobody can have this name until that key is gone.
  elseif kind == 'r' then
    if is_mine or not holder then
      if is_mine then
        redis.call('HDEL', here, name)
        -- A hash without lanes is gone, and the next is new.
        touched[store] = nil
      end
      if not is_mine or since < midnight then
        note_days(store, name, since or now, is_mine)
      end
      local seen = prefix .. 'seen:' .. store
      refused(redis.pcall('HSET', seen, name, now .. ' ' .. word .. ' ' .. pod), seen)
      mark(dirty, store)
    end
  else
    local opened = now - waited - tonumber(word)
    if is_mine then
      if math.abs(since - opened) > CORRECT_MS then
        redis.call('HSET', here, name, mine .. opened)
      end
    elseif kind == 'c' and holder == life and tonumber(held) > tonumber(number) then
      -- A newer connection of this pod has claimed it meanwhile.
    elseif kind == 'c' and holder and holder ~= life and since > opened and since <= now then
      -- One of a time to come is from before Redis' clock was set back.
      found[#found + 1] = {place, 'l', holder, held}
    else
      redis.call('HSET', here, name, mine .. opened)
      note_days(store, name, math.min(opened, since or opened))
      mark(dirty, store)
      mark(claimed, store)
      touch(here, store)
      if holder and holder ~= life then
        found[#found + 1] = {place, 'r', holder, held}
      end
    end
    if touching then
      touch(here, store)
    end
  end
end

-- One call for all stores costs a fraction of one for each.
if #dirty > 0 then
  redis.call('SADD', prefix .. 'dirty', unpack(dirty))
end
if #new > 0 then
  redis.call('ZADD', prefix .. 'stores', unpack(new))
end
-- Looked at when the life ends. It is gone two days after its last claim.
local stores_of_life = prefix .. 'of:' .. life
if #claimed > 0 then
  redis.call('SADD', stores_of_life, unpack(claimed))
end
redis.call('EXPIRE', stores_of_life, HERE_SECONDS)
return {now, found, foreign}
""".replace("SEPARATOR", f"%{SEPARATOR}")
    .replace("WAITED_MS", str(WAITED_MS))
    .replace("CORRECT_MS", str(CORRECT_MS))
    .replace("HERE_SECONDS", str(HERE_SECONDS))
    .replace("ALL_DAYS", str(2**DAYS - 1))
    .replace("DAYS", str(DAYS))
    .replace("LEARNED", Said.LEARNED)
    .replace("RETIRED", Said.RETIRED)
)


def line(item: Item) -> str:
    """Return what the script takes of one item; names have no blanks."""
    kind, name, number, age, reason = item
    return f"{kind} {name} {number} {reason if kind is Kind.RELEASE else round(1000 * age)}\n"


class Answer(NamedTuple):
    """What the script answers: Redis' Unix time in seconds, what is to be acted on, and the foreign keys in its way."""

    redis_time: float
    outcomes: list[Outcome]
    foreign: list[bytes]


def read_answer(reply: list[Any]) -> Answer:
    """Read what the script answers."""
    now_ms, found, foreign = reply
    outcomes = [
        Outcome(int(place), Verdict(verdict.decode()), life.decode(), int(number))
        for place, verdict, life, number in found
    ]
    return Answer(now_ms / 1000, outcomes, foreign)
