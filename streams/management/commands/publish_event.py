"""Publish events for trying out, testing and repairing."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from streams.conf import StreamSettings
from streams.management.arguments import coming_time, json_value, service_address, token_file, whole
from streams.management.explained import ExplainedCommand
from streams.management.publishing.api import Api
from streams.management.publishing.checking import client_sentence, examine, found_sentence
from streams.management.publishing.given import Given, Refusal, checked, no_sample, read_file
from streams.management.publishing.senders import UNHEARD_STATUS, ApiSender, RedisSender, Sender, Sent
from streams.publishing import samples
from streams.publishing.publication import Publication
from streams.wire.events import ACTIONS

EXAMPLES = """
examples:
  manage.py publish_event STORE001-LANE01 signature
  manage.py publish_event STORE001-LANE01 payment 5           five at once
  manage.py publish_event STORE001-LANE01 alert 10 1000       ten, one a second
  manage.py publish_event STORE001-LANE01 status --data '{"paper": "low"}'
  manage.py publish_event STORE001-LANE01 receipt --event-id evt-123 --json

  manage.py publish_event STORE001-LANE01 signature --durable --ttl-ms 60000
  manage.py publish_event STORE001-LANE01 alert --deliver-by 2026-01-05T22:00:00Z
  manage.py publish_event STORE001-LANE01 signature --url http://localhost:3000
  manage.py publish_event --file events.jsonl --check         looks at them and sends nothing

exit status: 0 published, 1 Redis or the pod cannot be reached, 2 wrong arguments, 3 nobody listened (--strict)
"""

MAX_COUNT = 10_000_000
MAX_INTERVAL_MS = 86_400_000
MAX_TTL_MS = 7 * 86_400_000
# Neither Redis nor a pod knows what the device did.
UNKNOWN = "delivery is not known"
# A shorter run is over before a bar would be read.
PROGRESS_COUNT = 20
# Of what is wrong with a file.
SHOWN = 20


class Command(ExplainedCommand):
    """Parse, then publish."""

    help = "Publish COUNT events for CLIENT, INTERVAL_MS apart, or those of a file: through Redis, or with --url a pod."
    examples = EXAMPLES
    usage = "CLIENT ACTION [COUNT] [INTERVAL_MS] [options; -h lists them]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what the original's test publisher took, and options."""
        add = parser.add_argument
        named = (
            add("client", metavar="CLIENT", help="client name, such as STORE001-LANE01"),
            add("action", metavar="ACTION", help=f"one of {', '.join(ACTIONS)}; or any other, with --data"),
        )
        add("count", metavar="COUNT", nargs="?", type=whole(1, MAX_COUNT), default=1)
        add("interval", metavar="INTERVAL_MS", nargs="?", type=whole(0, MAX_INTERVAL_MS), default=0)
        data = "the event's data instead of a sample"
        # Suppressed, since `null` is data too.
        add("--data", metavar="JSON", type=json_value, default=argparse.SUPPRESS, help=data)
        add("--event-id", metavar="ID", help="the event's id instead of a random one; COUNT must be 1")
        add("--ttl-ms", metavar="MS", type=whole(1, MAX_TTL_MS), help="never deliver it later than this")
        add("--deliver-by", metavar="TIME", type=coming_time, help="never deliver it after this time, in ISO 8601")
        add("--durable", action="store_true", help="into the journal, which pods catch up on")
        add("--strict", action="store_true", help="exit with 3 where no pod was listening, or no client as --url knows")
        add("--json", action="store_true", help="one JSON object per event on standard output")
        file = "the events on the lines of a file, or with - of standard input, as the HTTP API takes them"
        add("--file", metavar="PATH", action=InsteadOf, instead=named, help=file)
        add("--check", action="store_true", help="say what a pod would do with it, and publish nothing")
        url = "publish through the HTTP API of this pod or front door; its token is ADMIN_TOKEN in the environment"
        add("--url", type=service_address, help=url)
        add("--token-file", metavar="PATH", dest="token", type=token_file, help="the token is in this file")

    def handle(self, **options: Any) -> None:
        """Publish the events, or look at them."""
        refuse_what_does_not_fit(options)
        api, count = options["url"] is not None, options["count"]
        sender = ApiSender(Api(options["url"], options["token"] or self._conf.admin_token, warn)) if api else None
        if options["check"]:
            given = read_file(options["file"]) if options["file"] else [from_arguments(options)]
            self._check(self._checked(given, options), sender, options)
        elif options["file"]:
            events = all_taken(self._checked(read_file(options["file"]), options))
            self._publish([events], len(events), sender or RedisSender(), options)
        else:
            # What goes to Redis is checked as it goes, and may hold what the API would not take.
            each = (self._checked([event], options) if api else [event] for event in repeated(options))
            self._publish(map(all_taken, each), count, sender or RedisSender(), options)

    @property
    def _conf(self) -> StreamSettings:
        conf: StreamSettings = settings.STREAMS
        return conf

    def _checked(self, found: Iterable[Given | Refusal], options: dict[str, Any]) -> list[Given | Refusal]:
        durable = options["durable"] or None
        return checked(found, self._conf.max_event_bytes, by_api=options["url"] is not None, durable=durable)

    def _publish(self, groups: Iterable[Sequence[Given]], count: int, sender: Sender, options: dict[str, Any]) -> None:
        """Publish one group after the other, and say what became of each event."""
        # Stands on standard error and only where a person looks at it.
        bar = tqdm(total=count, unit="event", disable=None if count >= PROGRESS_COUNT else True)
        unheard = 0
        with bar:
            for events in groups:
                for sent in sender.send(events):
                    unheard += sent.unheard
                    report(sent, bar, as_json=options["json"])
                    bar.update()
        sentence = sender.unheard.format(unheard=unheard, count=count)
        if unheard and options["strict"]:
            raise CommandError(sentence, returncode=UNHEARD_STATUS)
        if unheard:
            self.stderr.write(f"[PUBLISHED] Warning: {sentence}")

    def _check(self, found: Sequence[Given | Refusal], sender: ApiSender | None, options: dict[str, Any]) -> None:
        """Say what would become of each event; raises CommandError where one would be refused."""
        refused = [each for each in found if isinstance(each, Refusal)]
        for looked_at in examine(found, sender.where_is if sender else None):
            if options["json"]:
                self.stdout.write(msgspec.json.encode(looked_at).decode())
            elif looked_at.error is None:
                self.stdout.write(found_sentence(looked_at))
            elif len(found) > 1:
                self.stderr.write(found_sentence(looked_at))
            for warning in [] if options["json"] else looked_at.warnings:
                self.stderr.write(f"Warning: {warning}")
        if refused:
            few = str(refused[0]) if len(found) == 1 else f"{len(refused)} of {len(found)} events would be refused."
            raise CommandError(few, returncode=2)


