"""Make a token for a device, a back end or an operator: to try things out, or where there is no issuer."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from streams.auth.results import BadKeys
from streams.auth.rights import MAX_PATTERNS
from streams.auth.signing import SigningKey, signed, signing_key
from streams.auth.tokens import MAX_TOKEN_BYTES, rules_of
from streams.conf import StreamSettings
from streams.conf.tokens import split_secrets
from streams.management.arguments import duration, key_source, pattern
from streams.management.explained import ExplainedCommand
from streams.wire.timestamps import iso

DEFAULT_TTL = "8h"
NO_KEY = "There is no key to sign with: name one with --key @FILE, or set TOKEN_SECRET."
NO_RIGHT = "A token for nothing: name a client, or use --publish or --admin."


class Command(ExplainedCommand):
    """Parse, then sign."""

    help = "Write a token on standard output, and what it is for on standard error."
    usage = "[NAME …] [--publish PATTERN] [--admin read|act] [--ttl 8h] [--key @FILE|@-] [-h lists all options]"
    examples = """\
examples:
  manage.py make_token STORE001-LANE01                     for one lane, for 8 hours
  manage.py make_token 'STORE001-*' --ttl 30d              for every lane of a store
  manage.py make_token --sub orders --publish '*'          for a back end that publishes to any client
  manage.py make_token --sub alice --admin read            for an operator who looks
  manage.py make_token STORE001-LANE01 --key @private.pem --kid 2026-11

exit status: 0 it is made, 1 there is no key, or one that pods do not take, 2 wrong arguments
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take rights, how long they last, and where the key is."""
        parser.add_argument(
            "names", metavar="NAME", nargs="*", type=pattern, help="client whose stream may be read, or STORE001-*"
        )
        parser.add_argument(
            *("--publish", "-p"),
            metavar="PATTERN",
            action="append",
            default=[],
            type=pattern,
            help="client that may be published to, or STORE001-*, or *; can be given again",
        )
        parser.add_argument(
            "--admin", action="append", default=[], choices=("read", "act"), help="what an operator may do"
        )
        parser.add_argument("--sub", default="", help="who holds it (default: NAME, where there is one client)")
        parser.add_argument(
            "--ttl",
            metavar="TIME",
            type=duration,
            default=DEFAULT_TTL,
            help=f"how long it lasts (default {DEFAULT_TTL})",
        )
        parser.add_argument(
            "--key",
            metavar="@FILE",
            type=key_source,
            help="a secret or a private key as PEM, in a file, or with @- on standard input (default: TOKEN_SECRET)",
        )
        parser.add_argument("--kid", default="", help="the name of the key, as a JWKS names it")

    def handle(self, *, ttl: int, key: str | None, kid: str, **options: Any) -> None:
        """Write the token."""
        conf: StreamSettings = settings.STREAMS
        if conf.token_max_seconds and ttl > conf.token_max_seconds:
            raise CommandError(f"TOKEN_MAX_SECONDS is {conf.token_max_seconds:g}: --ttl is longer.", returncode=2)
        rights = rights_of(options["names"], options["publish"], options["admin"], options["sub"])
        now = int(time.time())
        rules = rules_of(conf)
        claims = {
            **rights,
            **({"iss": rules.issuer} if rules.issuer else {}),
            "aud": rules.audience,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + ttl,
        }
        token = signed(claims, find_key(conf, key), kid)
        if len(token) > MAX_TOKEN_BYTES:
            raise CommandError(f"The token would be longer than {MAX_TOKEN_BYTES} bytes.", returncode=2)
        self.stdout.write(token)
        self.stderr.write(
            f"Until {iso(now + ttl)}, jti {claims['jti']}. Whoever has it may use it: hand it on as a secret."
        )


def rights_of(names: list[str], publish: list[str], admin: list[str], sub: str) -> dict[str, Any]:
    """Return the claims that say who may do what; one client alone needs no more than its name as `sub`."""
    if not (names or publish or admin):
        raise CommandError(NO_RIGHT, returncode=2)
    if max(len(names), len(publish)) > MAX_PATTERNS:
        raise CommandError(f"A token holds {MAX_PATTERNS} patterns of a kind at most.", returncode=2)
    only = names[0] if len(names) == 1 and not names[0].endswith("*") else ""
    if only and sub in ("", only) and not publish and not admin:
        return {"sub": only}
    given = {"subscribe": names, "publish": publish, "admin": sorted(set(admin))}
    holder = sub or only
    return {**({"sub": holder} if holder else {}), "sse": {right: held for right, held in given.items() if held}}


def find_key(conf: StreamSettings, source: str | None) -> SigningKey:
    """Return the key of a file or of standard input, or the first secret of the pods."""
    if source is None:
        text = next(iter(split_secrets(conf.token_secret)), "")
        if not text:
            raise CommandError(NO_KEY, returncode=1)
    else:
        text = read_key(source)
    try:
        return signing_key(text)
    except BadKeys as error:
        raise CommandError(str(error), returncode=1) from None


def read_key(source: str) -> str:
    """Read what a file holds, or standard input for `-`."""
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"The key in {source} cannot be read: {reason}.", returncode=1) from None
