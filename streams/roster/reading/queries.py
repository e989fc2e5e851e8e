"""The scripts that read the roster's hashes of lanes, or say what is expected; pure."""

from __future__ import annotations

from streams.roster.keys import SEPARATOR
from streams.roster.lives import LIFE_SECONDS
from streams.roster.reading.foreign import READ, REFUSED
from streams.roster.script import Said

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

# ARGV: names. Of each who has it, which is empty where nobody can say, and how its last connection ended; then foreign
# keys.
READ_CLAIMS = (
    REFUSED
    + HEAD
    + """
local found = {}
for place = 2, #ARGV do
  local name = ARGV[place]
  local store = string.match(name, '^([^SEPARATOR]*)SEPARATOR') or ''
  local entry, ended = redis.pcall('HGET', here .. store, name), redis.pcall('HGET', seen .. store, name)
  if refused(entry, here .. store) or refused(ended, seen .. store) then
    entry, ended = '', false
  end
  found[place - 1] = {entry, ended}
end
return {now, tally, pods, found, foreign}
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
