"""Look at Redis, the pods, the front door and the settings, and say what is not well and what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Any
from urllib.parse import SplitResult

import msgspec
from django.conf import settings
from django.core import checks
from django.core.management.color import no_style

from streams.checks import DESCRIPTORS_ID
from streams.doctor.examination import examine
from streams.doctor.findings import Finding, State
from streams.doctor.process import Said
from streams.doctor.roles import Role
from streams.management.arguments import service_address, token_source
from streams.management.explained import ExplainedCommand

EXAMPLES = """
examples:
  manage.py doctor
  manage.py doctor --url https://sse.example.com    a stream through the front door, too
  manage.py doctor --url https://sse.example.com --token-file token    where streams need one, for DOCTOR-*
  manage.py doctor --json
  manage.py doctor --role operator                  with an operator's user in REDIS_URL

Run it where the pods run, with their environment. It asks Redis as the pods' user does, and changes nothing.
With --url it opens a stream of a name of its own, and publishes one event to it.

exit status: 0 no failure, 1 at least one failure, 2 wrong arguments
"""


class Command(ExplainedCommand):
    """Parse, examine, print."""

    help = "Look at Redis, the pods, the front door and the settings, and say what to do about what is not well."
    # They are looked at with the rest.
    requires_system_checks = ()
    examples = EXAMPLES
    usage = "[--url URL] [--json] [-h lists all options]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the front door's address, and how to answer."""
        help_of_url = "the front door as devices reach it, such as https://sse.example.com"
        parser.add_argument("--url", type=service_address, help=help_of_url)
        parser.add_argument(
            "--role",
            choices=[str(Role.POD), str(Role.OPERATOR)],
            default=str(Role.POD),
            help="whose user REDIS_URL names, so whose rights are looked at (default pod)",
        )
        parser.add_argument(
            "--token-file",
            metavar="FILE",
            dest="token",
            type=token_source,
            help="the token for its stream, - for standard input (default: one made with TOKEN_SECRET, where needed)",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, url: SplitResult | None, role: str, token: str | None, json: bool, **_options: Any) -> None:
        """Print what was found; exit with 1 where it is in the way of the service."""
        # https://no-color.org
        if os.environ.get("NO_COLOR"):
            self.style = no_style()
        door = url.geturl() if url else ""
        report = asyncio.run(examine(settings.STREAMS, door, said(), DESCRIPTORS_ID, Role(role), token or ""))
        if json:
            self.stdout.write(msgspec.json.encode(report).decode())
        else:
            for finding in report.findings:
                self._write(finding)
        if not report.ok:
            sys.exit(1)

    def _write(self, finding: Finding) -> None:
        styles = {
            State.WELL: self.style.SUCCESS,
            State.LOOK: self.style.WARNING,
            State.BAD: self.style.ERROR,
            State.SKIPPED: self.style.HTTP_NOT_MODIFIED,
        }
        state = styles[finding.state](f"{finding.state:7}")
        self.stdout.write(f"{state}  {finding.check:11}  {finding.says}")
        if finding.remedy:
            self.stdout.write(f"{'':22}{finding.remedy}")


def said() -> list[Said]:
    """Return what Django's checks say of all settings."""
    return [
        Said(str(found.id), found.level >= checks.ERROR, " ".join(str(found.msg).split()), str(found.hint or ""))
        for found in checks.run_checks()
        if found.level >= checks.WARNING and not found.is_silenced()
    ]
