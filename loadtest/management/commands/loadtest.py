"""`manage.py loadtest`: put a pod under load and check what it delivers."""

from __future__ import annotations

import re
import sys
import time
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from loadtest.errors import ImpossiblePlan, LoadTestError
from loadtest.plan import MAX_CONNECTIONS, Plan, check, is_loopback
from loadtest.progress import Bar
from loadtest.report import table
from loadtest.running import LoadTest
from streams.auth.results import BadKeys
from streams.auth.signing import signing_key
from streams.auth.tokens import rules_of
from streams.broker.clients import address
from streams.conf import StreamSettings
from streams.errors import ConfigurationError
from streams.management.arguments import key_source

EXAMPLES = """
examples:
  manage.py loadtest                                          1,000 streams, 1,000 events a second, 10 s
  manage.py loadtest --connections 10000 --rate 10000 --pid 4242
  manage.py loadtest --rate max                               as fast as the pod delivers
  manage.py loadtest --rate 2000 --http 1                     a request for each event, in place of PUBLISH
  manage.py loadtest --rate 50000 --foreign 0.99              what the other pods' clients cost this one
  manage.py loadtest --connections 10000 --rate 0 --reconnect all drop and come back at once
  manage.py loadtest --connections 10000 --reconnect --key @secret   with a token for each client
  manage.py loadtest --url http://pod-2:3000 --redis redis://cache:6379

exit status: 0; 1 when something was lost, doubled, out of order or could not connect; 2 for wrong arguments
"""

DEFAULTS = Plan()
TOKEN_SECONDS = 24 * 3600


class Command(BaseCommand):
    """Parse the arguments, run the plan, print the result."""

    # A tuple, as an empty list would be one for all commands.
    requires_system_checks = ()
    help = "Hold streams against a pod, publish to Redis or over HTTP, and check every event of every connection."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the line breaks of the examples."""
        kwargs |= {"epilog": EXAMPLES, "formatter_class": RawDescriptionHelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--url", default=DEFAULTS.url, help=f"base URL of the pod (default {DEFAULTS.url})")
        add("--redis", help="URL of the Redis to publish to (default: the settings', if on this machine)")
        add("--channel", help="Redis channel (default: the settings')")
        add(
            "--connections",
            "-n",
            type=_whole(MAX_CONNECTIONS),
            default=DEFAULTS.connections,
            help="streams to hold (default 1000)",
        )
        add("--rate", type=_rate, default=DEFAULTS.rate, help="events a second, 0 for none, max for saturation")
        add(
            "--http",
            type=_whole(500),
            default=DEFAULTS.http,
            metavar="EVENTS",
            help="publish over HTTP, by this pod, so many events in a request (default: to Redis)",
        )
        add("--foreign", type=_share, default=DEFAULTS.foreign, help="share, 0 to 1, for clients elsewhere")
        add("--seconds", type=_seconds, default=DEFAULTS.seconds, help="how long to publish, or to hold (default 10)")
        add("--size", type=_whole(1_048_576), default=DEFAULTS.size, help="bytes of an event's JSON (default 250)")
        add(
            "--window",
            type=_whole(1_000_000),
            default=DEFAULTS.window,
            help="events on their way with --rate max (1000)",
        )
        add("--processes", type=_whole(64), default=DEFAULTS.processes, help="reading processes (default 1)")
        add("--concurrency", type=_whole(100_000), default=DEFAULTS.concurrency, help="connects at a time (default 50)")
        add("--timeout", type=_seconds, default=DEFAULTS.timeout_seconds, help="seconds for one connect (60)")
        add("--reconnect", action="store_true", help="once connected, all drop and come back at once")
        add("--prefix", type=_prefix, default=DEFAULTS.prefix, help="how the clients' names begin (default LOAD)")
        add(
            "--key",
            metavar="@FILE",
            type=key_source,
            help="with what each client's token is signed, a secret or a private key as PEM (default: no tokens)",
        )
        add("--pid", type=_whole(4_194_304), help="process of the pod, on this machine: measures its CPU and memory")
        add("--json", action="store_true", help="print one JSON object instead of the table")

    def handle(self, **options: Any) -> None:
        """Run the test."""
        try:
            plan = _plan(options)
            with Bar() as bar:
                result = LoadTest(plan, bar.show).run()
        except ImpossiblePlan as error:
            raise CommandError(str(error), returncode=2) from None
        except LoadTestError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(msgspec.json.encode(result).decode() if options["json"] else table(result))
        for sentence in result.limits:
            self.stderr.write(self.style.WARNING(sentence))
        if result.interrupted:
            self.stderr.write("Interrupted: these are the figures until then.")
        if faults := result.faults():
            raise CommandError(" ".join(faults))


def _plan(options: dict[str, Any]) -> Plan:
    """Put the options together; what is not on this machine must have been named.

    Raises ImpossiblePlan.
    """
    redis_url = options["redis"] or settings.STREAMS.redis_url
    try:
        redis = address(redis_url)
    except (ConfigurationError, OSError) as error:
        raise ImpossiblePlan(f"The Redis URL cannot be used: {error}") from None
    publishes = options["rate"] is None or options["rate"] > 0
    if publishes and not options["redis"] and not (redis.path or is_loopback(redis.host)):
        raise ImpossiblePlan(f"The settings' Redis is on {redis.host}: name it with --redis to publish there.")
    conf = settings.STREAMS
    plan = Plan(
        url=options["url"],
        redis_url=redis_url,
        channel=options["channel"] or settings.STREAMS.redis_channel,
        connections=options["connections"],
        rate=options["rate"],
        foreign=options["foreign"],
        seconds=options["seconds"],
        size=options["size"],
        window=options["window"],
        processes=min(options["processes"], options["connections"]),
        concurrency=options["concurrency"],
        timeout_seconds=options["timeout"],
        reconnect=options["reconnect"],
        http=options["http"],
        key=_key(options["key"]),
        claims=_claims(conf),
        pid=options["pid"],
        prefix=options["prefix"],
    )
    check(plan)
    return plan


def _key(source: str | None) -> str:
    """Read what tokens are signed with; raises ImpossiblePlan."""
    if source is None:
        return ""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
        signing_key(text)
    except (OSError, ValueError, BadKeys) as error:
        raise ImpossiblePlan(f"--key cannot be used: {error}") from None
    return text


def _claims(conf: StreamSettings) -> dict[str, Any]:
    """Return what tokens say beside their client: they last for as long as any load test."""
    rules, now = rules_of(conf), int(time.time())
    issuer = {"iss": rules.issuer} if rules.issuer else {}
    return {**issuer, "aud": rules.audience, "iat": now, "exp": now + TOKEN_SECONDS}


def _whole(high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= high:
            raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {high}")
        return int(text)

    return parse


def _number(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    # Written so that NaN, which compares false with everything, is refused.
    if not low <= number <= high:
        raise ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
    return number


def _rate(text: str) -> float | None:
    return None if text == "max" else _number(text, 0, 10_000_000)


def _share(text: str) -> float:
    return _number(text, 0, 1)


def _seconds(text: str) -> float:
    return _number(text, 0.1, 86_400)


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", text):
        raise ArgumentTypeError(f"{text!r} is not 1 to 64 characters of A-Z a-z 0-9 . _ : -")
    return text
