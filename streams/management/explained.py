"""How commands say what they take."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
from django.core.management.base import BaseCommand


class ExplainedCommand(BaseCommand):
    """A command with examples at the end of its help, and one line beside an error about its arguments.

    Django's own options would be several lines about nothing that is wrong.
    """

    examples = ""
    usage = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the examples."""
        kwargs |= {"epilog": self.examples, "formatter_class": argparse.RawDescriptionHelpFormatter}
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.usage = f"%(prog)s {self.usage}"
        return parser

    def write_json(self, said: msgspec.Struct) -> None:
        """Write an object on one line."""
        self.stdout.write(msgspec.json.encode(said).decode())
