"""Publish events for trying out, testing and repairing."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from streams import samples
from streams.broker import publisher
from streams.errors import InvalidEvent, RedisUnavailable
from streams.wire.events import ACTIONS

EXAMPLES = """
examples:
  manage.py publish_event STORE001-LANE01 signature
  manage.py publish_event STORE001-LANE01 payment 5           five at once
  manage.py publish_event STORE001-LANE01 alert 10 1000       ten, one a second
  manage.py publish_event STORE001-LANE01 status --data '{"paper": "low"}'
  manage.py publish_event STORE001-LANE01 receipt --event-id evt-123 --json

  manage.py publish_event STORE001-LANE01 signature --durable --ttl-ms 60000

exit status: 0 published, 1 Redis cannot be reached, 2 wrong arguments, 3 nobody listened (--strict)
"""

MAX_COUNT = 10_000_000
MAX_INTERVAL_MS = 86_400_000
MAX_TTL_MS = 7 * 86_400_000
UNHEARD_STATUS = 3
# Redis tells how many pods listen, and nothing of their clients.
UNKNOWN = "delivery is not known"
USAGE = "%(prog)s CLIENT ACTION [COUNT] [INTERVAL_MS] [options; -h lists them]"
# A shorter run is over before a bar would be read.
PROGRESS_COUNT = 20


class Command(BaseCommand):
    """Parse, then publish."""

    help = "Publish COUNT events for CLIENT on the Redis channel, INTERVAL_MS apart."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the examples."""
        kwargs |= {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Beside an error Django's own options would be seven lines about nothing that is wrong.
        parser.usage = USAGE
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what the original's test publisher took, and a few options."""
        parser.add_argument("client", metavar="CLIENT", help="client name, such as STORE001-LANE01")
        parser.add_argument("action", metavar="ACTION", help=f"one of {', '.join(ACTIONS)}; or any other, with --data")
        parser.add_argument("count", metavar="COUNT", nargs="?", type=whole(1, MAX_COUNT), default=1)
        parser.add_argument("interval", metavar="INTERVAL_MS", nargs="?", type=whole(0, MAX_INTERVAL_MS), default=0)
        # Suppressed, since `null` is data too.
        parser.add_argument(
            "--data",
            metavar="JSON",
            type=json_value,
            default=argparse.SUPPRESS,
            help="the event's data instead of a sample",
        )
        parser.add_argument("--event-id", metavar="ID", help="the event's id instead of a random one; COUNT must be 1")
        parser.add_argument(
            "--ttl-ms", metavar="MS", type=whole(1, MAX_TTL_MS), help="never deliver it later than this"
        )
        parser.add_argument("--durable", action="store_true", help="into the journal, which pods catch up on")
        parser.add_argument("--strict", action="store_true", help="exit with 3 where no pod was listening")
        parser.add_argument("--json", action="store_true", help="one JSON object per event on standard output")

    def handle(self, **options: Any) -> None:
        """Publish one event after the other and say what became of each."""
        count: int = options["count"]
        if options["event_id"] is not None and count != 1:
            raise CommandError("--event-id names one event, so COUNT must be 1.", returncode=2)
        if "data" not in options and options["action"] not in ACTIONS:
            raise CommandError(no_sample(options["action"]), returncode=2)
        # Stands on standard error and only where a person looks at it.
        bar = tqdm(total=count, unit="event", disable=None if count >= PROGRESS_COUNT else True)
        unheard = 0
        with bar:
            for number in range(count):
                if number:
                    time.sleep(options["interval"] / 1000)
                receipt = self._publish(options)
                unheard += receipt.receivers == 0
                self._report(receipt, options, bar)
                bar.update()
        if unheard and options["strict"]:
            raise CommandError(f"no pod was listening for {unheard} of {count} event(s).", returncode=UNHEARD_STATUS)
        if unheard:
            self.stderr.write(f"[PUBLISHED] Warning: no pod was listening for {unheard} of {count} event(s).")

    def _publish(self, options: dict[str, Any]) -> publisher.Receipt:
        action = options["action"]
        data = options["data"] if "data" in options else samples.sample_data(action)
        try:
            return publisher.publish(
                options["client"],
                action,
                data,
                event_id=options["event_id"],
                ttl_ms=options["ttl_ms"],
                durable=options["durable"],
            )
        except InvalidEvent as error:
            raise CommandError(str(error), returncode=2) from None
        except RedisUnavailable as error:
            raise CommandError(str(error), returncode=1) from None

    def _report(self, receipt: publisher.Receipt, options: dict[str, Any], bar: tqdm[Any]) -> None:
        client, action = options["client"], options["action"]
        if options["json"]:
            fields = {
                "clientName": client,
                "action": action,
                "eventId": receipt.event_id,
                "receivers": receipt.receivers,
                "logId": receipt.log_id,
            }
            line = msgspec.json.encode(fields).decode()
        else:
            pods = f"handed to {receipt.receivers} pod{'' if receipt.receivers == 1 else 's'}"
            where = pods if receipt.log_id is None else f"in the journal as {receipt.log_id}"
            line = f"[PUBLISHED] {action} to {client}: {receipt.event_id}, {where}; {UNKNOWN}"
        # In one write: another program may share the terminal.
        bar.write(f"{line}\n", file=sys.stdout, end="")


def no_sample(action: str) -> str:
    """Say what to do about an action that there is no sample of."""
    near = difflib.get_close_matches(action, ACTIONS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are samples of {', '.join(ACTIONS)}."
    return f"There is no sample of the action {action!r}: {hint} Any other action needs --data."


def whole(low: int, high: int) -> Any:
    """Return an argument type for whole numbers between two bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def json_value(text: str) -> Any:
    """Parse an argument that holds JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
