"""Write what became of a client, oldest first: what Redis and all pods know of it, in one time line."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from streams.api.traces import DEFAULT_MINUTES
from streams.errors import TooManyTraces
from streams.management.arguments import whole
from streams.management.asking import EXIT_STATUS, AskingCommand, client_name, entry_line, fail_unseen
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import Kind, TraceEntry
from streams.roster.tracing.sentence import closing_sentence
from streams.roster.tracing.trace import MAX_MINUTES, Visitor, start_trace, trace
from streams.wire.timestamps import now_iso

LOOK_SECONDS = 1.0
# For how long events are noted when nobody follows any more, and how often that is asked for anew.
FOLLOWED_MINUTES = 2
RENEW_SECONDS = 60.0


class Sentence(msgspec.Struct):
    """How a trace ends."""

    sentence: str


class Command(AskingCommand):
    """Parse, then ask, or ask again and again."""

    help = "Write what became of a client: connects, ends, gaps, and the events that pods remember; never their data."
    usage = "NAME [--minutes N] [--follow] [--json] [-h lists all options]"
    examples = f"""\
examples:
  manage.py trace STORE001-LANE01
  manage.py trace STORE001-LANE01 --minutes 5 --json     one JSON object for each entry, then the sentence
  manage.py trace STORE001-LANE01 --follow               goes on until Ctrl-C, with each event's fate

{EXIT_STATUS}
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take one name, and how far back."""
        parser.add_argument("name", metavar="NAME", type=client_name, help="client name, such as STORE001-LANE01")
        parser.add_argument(
            *("--minutes", "-m"),
            metavar="N",
            type=whole(1, MAX_MINUTES),
            default=DEFAULT_MINUTES,
            help=f"how far back, {MAX_MINUTES} at the most (default {DEFAULT_MINUTES})",
        )
        parser.add_argument("--follow", "-f", action="store_true", help="go on, and let pods note each event meanwhile")
        parser.add_argument("--json", action="store_true", help="one JSON object for each entry on standard output")

    def handle(self, *, name: str, minutes: int, follow: bool, json: bool, **_options: Any) -> None:
        """Write the entries, and how they end."""
        shown: set[bytes] = set()

        async def run(reader: RosterReader) -> None:
            lane = await reader.lane(name)
            async with Visitor(settings.STREAMS.redis_url, settings.STREAMS.redis_channel).present() as visitor:
                entries = await trace(visitor, name, minutes)
                unknown = lane is None and all(entry.kind is Kind.UNANSWERED for entry in entries)
                if unknown and not follow:
                    await fail_unseen(reader, name)
                self._write(entries, shown, json=json)
                if follow:
                    await self._follow(visitor, name, minutes, shown, json=json)
                self._end(closing_sentence(entries, now_iso()), json=json)

        try:
            self.ask(run)
        except KeyboardInterrupt:
            # Who follows ends it so.
            return
        except TooManyTraces as error:
            raise CommandError(str(error), returncode=1) from None

    async def _follow(self, visitor: Visitor, name: str, minutes: int, shown: set[bytes], *, json: bool) -> None:
        renew_at = 0.0
        while True:
            if time.monotonic() >= renew_at:
                await start_trace(visitor, name, FOLLOWED_MINUTES)
                renew_at = time.monotonic() + RENEW_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._write(await trace(visitor, name, minutes), shown, json=json)

    def _write(self, entries: list[TraceEntry], shown: set[bytes], *, json: bool) -> None:
        for entry in entries:
            encoded = msgspec.json.encode(entry)
            if encoded not in shown:
                shown.add(encoded)
                self.stdout.write(encoded.decode() if json else entry_line(entry))
        self.stdout.flush()

    def _end(self, sentence: str, *, json: bool) -> None:
        if json:
            self.write_json(Sentence(sentence))
        else:
            self.stdout.write(sentence)
