"""How scripts read keys of the roster under which somebody else may have written."""

from __future__ import annotations

# Of another type a key reads as nothing, and its name is added to `foreign`, so that the other stores are read.
READ = """
local foreign = {}
local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then
    error(reply.err)
  end
  foreign[#foreign + 1] = key
  return {}
end
local function size_of(key)
  return tonumber(read('HLEN', key)) or 0
end
"""