def refuse_what_does_not_fit(options: dict[str, Any]) -> None:
    """Raise CommandError for arguments that contradict each other."""
    if options["file"]:
        names = {"client": "CLIENT", "action": "ACTION"}
        names |= {"event_id": "--event-id", "ttl_ms": "--ttl-ms", "deliver_by": "--deliver-by"}
        said = [shown for name, shown in names.items() if options.get(name) is not None]
        # Which may be null.
        said += ["--data"] if "data" in options else []
        if said:
            raise CommandError(f"--file has the events, so {said[0]} must be left out.", returncode=2)
    elif options["event_id"] is not None and options["count"] != 1:
        raise CommandError("--event-id names one event, so COUNT must be 1.", returncode=2)
    elif "data" not in options and options["action"] not in ACTIONS:
        raise CommandError(no_sample(options["action"]), returncode=2)
    if options["token"] is not None and options["url"] is None:
        raise CommandError("--token-file has a token for --url, which is missing.", returncode=2)


def from_arguments(options: dict[str, Any]) -> Given:
    """Return one event as the arguments say it."""
    action = options["action"]
    return Given(
        Publication(
            client_name=options["client"],
            action=action,
            data=options["data"] if "data" in options else samples.sample_data(action),
            event_id=options["event_id"],
            ttl_ms=options["ttl_ms"],
            deliver_by=options["deliver_by"],
            durable=options["durable"] or None,
        )
    )


def repeated(options: dict[str, Any]) -> Iterator[Given]:
    """Yield one event after the other, an interval apart."""
    for number in range(options["count"]):
        if number:
            time.sleep(options["interval"] / 1000)
        yield from_arguments(options)


def all_taken(found: Sequence[Given | Refusal]) -> list[Given]:
    """Return events of which none would be refused; raises CommandError, which names those that would be."""
    refused = [each for each in found if isinstance(each, Refusal)]
    if not refused:
        return [each for each in found if isinstance(each, Given)]
    for each in refused[:SHOWN] if len(refused) > 1 else []:
        warn(str(each))
    one = f"{refused[0]} Nothing was published." if refused[0].line else str(refused[0])
    many = f"{len(refused)} of {len(found)} events would be refused, so none was published."
    raise CommandError(one if len(refused) == 1 else many, returncode=2)


def report(sent: Sent, bar: tqdm[Any], *, as_json: bool) -> None:
    """Write what is known of an event that was published."""
    if as_json:
        line = msgspec.json.encode(sent).decode()
    else:
        pods = f"handed to {sent.receivers} pod{'' if sent.receivers == 1 else 's'}"
        where = pods if sent.log_id is None else f"in the journal as {sent.log_id}"
        client = f"its client is {client_sentence(sent.client)}; " if sent.client is not msgspec.UNSET else ""
        line = f"[PUBLISHED] {sent.action} to {sent.client_name}: {sent.event_id}, {where}; {client}{UNKNOWN}"
    # In one write: another program may share the terminal.
    bar.write(f"{line}\n", file=sys.stdout, end="")


def warn(sentence: str) -> None:
    """Write a line about what goes on beside a bar."""
    tqdm.write(sentence, file=sys.stderr)


class InsteadOf(argparse.Action):
    """An option that does without the arguments that are needed otherwise."""

    def __init__(self, *, instead: Sequence[argparse.Action], **options: Any) -> None:
        super().__init__(**options)
        self._instead = instead

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Take the option's value."""
        setattr(namespace, self.dest, values)
        for action in self._instead:
            action.required = False
