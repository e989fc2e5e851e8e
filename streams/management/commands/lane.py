"""Say where one lane is, since when, and what became of it last."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
from django.conf import settings

from streams.api.pages import Client, client_of
from streams.errors import CloseReason
from streams.management.asking import EXIT_STATUS, AskingCommand, client_name, entry_line, fail_unseen
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.sentence import closing_sentence
from streams.roster.tracing.trace import MAX_MINUTES, Visitor, trace
from streams.wire.timestamps import now_iso

MAX_SHOWN = 10


class LaneSaid(msgspec.Struct, rename="camel"):
    """What is known of a lane: what Redis says, its last transitions, and how they end."""

    client: Client
    transitions: list[TraceEntry]
    sentence: str


class Command(AskingCommand):
    """Parse, then ask Redis and the pods."""

    help = "Say where a lane is and since when, how it ended last, and its last transitions."
    usage = "NAME [--json] [-h lists all options]"
    examples = f"""\
examples:
  manage.py lane STORE001-LANE01
  manage.py lane STORE001-LANE01 --json

{EXIT_STATUS}
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take one name."""
        parser.add_argument("name", metavar="NAME", type=client_name, help="client name, such as STORE001-LANE01")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, name: str, json: bool, **_options: Any) -> None:
        """Write what is known."""
        said = self.ask(lambda reader: known_of(reader, name))
        if json:
            self.write_json(said)
            return
        client = said.client
        state = self.coloured(client.state, client.state)
        where = f" on {client.pod_name}" if client.pod_name and client.state is LaneState.CONNECTED else ""
        self.stdout.write(f"{name} is {state}{where}{f' since {client.since}' if client.since else ''}")
        self.stdout.write(f"  expected  {'yes' if client.expected else 'no'}")
        if client.missing_since:
            self.stdout.write(f"  away      since {client.missing_since}")
        if client.life:
            self.stdout.write(f"  claim     by {client.pod_name}, life {client.life}")
        if client.address:
            self.stdout.write(f"  device    {client.address} {client.user_agent or ''}".rstrip())
        if client.last_seen_at:
            self.stdout.write(f"  last end  {client.last_seen_at} {client.last_reason}: {meaning(client.last_reason)}")
        for entry in said.transitions:
            self.stdout.write(f"  {entry_line(entry)}")
        self.stdout.write(said.sentence)


def meaning(reason: str | None) -> str:
    """Say what a close reason means, if this version knows it."""
    try:
        return CloseReason(reason or "").sentence
    except ValueError:
        return "it is not known to this version."


async def known_of(reader: RosterReader, name: str) -> LaneSaid:
    """Ask Redis and the pods about a lane."""
    lane = await reader.lane(name)
    if lane is None:
        await fail_unseen(reader, name)
    conf = settings.STREAMS
    async with Visitor(conf.redis_url, conf.redis_channel).present() as visitor:
        entries = await trace(visitor, name, MAX_MINUTES)
        client = client_of(lane)
        if lane.life and (answered := (await visitor.ask(name, {lane.life})).get(lane.life)):
            client.address, client.user_agent = answered.answer.address or None, answered.answer.user_agent or None
            client.event_count = answered.answer.event_count if answered.answer.stream else None
    transitions = [entry for entry in entries if entry.kind is not Kind.EVENT][-MAX_SHOWN:]
    return LaneSaid(client, transitions, closing_sentence(entries, now_iso()))
