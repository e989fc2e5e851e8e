"""The script that publishes: it looks up, appends and notes in one step; pure.

A request of many events is one group, of which all are published or none. https://redis.io/docs/latest/develop/programmability/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from streams.broker.journal.reader import EVENT_FIELD, JOURNAL_LENGTH
from streams.publishing.publication import Draft
from streams.publishing.records import Kept, read_kept, record_of, write_record
from streams.roster.keys import store_of
from streams.roster.lives import LIFE_SECONDS
from streams.roster.reading.held import Held, Tallied, read_tallied
from streams.roster.reading.states import LaneNow, View, look_apart, read_summary, view_of


class Fate(StrEnum):
    """What becomes of a group."""

    TAKEN = "t"
    MISMATCH = "m"
    OVER = "x"
    OFFLINE = "o"


# ARGV: the prefixes of the roster's keys and of records, the journal, the channel, for how many milliseconds a
# record is kept, then of each group how many events it has, whether their clients are looked up, and of each event: its
# message, where it goes, its client and its store, whether that must be connected, whether it has expired, its record,
# how many ids it has, and each of these with its digest. Ids are looked up before any event of a group is published.
PUBLISH = """
local roster, records, journal, channel, kept_ms = unpack(ARGV, 1, 5)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local history = redis.call('HGET', roster .. 'tally', 'history') or ''
local at = 6

local function take(count)
  at = at + count
  return unpack(ARGV, at - count, at - 1)
end

local function read_event()
  local event = {ids = {}}
  local ids
  event.message, event.ingress, event.client, event.store, event.online, event.over, event.record, ids = take(8)
  for number = 1, tonumber(ids) do
    local id, digest = take(2)
    event.ids[number] = {key = records .. id, digest = digest}
  end
  return event
end

local function earlier(event)
  for _, id in ipairs(event.ids) do
    local found = redis.call('GET', id.key)
    if found then return found, string.sub(found, 1, #id.digest) == id.digest end
  end
end

local function look(event)
  local here = redis.call('HGET', roster .. 'here:' .. history .. ':' .. event.store, event.client)
  local life = here and string.match(here, '^%S+') or false
  local beat = life and redis.call('HGET', roster .. 'pods', life)
  local heard = tonumber(beat and string.match(beat, '^%d+') or 0)
  return {
    here, life, beat,
    redis.call('HGET', roster .. 'seen:' .. event.store, event.client),
    redis.call('HGET', roster .. 'known:' .. event.store, event.client),
    redis.call('HGET', roster .. 'summary', event.store),
  }, now - heard < LIFE_MS
end

local function publish(event)
  local place
  if event.ingress == 'log' then
    place = redis.call('XADD', journal, 'MAXLEN', '~', JOURNAL_LENGTH, '*', 'EVENT_FIELD', event.message)
  else
    place = redis.call('PUBLISH', channel, event.message)
  end
  for _, id in ipairs(event.ids) do
    redis.call('SET', id.key, id.digest .. ' ' .. place .. ' ' .. event.record, 'PX', kept_ms)
  end
  return place
end

local function serve(events, looked_up)
  for number, event in ipairs(events) do
    local same
    event.earlier, same = earlier(event)
    if event.earlier and not same then return {'MISMATCH', number - 1} end
    if event.over == '1' and not event.earlier then return {'OVER', number - 1} end
  end
  for number, event in ipairs(events) do
    if looked_up or event.online == '1' then
      local connected
      event.lane, connected = look(event)
      if event.online == '1' and not event.earlier and not connected then
        return {'OFFLINE', number - 1, event.lane}
      end
    end
  end
  local answers = {'TAKEN'}
  for number, event in ipairs(events) do
    answers[number + 1] = {event.earlier or false, event.earlier and '' or publish(event), event.lane or false}
  end
  return answers
end

local groups = {}
while at <= #ARGV do
  local count, looked_up = take(2)
  local events = {}
  for number = 1, tonumber(count) do
    events[number] = read_event()
  end
  groups[#groups + 1] = serve(events, looked_up == '1')
end
return {now, redis.call('HGETALL', roster .. 'tally'), groups}
"""
for _word, _value in {
    "LIFE_MS": str(round(1000 * LIFE_SECONDS)),
    "JOURNAL_LENGTH": str(JOURNAL_LENGTH),
    "EVENT_FIELD": EVENT_FIELD.decode(),
    **{f"'{fate.name}'": f"'{fate}'" for fate in Fate},
}.items():
    PUBLISH = PUBLISH.replace(_word, _value)


class Lookup(NamedTuple):
    """A client as the roster has it when its event is published, None where it was never seen, and its pod's name."""

    lane: LaneNow | None
    view: View


class Published(NamedTuple):
    """What became of one event; `earlier` is the record of the same one, which was published before."""

    earlier: Kept | None
    place: bytes | int
    client: Lookup | None


class Outcome(NamedTuple):
    """What became of a group, and which of its events it is where nothing was published."""

    fate: Fate
    events: Sequence[Published] = ()
    number: int = 0
    client: Lookup | None = None


def group_arguments(drafts: Sequence[Draft], now: float, *, looked_up: bool) -> Iterable[bytes | str | int]:
    """Return the arguments that one group is; `now` is Unix time."""
    yield len(drafts)
    yield int(looked_up)
    for each in drafts:
        name = each.event.client_name
        yield each.message
        yield "log" if each.durable else "channel"
        yield name
        yield store_of(name)
        yield int(each.require_online)
        yield int(each.over is not None)
        yield write_record(record_of(each.event, now, durable=each.durable)) if each.ids else b""
        yield len(each.ids)
        for known in each.ids:
            yield from known


def read_outcomes(reply: Any, groups: Sequence[Sequence[Draft]]) -> list[Outcome]:
    """Read what the script answers of groups."""
    now, tally, answers = reply
    tallied = read_tallied(tally)
    return [_read_group(now, tallied, answer, drafts) for answer, drafts in zip(answers, groups, strict=True)]


def _read_group(now: int, tallied: Tallied, answer: list[Any], drafts: Sequence[Draft]) -> Outcome:
    fate = Fate(answer[0].decode())
    if fate in (Fate.MISMATCH, Fate.OVER):
        return Outcome(fate, number=answer[1])
    if fate is Fate.OFFLINE:
        name = drafts[answer[1]].event.client_name
        return Outcome(fate, number=answer[1], client=_read_lookup(name, answer[2], now, tallied))
    return Outcome(
        fate,
        [
            Published(
                read_kept(earlier) if earlier else None,
                place,
                _read_lookup(each.event.client_name, lane, now, tallied) if lane else None,
            )
            for (earlier, place, lane), each in zip(answer[1:], drafts, strict=True)
        ],
    )


def _read_lookup(name: str, found: list[bytes | None], now: int, tallied: Tallied) -> Lookup:
    here, life, beat, seen, known, written = found
    view = view_of(now, tallied, [life, beat] if life and beat else [])
    held = Held(*({name: value.decode()} if value else {} for value in (here, seen, known)))
    lanes = look_apart([name], held, view, read_summary(written))
    return Lookup(lanes[0] if lanes else None, view)
