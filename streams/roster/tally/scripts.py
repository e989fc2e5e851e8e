"""The scripts of the tally; pure. All that write refuse whoever is not the one that is to, as the lock says."""

from __future__ import annotations

from streams.roster.reading.lanes import LaneState, StoreState, Totals

# What HINCRBY counts, in this order; pods are counted by whoever reads.
TOTALS = tuple(field for field in Totals.__struct_fields__ if field != "pods")
# Instead of a summary: it stands as it is, or the store has no lanes any more.
UNCHANGED, NONE = "", "-"

# ARGV of each begins with the prefix of the keys, and the life of who runs it.
LOCK = """
local prefix, life = ARGV[1], ARGV[2]
local holder = redis.call('GET', prefix .. 'lock')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
LED = (
    LOCK
    + """
if holder ~= life then
  return 0
end
"""
)

# ARGV: for how many ms the lock is. Nothing where another has it; else the time, what the tally holds, the lives.
LEAD = (
    LOCK
    + """
if holder and holder ~= life then
  return {}
end
if not holder then
  -- What its predecessor was looking at.
  redis.call('SUNIONSTORE', prefix .. 'dirty', prefix .. 'dirty', prefix .. 'doing')
  redis.call('DEL', prefix .. 'doing')
end
redis.call('SET', prefix .. 'lock', life, 'PX', ARGV[3])
return {now, redis.call('HGETALL', prefix .. 'tally'), redis.call('HGETALL', prefix .. 'pods')}
"""
)

RESIGN = (
    LED
    + """
return redis.call('DEL', prefix .. 'lock')
"""
)

# ARGV: names and values of what the tally holds of itself.
NOTE = (
    LED
    + """
redis.call('DEL', prefix .. 'tally')
return redis.call('HSET', prefix .. 'tally', unpack(ARGV, 3))
"""
)

FORGET_ALL = (
    LED
    + """
for _, key in ipairs({'tally', 'totals', 'summary', 'later', 'doing'}) do
  redis.call('UNLINK', prefix .. key)
end
for state in string.gmatch('STORE_STATES', '%a+') do
  redis.call('UNLINK', prefix .. 'by:' .. state)
end
for state in string.gmatch('LANE_STATES', '%a+') do
  redis.call('UNLINK', prefix .. 'with:' .. state)
end
return 1
""".replace("STORE_STATES", " ".join(StoreState)).replace("LANE_STATES", " ".join(LaneState))
)

# ARGV: for how many ms the lock is, and how many. Stores that changed, or whose time has come; what is taken is
# being looked at until WRITE has it.
TAKE = (
    LOCK
    + """
if holder ~= life then
  return {}
end
redis.call('PEXPIRE', prefix .. 'lock', ARGV[3])
local due = redis.call('ZRANGEBYSCORE', prefix .. 'later', '-inf', now, 'LIMIT', 0, ARGV[4])
if #due > 0 then
  redis.call('ZREM', prefix .. 'later', unpack(due))
  redis.call('SADD', prefix .. 'dirty', unpack(due))
end
local stores = redis.call('SPOP', prefix .. 'dirty', ARGV[4])
if #stores > 0 then
  redis.call('SADD', prefix .. 'doing', unpack(stores))
end
return stores
"""
)

# ARGV: by how much each of TOTALS changes, then for each store its name, its summary (or UNCHANGED, NONE), its state,
# the states of its lanes, and when to look again (0 is never).
WRITE = (
    LED
    + """
local place = 3
for field in string.gmatch('TOTALS', '[%a_]+') do
  if ARGV[place] ~= '0' then
    redis.call('HINCRBY', prefix .. 'totals', field, ARGV[place])
  end
  place = place + 1
end

local function index(key, listed, store)
  if listed then
    redis.call('ZADD', prefix .. key, 0, store)
  else
    redis.call('ZREM', prefix .. key, store)
  end
end

local here = prefix .. 'here:' .. (redis.call('HGET', prefix .. 'tally', 'history') or '') .. ':'
for place = place, #ARGV, 5 do
  local store, summary, state, lanes, later = unpack(ARGV, place, place + 4)
  if summary ~= 'UNCHANGED' then
    for each in string.gmatch('STORE_STATES', '%a+') do
      index('by:' .. each, each == state, store)
    end
    for each in string.gmatch('LANE_STATES', '%a+') do
      index('with:' .. each, string.find(lanes, each, 1, true), store)
    end
    if summary ~= 'NONE' then
      redis.call('HSET', prefix .. 'summary', store, summary)
    else
      redis.call('HDEL', prefix .. 'summary', store)
      -- A lane may have come meanwhile.
      if redis.call('EXISTS', prefix .. 'known:' .. store, here .. store) == 0 then
        redis.call('ZREM', prefix .. 'stores', store)
      end
    end
  end
  if later == '0' then
    redis.call('ZREM', prefix .. 'later', store)
  else
    redis.call('ZADD', prefix .. 'later', later, store)
  end
  redis.call('SREM', prefix .. 'doing', store)
end
return 1
""".replace("TOTALS", " ".join(TOTALS))
    .replace("UNCHANGED", UNCHANGED)
    .replace("NONE", NONE)
    .replace("STORE_STATES", " ".join(StoreState))
    .replace("LANE_STATES", " ".join(LaneState))
)

# ARGV: the store, then what is gone, as states.Gone has it. What has changed since it was read stays.
CLEAN = (
    LED
    + """
local store = ARGV[3]
local here = prefix .. 'here:' .. (redis.call('HGET', prefix .. 'tally', 'history') or '') .. ':' .. store
local seen, known = prefix .. 'seen:' .. store, prefix .. 'known:' .. store
for _, key in ipairs({here, seen, known}) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    -- Somebody else wrote it.
    return 0
  end
end
for place = 4, #ARGV, 5 do
  local name, entry, was_known, ended, is_known = unpack(ARGV, place, place + 4)
  if entry ~= '' then
    if redis.call('HGET', here, name) == entry then
      redis.call('HDEL', here, name)
      redis.call('HSET', seen, name, ended)
      if is_known ~= was_known and redis.call('HGET', known, name) == was_known then
        redis.call('HSET', known, name, is_known)
      end
    end
  elseif redis.call('HGET', known, name) == was_known and redis.call('HEXISTS', here, name) == 0 then
    redis.call('HDEL', known, name)
    redis.call('HDEL', seen, name)
    redis.call('ZREM', prefix .. 'large:' .. store, name)
  end
end
redis.call('SADD', prefix .. 'dirty', store)
return 1
"""
)

# ARGV: a moment, a later one, and for how many ms that is kept. Whether nobody has answered yet for what came in
# between; whoever asks does from now on.
ANSWER_FOR = (
    LED
    + """
local answered = redis.call('GET', prefix .. 'answered')
if answered and tonumber(answered) > tonumber(ARGV[3]) then
  return 0
end
redis.call('SET', prefix .. 'answered', ARGV[4], 'PX', ARGV[5])
return 1
"""
)
