"""How scripts read keys of the roster under which somebody else may have written."""

from __future__ import annotations

import logging
from collections.abc import Collection

from streams.logs import Sparingly, quoted

logger = logging.getLogger("sse.redis")

# In a line of log.
MAX_NAMED = 3
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


def report_foreign(keys: Collection[str], said: Sparingly) -> None:
    """Name keys in the log, unless that was done a moment ago."""
    if keys and said.due():
        logger.warning(
            "Under keys of the roster somebody else has written; they count as empty. Delete them: %s (keys: %d)",
            quoted(", ".join(sorted(keys)[:MAX_NAMED])),
            len(keys),
        )
