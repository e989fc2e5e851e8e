"""List lanes: all of them, a store's, or those in one state."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import CommandError

from streams.api.pages import MAX_LIMIT, client_of
from streams.management.asking import EXIT_STATUS, UNSEEN_STATUS, WIDTH, AskingCommand, store_name
from streams.roster.reading.lanes import Lane, LaneState
from streams.roster.reading.reader import RosterReader
from streams.roster.reading.similar import did_you_mean, similar_stores


class Command(AskingCommand):
    """Parse, then go through the pages."""

    help = "List the lanes of the cluster, in the order of their stores."
    usage = "[--store STORE] [--state STATE] [--json] [-h lists all options]"
    examples = f"""\
examples:
  manage.py lanes --store STORE001
  manage.py lanes --state missing              expected lanes that are away while others of their store are there
  manage.py lanes --state connected --json     one JSON object for each lane

{EXIT_STATUS}
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what the API takes."""
        help_store = "only this store; '' is that of names without a hyphen"
        parser.add_argument("--store", metavar="STORE", type=store_name, help=help_store)
        parser.add_argument("--state", choices=list(map(str, LaneState)), help="only lanes in this state")
        parser.add_argument("--json", action="store_true", help="one JSON object for each lane on standard output")

    def handle(self, *, store: str | None, state: str | None, json: bool, **_options: Any) -> None:
        """Write each page as it comes."""

        async def list_lanes(reader: RosterReader) -> int:
            count, cursor = 0, ""
            while True:
                page = await reader.lanes(
                    store=store, state=LaneState(state) if state else None, cursor=cursor, limit=MAX_LIMIT
                )
                self._write(page.clients, json=json)
                count += len(page.clients)
                if page.next_cursor is None:
                    break
                cursor = page.next_cursor
            if not count and store is not None and await reader.store(store) is None:
                near = did_you_mean(await similar_stores(reader, store))
                raise CommandError(f"No lane of a store {store} is known.{near}", returncode=UNSEEN_STATUS)
            return count

        count = self.ask(list_lanes)
        if not json:
            self.stderr.write(f"{count or 'No'} lane{'' if count == 1 else 's'}")

    def _write(self, lanes: list[Lane], *, json: bool) -> None:
        for lane in lanes:
            if json:
                self.write_json(client_of(lane))
            else:
                self.stdout.write(self._line(lane))

    def _line(self, lane: Lane) -> str:
        state = self.coloured(f"{lane.state:9}", lane.state)
        ended = f"last end {lane.last_seen_at} {lane.last_reason}" if lane.last_seen_at else ""
        since = f"since {lane.since}" if lane.since else ""
        return f"{lane.client_name:{WIDTH}}  {state}  {since:30}  {lane.pod_name or '-':12}  {ended}".rstrip()
