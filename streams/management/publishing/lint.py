"""What is legal in an event and surely not meant; pure."""

from __future__ import annotations

import difflib
from datetime import datetime
from math import inf
from typing import Any

import msgspec

from streams.publishing.publication import Publication
from streams.wire.deadlines import deadline_of
from streams.wire.events import ACTIONS
from streams.wire.timestamps import iso, unix_seconds

# Nobody can sign in less; who writes 60 meant seconds.
LEAST_TTL_MS = 1_000
# In a week a lane has asked for its state anew.
LONGEST_SECONDS = 7 * 86_400
MAX_SKEW_SECONDS = 60
# As difflib measures it: one letter of eight.
CLOSE = 0.8


def expires_at(said: Publication, now: float) -> str | None:
    """Return until when an event would be delivered that is published now, in Unix seconds, or None for ever."""
    ends = deadline_of(said, now).expires_at
    return None if ends == inf else iso(ends)


def warnings(said: Publication, now: float) -> list[str]:
    """Return a sentence for each; `now` is Unix time."""
    return [
        *_about_ttl(said),
        *_about_times(said, now),
        *_about_action(said.action),
        *_about_data(said.data),
    ]


def _about_ttl(said: Publication) -> list[str]:
    ttl_ms = said.ttl_ms
    if ttl_ms is None:
        return []
    if ttl_ms < LEAST_TTL_MS:
        return [f"ttlMs counts milliseconds: {ttl_ms} is {ttl_ms / 1000:g} s. Did you mean {ttl_ms * 1000}?"]
    if ttl_ms > LONGEST_SECONDS * 1000:
        return [f"ttlMs counts milliseconds: {ttl_ms} is {ttl_ms / 86_400_000:.0f} days."]
    return []


def _about_times(said: Publication, now: float) -> list[str]:
    found = []
    for name, moment in (("timestamp", said.timestamp), ("deliverBy", said.deliver_by)):
        if isinstance(moment, str) and datetime.fromisoformat(moment).tzinfo is None:
            found.append(f"{name} has no zone and is read as UTC: {moment}")
    sent, ends = unix_seconds(said.timestamp), unix_seconds(said.deliver_by)
    if sent is not None and sent > now + MAX_SKEW_SECONDS:
        found.append(f"timestamp is to come: {said.timestamp}. It is when the event was published.")
    if ends is not None and ends > now + LONGEST_SECONDS:
        found.append(f"deliverBy is {(ends - now) / 86_400:.0f} days from now: {said.deliver_by}")
    return found


def _about_action(action: str) -> list[str]:
    folded = difflib.get_close_matches(action.casefold(), ACTIONS, n=1, cutoff=CLOSE)
    if action in ACTIONS or not folded:
        return []
    return [f"action is {action!a}. Did you mean {folded[0]}?"]


def _about_data(data: Any) -> list[str]:
    if not isinstance(data, str) or data[:1] not in ("{", "["):
        return []
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return []
    return ["data is a string that holds JSON, and not the JSON itself: it was encoded twice."]
