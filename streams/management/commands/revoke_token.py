"""Take a token back on all pods, or all that a holder was issued before a moment."""

from __future__ import annotations

import argparse
import sys
import time
from base64 import urlsafe_b64decode
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError
from msgspec import UNSET

from streams.api.problems import Problem
from streams.api.tokens.revoking import USUAL_SECONDS, Revoking, revocation_of
from streams.audit import revoked
from streams.auth.revocations import Revocation
from streams.auth.tokens import MAX_MOMENT, MAX_TOKEN_BYTES
from streams.conf import StreamSettings
from streams.locks.revoking import revoke
from streams.management.asking import AskingCommand
from streams.wire.timestamps import iso

NO_JWT = "Standard input holds no token: three parts of base64url with dots between them."
NAMELESS = "The token has neither jti nor sub: nothing names it, so let its key go instead."
OVER = "The token is over since {}: it opens nothing any more."
ONE_OF = "Name one of --jti and --sub, or none and give the token on standard input."


class Claims(msgspec.Struct):
    """What of a token names it; nothing of it is verified, since whoever may revoke may revoke any."""

    jti: str = ""
    sub: str = ""
    iat: float = 0
    exp: float = 0


class Command(AskingCommand):
    """Parse, then write to Redis what all pods act upon."""

    help = (
        "Revoke a token by its jti, or all that a holder (sub) was issued before a moment, now unless said, or the "
        "token on standard input. Streams that were opened with it end within a second."
    )
    usage = "[--jti ID | --sub NAME [--issued-before TIME]] [--until TIME] [-h lists all options]"
    examples = """\
examples:
  manage.py revoke_token < token
  manage.py revoke_token --jti 7f3c9a
  manage.py revoke_token --sub STORE001-LANE01                all that it has now
  manage.py revoke_token --sub orders --issued-before 2026-01-05T12:00:00Z --until 2026-02-05T12:00:00Z

exit status: 0 it is revoked, 1 Redis cannot be reached, 2 wrong arguments, or no token
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what names tokens; a token itself is no argument, which all users of a machine see."""
        parser.add_argument("--jti", metavar="ID", help="one token")
        parser.add_argument("--sub", metavar="NAME", help="all tokens of a holder")
        parser.add_argument(
            "--issued-before", metavar="TIME", help="with --sub: only older ones (ISO 8601 or Unix seconds; now)"
        )
        parser.add_argument(
            "--until",
            metavar="TIME",
            help="when they have all ended by themselves (default: TOKEN_MAX_SECONDS from now, or 24 h)",
        )

    def handle(
        self, *, jti: str | None, sub: str | None, issued_before: str | None, until: str | None, **_options: Any
    ) -> None:
        """Revoke."""
        conf: StreamSettings = settings.STREAMS
        now = time.time()
        if jti is not None and sub is not None:
            raise CommandError(ONE_OF, returncode=2)
        if jti is None and sub is None:
            asked = named_by(sys.stdin.read(MAX_TOKEN_BYTES + 1).strip(), conf, now)
        else:
            asked = Revoking(jti or UNSET, sub or UNSET)
        asked = Revoking(
            asked.jti,
            asked.sub,
            asked.issued_before if issued_before is None else moment(issued_before),
            asked.until if until is None else moment(until),
        )
        try:
            revocation = revocation_of(asked, conf, now)
        except Problem as problem:
            raise CommandError(problem.detail, returncode=2) from None
        self.reach(lambda client: revoke(client, conf.redis_channel, revocation))
        self.stdout.write(sentence(revocation))


def moment(text: str) -> float | str:
    """Read a time: a number is Unix seconds."""
    try:
        return float(text)
    except ValueError:
        return text


def named_by(token: str, conf: StreamSettings, now: float) -> Revoking:
    """Return what revokes a token: it alone where it has a jti, else all of its holder up to it."""
    parts = token.split(".")
    try:
        payload = parts[1] if len(parts) == 3 else ""
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=Claims)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise CommandError(NO_JWT, returncode=2) from None
    ends = min(max(claims.exp, 0.0), MAX_MOMENT) + conf.token_leeway_seconds
    if claims.exp and ends <= now:
        raise CommandError(OVER.format(iso(claims.exp)), returncode=2)
    if claims.jti:
        return Revoking(jti=claims.jti, until=ends if claims.exp else UNSET)
    if claims.sub:
        # Older ones of the same holder are revoked with it, and may last longer.
        until = max(ends, now + (conf.token_max_seconds or USUAL_SECONDS))
        return Revoking(sub=claims.sub, issued_before=claims.iat + 1 if claims.iat else UNSET, until=until)
    raise CommandError(NAMELESS, returncode=2)


def sentence(revocation: Revocation) -> str:
    """Say what was done."""
    done = revoked(revocation.jti, revocation.sub, iso(revocation.issued_before))
    return f"{done[0].upper()}{done[1:]}; kept until {iso(revocation.until)}."
