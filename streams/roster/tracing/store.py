"""What Redis keeps of traces: a stream of transitions and one of events for each client, and who is traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import redis.asyncio

from streams.errors import TooManyTraces
from streams.roster.keys import TRACE, TRACED, TRACING, prefix, store_of
from streams.roster.tracing.entries import Kind, TraceEntry, decode, encode
from streams.roster.tracing.recorder import MAX_TRACED, Noted

KEPT_SECONDS = 86_400
MAX_TRACED_EVENTS = 5_000
MAX_TRACE_MINUTES = 60
# Of one client, for one who looks.
READ_TRANSITIONS = 500
READ_EVENTS = 2_000
# For one who looks at many.
READ_OF_EACH = 50
FIELD = b"entry"

# ARGV: for how long a client's entries are kept, and a batch of them: {key, how many are kept, entry}, and
# where that is of no lane that nobody knows, what is known of which lane: {…, key, name}.
# What pods wrote at once comes in one message, as a command for each would cost the pod more than the rest of it.
# To cut a stream to the exact length costs Redis 0.3 µs more than to cut it where that is easy.
WRITE = """
local touched = {}
for _, noted in ipairs(cmsgpack.unpack(ARGV[2])) do
  -- What is somebody else's key knows nobody.
  if not noted[4] or redis.pcall('HEXISTS', noted[4], noted[5]) == 1 then
    redis.call('XADD', noted[1], 'MAXLEN', '=', noted[2], '*', 'entry', noted[3])
    if not touched[noted[1]] then
      touched[noted[1]] = true
      redis.call('EXPIRE', noted[1], ARGV[1])
    end
  end
end
"""

# ARGV: the key, a name, for how many milliseconds it is traced, 0 for no longer, and how many are at most.
# What is in the hash are moments by Redis' clock. Returns 0 where too many are traced already.
TRACE_ON = """
local time, key, others = redis.call('TIME'), ARGV[1], 0
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', key)
for place = 1, #all, 2 do
  if tonumber(all[place + 1]) <= now then
    redis.call('HDEL', key, all[place])
  elseif all[place] ~= ARGV[2] then
    others = others + 1
  end
end
if tonumber(ARGV[3]) == 0 then
  redis.call('HDEL', key, ARGV[2])
elseif others >= tonumber(ARGV[4]) then
  return 0
else
  redis.call('HSET', key, ARGV[2], string.format('%.0f', now + ARGV[3]))
  redis.call('EXPIRE', key, LONGEST)
end
return 1
""".replace("LONGEST", str(60 * MAX_TRACE_MINUTES + 60))


class Stored(NamedTuple):
    """What Redis has of a client, in its order; `now` is Unix time by Redis' clock."""

    now: float
    entries: list[TraceEntry]


def batch(channel: str, noted: list[Noted], kept: int) -> bytes:
    """Return what WRITE takes of entries; `kept` is how many transitions are kept of a client."""
    transitions, events, known = channel + TRACE, channel + TRACED, prefix(channel) + "known:"
    return msgspec.msgpack.encode(
        [
            (events + name, MAX_TRACED_EVENTS, encode(entry).decode())
            if entry.kind is Kind.EVENT or entry.fate
            else (
                transitions + name,
                kept,
                encode(entry).decode(),
                *((known + store_of(name), name) if of_known else ()),
            )
            for name, _moment, entry, _gap, of_known in noted
        ]
    )


async def read(client: redis.asyncio.Redis, channel: str, name: str) -> Stored:
    """Read what there is of a client: its latest transitions, and its latest events."""
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.xrevrange(channel + TRACE + name, count=READ_TRANSITIONS)
        pipeline.xrevrange(channel + TRACED + name, count=READ_EVENTS)
        (seconds, microseconds), transitions, events = await pipeline.execute()
    noted = entries_of(events)
    entries = entries_of(transitions) + noted
    if len(events) >= READ_EVENTS and noted:
        entries.append(TraceEntry(Kind.LEFT_OUT, at=noted[0].at, fate=noted[0].fate))
    return Stored(seconds + microseconds / 1_000_000, entries)


async def read_transitions(
    client: redis.asyncio.Redis, channel: str, names: Sequence[str]
) -> dict[str, list[TraceEntry]]:
    """Read the latest transitions of many clients, by name, oldest first."""
    async with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.xrevrange(channel + TRACE + name, count=READ_OF_EACH)
        return dict(zip(names, map(entries_of, await pipeline.execute()), strict=True))


def entries_of(reply: list[Any]) -> list[TraceEntry]:
    """Read what XREVRANGE answers, oldest first; what is of another version is left out."""
    found: list[TraceEntry] = []
    for _id, fields in reversed(reply):
        try:
            found.append(decode(fields[FIELD]))
        except (KeyError, ValueError):
            continue
    return found


async def trace_on(client: redis.asyncio.Redis, channel: str, name: str, minutes: float) -> None:
    """Note in Redis that a client is traced for so many minutes, 0 for no longer; raises TooManyTraces."""
    milliseconds = round(60_000 * min(minutes, MAX_TRACE_MINUTES))
    # By its digest, as the pods' user of Redis may run scripts.
    done = await client.register_script(TRACE_ON)(args=[channel + TRACING, name, milliseconds, MAX_TRACED])
    if not done:
        raise TooManyTraces(f"{MAX_TRACED} clients are traced already, which is the most; wait or end one of them.")


async def read_traced(client: redis.asyncio.Redis, channel: str, now: float) -> dict[str, float]:
    """Read for how many seconds more each client is traced; `now` is Unix time by Redis' clock."""
    said: Any = await client.hgetall(channel + TRACING)
    return {name.decode(errors="replace"): int(until) / 1000 - now for name, until in said.items()}
