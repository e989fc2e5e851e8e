"""How scripts get past keys of the roster under which somebody else may have written."""

from __future__ import annotations

import logging
from collections.abc import Collection

from streams.logs import Sparingly, quoted

logger = logging.getLogger("sse.redis")

# In a line of log.
MAX_NAMED = 3
# Says whether a key of another type keeps a command from being done, and adds its name to `foreign`: the others go on.
REFUSED = """
local foreign = {}
local function refused(reply, key)
  if type(reply) ~= 'table' or not reply.err then
    return false
  end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then
    error(reply.err)
  end
  foreign[#foreign + 1] = key
  return true
end
"""
# Such a key reads as nothing.
READ = (
    REFUSED
    + """
local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  return refused(reply, key) and {} or reply
end
local function size_of(key)
  return tonumber(read('HLEN', key)) or 0
end
"""
)


def report_foreign(keys: Collection[str], said: Sparingly) -> None:
    """Name keys in the log, unless that was done a moment ago."""
    if keys and said.due():
        logger.warning(
            "Under keys of the roster somebody else has written; they count as empty. Delete them: %s (keys: %d)",
            quoted(", ".join(sorted(keys)[:MAX_NAMED])),
            len(keys),
        )
